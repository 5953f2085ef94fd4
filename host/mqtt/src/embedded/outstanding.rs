//! Messages of the daemon that are on their way to one session.

use crate::broker::DeliveryToken;
use dragoman_core::ExecutionId;
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

    /// Takes the messages of an attempt back that were not handed over, and says how many.
    pub(super) fn withdraw(&mut self, execution: &ExecutionId, attempt: u32) -> usize {
        let is_of = |token: &DeliveryToken| token.execution == *execution && token.attempt == attempt;
        let mut withdrawn = 0;
        for item in self.items.values_mut() {
            if item.state == State::Queued && item.message.token.as_ref().is_some_and(is_of) {
                item.state = State::Withdrawn;
                withdrawn += 1;
            }
        }
        withdrawn
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
    use std::time::Duration;

    fn outstanding(deadline: Instant, attempt: u32, index: u32) -> Outstanding {
        let token = DeliveryToken { execution: ExecutionId::new("e"), attempt, index };
        Outstanding { token: Some(token), receipt: true, deadline: Some(deadline) }
    }

    #[test]
    fn each_message_is_settled_once() {
        let mut waiting = Waiting::default();
        let later = Instant::now() + Duration::from_secs(60);
        let first = waiting.take_on(outstanding(later, 1, 0), 2).unwrap();
        waiting.take_on(outstanding(later, 1, 1), 2).unwrap();
        assert_eq!(waiting.take_on(outstanding(later, 1, 2), 2), Err(NotTaken::Full));
        assert!(waiting.settle(first).is_some());
        assert!(waiting.settle(first).is_none());
        assert_eq!(waiting.close().map(|rest| rest.len()), Some(1));
        assert!(waiting.close().is_none());
        assert_eq!(waiting.take_on(outstanding(later, 1, 3), 2), Err(NotTaken::Closed));
    }

    #[test]
    fn what_is_late_expires_unless_it_was_handed_over() {
        let mut waiting = Waiting::default();
        let now = Instant::now();
        let soon = now + Duration::from_millis(1);
        let late = waiting.take_on(outstanding(soon, 1, 0), 9).unwrap();
        let handed = waiting.take_on(outstanding(soon, 1, 1), 9).unwrap();
        assert!(waiting.hand_over(handed, now));
        assert!(!waiting.hand_over(late, soon));
        assert_eq!(waiting.settle_expired(soon).len(), 1);
        assert!(waiting.settle(handed).is_some());
    }

    #[test]
    fn of_an_attempt_what_is_queued_is_withdrawn_and_what_is_handed_over_is_not() {
        let mut waiting = Waiting::default();
        let now = Instant::now();
        let later = now + Duration::from_secs(60);
        let mut take_on = |attempt, index| waiting.take_on(outstanding(later, attempt, index), 4);
        let (handed, one, two, next) = (take_on(1, 0), take_on(1, 1), take_on(1, 2), take_on(2, 0));
        let [handed, one, two, next] = [handed, one, two, next].map(Result::unwrap);
        assert!(waiting.hand_over(handed, now));
        let id = ExecutionId::new("e");
        assert_eq!(waiting.withdraw(&ExecutionId::new("other"), 1), 0);
        assert_eq!(waiting.withdraw(&id, 1), 2);
        assert_eq!(waiting.withdraw(&id, 1), 0, "it is withdrawn already, or on the wire");
        assert!(!waiting.hand_over(one, now) && !waiting.hand_over(two, now) && waiting.hand_over(next, now));
        assert_eq!(waiting.take_on(outstanding(later, 2, 1), 4), Err(NotTaken::Full), "the library still holds them");
        assert!(waiting.settle(one).is_none(), "nothing is told about it");
        assert!(waiting.take_on(outstanding(later, 2, 1), 4).is_ok());
    }
}
