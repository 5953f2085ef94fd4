//! A world for the machine: plugins, a broker, devices and a network, all driven by one seed.
//!
//! While faults are on, everything that can be lost, doubled, late or out of order is, and sessions come and go.

use crate::common::{device, done, failed, intent, rejected, submission, succeeded};
use dragoman_core::{
    Correlation, DeviceId, Effect, Execution, ExecutionId, HandOver, Input, Outcome, Overflow, Place, Planned, Reason,
    Reply, Report, Stage, Submission, WhenAway,
};
use std::collections::{BTreeMap, BTreeSet};

/// splitmix64: small, good enough, and the same everywhere.
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
    pub(crate) fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }
    pub(crate) fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize].clone()
    }
}

/// Something that will be told to the machine.
#[derive(Clone, Debug)]
pub(crate) enum Happening {
    /// Inside the process: gone when it crashes.
    Inside(Input),
    /// From outside: comes whatever happens to the process.
    Outside(Input),
}

/// Messages of one attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) messages: u32,
    /// Whether the device acknowledges each of them.
    pub(crate) with_receipts: bool,
}

pub(crate) const HOLDERS: [&str; 2] = ["lamp", "gateway"];

pub(crate) struct World {
    pub(crate) rng: Rng,
    pub(crate) faults: bool,
    /// Never goes back; the wall clock is this and an offset.
    pub(crate) time_ms: u64,
    pub(crate) offset_ms: u64,
    agenda: BTreeMap<(u64, u64), Happening>,
    pub(crate) online: BTreeSet<DeviceId>,
    /// What the device answered to an attempt; it does nothing twice.
    done: BTreeMap<(ExecutionId, u32), Outcome>,
    /// Outcomes that a device or a plugin really gave.
    pub(crate) given: BTreeMap<ExecutionId, Vec<Outcome>>,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            rng: Rng(seed),
            faults: true,
            time_ms: 0,
            offset_ms: 1_000_000,
            agenda: BTreeMap::new(),
            online: BTreeSet::new(),
            done: BTreeMap::new(),
            given: BTreeMap::new(),
        }
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.time_ms + self.offset_ms
    }

    /// A fault of this chance, while there are any.
    pub(crate) fn mishap(&mut self, chance: u64) -> bool {
        self.faults && self.rng.percent(chance)
    }

    /// Puts something on the agenda; what is put there for the same time comes in a random order.
    pub(crate) fn later(&mut self, within_ms: u64, happening: Happening) {
        let at_ms = self.time_ms + self.rng.below(within_ms + 1);
        let tie = self.rng.next();
        self.agenda.insert((at_ms, tie), happening);
    }

    /// From the inside of the process; now and then twice.
    pub(crate) fn answer(&mut self, within_ms: u64, input: Input) {
        if self.mishap(5) {
            self.later(within_ms * 3, Happening::Inside(input.clone()));
        }
        self.later(within_ms, Happening::Inside(input));
    }

    pub(crate) fn next_at_ms(&self) -> Option<u64> {
        self.agenda.first_key_value().map(|((at_ms, _), _)| *at_ms)
    }

    pub(crate) fn take_next(&mut self) -> Option<Input> {
        let ((at_ms, _), happening) = self.agenda.pop_first()?;
        self.time_ms = self.time_ms.max(at_ms);
        Some(match happening {
            Happening::Inside(input) | Happening::Outside(input) => input,
        })
    }

    /// The process is gone, and every connection with it.
    pub(crate) fn crash(&mut self) {
        self.agenda.retain(|_, happening| matches!(happening, Happening::Outside(_)));
        self.online.clear();
    }

    /// The plugins work on an effect.
    pub(crate) fn plan(&mut self, record: &Execution, effect: &Effect) {
        let (id, attempt, plan) = match effect {
            Effect::Plan { id, attempt } if record.frames.is_empty() => {
                (id, *attempt, self.first_plan(record, *attempt))
            }
            Effect::Plan { id, attempt } => (id, *attempt, self.frames_for(record, *attempt, None)),
            Effect::Resume { id, attempt, reply } => (id, *attempt, self.next_plan(record, *attempt, reply)),
            Effect::Withdraw { .. } => return,
        };
        if let Planned::Done { outcome, .. } | Planned::Answered { outcome, .. } = &plan {
            self.given.entry(id.clone()).or_default().push(outcome.clone());
        }
        self.answer(30, Input::Planned { id: id.clone(), attempt, plan });
    }

    fn first_plan(&mut self, record: &Execution, attempt: u32) -> Planned {
        if self.mishap(3) {
            return Planned::Fault(Reason::new("$PLUGIN_TRAP", "the plugin trapped"));
        }
        if self.mishap(3) {
            return Planned::Unsupported(Reason::new("no-words", "there are no words for it"));
        }
        if self.mishap(3) {
            return done(rejected());
        }
        self.frames_for(record, attempt, Some("1"))
    }

    /// The handler goes on for up to three steps, gives up after a silence, and tries a refusal once more.
    fn next_plan(&mut self, record: &Execution, attempt: u32, reply: &Reply) -> Planned {
        let step = record.handler_state.as_deref().map_or(1, str::len);
        match reply {
            Reply::Outcome(Outcome::Succeeded(_)) if step >= 3 => done(succeeded()),
            Reply::Outcome(Outcome::Succeeded(_)) => self.frames_for(record, attempt, Some(&"1".repeat(step + 1))),
            Reply::Outcome(Outcome::Rejected(_)) => done(rejected()),
            Reply::Outcome(Outcome::Failed(_)) | Reply::Silence if self.faults => done(failed()),
            Reply::Outcome(Outcome::Failed(_)) | Reply::Silence => {
                self.frames_for(record, attempt, record.handler_state.as_deref())
            }
        }
    }

    fn frames_for(&mut self, record: &Execution, attempt: u32, handler_state: Option<&str>) -> Planned {
        let handled = record.handler.is_some();
        let handler_state = handler_state.filter(|_| handled).map(str::to_owned);
        if handled && self.mishap(5) {
            let frames = vec![intent("asked")];
            return Planned::Answered { outcome: succeeded(), frames, handler_state, digests: Vec::new() };
        }
        let key = format!("{}-{attempt}", record.id);
        let answerable = !self.mishap(10);
        let correlations = answerable.then(|| Correlation { reporter: record.holder.clone(), key });
        Planned::Send {
            frames: vec![intent("frame")],
            correlations: correlations.into_iter().collect(),
            answerable,
            reply_within_ms: handler_state.is_some().then_some(400),
            handler_state,
            digests: Vec::new(),
        }
    }

    /// The broker takes the messages of an attempt, or does not, and the device gets them, or does not.
    pub(crate) fn hand_over(&mut self, record: &Execution, attempt: u32, row: Row) {
        let id = record.id.clone();
        let result = if !self.online.contains(&record.holder) {
            HandOver::Away
        } else if self.mishap(8) {
            HandOver::NoSubscriber
        } else {
            HandOver::Accepted { receipts: if row.with_receipts { row.messages } else { 0 } }
        };
        let accepted = matches!(result, HandOver::Accepted { .. });
        self.answer(20, Input::HandedOver { id: id.clone(), attempt, result });
        if !accepted {
            return;
        }
        let arrived = (0..row.messages).filter(|_| !self.mishap(20)).count() as u32;
        for _ in 0..arrived {
            if row.with_receipts && !self.mishap(15) {
                self.later(40, Happening::Inside(Input::Puback { id: id.clone(), attempt }));
            }
        }
        if (arrived < row.messages && !self.mishap(30)) || self.mishap(3) {
            let why = "no receipt came".to_owned();
            self.later(300, Happening::Inside(Input::Lost { id: id.clone(), attempt, why }));
        }
        if self.mishap(10) {
            self.say_failed(record, attempt);
        }
        if arrived == row.messages && !self.mishap(10) {
            self.act(record, attempt);
        }
    }

    /// The device does what it is told, once, and says so, as often as it is told.
    fn act(&mut self, record: &Execution, attempt: u32) {
        let verdicts = [succeeded(), succeeded(), succeeded(), failed(), rejected()];
        let new = if self.faults { self.rng.pick(&verdicts) } else { succeeded() };
        let outcome = self.done.entry((record.id.clone(), attempt)).or_insert(new).clone();
        self.given.entry(record.id.clone()).or_default().push(outcome.clone());
        if self.mishap(20) {
            self.tell(record, attempt, &Report::Progress(Some("50".to_owned())));
        }
        if self.mishap(30) || record.options.succeeds_at == Stage::Acked {
            self.tell(record, attempt, &Report::Acked(None));
        }
        if record.options.succeeds_at == Stage::Ended || self.mishap(30) {
            self.tell(record, attempt, &Report::Ended(outcome));
        }
    }

    /// The dialect says that the attempt came to nothing, now and then while the device says something else.
    fn say_failed(&mut self, record: &Execution, attempt: u32) {
        for _ in 0..1 + u64::from(self.mishap(15)) {
            let by = if self.mishap(3) { device("stranger") } else { record.holder.clone() };
            let key = format!("{}-{attempt}", record.id);
            let reason = Reason::new("nack", "the device did not acknowledge it");
            let within_ms = if self.mishap(8) { 10_000 } else { 200 };
            let failed = Input::AttemptFailed { by, key, reason, attributes: Vec::new() };
            self.later(within_ms, Happening::Outside(failed));
        }
    }

    /// What some client with the right to answer for the device may say.
    pub(crate) fn some_vouched_report(&mut self, id: &ExecutionId) -> Report {
        match self.rng.below(3) {
            0 => Report::Progress(None),
            1 => Report::Acked(None),
            _ => {
                let outcome = self.rng.pick(&[succeeded(), failed(), rejected()]);
                self.given.entry(id.clone()).or_default().push(outcome.clone());
                Report::Ended(outcome)
            }
        }
    }

    /// Whether a device did anything for this execution.
    pub(crate) fn has_acted_on(&self, id: &ExecutionId) -> bool {
        self.done.keys().any(|(of, _)| of == id)
    }

    fn tell(&mut self, record: &Execution, attempt: u32, report: &Report) {
        let key = format!("{}-{attempt}", record.id);
        let times = if self.mishap(12) { 0 } else { 1 + u64::from(self.mishap(15)) };
        for _ in 0..times {
            let within_ms = if self.mishap(8) { 10_000 } else { 200 };
            let by = if self.mishap(3) { device("stranger") } else { record.holder.clone() };
            let (key, report) = (key.clone(), report.clone());
            self.later(within_ms, Happening::Outside(Input::Report { by, key, report, attributes: Vec::new() }));
        }
    }

    pub(crate) fn connect(&mut self, holder: &str, online: bool) -> Input {
        let holder = device(holder);
        if online {
            self.online.insert(holder.clone());
        } else {
            self.online.remove(&holder);
        }
        Input::Presence { holder, online }
    }

    /// A command for one of three devices; the lock has a handler, and it and the pump hang below a gateway.
    pub(crate) fn some_submission(&mut self, number: usize) -> Submission {
        let (to, holder) = self.rng.pick(&[("lamp", "lamp"), ("pump", "gateway"), ("lock", "gateway")]);
        let mut wish = submission(&format!("x{number:03}"), to);
        wish.holder = device(holder);
        wish.handler = (to == "lock").then(|| "steps".into());
        let options = &mut wish.options;
        options.ttl_ms = self.rng.pick(&[50, 500, 2_000, 5_000]);
        options.succeeds_at = self.rng.pick(&[Stage::Sent, Stage::Acked, Stage::Ended, Stage::Ended, Stage::Ended]);
        options.lowered = options.succeeds_at != Stage::Ended && self.rng.percent(50);
        options.when_away = self.rng.pick(&[WhenAway::Queue, WhenAway::Queue, WhenAway::Fail]);
        options.queue = self.rng.pick(&["one", "two"]).into();
        options.window = self.rng.pick(&[Stage::Accepted, Stage::Sent, Stage::Acked, Stage::Ended]);
        options.queue_limit = 4;
        options.overflow = self.rng.pick(&[Overflow::RefuseNewest, Overflow::DropOldest]);
        options.attempts = self.rng.pick(&[1, 2, 5]);
        options.backoff_ms = self.rng.pick(&[0, 0, 300]);
        options.failed_to = self.rng.pick(&[Place::Head, Place::Tail]);
        let open = Stage::Accepted;
        options.device_window = self.rng.pick(&[open, open, open, Stage::Sent, Stage::Acked, Stage::Ended]);
        wish
    }
}
