//! A small platform: two users, three devices, and sessions whose calls become lines of a transcript.
#![allow(dead_code, reason = "each test uses a part of it")]

use devicehive::{Hive, ID_ALIAS, NAME};
use dragoman_plugin_sdk::testing::{Deed, Fake, Transcript, execution, session};
use dragoman_plugin_sdk::{
    Admission, Error, Execution, Gateway, Message, Payload, Plugin, Session, Settlement, Southbound, Subscription,
    SubscriptionVerdict, Subscriptions, Topics, Wait,
};

/// 2018-02-07T14:32:45.000Z, when the seed's page was written.
pub(crate) const NOW_MS: u64 = 1_518_013_965_000;

/// Everything in the registry: `device1` of this dialect in network 1, `device2` in network 2, `lamp` of another dialect.
pub(crate) fn gateway() -> Fake {
    let mut fake = Fake { now_ms: NOW_MS, indexes: indexes(), settings: settings("{}"), ..Fake::default() };
    for (account, secret, rights) in [
        ("jwt", "devicehive", "{}"),
        ("dhadmin", "dhadmin_#911", r#"{"id":1,"role":0}"#),
        ("client", "client_#911", r#"{"id":2,"role":1,"networks":["1"]}"#),
        ("locked", "locked_#911", r#"{"id":3,"role":1,"status":1}"#),
    ] {
        fake.accounts.insert(account.to_owned(), (secret.to_owned(), rights.to_owned()));
    }
    for (id, dialect, alias, network) in
        [("dev-1", NAME, "device1", 1), ("dev-2", NAME, "device2", 2), ("dev-3", "acme-things", "lamp", 1)]
    {
        fake.add_device(id, dialect, &[(ID_ALIAS, alias)]);
        let profile = format!(r#"{{"name":"{alias}","networkId":{network},"deviceTypeId":1,"isBlocked":false}}"#);
        let mut devices = fake.devices.borrow_mut();
        let device = devices.iter_mut().find(|device| device.id == id).unwrap();
        device.profile = Some(profile);
        device.revision = 1;
    }
    fake
}

/// Settings with the networks and the device type of the platform's page.
pub(crate) fn settings(others: &str) -> String {
    let places = r#"{"networks":{"1":"network1","2":"network2"},"device-types":{"1":"devicetype1"}}"#;
    let mut all: serde_json::Map<String, serde_json::Value> = serde_json::from_str(places).unwrap();
    all.append(&mut serde_json::from_str(others).unwrap());
    serde_json::to_string(&all).unwrap()
}

/// The indexes that the dialect declares.
fn indexes() -> Vec<String> {
    let attributes = Hive::describe().attributes;
    attributes.into_iter().filter(|(name, _)| name == "documents.index").map(|(_, value)| value).collect()
}

/// A client that is connected and listens to the answers of these actions, at QoS 1.
pub(crate) fn connected(fake: &Fake, client_id: &str, actions: &[&str]) -> Session {
    let session = session(client_id, None);
    let filters = actions.iter().map(|action| format!("dh/response/{action}@{client_id}"));
    let held = filters.map(|filter| Subscription { filter, qos: 1 }).collect();
    fake.sessions.borrow_mut().insert(session.id.clone(), (session.clone(), held));
    session
}

/// The same, logged in at CONNECT.
pub(crate) fn logged_in(fake: &mut Fake, login: &str, client_id: &str, actions: &[&str]) -> Session {
    let mut session = connected(fake, client_id, actions);
    session.username = Some(login.to_owned());
    fake.presented = Some(format!("{login}_#911"));
    let verdict = Hive::authenticate(fake, &session, 60, true).unwrap();
    assert!(matches!(verdict, dragoman_plugin_sdk::Verdict::Accept(_)), "{login} is let in");
    fake.presented = None;
    session
}

pub(crate) fn message(topic: &str, payload: &str) -> Message {
    Message {
        topic: topic.to_owned(),
        payload: Payload::Text(payload.to_owned()),
        qos: 1,
        retain: false,
        attributes: Vec::new(),
    }
}

/// What a message of a client comes to.
pub(crate) fn say(fake: &Fake, session: &Session, topic: &str, payload: &str) -> Result<Option<Wait>, Error> {
    Hive::handle_message_of_application(fake, session, &message(topic, payload))
}

/// Two roles have a call of the same name.
pub(crate) trait Named {
    fn handle_message_of_application(fake: &Fake, session: &Session, message: &Message) -> Result<Option<Wait>, Error>;
}

impl Named for Hive {
    fn handle_message_of_application(fake: &Fake, session: &Session, message: &Message) -> Result<Option<Wait>, Error> {
        <Self as Topics>::handle_message(fake, session, message)
    }
}

/// Writes down a message of a client and what came of it; a command that was submitted is accepted, and dispatched where
/// this dialect reaches its device. Tells the execution.
pub(crate) fn play(
    transcript: &mut Transcript,
    fake: &mut Fake,
    session: &Session,
    topic: &str,
    payload: &str,
) -> Option<Execution> {
    transcript.line(&format!("> {} publishes {topic}\n{payload}", session.client_id));
    let wait = say(fake, session, topic, payload);
    transcript.waits(&wait);
    let submitted = fake.submitted();
    carry_out(fake);
    transcript.deeds(fake);
    let (id, command) = submitted?;
    let record = execution(&id, NAME, command, fake.now_ms);
    fake.executions.push(record.clone());
    let context = wait.ok()??.context;
    let settlement = Settlement { id, settled: Ok(record.clone()) };
    <Hive as Topics>::settled(fake, &context, &[settlement]).unwrap();
    transcript.line("# accepted").deeds(fake);
    let device = fake.device(&record.device)?;
    if device.dialect == NAME {
        transcript.line("# dispatched").dispatched(&Hive::dispatch(fake, &device, &record)).deeds(fake);
    }
    Some(record)
}

/// An action of `dh/request`.
pub(crate) fn act(transcript: &mut Transcript, fake: &mut Fake, session: &Session, request: &str) -> Option<Execution> {
    play(transcript, fake, session, "dh/request", request)
}

/// The payloads that were published since the last look, with their topics, and forgets all deeds.
pub(crate) fn published(fake: &Fake) -> Vec<(String, String)> {
    let text = |message: Message| match message.payload {
        Payload::Text(text) => text,
        Payload::Bytes(bytes) => format!("{bytes:?}"),
    };
    let deeds = fake.deeds.take();
    deeds
        .into_iter()
        .filter_map(|deed| match deed {
            Deed::Published(_, message) => Some((message.topic.clone(), text(message))),
            _ => None,
        })
        .collect()
}

/// What a client gets that subscribes.
pub(crate) fn subscribes(fake: &Fake, session: &Session, filter: &str) -> String {
    let asked = Subscription { filter: filter.to_owned(), qos: 1 };
    match Hive::on_subscribe(fake, session, &asked).unwrap() {
        SubscriptionVerdict::AsAsked => "as asked".to_owned(),
        SubscriptionVerdict::Rewritten(served) => format!("served as {served}"),
        SubscriptionVerdict::Refuse => "0x80".to_owned(),
    }
}

/// Writes what the dialect did to executions into the records of the test, as the gateway would: notes, labels, ends.
pub(crate) fn carry_out(fake: &mut Fake) {
    use dragoman_plugin_sdk::Report;
    use dragoman_plugin_sdk::testing::ended;
    let deeds = fake.deeds.borrow().clone();
    for deed in deeds {
        let now_ms = fake.now_ms;
        let id = match &deed {
            Deed::Noted(id, _) | Deed::Labelled(id, ..) | Deed::ToldFor(id, ..) => id.clone(),
            _ => continue,
        };
        let Some(record) = fake.executions.iter_mut().find(|record| record.id == id) else { continue };
        match deed {
            Deed::Noted(_, note) | Deed::ToldFor(_, Report::Progress(Some(note)), _) => record.last_note = Some(note),
            Deed::Labelled(_, name, value) => {
                record.labels.retain(|(known, _)| *known != name);
                record.labels.push((name, value));
            }
            Deed::ToldFor(_, Report::Acked(_), _) => record.state = dragoman_plugin_sdk::State::Acked,
            Deed::ToldFor(_, Report::Ended(outcome), report) if record.outcome.is_none() => {
                *record = ended(record.clone(), outcome, report);
                record.ended_ms = Some(now_ms);
            }
            _ => {}
        }
    }
}
