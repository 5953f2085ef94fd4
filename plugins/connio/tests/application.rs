//! The application side as transcripts: every call, what it submits and stores, and the answers, byte for byte.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::*;
use connio::{Connio, NAME};
use dragoman_plugin_sdk::testing::{Fake, Transcript, ended, ended_by_host, execution, request, session};
use dragoman_plugin_sdk::{
    Admission, Decision, Execution, Intent, Northbound, Outcome, Payload, Presented, PropertyName, Reason, Settlement,
    State, Submission,
};

/// The flow of the platform's page "Sending Device Commands".
#[test]
fn a_property_that_an_application_writes_goes_to_the_device() {
    let mut transcript = Transcript::default();
    let mut fake = gateway();
    listen(&mut fake, "dev-1", &[("connio/data/in/devices/_dev_1/properties/#", 0)]);
    fake.presented = Some("0123456789abcdef".to_owned());
    let verdict = Connio::authenticate(&fake, &session("_dev_1", Some("_key_1")), 25, true);
    transcript.section("the device connects").verdict(&verdict).deeds(&fake);
    fake.presented = Some("secret".to_owned());

    transcript.section("the application writes");
    let post = call("POST", "/v3/data/devices/_dev_1/properties/setpoint", r#"{"dps":[{"v":21.56}]}"#);
    transcript.request(&post);
    let decision = Connio::handle_request(&fake, &post);
    let (id, command) = fake.submitted().unwrap();
    transcript.decision(&decision).deeds(&fake);
    stored(&mut transcript, &fake);
    let Ok(Decision::Wait(wait)) = decision else { panic!("it waits") };
    let mut record = execution(&id, NAME, command, NOW_MS);
    let settlement = Settlement { id: id.clone(), settled: Ok(record.clone()) };
    transcript.section("it is answered when it is durable");
    transcript.response(&Connio::settled(&fake, &wait.context, &[settlement]).unwrap());

    transcript.section("it goes to the device, whichever prefix it listens on");
    record.attempt = 1;
    dispatch(&mut transcript, &fake, &record).unwrap();
    for filters in [
        vec![("csipio/data/in/devices/_dev_1/properties/setpoint", 1)],
        vec![("csipio/data/in/devices/_dev_1/properties/#", 1), ("connio/data/in/devices/_dev_1/#", 1)],
        vec![],
    ] {
        listen(&mut fake, "dev-1", &filters);
        transcript.line(&format!("listening on {filters:?}"));
        dispatch(&mut transcript, &fake, &record).unwrap();
    }
    transcript.check("tests/golden/seed.txt");
}

#[test]
fn a_write_is_sent_stored_or_rejected_by_its_property() {
    let mut transcript = Transcript::default();
    let rows = [
        ("several at once", "/v3/data/devices/hall", r#"{"setpoint":23.3,"MODE":"cool","else":1}"#),
        ("never: stored only", "/v3/data/devices/_dev_1/properties/note", r#"{"dps":[{"v":"a"}]}"#),
        ("out of bounds", "/v3/data/devices/_dev_1/properties/setpoint", r#"{"dps":[{"v":4},{"v":36},{"v":"20"}]}"#),
        ("not public", "/v3/data/devices/_dev_1/properties/valvestate", r#"{"dps":[{"v":1}]}"#),
        ("by id", "/v3/data/devices/_DEV_1/properties/_prp_1", r#"{"dps":[{"v":20}]}"#),
        (
            "a feed, two values of one property in order",
            "/v3/data/devices/_dev_1/properties",
            r#"{"dps":[{"prop":"thermostat$setpoint","v":20},{"prop":"setpoint","v":21},{"prop":"nothing","v":1},7]}"#,
        ),
        (
            "older than what is stored, always published",
            "/v3/data/devices/_dev_1/properties/setpoint",
            r#"{"dps":[{"v":20},{"v":19,"t":"2020-01-01T00:00:00Z"}]}"#,
        ),
        (
            "older than what is stored, published when changed, and never",
            "/v3/data/devices/_dev_1/properties",
            r#"{"prop":"mode","dps":[{"v":"heat"},{"v":"cool","t":"2020-01-01T00:00:00Z"},{"prop":"note","v":"a"},{"prop":"note","v":"b","t":"2020-01-01T00:00:00Z"}]}"#,
        ),
        ("nothing at all", "/v3/data/devices/_dev_1", "{}"),
        ("with feedback the outcome is waited for", "/v3/data/devices/_dev_1/properties/valve", r#"{"dps":[{"v":1}]}"#),
        ("a device without a profile, away", "/v3/data/devices/_dev_2/properties/Any", r#"{"dps":[{"v":{"a":1.50}}]}"#),
        ("a device of another dialect", "/v3/data/devices/_dev_3", r#"{"Level":7}"#),
    ];
    for (title, target, body) in rows {
        transcript.section(title);
        play(&mut transcript, &gateway(), &call("POST", target, body)).unwrap();
    }

    transcript.section("changed: the same value again is stored only");
    let mut fake = gateway();
    let target = "/v3/data/devices/_dev_1/properties/mode";
    for value in ["\"heat\"", "\"heat\"", "\"cool\""] {
        let post = call("POST", target, &format!(r#"{{"dps":[{{"v":{value}}}]}}"#));
        if let Decision::Wait(_) = play(&mut transcript, &fake, &post).unwrap() {
            let taken = Submission::new("dev-1", write("mode", value));
            fake.executions.push(execution(&Fake::id(fake.ids.get()), NAME, taken, NOW_MS));
        }
    }
    transcript.section("with the device's own key: stored, told, never sent back");
    let mut fake = gateway();
    fake.presented = Some("0123456789abcdef".to_owned());
    let mut own = call("POST", "/v3/data/devices/_this_", r#"{"setpoint":23,"secret":[1],"mode":"off"}"#);
    own.presented = Some(Presented { scheme: "basic".to_owned(), account: Some("_KEY_1".to_owned()) });
    play(&mut transcript, &fake, &own).unwrap();
    transcript.check("tests/golden/writes.txt");
}

/// What the platform loses is no news when it is written again; what the gateway refused is.
#[test]
fn a_changed_value_is_sent_again_where_its_command_was_refused() {
    const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
    let post = call("POST", "/v3/data/devices/_dev_1/properties/mode", r#"{"dps":[{"v":"heat"},{"v":"heat"}]}"#);
    for (title, listening, online, taken, later_ms, sent) in [
        ("taken", true, true, true, 1_000, 0),
        ("refused", true, true, false, 1_000, 1),
        ("refused for a device that is held for", true, false, false, 1_000, 1),
        ("refused nearly a day ago", true, true, false, DAY_MS - 1, 1),
        ("refused a day ago, when the gateway may have forgotten it", true, true, false, DAY_MS, 0),
        ("lost", false, false, false, 1_000, 0),
    ] {
        let mut fake = gateway();
        if !listening {
            listen(&mut fake, "dev-1", &[]);
        }
        fake.devices.borrow_mut()[0].online = online;
        Connio::handle_request(&fake, &post).unwrap();
        let (id, command) = fake.submitted().unwrap();
        fake.deeds.take();
        if taken {
            fake.executions.push(execution(&id, NAME, command, NOW_MS));
        }
        fake.now_ms += later_ms;
        Connio::handle_request(&fake, &post).unwrap();
        assert_eq!(fake.deeds.take().len(), sent, "{title}");
    }
}

#[test]
fn every_end_of_a_write_has_its_receipt() {
    let mut transcript = Transcript::default();
    let reason = |code: &str| Reason { code: code.to_owned(), text: format!("the text of {code}"), detail: None };
    for (title, device) in [("own", "_dev_1"), ("foreign", "_dev_3")] {
        let fake = gateway();
        let post = call("POST", &format!("/v3/data/devices/{device}"), r#"{"setpoint":23}"#);
        let Ok(Decision::Wait(wait)) = Connio::handle_request(&fake, &post) else { panic!("it waits") };
        let (id, command) = fake.submitted().unwrap();
        let record = execution(&id, NAME, command, NOW_MS);
        let mut rows = vec![("taken", Ok(record.clone()))];
        rows.push(("succeeded", Ok(ended(record.clone(), Outcome::Succeeded(None), vec![]))));
        rows.push(("failed", Ok(ended(record.clone(), Outcome::Failed(reason("BUSY")), vec![]))));
        rows.push(("timed out", Ok(ended_by_host(record.clone(), State::TimedOut, "$NO_RESPONSE"))));
        for code in ["$AWAY", "$QUEUE_FULL", "$LIMIT", "$UNKNOWN_DEVICE", "$DISABLED", "$UNSUPPORTED", "$NEW"] {
            rows.push((code, Err(reason(code))));
        }
        for (row, settled) in rows {
            transcript.section(&format!("{title}: {row}"));
            let settlement = Settlement { id: id.clone(), settled };
            transcript.response(&Connio::settled(&fake, &wait.context, &[settlement]).unwrap());
            fake.deeds.take();
            transcript.deeds(&fake);
        }
    }
    transcript.check("tests/golden/receipts.txt");
}

#[test]
fn calls_that_do_not_fit_are_refused() {
    let mut transcript = Transcript::default();
    let path = "/v3/data/devices/_dev_1";
    let feed = r#"{"dps":[{"v":20}]}"#;
    let mut bytes = call("POST", path, "");
    bytes.body = Payload::Bytes(vec![b'{', 0xff]);
    let mut bearer = call("POST", path, "{}");
    bearer.presented = Some(Presented { scheme: "bearer".to_owned(), account: None });
    let mut device_account = call("POST", path, "{}");
    device_account.presented = Some(Presented { scheme: "basic".to_owned(), account: Some("device/dev-1".to_owned()) });
    let rows = [
        ("no key", request("POST", path, "{}")),
        ("no Basic", bearer),
        ("an account of the gateway in place of a key", device_account),
        ("not UTF-8", bytes),
        ("an encoding that is broken", call("POST", "/v3/data/devices/%ff", "{}")),
        ("unknown device", call("POST", "/v3/data/devices/_dev_0", "{}")),
        ("a device id of the gateway", call("POST", "/v3/data/devices/dev-1", "{}")),
        ("_this_ without a device", call("POST", "/v3/data/devices/_this_", "{}")),
        ("unknown property", call("POST", &format!("{path}/properties/none"), feed)),
        ("not JSON", call("POST", path, "{\"setpoint\":")),
        ("no object", call("POST", path, "[1]")),
        ("no feed", call("POST", &format!("{path}/properties"), r#"{"setpoint":20}"#)),
        ("a feed of another shape", call("POST", &format!("{path}/properties"), r#"{"dps":{"v":20}}"#)),
        (
            "a time without a zone",
            call("POST", &format!("{path}/properties"), r#"{"dps":[],"t":"2025-05-28T00:00:00"}"#),
        ),
        ("unknown property to read", call("GET", &format!("{path}/properties/none"), "")),
        ("a private property to read", call("GET", &format!("{path}/properties/secret"), "")),
        ("a broken query", call("GET", &format!("{path}/state?meta=%"), "")),
        ("unknown method", call("POST", &format!("{path}/methods/open"), "{}")),
        ("a method that is not public", call("POST", &format!("{path}/methods/hidden"), "{}")),
        ("a method's body", call("POST", &format!("{path}/methods/setTemperature"), "[]")),
        ("a method's argument", call("GET", &format!("{path}/methods/setTemperature?args=x"), "")),
        ("a method's value out of bounds", call("POST", &format!("{path}/methods/settemperature"), r#"{"value":99}"#)),
        ("history", call("POST", &format!("{path}/properties/setpoint/query"), "{}")),
        ("apps", call("GET", "/v3/data/apps/_app_1", "")),
        ("administration", call("DELETE", "/v3/devices/_dev_1", "")),
        ("no call of the platform", call("GET", "/v3/data/devices/_dev_1/else", "")),
    ];
    for (title, request) in rows {
        transcript.section(title);
        play(&mut transcript, &gateway(), &request).unwrap();
    }
    let mut fake = gateway();
    fake.presented = Some("wrong".to_owned());
    transcript.section("a wrong secret");
    play(&mut transcript, &fake, &call("POST", path, "{}")).unwrap();
    for (title, rights) in [
        ("no scope", r#"{"context":{"type":"account"},"scope":["device:read-data"]}"#),
        ("another device", r#"{"context":{"type":"device","ids":["_dev_2"]},"scope":["device:write-data"]}"#),
        ("rights that are none", "[]"),
    ] {
        let mut fake = gateway();
        fake.accounts.insert("_key_9".to_owned(), ("secret".to_owned(), rights.to_owned()));
        transcript.section(title);
        let _ = play(&mut transcript, &fake, &call("POST", path, r#"{"setpoint":20}"#));
    }
    let mut fake = gateway();
    fake.presented = Some("0123456789abcdef".to_owned());
    let mut other = call("GET", "/v3/data/devices/_dev_2", "");
    other.presented = Some(Presented { scheme: "basic".to_owned(), account: Some("_key_1".to_owned()) });
    transcript.section("a device's key for another device");
    play(&mut transcript, &fake, &other).unwrap();
    fake.devices.borrow_mut()[0].profile = Some(r#"{"profile":"None"}"#.to_owned());
    other.path = "/v3/data/devices/_this_".to_owned();
    transcript.section("a record of a device that does not fit");
    let _ = play(&mut transcript, &fake, &other);
    transcript.check("tests/golden/refusals.txt");
}

#[test]
fn reads_come_from_the_store() {
    let mut transcript = Transcript::default();
    let fake = gateway();
    let post = call("POST", "/v3/data/devices/_dev_1", r#"{"setpoint":23.30,"mode":"heat"}"#);
    Connio::handle_request(&fake, &post).unwrap();
    hear(&mut transcript, &fake, &uplink("connio/data/out/devices/_dev_1/properties/secret", "[1]"));
    for (title, target) in [
        ("a device", "/v3/data/devices/_dev_1"),
        ("its state", "/v3/data/devices/hall/state?meta=true"),
        ("its state without a header", "/v3/data/devices/hall/state?header=false"),
        ("a property", "/v3/data/devices/_dev_1/properties/SETPOINT?limit=1&order=desc"),
        ("a property without a value", "/v3/data/devices/_dev_1/properties/note"),
        ("presence", "/v3/data/devices/_dev_1/properties/connectionstatus"),
    ] {
        let get = call("GET", target, "");
        transcript.section(title).request(&get).decision(&Connio::handle_request(&fake, &get)).deeds(&fake);
    }
    fake.devices.borrow_mut()[0].online = false;
    let asked = |name: &str| PropertyName { service: None, name: name.to_owned() };
    for (title, names) in [
        ("another dialect reads all", vec![]),
        ("another dialect reads some", vec![asked("SetPoint"), asked("note"), asked("connectionStatus")]),
        ("another dialect reads what is private", vec![asked("secret")]),
        ("another dialect reads what is not there", vec![asked("none")]),
    ] {
        transcript.section(title);
        dispatch(&mut transcript, &fake, &foreign("f-1", "dev-1", Intent::Read(names))).unwrap();
    }
    transcript.check("tests/golden/reads.txt");
}

#[test]
fn a_method_writes_its_property_or_is_the_handlers() {
    let mut transcript = Transcript::default();
    let fake = gateway();
    let rows = [
        ("a property stands for it", call("POST", "/v3/data/devices/_dev_1/methods/settemperature", r#"{"value":24}"#)),
        (
            "by id, the argument in the query",
            call("GET", "/v3/data/devices/_dev_1/methods/_mtd_1?args=%7B%22value%22%3A20%7D", ""),
        ),
        ("another dialect's", call("POST", "/v3/data/devices/_dev_3/methods/open", r#"{"value":{"pin":"1"}}"#)),
        ("another dialect's, one value", call("POST", "/v3/data/devices/_dev_3/methods/open", r#"{"value": 1.50}"#)),
        ("another dialect's, none", call("GET", "/v3/data/devices/_dev_3/methods/open", "")),
    ];
    for (title, request) in rows {
        transcript.section(title);
        fake.documents.borrow_mut().clear();
        play(&mut transcript, &fake, &request).unwrap();
    }
    let post = call("POST", "/v3/data/devices/_dev_3/methods/open", "{}");
    let Ok(Decision::Wait(wait)) = Connio::handle_request(&fake, &post) else { panic!("it waits") };
    let (id, command) = fake.submitted().unwrap();
    let record = execution(&id, NAME, command, NOW_MS);
    let reason = |code: &str| Reason { code: code.to_owned(), text: "why".to_owned(), detail: None };
    let rows = [
        ("it succeeded", Ok(ended(record.clone(), Outcome::Succeeded(Some(r#"{"open": true}"#.to_owned())), vec![]))),
        ("without a result", Ok(ended(record.clone(), Outcome::Succeeded(None), vec![]))),
        ("delivered only", Ok(ended_by_host(record.clone(), State::Succeeded, "$DELIVERED_ONLY"))),
        ("it failed", Ok(ended(record.clone(), Outcome::Failed(reason("BUSY")), vec![]))),
        ("it was rejected", Ok(ended(record.clone(), Outcome::Rejected(reason("NO")), vec![]))),
        ("it timed out", Ok(ended_by_host(record.clone(), State::TimedOut, "$NO_RESPONSE"))),
        ("it was canceled", Ok(ended_by_host(record.clone(), State::Canceled, "$CANCELED"))),
        ("no words for it", Ok(ended_by_host(record.clone(), State::Failed, "NO_ACTION"))),
        (
            "every attempt failed",
            Ok(Execution { attempt: 1, ..ended_by_host(record.clone(), State::Failed, "LORAWAN_NACK") }),
        ),
        ("not listening", Ok(ended_by_host(record, State::Failed, "$NO_SUBSCRIBER"))),
        ("away", Err(reason("$AWAY"))),
    ];
    for (title, settled) in rows {
        transcript.section(title);
        let settlement = Settlement { id: id.clone(), settled };
        transcript.response(&Connio::settled(&fake, &wait.context, &[settlement]).unwrap());
    }
    fake.deeds.take();
    transcript.section("its handler's");
    fake.devices.borrow_mut()[0].handler = Some("lockbox".to_owned());
    fake.documents.borrow_mut().clear();
    play(&mut transcript, &fake, &call("POST", "/v3/data/devices/_dev_1/methods/unlock", "")).unwrap();
    transcript.check("tests/golden/methods.txt");
}
