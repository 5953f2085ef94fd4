//! Executions, devices and their parts as the JSON of the admin API.

use super::DeviceState;
use crate::credentials::DeviceSecretKind;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dragoman_core::{
    Attributes, Execution, Intent, Outcome, Payload, Phase, Reason, Stage, State, Transition, WhenAway,
};
use serde_json::{Map, Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// Every state and its name.
pub(super) const STATES: [(&str, State); 8] = [
    ("QUEUED", State::Queued),
    ("SENT", State::Sent),
    ("ACKED", State::Acked),
    ("SUCCEEDED", State::Succeeded),
    ("FAILED", State::Failed),
    ("REJECTED", State::Rejected),
    ("TIMED_OUT", State::TimedOut),
    ("CANCELED", State::Canceled),
];

/// Milliseconds since 1970.
pub(super) fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// One execution, without its history.
pub(super) fn execution(execution: &Execution) -> Value {
    json!({
        "id": execution.id.as_str(),
        "device": execution.device.as_str(),
        "holder": execution.holder.as_str(),
        "origin": &*execution.origin,
        "alias": execution.alias,
        "intent": intent(&execution.intent),
        "state": state(execution.state),
        "phase": phase(&execution.phase),
        "attempt": execution.attempt,
        "outcome": execution.outcome.as_ref().map(outcome),
        "reason": execution.reason.as_ref().map(reason),
        "last_note": optional_json(execution.last_note.as_deref()),
        "report": attributes(&execution.report),
        "labels": attributes(&execution.labels),
        "handler": execution.handler.as_deref(),
        "plugins": attributes(&execution.digests),
        "frames": execution.frames.iter().map(intent).collect::<Vec<_>>(),
        "options": {
            "ttl_ms": execution.options.ttl_ms,
            "succeeds_at": stage(execution.options.succeeds_at),
            "lowered": execution.options.lowered,
            "when_away": when_away(execution.options.when_away),
            "queue": &*execution.options.queue,
        },
        "created_ms": execution.created_ms,
        "updated_ms": execution.updated_ms,
        "sent_ms": execution.sent_ms,
        "ended_ms": execution.ended_ms,
        "deadline_ms": execution.deadline_ms,
    })
}

/// One line of a history.
pub(super) fn transition(line: &Transition) -> Value {
    json!({
        "seq": line.seq,
        "at_ms": line.at_ms,
        "event": line.event.word(),
        "state": state(line.state),
        "attempt": line.attempt,
        "reason": line.reason.as_ref().map(reason),
        "detail": optional_json(line.detail.as_deref()),
        "attributes": attributes(&line.attributes),
    })
}

/// One device, without its profile.
pub(super) fn device(device: &DeviceState) -> Value {
    let record = &device.record;
    json!({
        "id": record.id.as_str(),
        "dialect": &*record.dialect,
        "handler": record.handler.as_deref(),
        "parent": record.parent.as_ref().map(|parent| parent.as_str()),
        "aliases": attributes(&record.aliases),
        "labels": attributes(&record.labels),
        "disabled": record.disabled,
        "online": device.online,
        "created_ms": record.created_ms,
        "updated_ms": record.updated_ms,
    })
}

/// JSON that is kept as text; text that is none stands as a string.
pub(super) fn optional_json(text: Option<&str>) -> Value {
    text.map_or(Value::Null, json_text)
}

/// What the secret of a device is used for.
pub(super) fn secret_kind(kind: DeviceSecretKind) -> &'static str {
    match kind {
        DeviceSecretKind::Password => "password",
        DeviceSecretKind::Key => "key",
    }
}

fn json_text(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}

/// Names and values; a name that stands twice has a list.
fn attributes(attributes: &Attributes) -> Value {
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

fn intent(intent: &Intent) -> Value {
    match intent {
        Intent::Invoke(what) => {
            json!({"invoke": {"service": what.service, "action": what.action, "params": json_text(&what.params)}})
        }
        Intent::Write(properties) => {
            let property = |property: &dragoman_core::Property| json!({"service": property.service, "name": property.name, "value": json_text(&property.value)});
            json!({"write": properties.iter().map(property).collect::<Vec<_>>()})
        }
        Intent::Read(names) => {
            let name = |name: &dragoman_core::PropertyName| json!({"service": name.service, "name": name.name});
            json!({"read": names.iter().map(name).collect::<Vec<_>>()})
        }
        Intent::Deliver(what) => {
            let (form, text) = match &what.payload {
                Payload::Text(text) => ("text", text.clone()),
                Payload::Bytes(bytes) => ("base64", STANDARD.encode(bytes)),
            };
            json!({"deliver": {"name": what.name, form: text, "attributes": attributes(&what.attributes)}})
        }
    }
}

fn outcome(outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Succeeded(result) => json!({"verdict": "SUCCEEDED", "result": optional_json(result.as_deref())}),
        Outcome::Failed(why) => json!({"verdict": "FAILED", "reason": reason(why)}),
        Outcome::Rejected(why) => json!({"verdict": "REJECTED", "reason": reason(why)}),
    }
}

fn reason(reason: &Reason) -> Value {
    json!({"code": reason.code, "text": reason.text, "detail": optional_json(reason.detail.as_deref())})
}

fn state(state: State) -> &'static str {
    STATES.iter().find(|(_, known)| *known == state).map_or("UNKNOWN", |(name, _)| name)
}

fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Accepted => "accepted",
        Stage::Sent => "sent",
        Stage::Acked => "acked",
        Stage::Ended => "ended",
    }
}

fn when_away(what: WhenAway) -> &'static str {
    match what {
        WhenAway::Fail => "fail",
        WhenAway::Queue => "queue",
    }
}

fn phase(phase: &Phase) -> &'static str {
    match phase {
        Phase::Waiting => "waiting",
        Phase::Planning => "planning",
        Phase::Resuming(_) => "resuming",
        Phase::HandingOver => "handing-over",
        Phase::AwaitingReply => "awaiting-reply",
        Phase::Ended => "ended",
    }
}
