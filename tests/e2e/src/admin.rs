//! A client of the admin API.

use crate::daemon::Daemon;
use crate::http::{self, Answer};
use crate::metrics::Metrics;
use crate::wait::{self, SOON};
use anyhow::{Context, ensure};
use rustls::ClientConfig;
use serde_json::{Value, json};

/// The operator.
#[derive(Clone)]
pub struct Admin {
    client: reqwest::Client,
    base: String,
    token: String,
}

impl Admin {
    /// With the token that the daemon wrote.
    ///
    /// # Errors
    /// When there is no token.
    pub fn of(daemon: &Daemon) -> anyhow::Result<Self> {
        let base = format!("http://{}", daemon.listeners().admin);
        Ok(Self { client: http::client()?, base, token: daemon.admin_token()? })
    }

    /// Over TLS, at `localhost`.
    ///
    /// # Errors
    /// When there is no token.
    pub fn over_tls(daemon: &Daemon, tls: ClientConfig) -> anyhow::Result<Self> {
        let (_, port) = daemon.listeners().admin.rsplit_once(':').context("the address has no port")?;
        let base = format!("https://localhost:{port}");
        Ok(Self { client: http::client_with(tls)?, base, token: daemon.admin_token()? })
    }

    /// GET.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        http::send(self.client.get(format!("{}{path}", self.base)).bearer_auth(&self.token)).await
    }

    /// POST of JSON.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        http::send(self.client.post(format!("{}{path}", self.base)).bearer_auth(&self.token).json(body)).await
    }

    /// Registers a device.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn add_device(&self, device: &Value) -> anyhow::Result<()> {
        let answer = self.post("/v1/devices", device).await?;
        ensure!((200..300).contains(&answer.status), "{device} was refused: {} {}", answer.status, answer.text);
        Ok(())
    }

    /// Makes a credential of an application.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn add_token(&self, dialect: &str, account: &str, secret: &str, rights: &Value) -> anyhow::Result<()> {
        let token = json!({ "dialect": dialect, "account": account, "secret": secret, "rights": rights });
        let answer = self.post("/v1/tokens", &token).await?;
        ensure!((200..300).contains(&answer.status), "{token} was refused: {} {}", answer.status, answer.text);
        Ok(())
    }

    /// One execution with its history; none where it is not known.
    ///
    /// # Errors
    /// When the answer is neither.
    pub async fn execution(&self, id: &str) -> anyhow::Result<Option<Value>> {
        let answer = self.get(&format!("/v1/executions/{id}")).await?;
        if answer.status == 404 {
            return Ok(None);
        }
        answer.expect(200).map(Some)
    }

    /// Waits until an execution has ended. Gives it with its history.
    ///
    /// # Errors
    /// When it is not known or does not end soon.
    pub async fn ended(&self, id: &str) -> anyhow::Result<Value> {
        wait::until(&format!("the end of execution {id}"), SOON, || async {
            let found = self.execution(id).await?;
            Ok(found.filter(|execution| !execution["ended_ms"].is_null()))
        })
        .await
    }

    /// Every series now.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn metrics(&self) -> anyhow::Result<Metrics> {
        Ok(Metrics::parse(&self.get("/metrics").await?.text))
    }
}
