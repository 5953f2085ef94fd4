//! The least that a shell around the machine must do, with a process that can stop between any two of its steps.
//!
//! Only what was drained and committed survives a crash: records, histories and the outbox.

use crate::common::roomy;
use crate::invariants::{History, check_machine};
use crate::world::{HOLDERS, Row, World};
use dragoman_core::machine::reasons;
use dragoman_core::{
    Answer, Change, DeviceId, Effect, Execution, ExecutionId, Input, Machine, Phase, Planned, State, Submission,
    record_late, record_late_failure, record_note,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What survives.
#[derive(Default)]
pub(crate) struct Disk {
    pub(crate) records: BTreeMap<ExecutionId, Execution>,
    pub(crate) histories: BTreeMap<ExecutionId, History>,
    pub(crate) outbox: BTreeMap<(ExecutionId, u32), Row>,
}

pub(crate) struct Shell {
    pub(crate) world: World,
    pub(crate) machine: Machine,
    pub(crate) disk: Disk,
    pub(crate) names: Vec<ExecutionId>,
    /// Of this turn, for the commit.
    rows: Vec<((ExecutionId, u32), Option<Row>)>,
    /// Keys of attempts that failed, by the word of a dialect.
    failed: BTreeSet<String>,
    /// Handed over by this process.
    handed: BTreeSet<(ExecutionId, u32)>,
    pub(crate) crashes: u32,
    /// Whether the wall clock ever went back.
    pub(crate) turned_back: bool,
}

impl Shell {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            world: World::new(seed),
            machine: Machine::new(roomy()),
            disk: Disk::default(),
            names: Vec::new(),
            rows: Vec::new(),
            failed: BTreeSet::new(),
            handed: BTreeSet::new(),
            crashes: 0,
            turned_back: false,
        }
    }

    /// Inputs, commit, release; a crash may come at each seam.
    pub(crate) fn turn(&mut self, inputs: Vec<Input>) {
        for input in inputs {
            self.apply(&input);
        }
        if self.world.mishap(2) {
            return self.crash();
        }
        self.commit();
        if self.world.mishap(2) {
            return self.crash();
        }
        self.release();
    }

    pub(crate) fn submit(&mut self, submission: Submission) -> Answer {
        self.names.push(submission.id.clone());
        self.apply(&Input::Submit(Box::new(submission)))
    }

    fn apply(&mut self, input: &Input) -> Answer {
        let mut effects = Vec::new();
        let now_ms = self.world.now_ms();
        let answer = self.machine.apply(now_ms, input.clone(), &mut effects);
        check_machine(&self.machine, self.names.iter());
        if answer == Answer::Taken {
            self.keep_rows(input);
        } else if answer == Answer::Stale {
            self.record_after_end(now_ms, input);
        }
        if let Input::Report { by, key, .. } | Input::AttemptFailed { by, key, .. } = input {
            let may_speak = by.as_str() != "stranger" && !self.failed.contains(key);
            assert!(may_speak || answer != Answer::Taken, "a stranger's word was taken, or one on a failed attempt");
            if matches!(input, Input::AttemptFailed { .. }) && answer != Answer::Denied {
                self.failed.insert(key.clone());
            }
        }
        for effect in &effects {
            self.begin(effect);
        }
        answer
    }

    /// The outbox is part of the commit that the plan and the broker's answer are part of.
    fn keep_rows(&mut self, input: &Input) {
        match input {
            Input::Planned { id, attempt, plan: Planned::Send { .. } } => {
                let messages = 1 + u32::from(self.world.rng.percent(20));
                let row = Row { messages, with_receipts: self.world.rng.percent(80) };
                self.rows.push(((id.clone(), *attempt), Some(row)));
            }
            Input::HandedOver { id, attempt, .. } => self.rows.push(((id.clone(), *attempt), None)),
            _ => {}
        }
    }

    /// What the machine has forgotten, the shell records.
    fn record_after_end(&mut self, now_ms: u64, input: &Input) {
        let of_key = |record: &Execution, by: &DeviceId, key: &str| {
            record.correlations.iter().any(|(_, known)| known.reporter == *by && known.key == key)
        };
        let is_meant = |record: &&mut Execution| match input {
            Input::Report { by, key, .. } | Input::AttemptFailed { by, key, .. } => of_key(record, by, key),
            Input::ReportFor { id, .. } | Input::Note { id, .. } => record.id == *id,
            _ => false,
        };
        let mut ended = self.disk.records.values_mut().filter(|record| record.state.is_final());
        let Some(record) = ended.find(is_meant) else { return };
        let line = match input.clone() {
            Input::Report { report, attributes, .. } | Input::ReportFor { report, attributes, .. } => {
                record_late(record, now_ms, &report, attributes)
            }
            Input::AttemptFailed { reason, attributes, .. } => record_late_failure(record, now_ms, reason, attributes),
            Input::Note { note, .. } => record_note(record, now_ms, note),
            _ => return,
        };
        let change = Change { execution: Arc::new(record.clone()), transitions: vec![line] };
        self.disk.histories.get_mut(&record.id).expect("it has a history").grow(&change);
    }

    /// Plugin calls begin at once; the outbox is looked at after the commit.
    fn begin(&mut self, effect: &Effect) {
        match effect {
            Effect::Plan { id, attempt } | Effect::Resume { id, attempt, .. } => {
                let record = Arc::clone(self.machine.get(id).expect("what is to be planned is open"));
                assert_eq!(*attempt, record.attempt + 1, "{id}: the attempt to be planned");
                assert!(self.world.now_ms() < record.deadline_ms, "{id} is planned after its time");
                if *attempt == 1 {
                    self.check_order(&record);
                }
                self.world.plan(&record, effect);
            }
            Effect::Withdraw { id, attempt } => self.rows.push(((id.clone(), *attempt), None)),
        }
    }

    /// Nothing of the same lane that was submitted earlier still waits for its first attempt.
    fn check_order(&self, record: &Execution) {
        let lane =
            |record: &Execution| (record.device.clone(), Arc::clone(&record.origin), Arc::clone(&record.options.queue));
        let number = self.names.iter().position(|id| *id == record.id).expect("it was submitted");
        for earlier in self.names[..number].iter().filter_map(|id| self.machine.get(id)) {
            let waits = earlier.phase == Phase::Waiting && earlier.attempt == 0 && lane(earlier) == lane(record);
            assert!(!waits, "{} overtook {}", record.id, earlier.id);
        }
    }

    fn commit(&mut self) {
        for change in self.machine.drain_changes() {
            let id = change.execution.id.clone();
            self.disk.histories.entry(id.clone()).or_default().grow(&change);
            if change.execution.state.is_final() {
                self.check_end(&change.execution);
            }
            self.disk.records.insert(id, Execution::clone(&change.execution));
        }
        for (key, row) in std::mem::take(&mut self.rows) {
            match row {
                Some(row) => self.disk.outbox.insert(key, row),
                None => self.disk.outbox.remove(&key),
            };
        }
    }

    /// An end tells nothing that did not happen.
    fn check_end(&self, record: &Execution) {
        let id = &record.id;
        if let Some(outcome) = &record.outcome {
            let given = self.world.given.get(id).map_or(&[][..], Vec::as_slice);
            assert!(given.contains(outcome), "{id}: nobody gave the outcome {outcome:?}");
        }
        let code = record.reason.as_ref().map(|reason| reason.code.as_str());
        if record.state == State::Succeeded && record.outcome.is_none() {
            assert!(record.told.sent || record.told.acked, "{id}: a success that nobody told");
        }
        if code == Some(reasons::EXPIRED_IN_QUEUE) && self.crashes == 0 {
            assert!(!self.world.has_acted_on(id), "{id}: did not expire in the queue, the device has it");
        }
        assert_eq!(
            record.state == State::TimedOut,
            code.is_some_and(|code| { [reasons::EXPIRED_IN_QUEUE, reasons::NO_RESPONSE].contains(&code) })
        );
    }

    /// What is in the outbox leaves, if it still may.
    fn release(&mut self) {
        let rows: Vec<_> = self.disk.outbox.iter().map(|(key, row)| (key.clone(), *row)).collect();
        for ((id, attempt), row) in rows {
            if self.handed.contains(&(id.clone(), attempt)) {
                continue;
            }
            if !self.machine.may_hand_over(&id, attempt, self.world.now_ms()) {
                self.disk.outbox.remove(&(id, attempt));
                continue;
            }
            let record = &self.disk.records[&id];
            assert!(!record.state.is_final() && record.attempt == attempt, "{id} {attempt} is not committed");
            assert!(self.world.now_ms() < record.deadline_ms, "{id} leaves after its time");
            self.world.hand_over(record, attempt, row);
            self.handed.insert((id, attempt));
            if self.world.mishap(1) {
                return self.crash();
            }
        }
    }

    /// The process stops; a new one goes on with what is on disk.
    pub(crate) fn crash(&mut self) {
        self.crashes += 1;
        self.world.crash();
        self.rows.clear();
        self.handed.clear();
        // What was not committed was not said.
        let records = &self.disk.records;
        let is_closed = |record: &Execution, key: &str| {
            record.correlations.iter().any(|(attempt, of)| of.key == key && record.closed.contains(attempt))
        };
        self.failed.retain(|key| records.values().any(|record| is_closed(record, key)));
        self.machine = Machine::new(roomy());
        for record in self.disk.records.values().filter(|record| !record.state.is_final()) {
            self.machine.restore(record.clone());
        }
        let mut effects = Vec::new();
        self.machine.recovered(self.world.now_ms(), &mut effects);
        check_machine(&self.machine, self.names.iter());
        for effect in &effects {
            self.begin(effect);
        }
        // Some shells send their outbox again, others have a broker that lost everything with the process.
        if self.world.rng.percent(50) {
            self.disk.outbox.clear();
        }
        let orphans = self.disk.records.values().filter(|record| {
            record.phase == Phase::HandingOver && !self.disk.outbox.contains_key(&(record.id.clone(), record.attempt))
        });
        let orphans: Vec<_> = orphans.map(|record| (record.id.clone(), record.attempt)).collect();
        for (id, attempt) in orphans {
            let why = "the process stopped".to_owned();
            self.apply(&Input::Lost { id, attempt, why });
        }
        for record in self.names.iter().filter_map(|id| self.machine.get(id)) {
            let comes = self.disk.outbox.contains_key(&(record.id.clone(), record.attempt));
            assert!(comes || record.phase != Phase::HandingOver, "{} waits for a broker for ever", record.id);
        }
    }

    /// Everything connects, subscribes, and nothing goes wrong any more.
    pub(crate) fn calm(&mut self) {
        self.world.faults = false;
        for holder in HOLDERS {
            let online = self.world.connect(holder, true);
            let sign = Input::SignOfLife { holder: crate::common::device(holder) };
            self.turn(vec![online, sign]);
        }
    }

    /// Lets whatever is going on come to its end.
    pub(crate) fn run_out(&mut self) {
        for _ in 0..100_000 {
            let due_ms = self.machine.next_deadline_ms().map(|due_ms| due_ms.saturating_sub(self.world.offset_ms));
            match (self.world.next_at_ms(), due_ms) {
                (None, None) => return,
                (Some(at_ms), due_ms) if due_ms.is_none_or(|due_ms| at_ms < due_ms) => {
                    let input = self.world.take_next().into_iter().collect();
                    self.turn(input);
                }
                (_, due_ms) => {
                    self.world.time_ms = self.world.time_ms.max(due_ms.unwrap_or(0));
                    self.turn(vec![Input::Tick]);
                }
            }
        }
        panic!("it does not come to an end");
    }
}
