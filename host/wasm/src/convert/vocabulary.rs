//! The words that every interface is made of.

use crate::bindings::dragoman::gateway::{executions as wit_executions, types as wit};
use crate::bindings::exports::dragoman::gateway::handler as wit_handler;
use crate::error::GuestError;
use dragoman_core::{
    Delivery, Intent, Invocation, Outcome, Payload, Property, PropertyName, Reason, Reply, Report, Stage, State,
};

pub(crate) fn payload(payload: wit::Payload) -> Payload {
    match payload {
        wit::Payload::Text(text) => Payload::Text(text),
        wit::Payload::Bytes(bytes) => Payload::Bytes(bytes),
    }
}

pub(crate) fn payload_to_wit(payload: &Payload) -> wit::Payload {
    match payload {
        Payload::Text(text) => wit::Payload::Text(text.clone()),
        Payload::Bytes(bytes) => wit::Payload::Bytes(bytes.clone()),
    }
}

pub(crate) fn intent(intent: wit::Intent) -> Intent {
    match intent {
        wit::Intent::Invoke(wit::Invocation { service, action, params }) => {
            Intent::Invoke(Invocation { service, action, params })
        }
        wit::Intent::Write(properties) => Intent::Write(
            properties
                .into_iter()
                .map(|wit::Property { service, name, value }| Property { service, name, value })
                .collect(),
        ),
        wit::Intent::Read(names) => Intent::Read(
            names.into_iter().map(|wit::PropertyName { service, name }| PropertyName { service, name }).collect(),
        ),
        wit::Intent::Deliver(what) => Intent::Deliver(delivery(what)),
    }
}

pub(crate) fn delivery(what: wit::Delivery) -> Delivery {
    Delivery { name: what.name, payload: payload(what.payload), attributes: what.attributes }
}

pub(crate) fn delivery_to_wit(Delivery { name, payload, attributes }: &Delivery) -> wit::Delivery {
    wit::Delivery { name: name.clone(), payload: payload_to_wit(payload), attributes: attributes.clone() }
}

pub(crate) fn intent_to_wit(intent: &Intent) -> wit::Intent {
    match intent.clone() {
        Intent::Invoke(Invocation { service, action, params }) => {
            wit::Intent::Invoke(wit::Invocation { service, action, params })
        }
        Intent::Write(properties) => wit::Intent::Write(
            properties
                .into_iter()
                .map(|Property { service, name, value }| wit::Property { service, name, value })
                .collect(),
        ),
        Intent::Read(names) => wit::Intent::Read(
            names.into_iter().map(|PropertyName { service, name }| wit::PropertyName { service, name }).collect(),
        ),
        Intent::Deliver(delivery) => wit::Intent::Deliver(delivery_to_wit(&delivery)),
    }
}

pub(crate) fn reason(wit::Reason { code, text, detail }: wit::Reason) -> Reason {
    Reason { code, text, detail }
}

pub(crate) fn reason_to_wit(reason: &Reason) -> wit::Reason {
    let Reason { code, text, detail } = reason.clone();
    wit::Reason { code, text, detail }
}

pub(crate) fn outcome(outcome: wit::Outcome) -> Outcome {
    match outcome {
        wit::Outcome::Succeeded(value) => Outcome::Succeeded(value),
        wit::Outcome::Failed(why) => Outcome::Failed(reason(why)),
        wit::Outcome::Rejected(why) => Outcome::Rejected(reason(why)),
    }
}

pub(crate) fn outcome_to_wit(outcome: &Outcome) -> wit::Outcome {
    match outcome {
        Outcome::Succeeded(value) => wit::Outcome::Succeeded(value.clone()),
        Outcome::Failed(why) => wit::Outcome::Failed(reason_to_wit(why)),
        Outcome::Rejected(why) => wit::Outcome::Rejected(reason_to_wit(why)),
    }
}

pub(crate) fn reply_to_wit(reply: &Reply) -> wit_handler::Reply {
    match reply {
        Reply::Outcome(outcome) => wit_handler::Reply::Outcome(outcome_to_wit(outcome)),
        Reply::Silence => wit_handler::Reply::Silence,
    }
}

pub(crate) fn report(report: wit_executions::Report) -> Report {
    match report {
        wit_executions::Report::Progress(note) => Report::Progress(note),
        wit_executions::Report::Acked(note) => Report::Acked(note),
        wit_executions::Report::Ended(verdict) => Report::Ended(outcome(verdict)),
    }
}

pub(crate) fn stage(stage: wit::Stage) -> Stage {
    match stage {
        wit::Stage::Accepted => Stage::Accepted,
        wit::Stage::Sent => Stage::Sent,
        wit::Stage::Acked => Stage::Acked,
        wit::Stage::Ended => Stage::Ended,
    }
}

pub(crate) fn state(state: wit::State) -> State {
    match state {
        wit::State::Queued => State::Queued,
        wit::State::Sent => State::Sent,
        wit::State::Acked => State::Acked,
        wit::State::Succeeded => State::Succeeded,
        wit::State::Failed => State::Failed,
        wit::State::Rejected => State::Rejected,
        wit::State::TimedOut => State::TimedOut,
        wit::State::Canceled => State::Canceled,
    }
}

pub(crate) fn state_to_wit(state: State) -> wit::State {
    match state {
        State::Queued => wit::State::Queued,
        State::Sent => wit::State::Sent,
        State::Acked => wit::State::Acked,
        State::Succeeded => wit::State::Succeeded,
        State::Failed => wit::State::Failed,
        State::Rejected => wit::State::Rejected,
        State::TimedOut => wit::State::TimedOut,
        State::Canceled => wit::State::Canceled,
    }
}

/// An error that a plugin answered with; its text is cut to what a person reads.
pub(crate) fn guest_error(error: wit::Error) -> GuestError {
    let cut = |mut text: String| {
        let end = (0..=text.len().min(crate::check::TEXT_MAX_BYTES)).rev().find(|at| text.is_char_boundary(*at));
        text.truncate(end.unwrap_or(0));
        text
    };
    match error {
        wit::Error::Invalid(text) => GuestError::Invalid(cut(text)),
        wit::Error::NotFound(text) => GuestError::NotFound(cut(text)),
        wit::Error::Denied(text) => GuestError::Denied(cut(text)),
        wit::Error::Conflict(text) => GuestError::Conflict(cut(text)),
        wit::Error::Limit(text) => GuestError::Limit(cut(text)),
        wit::Error::Unsupported(text) => GuestError::Unsupported(cut(text)),
        wit::Error::Unavailable(text) => GuestError::Unavailable(cut(text)),
        wit::Error::Internal(text) => GuestError::Internal(cut(text)),
    }
}
