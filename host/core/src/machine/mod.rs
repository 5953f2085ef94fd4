//! Every open execution, the queues of every device, and what each input does to them.
//!
//! One input changes one execution and the turns of one device (or of the devices behind one holder). The work of an
//! input grows with the logarithm of what is open, never with what is open:
//!
//! - `input`: the words that go in and come out
//! - `submit`: accept or refuse
//! - `dispatch`: plans, hand-over and receipts
//! - `report`: what devices say; `failed`: attempts that came to nothing by their word
//! - `remark`: notes and labels
//! - `versions`, `needed`: which versions of plugins planned an execution, and which of them it needs
//! - `deadline`: time, and taking back
//! - `recover`: going on after a restart
//! - `step`: what can happen to one execution, whichever of these brought it about
//! - `standing`: what is asked of a record while it changes
//! - `lanes`: whose turn it is; `book`: the records and their indexes

mod book;
mod deadline;
mod dispatch;
mod failed;
mod input;
mod lanes;
mod needed;
pub mod reasons;
mod recover;
mod remark;
mod report;
mod standing;
mod step;
mod submit;
mod versions;

pub use input::{
    ACKED_CAUSE, Answer, Change, Effect, HandOver, Input, Limits, Planned, Prior, Refusal, Report, Submission,
};
pub use remark::{record_note, set_label};
pub use report::{record_late, record_late_failure};

use crate::execution::{Correlation, Execution, Phase};
use crate::intent::{DeviceId, ExecutionId};
use book::Book;
use lanes::Lanes;
use std::sync::Arc;

/// Every open execution. One instance is the single writer of execution state.
#[derive(Debug)]
pub struct Machine {
    limits: Limits,
    book: Book,
    lanes: Lanes,
    restored: Vec<Execution>,
}

impl Machine {
    /// Deadlines that one input applies at most: an [`Input::Tick`], and any other that gives a device its turn where
    /// what waits is past its time. What is still due then stays due: as long as [`Machine::next_deadline_ms`] tells a
    /// time that has passed, the shell ticks again.
    pub const TICK_MAX: usize = 1_000;

    /// Attempts of one execution, the steps of its handler and their repetitions counted, but not those that no broker
    /// took. A plan for one more is not taken: the execution ends failed with [`reasons::LIMIT`]. A handler that finishes
    /// then, finishes.
    pub const ATTEMPTS_MAX: u32 = 1_000;

    /// Attempts of one step that no broker took, because the device was gone again or did not listen. They are many
    /// where a device comes and goes for days; each leaves lines in the history.
    pub const UNTAKEN_MAX: u32 = 10_000;

    /// A machine with nothing open and nobody online.
    pub fn new(limits: Limits) -> Self {
        Self { limits, book: Book::default(), lanes: Lanes::default(), restored: Vec::new() }
    }

    /// Applies one input. Never fails: what does not fit is told in the answer and changes nothing.
    ///
    /// Effects are pushed in the order in which they are to begin. `now_ms` is wall-clock time in milliseconds since
    /// 1970; it may jump, in either direction.
    pub fn apply(&mut self, now_ms: u64, input: Input, effects: &mut Vec<Effect>) -> Answer {
        match input {
            Input::Submit(submission) => self.submit(now_ms, *submission, effects),
            Input::Presence { holder, online: true } => {
                let devices = self.lanes.came_online(&holder);
                self.serve_each(now_ms, devices, effects)
            }
            Input::Presence { holder, online: false } => self.went_offline(now_ms, &holder, effects),
            Input::SignOfLife { holder } => {
                let devices = self.lanes.gave_sign(&holder);
                self.serve_each(now_ms, devices, effects)
            }
            Input::Planned { id, attempt, plan } => self.planned(now_ms, &id, attempt, plan, effects),
            Input::HandedOver { id, attempt, result } => self.handed_over(now_ms, &id, attempt, &result, effects),
            Input::Puback { id, attempt } => self.puback(now_ms, &id, attempt, effects),
            Input::Lost { id, attempt, why } => self.lost(now_ms, &id, attempt, &why, effects),
            Input::Report { by, key, report, attributes } => {
                self.report(now_ms, &by, &key, report, attributes, effects)
            }
            Input::ReportFor { id, report, attributes } => self.report_for(now_ms, &id, report, attributes, effects),
            Input::AttemptFailed { by, key, reason, attributes } => {
                self.attempt_failed(now_ms, &by, &key, reason, attributes, effects)
            }
            Input::Note { id, note } => self.note_remark(now_ms, &id, note),
            Input::Label { id, name, value } => self.label(&id, name, value),
            Input::Release { id, plugin, digest, reason } => self.release(now_ms, &id, plugin, digest, reason),
            Input::Remove { device } => self.remove(now_ms, &device, effects),
            Input::Cancel { id } => self.cancel(now_ms, &id, effects),
            Input::Tick => self.tick(now_ms, effects),
        }
    }

    /// What changed since the last call, each execution once, in the order of their first change. A change has no
    /// transitions where only what the execution waits for is another. Ended executions are forgotten with it.
    pub fn drain_changes(&mut self) -> Vec<Change> {
        self.book.drain()
    }

    /// An open execution (or one that ended since the last [`Machine::drain_changes`]).
    pub fn get(&self, id: &ExecutionId) -> Option<&Arc<Execution>> {
        self.book.get(id).map(|entry| &entry.record)
    }

    /// The open execution that was dispatched under this key (or one that ended since the last
    /// [`Machine::drain_changes`]), whoever may report on it. Where devices use the same key, the one that names this
    /// reporter goes first.
    pub fn by_correlation(&self, correlation: &Correlation) -> Option<&Arc<Execution>> {
        match self.book.find(&correlation.key, &correlation.reporter) {
            Some((id, _)) => self.get(&id),
            None => self.get(self.book.find_any(&correlation.key)?),
        }
    }

    /// What is open for a device, of whatever origin, oldest first.
    pub fn open_of(&self, device: &DeviceId) -> Vec<&Arc<Execution>> {
        let mut open: Vec<_> = self.lanes.open_of(device).iter().filter_map(|id| self.get(id)).collect();
        open.sort_by_key(|record| (record.created_ms, &record.id));
        open
    }

    /// The device and the holder of everything that is open.
    pub fn open_devices(&self) -> impl Iterator<Item = (&DeviceId, &DeviceId)> {
        self.book.records().map(|record| (&record.device, &record.holder))
    }

    /// Every open execution, in order of the ids.
    pub fn open_executions(&self) -> impl Iterator<Item = &Arc<Execution>> {
        self.book.records().filter(|record| !record.state.is_final())
    }

    /// Every version of a plugin that something open needs: name, digest, and how many need it.
    pub fn needed(&self) -> impl Iterator<Item = (&str, &str, usize)> {
        self.book.needed().all()
    }

    /// How many open executions need that version of a plugin; those that were restored count before they go on.
    pub fn needing(&self, plugin: &str, digest: &str) -> usize {
        let needs = |record: &&Execution| record.needs().any(|needed| needed == (plugin, digest));
        self.book.needed().of(plugin, digest) + self.restored.iter().filter(needs).count()
    }

    /// Whether an attempt's messages may leave now: it is the newest attempt of an execution within its time, and the
    /// broker's answer on it is still awaited.
    pub fn may_hand_over(&self, id: &ExecutionId, attempt: u32, now_ms: u64) -> bool {
        self.get(id).is_some_and(|record| {
            record.phase == Phase::HandingOver && record.attempt == attempt && now_ms < record.deadline_ms
        })
    }

    /// When the next [`Input::Tick`] has something to do, in milliseconds since 1970. In the past where the last one
    /// left something, see [`Machine::TICK_MAX`].
    pub fn next_deadline_ms(&self) -> Option<u64> {
        self.book.next_deadline_ms()
    }

    /// How many executions are open.
    pub fn open(&self) -> usize {
        self.book.open()
    }
}
