//! Messages of devices that their plugin failed to read: kept, shown, replayed, dropped.
//!
//! Such a message is acknowledged to its sender once it is committed here, so that nobody sends for ever what nobody can
//! read. The list is durable and bounded, by number and by size; past that some give way. The rows are in the store, and
//! here is only which there are.

mod index;
mod replay;

pub use replay::Replayed;

use super::engine::{Step, Stopped};
use super::gateway::Gateway;
use dragoman_core::{Attributes, Message, Reason, Session};
use dragoman_store::{DeadLetterRow, Journal, Seq, StoreError, Write};
use dragoman_wasm::Plugin;
use index::{Added, Index};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The function that reads what devices say.
const READER: &str = "southbound.handle-message";
/// Rows read from the store at once. Each may be as large as a packet.
const READ_MAX: u32 = 64;
/// Steps of one turn.
const TURN_MAX: usize = 1_000;
/// What a row takes beside the message, roughly.
const ROW_BYTES: usize = 1_024;
/// Of a reason, what is kept.
const REASON_MAX_BYTES: usize = 2_000;

/// Which dead letters there are.
pub struct DeadLetters {
    index: Mutex<Index>,
}

/// Which of them are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Letters {
    /// The one with that number.
    One(u64),
    /// All of a plugin.
    Of(String),
}

/// Why nothing became of a wish.
#[derive(Debug, thiserror::Error)]
pub enum DeadLetterError {
    /// It was replayed, dropped, or gave way.
    #[error("there is no dead letter {0}; dragoman plugin dead-letter list shows them")]
    Unknown(u64),
    /// Nobody could read them.
    #[error("plugin {0} is not loaded; put its file into the plugin folder, or drop its dead letters")]
    NotLoaded(String),
    /// They cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// They cannot be written.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

impl DeadLetters {
    /// None yet; at most so many, and so many bytes of them.
    pub fn new(count_max: usize, bytes_max: u64) -> Self {
        Self { index: Mutex::new(Index::new(count_max, bytes_max)) }
    }

    /// Takes over what the last run left. Before the first message comes in.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub async fn restore(&self, journal: &Journal) -> Result<(), StoreError> {
        let last = journal.last_dead_letter().await?;
        self.lock().continue_after(last);
        let mut after = 0;
        loop {
            let rows = journal.dead_letters(None, after, READ_MAX).await?;
            let Some(last) = rows.last() else { break };
            after = last.seq;
            let mut index = self.lock();
            for row in rows {
                index.restore(row.seq, row.plugin.clone(), bytes(&row.message), row.tries);
            }
        }
        self.measure(&self.lock());
        Ok(())
    }

    fn measure(&self, index: &Index) {
        metrics::gauge!("dragoman_dead_letters").set(u32::try_from(index.count()).unwrap_or(u32::MAX));
    }

    /// No code panics while it holds the lock, so a poisoned one is still whole.
    fn lock(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gateway {
    /// Keeps a message that a plugin failed to read. Tells what covers it; none where it is larger than all of them may be,
    /// or none are kept.
    pub(super) fn bury(
        &self,
        plugin: &Plugin,
        session: &Session,
        message: &Message,
        reason: Reason,
    ) -> Result<Option<Seq>, Stopped> {
        let name = || plugin.name().to_string();
        let mut index = self.dead_letters.lock();
        let Some(Added { seq, gave_way }) = index.add(plugin.name().clone(), bytes(message)) else {
            metrics::counter!("dragoman_dead_letters_dropped_total", "plugin" => name()).increment(1);
            tracing::warn!(plugin = %plugin.name(), topic = %message.topic, "a message is refused: it does not fit into the list of dead letters");
            return Ok(None);
        };
        let row = DeadLetterRow {
            seq,
            plugin: plugin.name().clone(),
            digest: plugin.digest().to_owned(),
            export: READER.to_owned(),
            at_ms: self.engine.now_ms(),
            tries: 1,
            reason: shortened(reason),
            session: session.clone(),
            message: message.clone(),
        };
        let put = Step::Write(Write::DeadLetterPut(Box::new(row)));
        let removed = gave_way.iter().map(|seq| Step::Write(Write::DeadLetterRemove(*seq)));
        // Under the lock, so that the store and the memory see the letters in one order.
        let turn = self.engine.turn(std::iter::once(put).chain(removed).collect(), None)?;
        self.dead_letters.measure(&index);
        metrics::counter!("dragoman_dead_letters_total", "plugin" => name()).increment(1);
        if !gave_way.is_empty() {
            let count = u64::try_from(gave_way.len()).unwrap_or(u64::MAX);
            metrics::counter!("dragoman_dead_letters_gave_way_total").increment(count);
        }
        Ok(Some(turn.seq))
    }

    /// The dead letters behind that number: all of them, or those of one plugin.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub async fn dead_letters(
        &self,
        plugin: Option<&str>,
        after: u64,
        limit: u32,
    ) -> Result<Vec<DeadLetterRow>, DeadLetterError> {
        Ok(self.engine.journal().dead_letters(plugin, after, limit).await?)
    }

    /// One of them.
    ///
    /// # Errors
    /// Where there is none with that number, or the store cannot be read.
    pub async fn dead_letter(&self, seq: u64) -> Result<DeadLetterRow, DeadLetterError> {
        let unknown = || DeadLetterError::Unknown(seq);
        let after = seq.checked_sub(1).ok_or_else(unknown)?;
        let found = self.dead_letters(None, after, 1).await?.into_iter().next();
        found.filter(|row| row.seq == seq).ok_or_else(unknown)
    }

    /// Forgets dead letters. Tells how many.
    ///
    /// # Errors
    /// See [`DeadLetterError`].
    pub async fn drop_dead_letters(&self, which: &Letters) -> Result<usize, DeadLetterError> {
        let seqs = match which {
            Letters::One(seq) => vec![*seq],
            Letters::Of(plugin) => self.dead_letters.lock().of(plugin),
        };
        let mut dropped = 0;
        for seqs in seqs.chunks(TURN_MAX) {
            dropped += self.forget_letters(seqs)?;
            self.engine.has_room().await?;
        }
        if let (Letters::One(seq), 0) = (which, dropped) {
            return Err(DeadLetterError::Unknown(*seq));
        }
        self.engine.committed(self.engine.horizon()).await?;
        tracing::info!(dropped, "an operator dropped dead letters");
        Ok(dropped)
    }

    /// Takes letters out, those that are there. Tells how many.
    fn forget_letters(&self, seqs: &[u64]) -> Result<usize, Stopped> {
        let mut index = self.dead_letters.lock();
        let removed: Vec<u64> = seqs.iter().copied().filter(|seq| index.remove(*seq)).collect();
        self.engine.turn(removed.iter().map(|seq| Step::Write(Write::DeadLetterRemove(*seq))).collect(), None)?;
        self.dead_letters.measure(&index);
        Ok(removed.len())
    }
}

/// What a letter counts for.
fn bytes(message: &Message) -> u64 {
    let attributes =
        |attributes: &Attributes| attributes.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
    let all = ROW_BYTES + message.topic.len() + message.payload.as_bytes().len() + attributes(&message.attributes);
    u64::try_from(all).unwrap_or(u64::MAX)
}

/// A plugin says as much as it likes.
fn shortened(mut reason: Reason) -> Reason {
    let end = (0..=reason.text.len().min(REASON_MAX_BYTES)).rev().find(|at| reason.text.is_char_boundary(*at));
    reason.text.truncate(end.unwrap_or(0));
    reason
}

/// The row as it stands after one more try that came to nothing.
fn tried(row: DeadLetterRow, plugin: &Arc<Plugin>, reason: Reason) -> DeadLetterRow {
    let tries = row.tries.saturating_add(1);
    DeadLetterRow { tries, digest: plugin.digest().to_owned(), reason: shortened(reason), ..row }
}
