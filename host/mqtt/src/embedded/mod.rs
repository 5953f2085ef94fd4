//! The broker in the process, made of rmqtt as a library. No type of it leaves this folder.

mod convert;
mod counters;
mod delivery;
mod entries;
mod filters;
mod front;
mod held;
mod hooks;
mod hub;
mod inbound;
mod index;
mod lifecycle;
mod line;
mod live;
mod outstanding;
mod policy;
mod restore;
mod retained;
mod router;
mod start;
mod subscribe;
mod sweep;
mod tables;

use crate::broker::{Broker, BrokerError, BrokerStats, Delivery, DeliveryToken};
use crate::events::{BrokerEvents, CloseReason};
use crate::options::EmbeddedOptions;
use async_trait::async_trait;
use dragoman_core::{DeviceId, ExecutionId, Message, Policy, Session, SessionId, Subscription};
use hub::Hub;
use live::lock;
use start::Threads;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A broker on threads of its own.
///
/// Dropping it stops it at once, without a word to anybody; [`Broker::shutdown`] is the way to stop it properly.
pub struct EmbeddedBroker {
    hub: Arc<Hub>,
    addresses: Vec<(String, SocketAddr)>,
    threads: Mutex<Option<Threads>>,
}

impl EmbeddedBroker {
    /// Binds the listeners, restores the kept sessions and begins to accept.
    ///
    /// # Errors
    /// An address that cannot be bound, options that contradict each other, or no threads.
    pub async fn start(options: EmbeddedOptions, events: Arc<dyn BrokerEvents>) -> Result<Self, BrokerError> {
        let (hub, addresses, threads) = start::start(options, events).await?;
        Ok(Self { hub, addresses, threads: Mutex::new(Some(threads)) })
    }

    /// Where it listens, by the names of the listeners.
    pub fn addresses(&self) -> Vec<(String, SocketAddr)> {
        self.addresses.clone()
    }

    async fn close(&self, live: Option<Arc<live::Live>>) {
        if let Some(live) = live {
            live.end_for(CloseReason::ByHost);
            lifecycle::ask_to_close(&self.hub, &live).await;
        }
    }
}

#[async_trait]
impl Broker for EmbeddedBroker {
    async fn publish_to(
        &self,
        device: &DeviceId,
        message: &Message,
        subscribed_only: bool,
        expires_in_ms: u64,
        token: DeliveryToken,
    ) -> Delivery {
        delivery::publish_to(&self.hub, device, message, subscribed_only, expires_in_ms, token).await
    }

    async fn publish(&self, dialect: Option<&str>, message: &Message, expires_in_ms: Option<u64>) -> usize {
        delivery::publish(&self.hub, dialect, message, expires_in_ms).await
    }

    async fn close_device(&self, device: &DeviceId) {
        let live = self.hub.tables().by_device.get(device).cloned();
        self.close(live).await;
    }

    async fn close_session(&self, session: &SessionId) {
        let live = self.hub.tables().by_session.get(session).cloned();
        self.close(live).await;
    }

    async fn publish_to_session(&self, session: &SessionId, message: &Message) -> bool {
        delivery::publish_to_session(&self.hub, session, message).await
    }

    fn withdraw(&self, device: &DeviceId, execution: &ExecutionId, attempt: u32) -> usize {
        let live = self.hub.tables().by_device.get(device).cloned();
        live.map_or(0, |live| live.withdraw(execution, attempt))
    }

    async fn set_policy(&self, session: &SessionId, principal: Option<String>, policy: Policy) -> bool {
        lifecycle::set_policy(&self.hub, session, principal, policy).await
    }

    fn session(&self, session: &SessionId) -> Option<Arc<Session>> {
        self.hub.tables().by_session.get(session).map(|live| live.current())
    }

    fn session_of(&self, device: &DeviceId) -> Option<Arc<Session>> {
        self.hub.tables().by_device.get(device).map(|live| live.current())
    }

    fn subscriptions(&self, session: &SessionId) -> Vec<Subscription> {
        let live = self.hub.tables().by_session.get(session).cloned();
        live.map(|live| live.subscriptions()).unwrap_or_default()
    }

    fn device_subscriptions(&self, device: &DeviceId) -> Option<Vec<Subscription>> {
        let tables = self.hub.tables();
        if let Some(live) = tables.by_device.get(device) {
            return Some(live.subscriptions());
        }
        let kept = tables.kept_of(device)?;
        Some(kept.subscriptions.iter().map(crate::KeptSubscription::in_words).collect())
    }

    fn stats(&self) -> BrokerStats {
        let tables = self.hub.tables();
        BrokerStats {
            connected: tables.by_session.len() as u64,
            kept: tables.kept_len() as u64,
            outstanding: tables.by_session.values().map(|live| live.outstanding() as u64).sum(),
            ..self.hub.counters.counts()
        }
    }

    async fn shutdown(&self, within: Duration) {
        let threads = lock(&self.threads).take();
        if let Some(threads) = threads {
            threads.stop(&self.hub, within).await;
        }
    }
}
