//! The requests for one target: what waits, what is under way, what was given up. Pure: it knows neither clock nor network.

use super::backoff::wait_as_told_ms;
use super::verdict::{Outcome, Verdict, judge};
use crate::config::TargetConfig;
use dragoman_store::{RequestRow, Write};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a row takes beside its texts, about.
const ROW_BYTES: usize = 256;

/// One target and its requests, by number.
pub(super) struct Lane {
    config: TargetConfig,
    /// Asked for by a turn that is not committed yet.
    reserved: BTreeMap<u64, Arc<RequestRow>>,
    ready: BTreeMap<u64, Arc<RequestRow>>,
    /// Tried before; by the time of the next try.
    later: BTreeMap<(Instant, u64), Arc<RequestRow>>,
    in_flight: BTreeMap<u64, Arc<RequestRow>>,
    given_up: BTreeMap<u64, Arc<RequestRow>>,
    waiting_bytes: usize,
    given_up_bytes: usize,
    reach: Reach,
    last: Option<LastAnswer>,
    /// Whether the log was told that it is full.
    told_full: bool,
}

/// Whether the target can be reached.
#[derive(Default)]
struct Reach {
    /// Failures in a row that concern everything.
    failures: u32,
    failed_at: Option<Instant>,
    /// Nothing is sent before this.
    waits_until: Option<Instant>,
}

#[derive(Clone)]
struct LastAnswer {
    at_ms: Option<u64>,
    text: String,
}

/// Why a lane takes no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// Too many wait; the bound.
    Rows(usize),
    /// What waits is too large; the bound in bytes.
    Bytes(usize),
}

/// One try and what came of it.
pub(super) struct Tried {
    pub(super) seq: u64,
    pub(super) outcome: Outcome,
    pub(super) began: Instant,
    pub(super) ended: Instant,
    /// The same moment, in milliseconds since 1970.
    pub(super) ended_ms: u64,
    /// For the length of the next wait, 0 to 1 000.
    pub(super) chance: u32,
}

/// What becomes of a request after a try.
#[derive(Debug)]
pub(super) enum Fate {
    Done,
    Again {
        row: Arc<RequestRow>,
        due: Instant,
    },
    /// With the numbers of those that make room for it.
    GivenUp {
        row: Arc<RequestRow>,
        dropped: Vec<u64>,
    },
}

/// A target as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TargetState {
    /// Its name.
    pub(crate) name: String,
    /// Its address; none: requests wait for it, but the configuration does not list it any more.
    pub(crate) url: Option<String>,
    /// Requests that wait, without those under way.
    pub(crate) waiting: usize,
    /// Requests under way.
    pub(crate) in_flight: usize,
    /// Requests that were given up and kept.
    pub(crate) given_up: usize,
    /// For how long nothing is sent because it could not be reached, in milliseconds.
    pub(crate) held_ms: Option<u64>,
    /// What came of the last try.
    pub(crate) last_answer: Option<String>,
    /// When that was, in milliseconds since 1970; none where it is not known since a restart.
    pub(crate) last_answer_ms: Option<u64>,
}

/// A request that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GivenUp {
    /// Its number.
    pub(crate) seq: u64,
    /// The dialect that asked for it.
    pub(crate) dialect: Arc<str>,
    /// Its method.
    pub(crate) method: String,
    /// Its path and query, as the dialect wrote them.
    pub(crate) path: String,
    /// How often it was tried.
    pub(crate) tries: u32,
    /// When it was asked for, in milliseconds since 1970.
    pub(crate) created_ms: u64,
    /// When it was given up, in milliseconds since 1970.
    pub(crate) given_up_ms: u64,
    /// What came of the last try.
    pub(crate) last_answer: Option<String>,
}

impl Lane {
    pub(super) fn new(config: TargetConfig) -> Self {
        Self {
            config,
            reserved: BTreeMap::new(),
            ready: BTreeMap::new(),
            later: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            given_up: BTreeMap::new(),
            waiting_bytes: 0,
            given_up_bytes: 0,
            reach: Reach::default(),
            last: None,
            told_full: false,
        }
    }

    /// Takes over what the last run left, whatever the bounds are now.
    pub(super) fn restore(&mut self, row: RequestRow, now: Instant, now_ms: u64) {
        if let Some(text) = &row.last_answer {
            self.last = Some(LastAnswer { at_ms: row.given_up_ms, text: text.clone() });
        }
        let row = Arc::new(row);
        if row.given_up_ms.is_some() {
            self.given_up_bytes += size(&row);
            self.given_up.insert(row.seq, row);
            return;
        }
        self.waiting_bytes += size(&row);
        // A clock that was set back must not keep it for ever.
        let wait_ms = row.next_ms.saturating_sub(now_ms).min(self.config.backoff_max_ms);
        if wait_ms == 0 {
            self.ready.insert(row.seq, row);
        } else {
            self.later.insert((now + Duration::from_millis(wait_ms), row.seq), row);
        }
    }

    /// Whether there is a place for a request now.
    pub(super) fn has_room_for(&self, row: &RequestRow) -> Result<(), Full> {
        if self.waiting() + self.in_flight.len() >= self.config.waiting_max {
            return Err(Full::Rows(self.config.waiting_max));
        }
        if self.waiting_bytes.saturating_add(size(row)) > self.config.waiting_max_bytes {
            return Err(Full::Bytes(self.config.waiting_max_bytes));
        }
        Ok(())
    }

    /// Keeps a place for a request whose turn is not committed yet.
    pub(super) fn reserve(&mut self, row: &Arc<RequestRow>) -> Result<(), Full> {
        self.has_room_for(row)?;
        self.waiting_bytes += size(row);
        self.reserved.insert(row.seq, Arc::clone(row));
        Ok(())
    }

    /// Its turn is committed, so it may be sent. Tells whether it had a place.
    pub(super) fn release(&mut self, seq: u64) -> bool {
        self.reserved.remove(&seq).map(|row| self.ready.insert(seq, row)).is_some()
    }

    /// Its turn came to nothing.
    pub(super) fn forget(&mut self, seq: u64) -> bool {
        let forgotten = self.reserved.remove(&seq);
        forgotten.map(|row| self.waiting_bytes = self.waiting_bytes.saturating_sub(size(&row))).is_some()
    }

    /// The request to send next, which is under way from now on.
    pub(super) fn take(&mut self, now: Instant) -> Option<Arc<RequestRow>> {
        if self.in_flight.len() >= self.config.in_flight_max || self.reach.waits_until.is_some_and(|until| until > now)
        {
            return None;
        }
        while let Some(first) = self.later.first_entry().filter(|first| first.key().0 <= now) {
            let row = first.remove();
            self.ready.insert(row.seq, row);
        }
        if self.held_up().is_some() {
            return None;
        }
        let (seq, row) = self.ready.pop_first()?;
        self.in_flight.insert(seq, Arc::clone(&row));
        Some(row)
    }

    /// When the request is due that those behind it must not overtake, where it waits for its next try and they are ready:
    /// a target that takes one at a time gets them strictly in order.
    fn held_up(&self) -> Option<Instant> {
        if self.config.in_flight_max > 1 {
            return None;
        }
        let next = self.ready.keys().next();
        let (due, _) =
            self.later.keys().min_by_key(|(_, seq)| *seq).filter(|(_, seq)| next.is_none_or(|next| seq < next))?;
        Some(*due)
    }

    /// When [`Self::take`] may give something by itself; none where something else must happen first.
    pub(super) fn wakes_at(&self, now: Instant) -> Option<Instant> {
        if self.in_flight.len() >= self.config.in_flight_max {
            return None;
        }
        let first = match self.held_up() {
            Some(due) => Some(due),
            None if self.ready.is_empty() => self.later.keys().next().map(|(due, _)| *due),
            None => Some(now),
        };
        first.map(|due| due.max(self.reach.waits_until.unwrap_or(now)))
    }

    /// What becomes of a request after a try; none where it is not under way. Nothing changes before [`Self::apply`].
    pub(super) fn fate(&self, tried: &Tried) -> Option<Fate> {
        let row = self.in_flight.get(&tried.seq)?;
        let verdict = judge(&tried.outcome);
        if verdict == Verdict::Done {
            return Some(Fate::Done);
        }
        let mut row = RequestRow::clone(row);
        row.tries = row.tries.saturating_add(1);
        row.last_answer = Some(tried.outcome.text().to_owned());
        if verdict == Verdict::Final || row.tries >= self.config.tries_max {
            row.given_up_ms = Some(tried.ended_ms);
            let dropped = self.making_room(&row);
            return Some(Fate::GivenUp { row: Arc::new(row), dropped });
        }
        let wait = self.wait(row.tries, tried);
        row.next_ms = tried.ended_ms.saturating_add(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        Some(Fate::Again { row: Arc::new(row), due: tried.ended + wait })
    }

    /// Does what [`Self::fate`] said.
    pub(super) fn apply(&mut self, tried: &Tried, fate: Fate) {
        self.last = Some(LastAnswer { at_ms: Some(tried.ended_ms), text: tried.outcome.text().to_owned() });
        self.learn(tried);
        let Some(before) = self.in_flight.remove(&tried.seq) else { return };
        self.waiting_bytes = self.waiting_bytes.saturating_sub(size(&before));
        if self.waiting() < self.config.waiting_max / 10 * 9 {
            self.told_full = false;
        }
        match fate {
            Fate::Done => {}
            Fate::Again { row, due } => {
                self.waiting_bytes += size(&row);
                self.later.insert((due, row.seq), row);
            }
            Fate::GivenUp { row, dropped } => {
                self.given_up_bytes += size(&row);
                self.given_up.insert(row.seq, row);
                for seq in dropped {
                    self.drop_given_up(seq);
                }
            }
        }
    }

    /// Those that were given up and fit among what waits, as they will be tried afresh.
    pub(super) fn revived(&self) -> Vec<Arc<RequestRow>> {
        let mut rows = self.config.waiting_max.saturating_sub(self.waiting() + self.in_flight.len());
        let mut bytes = self.config.waiting_max_bytes.saturating_sub(self.waiting_bytes);
        let fits = |row: &&Arc<RequestRow>| match (rows.checked_sub(1), bytes.checked_sub(size(row))) {
            (Some(rows_left), Some(bytes_left)) => {
                (rows, bytes) = (rows_left, bytes_left);
                true
            }
            _ => false,
        };
        let fresh =
            |row: &Arc<RequestRow>| Arc::new(RequestRow { tries: 0, given_up_ms: None, ..RequestRow::clone(row) });
        self.given_up.values().take_while(fits).map(fresh).collect()
    }

    /// Lets those wait again, and tries everything at once: the operator knows more than the waits do.
    pub(super) fn revive(&mut self, rows: Vec<Arc<RequestRow>>) {
        self.reach = Reach::default();
        self.ready.extend(std::mem::take(&mut self.later).into_values().map(|row| (row.seq, row)));
        for row in rows {
            self.drop_given_up(row.seq);
            self.waiting_bytes += size(&row);
            self.ready.insert(row.seq, row);
        }
    }

    /// What an operator's drop concerns: what was given up, and with `waiting` what waits and is not under way too.
    pub(super) fn droppable(&self, waiting: bool) -> Vec<u64> {
        let waits = self.ready.keys().copied().chain(self.later.keys().map(|(_, seq)| *seq));
        self.given_up.keys().copied().chain(waits.filter(|_| waiting)).collect()
    }

    /// Forgets those.
    pub(super) fn drop_all(&mut self, seqs: &[u64]) {
        for seq in seqs {
            self.drop_given_up(*seq);
        }
        let dropped: BTreeSet<&u64> = seqs.iter().collect();
        let waiting_bytes = &mut self.waiting_bytes;
        let mut stays = |row: &Arc<RequestRow>| {
            let stays = !dropped.contains(&row.seq);
            if !stays {
                *waiting_bytes = waiting_bytes.saturating_sub(size(row));
            }
            stays
        };
        self.ready.retain(|_, row| stays(row));
        self.later.retain(|_, row| stays(row));
    }

    /// How many wait and are not under way.
    pub(super) fn waiting(&self) -> usize {
        self.reserved.len() + self.ready.len() + self.later.len()
    }

    /// Whether the log must be told now that it is full. Once, until a tenth is free again.
    pub(super) fn newly_full(&mut self) -> bool {
        !std::mem::replace(&mut self.told_full, true)
    }

    pub(super) fn state(&self, name: &str, now: Instant) -> TargetState {
        let held = self.reach.waits_until.and_then(|until| until.checked_duration_since(now));
        TargetState {
            name: name.to_owned(),
            url: (!self.config.url.is_empty()).then(|| self.config.url.clone()),
            waiting: self.waiting(),
            in_flight: self.in_flight.len(),
            given_up: self.given_up.len(),
            held_ms: held
                .filter(|held| !held.is_zero())
                .map(|held| u64::try_from(held.as_millis()).unwrap_or(u64::MAX)),
            last_answer: self.last.as_ref().map(|last| last.text.clone()),
            last_answer_ms: self.last.as_ref().and_then(|last| last.at_ms),
        }
    }

    /// The newest of those that were given up, the newest first.
    pub(super) fn given_up(&self, limit: usize) -> Vec<GivenUp> {
        let shown = |row: &Arc<RequestRow>| GivenUp {
            seq: row.seq,
            dialect: Arc::clone(&row.dialect),
            method: row.method.clone(),
            path: row.path.clone(),
            tries: row.tries,
            created_ms: row.created_ms,
            given_up_ms: row.given_up_ms.unwrap_or(0),
            last_answer: row.last_answer.clone(),
        };
        self.given_up.values().rev().take(limit).map(shown).collect()
    }

    /// Those that must go, the oldest first, for one more to be given up; the one itself only where none may be kept.
    fn making_room(&self, incoming: &RequestRow) -> Vec<u64> {
        let (mut count, mut bytes) = (self.given_up.len() + 1, self.given_up_bytes.saturating_add(size(incoming)));
        let mut dropped = Vec::new();
        let kept = self.given_up.iter().map(|(seq, row)| (*seq, size(row)));
        for (seq, size) in kept.chain([(incoming.seq, size(incoming))]) {
            if count <= self.config.given_up_max && bytes <= self.config.waiting_max_bytes {
                break;
            }
            dropped.push(seq);
            count -= 1;
            bytes = bytes.saturating_sub(size);
        }
        dropped
    }

    fn drop_given_up(&mut self, seq: u64) {
        if let Some(row) = self.given_up.remove(&seq) {
            self.given_up_bytes = self.given_up_bytes.saturating_sub(size(&row));
        }
    }

    fn wait(&self, tries: u32, tried: &Tried) -> Duration {
        let TargetConfig { backoff_ms, backoff_max_ms, .. } = self.config;
        let told_ms = tried.outcome.retry_after_ms();
        Duration::from_millis(wait_as_told_ms(backoff_ms, backoff_max_ms, tries, tried.chance, told_ms))
    }

    /// What a try tells about the target. Tries that were under way together are one failure.
    fn learn(&mut self, tried: &Tried) {
        if judge(&tried.outcome) != (Verdict::Again { everything_waits: true }) {
            self.reach.failures = 0;
            return;
        }
        if self.reach.failures == 0 || self.reach.failed_at.is_none_or(|failed_at| tried.began >= failed_at) {
            self.reach.failures = self.reach.failures.saturating_add(1);
            self.reach.failed_at = Some(tried.ended);
        }
        let until = tried.ended + self.wait(self.reach.failures, tried);
        self.reach.waits_until = self.reach.waits_until.max(Some(until));
    }
}

impl Fate {
    /// What must be written before it is applied.
    pub(super) fn writes(&self, seq: u64) -> Vec<Write> {
        match self {
            Self::Done => vec![Write::RequestRemove(seq)],
            Self::Again { row, .. } => vec![Write::RequestPut(RequestRow::clone(row))],
            Self::GivenUp { row, dropped } => {
                let put = Write::RequestPut(RequestRow::clone(row));
                std::iter::once(put).chain(dropped.iter().map(|seq| Write::RequestRemove(*seq))).collect()
            }
        }
    }
}

/// What a row takes in memory, about.
fn size(row: &RequestRow) -> usize {
    let headers: usize = row.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    ROW_BYTES + row.path.len() + headers + row.body.as_ref().map_or(0, String::len)
}
