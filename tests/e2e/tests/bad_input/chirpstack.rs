//! What a network server of ChirpStack should not send, while its lamps have a downlink each that it holds.

use crate::cast::Cast;
use crate::mqtt_table::{LOG, Row, Scene, play};
use crate::standing::verdicts;
use crate::table::world_with;
use crate::wire::{Login, publish, subscribe};
use anyhow::Context;
use dragoman_e2e::devices::secret;
use dragoman_e2e::tokens::{TTS_APPLICATION, TTS_KEY};
use dragoman_e2e::{World, http};
use serde_json::{Value, json};

/// The network server of the lamps.
const SERVER: &str = "network-1";
/// A network server with a lamp of its own, which nobody commands.
const OTHER: &str = "network-2";
/// An application that hears of both servers' lamps.
const APPLICATION: &str = "application";
/// Events of the first lamp.
const LAMP: &str = "application/ca739e26-7b67-4f14-b69e-d568c22a5a75/device/4200000000000000/event";
/// Events of the second lamp of the same server.
const SECOND: &str = "application/ca739e26-7b67-4f14-b69e-d568c22a5a75/device/4200000000000001/event";
/// Events of a lamp of that server that nobody commands. An uplink of one that waits for a receipt counts against that.
const QUIET: &str = "application/ca739e26-7b67-4f14-b69e-d568c22a5a75/device/4200000000000003/event";
/// Events of the other server's lamp.
const FOREIGN: &str = "application/b-1/device/4200000000000002/event";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_messages() -> anyhow::Result<()> {
    let mut scene = Network::prepare().await?;
    let mut rows = uplinks();
    rows.extend(origins());
    rows.extend(receipts());
    rows.extend(logs());
    rows.extend(topics());
    rows.extend(filters());
    rows.extend(logins());
    rows.extend(packets());
    play("chirpstack", &mut scene, rows).await
}

/// Two network servers, and an application of The Things Stack that hears of their lamps.
struct Network {
    cast: Cast,
    names: Vec<(&'static str, String)>,
}

impl Network {
    async fn prepare() -> anyhow::Result<Self> {
        let world = world_with(LOG).await?;
        register(&world).await?;
        let mut cast = Cast::new(world)?;
        for server in [SERVER, OTHER] {
            let login = Login::new(&format!("{server}-client"), server, &secret(server));
            cast.join(server, login, &["application/+/device/+/command/+"]).await?;
        }
        let login = Login::new("app1-client", TTS_APPLICATION, TTS_KEY);
        cast.join(APPLICATION, login, &["#"]).await?;
        let mut scene = Self { cast, names: Vec::new() };
        // The first item of the first lamp is acknowledged; the next one is held by the network, and one waits behind it.
        let ended = scene.item("lamp-chirpstack").await?;
        scene.tell("txack", &json!({ "queueItemId": ended })).await?;
        scene.push("lamp-chirpstack").await?;
        let open = scene.item("lamp-chirpstack").await?;
        scene.push("lamp-chirpstack").await?;
        scene.push("lamp-second").await?;
        let second = scene.item("lamp-second").await?;
        scene.names = vec![("{ended}", ended), ("{open}", open), ("{second}", second)];
        Ok(scene)
    }

    /// The id of the item that the network is given next.
    async fn item(&mut self, lamp: &str) -> anyhow::Result<String> {
        let eui = if lamp == "lamp-second" { "4200000000000001" } else { "4200000000000000" };
        let wire = self.cast.wire(SERVER)?;
        let is_wanted = |topic: &str| topic.contains(eui) && topic.ends_with("/command/down");
        let item = wire.message("an item", |message| is_wanted(&message.topic)).await?;
        let item: Value = serde_json::from_str(&item.payload).context("an item is no JSON")?;
        item["id"].as_str().map(str::to_owned).context("an item has no id")
    }

    async fn tell(&mut self, kind: &str, event: &Value) -> anyhow::Result<()> {
        self.cast.publish(SERVER, &format!("{LAMP}/{kind}"), &event.to_string()).await
    }

    /// A confirmed downlink by HTTP.
    async fn push(&self, lamp: &str) -> anyhow::Result<()> {
        let world = &self.cast.world;
        let path = format!("/api/v3/as/applications/{TTS_APPLICATION}/devices/{lamp}/down/push");
        let url = format!("http://{}{path}", world.daemon.listeners().http);
        let body = json!({ "downlinks": [{ "f_port": 10, "frm_payload": "AQ==", "confirmed": true }] });
        http::send(http::client()?.post(url).bearer_auth(TTS_KEY).json(&body)).await?.expect(200)?;
        Ok(())
    }
}

impl Scene for Network {
    fn cast(&mut self) -> &mut Cast {
        &mut self.cast
    }

    fn names(&self) -> &[(&'static str, String)] {
        &self.names
    }

    async fn standing(&mut self) -> anyhow::Result<String> {
        verdicts(&self.cast.world).await
    }

    /// An uplink of a lamp of that server, of which the application hears.
    async fn good(&mut self, by: &str) -> anyhow::Result<()> {
        let (topic, lamp) = if by == OTHER { (FOREIGN, "lamp-foreign") } else { (QUIET, "lamp-quiet") };
        let up = json!({ "fCnt": 7, "fPort": 11, "data": "Z29vZA==" }).to_string();
        self.cast.publish(by, &format!("{topic}/up"), &up).await?;
        let heard = self.cast.wire(APPLICATION)?;
        let is_good = |payload: &str| payload.contains("Z29vZA==");
        let topic = format!("v3/{TTS_APPLICATION}/devices/{lamp}/up");
        heard.message("the good uplink", |message| message.topic == topic && is_good(&message.payload)).await?;
        heard.inbox.pop();
        Ok(())
    }
}

/// Two more lamps, and another network server with one.
async fn register(world: &World) -> anyhow::Result<()> {
    let server = json!({
        "id": OTHER,
        "dialect": "chirpstack",
        "aliases": { "chirpstack.server": OTHER },
        "credential": { "kind": "password", "secret": secret(OTHER) },
    });
    world.admin.add_device(&server).await?;
    for (lamp, server, eui, application) in [
        ("lamp-second", SERVER, "4200000000000001", "ca739e26-7b67-4f14-b69e-d568c22a5a75"),
        ("lamp-quiet", SERVER, "4200000000000003", "ca739e26-7b67-4f14-b69e-d568c22a5a75"),
        ("lamp-foreign", OTHER, "4200000000000002", "b-1"),
    ] {
        let record = json!({
            "id": lamp,
            "dialect": "chirpstack",
            "parent": server,
            "aliases": { "lorawan.dev-eui": eui, "tts.id": format!("{TTS_APPLICATION}.{lamp}") },
            "labels": { "chirpstack.application-id": application },
        });
        world.admin.add_device(&record).await?;
    }
    Ok(())
}

fn event(what: &'static str, kind: &str, payload: impl Into<Vec<u8>>) -> Row {
    Row::publish(what, SERVER, &format!("{LAMP}/{kind}"), payload)
}

/// Uplinks and other reports that are none.
fn uplinks() -> Vec<Row> {
    let up = |what, payload: &str| event(what, "up", payload);
    let deep = format!(r#"{{"fPort":11,"object":{}1{}}}"#, r#"{"x":"#.repeat(5_000), "}".repeat(5_000));
    vec![
        event("an uplink that is not UTF-8", "up", vec![b'{', 0xff, b'}']),
        up("an uplink of nothing", ""),
        up("an uplink that is no JSON", "up"),
        up("an uplink that is cut off", r#"{"fPort":11,"data":"#),
        up("an uplink that is a list", "[]"),
        up("an uplink that is null", "null"),
        up("an uplink in two pieces", r#"{"fPort":11}{"fPort":11}"#),
        up("an uplink that is nested too deep", &deep),
        up("a control character in a text", "{\"fPort\":11,\"data\":\"A\u{1}==\"}"),
        up("a NUL behind the JSON", "{\"fPort\":11,\"data\":\"AQ==\"}\0"),
        up("data that is no base64", r#"{"fPort":11,"data":"BE EF"}"#),
        up("data without padding", r#"{"fPort":11,"data":"AQ"}"#),
        up("data that is a number", r#"{"fPort":11,"data":7}"#),
        up("port 256", r#"{"fPort":256,"data":"AQ=="}"#),
        up("a negative port", r#"{"fPort":-1,"data":"AQ=="}"#),
        up("a port in words", r#"{"fPort":"11","data":"AQ=="}"#),
        up("a frame counter of 33 bits", r#"{"fPort":11,"fCnt":4294967296}"#),
        up("confirmed in words", r#"{"fPort":11,"confirmed":"yes"}"#),
        up("radio gateways that are an object", r#"{"fPort":11,"rxInfo":{}}"#),
        up("a signal in words", r#"{"fPort":11,"rxInfo":[{"rssi":"good"}]}"#),
        event("a join at an address that is a number", "join", r#"{"devAddr":7}"#),
        event("a margin in words", "status", r#"{"margin":"wide"}"#),
        event("a location of nowhere", "location", "{}"),
        event("a location at a latitude in words", "location", r#"{"location":{"latitude":"north","longitude":1}}"#),
        event("an integration that is a list", "integration", "[]"),
    ]
}

/// Events that name another device or application than their topic.
fn origins() -> Vec<Row> {
    let named = |eui: &str, application: &str| {
        let info = json!({ "devEui": eui, "applicationId": application });
        json!({ "deviceInfo": info, "fPort": 11, "data": "AQ==", "queueItemId": "{open}" }).to_string()
    };
    let second = named("4200000000000001", "ca739e26-7b67-4f14-b69e-d568c22a5a75");
    let elsewhere = named("4200000000000000", "b-1");
    let at = |what, topic: &str| Row::publish(what, SERVER, topic, r#"{"fPort":11,"data":"AQ=="}"#);
    let up = format!("{LAMP}/up");
    vec![
        event("an uplink that names another lamp than its topic", "up", second.as_str()),
        event("an uplink that names another application than its topic", "up", elsewhere.as_str()),
        event("a receipt that names another lamp than its topic", "txack", second),
        event("an uplink of a device that is a number", "up", r#"{"deviceInfo":7,"fPort":11}"#),
        at("an uplink of a lamp that nobody registered", &up.replace("4200000000000000", "42000000000000ff")),
        at("an uplink of the network server itself", "application/a/device/network-1/event/up"),
        at("an uplink of the other server's lamp", &format!("{FOREIGN}/up")),
    ]
}

/// Receipts of items that the network does not hold.
fn receipts() -> Vec<Row> {
    const NEVER: &str = r#""queueItemId":"0190a0b0-0000-7000-8000-00000000dead""#;
    let ack = |what, rest: &str| event(what, "ack", format!("{{{rest}}}"));
    let second = |what, kind: &str, payload: &str| Row::publish(what, SERVER, &format!("{SECOND}/{kind}"), payload);
    vec![
        event("a receipt of no item", "txack", "{}"),
        event("a receipt of an item that is a number", "txack", r#"{"queueItemId":7}"#),
        event("a receipt of an item that nobody queued", "txack", format!("{{{NEVER}}}")),
        event("a receipt of an item that has ended", "txack", r#"{"queueItemId":"{ended}"}"#),
        event("a frame counter in words", "txack", r#"{"queueItemId":"{open}","fCntDown":"1"}"#),
        event("an item id with NUL", "txack", r#"{"queueItemId":"{open}\u0000"}"#),
        event("an item id of 64 KiB", "txack", format!(r#"{{"queueItemId":"{}"}}"#, "x".repeat(65_536))),
        ack("an acknowledgement of no item", r#""acknowledged":true"#),
        ack("an acknowledgement of an item that nobody queued", &format!(r#"{NEVER},"acknowledged":true"#)),
        ack("an acknowledgement of an item that has ended", r#""queueItemId":"{ended}","acknowledged":true"#),
        ack("a refusal of an item that has ended", r#""queueItemId":"{ended}","acknowledged":false"#),
        ack("a refusal of an item that nobody queued", &format!(r#"{NEVER},"acknowledged":false"#)),
        ack("acknowledged in words", r#""queueItemId":"{open}","acknowledged":"yes""#),
        second("a receipt of another lamp's item", "txack", r#"{"queueItemId":"{open}"}"#),
        second("an acknowledgement of another lamp's item", "ack", r#"{"queueItemId":"{open}","acknowledged":true}"#),
        second("a refusal of another lamp's item", "ack", r#"{"queueItemId":"{open}","acknowledged":false}"#),
    ]
}

/// Lines of the network's log that discard nothing.
fn logs() -> Vec<Row> {
    let log = |what, payload: &str| event(what, "log", payload);
    vec![
        log("a line of the log whose context is a list", r#"{"code":"EXPIRED","context":["{open}"]}"#),
        log("a line of the log with a number in its context", r#"{"code":"EXPIRED","context":{"queue_item_id":7}}"#),
        log("a code that is a number", r#"{"code":7,"context":{"queue_item_id":"{open}"}}"#),
        log("an item that nobody queued, expired", r#"{"code":"EXPIRED","context":{"queue_item_id":"never"}}"#),
        log("an item that has ended, expired", r#"{"code":"EXPIRED","context":{"queue_item_id":"{ended}"}}"#),
        Row::publish(
            "another lamp's item, expired",
            SERVER,
            &format!("{SECOND}/log"),
            r#"{"code":"EXPIRED","context":{"queue_item_id":"{open}"}}"#,
        ),
    ]
}

/// Topics that are no event's.
fn topics() -> Vec<Row> {
    let at = |what, topic: &str| Row::publish(what, SERVER, topic, r#"{"fPort":11,"data":"AQ=="}"#);
    let up = format!("{LAMP}/up");
    let lamp = |rest: &str| LAMP.replace("/event", rest);
    vec![
        at("an event of a kind that does not exist", &format!("{LAMP}/uplink")),
        at("an event of the kind nothing", &format!("{LAMP}/")),
        at("an event of a kind in capitals", &format!("{LAMP}/UP")),
        at("a level too many", &format!("{LAMP}/up/now")),
        at("a level too few", LAMP),
        at("an application without a name", "application//device/4200000000000000/event/up"),
        at("a device without an EUI", "application/a/device//event/up"),
        at("an EUI in capitals", &up.replace("4200000000000000", "42000000000000AB")),
        at("an EUI that is too short", &up.replace("4200000000000000", "42")),
        at("its own command topic", &lamp("/command/down")),
        at("another integration's topic", "gateway/0242020000247803/event/up"),
        at("an application's topic of another platform", "v3/app1/devices/lamp-chirpstack/down/push"),
        at("a thing's topic of another platform", "$emqx/commands/things/lamp-fleets/executions/x/response"),
        at("a topic of nobody", "some/topic"),
    ]
}

/// Filters that are wider than what it may read, or of others.
fn filters() -> Vec<Row> {
    let filter = |what, filter: &str| Row::subscribe(what, SERVER, filter);
    vec![
        filter("everything", "#"),
        filter("everything of every application", "application/#"),
        filter("every level", "application/+/device/+/+/+"),
        filter("commands of any depth", "application/+/device/+/command/#"),
        filter("its own events", "application/+/device/+/event/+"),
        filter("everything, as one of its group", "$share/chirpstack/#"),
        filter("commands of a radio gateway", "gateway/+/command/+"),
        filter("commands for things", "$emqx/commands/things/+/executions/+/request"),
        filter("uplinks of applications", "v3/+/devices/+/up"),
        filter("the broker's own topics", "$SYS/#"),
    ]
}

fn logins() -> Vec<Row> {
    let login = |what, username: &str, password: &str| {
        Row::connect(what, SERVER, Login::new("network-of-nobody", username, password))
    };
    vec![
        login("a network server with a wrong password", SERVER, "wrong"),
        login("a network server without a password", SERVER, ""),
        login("a network server with another one's password", SERVER, &secret(OTHER)),
        login("a network server that nobody registered", "network-9", "secret"),
        login("a lamp, for which its network server speaks", "lamp-chirpstack", &secret(SERVER)),
    ]
}

/// Packets that MQTT forbids, or that are too large. They end the connection, so a server sends them whose lamp waits for
/// nothing.
fn packets() -> Vec<Row> {
    const UP: &[u8] = br#"{"fPort":11,"data":"AQ=="}"#;
    let bytes = |what, bytes: Vec<u8>| Row::bytes(what, OTHER, bytes);
    let large = [br#"{"fPort":11,"data":""#.as_slice(), &vec![b'A'; 262_144], br#""}"#].concat();
    vec![
        bytes("a topic with a wildcard", publish(format!("{FOREIGN}/+").as_bytes(), UP)),
        bytes("a topic with NUL", publish(format!("{FOREIGN}/up\0").as_bytes(), UP)),
        bytes("a topic that is not UTF-8", publish(&[FOREIGN.as_bytes(), b"/\xff"].concat(), UP)),
        bytes("a topic of nothing", publish(b"", UP)),
        bytes("a packet of more than 256 KiB", publish(format!("{FOREIGN}/up").as_bytes(), &large)),
        bytes("a filter of nothing", subscribe(b"")),
        bytes("a filter with a wildcard in a word", subscribe(b"application/a+/device/+/command/+")),
        bytes("a packet that does not exist", vec![0xf0, 0x00]),
    ]
}
