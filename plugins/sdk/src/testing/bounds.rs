//! The gateway's bounds on what a plugin hands over, with the sizes that it has unless configured: the numbers of
//! `host/wasm/src/check.rs` and of the imports that use it. Past them an import answers `limit` or `invalid`.

use crate::{
    Delivery, Error, Event, Intent, Message, Outcome, Payload, Policy, Question, Reason, Registration, Report,
    Selection, Stage, Submission, json, outcome, route,
};
use serde::de::IgnoredAny;

/// A JSON document, and a payload, in bytes.
const JSON_MAX_BYTES: usize = 262_144;
/// Short names: aliases, labels, actions, properties, accounts, topic filters, in bytes.
const NAME_MAX_BYTES: usize = 512;
/// Texts for people in bytes.
const TEXT_MAX_BYTES: usize = 4_096;
/// Labels of one execution.
const LABELS_MAX: usize = 8;
/// Headers and attributes of one thing, and their bytes together.
const ATTRIBUTES_MAX: usize = 64;
const ATTRIBUTES_MAX_BYTES: usize = 16 << 10;
/// Properties of one intent.
const PROPERTIES_MAX: usize = 1_024;
/// Filters in one list of a policy.
const FILTERS_MAX: usize = 256;
/// The key of a document and the name of a counter, in bytes.
const KEY_MAX_BYTES: usize = 256;
/// The notes of one session, in bytes.
const NOTES_MAX_BYTES: usize = 64 << 10;
/// A topic, in bytes (MQTT 5.0, section 1.5.4).
const TOPIC_MAX_BYTES: usize = 65_535;
/// Path and query of a request, in bytes, and letters of its method.
const PATH_MAX_BYTES: usize = 8 << 10;
const METHOD_MAX_BYTES: usize = 16;
const TTL_MS: std::ops::RangeInclusive<u32> = 1_000..=49 * 24 * 60 * 60 * 1_000;
/// The dialect's own name for a following, in bytes, and transitions of one replay.
const TAG_MAX_BYTES: usize = 128;
const REPLAY: std::ops::RangeInclusive<u32> = 1..=1_000;
const ATTEMPTS: std::ops::RangeInclusive<u32> = 1..=1_000;

/// Whether the gateway takes it.
pub(super) type Checked = Result<(), Error>;

/// What goes over MQTT.
pub(super) fn message(message: &Message) -> Checked {
    let topic = &message.topic;
    if topic.is_empty() || topic.len() > TOPIC_MAX_BYTES || topic.contains(['+', '#', '\0']) {
        return Err(Error::Invalid(format!("`{topic:.200}` is not a topic")));
    }
    if message.qos > 1 {
        return Err(Error::Invalid(format!("QoS {} is not one of 0 to 1", message.qos)));
    }
    payload("the payload of a message", &message.payload)?;
    attributes("attributes of a message", &message.attributes)
}

/// What a device says of its own accord.
pub(super) fn event(event: &Event) -> Checked {
    if !is_word(&event.kind, b"-") {
        return Err(Error::Invalid(format!("`{:.100}` is not a kind of event: [a-z][a-z0-9-]{{0,63}}", event.kind)));
    }
    name_option("the name of an event", event.name.as_deref())?;
    if let Some(raw) = &event.raw {
        payload("the payload of an event", raw)?;
    }
    json_option("the body of an event", event.body.as_deref())?;
    attributes("attributes of an event", &event.attributes)
}

/// A request to a target.
pub(super) fn request(method: &str, path: &str, headers: &[(String, String)], body: Option<&str>) -> Checked {
    if !(1..=METHOD_MAX_BYTES).contains(&method.len()) || !method.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Err(Error::Invalid(format!("`{method:.100}` is not a method")));
    }
    size("the path of a request", path.len(), PATH_MAX_BYTES)?;
    if !path.starts_with('/') || !path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
        return Err(Error::Invalid(format!("`{path:.100}` is not a path")));
    }
    attributes("headers of a request", headers)?;
    json_option("the body of a request", body)
}

/// The name of a document.
pub(super) fn document_name(collection: &str, key: &str) -> Checked {
    if !is_word(collection, b"_-") {
        return Err(Error::Invalid(format!("`{collection:.100}` is not a collection: [a-z][a-z0-9_-]{{0,63}}")));
    }
    count("bytes in the key of a document", key.len(), 1, KEY_MAX_BYTES)
}

/// A document.
pub(super) fn document(collection: &str, key: &str, value: &str) -> Checked {
    document_name(collection, key)?;
    json("a document", value)
}

/// The name of a counter.
pub(super) fn counter(name: &str) -> Checked {
    count("bytes in the name of a counter", name.len(), 1, KEY_MAX_BYTES)
}

/// Notes about a session.
pub(super) fn notes(notes: &str) -> Checked {
    size("the notes of a session", notes.len(), NOTES_MAX_BYTES)?;
    json("the notes of a session", notes)
}

/// What a session may do.
pub(super) fn policy(Policy { publish, subscribe, receive, implicit }: &Policy) -> Checked {
    for (what, filters) in [("publish", publish), ("subscribe", subscribe), ("receive", receive)] {
        count(&format!("{what} filters of a policy"), filters.len(), 0, FILTERS_MAX)?;
        filters.iter().try_for_each(|one| filter(one))?;
    }
    count("implicit subscriptions of a policy", implicit.len(), 0, FILTERS_MAX)?;
    implicit.iter().try_for_each(|one| filter(&one.filter))
}

/// A device's record.
pub(super) fn registration(what: &Registration) -> Checked {
    name_option("a handler's name", what.handler.as_deref())?;
    attributes("aliases of a device", &what.aliases)?;
    what.aliases.iter().try_for_each(|(space, alias)| {
        name("an alias's namespace", space)?;
        name("an alias", alias)
    })?;
    attributes("labels of a device", &what.labels)?;
    json("a device's profile", &what.profile)
}

/// A device's word about an attempt.
pub(super) fn report(report: &Report, of: &[(String, String)]) -> Checked {
    attributes("attributes of a report", of)?;
    match report {
        Report::Progress(note) | Report::Acked(note) => json_option("a report's note", note.as_deref()),
        Report::Ended(Outcome::Succeeded(value)) => json_option("an outcome", value.as_deref()),
        Report::Ended(Outcome::Failed(why) | Outcome::Rejected(why)) => reason(why),
    }
}

/// Why something did not happen.
pub(super) fn reason(reason: &Reason) -> Checked {
    name("a reason's code", &reason.code)?;
    size("a reason's text", reason.text.len(), TEXT_MAX_BYTES)?;
    json_option("a reason's detail", reason.detail.as_deref())
}

/// One label of an execution.
pub(super) fn label(label: &str, value: &str) -> Checked {
    name("the name of a label", label)?;
    size("the value of a label", value.len(), NAME_MAX_BYTES)
}

/// What is looked for among executions.
pub(super) fn selection(what: &Selection) -> Checked {
    attributes("labels of a query", &what.labels)?;
    count("states of a query", what.states.len(), 0, ATTRIBUTES_MAX)
}

/// A command, as `settled` is told why it was refused.
pub(super) fn submission(command: &Submission) -> Result<(), Reason> {
    let checked = intent(&command.intent)
        .and_then(|()| name_option("the alias of a command", command.alias.as_deref()))
        .and_then(|()| name_option("an idempotency key", command.idempotency_key.as_deref()))
        .and_then(|()| json_option("the context of a command", command.context.as_deref()))
        .and_then(|()| count("labels of a command", command.labels.len(), 0, LABELS_MAX))
        .and_then(|()| command.labels.iter().try_for_each(|(name, value)| label(name, value)))
        .and_then(|()| options(command));
    checked.map_err(|error| {
        let code = if matches!(error, Error::Limit(_)) { "$LIMIT" } else { "$INVALID" };
        outcome::reason(code, outcome::error_text(&error))
    })
}

fn options(command: &Submission) -> Checked {
    let refuse = |why: &str| Err(Error::Invalid(why.to_owned()));
    if command.ttl_ms.is_some_and(|ttl_ms| !TTL_MS.contains(&ttl_ms)) {
        return refuse("the time to live is not between 1 s and 49 days");
    }
    if matches!(command.succeeds_at, Some(Stage::Accepted | Stage::Sent)) {
        return refuse("a command succeeds when it is acked or ended, not before");
    }
    match command.attempts {
        Some(attempts) if !ATTEMPTS.contains(&attempts.max) => refuse("the attempts are not between 1 and 1000"),
        Some(attempts) if attempts.backoff_ms > *TTL_MS.end() => refuse("the backoff is longer than 49 days"),
        _ => Ok(()),
    }
}

/// What is wanted of a device.
fn intent(intent: &Intent) -> Checked {
    match intent {
        Intent::Invoke(invocation) => {
            name_option("an intent's service", invocation.service.as_deref())?;
            name("an intent's action", &invocation.action)?;
            json("an intent's params", &invocation.params)?;
            if invocation.params.trim_start().starts_with(['{', 'n']) {
                Ok(())
            } else {
                Err(Error::Invalid("an intent's params is not a JSON object".to_owned()))
            }
        }
        Intent::Write(properties) => {
            count("properties of an intent", properties.len(), 1, PROPERTIES_MAX)?;
            properties.iter().try_for_each(|property| {
                name_option("a property's service", property.service.as_deref())?;
                name("a property's name", &property.name)?;
                json("a property's value", &property.value)
            })
        }
        Intent::Read(names) => {
            count("properties of an intent", names.len(), 0, PROPERTIES_MAX)?;
            names.iter().try_for_each(|property| {
                name_option("a property's service", property.service.as_deref())?;
                name("a property's name", &property.name)
            })
        }
        Intent::Deliver(one) => delivery(one),
    }
}

/// A payload with its name.
fn delivery(delivery: &Delivery) -> Checked {
    name_option("a delivery's name", delivery.name.as_deref())?;
    payload("a delivery's payload", &delivery.payload)?;
    attributes("a delivery's attributes", &delivery.attributes)
}

/// A short name that must not be empty.
pub(super) fn name(what: &str, text: &str) -> Checked {
    if text.is_empty() {
        return Err(Error::Invalid(format!("{what} is empty")));
    }
    size(what, text.len(), NAME_MAX_BYTES)
}

/// What is asked of a handler.
pub(super) fn question(question: &Question) -> Checked {
    match question {
        Question::Plan(wanted) => intent(wanted),
        Question::DecodeUp(one) | Question::DecodeDown(one) => delivery(one),
    }
}

/// What is replayed to a session.
pub(super) fn replay(tag: &str, labels: &[(String, String)], limit: u32) -> Checked {
    count("bytes in the tag of a following", tag.len(), 1, TAG_MAX_BYTES)?;
    count("labels of an execution", labels.len(), 0, LABELS_MAX)?;
    labels.iter().try_for_each(|(name, value)| label(name, value))?;
    if REPLAY.contains(&limit) {
        Ok(())
    } else {
        Err(Error::Invalid(format!("a replay of {limit} transitions is not one of {REPLAY:?}")))
    }
}

/// Attributes, headers or labels of a query.
pub(super) fn attributes(what: &str, all: &[(String, String)]) -> Checked {
    count(what, all.len(), 0, ATTRIBUTES_MAX)?;
    size(what, attributes_bytes(all), ATTRIBUTES_MAX_BYTES)
}

/// A JSON document.
pub(super) fn json(what: &str, text: &str) -> Checked {
    size(what, text.len(), JSON_MAX_BYTES)?;
    json::parse::<IgnoredAny>(text).map(drop).map_err(|broken| Error::Invalid(format!("{what}: {}", broken.text())))
}

/// Imports that one submission is: it is made, each option is set, and it is handed over.
pub(super) fn submission_imports(command: &Submission) -> usize {
    let options = [
        command.alias.is_some(),
        command.idempotency_key.is_some(),
        command.context.is_some(),
        command.ttl_ms.is_some(),
        command.succeeds_at.is_some(),
        command.when_away.is_some(),
        command.queue.is_some(),
        command.attempts.is_some(),
    ];
    2 + command.labels.len() + options.into_iter().filter(|is_set| *is_set).count()
}

/// What keeping a command costs, in bytes.
pub(super) fn submission_bytes(command: &Submission) -> usize {
    let texts = [&command.alias, &command.idempotency_key, &command.context];
    let texts = texts.into_iter().flatten().map(String::len).sum::<usize>();
    command.device.len() + intent_bytes(&command.intent) + texts + attributes_bytes(&command.labels)
}

/// What a message costs, in bytes.
pub(super) fn message_bytes(message: &Message) -> usize {
    message.topic.len() + payload_bytes(&message.payload) + attributes_bytes(&message.attributes)
}

/// What an event costs, in bytes.
pub(super) fn event_bytes(event: &Event) -> usize {
    let raw = event.raw.as_ref().map_or(0, payload_bytes);
    raw + event.body.as_ref().map_or(0, String::len) + attributes_bytes(&event.attributes) + NAME_MAX_BYTES
}

/// What a device's record costs, in bytes.
pub(super) fn registration_bytes(what: &Registration) -> usize {
    attributes_bytes(&what.aliases) + attributes_bytes(&what.labels) + what.profile.len() + NAME_MAX_BYTES
}

/// What a report costs, in bytes.
pub(super) fn report_bytes(report: &Report, of: &[(String, String)]) -> usize {
    let said = match report {
        Report::Progress(note) | Report::Acked(note) | Report::Ended(Outcome::Succeeded(note)) => {
            note.as_ref().map_or(0, String::len)
        }
        Report::Ended(Outcome::Failed(reason) | Outcome::Rejected(reason)) => {
            reason.code.len() + reason.text.len() + reason.detail.as_ref().map_or(0, String::len)
        }
    };
    said + attributes_bytes(of)
}

/// What a question costs, in bytes.
pub(super) fn question_bytes(question: &Question) -> usize {
    match question {
        Question::Plan(wanted) => intent_bytes(wanted),
        Question::DecodeUp(one) | Question::DecodeDown(one) => delivery_bytes(one),
    }
}

fn intent_bytes(intent: &Intent) -> usize {
    match intent {
        Intent::Invoke(one) => one.action.len() + one.params.len(),
        Intent::Write(all) => all.iter().map(|one| one.name.len() + one.value.len()).sum(),
        Intent::Read(all) => all.iter().map(|one| one.name.len()).sum(),
        Intent::Deliver(one) => delivery_bytes(one),
    }
}

fn delivery_bytes(one: &Delivery) -> usize {
    payload_bytes(&one.payload) + attributes_bytes(&one.attributes)
}

/// Bytes of names and values.
pub(super) fn attributes_bytes(all: &[(String, String)]) -> usize {
    all.iter().map(|(name, value)| name.len() + value.len()).sum()
}

/// Bytes of a payload.
fn payload_bytes(payload: &Payload) -> usize {
    match payload {
        Payload::Text(text) => text.len(),
        Payload::Bytes(bytes) => bytes.len(),
    }
}

fn payload(what: &str, payload: &Payload) -> Checked {
    size(what, payload_bytes(payload), JSON_MAX_BYTES)
}

fn json_option(what: &str, text: Option<&str>) -> Checked {
    text.map_or(Ok(()), |text| json(what, text))
}

fn name_option(what: &str, text: Option<&str>) -> Checked {
    text.map_or(Ok(()), |text| name(what, text))
}

fn filter(text: &str) -> Checked {
    if route::is_topic_filter(text) {
        Ok(())
    } else {
        Err(Error::Invalid(format!("`{text:.200}` is not a topic filter of at most {NAME_MAX_BYTES} bytes")))
    }
}

fn count(what: &str, count: usize, min: usize, max: usize) -> Checked {
    if count < min {
        return Err(Error::Invalid(format!("there are {count} {what}, but at least {min} are needed")));
    }
    if count > max {
        return Err(Error::Limit(format!("there are {count} {what}, but at most {max} are allowed")));
    }
    Ok(())
}

fn size(what: &str, bytes: usize, max: usize) -> Checked {
    if bytes > max {
        return Err(Error::Limit(format!("{what} has {bytes} bytes, but at most {max} are allowed")));
    }
    Ok(())
}

/// `[a-z][a-z0-9…]{0,63}`
fn is_word(text: &str, more: &[u8]) -> bool {
    let rest = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || more.contains(&byte);
    (1..=64).contains(&text.len()) && text.starts_with(|c: char| c.is_ascii_lowercase()) && text.bytes().all(rest)
}
