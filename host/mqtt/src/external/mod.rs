//! A connection to a broker that somebody else runs, made of rumqttc's MQTT 5 client. No type of it leaves this folder.
//!
//! The client library loses messages and stalls when it is used as it comes (an error PUBACK, a lost session, an id that
//! is never acknowledged), so it is used under these rules:
//!
//! 1. After any error of the library the connection is thrown away with all its state, and a new one is made.
//! 2. What is to be sent stays in the [`Ledger`](ledger::Ledger) until the broker's PUBACK or a verdict that is as final.
//!    A new connection sends again what the old one left without PUBACK, at most
//!    [`ExternalOptions::sends_max`] times in all, and nothing whose time is over.
//! 3. The library is never given a message that it could not send at once: half of the broker's receive maximum may be
//!    without PUBACK, the packet id that comes next must be free, and the packet must not be too large.
//! 4. No topic alias is announced. A broker that uses one all the same is understood.
//! 5. Packets have a largest size in both directions, and sockets send without delay.
//! 6. Subscriptions are made again unless the broker says that it still has them, and nothing is sent before they stand:
//!    a reply must find a reader. A message is acknowledged after [`ExternalEvents::inbound`] resolved, in order.
//!
//! ```text
//! publish ──▶ Ledger ──▶ live::Live ──▶ pump (rumqttc, a task of its own) ──▶ broker
//!               ▲  PUBACK ──┘   │
//!               └─ broken ──────┤   a connection's end: what has no PUBACK goes back
//! inbound ◀── inbound::Inbound ─┘   acknowledged when it resolved
//! ```

mod backoff;
mod broken;
mod dial;
mod handle;
mod inbound;
mod ledger;
mod live;
mod options;
mod pump;
mod runner;
mod tls;
mod watchdog;
mod wire;

pub use handle::ExternalConnection;
pub use options::{ExternalError, ExternalOptions, TlsOptions};

use async_trait::async_trait;
use dragoman_core::Message;
use std::fmt;

/// What became of a message that was to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Published {
    /// The broker has it: PUBACK, or for QoS 0 it was written to the socket.
    Taken,
    /// The broker has it and knows nobody who subscribed to its topic (PUBACK 0x10). Not every broker says so.
    NoSubscriber,
    /// The broker refused it for good, with this reason code of its PUBACK; or it told before that it would (0x9A).
    Refused(u8),
    /// The broker takes no packet as large as this. It was not sent.
    TooLarge {
        /// Of the packet.
        bytes: usize,
        /// As the broker said when the connection began.
        max: u32,
    },
    /// It cannot be put into a packet, for this reason. It was not sent.
    Invalid(String),
    /// Its time was over before it could be sent; or, where it was sent before and the connection broke, before it could
    /// be sent again.
    Expired {
        /// How often it was sent, without a PUBACK.
        sends: u32,
    },
    /// It was sent as often as [`ExternalOptions::sends_max`] allows, and no PUBACK came. Whether the broker has it is
    /// unknown.
    Unacknowledged {
        /// How often it was sent.
        sends: u32,
    },
    /// [`ExternalConnection::withdraw`] took it back.
    Withdrawn,
    /// The connection was shut down. Whether the broker has it is unknown if it was sent.
    Closed {
        /// How often it was sent, without a PUBACK.
        sends: u32,
    },
}

/// What was made of a message of the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It is dealt with, well or badly, and is acknowledged.
    Done,
    /// It could not be kept. It is not acknowledged; the connection ends, so that the broker sends it again.
    NotKept,
}

/// Whether a connection stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// It is being made, for the first time.
    Connecting,
    /// The broker answered and the subscriptions stand.
    Up {
        /// Filters that the broker refused, with its words. Nothing comes under them.
        refused: Vec<(String, String)>,
    },
    /// It broke or could not be made, for this reason, and is made again.
    Down(String),
    /// It was shut down.
    Closed,
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connecting => f.write_str("connecting"),
            Self::Up { refused } if refused.is_empty() => f.write_str("up"),
            Self::Up { refused } => {
                write!(f, "up, but the broker refuses {} subscriptions", refused.len())
            }
            Self::Down(why) => write!(f, "down: {why}"),
            Self::Closed => f.write_str("closed"),
        }
    }
}

/// What the daemon does about what comes over a connection.
#[async_trait]
pub trait ExternalEvents: Send + Sync + 'static {
    /// A message under one of the subscriptions. Calls begin in the order in which the messages came; what has to be in
    /// order must be taken before this first waits for something. It is acknowledged to the broker when this resolved and
    /// all before it did. The same message may come again: after a connection that broke before the acknowledgement.
    async fn inbound(&self, message: Message) -> Heard;
}
