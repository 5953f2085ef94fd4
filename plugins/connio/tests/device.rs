//! The device side as transcripts: what is sent, what a device says and ends with it, and who may connect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::*;
use connio::{Connio, NAME};
use dragoman_plugin_sdk::testing::{Deed, Fake, Transcript, session};
use dragoman_plugin_sdk::{
    Admission, Delivery, Error, Execution, Intent, Invocation, Northbound, Payload, Presented, Property, Southbound,
};

#[test]
fn what_other_dialects_ask_becomes_a_write() {
    let mut transcript = Transcript::default();
    let invoke = |action: &str, params: &str| {
        Intent::Invoke(Invocation { service: None, action: action.to_owned(), params: params.to_owned() })
    };
    let both = Intent::Write(vec![
        Property { service: None, name: "setpoint".to_owned(), value: "20".to_owned() },
        Property { service: Some("S".to_owned()), name: "mode".to_owned(), value: "\"cool\"".to_owned() },
    ]);
    let text = Delivery { name: None, payload: Payload::Text("x".to_owned()), attributes: Vec::new() };
    let rows = [
        ("a write", write("Setpoint", "24")),
        ("two at once", both),
        ("a method that the device declares", invoke("setTemperature", r#"{"value":24}"#)),
        ("an action that is a property", invoke("mode", r#"{"value":"heat"}"#)),
        ("with feedback there is a correlation", write("valve", "1")),
        ("never: stored only", write("note", "\"x\"")),
        ("out of bounds", write("setpoint", "99")),
        ("not public", write("valveState", "1")),
        ("no such property", write("none", "1")),
        ("no such method", invoke("open", "null")),
        ("a message", Intent::Deliver(text)),
    ];
    for (title, intent) in rows {
        let fake = gateway();
        transcript.section(title);
        dispatch(&mut transcript, &fake, &foreign("f-1", "dev-1", intent)).unwrap();
        stored(&mut transcript, &fake);
    }

    transcript.section("changed: only what is news is sent, and again in a later attempt");
    let mut fake = gateway();
    let heat = |id: &str| foreign(id, "dev-1", write("mode", "\"heat\""));
    fake.executions = vec![heat("f-1"), heat("f-2")];
    for id in ["f-1", "f-1", "f-2", "f-1"] {
        dispatch(&mut transcript, &fake, &heat(id)).unwrap();
    }
    transcript.section("what a handler planned is not bound by access");
    let mut planned = foreign("f-3", "dev-1", invoke("open", "null"));
    planned.frames = vec![write("valveState", "1")];
    dispatch(&mut transcript, &fake, &planned).unwrap();
    transcript.section("a device below a gateway");
    fake.devices.borrow_mut()[1].parent = Some("dev-1".to_owned());
    dispatch(&mut transcript, &fake, &foreign("f-4", "dev-2", write("level", "1"))).unwrap();
    transcript.section("a device without an id");
    fake.devices.borrow_mut()[1].aliases.clear();
    dispatch(&mut transcript, &fake, &foreign("f-4", "dev-2", write("level", "1"))).unwrap();
    transcript.section("too many messages");
    let many = (0..65).map(|index| Property { service: None, name: format!("p{index}"), value: "1".to_owned() });
    fake.add_device("dev-4", NAME, &[("connio.id", "_dev_4")]);
    dispatch(&mut transcript, &fake, &foreign("f-5", "dev-4", Intent::Write(many.collect()))).unwrap();
    transcript.check("tests/golden/dispatch.txt");
}

#[test]
fn what_a_device_says_is_stored_told_and_answers() {
    let mut transcript = Transcript::default();
    let out = "connio/data/out/devices/_dev_1";
    let rows = [
        ("a value", format!("{out}/properties/setpoint"), "21.5"),
        (
            "by the other prefix and without case",
            "csipio/data/out/devices/_DEV_1/properties/SetPoint".to_owned(),
            "21.5",
        ),
        ("a bare word for an enum", format!("{out}/properties/mode"), "heat"),
        ("what others may not write", format!("{out}/properties/secret"), r#"{"a": [1.50]}"#),
        (
            "a feed",
            format!("{out}/json"),
            r#"{"t":"2025-05-27T23:59:00Z","dps":[{"prop":"setpoint","v":20},{"prop":"mode","v":"cool","tt":1000},{"prop":"none","v":1}]}"#,
        ),
        (
            "a feed on the topic of the gateway page",
            format!("{out}/properties/json"),
            r#"{"dps":[{"prop":"note","v":"x"}]}"#,
        ),
        (
            "a clock that is ahead",
            format!("{out}/json"),
            r#"{"dps":[{"prop":"note","v":"x","t":"2099-01-01T00:00:00Z"}]}"#,
        ),
        ("a method", format!("{out}/methods/alarm"), r#"{"level":2}"#),
        ("methods", format!("{out}/methods/json"), r#"{"dps":[{"method":"a","value":1},{"method":"b"},{"value":1}]}"#),
        ("a value that does not fit", format!("{out}/properties/setpoint"), "99"),
        ("no JSON", format!("{out}/properties/setpoint"), "warm"),
        ("nothing", format!("{out}/properties/setpoint"), ""),
        ("no such property", format!("{out}/properties/none"), "1"),
        ("presence is not the device's to say", format!("{out}/properties/connectionStatus"), "\"online\""),
        ("no feed", format!("{out}/json"), "[]"),
        ("no topic of a device's word", format!("{out}/properties/a/b"), "1"),
        ("another device", "connio/data/out/devices/_dev_2/properties/a".to_owned(), "1"),
        ("nobody", "connio/data/out/devices/_dev_0/properties/a".to_owned(), "1"),
    ];
    for (title, topic, payload) in rows {
        let fake = gateway();
        transcript.section(title);
        hear(&mut transcript, &fake, &uplink(&topic, payload));
        stored(&mut transcript, &fake);
    }
    transcript.section("not UTF-8");
    let mut bytes = uplink(&format!("{out}/properties/setpoint"), "");
    bytes.payload = Payload::Bytes(vec![0xff]);
    hear(&mut transcript, &gateway(), &bytes);
    transcript.section("a gateway for a device below it");
    let fake = gateway();
    fake.devices.borrow_mut()[1].parent = Some("dev-1".to_owned());
    hear(&mut transcript, &fake, &uplink("connio/data/out/devices/_dev_2/properties/level", "7"));
    transcript.check("tests/golden/uplinks.txt");
}

#[test]
fn a_devices_own_word_ends_what_it_answers() {
    let mut transcript = Transcript::default();
    let topic = "connio/data/out/devices/_dev_1/properties/valveState";
    let waiting = |id: &str, value: &str| foreign(id, "dev-1", write("valve", value));
    let open = || Fake {
        executions: vec![
            foreign("plain", "dev-1", write("setpoint", "2")),
            waiting("first", "1"),
            waiting("second", "2"),
            waiting("third", "2"),
            Execution { attempt: 0, ..waiting("not sent", "3") },
        ],
        ..gateway()
    };
    for (title, said) in [
        ("the oldest with that value succeeds", "2"),
        ("a number in another form is the same", "1.0"),
        ("the value for: could not", "-1"),
        ("the value for: would not", "-2"),
        ("another value ends nothing", "7"),
        ("what was not sent yet is not answered", "3"),
    ] {
        transcript.section(title);
        hear(&mut transcript, &open(), &uplink(topic, said));
    }
    transcript.section("a feed answers one for each value");
    let feed = r#"{"dps":[{"prop":"valveState","v":2},{"prop":"valveState","v":2}]}"#;
    hear(&mut transcript, &open(), &uplink("connio/data/out/devices/_dev_1/json", feed));

    transcript.section("two properties at once: the command ends when both are confirmed");
    let mut fake = open();
    let both = ["a", "b"].map(|name| Property { service: None, name: name.to_owned(), value: "1".to_owned() });
    fake.executions = vec![foreign("both", "dev-2", Intent::Write(both.to_vec()))];
    fake.settings = r#"{"feedback":true}"#.to_owned();
    let mut speaker = session("_dev_2", Some("_key_2"));
    speaker.device = Some("dev-2".to_owned());
    for name in ["a", "b"] {
        let message = uplink(&format!("connio/data/out/devices/_dev_2/properties/{name}"), "1");
        transcript.message("receive", &message);
        Connio::handle_message(&fake, &speaker, &message).unwrap();
        transcript.deeds(&fake);
    }
    transcript.section("what the gateway does not take");
    let mut fake = open();
    fake.tell_error = Some(Error::Conflict("it has ended".to_owned()));
    hear(&mut transcript, &fake, &uplink(topic, "1"));
    transcript.check("tests/golden/feedback.txt");
}

#[test]
fn devices_connect_with_their_keys() {
    let mut transcript = Transcript::default();
    let mut fake = gateway();
    fake.presented = Some("0123456789abcdef".to_owned());
    let connect = |transcript: &mut Transcript, fake: &Fake, title: &str, client_id: &str, user: Option<&str>| {
        let verdict = Connio::authenticate(fake, &session(client_id, user), 25, true);
        transcript.section(title).verdict(&verdict).deeds(fake);
    };
    connect(&mut transcript, &fake, "as it should", "_dev_1", Some("_key_1"));
    connect(&mut transcript, &fake, "without case", "_DEV_1", Some("_KEY_1"));
    connect(&mut transcript, &fake, "no key", "_dev_1", None);
    connect(&mut transcript, &fake, "another's key", "_dev_1", Some("_key_2"));
    connect(&mut transcript, &fake, "nobody", "_dev_0", Some("_key_1"));
    connect(&mut transcript, &fake, "a device of another dialect", "_dev_3", Some("_key_1"));
    connect(&mut transcript, &fake, "an account in place of a key", "_dev_2", Some("device/dev-1"));
    fake.presented = Some("wrong".to_owned());
    connect(&mut transcript, &fake, "a wrong secret", "_dev_1", Some("_key_1"));
    fake.presented = Some("secret".to_owned());
    for (title, rights) in [
        ("a key object for this device and one below it", r#"{"context":{"type":"device","ids":["_dev_2","_dev_5"]}}"#),
        ("a key object for another device", r#"{"context":{"type":"device","ids":["_dev_1"]}}"#),
        ("an application's key", CLIENT_RIGHTS),
        ("rights that are none", "7"),
    ] {
        fake.accounts.insert("_key_9".to_owned(), ("secret".to_owned(), rights.to_owned()));
        connect(&mut transcript, &fake, title, "_dev_2", Some("_key_9"));
    }
    fake.devices.borrow_mut()[1].parent = Some("dev-1".to_owned());
    connect(&mut transcript, &fake, "a device below a gateway", "_dev_2", Some("_key_9"));
    fake.presented = Some("0123456789abcdef".to_owned());
    fake.devices.borrow_mut()[0].profile = Some(r##"{"linked":["_dev_2","_dev_1","#"]}"##.to_owned());
    connect(&mut transcript, &fake, "a gateway", "_dev_1", Some("_key_1"));
    let many: Vec<_> = (10..50).map(|index| format!("\"_dev_{index}\"")).collect();
    fake.devices.borrow_mut()[0].profile = Some(format!(r#"{{"linked":[{}]}}"#, many.join(",")));
    connect(&mut transcript, &fake, "a gateway for too many", "_dev_1", Some("_key_1"));
    transcript.check("tests/golden/admission.txt");
}

#[test]
fn nothing_is_submitted_where_the_device_itself_writes() {
    let mut fake = gateway();
    let mut speaker = session("_dev_1", Some("_key_1"));
    speaker.device = Some("dev-1".to_owned());
    Connio::handle_message(&fake, &speaker, &uplink("connio/data/out/devices/_dev_1/properties/setpoint", "20"))
        .unwrap();
    fake.presented = Some("0123456789abcdef".to_owned());
    let mut own = call("POST", "/v3/data/devices/_dev_1", r#"{"setpoint":23}"#);
    own.presented = Some(Presented { scheme: "basic".to_owned(), account: Some("_key_1".to_owned()) });
    Connio::handle_request(&fake, &own).unwrap();
    let deeds = fake.deeds.borrow();
    assert!(deeds.iter().all(|deed| matches!(deed, Deed::Emitted(_))), "{deeds:?}");
}
