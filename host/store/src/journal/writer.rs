//! The thread that commits everything appended since its last commit in one transaction.

use super::{Progress, Shared, Sleep};
use crate::error::StoreError;
use crate::write::{Durability, Write};
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// What the writer does next.
enum Job {
    Commit {
        writes: Vec<Write>,
        durability: Durability,
        upto: u64,
    },
    /// Relaxed commits are soon old enough to be brought to the disk.
    FlushAhead,
    /// They are old enough.
    Sync,
    End,
}

/// When relaxed commits are to be on the disk.
#[derive(Clone, Copy)]
struct SyncDue {
    /// When the disk is to begin with what is there by then. None: it has begun.
    ahead: Option<Instant>,
    at: Instant,
}

impl SyncDue {
    fn within(relaxed_sync_ms: u64) -> Self {
        let (now, within) = (Instant::now(), Duration::from_millis(relaxed_sync_ms));
        Self { ahead: Some(now + within * 3 / 4), at: now + within }
    }
}

/// Commits until it is told to end or a commit fails.
pub(super) fn run(shared: &Arc<Shared>) {
    let mut sync_due: Option<SyncDue> = None;
    loop {
        match next_job(shared, sync_due) {
            Job::Commit { writes, durability, upto } => {
                if let Err(error) = commit(shared, &writes, durability) {
                    return fail(shared, error);
                }
                settle(shared, &writes, upto);
                sync_due = match durability {
                    Durability::Committed => None,
                    Durability::Relaxed => sync_due.or_else(|| Some(SyncDue::within(shared.options.relaxed_sync_ms))),
                };
            }
            Job::FlushAhead => {
                flush_ahead(shared);
                sync_due = sync_due.map(|due| SyncDue { ahead: None, ..due });
            }
            Job::Sync => {
                if let Err(error) = commit(shared, &[], Durability::Committed) {
                    return fail(shared, error);
                }
                sync_due = None;
            }
            Job::End => {
                shared.progress.send_modify(|progress| progress.closed = true);
                return;
            }
        }
    }
}

/// A commit begins when somebody waits for it, and takes along what nobody waits for; alone, that waits a moment for
/// company. So the steps of one command share commits, and many of them one version of its record.
fn next_job(shared: &Shared, sync_due: Option<SyncDue>) -> Job {
    let linger = Duration::from_millis(shared.options.linger_ms);
    let mut state = shared.lock();
    loop {
        let now = Instant::now();
        let commit_due = (!state.pending.is_empty()).then(|| state.pending_since + linger);
        if state.is_due() || commit_due.is_some_and(|due| due <= now) {
            let writes = std::mem::take(&mut state.pending);
            let durability = std::mem::replace(&mut state.pending_durability, Durability::Relaxed);
            state.committing = writes.len();
            return Job::Commit { writes, durability, upto: state.appended };
        }
        // What was relaxed is brought to the disk before the end, too.
        if let Some(due) = sync_due {
            if state.closing || due.at <= now || (due.ahead.is_none() && state.flushed_ahead) {
                return Job::Sync;
            }
            if due.ahead.is_some_and(|ahead| ahead <= now) {
                return Job::FlushAhead;
            }
        }
        if state.closing {
            return Job::End;
        }
        state.sleep = Some(if commit_due.is_some() { Sleep::Lingering } else { Sleep::Idle });
        let flush_due = sync_due.map(|due| due.ahead.unwrap_or(due.at));
        state = match [commit_due, flush_due].into_iter().flatten().min() {
            Some(due) => shared.work.wait_timeout(state, due - now).unwrap_or_else(PoisonError::into_inner).0,
            None => shared.work.wait(state).unwrap_or_else(PoisonError::into_inner),
        };
        state.sleep = None;
    }
}

/// Has the disk begin, in a thread of its own, while commits go on: the sync that follows then finds little left to wait
/// for, and whoever waits for a commit behind it hardly waits for the disk. Without a thread it only takes longer.
fn flush_ahead(shared: &Arc<Shared>) {
    shared.lock().flushed_ahead = false;
    let shared = Arc::clone(shared);
    let begun = thread::Builder::new().name("store-flush".to_owned()).spawn(move || {
        shared.backend.flush_ahead();
        shared.lock().flushed_ahead = true;
        shared.work.notify_one();
    });
    if let Err(error) = begun {
        tracing::warn!(%error, "the store's log is not brought to the disk ahead of its time");
    }
}

fn commit(shared: &Shared, writes: &[Write], durability: Durability) -> Result<(), StoreError> {
    let started = Instant::now();
    shared.backend.commit(writes, durability)?;
    let synced = match durability {
        Durability::Committed => "yes",
        Durability::Relaxed => "no",
    };
    metrics::counter!("dragoman_store_commits_total", "fsync" => synced).increment(1);
    metrics::counter!("dragoman_store_writes_total").increment(writes.len() as u64);
    let lines = writes.iter().map(|write| if let Write::Transitions { lines, .. } = write { lines.len() } else { 0 });
    metrics::counter!("dragoman_store_history_lines_total").increment(lines.sum::<usize>() as u64);
    metrics::histogram!("dragoman_store_commit_writes").record(writes.len() as f64);
    metrics::histogram!("dragoman_store_commit_seconds", "fsync" => synced).record(started.elapsed().as_secs_f64());
    Ok(())
}

/// From here on readers find these writes in the database.
fn settle(shared: &Shared, writes: &[Write], upto: u64) {
    let mut state = shared.lock();
    for write in writes {
        state.overlay.settle(write, upto);
    }
    state.committing = 0;
    state.settled = upto;
    metrics::gauge!("dragoman_store_pending_writes").set(state.pending.len() as f64);
    drop(state);
    shared.progress.send_modify(|progress| progress.committed = upto);
}

/// Nothing is committed after this. What was appended stays visible to readers, who must not tell it to anybody.
fn fail(shared: &Shared, error: StoreError) {
    tracing::error!(%error, "a commit failed; dragoman stops, because nothing more can be made durable");
    metrics::counter!("dragoman_store_failed_commits_total").increment(1);
    let cause = Arc::new(error);
    shared.lock().failed = Some(Arc::clone(&cause));
    shared.progress.send_modify(|progress: &mut Progress| progress.failed = Some(cause));
}
