//! The dialect as transcripts: what applications send, what is submitted for it, and what they are told, byte for byte;
//! and the platform's own examples.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use dragoman_plugin_sdk::testing::{Deed, Fake, Transcript, execution, request, session};
use dragoman_plugin_sdk::{
    Admission, Answer, Answers, Attributes, Decision, Decoded, Delivery, Event, Execution, Gateway, Intent, Message,
    Northbound, Notifications, Payload, Place, Presented, Reason, Request, Session, Settlement, Stage, State,
    Subscription, Subscriptions, Topics, Transition, Wait,
};
use serde_json::Value;
use the_things_stack::{NAME, TheThingsStack as Tts};

/// 2019-01-29T13:02:35Z
const NOW_MS: u64 = 1_548_766_955_000;
const KEY: &str = "NNSXS.VEEBURF3KR77ZR..";
const PUSH: &str = "v3/app1/devices/dev1/down/push";
const REPLACE: &str = "v3/app1/devices/dev1/down/replace";
const ITEM: &str = r#"{"downlinks":[{"f_port":15,"frm_payload":"vu8="}]}"#;
const CONFIRMED: &str = r#"{"downlinks":[{"f_port":15,"frm_payload":"vu8=","confirmed":true}]}"#;
const OBJECT: &str = r#"{"downlinks":[{"f_port":15,"decoded_payload":{"level": 50}}]}"#;

/// Application `app1` with a LoRaWAN device `dev1`, one with a handler `lamp1`, and a thing of another dialect `thing1`.
fn gateway() -> Fake {
    let mut fake = Fake { now_ms: NOW_MS, presented: Some(KEY.to_owned()), ..Fake::default() };
    rights(&mut fake, r#"["RIGHT_APPLICATION_TRAFFIC_READ","RIGHT_APPLICATION_TRAFFIC_DOWN_WRITE"]"#);
    let lorawan = [("tts.id", "app1.dev1"), ("lorawan.dev-eui", "4200000000000000")];
    fake.add_device("d-1", "chirpstack", &lorawan);
    fake.add_device("d-2", "chirpstack", &[("tts.id", "app1.lamp1"), ("lorawan.dev-eui", "4200000000000002")]);
    fake.add_device("d-3", "emqx-fleets", &[("tts.id", "app1.thing1"), ("fleets.name", "thing1")]);
    {
        let mut devices = fake.devices.borrow_mut();
        devices[0].labels = vec![("lorawan.join-eui".to_owned(), "4200000000000000".to_owned())];
        devices[1].handler = Some("lora-lamp".to_owned());
    }
    fake
}

fn rights(fake: &mut Fake, rights: &str) {
    fake.accounts.insert("app1".to_owned(), (KEY.to_owned(), format!(r#"{{"rights":{rights}}}"#)));
}

fn client() -> Session {
    let mut client = session("mosq-1", Some("app1"));
    client.principal = Some("app1".to_owned());
    client
}

fn message(topic: &str, payload: &str) -> Message {
    let payload = Payload::Text(payload.to_owned());
    Message { topic: topic.to_owned(), payload, qos: 0, retain: false, attributes: Vec::new() }
}

fn call(method: &str, below: &str, body: &str) -> Request {
    let mut request = request(method, &format!("/api/v3/as/applications/app1{below}"), body);
    request.presented = Some(Presented { scheme: "bearer".to_owned(), account: None });
    request
}

fn publish(transcript: &mut Transcript, fake: &Fake, topic: &str, payload: &str) -> Option<Wait> {
    let message = message(topic, payload);
    let wait = Tts::handle_message(fake, &client(), &message);
    transcript.message("publish", &message).waits(&wait).deeds(fake);
    wait.unwrap()
}

/// The records of what was submitted, and the context of the call that waits for them.
fn submitted(fake: &Fake, topic: &str, payload: &str) -> (Vec<Execution>, String) {
    let wait = Tts::handle_message(fake, &client(), &message(topic, payload)).unwrap().expect("it waits");
    let records = fake.deeds.take().into_iter().filter_map(|deed| match deed {
        Deed::Submitted(id, command) => Some(execution(&id, NAME, *command, NOW_MS)),
        _ => None,
    });
    (records.collect(), wait.context)
}

fn line(event: &str, state: State, attempt: u32, attributes: &[(&str, &str)]) -> Transition {
    let attributes = attributes.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    let (at_ms, event) = (NOW_MS + 1_000, event.to_owned());
    Transition { seq: 1, at_ms, event, state, attempt, reason: None, detail: None, attributes }
}

fn because(mut line: Transition, code: &str) -> Transition {
    line.reason = Some(reason(code));
    line
}

fn reason(code: &str) -> Reason {
    Reason { code: code.to_owned(), text: "why".to_owned(), detail: None }
}

/// What was published, as topics and bodies.
fn published(fake: &Fake) -> Vec<(String, Value)> {
    let messages = fake.deeds.take().into_iter().filter_map(|deed| match deed {
        Deed::Published(_, message) => Some(message),
        _ => None,
    });
    let read = |message: Message| {
        let Payload::Text(text) = &message.payload else { panic!("text") };
        assert_eq!((message.qos, message.retain), (0, false));
        (message.topic, serde_json::from_str(text).unwrap())
    };
    messages.map(read).collect()
}

/// Whether all that the platform's example shows is in ours. `...` stands for anything, and correlation ids count by
/// value: the platform sorts them today.
fn shows(ours: &Value, seed: &Value, at: &str) {
    match (ours, seed) {
        (_, Value::String(any)) if any == "..." => {}
        (Value::Array(ours), Value::Array(seed)) if at.ends_with("correlation_ids") => {
            assert!(ours.is_sorted_by_key(|id| id.as_str()), "{at} is not sorted: {ours:?}");
            assert!(seed.iter().all(|id| id == "..." || ours.contains(id)), "{at}: {ours:?} {seed:?}");
        }
        (Value::Array(ours), Value::Array(seed)) => {
            assert_eq!(ours.len(), seed.len(), "{at}");
            ours.iter().zip(seed).for_each(|(ours, seed)| shows(ours, seed, &format!("{at}[]")));
        }
        (Value::Object(ours), Value::Object(seed)) => {
            for (name, seed) in seed {
                let ours = ours.get(name).unwrap_or_else(|| panic!("{at}.{name} is missing"));
                shows(ours, seed, &format!("{at}.{name}"));
            }
        }
        _ => assert_eq!(ours, seed, "{at}"),
    }
}

/// The commands of the platform's page "Send and receive data", as they stand there.
#[test]
fn the_seeds_commands_are_understood() {
    let mut transcript = Transcript::default();
    let fake = gateway();
    let mut connecting = session("mosq-1", Some("app1"));
    transcript.section("mosquitto_sub -t '#' -u app1 -P NNSXS…");
    transcript.verdict(&Tts::authenticate(&fake, &connecting, 60, true));
    connecting.principal = Some("app1".to_owned());
    let asked = Subscription { filter: "#".to_owned(), qos: 0 };
    transcript.line(&format!("# becomes {:?}", Tts::on_subscribe(&fake, &connecting, &asked).unwrap()));
    transcript.section("the first example, with its trailing comma");
    publish(&mut transcript, &fake, PUSH, include_str!("seed/push.json"));
    transcript.section("the same again: no second warning");
    publish(&mut transcript, &fake, PUSH, include_str!("seed/push.json"));
    transcript.section("mosquitto_pub");
    publish(&mut transcript, &fake, PUSH, include_str!("seed/push-mosquitto.json"));
    transcript.section("confirmed, with a correlation id");
    publish(&mut transcript, &fake, PUSH, include_str!("seed/push-confirmed.json"));
    transcript.section("class C multicast");
    publish(&mut transcript, &fake, PUSH, include_str!("seed/push-multicast.json"));
    transcript.section("replaced by nothing");
    publish(&mut transcript, &fake, REPLACE, r#"{"downlinks":[]}"#);
    transcript.check("tests/golden/seed.txt");
}

#[test]
fn the_seeds_join_and_uplink_are_told() {
    let fake = gateway();
    let attribute = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let seed: Value = serde_json::from_str(include_str!("seed/join.json")).unwrap();
    let ids = |seed: &Value| -> Attributes {
        let ids = seed["correlation_ids"].as_array().unwrap().iter();
        ids.map(|id| attribute("lorawan.correlation-id", id.as_str().unwrap())).collect()
    };
    let mut attributes = ids(&seed);
    attributes.push(attribute("lorawan.dev-addr", "01da1f15"));
    attributes.push(attribute("lorawan.session-key-id", "AWiZpAyXrAfEkUNkBljRoA=="));
    let mut event = Event {
        device: "d-1".to_owned(),
        kind: "join".to_owned(),
        name: None,
        at_ms: NOW_MS,
        raw: None,
        body: None,
        attributes: attributes.clone(),
    };
    Tts::on_event(&fake, &event, None).unwrap();
    let told = published(&fake);
    assert_eq!((told.len(), told[0].0.as_str()), (1, "v3/app1/devices/dev1/join"));
    shows(&told[0].1, &seed, "join");

    let seed: Value = serde_json::from_str(include_str!("seed/up.json")).unwrap();
    event.kind = "uplink".to_owned();
    event.raw = Some(Payload::Text("Temperature = 0.0".to_owned()));
    event.attributes = attributes.into_iter().filter(|(name, _)| name != "lorawan.correlation-id").collect();
    event.attributes.extend(ids(&seed));
    event.attributes.extend([
        attribute("lorawan.f-port", "15"),
        attribute("lorawan.rx-metadata", &seed["uplink_message"]["rx_metadata"].to_string()),
        attribute("lorawan.settings", &seed["uplink_message"]["settings"].to_string()),
    ]);
    Tts::on_event(&fake, &event, None).unwrap();
    let told = published(&fake);
    assert_eq!((told.len(), told[0].0.as_str()), (1, "v3/app1/devices/dev1/up"));
    shows(&told[0].1, &seed, "up");
    assert_eq!(told[0].1["uplink_message"]["frm_payload"], "VGVtcGVyYXR1cmUgPSAwLjA=");
}

#[test]
fn the_seeds_acknowledgement_is_told() {
    let fake = gateway();
    let (records, _) = submitted(&fake, PUSH, include_str!("seed/push-confirmed.json"));
    let radio = [
        ("acked.cause", "network"),
        ("lorawan.f-cnt", "11"),
        ("lorawan.dev-addr", "00e6f42a"),
        ("lorawan.session-key-id", "AWnj0318qrtJ7kbudd8Vmw=="),
    ];
    let lines = [
        line("queued", State::Queued, 0, &[]),
        line("planned", State::Queued, 1, &[]),
        line("sent", State::Sent, 1, &[]),
        line("acked", State::Acked, 1, &radio),
        line("ended", State::Succeeded, 1, &radio[1..]),
    ];
    Tts::on_transitions(&fake, &records[0], &lines, 5, &[]).unwrap();
    let told = published(&fake);
    let topics: Vec<_> = told.iter().map(|(topic, _)| topic.rsplit('/').next().unwrap()).collect();
    assert_eq!(topics, ["queued", "sent", "ack"]);
    let mut seed: Value = serde_json::from_str(include_str!("seed/ack.json")).unwrap();
    // A slip of the page: it pushes HIGH and shows NORMAL. What was pushed is what is told.
    seed["downlink_ack"]["priority"] = "HIGH".into();
    shows(&told[2].1, &seed, "ack");
    let ours = told[2].1["downlink_ack"].as_object().unwrap();
    assert_eq!(ours.len(), seed["downlink_ack"].as_object().unwrap().len(), "{ours:?}");
}

/// Every way in which a downlink goes on and ends, as the application hears it.
#[test]
fn every_event_has_its_topic_and_body() {
    let mut transcript = Transcript::default();
    let fake = gateway();
    let (confirmed, _) = submitted(&fake, PUSH, CONFIRMED);
    let (plain, _) = submitted(&fake, PUSH, ITEM);
    let mut told_sent = confirmed[0].clone();
    told_sent.state = State::Acked;
    told_sent.labels.push(("tts.told-sent".to_owned(), "1".to_owned()));
    let radio = [("lorawan.f-cnt", "7"), ("lorawan.dev-addr", "01da1f15")];
    let mut by_handler = told_sent.clone();
    by_handler.report = radio.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    let ended = |state, attempt| line("ended", state, attempt, &[]);
    let rows: Vec<(&str, &Execution, Vec<Transition>)> = vec![
        ("queued", &confirmed[0], vec![line("queued", State::Queued, 0, &[])]),
        ("sent by radio", &confirmed[0], vec![line("acked", State::Acked, 1, &radio)]),
        ("acknowledged, with sent told before", &told_sent, vec![line("ended", State::Succeeded, 1, &radio)]),
        (
            "unconfirmed: sent is the end",
            &plain[0],
            vec![line("acked", State::Acked, 1, &radio), ended(State::Succeeded, 1)],
        ),
        (
            "not acknowledged, and queued again without a word",
            &told_sent,
            vec![
                because(line("attempt-failed", State::Queued, 1, &radio), "LORAWAN_NACK"),
                line("requeued", State::Queued, 1, &[]),
            ],
        ),
        (
            "not acknowledged for the last time",
            &told_sent,
            vec![
                because(line("attempt-failed", State::Acked, 8, &radio), "LORAWAN_NACK"),
                because(ended(State::Failed, 8), "LORAWAN_NACK"),
            ],
        ),
        ("acknowledged, and ended by a handler", &by_handler, vec![ended(State::Succeeded, 1)]),
        ("expired in the queue", &confirmed[0], vec![because(ended(State::TimedOut, 0), "$EXPIRED_IN_QUEUE")]),
        ("nothing heard", &told_sent, vec![because(ended(State::TimedOut, 1), "$NO_RESPONSE")]),
        ("another dialect's device: succeeded", &confirmed[0], vec![ended(State::Succeeded, 1)]),
        ("another dialect's device: failed", &confirmed[0], vec![because(ended(State::Failed, 1), "BUSY")]),
        ("another dialect's device: refused", &confirmed[0], vec![because(ended(State::Rejected, 1), "NO")]),
        (
            "delivered, and no answer is possible",
            &confirmed[0],
            vec![because(ended(State::Succeeded, 1), "$DELIVERED_ONLY")],
        ),
        ("replaced: it vanishes", &confirmed[0], vec![because(ended(State::Canceled, 0), "$CANCELED")]),
    ];
    for (title, record, lines) in rows {
        transcript.section(title);
        Tts::on_transitions(&fake, record, &lines, 1, &[]).unwrap();
        transcript.deeds(&fake);
    }
    transcript.check("tests/golden/events.txt");
}

#[test]
fn a_confirmed_downlink_is_tried_again_at_the_tail() {
    let fake = gateway();
    let body = r#"{"downlinks":[{"f_port":1,"frm_payload":"AQ==","confirmed":true,"confirmed_retry":{"max_attempts":3}},
        {"f_port":1,"frm_payload":"Ag==","confirmed":true},{"f_port":1,"frm_payload":"Aw=="}]}"#;
    Tts::handle_message(&fake, &client(), &message(PUSH, body)).unwrap();
    let found: Vec<_> = fake
        .deeds
        .take()
        .into_iter()
        .filter_map(|deed| match deed {
            Deed::Submitted(_, command) => {
                let attempts = command.attempts.map(|attempts| (attempts.max, attempts.backoff_ms, attempts.place));
                Some((command.succeeds_at, attempts, command.alias.unwrap()))
            }
            _ => None,
        })
        .collect();
    let place = Place::Tail;
    let parts: Vec<_> = found.iter().map(|(stage, attempts, _)| (*stage, *attempts)).collect();
    let ended = Some(Stage::Ended);
    assert_eq!(parts, [(ended, Some((3, 0, place))), (ended, Some((8, 0, place))), (Some(Stage::Acked), None)]);
    let mut aliases: Vec<_> = found.into_iter().map(|(.., alias)| alias).collect();
    aliases.dedup();
    assert!(aliases.len() == 3 && aliases.iter().all(|alias| alias.starts_with("as:downlink:")), "{aliases:?}");
}

/// The device has a handler: an object is encoded before it is accepted, and bytes are decoded.
#[test]
fn a_handler_gives_the_other_form_of_a_payload() {
    let mut transcript = Transcript::default();
    let fake = gateway();
    let topic = PUSH.replace("dev1", "lamp1");
    let item = r#"{"decoded_payload":{"level": 50}}"#;
    let body = format!(r#"{{"downlinks":[{item},{{"f_port":10,"frm_payload":"AjI="}}]}}"#);
    transcript.section("an object and bytes");
    let wait = publish(&mut transcript, &fake, &topic, &body).unwrap();
    let frame = Intent::Deliver(Delivery {
        name: None,
        payload: Payload::Bytes(vec![2, 50]),
        attributes: vec![("lorawan.f-port".to_owned(), "10".to_owned())],
    });
    let decoded = Decoded { value: r#"{"level":50}"#.to_owned(), warnings: vec!["dim".to_owned()] };
    let answers = [Answer::Frames(vec![frame.clone()]), Answer::Decoded(decoded)];
    transcript.section("the handler answers");
    let decision = Tts::answered(&fake, &wait.context, &answers).unwrap().unwrap();
    transcript.decision(&Ok(decision)).deeds(&fake);

    let one = format!(r#"{{"downlinks":[{item}]}}"#);
    let unsupported = Answer::Refused(reason("$UNSUPPORTED"));
    let rows = [
        ("the handler refuses", Answer::Refused(reason("INVALID_PARAMS"))),
        ("it plans no payload, and there is no port", Answer::Frames(Vec::new())),
        ("it cannot tell, and there is no port", unsupported.clone()),
    ];
    for (title, answer) in rows {
        transcript.section(&format!("{title}: by MQTT"));
        let wait = Tts::handle_message(&fake, &client(), &message(&topic, &one)).unwrap().unwrap();
        fake.deeds.take();
        let decision = Tts::answered(&fake, &wait.context, std::slice::from_ref(&answer)).unwrap();
        transcript.line(&format!("{decision:?}")).deeds(&fake);
        transcript.section(&format!("{title}: by HTTP"));
        let Ok(Decision::Wait(wait)) = Tts::handle_request(&fake, &call("POST", "/devices/lamp1/down/push", &one))
        else {
            panic!("it waits")
        };
        fake.deeds.take();
        transcript.decision(&Ok(Tts::answered(&fake, &wait.context, &[answer]).unwrap().unwrap())).deeds(&fake);
    }
    transcript.section("it cannot tell, and the application named a port");
    let wait = Tts::handle_message(&fake, &client(), &message(&topic, OBJECT)).unwrap().unwrap();
    fake.deeds.take();
    let decision = Tts::answered(&fake, &wait.context, &[unsupported]).unwrap();
    transcript.decision(&Ok(decision.unwrap())).deeds(&fake);
    transcript.check("tests/golden/handler.txt");
}

#[test]
fn devices_of_other_dialects_are_written_to_and_invoked() {
    let mut transcript = Transcript::default();
    let fake = gateway();
    let topic = PUSH.replace("dev1", "thing1");
    for (title, item) in [
        ("properties", r#"{"decoded_payload":{"level": 1.50,"on":true},"confirmed":true}"#),
        ("a command", r#"{"decoded_payload":{"command":"setLevel","params":{"level":5}},"confirmed":true}"#),
        ("bytes", r#"{"f_port":1,"frm_payload":"vu8="}"#),
    ] {
        transcript.section(title);
        publish(&mut transcript, &fake, &topic, &format!(r#"{{"downlinks":[{item}]}}"#));
    }
    for (kind, body) in [("properties", r#"{"level":5}"#), ("presence", r#"{"online":true}"#)] {
        let event = Event {
            device: "d-3".to_owned(),
            kind: kind.to_owned(),
            name: None,
            at_ms: NOW_MS,
            raw: None,
            body: Some(body.to_owned()),
            attributes: Vec::new(),
        };
        transcript.section(&format!("it tells: {kind}"));
        Tts::on_event(&fake, &event, None).unwrap();
        transcript.deeds(&fake);
    }
    transcript.check("tests/golden/others.txt");
}

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
        ("POST", down, include_str!("seed/push.json").to_owned(), 400, "decode_body", 0),
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
        ("POST", down, many, 429, "too_much_at_once", 80),
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

/// Bad input by MQTT: nothing is submitted, nobody is answered, and a line in the log says why.
#[test]
fn bad_messages_are_dropped_with_a_line() {
    let fake = gateway();
    let other = PUSH.replace("app1", "app2");
    let rows = [
        (PUSH, "x", "decode_body"),
        (PUSH, "", "decode_body"),
        (PUSH, r#"{"downlinks":[{"f_port":1,"frm_payload":"AQ==",},]}"#, "decode_body"),
        (PUSH, r#"{"downlinks":[{"f_port":1,,"frm_payload":"AQ=="}]}"#, "decode_body"),
        (PUSH, r#"{"downlinks":[{"f_port":999,"frm_payload":"AQ=="}]}"#, "validate_body"),
        (PUSH, r#"{"downlinks":[{"f_port":999,"frm_payload":"AQ==",}]}"#, "decode_body"),
        (PUSH, r#"{"downlinks":[{"frm_payload":"AQ=="}]}"#, "no_f_port"),
        (PUSH, r#"{"downlinks":[{"f_port":1}]}"#, "no_payload"),
        ("v3/app1/devices/dev9/down/push", ITEM, "device_not_found"),
        (other.as_str(), ITEM, "nothing to do"),
        ("v3/app1/devices/dev1/up", ITEM, "nothing to do"),
        ("v3/app1/devices/dev1/down/push/now", ITEM, "nothing to do"),
        ("v3/app1@ttn/devices/dev1/down/push", ITEM, "nothing to do"),
        ("v3/app1/devices/+/down/push", ITEM, "nothing to do"),
    ];
    for (topic, payload, expected) in rows {
        assert_eq!(Tts::handle_message(&fake, &client(), &message(topic, payload)), Ok(None), "{topic} {payload}");
        assert_eq!(fake.submitted(), None, "{topic} {payload}");
        let log = fake.log.take();
        assert!(log.iter().any(|(_, text)| text.contains(expected)), "{topic} {payload}: {log:?}");
        fake.deeds.take();
    }
    let mut bytes = message(PUSH, "");
    bytes.payload = Payload::Bytes(vec![0xff]);
    assert_eq!(Tts::handle_message(&fake, &client(), &bytes), Ok(None));
    let mut stranger = client();
    stranger.principal = None;
    assert_eq!(Tts::handle_message(&fake, &stranger, &message(PUSH, ITEM)), Ok(None));
    assert_eq!(fake.submitted(), None);
}

#[test]
fn keys_open_their_application_and_nothing_else() {
    let mut transcript = Transcript::default();
    let mut fake = gateway();
    let connect = |transcript: &mut Transcript, fake: &Fake, title: &str, user: Option<&str>| {
        let verdict = Tts::authenticate(fake, &session("c", user), 60, true);
        transcript.section(title).verdict(&verdict).deeds(fake);
    };
    connect(&mut transcript, &fake, "read and write", Some("app1"));
    connect(&mut transcript, &fake, "no user name", None);
    connect(&mut transcript, &fake, "another application", Some("app2"));
    connect(&mut transcript, &fake, "the same application of a tenant", Some("app1@ttn"));
    connect(&mut transcript, &fake, "no application id", Some("App 1"));
    for (title, granted) in [
        ("read only", r#"["RIGHT_APPLICATION_TRAFFIC_READ"]"#),
        ("write only", r#"["RIGHT_APPLICATION_TRAFFIC_DOWN_WRITE"]"#),
        ("link", r#"["RIGHT_APPLICATION_LINK"]"#),
        ("another right", r#"["RIGHT_APPLICATION_INFO"]"#),
        ("no rights", "[]"),
    ] {
        rights(&mut fake, granted);
        connect(&mut transcript, &fake, title, Some("app1"));
        for (method, below, body) in [
            ("POST", "/devices/dev1/down/push", "{}"),
            ("GET", "/devices/dev1/down", ""),
            ("GET", "/mqtt-connection-info", ""),
        ] {
            let request = call(method, below, body);
            transcript.request(&request).decision(&Tts::handle_request(&fake, &request));
        }
    }
    fake.accounts.insert("app1".to_owned(), (KEY.to_owned(), r#"{"rights":7}"#.to_owned()));
    connect(&mut transcript, &fake, "rights that are none", Some("app1"));
    rights(&mut fake, r#"["RIGHT_APPLICATION_ALL"]"#);
    transcript.section("the path of another application");
    let mut request = call("GET", "/devices/dev1/down", "");
    request.path = request.path.replace("app1", "app2");
    transcript.decision(&Tts::handle_request(&fake, &request));
    transcript.section("Basic instead of Bearer");
    request.path = request.path.replace("app2", "app1");
    request.presented = Some(Presented { scheme: "basic".to_owned(), account: Some("app1".to_owned()) });
    transcript.decision(&Tts::handle_request(&fake, &request));
    fake.presented = Some("NNSXS.WRONG".to_owned());
    connect(&mut transcript, &fake, "a wrong key: another dialect may know it", Some("app1"));
    transcript
        .section("a wrong key by HTTP")
        .decision(&Tts::handle_request(&fake, &call("GET", "/devices/dev1/down", "")));
    for filter in ["#", "v3/#", "v3/+/devices/+/up", "v3/app2/#", "+/#", "$SYS/#"] {
        let asked = Subscription { filter: filter.to_owned(), qos: 1 };
        transcript.line(&format!("{filter} becomes {:?}", Tts::on_subscribe(&fake, &client(), &asked).unwrap()));
    }
    transcript.check("tests/golden/rights.txt");
}

#[test]
fn what_is_not_ours_is_left_alone() {
    let fake = gateway();
    let mut record = submitted(&fake, PUSH, ITEM).0.remove(0);
    let lines = [line("queued", State::Queued, 0, &[])];
    let follower = dragoman_plugin_sdk::Follower { session: "s".to_owned(), tag: "t".to_owned() };
    Tts::on_transitions(&fake, &record, &lines, 1, &[follower]).unwrap();
    record.context = None;
    Tts::on_transitions(&fake, &record, &lines, 1, &[]).unwrap();
    record.context = Some(r#"{"other":1}"#.to_owned());
    Tts::on_transitions(&fake, &record, &lines, 1, &[]).unwrap();
    assert_eq!(published(&fake), []);
    assert!(Tts::answered(&fake, "{}", &[]).is_err());
    assert!(<Tts as Northbound>::settled(&fake, "no context", &[]).is_err());
    assert_eq!(fake.settings(), "{}");
}
