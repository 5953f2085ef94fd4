//! Which row an execution has, kept for those that were written lately: a command is written several times.

use super::failure::Problem;
use dragoman_core::ExecutionId;
use hashlink::LruCache;
use rusqlite::{Connection, OptionalExtension};

/// Executions whose rows are kept.
const ROWS: usize = 8_192;

/// Rows of executions by id.
pub(super) struct Rows(LruCache<ExecutionId, i64>);

impl Rows {
    pub(super) fn new() -> Self {
        Self(LruCache::new(ROWS))
    }

    /// The row of an execution; none: it is not known.
    pub(super) fn find(&mut self, db: &Connection, id: &ExecutionId) -> Result<Option<i64>, Problem> {
        if let Some(row) = self.0.get(id) {
            return Ok(Some(*row));
        }
        let mut find = db.prepare_cached("SELECT row FROM execution WHERE id = ?1")?;
        let found = find.query_row([id.as_str()], |row| row.get(0)).optional()?;
        if let Some(row) = found {
            self.keep(id, row);
        }
        Ok(found)
    }

    pub(super) fn keep(&mut self, id: &ExecutionId, row: i64) {
        self.0.insert(id.clone(), row);
    }

    /// Forgets all: some executions are gone, or were never committed.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
