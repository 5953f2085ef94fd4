//! An answer over HTTP, as it came.

use anyhow::Context;
use rustls::client::WantsClientCert;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// Longer than any call of a dialect waits.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// A status and a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Body, byte for byte.
    pub text: String,
}

impl Answer {
    /// The body as JSON; null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// Fails unless the status is that one; gives the body.
    ///
    /// # Errors
    /// When it is another one.
    pub fn expect(&self, status: u16) -> anyhow::Result<Value> {
        anyhow::ensure!(self.status == status, "answered {} instead of {status}: {}", self.status, self.text);
        Ok(self.json())
    }
}

/// A client with the patience of these tests.
///
/// # Errors
/// When the client cannot be made.
pub fn client() -> anyhow::Result<reqwest::Client> {
    client_with(secure(RootCertStore::empty())?.with_no_client_auth())
}

/// The same, for `https://`.
///
/// # Errors
/// When the client cannot be made.
pub fn client_with(tls: ClientConfig) -> anyhow::Result<reqwest::Client> {
    let client = reqwest::Client::builder().timeout(ANSWER_WITHIN).tcp_nodelay(true).tls_backend_preconfigured(tls);
    client.build().context("making an HTTP client")
}

/// A client of TLS that trusts these authorities.
///
/// # Errors
/// When the library is built without what it needs.
pub fn secure(roots: RootCertStore) -> anyhow::Result<ConfigBuilder<ClientConfig, WantsClientCert>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(builder.context("setting TLS up")?.with_root_certificates(roots))
}

/// Sends a request and reads the answer to its end.
///
/// # Errors
/// When there is no answer.
pub async fn send(request: reqwest::RequestBuilder) -> anyhow::Result<Answer> {
    let response = request.send().await.context("sending a request")?;
    let status = response.status().as_u16();
    let text = response.text().await.context("reading an answer")?;
    Ok(Answer { status, text })
}
