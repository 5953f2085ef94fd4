//! Messages of clients that a plugin failed to read.

use super::request::{self, Names};
use super::{Failure, Shared, query};
use crate::runtime::dead_letters::{Letters, Replayed};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::Uri;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dragoman_core::Payload;
use dragoman_store::DeadLetterRow;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// `GET /v1/dead-letters` with `plugin`, `after` and `limit`: `{"items":[…],"next"}`, the oldest first, without payloads.
pub(super) async fn list(State(control): State<Shared>, uri: Uri) -> Result<Json<Value>, Failure> {
    let filter = query::read(&uri, &["plugin", "after", "limit"])?;
    let after = match &filter.after {
        Some(after) => number(after)?,
        None => 0,
    };
    let rows = control.dead_letters(filter.plugin.as_deref(), after, filter.limit).await?;
    let full = rows.len() >= filter.limit as usize;
    let next = rows.last().filter(|_| full).map(|row| row.seq.to_string());
    Ok(Json(json!({"items": rows.iter().map(described).collect::<Vec<_>>(), "next": next})))
}

/// `GET /v1/dead-letters/{number}`: one of them, with `payload`, or `payload_base64` where it is no text.
pub(super) async fn show(State(control): State<Shared>, Names(seq): Names<String>) -> Result<Json<Value>, Failure> {
    let row = control.dead_letter(number(&seq)?).await?;
    let mut shown = described(&row);
    if let Some(object) = shown.as_object_mut() {
        let (name, text) = match &row.message.payload {
            Payload::Text(text) => ("payload", text.clone()),
            Payload::Bytes(bytes) => ("payload_base64", STANDARD.encode(bytes)),
        };
        object.insert(name.to_owned(), text.into());
    }
    Ok(Json(shown))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    number: Option<u64>,
    plugin: Option<String>,
}

impl Which {
    async fn read(body: Body) -> Result<Letters, Failure> {
        match request::json(body).await? {
            Self { number: Some(seq), plugin: None } => Ok(Letters::One(seq)),
            Self { number: None, plugin: Some(plugin) } => Ok(Letters::Of(plugin)),
            _ => Err(Failure::invalid("the body names either a number or a plugin")),
        }
    }
}

/// `POST /v1/dead-letters/replay` with `{"number"}` or `{"plugin"}`: `{"replayed","failed","reasons","left"}`.
pub(super) async fn replay(State(control): State<Shared>, body: Body) -> Result<Json<Value>, Failure> {
    let Replayed { replayed, failed, reasons, left } = control.replay_dead_letters(&Which::read(body).await?).await?;
    let reason =
        |(seq, reason): &(u64, dragoman_core::Reason)| json!({"number": seq, "code": reason.code, "text": reason.text});
    let reasons: Vec<Value> = reasons.iter().map(reason).collect();
    Ok(Json(json!({"replayed": replayed, "failed": failed, "reasons": reasons, "left": left})))
}

/// `POST /v1/dead-letters/drop` with `{"number"}` or `{"plugin"}`: `{"dropped"}`.
pub(super) async fn forget(State(control): State<Shared>, body: Body) -> Result<Json<Value>, Failure> {
    Ok(Json(json!({"dropped": control.drop_dead_letters(&Which::read(body).await?).await?})))
}

fn number(text: &str) -> Result<u64, Failure> {
    text.parse().map_err(|_| Failure::invalid(format!("{} is no number of a dead letter", super::checks::shown(text))))
}

fn described(row: &DeadLetterRow) -> Value {
    let DeadLetterRow { seq, plugin, digest, export, at_ms, tries, reason, session, message } = row;
    let attributes: Map<String, Value> =
        message.attributes.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
    json!({
        "number": seq,
        "plugin": &**plugin,
        "digest": digest,
        "export": export,
        "at_ms": at_ms,
        "tries": tries,
        "reason": {"code": reason.code, "text": reason.text},
        "client_id": session.client_id,
        "device": session.device.as_ref().map(dragoman_core::DeviceId::as_str),
        "principal": session.principal,
        "topic": message.topic,
        "qos": message.qos,
        "retain": message.retain,
        "attributes": attributes,
        "payload_bytes": message.payload.as_bytes().len(),
    })
}
