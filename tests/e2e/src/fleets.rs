//! A client of the Fleets API.

use crate::daemon::Daemon;
use crate::http::{self, Answer};
use crate::wait;
use anyhow::Context;
use serde_json::{Value, json};
use std::time::Duration;

/// An application with a key.
#[derive(Clone)]
pub struct Fleets {
    client: reqwest::Client,
    base: String,
    key: String,
    secret: String,
}

impl Fleets {
    /// An application that presents this key.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn new(daemon: &Daemon, key: &str, secret: &str) -> anyhow::Result<Self> {
        let base = format!("http://{}", daemon.listeners().http);
        Ok(Self { client: http::client()?, base, key: key.to_owned(), secret: secret.to_owned() })
    }

    /// GET of a path below the listener.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        http::send(self.client.get(format!("{}{path}", self.base)).basic_auth(&self.key, Some(&self.secret))).await
    }

    /// POST of any bytes as JSON.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> anyhow::Result<Answer> {
        let request = self.client.post(format!("{}{path}", self.base)).basic_auth(&self.key, Some(&self.secret));
        http::send(request.header("content-type", "application/json").body(body)).await
    }

    /// Sends a command.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn command(&self, thing: &str, action: &str, params: &Value, ttl_s: u32) -> anyhow::Result<Answer> {
        let command = json!({ "thingId": thing, "action": action, "params": params, "ttl": ttl_s });
        self.post("/api/v1/commands", command.to_string()).await
    }

    /// Sends a command that must be accepted. Gives its execution id.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn accepted(&self, thing: &str, action: &str, params: &Value, ttl_s: u32) -> anyhow::Result<String> {
        let body = self.command(thing, action, params, ttl_s).await?.expect(201)?;
        body["executionId"].as_str().map(str::to_owned).with_context(|| format!("no executionId in {body}"))
    }

    /// An execution as the platform shows it.
    ///
    /// # Errors
    /// When it is not known.
    pub async fn execution(&self, id: &str) -> anyhow::Result<Value> {
        self.get(&format!("/api/v1/commands/{id}")).await?.expect(200)
    }

    /// Waits until an execution is no longer `SENT`.
    ///
    /// # Errors
    /// When it still is after that time.
    pub async fn ended(&self, id: &str, patience: Duration) -> anyhow::Result<Value> {
        wait::until(&format!("the end of {id}"), patience, || async {
            let execution = self.execution(id).await?;
            Ok((execution["status"] != "SENT").then_some(execution))
        })
        .await
    }
}
