//! One external broker, as what goes out sees it.

use crate::config::BrokerConfig;
use crate::runtime::engine::{Engine, Step, Stopped};
use dragoman_core::{DeviceId, ExecutionId, Input, Message, SessionId};
use dragoman_mqtt::{Delivery, DeliveryToken, ExternalConnection, Published};
use std::sync::Arc;
use std::time::Duration;

/// How long a message that is no dispatch may wait for a connection.
const POST_EXPIRES: Duration = Duration::from_secs(60);
/// Before a command is tried again for which that broker knew no subscriber: nobody tells when a device comes back there.
const NOBODY_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// A connection and what it is for.
pub struct Outside {
    name: Arc<str>,
    config: BrokerConfig,
    connection: ExternalConnection,
}

impl Outside {
    /// What the configuration says about a connection.
    pub fn new(config: BrokerConfig, connection: ExternalConnection) -> Self {
        Self { name: connection.name().into(), config, connection }
    }

    /// Whether devices of a dialect are there.
    pub(super) fn serves(&self, dialect: &str) -> bool {
        self.config.dialect == dialect
    }

    /// Whether a topic is one of its devices'.
    pub(super) fn carries(&self, topic: &str) -> bool {
        self.config.topics.iter().any(|pattern| pattern.device(topic).is_some())
    }

    /// Whether a session is one that [`super::Ears`] made up for a device there.
    pub(super) fn has(&self, session: &SessionId) -> bool {
        session.as_str().strip_prefix(&*self.name).is_some_and(|rest| rest.starts_with('/'))
    }

    /// Publishes one message of an attempt and waits until that broker has it. QoS 0 becomes 1, because only a PUBACK
    /// shows that; whoever subscribed with QoS 0 gets it with that all the same.
    pub(super) async fn dispatch(
        &self,
        engine: &Arc<Engine>,
        device: &DeviceId,
        message: &Message,
        expires_in_ms: u64,
        token: DeliveryToken,
    ) -> Delivery {
        let message = Message { qos: message.qos.max(1), ..message.clone() };
        let expires_in = Some(Duration::from_millis(expires_in_ms.max(1)));
        let published = self.connection.publish(&message, false, expires_in, Some(token)).await;
        if published == Published::NoSubscriber {
            self.try_again_later(engine.clone(), device.clone());
        }
        self.delivery(published)
    }

    /// See [`ExternalConnection::withdraw`].
    pub(super) fn withdraw(&self, execution: &ExecutionId, attempt: u32) {
        self.connection.withdraw(execution, attempt);
    }

    /// Publishes a message without waiting for anything. False: too many wait already.
    pub(super) fn post(&self, message: &Message, retain: bool) -> bool {
        let posted = self.connection.post(message, retain, Some(POST_EXPIRES));
        if !posted {
            let name = self.name.to_string();
            metrics::counter!("dragoman_external_published_total", "connection" => name, "result" => "dropped")
                .increment(1);
            tracing::warn!(broker = %self.name, topic = %message.topic, "a message is dropped: it cannot be sent, or too many wait for this broker");
        }
        posted
    }

    /// See [`ExternalConnection::shutdown`].
    pub(super) async fn shutdown(&self, within: Duration) {
        self.connection.shutdown(within).await;
    }

    fn try_again_later(&self, engine: Arc<Engine>, holder: DeviceId) {
        tokio::spawn(async move {
            tokio::time::sleep(NOBODY_AGAIN_AFTER).await;
            // A journal that died has told everybody who must know.
            let _: Result<_, Stopped> = engine.turn(vec![Step::Input(Input::SignOfLife { holder })], None);
        });
    }

    fn delivery(&self, published: Published) -> Delivery {
        let lost = |why: String| Delivery::Lost(format!("broker {} {why}", self.name));
        match published {
            Published::Taken => Delivery::Sent { receipt: false },
            Published::NoSubscriber => Delivery::NoSubscriber,
            Published::Refused(code) => lost(format!("refused it with reason code {code:#04x}{}", advice(code))),
            Published::TooLarge { bytes, max } => lost(format!("takes packets of {max} bytes, and it needs {bytes}")),
            Published::Invalid(why) => lost(format!("cannot be sent it: {why}")),
            Published::Unacknowledged { sends } => lost(format!("did not acknowledge it, sent {sends} times")),
            Published::Expired { .. } | Published::Withdrawn => Delivery::Over,
            Published::Closed { .. } => Delivery::Stopped,
        }
    }
}

/// What to do about a reason code of PUBACK (MQTT 5.0, section 3.4.2.1).
fn advice(code: u8) -> &'static str {
    match code {
        0x87 => " (not authorized); let the gateway publish to this topic there",
        0x95 => " (packet too large); it has a limit for the size of messages",
        0x90 => " (topic name invalid); it does not take such topics",
        0x97 => " (quota exceeded); it has no room, look at its limits",
        0x9a => " (it keeps no messages)",
        _ => "",
    }
}
