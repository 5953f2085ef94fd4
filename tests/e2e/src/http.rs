//! An answer over HTTP, as it came.

use anyhow::Context;
use serde_json::Value;
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
    reqwest::Client::builder().timeout(ANSWER_WITHIN).tcp_nodelay(true).build().context("making an HTTP client")
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
