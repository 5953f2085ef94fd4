//! The record of an execution.

use super::intent::IntentBody;
use super::options::OptionsBody;
use super::verdict::{OutcomeBody, ReasonBody, ReplyBody, StateBody};
use dragoman_core::{Attributes, Correlation, DeviceId, Execution, ExecutionId, Idempotency, Owner, Phase, Told};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub(crate) struct ExecutionBody {
    id: String,
    device: String,
    holder: String,
    intent: IntentBody,
    options: OptionsBody,
    origin: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    alias: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    context: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    labels: Attributes,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    idempotency: Option<IdempotencyBody>,
    owner: OwnerBody,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    handler: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    digests: Attributes,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    released: Attributes,
    state: StateBody,
    phase: PhaseBody,
    version: u64,
    attempt: u32,
    #[serde(default)]
    told: ToldBody,
    #[serde(default)]
    step_attempt: u32,
    #[serde(default, skip_serializing_if = "super::is_default")]
    lost: u32,
    #[serde(default, skip_serializing_if = "super::is_default")]
    failed: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    closed: Vec<u32>,
    /// None: the time of its creation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    queue_position: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    not_before_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    frames: Vec<IntentBody>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    handler_state: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reply_within_ms: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    step_deadline_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    correlations: Vec<CorrelationBody>,
    #[serde(default, skip_serializing_if = "super::is_default")]
    receipts_missing: u32,
    #[serde(default, skip_serializing_if = "super::is_default")]
    unanswerable: bool,
    #[serde(default, skip_serializing_if = "super::is_default")]
    delivered_only: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    outcome: Option<OutcomeBody>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<ReasonBody>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_note: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    report: Attributes,
    created_ms: u64,
    updated_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sent_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended_ms: Option<u64>,
    deadline_ms: u64,
}

#[derive(Serialize, Deserialize)]
struct IdempotencyBody {
    key: String,
    fingerprint: u64,
}

#[derive(Serialize, Deserialize)]
struct OwnerBody {
    node: String,
    lease_until_ms: u64,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct ToldBody {
    sent: bool,
    acked: bool,
    heard: bool,
}

#[derive(Serialize, Deserialize)]
struct CorrelationBody {
    attempt: u32,
    reporter: String,
    key: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum PhaseBody {
    Waiting,
    Planning,
    Resuming(ReplyBody),
    HandingOver,
    AwaitingReply,
    Ended,
}

impl From<&Execution> for ExecutionBody {
    fn from(execution: &Execution) -> Self {
        let Execution {
            id,
            device,
            holder,
            intent,
            options,
            origin,
            alias,
            context,
            labels,
            idempotency,
            owner,
            handler,
            digests,
            released,
            state,
            phase,
            version,
            attempt,
            told,
            step_attempt,
            lost,
            failed,
            closed,
            queue_position,
            not_before_ms,
            frames,
            handler_state,
            reply_within_ms,
            step_deadline_ms,
            correlations,
            receipts_missing,
            answerable,
            delivered_only,
            outcome,
            reason,
            last_note,
            report,
            created_ms,
            updated_ms,
            sent_ms,
            ended_ms,
            deadline_ms,
        } = execution;
        Self {
            id: id.as_str().to_owned(),
            device: device.as_str().to_owned(),
            holder: holder.as_str().to_owned(),
            intent: intent.into(),
            options: options.into(),
            origin: origin.as_ref().to_owned(),
            alias: alias.clone(),
            context: context.clone(),
            labels: labels.clone(),
            idempotency: idempotency.as_ref().map(Into::into),
            owner: owner.into(),
            handler: handler.as_deref().map(str::to_owned),
            digests: digests.clone(),
            released: released.clone(),
            state: (*state).into(),
            phase: phase.into(),
            version: *version,
            attempt: *attempt,
            told: told.into(),
            step_attempt: *step_attempt,
            lost: *lost,
            failed: *failed,
            closed: closed.clone(),
            queue_position: (queue_position != created_ms).then_some(*queue_position),
            not_before_ms: *not_before_ms,
            frames: frames.iter().map(Into::into).collect(),
            handler_state: handler_state.clone(),
            reply_within_ms: *reply_within_ms,
            step_deadline_ms: *step_deadline_ms,
            correlations: correlations.iter().map(Into::into).collect(),
            receipts_missing: *receipts_missing,
            unanswerable: !answerable,
            delivered_only: *delivered_only,
            outcome: outcome.as_ref().map(Into::into),
            reason: reason.as_ref().map(Into::into),
            last_note: last_note.clone(),
            report: report.clone(),
            created_ms: *created_ms,
            updated_ms: *updated_ms,
            sent_ms: *sent_ms,
            ended_ms: *ended_ms,
            deadline_ms: *deadline_ms,
        }
    }
}

impl From<ExecutionBody> for Execution {
    fn from(body: ExecutionBody) -> Self {
        Self {
            id: ExecutionId::new(body.id),
            device: DeviceId::new(body.device),
            holder: DeviceId::new(body.holder),
            intent: body.intent.into(),
            options: body.options.into(),
            origin: body.origin.into(),
            alias: body.alias,
            context: body.context,
            labels: body.labels,
            idempotency: body.idempotency.map(Into::into),
            owner: body.owner.into(),
            handler: body.handler.map(Into::into),
            digests: body.digests,
            released: body.released,
            state: body.state.into(),
            phase: body.phase.into(),
            version: body.version,
            attempt: body.attempt,
            told: body.told.into(),
            step_attempt: body.step_attempt,
            lost: body.lost,
            failed: body.failed,
            closed: body.closed,
            queue_position: body.queue_position.unwrap_or(body.created_ms),
            not_before_ms: body.not_before_ms,
            frames: body.frames.into_iter().map(Into::into).collect(),
            handler_state: body.handler_state,
            reply_within_ms: body.reply_within_ms,
            step_deadline_ms: body.step_deadline_ms,
            correlations: body.correlations.into_iter().map(Into::into).collect(),
            receipts_missing: body.receipts_missing,
            answerable: !body.unanswerable,
            delivered_only: body.delivered_only,
            outcome: body.outcome.map(Into::into),
            reason: body.reason.map(Into::into),
            last_note: body.last_note,
            report: body.report,
            created_ms: body.created_ms,
            updated_ms: body.updated_ms,
            sent_ms: body.sent_ms,
            ended_ms: body.ended_ms,
            deadline_ms: body.deadline_ms,
        }
    }
}

impl From<&Idempotency> for IdempotencyBody {
    fn from(idempotency: &Idempotency) -> Self {
        let Idempotency { key, fingerprint } = idempotency.clone();
        Self { key, fingerprint }
    }
}

impl From<IdempotencyBody> for Idempotency {
    fn from(body: IdempotencyBody) -> Self {
        Self { key: body.key, fingerprint: body.fingerprint }
    }
}

impl From<&Owner> for OwnerBody {
    fn from(owner: &Owner) -> Self {
        let Owner { node, lease_until_ms } = owner;
        Self { node: node.as_ref().to_owned(), lease_until_ms: *lease_until_ms }
    }
}

impl From<OwnerBody> for Owner {
    fn from(body: OwnerBody) -> Self {
        Self { node: body.node.into(), lease_until_ms: body.lease_until_ms }
    }
}

impl From<&Told> for ToldBody {
    fn from(told: &Told) -> Self {
        let Told { sent, acked, heard } = *told;
        Self { sent, acked, heard }
    }
}

impl From<ToldBody> for Told {
    fn from(body: ToldBody) -> Self {
        Self { sent: body.sent, acked: body.acked, heard: body.heard }
    }
}

impl From<&(u32, Correlation)> for CorrelationBody {
    fn from((attempt, correlation): &(u32, Correlation)) -> Self {
        let Correlation { reporter, key } = correlation;
        Self { attempt: *attempt, reporter: reporter.as_str().to_owned(), key: key.clone() }
    }
}

impl From<CorrelationBody> for (u32, Correlation) {
    fn from(body: CorrelationBody) -> Self {
        (body.attempt, Correlation { reporter: DeviceId::new(body.reporter), key: body.key })
    }
}

impl From<&Phase> for PhaseBody {
    fn from(phase: &Phase) -> Self {
        match phase {
            Phase::Waiting => Self::Waiting,
            Phase::Planning => Self::Planning,
            Phase::Resuming(reply) => Self::Resuming(reply.into()),
            Phase::HandingOver => Self::HandingOver,
            Phase::AwaitingReply => Self::AwaitingReply,
            Phase::Ended => Self::Ended,
        }
    }
}

impl From<PhaseBody> for Phase {
    fn from(body: PhaseBody) -> Self {
        match body {
            PhaseBody::Waiting => Self::Waiting,
            PhaseBody::Planning => Self::Planning,
            PhaseBody::Resuming(reply) => Self::Resuming(reply.into()),
            PhaseBody::HandingOver => Self::HandingOver,
            PhaseBody::AwaitingReply => Self::AwaitingReply,
            PhaseBody::Ended => Self::Ended,
        }
    }
}
