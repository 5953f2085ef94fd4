//! What applying the writes of a call came to.

use crate::outbound::EnqueueError;
use crate::runtime::engine::Stopped;
use crate::runtime::waits::Reached;
use dragoman_core::{ExecutionId, Reason};
use dragoman_store::{Seq, StoreError};
use tokio::sync::oneshot;

/// What came of the writes of one call.
pub struct Applied {
    /// Of each submission, in order.
    pub submissions: Vec<Submitted>,
    /// What covers all of it.
    pub seq: Seq,
}

/// What came of one submission.
pub struct Submitted {
    /// The id that the plugin was told.
    pub id: ExecutionId,
    /// The execution that stands for it, and what tells when it got as far as was asked; none where it has ended.
    pub result: Result<(ExecutionId, Option<oneshot::Receiver<Reached>>), Reason>,
}

/// Why the writes of a call were not applied. None of them was.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Somebody was faster; the call may be repeated.
    #[error("{0}")]
    Conflict(String),
    /// The contract does not allow it.
    #[error("{0}")]
    NotAllowed(String),
    /// A bound of the gateway is reached; nothing is wrong with the call.
    #[error("{0}")]
    Limit(String),
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store cannot be written any more.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

impl From<EnqueueError> for WriteError {
    fn from(error: EnqueueError) -> Self {
        let text = error.to_string();
        match error {
            EnqueueError::Invalid { .. } => Self::NotAllowed(text),
            EnqueueError::UnknownTarget { .. } | EnqueueError::TooMany { .. } | EnqueueError::TooLarge { .. } => {
                Self::Limit(text)
            }
        }
    }
}
