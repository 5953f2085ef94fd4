//! What the transcripts of this dialect have in common.
#![allow(dead_code, reason = "each test uses some of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use connio::{Connio, NAME};
use dragoman_plugin_sdk::testing::{Fake, Transcript, execution, request, session};
use dragoman_plugin_sdk::{
    Decision, Dispatched, Error, Execution, Gateway, Intent, Message, Northbound, Payload, Presented, Property,
    Request, Southbound, Submission, Subscription,
};

/// 2025-05-28T00:00:00Z
pub(crate) const NOW_MS: u64 = 1_748_390_400_000;
pub(crate) const SETTINGS: &str = r#"{"profiles":{"Thermostat":{
    "properties":{
        "Setpoint":{"id":"_prp_1","type":"number","boundaries":{"min":5,"max":35}},
        "mode":{"type":"enum","publish":"changed","boundaries":{"set":["heat","cool"]}},
        "note":{"type":"string","publish":"never"},
        "valve":{"type":"number","feedback":{"property":"valveState","failed":-1,"rejected":-2}},
        "valveState":{"type":"number","access":"protected"},
        "secret":{"access":"private"}},
    "methods":{"setTemperature":{"id":"_mtd_1","property":"setpoint","argument":"value"},"hidden":{"property":"mode","access":"private"}}}}}"#;
pub(crate) const CLIENT_RIGHTS: &str =
    r#"{"context":{"type":"account"},"scope":["device:read-data","device:write-data","device:execute"]}"#;

/// A thermostat with a key of its own, one device without a profile, and one of another dialect; an application's key.
pub(crate) fn gateway() -> Fake {
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

pub(crate) fn listen(fake: &mut Fake, device: &str, filters: &[(&str, u8)]) {
    let filters = filters.iter().map(|(filter, qos)| Subscription { filter: (*filter).to_owned(), qos: *qos });
    fake.device_subscriptions.insert(device.to_owned(), filters.collect());
}

pub(crate) fn call(method: &str, target: &str, body: &str) -> Request {
    let mut request = request(method, target, body);
    request.presented = Some(Presented { scheme: "basic".to_owned(), account: Some("_key_9".to_owned()) });
    request
}

pub(crate) fn play(transcript: &mut Transcript, fake: &Fake, request: &Request) -> Result<Decision, Error> {
    let decision = Connio::handle_request(fake, request);
    transcript.request(request).decision(&decision).deeds(fake);
    stored(transcript, fake);
    decision
}

/// The documents as they stand, and forgets none.
pub(crate) fn stored(transcript: &mut Transcript, fake: &Fake) {
    for ((_, key), document) in fake.documents.borrow().iter() {
        transcript.line(&format!("stored {key} ({}): {}", document.revision, document.value));
    }
}

pub(crate) fn write(name: &str, value: &str) -> Intent {
    Intent::Write(vec![Property { service: None, name: name.to_owned(), value: value.to_owned() }])
}

pub(crate) fn foreign(id: &str, device: &str, intent: Intent) -> Execution {
    let mut execution = execution(id, "emqx-fleets", Submission::new(device, intent), NOW_MS);
    execution.attempt = 1;
    execution
}

pub(crate) fn dispatch(transcript: &mut Transcript, fake: &Fake, execution: &Execution) -> Result<Dispatched, Error> {
    let device = fake.device(&execution.device).unwrap();
    let dispatched = Connio::dispatch(fake, &device, execution);
    transcript.attempt(execution).dispatched(&dispatched).deeds(fake);
    dispatched
}

pub(crate) fn uplink(topic: &str, payload: &str) -> Message {
    Message {
        topic: topic.to_owned(),
        payload: Payload::Text(payload.to_owned()),
        qos: 1,
        retain: false,
        attributes: Vec::new(),
    }
}

pub(crate) fn hear(transcript: &mut Transcript, fake: &Fake, message: &Message) {
    let mut speaker = session("_dev_1", Some("_key_1"));
    speaker.device = Some("dev-1".to_owned());
    transcript.message("receive", message);
    Connio::handle_message(fake, &speaker, message).unwrap();
    transcript.deeds(fake);
}
