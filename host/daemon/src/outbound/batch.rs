//! The requests of one plugin call, which are sent together with what else it wrote, or not at all.

use super::handle::{EnqueueError, Outbound};
use dragoman_store::{Seq, Write};
use dragoman_wasm::OutRequest;
use std::sync::Arc;

/// What one call wants sent. Dropped before [`Batch::appended`], as when the call fails, it gives its places back.
pub(crate) struct Batch {
    outbound: Arc<Outbound>,
    /// By target and number.
    rows: Vec<(String, u64)>,
}

impl Batch {
    pub(super) fn new(outbound: Arc<Outbound>) -> Self {
        Self { outbound, rows: Vec::new() }
    }

    /// Takes a request in, and gives the row to be written in the turn of the call.
    ///
    /// # Errors
    /// See [`EnqueueError`]; each is counted, and that a target is full is logged once.
    pub(crate) fn add(&mut self, dialect: &str, request: OutRequest) -> Result<Write, EnqueueError> {
        let row = self.outbound.enqueue(dialect, request)?;
        self.rows.push((row.target.clone(), row.seq));
        Ok(Write::RequestPut(row))
    }

    /// The turn with the rows was appended there: they are sent once that is committed.
    pub(crate) fn appended(mut self, at: Seq) {
        let rows = std::mem::take(&mut self.rows);
        if !rows.is_empty() {
            self.outbound.release_after(rows, at);
        }
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        for (target, seq) in &self.rows {
            self.outbound.forget(target, *seq);
        }
    }
}
