//! An application on the embedded broker: subscribes, publishes JSON and hears JSON, and comes back when it is cut off.

use crate::daemon::Daemon;
use crate::wait::SOON;
use anyhow::{Context, bail};
use rumqttc::{AsyncClient, ConnectionError, Event, EventLoop, MqttOptions, Packet, QoS, SubscribeReasonCode};
use serde_json::Value;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Largest packet, in bytes: the platforms' 256 KiB of message and room for the topic.
const PACKET_BYTES_MAX: usize = 300 * 1024;
const REQUESTS_MAX: usize = 1_000;
const RECONNECT_PAUSE: Duration = Duration::from_millis(100);

/// Who an application is, and what it listens to.
#[derive(Clone, Debug)]
pub struct Subscriber {
    /// Client id.
    pub client_id: String,
    /// User name.
    pub username: String,
    /// Password.
    pub password: String,
    /// Filters, one SUBSCRIBE each, on every connection.
    pub filters: Vec<String>,
}

/// A connected application. Dropping it cuts the connection.
pub struct MqttClient {
    client: AsyncClient,
    heard: mpsc::UnboundedReceiver<Heard>,
    task: JoinHandle<()>,
}

enum Heard {
    Ready,
    Refused(String),
    Message(String, Value),
}

impl MqttClient {
    /// Connects and waits until every subscription is granted.
    ///
    /// # Errors
    /// When the broker refuses the login or a filter, or does not answer soon.
    pub async fn connect(daemon: &Daemon, subscriber: Subscriber) -> anyhow::Result<Self> {
        let mut options = MqttOptions::new(&subscriber.client_id, "127.0.0.1", daemon.mqtt_port()?);
        options
            .set_credentials(&subscriber.username, &subscriber.password)
            .set_max_packet_size(PACKET_BYTES_MAX, PACKET_BYTES_MAX);
        let (client, connection) = AsyncClient::new(options, REQUESTS_MAX);
        let (tell, heard) = mpsc::unbounded_channel();
        let task = tokio::spawn(run(connection, client.clone(), subscriber.filters, tell));
        let mut connected = Self { client, heard, task };
        connected.ready().await?;
        Ok(connected)
    }

    /// Waits until every subscription is granted, on the first connection or the next one. What was heard before is
    /// passed over.
    ///
    /// # Errors
    /// When the broker refuses, or does not answer soon.
    pub async fn ready(&mut self) -> anyhow::Result<()> {
        self.hear("its subscriptions", |heard| matches!(heard, Heard::Ready).then_some(())).await
    }

    /// Publishes JSON with QoS 1.
    ///
    /// # Errors
    /// When too much waits already.
    pub async fn publish(&self, topic: &str, payload: &Value) -> anyhow::Result<()> {
        let payload = payload.to_string();
        self.client
            .publish(topic, QoS::AtLeastOnce, false, payload)
            .await
            .with_context(|| format!("publishing {topic}"))
    }

    /// Waits for the first message that is wanted, by topic and body; others are passed over.
    ///
    /// # Errors
    /// When it does not come soon.
    pub async fn message<T>(&mut self, what: &str, wanted: impl Fn(&str, &Value) -> Option<T>) -> anyhow::Result<T> {
        self.hear(what, |heard| match heard {
            Heard::Message(topic, body) => wanted(topic, body),
            _ => None,
        })
        .await
    }

    async fn hear<T>(&mut self, what: &str, wanted: impl Fn(&Heard) -> Option<T>) -> anyhow::Result<T> {
        let found = tokio::time::timeout(SOON, async {
            while let Some(heard) = self.heard.recv().await {
                if let Some(found) = wanted(&heard) {
                    return Ok(found);
                }
                if let Heard::Refused(why) = heard {
                    bail!("the broker refused the application: {why}");
                }
            }
            bail!("the application's connection ended")
        });
        found.await.with_context(|| format!("the application waited in vain: {what}"))?
    }
}

impl Drop for MqttClient {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(mut connection: EventLoop, client: AsyncClient, filters: Vec<String>, tell: mpsc::UnboundedSender<Heard>) {
    let mut missing = 0;
    while !tell.is_closed() {
        let heard = match connection.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                missing = filters.len();
                let asked = filters.iter().try_for_each(|filter| client.try_subscribe(filter, QoS::AtLeastOnce));
                asked.err().map(|error| Heard::Refused(error.to_string()))
            }
            Ok(Event::Incoming(Packet::SubAck(ack))) => {
                missing = missing.saturating_sub(1);
                match ack.return_codes.as_slice() {
                    [SubscribeReasonCode::Failure] => Some(Heard::Refused("a subscription".to_owned())),
                    _ => (missing == 0).then_some(Heard::Ready),
                }
            }
            Ok(Event::Incoming(Packet::Publish(publish))) => {
                let body = serde_json::from_slice(&publish.payload).unwrap_or_default();
                Some(Heard::Message(publish.topic, body))
            }
            Ok(_) => None,
            Err(ConnectionError::ConnectionRefused(code)) => Some(Heard::Refused(format!("{code:?}"))),
            Err(_) => {
                tokio::time::sleep(RECONNECT_PAUSE).await;
                None
            }
        };
        if let Some(heard) = heard {
            let is_over = matches!(heard, Heard::Refused(_));
            if tell.send(heard).is_err() || is_over {
                return;
            }
        }
    }
}
