//! A client of the IoTDA API.

use crate::daemon::Daemon;
use crate::http::{self, Answer};
use serde_json::{Value, json};

/// An application with a token.
#[derive(Clone)]
pub struct Huawei {
    client: reqwest::Client,
    base: String,
    token: String,
}

impl Huawei {
    /// An application that presents this token.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn new(daemon: &Daemon, token: &str) -> anyhow::Result<Self> {
        let base = format!("http://{}", daemon.listeners().http);
        Ok(Self { client: http::client()?, base, token: token.to_owned() })
    }

    /// POST of any bytes as JSON.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> anyhow::Result<Answer> {
        let request = self.client.post(format!("{}{path}", self.base)).header("x-auth-token", &self.token);
        http::send(request.header("content-type", "application/json").body(body)).await
    }

    /// GET.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        http::send(self.client.get(format!("{}{path}", self.base)).header("x-auth-token", &self.token)).await
    }

    /// Sets properties of a service and waits for the answer.
    ///
    /// # Errors
    /// When there is none.
    pub async fn set(&self, device: &str, properties: &Value) -> anyhow::Result<Answer> {
        let body = json!({ "services": [{ "service_id": "Test", "properties": properties }] });
        let path = format!("{}/v5/iot/project/devices/{device}/properties", self.base);
        http::send(self.client.put(path).header("x-auth-token", &self.token).json(&body)).await
    }

    /// Sends a synchronous command and waits for its answer.
    ///
    /// # Errors
    /// When there is none.
    pub async fn command(&self, device: &str, name: &str, paras: &Value) -> anyhow::Result<Answer> {
        let command = json!({ "service_id": "Test", "command_name": name, "paras": paras });
        self.post(&format!("/v5/iot/project/devices/{device}/commands"), command.to_string()).await
    }
}
