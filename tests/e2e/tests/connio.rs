//! Connio over a real broker: which writes a device hears of, what it hears when it was away, and whether it is there. The
//! device is Mosquitto's own client.

use dragoman_e2e::mosquitto::{Listening, Printed};
use dragoman_e2e::tokens::CONNIO_KEY;
use dragoman_e2e::wait::{self, SOON};
use dragoman_e2e::{Connio, World, devices};
use serde_json::{Value, json};

const DEVICE: &str = "_dev_1";
const KEY: &str = "_key_dev_1";

/// A daemon with one device, which is not connected.
struct Valve {
    world: World,
    app: Connio,
}

impl Valve {
    async fn register() -> anyhow::Result<Self> {
        let world = World::start().await?;
        let app = Connio::new(&world.daemon, CONNIO_KEY.0, CONNIO_KEY.1)?;
        let properties = json!({
            "setpoint": { "type": "number", "boundaries": { "min": 5, "max": 35 } },
            "mode": { "type": "enum", "publish": "changed", "boundaries": { "set": ["heat", "eco"] } },
            "level": { "type": "number", "publish": "changed" },
            "note": { "type": "string", "publish": "never" },
            "pin": { "type": "string", "access": "private" },
        });
        let device = json!({
            "id": "valve-1",
            "dialect": "connio",
            "aliases": { "connio.id": DEVICE, "connio.name": "valve", "connio.key": KEY },
            "credential": { "kind": "password", "secret": devices::secret(DEVICE) },
            "profile": { "properties": properties },
        });
        world.admin.add_device(&device).await?;
        Ok(Self { world, app })
    }

    /// Connects the device and waits until that is seen. `kept`: it wants its session to be kept.
    async fn connect(&self, kept: bool) -> anyhow::Result<Listening> {
        let kept = if kept { "-c" } else { "" };
        let secret = devices::secret(DEVICE);
        let topics = format!("connio/data/in/devices/{DEVICE}/properties/#");
        let line = format!("mosquitto_sub -i {DEVICE} -u {KEY} -P {secret} {kept} -q 1 -t '{topics}' -d");
        let listening = Listening::start(&self.world.daemon, &line).await?;
        self.presence("online").await?;
        Ok(listening)
    }

    /// Cuts the device's connection and waits until that is seen.
    async fn cut(&self, device: Listening) -> anyhow::Result<()> {
        device.kill().await?;
        self.presence("offline").await
    }

    async fn presence(&self, expected: &str) -> anyhow::Result<()> {
        wait::until(&format!("the device is {expected}"), SOON, || async {
            Ok((self.app.value(DEVICE, "connectionStatus").await? == expected).then_some(()))
        })
        .await
    }

    /// Writes one value, which must be accepted.
    async fn write(&self, property: &str, value: &Value) -> anyhow::Result<()> {
        let receipt = self.app.write("valve", property, value).await?.expect(200)?;
        assert_eq!(receipt, json!({ "accepted": 1, "rejected": 0 }), "{property} = {value}");
        Ok(())
    }
}

fn value(property: &str, payload: &str) -> Printed {
    let topic = format!("connio/data/in/devices/{DEVICE}/properties/{property}");
    Printed { topic, qos: "q1".to_owned(), payload: payload.to_owned() }
}

/// Each value of a conventional object that the device is to hear of is a message of its own, as the caller wrote it.
/// What is unchanged, never published, refused or the device's own comes to the store at most.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_hears_of_what_is_published_and_of_nothing_else() -> anyhow::Result<()> {
    let valve = Valve::register().await?;
    let mut device = valve.connect(false).await?;

    let several = r#"{"setpoint":21.50,"mode":"eco","note":"kept","pin":"1234","none":1}"#;
    let receipt = valve.app.write_all("valve", several).await?.expect(200)?;
    assert_eq!(receipt, json!({ "accepted": 3, "rejected": 2 }));
    // An object has no order; these come by name.
    assert_eq!(device.message().await?, value("mode", "\"eco\""));
    assert_eq!(device.message().await?, value("setpoint", "21.50"));

    valve.write("mode", &json!("eco")).await?;
    valve.write("note", &json!("kept again")).await?;
    let refused = valve.app.write("valve", "setpoint", &json!(36)).await?.expect(200)?;
    assert_eq!(refused, json!({ "accepted": 0, "rejected": 1 }), "beyond its boundaries");
    let own = Connio::new(&valve.world.daemon, KEY, &devices::secret(DEVICE))?;
    assert_eq!(own.write("_this_", "setpoint", &json!(30)).await?.expect(200)?["accepted"], 1);
    // The next that is heard is what is published whenever it is written.
    valve.write("setpoint", &json!(30)).await?;
    assert_eq!(device.message().await?, value("setpoint", "30"));

    valve.write("level", &json!(24)).await?;
    valve.write("level", &json!(24.0)).await?;
    valve.write("level", &json!(25)).await?;
    assert_eq!(device.message().await?, value("level", "24"));
    assert_eq!(device.message().await?, value("level", "25"));

    let shown = valve.app.get("valve", "").await?.expect(200)?;
    let expected = json!({
        "id": DEVICE, "name": "valve", "connectionStatus": "online",
        "setpoint": 30, "mode": "eco", "note": "kept again", "level": 25,
    });
    assert_eq!(shown, expected);
    Ok(())
}

/// What is written while a device is away waits for it where the broker keeps its session, and is lost where it does not;
/// the value is stored in any case.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kept_session_holds_a_write_and_a_clean_one_loses_it() -> anyhow::Result<()> {
    let valve = Valve::register().await?;
    let status = valve.app.get(DEVICE, "/properties/connectionstatus").await?.expect(200)?;
    let (result, values) = (&status["results"][0], &status["results"][0]["values"]);
    assert_eq!((&status["sampleSize"], &result["ref"]["objectId"]), (&json!(1), &json!(DEVICE)), "{status}");
    assert_eq!((values[0]["v"].as_str(), values.as_array().map(Vec::len)), (Some("offline"), Some(1)), "{status}");

    let device = valve.connect(true).await?;
    valve.cut(device).await?;
    valve.write("setpoint", &json!(10)).await?;
    let mut device = valve.connect(true).await?;
    assert_eq!(device.message().await?, value("setpoint", "10"));
    valve.cut(device).await?;

    let device = valve.connect(false).await?;
    valve.cut(device).await?;
    valve.write("setpoint", &json!(11)).await?;
    assert_eq!(valve.app.value("valve", "setpoint").await?, 11);
    let mut device = valve.connect(false).await?;
    valve.write("setpoint", &json!(12)).await?;
    assert_eq!(device.message().await?, value("setpoint", "12"));
    Ok(())
}
