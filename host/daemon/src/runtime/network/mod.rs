//! The embedded broker and those that others run, as one: the rest of the runtime knows a [`Broker`].
//!
//! A device that is connected here is served here. Any other is served at the external broker of its dialect, where the
//! dialect has one. What is not known of a device there, its session, its subscriptions, whether it is connected, is
//! answered as for one without a session.

mod ears;
mod outside;

pub use ears::Ears;
pub use outside::Outside;

use super::engine::Engine;
use async_trait::async_trait;
use dragoman_core::{DeviceId, ExecutionId, Message, Policy, Session, SessionId, Subscription};
use dragoman_mqtt::{Broker, BrokerStats, Delivery, DeliveryToken};
use std::sync::Arc;
use std::time::Duration;

/// All brokers of the gateway.
pub struct Network {
    embedded: Arc<dyn Broker>,
    outside: Vec<Outside>,
    engine: Arc<Engine>,
}

impl Network {
    /// The embedded broker, and at least one other.
    pub fn new(embedded: Arc<dyn Broker>, outside: Vec<Outside>, engine: Arc<Engine>) -> Self {
        Self { embedded, outside, engine }
    }

    /// The broker of a device that is not connected here.
    async fn outside_of(&self, device: &DeviceId) -> Option<&Outside> {
        match self.engine.journal().device(device).await {
            Ok(record) => record.and_then(|record| self.outside.iter().find(|outside| outside.serves(&record.dialect))),
            Err(error) => {
                tracing::error!(%error, %device, "a message waits because its device cannot be read");
                None
            }
        }
    }
}

#[async_trait]
impl Broker for Network {
    async fn publish_to(
        &self,
        device: &DeviceId,
        message: &Message,
        subscribed_only: bool,
        expires_in_ms: u64,
        token: DeliveryToken,
    ) -> Delivery {
        if self.embedded.session_of(device).is_none()
            && let Some(outside) = self.outside_of(device).await
        {
            return outside.dispatch(&self.engine, device, message, expires_in_ms, token).await;
        }
        self.embedded.publish_to(device, message, subscribed_only, expires_in_ms, token).await
    }

    async fn publish(&self, dialect: Option<&str>, message: &Message, expires_in_ms: Option<u64>) -> usize {
        let is_for = |outside: &&Outside| dialect.is_none_or(|dialect| outside.serves(dialect));
        for outside in self.outside.iter().filter(is_for).filter(|outside| outside.carries(&message.topic)) {
            outside.post(message, message.retain);
        }
        self.embedded.publish(dialect, message, expires_in_ms).await
    }

    async fn publish_to_session(&self, session: &SessionId, message: &Message) -> bool {
        match self.outside.iter().find(|outside| outside.has(session)) {
            Some(outside) => outside.post(message, false),
            None => self.embedded.publish_to_session(session, message).await,
        }
    }

    fn withdraw(&self, device: &DeviceId, execution: &ExecutionId, attempt: u32) -> usize {
        for outside in &self.outside {
            // How many those are shows where they were handed over.
            outside.withdraw(execution, attempt);
        }
        self.embedded.withdraw(device, execution, attempt)
    }

    async fn close_device(&self, device: &DeviceId) {
        self.embedded.close_device(device).await;
    }

    async fn close_session(&self, session: &SessionId) {
        self.embedded.close_session(session).await;
    }

    async fn set_policy(&self, session: &SessionId, principal: Option<String>, policy: Policy) -> bool {
        self.embedded.set_policy(session, principal, policy).await
    }

    fn session(&self, session: &SessionId) -> Option<Arc<Session>> {
        self.embedded.session(session)
    }

    fn session_of(&self, device: &DeviceId) -> Option<Arc<Session>> {
        self.embedded.session_of(device)
    }

    fn subscriptions(&self, session: &SessionId) -> Vec<Subscription> {
        self.embedded.subscriptions(session)
    }

    fn device_subscriptions(&self, device: &DeviceId) -> Option<Vec<Subscription>> {
        self.embedded.device_subscriptions(device)
    }

    fn stats(&self) -> BrokerStats {
        self.embedded.stats()
    }

    async fn shutdown(&self, within: Duration) {
        let leaving = self.outside.iter().map(|outside| outside.shutdown(within));
        tokio::join!(futures::future::join_all(leaving), self.embedded.shutdown(within));
    }
}
