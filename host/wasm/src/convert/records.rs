//! Devices, executions, sessions and messages as a plugin sees them.

use super::vocabulary::{intent_to_wit, outcome_to_wit, payload, payload_to_wit, reason_to_wit, state_to_wit};
use crate::bindings::dragoman::gateway::types as wit;
use crate::reads::DeviceView;
use crate::words::Attempt;
use dragoman_core::{Execution, Message, Policy, Session, Subscription};

pub(crate) fn device(device: &DeviceView) -> wit::Device {
    wit::Device {
        id: device.id.to_string(),
        dialect: device.dialect.to_string(),
        handler: device.handler.as_deref().map(str::to_owned),
        parent: device.parent.as_ref().map(ToString::to_string),
        online: device.online,
        session: device.session.as_ref().map(ToString::to_string),
        aliases: device.aliases.clone(),
        labels: device.labels.clone(),
        profile: device.profile.clone(),
        revision: device.revision,
        created_ms: device.created_ms,
    }
}

/// An execution as `plugin` sees it: the context is its origin's alone.
pub(crate) fn execution(execution: &Execution, plugin: &str) -> wit::Execution {
    attempt(execution, plugin, Attempt { number: execution.attempt, frames: &execution.frames })
}

/// An execution with the attempt that is being dispatched, which is not yet in the record.
pub(crate) fn attempt(execution: &Execution, plugin: &str, attempt: Attempt<'_>) -> wit::Execution {
    wit::Execution {
        id: execution.id.to_string(),
        device: execution.device.to_string(),
        intent: intent_to_wit(&execution.intent),
        state: state_to_wit(execution.state),
        attempt: attempt.number,
        created_ms: execution.created_ms,
        updated_ms: execution.updated_ms,
        sent_ms: execution.sent_ms,
        ended_ms: execution.ended_ms,
        deadline_ms: execution.deadline_ms,
        origin: execution.origin.to_string(),
        alias: execution.alias.clone(),
        context: execution.context.clone().filter(|_| &*execution.origin == plugin),
        frames: attempt.frames.iter().map(intent_to_wit).collect(),
        outcome: execution.outcome.as_ref().map(outcome_to_wit),
        reason: execution.reason.as_ref().map(reason_to_wit),
        last_note: execution.last_note.clone(),
        report: execution.report.clone(),
        labels: execution.labels.clone(),
    }
}

pub(crate) fn session(session: &Session) -> wit::Session {
    wit::Session {
        id: session.id.to_string(),
        listener: session.listener.to_string(),
        client_id: session.client_id.clone(),
        username: session.username.clone(),
        principal: session.principal.clone(),
        device: session.device.as_ref().map(ToString::to_string),
        protocol_level: session.protocol_level,
    }
}

pub(crate) fn message_to_wit(message: &Message) -> wit::Message {
    wit::Message {
        topic: message.topic.clone(),
        payload: payload_to_wit(&message.payload),
        qos: message.qos,
        retain: message.retain,
        attributes: message.attributes.clone(),
    }
}

pub(crate) fn message(message: wit::Message) -> Message {
    Message {
        topic: message.topic,
        payload: payload(message.payload),
        qos: message.qos,
        retain: message.retain,
        attributes: message.attributes,
    }
}

pub(crate) fn subscription(Subscription { filter, qos }: &Subscription) -> wit::Subscription {
    wit::Subscription { filter: filter.clone(), qos: *qos }
}

pub(crate) fn policy(wit::Policy { publish, subscribe, receive, implicit }: wit::Policy) -> Policy {
    let implicit = implicit.into_iter().map(|one| Subscription { filter: one.filter, qos: one.qos }).collect();
    Policy { publish, subscribe, receive, implicit }
}
