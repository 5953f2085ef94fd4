//! Words of a script that are one import each: documents, sessions, what leaves the gateway, questions, and what has
//! no word of its own in `script`.

use crate::dragoman::gateway::types::{Delivery, Event, Message, Outcome, Payload, Policy, Subscription};
use crate::dragoman::gateway::{asks, credentials, devices, documents, events, executions, outbox, sessions};
use crate::script::{answer, execution, invoke, reason, selection, unit};

/// Whether it knew the line.
pub(crate) fn run(words: &[&str], rest: &dyn Fn(usize) -> String, said: &mut Vec<String>) -> bool {
    let told = match words {
        ["document", "get", collection, key] => {
            documents::get(collection, key).as_ref().map_or("none".into(), document)
        }
        ["document", "put", collection, key, revision, ..] => {
            unit(documents::put(collection, key, &rest(5), number(revision)))
        }
        ["document", "long-put", collection, bytes] => {
            let value = format!("\"{}\"", "x".repeat(number(bytes) as usize - 2));
            unit(documents::put(collection, &"k".repeat(257), &value, 0))
                + &unit(documents::put(collection, &"k".repeat(256), &value, 0))
        }
        ["document", "remove", collection, key, revision] => unit(documents::remove(collection, key, number(revision))),
        ["document", "query", collection, fields @ ..] => {
            let found = documents::query(collection, &pairs(fields), None, 5);
            answer(found.map(|all| all.iter().map(document).collect::<Vec<_>>().join(" ")))
        }
        ["document", "count", collection, fields @ ..] => {
            answer(documents::count(collection, &pairs(fields)).map(|count| count.to_string()))
        }
        ["number", counter] => documents::next_number(counter).to_string(),
        ["session", id] => sessions::get(id).map_or("none".into(), |one| one.username.unwrap_or_default()),
        ["subscriptions", id] => filters(&sessions::subscriptions(id)),
        ["device-subscriptions", device] => {
            sessions::device_subscriptions(device).map_or("none".into(), |all| filters(&all))
        }
        ["notes", id] => sessions::get_notes(id).unwrap_or("none".into()),
        ["put-notes", id, ..] => unit(sessions::put_notes(id, &rest(2))),
        ["long-notes", id, bytes] => {
            unit(sessions::put_notes(id, &format!("\"{}\"", "x".repeat(number(bytes) as usize - 2))))
        }
        ["policy", id, filter] => {
            let implicit = vec![Subscription { filter: "scripted/down".into(), qos: 1 }];
            let publish = vec![filter.to_string()];
            let policy = Policy { publish, subscribe: Vec::new(), receive: Vec::new(), implicit };
            unit(sessions::set_policy(id, Some("somebody"), &policy))
        }
        ["follow", id, tag, limit] => {
            let labels = vec![("a".to_string(), "b".to_string())];
            let tag = if *tag == "long" { "t".repeat(129) } else { tag.to_string() };
            unit(sessions::follow(id, &tag, &labels, sessions::Start::Position(7), number(limit) as u32, true))
        }
        ["unfollow", id] => unit(sessions::unfollow(id, None)),
        ["unfollow", id, tag] => unit(sessions::unfollow(id, Some(tag))),
        ["close", id] => unit(sessions::close(id)),
        ["publish", topic, qos] => unit(outbox::publish(&outbox::Audience::Subscribers, &message(topic, qos))),
        ["publish", topic, qos, session] => {
            unit(outbox::publish(&outbox::Audience::Session(session.to_string()), &message(topic, qos)))
        }
        ["call", target, method, path, headers @ ..] => {
            unit(outbox::request(target, method, path, &pairs(headers), Some("{}")))
        }
        ["emit", device, kind] => unit(events::emit(&Event {
            device: device.to_string(),
            kind: kind.to_string(),
            name: Some("n".into()),
            at_ms: 5,
            raw: Some(Payload::Text("raw".into())),
            body: Some("{}".into()),
            attributes: Vec::new(),
        })),
        ["ask", device, "plan", params] => {
            asks::ask(device, &asks::Question::Plan(invoke(params)));
            "asked".into()
        }
        ["ask", device, direction] => {
            let delivery = Delivery { name: None, payload: Payload::Text("p".into()), attributes: Vec::new() };
            asks::ask(
                device,
                &match *direction {
                    "up" => asks::Question::DecodeUp(delivery),
                    _ => asks::Question::DecodeDown(delivery),
                },
            );
            "asked".into()
        }
        ["by-alias", device, alias] => {
            executions::get_by_alias(device, alias).as_ref().map_or("none".into(), execution)
        }
        ["open", device] => executions::get_open(device).iter().map(execution).collect::<Vec<_>>().join(" "),
        ["between", since, before] => {
            let page = executions::query_between(&selection("-"), Some(number(since)), Some(number(before)), None, 5);
            page.items.iter().map(execution).collect::<Vec<_>>().join(" ")
        }
        ["ended-for", id, code] => {
            let report = executions::Report::Ended(Outcome::Failed(reason(code)));
            unit(executions::tell_for(id, &report, &Vec::new()))
        }
        ["attempt-failed", reporter, key, code] => {
            let about = executions::Correlation { reporter: reporter.to_string(), key: key.to_string() };
            unit(executions::attempt_failed(&about, &reason(code), &Vec::new()))
        }
        ["note", id, ..] => unit(executions::note(id, &rest(2))),
        ["label", id, name, value] => unit(executions::set_label(id, name, value)),
        ["update", id, revision, space, name] => {
            unit(devices::update(id, &registration(None, None, space, name), number(revision)))
        }
        ["update", id, revision, space, name, parent] => {
            unit(devices::update(id, &registration(None, Some(parent), space, name), number(revision)))
        }
        ["rename", id, to] => unit(devices::update(id, &registration(Some(to), None, "ns", "one"), 1)),
        ["remove", id] => unit(devices::remove(id)),
        ["add-alias", id, space, name] => unit(devices::add_alias(id, space, name)),
        ["devices-count"] => devices::count(&Vec::new()).to_string(),
        ["password", account, password] => answer(credentials::check_password(account, password).map(|who| who.rights)),
        ["sign", account, how, ..] => answer(credentials::sign_jwt(account, encoding(how), &rest(3))),
        ["verify", account, how] => answer(credentials::verify_jwt(account, encoding(how), None)),
        ["verify", account, how, token] => answer(credentials::verify_jwt(account, encoding(how), Some(token))),
        _ => return false,
    };
    said.push(told);
    true
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or(0)
}

fn pairs(words: &[&str]) -> Vec<(String, String)> {
    let split = |word: &&str| {
        let (name, value) = word.split_once('=').unwrap_or((*word, ""));
        (name.to_string(), value.to_string())
    };
    words.iter().map(split).collect()
}

fn document(one: &documents::Document) -> String {
    format!("{}:{}:{}", one.key, one.revision, one.value)
}

fn filters(all: &[Subscription]) -> String {
    all.iter().map(|one| format!("{}:{}", one.filter, one.qos)).collect::<Vec<_>>().join(" ")
}

fn message(topic: &str, qos: &str) -> Message {
    Message {
        topic: topic.into(),
        payload: Payload::Text("hello".into()),
        qos: number(qos) as u8,
        retain: false,
        attributes: Vec::new(),
    }
}

fn registration(id: Option<&str>, parent: Option<&str>, space: &str, name: &str) -> devices::Registration {
    devices::Registration {
        id: id.map(Into::into),
        handler: None,
        parent: parent.map(Into::into),
        aliases: vec![(space.into(), name.into())],
        labels: Vec::new(),
        profile: "{\"updated\":true}".into(),
    }
}

fn encoding(how: &str) -> credentials::Encoding {
    match how {
        "raw" => credentials::Encoding::Raw,
        "hex" => credentials::Encoding::HexLower,
        _ => credentials::Encoding::Base64,
    }
}
