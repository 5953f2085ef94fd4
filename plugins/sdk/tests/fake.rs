//! The made-up gateway keeps the bounds of the real one, so that a test notices what would be refused or be a fault.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use dragoman_plugin_sdk::testing::{Deed, Fake};
use dragoman_plugin_sdk::{
    Correlation, Delivery, Error, Event, Gateway, Intent, Message, Outcome, Payload, Policy, Readers, Reason,
    Registration, Report, Stage, Submission,
};

const JSON_MAX_BYTES: usize = 262_144;

fn text(bytes: usize) -> String {
    "x".repeat(bytes)
}

fn json(bytes: usize) -> String {
    format!("\"{}\"", text(bytes - 2))
}

fn pairs(count: usize, bytes: usize) -> Vec<(String, String)> {
    vec![("n".to_owned(), text(bytes - 1)); count]
}

fn message(topic: &str, bytes: usize, attributes: Vec<(String, String)>) -> Message {
    Message { topic: topic.to_owned(), payload: Payload::Text(text(bytes)), qos: 0, retain: false, attributes }
}

fn event(kind: &str, name: &str, body: String) -> Event {
    Event {
        device: "d".to_owned(),
        kind: kind.to_owned(),
        name: Some(name.to_owned()),
        at_ms: 0,
        raw: None,
        body: Some(body),
        attributes: Vec::new(),
    }
}

fn kind_of(result: Result<(), Error>) -> &'static str {
    match result {
        Ok(()) => "",
        Err(Error::Limit(_)) => "limit",
        Err(Error::Invalid(_)) => "invalid",
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn messages_and_events_have_bounds() {
    let fake = Fake { targets: vec!["t".to_owned()], ..Fake::default() };
    let publish = |message: Message| kind_of(fake.publish(&Readers::Subscribers, &message));
    for (found, expected) in [
        (publish(message("a/b", JSON_MAX_BYTES, pairs(64, 256))), ""),
        (publish(message("a/b", JSON_MAX_BYTES + 1, vec![])), "limit"),
        (publish(message("a/b", 0, pairs(65, 1))), "limit"),
        (publish(message("a/b", 0, pairs(64, 257))), "limit"),
        (publish(message("a/+", 0, vec![])), "invalid"),
        (publish(message("", 0, vec![])), "invalid"),
        (publish(Message { qos: 2, ..message("a", 0, vec![]) }), "invalid"),
        (kind_of(fake.emit(&event("log", &text(512), json(JSON_MAX_BYTES)))), ""),
        (kind_of(fake.emit(&event("log", "", json(2)))), "invalid"),
        (kind_of(fake.emit(&event("log", &text(513), json(2)))), "limit"),
        (kind_of(fake.emit(&event("log", "n", json(JSON_MAX_BYTES + 1)))), "limit"),
        (kind_of(fake.emit(&event("log", "n", "{".to_owned()))), "invalid"),
        (kind_of(fake.emit(&event("Log", "n", json(2)))), "invalid"),
        (kind_of(fake.request("t", "POST", "/a?b", &pairs(64, 1), Some("{}"))), ""),
        (kind_of(fake.request("t", "POST", "a", &[], None)), "invalid"),
        (kind_of(fake.request("t", "post", "/", &[], None)), "invalid"),
        (kind_of(fake.request("t", "POST", &format!("/{}", text(8_192)), &[], None)), "limit"),
        (kind_of(fake.request("t", "POST", "/", &[], Some("x"))), "invalid"),
    ] {
        assert_eq!(found, expected);
    }
    assert_eq!(fake.deeds.take().len(), 3, "what is refused is not done");
}

#[test]
fn records_have_bounds() {
    let fake = Fake::default();
    let record = |alias: String, profile: &str| Registration {
        id: None,
        handler: None,
        parent: None,
        aliases: vec![("ns".to_owned(), alias)],
        labels: Vec::new(),
        profile: profile.to_owned(),
    };
    let put = |collection: &str, key: String, value: String| kind_of(fake.put_document(collection, &key, &value, 0));
    let filters = |count: usize, filter: &str| Policy {
        publish: vec![filter.to_owned(); count],
        subscribe: vec![],
        receive: vec![],
        implicit: vec![],
    };
    let policy = |policy: &Policy| kind_of(fake.set_policy("s", None, policy));
    let about = Correlation { reporter: "d".to_owned(), key: "k".to_owned() };
    let told = |report: &Report, attributes: &[(String, String)]| kind_of(fake.tell(&about, report, attributes));
    let failed =
        |bytes: usize| Report::Ended(Outcome::Failed(Reason { code: "E".to_owned(), text: text(bytes), detail: None }));
    for (found, expected) in [
        (put("c", text(256), json(JSON_MAX_BYTES)), ""),
        (put("c", text(257), json(2)), "limit"),
        (put("c", String::new(), json(2)), "invalid"),
        (put("c", "k".to_owned(), json(JSON_MAX_BYTES + 1)), "limit"),
        (put("C", "k".to_owned(), json(2)), "invalid"),
        (kind_of(fake.put_notes("s", &json(64 << 10))), ""),
        (kind_of(fake.put_notes("s", &json((64 << 10) + 1))), "limit"),
        (kind_of(fake.register(&record(text(512), "{}")).map(drop)), ""),
        (kind_of(fake.register(&record(text(513), "{}")).map(drop)), "limit"),
        (kind_of(fake.register(&record("a".to_owned(), "{")).map(drop)), "invalid"),
        (kind_of(fake.put_profile("d", &json(JSON_MAX_BYTES + 1), 0)), "limit"),
        (policy(&filters(256, "a/#")), ""),
        (policy(&filters(257, "a/#")), "limit"),
        (policy(&filters(1, "a/#/b")), "invalid"),
        (told(&failed(4_096), &pairs(64, 256)), ""),
        (told(&failed(4_097), &[]), "limit"),
        (told(&Report::Progress(Some(json(JSON_MAX_BYTES + 1))), &[]), "limit"),
        (told(&Report::Acked(None), &pairs(65, 1)), "limit"),
        (kind_of(fake.note("e", "no json")), "invalid"),
        (kind_of(fake.set_label("e", "n", &text(513))), "limit"),
    ] {
        assert_eq!(found, expected);
    }
}

fn command() -> Submission {
    let delivery = Delivery { name: None, payload: Payload::Text(String::new()), attributes: Vec::new() };
    Submission::new("d", Intent::Deliver(delivery))
}

#[test]
fn a_command_that_does_not_fit_is_refused_as_settled_is_told() {
    let fake = Fake::default();
    let refused = |command: Submission| {
        fake.submit(command);
        match fake.deeds.take().as_slice() {
            [Deed::Submitted(..)] => String::new(),
            [Deed::Refused(_, reason)] => reason.code.clone(),
            other => panic!("{other:?}"),
        }
    };
    for (command, expected) in [
        (command(), ""),
        (Submission { alias: Some(text(513)), ..command() }, "$LIMIT"),
        (Submission { context: Some(json(JSON_MAX_BYTES + 1)), ..command() }, "$LIMIT"),
        (Submission { labels: pairs(9, 1), ..command() }, "$LIMIT"),
        (Submission { ttl_ms: Some(999), ..command() }, "$INVALID"),
        (Submission { succeeds_at: Some(Stage::Sent), ..command() }, "$INVALID"),
        (Submission::new("d", Intent::Write(Vec::new())), "$INVALID"),
    ] {
        assert_eq!(refused(command), expected);
    }
}

#[test]
fn what_was_looked_at_is_another_call() {
    let fake = Fake::default();
    for _ in 0..3 {
        for _ in 0..1_000 {
            fake.device("d");
            fake.now_ms();
            fake.new_id();
        }
        fake.deeds.take();
    }
    for _ in 0..1_000 {
        fake.device("d");
    }
    fake.deeds.next_call();
    fake.device("d");
}

#[test]
#[should_panic(expected = "more than 1000 calls of the gateway, the last one of `devices.get`")]
fn a_call_that_asks_too_often_fails_the_test() {
    let fake = Fake::default();
    for _ in 0..1_001 {
        fake.device("d");
    }
}

/// Each option of a command is a call of the gateway.
#[test]
#[should_panic(expected = "the last one of `executions.submit`")]
fn options_of_commands_count() {
    let fake = Fake::default();
    for _ in 0..201 {
        fake.submit(Submission { alias: Some("a".to_owned()), labels: pairs(2, 1), ..command() });
    }
}

#[test]
#[should_panic(expected = "more than 256 submissions")]
fn a_call_that_submits_too_much_fails_the_test() {
    let fake = Fake::default();
    for _ in 0..257 {
        fake.submit(command());
    }
}

#[test]
#[should_panic(expected = "more than 16777216 bytes that are written")]
fn a_call_that_writes_too_much_fails_the_test() {
    let fake = Fake::default();
    for _ in 0..65 {
        fake.publish(&Readers::Subscribers, &message("a", JSON_MAX_BYTES, vec![])).unwrap();
    }
}

#[test]
#[should_panic(expected = "the reason code `$AWAY`")]
fn a_code_of_the_gateways_fails_the_test() {
    let about = Correlation { reporter: "d".to_owned(), key: "k".to_owned() };
    let reason = Reason { code: "$AWAY".to_owned(), text: String::new(), detail: None };
    let _ = Fake::default().tell(&about, &Report::Ended(Outcome::Failed(reason)), &[]);
}
