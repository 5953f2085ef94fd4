//! Who is connected, who is about to be, and which persistent sessions are remembered.

use super::live::Live;
use crate::events::KeptSession;
use dragoman_core::{DeviceId, Grant, Session, SessionId};
use rmqtt::types::Id;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

/// Somebody who was let in and whose session does not run yet.
pub(super) struct Admitted {
    pub(super) session: Session,
    pub(super) grant: Grant,
    pub(super) since: Instant,
}

/// A persistent session.
pub(super) struct Kept {
    pub(super) session: KeptSession,
    /// The connection, or the restored session, that it belongs to now.
    pub(super) owner: Id,
    /// Whether the daemon was told to keep it.
    pub(super) told: bool,
}

/// What somebody who was let in may do with a client id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// It is free, or its own: what was left under it goes on.
    Own,
    /// It is taken over, and what was left under it ends.
    Anew,
    /// It is somebody else's.
    Strange,
}

/// Whom a session belongs to.
struct Owner<'a> {
    dialect: &'a str,
    principal: &'a str,
    admitted_as: &'a str,
    device: Option<&'a str>,
}

impl Owner<'_> {
    fn claim(&self, grant: &Grant) -> Claim {
        let same_dialect = self.dialect == &*grant.dialect;
        let same_device = self.device.is_some() && self.device == grant.device.as_ref().map(DeviceId::as_str);
        if same_dialect && self.principal == grant.principal {
            Claim::Own
        } else if same_device || (same_dialect && self.admitted_as == grant.principal) {
            Claim::Anew
        } else {
            Claim::Strange
        }
    }
}

/// What a new session replaces.
#[derive(Default)]
pub(super) struct Replaced {
    /// The session of the same device with another client id.
    pub(super) device: Option<Arc<Live>>,
}

#[derive(Default)]
pub(super) struct Tables {
    pub(super) by_session: HashMap<SessionId, Arc<Live>>,
    pub(super) by_client: HashMap<String, Arc<Live>>,
    pub(super) by_device: HashMap<DeviceId, Arc<Live>>,
    pub(super) admitted: HashMap<Id, Admitted>,
    kept: HashMap<String, Kept>,
    /// The client ids of the newest persistent sessions of devices.
    kept_of_device: HashMap<String, String>,
    /// Connections that are to be answered with "unavailable".
    pub(super) turned_away: HashMap<Id, Instant>,
}

impl Tables {
    /// What a grant makes of what is connected or remembered under a client id.
    pub(super) fn claim(&self, client_id: &str, grant: &Grant) -> Claim {
        if let Some(live) = self.by_client.get(client_id) {
            let current = live.current();
            let owner = Owner {
                dialect: current.dialect.as_deref().unwrap_or_default(),
                principal: current.principal.as_deref().unwrap_or_default(),
                admitted_as: live.session.principal.as_deref().unwrap_or_default(),
                device: current.device.as_ref().map(DeviceId::as_str),
            };
            return owner.claim(grant);
        }
        self.kept.get(client_id).map_or(Claim::Own, |Kept { session, .. }| {
            let owner = Owner {
                dialect: &session.dialect,
                principal: &session.principal,
                admitted_as: session.admitted_as.as_deref().unwrap_or(&session.principal),
                device: session.device.as_deref(),
            };
            owner.claim(grant)
        })
    }

    /// What somebody who was let in and connects now may do with its client id.
    pub(super) fn claim_of(&self, id: &Id) -> Claim {
        let admitted = self.admitted.get(id);
        admitted.map_or(Claim::Strange, |admitted| self.claim(&admitted.session.client_id, &admitted.grant))
    }

    /// The dialect of a session, connected or remembered; empty if there is none.
    pub(super) fn dialect_of(&self, client_id: &str) -> &str {
        let live = self.by_client.get(client_id).and_then(|live| live.session.dialect.as_deref());
        let kept = || self.kept.get(client_id).map(|kept| kept.session.dialect.as_str());
        live.or_else(kept).unwrap_or_default()
    }

    /// The connected session that the library has under an id.
    pub(super) fn live_with(&self, id: &Id) -> Option<&Arc<Live>> {
        self.by_client.get::<str>(id.client_id.as_ref()).filter(|live| live.id == *id)
    }

    pub(super) fn keep(&mut self, kept: Kept) {
        if let Some(device) = &kept.session.device {
            self.kept_of_device.insert(device.clone(), kept.session.client_id.clone());
        }
        self.kept.insert(kept.session.client_id.clone(), kept);
    }

    pub(super) fn forget(&mut self, client_id: &str) -> Option<Kept> {
        let kept = self.kept.remove(client_id)?;
        if let Some(device) = &kept.session.device
            && self.kept_of_device.get(device).is_some_and(|known| known == client_id)
        {
            self.kept_of_device.remove(device);
        }
        Some(kept)
    }

    /// The persistent session of a client, if it belongs to the connection.
    pub(super) fn kept_by(&mut self, client_id: &str, owner: &Id) -> Option<&mut Kept> {
        self.kept.get_mut(client_id).filter(|kept| kept.owner == *owner)
    }

    pub(super) fn kept_of(&self, device: &DeviceId) -> Option<&KeptSession> {
        Some(&self.kept.get(self.kept_of_device.get(device.as_str())?)?.session)
    }

    pub(super) fn kept_len(&self) -> usize {
        self.kept.len()
    }

    pub(super) fn insert(&mut self, live: &Arc<Live>) -> Replaced {
        self.by_session.insert(live.session.id.clone(), live.clone());
        self.by_client.insert(live.session.client_id.clone(), live.clone());
        let before =
            live.session.device.as_ref().and_then(|device| self.by_device.insert(device.clone(), live.clone()));
        Replaced { device: before.filter(|before| before.session.client_id != live.session.client_id) }
    }

    /// Takes a session out, and leaves alone what already belongs to its successor.
    pub(super) fn remove(&mut self, live: &Live) {
        let id = &live.session.id;
        self.by_session.remove(id);
        if self.by_client.get(&live.session.client_id).is_some_and(|known| known.session.id == *id) {
            self.by_client.remove(&live.session.client_id);
        }
        if let Some(device) = &live.session.device
            && self.by_device.get(device).is_some_and(|known| known.session.id == *id)
        {
            self.by_device.remove(device);
        }
    }
}
