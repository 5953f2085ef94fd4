//! Errors of the admin API, as JSON.

use super::ControlError;
use crate::credentials::VaultError;
use axum::Json;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// An answer `{"error":{"code","message"}}`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    status: StatusCode,
    code: String,
    message: String,
}

impl Failure {
    fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into() }
    }

    /// 400: what was sent cannot be used.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "INVALID", message)
    }

    /// 401
    pub(super) fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", message)
    }

    /// 404
    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", message)
    }

    /// 409
    pub(super) fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "CONFLICT", message)
    }

    /// 413
    pub(super) fn too_large(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "TOO_LARGE", message)
    }

    /// 503: it may work later.
    pub(super) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", message)
    }

    /// No device has this id.
    pub(super) fn no_device(id: &str) -> Self {
        Self::not_found(format!("no device {} is registered", super::checks::shown(id)))
    }

    /// No execution has this id.
    pub(super) fn no_execution(id: &str) -> Self {
        Self::not_found(format!("no execution {} is known; it may have been forgotten", super::checks::shown(id)))
    }

    /// The sentence.
    pub(super) fn message(&self) -> &str {
        &self.message
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let body = json!({"error": {"code": self.code, "message": self.message}});
        (self.status, Json(body)).into_response()
    }
}

impl From<ControlError> for Failure {
    fn from(error: ControlError) -> Self {
        match error {
            ControlError::Invalid(text) => Self::invalid(text),
            ControlError::NotFound(text) => Self::not_found(text),
            ControlError::Conflict(text) => Self::conflict(text),
            ControlError::Refused(reason) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, &reason.code, reason.text),
            ControlError::Unavailable(text) => Self::unavailable(text),
        }
    }
}

impl From<VaultError> for Failure {
    fn from(error: VaultError) -> Self {
        let text = error.to_string();
        match error {
            VaultError::SecretLength { .. } | VaultError::BadAccount { .. } | VaultError::BadRights(_) => {
                Self::invalid(text)
            }
            VaultError::Exists { .. } | VaultError::SecretTaken { .. } => Self::conflict(text),
            VaultError::Busy(_) => Self::unavailable(text),
            VaultError::Seal(_) | VaultError::Store(_) | VaultError::Crypto(_) => {
                tracing::error!(error = %text, "a credential could not be kept");
                Self::unavailable(text)
            }
        }
    }
}

/// What no route is for.
pub(super) async fn no_such_path(request: Request) -> Failure {
    Failure::not_found(format!("there is no {} here", super::checks::shown(request.uri().path())))
}

/// A route with another method.
pub(super) async fn method_not_allowed(request: Request) -> Failure {
    let (method, path) = (request.method(), super::checks::shown(request.uri().path()));
    Failure::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", format!("{path} does not know {method}"))
}
