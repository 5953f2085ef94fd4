//! Reads what a request carries, and words what is wrong with it.

use super::Failure;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer};
use std::error::Error;
use zeroize::Zeroizing;

/// Largest JSON body.
pub(super) const BODY_MAX_BYTES: usize = 1_048_576;

/// The whole body as JSON of a known form.
pub(super) async fn json<T: DeserializeOwned>(body: Body) -> Result<T, Failure> {
    let bytes = axum::body::to_bytes(body, BODY_MAX_BYTES).await.map_err(|error| {
        if error.source().is_some_and(|source| source.is::<http_body_util::LengthLimitError>()) {
            Failure::too_large(format!("the body exceeds {BODY_MAX_BYTES} bytes, the limit"))
        } else {
            Failure::invalid("the body ended early")
        }
    })?;
    parse(&bytes).map_err(|problem| Failure::invalid(format!("the body {problem}")))
}

/// A JSON object of a known form; the error continues the name of what was read.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    // A list of the fields in their order would fit as well, which nobody means.
    let is_object = bytes.trim_ascii_start().starts_with(b"{");
    let read = if is_object { serde_json::from_slice(bytes).map(Some) } else { no_object(bytes) };
    match read {
        Ok(Some(value)) => Ok(value),
        Ok(None) => Err("is not a JSON object".to_owned()),
        Err(error) if error.is_data() => Err(format!("does not fit: {error}")),
        Err(error) => Err(format!("is not JSON: {error}")),
    }
}

/// None for JSON that is no object.
fn no_object<T>(bytes: &[u8]) -> Result<Option<T>, serde_json::Error> {
    serde_json::from_slice::<IgnoredAny>(bytes).map(|_| None)
}

/// A secret in a body. Wiped when it is dropped.
pub(super) struct Secret(Zeroizing<String>);

impl Secret {
    /// The secret itself.
    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(|text| Self(Zeroizing::new(text)))
    }
}

/// The names in a path, decoded.
pub(super) struct Names<T>(pub(super) T);

impl<T, S> FromRequestParts<S> for Names<T>
where
    T: DeserializeOwned + Send,
    S: Send + Sync,
{
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let names: Result<Path<T>, PathRejection> = Path::from_request_parts(parts, state).await;
        match names {
            Ok(Path(names)) => Ok(Self(names)),
            Err(_) => Err(Failure::invalid("the path is not UTF-8 once it is decoded")),
        }
    }
}
