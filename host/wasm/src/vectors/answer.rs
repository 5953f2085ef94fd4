//! What came of a call, as the member `output` of a vector words it.

use super::word::{
    attributes, correlation, intent, message, object, optional, outcome, overflow, parsed, payload, policy, reason,
    stage,
};
use super::write;
use crate::description::{Claim, Description, Queue};
use crate::error::{BUSY, CallError, Fault, GuestError};
use crate::words::{Audience, Decision, Decoded, Dispatched, HandlerCommand, Outgoing, Response, Step, Verdict, Wait};
use crate::writes::Done;
use dragoman_core::{ConnectRefusal, Reason};
use serde_json::{Value, json};

/// A call that returned ok.
pub(super) struct Came {
    answer: Value,
    writes: Vec<Value>,
    questions: Vec<Value>,
}

impl Came {
    /// Of a call that writes nothing.
    pub(super) fn answer(answer: Value) -> Self {
        Self { answer, writes: Vec::new(), questions: Vec::new() }
    }

    pub(super) fn done<T>(done: Done<T>, word: impl FnOnce(&T) -> Value) -> Self {
        let Done { value, writes, questions, .. } = done;
        Self {
            answer: word(&value),
            writes: writes.iter().map(write::write).collect(),
            questions: questions.iter().map(|(device, question)| write::question(device, question)).collect(),
        }
    }

    pub(super) fn output(self) -> Value {
        let list = |items: Vec<Value>| if items.is_empty() { Value::Null } else { Value::Array(items) };
        object([("answer", self.answer), ("writes", list(self.writes)), ("questions", list(self.questions))])
    }
}

/// A call that did not. An error of the contract is the plugin's word; of anything else the code and the sentence.
pub(super) fn fault(error: &CallError) -> Value {
    let Fault::Guest(guest) = &error.fault else {
        return json!({"fault": {"code": error.code(), "text": error.fault.to_string()}});
    };
    let (case, text) = match guest {
        GuestError::Invalid(text) => ("invalid", text),
        GuestError::NotFound(text) => ("not_found", text),
        GuestError::Denied(text) => ("denied", text),
        GuestError::Conflict(text) => ("conflict", text),
        GuestError::Limit(text) => ("limit", text),
        GuestError::Unsupported(text) => ("unsupported", text),
        GuestError::Unavailable(text) => ("unavailable", text),
        GuestError::Internal(text) => ("internal", text),
    };
    json!({"error": {case: text}})
}

/// Whether that is the word for a call that was not made because all instances were in use.
pub(super) fn was_busy(actual: &Value) -> bool {
    actual.pointer("/fault/code").and_then(Value::as_str) == Some(BUSY)
}

/// What a plugin says of itself.
pub(crate) fn description(description: &Description) -> Value {
    let claim = |claim: &Claim| match claim {
        Claim::Http(route) => json!({"http": route.to_string()}),
        Claim::DeviceTopic(filter) => json!({"device_topic": filter}),
        Claim::ApplicationTopic(filter) => json!({"application_topic": filter}),
        Claim::Connections => json!("connections"),
    };
    let queue = |queue: &Queue| {
        json!({
            "name": &*queue.name,
            "window": stage(queue.window),
            "limit": queue.limit,
            "overflow": overflow(queue.overflow),
        })
    };
    object([
        ("name", description.name.to_string().into()),
        ("version", description.version.clone().into()),
        ("summary", description.summary.clone().into()),
        ("claims", description.claims.iter().map(claim).collect()),
        ("tells", stage(description.tells).into()),
        ("queues", description.queues.iter().map(queue).collect()),
        ("credential_headers", description.credential_headers.clone().into()),
        ("settings_schema", optional(description.settings_schema.as_deref())),
        ("attributes", attributes(&description.attributes)),
    ])
}

pub(super) fn commands(commands: &[HandlerCommand]) -> Value {
    let command = |command: &HandlerCommand| {
        object([
            ("name", command.name.clone().into()),
            ("summary", command.summary.clone().into()),
            ("params_schema", optional(command.params_schema.as_deref())),
        ])
    };
    commands.iter().map(command).collect()
}

pub(super) fn step(step: &Step) -> Value {
    match step {
        Step::Send(plan) => json!({"send": object([
            ("frames", plan.frames.iter().map(intent).collect()),
            ("state", parsed(&plan.state)),
            ("reply_within_ms", plan.reply_within_ms.into()),
        ])}),
        Step::Finish(verdict) => json!({"finish": outcome(verdict)}),
    }
}

pub(super) fn decoded(decoded: &Result<Decoded, Reason>) -> Value {
    match decoded {
        Ok(decoded) => object([
            ("value", parsed(&decoded.value)),
            ("warnings", if decoded.warnings.is_empty() { Value::Null } else { decoded.warnings.clone().into() }),
        ]),
        Err(why) => json!({"undecodable": why.text}),
    }
}

pub(super) fn decision(decision: &Decision) -> Value {
    match decision {
        Decision::Respond(answer) => json!({"respond": response(answer)}),
        Decision::Wait(waits) => json!({"wait": wait(waits)}),
    }
}

pub(super) fn response(response: &Response) -> Value {
    object([
        ("status", response.status.into()),
        ("headers", attributes(&response.headers)),
        ("body", payload(&response.body)),
    ])
}

pub(super) fn wait(wait: &Wait) -> Value {
    json!({"context": parsed(&wait.context), "until": stage(wait.until)})
}

pub(super) fn dispatched(dispatched: &Dispatched) -> Value {
    let outgoing = |outgoing: &Outgoing| {
        let to = match outgoing.to {
            Audience::Session => "session",
            Audience::Subscribed => "subscribed",
        };
        object([
            ("to", to.into()),
            ("message", message(&outgoing.message)),
            ("correlation", outgoing.correlation.as_ref().map_or(Value::Null, correlation)),
        ])
    };
    match dispatched {
        Dispatched::Send(messages) => json!({"send": messages.iter().map(outgoing).collect::<Vec<_>>()}),
        Dispatched::Done(verdict) => json!({"done": outcome(verdict)}),
        Dispatched::Unsupported(why) => json!({"unsupported": reason(why)}),
    }
}

pub(super) fn verdict(verdict: &Verdict) -> Value {
    match verdict {
        Verdict::Accept(grant) => json!({"accept": object([
            ("principal", grant.principal.clone().into()),
            ("device", grant.device.as_ref().map(|device| device.as_str()).into()),
            ("policy", policy(&grant.policy)),
        ])}),
        Verdict::Refuse(refusal) => json!({"refuse": match refusal {
            ConnectRefusal::BadClientId => "bad_client_id",
            ConnectRefusal::BadCredentials => "bad_credentials",
            ConnectRefusal::NotAuthorized => "not_authorized",
            ConnectRefusal::Unavailable => "unavailable",
        }}),
        Verdict::NotMine => json!("not_mine"),
    }
}
