//! The durable side of dragoman: what happened to every command, the devices, what dialects keep on their own account,
//! and who may connect.
//!
//! The runtime hands what it applied to the [`Journal`], which shows it to readers at once and commits it in groups on
//! a thread of its own; the database under it is a [`Backend`]. What is open also lives in memory, in dragoman-core's
//! machine; the device registry does not.
//!
//! ```text
//! runtime ── append ──▶ Journal ── groups ──▶ Backend (SQLite)
//!    ▲                    │  overlay of what is not committed yet
//!    └── reads ───────────┴─ caches of point reads ─ committed state
//! ```

mod access;
mod backend;
mod dead_letter;
mod document;
mod error;
mod journal;
mod record;
mod registry;
mod request;
mod selection;
pub mod sqlite;
mod write;

pub use access::{CredentialKind, CredentialRecord, MqttSessionRecord};
pub use backend::Backend;
pub use dead_letter::DeadLetterRow;
pub use document::DocumentRecord;
pub use error::{JournalError, OpenError, StoreError};
pub use journal::{Journal, JournalOptions, Seq};
pub use registry::{DeviceRecord, ProfileRecord};
pub use request::RequestRow;
pub use selection::{PAGE_MAX, Page, Position, Selection, TransitionQuery};
pub use write::{Durability, OutboxRow, Write};
