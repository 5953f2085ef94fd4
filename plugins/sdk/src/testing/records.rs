//! Makers of the records that a test hands to a plugin.

use crate::{Attributes, Execution, Outcome, Payload, Request, Session, State, Submission, outcome};

/// The record of an accepted command, as `settled` and `dispatch` see it.
pub fn execution(id: &str, origin: &str, command: Submission, now_ms: u64) -> Execution {
    Execution {
        id: id.to_owned(),
        device: command.device,
        frames: vec![command.intent.clone()],
        intent: command.intent,
        state: State::Queued,
        attempt: 0,
        created_ms: now_ms,
        updated_ms: now_ms,
        sent_ms: None,
        ended_ms: None,
        deadline_ms: now_ms + u64::from(command.ttl_ms.unwrap_or(30_000)),
        origin: origin.to_owned(),
        alias: command.alias,
        context: command.context,
        outcome: None,
        reason: None,
        last_note: None,
        report: Vec::new(),
        labels: command.labels,
    }
}

/// The execution as a device's word leaves it, 1 s after it was sent.
pub fn ended(mut execution: Execution, word: Outcome, report: Attributes) -> Execution {
    execution.state = match &word {
        Outcome::Succeeded(_) => State::Succeeded,
        Outcome::Failed(_) => State::Failed,
        Outcome::Rejected(_) => State::Rejected,
    };
    execution.outcome = Some(word);
    execution.report = report;
    execution.attempt = execution.attempt.max(1);
    execution.sent_ms = Some(execution.created_ms);
    execution.ended_ms = Some(execution.created_ms + 1_000);
    execution.updated_ms = execution.created_ms + 1_000;
    execution
}

/// The execution as the gateway itself ends it, with its reason code.
pub fn ended_by_host(mut execution: Execution, state: State, code: &str) -> Execution {
    execution.state = state;
    execution.reason = Some(outcome::reason(code, format!("the gateway's text for {code}")));
    execution.ended_ms = Some(execution.deadline_ms);
    execution.updated_ms = execution.deadline_ms;
    execution
}

/// A request without headers and credential.
pub fn request(method: &str, target: &str, body: &str) -> Request {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: Vec::new(),
        body: Payload::Text(body.to_owned()),
        presented: None,
        request_id: "request-1".to_owned(),
    }
}

/// A session that is not admitted yet.
pub fn session(client_id: &str, username: Option<&str>) -> Session {
    Session {
        id: format!("session-{client_id}"),
        listener: "mqtt".to_owned(),
        client_id: client_id.to_owned(),
        username: username.map(str::to_owned),
        principal: None,
        device: None,
        protocol_level: 4,
    }
}
