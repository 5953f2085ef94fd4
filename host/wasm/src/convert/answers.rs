//! What the exports are asked and what they answer.

use super::records::{execution, message, policy};
use super::vocabulary::{intent, outcome, payload, payload_to_wit, reason, reason_to_wit, stage};
use crate::bindings::dragoman::gateway::types as wit;
use crate::bindings::exports::dragoman::gateway::{
    admission as wit_admission, handler as wit_handler, northbound as wit_northbound, plugin as wit_plugin,
    southbound as wit_southbound,
};
use crate::claims::Route;
use crate::context::Presented;
use crate::description::{Claim, Description, Queue};
use crate::documented::Documented;
use crate::words::{
    Audience, Decision, Dispatched, HandlerCommand, HandlerPlan, Outgoing, Request, Response, Settlement, Step,
    Verdict, Wait,
};
use dragoman_core::{ConnectRefusal, Correlation, DeviceId, Grant, Overflow};
use std::sync::Arc;

/// The error is the middle of a sentence about the plugin.
pub(crate) fn description(from: wit_plugin::Description) -> Result<Description, String> {
    let claim = |claim| {
        Ok(match claim {
            wit_plugin::Claim::Http(route) => Claim::Http(
                Route::parse(&route).map_err(|error| format!("claims the route `{route:.200}`, but {error}"))?,
            ),
            wit_plugin::Claim::DeviceTopic(filter) => Claim::DeviceTopic(filter),
            wit_plugin::Claim::ApplicationTopic(filter) => Claim::ApplicationTopic(filter),
            wit_plugin::Claim::Connections => Claim::Connections,
        })
    };
    let queue = |queue: wit_plugin::Queue| Queue {
        name: queue.name.into(),
        window: stage(queue.window),
        limit: queue.limit,
        overflow: match queue.overflow {
            wit_plugin::Overflow::RefuseNewest => Overflow::RefuseNewest,
            wit_plugin::Overflow::DropOldest => Overflow::DropOldest,
        },
    };
    let documented = Documented::read(&from.attributes)?;
    Ok(Description {
        name: from.name.into(),
        version: from.version,
        summary: from.summary,
        claims: from.claims.into_iter().map(claim).collect::<Result<_, String>>()?,
        tells: stage(from.tells),
        queues: from.queues.into_iter().map(queue).collect(),
        credential_headers: from.credential_headers,
        settings_schema: from.settings_schema,
        attributes: from.attributes,
        indexes: documented.indexes,
        device_window: documented.device_window,
        always_present: documented.always_present,
        unclaimed_topics: documented.unclaimed_topics,
        transitions: documented.transitions,
        events: documented.events,
    })
}

pub(crate) fn verdict(verdict: wit_admission::Verdict, dialect: &Arc<str>) -> Verdict {
    match verdict {
        wit_admission::Verdict::Accept(grant) => Verdict::Accept(admitted(grant, dialect)),
        wit_admission::Verdict::Refuse(refusal) => Verdict::Refuse(match refusal {
            wit_admission::Refusal::BadClientId => ConnectRefusal::BadClientId,
            wit_admission::Refusal::BadCredentials => ConnectRefusal::BadCredentials,
            wit_admission::Refusal::NotAuthorized => ConnectRefusal::NotAuthorized,
            wit_admission::Refusal::Unavailable => ConnectRefusal::Unavailable,
        }),
        wit_admission::Verdict::NotMine => Verdict::NotMine,
    }
}

fn admitted(grant: wit_admission::Grant, dialect: &Arc<str>) -> Grant {
    Grant {
        dialect: Arc::clone(dialect),
        principal: grant.principal,
        device: grant.device.map(DeviceId::new),
        policy: policy(grant.policy),
    }
}

pub(crate) fn request(request: &Request, presented: Option<&Presented>) -> wit_northbound::Request {
    wit_northbound::Request {
        method: request.method.clone(),
        path: request.path.clone(),
        query: request.query.clone(),
        headers: request.headers.clone(),
        body: payload_to_wit(&request.body),
        presented: presented.map(|presented| wit_northbound::Presented {
            scheme: presented.scheme.clone(),
            account: presented.account.clone(),
        }),
        request_id: request.request_id.clone(),
    }
}

pub(crate) fn response(response: wit::Response) -> Response {
    Response { status: response.status, headers: response.headers, body: payload(response.body) }
}

pub(crate) fn decision(decision: wit::Decision) -> Decision {
    match decision {
        wit::Decision::Respond(answer) => Decision::Respond(response(answer)),
        wit::Decision::Wait(asked) => Decision::Wait(wait(asked)),
    }
}

pub(crate) fn wait(wait: wit::Wait) -> Wait {
    Wait { context: wait.context, until: stage(wait.until) }
}

pub(crate) fn settlement(settlement: &Settlement, plugin: &str) -> wit::Settlement {
    wit::Settlement {
        id: settlement.id.to_string(),
        settled: settlement.settled.as_ref().map(|record| execution(record, plugin)).map_err(reason_to_wit),
    }
}

pub(crate) fn dispatched(dispatched: wit_southbound::Dispatched) -> Dispatched {
    match dispatched {
        wit_southbound::Dispatched::Send(items) => Dispatched::Send(items.into_iter().map(outgoing).collect()),
        wit_southbound::Dispatched::Done(verdict) => Dispatched::Done(outcome(verdict)),
        wit_southbound::Dispatched::Unsupported(why) => Dispatched::Unsupported(reason(why)),
    }
}

fn outgoing(outgoing: wit_southbound::Outgoing) -> Outgoing {
    Outgoing {
        to: match outgoing.to {
            wit_southbound::Audience::Session => Audience::Session,
            wit_southbound::Audience::Subscribed => Audience::Subscribed,
        },
        message: message(outgoing.message),
        correlation: outgoing
            .correlation
            .map(|about| Correlation { reporter: DeviceId::new(about.reporter), key: about.key }),
    }
}

pub(crate) fn step(step: wit_handler::Step) -> Step {
    match step {
        wit_handler::Step::Send(plan) => Step::Send(HandlerPlan {
            frames: plan.frames.into_iter().map(intent).collect(),
            state: plan.state,
            reply_within_ms: plan.reply_within,
        }),
        wit_handler::Step::Finish(verdict) => Step::Finish(outcome(verdict)),
    }
}

pub(crate) fn handler_commands(commands: Vec<wit_handler::Command>) -> Vec<HandlerCommand> {
    let command = |one: wit_handler::Command| HandlerCommand {
        name: one.name,
        summary: one.summary,
        params_schema: one.params_schema,
    };
    commands.into_iter().map(command).collect()
}
