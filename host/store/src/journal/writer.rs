//! The thread that commits everything appended since its last commit in one transaction.

use super::{Progress, Shared, Sleep};
use crate::error::StoreError;
use crate::write::{Durability, Write};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

/// What the writer does next.
enum Job {
    Commit {
        writes: Vec<Write>,
        durability: Durability,
        upto: u64,
    },
    /// Relaxed commits are old enough to be brought to the disk.
    Sync,
    End,
}

/// Commits until it is told to end or a commit fails.
pub(super) fn run(shared: &Shared) {
    let mut sync_due: Option<Instant> = None;
    loop {
        match next_job(shared, sync_due) {
            Job::Commit { writes, durability, upto } => {
                if let Err(error) = commit(shared, &writes, durability) {
                    return fail(shared, error);
                }
                settle(shared, &writes, upto);
                sync_due = match durability {
                    Durability::Committed => None,
                    Durability::Relaxed => sync_due
                        .or_else(|| Some(Instant::now() + Duration::from_millis(shared.options.relaxed_sync_ms))),
                };
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
fn next_job(shared: &Shared, sync_due: Option<Instant>) -> Job {
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
        if sync_due.is_some_and(|due| due <= now || state.closing) {
            return Job::Sync;
        }
        if state.closing {
            return Job::End;
        }
        state.sleep = Some(if commit_due.is_some() { Sleep::Lingering } else { Sleep::Idle });
        state = match [commit_due, sync_due].into_iter().flatten().min() {
            Some(due) => shared.work.wait_timeout(state, due - now).unwrap_or_else(PoisonError::into_inner).0,
            None => shared.work.wait(state).unwrap_or_else(PoisonError::into_inner),
        };
        state.sleep = None;
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
