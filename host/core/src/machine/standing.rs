//! Where an execution stands before an input changes it.

use super::Machine;
use crate::execution::{Phase, Told, WhenAway};
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
    pub(super) lost: u32,
    pub(super) receipts_missing: u32,
    pub(super) deadline_ms: u64,
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
            lowered: record.options.lowered,
            attempts: record.options.attempts,
            phase: record.phase.clone(),
            attempt: record.attempt,
            step_attempt: record.step_attempt,
            told: record.told,
            lost: record.lost,
            receipts_missing: record.receipts_missing,
            deadline_ms: record.deadline_ms,
        })
    }
}
