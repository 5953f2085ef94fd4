//! The dialect as transcripts. The events under `tests/events` were made with the message classes of ChirpStack's own
//! Python package, default values included, as its MQTT integration writes them; `integration.json`, which the package has no
//! class for, by hand.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use chirpstack::{Chirpstack, NAME};
use dragoman_plugin_sdk::testing::{Deed, Fake, Transcript, execution, session};
use dragoman_plugin_sdk::{
    Admission, Audience, Correlation, Delivery, Device, Dispatched, Error, Execution, Gateway, Intent, Message,
    Outcome, Payload, Property, Report, Session, Southbound, Stage, State, Submission,
};

/// 2026-11-21T13:02:35Z
const NOW_MS: u64 = 1_795_266_155_000;
const APPLICATION: &str = "ca739e26-7b67-4f14-b69e-d568c22a5a75";
const EUI: &str = "4200000000000000";
/// A profile as an uplink leaves it.
const HEARD: &str = r#"{"application-id":"ca739e26-7b67-4f14-b69e-d568c22a5a75","dev-addr":"01da1f15","session-key-id":"AWiZZAyXrAfEkUNkBljRoA=="}"#;

/// A network server `ns-1` with a device that was heard, and one that was not.
fn gateway() -> Fake {
    let mut fake = Fake { now_ms: NOW_MS, presented: Some("secret".to_owned()), ..Fake::default() };
    fake.accounts.insert("device/ns-1".to_owned(), ("secret".to_owned(), "{}".to_owned()));
    fake.add_device("ns-1", NAME, &[("chirpstack.server", "chirpstack")]);
    fake.add_device("ns-2", NAME, &[("chirpstack.server", "other")]);
    fake.add_device("x-1", "emqx-fleets", &[("chirpstack.server", "foreign"), ("lorawan.dev-eui", "4200000000000009")]);
    for (id, eui, profile) in [("d-1", EUI, Some(HEARD)), ("d-2", "4200000000000002", None)] {
        fake.add_device(id, NAME, &[("lorawan.dev-eui", eui)]);
        let mut devices = fake.devices.borrow_mut();
        let device = devices.iter_mut().find(|device| device.id == id).unwrap();
        device.parent = Some("ns-1".to_owned());
        device.profile = profile.map(str::to_owned);
        device.revision = u64::from(profile.is_some());
    }
    fake
}

fn server() -> Session {
    let mut server = session("chirpstack-1", Some("chirpstack"));
    server.device = Some("ns-1".to_owned());
    server
}

fn event(eui: &str, kind: &str, payload: &str) -> Message {
    Message {
        topic: format!("application/{APPLICATION}/device/{eui}/event/{kind}"),
        // The files are of one device; what they say of it fits the topic.
        payload: Payload::Text(payload.replace(&format!(r#""devEui": "{EUI}""#), &format!(r#""devEui": "{eui}""#))),
        qos: 0,
        retain: false,
        attributes: Vec::new(),
    }
}

fn hear(fake: &Fake, message: &Message) -> Result<(), Error> {
    Chirpstack::handle_message(fake, &server(), message)
}

fn deliver(attributes: &[(&str, &str)]) -> Intent {
    let attributes = attributes.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    Intent::Deliver(Delivery { name: None, payload: Payload::Bytes(vec![0xbe, 0xef]), attributes })
}

fn command(device: &str, intent: Intent) -> Execution {
    let mut command = Submission::new(device, intent);
    command.ttl_ms = Some(60_000);
    command.succeeds_at = Some(Stage::Ended);
    let mut record = execution("e-1", "the-things-stack", command, NOW_MS);
    record.attempt = 1;
    record
}

fn device(fake: &Fake, id: &str) -> Device {
    fake.device(id).unwrap()
}

#[test]
fn a_downlink_goes_out_and_its_receipts_come_back() {
    let mut transcript = Transcript::default();
    let fake = gateway();
    let confirmed = command("d-1", deliver(&[("lorawan.f-port", "15"), ("lorawan.confirmed", "true")]));
    let dispatched = Chirpstack::dispatch(&fake, &device(&fake, "d-1"), &confirmed);
    transcript.section("a confirmed downlink").attempt(&confirmed).dispatched(&dispatched);
    let Ok(Dispatched::Send(messages)) = dispatched else { panic!("it is sent") };
    let [message] = messages.as_slice() else { panic!("one message") };
    assert_eq!((message.to, message.message.qos), (Audience::Subscribed, 0));
    let again = Chirpstack::dispatch(&fake, &device(&fake, "d-1"), &confirmed);
    transcript.section("the second attempt has an id of its own").dispatched(&again);
    for (title, kind, file) in [
        ("sent by radio", "txack", include_str!("events/txack.json")),
        ("acknowledged", "ack", include_str!("events/ack.json")),
        ("not acknowledged", "ack", include_str!("events/ack-false.json")),
        ("expired", "log", include_str!("events/log-expired.json")),
        ("too long", "log", include_str!("events/log-size.json")),
        ("a used frame counter", "log", include_str!("events/log-f-cnt.json")),
        ("a gateway that could not send: the network tries again", "log", include_str!("events/log-gateway.json")),
        ("a line about an uplink", "log", include_str!("events/log-uplink.json")),
    ] {
        hear(&fake, &event(EUI, kind, file)).unwrap();
        transcript.section(title).deeds(&fake);
    }
    transcript.check("tests/golden/receipts.txt");
}

/// Carries out what was written about devices, and gives back what else was done.
fn kept(fake: &Fake) -> Vec<Deed> {
    let (profiles, others): (Vec<_>, Vec<_>) =
        fake.deeds.take().into_iter().partition(|deed| matches!(deed, Deed::PutProfile(..)));
    for deed in profiles {
        let Deed::PutProfile(id, profile, revision) = deed else { continue };
        let mut devices = fake.devices.borrow_mut();
        let device = devices.iter_mut().find(|device| device.id == id).unwrap();
        assert_eq!(device.revision, revision, "the profile is that which was read");
        (device.profile, device.revision) = (Some(profile), revision + 1);
    }
    others
}

#[test]
fn an_item_without_a_receipt_is_given_up_when_the_device_spoke_three_times() {
    const OTHER: &str = r#"{"queueItemId":"of-somebody-else"}"#;
    let up = include_str!("events/up.json");
    // What happens behind the dispatch, and at which of these events the attempt is given up.
    for (events, state, given_up) in [
        (&["up", "up", "up", "up"][..], State::Sent, Some(2)),
        (&["up", "up", "txack", "up", "up", "up"], State::Sent, Some(5)),
        (&["up", "join", "up"], State::Sent, None),
        (&["up", "up", "up", "up"], State::Acked, None),
        (&["up", "up", "up", "up"], State::Queued, None),
    ] {
        let mut fake = gateway();
        let mut record = command("d-1", deliver(&[("lorawan.f-port", "15")]));
        Chirpstack::dispatch(&fake, &device(&fake, "d-1"), &record).unwrap();
        kept(&fake);
        record.state = state;
        fake.executions = vec![record];
        let mut found = None;
        for (number, kind) in events.iter().enumerate() {
            let payload = match *kind {
                "up" => up,
                "txack" => OTHER,
                _ => include_str!("events/join.json"),
            };
            hear(&fake, &event(EUI, kind, payload)).unwrap();
            for deed in kept(&fake) {
                if let Deed::AttemptFailed(about, why, _) = deed {
                    assert_eq!((about.reporter.as_str(), about.key), ("ns-1", format!("{EUI}/{}", Fake::id(1))));
                    assert_eq!(why.code, "LORAWAN_NO_RECEIPT");
                    assert_eq!(found.replace(number), None, "it is given up once");
                }
            }
        }
        assert_eq!(found, given_up, "{events:?} while it is {state:?}");
    }
}

#[test]
fn events_are_told_and_the_session_is_remembered() {
    let mut transcript = Transcript::default();
    let fake = gateway();
    for (title, eui, kind, file) in [
        ("an uplink of a device that was heard before", EUI, "up", include_str!("events/up.json")),
        ("the first uplink", "4200000000000002", "up", include_str!("events/up.json")),
        ("with what the network's own codec read", EUI, "up", include_str!("events/up-object.json")),
        ("a frame of the network's own", EUI, "up", include_str!("events/up-mac.json")),
        ("a join", "4200000000000002", "join", include_str!("events/join.json")),
        ("status", EUI, "status", include_str!("events/status.json")),
        ("a place", EUI, "location", include_str!("events/location.json")),
        ("an integration", EUI, "integration", include_str!("events/integration.json")),
        ("a device that is not registered", "42000000000000ff", "up", include_str!("events/up.json")),
        ("another one", "42000000000000fe", "join", include_str!("events/join.json")),
    ] {
        hear(&fake, &event(eui, kind, file)).unwrap();
        transcript.section(title).deeds(&fake);
    }
    transcript.check("tests/golden/events.txt");
}

#[test]
fn what_cannot_be_sent_is_unsupported_with_a_reason() {
    let mut transcript = Transcript::default();
    let mut fake = gateway();
    let good = || deliver(&[("lorawan.f-port", "15")]);
    let play = |transcript: &mut Transcript, fake: &Fake, title: &str, device: &Device, record: &Execution| {
        transcript.section(title).attempt(record).dispatched(&Chirpstack::dispatch(fake, device, record));
    };
    let (heard, silent) = (device(&fake, "d-1"), device(&fake, "d-2"));
    let write = Intent::Write(vec![Property { service: None, name: "level".to_owned(), value: "5".to_owned() }]);
    play(&mut transcript, &fake, "another dialect's: confirmed by default", &heard, &command("d-1", good()));
    let mut labelled = command("d-1", good());
    labelled.labels = vec![("lorawan.confirmed".to_owned(), "false".to_owned())];
    play(&mut transcript, &fake, "unconfirmed by label", &heard, &labelled);
    play(&mut transcript, &fake, "no port", &heard, &command("d-1", deliver(&[])));
    play(&mut transcript, &fake, "a write without a handler", &heard, &command("d-1", write));
    play(&mut transcript, &fake, "an application that is not known", &silent, &command("d-2", good()));
    let mut orphan = heard.clone();
    orphan.parent = None;
    play(&mut transcript, &fake, "no network server", &orphan, &command("d-1", good()));
    let mut nameless = heard.clone();
    nameless.aliases = vec![("lorawan.dev-eui".to_owned(), "42AB000000000000".to_owned())];
    play(&mut transcript, &fake, "an EUI in capital letters", &nameless, &command("d-1", good()));
    let mut labels = silent.clone();
    labels.labels = vec![("chirpstack.application-id".to_owned(), "a-1".to_owned())];
    play(&mut transcript, &fake, "the application by label", &labels, &command("d-2", good()));
    fake.settings = r#"{"application-id":"a-2","confirm":false,"default-f-port":3}"#.to_owned();
    play(
        &mut transcript,
        &fake,
        "by setting, unconfirmed: its receipt will end it",
        &silent,
        &command("d-2", deliver(&[])),
    );
    transcript.check("tests/golden/dispatch.txt");

    fake.deeds.take();
    let receipt = include_str!("events/txack.json").replace("-7000-", "-8000-");
    hear(&fake, &event(EUI, "txack", &receipt)).unwrap();
    let told = fake.deeds.take();
    assert!(matches!(told.as_slice(), [Deed::Told(_, Report::Ended(Outcome::Succeeded(None)), _)]), "{told:?}");
}

#[test]
fn only_the_devices_of_a_server_are_heard_of_it() {
    let fake = gateway();
    let up = include_str!("events/up.json");
    let mut stranger = server();
    stranger.device = Some("ns-2".to_owned());
    let mut nobody = server();
    nobody.device = None;
    for (session, eui) in [(&stranger, EUI), (&nobody, EUI)] {
        for kind in ["up", "txack", "ack"] {
            Chirpstack::handle_message(&fake, session, &event(eui, kind, up)).unwrap();
            assert_eq!(fake.deeds.take(), [], "{kind}");
        }
    }
    // A device of another dialect is none of ours, whatever its EUI.
    hear(&fake, &event("4200000000000009", "up", up)).unwrap();
    assert_eq!(fake.deeds.take(), []);
    // A receipt names the server's own session as its reporter, so nobody else's item can be meant.
    hear(&fake, &event(EUI, "txack", include_str!("events/txack.json"))).unwrap();
    let reporter = |deed: &Deed| match deed {
        Deed::Told(Correlation { reporter, .. }, ..) => reporter.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(fake.deeds.take().iter().map(reporter).collect::<Vec<_>>(), ["ns-1"]);
}

/// Bad input from a network server: nothing is told, the call does not fail, and a line in the log says why.
#[test]
fn bad_events_are_dropped_with_a_line() {
    let fake = gateway();
    let up = |fields: &str| format!(r#"{{"fPort":1,{fields}}}"#);
    let rows = [
        (event(EUI, "up", ""), "EOF"),
        (event(EUI, "up", "x"), "expected value"),
        (event(EUI, "up", "[]"), "object"),
        (event(EUI, "up", "7"), "object"),
        (event(EUI, "up", r#"{"fPort":1"#), "EOF"),
        (event(EUI, "up", r#"{"fPort":"1"}"#), "invalid type"),
        (event(EUI, "up", r#"{"fPort":-1}"#), "invalid value"),
        (event(EUI, "up", &up(r#""data":7"#)), "invalid type"),
        (event(EUI, "up", &up(r#""data":"?""#)), "no base64"),
        (event(EUI, "up", &up(r#""data":"AQ""#)), "no base64"),
        (event(EUI, "up", &up(r#""fCnt":4294967296"#)), "invalid value"),
        (event(EUI, "up", &up(r#""rxInfo":{}"#)), "invalid type"),
        (event(EUI, "up", &up(r#""rxInfo":[7]"#)), "invalid type"),
        (event(EUI, "up", &up(r#""txInfo":7"#)), "invalid type"),
        (event(EUI, "status", r#"{"margin":"x"}"#), "invalid type"),
        (event(EUI, "up", &up(r#""deviceInfo":7"#)), "invalid type"),
        (event(EUI, "up", r#"{"fPort":256}"#), "invalid value"),
        (event(EUI, "up", &up(r#""deviceInfo":{"devEui":"4200000000000002"}"#)), "of device 4200000000000002"),
        (event(EUI, "txack", r#"{"deviceInfo":{"applicationId":"a-2"}}"#), "of application a-2"),
        (event(EUI, "up", &up(&format!(r#""object":{}1{}"#, "[".repeat(70), "]".repeat(70)))), "nested deeper"),
        (event(EUI, "join", "null"), "object"),
        (event(EUI, "join", r#"{"devAddr":1}"#), "invalid type"),
        (event(EUI, "location", "{}"), "missing field"),
        (event(EUI, "location", r#"{"location":7}"#), "invalid type"),
        (event(EUI, "txack", r#"{"queueItemId":7}"#), "invalid type"),
        (event(EUI, "txack", r#"{"fCntDown":"x"}"#), "invalid type"),
        (event(EUI, "ack", r#"{"acknowledged":"true"}"#), "invalid type"),
        (event(EUI, "ack", "{"), "EOF"),
        (event(EUI, "log", r#"{"context":{"queue_item_id":7}}"#), "invalid type"),
        (event(EUI, "log", r#"{"code":7}"#), "invalid type"),
        (event(EUI, "integration", "[]"), "object"),
        (event(EUI, "dance", "{}"), "kind that is not known"),
        (event("42", "up", "{}"), "no event of a device"),
        (event("420000000000000G", "up", "{}"), "no event of a device"),
        (event("42ab00000000000A", "up", "{}"), "no event of a device"),
    ];
    for (message, expected) in rows {
        hear(&fake, &message).unwrap();
        let log = fake.log.take();
        assert!(log.iter().any(|(_, text)| text.contains(expected)), "{message:?}: {log:?}");
        assert_eq!(fake.deeds.take(), [], "{message:?}");
    }
    let mut bytes = event(EUI, "up", "");
    bytes.payload = Payload::Bytes(vec![0xff]);
    hear(&fake, &bytes).unwrap();
    assert_eq!(fake.deeds.take(), []);
}

/// ChirpStack leaves out what is empty, and an integration may call itself anything.
#[test]
fn an_event_without_a_name_that_fits_is_told_without_it() {
    let fake = gateway();
    let long = "x".repeat(513);
    for (kind, payload, expected) in [
        ("log", "{}".to_owned(), None),
        ("log", r#"{"code":"UPLINK_CODEC"}"#.to_owned(), Some("UPLINK_CODEC")),
        ("log", format!(r#"{{"code":"{long}"}}"#), None),
        ("integration", "{}".to_owned(), Some("integration")),
        ("integration", r#"{"integrationName":"","eventType":"alarm"}"#.to_owned(), Some("alarm")),
        ("integration", r#"{"integrationName":"","eventType":""}"#.to_owned(), Some("integration")),
        ("integration", format!(r#"{{"integrationName":"{long}"}}"#), Some("integration")),
    ] {
        hear(&fake, &event(EUI, kind, &payload)).unwrap();
        let deeds = fake.deeds.take();
        let [Deed::Emitted(told)] = deeds.as_slice() else { panic!("{payload:.60}: {deeds:?}") };
        assert_eq!(told.name.as_deref(), expected, "{payload:.60}");
    }
}

/// What is too large for the gateway is the network's, and no fault of the dialect.
#[test]
fn what_is_too_large_is_dropped_with_a_line() {
    let fake = gateway();
    let long = |length: usize| "x".repeat(length);
    for (kind, payload) in [
        ("ack", format!(r#"{{"queueItemId":"{}"}}"#, long(600))),
        ("txack", format!(r#"{{"queueItemId":"{}"}}"#, long(600))),
        ("log", format!(r#"{{"code":"X","description":"{}"}}"#, long(300_000))),
    ] {
        hear(&fake, &event(EUI, kind, &payload)).unwrap();
        assert_eq!(fake.deeds.take(), [], "{kind}");
        let log = fake.log.take();
        assert!(matches!(log.as_slice(), [(_, text)] if text.contains("but at most")), "{kind}: {log:.200?}");
    }
}

#[test]
fn what_the_gateway_does_not_take_is_a_line_or_a_fault() {
    let mut fake = gateway();
    let ack = event(EUI, "ack", include_str!("events/ack.json"));
    for (error, fails) in [
        (Error::NotFound("no such attempt".to_owned()), false),
        (Error::Denied("a stranger".to_owned()), false),
        (Error::Conflict("over".to_owned()), false),
        (Error::Limit("an id of 64 KiB".to_owned()), false),
        (Error::Unavailable("busy".to_owned()), true),
    ] {
        fake.tell_error = Some(error.clone());
        let heard = hear(&fake, &ack);
        assert_eq!(heard.is_err(), fails, "{error:?}");
        assert!(fails || !fake.log.take().is_empty(), "{error:?}");
    }
}

#[test]
fn a_network_server_connects_under_its_name() {
    let mut transcript = Transcript::default();
    let mut fake = gateway();
    let connect = |transcript: &mut Transcript, fake: &Fake, title: &str, user: Option<&str>| {
        let verdict = Chirpstack::authenticate(fake, &session("c", user), 30, false);
        transcript.section(title).verdict(&verdict).deeds(fake);
    };
    connect(&mut transcript, &fake, "as it should", Some("chirpstack"));
    connect(&mut transcript, &fake, "no user name", None);
    connect(&mut transcript, &fake, "an unknown name", Some("x"));
    connect(&mut transcript, &fake, "a name of another dialect", Some("foreign"));
    connect(&mut transcript, &fake, "a server without a secret", Some("other"));
    fake.presented = Some("wrong".to_owned());
    connect(&mut transcript, &fake, "a wrong password", Some("chirpstack"));
    transcript.check("tests/golden/admission.txt");
}
