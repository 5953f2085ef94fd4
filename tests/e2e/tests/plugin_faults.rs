//! A plugin that keeps failing: what it fails to read is acknowledged and kept, it is put into quarantine and the others
//! serve on, and its next version reads what was kept. All of it as an operator sees it, with a kill in between.

use anyhow::{Context, bail, ensure};
use dragoman_e2e::wait::{self, SOON};
use dragoman_e2e::{Admin, Daemon, harm, http};
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS};
use serde_json::{Value, json};
use std::fs;
use std::time::Duration;

const DIALECT: &str = "scripted";
/// The dialect of the tests does what a message says: this one traps in its first version, and is read by its second.
const TRAPS_FIRST: &str = "by version-one harm panic\npublish told 0";
const TRAPS: usize = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_failing_plugin_does_not_read_is_kept_and_read_by_its_next_version() -> anyhow::Result<()> {
    let quarantine = "quarantine_faults = 3\nquarantine_backoff_ms = 600_000\nquarantine_backoff_max_ms = 600_000\n";
    let mut daemon = Daemon::start(quarantine).await?;
    let folder = daemon.own_plugins()?;
    daemon.reconfigure("\"huawei-iotda\", ", &format!("\"{DIALECT}\", \"huawei-iotda\", "))?;
    let first = fs::read(harm::build()?.join("scripted.wasm")).context("reading the dialect")?;
    fs::write(folder.join("scripted.wasm"), &first).context("putting the plugin into the folder")?;
    daemon.kill().await?;
    daemon.start_again().await?;
    let admin = Admin::of(&daemon)?;
    admin.add_device(&json!({"id": "lamp", "dialect": DIALECT})).await?;

    let mut lamp = Lamp::connect(&daemon)?;
    for number in 1..=TRAPS {
        lamp.say(TRAPS_FIRST).await.with_context(|| format!("message {number}"))?;
    }
    let shown = plugin(&admin).await?;
    ensure!(shown["quarantine"]["reason"].as_str().is_some_and(|reason| reason.contains("trapped")), "{shown}");
    lamp.say(TRAPS_FIRST).await.context("a message in quarantine")?;
    let kept = letters(&daemon).await?;
    let codes: Vec<_> = kept.iter().map(|letter| letter["reason"]["code"].as_str().unwrap_or_default()).collect();
    ensure!(codes == ["$PLUGIN_TRAP", "$PLUGIN_TRAP", "$PLUGIN_TRAP", "$PLUGIN_QUARANTINED"], "{codes:?}");
    ensure!((&kept[0]["client_id"], &kept[0]["topic"]) == (&json!("lamp"), &json!("scripted/lamp/up")), "{}", kept[0]);
    ensure!(admin.metrics().await?.sum("dragoman_plugin_quarantined", &[("plugin", DIALECT)]) > 0.5, "it is no metric");

    let base = format!("http://{}", daemon.listeners().http);
    let unavailable = http::client()?.post(format!("{base}/scripted/x")).body("now").send().await?;
    ensure!(unavailable.status() == 503, "a dialect in quarantine answered {}", unavailable.status());
    ensure!(unavailable.headers().contains_key("retry-after"), "it does not say when it is worth another try");
    let other = http::client()?.get(format!("{base}/api/v1/things")).send().await?;
    ensure!(other.status() == 401, "another dialect answered {}", other.status());

    daemon.kill().await?;
    daemon.start_again().await?;
    ensure!(letters(&daemon).await?.len() == TRAPS + 1, "a kill lost dead letters");
    fs::write(folder.join("scripted.wasm"), version_two(first)).context("replacing the plugin")?;
    let admin = Admin::of(&daemon)?;
    wait::until("the next version serves", SOON, || async {
        Ok((plugin(&admin).await?["version"] == "version-two").then_some(()))
    })
    .await?;
    let replayed = daemon.cli(&["plugin", "dead-letter", "replay", "--plugin", DIALECT, "--json"]).await?;
    let replayed: Value = serde_json::from_str(&replayed).context("reading what the replay told")?;
    ensure!(replayed == json!({"replayed": TRAPS + 1, "failed": 0, "reasons": [], "left": 0}), "{replayed}");
    ensure!(letters(&daemon).await?.is_empty(), "what was read is still a dead letter");
    Ok(())
}

async fn plugin(admin: &Admin) -> anyhow::Result<Value> {
    let plugins = admin.get("/v1/plugins").await?.expect(200)?;
    let loaded = plugins["loaded"].as_array().context("there is no list of plugins")?;
    let found = loaded.iter().find(|plugin| plugin["name"] == DIALECT);
    found.cloned().with_context(|| format!("{DIALECT} is not loaded: {plugins}"))
}

async fn letters(daemon: &Daemon) -> anyhow::Result<Vec<Value>> {
    let listed = daemon.cli(&["plugin", "dead-letter", "list", "--json"]).await?;
    let listed: Value = serde_json::from_str(&listed).context("reading the list of dead letters")?;
    listed["items"].as_array().cloned().context("there are no items")
}

/// A device that publishes with QoS 1 and waits for the acknowledgement.
struct Lamp {
    client: AsyncClient,
    connection: EventLoop,
}

impl Lamp {
    fn connect(daemon: &Daemon) -> anyhow::Result<Self> {
        let options = MqttOptions::new("lamp", "127.0.0.1", daemon.mqtt_port()?);
        let (client, connection) = AsyncClient::new(options, 10);
        Ok(Self { client, connection })
    }

    async fn say(&mut self, text: &str) -> anyhow::Result<()> {
        self.client.publish("scripted/lamp/up", QoS::AtLeastOnce, false, text).await.context("publishing")?;
        let acknowledged = async {
            loop {
                match self.connection.poll().await.context("the lamp's connection broke")? {
                    Event::Incoming(Packet::PubAck(_)) => return Ok(()),
                    Event::Incoming(Packet::Disconnect) => bail!("the broker hung up"),
                    _ => {}
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(60), acknowledged).await.context("no acknowledgement")?
    }
}

/// The same dialect as another version of itself.
fn version_two(mut wasm: Vec<u8>) -> Vec<u8> {
    let (from, to) = (b"version-one", b"version-two");
    let places: Vec<_> =
        wasm.windows(from.len()).enumerate().filter(|(_, at)| **at == *from).map(|(at, _)| at).collect();
    for at in places {
        wasm.splice(at..at + to.len(), to.iter().copied());
    }
    wasm
}
