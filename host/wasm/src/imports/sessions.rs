//! `sessions`: MQTT connections of the asking dialect.

use super::memo::unanswered;
use super::{is_device_id, refusal};
use crate::access::{Export, Import};
use crate::bindings::dragoman::gateway::{sessions, types};
use crate::check::{self, Checked};
use crate::convert;
use crate::error::Fault;
use crate::state::State;
use crate::words::Start;
use crate::writes::PluginWrite;
use dragoman_core::{DeviceId, SessionId};

/// The notes of one session, in bytes.
const NOTES_MAX_BYTES: usize = 64 << 10;
/// The dialect's own name for a following, in bytes.
const TAG_MAX_BYTES: usize = 128;
/// Transitions of one replay.
const FOLLOW_MAX: u32 = 1000;

impl sessions::Host for State {
    async fn get(&mut self, id: String) -> wasmtime::Result<Option<types::Session>> {
        self.call.enter(Import::SessionsGet)?;
        let found = self.call.own_session(&SessionId::new(id)).await.map_err(unanswered)?;
        Ok(found.as_deref().map(convert::session))
    }

    async fn subscriptions(&mut self, id: String) -> wasmtime::Result<Vec<types::Subscription>> {
        self.call.enter(Import::Subscriptions)?;
        let id = SessionId::new(id);
        if self.call.own_session(&id).await.map_err(unanswered)?.is_none() {
            return Ok(Vec::new());
        }
        let found = self.call.subscriptions(id).await.map_err(unanswered)?;
        Ok(found.iter().map(convert::subscription).collect())
    }

    async fn device_subscriptions(&mut self, device: String) -> wasmtime::Result<Option<Vec<types::Subscription>>> {
        self.call.enter(Import::DeviceSubscriptions)?;
        if !is_device_id(&device) {
            return Ok(None);
        }
        let found = self.call.device_subscriptions(DeviceId::new(device)).await.map_err(unanswered)?;
        Ok(found.map(|all| all.iter().map(convert::subscription).collect()))
    }

    async fn get_notes(&mut self, id: String) -> wasmtime::Result<Option<String>> {
        self.call.enter(Import::GetNotes)?;
        let id = SessionId::new(id);
        if self.session_of_its_own(&id).await?.is_err() {
            return Ok(None);
        }
        Ok(self.call.notes(&id).await.map_err(unanswered)?)
    }

    async fn put_notes(&mut self, id: String, notes: String) -> wasmtime::Result<Result<(), types::Error>> {
        self.call.enter(Import::PutNotes)?;
        let session = SessionId::new(id);
        let checked = check::size("the notes of a session", notes.len(), NOTES_MAX_BYTES)
            .and_then(|()| self.call.facts.bounds.json("the notes of a session", &notes));
        if let Err(error) = self.writable(&session, checked).await? {
            return Ok(Err(error));
        }
        self.call.charge(notes.len() + session.as_str().len())?;
        self.call.noted(session.clone(), notes.clone());
        // The newest notes of the call are all that anybody can see of them.
        self.call
            .writes
            .retain(|write| !matches!(write, PluginWrite::PutNotes { session: same, .. } if *same == session));
        self.call.writes.push(PluginWrite::PutNotes { session, notes });
        Ok(Ok(()))
    }

    async fn set_policy(
        &mut self,
        id: String,
        principal: Option<String>,
        policy: types::Policy,
    ) -> wasmtime::Result<Result<(), types::Error>> {
        self.call.enter(Import::SetPolicy)?;
        let (session, policy) = (SessionId::new(id), convert::policy(policy));
        let checked = check::name_option("a principal", principal.as_deref()).and_then(|()| check::policy(&policy));
        if let Err(error) = self.writable(&session, checked).await? {
            return Ok(Err(error));
        }
        let filters = [&policy.publish, &policy.subscribe, &policy.receive].into_iter().flatten().map(String::len);
        let bytes = filters.chain(policy.implicit.iter().map(|one| one.filter.len())).sum::<usize>();
        self.call.write(bytes + check::NAME_MAX_BYTES, PluginWrite::SetPolicy { session, principal, policy })?;
        Ok(Ok(()))
    }

    async fn follow(
        &mut self,
        id: String,
        tag: String,
        labels: types::Attributes,
        start: sessions::Start,
        limit: u32,
        live: bool,
    ) -> wasmtime::Result<Result<(), types::Error>> {
        self.call.enter(Import::Follow)?;
        let session = SessionId::new(id);
        let checked = tagged(&tag).and_then(|()| check::labels(&labels)).and_then(|()| {
            if (1..=FOLLOW_MAX).contains(&limit) {
                return Ok(());
            }
            Err(Fault::DoesNotFit(format!("a replay of {limit} transitions is not one of 1 to {FOLLOW_MAX}")))
        });
        if let Err(error) = self.writable(&session, checked).await? {
            return Ok(Err(error));
        }
        let start = match start {
            sessions::Start::Position(position) => Start::Position(position),
            sessions::Start::Since(since_ms) => Start::Since(since_ms),
        };
        let bytes = tag.len() + check::attributes_bytes(&labels) + check::NAME_MAX_BYTES;
        self.call.write(bytes, PluginWrite::Follow { session, tag, labels, start, limit, live })?;
        Ok(Ok(()))
    }

    async fn unfollow(&mut self, id: String, tag: Option<String>) -> wasmtime::Result<Result<(), types::Error>> {
        self.call.enter(Import::Unfollow)?;
        let session = SessionId::new(id);
        let checked = tag.as_deref().map_or(Ok(()), tagged);
        if let Err(error) = self.writable(&session, checked).await? {
            return Ok(Err(error));
        }
        self.call.write(check::NAME_MAX_BYTES, PluginWrite::Unfollow { session, tag })?;
        Ok(Ok(()))
    }

    async fn close(&mut self, id: String) -> wasmtime::Result<Result<(), types::Error>> {
        self.call.enter(Import::Close)?;
        let session = SessionId::new(id);
        if let Err(error) = self.writable(&session, Ok(())).await? {
            return Ok(Err(error));
        }
        let close = PluginWrite::Close(session);
        if !self.call.writes.contains(&close) {
            self.call.write(check::NAME_MAX_BYTES, close)?;
        }
        Ok(Ok(()))
    }
}

impl State {
    /// Whether what is to be written fits, and is about a session that the plugin may write about.
    async fn writable(&mut self, id: &SessionId, checked: Checked) -> Result<Result<(), types::Error>, Fault> {
        match checked {
            Ok(()) => self.session_of_its_own(id).await,
            Err(fault) => Ok(Err(refusal(fault))),
        }
    }

    /// Refuses a session that another dialect admitted, and one that is not there. While a session is being admitted it
    /// is nobody's yet, and the dialect that is asked may speak of this one only.
    pub(super) async fn session_of_its_own(&mut self, id: &SessionId) -> Result<Result<(), types::Error>, Fault> {
        let own = match &self.call.about.admitting {
            Some(admitting) if admitting == id => true,
            _ if self.call.export == Export::Authenticate => false,
            _ => self.call.own_session(id).await.map_err(unanswered)?.is_some(),
        };
        if own {
            return Ok(Ok(()));
        }
        let text = format!("this dialect has no session `{:.100}`", id.as_str());
        Ok(Err(types::Error::Denied(text)))
    }
}

fn tagged(tag: &str) -> Checked {
    check::count("bytes in the tag of a following", tag.len(), 1, TAG_MAX_BYTES)
}
