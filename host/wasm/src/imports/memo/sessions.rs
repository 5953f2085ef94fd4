//! Sessions that a call has read, and what it noted about them. Every function but `own_session` is about a session
//! that the asking plugin admitted.

use crate::reads::ReadError;
use crate::state::Call;
use dragoman_core::{DeviceId, Session, SessionId, Subscription};
use std::sync::Arc;

impl Call {
    /// A session that the asking plugin admitted.
    pub(in crate::imports) async fn own_session(&mut self, id: &SessionId) -> Result<Option<Arc<Session>>, ReadError> {
        let found = match self.memo.sessions.get(id) {
            Some(known) => known.clone(),
            None => {
                let (host, plugin) = self.host()?;
                let found = self.hosted(host.session(&plugin, id)).await?;
                self.memo.sessions.insert(id.clone(), found.clone());
                found
            }
        };
        let own = |session: &Arc<Session>| session.dialect.as_deref() == Some(&*self.facts.name);
        Ok(found.filter(own))
    }

    pub(in crate::imports) async fn subscriptions(&mut self, id: SessionId) -> Result<Vec<Subscription>, ReadError> {
        if let Some(known) = self.memo.subscriptions.get(&id) {
            return Ok(known.clone());
        }
        let (host, plugin) = self.host()?;
        let found = self.hosted(host.subscriptions(&plugin, &id)).await?;
        self.memo.subscriptions.insert(id, found.clone());
        Ok(found)
    }

    pub(in crate::imports) async fn device_subscriptions(
        &mut self,
        device: DeviceId,
    ) -> Result<Option<Vec<Subscription>>, ReadError> {
        if let Some(known) = self.memo.device_subscriptions.get(&device) {
            return Ok(known.clone());
        }
        let (host, plugin) = self.host()?;
        let found = self.hosted(host.device_subscriptions(&plugin, &device)).await?;
        self.memo.device_subscriptions.insert(device, found.clone());
        Ok(found)
    }

    /// What is noted about a session, after what the call itself noted.
    pub(in crate::imports) async fn notes(&mut self, id: &SessionId) -> Result<Option<String>, ReadError> {
        if let Some(known) = self.memo.notes.get(id) {
            return Ok(known.clone());
        }
        let (host, plugin) = self.host()?;
        let found = self.hosted(host.notes(&plugin, id)).await?;
        self.memo.notes.insert(id.clone(), found.clone());
        Ok(found)
    }

    /// Takes in what the call noted.
    pub(in crate::imports) fn noted(&mut self, id: SessionId, notes: String) {
        self.memo.notes.insert(id, Some(notes));
    }
}
