//! One connected session.

use super::held::Held;
use super::line::Line;
use super::outstanding::{NotTaken, Outstanding, Waiting};
use super::{filters, policy};
use crate::events::{CloseReason, KeptSubscription};
use dragoman_core::{ExecutionId, Policy, Session, Subscription, topic};
use rmqtt::types::Id;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Instant;

/// Locks; what a panic of another thread left behind is still consistent, because no lock here is held over a call out.
pub(super) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the daemon may change while the session lives.
#[derive(Clone)]
struct Current {
    session: Arc<Session>,
    policy: Arc<Policy>,
}

/// A connected session.
pub(super) struct Live {
    /// As it was admitted. Only the principal may be another one by now, see [`Live::current`].
    pub(super) session: Arc<Session>,
    /// As the broker library knows it.
    pub(super) id: Id,
    /// Largest packet that the client takes, in bytes.
    pub(super) max_packet_bytes: Option<u32>,
    /// Seconds it is remembered after its connection ended; 0 is not at all.
    pub(super) expiry_s: u64,
    /// Publishes that were refused, for a log that does not repeat itself.
    pub(super) refused: AtomicU64,
    /// Its QoS 0 messages on their way to the daemon.
    pub(super) line: Line,
    current: RwLock<Current>,
    held: Mutex<Held>,
    has_muted: AtomicBool,
    /// Held while what the policy subscribes for it is put into the index or taken out.
    pub(super) changes: Mutex<()>,
    waiting: Mutex<Waiting>,
    /// Messages of clients that wait for it.
    routed: AtomicUsize,
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
        let session = Arc::new(session);
        let held = Held::resumed(subscriptions, &policy);
        Self {
            id,
            max_packet_bytes,
            expiry_s,
            refused: AtomicU64::new(0),
            line: Line::new(),
            routed: AtomicUsize::new(0),
            current: RwLock::new(Current { session: session.clone(), policy: Arc::new(policy) }),
            session,
            has_muted: AtomicBool::new(held.has_muted()),
            held: Mutex::new(held),
            changes: Mutex::default(),
            waiting: Mutex::default(),
            ended_for: Mutex::new(None),
        }
    }

    fn now(&self) -> Current {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The session with the principal that it has now.
    pub(super) fn current(&self) -> Arc<Session> {
        self.now().session
    }

    /// What it may do now.
    pub(super) fn policy(&self) -> Arc<Policy> {
        self.now().policy
    }

    /// Gives it another policy, and another principal where there is one. The policy before comes back.
    pub(super) fn set_policy(&self, principal: Option<String>, policy: Policy) -> Arc<Policy> {
        let policy = Arc::new(policy);
        let before = {
            let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
            if principal.is_some() {
                current.session = Arc::new(Session { principal, ..(*current.session).clone() });
            }
            std::mem::replace(&mut current.policy, policy.clone())
        };
        let has_muted = lock(&self.held).obey(&policy);
        self.has_muted.store(has_muted, Relaxed);
        before
    }

    /// Whether its policy lets it see messages on the topic.
    pub(super) fn may_receive(&self, name: &str) -> bool {
        policy::allows(&self.policy().receive, name)
    }

    /// Whether its policy no longer covers the subscription of that name.
    pub(super) fn is_muted(&self, name: &str) -> bool {
        self.has_muted.load(Relaxed) && lock(&self.held).is_muted(name)
    }

    /// The highest QoS with which one of its subscriptions, its own or implicit, matches the topic. A shared
    /// subscription counts, although the group has it.
    pub(super) fn subscribed_qos(&self, name: &str) -> Option<u8> {
        let own = lock(&self.held).qos_for(name);
        let policy = self.policy();
        let implicit = policy.implicit.iter().filter(|s| topic::matches(&s.filter, name)).map(|s| s.qos).max();
        own.max(implicit)
    }

    /// What it subscribed to itself, as it is kept.
    pub(super) fn kept_subscriptions(&self) -> Vec<KeptSubscription> {
        lock(&self.held).kept()
    }

    /// What it subscribed to itself, in its own words.
    pub(super) fn subscriptions(&self) -> Vec<Subscription> {
        lock(&self.held).in_words()
    }

    /// Whether it has a subscription of that name.
    pub(super) fn holds(&self, name: &str) -> bool {
        lock(&self.held).has(name)
    }

    /// The name of the subscription that it asked for in these words.
    pub(super) fn name_of(&self, filter: &str, share: Option<&str>) -> Option<String> {
        lock(&self.held).name_of(filter, share)
    }

    /// Whether one more subscription fits, or this one is known already.
    pub(super) fn has_room(&self, filter: &str, share: Option<&str>, most: usize) -> bool {
        let held = lock(&self.held);
        held.len() < most || held.name_of(filter, share).is_some()
    }

    pub(super) fn subscribed(&self, mut subscription: KeptSubscription) {
        // What the policy does not cover got here because the daemon said so.
        subscription.granted = !policy::allows_filter(&self.policy().subscribe, subscription.served());
        lock(&self.held).put(subscription);
    }

    pub(super) fn unsubscribed(&self, name: &str, share: Option<&str>) {
        lock(&self.held).remove(filters::asked(name), share);
    }

    /// Counts a message of a client that is to wait for it. False: there are too many.
    pub(super) fn join_routed(&self, most: usize) -> bool {
        self.routed.fetch_update(Relaxed, Relaxed, |now| (now < most).then_some(now + 1)).is_ok()
    }

    /// Such a message waits no more. One of before its connection is not counted, so the count may run low.
    pub(super) fn leave_routed(&self) {
        // An error says that it is 0.
        let _ = self.routed.fetch_update(Relaxed, Relaxed, |now| now.checked_sub(1));
    }

    /// Remembers why the host ends it; the first reason stays.
    pub(super) fn end_for(&self, reason: CloseReason) {
        lock(&self.ended_for).get_or_insert(reason);
    }

    pub(super) fn ended_for(&self) -> Option<CloseReason> {
        lock(&self.ended_for).clone()
    }

    /// See [`Waiting::take_on`].
    pub(super) fn take_on(&self, message: Outstanding, most: usize) -> Result<u64, NotTaken> {
        lock(&self.waiting).take_on(message, most)
    }

    /// See [`Waiting::hand_over`].
    pub(super) fn hand_over(&self, number: u64, now: Instant) -> bool {
        lock(&self.waiting).hand_over(number, now)
    }

    /// See [`Waiting::delivered`].
    pub(super) fn delivered(&self, number: u64) {
        lock(&self.waiting).delivered(number);
    }

    /// See [`Waiting::settle`].
    pub(super) fn settle(&self, number: u64) -> Option<Outstanding> {
        lock(&self.waiting).settle(number)
    }

    /// See [`Waiting::settle_expired`].
    pub(super) fn settle_expired(&self, now: Instant) -> Vec<Outstanding> {
        lock(&self.waiting).settle_expired(now)
    }

    /// See [`Waiting::withdraw`].
    pub(super) fn withdraw(&self, execution: &ExecutionId, attempt: u32) -> usize {
        lock(&self.waiting).withdraw(execution, attempt)
    }

    /// See [`Waiting::close`].
    pub(super) fn close(&self) -> Option<Vec<Outstanding>> {
        lock(&self.waiting).close()
    }

    /// Whether it was closed.
    pub(super) fn is_closed(&self) -> bool {
        lock(&self.waiting).is_closed()
    }

    /// How many messages are on their way.
    pub(super) fn outstanding(&self) -> usize {
        lock(&self.waiting).len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RetainHandling;
    use dragoman_core::SessionId;

    fn live(policy: Policy) -> Live {
        let session = Session {
            id: SessionId::new("s1"),
            listener: "l".into(),
            client_id: "c".into(),
            username: None,
            dialect: None,
            principal: Some("first".into()),
            device: None,
            protocol_level: 4,
        };
        Live::new(session, Id::from(1, "c".into()), policy, None, 0, Vec::new())
    }

    fn own(filter: &str, rewritten: Option<&str>, share: Option<&str>, qos: u8) -> KeptSubscription {
        KeptSubscription {
            filter: filter.into(),
            rewritten: rewritten.map(Into::into),
            granted: false,
            qos,
            share: share.map(Into::into),
            no_local: false,
            retain_as_published: false,
            retain_handling: RetainHandling::Always,
            subscription_id: None,
        }
    }

    fn subscribing(filters: &[&str]) -> Policy {
        Policy { subscribe: filters.iter().map(|f| (*f).to_owned()).collect(), ..Policy::default() }
    }

    #[test]
    fn own_and_implicit_subscriptions_count_with_the_higher_qos() {
        let policy = Policy { implicit: vec![Subscription { filter: "d/#".into(), qos: 1 }], ..Policy::default() };
        let live = live(policy);
        live.subscribed(own("d/#", None, None, 0));
        assert_eq!(live.subscribed_qos("d/x"), Some(1));
        assert_eq!(live.subscribed_qos("e"), None);
        assert_eq!(live.subscriptions(), [Subscription { filter: "d/#".into(), qos: 0 }]);
        live.unsubscribed("d/#", None);
        assert_eq!(live.subscribed_qos("d/x"), Some(1));
        assert!(live.subscriptions().is_empty());
    }

    #[test]
    fn subscriptions_are_told_in_the_clients_words_and_match_as_they_are_served() {
        let live = live(Policy::default());
        live.subscribed(own("#", Some("v3/a/#"), None, 0));
        live.subscribed(own("x/+", None, Some("g"), 1));
        live.subscribed(own("x/+", None, None, 0));
        assert_eq!(live.subscribed_qos("v3/a/up"), Some(0));
        assert_eq!(live.subscribed_qos("v3/b/up"), None);
        assert_eq!(live.subscribed_qos("x/1"), Some(1), "the group's counts");
        let words: Vec<_> = live.subscriptions().into_iter().map(|s| s.filter).collect();
        assert_eq!(words, ["#", "$share/g/x/+", "x/+"]);
        let name = live.name_of("x/+", Some("g")).unwrap();
        live.unsubscribed(&name, Some("g"));
        assert_eq!(live.subscribed_qos("x/1"), Some(0));
    }

    #[test]
    fn another_policy_mutes_what_it_does_not_cover_and_not_what_the_daemon_granted() {
        let live = live(subscribing(&["a/#", "b/#"]));
        for filter in ["a/1", "b/1"] {
            live.subscribed(own(filter, None, None, 0));
        }
        live.subscribed(own("c/1", None, None, 0));
        let before = live.set_policy(Some("second".into()), subscribing(&["b/#"]));
        assert_eq!(before.subscribe.len(), 2);
        assert_eq!(live.current().principal.as_deref(), Some("second"));
        assert!(live.is_muted("a/1") && !live.is_muted("b/1") && !live.is_muted("c/1"));
        assert_eq!((live.subscribed_qos("a/1"), live.subscribed_qos("c/1")), (None, Some(0)));
        live.set_policy(None, subscribing(&["#"]));
        assert!(!live.is_muted("a/1"));
        assert_eq!(live.current().principal.as_deref(), Some("second"), "none leaves it");
    }
}
