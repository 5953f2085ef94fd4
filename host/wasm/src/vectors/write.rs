//! What a call wrote, as the members `writes` and `questions` of an output: one object for each, named for the import.

use super::word::{
    attributes, correlation, delivery, intent, message, object, optional, parsed, payload, place, policy, reason,
    report, stage, when_away,
};
use crate::words::{DeviceEvent, Question, Readers, Start};
use crate::writes::{Attempts, CreateDevice, OutRequest, PluginWrite, Submit, UpdateDevice};
use dragoman_core::DeviceId;
use serde_json::{Value, json};

pub(super) fn write(write: &PluginWrite) -> Value {
    match write {
        PluginWrite::Submit(command) => json!({"submit": submit(command)}),
        PluginWrite::CreateDevice(device) => json!({"create_device": created(device)}),
        PluginWrite::PutProfile { device, profile, revision } => {
            json!({"put_profile": {"device": device.as_str(), "profile": parsed(profile), "revision": revision}})
        }
        PluginWrite::UpdateDevice(device) => json!({"update_device": updated(device)}),
        PluginWrite::RemoveDevice(device) => json!({"remove_device": device.as_str()}),
        PluginWrite::AddAlias { device, namespace, name } => {
            json!({"add_alias": {"device": device.as_str(), "namespace": namespace, "name": name}})
        }
        PluginWrite::Cancel(id) => json!({"cancel": id.as_str()}),
        PluginWrite::Tell { about, report: what, attributes: more } => json!({"tell": object([
            ("about", correlation(about)),
            ("report", report(what)),
            ("attributes", attributes(more)),
        ])}),
        PluginWrite::TellFor { id, report: what, attributes: more } => json!({"tell_for": object([
            ("id", id.as_str().into()),
            ("report", report(what)),
            ("attributes", attributes(more)),
        ])}),
        PluginWrite::AttemptFailed { about, reason: why, attributes: more } => json!({"attempt_failed": object([
            ("about", correlation(about)),
            ("reason", reason(why)),
            ("attributes", attributes(more)),
        ])}),
        PluginWrite::Note { id, note } => json!({"note": {"id": id.as_str(), "note": parsed(note)}}),
        PluginWrite::SetLabel { id, name, value } => {
            json!({"set_label": {"id": id.as_str(), "name": name, "value": value}})
        }
        PluginWrite::PutDocument { collection, key, value, revision } => json!({"put_document": {
            "collection": collection, "key": key, "value": parsed(value), "revision": revision,
        }}),
        PluginWrite::RemoveDocument { collection, key, revision } => {
            json!({"remove_document": {"collection": collection, "key": key, "revision": revision}})
        }
        PluginWrite::PutNotes { session, notes } => {
            json!({"put_notes": {"session": session.as_str(), "notes": parsed(notes)}})
        }
        PluginWrite::SetPolicy { session, principal, policy: allowed } => json!({"set_policy": object([
            ("session", session.as_str().into()),
            ("principal", principal.clone().into()),
            ("policy", policy(allowed)),
        ])}),
        PluginWrite::Follow { session, tag, labels, start, limit, live } => json!({"follow": object([
            ("session", session.as_str().into()),
            ("tag", tag.clone().into()),
            ("labels", attributes(labels)),
            ("start", match start {
                Start::Position(position) => json!({"position": position}),
                Start::Since(since_ms) => json!({"since_ms": since_ms}),
            }),
            ("limit", (*limit).into()),
            ("live", (*live).into()),
        ])}),
        PluginWrite::Unfollow { session, tag } => {
            json!({"unfollow": object([("session", session.as_str().into()), ("tag", tag.clone().into())])})
        }
        PluginWrite::Close(session) => json!({"close": session.as_str()}),
        PluginWrite::Publish { to, message: what } => json!({"publish": object([
            ("to", match to {
                Readers::Subscribers => json!("subscribers"),
                Readers::Session(session) => json!({"session": session.as_str()}),
            }),
            ("message", message(what)),
        ])}),
        PluginWrite::Request(what) => json!({"request": request(what)}),
        PluginWrite::Emit(what) => json!({"emit": event(what)}),
    }
}

/// What a call asked of a device's handler.
pub(super) fn question(device: &DeviceId, question: &Question) -> Value {
    let (word, what) = match question {
        Question::Plan(wanted) => ("plan", intent(wanted)),
        Question::DecodeUp(what) => ("decode_up", delivery(what)),
        Question::DecodeDown(what) => ("decode_down", delivery(what)),
    };
    json!({"device": device.as_str(), word: what})
}

fn submit(command: &Submit) -> Value {
    let attempts = |attempts: &Attempts| json!({"max": attempts.max, "backoff_ms": attempts.backoff_ms, "place": place(attempts.place)});
    object([
        ("id", command.id.as_str().into()),
        ("device", command.device.as_str().into()),
        ("intent", intent(&command.intent)),
        ("alias", command.alias.clone().into()),
        ("idempotency_key", command.idempotency_key.clone().into()),
        ("context", optional(command.context.as_deref())),
        ("labels", attributes(&command.labels)),
        ("ttl_ms", command.ttl_ms.into()),
        ("succeeds_at", command.succeeds_at.map(stage).into()),
        ("when_away", command.when_away.map(when_away).into()),
        ("queue", command.queue.clone().into()),
        ("attempts", command.attempts.as_ref().map_or(Value::Null, attempts)),
        ("refused", command.refused.as_ref().map_or(Value::Null, reason)),
    ])
}

fn created(device: &CreateDevice) -> Value {
    object([
        ("id", device.id.as_str().into()),
        ("handler", device.handler.clone().into()),
        ("parent", device.parent.as_ref().map(|parent| parent.as_str()).into()),
        ("aliases", attributes(&device.aliases)),
        ("labels", attributes(&device.labels)),
        ("profile", parsed(&device.profile)),
    ])
}

fn updated(device: &UpdateDevice) -> Value {
    object([
        ("id", device.id.as_str().into()),
        ("handler", device.handler.clone().into()),
        ("parent", device.parent.as_ref().map(|parent| parent.as_str()).into()),
        ("aliases", attributes(&device.aliases)),
        ("labels", attributes(&device.labels)),
        ("profile", parsed(&device.profile)),
        ("revision", device.revision.into()),
    ])
}

fn request(request: &OutRequest) -> Value {
    object([
        ("target", request.target.clone().into()),
        ("method", request.method.clone().into()),
        ("path", request.path.clone().into()),
        ("headers", attributes(&request.headers)),
        ("body", optional(request.body.as_deref())),
    ])
}

fn event(event: &DeviceEvent) -> Value {
    object([
        ("device", event.device.as_str().into()),
        ("kind", event.kind.clone().into()),
        ("name", event.name.clone().into()),
        ("at_ms", event.at_ms.into()),
        ("raw", event.raw.as_ref().map_or(Value::Null, payload)),
        ("body", optional(event.body.as_deref())),
        ("attributes", attributes(&event.attributes)),
    ])
}
