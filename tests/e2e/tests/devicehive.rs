//! DeviceHive over a real broker: what its clients are told of commands over their whole life, and how tokens let in.

use dragoman_e2e::mqtt::{MqttClient, Subscriber};
use dragoman_e2e::tokens::DEVICEHIVE_USER;
use dragoman_e2e::{Daemon, World};
use serde_json::{Value, json};

const ACTIONS: [&str; 7] =
    ["token", "authenticate", "device/save", "command/insert", "command/update", "command/get", "command/list"];

/// A client that listens to its answers.
struct Client {
    mqtt: MqttClient,
    id: &'static str,
}

impl Client {
    async fn connect(daemon: &Daemon, id: &'static str) -> anyhow::Result<Self> {
        let filters = ACTIONS.map(|action| format!("dh/response/{action}@{id}")).to_vec();
        let (username, password) = DEVICEHIVE_USER;
        let subscriber = Subscriber {
            client_id: id.to_owned(),
            username: username.to_owned(),
            password: password.to_owned(),
            filters,
        };
        Ok(Self { mqtt: MqttClient::connect(daemon, subscriber).await?, id })
    }

    /// The answer to an action about the device of these tests.
    async fn ask(&mut self, action: &str, mut request: Value) -> anyhow::Result<Value> {
        request["action"] = json!(action);
        request["deviceId"] = json!("device-1");
        self.mqtt.publish("dh/request", &request).await?;
        let topic = format!("dh/response/{action}@{}", self.id);
        self.mqtt.message(action, |at, body| (at == topic).then(|| body.clone())).await
    }
}

/// On this platform a command can be updated at any time. The newest update is what is shown and found, also when the
/// command has long ended, and also after a kill.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn updates_after_the_end_are_what_is_shown() -> anyhow::Result<()> {
    let mut world = World::start().await?;
    let mut client = Client::connect(&world.daemon, "client-1").await?;
    let saved = client.ask("device/save", json!({ "device": { "name": "Lamp" } })).await?;
    assert_eq!(saved["status"], "success", "{saved}");
    let inserted = client.ask("command/insert", json!({ "command": { "command": "light" } })).await?;
    let id = inserted["command"]["id"].clone();
    for status in ["InProgress", "done", "verified", "filed", "error"] {
        let update = json!({ "commandId": id, "command": { "status": status, "result": status } });
        let updated = client.ask("command/update", update).await?;
        assert_eq!(updated["status"], "success", "{updated}");
        let shown = client.ask("command/get", json!({ "commandId": id })).await?;
        assert_eq!((&shown["command"]["status"], &shown["command"]["result"]), (&json!(status), &json!(status)));
        let found = client.ask("command/list", json!({ "status": status.to_uppercase() })).await?;
        assert_eq!(found["commands"], json!([shown["command"]]), "{found}");
    }
    world.daemon.kill().await?;
    world.daemon.start_again().await?;
    let mut client = Client::connect(&world.daemon, "client-2").await?;
    let shown = client.ask("command/get", json!({ "commandId": id })).await?;
    assert_eq!(shown["command"]["status"], "error", "{shown}");
    Ok(())
}

/// The operator gives the dialect the key that signs; what it did not sign lets nobody in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_are_signed_with_the_operators_key() -> anyhow::Result<()> {
    let world = World::start().await?;
    let mut client = Client::connect(&world.daemon, "client-1").await?;
    let (login, password) = DEVICEHIVE_USER;
    let asked = json!({ "login": login, "password": password });
    let without = client.ask("token", asked.clone()).await?;
    assert_eq!(without["code"], 500, "there is no key yet: {without}");
    let key = json!({ "dialect": "devicehive", "account": "jwt", "secret": "devicehive", "kind": "key" });
    world.admin.post("/v1/tokens", &key).await?.expect(201)?;
    let made = client.ask("token", asked).await?;
    let token = made["accessToken"].as_str().unwrap_or_default();
    assert_eq!(client.ask("authenticate", json!({ "token": token })).await?["status"], "success", "{made}");
    let (signed, _) = token.rsplit_once('.').unwrap_or_default();
    let claims = signed.split('.').nth(1).unwrap_or_default();
    for forged in [format!("{token}x"), format!("{signed}."), format!("eyJhbGciOiJub25lIn0.{claims}.")] {
        let answer = client.ask("authenticate", json!({ "token": forged })).await?;
        assert_eq!((&answer["code"], &answer["error"]), (&json!(401), &json!("Invalid credentials")), "{forged}");
    }
    let refresh = client.ask("authenticate", json!({ "token": made["refreshToken"] })).await?;
    assert_eq!(refresh["error"], "Invalid credentials", "{refresh}");
    Ok(())
}
