//! What the store keeps of an HTTP request on its way to a target.

use dragoman_core::{Attributes, Json};
use std::sync::Arc;

/// A request that a dialect wants sent, kept until it was answered or an operator dropped it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestRow {
    /// Given by the caller, increasing. Above `i64::MAX` it is refused.
    pub seq: u64,
    /// The dialect that asked for it.
    pub dialect: Arc<str>,
    /// Name of the target in the configuration.
    pub target: String,
    /// The HTTP method.
    pub method: String,
    /// Path and query, added to the target's address.
    pub path: String,
    /// Those that the dialect set; the target's own are added when it is sent.
    pub headers: Attributes,
    /// A JSON document.
    pub body: Option<Json>,
    /// When it was asked for, in milliseconds since 1970.
    pub created_ms: u64,
    /// How often it was sent to no avail.
    pub tries: u32,
    /// Not sent again before this time, in milliseconds since 1970.
    pub next_ms: u64,
    /// What came of the last try: status and first line, or what went wrong.
    pub last_answer: Option<String>,
    /// When it was given up, in milliseconds since 1970; none: it waits.
    pub given_up_ms: Option<u64>,
}
