//! The state machine once more, as plainly as it can be said: one list, searched from end to end for everything.
//!
//! Written from the rules, not from the code, and kept small enough to be checked by reading.

mod answers;

use crate::common::outcome_word;
use dragoman_core::machine::reasons;
use dragoman_core::{Event, Limits, Outcome, Overflow, Place, Stage, State, Submission, WhenAway};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    Waiting,
    Planning,
    Resuming,
    HandingOver,
    AwaitingReply,
    Ended,
}

/// One execution.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) wish: Submission,
    pub(crate) state: State,
    pub(crate) doing: Doing,
    pub(crate) attempt: u32,
    pub(crate) lost: u32,
    pub(crate) failed: u32,
    pub(crate) closed: Vec<u32>,
    pub(crate) rest_due_ms: Option<u64>,
    pub(crate) labels: Vec<String>,
    pub(crate) answerable: bool,
    pub(crate) settled_for_less: bool,
    /// Lowest goes first.
    pub(crate) place: usize,
    keyed: Vec<u32>,
    shuts_device: bool,
    pub(crate) missing: u32,
    pub(crate) due_ms: u64,
    pub(crate) step_due_ms: Option<u64>,
    pub(crate) lines: Vec<(Event, State, Option<String>)>,
    step: u32,
    sent: bool,
    acked: bool,
    heard: bool,
    ever_sent: bool,
    early: u32,
    patience_ms: Option<u32>,
    shuts_window: bool,
    parked: bool,
    signs: u64,
    drained: bool,
}

pub(crate) struct Reference {
    pub(crate) items: Vec<Item>,
    pub(crate) effects: Vec<String>,
    limits: Limits,
    pub(crate) now_ms: u64,
    online: Vec<(String, u64)>,
    signs: u64,
    places: usize,
}

pub(crate) type Verdict = &'static str;
const TAKEN: Verdict = "taken";
const STALE: Verdict = "stale";
const LATE: Verdict = "late";

impl Item {
    fn open(&self) -> bool {
        self.doing != Doing::Ended
    }
    fn out(&self) -> bool {
        self.open() && self.doing != Doing::Waiting
    }
    fn handled(&self) -> bool {
        self.wish.handler.is_some()
    }
    /// Whether its handler is at a step that is not over. A first step that failed and went behind the others is over,
    /// unless an earlier attempt at it may still be answered.
    fn in_step(&self) -> bool {
        let answers_may_come = self.keyed.iter().any(|n| *n >= self.step && !self.closed.contains(n));
        let set_back = self.doing == Doing::Waiting
            && self.wish.options.failed_to == Place::Tail
            && self.step <= 1
            && self.closed.contains(&self.attempt)
            && !answers_may_come;
        self.handled() && self.attempt > 0 && !set_back
    }
    fn same_lane(&self, other: &Submission) -> bool {
        (&self.wish.device, &self.wish.origin, &self.wish.options.queue)
            == (&other.device, &other.origin, &other.options.queue)
    }
}

impl Reference {
    pub(crate) fn new(limits: &Limits, now_ms: u64) -> Self {
        let limits = limits.clone();
        Self { items: Vec::new(), effects: Vec::new(), limits, now_ms, online: Vec::new(), signs: 0, places: 0 }
    }

    fn signs_of(&self, holder: &str) -> u64 {
        self.online.iter().find(|(name, _)| name == holder).map_or(0, |(_, signs)| *signs)
    }

    fn index(&self, name: &str) -> Option<usize> {
        self.items.iter().position(|item| item.wish.id.as_str() == name && (item.open() || !item.drained))
    }

    fn last_place(&mut self) -> usize {
        self.places += 1;
        self.places
    }

    fn by_place(&self) -> Vec<usize> {
        let mut all: Vec<usize> = (0..self.items.len()).collect();
        all.sort_by_key(|i| self.items[*i].place);
        all
    }

    fn line(&mut self, i: usize, event: Event, reason: Option<&str>) {
        let state = self.items[i].state;
        self.items[i].lines.push((event, state, reason.map(str::to_owned)));
    }

    pub(crate) fn submit(&mut self, wish: Submission) -> String {
        let refused = |code: &str| format!("refused {code}");
        if self.index(wish.id.as_str()).is_some() {
            return refused("$DUPLICATE");
        }
        if wish.options.when_away == WhenAway::Fail && self.signs_of(wish.holder.as_str()) == 0 {
            return refused("$AWAY");
        }
        let open = self.items.iter().filter(|item| item.open());
        if open.clone().count() >= self.limits.open_max
            || open.filter(|item| item.wish.device == wish.device).count() >= self.limits.open_per_device_max
        {
            return refused("$LIMIT");
        }
        let waiting = |item: &Item| item.doing == Doing::Waiting && item.same_lane(&wish);
        let queue_limit = wish.options.queue_limit as usize;
        let too_many = (self.items.iter().filter(|item| waiting(item)).count() + 1).saturating_sub(queue_limit);
        let queued =
            self.by_place().into_iter().filter(|i| waiting(&self.items[*i]) && self.items[*i].state == State::Queued);
        let oldest: Vec<usize> = queued.take(too_many).collect();
        if too_many > 0 && (wish.options.overflow == Overflow::RefuseNewest || oldest.len() < too_many) {
            return refused("$QUEUE_FULL");
        }
        for i in oldest {
            self.end(i, State::Canceled, Some(reasons::REPLACED), true);
        }
        let device = wish.device.as_str().to_owned();
        let place = self.last_place();
        self.items.push(Item {
            due_ms: self.now_ms + u64::from(wish.options.ttl_ms),
            wish,
            state: State::Queued,
            doing: Doing::Waiting,
            attempt: 0,
            lost: 0,
            failed: 0,
            closed: Vec::new(),
            rest_due_ms: None,
            labels: Vec::new(),
            answerable: true,
            settled_for_less: false,
            place,
            keyed: Vec::new(),
            shuts_device: false,
            missing: 0,
            step_due_ms: None,
            lines: Vec::new(),
            step: 0,
            sent: false,
            acked: false,
            heard: false,
            ever_sent: false,
            early: 0,
            patience_ms: None,
            shuts_window: false,
            parked: false,
            signs: 0,
            drained: false,
        });
        self.line(self.items.len() - 1, Event::Queued, None);
        self.turns(&device);
        TAKEN.to_owned()
    }

    /// Whose turn it is, until it is nobody's.
    fn turns(&mut self, device: &str) {
        while let Some(i) = self.turns_within_time(device) {
            self.time_out(i);
        }
    }

    /// Up to the first that is past its time, which is told.
    fn turns_within_time(&mut self, device: &str) -> Option<usize> {
        while let Some(i) = self.next(device) {
            if self.now_ms >= self.items[i].due_ms {
                return Some(i);
            }
            let signs = self.signs_of(self.items[i].wish.holder.as_str());
            let item = &mut self.items[i];
            item.doing = Doing::Planning;
            item.signs = signs;
            item.shuts_window = item.wish.options.window != Stage::Accepted;
            item.shuts_device = item.wish.options.device_window != Stage::Accepted;
            self.effects.push(format!("plan {} {}", item.wish.id, item.attempt + 1));
        }
        None
    }

    fn next(&self, device: &str) -> Option<usize> {
        let mut mine = self.by_place();
        mine.retain(|i| self.items[*i].open() && self.items[*i].wish.device.as_str() == device);
        if mine.iter().any(|i| self.items[*i].out() && self.items[*i].shuts_device) {
            return None;
        }
        let ready = |i: usize| {
            let item = &self.items[i];
            let may_go = item.doing == Doing::Waiting && !item.parked && item.rest_due_ms.is_none();
            may_go && self.signs_of(item.wish.holder.as_str()) > 0
        };
        let begun = |i: &&usize| self.items[**i].handled() && (self.items[**i].out() || self.items[**i].in_step());
        if let Some(i) = mine.iter().find(begun) {
            return ready(*i).then_some(*i);
        }
        let first = mine.iter().copied().find(|i| {
            let wish = &self.items[*i].wish;
            let place = self.items[*i].place;
            let earlier_waits = |j: &usize| self.items[*j].doing == Doing::Waiting && self.items[*j].place < place;
            let mut lane = mine.iter().filter(|j| self.items[**j].same_lane(wish));
            ready(*i) && !lane.any(|j| earlier_waits(j) || (self.items[*j].out() && self.items[*j].shuts_window))
        })?;
        let alone = !mine.iter().any(|i| self.items[*i].out());
        (alone || !self.items[first].handled()).then_some(first)
    }

    fn end(&mut self, i: usize, state: State, reason: Option<&str>, by_host: bool) {
        let item = &mut self.items[i];
        if item.doing == Doing::HandingOver || (by_host && item.doing == Doing::AwaitingReply) {
            self.effects.push(format!("withdraw {} {}", item.wish.id, item.attempt));
        }
        item.state = state;
        item.doing = Doing::Ended;
        item.step_due_ms = None;
        item.rest_due_ms = None;
        self.line(i, Event::Ended, reason);
    }

    fn time_out(&mut self, i: usize) {
        let item = &self.items[i];
        let was_out = matches!(item.doing, Doing::HandingOver | Doing::Resuming) || item.step > 1;
        let was_out = was_out || item.lost + item.failed > 0;
        let out = was_out || item.ever_sent || item.state != State::Queued || item.heard;
        let code = if out { reasons::NO_RESPONSE } else { reasons::EXPIRED_IN_QUEUE };
        self.end(i, State::TimedOut, Some(code), true);
    }

    fn verdict(&mut self, i: usize, outcome: &Outcome) {
        let item = &self.items[i];
        let lowered = (item.wish.options.lowered || item.settled_for_less) && item.handled();
        let (state, reason) = match outcome {
            Outcome::Succeeded(_) => (State::Succeeded, lowered.then(|| reasons::DELIVERED_ONLY.to_owned())),
            Outcome::Failed(reason) => (State::Failed, Some(reason.code.clone())),
            Outcome::Rejected(reason) => (State::Rejected, Some(reason.code.clone())),
        };
        self.end(i, state, reason.as_deref(), false);
    }

    /// An outcome of what is out: the end, or the handler's to judge.
    fn answered(&mut self, i: usize, outcome: &Outcome) {
        if !self.items[i].in_step() {
            return self.verdict(i, outcome);
        }
        let reason = match outcome {
            Outcome::Succeeded(_) => None,
            Outcome::Failed(reason) | Outcome::Rejected(reason) => Some(reason.code.clone()),
        };
        self.resume(i, Event::Replied, reason.as_deref(), outcome_word(outcome));
    }

    fn resume(&mut self, i: usize, event: Event, reason: Option<&str>, told: &str) {
        let item = &mut self.items[i];
        if item.doing == Doing::HandingOver {
            self.effects.push(format!("withdraw {} {}", item.wish.id, item.attempt));
        }
        let was = std::mem::replace(&mut item.doing, Doing::Resuming);
        item.step_due_ms = None;
        item.parked = false;
        item.rest_due_ms = None;
        self.line(i, event, reason);
        let item = &mut self.items[i];
        if was == Doing::Planning {
            // The plan under way must not be taken for the answer to this.
            item.attempt += 1;
            (item.sent, item.acked, item.heard, item.missing) = (false, false, false, 0);
        }
        if self.now_ms >= self.items[i].due_ms {
            return self.time_out(i);
        }
        let item = &self.items[i];
        self.effects.push(format!("resume {} {} {told}", item.wish.id, item.attempt + 1));
    }

    pub(crate) fn cancel(&mut self, name: &str) -> Verdict {
        let Some(i) = self.index(name).filter(|i| self.items[*i].open()) else { return STALE };
        self.end(i, State::Canceled, Some(reasons::CANCELED), true);
        self.turns(self.items[i].wish.device.as_str().to_owned().as_str());
        TAKEN
    }

    pub(crate) fn remove(&mut self, device: &str) -> Verdict {
        for i in 0..self.items.len() {
            if self.items[i].open() && self.items[i].wish.device.as_str() == device {
                self.end(i, State::Canceled, Some(reasons::REMOVED), true);
            }
        }
        self.online.retain(|(name, _)| name != device);
        TAKEN
    }

    pub(crate) fn note(&mut self, name: &str) -> Verdict {
        let Some(i) = self.index(name) else { return STALE };
        self.line(i, Event::Note, None);
        TAKEN
    }

    pub(crate) fn label(&mut self, name: &str, label: &str) -> Verdict {
        let Some(i) = self.index(name) else { return STALE };
        let labels = &mut self.items[i].labels;
        if labels.iter().any(|known| known == label) {
            return TAKEN;
        }
        if labels.len() == 8 {
            return "refused $LIMIT";
        }
        labels.push(label.to_owned());
        TAKEN
    }

    pub(crate) fn presence(&mut self, holder: &str, online: bool) -> Verdict {
        self.online.retain(|(name, _)| name != holder);
        let mut behind: Vec<String> = Vec::new();
        for i in 0..self.items.len() {
            let item = &mut self.items[i];
            if item.wish.holder.as_str() != holder || !item.open() {
                continue;
            }
            behind.push(item.wish.device.as_str().to_owned());
            item.parked &= !online;
        }
        behind.sort();
        behind.dedup();
        if online {
            self.signs += 1;
            self.online.push((holder.to_owned(), self.signs));
            behind.iter().for_each(|device| self.turns(device));
            return TAKEN;
        }
        for i in 0..self.items.len() {
            let item = &self.items[i];
            let fails = item.doing == Doing::Waiting && item.wish.options.when_away == WhenAway::Fail;
            if fails && item.wish.holder.as_str() == holder {
                self.end(i, State::Failed, Some(reasons::AWAY), true);
            }
        }
        behind.iter().for_each(|device| self.turns(device));
        TAKEN
    }

    pub(crate) fn sign_of_life(&mut self, holder: &str) -> Verdict {
        self.signs += 1;
        let signs = self.signs;
        self.online.iter_mut().filter(|(name, _)| name == holder).for_each(|(_, of)| *of = signs);
        let mut woken = Vec::new();
        for item in self.items.iter_mut().filter(|item| item.open() && item.wish.holder.as_str() == holder) {
            if std::mem::take(&mut item.parked) {
                woken.push(item.wish.device.as_str().to_owned());
            }
        }
        woken.sort();
        woken.dedup();
        woken.iter().for_each(|device| self.turns(device));
        TAKEN
    }

    pub(crate) fn tick(&mut self) -> Verdict {
        for _ in 0..1_000 {
            let Some((due_ms, _, i)) = self.due().into_iter().min() else { break };
            if due_ms > self.now_ms {
                break;
            }
            if self.now_ms >= self.items[i].due_ms {
                self.time_out(i);
                self.turns_within_time(self.items[i].wish.device.as_str().to_owned().as_str());
            } else if self.items[i].doing == Doing::Waiting {
                self.items[i].rest_due_ms = None;
                self.turns_within_time(self.items[i].wish.device.as_str().to_owned().as_str());
            } else {
                self.resume(i, Event::Silence, None, "silence");
            }
        }
        TAKEN
    }

    fn due(&self) -> Vec<(u64, String, usize)> {
        let open = self.items.iter().enumerate().filter(|(_, item)| item.open());
        open.map(|(i, item)| {
            let sooner_ms = item.step_due_ms.or(item.rest_due_ms).unwrap_or(u64::MAX);
            (sooner_ms.min(item.due_ms), item.wish.id.as_str().to_owned(), i)
        })
        .collect()
    }

    pub(crate) fn drain(&mut self) {
        self.items.iter_mut().for_each(|item| item.drained |= !item.open());
    }

    pub(crate) fn is_forgotten(&self, i: usize) -> bool {
        self.items[i].drained && !self.items[i].open()
    }
}
