//! What the host offers to plugins. Reads go to the daemon and repeat within a call; writes are buffered.
//!
//! A read answers with the state that is applied: it knows nothing of what the same call has buffered. But a document or
//! the notes of a session that the call wrote are read as it wrote them, one by one; lists and counts show them as applied.

mod asks;
mod credentials;
mod devices;
mod documents;
mod draft;
mod events;
mod executions;
mod host;
mod jwt;
mod mac;
mod memo;
mod outbox;
mod registry;
mod sessions;

use crate::bindings::dragoman::gateway::types;
use crate::error::Fault;
use crate::reads::ReadError;
#[expect(unreachable_pub, reason = "the generated bindings re-export it, inside this crate")]
pub use draft::Draft;
pub(crate) use memo::Memo;

const ASKED_AND_SUBMITTED: &str = "it asked a handler and submitted a command in one call; ask first, and submit when \
                                   the answers are there";

/// `[A-Za-z0-9_.:-]{1,128}`
pub(crate) fn is_device_id(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte))
}

/// `[A-Za-z0-9_-]{1,64}`
fn is_execution_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

/// A failed check as an error that the plugin can act on.
fn refusal(fault: Fault) -> types::Error {
    match fault {
        Fault::Output(text) => types::Error::Limit(text),
        other => types::Error::Invalid(other.to_string()),
    }
}

/// A failed read as an error that the plugin can act on.
fn told(error: ReadError) -> types::Error {
    match error {
        ReadError::Invalid(text) => types::Error::Invalid(text),
        ReadError::Unavailable(text) => types::Error::Unavailable(text),
        ReadError::Internal(text) => types::Error::Internal(text),
    }
}
