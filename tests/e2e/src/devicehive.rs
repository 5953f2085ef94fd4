//! An application of DeviceHive: inserts commands by MQTT and hears of their updates.

use crate::daemon::Daemon;
use crate::mqtt::{MqttClient, Subscriber};
use anyhow::{Context, ensure};
use serde_json::{Value, json};

/// Statuses that say that the device still works on it.
const AT_WORK: [&str; 1] = ["in progress"];

/// A connected application.
pub struct DeviceHive {
    mqtt: MqttClient,
    client_id: String,
    requests: u64,
}

impl DeviceHive {
    /// Connects as a user and subscribes to its answers and to the updates of commands.
    ///
    /// # Errors
    /// When the broker refuses.
    pub async fn connect(daemon: &Daemon, login: &str, password: &str) -> anyhow::Result<Self> {
        let client_id = format!("{login}-client");
        let answers =
            ["command/insert", "command/get", "token"].map(|action| format!("dh/response/{action}@{client_id}"));
        let mut filters = answers.to_vec();
        filters.push("dh/command_update/#".to_owned());
        let subscriber = Subscriber {
            client_id: client_id.clone(),
            username: login.to_owned(),
            password: password.to_owned(),
            filters,
        };
        Ok(Self { mqtt: MqttClient::connect(daemon, subscriber).await?, client_id, requests: 0 })
    }

    /// Waits until it is connected again.
    ///
    /// # Errors
    /// When that does not happen soon.
    pub async fn ready(&mut self) -> anyhow::Result<()> {
        self.mqtt.ready().await
    }

    /// Asks for an action and waits for its answer.
    ///
    /// # Errors
    /// When there is none.
    pub async fn ask(&mut self, action: &str, mut request: Value) -> anyhow::Result<Value> {
        self.requests += 1;
        let id = self.requests;
        request["action"] = json!(action);
        request["requestId"] = json!(id);
        self.mqtt.publish("dh/request", &request).await?;
        let topic = format!("dh/response/{action}@{}", self.client_id);
        let is_answer = |at: &str, body: &Value| (at == topic && body["requestId"] == id).then(|| body.clone());
        self.mqtt.message(&format!("the answer to {action}"), is_answer).await
    }

    /// Inserts a command that must be accepted. Gives its id.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn insert(
        &mut self,
        device: &str,
        name: &str,
        parameters: &Value,
        lifetime_s: u32,
    ) -> anyhow::Result<i64> {
        let command = json!({ "command": name, "parameters": parameters, "lifetime": lifetime_s });
        let answer = self.ask("command/insert", json!({ "deviceId": device, "command": command })).await?;
        ensure!(answer["status"] == "success", "command/insert was refused: {answer}");
        answer["command"]["id"].as_i64().with_context(|| format!("no id in {answer}"))
    }

    /// Waits for the update that ends a command. Gives the command as the event shows it.
    ///
    /// # Errors
    /// When none comes soon.
    pub async fn updated(&mut self, id: i64) -> anyhow::Result<Value> {
        self.mqtt
            .message(&format!("an update of command {id}"), |topic, body| {
                let command = &body["command"];
                let is_update = topic.starts_with("dh/command_update/") && command["id"] == id;
                let is_end = !AT_WORK.iter().any(|status| command["status"] == *status);
                (is_update && is_end).then(|| command.clone())
            })
            .await
    }

    /// A command as the platform shows it.
    ///
    /// # Errors
    /// When it is not shown.
    pub async fn command(&mut self, device: &str, id: i64) -> anyhow::Result<Value> {
        let answer = self.ask("command/get", json!({ "deviceId": device, "commandId": id })).await?;
        ensure!(answer["status"] == "success", "command/get was refused: {answer}");
        Ok(answer["command"].clone())
    }
}
