//! Application `app1` as it stands before a test, and how a test plays on it.

use dragoman_plugin_sdk::testing::{Deed, Fake, Transcript, execution, request, session};
use dragoman_plugin_sdk::{
    Execution, Message, Payload, Presented, Reason, Request, Session, State, Topics, Transition, Wait,
};
use serde_json::Value;
use the_things_stack::{NAME, TheThingsStack as Tts};

/// 2019-01-29T13:02:35Z
pub(crate) const NOW_MS: u64 = 1_548_766_955_000;
pub(crate) const KEY: &str = "NNSXS.VEEBURF3KR77ZR..";
pub(crate) const PUSH: &str = "v3/app1/devices/dev1/down/push";
pub(crate) const REPLACE: &str = "v3/app1/devices/dev1/down/replace";
pub(crate) const ITEM: &str = r#"{"downlinks":[{"f_port":15,"frm_payload":"vu8="}]}"#;
pub(crate) const CONFIRMED: &str = r#"{"downlinks":[{"f_port":15,"frm_payload":"vu8=","confirmed":true}]}"#;
pub(crate) const OBJECT: &str = r#"{"downlinks":[{"f_port":15,"decoded_payload":{"level": 50}}]}"#;

/// Application `app1` with a LoRaWAN device `dev1`, one with a handler `lamp1`, and a thing of another dialect `thing1`.
pub(crate) fn gateway() -> Fake {
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

pub(crate) fn rights(fake: &mut Fake, rights: &str) {
    fake.accounts.insert("app1".to_owned(), (KEY.to_owned(), format!(r#"{{"rights":{rights}}}"#)));
}

pub(crate) fn client() -> Session {
    let mut client = session("mosq-1", Some("app1"));
    client.principal = Some("app1".to_owned());
    client
}

pub(crate) fn message(topic: &str, payload: &str) -> Message {
    let payload = Payload::Text(payload.to_owned());
    Message { topic: topic.to_owned(), payload, qos: 0, retain: false, attributes: Vec::new() }
}

pub(crate) fn call(method: &str, below: &str, body: &str) -> Request {
    let mut request = request(method, &format!("/api/v3/as/applications/app1{below}"), body);
    request.presented = Some(Presented { scheme: "bearer".to_owned(), account: None });
    request
}

pub(crate) fn publish(transcript: &mut Transcript, fake: &Fake, topic: &str, payload: &str) -> Option<Wait> {
    let message = message(topic, payload);
    let wait = Tts::handle_message(fake, &client(), &message);
    transcript.message("publish", &message).waits(&wait).deeds(fake);
    wait.unwrap()
}

/// The records of what was submitted, and the context of the call that waits for them.
pub(crate) fn submitted(fake: &Fake, topic: &str, payload: &str) -> (Vec<Execution>, String) {
    let wait = Tts::handle_message(fake, &client(), &message(topic, payload)).unwrap().expect("it waits");
    let records = fake.deeds.take().into_iter().filter_map(|deed| match deed {
        Deed::Submitted(id, command) => Some(execution(&id, NAME, *command, NOW_MS)),
        _ => None,
    });
    (records.collect(), wait.context)
}

pub(crate) fn line(event: &str, state: State, attempt: u32, attributes: &[(&str, &str)]) -> Transition {
    let attributes = attributes.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    let (at_ms, event) = (NOW_MS + 1_000, event.to_owned());
    Transition { seq: 1, at_ms, event, state, attempt, reason: None, detail: None, attributes }
}

pub(crate) fn because(mut line: Transition, code: &str) -> Transition {
    line.reason = Some(reason(code));
    line
}

pub(crate) fn reason(code: &str) -> Reason {
    Reason { code: code.to_owned(), text: "why".to_owned(), detail: None }
}

/// What was published, as topics and bodies.
pub(crate) fn published(fake: &Fake) -> Vec<(String, Value)> {
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
pub(crate) fn shows(ours: &Value, seed: &Value, at: &str) {
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
