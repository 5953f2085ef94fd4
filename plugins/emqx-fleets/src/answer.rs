//! Answers that are no success: `{"code": …, "message": …}`, the style of EMQX's REST APIs.

use dragoman_plugin_sdk::http::json_response;
use dragoman_plugin_sdk::refusal::Refusal;
use dragoman_plugin_sdk::{Decision, Error, Reason, Response};
use serde_json::json;

/// Why a call is not carried out.
pub(crate) enum Failure {
    /// The caller is told.
    Answer(Response),
    /// The plugin is at fault, or the gateway.
    Fault(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Fault(error)
    }
}

/// What a call comes to for the gateway.
pub(crate) fn decide(answered: Result<Decision, Failure>) -> Result<Decision, Error> {
    match answered {
        Ok(decision) => Ok(decision),
        Err(Failure::Answer(response)) => Ok(Decision::Respond(response)),
        Err(Failure::Fault(error)) => Err(error),
    }
}

/// An answer of that shape.
pub(crate) fn error_response(status: u16, code: &str, message: &str) -> Response {
    json_response(status, &json!({"code": code, "message": message}))
}

pub(crate) fn bad_request(message: impl AsRef<str>) -> Failure {
    Failure::Answer(error_response(400, "BAD_REQUEST", message.as_ref()))
}

pub(crate) fn not_found(message: impl AsRef<str>) -> Failure {
    Failure::Answer(error_response(404, "NOT_FOUND", message.as_ref()))
}

pub(crate) fn conflict(message: impl AsRef<str>) -> Failure {
    Failure::Answer(error_response(409, "CONFLICT", message.as_ref()))
}

/// Words the reason for which the gateway did not take a command.
pub fn refusal_answer(reason: &Reason) -> Response {
    let (status, code) = match Refusal::of(reason) {
        Refusal::QueueFull | Refusal::Limit => (429, "TOO_MANY_REQUESTS"),
        Refusal::Duplicate | Refusal::IdempotencyConflict => (409, "CONFLICT"),
        Refusal::UnknownDevice => (404, "NOT_FOUND"),
        Refusal::Unsupported | Refusal::Invalid => (400, "BAD_REQUEST"),
        Refusal::Away => (409, "THING_OFFLINE"),
        Refusal::NoSubscriber => (409, "NO_SUBSCRIBER"),
        Refusal::Other => (500, "INTERNAL_ERROR"),
    };
    error_response(status, code, &reason.text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dragoman_plugin_sdk::http::body_text;
    use dragoman_plugin_sdk::outcome::reason;

    #[test]
    fn every_refusal_has_words() {
        for (code, status, body_code) in [
            ("$QUEUE_FULL", 429, "TOO_MANY_REQUESTS"),
            ("$LIMIT", 429, "TOO_MANY_REQUESTS"),
            ("$DUPLICATE", 409, "CONFLICT"),
            ("$IDEMPOTENCY_CONFLICT", 409, "CONFLICT"),
            ("$UNKNOWN_DEVICE", 404, "NOT_FOUND"),
            ("$UNSUPPORTED", 400, "BAD_REQUEST"),
            ("$INVALID", 400, "BAD_REQUEST"),
            ("$AWAY", 409, "THING_OFFLINE"),
            ("$NO_SUBSCRIBER", 409, "NO_SUBSCRIBER"),
            ("$PLUGIN_TRAP", 500, "INTERNAL_ERROR"),
        ] {
            let answer = refusal_answer(&reason(code, "why"));
            assert_eq!(answer.status, status, "{code}");
            let expected = format!(r#"{{"code":"{body_code}","message":"why"}}"#);
            assert_eq!(body_text(&answer.body), Some(expected.as_str()), "{code}");
        }
    }
}
