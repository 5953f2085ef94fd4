//! One line of a history.

use super::verdict::{ReasonBody, StateBody, same_cases};
use dragoman_core::{Attributes, Event, Transition};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub(crate) struct TransitionBody {
    seq: u64,
    at_ms: u64,
    event: EventBody,
    state: StateBody,
    attempt: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<ReasonBody>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    attributes: Attributes,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum EventBody {
    Queued,
    Planned,
    Sent,
    Acked,
    Progress,
    Replied,
    Silence,
    AttemptFailed,
    Requeued,
    Ended,
    Note,
    Late,
}

same_cases!(
    Event, EventBody,
    Queued Planned Sent Acked Progress Replied Silence AttemptFailed Requeued Ended Note Late
);

impl From<&Transition> for TransitionBody {
    fn from(transition: &Transition) -> Self {
        let Transition { seq, at_ms, event, state, attempt, reason, detail, attributes } = transition;
        Self {
            seq: *seq,
            at_ms: *at_ms,
            event: (*event).into(),
            state: (*state).into(),
            attempt: *attempt,
            reason: reason.as_ref().map(Into::into),
            detail: detail.clone(),
            attributes: attributes.clone(),
        }
    }
}

impl From<TransitionBody> for Transition {
    fn from(body: TransitionBody) -> Self {
        Self {
            seq: body.seq,
            at_ms: body.at_ms,
            event: body.event.into(),
            state: body.state.into(),
            attempt: body.attempt,
            reason: body.reason.map(Into::into),
            detail: body.detail,
            attributes: body.attributes,
        }
    }
}
