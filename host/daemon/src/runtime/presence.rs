//! Which device is connected by which session.

use dragoman_core::{DeviceId, Session, SessionId};
use dragoman_mqtt::Broker;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The connected session of every device that has one. Events of a take-over come in either order, so a session is
/// only ever removed by its own id.
#[derive(Debug, Default)]
pub struct Presence {
    sessions: Mutex<HashMap<DeviceId, Arc<Session>>>,
}

impl Presence {
    /// A session opened. `tell` runs before any other change of presence, so that the engine hears of them in order.
    /// The broker changes its tables before it reports, so a session that it does not name any more was taken over or
    /// closed meanwhile, and its late report counts for nothing.
    pub fn opened(&self, device: DeviceId, session: Arc<Session>, broker: Option<&dyn Broker>, tell: impl FnOnce()) {
        let mut sessions = self.lock();
        let current = broker.is_none_or(|broker| broker.session_of(&device).is_some_and(|now| now.id == session.id));
        if current {
            sessions.insert(device, session);
            tell();
        }
    }

    /// A session closed. `tell` runs where its device is away now.
    pub fn closed(&self, device: &DeviceId, session: &SessionId, tell: impl FnOnce()) {
        let mut sessions = self.lock();
        if sessions.get(device).is_some_and(|current| current.id == *session) {
            sessions.remove(device);
            tell();
        }
    }

    /// The session of a device.
    pub fn session_of(&self, device: &DeviceId) -> Option<Arc<Session>> {
        self.lock().get(device).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<DeviceId, Arc<Session>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(id: &str) -> Arc<Session> {
        Arc::new(Session {
            id: SessionId::new(id),
            listener: "tcp".into(),
            client_id: "client".into(),
            username: None,
            dialect: None,
            principal: None,
            device: None,
            protocol_level: 4,
        })
    }

    #[test]
    fn a_session_that_was_taken_over_does_not_take_its_device_away() {
        let presence = Presence::default();
        let device = DeviceId::new("d");
        let told = std::cell::Cell::new(0);
        let tell = || told.set(told.get() + 1);
        presence.opened(device.clone(), session("one"), None, tell);
        presence.opened(device.clone(), session("two"), None, tell);
        presence.closed(&device, &SessionId::new("one"), || panic!("the old one ends later, the device stays"));
        assert_eq!(presence.session_of(&device).map(|session| session.id.clone()), Some(SessionId::new("two")));
        presence.closed(&device, &SessionId::new("two"), tell);
        presence.closed(&device, &SessionId::new("two"), || panic!("only once"));
        assert_eq!(told.get(), 3);
    }
}
