//! One connected session, and what is on its way to it.

use super::policy;
use crate::broker::DeliveryToken;
use crate::events::{CloseReason, KeptSubscription};
use dragoman_core::{Policy, Session, Subscription, topic};
use rmqtt::types::Id;
use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Locks; what a panic of another thread left behind is still consistent, because no lock here is held over a call out.
pub(super) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A message of the daemon that is on its way.
pub(super) struct Outstanding {
    pub(super) token: DeliveryToken,
    /// QoS 1: a receipt was promised.
    pub(super) receipt: bool,
    pub(super) deadline: Instant,
    /// It was handed to the connection, so only the client's answer is missing.
    pub(super) delivered: bool,
}

#[derive(Default)]
struct Waiting {
    closed: bool,
    next: u64,
    items: HashMap<u64, Outstanding>,
}

/// Why a message was not taken on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotTaken {
    Closed,
    Full,
}

/// A connected session.
pub(super) struct Live {
    pub(super) session: Arc<Session>,
    /// As the broker library knows it.
    pub(super) id: Id,
    pub(super) policy: Policy,
    /// Largest packet that the client takes, in bytes.
    pub(super) max_packet_bytes: Option<u32>,
    /// Seconds it is remembered after its connection ended; 0 is not at all.
    pub(super) expiry_s: u64,
    /// Publishes that were refused, for a log that does not repeat itself.
    pub(super) refused: AtomicU64,
    subscriptions: Mutex<Vec<KeptSubscription>>,
    waiting: Mutex<Waiting>,
    ended_for: Mutex<Option<CloseReason>>,
}

impl Live {
    pub(super) fn new(
        session: Session,
        id: Id,
        policy: Policy,
        max_packet_bytes: Option<u32>,
        expiry_s: u64,
        subscriptions: Vec<KeptSubscription>,
    ) -> Self {
        Self {
            session: Arc::new(session),
            id,
            policy,
            max_packet_bytes,
            expiry_s,
            refused: AtomicU64::new(0),
            subscriptions: Mutex::new(subscriptions),
            waiting: Mutex::default(),
            ended_for: Mutex::new(None),
        }
    }

    /// Whether its policy lets it see messages on the topic.
    pub(super) fn may_receive(&self, name: &str) -> bool {
        policy::allows(&self.policy.receive, name)
    }

    /// The highest QoS with which one of its subscriptions, its own or implicit, matches the topic. A shared
    /// subscription does not count: it is the group's.
    pub(super) fn subscribed_qos(&self, name: &str) -> Option<u8> {
        let own = lock(&self.subscriptions)
            .iter()
            .filter(|s| s.share.is_none() && topic::matches(&s.filter, name))
            .map(|s| s.qos)
            .max();
        let implicit = self.policy.implicit.iter().filter(|s| topic::matches(&s.filter, name)).map(|s| s.qos).max();
        own.max(implicit)
    }

    /// What it subscribed to itself.
    pub(super) fn own_subscriptions(&self) -> Vec<KeptSubscription> {
        lock(&self.subscriptions).clone()
    }

    /// Its own and the implicit subscriptions, each filter once.
    pub(super) fn all_subscriptions(&self) -> Vec<Subscription> {
        let mut list: Vec<Subscription> = Vec::new();
        let own = lock(&self.subscriptions);
        let own = own.iter().map(|s| Subscription { filter: s.filter.clone(), qos: s.qos });
        for one in own.chain(self.policy.implicit.iter().cloned()) {
            match list.iter_mut().find(|known| known.filter == one.filter) {
                Some(known) => known.qos = known.qos.max(one.qos),
                None => list.push(one),
            }
        }
        list
    }

    /// Whether one more subscription fits, or the filter is known already.
    pub(super) fn has_room(&self, filter: &str, most: usize) -> bool {
        let list = lock(&self.subscriptions);
        list.len() < most || list.iter().any(|s| s.filter == filter)
    }

    pub(super) fn subscribed(&self, subscription: KeptSubscription) {
        let mut list = lock(&self.subscriptions);
        list.retain(|s| s.filter != subscription.filter);
        list.push(subscription);
    }

    pub(super) fn unsubscribed(&self, filter: &str) {
        lock(&self.subscriptions).retain(|s| s.filter != filter);
    }

    /// Remembers why the host ends it; the first reason stays.
    pub(super) fn end_for(&self, reason: CloseReason) {
        lock(&self.ended_for).get_or_insert(reason);
    }

    pub(super) fn ended_for(&self) -> Option<CloseReason> {
        lock(&self.ended_for).clone()
    }

    /// Takes a message on and returns its number.
    pub(super) fn take_on(&self, message: Outstanding, most: usize) -> Result<u64, NotTaken> {
        let mut waiting = lock(&self.waiting);
        if waiting.closed {
            return Err(NotTaken::Closed);
        }
        if waiting.items.len() >= most {
            return Err(NotTaken::Full);
        }
        waiting.next += 1;
        let number = waiting.next;
        waiting.items.insert(number, message);
        Ok(number)
    }

    /// Whether a message may still be handed to the client.
    pub(super) fn may_deliver(&self, number: u64, now: Instant) -> bool {
        lock(&self.waiting).items.get(&number).is_some_and(|message| now < message.deadline)
    }

    /// A message was handed to the connection. One without a receipt is done with.
    pub(super) fn delivered(&self, number: u64) {
        let mut waiting = lock(&self.waiting);
        if let Some(message) = waiting.items.get_mut(&number) {
            message.delivered = true;
            if !message.receipt {
                waiting.items.remove(&number);
            }
        }
    }

    /// Takes a message out; whoever gets it tells its receipt.
    pub(super) fn settle(&self, number: u64) -> Option<Outstanding> {
        lock(&self.waiting).items.remove(&number)
    }

    /// Takes out what was not handed over in time.
    pub(super) fn settle_expired(&self, now: Instant) -> Vec<Outstanding> {
        let mut waiting = lock(&self.waiting);
        waiting.items.extract_if(|_, message| !message.delivered && message.deadline <= now).map(|(_, m)| m).collect()
    }

    /// Closes it for further messages and takes everything out; none if it was closed before.
    pub(super) fn close(&self) -> Option<Vec<Outstanding>> {
        let mut waiting = lock(&self.waiting);
        if std::mem::replace(&mut waiting.closed, true) {
            return None;
        }
        Some(waiting.items.drain().map(|(_, message)| message).collect())
    }

    /// How many messages are on their way.
    pub(super) fn outstanding(&self) -> usize {
        lock(&self.waiting).items.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dragoman_core::{ExecutionId, SessionId};
    use std::time::Duration;

    fn live(policy: Policy) -> Live {
        let session = Session {
            id: SessionId::new("s1"),
            listener: "l".into(),
            client_id: "c".into(),
            username: None,
            dialect: None,
            principal: None,
            device: None,
            protocol_level: 4,
        };
        Live::new(session, Id::from(1, "c".into()), policy, None, 0, Vec::new())
    }

    fn outstanding(deadline: Instant) -> Outstanding {
        let token = DeliveryToken { execution: ExecutionId::new("e"), attempt: 1, index: 0 };
        Outstanding { token, receipt: true, deadline, delivered: false }
    }

    fn own(filter: &str, qos: u8) -> KeptSubscription {
        KeptSubscription {
            filter: filter.into(),
            qos,
            share: None,
            no_local: false,
            retain_as_published: false,
            retain_handling: crate::RetainHandling::Always,
            subscription_id: None,
        }
    }

    #[test]
    fn each_message_is_settled_once() {
        let live = live(Policy::default());
        let later = Instant::now() + Duration::from_secs(60);
        let first = live.take_on(outstanding(later), 2).unwrap();
        live.take_on(outstanding(later), 2).unwrap();
        assert_eq!(live.take_on(outstanding(later), 2), Err(NotTaken::Full));
        assert!(live.settle(first).is_some());
        assert!(live.settle(first).is_none());
        assert_eq!(live.close().map(|rest| rest.len()), Some(1));
        assert!(live.close().is_none());
        assert_eq!(live.take_on(outstanding(later), 2), Err(NotTaken::Closed));
    }

    #[test]
    fn what_is_late_expires_unless_it_was_handed_over() {
        let live = live(Policy::default());
        let now = Instant::now();
        let late = live.take_on(outstanding(now), 9).unwrap();
        let delivered = live.take_on(outstanding(now), 9).unwrap();
        live.delivered(delivered);
        assert!(!live.may_deliver(late, now));
        assert_eq!(live.settle_expired(now).len(), 1);
        assert!(live.settle(delivered).is_some());
    }

    #[test]
    fn own_and_implicit_subscriptions_are_one_with_the_higher_qos() {
        let policy = Policy { implicit: vec![Subscription { filter: "d/#".into(), qos: 1 }], ..Policy::default() };
        let live = live(policy);
        live.subscribed(own("d/#", 0));
        assert_eq!(live.subscribed_qos("d/x"), Some(1));
        assert_eq!(live.subscribed_qos("e"), None);
        assert_eq!(live.all_subscriptions(), [Subscription { filter: "d/#".into(), qos: 1 }]);
        live.unsubscribed("d/#");
        assert_eq!(live.subscribed_qos("d/x"), Some(1));
        assert!(live.own_subscriptions().is_empty());
    }
}
