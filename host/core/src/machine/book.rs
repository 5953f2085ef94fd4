//! The records of all open executions, with the indexes over them and the changes that are not drained yet.

use super::input::Change;
use super::lanes::Shut;
use super::needed::Needed;
use crate::execution::{Correlation, Event, Execution, Phase, Reason, Transition};
use crate::intent::{Attributes, DeviceId, ExecutionId, Json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What the machine knows of one execution.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) record: Arc<Execution>,
    /// The holder's signs of life, counted, when its last turn began.
    pub(super) signs: u64,
    /// PUBACKs that came before the broker said how many there will be. Not kept over a restart, because no session
    /// outlives one.
    pub(super) early_receipts: u32,
    /// The windows that it keeps shut.
    pub(super) shut: Shut,
    fresh: Vec<Transition>,
    changed: bool,
    due_ms: Option<u64>,
}

/// What a line of the history says, besides what the record itself tells.
#[derive(Default)]
pub(super) struct Line {
    pub(super) reason: Option<Reason>,
    pub(super) detail: Option<Json>,
    pub(super) attributes: Attributes,
}

/// Records and indexes. Every change of a record goes through [`Book::amend`], [`Book::note`] or [`Book::close`], which
/// keep the indexes true.
#[derive(Debug, Default)]
pub(super) struct Book {
    entries: BTreeMap<ExecutionId, Entry>,
    /// At most one deadline per execution, the nearer of step and time to live.
    deadlines: BTreeSet<(u64, ExecutionId)>,
    /// Key and reporter of kept attempts.
    correlations: BTreeMap<(String, DeviceId), (ExecutionId, u32)>,
    /// In the order of the first change since the last drain.
    changed: Vec<ExecutionId>,
    /// Versions of plugins that what is open needs.
    needed: Needed,
    open: usize,
    last_position: u64,
}

impl Book {
    pub(super) fn open(&self) -> usize {
        self.open
    }

    pub(super) fn get(&self, id: &ExecutionId) -> Option<&Entry> {
        self.entries.get(id)
    }

    pub(super) fn records(&self) -> impl Iterator<Item = &Arc<Execution>> {
        self.entries.values().map(|entry| &entry.record)
    }

    pub(super) fn entry_mut(&mut self, id: &ExecutionId) -> Option<&mut Entry> {
        self.entries.get_mut(id)
    }

    /// An execution that has not ended.
    pub(super) fn get_open(&self, id: &ExecutionId) -> Option<&Entry> {
        self.entries.get(id).filter(|entry| !entry.record.state.is_final())
    }

    /// A place in a queue behind every other: this one, or the next that is free. Two executions never have the same.
    pub(super) fn next_position(&mut self, at_least: u64) -> u64 {
        // A clock that tells the end of time must not use up the numbers.
        let at_least = at_least.min(u64::MAX / 2);
        self.last_position = self.last_position.saturating_add(1).max(at_least);
        self.last_position
    }

    /// Adds an open execution.
    pub(super) fn insert(&mut self, execution: Execution) {
        let id = execution.id.clone();
        self.needed.add(&execution);
        for (attempt, correlation) in &execution.correlations {
            self.correlations.insert(index_key(correlation), (id.clone(), *attempt));
        }
        let entry = Entry {
            record: Arc::new(execution),
            signs: 0,
            early_receipts: 0,
            shut: Shut::default(),
            fresh: Vec::new(),
            changed: false,
            due_ms: None,
        };
        self.entries.insert(id.clone(), entry);
        self.open += 1;
        self.watch(&id);
    }

    /// Changes a record without a line in its history.
    pub(super) fn amend(&mut self, id: &ExecutionId, change: impl FnOnce(&mut Execution)) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        change(Arc::make_mut(&mut entry.record));
        if !entry.changed {
            entry.changed = true;
            self.changed.push(id.clone());
        }
        self.watch(id);
    }

    /// Adds a line to the history of an execution, for the state that its record has now.
    pub(super) fn note(&mut self, id: &ExecutionId, now_ms: u64, event: Event, line: Line) {
        let mut transition = None;
        self.amend(id, |record| {
            record.version += 1;
            record.updated_ms = now_ms;
            transition = Some(Transition {
                seq: record.version,
                at_ms: now_ms,
                event,
                state: record.state,
                attempt: record.attempt,
                reason: line.reason,
                detail: line.detail,
                attributes: line.attributes,
            });
        });
        self.append(id, transition);
    }

    /// Adds a line that was made elsewhere, as by [`super::record_late`].
    pub(super) fn append(&mut self, id: &ExecutionId, transition: Option<Transition>) {
        if let Some(entry) = self.entries.get_mut(id) {
            entry.fresh.extend(transition);
        }
    }

    /// An execution whose record has just become final: nothing waits for it any more.
    pub(super) fn close(&mut self, id: &ExecutionId) {
        self.open -= 1;
        if let Some(entry) = self.entries.get(id) {
            self.needed.remove(&entry.record);
        }
        self.watch(id);
    }

    /// Changes which versions of plugins an open execution was planned by or needs.
    pub(super) fn amend_versions(&mut self, id: &ExecutionId, change: impl FnOnce(&mut Execution)) {
        if let Some(entry) = self.entries.get(id) {
            self.needed.remove(&entry.record);
        }
        self.amend(id, change);
        if let Some(entry) = self.entries.get(id) {
            self.needed.add(&entry.record);
        }
    }

    pub(super) fn needed(&self) -> &Needed {
        &self.needed
    }

    /// Remembers the keys of a new attempt; beyond the bound the oldest are forgotten.
    pub(super) fn correlate(&mut self, id: &ExecutionId, attempt: u32, correlations: Vec<Correlation>) {
        let mut forgotten = Vec::new();
        self.amend(id, |record| {
            record.correlations.extend(correlations.into_iter().map(|correlation| (attempt, correlation)));
            let excess = record.correlations.len().saturating_sub(Execution::CORRELATIONS_MAX);
            forgotten.extend(record.correlations.drain(..excess));
            let kept = &record.correlations;
            record.closed.retain(|closed| kept.iter().any(|(attempt, _)| attempt == closed));
        });
        for (_, correlation) in &forgotten {
            self.forget(id, correlation);
        }
        let Some(entry) = self.entries.get(id) else { return };
        for (of, correlation) in entry.record.correlations.iter().filter(|(of, _)| *of == attempt) {
            self.correlations.insert(index_key(correlation), (id.clone(), *of));
        }
    }

    /// The execution and attempt with this key that this device may report on.
    pub(super) fn find(&self, key: &str, reporter: &DeviceId) -> Option<(ExecutionId, u32)> {
        self.correlations.get(&(key.to_owned(), reporter.clone())).cloned()
    }

    /// The execution with this key, whoever may report on it.
    pub(super) fn find_any(&self, key: &str) -> Option<&ExecutionId> {
        let first = (key.to_owned(), DeviceId::new(""));
        self.correlations.range(first..).next().filter(|((found, _), _)| found == key).map(|(_, (id, _))| id)
    }

    pub(super) fn next_deadline_ms(&self) -> Option<u64> {
        self.deadlines.first().map(|(due_ms, _)| *due_ms)
    }

    /// The execution whose deadline is the oldest of those that have passed.
    pub(super) fn first_due(&self, now_ms: u64) -> Option<ExecutionId> {
        self.deadlines.first().filter(|(due_ms, _)| *due_ms <= now_ms).map(|(_, id)| id.clone())
    }

    /// Everything that changed, once each; what has ended is forgotten.
    pub(super) fn drain(&mut self) -> Vec<Change> {
        let changed = std::mem::take(&mut self.changed);
        changed.iter().filter_map(|id| self.drain_one(id)).collect()
    }

    fn drain_one(&mut self, id: &ExecutionId) -> Option<Change> {
        let entry = self.entries.get_mut(id)?;
        entry.changed = false;
        let transitions = std::mem::take(&mut entry.fresh);
        let execution = Arc::clone(&entry.record);
        if execution.state.is_final() {
            self.entries.remove(id);
            for (_, correlation) in &execution.correlations {
                self.forget(id, correlation);
            }
        }
        Some(Change { execution, transitions })
    }

    /// A key may have been used again by a newer attempt, which keeps it.
    fn forget(&mut self, id: &ExecutionId, correlation: &Correlation) {
        let key = index_key(correlation);
        let kept =
            self.entries.get(id).is_some_and(|entry| entry.record.correlations.iter().any(|(_, c)| c == correlation));
        if !kept && self.correlations.get(&key).is_some_and(|(owner, _)| owner == id) {
            self.correlations.remove(&key);
        }
    }

    /// Puts the nearest deadline of an execution into the index.
    fn watch(&mut self, id: &ExecutionId) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        let due_ms = nearest_deadline(&entry.record);
        if due_ms == entry.due_ms {
            return;
        }
        if let Some(old_ms) = entry.due_ms {
            self.deadlines.remove(&(old_ms, id.clone()));
        }
        if let Some(new_ms) = due_ms {
            self.deadlines.insert((new_ms, id.clone()));
        }
        entry.due_ms = due_ms;
    }
}

fn nearest_deadline(record: &Execution) -> Option<u64> {
    match record.phase {
        Phase::Ended => None,
        Phase::HandingOver | Phase::AwaitingReply => {
            Some(record.step_deadline_ms.map_or(record.deadline_ms, |step_ms| step_ms.min(record.deadline_ms)))
        }
        Phase::Waiting => {
            Some(record.not_before_ms.map_or(record.deadline_ms, |rest_ms| rest_ms.min(record.deadline_ms)))
        }
        Phase::Planning | Phase::Resuming(_) => Some(record.deadline_ms),
    }
}

fn index_key(correlation: &Correlation) -> (String, DeviceId) {
    (correlation.key.clone(), correlation.reporter.clone())
}
