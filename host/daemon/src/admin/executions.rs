//! Reading and canceling executions.

use super::request::Names;
use super::{Failure, Shared, checks, query, words};
use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use dragoman_core::{DeviceId, ExecutionId};
use dragoman_store::Selection;
use serde_json::{Value, json};
use std::sync::Arc;

/// `GET /v1/executions?device&origin&state&label.NAME=VALUE&order&limit&after`: `{"items":[…],"next"}`.
pub(super) async fn list(State(control): State<Shared>, uri: Uri) -> Result<Json<Value>, Failure> {
    let filter = query::read(&uri, &["device", "origin", "state", "label.", "order", "limit", "after"])?;
    let selection = Selection {
        device: filter.device.map(DeviceId::new),
        origin: filter.origin.map(Arc::from),
        states: filter.states,
        labels: filter.labels,
        since_ms: None,
        before_ms: None,
        newest_first: !filter.oldest_first,
        after: filter.after,
        limit: filter.limit,
    };
    let page = control.executions(selection).await?;
    let items: Vec<Value> = page.items.iter().map(words::execution).collect();
    Ok(Json(json!({"items": items, "next": page.next})))
}

/// `GET /v1/executions/{id}`: the execution with its `history`.
pub(super) async fn show(State(control): State<Shared>, Names(id): Names<String>) -> Result<Json<Value>, Failure> {
    let id = known_form(id)?;
    let Some(execution) = control.execution(&id).await? else { return Err(Failure::no_execution(id.as_str())) };
    let history = control.history(&id).await?;
    let mut shown = words::execution(&execution);
    if let Some(object) = shown.as_object_mut() {
        object.insert("history".to_owned(), history.iter().map(words::transition).collect());
    }
    Ok(Json(shown))
}

/// `POST /v1/executions/{id}/cancel`: the execution as it ended.
pub(super) async fn cancel(State(control): State<Shared>, Names(id): Names<String>) -> Result<Json<Value>, Failure> {
    let id = known_form(id)?;
    Ok(Json(words::execution(&*control.cancel(&id).await?)))
}

fn known_form(id: String) -> Result<ExecutionId, Failure> {
    if checks::is_execution_id(&id) { Ok(ExecutionId::new(id)) } else { Err(Failure::no_execution(&id)) }
}
