//! Properties as transcripts: set and query over HTTP, and what devices report.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{DEVICE, NOW_MS, call, gateway, play, speaker, uplink};
use dragoman_plugin_sdk::testing::{Deed, Fake, Transcript, ended, ended_by_host, execution};
use dragoman_plugin_sdk::{
    Decision, Execution, Gateway, Northbound, Outcome, Payload, Reason, Request, Settlement, Southbound, State,
};
use huawei_iotda::{Iotda, NAME};

const SET: &str = r#"{"services":[{"service_id":"Temperature","properties":{"value":57}}]}"#;

/// Makes a call and tells its context and the record of its command.
fn accepted(fake: &Fake, request: &Request) -> (String, Execution) {
    let Ok(Decision::Wait(wait)) = Iotda::handle_request(fake, request) else { panic!("it waits") };
    let (id, command) = fake.submitted().unwrap();
    fake.deeds.take();
    let mut record = execution(&id, NAME, command, NOW_MS);
    record.attempt = 1;
    (wait.context, record)
}

#[test]
fn properties_are_set_and_asked_for_as_a_command_is() {
    let mut transcript = Transcript::default();
    for (title, request, response, answer) in [
        ("set", call("PUT", DEVICE, "properties", SET), "set/response", r#"{"result_code":0,"result_desc":"success"}"#),
        (
            "get",
            call("GET", DEVICE, "properties?service_id=Temperature", ""),
            "get/response",
            r#"{"services":[{"service_id":"Temperature","properties":{"value":57},"event_time":"20151212T121212Z"}]}"#,
        ),
    ] {
        let fake = gateway();
        transcript.section(&format!("{title}: the application calls"));
        play(&mut transcript, &fake, &request).unwrap();
        let (context, record) = accepted(&fake, &request);
        let device = fake.device("dev-1").unwrap();
        transcript.section(&format!("{title}: it goes to the device"));
        transcript.attempt(&record).dispatched(&Iotda::dispatch(&fake, &device, &record));
        let topic = format!("$oc/devices/{DEVICE}/sys/properties/{response}/request_id=r-1");
        let message = uplink(&topic, answer);
        transcript.section(&format!("{title}: the device answers")).message("receive", &message);
        Iotda::handle_message(&fake, &speaker(), &message).unwrap();
        transcript.deeds(&fake);
        transcript.section(&format!("{title}: the application is answered"));
        let report = vec![("huawei.response".to_owned(), answer.to_owned())];
        let settled = Ok(ended(record.clone(), Outcome::Succeeded(None), report));
        let settlement = Settlement { id: record.id.clone(), settled };
        transcript.response(&Iotda::settled(&fake, &context, &[settlement]).unwrap());
    }
    transcript.check("tests/golden/properties.txt");
}

#[test]
fn every_end_has_the_platforms_answer() {
    let mut transcript = Transcript::default();
    let reason = |code: &str| Reason { code: code.to_owned(), text: "why".to_owned(), detail: None };
    for (title, request) in
        [("set", call("PUT", DEVICE, "properties", SET)), ("get", call("GET", DEVICE, "properties?service_id=T", ""))]
    {
        let fake = gateway();
        let (context, record) = accepted(&fake, &request);
        let own = Reason { detail: Some(r#"{"result_code":7}"#.to_owned()), ..reason("RESULT_CODE_7") };
        let rows = [
            (
                "another dialect: success",
                Ok(ended(record.clone(), Outcome::Succeeded(Some(r#"{"T":{"v":1.50},"U":{}}"#.to_owned())), vec![])),
            ),
            ("another dialect: no result", Ok(ended(record.clone(), Outcome::Succeeded(None), vec![]))),
            ("another dialect: failed", Ok(ended(record.clone(), Outcome::Failed(reason("BUSY")), vec![]))),
            ("another dialect: rejected", Ok(ended(record.clone(), Outcome::Rejected(reason("NO")), vec![]))),
            ("result code", Ok(ended(record.clone(), Outcome::Failed(own), vec![]))),
            ("time-out", Ok(ended_by_host(record.clone(), State::TimedOut, "$NO_RESPONSE"))),
            ("delivered only", Ok(ended_by_host(record.clone(), State::Succeeded, "$DELIVERED_ONLY"))),
            // What nobody has words for is never dispatched.
            (
                "no words for it",
                Ok(Execution { attempt: 0, ..ended_by_host(record.clone(), State::Failed, "NO_WORDS") }),
            ),
            ("away", Err(reason("$AWAY"))),
        ];
        for (row, settled) in rows {
            transcript.section(&format!("{title}: {row}"));
            let settlement = Settlement { id: record.id.clone(), settled };
            transcript.response(&Iotda::settled(&fake, &context, &[settlement]).unwrap());
        }
    }
    transcript.check("tests/golden/property_ends.txt");
}

#[test]
fn what_a_device_reports_is_told() {
    let mut transcript = Transcript::default();
    let fake = gateway();
    fake.add_device("dev-3", NAME, &[("huawei.id", "other")]);
    let own = format!("$oc/devices/{DEVICE}");
    let services = r#""services":[{"service_id":"T","properties":{"v":57},"event_time":"20151212T121212Z"}]"#;
    let many: Vec<_> = (0..51).map(|_| r#"{"device_id":"p_sub","services":[]}"#).collect();
    let rows = [
        ("properties", "sys/properties/report", format!("{{{services}}}")),
        (
            "those of devices below it",
            "sys/gateway/sub_devices/properties/report",
            format!(r#"{{"devices":[{{"device_id":"p_sub",{services}}}]}}"#),
        ),
        ("a message", "sys/messages/up", r#"{"object_device_id":"","name":"n","id":"i","content":"hello"}"#.to_owned()),
        (
            "a message of a device below it",
            "sys/messages/up",
            r#"{"object_device_id":"p_sub","content":{"a":1}}"#.to_owned(),
        ),
        ("a message of a stranger", "sys/messages/up", r#"{"object_device_id":"other","content":1}"#.to_owned()),
        ("a message without an envelope", "sys/messages/up", "hello".to_owned()),
        ("a message on a custom topic", "user/a/b", r#"{"a": 1.50}"#.to_owned()),
        ("no report", "sys/properties/report", "[]".to_owned()),
        ("no JSON", "sys/properties/report", "{".to_owned()),
        ("no services", "sys/properties/report", "{}".to_owned()),
        (
            "a device that does not hang below it",
            "sys/gateway/sub_devices/properties/report",
            r#"{"devices":[{"device_id":"p_sub","services":[]},{"device_id":"other","services":[]}]}"#.to_owned(),
        ),
        (
            "too many devices",
            "sys/gateway/sub_devices/properties/report",
            format!(r#"{{"devices":[{}]}}"#, many.join(",")),
        ),
        ("what nobody looks at", "sys/events/up", r#"{"services":[]}"#.to_owned()),
    ];
    for (title, topic, payload) in rows {
        let message = uplink(&format!("{own}/{topic}"), &payload);
        transcript.section(title).message("receive", &message);
        Iotda::handle_message(&fake, &speaker(), &message).unwrap();
        transcript.deeds(&fake);
    }
    let mut bytes = uplink(&format!("{own}/sys/messages/up"), "");
    bytes.payload = Payload::Bytes(vec![0xff]);
    transcript.section("bytes").message("receive", &bytes);
    Iotda::handle_message(&fake, &speaker(), &bytes).unwrap();
    transcript.deeds(&fake);
    bytes.topic = format!("{own}/sys/properties/report");
    transcript.section("properties in bytes").message("receive", &bytes);
    Iotda::handle_message(&fake, &speaker(), &bytes).unwrap();
    transcript.deeds(&fake);
    let stranger = uplink("$oc/devices/p_sub/sys/messages/up", "x");
    transcript.section("on the topic of another device").message("receive", &stranger);
    Iotda::handle_message(&fake, &speaker(), &stranger).unwrap();
    transcript.deeds(&fake).check("tests/golden/reports.txt");
}

/// A control character is one byte as a device sends it, and six as JSON writes it.
#[test]
fn what_is_too_large_as_json_is_told_as_it_came() {
    let fake = gateway();
    let topic = format!("$oc/devices/{DEVICE}/sys/messages/up");
    for (size, has_body) in [(40 * 1_024, true), (44 * 1_024, false)] {
        let message = uplink(&topic, &"\u{1}".repeat(size));
        Iotda::handle_message(&fake, &speaker(), &message).unwrap();
        let deeds = fake.deeds.take();
        let [Deed::Emitted(event)] = deeds.as_slice() else { panic!("{} deeds", deeds.len()) };
        assert_eq!((event.raw.as_ref(), event.body.is_some()), (Some(&message.payload), has_body));
    }
    let large = uplink(&topic, &"x".repeat(300 * 1_024));
    Iotda::handle_message(&fake, &speaker(), &large).unwrap();
    assert_eq!(fake.deeds.take(), []);
    let log = fake.log.take();
    assert!(
        matches!(log.as_slice(), [(_, text)] if text.contains("dropped") && text.contains("307200 bytes")),
        "{log:?}"
    );
}
