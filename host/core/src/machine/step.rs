//! What can happen to one execution, whichever input brought it about.

use super::Machine;
use super::book::Line;
use super::input::{Answer, Effect};
use super::lanes::Shut;
use super::reasons;
use super::standing::{Standing, is_in_a_step};
use crate::execution::{Event, Execution, Outcome, Phase, Place, Reason, Reply, Stage, State, Told};
use crate::intent::{Attributes, DeviceId, ExecutionId, Json};
use std::sync::Arc;

/// How an execution ends.
pub(super) enum Ending {
    /// With the device's verdict.
    Verdict(Outcome, Attributes),
    /// By the wish alone: it got as far as counts as success.
    Reached,
    /// Its last attempt came to nothing by the word of the device's dialect.
    Failed(Reason),
    /// By the host.
    Host(State, Reason),
}

/// How an execution waits again whose attempt came to nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// Where it stood; parked: until its holder gives a sign of life.
    InPlace { parked: bool },
    /// Where its options say, and for as long as they say.
    AfterFailure,
}

impl Machine {
    /// Begins the turn of everything whose turn has come, first in the queue first.
    pub(super) fn serve(&mut self, now_ms: u64, device: &DeviceId, effects: &mut Vec<Effect>) {
        self.serve_each(now_ms, [device.clone()], effects);
    }

    /// The same for several devices. So many that are past their time end at most; then they keep the turn of their
    /// device until a tick ends them.
    pub(super) fn serve_each(
        &mut self,
        now_ms: u64,
        devices: impl IntoIterator<Item = DeviceId>,
        effects: &mut Vec<Effect>,
    ) -> Answer {
        let mut left = Self::TICK_MAX;
        for device in devices {
            while let Some(expired) = self.serve_within_time(now_ms, &device, effects) {
                if left == 0 {
                    break;
                }
                left -= 1;
                self.time_out(now_ms, &expired, effects);
            }
        }
        Answer::Taken
    }

    /// The same up to the first that is past its time, which is told and has yet to be ended.
    pub(super) fn serve_within_time(
        &mut self,
        now_ms: u64,
        device: &DeviceId,
        effects: &mut Vec<Effect>,
    ) -> Option<ExecutionId> {
        while let Some(id) = self.lanes.next(device) {
            if now_ms >= self.record(&id)?.deadline_ms {
                return Some(id);
            }
            self.begin(&id, effects);
        }
        None
    }

    fn begin(&mut self, id: &ExecutionId, effects: &mut Vec<Effect>) {
        self.book.amend(id, |record| record.phase = Phase::Planning);
        let Some(entry) = self.book.entry_mut(id) else { return };
        entry.shut = Shut::of(&entry.record.options, Stage::Accepted);
        entry.signs = self.lanes.signs_of(&entry.record.holder);
        self.lanes.start(&entry.record, entry.shut);
        effects.push(Effect::Plan { id: id.clone(), attempt: entry.record.attempt.saturating_add(1) });
    }

    /// The attempt came to nothing: it waits again.
    pub(super) fn requeue(&mut self, now_ms: u64, id: &ExecutionId, reason: Reason, again: Again) {
        let behind = self.book.next_position(now_ms);
        self.book.amend(id, |record| {
            record.phase = Phase::Waiting;
            record.step_deadline_ms = None;
            record.receipts_missing = 0;
            // What a handler's earlier step reached stays true, and that the device has what was not said to have failed.
            let undone = if again == Again::AfterFailure { State::Acked } else { State::Sent };
            if record.state <= undone && record.step_attempt <= 1 {
                record.state = State::Queued;
            }
            if again == Again::AfterFailure {
                let rest_ms = u64::from(record.options.backoff_ms);
                record.not_before_ms = (rest_ms > 0).then(|| now_ms.saturating_add(rest_ms));
                if record.options.failed_to == Place::Tail {
                    record.queue_position = behind;
                }
            }
        });
        self.book.note(id, now_ms, Event::Requeued, Line { reason: Some(reason), ..Line::default() });
        let Some(entry) = self.book.entry_mut(id) else { return };
        let shut = std::mem::take(&mut entry.shut);
        self.lanes.come_back(&entry.record, shut, again == Again::InPlace { parked: true });
    }

    /// A broker has all of the attempt.
    pub(super) fn note_sent(&mut self, now_ms: u64, id: &ExecutionId) {
        self.book.amend(id, |record| {
            record.told.sent = true;
            record.state = record.state.max(State::Sent);
            record.sent_ms.get_or_insert(now_ms);
        });
        self.book.note(id, now_ms, Event::Sent, Line::default());
        self.got(id, Stage::Sent);
    }

    /// The device has the attempt.
    pub(super) fn note_acked(&mut self, now_ms: u64, id: &ExecutionId, detail: Json, attributes: Attributes) {
        self.book.amend(id, |record| {
            record.told.acked = true;
            record.told.heard = true;
            record.state = record.state.max(State::Acked);
        });
        self.book.note(id, now_ms, Event::Acked, Line { detail: Some(detail), attributes, ..Line::default() });
        self.got(id, Stage::Acked);
    }

    /// Opens the windows that asked for no more than this of the attempt that is out.
    fn got(&mut self, id: &ExecutionId, stage: Stage) {
        let Some(entry) = self.book.entry_mut(id) else { return };
        if entry.record.phase == Phase::Planning {
            return;
        }
        let opened = entry.shut.and_not(Shut::of(&entry.record.options, stage));
        entry.shut = entry.shut.and_not(opened);
        self.lanes.open_windows(&entry.record, opened);
    }

    /// Ends it, or answers its handler's step, where a receipt is all that was wished for, or all that there can be.
    pub(super) fn conclude_if_reached(&mut self, now_ms: u64, id: &ExecutionId, effects: &mut Vec<Effect>) {
        let Some(record) = self.record(id) else { return };
        let (told, wish) = (record.told, record.options.succeeds_at);
        let reached = match wish {
            Stage::Accepted | Stage::Sent => told.sent,
            Stage::Acked => told.acked,
            Stage::Ended => false,
        };
        // Where receipts are promised, one is missing until the device is known to have all of it.
        let delivered = told.acked || (told.sent && record.receipts_missing == 0);
        let is_all_there_can_be = delivered && !record.answerable;
        if !(reached || is_all_there_can_be) || matches!(record.phase, Phase::Resuming(_)) {
            return;
        }
        let answers_handler = is_in_a_step(record);
        if wish > if told.acked { Stage::Acked } else { Stage::Sent } {
            self.book.amend(id, |record| record.delivered_only = true);
        }
        if answers_handler {
            self.answer_step(now_ms, id, Outcome::Succeeded(None), Vec::new(), effects);
        } else {
            self.finish(now_ms, id, Ending::Reached, effects);
        }
    }

    /// The device's answer to what is out: to the handler where it has begun, else it is the end.
    pub(super) fn answer_step(
        &mut self,
        now_ms: u64,
        id: &ExecutionId,
        outcome: Outcome,
        attributes: Attributes,
        effects: &mut Vec<Effect>,
    ) {
        let Some(record) = self.record(id) else { return };
        if !is_in_a_step(record) {
            self.finish(now_ms, id, Ending::Verdict(outcome, attributes), effects);
            return;
        }
        let line = Line { reason: reason_of(&outcome).cloned(), detail: Some(told_outcome(&outcome)), attributes };
        self.resume(now_ms, id, Reply::Outcome(outcome), Event::Replied, line, effects);
    }

    /// Asks the handler for its next step.
    pub(super) fn resume(
        &mut self,
        now_ms: u64,
        id: &ExecutionId,
        reply: Reply,
        event: Event,
        line: Line,
        effects: &mut Vec<Effect>,
    ) {
        let Some(before) = self.standing(id) else { return };
        self.withdraw_leftovers(id, &before, effects);
        self.book.amend(id, |record| {
            record.phase = Phase::Resuming(reply.clone());
            record.step_deadline_ms = None;
            record.not_before_ms = None;
        });
        self.book.note(id, now_ms, event, line);
        match before.phase {
            Phase::Waiting => {
                let Some(entry) = self.book.entry_mut(id) else { return };
                entry.shut = Shut::of(&entry.record.options, Stage::Accepted);
                self.lanes.start(&entry.record, entry.shut);
            }
            // The plan of the repetition is still being made under the next number: nothing else may answer to it.
            Phase::Planning => self.book.amend(id, |record| {
                record.attempt = record.attempt.saturating_add(1);
                record.told = Told::default();
                record.receipts_missing = 0;
            }),
            Phase::Resuming(_) | Phase::HandingOver | Phase::AwaitingReply | Phase::Ended => {}
        }
        let Some(record) = self.record(id) else { return };
        if now_ms >= record.deadline_ms {
            // Nothing that the handler may plan could leave any more.
            self.time_out(now_ms, id, effects);
            return;
        }
        effects.push(Effect::Resume { id: id.clone(), attempt: record.attempt.saturating_add(1), reply });
    }

    /// Ends an open execution.
    pub(super) fn finish(&mut self, now_ms: u64, id: &ExecutionId, ending: Ending, effects: &mut Vec<Effect>) {
        let Some(before) = self.standing(id) else { return };
        let by_host = matches!(ending, Ending::Host(..));
        if by_host && before.phase == Phase::AwaitingReply {
            effects.push(Effect::Withdraw { id: id.clone(), attempt: before.attempt });
        } else {
            self.withdraw_leftovers(id, &before, effects);
        }
        let lowered = before.lowered.then(reasons::delivered_only);
        let (state, outcome, reason, attributes) = match ending {
            Ending::Verdict(outcome, attributes) => {
                let state = state_of(&outcome);
                // With a handler at work the verdict is the handler's, on receipts alone.
                let delivered_only = lowered.filter(|_| before.handled && state == State::Succeeded);
                (state, Some(outcome), delivered_only, attributes)
            }
            Ending::Reached => (State::Succeeded, None, lowered, Vec::new()),
            Ending::Failed(reason) => (State::Failed, None, Some(reason), Vec::new()),
            Ending::Host(state, reason) => (state, None, Some(reason), Vec::new()),
        };
        let line = Line {
            reason: outcome.as_ref().and_then(reason_of).or(reason.as_ref()).cloned(),
            detail: outcome.as_ref().and_then(detail_of),
            attributes: attributes.clone(),
        };
        self.book.amend(id, |record| {
            record.state = state;
            record.phase = Phase::Ended;
            record.outcome = outcome;
            record.reason = reason;
            record.report = attributes;
            record.step_deadline_ms = None;
            record.not_before_ms = None;
            record.ended_ms = Some(now_ms);
        });
        self.book.note(id, now_ms, Event::Ended, line);
        self.book.close(id);
        let Some(entry) = self.book.entry_mut(id) else { return };
        let shut = std::mem::take(&mut entry.shut);
        self.lanes.close(&entry.record, before.phase == Phase::Waiting, shut);
    }

    /// The attempt went on before the broker had answered for all of its messages: what is left is not wanted.
    pub(super) fn withdraw_leftovers(&self, id: &ExecutionId, before: &Standing, effects: &mut Vec<Effect>) {
        if before.phase == Phase::HandingOver {
            effects.push(Effect::Withdraw { id: id.clone(), attempt: before.attempt });
        }
    }

    /// Its time to live is over.
    pub(super) fn time_out(&mut self, now_ms: u64, id: &ExecutionId, effects: &mut Vec<Effect>) {
        let Some(record) = self.record(id) else { return };
        // What was given to a broker may be with the device, also where the broker has not answered yet.
        let was_out = matches!(record.phase, Phase::HandingOver | Phase::Resuming(_)) || record.step_attempt > 1;
        let may_have_it = was_out || record.lost > 0 || record.failed > 0 || record.told.heard;
        let reached_out = record.sent_ms.is_some() || record.state > State::Queued || may_have_it;
        let reason = if reached_out { reasons::no_response() } else { reasons::expired_in_queue() };
        self.finish(now_ms, id, Ending::Host(State::TimedOut, reason), effects);
    }

    /// The record of an execution that has not ended.
    pub(super) fn record(&self, id: &ExecutionId) -> Option<&Arc<Execution>> {
        self.book.get_open(id).map(|entry| &entry.record)
    }
}

/// What a history line says about an outcome that does not end the execution.
pub(super) fn told_outcome(outcome: &Outcome) -> Json {
    let name = match outcome {
        Outcome::Succeeded(_) => "succeeded",
        Outcome::Failed(_) => "failed",
        Outcome::Rejected(_) => "rejected",
    };
    told(name, detail_of(outcome).as_deref())
}

/// `{"report":…}` with the device's own JSON beside it.
pub(super) fn told(name: &str, detail: Option<&str>) -> Json {
    match detail {
        Some(detail) => format!(r#"{{"report":"{name}","detail":{detail}}}"#),
        None => format!(r#"{{"report":"{name}"}}"#),
    }
}

pub(super) fn reason_of(outcome: &Outcome) -> Option<&Reason> {
    match outcome {
        Outcome::Succeeded(_) => None,
        Outcome::Failed(reason) | Outcome::Rejected(reason) => Some(reason),
    }
}

fn detail_of(outcome: &Outcome) -> Option<Json> {
    match outcome {
        Outcome::Succeeded(answer) => answer.clone(),
        Outcome::Failed(reason) | Outcome::Rejected(reason) => reason.detail.clone(),
    }
}

fn state_of(outcome: &Outcome) -> State {
    match outcome {
        Outcome::Succeeded(_) => State::Succeeded,
        Outcome::Failed(_) => State::Failed,
        Outcome::Rejected(_) => State::Rejected,
    }
}
