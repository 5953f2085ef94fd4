//! What one session subscribed to itself.

use super::{filters, policy};
use crate::events::KeptSubscription;
use dragoman_core::{Policy, Subscription, topic};

struct One {
    kept: KeptSubscription,
    name: String,
    /// The policy of now does not cover it.
    muted: bool,
}

/// The subscriptions of a session, in the order in which they came.
#[derive(Default)]
pub(super) struct Held {
    list: Vec<One>,
}

impl Held {
    /// What a session resumes with, under the policy that it was given now.
    pub(super) fn resumed(kept: Vec<KeptSubscription>, policy: &Policy) -> Self {
        let list = kept.into_iter().map(|kept| One { name: filters::name_of(&kept), kept, muted: false }).collect();
        let mut held = Self { list };
        held.obey(policy);
        held
    }

    /// Mutes what a policy does not cover and the daemon did not grant by itself. Tells whether anything is mute.
    pub(super) fn obey(&mut self, policy: &Policy) -> bool {
        for one in &mut self.list {
            one.muted = !one.kept.granted && !policy::allows_filter(&policy.subscribe, one.kept.served());
        }
        self.has_muted()
    }

    pub(super) fn has_muted(&self) -> bool {
        self.list.iter().any(|one| one.muted)
    }

    pub(super) fn is_muted(&self, name: &str) -> bool {
        self.list.iter().any(|one| one.muted && one.name == name)
    }

    /// The highest QoS with which one of them matches a topic. One in a group counts, too.
    pub(super) fn qos_for(&self, name: &str) -> Option<u8> {
        let matching = self.list.iter().filter(|one| !one.muted && topic::matches(one.kept.served(), name));
        matching.map(|one| one.kept.qos).max()
    }

    /// In the client's own words, without what is mute.
    pub(super) fn in_words(&self) -> Vec<Subscription> {
        self.list.iter().filter(|one| !one.muted).map(|one| one.kept.in_words()).collect()
    }

    pub(super) fn kept(&self) -> Vec<KeptSubscription> {
        self.list.iter().map(|one| one.kept.clone()).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// The name of the one that the client asked for in these words.
    pub(super) fn name_of(&self, filter: &str, share: Option<&str>) -> Option<String> {
        self.list.iter().find(|one| one.is(filter, share)).map(|one| one.name.clone())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.list.iter().any(|one| one.name == name)
    }

    pub(super) fn put(&mut self, kept: KeptSubscription) {
        self.remove(&kept.filter, kept.share.as_deref());
        self.list.push(One { name: filters::name_of(&kept), kept, muted: false });
    }

    pub(super) fn remove(&mut self, filter: &str, share: Option<&str>) {
        self.list.retain(|one| !one.is(filter, share));
    }
}

impl One {
    fn is(&self, filter: &str, share: Option<&str>) -> bool {
        self.kept.filter == filter && self.kept.share.as_deref() == share
    }
}
