//! Requests that the Fleets API must refuse, and the refusal of each.

use crate::http_row::{HttpRow, Who, nested, row};
use dragoman_e2e::world::{FLEETS_KEY, HUAWEI_TOKEN};

const FLEETS: &str = "emqx-fleets";
const KEY: Who = Who::Basic(FLEETS_KEY.0, FLEETS_KEY.1);
const TOKEN: Who = Who::Header("x-auth-token", HUAWEI_TOKEN.1);
const COMMANDS: &str = "POST /api/v1/commands";

fn deep_command() -> String {
    format!("{{\"thingId\":\"thermostat-001\",\"action\":\"reboot\",\"params\":{}}}", nested(5_000))
}

fn long_action() -> String {
    format!("{{\"thingId\":\"thermostat-001\",\"action\":\"{}\"}}", "a".repeat(256))
}

/// Every request.
pub(crate) fn rows() -> Vec<HttpRow> {
    let mut rows = bodies();
    rows.extend(paths());
    rows
}

fn bodies() -> Vec<HttpRow> {
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

fn paths() -> Vec<HttpRow> {
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
