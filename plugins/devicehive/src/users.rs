//! Users as far as they are read: `user/get`, `user/list`, `user/count`, `user/getCurrent`. A user is known once somebody
//! logged in as that user; the platform's first administrator always is.

use crate::actions::Call;
use crate::answer::{ApiError, Done, Failure, reply};
use crate::catalogue::{Catalogue, Entry};
use crate::login::{Role, User};
use crate::paging::{Paging, Pattern};
use crate::permission::{Permission, Scope};
use crate::settings::Settings;
use crate::{instant, ring};
use dragoman_plugin_sdk::{Error, Gateway};
use serde::{Deserialize, Serialize};

/// The collection of the documents, by id.
const COLLECTION: &str = "users";
/// Users that are read at most.
const READ_MAX: u32 = 1_000;
/// How old the last login on record may become before the next one is written down. Many clients share a user, and
/// each login would write over the one before.
const LAST_LOGIN_STALE_MS: u64 = 60 * 60 * 1_000;

/// A user as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Kept {
    id: i64,
    login: String,
    role: Role,
    status: u8,
    networks: Scope,
    device_types: Scope,
    last_login_ms: Option<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct View<'a> {
    id: i64,
    login: &'a str,
    role: Role,
    status: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_login: Option<String>,
    intro_reviewed: bool,
    all_device_types_available: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    networks: Option<Vec<Entry>>,
}

impl Kept {
    /// A user that logs in now.
    pub(crate) fn of(user: &User, now_ms: u64) -> Self {
        Self {
            id: user.id,
            login: user.login.clone(),
            role: user.role,
            status: user.status,
            networks: user.networks.clone(),
            device_types: user.device_types.clone(),
            last_login_ms: Some(now_ms),
        }
    }

    fn first() -> Self {
        Self {
            id: 1,
            login: "dhadmin".to_owned(),
            role: Role::Admin,
            status: 0,
            networks: Scope::All,
            device_types: Scope::All,
            last_login_ms: None,
        }
    }

    fn view(&self, networks: Option<Vec<Entry>>) -> View<'_> {
        View {
            id: self.id,
            login: &self.login,
            role: self.role,
            status: self.status,
            last_login: self.last_login_ms.map(instant::text),
            intro_reviewed: false,
            all_device_types_available: self.device_types == Scope::All,
            networks,
        }
    }

    /// Its own networks; of an administrator none in particular.
    fn networks(&self, settings: &Settings) -> Vec<Entry> {
        match &self.networks {
            Scope::All => Vec::new(),
            Scope::Only(ids) => ids.iter().filter_map(|id| Catalogue::Networks.by_id(settings, *id)).collect(),
        }
    }
}

/// Writes down who logged in, where that is news.
pub(crate) fn note_login(gateway: &impl Gateway, user: &User) -> Result<(), Error> {
    let now = Kept::of(user, gateway.now_ms());
    let key = user.id.to_string();
    let document = gateway.document(COLLECTION, &key);
    if let Some(document) = &document {
        let known: Kept = ring::read(document)?;
        let last_ms = known.last_login_ms.unwrap_or_default();
        if (Kept { last_login_ms: now.last_login_ms, ..known }) == now
            && gateway.now_ms().saturating_sub(last_ms) < LAST_LOGIN_STALE_MS
        {
            return Ok(());
        }
    }
    gateway.put_document(COLLECTION, &key, &ring::text_of(&now)?, document.map_or(0, |document| document.revision))
}

/// A user by id.
pub(crate) fn find(gateway: &impl Gateway, id: i64) -> Result<Option<Kept>, Error> {
    match gateway.document(COLLECTION, &id.to_string()) {
        Some(document) => ring::read(&document).map(Some),
        None => Ok(Some(Kept::first()).filter(|first| first.id == id)),
    }
}

/// A user by login.
pub(crate) fn by_login(gateway: &impl Gateway, login: &str) -> Result<Option<Kept>, Error> {
    let fields = [("login".to_owned(), login.to_owned())];
    match gateway.documents(COLLECTION, &fields, None, 1)?.first() {
        Some(document) => ring::read(document).map(Some),
        None => Ok(Some(Kept::first()).filter(|first| first.login == login)),
    }
}

pub(crate) fn get<G: Gateway>(call: &Call<'_, G>) -> Result<Done, Failure> {
    call.require(Permission::ManageUser)?;
    let id = call.id("userId", "User")?;
    let user = find(call.gateway, id)?.ok_or_else(|| ApiError::not_found("User", id))?;
    reply("user", &user.view(Some(user.networks(call.settings))))
}

/// The user behind the session.
pub(crate) fn current<G: Gateway>(call: &Call<'_, G>) -> Result<Done, Failure> {
    let id = call.require(Permission::GetCurrentUser)?.user;
    let user = match &call.notes.user {
        Some(user) => user.clone(),
        None => find(call.gateway, id)?.ok_or_else(|| ApiError::not_found("User", id))?,
    };
    reply("current", &user.view(Some(user.networks(call.settings))))
}

pub(crate) fn list<G: Gateway>(call: &Call<'_, G>) -> Result<Done, Failure> {
    call.require(Permission::ManageUser)?;
    let paging = Paging::read(&call.request.members, &["id", "login"])?;
    let found = found(call)?;
    let page = match paging.field.as_deref() {
        Some("login") => paging.apply(found, |a, b| a.login.cmp(&b.login)),
        _ => paging.apply(found, |a, b| a.id.cmp(&b.id)),
    };
    reply("users", &page.iter().map(|user| user.view(None)).collect::<Vec<_>>())
}

pub(crate) fn count<G: Gateway>(call: &Call<'_, G>) -> Result<Done, Failure> {
    call.require(Permission::ManageUser)?;
    reply("count", &found(call)?.len())
}

fn found<G: Gateway>(call: &Call<'_, G>) -> Result<Vec<Kept>, Failure> {
    let members = &call.request.members;
    let (login, pattern) = (members.text("login")?, Pattern::read(members, "loginPattern")?);
    let (role, status) = (members.number("role")?, members.number("status")?);
    let documents = call.gateway.documents(COLLECTION, &[], None, READ_MAX)?;
    let mut all = documents.iter().map(ring::read).collect::<Result<Vec<Kept>, _>>()?;
    let first = Kept::first();
    if all.iter().all(|user| user.id != first.id) {
        all.push(first);
    }
    all.retain(|user| {
        login.as_ref().is_none_or(|login| *login == user.login)
            && pattern.as_ref().is_none_or(|pattern| pattern.fits(&user.login))
            && role.is_none_or(|role| role == i64::from(u8::from(user.role)))
            && status.is_none_or(|status| status == i64::from(user.status))
    });
    Ok(all)
}
