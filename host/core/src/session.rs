//! Sessions of a broker and what goes over them, in the words that the broker and the plugins share.

use crate::intent::{Attributes, DeviceId, Payload};
use std::fmt;
use std::sync::Arc;

/// One MQTT connection of one client; never used again after it closed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(Arc<str>);

impl SessionId {
    /// Wraps a text that is unique within the life of the process.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An MQTT message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Topic name, without wildcards.
    pub topic: String,
    /// What it carries.
    pub payload: Payload,
    /// 0, 1 or 2.
    pub qos: u8,
    /// Whether the broker keeps it.
    pub retain: bool,
    /// MQTT 5 properties by documented names, e.g. `mqtt.content-type`, and user properties.
    pub attributes: Attributes,
}

/// Who is at the other end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Of this connection.
    pub id: SessionId,
    /// Name of the listener it came in by.
    pub listener: Arc<str>,
    /// As in CONNECT.
    pub client_id: String,
    /// As in CONNECT.
    pub username: Option<String>,
    /// The dialect that admitted it; none before admission.
    pub dialect: Option<Arc<str>>,
    /// Who it is, in the dialect's words; none before admission.
    pub principal: Option<String>,
    /// The device it is.
    pub device: Option<DeviceId>,
    /// 3, 4 or 5.
    pub protocol_level: u8,
}

/// A topic filter and the QoS it is served with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Topic filter.
    pub filter: String,
    /// 0, 1 or 2.
    pub qos: u8,
}

/// What a session may do, as topic filters. Enforced by the broker for each packet, without a plugin call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Topics it may publish to.
    pub publish: Vec<String>,
    /// Filters it may subscribe to: every topic the asked filter matches must be matched by one of these.
    pub subscribe: Vec<String>,
    /// Topics that are handed to it, whatever it subscribed to.
    pub receive: Vec<String>,
    /// Delivered as if subscribed, once, even when the client subscribes too.
    pub implicit: Vec<Subscription>,
}

/// A session is let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The dialect that vouches for it.
    pub dialect: Arc<str>,
    /// Who it is, in the dialect's words.
    pub principal: String,
    /// The device it is; an older session of the same device is closed.
    pub device: Option<DeviceId>,
    /// What it may do.
    pub policy: Policy,
}

/// Why a session is not let in, with the CONNACK code of MQTT 3.1.1 and 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectRefusal {
    /// 2, 0x85
    BadClientId,
    /// 4, 0x86
    BadCredentials,
    /// 5, 0x87
    NotAuthorized,
    /// 3, 0x88
    Unavailable,
}
