//! The admin token.

use super::Failure;
use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Knows the token by its hash, so that a comparison takes the same time whatever is presented.
#[derive(Clone)]
pub(super) struct Gate([u8; 32]);

impl Gate {
    pub(super) fn new(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    fn opens(&self, presented: &[u8]) -> bool {
        self.0.ct_eq(Sha256::digest(presented).as_slice()).into()
    }
}

/// Lets a request pass that carries the token.
pub(super) async fn guard(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let presented = request.headers().get(header::AUTHORIZATION).and_then(|value| bearer(value.as_bytes()));
    match presented {
        Some(token) if gate.opens(token) => next.run(request).await,
        Some(_) => refuse("the token is not that of this daemon"),
        None => refuse("send the admin token as \"Authorization: Bearer TOKEN\""),
    }
}

/// The token of a header; the scheme's name may be written in any case (RFC 9110, section 11.1).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
}

fn refuse(message: &str) -> Response {
    metrics::counter!("dragoman_admin_denied_total").increment(1);
    let mut response = Failure::unauthorized(message).into_response();
    response.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
    response
}
