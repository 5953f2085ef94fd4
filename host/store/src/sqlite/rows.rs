//! Which row an execution has, kept for those that were written lately: a command is written several times.

use super::failure::Problem;
use dragoman_core::{Attributes, Correlation, Execution, ExecutionId};
use hashlink::LruCache;
use rusqlite::{Connection, OptionalExtension};

/// Executions whose rows are kept.
const ROWS: usize = 8_192;

/// Rows of executions by id.
pub(super) struct Rows(LruCache<ExecutionId, Known>);

/// An execution that was written or found lately.
struct Known {
    row: i64,
    /// None where it was found and not written.
    indexed: Option<Indexed>,
}

/// What stands in the tables beside an execution's row.
struct Indexed {
    labels: Attributes,
    correlations: Vec<(u32, Correlation)>,
}

impl Rows {
    pub(super) fn new() -> Self {
        Self(LruCache::new(ROWS))
    }

    /// The row of an execution; none: it is not known.
    pub(super) fn find(&mut self, db: &Connection, id: &ExecutionId) -> Result<Option<i64>, Problem> {
        if let Some(known) = self.0.get(id) {
            return Ok(Some(known.row));
        }
        let mut find = db.prepare_cached("SELECT row FROM execution WHERE id = ?1")?;
        let found = find.query_row([id.as_str()], |row| row.get(0)).optional()?;
        if let Some(row) = found {
            self.0.insert(id.clone(), Known { row, indexed: None });
        }
        Ok(found)
    }

    /// Keeps the row of an execution that was just written as it stands.
    pub(super) fn keep(&mut self, row: i64, execution: &Execution) {
        let (labels, correlations) = (execution.labels.clone(), execution.correlations.clone());
        let indexed = Some(Indexed { labels, correlations });
        self.0.insert(execution.id.clone(), Known { row, indexed });
    }

    /// Whether its labels were last written as they are now.
    pub(super) fn has_labels(&mut self, execution: &Execution) -> bool {
        self.indexed(&execution.id).is_some_and(|indexed| indexed.labels == execution.labels)
    }

    /// Whether its correlations were last written as they are now.
    pub(super) fn has_correlations(&mut self, execution: &Execution) -> bool {
        self.indexed(&execution.id).is_some_and(|indexed| indexed.correlations == execution.correlations)
    }

    fn indexed(&mut self, id: &ExecutionId) -> Option<&Indexed> {
        self.0.get(id)?.indexed.as_ref()
    }

    /// Forgets all: some executions are gone, or were never committed.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
