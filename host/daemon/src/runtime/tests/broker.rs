//! A broker that notes what it is asked for.

use async_trait::async_trait;
use dragoman_core::{DeviceId, ExecutionId, Message, Policy, Session, SessionId, Subscription};
use dragoman_mqtt::{Broker, BrokerStats, Delivery, DeliveryToken};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Everything that left, a line each.
#[derive(Default)]
pub(super) struct FakeBroker {
    left: Mutex<Vec<String>>,
    /// To the clients of which dialect something was published last.
    published_for: Mutex<Option<String>>,
    /// Whether a receipt is promised for what devices are sent.
    receipts: Mutex<bool>,
    connected: Mutex<Vec<Arc<Session>>>,
    /// How often a session was looked up.
    looked_up: AtomicUsize,
}

impl FakeBroker {
    /// What left since this was asked last.
    pub(super) fn left(&self) -> Vec<String> {
        std::mem::take(&mut self.left.lock().unwrap())
    }

    /// How often that left.
    pub(super) fn times(&self, line: &str) -> usize {
        self.left.lock().unwrap().iter().filter(|left| *left == line).count()
    }

    /// To the clients of which dialect something was published last.
    pub(super) fn published_for(&self) -> Option<String> {
        self.published_for.lock().unwrap().clone()
    }

    pub(super) fn promise_receipts(&self) {
        *self.receipts.lock().unwrap() = true;
    }

    pub(super) fn connect(&self, session: Arc<Session>) {
        self.connected.lock().unwrap().push(session);
    }

    fn find(&self, is: impl Fn(&Session) -> bool) -> Option<Arc<Session>> {
        self.connected.lock().unwrap().iter().find(|session| is(session)).cloned()
    }

    pub(super) fn looked_up(&self) -> usize {
        self.looked_up.load(Ordering::Relaxed)
    }

    fn note(&self, line: String) {
        self.left.lock().unwrap().push(line);
    }
}

#[async_trait]
impl Broker for FakeBroker {
    async fn publish_to(&self, device: &DeviceId, _: &Message, _: bool, _: u64, token: DeliveryToken) -> Delivery {
        self.note(format!("{token} to {device}"));
        Delivery::Sent { receipt: *self.receipts.lock().unwrap() }
    }

    async fn publish(&self, dialect: Option<&str>, message: &Message, _: Option<u64>) -> usize {
        *self.published_for.lock().unwrap() = dialect.map(str::to_owned);
        self.note(message.topic.clone());
        1
    }

    async fn publish_to_session(&self, session: &SessionId, message: &Message) -> bool {
        self.note(format!("{} to {session}", message.topic));
        true
    }

    fn withdraw(&self, _: &DeviceId, _: &ExecutionId, _: u32) -> usize {
        0
    }

    async fn close_device(&self, device: &DeviceId) {
        self.note(format!("close {device}"));
    }

    async fn close_session(&self, session: &SessionId) {
        self.note(format!("close {session}"));
    }

    async fn set_policy(&self, session: &SessionId, _: Option<String>, _: Policy) -> bool {
        self.note(format!("policy of {session}"));
        true
    }

    fn session(&self, session: &SessionId) -> Option<Arc<Session>> {
        self.looked_up.fetch_add(1, Ordering::Relaxed);
        self.find(|connected| connected.id == *session)
    }

    fn session_of(&self, device: &DeviceId) -> Option<Arc<Session>> {
        self.find(|connected| connected.device.as_ref() == Some(device))
    }

    fn subscriptions(&self, _: &SessionId) -> Vec<Subscription> {
        Vec::new()
    }

    fn device_subscriptions(&self, _: &DeviceId) -> Option<Vec<Subscription>> {
        None
    }

    fn stats(&self) -> BrokerStats {
        BrokerStats::default()
    }

    async fn shutdown(&self, _: Duration) {}
}
