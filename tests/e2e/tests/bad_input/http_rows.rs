//! Requests that must be refused, and the refusal of each.

use dragoman_e2e::world::{FLEETS_KEY, HUAWEI_TOKEN};

/// Who asks.
#[derive(Clone, Copy)]
pub(crate) enum Who {
    Nobody,
    Basic(&'static str, &'static str),
    Header(&'static str, &'static str),
}

/// A request and what must come back.
pub(crate) struct HttpRow {
    pub(crate) what: &'static str,
    /// Method and path; `{open}` and `{ended}` stand for executions.
    pub(crate) request: &'static str,
    pub(crate) who: Who,
    pub(crate) body: fn() -> Vec<u8>,
    /// The dialect that the answer is counted for.
    pub(crate) dialect: &'static str,
    pub(crate) status: u16,
    /// The body, UUIDs replaced by `<id>`.
    pub(crate) answer: &'static str,
}

const FLEETS: &str = "emqx-fleets";
const HUAWEI: &str = "huawei-iotda";
const KEY: Who = Who::Basic(FLEETS_KEY.0, FLEETS_KEY.1);
const TOKEN: Who = Who::Header("x-auth-token", HUAWEI_TOKEN.1);
const COMMANDS: &str = "POST /api/v1/commands";
const METER: &str = "POST /v5/iot/project/devices/water_meter_001/commands";

macro_rules! row {
    ($what:literal, $request:expr, $who:expr, $body:expr, $dialect:expr, $status:literal, $answer:expr) => {
        HttpRow {
            what: $what,
            request: $request,
            who: $who,
            body: || Vec::from($body),
            dialect: $dialect,
            status: $status,
            answer: $answer,
        }
    };
}

/// An object around so many objects, and a value in the innermost.
fn nested(depth: usize) -> String {
    format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth))
}

fn deep_command() -> String {
    format!("{{\"thingId\":\"thermostat-001\",\"action\":\"reboot\",\"params\":{}}}", nested(5_000))
}

fn deep_paras() -> String {
    format!("{{\"command_name\":\"X\",\"paras\":{}}}", nested(5_000))
}

fn long_action() -> String {
    format!("{{\"thingId\":\"thermostat-001\",\"action\":\"{}\"}}", "a".repeat(256))
}

fn long_service() -> String {
    format!("{{\"service_id\":\"{}\",\"paras\":{{}}}}", "s".repeat(65))
}

/// Every request.
pub(crate) fn rows() -> Vec<HttpRow> {
    let mut rows = fleets_bodies();
    rows.extend(fleets_paths());
    rows.extend(huawei());
    rows
}

fn fleets_bodies() -> Vec<HttpRow> {
    vec![
        row!(
            "a command that is not UTF-8",
            COMMANDS,
            KEY,
            b"{\"thingId\":\"\xff\"}",
            FLEETS,
            400,
            r#"{"code":"BAD_REQUEST","message":"the body must be a JSON object: EOF while parsing a value at line 1 column 0"}"#
        ),
        row!(
            "a command that is not JSON",
            COMMANDS,
            KEY,
            "thermostat",
            FLEETS,
            400,
            r#"{"code":"BAD_REQUEST","message":"the body must be a JSON object: expected ident at line 1 column 2"}"#
        ),
        row!(
            "a command that is cut off",
            COMMANDS,
            KEY,
            "{\"thingId\":",
            FLEETS,
            400,
            r#"{"code":"BAD_REQUEST","message":"the body must be a JSON object: EOF while parsing a value at line 1 column 11"}"#
        ),
        row!(
            "a command without a body",
            COMMANDS,
            KEY,
            "",
            FLEETS,
            400,
            r#"{"code":"BAD_REQUEST","message":"the body must be a JSON object: EOF while parsing a value at line 1 column 0"}"#
        ),
        row!(
            "a command that is a list",
            COMMANDS,
            KEY,
            "[1,2]",
            FLEETS,
            400,
            r#"{"code":"BAD_REQUEST","message":"the body must be a JSON object: expected an object"}"#
        ),
        row!(
            "a command nested too deep",
            COMMANDS,
            KEY,
            deep_command(),
            FLEETS,
            400,
            r#"{"code":"BAD_REQUEST","message":"the body must be a JSON object: the JSON is nested deeper than 64 levels"}"#
        ),
        row!(
            "a command that is too long",
            COMMANDS,
            KEY,
            vec![b' '; 262_145],
            FLEETS,
            413,
            r#"{"error":{"code":"$LIMIT","message":"the body exceeds 262144 bytes, the limit set by http.body_max_bytes","request_id":"<id>"}}"#
        ),
        row!(
            "no thing",
            COMMANDS,
            KEY,
            r#"{"action":"reboot"}"#,
            FLEETS,
            400,
            r#"{"code":"BAD_REQUEST","message":"thingId must be a string of 1 to 255 characters"}"#
        ),
        row!(
            "a thing that is a number",
            COMMANDS,
            KEY,
            r#"{"thingId":7,"action":"reboot"}"#,
            FLEETS,
            400,
            r#"{"code":"BAD_REQUEST","message":"thingId must be a string of 1 to 255 characters"}"#
        ),
        row!(
            "a thing that is not known",
            COMMANDS,
            KEY,
            r#"{"thingId":"nobody","action":"reboot"}"#,
            FLEETS,
            404,
            r#"{"code":"NOT_FOUND","message":"there is no thing nobody"}"#
        ),
        row!(
            "no action",
            COMMANDS,
            KEY,
            r#"{"thingId":"thermostat-001"}"#,
            FLEETS,
            400,
            r#"{"code":"BAD_REQUEST","message":"action must be a string of 1 to 255 characters"}"#
        ),
        row!(
            "an action that is too long",
            COMMANDS,
            KEY,
            long_action(),
            FLEETS,
            400,
            r#"{"code":"BAD_REQUEST","message":"action must be a string of 1 to 255 characters"}"#
        ),
        row!(
            "parameters that are a list",
            COMMANDS,
            KEY,
            r#"{"thingId":"thermostat-001","action":"a","params":[]}"#,
            FLEETS,
            400,
            r#"{"code":"BAD_REQUEST","message":"params must be a JSON object"}"#
        ),
        row!(
            "a time to live of nothing",
            COMMANDS,
            KEY,
            r#"{"thingId":"thermostat-001","action":"a","ttl":0}"#,
            FLEETS,
            400,
            r#"{"code":"BAD_REQUEST","message":"ttl must be a whole number of seconds from 1 to 86400"}"#
        ),
        row!(
            "a time to live of years",
            COMMANDS,
            KEY,
            r#"{"thingId":"thermostat-001","action":"a","ttl":99999999}"#,
            FLEETS,
            400,
            r#"{"code":"BAD_REQUEST","message":"ttl must be a whole number of seconds from 1 to 86400"}"#
        ),
        row!(
            "a time to live in words",
            COMMANDS,
            KEY,
            r#"{"thingId":"thermostat-001","action":"a","ttl":"30"}"#,
            FLEETS,
            400,
            r#"{"code":"BAD_REQUEST","message":"ttl must be a whole number of seconds from 1 to 86400"}"#
        ),
        row!(
            "a negative time to live",
            COMMANDS,
            KEY,
            r#"{"thingId":"thermostat-001","action":"a","ttl":-1}"#,
            FLEETS,
            400,
            r#"{"code":"BAD_REQUEST","message":"ttl must be a whole number of seconds from 1 to 86400"}"#
        ),
        row!(
            "a name that is taken",
            "POST /api/v1/things",
            KEY,
            r#"{"name":"thermostat-001","mqttClientId":"c"}"#,
            FLEETS,
            409,
            r#"{"code":"CONFLICT","message":"a thing named thermostat-001 already exists"}"#
        ),
        row!(
            "a name that splits topics",
            "POST /api/v1/things",
            KEY,
            r#"{"name":"a/b","mqttClientId":"c"}"#,
            FLEETS,
            400,
            r#"{"code":"BAD_REQUEST","message":"name must be a string of 1 to 255 characters and at most 400 bytes, without / + # and NUL"}"#
        ),
        row!(
            "a name that widens topics",
            "POST /api/v1/things",
            KEY,
            r#"{"name":"+","mqttClientId":"c"}"#,
            FLEETS,
            400,
            r#"{"code":"BAD_REQUEST","message":"name must be a string of 1 to 255 characters and at most 400 bytes, without / + # and NUL"}"#
        ),
        row!(
            "a thing without a client id",
            "POST /api/v1/things",
            KEY,
            r#"{"name":"new"}"#,
            FLEETS,
            400,
            r#"{"code":"BAD_REQUEST","message":"mqttClientId must be a string of 1 to 255 characters and at most 400 bytes, without NUL"}"#
        ),
    ]
}

fn fleets_paths() -> Vec<HttpRow> {
    const WRONG: Who = Who::Basic(FLEETS_KEY.0, "wrong");
    const STRANGER: Who = Who::Basic("ak_nobody", "secret-of-nobody");
    const BROKEN: Who = Who::Header("authorization", "Basic !!!");
    vec![
        row!(
            "no key",
            "GET /api/v1/commands",
            Who::Nobody,
            "",
            FLEETS,
            401,
            r#"{"code":"UNAUTHORIZED","message":"the API key or its secret is missing or wrong"}"#
        ),
        row!(
            "a key with a wrong secret",
            "GET /api/v1/commands",
            WRONG,
            "",
            FLEETS,
            401,
            r#"{"code":"UNAUTHORIZED","message":"the API key or its secret is missing or wrong"}"#
        ),
        row!(
            "a key that is not known",
            "GET /api/v1/commands",
            STRANGER,
            "",
            FLEETS,
            401,
            r#"{"code":"UNAUTHORIZED","message":"the API key or its secret is missing or wrong"}"#
        ),
        row!(
            "a key that is no Base64",
            "GET /api/v1/commands",
            BROKEN,
            "",
            FLEETS,
            401,
            r#"{"code":"UNAUTHORIZED","message":"the API key or its secret is missing or wrong"}"#
        ),
        row!(
            "a token of another platform",
            "GET /api/v1/commands",
            TOKEN,
            "",
            FLEETS,
            401,
            r#"{"code":"UNAUTHORIZED","message":"the API key or its secret is missing or wrong"}"#
        ),
        row!(
            "an execution that is not known",
            "GET /api/v1/commands/nothing",
            KEY,
            "",
            FLEETS,
            404,
            r#"{"code":"NOT_FOUND","message":"there is no such execution"}"#
        ),
        row!(
            "an execution id of other letters",
            "GET /api/v1/commands/%00%2e%2e",
            KEY,
            "",
            FLEETS,
            404,
            r#"{"code":"NOT_FOUND","message":"there is no such execution"}"#
        ),
        row!(
            "taking back what has ended",
            "POST /api/v1/commands/{ended}/cancel",
            KEY,
            "",
            FLEETS,
            409,
            r#"{"code":"CONFLICT","message":"execution {ended} has ended with CANCELED"}"#
        ),
        row!(
            "taking back what never was",
            "DELETE /api/v1/commands/nothing",
            KEY,
            "",
            FLEETS,
            404,
            r#"{"code":"NOT_FOUND","message":"there is no such execution"}"#
        ),
        row!(
            "a status that does not exist",
            "GET /api/v1/commands?status=LOST",
            KEY,
            "",
            FLEETS,
            400,
            r#"{"code":"BAD_REQUEST","message":"status must be one of SENT, SUCCEEDED, FAILED, REJECTED, TIMED_OUT, CANCELED"}"#
        ),
        row!(
            "page 0",
            "GET /api/v1/commands?page=0",
            KEY,
            "",
            FLEETS,
            400,
            r#"{"code":"BAD_REQUEST","message":"page must be a whole number from 1 to 5000"}"#
        ),
        row!(
            "a page that is too large",
            "GET /api/v1/commands?limit=201",
            KEY,
            "",
            FLEETS,
            400,
            r#"{"code":"BAD_REQUEST","message":"limit must be a whole number from 1 to 200"}"#
        ),
        row!(
            "a page too far away",
            "GET /api/v1/commands?page=5000&limit=200",
            KEY,
            "",
            FLEETS,
            400,
            r#"{"code":"BAD_REQUEST","message":"page times limit must be at most 5000; narrow the list by a filter"}"#
        ),
        row!(
            "a query that is not UTF-8",
            "GET /api/v1/commands?action=%ff",
            KEY,
            "",
            FLEETS,
            400,
            r#"{"code":"BAD_REQUEST","message":"the query is not percent-encoded UTF-8"}"#
        ),
        row!(
            "a thing that is not known",
            "GET /api/v1/things/nobody",
            KEY,
            "",
            FLEETS,
            404,
            r#"{"code":"NOT_FOUND","message":"there is no such thing"}"#
        ),
        row!(
            "a path of no dialect",
            "GET /api/v2/commands",
            KEY,
            "",
            "none",
            404,
            r#"{"error":{"code":"$NO_ROUTE","message":"no loaded dialect claims GET /api/v2/commands; `dragoman plugin list` shows the routes","request_id":"<id>"}}"#
        ),
        row!(
            "a method of no dialect",
            "PUT /api/v1/commands",
            KEY,
            "",
            "none",
            404,
            r#"{"error":{"code":"$NO_ROUTE","message":"no loaded dialect claims PUT /api/v1/commands; `dragoman plugin list` shows the routes","request_id":"<id>"}}"#
        ),
    ]
}

fn huawei() -> Vec<HttpRow> {
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
