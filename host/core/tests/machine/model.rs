//! Random sequences of inputs, against the reference model and the invariants.

use crate::common::*;
use crate::invariants::{History, check_machine};
use crate::reference::{Doing, Reference};
use dragoman_core::{
    ExecutionId, HandOver, Input, Limits, Machine, Outcome, Overflow, Phase, Place, Planned, Reason, Report, Stage,
    Submission, WhenAway,
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// One step of a sequence. Executions are named by a number that is taken modulo how many there are.
#[derive(Clone, Debug)]
enum Step {
    Submit(Wish),
    Presence(u8, bool),
    SignOfLife(u8),
    Planned(u8, u32, Plan),
    HandedOver(u8, u32, HandOver),
    Puback(u8, u32),
    Lost(u8, u32),
    Report(u8, u32, bool, Report),
    AttemptFailed(u8, u32, bool),
    ReportFor(u8, Report),
    Note(u8),
    Label(u8, u8),
    Remove(u8),
    Cancel(u8),
    /// So long, and whether somebody says that time passed.
    Wait(u64, bool),
    TurnBack(u64),
    Drain,
}

#[derive(Clone, Debug)]
struct Wish {
    to: u8,
    queue: u8,
    handled: bool,
    ttl_ms: u32,
    succeeds_at: Stage,
    lowered: bool,
    fails_when_away: bool,
    window: Stage,
    device_window: Stage,
    drops_oldest: bool,
    attempts: u32,
    backoff_ms: u32,
    failed_to: Place,
}

#[derive(Clone, Debug)]
enum Plan {
    Send(Option<u32>, bool),
    Done(Outcome),
    Answered(Outcome),
    Unsupported,
}

fn some_outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![3 => Just(succeeded()), 1 => Just(failed()), 1 => Just(rejected())]
}

fn some_wish() -> impl Strategy<Value = Wish> {
    let stage = || prop::sample::select(vec![Stage::Accepted, Stage::Sent, Stage::Acked, Stage::Ended]);
    let wish = prop::sample::select(vec![Stage::Sent, Stage::Acked, Stage::Ended, Stage::Ended, Stage::Ended]);
    let ttl = prop::sample::select(vec![1_u32, 100, 1_000, 1_000_000]);
    let flags = (prop::bool::weighted(0.3), any::<bool>(), prop::bool::weighted(0.2), prop::bool::weighted(0.3));
    let windows = (stage(), prop_oneof![2 => Just(Stage::Accepted), 1 => stage()]);
    let place = prop::sample::select(vec![Place::Head, Place::Tail]);
    let again = (1..4_u32, prop::sample::select(vec![0_u32, 0, 150]), place);
    (0..3_u8, 0..2_u8, ttl, wish, windows, again, flags).prop_map(
        |(to, queue, ttl_ms, succeeds_at, (window, device_window), (attempts, backoff_ms, failed_to), flags)| {
            let (handled, lowered, fails_when_away, drops_oldest) = flags;
            Wish {
                to,
                queue,
                handled,
                ttl_ms,
                succeeds_at,
                lowered: lowered && succeeds_at != Stage::Ended,
                fails_when_away,
                window,
                device_window,
                drops_oldest,
                attempts,
                backoff_ms,
                failed_to,
            }
        },
    )
}

fn some_step() -> impl Strategy<Value = Step> {
    let attempt = || prop_oneof![8 => Just(0_u32), 1 => Just(1_u32), 1 => Just(2_u32)];
    let plan = prop_oneof![
        8 => (prop::option::of(Just(50_u32)), prop::bool::weighted(0.85)).prop_map(|(ms, answers)| Plan::Send(ms, answers)),
        1 => some_outcome().prop_map(Plan::Done),
        1 => some_outcome().prop_map(Plan::Answered),
        1 => Just(Plan::Unsupported),
    ];
    let hand_over = prop_oneof![
        4 => (0..3_u32).prop_map(|receipts| HandOver::Accepted { receipts }),
        1 => Just(HandOver::Away),
        1 => Just(HandOver::NoSubscriber),
    ];
    let report = || {
        prop_oneof![
            1 => Just(Report::Progress(None)),
            2 => Just(Report::Acked(None)),
            3 => some_outcome().prop_map(Report::Ended),
        ]
    };
    let known = || prop::bool::weighted(0.9);
    prop_oneof![
        6 => some_wish().prop_map(Step::Submit),
        4 => (0..2_u8, prop::bool::weighted(0.8)).prop_map(|(holder, online)| Step::Presence(holder, online)),
        2 => (0..2_u8).prop_map(Step::SignOfLife),
        9 => (any::<u8>(), attempt(), plan).prop_map(|(which, back, plan)| Step::Planned(which, back, plan)),
        9 => (any::<u8>(), attempt(), hand_over).prop_map(|(which, back, result)| Step::HandedOver(which, back, result)),
        5 => (any::<u8>(), attempt()).prop_map(|(which, back)| Step::Puback(which, back)),
        4 => (any::<u8>(), attempt()).prop_map(|(which, back)| Step::Lost(which, back)),
        7 => (any::<u8>(), attempt(), known(), report()).prop_map(|(which, back, known, report)| {
            Step::Report(which, back, known, report)
        }),
        5 => (any::<u8>(), attempt(), known()).prop_map(|(which, back, known)| Step::AttemptFailed(which, back, known)),
        2 => (any::<u8>(), report()).prop_map(|(which, report)| Step::ReportFor(which, report)),
        1 => any::<u8>().prop_map(Step::Note),
        1 => (any::<u8>(), 0..12_u8).prop_map(|(which, label)| Step::Label(which, label)),
        1 => (0..3_u8).prop_map(Step::Remove),
        2 => any::<u8>().prop_map(Step::Cancel),
        3 => (prop::sample::select(vec![1_u64, 60, 200, 2_000]), any::<bool>()).prop_map(|(ms, tick)| Step::Wait(ms, tick)),
        1 => prop::sample::select(vec![1_u64, 500]).prop_map(Step::TurnBack),
        2 => Just(Step::Drain),
    ]
}

/// `lamp` holds its own session; `gateway` holds those of `pump` and `lock`.
fn submission_for(number: usize, wish: &Wish) -> Submission {
    let (to, holder) = [("lamp", "lamp"), ("pump", "gateway"), ("lock", "gateway")][usize::from(wish.to)];
    let mut submission = submission(&format!("x{number:03}"), to);
    submission.holder = device(holder);
    submission.handler = wish.handled.then(|| "steps".into());
    let options = &mut submission.options;
    options.ttl_ms = wish.ttl_ms;
    options.succeeds_at = wish.succeeds_at;
    options.lowered = wish.lowered;
    options.when_away = if wish.fails_when_away { WhenAway::Fail } else { WhenAway::Queue };
    options.queue = if wish.queue == 0 { "one".into() } else { "two".into() };
    options.window = wish.window;
    options.device_window = wish.device_window;
    options.queue_limit = 3;
    options.overflow = if wish.drops_oldest { Overflow::DropOldest } else { Overflow::RefuseNewest };
    options.attempts = wish.attempts;
    options.backoff_ms = wish.backoff_ms;
    options.failed_to = wish.failed_to;
    submission
}

struct Both {
    machine: Machine,
    reference: Reference,
    names: Vec<ExecutionId>,
    /// Keys that were dispatched, with the device that may report.
    dispatched: BTreeSet<(String, u32)>,
    histories: BTreeMap<ExecutionId, History>,
}

impl Both {
    fn new() -> Self {
        let limits = Limits { open_max: 12, open_per_device_max: 6 };
        let reference = Reference::new(&limits, 10_000);
        Self {
            machine: Machine::new(limits),
            reference,
            names: Vec::new(),
            dispatched: BTreeSet::new(),
            histories: BTreeMap::new(),
        }
    }

    fn holder(index: u8) -> &'static str {
        ["lamp", "gateway"][usize::from(index)]
    }

    /// The input that a step means here, and what the reference says to it.
    fn input(&mut self, step: Step) -> Option<(Input, String)> {
        let pick = |which: u8| {
            let number = usize::from(which).checked_rem(self.names.len())?;
            Some(self.names[number].clone())
        };
        Some(match step {
            Step::Submit(wish) => {
                let submission = submission_for(self.names.len(), &wish);
                self.names.push(submission.id.clone());
                let expected = self.reference.submit(submission.clone());
                (Input::Submit(Box::new(submission)), expected)
            }
            Step::Presence(holder, online) => {
                let holder = Self::holder(holder);
                let expected = self.reference.presence(holder, online).to_owned();
                (Input::Presence { holder: device(holder), online }, expected)
            }
            Step::SignOfLife(holder) => {
                let holder = Self::holder(holder);
                (Input::SignOfLife { holder: device(holder) }, self.reference.sign_of_life(holder).to_owned())
            }
            Step::Planned(which, back, plan) => {
                let id = pick(which)?;
                let attempt = (self.attempt_of(&id) + 1).saturating_sub(back);
                let plan = self.plan(&id, attempt, plan);
                let expected = self.reference.planned(id.as_str(), attempt, &plan).to_owned();
                if expected == "taken" && matches!(plan, Planned::Send { answerable: true, .. }) {
                    self.dispatched.insert((id.as_str().to_owned(), attempt));
                }
                (Input::Planned { id, attempt, plan }, expected)
            }
            Step::HandedOver(which, back, result) => {
                let id = pick(which)?;
                let attempt = self.attempt_of(&id).saturating_sub(back);
                let expected = self.reference.handed_over(id.as_str(), attempt, &result).to_owned();
                (Input::HandedOver { id, attempt, result }, expected)
            }
            Step::Puback(which, back) => {
                let id = pick(which)?;
                let attempt = self.attempt_of(&id).saturating_sub(back);
                let expected = self.reference.puback(id.as_str(), attempt).to_owned();
                (Input::Puback { id, attempt }, expected)
            }
            Step::Lost(which, back) => {
                let id = pick(which)?;
                let attempt = self.attempt_of(&id).saturating_sub(back);
                let expected = self.reference.lost(id.as_str(), attempt).to_owned();
                (Input::Lost { id, attempt, why: "of the test".to_owned() }, expected)
            }
            Step::Report(which, back, known, report) => {
                let id = pick(which)?;
                let attempt = self.attempt_of(&id).saturating_sub(back);
                let expected = match (self.is_named(&id, attempt), known) {
                    (false, _) => "stale",
                    (true, false) => "denied",
                    (true, true) => self.reference.report(id.as_str(), attempt, &report),
                };
                let by = if known { device("reporter") } else { device("stranger") };
                let key = format!("{id}-{attempt}");
                (Input::Report { by, key, report, attributes: Vec::new() }, expected.to_owned())
            }
            Step::AttemptFailed(which, back, known) => {
                let id = pick(which)?;
                let attempt = self.attempt_of(&id).saturating_sub(back);
                let expected = match (self.is_named(&id, attempt), known) {
                    (false, _) => "stale",
                    (true, false) => "denied",
                    (true, true) => self.reference.attempt_failed(id.as_str(), attempt, "nack"),
                };
                let by = if known { device("reporter") } else { device("stranger") };
                let reason = Reason::new("nack", "the device did not acknowledge it");
                let key = format!("{id}-{attempt}");
                (Input::AttemptFailed { by, key, reason, attributes: Vec::new() }, expected.to_owned())
            }
            Step::ReportFor(which, report) => {
                let id = pick(which)?;
                let expected = self.reference.report_for(id.as_str(), &report).to_owned();
                (Input::ReportFor { id, report, attributes: Vec::new() }, expected)
            }
            Step::Note(which) => {
                let id = pick(which)?;
                let expected = self.reference.note(id.as_str()).to_owned();
                (Input::Note { id, note: "1".to_owned() }, expected)
            }
            Step::Label(which, label) => {
                let (id, name) = (pick(which)?, format!("label{label}"));
                let expected = self.reference.label(id.as_str(), &name).to_owned();
                (Input::Label { id, name, value: "1".to_owned() }, expected)
            }
            Step::Remove(which) => {
                let gone = ["lamp", "pump", "lock"][usize::from(which)];
                let expected = self.reference.remove(gone).to_owned();
                (Input::Remove { device: device(gone) }, expected)
            }
            Step::Cancel(which) => {
                let id = pick(which)?;
                let expected = self.reference.cancel(id.as_str()).to_owned();
                (Input::Cancel { id }, expected)
            }
            Step::Wait(ms, ticks) => {
                self.reference.now_ms += ms;
                if !ticks {
                    return None;
                }
                (Input::Tick, self.reference.tick().to_owned())
            }
            Step::TurnBack(ms) => {
                self.reference.now_ms -= ms;
                return None;
            }
            Step::Drain => {
                self.drain();
                return None;
            }
        })
    }

    /// Whether an execution that is not forgotten was dispatched under the key of that attempt.
    fn is_named(&self, id: &ExecutionId, attempt: u32) -> bool {
        self.dispatched.contains(&(id.as_str().to_owned(), attempt)) && self.machine.get(id).is_some()
    }

    fn attempt_of(&self, id: &ExecutionId) -> u32 {
        self.machine.get(id).map_or(1, |record| record.attempt)
    }

    fn plan(&self, id: &ExecutionId, attempt: u32, plan: Plan) -> Planned {
        match plan {
            Plan::Send(_, false) => without_answers(),
            Plan::Send(reply_within, true) => match send("reporter", &format!("{id}-{attempt}")) {
                Planned::Send { frames, correlations, handler_state, digests, .. } => Planned::Send {
                    frames,
                    correlations,
                    answerable: true,
                    handler_state,
                    reply_within_ms: reply_within,
                    digests,
                },
                other => other,
            },
            Plan::Done(outcome) => done(outcome),
            Plan::Answered(outcome) => {
                Planned::Answered { outcome, frames: Vec::new(), handler_state: None, digests: Vec::new() }
            }
            Plan::Unsupported => Planned::Unsupported(Reason::new("no-words", "there are no words")),
        }
    }

    fn step(&mut self, step: Step) {
        let text = format!("{step:?}");
        self.reference.effects.clear();
        let Some((input, expected)) = self.input(step) else { return };
        let mut effects = Vec::new();
        let answer = self.machine.apply(self.reference.now_ms, input, &mut effects);
        assert_eq!(answer_word(&answer), expected, "answer to {text}");
        let effects: Vec<String> = effects.iter().map(effect_words).collect();
        assert_eq!(effects, self.reference.effects, "effects of {text}");
        self.compare(&text);
        check_machine(&self.machine, self.names.iter());
    }

    fn compare(&self, text: &str) {
        for (i, item) in self.reference.items.iter().enumerate() {
            let id = &item.wish.id;
            let Some(record) = self.machine.get(id) else {
                assert!(self.reference.is_forgotten(i), "{id} is missing after {text}");
                continue;
            };
            let doing = match record.phase {
                Phase::Waiting => Doing::Waiting,
                Phase::Planning => Doing::Planning,
                Phase::Resuming(_) => Doing::Resuming,
                Phase::HandingOver => Doing::HandingOver,
                Phase::AwaitingReply => Doing::AwaitingReply,
                Phase::Ended => Doing::Ended,
            };
            let found = (record.state, doing, record.attempt, record.lost, record.version, record.step_deadline_ms);
            let again = (record.failed, &record.closed, record.not_before_ms, record.labels.len());
            assert_eq!(again, (item.failed, &item.closed, item.rest_due_ms, item.labels.len()), "{id} after {text}");
            let settled = (record.answerable, record.delivered_only);
            assert_eq!(settled, (item.answerable, item.settled_for_less), "{id} after {text}");
            let version = item.lines.len() as u64;
            let expected = (item.state, item.doing, item.attempt, item.lost, version, item.step_due_ms);
            assert_eq!(found, expected, "{id} after {text}");
            assert_eq!(record.receipts_missing, item.missing, "receipts of {id} after {text}");
        }
    }

    fn drain(&mut self) {
        for change in self.machine.drain_changes() {
            self.histories.entry(change.execution.id.clone()).or_default().grow(&change);
        }
        self.reference.drain();
        for item in &self.reference.items {
            let lines = self.histories.get(&item.wish.id).map_or(&[][..], |history| &history.lines);
            let found = lines.iter().map(|line| {
                let code = line.reason.as_ref().map(|reason| reason.code.clone());
                (line.event, line.state, if line.event == dragoman_core::Event::Late { None } else { code })
            });
            assert_eq!(found.collect::<Vec<_>>(), item.lines, "history of {}", item.wish.id);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    /// After every input, answer, effects and records are those of the reference; histories are compared at the drains.
    #[test]
    fn agrees_with_the_reference(steps in prop::collection::vec(some_step(), 1..120)) {
        let mut both = Both::new();
        both.step(Step::Presence(0, true));
        both.step(Step::Presence(1, true));
        for step in steps {
            both.step(step);
        }
        both.drain();
    }
}
