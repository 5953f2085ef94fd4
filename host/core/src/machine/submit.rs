//! Accept or refuse.

use super::Machine;
use super::book::Line;
use super::input::{Answer, Effect, Prior, Refusal, Submission};
use super::reasons;
use super::step::Ending;
use crate::execution::{Event, Execution, Options, Overflow, Phase, Stage, State, Told, WhenAway};
use crate::intent::ExecutionId;
use std::sync::Arc;

impl Machine {
    /// Accepts a command into its lane, or says why not. Nothing changes before all that could refuse it has been asked.
    pub(super) fn submit(&mut self, now_ms: u64, submission: Submission, effects: &mut Vec<Effect>) -> Answer {
        if let Err(refusal) = check_options(&submission.options) {
            return Answer::Refused(refusal);
        }
        if let Some(prior) = &submission.prior {
            return answer_prior(prior, &submission);
        }
        if self.book.get(&submission.id).is_some() {
            return Answer::Refused(Refusal::Duplicate(submission.id));
        }
        if let Err(refusal) = self.check_limits(&submission) {
            return Answer::Refused(refusal);
        }
        let gives_way = match self.make_room(&submission) {
            Ok(gives_way) => gives_way,
            Err(refusal) => return Answer::Refused(refusal),
        };
        for id in gives_way {
            self.finish(now_ms, &id, Ending::Host(State::Canceled, reasons::replaced()), effects);
        }
        let execution = accept(now_ms, self.book.next_position(now_ms), submission);
        let (id, device) = (execution.id.clone(), execution.device.clone());
        self.book.insert(execution);
        self.book.note(&id, now_ms, Event::Queued, Line::default());
        if let Some(entry) = self.book.get(&id) {
            self.lanes.enter(&entry.record);
        }
        self.serve(now_ms, &device, effects);
        Answer::Taken
    }

    fn check_limits(&self, submission: &Submission) -> Result<(), Refusal> {
        if submission.options.when_away == WhenAway::Fail && !self.lanes.is_online(&submission.holder) {
            return Err(Refusal::Away);
        }
        let open = self.book.open();
        if open >= self.limits.open_max {
            return Err(Refusal::Limit { what: format!("{open} commands") });
        }
        let open = self.lanes.count_open_of(&submission.device);
        if open >= self.limits.open_per_device_max {
            return Err(Refusal::Limit { what: format!("{open} commands for this device") });
        }
        Ok(())
    }

    /// What must give way for a new item of the lane.
    fn make_room(&self, submission: &Submission) -> Result<Vec<ExecutionId>, Refusal> {
        let options = &submission.options;
        let limit = usize::try_from(options.queue_limit).unwrap_or(usize::MAX);
        let waiting = self.lanes.waiting(&submission.device, &submission.origin, &options.queue);
        let excess = (waiting.len() + 1).saturating_sub(limit);
        let full = Refusal::QueueFull { queue: Arc::clone(&options.queue), limit: options.queue_limit };
        match options.overflow {
            _ if excess == 0 => Ok(Vec::new()),
            Overflow::RefuseNewest => Err(full),
            Overflow::DropOldest => {
                let queued = |id: &&ExecutionId| self.record(id).is_some_and(|record| record.state == State::Queued);
                let gives_way: Vec<_> = waiting.filter(queued).take(excess).cloned().collect();
                if gives_way.len() == excess { Ok(gives_way) } else { Err(full) }
            }
        }
    }
}

fn check_options(options: &Options) -> Result<(), Refusal> {
    let invalid = |text: &str| Err(Refusal::Invalid(text.to_owned()));
    if options.ttl_ms == 0 {
        return invalid("the time to live is 0; give the command at least 1 ms");
    }
    if options.attempts == 0 {
        return invalid("0 attempts are allowed; allow at least 1");
    }
    if options.queue_limit == 0 {
        return invalid("the queue may hold 0 commands; let it hold at least 1");
    }
    if options.succeeds_at == Stage::Accepted {
        return invalid("a command cannot succeed by being accepted; choose sent, acked or ended");
    }
    if options.lowered && options.succeeds_at == Stage::Ended {
        return invalid("success at the device's outcome is the highest wish and cannot be a lowered one");
    }
    Ok(())
}

fn answer_prior(prior: &Prior, submission: &Submission) -> Answer {
    match (prior.fingerprint, &submission.idempotency) {
        (Some(before), Some(now)) if before == now.fingerprint => Answer::Existing(prior.id.clone()),
        (Some(_), Some(_)) => Answer::Refused(Refusal::IdempotencyConflict(prior.id.clone())),
        _ => Answer::Refused(Refusal::Duplicate(prior.id.clone())),
    }
}

fn accept(now_ms: u64, queue_position: u64, submission: Submission) -> Execution {
    let deadline_ms = now_ms.saturating_add(u64::from(submission.options.ttl_ms));
    Execution {
        id: submission.id,
        device: submission.device,
        holder: submission.holder,
        intent: submission.intent,
        options: submission.options,
        origin: submission.origin,
        alias: submission.alias,
        context: submission.context,
        labels: submission.labels,
        idempotency: submission.idempotency,
        owner: submission.owner,
        handler: submission.handler,
        digests: Vec::new(),
        released: Vec::new(),
        state: State::Queued,
        phase: Phase::Waiting,
        version: 0,
        attempt: 0,
        told: Told::default(),
        step_attempt: 0,
        lost: 0,
        failed: 0,
        closed: Vec::new(),
        queue_position,
        not_before_ms: None,
        frames: Vec::new(),
        handler_state: None,
        reply_within_ms: None,
        step_deadline_ms: None,
        correlations: Vec::new(),
        receipts_missing: 0,
        answerable: true,
        delivered_only: false,
        outcome: None,
        reason: None,
        last_note: None,
        report: Vec::new(),
        created_ms: now_ms,
        updated_ms: now_ms,
        sent_ms: None,
        ended_ms: None,
        deadline_ms,
    }
}
