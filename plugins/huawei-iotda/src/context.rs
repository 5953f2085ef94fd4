//! What is kept while a call waits.

use dragoman_plugin_sdk::{Error, json};
use serde::{Deserialize, Serialize};

/// A waiting call, with what its answer needs besides the execution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Context {
    pub(crate) call: Call,
    /// Of the request, for the platform's request-id header.
    pub(crate) request_id: String,
}

/// Which call it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Call {
    /// `POST …/commands`; the platform's id of the command.
    Command(String),
    /// `PUT …/properties`; the platform's id of the request.
    SetProperties(String),
    /// `GET …/properties`; that, and the service that was asked for.
    GetProperties(String, String),
    /// `POST …/messages`; the platform's id of the message.
    Message(String),
}

impl Context {
    pub(crate) fn text(&self) -> Result<String, Error> {
        serde_json::to_string(self).map_err(|error| Error::Internal(error.to_string()))
    }

    pub(crate) fn read(text: &str) -> Result<Self, Error> {
        json::parse_object(text).map_err(|broken| Error::Internal(broken.text().to_owned()))
    }
}
