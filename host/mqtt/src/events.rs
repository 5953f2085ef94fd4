//! What a broker tells and asks the daemon.

use crate::broker::{DeliveryToken, Receipt};
use async_trait::async_trait;
use dragoman_core::{ConnectRefusal, Grant, Message, Session, Subscription};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

/// A CONNECT that asks to be let in.
#[derive(Clone)]
pub struct ConnectAttempt {
    /// Id, listener, client id, user name and protocol level; what admission decides is still empty.
    pub session: Session,
    /// As presented. Never logged.
    pub password: Option<Vec<u8>>,
    /// In seconds; 0 is none.
    pub keep_alive_s: u16,
    /// Clean session (3.1.1) or clean start (5).
    pub clean: bool,
    /// Where it comes from.
    pub remote: Option<SocketAddr>,
}

impl fmt::Debug for ConnectAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectAttempt")
            .field("session", &self.session)
            .field("password", &self.password.as_ref().map(|_| "hidden"))
            .field("keep_alive_s", &self.keep_alive_s)
            .field("clean", &self.clean)
            .field("remote", &self.remote)
            .finish()
    }
}

/// What the daemon does with a message of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InboundVerdict {
    /// The daemon took it; nobody else gets it, and a `retain` flag is ignored.
    Accept,
    /// The daemon does not claim it, or claims it not alone: the broker routes it to the clients that subscribed.
    Route,
    /// It is dropped. An MQTT 5 client sees the reason code in PUBACK or PUBREC (0x80, 0x83, 0x87, 0x90, 0x97 or 0x99;
    /// any other is sent as 0x80); MQTT 3.1.1 has no refusal, so such a client gets a plain acknowledgement.
    Refuse(u8),
}

/// What the daemon says of a subscription that the policy does not cover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubscribeVerdict {
    /// It is granted.
    AsAsked,
    /// The client is told that it got what it asked for; what it is sent is what matches this filter, which is one
    /// without `$share`. A shared subscription stays in its group.
    Rewritten(String),
    /// SUBACK says 0x80 (3.1.1) or 0x87 (5).
    Refuse,
}

/// Why a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The client sent DISCONNECT.
    ByClient,
    /// The connection was closed or broke without DISCONNECT.
    ConnectionLost(String),
    /// Nothing came within the keep-alive time.
    KeepAlive,
    /// Another connection with the same client id, or of the same device, took its place.
    TakenOver,
    /// The daemon closed it, or the broker stops.
    ByHost,
    /// The client broke the protocol or a limit.
    Protocol(String),
    /// The connection ended before the session began to work, and the sweep found it.
    Forgotten,
}

/// When a subscription gets retained messages (MQTT 5, section 3.8.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RetainHandling {
    /// At each SUBSCRIBE.
    #[default]
    Always,
    /// Only when the subscription is new.
    WhenNew,
    /// Never.
    Never,
}

/// A subscription of a persistent session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptSubscription {
    /// Topic filter as the client asked for it, without `$share`.
    pub filter: String,
    /// The filter that it is served with, where that is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rewritten: Option<String>,
    /// The daemon granted it; the policy did not cover it.
    #[serde(default)]
    pub granted: bool,
    /// 0, 1 or 2.
    pub qos: u8,
    /// The group of a shared subscription.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<String>,
    /// MQTT 5: not what the client itself published.
    #[serde(default)]
    pub no_local: bool,
    /// MQTT 5: the retain flag is passed on.
    #[serde(default)]
    pub retain_as_published: bool,
    /// MQTT 5.
    #[serde(default)]
    pub retain_handling: RetainHandling,
    /// MQTT 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription_id: Option<u32>,
}

impl KeptSubscription {
    /// The filter that it is served with.
    pub fn served(&self) -> &str {
        self.rewritten.as_deref().unwrap_or(&self.filter)
    }

    /// In the client's own words: the filter that it asked for, with `$share` and its group where it has one.
    pub fn in_words(&self) -> Subscription {
        let filter = match &self.share {
            Some(group) => format!("$share/{group}/{}", self.filter),
            None => self.filter.clone(),
        };
        Subscription { filter, qos: self.qos }
    }
}

/// A persistent session as it has to survive a restart of the daemon. The broker reads and writes it whole; the store
/// needs only the client id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptSession {
    /// The key.
    pub client_id: String,
    /// As in its last CONNECT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Who it belongs to: the dialect that admitted it and the principal. Another one with the same client id does not
    /// inherit it, see [`BrokerEvents::authenticate`].
    pub dialect: String,
    /// See `dialect`.
    pub principal: String,
    /// The principal as it was admitted, where [`Broker::set_policy`](crate::Broker::set_policy) gave it another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admitted_as: Option<String>,
    /// The device that it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// 3, 4 or 5.
    pub protocol_level: u8,
    /// Seconds after its connection ended until it is forgotten.
    pub expiry_s: u64,
    /// When its connection ended, in milliseconds since 1970; none while it is connected. After a restart, one that was
    /// connected counts as gone since the start of the broker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone_since_ms: Option<u64>,
    /// What it subscribed to itself.
    pub subscriptions: Vec<KeptSubscription>,
}

/// What the daemon does about what happens in the broker. All of it is called on the threads of the broker: a call that
/// is slow delays that one client (its pings too), never the others.
#[async_trait]
pub trait BrokerEvents: Send + Sync + 'static {
    /// Who is it? Called once for each CONNECT.
    ///
    /// A client id belongs to whoever is connected with it or has a persistent session under it: the dialect and the
    /// principal. The same ones take it over and go on with what they left. So do the same device, and the principal as
    /// which a session was admitted before [`Broker::set_policy`](crate::Broker::set_policy) gave it another one, but
    /// they begin anew. Anybody else is refused with 5 or 0x87, whatever this answers, until that session is over; so
    /// nobody ends or inherits another one's session by naming its client id.
    ///
    /// The CONNACK carries 4 or 0x86 for `BadCredentials`, 5 or 0x87 for `NotAuthorized` and 3 or 0x88 for
    /// `Unavailable`. The embedded broker has no means to send 2 or 0x85 for `BadClientId` and answers 5 or 0x87.
    async fn authenticate(&self, attempt: ConnectAttempt) -> Result<Grant, ConnectRefusal>;

    /// A session is connected. Messages sent to its device from here on reach it, after its CONNACK. `resumed` says that
    /// a persistent session goes on, so its subscriptions still count.
    async fn opened(&self, session: Arc<Session>, resumed: bool);

    /// A session is closed; once for each `opened`. It may come before or after `opened` of the session that took its
    /// place: compare the session's id before marking a device as away.
    async fn closed(&self, session: Arc<Session>, reason: CloseReason);

    /// A message that the policy let through, also a last will (which may come after `closed`). Resolves when it may be
    /// acknowledged to the sender: after the commit. The next message of the client is handed over when it resolved.
    ///
    /// QoS 0 is not acknowledged, so the sender is not held up: the next message is handed over at once, and the verdicts
    /// count in the order of the messages, whatever order they resolve in. Calls begin in that order, too, so what has to
    /// be in order (a place in a queue) must be taken before this first waits for something. A message of another QoS is
    /// handed over when all before it resolved. Up to 1,024 messages or 1 MiB of one client are on their way like that,
    /// then it waits; with a verdict of 2 ms that is far above what a connection carries. Resolve as soon as the message
    /// is applied: nobody waits for its commit.
    async fn inbound(&self, session: Arc<Session>, message: Message) -> InboundVerdict;

    /// A client asks for a subscription that `policy.subscribe` does not cover. Its filter is in the client's words, with
    /// `$share/group/` in front where it is a shared one; what is covered is the filter behind that. Its SUBACK, and the
    /// client's further packets, wait for the answer. What is granted here stays until the client unsubscribes or its
    /// session ends; it is `policy.receive` that then decides what it delivers.
    async fn subscribing(&self, session: Arc<Session>, asked: Subscription) -> SubscribeVerdict;

    /// A client subscribed, in its own words. Its SUBACK goes out when this resolves.
    async fn subscribed(&self, session: Arc<Session>, subscription: Subscription);

    /// A client unsubscribed from a filter in its own words. Its UNSUBACK goes out when this resolves.
    async fn unsubscribed(&self, session: Arc<Session>, filter: String);

    /// How a delivery ended; exactly once for each token that was answered with `Sent { receipt: true }`. It may come
    /// before `publish_to` returns. It must not block.
    fn receipt(&self, token: DeliveryToken, receipt: Receipt);

    /// A persistent session is to be kept over a restart, replacing what was kept for its client id. SUBACK and UNSUBACK
    /// go out when this resolves, so what it makes durable is what the device was told.
    async fn keep_session(&self, kept: KeptSession);

    /// A persistent session is over: it expired, or its client asked for a clean one.
    async fn forget_session(&self, client_id: String);
}
