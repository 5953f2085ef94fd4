//! What the store keeps of a message that no plugin could read.

use dragoman_core::{Message, Reason, Session};
use std::sync::Arc;

/// A message of a client whose plugin call came to nothing, kept until it is replayed, dropped or gives way to newer ones.
///
/// It holds the message as it came, so what a platform puts into payloads, secrets included, is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetterRow {
    /// Given by the caller, increasing. Above `i64::MAX` it is refused.
    pub seq: u64,
    /// The plugin that was called.
    pub plugin: Arc<str>,
    /// The version of it that was called last, SHA-256 of its file in hex.
    pub digest: String,
    /// What was called, e.g. `southbound.handle-message`.
    pub export: String,
    /// When the message came, in milliseconds since 1970.
    pub at_ms: u64,
    /// How often it was tried: 1, and one more for each replay.
    pub tries: u32,
    /// What came of the last try.
    pub reason: Reason,
    /// Who sent it, as its session was then.
    pub session: Session,
    /// The message.
    pub message: Message,
}
