//! What is wanted of a device, in no platform's words.

use std::fmt;
use std::sync::Arc;

/// JSON text (RFC 8259). The core passes it on and never reads it.
pub type Json = String;

/// Names and values, in order, doubles allowed.
pub type Attributes = Vec<(String, String)>;

/// The gateway's own name for a device; cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceId(Arc<str>);

/// The id of one execution, `[A-Za-z0-9_-]{1,64}`; cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExecutionId(Arc<str>);

macro_rules! text_id {
    ($name:ident) => {
        impl $name {
            /// Wraps a text that the caller has checked.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }
    };
}
text_id!(DeviceId);
text_id!(ExecutionId);

/// Bytes that are passed on as they are; `Text` where they are valid UTF-8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// Valid UTF-8.
    Text(String),
    /// Anything else.
    Bytes(Vec<u8>),
}

impl Payload {
    /// The bytes as they go over the wire.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes).map_or_else(|error| Self::Bytes(error.into_bytes()), Self::Text)
    }
}

/// A property and the value it shall have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// The group of properties it belongs to, where the platform has groups.
    pub service: Option<String>,
    /// Its name.
    pub name: String,
    /// Its value, as JSON.
    pub value: Json,
}

/// A property that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PropertyName {
    /// The group of properties it belongs to, where the platform has groups.
    pub service: Option<String>,
    /// Its name.
    pub name: String,
}

/// Do something and answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// The group of actions it belongs to, where the platform has groups.
    pub service: Option<String>,
    /// What to do.
    pub action: String,
    /// A JSON object, or `null`.
    pub params: Json,
}

/// A payload that is passed on as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The platform's name for the message, where it has one.
    pub name: Option<String>,
    /// The message.
    pub payload: Payload,
    /// What else the platforms say about it.
    pub attributes: Attributes,
}

/// What is wanted of a device. What a handler plans is intents again, called frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Do something and answer.
    Invoke(Invocation),
    /// Set properties.
    Write(Vec<Property>),
    /// Report properties; an empty list asks for everything.
    Read(Vec<PropertyName>),
    /// Pass a payload on.
    Deliver(Delivery),
}
