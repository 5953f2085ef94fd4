//! What an application of The Things Stack should not send by MQTT, while a downlink waits for its device. The platform tells
//! a refusal of the queue as `down/failed`; of anything else it says nothing.

use crate::cast::Cast;
use crate::mqtt_table::{LOG, Row, Scene, play};
use crate::standing::standing;
use crate::table::world_with;
use crate::wire::Login;
use dragoman_e2e::http;
use dragoman_e2e::tokens::{FLEETS_KEY, TTS_APPLICATION, TTS_KEY};
use serde_json::json;

/// The application with every right, which hears of everything that is its own.
const APP: &str = "app1";
/// An application whose key may read only.
const READER: &str = "app4";
/// Another application.
const STRANGER: &str = "app2";
const READER_KEY: &str = "tts-reader-of-the-tests";
const STRANGER_KEY: &str = "tts-stranger-of-the-tests";
const PUSH: &str = "v3/app1/devices/lamp-chirpstack/down/push";
const REPLACE: &str = "v3/app1/devices/lamp-chirpstack/down/replace";
const ITEM: &str = r#"{"downlinks":[{"f_port":15,"frm_payload":"vu8="}]}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_messages() -> anyhow::Result<()> {
    let mut application = Application::prepare().await?;
    let mut rows = bodies();
    rows.extend(items());
    rows.extend(refused());
    rows.extend(topics());
    rows.extend(filters());
    rows.extend(logins());
    play("the-things-stack", &mut application, rows).await
}

struct Application {
    cast: Cast,
    client: reqwest::Client,
}

impl Application {
    async fn prepare() -> anyhow::Result<Self> {
        let world = world_with(LOG).await?;
        for (account, key, right) in
            [(READER, READER_KEY, "RIGHT_APPLICATION_TRAFFIC_READ"), (STRANGER, STRANGER_KEY, "RIGHT_APPLICATION_ALL")]
        {
            world.admin.add_token("the-things-stack", account, key, &json!({ "rights": [right] })).await?;
        }
        world.admin.add_token("the-things-stack", "app3", "tts-nothing-of-the-tests", &json!({ "rights": [] })).await?;
        let mut cast = Cast::new(world)?;
        cast.join(APP, Login::new("app1-client", TTS_APPLICATION, TTS_KEY), &["#"]).await?;
        cast.join(READER, Login::new("app4-client", READER, READER_KEY), &[]).await?;
        cast.join(STRANGER, Login::new("app2-client", STRANGER, STRANGER_KEY), &["#"]).await?;
        Ok(Self { cast, client: http::client()? })
    }
}

impl Scene for Application {
    fn cast(&mut self) -> &mut Cast {
        &mut self.cast
    }

    fn names(&self) -> &[(&'static str, String)] {
        &[]
    }

    /// Executions and devices, and the queue as the platform shows it.
    async fn standing(&mut self) -> anyhow::Result<String> {
        let world = &self.cast.world;
        let path = format!("/api/v3/as/applications/{TTS_APPLICATION}/devices/lamp-chirpstack/down");
        let url = format!("http://{}{path}", world.daemon.listeners().http);
        let queue = http::send(self.client.get(url).bearer_auth(TTS_KEY)).await?.expect(200)?;
        Ok(format!("{}\n{queue}", standing(world).await?))
    }

    /// An uplink that is simulated by HTTP, of which the application hears by MQTT: it changes nothing.
    async fn good(&mut self, _: &str) -> anyhow::Result<()> {
        let path = format!("/api/v3/as/applications/{TTS_APPLICATION}/devices/lamp-chirpstack/up/simulate");
        let url = format!("http://{}{path}", self.cast.world.daemon.listeners().http);
        let up = json!({ "uplink_message": { "f_port": 42, "frm_payload": "Z29vZA==" } });
        http::send(self.client.post(url).bearer_auth(TTS_KEY).json(&up)).await?.expect(200)?;
        let wire = self.cast.wire(APP)?;
        wire.message("the simulated uplink", |message| message.payload.contains("Z29vZA==")).await?;
        wire.inbox.pop();
        Ok(())
    }

    /// A good downlink by MQTT in the place of the one that waits.
    async fn go_on(&mut self) -> anyhow::Result<()> {
        self.cast.publish(APP, REPLACE, r#"{"downlinks":[{"f_port":9,"frm_payload":"Z29vZA=="}]}"#).await?;
        let wire = self.cast.wire(APP)?;
        wire.message("the good downlink", |message| message.topic.ends_with("down/queued")).await?;
        Ok(())
    }
}

fn push(what: &'static str, payload: impl Into<Vec<u8>>) -> Row {
    Row::publish(what, APP, PUSH, payload)
}

fn item(what: &'static str, item: &str) -> Row {
    push(what, format!(r#"{{"downlinks":[{item}]}}"#))
}

/// Bodies that are no push. Nothing is told.
fn bodies() -> Vec<Row> {
    let deep = format!(
        r#"{{"downlinks":[{{"f_port":15,"decoded_payload":{}1{}}}]}}"#,
        r#"{"x":"#.repeat(5_000),
        "}".repeat(5_000)
    );
    vec![
        push("a body that is not UTF-8", b"{\"downlinks\":\"\xff\"}".to_vec()),
        push("nothing", ""),
        push("a body that is no JSON", "downlinks"),
        push("a body that is cut off", r#"{"downlinks":["#),
        push("a body that is a list", "[]"),
        push("a body that is nested too deep", deep),
        push("two trailing commas", r#"{"downlinks":[{"f_port":15,"frm_payload":"vu8=",}],}"#),
        push("a comma too many in the middle", r#"{"downlinks":[,{"f_port":15,"frm_payload":"vu8="}]}"#),
        push("NUL behind the body", format!("{ITEM}\0")),
        push("a control character in a text", "{\"downlinks\":[{\"f_port\":15,\"frm_payload\":\"vu8\u{1}=\"}]}"),
        push("no downlinks", "{}"),
        push("downlinks under another name", r#"{"downlink":[{"f_port":15,"frm_payload":"vu8="}]}"#),
        push("downlinks that are an object", r#"{"downlinks":{}}"#),
        Row::publish("a replacement that is no JSON", APP, REPLACE, "downlinks"),
        Row::publish("a replacement that is cut off", APP, REPLACE, r#"{"downlinks":[]"#),
    ]
}

/// Items with a field that does not fit, and more of them than one call takes. Nothing is told.
fn items() -> Vec<Row> {
    let long_id = format!(r#"{{"f_port":1,"frm_payload":"AQ==","correlation_ids":["{}"]}}"#, "x".repeat(101));
    let many_ids = format!(r#"{{"f_port":1,"frm_payload":"AQ==","correlation_ids":[{}"a"]}}"#, r#""a","#.repeat(32));
    let long_payload = format!(r#"{{"f_port":1,"frm_payload":"{}"}}"#, "AAAA".repeat(86));
    let large = format!(r#"{{"f_port":1,"decoded_payload":{{"x":"{}"}}}}"#, "y".repeat(8_185));
    let many = format!(r#"{{"downlinks":[{}]}}"#, vec![r#"{"f_port":15,"frm_payload":"vu8="}"#; 80].join(","));
    vec![
        item("an item that is a number", "7"),
        item("port 224", r#"{"f_port":224,"frm_payload":"vu8="}"#),
        item("port 256", r#"{"f_port":256,"frm_payload":"vu8="}"#),
        item("a negative port", r#"{"f_port":-1,"frm_payload":"vu8="}"#),
        item("a port in words", r#"{"f_port":"15","frm_payload":"vu8="}"#),
        item("a payload that is no base64", r#"{"f_port":15,"frm_payload":"BE EF"}"#),
        item("a payload that is a number", r#"{"f_port":15,"frm_payload":7}"#),
        item("a payload that is too long", &long_payload),
        item("an object that is a list", r#"{"f_port":15,"decoded_payload":[1]}"#),
        item("an object that is too long", &large),
        item("an object that the lamp's handler refuses", r#"{"f_port":15,"decoded_payload":{"colour":"red"}}"#),
        item("confirmed in words", r#"{"f_port":15,"frm_payload":"vu8=","confirmed":"yes"}"#),
        item("a priority that does not exist", r#"{"f_port":15,"frm_payload":"vu8=","priority":"URGENT"}"#),
        item("no attempt", r#"{"f_port":15,"frm_payload":"vu8=","confirmed_retry":{"max_attempts":0}}"#),
        item("101 attempts", r#"{"f_port":15,"frm_payload":"vu8=","confirmed_retry":{"max_attempts":101}}"#),
        item("a correlation id of 101 characters", &long_id),
        item("33 correlation ids", &many_ids),
        item("gateways that are a list", r#"{"f_port":15,"frm_payload":"vu8=","class_b_c":[]}"#),
        push(
            "a bad item behind a good one",
            r#"{"downlinks":[{"f_port":15,"frm_payload":"vu8="},{"f_port":300,"frm_payload":"vu8="}]}"#,
        ),
        push("80 downlinks at once", many),
        Row::publish(
            "a replacement by a bad item",
            APP,
            REPLACE,
            r#"{"downlinks":[{"f_port":15,"frm_payload":"vu8="},{"f_port":300,"frm_payload":"vu8="}]}"#,
        ),
    ]
}

/// What the queue refuses is told item by item.
fn refused() -> Vec<Row> {
    let id = r#","correlation_ids":["mine"]"#;
    vec![
        item("no port", &format!(r#"{{"frm_payload":"vu8="{id}}}"#)),
        item("port 0", &format!(r#"{{"f_port":0,"frm_payload":"vu8="{id}}}"#)),
        item("no payload", &format!(r#"{{"f_port":15{id}}}"#)),
        item("a payload of nothing", &format!(r#"{{"f_port":15,"frm_payload":""{id}}}"#)),
        item("fields that nobody knows", &format!(r#"{{"port":15,"payload":"vu8="{id}}}"#)),
        item(
            "33 attempts",
            &format!(r#"{{"f_port":15,"frm_payload":"vu8=","confirmed_retry":{{"max_attempts":33}}{id}}}"#),
        ),
        push(
            "an item without a payload behind a good one",
            r#"{"downlinks":[{"f_port":15,"frm_payload":"vu8=","correlation_ids":["good"]},{"f_port":15,"correlation_ids":["bad"]}]}"#,
        ),
        Row::publish(
            "a replacement by an item without a port",
            APP,
            REPLACE,
            r#"{"downlinks":[{"frm_payload":"vu8="}]}"#,
        ),
    ]
}

/// Topics that are not the application's to write on, or nobody's.
fn topics() -> Vec<Row> {
    let at = |what, topic: &str| Row::publish(what, APP, topic, ITEM);
    vec![
        at("a device that is not known", "v3/app1/devices/nobody/down/push"),
        at("a device id in capitals", "v3/app1/devices/LAMP/down/push"),
        at("a device id of two letters", "v3/app1/devices/ab/down/push"),
        at("a device without a name", "v3/app1/devices//down/push"),
        at("a level too many", "v3/app1/devices/lamp-chirpstack/down/push/now"),
        at("a level too few", "v3/app1/devices/lamp-chirpstack/down"),
        at("an operation that does not exist", "v3/app1/devices/lamp-chirpstack/down/pop"),
        at("an event of its own device", "v3/app1/devices/lamp-chirpstack/down/ack"),
        at("an uplink of its own device", "v3/app1/devices/lamp-chirpstack/up"),
        at("another application", "v3/app2/devices/lamp-chirpstack/down/push"),
        at("another tenant", "v3/app1@other/devices/lamp-chirpstack/down/push"),
        at("another version", "v2/app1/devices/lamp-chirpstack/down/push"),
        at("a network server's topic", "application/a/device/4200000000000000/event/ack"),
        at("a topic of nobody", "some/topic"),
        Row::publish("a push by a key that may only read", READER, &PUSH.replace("app1", READER), ITEM),
        Row::publish(
            "a replacement by a key that may only read",
            READER,
            &REPLACE.replace("app1", READER),
            r#"{"downlinks":[]}"#,
        ),
        Row::publish("a push by another application", STRANGER, PUSH, ITEM),
        Row::publish(
            "a push for a device that is another application's",
            STRANGER,
            "v3/app2/devices/lamp-chirpstack/down/push",
            ITEM,
        ),
    ]
}

/// Filters outside of the application.
fn filters() -> Vec<Row> {
    let filter = |what, filter: &str| Row::subscribe(what, APP, filter);
    vec![
        filter("what another application hears", "v3/app2/#"),
        filter("what another tenant hears", "v3/app1@other/#"),
        filter("an application that begins alike", "v3/app10/devices/+/up"),
        filter("the version alone", "v3"),
        filter("every level", "+/app1/devices/+/up"),
        filter("everything at a second level", "+/#"),
        filter("everything as one of a group", "$share/group/v3/app2/#"),
        filter("commands of a network", "application/+/device/+/command/+"),
        filter("events of another platform", "dh/#"),
        filter("the broker's own topics", "$SYS/#"),
    ]
}

fn logins() -> Vec<Row> {
    let login =
        |what, username: &str, password: &str| Row::connect(what, APP, Login::new("thief-client", username, password));
    vec![
        login("a key that is not known", TTS_APPLICATION, "NNSXS.NOBODY"),
        login("no key", TTS_APPLICATION, ""),
        login("a key of another application", TTS_APPLICATION, STRANGER_KEY),
        login("a key of another platform", TTS_APPLICATION, FLEETS_KEY.1),
        login("a tenant that the key is not of", "app1@other", TTS_KEY),
        login("an application id in capitals", "APP1", TTS_KEY),
        login("a key without a right", "app3", "tts-nothing-of-the-tests"),
    ]
}
