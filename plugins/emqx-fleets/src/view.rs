//! An execution as the API shows it. The object is ours: the platform documents that there is one, and its columns.

use dragoman_plugin_sdk::time::rfc3339;
use dragoman_plugin_sdk::{Execution, Intent, Outcome, State, json, outcome};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What this dialect keeps with an execution it submitted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Context {
    pub(crate) command_id: String,
    pub(crate) thing_id: String,
    pub(crate) thing_name: String,
    pub(crate) action: String,
    pub(crate) ttl: u32,
}

impl Context {
    /// What was kept; empty for an execution of another dialect.
    pub(crate) fn of(execution: &Execution) -> Self {
        let kept = execution.context.as_deref().filter(|_| execution.origin == crate::NAME);
        kept.and_then(|text| json::parse_object(text).ok()).unwrap_or_default()
    }
}

/// An execution in the answers of the API.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct View<'a> {
    execution_id: &'a str,
    command_id: String,
    thing_id: String,
    thing_name: String,
    action: String,
    params: Box<RawValue>,
    ttl: u32,
    status: &'static str,
    status_reason: Option<StatusReason<'a>>,
    result: Option<Box<RawValue>>,
    created_at: String,
    sent_at: Option<String>,
    completed_at: Option<String>,
    updated_at: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StatusReason<'a> {
    reason_code: &'a str,
    reason_description: &'a str,
}

/// The object of one execution.
pub(crate) fn of(execution: &Execution) -> View<'_> {
    let context = Context::of(execution);
    let reason = outcome::why(execution);
    let result = match &execution.outcome {
        Some(Outcome::Succeeded(result)) => result.as_deref(),
        _ => reason.and_then(|reason| reason.detail.as_deref()),
    };
    View {
        execution_id: &execution.id,
        command_id: context.command_id,
        thing_id: context.thing_id,
        thing_name: context.thing_name,
        action: context.action,
        params: json::raw(params_of(&execution.intent)),
        ttl: context.ttl,
        status: status_of(execution.state),
        // The `$` marks the gateway's own codes inside; the platform's users have no use for it.
        status_reason: reason.map(|reason| StatusReason {
            reason_code: reason.code.trim_start_matches('$'),
            reason_description: &reason.text,
        }),
        result: result.map(json::raw),
        created_at: rfc3339(execution.created_ms),
        sent_at: execution.sent_ms.map(rfc3339),
        completed_at: execution.ended_ms.map(rfc3339),
        updated_at: rfc3339(execution.updated_ms),
    }
}

/// Parameters as a JSON object; where the caller gave none the device is sent an empty one, so that is shown.
pub(crate) fn params_of(intent: &Intent) -> &str {
    match intent {
        Intent::Invoke(invocation) if invocation.params.trim() != "null" => &invocation.params,
        _ => "{}",
    }
}

/// Fleets shows no state before SENT.
pub(crate) fn status_of(state: State) -> &'static str {
    match state {
        State::Queued | State::Sent | State::Acked => "SENT",
        State::Succeeded => "SUCCEEDED",
        State::Failed => "FAILED",
        State::Rejected => "REJECTED",
        State::TimedOut => "TIMED_OUT",
        State::Canceled => "CANCELED",
    }
}
