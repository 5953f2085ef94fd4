//! Answers of the platform: the envelope of sheet section 3, and its errors.

use crate::members::WrongType;
use crate::topics;
use dragoman_plugin_sdk::refusal::Refusal;
use dragoman_plugin_sdk::{Error, Gateway, Message, Payload, Readers, Reason, Wait};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use std::borrow::Cow;

/// Bytes of an answer: what the gateway takes for one message (256 KiB), less 4 KiB.
const ANSWER_BYTES_MAX: usize = 252 * 1_024;

/// An error of the platform: code and text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) code: u16,
    pub(crate) text: Cow<'static, str>,
}

/// Why an action is not carried out.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The caller is told.
    Answer(ApiError),
    /// The plugin is at fault, or the gateway.
    Fault(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            // What the client sent or asked for is more than the gateway takes, whoever found that out.
            Error::Limit(text) | Error::Invalid(text) => Self::Answer(ApiError::new(400, text)),
            error => Self::Fault(error),
        }
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self::Answer(error)
    }
}

impl From<WrongType> for Failure {
    fn from(_: WrongType) -> Self {
        Self::Answer(ApiError::invalid())
    }
}

/// A member of an answer.
pub(crate) type Member = (&'static str, Box<RawValue>);

/// What an action came to.
#[derive(Debug)]
pub(crate) enum Done {
    /// It is carried out; what the answer has besides its envelope.
    Reply(Vec<Member>),
    /// It submitted a command and is answered when that is accepted.
    Wait(Wait),
    /// It answered by itself, because more follows the answer.
    Answered,
}

/// A member of an answer, written as JSON.
pub(crate) fn member(name: &'static str, value: &impl Serialize) -> Result<Member, Error> {
    to_raw_value(value).map(|raw| (name, raw)).map_err(|error| Error::Internal(format!("{name}: {error}")))
}

/// An answer of one member.
pub(crate) fn reply(name: &'static str, value: &impl Serialize) -> Result<Done, Failure> {
    Ok(Done::Reply(vec![member(name, value)?]))
}

impl ApiError {
    pub(crate) fn new(code: u16, text: impl Into<Cow<'static, str>>) -> Self {
        Self { code, text: text.into() }
    }

    /// Not authenticated.
    pub(crate) fn unauthorized() -> Self {
        Self::new(401, "Unauthorized")
    }

    /// A permission is missing, or the network, type or device is not the caller's.
    pub(crate) fn denied() -> Self {
        Self::new(403, "Access is denied")
    }

    pub(crate) fn malformed() -> Self {
        Self::new(400, "Malformed Json received.")
    }

    pub(crate) fn illegal_action(action: &str) -> Self {
        Self::new(400, format!("Illegal argument: {action}"))
    }

    pub(crate) fn no_action() -> Self {
        Self::new(500, "'action' field could not be parsed to known endpoint")
    }

    pub(crate) fn invalid() -> Self {
        Self::new(400, "Invalid request parameters")
    }

    /// `Device`, `Command`, `Notification`, `Network`, `Device type` or `User`.
    pub(crate) fn wrong_id(of: &str) -> Self {
        Self::new(400, format!("{of} id is wrong or empty"))
    }

    /// `Command`, `Notification`, …: the object that an action is about is missing.
    pub(crate) fn required(what: &str) -> Self {
        Self::new(400, format!("{what} is required"))
    }

    pub(crate) fn no_device(id: &str) -> Self {
        Self::new(404, format!("Device with such deviceId = {id} not found"))
    }

    /// `Command`, `Network`, `Device type` or `User`.
    pub(crate) fn not_found(what: &str, id: impl std::fmt::Display) -> Self {
        Self::new(404, format!("{what} with id = {id} not found"))
    }

    /// Words the reason for which the gateway did not take a command. The codes are those of the platform's HTTP side,
    /// the texts are ours.
    pub(crate) fn of(reason: &Reason, device_id: &str) -> Self {
        let text = reason.text.clone();
        match Refusal::of(reason) {
            Refusal::UnknownDevice => Self::no_device(device_id),
            Refusal::QueueFull | Refusal::Limit => Self::new(503, text),
            Refusal::Away | Refusal::NoSubscriber => Self::new(503, text),
            Refusal::Duplicate | Refusal::IdempotencyConflict => Self::new(409, text),
            Refusal::Invalid | Refusal::Unsupported => Self::new(400, text),
            Refusal::Other => Self::new(500, text),
        }
    }
}

/// Whom an answer goes to, and what it answers.
#[derive(Clone, Copy)]
pub(crate) struct Asker<'a> {
    pub(crate) session: &'a str,
    pub(crate) client_id: &'a str,
    /// Empty where the request had none that could be read.
    pub(crate) action: &'a str,
    pub(crate) request_id: Option<&'a RawValue>,
}

/// Publishes an answer to the client that asked, and only if it holds exactly the response topic of the action.
pub(crate) fn publish(
    gateway: &impl Gateway,
    asker: Asker<'_>,
    answer: &Result<Vec<Member>, ApiError>,
) -> Result<(), Error> {
    let topic = topics::response(asker.action, asker.client_id);
    let held = gateway.subscriptions(asker.session).into_iter().find(|held| held.filter == topic);
    let Some(held) = held else { return Ok(()) };
    let mut text = envelope(asker, answer);
    if text.len() > ANSWER_BYTES_MAX {
        let error = format!("The answer has more than {ANSWER_BYTES_MAX} bytes. Ask for less, e.g. with take.");
        text = envelope(asker, &Err(ApiError::new(400, error)));
    }
    let message =
        Message { topic, payload: Payload::Text(text), qos: held.qos.min(1), retain: false, attributes: Vec::new() };
    gateway.publish(&Readers::Session(asker.session.to_owned()), &message)
}

/// The members in the order in which the platform writes them.
fn envelope(asker: Asker<'_>, answer: &Result<Vec<Member>, ApiError>) -> String {
    let mut members: Vec<(&str, String)> = Vec::new();
    if !asker.action.is_empty() {
        members.push(("action", quoted(asker.action)));
    }
    members.extend(asker.request_id.map(|id| ("requestId", id.get().to_owned())));
    match answer {
        Ok(body) => {
            members.push(("status", quoted("success")));
            members.extend(body.iter().map(|(name, raw)| (*name, raw.get().to_owned())));
        }
        Err(error) => {
            members.push(("code", error.code.to_string()));
            members.push(("status", quoted("error")));
            members.push(("error", quoted(&error.text)));
        }
    }
    let all: Vec<_> = members.into_iter().map(|(name, value)| format!("{}:{value}", quoted(name))).collect();
    format!("{{{}}}", all.join(","))
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use dragoman_plugin_sdk::outcome::reason;

    fn asker<'a>(action: &'a str, request_id: Option<&'a RawValue>) -> Asker<'a> {
        Asker { session: "s", client_id: "c", action, request_id }
    }

    #[test]
    fn the_envelope_has_the_platforms_order() {
        let id = RawValue::from_string(r#"{"n": 1}"#.to_owned()).unwrap();
        let body = vec![member("count", &3).unwrap()];
        assert_eq!(
            envelope(asker("device/count", Some(&id)), &Ok(body)),
            r#"{"action":"device/count","requestId":{"n": 1},"status":"success","count":3}"#
        );
        assert_eq!(
            envelope(asker("a\"b", None), &Err(ApiError::denied())),
            r#"{"action":"a\"b","code":403,"status":"error","error":"Access is denied"}"#
        );
        assert_eq!(
            envelope(asker("", None), &Err(ApiError::malformed())),
            r#"{"code":400,"status":"error","error":"Malformed Json received."}"#
        );
    }

    #[test]
    fn every_refusal_has_words() {
        for (code, expected) in [
            ("$QUEUE_FULL", 503),
            ("$LIMIT", 503),
            ("$DUPLICATE", 409),
            ("$IDEMPOTENCY_CONFLICT", 409),
            ("$UNKNOWN_DEVICE", 404),
            ("$UNSUPPORTED", 400),
            ("$INVALID", 400),
            ("$AWAY", 503),
            ("$NO_SUBSCRIBER", 503),
            ("$PLUGIN_TRAP", 500),
        ] {
            assert_eq!(ApiError::of(&reason(code, "why"), "d").code, expected, "{code}");
        }
    }
}
