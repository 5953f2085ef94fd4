//! Answers that are no success: a JSON array of `{"code", "cause", "message"}`.

use dragoman_plugin_sdk::http::json_response;
use dragoman_plugin_sdk::refusal::Refusal;
use dragoman_plugin_sdk::{Decision, Error, Reason, Response};
use serde::Serialize;

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

#[derive(Serialize)]
struct Body<'a> {
    code: &'a str,
    cause: &'a str,
    message: &'a str,
}

/// An answer of the platform's shape. `cause` is what it is about, `message` a sentence.
pub(crate) fn error_response(status: u16, code: &str, cause: &str, message: &str) -> Response {
    json_response(status, &[Body { code, cause, message }])
}

fn failure(status: u16, code: &str, cause: &str, message: &str) -> Failure {
    Failure::Answer(error_response(status, code, cause, message))
}

/// No key, a wrong one, or one without the scope.
pub(crate) fn unauthorized(cause: &str, message: &str) -> Failure {
    let mut response = error_response(401, "Unauthorized", cause, message);
    response.headers.push(("www-authenticate".to_owned(), "Basic realm=\"connio\"".to_owned()));
    Failure::Answer(response)
}

pub(crate) fn bad_request(message: &str) -> Failure {
    failure(400, "BadRequest", "body", message)
}

pub(crate) fn bad_parameter(name: &str, message: &str) -> Failure {
    failure(400, "BadRequest", name, message)
}

pub(crate) fn forbidden(cause: &str, message: &str) -> Failure {
    failure(403, "Forbidden", cause, message)
}

pub(crate) fn not_found(cause: &str) -> Failure {
    failure(404, "ResourceNotFound", cause, "The resource does not exist.")
}

/// What the platform has and this gateway has not.
pub(crate) fn not_implemented(cause: &str) -> Failure {
    failure(503, "NotImplemented", cause, "This call is not implemented here.")
}

/// Words the reason for which the gateway did not take a command.
pub fn refusal_answer(reason: &Reason) -> Response {
    let (status, code) = match (Refusal::of(reason), reason.code.as_str()) {
        (Refusal::QueueFull | Refusal::Limit, _) => (429, "TooManyRequests"),
        (Refusal::Duplicate | Refusal::IdempotencyConflict, _) => (409, "Conflict"),
        (Refusal::UnknownDevice, _) => (404, "ResourceNotFound"),
        (Refusal::Unsupported | Refusal::Invalid, _) => (400, "BadRequest"),
        (Refusal::Away | Refusal::NoSubscriber, _) => (409, "DeviceOffline"),
        (Refusal::Other, "$DISABLED") => (403, "Forbidden"),
        (Refusal::Other, _) => (500, "InternalError"),
    };
    error_response(status, code, "device", &reason.text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dragoman_plugin_sdk::http::body_text;
    use dragoman_plugin_sdk::outcome::reason;

    #[test]
    fn every_refusal_has_words() {
        for (code, status, body_code) in [
            ("$QUEUE_FULL", 429, "TooManyRequests"),
            ("$LIMIT", 429, "TooManyRequests"),
            ("$DUPLICATE", 409, "Conflict"),
            ("$IDEMPOTENCY_CONFLICT", 409, "Conflict"),
            ("$UNKNOWN_DEVICE", 404, "ResourceNotFound"),
            ("$UNSUPPORTED", 400, "BadRequest"),
            ("$INVALID", 400, "BadRequest"),
            ("$AWAY", 409, "DeviceOffline"),
            ("$NO_SUBSCRIBER", 409, "DeviceOffline"),
            ("$DISABLED", 403, "Forbidden"),
            ("$PLUGIN_TRAP", 500, "InternalError"),
        ] {
            let answer = refusal_answer(&reason(code, "why"));
            assert_eq!(answer.status, status, "{code}");
            let expected = format!(r#"[{{"code":"{body_code}","cause":"device","message":"why"}}]"#);
            assert_eq!(body_text(&answer.body), Some(expected.as_str()), "{code}");
        }
    }
}
