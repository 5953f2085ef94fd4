//! What the reference makes of answers: of plugins, brokers and devices.

use super::{Doing, Item, LATE, Reference, STALE, TAKEN, Verdict};
use dragoman_core::machine::reasons;
use dragoman_core::{Event, HandOver, Outcome, Place, Planned, Report, Stage, State, WhenAway};

impl Reference {
    pub(crate) fn planned(&mut self, name: &str, attempt: u32, plan: &Planned) -> Verdict {
        let Some(i) = self.index(name) else { return STALE };
        let item = &mut self.items[i];
        if !matches!(item.doing, Doing::Planning | Doing::Resuming) || attempt != item.attempt + 1 {
            return STALE;
        }
        let device = item.wish.device.as_str().to_owned();
        if self.now_ms >= item.due_ms {
            self.time_out(i);
            self.turns(&device);
            return STALE;
        }
        let one_more = match plan {
            Planned::Send { .. } => true,
            Planned::Answered { .. } => item.handled(),
            _ => false,
        };
        if one_more && attempt > 1_000 {
            self.end(i, State::Failed, Some(reasons::LIMIT), true);
            self.turns(&device);
            return STALE;
        }
        let repeated = item.doing == Doing::Planning && item.attempt > 0;
        let begin = |item: &mut Item, now_ms: u64, patience_ms: Option<u32>| {
            item.attempt = attempt;
            if !repeated {
                item.step = attempt;
                item.patience_ms = None;
            }
            item.patience_ms = patience_ms.or(item.patience_ms);
            (item.sent, item.acked, item.heard, item.missing, item.early) = (false, false, false, 0, 0);
            item.answerable = true;
            item.step_due_ms = item.patience_ms.filter(|_| item.handled()).map(|ms| now_ms + u64::from(ms));
        };
        match plan {
            Planned::Send { reply_within_ms, correlations, answerable, .. } => {
                begin(item, self.now_ms, *reply_within_ms);
                item.doing = Doing::HandingOver;
                item.answerable = *answerable;
                item.keyed.extend((!correlations.is_empty()).then_some(attempt));
                self.line(i, Event::Planned, None);
            }
            Planned::Answered { outcome, .. } if item.handled() => {
                begin(item, self.now_ms, None);
                item.doing = Doing::AwaitingReply;
                self.line(i, Event::Planned, None);
                self.answered(i, outcome);
            }
            Planned::Answered { outcome, .. } | Planned::Done { outcome, .. } => self.verdict(i, outcome),
            Planned::Unsupported(reason) | Planned::Fault(reason) => {
                self.end(i, State::Failed, Some(&reason.code), true);
            }
        }
        self.turns(&device);
        TAKEN
    }

    pub(crate) fn handed_over(&mut self, name: &str, attempt: u32, result: &HandOver) -> Verdict {
        let Some(i) = self.index(name) else { return STALE };
        let item = &self.items[i];
        let outrun = item.doing == Doing::Resuming && !item.sent;
        if item.attempt != attempt || !(item.doing == Doing::HandingOver || outrun) {
            return STALE;
        }
        let device = item.wish.device.as_str().to_owned();
        let code = match result {
            HandOver::Accepted { receipts } => {
                self.accepted(i, *receipts);
                self.turns(&device);
                return TAKEN;
            }
            HandOver::Away => reasons::AWAY,
            HandOver::NoSubscriber => reasons::NO_SUBSCRIBER,
        };
        if outrun {
            return STALE;
        }
        if item.heard {
            self.items[i].doing = Doing::AwaitingReply;
        } else if item.wish.options.when_away == WhenAway::Fail {
            self.end(i, State::Failed, Some(code), true);
        } else {
            let parked = item.signs == self.signs_of(item.wish.holder.as_str());
            self.wait_again(i, code, parked);
        }
        self.turns(&device);
        TAKEN
    }

    fn accepted(&mut self, i: usize, receipts: u32) {
        let item = &mut self.items[i];
        item.missing = receipts.saturating_sub(item.early);
        let acked_now = receipts > 0 && item.missing == 0 && !item.acked;
        self.with_a_broker(i);
        let item = &mut self.items[i];
        if item.doing == Doing::HandingOver {
            item.doing = Doing::AwaitingReply;
        }
        if acked_now {
            self.acked(i);
        }
        self.enough(i);
    }

    fn with_a_broker(&mut self, i: usize) {
        let item = &mut self.items[i];
        item.sent = true;
        item.ever_sent = true;
        item.state = item.state.max(State::Sent);
        item.shuts_window &= item.wish.options.window > Stage::Sent;
        item.shuts_device &= item.wish.options.device_window > Stage::Sent;
        self.line(i, Event::Sent, None);
    }

    fn acked(&mut self, i: usize) {
        let item = &mut self.items[i];
        item.acked = true;
        item.heard = true;
        item.state = item.state.max(State::Acked);
        if item.doing != Doing::Planning {
            item.shuts_window &= item.wish.options.window > Stage::Acked;
            item.shuts_device &= item.wish.options.device_window > Stage::Acked;
        }
        self.line(i, Event::Acked, None);
    }

    fn enough(&mut self, i: usize) {
        let item = &mut self.items[i];
        let wish = item.wish.options.succeeds_at;
        let as_wished = (wish == Stage::Sent && item.sent) || (wish == Stage::Acked && item.acked);
        // Nobody can say more, and no receipt is waited for.
        let at_most = !item.answerable && (item.acked || (item.sent && item.missing == 0));
        if !(as_wished || at_most) || item.doing == Doing::Resuming {
            return;
        }
        item.settled_for_less |= wish == Stage::Ended || (wish == Stage::Acked && !item.acked);
        if item.in_step() {
            self.answered(i, &Outcome::Succeeded(None));
        } else {
            let lowered = item.wish.options.lowered || item.settled_for_less;
            let reason = lowered.then_some(reasons::DELIVERED_ONLY);
            self.end(i, State::Succeeded, reason, false);
        }
    }

    fn wait_again(&mut self, i: usize, code: &str, parked: bool) {
        let item = &mut self.items[i];
        item.doing = Doing::Waiting;
        item.parked = parked;
        item.step_due_ms = None;
        item.missing = 0;
        if item.state == State::Sent && item.step <= 1 {
            item.state = State::Queued;
        }
        self.line(i, Event::Requeued, Some(code));
    }

    pub(crate) fn puback(&mut self, name: &str, attempt: u32) -> Verdict {
        let Some(i) = self.index(name) else { return STALE };
        let item = &mut self.items[i];
        if item.attempt != attempt || !item.out() || item.doing == Doing::Planning {
            return STALE;
        }
        if !item.sent {
            if item.doing == Doing::AwaitingReply {
                return STALE;
            }
            item.early += 1;
            item.heard = true;
            return TAKEN;
        }
        if item.missing == 0 {
            return STALE;
        }
        item.missing -= 1;
        item.heard = true;
        if item.missing == 0 && !item.acked {
            let device = item.wish.device.as_str().to_owned();
            self.acked(i);
            self.enough(i);
            self.turns(&device);
        }
        TAKEN
    }

    pub(crate) fn lost(&mut self, name: &str, attempt: u32) -> Verdict {
        let Some(i) = self.index(name) else { return STALE };
        let item = &mut self.items[i];
        let out = matches!(item.doing, Doing::HandingOver | Doing::AwaitingReply);
        if item.attempt != attempt || !out || item.acked || item.heard {
            return STALE;
        }
        item.lost += 1;
        let spent = item.lost + item.failed;
        let device = item.wish.device.as_str().to_owned();
        let holder = item.wish.holder.as_str().to_owned();
        let impatient = item.wish.options.when_away == WhenAway::Fail;
        if spent >= item.wish.options.attempts {
            self.end(i, State::Failed, Some(reasons::UNDELIVERED), true);
        } else if impatient && self.signs_of(&holder) == 0 {
            self.end(i, State::Failed, Some(reasons::AWAY), true);
        } else {
            let item = &self.items[i];
            if item.doing == Doing::HandingOver {
                self.effects.push(format!("withdraw {} {}", item.wish.id, item.attempt));
            }
            self.wait_again(i, reasons::UNDELIVERED, false);
        }
        self.turns(&device);
        TAKEN
    }

    /// A report on an attempt that was dispatched, by the device it named.
    pub(crate) fn report(&mut self, name: &str, attempt: u32, report: &Report) -> Verdict {
        let Some(i) = self.index(name) else { return STALE };
        let item = &mut self.items[i];
        if !item.open() {
            self.line(i, Event::Late, None);
            return LATE;
        }
        let device = item.wish.device.as_str().to_owned();
        if item.closed.contains(&attempt) {
            self.line(i, Event::Late, None);
            return LATE;
        }
        let newest_out = attempt == item.attempt && item.out() && item.doing != Doing::Planning;
        match report {
            Report::Progress(_) if newest_out => {
                item.heard = true;
                self.line(i, Event::Progress, None);
            }
            Report::Acked(_) if newest_out && !item.acked => {
                self.acked(i);
                self.enough(i);
            }
            Report::Ended(outcome) if attempt >= item.step && item.doing != Doing::Resuming => {
                if attempt == item.attempt && item.doing == Doing::HandingOver && !item.in_step() {
                    self.with_a_broker(i);
                }
                self.items[i].heard = true;
                self.answered(i, outcome);
            }
            Report::Acked(_) if newest_out && item.acked => return STALE,
            // Of an attempt that another replaced, or of a step that is answered.
            _ => {
                self.line(i, Event::Late, None);
                return LATE;
            }
        }
        self.turns(&device);
        TAKEN
    }

    /// The dialect's word that an attempt, which was dispatched to the device that it came from, failed.
    pub(crate) fn attempt_failed(&mut self, name: &str, attempt: u32, code: &str) -> Verdict {
        let Some(i) = self.index(name) else { return STALE };
        let item = &mut self.items[i];
        if !item.open() {
            self.line(i, Event::Late, None);
            return LATE;
        }
        let (device, holder) = (item.wish.device.as_str().to_owned(), item.wish.holder.as_str().to_owned());
        let known = item.closed.contains(&attempt);
        item.closed.extend((!known).then_some(attempt));
        let out = matches!(item.doing, Doing::HandingOver | Doing::AwaitingReply);
        if known || attempt != item.attempt || !out {
            self.line(i, Event::Late, None);
            self.turns(&device);
            return LATE;
        }
        item.failed += 1;
        let spent = item.lost + item.failed;
        let wish = item.wish.options.clone();
        self.line(i, Event::AttemptFailed, Some(code));
        if spent >= wish.attempts {
            self.end(i, State::Failed, Some(code), false);
        } else if wish.when_away == WhenAway::Fail && self.signs_of(&holder) == 0 {
            self.end(i, State::Failed, Some(reasons::AWAY), true);
        } else {
            let behind = self.last_place();
            let item = &mut self.items[i];
            if item.doing == Doing::HandingOver {
                self.effects.push(format!("withdraw {} {}", item.wish.id, item.attempt));
            }
            if item.step <= 1 {
                // That the device had it is taken back with the attempt.
                item.state = State::Queued;
            }
            item.rest_due_ms = (wish.backoff_ms > 0).then(|| self.now_ms + u64::from(wish.backoff_ms));
            if wish.failed_to == Place::Tail {
                item.place = behind;
            }
            self.wait_again(i, code, false);
        }
        self.turns(&device);
        TAKEN
    }

    /// A report that a dialect vouches for.
    pub(crate) fn report_for(&mut self, name: &str, report: &Report) -> Verdict {
        let Some(i) = self.index(name) else { return STALE };
        let item = &mut self.items[i];
        let answered = item.doing == Doing::Resuming && matches!(report, Report::Ended(_));
        if !item.open() || answered {
            self.line(i, Event::Late, None);
            return LATE;
        }
        let device = item.wish.device.as_str().to_owned();
        match report {
            Report::Progress(_) => {
                item.heard = true;
                self.line(i, Event::Progress, None);
            }
            Report::Acked(_) if item.acked => return STALE,
            Report::Acked(_) => {
                self.acked(i);
                self.enough(i);
            }
            Report::Ended(outcome) => {
                item.heard = true;
                self.answered(i, outcome);
            }
        }
        self.turns(&device);
        TAKEN
    }
}
