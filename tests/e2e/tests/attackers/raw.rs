//! An MQTT client that does as it is told: one connection, and everything that came by it, in order.

use anyhow::{Context, bail};
use dragoman_e2e::wait::SOON;
use rumqttc::{AsyncClient, ConnectionError, EventLoop, MqttOptions, Packet, QoS, SubscribeReasonCode, v5};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Requests and acknowledgements that may wait for the connection.
const REQUESTS_MAX: usize = 100;
/// How long the broker is to keep what is not clean, in seconds.
const KEPT_S: u32 = 600;

/// Which MQTT is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// 3.1.1, which cannot tell a publisher of a refusal.
    V4,
    /// 5.
    V5,
}

/// What is said in CONNECT.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    pub(crate) version: Version,
    pub(crate) client_id: String,
    /// Without it neither user name nor password is sent.
    pub(crate) username: Option<String>,
    pub(crate) password: String,
    /// Whether the broker forgets the session when the connection ends.
    pub(crate) clean: bool,
    pub(crate) will: Option<Will>,
}

/// A last will.
#[derive(Clone, Debug)]
pub(crate) struct Will {
    pub(crate) topic: String,
    pub(crate) payload: String,
}

impl Login {
    pub(crate) fn new(client_id: &str, username: &str, password: &str) -> Self {
        Self { username: Some(username.to_owned()), password: password.to_owned(), ..Self::anonymous(client_id) }
    }

    pub(crate) fn anonymous(client_id: &str) -> Self {
        Self {
            version: Version::V4,
            client_id: client_id.to_owned(),
            username: None,
            password: String::new(),
            clean: true,
            will: None,
        }
    }

    pub(crate) fn version(self, version: Version) -> Self {
        Self { version, ..self }
    }

    /// With a session that the broker keeps.
    pub(crate) fn kept(self) -> Self {
        Self { clean: false, ..self }
    }

    pub(crate) fn will(self, topic: String, payload: String) -> Self {
        Self { will: Some(Will { topic, payload }), ..self }
    }

    /// Under another client id.
    pub(crate) fn calling_itself(self, client_id: &str) -> Self {
        Self { client_id: client_id.to_owned(), ..self }
    }
}

/// A message that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arrived {
    pub(crate) topic: String,
    pub(crate) payload: String,
    pub(crate) retained: bool,
}

/// What the broker said, in order.
#[derive(Debug)]
enum Heard {
    /// CONNACK of success, with its "session present".
    Welcome(bool),
    /// CONNACK of refusal.
    Refused(String),
    /// SUBACK of one filter.
    Granted(bool),
    /// PUBACK: `Success` or the reason, always `Success` in MQTT 3.1.1.
    Taken(String),
    Message(Arrived),
    Gone(String),
}

/// A connection. Dropping it cuts it without DISCONNECT, so that a last will is published.
pub(crate) struct Raw {
    pub(crate) version: Version,
    link: Link,
    heard: mpsc::UnboundedReceiver<Heard>,
    /// Every message that came since it was last emptied.
    pub(crate) inbox: Vec<Arrived>,
    /// Whether the broker had kept a session.
    pub(crate) resumed: bool,
    task: JoinHandle<()>,
}

enum Link {
    V4(AsyncClient),
    V5(v5::AsyncClient),
}

impl Raw {
    /// Connects.
    ///
    /// # Errors
    /// When the broker refuses or does not answer soon.
    pub(crate) async fn connect(port: u16, login: Login) -> anyhow::Result<Self> {
        let who = format!("{} as {:?}", login.client_id, login.username);
        match Self::attempt(port, login).await? {
            Ok(connected) => Ok(connected),
            Err(code) => bail!("the broker refused {who}: {code}"),
        }
    }

    /// Connects, or tells the code of the refusal.
    ///
    /// # Errors
    /// When the broker does not answer soon.
    pub(crate) async fn attempt(port: u16, login: Login) -> anyhow::Result<Result<Self, String>> {
        let (tell, heard) = mpsc::unbounded_channel();
        let (link, task) = match login.version {
            Version::V4 => {
                let (client, connection) = AsyncClient::new(options_v4(port, &login), REQUESTS_MAX);
                (Link::V4(client), tokio::spawn(listen_v4(connection, tell)))
            }
            Version::V5 => {
                let (client, connection) = v5::AsyncClient::new(options_v5(port, &login), REQUESTS_MAX);
                (Link::V5(client), tokio::spawn(listen_v5(connection, tell)))
            }
        };
        let mut this = Self { version: login.version, link, heard, inbox: Vec::new(), resumed: false, task };
        let answer = this.until("a CONNACK", |heard| match heard {
            Heard::Welcome(resumed) => Some(Ok(*resumed)),
            Heard::Refused(code) => Some(Err(code.clone())),
            _ => None,
        });
        Ok(match answer.await? {
            Ok(resumed) => {
                this.resumed = resumed;
                Ok(this)
            }
            Err(code) => Err(code),
        })
    }

    /// Subscribes with QoS 1; whether the broker granted it.
    ///
    /// # Errors
    /// When there is no SUBACK soon.
    pub(crate) async fn subscribe(&mut self, filter: &str) -> anyhow::Result<bool> {
        match &self.link {
            Link::V4(client) => client.subscribe(filter, QoS::AtLeastOnce).await?,
            Link::V5(client) => client.subscribe(filter, v5::mqttbytes::QoS::AtLeastOnce).await?,
        }
        let granted = |heard: &Heard| match heard {
            Heard::Granted(granted) => Some(*granted),
            _ => None,
        };
        self.until(&format!("the SUBACK of {filter}"), granted).await
    }

    /// Publishes with QoS 1 and waits for the PUBACK. Gives its reason.
    ///
    /// # Errors
    /// When there is no PUBACK soon.
    pub(crate) async fn publish(&mut self, topic: &str, payload: &str, retain: bool) -> anyhow::Result<String> {
        match &self.link {
            Link::V4(client) => client.publish(topic, QoS::AtLeastOnce, retain, payload).await?,
            Link::V5(client) => {
                client.publish(topic, v5::mqttbytes::QoS::AtLeastOnce, retain, payload.to_owned()).await?;
            }
        }
        let taken = |heard: &Heard| match heard {
            Heard::Taken(reason) => Some(reason.clone()),
            _ => None,
        };
        self.until(&format!("the PUBACK of {topic}"), taken).await
    }

    /// Waits for a message on a topic, behind those that came already. It and all before it are in the inbox then.
    ///
    /// # Errors
    /// When it does not come soon.
    pub(crate) async fn message(&mut self, what: &str, topic_part: &str) -> anyhow::Result<Arrived> {
        let wanted = |heard: &Heard| match heard {
            Heard::Message(message) if message.topic.contains(topic_part) => Some(message.clone()),
            _ => None,
        };
        self.until(what, wanted).await
    }

    /// Waits for two messages, in whatever order they come.
    ///
    /// # Errors
    /// When one of them does not come soon.
    pub(crate) async fn both(&mut self, what: &str, topic_parts: [&str; 2]) -> anyhow::Result<()> {
        let from = self.inbox.len();
        let one_of_them = |heard: &Heard| match heard {
            Heard::Message(message) => topic_parts.iter().any(|part| message.topic.contains(part)).then_some(()),
            _ => None,
        };
        self.until(what, one_of_them).await?;
        let came = |part: &str| self.inbox.iter().skip(from).any(|message| message.topic.contains(part));
        match topic_parts.into_iter().find(|part| !came(part)) {
            Some(other) => self.message(what, other).await.map(drop),
            None => Ok(()),
        }
    }

    async fn until<T>(&mut self, what: &str, wanted: impl Fn(&Heard) -> Option<T>) -> anyhow::Result<T> {
        let found = tokio::time::timeout(SOON, async {
            while let Some(heard) = self.heard.recv().await {
                let found = wanted(&heard);
                let gone = match heard {
                    Heard::Message(message) => {
                        self.inbox.push(message);
                        None
                    }
                    Heard::Gone(why) => Some(why),
                    _ => None,
                };
                if let Some(found) = found {
                    return Ok(found);
                }
                if let Some(why) = gone {
                    bail!("the connection ended: {why}");
                }
            }
            bail!("the connection ended")
        });
        found
            .await
            .with_context(|| format!("waited in vain for {what}"))?
            .with_context(|| format!("waiting for {what}"))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn options_v4(port: u16, login: &Login) -> MqttOptions {
    let mut options = MqttOptions::new(&login.client_id, "127.0.0.1", port);
    options.set_clean_session(login.clean).set_keep_alive(Duration::from_secs(60));
    if let Some(username) = &login.username {
        options.set_credentials(username, &login.password);
    }
    if let Some(will) = &login.will {
        options.set_last_will(rumqttc::LastWill::new(&will.topic, will.payload.as_str(), QoS::AtLeastOnce, true));
    }
    options
}

fn options_v5(port: u16, login: &Login) -> v5::MqttOptions {
    let mut options = v5::MqttOptions::new(&login.client_id, "127.0.0.1", port);
    options.set_clean_start(login.clean).set_keep_alive(Duration::from_secs(60));
    if !login.clean {
        options.set_session_expiry_interval(Some(KEPT_S));
    }
    if let Some(username) = &login.username {
        options.set_credentials(username, &login.password);
    }
    if let Some(will) = &login.will {
        let qos = v5::mqttbytes::QoS::AtLeastOnce;
        options.set_last_will(v5::mqttbytes::v5::LastWill::new(&will.topic, will.payload.as_str(), qos, true, None));
    }
    options
}

/// Tells everything until the connection ends; it is not made again.
async fn listen_v4(mut connection: EventLoop, tell: mpsc::UnboundedSender<Heard>) {
    loop {
        let heard = match connection.poll().await {
            Ok(rumqttc::Event::Incoming(packet)) => match packet {
                Packet::ConnAck(ack) => Heard::Welcome(ack.session_present),
                Packet::SubAck(ack) => Heard::Granted(!ack.return_codes.contains(&SubscribeReasonCode::Failure)),
                Packet::PubAck(_) => Heard::Taken("Success".to_owned()),
                Packet::Publish(publish) => Heard::Message(Arrived {
                    topic: publish.topic,
                    payload: String::from_utf8_lossy(&publish.payload).into_owned(),
                    retained: publish.retain,
                }),
                _ => continue,
            },
            Ok(rumqttc::Event::Outgoing(_)) => continue,
            Err(ConnectionError::ConnectionRefused(code)) => Heard::Refused(format!("{code:?}")),
            Err(error) => Heard::Gone(error.to_string()),
        };
        let is_over = matches!(heard, Heard::Refused(_) | Heard::Gone(_));
        if tell.send(heard).is_err() || is_over {
            return;
        }
    }
}

/// The same in MQTT 5.
async fn listen_v5(mut connection: v5::EventLoop, tell: mpsc::UnboundedSender<Heard>) {
    use v5::mqttbytes::v5::{Packet, SubscribeReasonCode};
    loop {
        let heard = match connection.poll().await {
            Ok(v5::Event::Incoming(packet)) => match packet {
                Packet::ConnAck(ack) => Heard::Welcome(ack.session_present),
                Packet::SubAck(ack) => {
                    Heard::Granted(ack.return_codes.iter().all(|code| matches!(code, SubscribeReasonCode::Success(_))))
                }
                Packet::PubAck(ack) => Heard::Taken(format!("{:?}", ack.reason)),
                Packet::Publish(publish) => Heard::Message(Arrived {
                    topic: String::from_utf8_lossy(&publish.topic).into_owned(),
                    payload: String::from_utf8_lossy(&publish.payload).into_owned(),
                    retained: publish.retain,
                }),
                _ => continue,
            },
            Ok(v5::Event::Outgoing(_)) => continue,
            Err(v5::ConnectionError::ConnectionRefused(code)) => Heard::Refused(format!("{code:?}")),
            Err(error) => Heard::Gone(error.to_string()),
        };
        let is_over = matches!(heard, Heard::Refused(_) | Heard::Gone(_));
        if tell.send(heard).is_err() || is_over {
            return;
        }
    }
}
