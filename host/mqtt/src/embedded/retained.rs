//! Retained messages, bounded, in memory; and the switch that turns shared subscriptions on.

use super::delivery::dialect_of;
use super::policy;
use async_trait::async_trait;
use rmqtt::Result;
use rmqtt::retain::{DefaultRetainStorage, RetainStorage};
use rmqtt::subscribe::SharedSubscription;
use rmqtt::types::{Retain, TopicFilter, TopicName};
use std::sync::Arc;
use std::time::Duration;

/// The library keeps retained messages only where it is given a storage.
#[derive(Clone)]
pub(super) struct Retained {
    inner: Arc<DefaultRetainStorage>,
    most: usize,
}

impl Retained {
    pub(super) fn new(most: usize) -> Self {
        Self { inner: Arc::new(DefaultRetainStorage::new()), most }
    }

    pub(super) async fn forget_expired(&self) {
        self.inner.remove_expired_messages().await;
    }

    /// What is retained at a topic.
    async fn at(&self, topic: &TopicName) -> Option<Retain> {
        Some(self.inner.get_message(topic).await.ok()?.pop()?.1)
    }

    async fn is_full_for(&self, topic: &TopicName) -> bool {
        usize::try_from(self.inner.count().await).unwrap_or(0) >= self.most && self.at(topic).await.is_none()
    }

    /// Whether the plugin of one dialect would put its message in the place of another's.
    async fn is_of_another(&self, topic: &TopicName, retain: &Retain) -> bool {
        let Some(dialect) = dialect_of(&retain.from) else { return false };
        self.at(topic).await.is_some_and(|known| dialect_of(&known.from).is_some_and(|owner| owner != dialect))
    }
}

#[async_trait]
impl RetainStorage for Retained {
    fn enable(&self) -> bool {
        true
    }

    async fn set(&self, topic: &TopicName, retain: Retain, expiry_interval: Option<Duration>) -> Result<()> {
        if !retain.publish.payload.is_empty() && self.is_full_for(topic).await {
            metrics::counter!("dragoman_mqtt_dropped_total", "cause" => "retained-full").increment(1);
            tracing::warn!(topic = %topic, most = self.most, "a retained message is not kept: there are too many");
            return Ok(());
        }
        if self.is_of_another(topic, &retain).await {
            metrics::counter!("dragoman_mqtt_dropped_total", "cause" => "retained-by-another").increment(1);
            tracing::warn!(topic = %topic, "a retained message is not kept: another dialect has one there");
            return Ok(());
        }
        // The library says "does not expire" with a zero.
        let expiry_interval = expiry_interval.filter(|interval| !interval.is_zero());
        self.inner.set_with_timeout(topic, retain, expiry_interval).await
    }

    async fn get(&self, topic_filter: &TopicFilter) -> Result<Vec<(TopicName, Retain)>> {
        if !policy::can_be_retained(topic_filter) {
            return Ok(Vec::new());
        }
        self.inner.get_message(topic_filter).await
    }

    async fn count(&self) -> isize {
        self.inner.count().await
    }

    async fn max(&self) -> isize {
        self.inner.max().await
    }
}

/// Shared subscriptions are on; the router chooses the member itself.
pub(super) struct SharedSubscriptions;

#[async_trait]
impl SharedSubscription for SharedSubscriptions {
    fn is_supported(&self) -> bool {
        true
    }
}
