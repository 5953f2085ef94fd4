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

impl Kept {
    fn belongs_to(&self, grant: &Grant) -> bool {
        self.session.dialect == *grant.dialect && self.session.principal == grant.principal
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
    pub(super) kept: HashMap<String, Kept>,
    /// Connections that are to be answered with "unavailable".
    pub(super) turned_away: HashMap<Id, Instant>,
}

impl Tables {
    /// Whether what is remembered or connected under a client id belongs to somebody else.
    pub(super) fn is_strange(&self, client_id: &str, grant: &Grant) -> bool {
        let live = self.by_client.get(client_id).is_some_and(|live| {
            live.session.dialect.as_ref() != Some(&grant.dialect)
                || live.session.principal.as_ref() != Some(&grant.principal)
        });
        live || self.kept.get(client_id).is_some_and(|kept| !kept.belongs_to(grant))
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
