//! A request on its way to a target.

use crate::request::RequestRow;
use dragoman_core::{Attributes, Json};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

#[derive(Serialize, Deserialize)]
pub(crate) struct RequestBody {
    seq: u64,
    dialect: String,
    target: String,
    method: String,
    path: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    headers: Attributes,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<Json>,
    created_ms: u64,
    #[serde(default, skip_serializing_if = "super::is_default")]
    tries: u32,
    next_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_answer: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    given_up_ms: Option<u64>,
}

impl From<&RequestRow> for RequestBody {
    fn from(row: &RequestRow) -> Self {
        let RequestRow {
            seq,
            dialect,
            target,
            method,
            path,
            headers,
            body,
            created_ms,
            tries,
            next_ms,
            last_answer,
            given_up_ms,
        } = row;
        Self {
            seq: *seq,
            dialect: dialect.to_string(),
            target: target.clone(),
            method: method.clone(),
            path: path.clone(),
            headers: headers.clone(),
            body: body.clone(),
            created_ms: *created_ms,
            tries: *tries,
            next_ms: *next_ms,
            last_answer: last_answer.clone(),
            given_up_ms: *given_up_ms,
        }
    }
}

impl From<RequestBody> for RequestRow {
    fn from(body: RequestBody) -> Self {
        Self {
            seq: body.seq,
            dialect: Arc::from(body.dialect),
            target: body.target,
            method: body.method,
            path: body.path,
            headers: body.headers,
            body: body.body,
            created_ms: body.created_ms,
            tries: body.tries,
            next_ms: body.next_ms,
            last_answer: body.last_answer,
            given_up_ms: body.given_up_ms,
        }
    }
}
