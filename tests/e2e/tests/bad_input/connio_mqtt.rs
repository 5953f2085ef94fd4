//! What a device of Connio should not send, while a command waits for its feedback. The platform drops what it cannot read
//! and keeps the connection.

use crate::cast::Cast;
use crate::mqtt_table::{LOG, Row, Scene, play};
use crate::standing::standing;
use crate::table::world_with;
use crate::wire::Login;
use anyhow::ensure;
use dragoman_e2e::devices::secret;
use dragoman_e2e::tokens::{CONNIO_KEY, TTS_APPLICATION, TTS_KEY};
use dragoman_e2e::wait::{self, SOON};
use dragoman_e2e::{Connio, World};
use serde_json::{Value, json};

/// A device with properties of many types.
const THERMOSTAT: &str = "thermostat";
/// The lamp, which was sent a level and has not told what became of it.
const LAMP: &str = "lamp";
/// An application that hears of both.
const APPLICATION: &str = "application";
const OUT: &str = "connio/data/out/devices/_dev_thermostat";
const LAMP_OUT: &str = "connio/data/out/devices/_dev_lamp-connio";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_messages() -> anyhow::Result<()> {
    let mut rows = values();
    rows.extend(feeds());
    rows.extend(methods());
    rows.extend(feedback());
    rows.extend(topics());
    rows.extend(filters());
    rows.extend(logins());
    play("connio", &mut Devices::prepare().await?, rows).await
}

struct Devices {
    cast: Cast,
    connio: Connio,
}

impl Devices {
    async fn prepare() -> anyhow::Result<Self> {
        let world = world_with(LOG).await?;
        register(&world).await?;
        let connio = Connio::new(&world.daemon, CONNIO_KEY.0, CONNIO_KEY.1)?;
        let mut cast = Cast::new(world)?;
        for (name, device) in [(THERMOSTAT, "thermostat-connio"), (LAMP, "lamp-connio")] {
            let (id, key) = match name {
                LAMP => ("_dev_lamp-connio", "_key_lamp-connio"),
                _ => ("_dev_thermostat", "_key_thermostat"),
            };
            let filter = format!("connio/data/in/devices/{id}/properties/#");
            cast.join(name, Login::new(id, key, &secret(device)), &[&filter]).await?;
        }
        cast.join(APPLICATION, Login::new("app1-client", TTS_APPLICATION, TTS_KEY), &["#"]).await?;
        let receipt = connio.write("_dev_lamp-connio", "level", &json!(30)).await?.expect(200)?;
        ensure!(receipt["accepted"] == 1, "{receipt}");
        let wire = cast.wire(LAMP)?;
        wire.message("the level", |message| message.topic.ends_with("/level") && message.payload == "30").await?;
        // Its receipt is on the way; behind it only the lamp's word can change anything.
        wait::until("the receipt of the level", SOON, || async {
            let executions = cast.world.admin.get("/v1/executions?limit=1000").await?.text;
            Ok(executions.contains("\"ACKED\"").then_some(()))
        })
        .await?;
        Ok(Self { cast, connio })
    }
}

impl Scene for Devices {
    fn cast(&mut self) -> &mut Cast {
        &mut self.cast
    }

    fn names(&self) -> &[(&'static str, String)] {
        &[]
    }

    /// Executions and devices, and the values that the platform shows.
    async fn standing(&mut self) -> anyhow::Result<String> {
        let mut standing = standing(&self.cast.world).await?;
        for (device, properties) in [
            ("_dev_thermostat", ["switch", "setpoint", "place", "mode", "note"].as_slice()),
            ("_dev_lamp-connio", &["level", "result"]),
        ] {
            for property in properties {
                let value: Value = self.connio.value(device, property).await?;
                standing.push_str(&format!("\n{device} {property} {value}"));
            }
        }
        Ok(standing)
    }

    /// A value that the device publishes, of which the application hears.
    async fn good(&mut self, by: &str) -> anyhow::Result<()> {
        let (topic, lamp) = match by {
            LAMP => (format!("{LAMP_OUT}/properties/level"), "lamp-connio"),
            _ => (format!("{OUT}/properties/setpoint"), "thermostat-connio"),
        };
        let by = if by == LAMP { LAMP } else { THERMOSTAT };
        self.cast.publish(by, &topic, "21").await?;
        let wire = self.cast.wire(APPLICATION)?;
        let topic = format!("v3/{TTS_APPLICATION}/devices/{lamp}/up");
        wire.message("the good value", |message| message.topic == topic && message.payload.contains(":21}")).await?;
        wire.inbox.pop();
        Ok(())
    }
}

async fn register(world: &World) -> anyhow::Result<()> {
    let properties = json!({
        "switch": { "type": "boolean" },
        "setpoint": { "type": "number", "boundaries": { "min": 5, "max": 35 } },
        "place": { "type": "waypoint" },
        "mode": { "type": "enum", "boundaries": { "set": ["heat", "cool"] } },
        "note": { "type": "string" },
        "shape": { "type": "object" },
        "firmware": { "type": "blob" },
    });
    let record = json!({
        "id": "thermostat-connio",
        "dialect": "connio",
        "aliases": {
            "connio.id": "_dev_thermostat",
            "connio.key": "_key_thermostat",
            "tts.id": format!("{TTS_APPLICATION}.thermostat-connio"),
        },
        "credential": { "kind": "password", "secret": secret("thermostat-connio") },
        "profile": { "properties": properties },
    });
    world.admin.add_device(&record).await
}

/// Values that their property does not take.
fn values() -> Vec<Row> {
    let value = |what, property: &str, payload: &str| {
        Row::publish(what, THERMOSTAT, &format!("{OUT}/properties/{property}"), payload)
    };
    vec![
        Row::publish("a value that is not UTF-8", THERMOSTAT, &format!("{OUT}/properties/note"), vec![0xff, 0xfe]),
        value("a value of nothing", "setpoint", ""),
        value("a value that is no JSON", "setpoint", "warm"),
        value("two values at once", "setpoint", "20 21"),
        value("a number in quotes", "setpoint", r#""21""#),
        value("a number that is too small", "setpoint", "4.9"),
        value("a number that is too large", "setpoint", "35.1"),
        value("a number that no double holds", "setpoint", "1e999"),
        value("a switch that is a number", "switch", "1"),
        value("a switch in words", "switch", "on"),
        value("a word that is not in the set", "mode", "boil"),
        value("a place without a longitude", "place", r#"{"geo":{"lat":1}}"#),
        value("a place off the earth", "place", r#"{"geo":{"lat":91,"lon":1}}"#),
        value("an object that is a text", "shape", r#""round""#),
        value("an object that is nested too deep", "shape", &format!("{}{}", "[".repeat(5_000), "]".repeat(5_000))),
        value("bytes that are no base64", "firmware", r#""%%%""#),
        value("a text of more than 1 KiB", "note", &format!("\"{}\"", "x".repeat(1_025))),
        value("a text that is cut off", "note", r#""cold"#),
        value("a text with a NUL in it", "note", "\"a\0b\""),
        value("a property that is not there", "colour", "1"),
        value("the presence", "connectionstatus", r#""offline""#),
        value("a reserved name", "apps", "1"),
    ]
}

/// Data feeds that cannot be read, or a point of which does not fit.
fn feeds() -> Vec<Row> {
    let feed = |what, payload: &str| Row::publish(what, THERMOSTAT, &format!("{OUT}/json"), payload);
    let many = format!(r#"{{"prop":"setpoint","dps":[{}{{"v":20}}]}}"#, r#"{"v":20},"#.repeat(64));
    vec![
        Row::publish("a feed that is not UTF-8", THERMOSTAT, &format!("{OUT}/json"), vec![b'{', 0xff]),
        feed("a feed that is no JSON", "setpoint"),
        feed("a feed that is a list", "[]"),
        feed("a feed without points", "{}"),
        feed("points that are an object", r#"{"dps":{}}"#),
        feed("65 points", &many),
        feed("a feed at no time", r#"{"t":"now","dps":[{"prop":"setpoint","v":20}]}"#),
        feed("a point that is a number", r#"{"dps":[20]}"#),
        feed("a point of no property", r#"{"dps":[{"v":20}]}"#),
        feed("a point without a value", r#"{"dps":[{"prop":"setpoint"}]}"#),
        feed("a point at a time without a zone", r#"{"dps":[{"prop":"setpoint","v":20,"t":"2025-05-28T00:00:00"}]}"#),
        feed("a point of another device's property", r#"{"dps":[{"prop":"_dev_lamp-connio$result","v":"ok"}]}"#),
        feed("a point that does not fit its property", r#"{"dps":[{"prop":"setpoint","v":99}]}"#),
    ]
}

/// Calls of methods that cannot be read.
fn methods() -> Vec<Row> {
    let call =
        |what, rest: &str, payload: &str| Row::publish(what, THERMOSTAT, &format!("{OUT}/methods/{rest}"), payload);
    vec![
        call("a call with an argument that is no JSON", "report", "now"),
        call("a call with an argument that is cut off", "report", r#"{"a":"#),
        call("a method of 129 letters", &"m".repeat(129), "1"),
        call("calls that are no JSON", "json", "report"),
        call("calls that are a list", "json", "[]"),
        call("a call of no method", "json", r#"{"dps":[{"value":1}]}"#),
        call("a call of a method that is a number", "json", r#"{"dps":[{"method":7}]}"#),
    ]
}

/// What says nothing about the level that waits for the lamp's word.
fn feedback() -> Vec<Row> {
    let result = |what, payload: &str| Row::publish(what, LAMP, &format!("{LAMP_OUT}/properties/result"), payload);
    vec![
        result("a result that is a number in a list", "[0]"),
        result("a result that is an object", r#"{"result":"ok"}"#),
        result("a result of nothing", ""),
        result("a result that is cut off", r#""ok"#),
        Row::publish(
            "another device's word for the lamp",
            THERMOSTAT,
            &format!("{LAMP_OUT}/properties/result"),
            r#""ok""#,
        ),
    ]
}

/// Topics that are not the device's.
fn topics() -> Vec<Row> {
    let at = |what, topic: &str| Row::publish(what, THERMOSTAT, topic, "21");
    vec![
        at("another device", "connio/data/out/devices/_dev_nobody/properties/setpoint"),
        at("another device under the other prefix", "csipio/data/out/devices/_dev_lamp-connio/properties/level"),
        at("its own command topic", "connio/data/in/devices/_dev_thermostat/properties/setpoint"),
        at("a prefix that does not exist", "acme/data/out/devices/_dev_thermostat/properties/setpoint"),
        at("its own id in other letters", "connio/data/out/devices/_DEV_THERMOSTAT/properties/setpoint"),
        at("a property without a name", &format!("{OUT}/properties/")),
        at("a property below a property", &format!("{OUT}/properties/setpoint/max")),
        at("no property", &format!("{OUT}/properties")),
        at("a kind of message that does not exist", &format!("{OUT}/events/alarm")),
        at("a request for provisioning", "connio/provisions"),
        at("a topic of another platform", "$oc/devices/lamp-huawei/sys/properties/report"),
        at("a topic of nobody", "some/topic"),
    ]
}

/// Filters that are wider than its own, or of others.
fn filters() -> Vec<Row> {
    let filter = |what, filter: &str| Row::subscribe(what, THERMOSTAT, filter);
    vec![
        filter("everything", "#"),
        filter("everything of the platform", "connio/#"),
        filter("commands for every device", "connio/data/in/devices/+/properties/#"),
        filter("commands for another device", "connio/data/in/devices/_dev_lamp-connio/#"),
        filter(
            "commands for another device under the other prefix",
            "csipio/data/in/devices/_dev_lamp-connio/properties/+",
        ),
        filter("what it says itself", "connio/data/out/devices/_dev_thermostat/#"),
        filter("commands under any prefix", "+/data/in/devices/_dev_thermostat/#"),
        filter("commands for another device as one of a group", "$share/g/connio/data/in/devices/_dev_lamp-connio/#"),
        filter("the mirror of an account", "_acc_1/apps/_app_1/devices/#"),
        filter("the broker's own topics", "$SYS/#"),
    ]
}

fn logins() -> Vec<Row> {
    let login = |what, client_id: &str, key: &str, secret: &str| {
        Row::connect(what, THERMOSTAT, Login::new(client_id, key, secret))
    };
    let right = secret("thermostat-connio");
    vec![
        login("a wrong secret", "_dev_thermostat", "_key_thermostat", "wrong"),
        login("no secret", "_dev_thermostat", "_key_thermostat", ""),
        login("no key", "_dev_thermostat", "", &right),
        login("another device's key", "_dev_thermostat", "_key_lamp-connio", &secret("lamp-connio")),
        login("a device that is not known", "_dev_nobody", "_key_thermostat", &right),
        login("an application's key", "_dev_thermostat", CONNIO_KEY.0, CONNIO_KEY.1),
        login("its own account as a key", "_dev_thermostat", "device/thermostat-connio", &right),
        Row::connect("neither key nor secret", THERMOSTAT, Login::anonymous("_dev_thermostat")),
    ]
}
