//! Dead letters that are read once more, as if they came now.
//!
//! The newest version of the plugin reads them, in the order of the calls about their device. A letter that was read is taken
//! out together with what it led to.

use super::{DeadLetterError, Letters, tried};
use crate::runtime::engine::Step;
use crate::runtime::gateway::Gateway;
use crate::runtime::inbound::{Turn, Unread};
use dragoman_core::{Reason, Session};
use dragoman_store::{DeadLetterRow, Write};
use std::sync::Arc;

/// Letters of one request.
const REPLAYS_MAX: usize = 1_000;
/// Failures after which a request ends, so that old letters do not put a plugin into quarantine that is well.
const FAILURES_MAX: usize = 5;
/// Failures that are told one by one.
const TOLD_MAX: usize = 100;

/// What a replay came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// How many were read, and are no dead letters any more.
    pub replayed: usize,
    /// How many failed again.
    pub failed: usize,
    /// Why, of the first of them.
    pub reasons: Vec<(u64, Reason)>,
    /// How many of the plugin are left, those that failed included.
    pub left: usize,
}

/// What became of one letter.
enum Came {
    Read,
    Failed(Reason),
    /// Somebody was faster.
    Gone,
}

impl Gateway {
    /// Has the newest version of their plugin read dead letters, those that were tried least first, [`REPLAYS_MAX`] at most.
    /// Stops after [`FAILURES_MAX`] that fail again, and where the plugin is in quarantine.
    ///
    /// # Errors
    /// See [`DeadLetterError`]. What was read until then is read.
    pub async fn replay_dead_letters(self: &Arc<Self>, which: &Letters) -> Result<Replayed, DeadLetterError> {
        let mut done = Replayed::default();
        let plugin = match which {
            Letters::One(seq) => {
                let row = self.dead_letter(*seq).await?;
                let plugin = row.plugin.to_string();
                self.replay(row, &mut done).await?;
                plugin
            }
            Letters::Of(plugin) => {
                self.replay_all(plugin, &mut done).await?;
                plugin.clone()
            }
        };
        self.engine.committed(self.engine.horizon()).await?;
        done.left = self.dead_letters.lock().of(&plugin).len();
        tracing::info!(%plugin, replayed = done.replayed, failed = done.failed, "dead letters were replayed");
        Ok(done)
    }

    async fn replay_all(self: &Arc<Self>, plugin: &str, done: &mut Replayed) -> Result<(), DeadLetterError> {
        // What comes in meanwhile is for the next time.
        let seqs = self.dead_letters.lock().least_tried_of(plugin);
        for seq in seqs.into_iter().take(REPLAYS_MAX) {
            let quarantined = self.plugin(plugin).is_some_and(|plugin| plugin.is_shut());
            if done.failed >= FAILURES_MAX || quarantined {
                return Ok(());
            }
            match self.dead_letter(seq).await {
                Ok(row) => self.replay(row, done).await?,
                // It gave way, or somebody was faster.
                Err(DeadLetterError::Unknown(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn replay(self: &Arc<Self>, row: DeadLetterRow, done: &mut Replayed) -> Result<(), DeadLetterError> {
        let session = self.session_now(&row.session);
        let (this, seq) = (self.clone(), row.seq);
        let turn = self.calls.run(Turn::of(&session), async move { this.replay_in_turn(row, &session).await });
        match turn.await {
            Some(Ok(Came::Read)) => done.replayed += 1,
            Some(Ok(Came::Failed(reason))) => {
                done.failed += 1;
                if done.reasons.len() < TOLD_MAX {
                    done.reasons.push((seq, reason));
                }
            }
            // The job panicked, which the log tells; the letter is still there.
            Some(Ok(Came::Gone)) | None => {}
            Some(Err(error)) => return Err(error),
        }
        Ok(())
    }

    async fn replay_in_turn(self: &Arc<Self>, row: DeadLetterRow, session: &Session) -> Result<Came, DeadLetterError> {
        if !self.dead_letters.lock().has(row.seq) {
            return Ok(Came::Gone);
        }
        self.engine.has_room().await?;
        let name = &row.plugin;
        let plugin = self.plugin(name).ok_or_else(|| DeadLetterError::NotLoaded(name.to_string()))?;
        let reason = match self.read_message(&plugin, session, &row.message, Some(row.seq)).await {
            Ok(_) => {
                let mut index = self.dead_letters.lock();
                index.remove(row.seq);
                self.dead_letters.measure(&index);
                drop(index);
                metrics::counter!("dragoman_dead_letters_replayed_total", "plugin" => name.to_string()).increment(1);
                return Ok(Came::Read);
            }
            Err(Unread::Failed(reason) | Unread::Refused(reason)) => reason,
        };
        let mut index = self.dead_letters.lock();
        // It may have given way meanwhile, and must not come back.
        if index.has(row.seq) {
            let row = tried(row, &plugin, reason.clone());
            index.tried(row.seq, row.tries);
            self.engine.turn(vec![Step::Write(Write::DeadLetterPut(Box::new(row)))], None)?;
        }
        Ok(Came::Failed(reason))
    }

    /// The session of whoever sent a message, as it is now: itself where it is still there, else the one of its device;
    /// else as it was, though nobody can be answered by it.
    fn session_now(&self, then: &Session) -> Arc<Session> {
        let same = self.broker().and_then(|broker| broker.session(&then.id));
        let device = || then.device.as_ref().and_then(|device| self.presence.session_of(device));
        let now = same.or_else(device).filter(|now| now.dialect == then.dialect && now.device == then.device);
        now.unwrap_or_else(|| Arc::new(then.clone()))
    }
}
