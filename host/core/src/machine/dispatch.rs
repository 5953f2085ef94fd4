//! Plans, the hand-over to a broker, and receipts.

use super::Machine;
use super::book::Line;
use super::input::{Answer, Effect, HandOver, Planned};
use super::reasons;
use super::standing::Standing;
use super::step::{Again, Ending};
use crate::execution::{Event, Phase, Reason, State, Told, WhenAway};
use crate::intent::{Attributes, ExecutionId, Intent, Json};

impl Machine {
    /// The plugins answered.
    pub(super) fn planned(
        &mut self,
        now_ms: u64,
        id: &ExecutionId,
        attempt: u32,
        plan: Planned,
        effects: &mut Vec<Effect>,
    ) -> Answer {
        let Some(record) = self.standing(id) else { return Answer::Stale };
        let asked = matches!(record.phase, Phase::Planning | Phase::Resuming(_));
        if !asked || record.attempt.checked_add(1) != Some(attempt) {
            return Answer::Stale;
        }
        let answer = if now_ms >= record.deadline_ms {
            // The messages are not taken: the time was over while they were planned.
            self.time_out(now_ms, id, effects);
            Answer::Stale
        } else if let Some(limit) = record.reached_limit(attempt).filter(|_| plan.is_an_attempt(record.handled)) {
            // A handler that never finishes would go on for as long as its command lives. Its messages are not taken.
            self.finish(now_ms, id, Ending::Host(State::Failed, reasons::limit(limit)), effects);
            Answer::Stale
        } else {
            self.take_plan(now_ms, id, &record, plan, effects);
            Answer::Taken
        };
        self.serve(now_ms, &record.device, effects);
        answer
    }

    fn take_plan(
        &mut self,
        now_ms: u64,
        id: &ExecutionId,
        before: &Standing,
        plan: Planned,
        effects: &mut Vec<Effect>,
    ) {
        match plan {
            Planned::Send { frames, correlations, answerable, handler_state, reply_within_ms, digests } => {
                let attempt = self.new_attempt(id, before, frames, handler_state, digests);
                self.book.amend(id, |record| {
                    record.phase = Phase::HandingOver;
                    record.answerable = answerable;
                    let repeated = record.step_attempt != attempt;
                    record.reply_within_ms = reply_within_ms.or(record.reply_within_ms.filter(|_| repeated));
                    let patience_ms = record.reply_within_ms.filter(|_| record.handler.is_some());
                    record.step_deadline_ms = patience_ms.map(|ms| now_ms.saturating_add(u64::from(ms)));
                });
                self.book.correlate(id, attempt, correlations);
                self.book.note(id, now_ms, Event::Planned, Line::default());
            }
            Planned::Answered { outcome, frames, handler_state, digests } if before.handled => {
                self.new_attempt(id, before, frames, handler_state, digests);
                // No plan is under way any more, and nothing of this attempt is out.
                self.book.amend(id, |record| record.phase = Phase::AwaitingReply);
                self.book.note(id, now_ms, Event::Planned, Line::default());
                self.answer_step(now_ms, id, outcome, Vec::new(), effects);
            }
            Planned::Done { outcome, digests } | Planned::Answered { outcome, digests, .. } => {
                self.planned_by(id, digests);
                self.finish(now_ms, id, Ending::Verdict(outcome, Vec::new()), effects);
            }
            Planned::Unsupported(reason) | Planned::Fault(reason) => {
                self.finish(now_ms, id, Ending::Host(State::Failed, reason), effects);
            }
        }
    }

    /// Counts an attempt and keeps what it is made of.
    fn new_attempt(
        &mut self,
        id: &ExecutionId,
        before: &Standing,
        frames: Vec<Intent>,
        handler_state: Option<Json>,
        digests: Attributes,
    ) -> u32 {
        let attempt = before.attempt.saturating_add(1);
        let repeated = before.phase == Phase::Planning && before.attempt > 0;
        self.book.amend(id, |record| {
            record.attempt = attempt;
            record.told = Told::default();
            record.receipts_missing = 0;
            record.answerable = true;
            record.frames = frames;
            if !repeated {
                record.step_attempt = attempt;
                record.handler_state = handler_state;
            } else if handler_state.is_some() {
                record.handler_state = handler_state;
            }
        });
        self.planned_by(id, digests);
        if let Some(entry) = self.book.entry_mut(id) {
            entry.early_receipts = 0;
        }
        attempt
    }

    /// The broker answered for all messages of an attempt.
    pub(super) fn handed_over(
        &mut self,
        now_ms: u64,
        id: &ExecutionId,
        attempt: u32,
        result: &HandOver,
        effects: &mut Vec<Effect>,
    ) -> Answer {
        let Some(record) = self.standing(id) else { return Answer::Stale };
        let handing_over = record.phase == Phase::HandingOver;
        // The device may have answered a handler's step before the broker did; that it was sent stays a fact.
        let overtaken = matches!(record.phase, Phase::Resuming(_)) && !record.told.sent;
        if record.attempt != attempt || !(handing_over || overtaken) {
            return Answer::Stale;
        }
        match result {
            HandOver::Accepted { receipts } => self.with_broker(now_ms, id, *receipts, effects),
            HandOver::Away if handing_over => self.not_taken(now_ms, id, &record, reasons::away(), effects),
            HandOver::NoSubscriber if handing_over => {
                self.not_taken(now_ms, id, &record, reasons::no_subscriber(), effects);
            }
            HandOver::Away | HandOver::NoSubscriber => return Answer::Stale,
        }
        self.serve(now_ms, &record.device, effects);
        Answer::Taken
    }

    fn with_broker(&mut self, now_ms: u64, id: &ExecutionId, receipts: u32, effects: &mut Vec<Effect>) {
        let early = self.book.entry_mut(id).map_or(0, |entry| std::mem::take(&mut entry.early_receipts));
        let missing = receipts.saturating_sub(early);
        self.book.amend(id, |record| {
            record.receipts_missing = missing;
            if record.phase == Phase::HandingOver {
                record.phase = Phase::AwaitingReply;
            }
        });
        self.note_sent(now_ms, id);
        let acked = self.record(id).is_some_and(|record| record.told.acked);
        if receipts > 0 && missing == 0 && !acked {
            self.note_acked(now_ms, id, by_puback(), Vec::new());
        }
        self.conclude_if_reached(now_ms, id, effects);
    }

    /// The session is gone or does not listen.
    fn not_taken(
        &mut self,
        now_ms: u64,
        id: &ExecutionId,
        before: &Standing,
        reason: Reason,
        effects: &mut Vec<Effect>,
    ) {
        if before.told.heard {
            // The device shows that it has some of it all the same: what is out stays out.
            self.book.amend(id, |record| record.phase = Phase::AwaitingReply);
        } else if before.when_away == WhenAway::Fail {
            self.finish(now_ms, id, Ending::Host(State::Failed, reason), effects);
        } else {
            let signs = self.book.get(id).map_or(0, |entry| entry.signs);
            // A session or a sign of life that came while this attempt was on its way is not waited for again.
            let parked = signs == self.lanes.signs_of(&before.holder);
            self.requeue(now_ms, id, reason, Again::InPlace { parked });
        }
    }

    /// The device's own PUBACK for one message.
    pub(super) fn puback(&mut self, now_ms: u64, id: &ExecutionId, attempt: u32, effects: &mut Vec<Effect>) -> Answer {
        let Some(record) = self.standing(id) else { return Answer::Stale };
        if record.attempt != attempt {
            return Answer::Stale;
        }
        match record.phase {
            Phase::HandingOver | Phase::AwaitingReply | Phase::Resuming(_) if record.told.sent => {
                if record.receipts_missing == 0 {
                    return Answer::Stale;
                }
            }
            Phase::HandingOver | Phase::Resuming(_) => {
                if let Some(entry) = self.book.entry_mut(id) {
                    entry.early_receipts = entry.early_receipts.saturating_add(1);
                }
                self.book.amend(id, |record| record.told.heard = true);
                return Answer::Taken;
            }
            _ => return Answer::Stale,
        }
        self.book.amend(id, |record| {
            record.receipts_missing -= 1;
            record.told.heard = true;
        });
        if record.receipts_missing == 1 && !record.told.acked {
            self.note_acked(now_ms, id, by_puback(), Vec::new());
            self.conclude_if_reached(now_ms, id, effects);
            self.serve(now_ms, &record.device, effects);
        }
        Answer::Taken
    }

    /// A message of the attempt got lost, and nothing shows that the device has any of it.
    pub(super) fn lost(
        &mut self,
        now_ms: u64,
        id: &ExecutionId,
        attempt: u32,
        why: &str,
        effects: &mut Vec<Effect>,
    ) -> Answer {
        let Some(record) = self.standing(id) else { return Answer::Stale };
        let out = matches!(record.phase, Phase::HandingOver | Phase::AwaitingReply);
        if record.attempt != attempt || !out || record.told.acked || record.told.heard {
            return Answer::Stale;
        }
        let lost = record.lost.saturating_add(1);
        self.book.amend(id, |record| record.lost = lost);
        let reason = reasons::undelivered(lost, why);
        if record.spent.saturating_add(1) >= record.attempts {
            self.finish(now_ms, id, Ending::Host(State::Failed, reason), effects);
        } else if record.when_away == WhenAway::Fail && !self.lanes.is_online(&record.holder) {
            self.finish(now_ms, id, Ending::Host(State::Failed, reasons::away()), effects);
        } else {
            self.withdraw_leftovers(id, &record, effects);
            self.requeue(now_ms, id, reason, Again::InPlace { parked: false });
        }
        self.serve(now_ms, &record.device, effects);
        Answer::Taken
    }
}

fn by_puback() -> Json {
    r#"{"cause":"puback"}"#.to_owned()
}
