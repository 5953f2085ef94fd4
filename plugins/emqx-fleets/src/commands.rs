//! `/api/v1/commands`: which call goes where, and one command by its id.

use crate::answer::{Failure, not_found};
use crate::{NAME, cancel, list, send, view};
use dragoman_plugin_sdk::http::json_response;
use dragoman_plugin_sdk::route::path_captures;
use dragoman_plugin_sdk::{Decision, Execution, Gateway, Request};

/// Methods and paths that this file and the files beside it answer.
pub(crate) const ROUTES: &[(&str, &str)] = &[
    ("POST", "/api/v1/commands"),
    ("GET", "/api/v1/commands"),
    ("GET", "/api/v1/commands/{id}"),
    ("POST", "/api/v1/commands/{id}/cancel"),
    ("DELETE", "/api/v1/commands/{id}"),
];

/// Answers a call about commands.
pub(crate) fn handle(gateway: &impl Gateway, request: &Request) -> Result<Decision, Failure> {
    let at = |pattern: &str| path_captures(pattern, &request.path).and_then(|found| found.into_iter().next());
    match request.method.as_str() {
        "POST" if request.path == "/api/v1/commands" => send::send(gateway, request),
        "GET" if request.path == "/api/v1/commands" => list::list(gateway, request).map(Decision::Respond),
        "GET" => {
            let execution = find(gateway, at("/api/v1/commands/{id}"))?;
            Ok(Decision::Respond(json_response(200, &view::of(&execution))))
        }
        "POST" => cancel::cancel(gateway, find(gateway, at("/api/v1/commands/{id}/cancel"))?).map(Decision::Respond),
        "DELETE" => cancel::cancel(gateway, find(gateway, at("/api/v1/commands/{id}"))?).map(Decision::Respond),
        _ => Err(not_found("there is no such call")),
    }
}

/// Executions of other dialects do not exist for this one.
fn find(gateway: &impl Gateway, id: Option<String>) -> Result<Execution, Failure> {
    id.filter(|id| is_execution_id(id))
        .and_then(|id| gateway.execution(&id))
        .filter(|execution| execution.origin == NAME)
        .ok_or_else(|| not_found("there is no such execution"))
}

fn is_execution_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}
