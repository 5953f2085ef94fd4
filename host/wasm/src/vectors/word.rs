//! The host's words as the JSON of vectors. What there is none of is left out.

use dragoman_core::{
    Attributes, Correlation, Delivery, Intent, Message, Outcome, Overflow, Payload, Place, Policy, Property,
    PropertyName, Reason, Report, Stage, Subscription, WhenAway,
};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// An object of what is not null.
pub(super) fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    let there = members.into_iter().filter(|(_, value)| !value.is_null());
    Value::Object(there.map(|(name, value)| (name.to_owned(), value)).collect())
}

/// JSON that is kept as text. The host has checked it; what is none all the same stands as a string.
pub(super) fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}

pub(super) fn optional(text: Option<&str>) -> Value {
    text.map_or(Value::Null, parsed)
}

/// Names and values, a list where a name stands twice; null where there are none.
pub(super) fn attributes(attributes: &Attributes) -> Value {
    if attributes.is_empty() {
        return Value::Null;
    }
    let mut object = Map::new();
    for (name, value) in attributes {
        match object.get_mut(name) {
            None => {
                object.insert(name.clone(), Value::from(value.as_str()));
            }
            Some(Value::Array(values)) => values.push(Value::from(value.as_str())),
            Some(first) => *first = json!([first.take(), value]),
        }
    }
    Value::Object(object)
}

/// Text where it is valid UTF-8 without control characters but line feeds and tabs, else bytes in hex.
pub(super) fn payload(payload: &Payload) -> Value {
    let readable = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
    match std::str::from_utf8(payload.as_bytes()) {
        Ok(text) if text.chars().all(readable) => json!({"text": text}),
        _ => {
            let mut hex = String::new();
            for byte in payload.as_bytes() {
                // Writing to a string does not fail.
                let _ = write!(hex, "{}{byte:02x}", if hex.is_empty() { "" } else { " " });
            }
            json!({"hex": hex})
        }
    }
}

pub(super) fn intent(intent: &Intent) -> Value {
    match intent {
        Intent::Invoke(what) => json!({"invoke": object([
            ("service", what.service.clone().into()),
            ("action", what.action.clone().into()),
            ("params", parsed(&what.params)),
        ])}),
        Intent::Write(properties) => {
            let property = |one: &Property| {
                object([
                    ("service", one.service.clone().into()),
                    ("name", one.name.clone().into()),
                    ("value", parsed(&one.value)),
                ])
            };
            json!({"write": properties.iter().map(property).collect::<Vec<_>>()})
        }
        Intent::Read(names) => {
            let name = |one: &PropertyName| {
                object([("service", one.service.clone().into()), ("name", one.name.clone().into())])
            };
            json!({"read": names.iter().map(name).collect::<Vec<_>>()})
        }
        Intent::Deliver(what) => json!({"deliver": delivery(what)}),
    }
}

pub(super) fn delivery(what: &Delivery) -> Value {
    object([
        ("name", what.name.clone().into()),
        ("payload", payload(&what.payload)),
        ("attributes", attributes(&what.attributes)),
    ])
}

pub(super) fn reason(reason: &Reason) -> Value {
    object([
        ("code", reason.code.clone().into()),
        ("text", reason.text.clone().into()),
        ("detail", optional(reason.detail.as_deref())),
    ])
}

pub(super) fn outcome(outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Succeeded(result) => json!({"succeeded": optional(result.as_deref())}),
        Outcome::Failed(why) => json!({"failed": reason(why)}),
        Outcome::Rejected(why) => json!({"rejected": reason(why)}),
    }
}

pub(super) fn report(report: &Report) -> Value {
    match report {
        Report::Progress(note) => json!({"progress": optional(note.as_deref())}),
        Report::Acked(note) => json!({"acked": optional(note.as_deref())}),
        Report::Ended(verdict) => json!({"ended": outcome(verdict)}),
    }
}

pub(super) fn message(message: &Message) -> Value {
    object([
        ("topic", message.topic.clone().into()),
        ("payload", payload(&message.payload)),
        ("qos", message.qos.into()),
        ("retain", if message.retain { true.into() } else { Value::Null }),
        ("attributes", attributes(&message.attributes)),
    ])
}

pub(super) fn correlation(about: &Correlation) -> Value {
    json!({"reporter": about.reporter.as_str(), "key": about.key})
}

pub(super) fn subscription(one: &Subscription) -> Value {
    json!({"filter": one.filter, "qos": one.qos})
}

pub(super) fn policy(policy: &Policy) -> Value {
    json!({
        "publish": policy.publish,
        "subscribe": policy.subscribe,
        "receive": policy.receive,
        "implicit": policy.implicit.iter().map(subscription).collect::<Vec<_>>(),
    })
}

pub(super) fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Accepted => "accepted",
        Stage::Sent => "sent",
        Stage::Acked => "acked",
        Stage::Ended => "ended",
    }
}

pub(super) fn overflow(overflow: Overflow) -> &'static str {
    match overflow {
        Overflow::RefuseNewest => "refuse_newest",
        Overflow::DropOldest => "drop_oldest",
    }
}

pub(super) fn when_away(what: WhenAway) -> &'static str {
    match what {
        WhenAway::Fail => "fail",
        WhenAway::Queue => "queue",
    }
}

pub(super) fn place(place: Place) -> &'static str {
    match place {
        Place::Head => "head",
        Place::Tail => "tail",
    }
}
