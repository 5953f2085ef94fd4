//! What is kept: with an execution, and while a call waits.

use crate::downlink::{Downlink, Source};
use crate::formatter;
use crate::topic::Operation;
use dragoman_plugin_sdk::Error;
use serde::{Deserialize, Serialize};

/// What is kept with each downlink, to word what happens to it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Context {
    pub(crate) uid: String,
    pub(crate) device_id: String,
    pub(crate) downlink: Downlink,
}

/// How the answer to a push is worded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reply {
    /// There is none.
    Silence,
    /// `{}`.
    Object,
    /// An empty body.
    Empty,
}

/// A push that waits for the device's handler, or for its items to be accepted.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Push {
    pub(crate) reply: Reply,
    pub(crate) uid: String,
    pub(crate) device_id: String,
    /// The gateway's id of it.
    pub(crate) device: String,
    pub(crate) lorawan: bool,
    pub(crate) operation: Operation,
    pub(crate) items: Vec<Item>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Item {
    /// The correlation id that the server gave it.
    pub(crate) id: String,
    pub(crate) downlink: Downlink,
    pub(crate) source: Source,
}

/// A call that waits.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Waiting {
    Push(Push),
    Format(formatter::Call),
    Simulate(formatter::Simulation),
}

impl Waiting {
    pub(crate) fn read(text: &str) -> Result<Self, Error> {
        // It is ours, and may be nested as deep as what an application sent, and two levels more.
        serde_json::from_str(text).map_err(|error| Error::Internal(format!("the context is not ours: {error}")))
    }

    pub(crate) fn text(&self) -> Result<String, Error> {
        serde_json::to_string(self).map_err(|error| Error::Internal(error.to_string()))
    }
}
