//! Error bodies of the platform: `{"error_code": "IOTDA.…", "error_msg": …}`.

use dragoman_plugin_sdk::http::json_response;
use dragoman_plugin_sdk::refusal::Refusal;
use dragoman_plugin_sdk::{Error, Reason, Response};
use serde::Serialize;

/// An error of the platform: HTTP status, code and text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) text: String,
}

/// Why a call is not carried out.
pub(crate) enum Failure {
    /// The caller is told.
    Answer(ApiError),
    /// The plugin is at fault, or the gateway.
    Fault(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Fault(error)
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self::Answer(error)
    }
}

#[derive(Serialize)]
struct Body<'a> {
    error_code: &'a str,
    error_msg: &'a str,
}

impl ApiError {
    fn new(status: u16, code: &'static str, text: impl Into<String>) -> Self {
        Self { status, code, text: text.into() }
    }

    /// The token is missing, wrong, or not for this project.
    pub(crate) fn authentication() -> Self {
        Self::new(401, "IOTDA.000002", "Authentication failed.")
    }

    /// A field does not fit; the platform's text is followed by which.
    pub(crate) fn input(detail: &str) -> Self {
        Self::new(400, "IOTDA.000006", format!("Invalid input data. {detail}").trim_end().to_owned())
    }

    /// The body is no JSON. The text is ours.
    pub(crate) fn json(detail: &str) -> Self {
        Self::new(400, "IOTDA.000008", format!("The request body is not valid JSON. {detail}").trim_end().to_owned())
    }

    pub(crate) fn no_device() -> Self {
        Self::new(404, "IOTDA.014000", "The device does not exist.")
    }

    /// Ours: the platform's own code for a message that it does not know is not known.
    pub(crate) fn no_message() -> Self {
        Self::new(404, "IOTDA.000006", "Invalid input data. The message does not exist.")
    }

    /// A call of the platform that this gateway does not have. The code is the platform's for what it cannot do with an
    /// input; the text is ours.
    pub(crate) fn not_carried(why: &str) -> Self {
        Self::new(403, "IOTDA.000006", format!("Invalid input data. {why}"))
    }

    pub(crate) fn offline() -> Self {
        Self::new(403, "IOTDA.014016", "Operation not allowed. The device is not online.")
    }

    /// The status is 200: the platform answers a time-out like an answer.
    pub(crate) fn timed_out() -> Self {
        Self::new(
            200,
            "IOTDA.014111",
            "Command request timed out. Check whether the device returns a response within the specified time after \
             receiving the request.",
        )
    }

    /// The device has no such command: what its own dialect, or its handler, could not word.
    pub(crate) fn unsupported(text: &str) -> Self {
        Self::new(400, "IOTDA.014108", format!("The device does not support the command. {text}").trim_end().to_owned())
    }

    /// Ours: the platform's own code for faults inside is not known.
    pub(crate) fn internal(text: &str) -> Self {
        Self::new(500, "IOTDA.000001", format!("Internal error. {text}").trim_end().to_owned())
    }

    /// The answer, with the platform's request-id header.
    pub(crate) fn response(&self, request_id: &str) -> Response {
        let mut response = json_response(self.status, &Body { error_code: self.code, error_msg: &self.text });
        response.headers.push((REQUEST_ID_HEADER.to_owned(), request_id.to_owned()));
        response
    }

    /// Words the reason for which the gateway did not take a command, or ended it without a word of the device.
    pub(crate) fn of(reason: &Reason) -> Self {
        match Refusal::of(reason) {
            Refusal::UnknownDevice => Self::no_device(),
            Refusal::Away => Self::offline(),
            Refusal::NoSubscriber => {
                Self::new(403, "IOTDA.000021", "Operation not allowed. The device has not subscribed to the topic.")
            }
            Refusal::QueueFull | Refusal::Limit => {
                Self::new(403, "IOTDA.021102", format!("The rate limit is exceeded. {}", reason.text))
            }
            Refusal::Invalid | Refusal::Duplicate | Refusal::IdempotencyConflict => Self::input(&reason.text),
            Refusal::Unsupported => Self::unsupported(&reason.text),
            Refusal::Other => Self::internal(&reason.text),
        }
    }
}

/// The header in which the SDK looks for the id of a request.
pub(crate) const REQUEST_ID_HEADER: &str = "x-request-id";

/// Words the reason for which the gateway did not take a command.
pub fn refusal_answer(reason: &Reason, request_id: &str) -> Response {
    ApiError::of(reason).response(request_id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dragoman_plugin_sdk::outcome::reason;

    #[test]
    fn every_refusal_has_words() {
        for (code, status, platform_code) in [
            ("$QUEUE_FULL", 403, "IOTDA.021102"),
            ("$LIMIT", 403, "IOTDA.021102"),
            ("$DUPLICATE", 400, "IOTDA.000006"),
            ("$IDEMPOTENCY_CONFLICT", 400, "IOTDA.000006"),
            ("$UNKNOWN_DEVICE", 404, "IOTDA.014000"),
            ("$UNSUPPORTED", 400, "IOTDA.014108"),
            ("$INVALID", 400, "IOTDA.000006"),
            ("$AWAY", 403, "IOTDA.014016"),
            ("$NO_SUBSCRIBER", 403, "IOTDA.000021"),
            ("$PLUGIN_TRAP", 500, "IOTDA.000001"),
        ] {
            let error = ApiError::of(&reason(code, "why"));
            assert_eq!((error.status, error.code), (status, platform_code), "{code}");
        }
    }
}
