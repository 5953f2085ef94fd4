//! What is answered where nothing is wrong.

use super::Bench;
use crate::credentials::Presented;
use axum::body::Body;
use dragoman_core::{DeviceId, Intent, Invocation, Payload, Stage, State, WhenAway};
use serde_json::json;

#[tokio::test]
async fn health_and_metrics_need_no_token() {
    let bench = Bench::new();
    for (line, expected) in [
        ("GET /healthz", (200, r#"{"status":"alive"}"#.to_owned())),
        ("GET /readyz", (200, r#"{"status":"ready"}"#.to_owned())),
        ("GET /metrics", (200, String::new())),
    ] {
        assert_eq!(bench.send(line, None, Body::empty()).await, expected);
    }
    *bench.fake.stopping.lock().unwrap() = true;
    let stopping = r#"{"error":{"code":"UNAVAILABLE","message":"the daemon stops"}}"#.to_owned();
    assert_eq!(bench.send("GET /readyz", None, Body::empty()).await, (503, stopping));
    assert_eq!(bench.send("GET /healthz", None, Body::empty()).await.0, 200, "it still lives");
    assert_eq!(bench.send("GET /metrics", Some("Bearer any"), Body::empty()).await.0, 200);
}

#[tokio::test]
async fn a_device_is_registered_shown_and_forgotten_with_its_secret() {
    let bench = Bench::new();
    let body = r#"{"id":"lamp-1","dialect":"things","handler":"lockbox","parent":"gw","aliases":{"things.name":"l"},
        "labels":{"site":"north"},"profile":{ "big": 12345678901234567890123 },"credential":{"kind":"key","secret":"12345678"}}"#;
    let added = bench.json("POST /v1/devices", body, 201).await;
    let expected = json!({
        "id": "lamp-1", "dialect": "things", "handler": "lockbox", "parent": "gw", "aliases": {"things.name": "l"},
        "labels": {"site": "north"}, "disabled": false, "online": false, "created_ms": 0, "updated_ms": 0,
        "profile": {"big": 12_345_678_901_234_567_890_123_f64}, "credential": {"kind": "key"},
    });
    let mut with_warnings = expected.clone();
    with_warnings["warnings"] = json!(["no plugin lockbox is loaded now; nothing of it works until it is"]);
    assert_eq!(added, with_warnings);
    let kept = bench.fake.devices.lock().unwrap()[&DeviceId::new("lamp-1")].profile.clone();
    assert_eq!(kept.as_deref(), Some(r#"{ "big": 12345678901234567890123 }"#), "the profile is kept as it was written");
    assert_eq!(bench.json("GET /v1/devices/lamp-1", "", 200).await, expected);
    let again = bench.json("POST /v1/devices", body, 409).await;
    assert_eq!(again["error"]["message"], "device lamp-1 is registered already");

    let vault = super::Control::vault(&*bench.fake);
    let key = vault.secret("things", "device/lamp-1").await.unwrap().unwrap();
    assert_eq!(key.as_slice(), b"12345678");
    assert_eq!(bench.call("DELETE /v1/devices/lamp-1", "").await, (204, String::new()));
    assert!(vault.secret("things", "device/lamp-1").await.unwrap().is_none());
    assert_eq!(bench.call("GET /v1/devices/lamp-1", "").await.0, 404);
}

#[tokio::test]
async fn devices_are_listed_in_pages() {
    let bench = Bench::new();
    for (id, site) in [("a", "north"), ("b", "south"), ("c", "north")] {
        let body = json!({"id": id, "dialect": "things", "labels": {"site": site}}).to_string();
        bench.json("POST /v1/devices", &body, 201).await;
    }
    let page = async |query: &str| {
        let page = bench.json(&format!("GET /v1/devices{query}"), "", 200).await;
        let ids: Vec<_> = page["items"].as_array().unwrap().iter().map(|item| item["id"].clone()).collect();
        json!([ids, page["next"]])
    };
    assert_eq!(page("").await, json!([["a", "b", "c"], null]));
    assert_eq!(page("?limit=2").await, json!([["a", "b"], "b"]));
    assert_eq!(page("?limit=2&after=b").await, json!([["c"], null]));
    assert_eq!(page("?label.site=north").await, json!([["a", "c"], null]));
}

#[tokio::test]
async fn each_intent_reaches_the_engine_as_it_was_written() {
    let bench = Bench::new();
    let body = r#"{"device":"lamp-1","invoke":{"service":"s","action":"set","params":{"x": 1.50}},"ttl_ms":1000,
        "succeeds_at":"acked","when_away":"fail","labels":{"batch":"7"},"idempotency_key":"k"}"#;
    let accepted = bench.json("POST /v1/commands", body, 202).await;
    assert_eq!(
        (&accepted["id"], &accepted["state"], &accepted["phase"]),
        (&json!("e1"), &json!("QUEUED"), &json!("waiting"))
    );
    let command = bench.fake.commands.lock().unwrap().pop().unwrap();
    let params = r#"{"x": 1.50}"#.to_owned();
    let invocation = Invocation { service: Some("s".to_owned()), action: "set".to_owned(), params };
    assert_eq!((command.device.as_str(), command.intent), ("lamp-1", Intent::Invoke(invocation)));
    assert_eq!((command.ttl_ms, command.succeeds_at), (Some(1_000), Some(Stage::Acked)));
    assert_eq!((command.when_away, command.idempotency_key.as_deref()), (Some(WhenAway::Fail), Some("k")));
    assert_eq!(command.labels, [("batch".to_owned(), "7".to_owned())]);

    for (intent, check) in [
        (
            r#""write":[{"name":"a","value":[1, 2]}]"#,
            "Write([Property { service: None, name: \"a\", value: \"[1, 2]\" }])",
        ),
        (r#""read":[{"service":"s","name":"a"}]"#, "Read([PropertyName { service: Some(\"s\"), name: \"a\" }])"),
        (r#""read":[]"#, "Read([])"),
        (r#""invoke":{"action":"a"}"#, "Invoke(Invocation { service: None, action: \"a\", params: \"null\" })"),
    ] {
        bench.json("POST /v1/commands", &format!(r#"{{"device":"lamp-1",{intent}}}"#), 202).await;
        assert_eq!(format!("{:?}", bench.fake.commands.lock().unwrap().pop().unwrap().intent), check);
    }
    for (content, payload) in [
        (r#""text":"héllo""#, Payload::Text("héllo".to_owned())),
        (r#""base64":"/wA=""#, Payload::Bytes(vec![255, 0])),
        (r#""base64":"YQ==""#, Payload::Text("a".to_owned())),
    ] {
        let body = format!(r#"{{"device":"lamp-1","deliver":{{"name":"n",{content},"attributes":{{"k":"v"}}}}}}"#);
        bench.json("POST /v1/commands", &body, 202).await;
        let Intent::Deliver(delivery) = bench.fake.commands.lock().unwrap().pop().unwrap().intent else { panic!() };
        assert_eq!((delivery.name.as_deref(), delivery.payload), (Some("n"), payload));
        assert_eq!(delivery.attributes, [("k".to_owned(), "v".to_owned())]);
    }
}

#[tokio::test]
async fn a_caller_that_waits_gets_the_end() {
    let bench = Bench::new();
    let body = r#"{"device":"lamp-1","read":[],"wait":true}"#;
    let ended = bench.json("POST /v1/commands", body, 200).await;
    assert_eq!((&ended["state"], &ended["ended_ms"]), (&json!("SUCCEEDED"), &json!(1_001)));
    assert_eq!(ended["outcome"], json!({"verdict": "SUCCEEDED", "result": {"level": 7}}));
    *bench.fake.stopping.lock().unwrap() = true;
    let broken_off = bench.json("POST /v1/commands", body, 503).await;
    assert_eq!(broken_off["error"]["message"], "the daemon stops; execution e1 goes on after its next start");
}

#[tokio::test]
async fn an_execution_is_shown_whole_but_for_what_is_its_origins() {
    let bench = Bench::new();
    let shown = bench.json("GET /v1/executions/e2", "", 200).await;
    let jam = json!({"code": "jam", "text": "the door is jammed", "detail": 3});
    let line = |seq: u64, event: &str, state: &str, reason: serde_json::Value| {
        json!({"seq": seq, "at_ms": 1_000 + seq, "event": event, "state": state, "attempt": 1, "reason": reason,
               "detail": {"cause": "x"}, "attributes": {"a": ["1", "2"]}})
    };
    let expected = json!({
        "id": "e2", "device": "lamp-1", "holder": "lamp-1", "origin": "admin", "alias": null,
        "intent": {"invoke": {"service": null, "action": "set", "params": {"level": 7}}},
        "state": "FAILED", "phase": "ended", "attempt": 0, "outcome": {"verdict": "FAILED", "reason": jam},
        "reason": null, "last_note": null, "report": {}, "labels": {"batch": "7"}, "handler": null,
        "plugins": {"things": "ab"}, "frames": [],
        "options": {"ttl_ms": 30_000, "succeeds_at": "ended", "lowered": false, "when_away": "queue", "queue": "admin"},
        "created_ms": 1_000, "updated_ms": 1_001, "sent_ms": null, "ended_ms": 1_001, "deadline_ms": 31_000,
        "history": [
            line(1, "queued", "QUEUED", json!(null)),
            line(2, "ended", "FAILED", json!({"code": "jam", "text": "the door is jammed", "detail": null})),
        ],
    });
    assert_eq!(shown, expected);
    let canceled = bench.json("POST /v1/executions/e1/cancel", "", 200).await;
    assert_eq!(canceled["state"], "CANCELED");
}

#[tokio::test]
async fn executions_are_selected_by_the_query() {
    let bench = Bench::new();
    let page = bench.json("GET /v1/executions", "", 200).await;
    assert_eq!((&page["items"][0]["id"], &page["next"]), (&json!("e2"), &json!("p2")));
    let all = bench.fake.selections.lock().unwrap().pop().unwrap();
    assert!(all.newest_first && all.limit == 100 && all.states.is_empty() && all.device.is_none());
    let query = "device=lamp-1&origin=things&state=queued,SENT&state=timed_out&label.batch=7&label.a=b%20c&limit=5&after=p2&order=oldest";
    bench.json(&format!("GET /v1/executions?{query}"), "", 200).await;
    let some = bench.fake.selections.lock().unwrap().pop().unwrap();
    assert_eq!((some.device, some.origin.as_deref()), (Some(DeviceId::new("lamp-1")), Some("things")));
    assert_eq!(some.states, [State::Queued, State::Sent, State::TimedOut]);
    assert_eq!(some.labels, [("batch".to_owned(), "7".to_owned()), ("a".to_owned(), "b c".to_owned())]);
    assert_eq!((some.after.as_deref(), some.newest_first, some.limit), (Some("p2"), false, 5));
}

#[tokio::test]
async fn a_token_is_made_listed_and_removed() {
    let bench = Bench::new();
    let made =
        bench.json("POST /v1/tokens", r#"{"dialect":"things","account":"a/1","rights":{"GET":["/"]}}"#, 201).await;
    let secret = made["secret"].as_str().unwrap().as_bytes().to_vec();
    assert_eq!(made, json!({"dialect": "things", "account": "a/1", "secret": made["secret"]}));
    let vault = super::Control::vault(&*bench.fake);
    let presented = Presented::new("x-auth-token".to_owned(), None, secret);
    assert_eq!(vault.check("things", None, &presented).await.unwrap().rights, r#"{"GET":["/"]}"#);

    let chosen = r#"{"dialect":"other","account":"b","secret":"0123456789"}"#;
    let made = bench.json("POST /v1/tokens", chosen, 201).await;
    assert!(made.get("secret").is_none(), "a chosen secret is not repeated");
    assert_eq!(made["warnings"].as_array().unwrap().len(), 2);
    bench.json("POST /v1/tokens", chosen, 409).await;
    bench
        .json(
            "POST /v1/devices",
            r#"{"id":"d","dialect":"things","credential":{"kind":"password","secret":"12345678"}}"#,
            201,
        )
        .await;

    let list = async |query: &str| {
        let mut list = bench.json(&format!("GET /v1/tokens{query}"), "", 200).await;
        for item in list["items"].as_array_mut().unwrap() {
            assert!(item["created_ms"].take().as_u64().unwrap() > 1_700_000_000_000);
        }
        list["items"].take()
    };
    let things =
        json!([{"dialect": "things", "account": "a/1", "kind": "token", "rights": {"GET": ["/"]}, "created_ms": null}]);
    assert_eq!(list("").await, things, "of loaded plugins, and without those of devices");
    let other = json!([{"dialect": "other", "account": "b", "kind": "password", "rights": {}, "created_ms": null}]);
    assert_eq!(list("?dialect=other").await, other);
    assert_eq!(bench.call("DELETE /v1/tokens/things/a%2F1", "").await, (204, String::new()));
    assert_eq!(list("").await, json!([]));
}

#[tokio::test]
async fn plugins_are_listed_with_what_was_refused() {
    let bench = Bench::new();
    let expected = json!({
        "loaded": [{"name": "things", "version": "0.1.0", "digest": "ab", "file": "plugins/things.wasm", "summary": "Things",
                    "roles": ["northbound", "southbound"], "imports": ["devices"],
                    "claims": ["POST /api/v1/commands"], "executions": 2}],
        "older": [{"name": "things", "version": "0.0.9", "digest": "cd", "executions": 1, "removed": false,
                   "quarantine": {"again_in_ms": 9, "times": 1, "reason": "it trapped"}}],
        "refused": [{"file": "plugins/x.wasm", "step": "component", "reason": "x.wasm is no component"}],
    });
    assert_eq!(bench.json("GET /v1/plugins", "", 200).await, expected);
    let released = json!({"released": 1, "waiting": 2});
    for body in ["{}", r#"{"digest":"cdcdcdcd"}"#] {
        assert_eq!(bench.json("POST /v1/plugins/things/release", body, 200).await, released);
    }
    for (path, body, status) in [
        ("others", "{}", 404),
        ("things", r#"{"digest":"cdcdcd"}"#, 400),
        ("things", r#"{"digest":"CDCDCDCD"}"#, 400),
        ("things", r#"{"version":"1"}"#, 400),
    ] {
        bench.json(&format!("POST /v1/plugins/{path}/release"), body, status).await;
    }
    assert_eq!(bench.json("POST /v1/plugins/things/readmit", "{}", 200).await, json!({"readmitted": 1}));
    bench.json("POST /v1/plugins/others/readmit", "{}", 404).await;
}

#[tokio::test]
async fn dead_letters_are_listed_shown_replayed_and_dropped() {
    let bench = Bench::new();
    let first = json!({
        "number": 1, "plugin": "things", "digest": "ab", "export": "southbound.handle-message", "at_ms": 5, "tries": 1,
        "reason": {"code": "$PLUGIN_TRAP", "text": "it trapped"}, "client_id": "client", "device": "lamp-1",
        "principal": "somebody", "topic": "things/up", "qos": 1, "retain": false, "attributes": {"a": "b"},
        "payload_bytes": 2,
    });
    let page = bench.json("GET /v1/dead-letters?plugin=things&limit=1", "", 200).await;
    assert_eq!(page, json!({"items": [first], "next": "1"}), "a list holds no payloads");
    let page = bench.json("GET /v1/dead-letters?after=1", "", 200).await;
    assert_eq!((page["items"].as_array().unwrap().len(), &page["next"]), (1, &json!(null)));
    let mut shown = first;
    shown["payload"] = json!("21");
    assert_eq!(bench.json("GET /v1/dead-letters/1", "", 200).await, shown);
    assert_eq!(bench.json("GET /v1/dead-letters/2", "", 200).await["payload_base64"], "/w==");
    let all = r#"{"plugin":"things"}"#;
    let replayed = json!({"replayed": 2, "failed": 0, "reasons": [], "left": 0});
    assert_eq!(bench.json("POST /v1/dead-letters/replay", all, 200).await, replayed);
    let failed = bench.json("POST /v1/dead-letters/replay", r#"{"number":1}"#, 200).await;
    let reasons = json!([{"number": 1, "code": "$PLUGIN_TRAP", "text": "it trapped"}]);
    assert_eq!(failed, json!({"replayed": 0, "failed": 1, "reasons": reasons, "left": 2}));
    assert_eq!(bench.json("POST /v1/dead-letters/drop", all, 200).await, json!({"dropped": 2}));
    for (call, body, status) in [
        ("GET /v1/dead-letters/9", "", 404),
        ("GET /v1/dead-letters/x", "", 400),
        ("GET /v1/dead-letters?after=x", "", 400),
        ("GET /v1/dead-letters?dialect=things", "", 400),
        ("POST /v1/dead-letters/drop", r#"{"number":9}"#, 404),
        ("POST /v1/dead-letters/drop", "{}", 400),
        ("POST /v1/dead-letters/replay", r#"{"number":1,"plugin":"things"}"#, 400),
    ] {
        bench.json(call, body, status).await;
    }
}

#[tokio::test]
async fn targets_are_listed_shown_retried_and_dropped() {
    let bench = Bench::new();
    let alarms = json!({
        "name": "alarms", "url": "https://hooks.example", "waiting": 3, "in_flight": 1, "given_up": 1, "held_ms": null,
        "last_answer": "404 Not Found", "last_answer_ms": 7,
    });
    let mut gone = alarms.clone();
    (gone["name"], gone["url"], gone["given_up"]) = (json!("gone"), json!(null), json!(0));
    assert_eq!(bench.json("GET /v1/targets", "", 200).await, json!({"items": [alarms, gone]}));
    let mut shown = alarms;
    shown["requests"] = json!([{
        "seq": 9, "dialect": "things", "method": "POST", "path": "/hook", "tries": 12, "created_ms": 5, "given_up_ms": 7,
        "last_answer": "404 Not Found",
    }]);
    assert_eq!(bench.json("GET /v1/targets/alarms", "", 200).await, shown);
    assert_eq!(bench.json("POST /v1/targets/alarms/retry", "", 200).await, json!({"retried": 4, "left": 1}));
    assert_eq!(bench.json("POST /v1/targets/alarms/drop", "", 200).await, json!({"dropped": 5}));
}

#[tokio::test]
async fn an_account_is_made_of_the_kind_that_is_asked_for() {
    let bench = Bench::new();
    for (account, kind, secret) in [
        ("a", "password", r#","secret":"a phrase of more than sixteen""#),
        ("b", "token", r#","secret":"0123456789abcdef""#),
        ("c", "key", ""),
    ] {
        let body = format!(r#"{{"dialect":"things","account":"{account}","kind":"{kind}"{secret}}}"#);
        let made = bench.json("POST /v1/tokens", &body, 201).await;
        assert_eq!(made["secret"].is_string(), secret.is_empty(), "{made}");
    }
    let listed = bench.json("GET /v1/tokens?dialect=things", "", 200).await;
    let kinds: Vec<_> = listed["items"].as_array().unwrap().iter().map(|item| item["kind"].clone()).collect();
    assert_eq!(json!(kinds), json!(["password", "token", "key"]));
}
