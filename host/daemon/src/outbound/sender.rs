//! Moves the rows of one target from its lane to the client and back.

use super::backoff;
use super::client::Client;
use super::handle::{Cell, Now};
use super::lane::{Fate, Tried};
use super::verdict::Outcome;
use dragoman_store::{Journal, JournalError};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};

/// What a sender works with.
pub(super) struct Sender {
    pub(super) cell: Arc<Cell>,
    pub(super) client: Arc<Client>,
    pub(super) journal: Journal,
    pub(super) now_ms: Now,
}

/// Tries that are under way.
#[derive(Default)]
struct UnderWay {
    tries: JoinSet<(Outcome, Instant)>,
    rows: HashMap<Id, u64>,
}

/// Sends until `stopping` turns true, then waits for what is under way.
pub(super) async fn run(sender: Sender, mut stopping: watch::Receiver<bool>) {
    let mut under_way = UnderWay::default();
    loop {
        sender.begin(&mut under_way);
        let wakes_at = sender.cell.lock().wakes_at(Instant::now());
        let settled = tokio::select! {
            Some(done) = under_way.tries.join_next_with_id() => sender.settle(&mut under_way, done).await,
            () = sender.cell.changed.notified() => Ok(()),
            () = sleep_until(wakes_at) => Ok(()),
            () = until_stopping(&mut stopping) => break,
        };
        if sender.failed(&settled) {
            return;
        }
    }
    while let Some(done) = under_way.tries.join_next_with_id().await {
        let settled = sender.settle(&mut under_way, done).await;
        if sender.failed(&settled) {
            return;
        }
    }
}

/// Also when nobody is left to say so.
async fn until_stopping(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

async fn sleep_until(wakes_at: Option<Instant>) {
    match wakes_at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

impl Sender {
    /// Begins as many tries as may be under way.
    fn begin(&self, under_way: &mut UnderWay) {
        let began = Instant::now();
        let mut lane = self.cell.lock();
        while let Some(row) = lane.take(began) {
            let (client, seq) = (Arc::clone(&self.client), row.seq);
            let handle = under_way.tries.spawn(async move { (client.send(&row).await, began) });
            under_way.rows.insert(handle.id(), seq);
        }
        self.cell.measure(&lane);
    }

    /// Writes what became of a request, then lets the lane know.
    async fn settle(
        &self,
        under_way: &mut UnderWay,
        done: Result<(Id, (Outcome, Instant)), JoinError>,
    ) -> Result<(), JournalError> {
        let ended = Instant::now();
        let (id, (outcome, began)) = match done {
            Ok(done) => done,
            Err(error) => {
                let text = format!("sending broke off, which is a mistake in dragoman, please report it: {error}");
                (error.id(), (Outcome::Failed(text), ended))
            }
        };
        let Some(seq) = under_way.rows.remove(&id) else { return Ok(()) };
        let tried = Tried { seq, outcome, began, ended, ended_ms: (self.now_ms)(), chance: backoff::chance() };
        loop {
            self.journal.ready().await?;
            let mut lane = self.cell.lock();
            let Some(fate) = lane.fate(&tried) else { return Ok(()) };
            // Not waited for: what a power cut forgets is sent once more, or waits as before.
            match self.journal.append_relaxed(fate.writes(seq)) {
                Ok(_) => {
                    self.tell(&tried, &fate);
                    lane.apply(&tried, fate);
                    self.cell.measure(&lane);
                    return Ok(());
                }
                Err(JournalError::Full { .. }) => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn tell(&self, tried: &Tried, fate: &Fate) {
        let (target, seq, answer) = (self.cell.name.as_str(), tried.seq, tried.outcome.text());
        let result = match fate {
            Fate::Done => {
                tracing::debug!(target_name = target, seq, answer, "a request is done");
                "done"
            }
            Fate::Again { row, .. } => {
                let tries = row.tries;
                tracing::debug!(target_name = target, seq, answer, tries, "a request will be tried again");
                "retried"
            }
            Fate::GivenUp { row, dropped } => {
                let tries = row.tries;
                tracing::warn!(
                    target_name = target,
                    seq,
                    answer,
                    tries,
                    "a request was given up; look at it with dragoman target show, then retry or drop it"
                );
                if !dropped.is_empty() {
                    let dropped = dropped.len() as u64;
                    tracing::warn!(
                        target_name = target,
                        dropped,
                        "given-up requests were dropped, because too many are kept"
                    );
                    metrics::counter!("dragoman_outbound_requests_total", "target" => target.to_owned(), "result" => "dropped")
                        .increment(dropped);
                }
                "given-up"
            }
        };
        metrics::counter!("dragoman_outbound_requests_total", "target" => target.to_owned(), "result" => result)
            .increment(1);
    }

    /// Whether the journal failed, so that nothing can be sent any more: it could not be recorded.
    fn failed(&self, settled: &Result<(), JournalError>) -> bool {
        if let Err(error) = settled {
            tracing::error!(target_name = %self.cell.name, %error, "nothing more is sent, because the store cannot be written");
        }
        settled.is_err()
    }
}
