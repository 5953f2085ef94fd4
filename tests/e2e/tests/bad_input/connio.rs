//! What a client of Connio should not send.

use crate::http_row::Who;
use crate::table::{Call, calls_in, world};
use dragoman_e2e::World;
use dragoman_e2e::tokens::{CONNIO_KEY, TTS_KEY};
use serde_json::json;

const KEY: Who = Who::Basic(CONNIO_KEY.0, CONNIO_KEY.1);
/// A key that may read only.
const READER: Who = Who::Basic("_key_reader", "connio-reader-of-the-tests");
/// A key of one device, which is another one.
const STRANGER: Who = Who::Basic("_key_stranger", "connio-stranger-of-the-tests");
/// The key of the lamp itself.
const LAMP: Who = Who::Basic("_key_lamp-connio", "secret-of-lamp-connio");
const FEED: &str = "POST /v3/data/devices/_dev_lamp-connio/properties/level";
const FEEDS: &str = "POST /v3/data/devices/_dev_lamp-connio/properties";
const OBJECT: &str = "POST /v3/data/devices/_dev_lamp-connio";
const VALUE: &str = r#"{"dps":[{"v":50}]}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_calls() -> anyhow::Result<()> {
    let mut rows = bodies();
    rows.extend(values());
    rows.extend(paths());
    calls_in(&prepared().await?, "connio", rows).await
}

/// The five lamps, the two keys above, and a device with properties of many types and every access.
async fn prepared() -> anyhow::Result<World> {
    let world = world().await?;
    let all = ["device:read-data", "device:write-data", "device:execute"];
    for (key, secret, rights) in [
        ("_key_reader", "connio-reader-of-the-tests", json!({ "scope": ["device:read-data"] })),
        (
            "_key_stranger",
            "connio-stranger-of-the-tests",
            json!({ "context": { "type": "device", "ids": ["_dev_other"] }, "scope": all }),
        ),
    ] {
        world.admin.add_token("connio", key, secret, &rights).await?;
    }
    let properties = json!({
        "switch": { "type": "boolean" },
        "setpoint": { "type": "number", "boundaries": { "min": 5, "max": 35 } },
        "place": { "type": "waypoint" },
        "firmware": { "type": "blob" },
        "secret": { "access": "private" },
    });
    let record = json!({
        "id": "thermostat-connio",
        "dialect": "connio",
        "aliases": { "connio.id": "_dev_thermostat" },
        "profile": { "properties": properties, "methods": { "hidden": { "property": "switch", "access": "private" } } },
    });
    world.admin.add_device(&record).await?;
    Ok(world)
}

/// Bodies that are refused whole, and points that are rejected one by one.
fn bodies() -> Vec<Call> {
    let feed = |what, body: &str| Call::new(what, FEED, KEY, body);
    let many = format!(r#"{{"dps":[{}1]}}"#, "1,".repeat(64));
    let long = format!(r#"{{"dps":[{{"v":1,"ann":["{}"]}}]}}"#, "x".repeat(129));
    vec![
        feed("no body", ""),
        feed("a body that is no JSON", "level"),
        feed("a body that is cut off", r#"{"dps":["#),
        feed("a body that is a list", "[]"),
        feed("no points", "{}"),
        feed("points that are an object", r#"{"dps":{}}"#),
        feed("65 points", &many),
        feed("a feed at no time", r#"{"dps":[{"v":1}],"t":"now"}"#),
        Call::bytes("a body that is not UTF-8", FEED, KEY, b"{\"dps\":\"\xff\"}".to_vec()),
        Call::bytes("a body that is too long", FEED, KEY, vec![b' '; 262_145]),
        feed("a point that is a number", r#"{"dps":[50]}"#),
        feed("a point without a value", r#"{"dps":[{"t":"2025-05-28T00:00:00Z"}]}"#),
        feed("a point without a zone", r#"{"dps":[{"v":1,"t":"2025-05-28T00:00:00"}]}"#),
        feed("a difference to nothing", r#"{"dps":[{"v":1,"tt":5}]}"#),
        feed("an annotation of 129 characters", &long),
        Call::new("a point of no property", FEEDS, KEY, VALUE),
        Call::new("an object that is a list", OBJECT, KEY, "[]"),
        Call::new("an object that is no JSON", OBJECT, KEY, "level"),
    ]
}

/// Values that their property does not take.
fn values() -> Vec<Call> {
    let write = |what, body: &str| Call::new(what, "POST /v3/data/devices/_dev_thermostat", KEY, body);
    vec![
        write("a property that is not there", r#"{"colour":1}"#),
        write("a property that nobody sees", r#"{"secret":1}"#),
        write("a switch that is a number", r#"{"switch":1}"#),
        write("a number that is a text", r#"{"setpoint":"21"}"#),
        write("a number that is too large", r#"{"setpoint":35.5}"#),
        write("a number that is too small", r#"{"setpoint":4}"#),
        write("a place without a longitude", r#"{"place":{"geo":{"lat":1}}}"#),
        write("bytes that are no base64", r#"{"firmware":"%%%"}"#),
        write("the presence", r#"{"connectionStatus":"online"}"#),
    ]
}

/// Who may not, and what is not there.
fn paths() -> Vec<Call> {
    const WRONG: Who = Who::Basic(CONNIO_KEY.0, "wrong");
    let at = |what, request: &str, who| Call::new(what, request, who, VALUE);
    vec![
        at("no key", FEED, Who::Nobody),
        at("a key with a wrong secret", FEED, WRONG),
        at("a key that is not known", FEED, Who::Basic("_key_nobody", "secret")),
        at("a key of another platform", FEED, Who::Bearer(TTS_KEY)),
        at("the account of a device as a key", FEED, Who::Basic("device/lamp-connio", "secret-of-lamp-connio")),
        at("a key that may only read", FEED, READER),
        at("a method for a key that may only read", "POST /v3/data/devices/_dev_lamp-connio/methods/set", READER),
        at("a key of another device", FEED, STRANGER),
        at("a device's key at another device", "POST /v3/data/devices/_dev_thermostat", LAMP),
        at("a device of its own for a key that is none", "GET /v3/data/devices/_this_", KEY),
        at("a device that is not known", "POST /v3/data/devices/_dev_nobody/properties/level", KEY),
        at("a property that is not known", "POST /v3/data/devices/_dev_thermostat/properties/colour", KEY),
        at("reading what is not known", "GET /v3/data/devices/_dev_thermostat/properties/colour", KEY),
        at("reading what is private", "GET /v3/data/devices/_dev_thermostat/properties/secret", KEY),
        at("a method that is private", "POST /v3/data/devices/_dev_thermostat/methods/hidden", KEY),
        at("a device that is no text", "GET /v3/data/devices/%ff", KEY),
        at("a device that leaves its place", "GET /v3/data/devices/%2e%2e%2f_dev_thermostat", KEY),
        at("history", "POST /v3/data/devices/_dev_thermostat/properties/switch/query", KEY),
        at("apps", "GET /v3/data/apps/_app_1", KEY),
        at("the administration", "GET /v3/devices", KEY),
        at("a method that does not exist", "PATCH /v3/data/devices/_dev_thermostat", KEY),
    ]
}
