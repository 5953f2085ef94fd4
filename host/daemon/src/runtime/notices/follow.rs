//! A session that wants to hear what happened, and perhaps what comes.

use dragoman_core::{Attributes, Execution, SessionId};
use dragoman_wasm::{Follower, Start};

/// A replay that a session asked for.
#[derive(Clone, Debug)]
pub struct Follow {
    /// For this session.
    pub session: SessionId,
    /// The dialect's name for it.
    pub tag: String,
    /// Only of executions that carry all of these.
    pub labels: Attributes,
    /// From where.
    pub start: Start,
    /// Lines at most.
    pub limit: u32,
    /// And what comes later.
    pub live: bool,
}

/// A session that follows live.
#[derive(Clone, Debug)]
pub(super) struct Following {
    pub(super) session: SessionId,
    pub(super) tag: String,
    labels: Attributes,
}

impl Following {
    pub(super) fn fits(&self, execution: &Execution) -> bool {
        self.labels.iter().all(|label| execution.labels.contains(label))
    }

    pub(super) fn follower(&self) -> Follower {
        Follower { session: self.session.clone(), tag: self.tag.clone() }
    }
}

impl From<&Follow> for Following {
    fn from(follow: &Follow) -> Self {
        Self { session: follow.session.clone(), tag: follow.tag.clone(), labels: follow.labels.clone() }
    }
}
