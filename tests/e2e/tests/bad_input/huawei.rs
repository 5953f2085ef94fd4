//! Requests that the IoTDA API must refuse, and the refusal of each: commands here, the other calls in a table with a
//! golden file.

use crate::http_row::{HttpRow, Who, nested, row};
use crate::table::{Call, calls};
use dragoman_e2e::world::{FLEETS_KEY, HUAWEI_TOKEN};

const HUAWEI: &str = "huawei-iotda";
const KEY: Who = Who::Basic(FLEETS_KEY.0, FLEETS_KEY.1);
const TOKEN: Who = Who::Header("x-auth-token", HUAWEI_TOKEN.1);
const METER: &str = "POST /v5/iot/project/devices/water_meter_001/commands";

fn deep_paras() -> String {
    format!("{{\"command_name\":\"X\",\"paras\":{}}}", nested(5_000))
}

fn long_service() -> String {
    format!("{{\"service_id\":\"{}\",\"paras\":{{}}}}", "s".repeat(65))
}

/// Commands.
pub(crate) fn rows() -> Vec<HttpRow> {
    const WRONG: Who = Who::Header("x-auth-token", "wrong-token-of-the-tests");
    const PARAS: &str = r#"{"paras":{}}"#;
    vec![
        row!(
            "no token",
            METER,
            Who::Nobody,
            PARAS,
            HUAWEI,
            401,
            r#"{"error_code":"IOTDA.000002","error_msg":"Authentication failed."}"#
        ),
        row!(
            "a token that is not known",
            METER,
            WRONG,
            PARAS,
            HUAWEI,
            401,
            r#"{"error_code":"IOTDA.000002","error_msg":"Authentication failed."}"#
        ),
        row!(
            "a key of another platform",
            METER,
            KEY,
            PARAS,
            HUAWEI,
            401,
            r#"{"error_code":"IOTDA.000002","error_msg":"Authentication failed."}"#
        ),
        row!(
            "a command that is not UTF-8",
            METER,
            TOKEN,
            b"{\"paras\":{\"a\":\"\xff\"}}",
            HUAWEI,
            400,
            r#"{"error_code":"IOTDA.000008","error_msg":"The request body is not valid JSON. It is not UTF-8."}"#
        ),
        row!(
            "a command that is not JSON",
            METER,
            TOKEN,
            "ON",
            HUAWEI,
            400,
            r#"{"error_code":"IOTDA.000008","error_msg":"The request body is not valid JSON. expected value at line 1 column 1"}"#
        ),
        row!(
            "a command nested too deep",
            METER,
            TOKEN,
            deep_paras(),
            HUAWEI,
            400,
            r#"{"error_code":"IOTDA.000008","error_msg":"The request body is not valid JSON. the JSON is nested deeper than 64 levels"}"#
        ),
        row!(
            "a command that is too long",
            METER,
            TOKEN,
            vec![b' '; 262_145],
            HUAWEI,
            413,
            r#"{"error":{"code":"$LIMIT","message":"the body exceeds 262144 bytes, the limit set by http.body_max_bytes","request_id":"<id>"}}"#
        ),
        row!(
            "no parameters",
            METER,
            TOKEN,
            r#"{"command_name":"ON_OFF"}"#,
            HUAWEI,
            400,
            r#"{"error_code":"IOTDA.000006","error_msg":"Invalid input data. paras must be a JSON object."}"#
        ),
        row!(
            "parameters that are text",
            METER,
            TOKEN,
            r#"{"paras":"{}"}"#,
            HUAWEI,
            400,
            r#"{"error_code":"IOTDA.000006","error_msg":"Invalid input data. paras must be a JSON object."}"#
        ),
        row!(
            "a service id that is too long",
            METER,
            TOKEN,
            long_service(),
            HUAWEI,
            400,
            r#"{"error_code":"IOTDA.000006","error_msg":"Invalid input data. service_id must be a string of at most 64 characters."}"#
        ),
        row!(
            "a command name that is a number",
            METER,
            TOKEN,
            r#"{"command_name":1,"paras":{}}"#,
            HUAWEI,
            400,
            r#"{"error_code":"IOTDA.000006","error_msg":"Invalid input data. command_name must be a string of at most 128 characters."}"#
        ),
        row!(
            "a device that is not known",
            "POST /v5/iot/p/devices/nobody/commands",
            TOKEN,
            PARAS,
            HUAWEI,
            404,
            r#"{"error_code":"IOTDA.014000","error_msg":"The device does not exist."}"#
        ),
        row!(
            "a device id of other letters",
            "POST /v5/iot/p/devices/a.b/commands",
            TOKEN,
            PARAS,
            HUAWEI,
            400,
            r#"{"error_code":"IOTDA.000006","error_msg":"Invalid input data. device_id must be 1 to 128 letters, digits, _ and -."}"#
        ),
        row!(
            "a device id that is no text",
            "POST /v5/iot/p/devices/%ff/commands",
            TOKEN,
            PARAS,
            HUAWEI,
            400,
            r#"{"error_code":"IOTDA.000006","error_msg":"Invalid input data. The path is not percent-encoded UTF-8."}"#
        ),
    ]
}

/// Messages, properties and the calls that are not carried. Only the device `lamp-huawei`, which is away, is named, so that
/// nothing is sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_messages_and_properties() -> anyhow::Result<()> {
    const DEVICE: &str = "/v5/iot/project/devices/lamp-huawei";
    const POST: &str = "POST /v5/iot/project/devices/lamp-huawei/messages";
    const PUT: &str = "PUT /v5/iot/project/devices/lamp-huawei/properties";
    let message = |what, body: &str| Call::new(what, POST, TOKEN, body);
    let set = |what, body: &str| Call::new(what, PUT, TOKEN, body);
    let on = |what, method_and_below: &str| {
        let (method, below) = method_and_below.split_once(' ').unwrap_or_default();
        Call::new(what, &format!("{method} {DEVICE}{below}"), TOKEN, "")
    };
    let of = |what, request: &str| Call::new(what, request, TOKEN, r#"{"message":"m"}"#);
    let long = |member: &str, length: usize| format!(r#"{{"message":"m","{member}":"{}"}}"#, "x".repeat(length));
    let many: Vec<_> = (0..21).map(|index| format!(r#"{{"prop_key":"{index}"}}"#)).collect();
    let many = format!(r#"{{"message":"m","properties":{{"user_properties":[{}]}}}}"#, many.join(","));
    let long_service = format!(r#"{{"services":[{{"service_id":"{}","properties":{{"v":1}}}}]}}"#, "s".repeat(65));
    let rows = vec![
        Call::new("a message of nobody", POST, Who::Nobody, r#"{"message":"m"}"#),
        Call::new("a message with a key of another platform", POST, KEY, r#"{"message":"m"}"#),
        message("no body", ""),
        message("a body that is cut off", r#"{"message":"#),
        message("a body that is a list", "[]"),
        Call::bytes("a body that is not UTF-8", POST, TOKEN, b"{\"message\":\"\xff\"}".to_vec()),
        Call::bytes("a body that is too long", POST, TOKEN, vec![b' '; 262_145]),
        message("no message", "{}"),
        message("a message that is a number", r#"{"message":7}"#),
        message("a message that is a list", r#"{"message":["m"]}"#),
        message("a message of more than 128 KiB", &format!(r#"{{"message":"{}"}}"#, "x".repeat(131_072))),
        message("a message id that is too long", &long("message_id", 101)),
        message("a message id with a space", r#"{"message":"m","message_id":"a b"}"#),
        message("a message id that is a number", r#"{"message":"m","message_id":7}"#),
        message("a name that is too long", &long("name", 129)),
        message("a name with a slash", r#"{"message":"m","name":"a/b"}"#),
        message("an encoding that does not exist", r#"{"message":"m","encoding":"hex"}"#),
        message("a format that does not exist", r#"{"message":"m","payload_format":"x"}"#),
        message("raw and base64", r#"{"message":"bQ==","payload_format":"raw","encoding":"base64"}"#),
        message("no base64", r#"{"message":"m","encoding":"base64"}"#),
        message("two topics", r#"{"message":"m","topic":"a","topic_full_name":"b"}"#),
        message("a topic with a wildcard", r#"{"message":"m","topic":"a/#"}"#),
        message("a topic that is too long", &long("topic", 129)),
        message("a time to live of 3 minutes", r#"{"message":"m","ttl":3}"#),
        message("a time to live of more than a day", r#"{"message":"m","ttl":1445}"#),
        message("a negative time to live", r#"{"message":"m","ttl":-5}"#),
        message("properties that are a list", r#"{"message":"m","properties":[]}"#),
        message("a correlation that is a number", r#"{"message":"m","properties":{"correlation_data":7}}"#),
        message("21 user properties", &many),
        of("a message for a device that is not known", "POST /v5/iot/project/devices/nobody/messages"),
        of("a message for a device id of other letters", "POST /v5/iot/project/devices/a.b/messages"),
        of("a message for a device id that is no text", "POST /v5/iot/project/devices/%ff/messages"),
        on("a message that is not known", "GET /messages/nothing"),
        on("taking back a message that is not known", "DELETE /messages/nothing"),
        on("a message id of other letters", "GET /messages/%00"),
        on("a query without a service", "GET /properties"),
        on("a query for a device that is away", "GET /properties?service_id=Light"),
        set("a set without a body", ""),
        set("a set without services", "{}"),
        set("no services", r#"{"services":[]}"#),
        set("services that are an object", r#"{"services":{}}"#),
        set("a service without an id", r#"{"services":[{"properties":{"v":1}}]}"#),
        set("a service without properties", r#"{"services":[{"service_id":"Light"}]}"#),
        set("properties that are none", r#"{"services":[{"service_id":"Light","properties":{}}]}"#),
        set("a property without a name", r#"{"services":[{"service_id":"Light","properties":{"":1}}]}"#),
        set("a service id that is too long", &long_service),
        set("a set for a device that is away", r#"{"services":[{"service_id":"Light","properties":{"v":1}}]}"#),
        on("asynchronous commands", "POST /async-commands"),
        on("the shadow", "GET /shadow"),
        of("batch tasks", "POST /v5/iot/project/batchtasks"),
        of("broadcasts", "POST /v5/iot/project/broadcast-messages"),
        of("the device API", "GET /v5/iot/project/devices"),
        of("a method that does not exist", "PATCH /v5/iot/project/devices/lamp-huawei/messages"),
    ];
    calls("huawei-iotda", rows).await
}
