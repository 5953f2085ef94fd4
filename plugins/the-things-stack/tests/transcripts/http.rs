//! The HTTP API.

use crate::stage::*;
use dragoman_plugin_sdk::testing::{Fake, Transcript};
use dragoman_plugin_sdk::{
    Answer, Answers, Decision, Decoded, Delivery, Execution, Intent, Northbound, Payload, Reason, Request, Settlement,
    State, Topics,
};
use serde_json::Value;
use the_things_stack::TheThingsStack as Tts;

fn settle(transcript: &mut Transcript, fake: &Fake, decision: &Decision, settled: Result<Execution, Reason>) {
    let Decision::Wait(wait) = decision else { panic!("it waits") };
    fake.deeds.take();
    let settlement = Settlement { id: "e-1".to_owned(), settled };
    let response = <Tts as Northbound>::settled(fake, &wait.context, &[settlement]).unwrap();
    transcript.response(&response);
    assert_eq!(fake.deeds.take(), [], "an answer that is being worded writes nothing");
}

#[test]
fn the_http_api_answers_as_the_platform_does() {
    let mut transcript = Transcript::default();
    let mut fake = gateway();
    rights(&mut fake, r#"["RIGHT_APPLICATION_ALL"]"#);
    fake.settings = r#"{"public-address":"localhost:1883","public-tls-address":"localhost:8883","webhooks":{
        "wh1":{"application":"app1"},"paused":{"application":"app1","paused":true},"other":{"application":"app2"}}}"#
        .to_owned();
    let mut play = |title: &str, request: &Request| {
        let decision = Tts::handle_request(&fake, request);
        transcript.section(title).request(request).decision(&decision).deeds(&fake);
        decision.unwrap()
    };
    let push = play("push", &call("POST", "/devices/dev1/down/push", ITEM));
    play("push of nothing", &call("POST", "/devices/dev1/down/push", "{}"));
    play("clear", &call("POST", "/devices/dev1/down/replace", r#"{"downlinks":[]}"#));
    let hook = play("webhook", &call("POST", "/webhooks/wh1/devices/dev1/down/push", ITEM));
    play("webhook: paused", &call("POST", "/webhooks/paused/devices/dev1/down/push", ITEM));
    play("webhook: unknown", &call("POST", "/webhooks/wh2/devices/dev1/down/replace", ITEM));
    play("webhook: of another application", &call("POST", "/webhooks/other/devices/dev1/down/push", ITEM));
    play("an empty queue", &call("GET", "/devices/dev1/down", ""));
    play("connection info", &call("GET", "/mqtt-connection-info", ""));
    play("no link", &call("GET", "/link", ""));
    play("link", &call("PUT", "/link", r#"{"link":{"default_formatters":{"up_formatter":"FORMATTER_NONE"}}}"#));
    play("the link again", &call("GET", "/link", ""));
    let encode = r#"{"downlink":{"f_port":2,"decoded_payload":{"level":50}},"formatter":"FORMATTER_REPOSITORY"}"#;
    let encode = play("encode", &call("POST", "/devices/lamp1/down/encode", encode));
    let decode = play(
        "decode",
        &call("POST", "/devices/lamp1/down/decode", r#"{"downlink":{"f_port":10,"frm_payload":"AjI="}}"#),
    );
    let uplink = r#"{"uplink":{"f_port":11,"frm_payload":"AwDX","rx_metadata":[]}}"#;
    let uplink = play("decode an uplink", &call("POST", "/devices/lamp1/up/decode", uplink));
    play("decode without a handler", &call("POST", "/devices/dev1/down/decode", r#"{"downlink":{}}"#));
    let other = r#"{"downlink":{"decoded_payload":{}},"formatter":"FORMATTER_JAVASCRIPT"}"#;
    play("another formatter", &call("POST", "/devices/lamp1/down/encode", other));
    play(
        "simulate",
        &call("POST", "/devices/dev1/up/simulate", r#"{"uplink_message":{"f_port":1,"frm_payload":"AQ=="}}"#),
    );
    let simulate = r#"{"correlation_ids":["mine"],"uplink_message":{"f_port":11,"frm_payload":"AwDX"}}"#;
    let simulate = play("simulate for a handler", &call("POST", "/devices/lamp1/up/simulate", simulate));
    play("a route that is not emulated", &call("GET", "/packages/storage/uplink_message", ""));

    let record = submitted(&fake, PUSH, ITEM).0.remove(0);
    transcript.section("push: accepted");
    settle(&mut transcript, &fake, &push, Ok(record.clone()));
    transcript.section("webhook: accepted");
    settle(&mut transcript, &fake, &hook, Ok(record.clone()));
    for code in ["$QUEUE_FULL", "$UNKNOWN_DEVICE", "$DISABLED", "$INVALID"] {
        transcript.section(&format!("push: {code}"));
        settle(&mut transcript, &fake, &push, Err(reason(code)));
        transcript.line("the same by MQTT");
        let Decision::Wait(wait) = &push else { panic!("it waits") };
        let settlement = Settlement { id: "e-1".to_owned(), settled: Err(reason(code)) };
        <Tts as Topics>::settled(&fake, &wait.context, &[settlement]).unwrap();
        transcript.deeds(&fake);
    }
    let frame = Delivery {
        name: None,
        payload: Payload::Bytes(vec![2, 50]),
        attributes: vec![("lorawan.f-port".to_owned(), "10".to_owned())],
    };
    let decoded = Answer::Decoded(Decoded { value: r#"{"temperature":21.5}"#.to_owned(), warnings: Vec::new() });
    let rows = [
        ("encode: done", &encode, Answer::Frames(vec![Intent::Deliver(frame)])),
        ("encode: refused", &encode, Answer::Refused(reason("INVALID_PARAMS"))),
        ("encode: no payload", &encode, Answer::Frames(vec![Intent::Write(Vec::new())])),
        ("decode: done", &decode, decoded.clone()),
        ("decode an uplink: done", &uplink, decoded.clone()),
        ("simulate for a handler: done", &simulate, decoded),
        ("simulate for a handler: not decoded", &simulate, Answer::Refused(reason("$UNSUPPORTED"))),
    ];
    for (title, decision, answer) in rows {
        let Decision::Wait(wait) = decision else { panic!("{title}") };
        transcript.section(title).decision(&Ok(Tts::answered(&fake, &wait.context, &[answer]).unwrap().unwrap()));
        transcript.deeds(&fake);
    }
    let mut sent = record.clone();
    (sent.state, sent.attempt, sent.id) = (State::Sent, 1, "e-2".to_owned());
    let mut again = submitted(&fake, PUSH, CONFIRMED).0.remove(0);
    (again.attempt, again.updated_ms, again.id) = (1, NOW_MS + 5, "e-0".to_owned());
    fake.executions = vec![again, sent, record];
    let listing = call("GET", "/devices/dev1/down", "");
    transcript.section("a queue: what is sent, what waits, what was tried").request(&listing);
    transcript.decision(&Tts::handle_request(&fake, &listing));
    transcript.section("replace by MQTT: what waits is taken back, what is sent is not");
    publish(&mut transcript, &fake, REPLACE, ITEM);
    transcript.check("tests/golden/http.txt");
}

/// Bad input by HTTP: status and error; and what is published about it.
#[test]
fn bad_calls_are_refused_by_name() {
    let mut fake = gateway();
    rights(&mut fake, r#"["RIGHT_APPLICATION_ALL"]"#);
    let down = "/devices/dev1/down/push";
    let items = |items: &str| format!(r#"{{"downlinks":[{items}]}}"#);
    let many = items(&vec![r#"{"f_port":1,"frm_payload":"AQ=="}"#; 80].join(","));
    let rows: Vec<(&str, &str, String, u16, &str, usize)> = vec![
        ("POST", down, String::new(), 400, "decode_body", 0),
        ("POST", down, "{".to_owned(), 400, "decode_body", 0),
        ("POST", down, "[]".to_owned(), 400, "decode_body", 0),
        ("POST", down, include_str!("../seed/push.json").to_owned(), 400, "decode_body", 0),
        ("POST", down, r#"{"downlinks":{}}"#.to_owned(), 400, "decode_body", 0),
        ("POST", down, items("7"), 400, "decode_body", 0),
        ("POST", down, items(r#"{"f_port":"15"}"#), 400, "decode_body", 0),
        ("POST", down, items(r#"{"f_port":300,"frm_payload":"AQ=="}"#), 400, "validate_body", 0),
        ("POST", down, items(r#"{"f_port":224,"frm_payload":"AQ=="}"#), 400, "validate_body", 0),
        ("POST", down, items(r#"{"f_port":1,"frm_payload":"?"}"#), 400, "validate_body", 0),
        ("POST", down, items(r#"{"f_port":1,"priority":"URGENT"}"#), 400, "validate_body", 0),
        ("POST", down, items(r#"{"f_port":1,"decoded_payload":7}"#), 400, "validate_body", 0),
        ("POST", down, items(r#"{"frm_payload":"AQ=="}"#), 400, "no_f_port", 1),
        ("POST", down, items(r#"{"f_port":0,"frm_payload":"AQ=="}"#), 400, "no_f_port", 1),
        ("POST", down, items(r#"{"decoded_payload":{"a":1}}"#), 400, "no_f_port", 1),
        ("POST", down, items(r#"{"f_port":1}"#), 400, "no_payload", 1),
        ("POST", down, items(r#"{"f_port":1,"frm_payload":""}"#), 400, "no_payload", 1),
        // A batch fails as a whole.
        ("POST", down, items(r#"{"f_port":1,"frm_payload":"AQ=="},{"f_port":1}"#), 400, "no_payload", 2),
        (
            "POST",
            down,
            items(r#"{"f_port":1,"frm_payload":"AQ==","confirmed_retry":{"max_attempts":33}}"#),
            400,
            "downlink_max_retries_invalid",
            1,
        ),
        // More than one call can do: not even what fails is told, and no item is looked at.
        ("POST", down, many, 429, "too_much_at_once", 0),
        ("POST", down, items(&vec!["{}"; 1_000].join(",")), 429, "too_much_at_once", 0),
        ("POST", "/devices/dev9/down/push", ITEM.to_owned(), 404, "device_not_found", 0),
        ("POST", "/devices/DEV1/down/push", ITEM.to_owned(), 400, "validate_body", 0),
        ("POST", "/devices/d%2fx/down/push", ITEM.to_owned(), 400, "validate_body", 0),
        ("GET", "/devices/dev9/down", String::new(), 404, "device_not_found", 0),
        ("POST", "/devices/dev1/down/encode", "{}".to_owned(), 400, "validate_body", 0),
        ("POST", "/devices/lamp1/down/encode", r#"{"downlink":{"f_port":1}}"#.to_owned(), 400, "validate_body", 0),
        ("POST", "/devices/lamp1/up/decode", r#"{"uplink":{"frm_payload":"?"}}"#.to_owned(), 400, "validate_body", 0),
        ("POST", "/devices/lamp1/up/decode", r#"{"uplink":[]}"#.to_owned(), 400, "validate_body", 0),
        ("POST", "/devices/dev1/up/simulate", "{}".to_owned(), 400, "validate_body", 0),
        ("POST", "/devices/dev1/up/simulate", r#"{"uplink_message":7}"#.to_owned(), 400, "validate_body", 0),
        (
            "POST",
            "/devices/dev1/up/simulate",
            format!(r#"{{"correlation_ids":["{}"],"uplink_message":{{}}}}"#, "x".repeat(200_000)),
            400,
            "validate_body",
            0,
        ),
        ("POST", "/devices/dev9/up/simulate", r#"{"uplink_message":{}}"#.to_owned(), 404, "device_not_found", 0),
        ("PUT", "/link", r#"{"link":7}"#.to_owned(), 400, "validate_body", 0),
        ("POST", "/webhooks/wh9/devices/dev1/down/push", ITEM.to_owned(), 404, "webhook_not_found", 0),
        ("GET", "/webhooks", String::new(), 501, "not_implemented", 0),
    ];
    for (method, below, body, status, name, failed) in rows {
        let decision = Tts::handle_request(&fake, &call(method, below, &body)).unwrap();
        let Decision::Respond(response) = decision else { panic!("{method} {below} {body:.100}: it waits") };
        let Payload::Text(text) = &response.body else { panic!("text") };
        let error: Value = serde_json::from_str(text).unwrap();
        let found = (response.status, error["details"][0]["name"].as_str().unwrap());
        assert_eq!(found, (status, name), "{method} {below} {body:.100}: {text}");
        let told = published(&fake);
        assert_eq!(told.len(), failed, "{body:.100}");
        assert!(
            told.iter()
                .all(|(topic, up)| topic.ends_with("/down/failed") && up["downlink_failed"]["error"]["name"] == name)
        );
    }
}
