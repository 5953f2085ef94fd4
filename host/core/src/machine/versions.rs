//! Which versions of plugins planned an execution, and which of them it still needs.

use super::Machine;
use super::book::Line;
use super::input::Answer;
use crate::execution::{Event, Execution, Reason};
use crate::intent::{Attributes, ExecutionId};

impl Machine {
    /// Plugins planned it. A handler's version that is named for the first time is the one that it keeps to.
    pub(super) fn planned_by(&mut self, id: &ExecutionId, digests: Attributes) {
        let known = self.record(id).is_some_and(|record| {
            digests.iter().all(|digest| record.digests.contains(digest) && !record.released.contains(digest))
        });
        if !known {
            self.book.amend_versions(id, |record| digests.into_iter().for_each(|digest| remember(record, digest)));
        }
    }

    /// It does not need that version any more.
    pub(super) fn release(
        &mut self,
        now_ms: u64,
        id: &ExecutionId,
        plugin: String,
        digest: String,
        reason: Reason,
    ) -> Answer {
        let Some(record) = self.record(id) else { return Answer::Stale };
        if !record.needs().any(|needed| needed == (plugin.as_str(), digest.as_str())) {
            return Answer::Stale;
        }
        self.book.amend_versions(id, |record| record.released.push((plugin, digest)));
        self.book.note(id, now_ms, Event::Note, Line { reason: Some(reason), ..Line::default() });
        Answer::Taken
    }
}

/// A version that was released and plans again is needed again.
fn remember(record: &mut Execution, digest: (String, String)) {
    record.released.retain(|released| *released != digest);
    if record.digests.contains(&digest) {
        return;
    }
    record.digests.push(digest);
    if record.digests.len() > Execution::DIGESTS_MAX {
        let pinned = record.pinned();
        let oldest = record.digests.iter().position(|(_, digest)| pinned != Some(digest.as_str()));
        let gone = record.digests.remove(oldest.unwrap_or_default());
        record.released.retain(|released| *released != gone);
    }
}
