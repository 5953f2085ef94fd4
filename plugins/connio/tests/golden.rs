//! The dialect as transcripts: every call, what it submits, sends and stores, and the answers, byte for byte.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use connio::{Connio, NAME};
use dragoman_plugin_sdk::testing::{Deed, Fake, Transcript, ended, ended_by_host, execution, request, session};
use dragoman_plugin_sdk::{
    Admission, Decision, Delivery, Dispatched, Error, Execution, Gateway, Intent, Invocation, Message, Northbound,
    Outcome, Payload, Presented, Property, PropertyName, Reason, Request, Settlement, Southbound, State, Submission,
    Subscription,
};

/// 2025-05-28T00:00:00Z
const NOW_MS: u64 = 1_748_390_400_000;
const SETTINGS: &str = r#"{"profiles":{"Thermostat":{
    "properties":{
        "Setpoint":{"id":"_prp_1","type":"number","boundaries":{"min":5,"max":35}},
        "mode":{"type":"enum","publish":"changed","boundaries":{"set":["heat","cool"]}},
        "note":{"type":"string","publish":"never"},
        "valve":{"type":"number","feedback":{"property":"valveState","failed":-1,"rejected":-2}},
        "valveState":{"type":"number","access":"protected"},
        "secret":{"access":"private"}},
    "methods":{"setTemperature":{"id":"_mtd_1","property":"setpoint","argument":"value"},"hidden":{"property":"mode","access":"private"}}}}}"#;
const CLIENT_RIGHTS: &str =
    r#"{"context":{"type":"account"},"scope":["device:read-data","device:write-data","device:execute"]}"#;

/// A thermostat with a key of its own, one device without a profile, and one of another dialect; an application's key.
fn gateway() -> Fake {
    let mut fake = Fake {
        now_ms: NOW_MS,
        settings: SETTINGS.to_owned(),
        presented: Some("secret".to_owned()),
        indexes: vec!["values.device".to_owned()],
        ..Fake::default()
    };
    fake.accounts.insert("_key_9".to_owned(), ("secret".to_owned(), CLIENT_RIGHTS.to_owned()));
    fake.accounts.insert("device/dev-1".to_owned(), ("0123456789abcdef".to_owned(), "{}".to_owned()));
    fake.add_device("dev-1", NAME, &[("connio.id", "_dev_1"), ("connio.name", "hall"), ("connio.key", "_key_1")]);
    fake.add_device("dev-2", NAME, &[("connio.id", "_dev_2")]);
    fake.add_device("dev-3", "other", &[("connio.id", "_dev_3")]);
    fake.devices.borrow_mut()[0].profile = Some(r#"{"profile":"Thermostat"}"#.to_owned());
    listen(&mut fake, "dev-1", &[("csipio/data/in/devices/_dev_1/properties/#", 1)]);
    fake
}

fn listen(fake: &mut Fake, device: &str, filters: &[(&str, u8)]) {
    let filters = filters.iter().map(|(filter, qos)| Subscription { filter: (*filter).to_owned(), qos: *qos });
    fake.device_subscriptions.insert(device.to_owned(), filters.collect());
}

fn call(method: &str, target: &str, body: &str) -> Request {
    let mut request = request(method, target, body);
    request.presented = Some(Presented { scheme: "basic".to_owned(), account: Some("_key_9".to_owned()) });
    request
}

fn play(transcript: &mut Transcript, fake: &Fake, request: &Request) -> Result<Decision, Error> {
    let decision = Connio::handle_request(fake, request);
    transcript.request(request).decision(&decision).deeds(fake);
    stored(transcript, fake);
    decision
}

/// The documents as they stand, and forgets none.
fn stored(transcript: &mut Transcript, fake: &Fake) {
    for ((_, key), document) in fake.documents.borrow().iter() {
        transcript.line(&format!("stored {key} ({}): {}", document.revision, document.value));
    }
}

fn write(name: &str, value: &str) -> Intent {
    Intent::Write(vec![Property { service: None, name: name.to_owned(), value: value.to_owned() }])
}

fn foreign(id: &str, device: &str, intent: Intent) -> Execution {
    let mut execution = execution(id, "emqx-fleets", Submission::new(device, intent), NOW_MS);
    execution.attempt = 1;
    execution
}

fn dispatch(transcript: &mut Transcript, fake: &Fake, execution: &Execution) -> Result<Dispatched, Error> {
    let device = fake.device(&execution.device).unwrap();
    let dispatched = Connio::dispatch(fake, &device, execution);
    transcript.attempt(execution).dispatched(&dispatched).deeds(fake);
    dispatched
}

fn uplink(topic: &str, payload: &str) -> Message {
    Message {
        topic: topic.to_owned(),
        payload: Payload::Text(payload.to_owned()),
        qos: 1,
        retain: false,
        attributes: Vec::new(),
    }
}

fn hear(transcript: &mut Transcript, fake: &Fake, message: &Message) {
    let mut speaker = session("_dev_1", Some("_key_1"));
    speaker.device = Some("dev-1".to_owned());
    transcript.message("receive", message);
    Connio::handle_message(fake, &speaker, message).unwrap();
    transcript.deeds(fake);
}

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
            "older than what is stored",
            "/v3/data/devices/_dev_1/properties/setpoint",
            r#"{"dps":[{"v":20},{"v":19,"t":"2020-01-01T00:00:00Z"}]}"#,
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
    let fake = gateway();
    let target = "/v3/data/devices/_dev_1/properties/mode";
    for value in ["\"heat\"", "\"heat\"", "\"cool\""] {
        play(&mut transcript, &fake, &call("POST", target, &format!(r#"{{"dps":[{{"v":{value}}}]}}"#))).unwrap();
    }
    transcript.section("with the device's own key: stored, told, never sent back");
    let mut fake = gateway();
    fake.presented = Some("0123456789abcdef".to_owned());
    let mut own = call("POST", "/v3/data/devices/_this_", r#"{"setpoint":23,"secret":[1],"mode":"off"}"#);
    own.presented = Some(Presented { scheme: "basic".to_owned(), account: Some("_KEY_1".to_owned()) });
    play(&mut transcript, &fake, &own).unwrap();
    transcript.check("tests/golden/writes.txt");
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
        for code in
            ["$AWAY", "$QUEUE_FULL", "$LIMIT", "$UNKNOWN_DEVICE", "$DISABLED", "$UNSUPPORTED", "$CONFLICT", "$NEW"]
        {
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
    let fake = gateway();
    for id in ["f-1", "f-1", "f-2", "f-1"] {
        dispatch(&mut transcript, &fake, &foreign(id, "dev-1", write("mode", "\"heat\""))).unwrap();
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
