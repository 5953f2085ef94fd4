//! Messages as transcripts: delivered at once or when the device comes, listed, deleted, and told to applications.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{DEVICE, NOW_MS, call, gateway, play, with_token};
use dragoman_plugin_sdk::testing::{Fake, Transcript, ended_by_host, execution, request};
use dragoman_plugin_sdk::{
    Decision, Delivery, Event, Execution, Gateway, Intent, Northbound, Notifications, Payload, Reason, Request,
    Settlement, Southbound, State, Submission, Transition,
};
use huawei_iotda::{Iotda, NAME};

const SEED_BODY: &str = r#"{ "message_id": "99b32da9-cd17-4cdf-a286-f6e849cbc364", "name": "messageName", "message": "HelloWorld", "topic": "messageDown" }"#;
const PUSH: &str = r#"{"push":{
    "device.message.status":{"target":"app","path":"/status"},
    "device.property":{"target":"app"},
    "device.message":{"target":"app"},
    "device.status":{"target":"app"}}}"#;

fn post(body: &str) -> Request {
    call("POST", DEVICE, "messages", body)
}

/// Makes a call and tells its context and the record of its command.
fn accepted(fake: &Fake, request: &Request) -> (String, Execution) {
    fake.deeds.take();
    let Ok(Decision::Wait(wait)) = Iotda::handle_request(fake, request) else { panic!("it waits") };
    let (id, command) = fake.submitted().unwrap();
    fake.deeds.take();
    (wait.context, execution(&id, NAME, command, NOW_MS))
}

fn sent(mut record: Execution) -> Execution {
    record.state = State::Succeeded;
    record.attempt = 1;
    record.sent_ms = Some(NOW_MS + 60_000);
    record.ended_ms = record.sent_ms;
    record
}

fn line(event: &str, state: State, at_ms: u64, reason: Option<&str>) -> Transition {
    Transition {
        seq: 1,
        at_ms,
        event: event.to_owned(),
        state,
        attempt: 1,
        reason: reason.map(|code| Reason { code: code.to_owned(), text: "why".to_owned(), detail: None }),
        detail: None,
        attributes: Vec::new(),
    }
}

fn tell(transcript: &mut Transcript, fake: &Fake, execution: &Execution, lines: &[Transition]) {
    Iotda::on_transitions(fake, execution, lines, 1, &[]).unwrap();
    transcript.deeds(fake);
}

/// "Delayed Delivery" and "Immediate Delivery" of the platform's page "Command, Property, and Message Delivery for MQTT
/// Devices", with its own examples.
#[test]
fn the_seeds_message_is_delivered_later_or_at_once() {
    let mut transcript = Transcript::default();
    for (title, online) in [("delayed delivery", false), ("immediate delivery", true)] {
        let mut fake = gateway();
        fake.settings = PUSH.to_owned();
        fake.targets = vec!["app".to_owned()];
        fake.devices.borrow_mut()[0].online = online;
        transcript.section(&format!("{title}: the application sends a message"));
        play(&mut transcript, &fake, &post(SEED_BODY)).unwrap();
        let (context, record) = accepted(&fake, &post(SEED_BODY));
        if !online {
            transcript.section(&format!("{title}: it is pending"));
            let settlement = Settlement { id: record.id.clone(), settled: Ok(record.clone()) };
            transcript.response(&Iotda::settled(&fake, &context, &[settlement]).unwrap());
        }
        transcript.section(&format!("{title}: the application is told"));
        tell(&mut transcript, &fake, &record, &[line("queued", State::Queued, NOW_MS, None)]);
        transcript.section(&format!("{title}: the device is there"));
        let device = fake.device("dev-1").unwrap();
        let mut attempt = record.clone();
        attempt.attempt = 1;
        transcript.attempt(&attempt).dispatched(&Iotda::dispatch(&fake, &device, &attempt));
        let record = sent(record);
        if online {
            transcript.section(&format!("{title}: it is delivered"));
            let settlement = Settlement { id: record.id.clone(), settled: Ok(record.clone()) };
            transcript.response(&Iotda::settled(&fake, &context, &[settlement]).unwrap());
        }
        transcript.section(&format!("{title}: the application is told the final result"));
        let at_ms = NOW_MS + 60_000;
        let lines = [line("sent", State::Sent, at_ms, None), line("ended", State::Succeeded, at_ms, None)];
        tell(&mut transcript, &fake, &record, &lines);
    }
    transcript.check("tests/golden/message_seed.txt");
}

#[test]
fn every_end_of_a_message_has_its_status() {
    let mut transcript = Transcript::default();
    let reason = |code: &str| Reason { code: code.to_owned(), text: "why".to_owned(), detail: None };
    let mut fake = gateway();
    fake.targets = vec!["app".to_owned()];
    let (context, record) = accepted(&fake, &post(r#"{"message_id":"m","message":"x","topic":"t"}"#));
    let rows = [
        ("failed: nobody listens", ended_by_host(record.clone(), State::Failed, "$NO_SUBSCRIBER"), "$NO_SUBSCRIBER"),
        ("failed: away", ended_by_host(record.clone(), State::Failed, "$AWAY"), "$AWAY"),
        (
            "failed: no words in the device's dialect",
            ended_by_host(record.clone(), State::Failed, "NO_MESSAGES"),
            "NO_MESSAGES",
        ),
        ("timed out", ended_by_host(record.clone(), State::TimedOut, "$EXPIRED_IN_QUEUE"), "$EXPIRED_IN_QUEUE"),
        ("taken back", ended_by_host(record.clone(), State::Canceled, "$REPLACED"), "$REPLACED"),
    ];
    for shape in ["flat", "nested"] {
        fake.settings = PUSH.replacen('{', &format!(r#"{{"push-shape":"{shape}","#), 1);
        for (title, execution, code) in &rows {
            transcript.section(&format!("{shape}: {title}"));
            let settlement = Settlement { id: record.id.clone(), settled: Ok(execution.clone()) };
            transcript.response(&Iotda::settled(&fake, &context, &[settlement]).unwrap());
            tell(&mut transcript, &fake, execution, &[line("ended", execution.state, NOW_MS + 1_000, Some(code))]);
        }
    }
    for code in ["$AWAY", "$DUPLICATE", "$UNKNOWN_DEVICE", "$LIMIT"] {
        transcript.section(code);
        let settlement = Settlement { id: record.id.clone(), settled: Err(reason(code)) };
        transcript.response(&Iotda::settled(&fake, &context, &[settlement]).unwrap());
    }
    transcript.section("sent again: told once");
    let again = [line("sent", State::Sent, NOW_MS + 60_000, None), line("sent", State::Sent, NOW_MS + 90_000, None)];
    tell(&mut transcript, &fake, &sent(record.clone()), &again);
    transcript.section("a target that is not configured");
    fake.targets.clear();
    tell(&mut transcript, &fake, &sent(record), &again);
    transcript.check("tests/golden/message_ends.txt");
}

#[test]
fn messages_are_listed_shown_and_deleted() {
    let mut transcript = Transcript::default();
    let mut fake = gateway();
    fake.settings = r#"{"user-topics":["t"]}"#.to_owned();
    let bodies = [
        r#"{"message_id":"m-1","name":"n","message":"HelloWorld","topic":"t"}"#,
        r#"{"message_id":"m-2","message":{"a": 1.50},"ttl":5}"#,
        r#"{"message_id":"m-3","message":"/w==","encoding":"base64"}"#,
        r#"{"message_id":"m-4","message":"x","payload_format":"raw","topic_full_name":"any/topic","properties":{"correlation_data":"c","user_properties":[{"prop_key":"k","prop_value":"v"}]}}"#,
        r#"{"message_id":"m-5","message":"pushed out"}"#,
    ];
    let device = fake.device("dev-1").unwrap();
    for body in bodies {
        let (_, mut record) = accepted(&fake, &post(body));
        record.alias = Some(format!("m-{}", fake.executions.len() + 1));
        record.attempt = 1;
        transcript.line(&format!("of {body}")).dispatched(&Iotda::dispatch(&fake, &device, &record));
        record.attempt = 0;
        fake.executions.push(record);
    }
    fake.executions[0] = sent(fake.executions[0].clone());
    fake.executions[2] = ended_by_host(fake.executions[2].clone(), State::Failed, "$NO_SUBSCRIBER");
    fake.executions[3] = ended_by_host(fake.executions[3].clone(), State::TimedOut, "$EXPIRED_IN_QUEUE");
    fake.executions[4] = ended_by_host(fake.executions[4].clone(), State::Canceled, "$REPLACED");
    for (title, request) in [
        ("the list", call("GET", DEVICE, "messages", "")),
        ("one", call("GET", DEVICE, "messages/m-2", "")),
        ("one that was pushed out", call("GET", DEVICE, "messages/m-5", "")),
        ("one that is not there", call("GET", DEVICE, "messages/m-6", "")),
        ("one of another device", call("GET", "p_sub", "messages/m-2", "")),
        ("delete one that waits", call("DELETE", DEVICE, "messages/m-2", "")),
        ("delete one that was delivered", call("DELETE", DEVICE, "messages/m-1", "")),
        ("delete one that is not there", call("DELETE", DEVICE, "messages/m-6", "")),
    ] {
        transcript.section(title);
        play(&mut transcript, &fake, &request).unwrap();
    }
    transcript.section("one that was deleted");
    fake.executions[1].labels = vec![("kind".to_owned(), "deleted-message".to_owned())];
    play(&mut transcript, &fake, &call("GET", DEVICE, "messages/m-2", "")).unwrap();

    transcript.section("the twenty newest, newest first");
    fake.executions.clear();
    for number in 1..=25 {
        let (_, mut record) = accepted(&fake, &post(&format!(r#"{{"message_id":"n-{number}","message":"x"}}"#)));
        record.alias = Some(format!("n-{number}"));
        fake.executions.push(sent(record));
    }
    let list = Iotda::handle_request(&fake, &call("GET", DEVICE, "messages", "")).unwrap();
    let Decision::Respond(response) = list else { panic!("it answers") };
    let Payload::Text(text) = response.body else { panic!("text") };
    let ids: Vec<_> = text.split("\"message_id\":\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    transcript.line(&ids.join(" "));
    transcript.section("one that newer ones pushed out of the list");
    play(&mut transcript, &fake, &call("GET", DEVICE, "messages/n-5", "")).unwrap();
    transcript.check("tests/golden/message_list.txt");
}

#[test]
fn calls_that_do_not_fit_are_refused() {
    let mut transcript = Transcript::default();
    let fake = gateway();
    let mut bytes = post("");
    bytes.body = Payload::Bytes(vec![b'{', 0xff]);
    let project = |method: &str, rest: &str| with_token(request(method, &format!("/v5/iot/p/{rest}"), "{}"));
    let rows = [
        ("no token", request("POST", &format!("/v5/iot/p/devices/{DEVICE}/messages"), SEED_BODY)),
        ("another project", with_token(request("GET", &format!("/v5/iot/q/devices/{DEVICE}/messages"), ""))),
        ("not UTF-8", bytes),
        ("no JSON", post("{")),
        ("no message", post("{}")),
        ("no device id of the platform", call("POST", "a%2Fb", "messages", SEED_BODY)),
        ("unknown device", call("POST", "nobody", "messages", SEED_BODY)),
        ("an unknown device's list", call("GET", "nobody", "messages", "")),
        ("a ttl that is no multiple of 5", post(r#"{"message":"x","ttl":7}"#)),
        ("both topics", post(r#"{"message":"x","topic":"a","topic_full_name":"b"}"#)),
        ("properties: no body", call("PUT", DEVICE, "properties", "")),
        ("properties: no services", call("PUT", DEVICE, "properties", "{}")),
        ("properties: no service to ask for", call("GET", DEVICE, "properties", "")),
        ("properties: an empty service", call("GET", DEVICE, "properties?service_id=", "")),
        ("properties: a broken query", call("GET", DEVICE, "properties?service_id=%", "")),
        ("properties: unknown device", call("GET", "nobody", "properties?service_id=T", "")),
        ("an asynchronous command", call("POST", DEVICE, "async-commands", "{}")),
        (
            "an asynchronous command of a stranger",
            request("POST", &format!("/v5/iot/p/devices/{DEVICE}/async-commands"), "{}"),
        ),
        ("a batch task", project("POST", "batchtasks")),
        ("a batch task's result", project("GET", "batchtasks/5f2bc9b961e7670469c5ef6d")),
        ("a broadcast", project("POST", "broadcast-messages")),
        ("a new device", project("POST", "devices")),
        ("a shadow", call("GET", DEVICE, "shadow", "")),
        ("a broken path", with_token(request("GET", "/v5/iot/p/devices/%ff/messages", ""))),
    ];
    for (title, request) in rows {
        transcript.section(title);
        play(&mut transcript, &fake, &request).unwrap();
    }
    transcript.check("tests/golden/more_refusals.txt");
}

#[test]
fn what_is_asked_of_the_queue_follows_time_to_live_and_presence() {
    let mut transcript = Transcript::default();
    let fake = gateway();
    fake.add_device("dev-3", "other", &[("huawei.id", "foreign")]);
    for online in [true, false] {
        fake.devices.borrow_mut()[0].online = online;
        for (title, device, body) in [
            ("a day", DEVICE, r#"{"message":"x"}"#),
            ("not kept", DEVICE, r#"{"message":"x","ttl":0}"#),
            ("of another dialect", "foreign", r#"{"message":"x","ttl":5}"#),
        ] {
            transcript.section(&format!("{title}, online {online}"));
            play(&mut transcript, &fake, &call("POST", device, "messages", body)).unwrap();
        }
    }
    transcript.check("tests/golden/message_queue.txt");
}

#[test]
fn applications_are_told_what_devices_say() {
    let mut transcript = Transcript::default();
    let mut fake = gateway();
    fake.settings = PUSH.to_owned();
    fake.targets = vec!["app".to_owned()];
    fake.add_device("dev-3", "other", &[("other.id", "x")]);
    fake.devices.borrow_mut()[0].labels = vec![
        ("huawei.app-id".to_owned(), "84fb64e43c5f4c6cbec339e52449bcea".to_owned()),
        ("huawei.product-id".to_owned(), "5f2bc9b961e7670469c5ef6d".to_owned()),
        ("huawei.node-id".to_owned(), "1997930".to_owned()),
    ];
    let event = |device: &str, kind: &str, body: &str| Event {
        device: device.to_owned(),
        kind: kind.to_owned(),
        name: None,
        at_ms: NOW_MS,
        raw: None,
        body: Some(body.to_owned()),
        attributes: vec![("huawei.topic".to_owned(), "$oc/devices/x/sys/messages/up".to_owned())],
    };
    for (title, event) in [
        ("properties", event("dev-1", "properties", r#"{"T":{"v":57},"alone":1}"#)),
        ("properties below a gateway", event("dev-2", "properties", r#"{"T":{"v":57}}"#)),
        ("a message", event("dev-1", "message", r#"{"a": 1.50}"#)),
        ("it came", event("dev-1", "presence", r#"{"online":true}"#)),
        ("it went", event("dev-1", "presence", r#"{"online":false}"#)),
        ("a device without an id of the platform", event("dev-3", "presence", r#"{"online":true}"#)),
        ("what the platform has no words for", event("dev-1", "join", "{}")),
    ] {
        transcript.section(title);
        Iotda::on_event(&fake, &event, None).unwrap();
        transcript.deeds(&fake);
    }
    transcript.section("nobody to tell");
    fake.settings = "{}".to_owned();
    Iotda::on_event(&fake, &event("dev-1", "presence", "{}"), None).unwrap();
    transcript.deeds(&fake);
    transcript.section("a message of another dialect's application");
    let delivery = Delivery { name: None, payload: Payload::Bytes(vec![1, 2]), attributes: Vec::new() };
    let mut foreign = execution("f-1", "other", Submission::new("dev-2", Intent::Deliver(delivery)), NOW_MS);
    foreign.attempt = 1;
    let device = fake.device("dev-2").unwrap();
    transcript.attempt(&foreign).dispatched(&Iotda::dispatch(&fake, &device, &foreign));
    transcript.check("tests/golden/push.txt");
}
