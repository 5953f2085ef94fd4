//! A message to a device, as it is kept and as the platform shows it.

use crate::answer::ApiError;
use crate::instant::basic;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dragoman_plugin_sdk::refusal::{Refusal, is_host_code};
use dragoman_plugin_sdk::{Attributes, Error, Execution, Intent, Payload, Reason, State, attribute, json, outcome};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Label of an execution that says what it is in the platform's words.
pub(crate) const KIND_LABEL: &str = "kind";
/// A message that is shown.
pub(crate) const KIND: &str = "message";
/// A message that was deleted.
pub(crate) const KIND_DELETED: &str = "deleted-message";

/// Attributes of a *deliver* in this dialect's vocabulary.
pub(crate) mod attributes {
    /// The platform's id of the message.
    pub(crate) const ID: &str = "huawei.message-id";
    /// `raw`: the payload goes out as it is, without the platform's envelope.
    pub(crate) const FORMAT: &str = "huawei.payload-format";
    /// The end of a custom topic.
    pub(crate) const TOPIC: &str = "huawei.topic";
    /// A whole topic.
    pub(crate) const FULL_TOPIC: &str = "huawei.topic-full-name";
}

/// How the content of a message was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Content {
    /// A string.
    Text,
    /// A JSON object.
    Object,
    /// A string of base64; what goes out are the bytes.
    Base64,
}

/// What is kept of a message besides the command itself: the execution's context.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Details {
    pub(crate) message_id: String,
    pub(crate) device_id: String,
    pub(crate) content: Content,
    /// Whether the device was there when the message came; else the platform tells that it is pending.
    pub(crate) online: bool,
    /// MQTT 5 properties as they came, an object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) properties: Option<String>,
}

impl Details {
    pub(crate) fn of(execution: &Execution) -> Option<Self> {
        json::parse_object(execution.context.as_deref()?).ok()
    }

    pub(crate) fn text(&self) -> Result<String, Error> {
        serde_json::to_string(self).map_err(|error| Error::Internal(error.to_string()))
    }
}

/// Where a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Pending,
    Delivered,
    Failed,
    TimedOut,
}

impl Status {
    /// What the platform has sent is delivered, whatever the device makes of it.
    pub(crate) fn of(execution: &Execution) -> Self {
        match execution.state {
            State::Queued => Self::Pending,
            State::Sent | State::Acked | State::Succeeded => Self::Delivered,
            State::TimedOut | State::Canceled if execution.sent_ms.is_some() => Self::Delivered,
            State::TimedOut => Self::TimedOut,
            State::Failed | State::Rejected | State::Canceled => Self::Failed,
        }
    }

    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Delivered => "DELIVERED",
            Self::Failed => "FAILED",
            Self::TimedOut => "TIMEOUT",
        }
    }
}

/// Why a message failed: code and text of the platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ErrorInfo {
    error_code: String,
    error_msg: String,
}

impl ErrorInfo {
    /// The gateway's reasons have words of the platform; a device, or its dialect, has words of its own.
    pub(crate) fn of(reason: &Reason) -> Self {
        if !is_host_code(&reason.code) {
            return Self { error_code: reason.code.clone(), error_msg: reason.text.clone() };
        }
        if Refusal::of(reason) == Refusal::NoSubscriber {
            let error_msg = "Send to device failed, device not subscribe topic.".to_owned();
            return Self { error_code: "IOTDA.014112".to_owned(), error_msg };
        }
        let error = ApiError::of(reason);
        Self { error_code: error.code.to_owned(), error_msg: error.text }
    }

    /// Where the message failed.
    pub(crate) fn of_execution(execution: &Execution) -> Option<Self> {
        outcome::why(execution).filter(|_| Status::of(execution) == Status::Failed).map(Self::of)
    }
}

/// The outcome that a new message is answered with.
#[derive(Serialize)]
pub(crate) struct Outcome {
    status: &'static str,
    created_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_time: Option<String>,
}

impl Outcome {
    pub(crate) fn of(execution: &Execution) -> Self {
        Self {
            status: Status::of(execution).text(),
            created_time: basic(execution.created_ms),
            finished_time: finished_ms(execution).map(basic),
        }
    }

    /// One that failed at once and of which nothing is kept.
    pub(crate) fn failed(at_ms: u64) -> Self {
        Self { status: Status::Failed.text(), created_time: basic(at_ms), finished_time: Some(basic(at_ms)) }
    }
}

/// When the platform was done with it: for what was delivered, when it was sent.
fn finished_ms(execution: &Execution) -> Option<u64> {
    match Status::of(execution) {
        Status::Pending => None,
        Status::Delivered => execution.sent_ms.or(execution.ended_ms),
        Status::Failed | Status::TimedOut => execution.ended_ms,
    }
}

/// `DeviceMessage` of the platform; what a message does not have is left out.
#[derive(Serialize)]
pub(crate) struct View {
    message_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    message: Box<RawValue>,
    encoding: &'static str,
    payload_format: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    properties: Option<Box<RawValue>>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_info: Option<ErrorInfo>,
    created_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_time: Option<String>,
}

/// A message as it is shown; `None` for an execution that is none.
pub(crate) fn view(execution: &Execution) -> Option<View> {
    let details = Details::of(execution)?;
    let Intent::Deliver(delivery) = &execution.intent else { return None };
    let quoted = |text: &str| json::raw(&serde_json::Value::from(text).to_string());
    let message = match (&delivery.payload, details.content) {
        (Payload::Text(text), Content::Object) => json::raw(text),
        (Payload::Text(text), Content::Text) => quoted(text),
        (Payload::Text(text), Content::Base64) => quoted(&STANDARD.encode(text)),
        (Payload::Bytes(bytes), _) => quoted(&STANDARD.encode(bytes)),
    };
    let Outcome { status, created_time, finished_time } = Outcome::of(execution);
    Some(View {
        message_id: details.message_id,
        name: delivery.name.clone(),
        message,
        encoding: if details.content == Content::Base64 { "base64" } else { "none" },
        payload_format: if is_raw(&delivery.attributes) { "raw" } else { "standard" },
        topic: topic_of(&delivery.attributes),
        properties: details.properties.as_deref().map(json::raw),
        status,
        error_info: ErrorInfo::of_execution(execution),
        created_time,
        finished_time,
    })
}

/// Whether the payload goes out without an envelope.
pub(crate) fn is_raw(of: &Attributes) -> bool {
    attribute(of, attributes::FORMAT) == Some("raw")
}

/// The topic that the application named, whole or its end.
pub(crate) fn topic_of(of: &Attributes) -> Option<String> {
    attribute(of, attributes::FULL_TOPIC).or_else(|| attribute(of, attributes::TOPIC)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dragoman_plugin_sdk::testing::execution;
    use dragoman_plugin_sdk::{Delivery, Submission};

    #[test]
    fn what_was_sent_is_delivered_and_what_was_not_is_pending_failed_or_timed_out() {
        let delivery = Delivery { name: None, payload: Payload::Text(String::new()), attributes: Vec::new() };
        let record = execution("e", crate::NAME, Submission::new("d", Intent::Deliver(delivery)), 0);
        for (state, sent, expected) in [
            (State::Queued, false, "PENDING"),
            (State::Queued, true, "PENDING"),
            (State::Sent, true, "DELIVERED"),
            (State::Acked, true, "DELIVERED"),
            (State::Succeeded, true, "DELIVERED"),
            (State::Succeeded, false, "DELIVERED"),
            (State::TimedOut, true, "DELIVERED"),
            (State::TimedOut, false, "TIMEOUT"),
            (State::Failed, true, "FAILED"),
            (State::Rejected, false, "FAILED"),
            (State::Canceled, false, "FAILED"),
            (State::Canceled, true, "DELIVERED"),
        ] {
            let record = Execution { state, sent_ms: sent.then_some(1), ..record.clone() };
            assert_eq!(Status::of(&record).text(), expected, "{state:?} {sent}");
        }
    }
}
