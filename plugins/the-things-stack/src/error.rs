//! Errors of the platform: `{"code", "message", "details"}` over HTTP, and `error` in a `down/failed`.

use dragoman_plugin_sdk::http::json_response;
use dragoman_plugin_sdk::{Error, Gateway, Payload, Response};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Canonical codes of gRPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    Unknown,
    InvalidArgument,
    DeadlineExceeded,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    FailedPrecondition,
    Aborted,
    Unimplemented,
    Unauthenticated,
}

impl Code {
    pub(crate) fn number(self) -> u32 {
        match self {
            Self::Unknown => 2,
            Self::InvalidArgument => 3,
            Self::DeadlineExceeded => 4,
            Self::NotFound => 5,
            Self::PermissionDenied => 7,
            Self::ResourceExhausted => 8,
            Self::FailedPrecondition => 9,
            Self::Aborted => 10,
            Self::Unimplemented => 12,
            Self::Unauthenticated => 16,
        }
    }

    /// The HTTP status that the platform answers with (`grpc-gateway`).
    fn status(self) -> u16 {
        match self {
            Self::InvalidArgument | Self::FailedPrecondition => 400,
            Self::Unauthenticated => 401,
            Self::PermissionDenied => 403,
            Self::NotFound => 404,
            Self::Aborted => 409,
            Self::ResourceExhausted => 429,
            Self::Unknown => 500,
            Self::Unimplemented => 501,
            Self::DeadlineExceeded => 504,
        }
    }
}

/// Where the platform's own errors come from; errors that it does not know are of [`OURS`].
pub(crate) const RIGHTS: &str = "pkg/auth/rights";
pub(crate) const APPLICATION_SERVER: &str = "pkg/applicationserver";
pub(crate) const NETWORK_SERVER: &str = "pkg/networkserver";
pub(crate) const WEB: &str = "pkg/applicationserver/io/web";
pub(crate) const OURS: &str = "dragoman";

/// An error, as data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) code: Code,
    pub(crate) namespace: &'static str,
    pub(crate) name: &'static str,
    /// Text in which `{attribute}` stands for the attribute.
    pub(crate) format: &'static str,
    pub(crate) attributes: BTreeMap<&'static str, String>,
}

impl ApiError {
    pub(crate) fn new(code: Code, namespace: &'static str, name: &'static str, format: &'static str) -> Self {
        Self { code, namespace, name, format, attributes: BTreeMap::new() }
    }

    pub(crate) fn with(mut self, attribute: &'static str, value: impl Into<String>) -> Self {
        self.attributes.insert(attribute, value.into());
        self
    }

    /// `error:{namespace}:{name} ({text})`.
    pub(crate) fn message(&self) -> String {
        let text = self
            .attributes
            .iter()
            .fold(self.format.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value));
        format!("error:{}:{} ({text})", self.namespace, self.name)
    }

    pub(crate) fn details(&self, gateway: &impl Gateway) -> Details {
        Details {
            at_type: None,
            namespace: self.namespace.to_owned(),
            name: self.name.to_owned(),
            message_format: self.format.to_owned(),
            attributes: self.attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
            correlation_id: gateway.new_id().replace('-', ""),
            code: self.code.number(),
        }
    }

    /// The answer to an HTTP call.
    pub(crate) fn response(&self, gateway: &impl Gateway) -> Response {
        let details = Details { at_type: Some(DETAILS_TYPE.to_owned()), ..self.details(gateway) };
        let body = Body { code: self.code.number(), message: self.message(), details: vec![details] };
        json_response(self.code.status(), &body)
    }
}

const DETAILS_TYPE: &str = "type.googleapis.com/ttn.lorawan.v3.ErrorDetails";

/// `ErrorDetails` of the platform.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Details {
    #[serde(rename = "@type", skip_serializing_if = "Option::is_none")]
    at_type: Option<String>,
    namespace: String,
    name: String,
    message_format: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<String, String>,
    correlation_id: String,
    code: u32,
}

#[derive(Serialize)]
struct Body {
    code: u32,
    message: String,
    details: Vec<Details>,
}

/// An answer with nothing in it.
pub(crate) fn empty_response(status: u16) -> Response {
    Response { status, headers: Vec::new(), body: Payload::Text(String::new()) }
}

/// Why a call is not carried out.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The caller is told, where there is a way to.
    Answer(ApiError),
    /// The plugin is at fault, or the gateway.
    Fault(Error),
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self::Answer(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Fault(error)
    }
}

pub(crate) fn unauthenticated() -> ApiError {
    ApiError::new(Code::Unauthenticated, RIGHTS, "unauthenticated", "unauthenticated")
}

pub(crate) fn no_rights(uid: &str) -> ApiError {
    let format = "no rights for application `{uid}`";
    ApiError::new(Code::PermissionDenied, RIGHTS, "no_application_rights", format).with("uid", uid)
}

pub(crate) fn insufficient_rights(uid: &str, missing: &str) -> ApiError {
    let format = "insufficient rights for application `{uid}`, missing `{missing}`";
    ApiError::new(Code::PermissionDenied, RIGHTS, "insufficient_application_rights", format)
        .with("uid", uid)
        .with("missing", missing)
}

pub(crate) fn device_not_found(device_uid: &str) -> ApiError {
    let format = "device `{device_uid}` not found";
    ApiError::new(Code::NotFound, APPLICATION_SERVER, "device_not_found", format).with("device_uid", device_uid)
}

/// A body that is no JSON. Ours: the platform gives no details.
pub(crate) fn broken_body(why: &str) -> ApiError {
    ApiError::new(Code::InvalidArgument, WEB, "decode_body", "decode body: {why}").with("why", why)
}

/// A field that does not fit.
pub(crate) fn invalid(field: &str, why: &str) -> ApiError {
    ApiError::new(Code::InvalidArgument, WEB, "validate_body", "invalid `{field}`: {why}")
        .with("field", field)
        .with("why", why)
}

pub(crate) fn no_f_port() -> ApiError {
    ApiError::new(Code::InvalidArgument, APPLICATION_SERVER, "no_f_port", "no FPort")
}

pub(crate) fn no_payload() -> ApiError {
    ApiError::new(Code::InvalidArgument, APPLICATION_SERVER, "no_payload", "no payload")
}

pub(crate) fn queue_capacity() -> ApiError {
    let format = "downlink queue capacity exceeded";
    ApiError::new(Code::ResourceExhausted, NETWORK_SERVER, "downlink_queue_capacity", format)
}

pub(crate) fn too_many_retries(asked: u32, max: u32) -> ApiError {
    let format = "`{max_attempts}` attempts exceed the maximum of `{max}`";
    ApiError::new(Code::InvalidArgument, APPLICATION_SERVER, "downlink_max_retries_invalid", format)
        .with("max_attempts", asked.to_string())
        .with("max", max.to_string())
}

/// Ours: the platform has no such limit.
pub(crate) fn too_much_at_once(why: &str) -> ApiError {
    ApiError::new(Code::ResourceExhausted, OURS, "too_much_at_once", "{why}").with("why", why)
}

/// Ours: a route of the platform that is not emulated.
pub(crate) fn unimplemented(what: &str) -> ApiError {
    ApiError::new(Code::Unimplemented, OURS, "not_implemented", "{what} is not supported").with("what", what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dragoman_plugin_sdk::http::body_text;
    use dragoman_plugin_sdk::testing::Fake;

    #[test]
    fn every_code_has_its_status() {
        for (code, number, status) in [
            (Code::Unknown, 2, 500),
            (Code::InvalidArgument, 3, 400),
            (Code::DeadlineExceeded, 4, 504),
            (Code::NotFound, 5, 404),
            (Code::PermissionDenied, 7, 403),
            (Code::ResourceExhausted, 8, 429),
            (Code::FailedPrecondition, 9, 400),
            (Code::Aborted, 10, 409),
            (Code::Unimplemented, 12, 501),
            (Code::Unauthenticated, 16, 401),
        ] {
            assert_eq!((code.number(), code.status()), (number, status), "{code:?}");
        }
    }

    #[test]
    fn an_error_is_told_with_its_details() {
        let response = insufficient_rights("app1", "RIGHT_X").response(&Fake::default());
        assert_eq!(response.status, 403);
        assert_eq!(
            body_text(&response.body),
            Some(
                "{\"code\":7,\"message\":\"error:pkg/auth/rights:insufficient_application_rights (insufficient rights for \
                 application `app1`, missing `RIGHT_X`)\",\"details\":[{\"@type\":\
                 \"type.googleapis.com/ttn.lorawan.v3.ErrorDetails\",\"namespace\":\"pkg/auth/rights\",\"name\":\
                 \"insufficient_application_rights\",\"message_format\":\"insufficient rights for application `{uid}`, \
                 missing `{missing}`\",\"attributes\":{\"missing\":\"RIGHT_X\",\"uid\":\"app1\"},\"correlation_id\":\
                 \"01900000000070008000000000000001\",\"code\":7}]}"
            )
        );
    }
}
