//! What an application of The Things Stack should not send.

use crate::http_row::Who;
use crate::table::{Call, calls_in, world};
use dragoman_e2e::tokens::{FLEETS_KEY, TTS_KEY};
use serde_json::json;

const KEY: Who = Who::Bearer(TTS_KEY);
/// A key that may read only.
const READER: Who = Who::Bearer("tts-reader-of-the-tests");
/// A key of another application.
const STRANGER: Who = Who::Bearer("tts-stranger-of-the-tests");
const PUSH: &str = "POST /api/v3/as/applications/app1/devices/lamp-chirpstack/down/push";
const ITEM: &str = r#"{"downlinks":[{"f_port":15,"frm_payload":"vu8="}]}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_calls() -> anyhow::Result<()> {
    let world = world().await?;
    for (account, key, rights) in [
        ("app1/reader", "tts-reader-of-the-tests", "RIGHT_APPLICATION_TRAFFIC_READ"),
        ("app2", "tts-stranger-of-the-tests", "RIGHT_APPLICATION_ALL"),
    ] {
        world.admin.add_token("the-things-stack", account, key, &json!({ "rights": [rights] })).await?;
    }
    let mut rows = items();
    rows.extend(paths());
    calls_in(&world, "the-things-stack", rows).await
}

/// Pushes whose body, or an item of it, does not fit.
fn items() -> Vec<Call> {
    let push = |what, body: &str| Call::new(what, PUSH, KEY, body);
    let item = |what, item: &str| Call::new(what, PUSH, KEY, &format!(r#"{{"downlinks":[{item}]}}"#));
    let long_id = format!(r#"{{"f_port":1,"frm_payload":"AQ==","correlation_ids":["{}"]}}"#, "x".repeat(101));
    let ids = r#""a","#.repeat(32);
    let many_ids = format!(r#"{{"f_port":1,"frm_payload":"AQ==","correlation_ids":[{ids}"a"]}}"#);
    let long_payload = format!(r#"{{"f_port":1,"frm_payload":"{}"}}"#, "AAAA".repeat(86));
    let deep = format!(r#"{{"f_port":1,"decoded_payload":{}1{}}}"#, r#"{"x":"#.repeat(49), "}".repeat(49));
    let large = format!(r#"{{"f_port":1,"decoded_payload":{{"x":"{}"}}}}"#, "y".repeat(8_185));
    vec![
        push("a body that is no JSON", "downlinks"),
        push("a body that is cut off", r#"{"downlinks":["#),
        push("a body that is a list", "[]"),
        push("a trailing comma", r#"{"downlinks":[{"f_port":15,"frm_payload":"vu8="}],}"#),
        push("downlinks that are an object", r#"{"downlinks":{}}"#),
        Call::bytes("a body that is not UTF-8", PUSH, KEY, b"{\"downlinks\":\"\xff\"}".to_vec()),
        Call::bytes("a body that is too long", PUSH, KEY, vec![b' '; 262_145]),
        item("an item that is a number", "7"),
        item("an item without a payload", r#"{"f_port":15}"#),
        item("an item without a port", r#"{"frm_payload":"vu8="}"#),
        item("port 0", r#"{"f_port":0,"frm_payload":"vu8="}"#),
        item("port 224", r#"{"f_port":224,"frm_payload":"vu8="}"#),
        item("port 256", r#"{"f_port":256,"frm_payload":"vu8="}"#),
        item("a negative port", r#"{"f_port":-1,"frm_payload":"vu8="}"#),
        item("a port in words", r#"{"f_port":"15","frm_payload":"vu8="}"#),
        item("a payload that is no base64", r#"{"f_port":15,"frm_payload":"BE EF"}"#),
        item("a payload that is a number", r#"{"f_port":15,"frm_payload":7}"#),
        item("a payload that is too long", &long_payload),
        item("an object that is a list", r#"{"f_port":15,"decoded_payload":[1]}"#),
        item("an object that is nested too deep", &deep),
        item("an object that is too long", &large),
        item("an object that the lamp's handler refuses", r#"{"f_port":15,"decoded_payload":{"colour":"red"}}"#),
        item("confirmed in words", r#"{"f_port":15,"frm_payload":"vu8=","confirmed":"yes"}"#),
        item("a priority that does not exist", r#"{"f_port":15,"frm_payload":"vu8=","priority":"URGENT"}"#),
        item("no attempt", r#"{"f_port":15,"frm_payload":"vu8=","confirmed_retry":{"max_attempts":0}}"#),
        item("33 attempts", r#"{"f_port":15,"frm_payload":"vu8=","confirmed_retry":{"max_attempts":33}}"#),
        item("101 attempts", r#"{"f_port":15,"frm_payload":"vu8=","confirmed_retry":{"max_attempts":101}}"#),
        item("a correlation id of 101 characters", &long_id),
        item("33 correlation ids", &many_ids),
        item("correlation ids that are a text", r#"{"f_port":15,"frm_payload":"vu8=","correlation_ids":"a"}"#),
        item("gateways that are a list", r#"{"f_port":15,"frm_payload":"vu8=","class_b_c":[]}"#),
        push(
            "a bad item behind a good one",
            r#"{"downlinks":[{"f_port":15,"frm_payload":"vu8="},{"f_port":300,"frm_payload":"vu8="}]}"#,
        ),
    ]
}

/// Who may not, and what is not there.
fn paths() -> Vec<Call> {
    const BASE: &str = "/api/v3/as/applications/app1";
    let at = |what, method: &str, below: &str, who| Call::new(what, &format!("{method} {BASE}{below}"), who, ITEM);
    vec![
        Call::new("no key", PUSH, Who::Nobody, ITEM),
        Call::new("a key that is not known", PUSH, Who::Bearer("NNSXS.NOBODY"), ITEM),
        Call::new("a key of another platform", PUSH, Who::Basic(FLEETS_KEY.0, FLEETS_KEY.1), ITEM),
        Call::new("a key of another application", PUSH, STRANGER, ITEM),
        Call::new("a key that may only read", PUSH, READER, ITEM),
        at("simulating without the right", "POST", "/devices/lamp-chirpstack/up/simulate", READER),
        at("the link without the right", "GET", "/link", READER),
        at("a device that is not known", "POST", "/devices/nobody/down/push", KEY),
        at("the queue of a device that is not known", "GET", "/devices/nobody/down", KEY),
        at("a device id in capitals", "POST", "/devices/LAMP/down/push", KEY),
        at("a device id that leaves its place", "POST", "/devices/%2e%2e%2fapp2/down/push", KEY),
        at("a device id that is no text", "POST", "/devices/%ff/down/push", KEY),
        at("a device id with NUL", "POST", "/devices/lamp%00/down/push", KEY),
        at("replacing the queue of a device that is not known", "POST", "/devices/nobody/down/replace", KEY),
        at("a webhook that is not known", "POST", "/webhooks/nothing/devices/lamp-chirpstack/down/push", KEY),
        at("webhooks by HTTP", "GET", "/webhooks", KEY),
        at("the storage integration", "GET", "/packages/storage/uplink_message", KEY),
        at("a push by GET", "GET", "/devices/lamp-chirpstack/down/push", KEY),
        at("a path that does not exist", "POST", "/devices/lamp-chirpstack/down/pop", KEY),
    ]
}
