//! An application of The Things Stack: pushes downlinks by MQTT and HTTP and hears of them by MQTT.

use crate::daemon::Daemon;
use crate::http::{self, Answer};
use crate::mqtt::{MqttClient, Subscriber};
use serde_json::{Value, json};

/// Words in which a downlink is told to have ended.
const ENDS: [&str; 2] = ["ack", "failed"];

/// A connected application.
pub struct Tts {
    mqtt: MqttClient,
    client: reqwest::Client,
    base: String,
    application: String,
    key: String,
}

/// What was told about one downlink.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told {
    /// `queued`, `sent`, `ack`, `nack`, `failed`, in the order in which they came.
    pub kinds: Vec<String>,
    /// The body of the last of them.
    pub last: Value,
}

impl Tts {
    /// Connects with an API key and subscribes to everything, as `mosquitto_sub -t '#'` does.
    ///
    /// # Errors
    /// When the broker refuses.
    pub async fn connect(daemon: &Daemon, application: &str, key: &str) -> anyhow::Result<Self> {
        let subscriber = Subscriber {
            client_id: format!("{application}-client"),
            username: application.to_owned(),
            password: key.to_owned(),
            filters: vec!["#".to_owned()],
        };
        Ok(Self {
            mqtt: MqttClient::connect(daemon, subscriber).await?,
            client: http::client()?,
            base: format!("http://{}", daemon.listeners().http),
            application: application.to_owned(),
            key: key.to_owned(),
        })
    }

    /// Waits until it is connected again.
    ///
    /// # Errors
    /// When that does not happen soon.
    pub async fn ready(&mut self) -> anyhow::Result<()> {
        self.mqtt.ready().await
    }

    /// Pushes downlinks by MQTT, which has no answer.
    ///
    /// # Errors
    /// When it is not connected.
    pub async fn push(&self, device: &str, downlinks: &Value) -> anyhow::Result<()> {
        let topic = format!("v3/{}/devices/{device}/down/push", self.application);
        self.mqtt.publish(&topic, &json!({ "downlinks": downlinks })).await
    }

    /// Replaces what waits, by MQTT.
    ///
    /// # Errors
    /// When it is not connected.
    pub async fn replace(&self, device: &str, downlinks: &Value) -> anyhow::Result<()> {
        let topic = format!("v3/{}/devices/{device}/down/replace", self.application);
        self.mqtt.publish(&topic, &json!({ "downlinks": downlinks })).await
    }

    /// Pushes downlinks by HTTP.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn push_by_http(&self, device: &str, downlinks: &Value) -> anyhow::Result<Answer> {
        self.post(&format!("devices/{device}/down/push"), downlinks).await
    }

    /// Replaces what waits, by HTTP.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn replace_by_http(&self, device: &str, downlinks: &Value) -> anyhow::Result<Answer> {
        self.post(&format!("devices/{device}/down/replace"), downlinks).await
    }

    /// The queue of a device.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn queue(&self, device: &str) -> anyhow::Result<Answer> {
        let path = self.path(&format!("devices/{device}/down"));
        http::send(self.client.get(path).bearer_auth(&self.key)).await
    }

    /// Topic and body of the next message, whatever it is about.
    ///
    /// # Errors
    /// When none comes soon.
    pub async fn next(&mut self) -> anyhow::Result<(String, Value)> {
        self.mqtt.message("any message", |topic, body| Some((topic.to_owned(), body.clone()))).await
    }

    async fn post(&self, path: &str, downlinks: &Value) -> anyhow::Result<Answer> {
        let request = self.client.post(self.path(path)).bearer_auth(&self.key);
        http::send(request.json(&json!({ "downlinks": downlinks }))).await
    }

    fn path(&self, path: &str) -> String {
        format!("{}/api/v3/as/applications/{}/{path}", self.base, self.application)
    }

    /// Waits until that kind of event is told of the downlink with that correlation id.
    ///
    /// # Errors
    /// When it is not told soon.
    pub async fn hear(&mut self, kind: &str, correlation_id: &str) -> anyhow::Result<Value> {
        let what = format!("down/{kind} of {correlation_id}");
        self.mqtt
            .message(&what, |topic, body| {
                (told_kind(topic) == Some(kind) && is_of(body, correlation_id)).then(|| body.clone())
            })
            .await
    }

    /// Everything that is told of the downlink with that correlation id, to its end.
    ///
    /// # Errors
    /// When the end is not told soon.
    pub async fn hear_to_the_end(&mut self, correlation_id: &str) -> anyhow::Result<Told> {
        let mut told = Told::default();
        while !told.kinds.last().is_some_and(|kind| ENDS.contains(&kind.as_str())) {
            let what = format!("the end of {correlation_id}, after {:?}", told.kinds);
            let (kind, body) = self
                .mqtt
                .message(&what, |topic, body| {
                    let kind = told_kind(topic).filter(|_| is_of(body, correlation_id))?;
                    Some((kind.to_owned(), body.clone()))
                })
                .await?;
            told.kinds.push(kind);
            told.last = body;
        }
        Ok(told)
    }
}

/// The word behind `down/` of an event.
fn told_kind(topic: &str) -> Option<&str> {
    let (rest, kind) = topic.rsplit_once('/')?;
    rest.ends_with("/down").then_some(kind).filter(|kind| !matches!(*kind, "push" | "replace"))
}

fn is_of(body: &Value, correlation_id: &str) -> bool {
    body["correlation_ids"].as_array().into_iter().flatten().any(|id| id == correlation_id)
}
