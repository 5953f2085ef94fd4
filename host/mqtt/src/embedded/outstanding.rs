//! Messages of the daemon that are on their way to one session.

use crate::broker::DeliveryToken;
use std::collections::HashMap;
use std::time::Instant;

/// A message of the daemon that is on its way.
pub(super) struct Outstanding {
    /// None where nobody asks what became of it.
    pub(super) token: Option<DeliveryToken>,
    /// QoS 1 with a token: a receipt was promised.
    pub(super) receipt: bool,
    /// None: it waits as long as its session is connected.
    pub(super) deadline: Option<Instant>,
}

impl Outstanding {
    fn is_late(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }
}

struct Item {
    message: Outstanding,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Queued,
    /// The library still holds it, and its place counts until it lets go of it.
    Withdrawn,
    /// It was handed to the connection, so only the client's answer is missing.
    Handed,
}

/// Why a message was not taken on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotTaken {
    Closed,
    Full,
}

/// What waits for one session, by numbers that it gives.
#[derive(Default)]
pub(super) struct Waiting {
    closed: bool,
    next: u64,
    items: HashMap<u64, Item>,
}

impl Waiting {
    /// Takes a message on and returns its number.
    pub(super) fn take_on(&mut self, message: Outstanding, most: usize) -> Result<u64, NotTaken> {
        if self.closed {
            return Err(NotTaken::Closed);
        }
        if self.items.len() >= most {
            return Err(NotTaken::Full);
        }
        self.next += 1;
        self.items.insert(self.next, Item { message, state: State::Queued });
        Ok(self.next)
    }

    /// Whether a message may be handed to the client; from then on it is as good as on the wire.
    pub(super) fn hand_over(&mut self, number: u64, now: Instant) -> bool {
        match self.items.get_mut(&number) {
            Some(item) if item.state != State::Withdrawn && !item.message.is_late(now) => {
                item.state = State::Handed;
                true
            }
            _ => false,
        }
    }

    /// A message is on the wire. One without a receipt is done with.
    pub(super) fn delivered(&mut self, number: u64) {
        if self.items.get(&number).is_some_and(|item| !item.message.receipt) {
            self.items.remove(&number);
        }
    }

    /// Takes a message out. Whoever gets it tells its receipt; of a withdrawn one nothing is told.
    pub(super) fn settle(&mut self, number: u64) -> Option<Outstanding> {
        self.items.remove(&number).filter(|item| item.state != State::Withdrawn).map(|item| item.message)
    }

    /// Takes out what was not handed over in time.
    pub(super) fn settle_expired(&mut self, now: Instant) -> Vec<Outstanding> {
        let late = self.items.extract_if(|_, item| item.state != State::Handed && item.message.is_late(now));
        late.map(|(_, item)| item).filter(|item| item.state == State::Queued).map(|item| item.message).collect()
    }

    /// Takes a message back that was not handed over. False: there is none such with the token.
    pub(super) fn withdraw(&mut self, token: &DeliveryToken) -> bool {
        let found = self.items.values_mut().find(|item| item.message.token.as_ref() == Some(token));
        match found {
            Some(item) if item.state == State::Queued => {
                item.state = State::Withdrawn;
                true
            }
            _ => false,
        }
    }

    /// Closes it for further messages and takes everything out; none if it was closed before.
    pub(super) fn close(&mut self) -> Option<Vec<Outstanding>> {
        if std::mem::replace(&mut self.closed, true) {
            return None;
        }
        let all = self.items.drain().map(|(_, item)| item);
        Some(all.filter(|item| item.state != State::Withdrawn).map(|item| item.message).collect())
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dragoman_core::ExecutionId;
    use std::time::Duration;

    fn token(index: u32) -> DeliveryToken {
        DeliveryToken { execution: ExecutionId::new("e"), attempt: 1, index }
    }

    fn outstanding(deadline: Instant, index: u32) -> Outstanding {
        Outstanding { token: Some(token(index)), receipt: true, deadline: Some(deadline) }
    }

    #[test]
    fn each_message_is_settled_once() {
        let mut waiting = Waiting::default();
        let later = Instant::now() + Duration::from_secs(60);
        let first = waiting.take_on(outstanding(later, 0), 2).unwrap();
        waiting.take_on(outstanding(later, 1), 2).unwrap();
        assert_eq!(waiting.take_on(outstanding(later, 2), 2), Err(NotTaken::Full));
        assert!(waiting.settle(first).is_some());
        assert!(waiting.settle(first).is_none());
        assert_eq!(waiting.close().map(|rest| rest.len()), Some(1));
        assert!(waiting.close().is_none());
        assert_eq!(waiting.take_on(outstanding(later, 3), 2), Err(NotTaken::Closed));
    }

    #[test]
    fn what_is_late_expires_unless_it_was_handed_over() {
        let mut waiting = Waiting::default();
        let now = Instant::now();
        let soon = now + Duration::from_millis(1);
        let late = waiting.take_on(outstanding(soon, 0), 9).unwrap();
        let handed = waiting.take_on(outstanding(soon, 1), 9).unwrap();
        assert!(waiting.hand_over(handed, now));
        assert!(!waiting.hand_over(late, soon));
        assert_eq!(waiting.settle_expired(soon).len(), 1);
        assert!(waiting.settle(handed).is_some());
    }

    #[test]
    fn what_is_queued_is_withdrawn_and_what_is_handed_over_is_not() {
        let mut waiting = Waiting::default();
        let now = Instant::now();
        let later = now + Duration::from_secs(60);
        let (handed, queued) = (waiting.take_on(outstanding(later, 0), 2).unwrap(), outstanding(later, 1));
        let queued = waiting.take_on(queued, 2).unwrap();
        assert!(waiting.hand_over(handed, now));
        assert!(!waiting.withdraw(&token(0)) && waiting.withdraw(&token(1)) && !waiting.withdraw(&token(1)));
        assert!(!waiting.hand_over(queued, now));
        assert_eq!(waiting.take_on(outstanding(later, 2), 2), Err(NotTaken::Full), "the library still holds it");
        assert!(waiting.settle(queued).is_none(), "nothing is told about it");
        assert!(waiting.take_on(outstanding(later, 2), 2).is_ok());
    }
}
