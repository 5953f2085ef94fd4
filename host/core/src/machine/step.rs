//! What can happen to one execution, whichever input brought it about.

use super::Machine;
use super::book::Line;
use super::input::Effect;
use super::reasons;
use super::standing::Standing;
use crate::execution::{Event, Execution, Outcome, Phase, Reason, Reply, Stage, State, Told};
use crate::intent::{Attributes, DeviceId, ExecutionId, Json};
use std::sync::Arc;

/// How an execution ends.
pub(super) enum Ending {
    /// With the device's verdict.
    Verdict(Outcome, Attributes),
    /// By the wish alone: it got as far as counts as success.
    Reached,
    /// By the host.
    Host(State, Reason),
}

impl Machine {
    /// Begins the turn of everything whose turn has come, first submitted first.
    pub(super) fn serve(&mut self, now_ms: u64, device: &DeviceId, effects: &mut Vec<Effect>) {
        while let Some(expired) = self.serve_within_time(now_ms, device, effects) {
            self.time_out(now_ms, &expired, effects);
        }
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
        entry.blocks = entry.record.options.window > Stage::Accepted;
        entry.signs = self.lanes.signs_of(&entry.record.holder);
        self.lanes.start(&entry.record, entry.order, entry.blocks);
        effects.push(Effect::Plan { id: id.clone(), attempt: entry.record.attempt.saturating_add(1) });
    }

    /// The attempt came to nothing: it waits again, where it stood in its lane.
    pub(super) fn requeue(&mut self, now_ms: u64, id: &ExecutionId, reason: Reason, parked: bool) {
        self.book.amend(id, |record| {
            record.phase = Phase::Waiting;
            record.step_deadline_ms = None;
            record.receipts_missing = 0;
            // Acked, and what a handler's earlier step reached, stays true.
            if record.state == State::Sent && record.step_attempt <= 1 {
                record.state = State::Queued;
            }
        });
        self.book.note(id, now_ms, Event::Requeued, Line { reason: Some(reason), ..Line::default() });
        let Some(entry) = self.book.entry_mut(id) else { return };
        let blocked = std::mem::take(&mut entry.blocks);
        self.lanes.come_back(&entry.record, entry.order, blocked, parked);
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

    /// Opens the window of its lane if it asked for no more than this.
    fn got(&mut self, id: &ExecutionId, stage: Stage) {
        let Some(entry) = self.book.entry_mut(id) else { return };
        if entry.blocks && entry.record.options.window <= stage {
            entry.blocks = false;
            self.lanes.unblock(&entry.record);
        }
    }

    /// Ends it, or answers its handler's step, where a receipt is all that was wished for.
    pub(super) fn conclude_if_reached(&mut self, now_ms: u64, id: &ExecutionId, effects: &mut Vec<Effect>) {
        let Some(record) = self.record(id) else { return };
        let reached = match record.options.succeeds_at {
            Stage::Accepted | Stage::Sent => record.told.sent,
            Stage::Acked => record.told.acked,
            Stage::Ended => false,
        };
        if !reached || matches!(record.phase, Phase::Resuming(_)) {
            return;
        }
        if record.handler.is_some() {
            self.answer_step(now_ms, id, Outcome::Succeeded(None), Vec::new(), effects);
        } else {
            self.finish(now_ms, id, Ending::Reached, effects);
        }
    }

    /// The device's answer to what is out: to the handler where there is one, else it is the end.
    pub(super) fn answer_step(
        &mut self,
        now_ms: u64,
        id: &ExecutionId,
        outcome: Outcome,
        attributes: Attributes,
        effects: &mut Vec<Effect>,
    ) {
        let Some(record) = self.record(id) else { return };
        if record.handler.is_none() {
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
        });
        self.book.note(id, now_ms, event, line);
        match before.phase {
            Phase::Waiting => {
                let Some(entry) = self.book.entry_mut(id) else { return };
                entry.blocks = entry.record.options.window > Stage::Accepted;
                self.lanes.start(&entry.record, entry.order, entry.blocks);
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
            record.ended_ms = Some(now_ms);
        });
        self.book.note(id, now_ms, Event::Ended, line);
        self.book.close(id);
        let Some(entry) = self.book.entry_mut(id) else { return };
        let blocked = std::mem::take(&mut entry.blocks);
        self.lanes.close(&entry.record, entry.order, before.phase == Phase::Waiting, blocked);
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
        let may_have_it = was_out || record.lost > 0 || record.told.heard;
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
