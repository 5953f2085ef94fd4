//! Downlinks by MQTT, and every event that applications are told.

use crate::stage::*;
use dragoman_plugin_sdk::testing::{Deed, Transcript, session};
use dragoman_plugin_sdk::{
    Admission, Answer, Answers, Attributes, Decision, Decoded, Delivery, Event, Execution, Intent, Northbound,
    Notifications, Payload, Place, Stage, State, Subscription, Subscriptions, Topics, Transition,
};
use serde_json::Value;
use the_things_stack::TheThingsStack as Tts;

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
    publish(&mut transcript, &fake, PUSH, include_str!("../seed/push.json"));
    transcript.section("the same again: no second warning");
    publish(&mut transcript, &fake, PUSH, include_str!("../seed/push.json"));
    transcript.section("mosquitto_pub");
    publish(&mut transcript, &fake, PUSH, include_str!("../seed/push-mosquitto.json"));
    transcript.section("confirmed, with a correlation id");
    publish(&mut transcript, &fake, PUSH, include_str!("../seed/push-confirmed.json"));
    transcript.section("class C multicast");
    publish(&mut transcript, &fake, PUSH, include_str!("../seed/push-multicast.json"));
    transcript.section("replaced by nothing");
    publish(&mut transcript, &fake, REPLACE, r#"{"downlinks":[]}"#);
    transcript.check("tests/golden/seed.txt");
}

#[test]
fn the_seeds_join_and_uplink_are_told() {
    let fake = gateway();
    let attribute = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let seed: Value = serde_json::from_str(include_str!("../seed/join.json")).unwrap();
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

    let seed: Value = serde_json::from_str(include_str!("../seed/up.json")).unwrap();
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
    let (records, _) = submitted(&fake, PUSH, include_str!("../seed/push-confirmed.json"));
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
    let mut seed: Value = serde_json::from_str(include_str!("../seed/ack.json")).unwrap();
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
    let (object, _) = submitted(&fake, PUSH, OBJECT);
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
        (
            "an object that nobody encodes for its network",
            &object[0],
            vec![line("queued", State::Queued, 0, &[]), because(line("ended", State::Failed, 0, &[]), "NO_HANDLER")],
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
