//! Where an execution stands before an input changes it.

use super::Machine;
use crate::execution::{Execution, Phase, Place, Told, WhenAway};
use crate::intent::{DeviceId, ExecutionId};

/// What is asked of a record while it is being changed. A copy of these few fields, so that the record, which may carry
/// a large payload, need not be copied before it is written to.
pub(super) struct Standing {
    pub(super) device: DeviceId,
    pub(super) holder: DeviceId,
    pub(super) handled: bool,
    pub(super) when_away: WhenAway,
    pub(super) lowered: bool,
    pub(super) attempts: u32,
    pub(super) phase: Phase,
    pub(super) attempt: u32,
    pub(super) step_attempt: u32,
    pub(super) told: Told,
    /// Attempts that were lost or failed.
    pub(super) spent: u32,
    pub(super) lost: u32,
    pub(super) receipts_missing: u32,
    pub(super) deadline_ms: u64,
}

impl Standing {
    /// The limit that one attempt more would exceed.
    pub(super) fn reached_limit(&self, attempt: u32) -> Option<u32> {
        let repeated = self.attempt.saturating_sub(self.step_attempt);
        let untaken = repeated.saturating_sub(self.spent);
        match attempt.saturating_sub(untaken) > Machine::ATTEMPTS_MAX {
            true => Some(Machine::ATTEMPTS_MAX),
            false => (untaken >= Machine::UNTAKEN_MAX).then_some(Machine::UNTAKEN_MAX),
        }
    }
}

impl Machine {
    /// Where an execution stands that has not ended.
    pub(super) fn standing(&self, id: &ExecutionId) -> Option<Standing> {
        let record = self.record(id)?;
        Some(Standing {
            device: record.device.clone(),
            holder: record.holder.clone(),
            handled: record.handler.is_some(),
            when_away: record.options.when_away,
            lowered: record.options.lowered || record.delivered_only,
            attempts: record.options.attempts,
            phase: record.phase.clone(),
            attempt: record.attempt,
            step_attempt: record.step_attempt,
            told: record.told,
            spent: record.lost.saturating_add(record.failed),
            lost: record.lost,
            receipts_missing: record.receipts_missing,
            deadline_ms: record.deadline_ms,
        })
    }
}

/// Whether an execution that waits for its turn keeps its device, because its handler has begun: the answer to what was
/// lost may still come, and a conversation is not broken by another. Where the first step failed and goes behind the
/// others, it has not begun after all, unless an attempt that was lost may still be answered.
pub(super) fn keeps_device(record: &Execution) -> bool {
    let begun = record.handler.is_some() && record.attempt > 0;
    let may_answer = |attempt: u32| attempt >= record.step_attempt && !record.closed.contains(&attempt);
    let set_back = record.options.failed_to == Place::Tail
        && record.step_attempt <= 1
        && record.closed.contains(&record.attempt)
        && !record.correlations.iter().any(|(attempt, _)| may_answer(*attempt));
    begun && !set_back
}

/// Whether a report about the whole is an answer to the handler: one of its steps was dispatched and is not over.
pub(super) fn is_in_a_step(record: &Execution) -> bool {
    record.handler.is_some() && record.attempt > 0 && (record.phase != Phase::Waiting || keeps_device(record))
}
