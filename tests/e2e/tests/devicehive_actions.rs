//! DeviceHive over a real broker, action by action: devices and their notifications, commands that are published without
//! an action, and what a client is told that comes later. Answers and events are compared whole.

use anyhow::{Context, ensure};
use dragoman_e2e::mqtt::{MqttClient, Subscriber};
use dragoman_e2e::tokens::DEVICEHIVE_USER;
use dragoman_e2e::{Daemon, World};
use serde_json::{Value, json};

const ACTIONS: [&str; 9] = [
    "device/save",
    "device/get",
    "device/list",
    "device/delete",
    "notification/insert",
    "notification/list",
    "command/insert",
    "command/subscribe",
    "subscription/list",
];
/// The id by which each request and its answer are known.
const REQUEST: &str = "r-1";

/// A client that listens to its answers and to some events.
struct Client {
    mqtt: MqttClient,
    id: &'static str,
}

impl Client {
    async fn connect(daemon: &Daemon, id: &'static str, events: &[&str]) -> anyhow::Result<Self> {
        Self::connect_as(daemon, id, DEVICEHIVE_USER, events).await
    }

    async fn connect_as(
        daemon: &Daemon,
        id: &'static str,
        (login, password): (&str, &str),
        events: &[&str],
    ) -> anyhow::Result<Self> {
        let mut filters = ACTIONS.map(|action| format!("dh/response/{action}@{id}")).to_vec();
        filters.extend(events.iter().map(|filter| (*filter).to_owned()));
        let (username, password) = (login.to_owned(), password.to_owned());
        let subscriber = Subscriber { client_id: id.to_owned(), username, password, filters };
        Ok(Self { mqtt: MqttClient::connect(daemon, subscriber).await?, id })
    }

    /// The answer to an action, without what every answer to this client has.
    async fn ask(&mut self, action: &str, mut request: Value) -> anyhow::Result<Value> {
        (request["action"], request["requestId"]) = (json!(action), json!(REQUEST));
        self.mqtt.publish("dh/request", &request).await?;
        let mut answer = self.answer(action).await?;
        let members = answer.as_object_mut().context("the answer is no object")?;
        let (of, id) = (members.remove("action"), members.remove("requestId"));
        ensure!(of == Some(json!(action)) && id == Some(json!(REQUEST)), "{action} answered {of:?} {id:?}");
        Ok(answer)
    }

    async fn answer(&mut self, action: &str) -> anyhow::Result<Value> {
        let topic = format!("dh/response/{action}@{}", self.id);
        self.mqtt.message(action, |at, body| (at == topic).then(|| body.clone())).await
    }

    /// The next message that is no answer: its topic and body.
    async fn event(&mut self) -> anyhow::Result<(String, Value)> {
        let event = |at: &str, body: &Value| (!at.starts_with("dh/response/")).then(|| (at.to_owned(), body.clone()));
        self.mqtt.message("an event", event).await
    }
}

/// A device is a name that anybody with the right may save; what is saved is told, shown and listed until it is removed.
/// So are notifications about it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_and_notifications_are_kept_told_and_listed() -> anyhow::Result<()> {
    let world = World::start().await?;
    let mut app = Client::connect(&world.daemon, "app-1", &[]).await?;
    let mut listening = Client::connect(&world.daemon, "listening", &["dh/notification/#"]).await?;
    let lamp = json!({
        "id": "lamp-9", "name": "Lamp", "data": { "floor": 2 }, "networkId": 1, "deviceTypeId": 1, "isBlocked": false,
    });
    let saved =
        app.ask("device/save", json!({ "deviceId": "lamp-9", "device": { "name": "Lamp", "data": { "floor": 2 } } }));
    assert_eq!(saved.await?, json!({ "status": "success" }));
    let (topic, mut told) = listening.event().await?;
    assert_eq!(topic, "dh/notification/1/1/lamp-9/$device-add");
    taken_time(&mut told["notification"]["timestamp"])?;
    let expected = json!({
        "action": "notification/insert",
        "notification": {
            "id": 1, "notification": "$device-add", "deviceId": "lamp-9", "networkId": 1, "deviceTypeId": 1,
            "timestamp": null, "parameters": lamp,
        },
        "subscriptionId": 1,
    });
    assert_eq!(told, expected);

    app.ask("device/save", json!({ "deviceId": "fan-1", "device": { "name": "Fan" } })).await?;
    assert_eq!(listening.event().await?.0, "dh/notification/1/1/fan-1/$device-add");
    let fan = json!({ "id": "fan-1", "name": "Fan", "networkId": 1, "deviceTypeId": 1, "isBlocked": false });
    let shown = app.ask("device/get", json!({ "deviceId": "lamp-9" })).await?;
    assert_eq!(shown, json!({ "status": "success", "device": lamp }));
    let all = app.ask("device/list", json!({})).await?;
    assert_eq!(all, json!({ "status": "success", "devices": [fan, lamp] }));
    let some = app.ask("device/list", json!({ "namePattern": "La%" })).await?;
    assert_eq!(some, json!({ "status": "success", "devices": [lamp] }));

    let warm = json!({ "notification": "temperature", "parameters": { "celsius": 21.5 } });
    let mut inserted = app.ask("notification/insert", json!({ "deviceId": "lamp-9", "notification": warm })).await?;
    let at = taken_time(&mut inserted["notification"]["timestamp"])?;
    let told = json!({ "status": "success", "notification": { "id": 3, "timestamp": null } });
    assert_eq!(inserted, told);
    let kept = json!({
        "id": 3, "notification": "temperature", "deviceId": "lamp-9", "networkId": 1, "deviceTypeId": 1,
        "timestamp": at, "parameters": { "celsius": 21.5 },
    });
    let event = json!({ "action": "notification/insert", "notification": kept, "subscriptionId": 1 });
    assert_eq!(listening.event().await?, ("dh/notification/1/1/lamp-9/temperature".to_owned(), event));
    let listed = app.ask("notification/list", json!({ "deviceId": "lamp-9", "notification": "temperature" })).await?;
    assert_eq!(listed, json!({ "status": "success", "notifications": [kept] }));

    // A client of another network sees nothing of it.
    world.admin.add_token("devicehive", "other", "password-of-another", &json!({ "id": 9, "networks": ["2"] })).await?;
    let mut other = Client::connect_as(&world.daemon, "app-2", ("other", "password-of-another"), &[]).await?;
    let denied = other.ask("device/get", json!({ "deviceId": "lamp-9" })).await?;
    assert_eq!(denied, json!({ "status": "error", "code": 403, "error": "Access is denied" }));
    assert_eq!(other.ask("device/list", json!({})).await?, json!({ "status": "success", "devices": [] }));

    assert_eq!(app.ask("device/delete", json!({ "deviceId": "lamp-9" })).await?, json!({ "status": "success" }));
    let gone = app.ask("device/get", json!({ "deviceId": "lamp-9" })).await?;
    let not_found = "Device with such deviceId = lamp-9 not found";
    assert_eq!(gone, json!({ "status": "error", "code": 404, "error": not_found }));
    assert_eq!(app.ask("device/list", json!({})).await?, json!({ "status": "success", "devices": [fan] }));
    Ok(())
}

/// What is published on an event topic is an insert or an update like the actions. Who comes later and asks from a time on
/// is given what was missed, under the number of its subscription, and nobody else is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_are_published_natively_and_heard_later() -> anyhow::Result<()> {
    let world = World::start().await?;
    let mut app = Client::connect(&world.daemon, "app-1", &["dh/command_update/#"]).await?;
    app.ask("device/save", json!({ "deviceId": "lamp-9", "device": { "name": "Lamp" } })).await?;
    let mut device = Client::connect(&world.daemon, "lamp-client", &["dh/command/1/1/lamp-9/#"]).await?;

    let light = json!({ "parameters": { "on": true }, "lifetime": 60 });
    app.mqtt.publish("dh/command/1/1/lamp-9/light", &light).await?;
    let mut answer = app.answer("command/insert").await?;
    let at = taken_time(&mut answer["command"]["timestamp"])?;
    taken_time(&mut answer["command"]["lastUpdated"])?;
    let expected = json!({
        "action": "command/insert", "status": "success",
        "command": { "id": 1, "timestamp": null, "lastUpdated": null, "userId": 2 },
    });
    assert_eq!(answer, expected, "a message that is no request has no number to answer with");
    let mut command = json!({
        "id": 1, "command": "light", "timestamp": at, "lastUpdated": at, "userId": 2, "deviceId": "lamp-9",
        "networkId": 1, "deviceTypeId": 1, "parameters": { "on": true }, "lifetime": 60,
    });
    let inserted = json!({ "action": "command/insert", "command": command, "subscriptionId": 1 });
    assert_eq!(device.event().await?, ("dh/command/1/1/lamp-9/light".to_owned(), inserted));

    let done = json!({ "id": 1, "status": "done", "result": { "on": true } });
    device.mqtt.publish("dh/command_update/1/1/lamp-9/light", &done).await?;
    let (topic, mut updated) = app.event().await?;
    assert_eq!(topic, "dh/command_update/1/1/lamp-9/light");
    let updated_at = taken_time(&mut updated["command"]["lastUpdated"])?;
    (command["status"], command["result"]) = (json!("done"), json!({ "on": true }));
    command["lastUpdated"] = json!(null);
    let expected = json!({ "action": "command/update", "command": command, "subscriptionId": 1 });
    assert_eq!(updated, expected);
    command["lastUpdated"] = json!(updated_at);

    let mut late = Client::connect(&world.daemon, "late", &[]).await?;
    let since = json!({ "deviceId": "lamp-9", "timestamp": at });
    let subscribed = late.ask("command/subscribe", since).await?;
    assert_eq!(subscribed, json!({ "status": "success", "subscriptionId": 1 }));
    let missed = json!({ "action": "command/insert", "command": command, "subscriptionId": 1 });
    assert_eq!(late.event().await?, ("dh/command/1/1/lamp-9/light".to_owned(), missed));
    let subscription = json!({ "subscriptionId": 1, "type": "command", "deviceId": "lamp-9", "timestamp": at });
    let listed = late.ask("subscription/list", json!({})).await?;
    assert_eq!(listed, json!({ "status": "success", "subscriptions": [subscription] }));

    // The device has heard of it once: the next that it hears is the next command.
    app.mqtt.publish("dh/command/1/1/lamp-9/next", &json!({})).await?;
    let (topic, next) = device.event().await?;
    assert_eq!((topic.as_str(), &next["command"]["id"]), ("dh/command/1/1/lamp-9/next", &json!(2)), "{next}");
    Ok(())
}

/// Takes a time out of what is compared; it must be in the platform's form.
fn taken_time(place: &mut Value) -> anyhow::Result<String> {
    let time = place.take();
    let text = time.as_str().with_context(|| format!("{time} is no time"))?;
    // 2018-02-07T14:32:45.000, without a zone.
    ensure!(text.len() == 23 && text.as_bytes().get(10) == Some(&b'T'), "{text} is no time of the platform");
    Ok(text.to_owned())
}
