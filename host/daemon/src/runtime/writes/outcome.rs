//! What applying the writes of a call came to.

use crate::runtime::engine::Stopped;
use crate::runtime::waits::Reached;
use dragoman_core::{ExecutionId, Reason};
use dragoman_store::{Seq, StoreError};
use tokio::sync::oneshot;

/// How often a call is repeated because somebody was faster ([`WriteError::Conflict`]), after the first.
pub const REPEATS_MAX: u32 = 3;

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
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store cannot be written any more.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}
