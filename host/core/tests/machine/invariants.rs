//! What must hold at every moment, whatever happened.

use dragoman_core::{Change, Event, Execution, ExecutionId, Machine, Phase, Stage, State, Transition};
use std::collections::{BTreeMap, BTreeSet};

/// Holds of the records that are in a machine.
pub(crate) fn check_machine<'a>(machine: &Machine, known: impl Iterator<Item = &'a ExecutionId>) {
    let records: Vec<_> = known.filter_map(|id| machine.get(id)).filter(|record| !record.state.is_final()).collect();
    assert_eq!(machine.open(), records.len(), "the count of open executions");
    let nearest = records.iter().map(|record| due_ms(record)).min();
    assert_eq!(machine.next_deadline_ms(), nearest, "the next deadline");
    let mut needed = BTreeMap::new();
    for (name, digest) in records.iter().flat_map(|record| record.needs()) {
        *needed.entry((name, digest)).or_insert(0) += 1;
    }
    let counted: BTreeMap<_, usize> = machine.needed().map(|(name, digest, count)| ((name, digest), count)).collect();
    assert_eq!(counted, needed, "the count of needed versions");
    let mut lanes = BTreeMap::<_, Vec<&Execution>>::new();
    let mut devices = BTreeMap::<_, Vec<&Execution>>::new();
    for record in records {
        check_record(record);
        lanes.entry((&record.device, &record.origin, &record.options.queue)).or_default().push(record);
        devices.entry(&record.device).or_default().push(record);
    }
    for (lane, records) in lanes {
        let shutting = records.iter().filter(|record| shuts(record, record.options.window)).count();
        assert!(shutting <= 1, "the window of {lane:?} is exceeded");
        let limit = records.iter().map(|record| record.options.queue_limit as usize).max().unwrap_or(0);
        let waiting = records.iter().filter(|record| record.phase == Phase::Waiting && record.attempt == 0).count();
        assert!(waiting <= limit, "{waiting} wait in {lane:?}, {limit} may");
    }
    for (device, records) in devices {
        let out = records.iter().filter(|record| record.phase != Phase::Waiting);
        let shutting = records.iter().filter(|record| shuts(record, record.options.device_window)).count();
        assert!(shutting <= 1, "the window of the device {device} is exceeded");
        let positions: BTreeSet<u64> = records.iter().map(|record| record.queue_position).collect();
        assert_eq!(positions.len(), records.len(), "two executions of {device} have the same place");
        let handled = out.clone().filter(|record| record.handler.is_some()).count();
        assert!(handled == 0 || out.count() == 1, "the handler of {device} runs beside another execution");
    }
}

fn check_record(record: &Execution) {
    let id = &record.id;
    assert!(record.phase != Phase::Ended && record.outcome.is_none() && record.ended_ms.is_none(), "{id} is open");
    assert!(record.correlations.len() <= Execution::CORRELATIONS_MAX, "{id} keeps too many keys");
    assert!(record.step_attempt <= record.attempt, "{id} is at a step to come");
    assert!(record.lost + record.failed < record.options.attempts, "{id} came to nothing too often");
    assert!(record.not_before_ms.is_none() || record.phase == Phase::Waiting, "{id} rests and does not wait");
    assert!(record.labels.len() <= Execution::LABELS_MAX, "{id} has too many labels");
    for closed in &record.closed {
        let kept = record.correlations.iter().any(|(attempt, _)| attempt == closed);
        assert!(kept && record.closed.iter().filter(|other| *other == closed).count() == 1, "{id} closed {closed}");
    }
    // One more where an answer came while a repetition was being planned.
    assert!(record.attempt <= Machine::ATTEMPTS_MAX + Machine::UNTAKEN_MAX + 1, "{id} was planned too often");
    let out = matches!(record.phase, Phase::HandingOver | Phase::AwaitingReply);
    assert!(out || record.step_deadline_ms.is_none(), "{id} waits for a step that is not out");
    assert!(record.phase != Phase::HandingOver || !record.told.sent, "{id} is with a broker and on its way to it");
}

fn due_ms(record: &Execution) -> u64 {
    let sooner_ms = record.step_deadline_ms.or(record.not_before_ms);
    sooner_ms.unwrap_or(u64::MAX).min(record.deadline_ms)
}

/// Whether it is out and has not got as far as this window asks.
fn shuts(record: &Execution, window: Stage) -> bool {
    let reached = match record.told {
        _ if record.phase == Phase::Planning => Stage::Accepted,
        told if told.acked => Stage::Acked,
        told if told.sent => Stage::Sent,
        _ => Stage::Accepted,
    };
    record.phase != Phase::Waiting && window > reached
}

/// The history of one execution, line by line.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    pub(crate) lines: Vec<Transition>,
    pub(crate) ended: Option<State>,
}

impl History {
    /// Takes what a drain tells and checks that it goes on from what was known.
    pub(crate) fn grow(&mut self, change: &Change) {
        for line in &change.transitions {
            self.grow_by(line);
        }
        let last = self.lines.last().expect("a change belongs to something that was accepted");
        let record = &change.execution;
        assert_eq!(record.version, last.seq, "{}: version and newest line", record.id);
        assert_eq!(record.state.is_final(), self.ended.is_some(), "{}: state and history", record.id);
        assert_eq!(record.phase == Phase::Ended, record.state.is_final(), "{}: phase and state", record.id);
        assert!(self.ended.is_none_or(|state| state == record.state), "{}: another end", record.id);
    }

    fn grow_by(&mut self, line: &Transition) {
        assert_eq!(line.seq, self.lines.len() as u64 + 1, "a gap in the history: {line:?}");
        assert_eq!(line.event == Event::Queued, line.seq == 1, "accepted once, at first: {line:?}");
        let late = line.event == Event::Late;
        assert!(self.ended.is_none() || late || line.event == Event::Note, "only remarks follow the end: {line:?}");
        let dispatched = self.lines.iter().any(|line| line.event == Event::Planned);
        assert!(self.ended.is_some() || dispatched || !late, "late before anything was out: {line:?}");
        let once = [
            Event::Sent,
            Event::Acked,
            Event::Planned,
            Event::Replied,
            Event::Silence,
            Event::AttemptFailed,
            Event::Requeued,
        ];
        if once.contains(&line.event) {
            let same = |other: &&Transition| (other.event, other.attempt) == (line.event, line.attempt);
            assert!(self.lines.iter().find(same).is_none(), "twice in one attempt: {line:?}");
        }
        let newest = self.lines.iter().map(|line| line.attempt).max().unwrap_or(0);
        assert!(newest <= line.attempt || late, "attempts grow: {line:?}");
        assert_eq!(line.event == Event::Ended, line.state.is_final() && self.ended.is_none(), "an end: {line:?}");
        if line.event == Event::Ended {
            self.ended = Some(line.state);
        }
        assert!(self.ended.is_none_or(|state| state == line.state), "a final state changed: {line:?}");
        self.lines.push(line.clone());
    }
}
