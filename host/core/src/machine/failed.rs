//! Attempts that came to nothing by the word of the device's dialect.

use super::Machine;
use super::book::Line;
use super::input::{Answer, Effect};
use super::reasons;
use super::report::said_of_failure;
use super::step::{Again, Ending};
use crate::execution::{Event, Phase, Reason, State, WhenAway};
use crate::intent::{Attributes, DeviceId, ExecutionId};

impl Machine {
    /// Closes the attempt under that key. Where it is the newest and out, it is tried again while attempts are left; what
    /// was lost, answered or closed already only has a line more.
    ///
    /// First attempts keep the order of submission whatever fails: what goes to the tail goes behind what never had its
    /// turn, and what goes to the head was there before it.
    pub(super) fn attempt_failed(
        &mut self,
        now_ms: u64,
        by: &DeviceId,
        key: &str,
        reason: Reason,
        attributes: Attributes,
        effects: &mut Vec<Effect>,
    ) -> Answer {
        let (id, attempt) = match self.dispatched_under(key, by) {
            Ok(found) => found,
            Err(answer) => return answer,
        };
        let Some(record) = self.standing(&id) else {
            return self.too_late(now_ms, &id, None, said_of_failure(reason), attributes);
        };
        self.close_attempt(&id, attempt);
        let out = matches!(record.phase, Phase::HandingOver | Phase::AwaitingReply);
        if attempt != record.attempt || !out {
            let answer = self.too_late(now_ms, &id, Some(attempt), said_of_failure(reason), attributes);
            if record.phase == Phase::Waiting
                && let Some(record) = self.book.get(&id).map(|entry| &entry.record)
            {
                // With the last answer that it could still have had, its claim to the device may be gone.
                self.lanes.engage_while_waiting(record);
            }
            self.serve(now_ms, &record.device, effects);
            return answer;
        }
        self.book.amend(&id, |record| record.failed = record.failed.saturating_add(1));
        let line = Line { reason: Some(reason.clone()), attributes, ..Line::default() };
        self.book.note(&id, now_ms, Event::AttemptFailed, line);
        if record.spent.saturating_add(1) >= record.attempts {
            self.finish(now_ms, &id, Ending::Failed(reason), effects);
        } else if record.when_away == WhenAway::Fail && !self.lanes.is_online(&record.holder) {
            self.finish(now_ms, &id, Ending::Host(State::Failed, reasons::away()), effects);
        } else {
            self.withdraw_leftovers(&id, &record, effects);
            self.requeue(now_ms, &id, reason, Again::AfterFailure);
        }
        self.serve(now_ms, &record.device, effects);
        Answer::Taken
    }

    /// Nothing that comes under its key ends anything any more.
    fn close_attempt(&mut self, id: &ExecutionId, attempt: u32) {
        if !self.is_closed(id, attempt) {
            self.book.amend(id, |record| record.closed.push(attempt));
        }
    }

    /// Whether its dialect has said that the attempt failed.
    pub(super) fn is_closed(&self, id: &ExecutionId, attempt: u32) -> bool {
        self.record(id).is_some_and(|record| record.closed.contains(&attempt))
    }
}
