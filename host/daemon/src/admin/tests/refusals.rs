//! Every way to ask wrongly, and the answer byte for byte.

use super::{Bench, TOKEN};
use axum::body::Body;

fn error(code: &str, message: &str) -> String {
    serde_json::json!({"error": {"code": code, "message": message}}).to_string()
}

/// Line, body, status, code, message.
type Row<'a> = (&'a str, &'a str, u16, &'a str, &'a str);

async fn refused(rows: &[Row<'_>]) {
    let bench = Bench::new();
    for (line, body, status, code, message) in rows {
        let answer = bench.call(line, (*body).to_owned()).await;
        assert_eq!(answer, (*status, error(code, message)), "{line} {body}");
    }
    assert!(bench.fake.devices.lock().unwrap().is_empty(), "nothing was registered");
    assert!(bench.fake.commands.lock().unwrap().is_empty(), "nothing was submitted");
}

#[tokio::test]
async fn without_the_token_nothing_under_v1_answers() {
    let bench = Bench::new();
    let other = "the token is not that of this daemon";
    let none = "send the admin token as \"Authorization: Bearer TOKEN\"";
    let longer = format!("Bearer {TOKEN}0");
    for (authorization, message) in [
        (None, none),
        (Some("Basic MDEyMzQ1Njc4OWFiY2RlZg=="), none),
        (Some("Bearer"), none),
        (Some(TOKEN), none),
        (Some("Bearer 0123456789abcdeF"), other),
        (Some("Bearer 0123456789abcde"), other),
        (Some(&longer), other),
        (Some("Bearer "), other),
    ] {
        for line in ["GET /v1/devices", "DELETE /v1/plugins", "GET /v1/none", "POST /v1/tokens", "GET /other"] {
            let answer = bench.send(line, authorization, Body::empty()).await;
            assert_eq!(answer, (401, error("UNAUTHORIZED", message)), "{line} {authorization:?}");
        }
    }
    let lower_case = format!("bearer {TOKEN}");
    assert_eq!(bench.send("GET /v1/devices", Some(&lower_case), Body::empty()).await.0, 200);
}

#[tokio::test]
async fn paths_and_methods_that_are_not_there() {
    refused(&[
        ("GET /v1/none", "", 404, "NOT_FOUND", "there is no /v1/none here"),
        ("GET /", "", 404, "NOT_FOUND", "there is no / here"),
        ("PUT /v1/devices", "", 405, "METHOD_NOT_ALLOWED", "/v1/devices does not know PUT"),
        ("POST /healthz", "", 405, "METHOD_NOT_ALLOWED", "/healthz does not know POST"),
        ("GET /v1/commands", "", 405, "METHOD_NOT_ALLOWED", "/v1/commands does not know GET"),
        ("GET /v1/devices/%ff", "", 400, "INVALID", "the path is not UTF-8 once it is decoded"),
        ("GET /v1/devices/lamp-1", "", 404, "NOT_FOUND", "no device lamp-1 is registered"),
        ("GET /v1/devices/a%0Ab", "", 404, "NOT_FOUND", "no device a?b is registered"),
        ("DELETE /v1/devices/lamp-1", "", 404, "NOT_FOUND", "no device lamp-1 is registered"),
        ("GET /v1/executions/e9", "", 404, "NOT_FOUND", "no execution e9 is known; it may have been forgotten"),
        ("GET /v1/executions/a.b", "", 404, "NOT_FOUND", "no execution a.b is known; it may have been forgotten"),
        ("POST /v1/executions/e2/cancel", "", 409, "CONFLICT", "execution e2 has ended as FAILED"),
        ("GET /v1/targets/none", "", 404, "NOT_FOUND", "there is no target none"),
        ("POST /v1/targets/none/retry", "", 404, "NOT_FOUND", "there is no target none"),
        ("POST /v1/targets/gone/retry", "", 409, "CONFLICT", "target gone is not in the configuration any more"),
        ("POST /v1/targets/none/drop", "", 404, "NOT_FOUND", "there is no target none"),
        ("GET /v1/targets/alarms/drop", "", 405, "METHOD_NOT_ALLOWED", "/v1/targets/alarms/drop does not know GET"),
        ("DELETE /v1/tokens/things/none", "", 404, "NOT_FOUND", "things has no account none"),
        (
            "DELETE /v1/tokens/things/device%2Flamp-1",
            "",
            409,
            "CONFLICT",
            "this is the secret of a device; it goes with the device",
        ),
    ])
    .await;
}

#[tokio::test]
async fn queries_that_no_list_understands() {
    let states =
        "state done is not known; known are QUEUED, SENT, ACKED, SUCCEEDED, FAILED, REJECTED, TIMED_OUT, CANCELED";
    refused(&[
        ("GET /v1/devices?limit=0", "", 400, "INVALID", "limit is 0; allowed are 1 to 1000"),
        ("GET /v1/devices?limit=1001", "", 400, "INVALID", "limit is 1001; allowed are 1 to 1000"),
        ("GET /v1/devices?limit=ten", "", 400, "INVALID", "limit is ten; allowed are 1 to 1000"),
        (
            "GET /v1/devices?state=sent",
            "",
            400,
            "INVALID",
            "state is no parameter here; known are label., limit, after",
        ),
        ("GET /v1/tokens?label.a=b", "", 400, "INVALID", "label.a is no parameter here; known are dialect"),
        ("GET /v1/executions?state=done", "", 400, "INVALID", states),
        ("GET /v1/executions?state=queued,done", "", 400, "INVALID", states),
        ("GET /v1/executions?order=best", "", 400, "INVALID", "order is best; expected newest or oldest first"),
        ("GET /v1/executions?after=nowhere", "", 400, "INVALID", "\"nowhere\" is not where a page ended"),
    ])
    .await;
}

#[tokio::test]
async fn devices_that_cannot_be() {
    let post = "POST /v1/devices";
    let long_id = format!(r#"{{"id":"{}","dialect":"things"}}"#, "x".repeat(129));
    let long_id_shown = format!("id is \"{}…\"; allowed are 1 to 128 of A-Z a-z 0-9 _ . : -", "x".repeat(128));
    let aliases = (0..33).map(|index| format!(r#""n{index}":"x""#)).collect::<Vec<_>>().join(",");
    let many_aliases = format!(r#"{{"id":"a","dialect":"things","aliases":{{{aliases}}}}}"#);
    let long_alias = format!(r#"{{"id":"a","dialect":"things","aliases":{{"things.name":"{}"}}}}"#, "x".repeat(257));
    let big_profile = format!(r#"{{"id":"a","dialect":"things","profile":{{"a":"{}"}}}}"#, "x".repeat(65_536));
    let big_body = "x".repeat(1_048_577);
    let deep = format!(r#"{{"id":"a","dialect":"things","profile":{{"a":{}1{}}}}}"#, "[".repeat(200), "]".repeat(200));
    refused(&[
        (post, "", 400, "INVALID", "the body is not JSON: EOF while parsing a value at line 1 column 0"),
        (post, "{", 400, "INVALID", "the body is not JSON: EOF while parsing an object at line 1 column 1"),
        (post, r#"["a","things",null,null,{},{},null,null]"#, 400, "INVALID", "the body is not a JSON object"),
        (post, "7", 400, "INVALID", "the body is not a JSON object"),
        (post, &big_body, 413, "TOO_LARGE", "the body exceeds 1048576 bytes, the limit"),
        (post, &deep, 400, "INVALID", "profile cannot be read: recursion limit exceeded at line 1 column 132"),
        (post, r#"{"id":"a"}"#, 400, "INVALID", "the body does not fit: missing field `dialect` at line 1 column 10"),
        (
            post,
            r#"{"id":"a","dialect":"things","label":{}}"#,
            400,
            "INVALID",
            "the body does not fit: unknown field `label`, expected one of `id`, `dialect`, `handler`, `parent`, \
             `aliases`, `labels`, `profile`, `credential` at line 1 column 36",
        ),
        (
            post,
            r#"{"id":"a","id":"b","dialect":"things"}"#,
            400,
            "INVALID",
            "the body does not fit: duplicate field `id` at line 1 column 14",
        ),
        (
            post,
            r#"{"id":"","dialect":"things"}"#,
            400,
            "INVALID",
            "id is \"\"; allowed are 1 to 128 of A-Z a-z 0-9 _ . : -",
        ),
        (
            post,
            r#"{"id":"a b","dialect":"things"}"#,
            400,
            "INVALID",
            "id is \"a b\"; allowed are 1 to 128 of A-Z a-z 0-9 _ . : -",
        ),
        (
            post,
            r#"{"id":"é","dialect":"things"}"#,
            400,
            "INVALID",
            "id is \"é\"; allowed are 1 to 128 of A-Z a-z 0-9 _ . : -",
        ),
        (post, &long_id, 400, "INVALID", &long_id_shown),
        (
            post,
            r#"{"id":"a","dialect":"Things"}"#,
            400,
            "INVALID",
            "dialect is \"Things\"; the name of a plugin is a lower-case letter and up to 63 of a-z 0-9 -",
        ),
        (
            post,
            r#"{"id":"a","dialect":"things","handler":"../x"}"#,
            400,
            "INVALID",
            "handler is \"../x\"; the name of a plugin is a lower-case letter and up to 63 of a-z 0-9 -",
        ),
        (
            post,
            r#"{"id":"a","dialect":"things","parent":"a"}"#,
            400,
            "INVALID",
            "parent is the device itself; name its gateway, or leave it out",
        ),
        (post, &many_aliases, 400, "INVALID", "aliases has 33 entries; at most 32 are allowed"),
        (post, &long_alias, 400, "INVALID", "aliases.things.name needs 1 to 256 bytes without control characters"),
        (
            post,
            r#"{"id":"a","dialect":"things","labels":{"a b":"x"}}"#,
            400,
            "INVALID",
            "labels has the name \"a b\"; allowed are 1 to 64 of A-Z a-z 0-9 _ . -",
        ),
        (
            post,
            r#"{"id":"a","dialect":"things","labels":{"a":"x\u0000"}}"#,
            400,
            "INVALID",
            "labels.a needs 1 to 256 bytes without control characters",
        ),
        (post, r#"{"id":"a","dialect":"things","profile":[]}"#, 400, "INVALID", "profile is not a JSON object"),
        (post, &big_profile, 400, "INVALID", "profile has 65544 bytes; at most 65536 are allowed"),
        (
            post,
            r#"{"id":"a","dialect":"things","credential":{"kind":"password","secret":"short"}}"#,
            400,
            "INVALID",
            "credential.secret has 5 bytes; it needs 8 to 1024",
        ),
        (
            post,
            r#"{"id":"a","dialect":"things","credential":{"kind":"pin","secret":"12345678"}}"#,
            400,
            "INVALID",
            "the body does not fit: unknown variant `pin`, expected `password` or `key` at line 1 column 55",
        ),
    ])
    .await;
    let bench = Bench::new();
    let body = b"{\"id\":\"\xff\",\"dialect\":\"things\"}".to_vec();
    let message = "the body is not JSON: invalid unicode code point at line 1 column 8";
    assert_eq!(bench.call(post, body).await, (400, error("INVALID", message)));
}

#[tokio::test]
async fn commands_that_cannot_be() {
    let post = "POST /v1/commands";
    let deep = format!(r#"{{"device":"a","write":[{{"name":"n","value":{}{}}}]}}"#, "[".repeat(200), "]".repeat(200));
    let one = "a command needs one of invoke, write, read and deliver";
    let labels = (0..9).map(|index| format!(r#""n{index}":"x""#)).collect::<Vec<_>>().join(",");
    let many_labels = format!(r#"{{"device":"a","read":[],"labels":{{{labels}}}}}"#);
    let properties = vec![r#"{"name":"a"}"#; 257].join(",");
    let many_properties = format!(r#"{{"device":"a","read":[{properties}]}}"#);
    let long_key = format!(r#"{{"device":"a","read":[],"idempotency_key":"{}"}}"#, "k".repeat(129));
    refused(&[
        (post, r#"{"device":"a"}"#, 400, "INVALID", one),
        (post, r#"{"device":"a","read":[],"invoke":{"action":"b"}}"#, 400, "INVALID", one),
        (post, r#"{"device":"a/b","read":[]}"#, 400, "INVALID", "device is \"a/b\"; allowed are 1 to 128 of A-Z a-z 0-9 _ . : -"),
        (post, r#"{"device":"nobody","read":[]}"#, 422, "$UNKNOWN_DEVICE", "no device nobody is registered"),
        (post, r#"{"device":"a","invoke":{"action":""}}"#, 400, "INVALID", "invoke.action needs 1 to 256 bytes without control characters"),
        (
            post,
            r#"{"device":"a","invoke":{"action":"b","params":[1]}}"#,
            400,
            "INVALID",
            "invoke.params is neither a JSON object nor null",
        ),
        (
            post,
            &deep,
            400,
            "INVALID",
            "write.value cannot be read: recursion limit exceeded at line 1 column 128",
        ),
        (post, r#"{"device":"a","write":[]}"#, 400, "INVALID", "write has 0 properties; allowed are 1 to 256"),
        (post, r#"{"device":"a","write":[{"name":"a"}]}"#, 400, "INVALID", "the body does not fit: missing field `value` at line 1 column 35"),
        (post, &many_properties, 400, "INVALID", "read has 257 properties; at most 256 are allowed"),
        (post, r#"{"device":"a","read":[{"name":"a","service":""}]}"#, 400, "INVALID", "read.service needs 1 to 256 bytes without control characters"),
        (post, r#"{"device":"a","deliver":{}}"#, 400, "INVALID", "deliver needs one of text and base64"),
        (post, r#"{"device":"a","deliver":{"text":"a","base64":"YQ=="}}"#, 400, "INVALID", "deliver needs one of text and base64"),
        (post, r#"{"device":"a","deliver":{"base64":"a"}}"#, 400, "INVALID", "deliver.base64 is not base64: Invalid input length: 1"),
        (post, r#"{"device":"a","read":[],"ttl_ms":999}"#, 400, "INVALID", "ttl_ms is 999; allowed are 1000 to 4294967295"),
        (
            post,
            r#"{"device":"a","read":[],"ttl_ms":4294967296}"#,
            400,
            "INVALID",
            "the body does not fit: invalid value: integer `4294967296`, expected u32 at line 1 column 43",
        ),
        (
            post,
            r#"{"device":"a","read":[],"succeeds_at":"accepted"}"#,
            400,
            "INVALID",
            "the body does not fit: unknown variant `accepted`, expected one of `sent`, `acked`, `ended` at line 1 column 48",
        ),
        (post, &many_labels, 400, "INVALID", "labels has 9 entries; at most 8 are allowed"),
        (post, &long_key, 400, "INVALID", "idempotency_key has 129 bytes; allowed are 1 to 128"),
    ])
    .await;
}

#[tokio::test]
async fn tokens_that_cannot_be() {
    let post = "POST /v1/tokens";
    refused(&[
        (
            post,
            r#"{"dialect":"things","account":"a","secret":"1234567"}"#,
            400,
            "INVALID",
            "the secret has 7 bytes; it needs 8 to 1024",
        ),
        (
            post,
            r#"{"dialect":"things","account":"a","rights":[1]}"#,
            400,
            "INVALID",
            "the rights cannot be used: they are not a JSON object (invalid type: sequence, expected a map at line 1 \
             column 0)",
        ),
        (
            post,
            r#"{"dialect":"things","account":"a:b"}"#,
            400,
            "INVALID",
            "account \"a:b\" cannot be used: it contains a colon, which ends the name in Basic authentication",
        ),
        (
            post,
            r#"{"dialect":"","account":"a"}"#,
            400,
            "INVALID",
            "dialect is \"\"; the name of a plugin is a lower-case letter and up to 63 of a-z 0-9 -",
        ),
        (
            post,
            r#"{"dialect":"things"}"#,
            400,
            "INVALID",
            "the body does not fit: missing field `account` at line 1 column 20",
        ),
    ])
    .await;
}
