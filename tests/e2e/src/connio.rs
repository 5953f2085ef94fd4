//! A client of the Connio API.

use crate::daemon::Daemon;
use crate::http::{self, Answer};
use serde_json::{Value, json};

/// An application with a key.
#[derive(Clone)]
pub struct Connio {
    client: reqwest::Client,
    base: String,
    key: String,
    secret: String,
}

impl Connio {
    /// An application that presents this key.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn new(daemon: &Daemon, key: &str, secret: &str) -> anyhow::Result<Self> {
        let base = format!("http://{}", daemon.listeners().http);
        Ok(Self { client: http::client()?, base, key: key.to_owned(), secret: secret.to_owned() })
    }

    /// Writes a property and gives the receipt.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn write(&self, device: &str, property: &str, value: &Value) -> anyhow::Result<Answer> {
        let path = format!("/v3/data/devices/{device}/properties/{property}");
        self.post(&path, &json!({ "dps": [{ "v": value }] })).await
    }

    /// Writes several properties at once, as a conventional object, and gives the receipt.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn write_all(&self, device: &str, values: &'static str) -> anyhow::Result<Answer> {
        let path = format!("{}/v3/data/devices/{device}", self.base);
        http::send(self.client.post(path).basic_auth(&self.key, Some(&self.secret)).body(values)).await
    }

    /// What is read at a path below the device, which begins with a slash or is empty.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn get(&self, device: &str, path: &str) -> anyhow::Result<Answer> {
        let path = format!("{}/v3/data/devices/{device}{path}", self.base);
        http::send(self.client.get(path).basic_auth(&self.key, Some(&self.secret))).await
    }

    /// Calls a method.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn call(&self, device: &str, method: &str, argument: &Value) -> anyhow::Result<Answer> {
        self.post(&format!("/v3/data/devices/{device}/methods/{method}"), &json!({ "value": argument })).await
    }

    /// The newest value of a property; null where it has none.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn value(&self, device: &str, property: &str) -> anyhow::Result<Value> {
        let answer = self.get(device, &format!("/properties/{property}")).await?.expect(200)?;
        Ok(answer["results"][0]["values"][0]["v"].clone())
    }

    async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        let request = self.client.post(format!("{}{path}", self.base)).basic_auth(&self.key, Some(&self.secret));
        http::send(request.json(body)).await
    }
}
