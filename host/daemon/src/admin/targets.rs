//! Where plugins send requests, and what was given up.

use super::request::Names;
use super::{Failure, Shared};
use crate::outbound::{GivenUp, TargetState};
use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

/// Given-up requests that are shown of one target.
const SHOWN_MAX: usize = 1_000;

/// `GET /v1/targets`: `{"items":[…]}`, by name.
pub(super) async fn list(State(control): State<Shared>) -> Json<Value> {
    let items: Vec<Value> = control.targets().iter().map(described).collect();
    Json(json!({"items": items}))
}

/// `GET /v1/targets/{name}`: the target, and in `requests` what was given up, the newest first, without headers and bodies.
pub(super) async fn show(State(control): State<Shared>, Names(name): Names<String>) -> Result<Json<Value>, Failure> {
    let (target, given_up) = control.target(&name, SHOWN_MAX)?;
    let mut shown = described(&target);
    if let Some(object) = shown.as_object_mut() {
        object.insert("requests".to_owned(), given_up.iter().map(request).collect());
    }
    Ok(Json(shown))
}

/// `POST /v1/targets/{name}/retry`: `{"retried","left"}`.
pub(super) async fn retry(State(control): State<Shared>, Names(name): Names<String>) -> Result<Json<Value>, Failure> {
    let retried = control.retry_target(&name).await?;
    let (target, _) = control.target(&name, 0)?;
    Ok(Json(json!({"retried": retried, "left": target.given_up})))
}

/// `POST /v1/targets/{name}/drop`: `{"dropped"}`.
pub(super) async fn drop_given_up(
    State(control): State<Shared>,
    Names(name): Names<String>,
) -> Result<Json<Value>, Failure> {
    Ok(Json(json!({"dropped": control.drop_target(&name).await?})))
}

fn described(target: &TargetState) -> Value {
    json!({
        "name": target.name,
        "url": target.url,
        "waiting": target.waiting,
        "in_flight": target.in_flight,
        "given_up": target.given_up,
        "held_ms": target.held_ms,
        "last_answer": target.last_answer,
        "last_answer_ms": target.last_answer_ms,
    })
}

fn request(row: &GivenUp) -> Value {
    json!({
        "seq": row.seq,
        "dialect": &*row.dialect,
        "method": row.method,
        "path": row.path,
        "tries": row.tries,
        "created_ms": row.created_ms,
        "given_up_ms": row.given_up_ms,
        "last_answer": row.last_answer,
    })
}
