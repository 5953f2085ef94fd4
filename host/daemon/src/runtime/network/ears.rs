//! What devices at an external broker say.

use crate::config::BrokerConfig;
use crate::runtime::gateway::Gateway;
use async_trait::async_trait;
use dragoman_core::{Message, Session, SessionId};
use dragoman_mqtt::{ExternalEvents, Heard, InboundVerdict};
use dragoman_store::{DeviceRecord, StoreError};
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::Poll;

/// Protocol level of the connection.
const MQTT_5: u8 = 5;

/// Hears one broker.
///
/// Who published a message is not known there. It counts as said by the device that its topic names, or by the one that
/// this hangs below and that holds the session, as far as that broker's own rules let nobody else publish there.
pub struct Ears {
    gateway: Arc<Gateway>,
    name: Arc<str>,
    config: BrokerConfig,
    /// Held from looking up who speaks until the message has its turn, so that messages keep their order.
    order: tokio::sync::Mutex<()>,
}

impl Ears {
    /// For the broker of that name.
    pub fn new(gateway: Arc<Gateway>, name: &str, config: BrokerConfig) -> Self {
        Self { gateway, name: name.into(), config, order: tokio::sync::Mutex::new(()) }
    }

    /// Whoever holds the session of the device that the topic names, as if it were connected: the device itself, or the
    /// gateway that it hangs below. None: nobody who may speak here.
    async fn speaker(&self, topic: &str) -> Result<Option<Arc<Session>>, StoreError> {
        let Some(name) = self.config.topics.iter().find_map(|pattern| pattern.device(topic)) else { return Ok(None) };
        let found = self.gateway.engine.journal().resolve(&self.config.device_alias, name).await?;
        let Some(record) = found.filter(|record| self.may_speak(record)) else { return Ok(None) };
        let holder = match &record.parent {
            None => Some(record.id.clone()),
            Some(parent) => {
                let parent = self.gateway.engine.journal().device(parent).await?;
                parent.filter(|parent| self.may_speak(parent)).map(|parent| parent.id.clone())
            }
        };
        Ok(holder.map(|holder| {
            Arc::new(Session {
                id: SessionId::new(format!("{}/{holder}", self.name)),
                listener: self.name.clone(),
                client_id: name.to_owned(),
                username: None,
                dialect: Some(record.dialect.clone()),
                principal: None,
                device: Some(holder),
                protocol_level: MQTT_5,
            })
        }))
    }

    fn may_speak(&self, record: &DeviceRecord) -> bool {
        *record.dialect == *self.config.dialect && !record.disabled
    }
}

#[async_trait]
impl ExternalEvents for Ears {
    async fn inbound(&self, message: Message) -> Heard {
        let turn = self.order.lock().await;
        let session = match self.speaker(&message.topic).await {
            Ok(Some(session)) => session,
            Ok(None) => {
                metrics::counter!("dragoman_device_messages_unclaimed_total").increment(1);
                tracing::debug!(broker = %self.name, topic = %message.topic, "a message is dropped: its topic names no device of the dialect");
                return Heard::Done;
            }
            Err(error) => {
                tracing::error!(broker = %self.name, %error, "a message is not acknowledged: its device cannot be read");
                return Heard::NotKept;
            }
        };
        let mut heard = std::pin::pin!(self.gateway.hear(session, message));
        let first = poll_fn(|context| Poll::Ready(heard.as_mut().poll(context))).await;
        drop(turn);
        let verdict = match first {
            Poll::Ready(verdict) => verdict,
            Poll::Pending => heard.await,
        };
        match verdict {
            // Whatever is wrong with the message was counted and logged, and it would be wrong the next time too.
            InboundVerdict::Accept | InboundVerdict::Route | InboundVerdict::Refuse(_)
                if self.gateway.engine.stopped().borrow().is_none() =>
            {
                Heard::Done
            }
            _ => Heard::NotKept,
        }
    }
}
