//! What the daemon asks of a broker.

use async_trait::async_trait;
use dragoman_core::{DeviceId, ExecutionId, Message, Policy, Session, SessionId, Subscription};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Names one message of one attempt of one execution, for the receipt. It stays in the host: no client sees it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DeliveryToken {
    /// The execution that the message belongs to.
    pub execution: ExecutionId,
    /// The attempt, as the execution counts them.
    pub attempt: u32,
    /// Which of the messages of the attempt.
    pub index: u32,
}

impl fmt::Display for DeliveryToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.execution, self.attempt, self.index)
    }
}

/// What became of a message that was to go to a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It is on its way to a connected session. With `receipt`, which is true for QoS 1 and 2, exactly one
    /// [`BrokerEvents::receipt`](crate::BrokerEvents::receipt) follows for its token, unless it is withdrawn; without,
    /// none.
    Sent {
        /// Whether a receipt follows.
        receipt: bool,
    },
    /// The device has no connected session. Nothing was kept.
    Away,
    /// The session is connected, but no subscription of it matches the topic, or its policy does not let it receive it.
    NoSubscriber,
    /// As many messages as [`EmbeddedOptions::max_outstanding`](crate::EmbeddedOptions::max_outstanding) already wait
    /// for this session. Nothing was kept.
    Full,
    /// The message cannot be sent at all: its topic is not a topic name, is too long, or the message exceeds the
    /// packet size that the broker or the client set.
    Invalid,
    /// An external broker refused it, or never acknowledged it, for this reason. It is not sent again.
    Lost(String),
    /// Its time was over, or it was withdrawn, while it waited for an external broker.
    Over,
    /// The daemon stops. An external broker may not have it, so it has to be sent after the next start.
    Stopped,
}

/// How a delivery ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// The device acknowledged it: PUBACK for QoS 1, PUBCOMP for QoS 2. What reason code an MQTT 5 client put into the
    /// PUBACK is not known.
    Acked,
    /// It will not be acknowledged any more, and will not be delivered later. Whether the device has it is unknown.
    Lost(String),
}

/// Counts since the start, and levels of this moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BrokerStats {
    /// Connected sessions.
    pub connected: u64,
    /// Persistent sessions that are remembered, connected or not.
    pub kept: u64,
    /// Deliveries that wait for their receipt.
    pub outstanding: u64,
    /// CONNECT packets that were refused.
    pub refused_connects: u64,
    /// Messages of clients that the policy let through.
    pub inbound: u64,
    /// Messages of clients that were refused.
    pub refused_publishes: u64,
    /// Subscriptions that were refused.
    pub refused_subscriptions: u64,
    /// Messages that were handed to a client's connection, the daemon's and other clients'.
    pub delivered: u64,
    /// Receipts [`Receipt::Acked`].
    pub acked: u64,
    /// Receipts [`Receipt::Lost`].
    pub lost: u64,
}

/// Why a broker could not start.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// The address is taken, not local, or needs rights.
    #[error("MQTT listener {name} cannot listen on {address}: {cause}. Change its address or stop what uses it.")]
    Bind {
        /// Of the listener.
        name: String,
        /// As configured.
        address: SocketAddr,
        /// What the system says.
        cause: String,
    },
    /// Two listeners have one name, or a limit makes no sense.
    #[error("MQTT listener {name}: {cause}.")]
    Options {
        /// Of the listener.
        name: String,
        /// What is wrong.
        cause: String,
    },
    /// No threads for the broker.
    #[error("the MQTT broker got no threads: {0}. Raise the limits of the process.")]
    Threads(String),
    /// A fault of the broker itself.
    #[error("the MQTT broker did not start: {0}.")]
    Internal(String),
}

/// A broker as the daemon uses it.
#[async_trait]
pub trait Broker: Send + Sync {
    /// Sends a message to the session of one device, if it is connected and its policy lets it receive it; it is never
    /// queued for an absent one.
    ///
    /// With `subscribed_only` it goes out only when one of the session's subscriptions, its own, shared or implicit,
    /// matches the topic. Its QoS is the lower of the asked and the subscribed one where the session subscribed, else the
    /// asked one, and never 2: that would leave half-finished exchanges behind in a session that goes on after its
    /// messages were told to be lost. `expires_in_ms` is how long it may wait in the broker; 0 is treated as 1. A `retain` flag in the
    /// message is ignored, because only one session is meant.
    ///
    /// The embedded broker answers at once. An external one knows no sessions: the message is published, with QoS 1, and
    /// the answer is there with the broker's PUBACK; until then it waits for a connection, and for what was published
    /// before. [`Delivery::Sent`] then comes without a receipt.
    async fn publish_to(
        &self,
        device: &DeviceId,
        message: &Message,
        subscribed_only: bool,
        expires_in_ms: u64,
        token: DeliveryToken,
    ) -> Delivery;

    /// Sends a message to every session that subscribed and whose policy lets it receive it, as if a client had
    /// published it, and returns to how many: each gets it once, however many of its subscriptions match. With a
    /// dialect, to that one's sessions only. Its `retain` flag counts. Absent persistent sessions get it when they return,
    /// unless it expires first or their policy of then hides it.
    async fn publish(&self, dialect: Option<&str>, message: &Message, expires_in_ms: Option<u64>) -> usize;

    /// Sends a message to one connected session, whether or not it subscribed. QoS and `retain` as with
    /// [`Broker::publish_to`], and the bound on what waits for the session is the same; there is no receipt, and it is
    /// not kept for later. False: it was not sent, because the session is gone, its policy hides the topic, too much
    /// waits for it, or the message is none that can be sent to it.
    async fn publish_to_session(&self, session: &SessionId, message: &Message) -> bool;

    /// Takes the messages of an attempt back that still wait here for the device's session, behind those that the client
    /// has not yet acknowledged, and says how many. They are not delivered, and no receipt of them follows, neither now
    /// nor later. What is on the wire, or was, stays; its receipt comes as ever.
    fn withdraw(&self, device: &DeviceId, execution: &ExecutionId, attempt: u32) -> usize;

    /// Closes the connection of a device, if it has one. Its persistent session stays.
    async fn close_device(&self, device: &DeviceId);

    /// Closes a connection, if it is still there. Its persistent session stays.
    async fn close_session(&self, session: &SessionId);

    /// Gives a connected session another policy, and another principal where there is one; without, it stays. It holds
    /// for all that comes after, also for what already waits in the broker: what the session may not receive any more is
    /// dropped. Subscriptions that the policy no longer covers deliver nothing until a policy covers them again, unless
    /// [`BrokerEvents::subscribing`](crate::BrokerEvents::subscribing) granted them; implicit ones become those of the
    /// policy. False: the session is gone.
    async fn set_policy(&self, session: &SessionId, principal: Option<String>, policy: Policy) -> bool;

    /// A connected session, with the principal that it has now.
    fn session(&self, session: &SessionId) -> Option<Arc<Session>>;

    /// The connected session of a device.
    fn session_of(&self, device: &DeviceId) -> Option<Arc<Session>>;

    /// What a connected session subscribed to itself, in its own words: the filters that it asked for, also where they
    /// were rewritten, shared ones with `$share/group/`. Empty for one that is gone.
    fn subscriptions(&self, session: &SessionId) -> Vec<Subscription>;

    /// The same of a device's session, also of a persistent one that is away, and after a restart. Where a device has
    /// several persistent sessions under different client ids, the last one counts. None: it has no session.
    fn device_subscriptions(&self, device: &DeviceId) -> Option<Vec<Subscription>>;

    /// Counts and levels.
    fn stats(&self) -> BrokerStats;

    /// Stops listening, closes every session, waits up to `within` until all of them were told to
    /// [`BrokerEvents`](crate::BrokerEvents), and frees the ports. A second call does nothing.
    async fn shutdown(&self, within: Duration);
}
