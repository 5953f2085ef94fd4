//! What dialects noted about sessions. As long-lived as the session, and not durable.

use dragoman_core::{Json, SessionId};
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Sessions that were let in and have not opened yet, of which notes are kept. A client that goes away in between never
/// opens, so the oldest give way.
const ADMITTED_MAX: usize = 4_096;

/// Notes by session.
#[derive(Debug, Default)]
pub struct Notes {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    open: HashMap<SessionId, Option<Json>>,
    admitted: HashMap<SessionId, Json>,
    admitted_order: VecDeque<SessionId>,
}

impl Notes {
    /// A session was let in; its notes count once it opens.
    pub fn admitted(&self, session: &SessionId, notes: Json) {
        let mut state = self.lock();
        if state.admitted.insert(session.clone(), notes).is_none() {
            state.admitted_order.push_back(session.clone());
        }
        while state.admitted_order.len() > ADMITTED_MAX
            && let Some(oldest) = state.admitted_order.pop_front()
        {
            state.admitted.remove(&oldest);
        }
    }

    /// A session opened.
    pub fn opened(&self, session: &SessionId) {
        let mut state = self.lock();
        let notes = state.admitted.remove(session);
        if notes.is_some() {
            state.admitted_order.retain(|admitted| admitted != session);
        }
        state.open.insert(session.clone(), notes);
    }

    /// A session closed.
    pub fn closed(&self, session: &SessionId) {
        self.lock().open.remove(session);
    }

    /// What was noted last.
    pub fn get(&self, session: &SessionId) -> Option<Json> {
        self.lock().open.get(session).cloned().flatten()
    }

    /// Replaces what was noted. A session that closed meanwhile keeps nothing.
    pub fn put(&self, session: &SessionId, notes: Json) {
        if let Some(noted) = self.lock().open.get_mut(session) {
            *noted = Some(notes);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_live_as_long_as_their_session() {
        let notes = Notes::default();
        let session = SessionId::new("s");
        notes.put(&session, "1".into());
        assert_eq!(notes.get(&session), None, "it is not open");
        notes.admitted(&session, "2".into());
        assert_eq!(notes.get(&session), None, "it is not open yet");
        notes.opened(&session);
        assert_eq!(notes.get(&session), Some("2".into()));
        notes.put(&session, "3".into());
        assert_eq!(notes.get(&session), Some("3".into()));
        notes.closed(&session);
        notes.put(&session, "4".into());
        assert_eq!(notes.get(&session), None);
    }

    #[test]
    fn clients_that_never_open_leave_nothing_behind() {
        let notes = Notes::default();
        for number in 0..ADMITTED_MAX + 10 {
            notes.admitted(&SessionId::new(number.to_string()), "n".into());
        }
        assert_eq!(notes.lock().admitted.len(), ADMITTED_MAX);
        notes.opened(&SessionId::new("0"));
        assert_eq!(notes.get(&SessionId::new("0")), None, "the oldest gave way");
    }
}
