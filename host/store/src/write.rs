//! What is written, as data.

use crate::access::{CredentialRecord, MqttSessionRecord};
use crate::dead_letter::DeadLetterRow;
use crate::document::DocumentRecord;
use crate::registry::{DeviceRecord, ProfileRecord};
use crate::request::RequestRow;
use dragoman_core::{DeviceId, Execution, ExecutionId, Message, Transition};
use std::sync::Arc;

/// One thing to keep or to forget. What is given in one call is committed together or not at all.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// The record of an execution as it stands. Device, origin, alias, idempotency key and time of creation are those
    /// of its first version for good; labels follow.
    Execution(Arc<Execution>),
    /// Lines its history grew by. Lines of an execution that is not known (pruned meanwhile) are left out.
    Transitions {
        /// The execution.
        id: ExecutionId,
        /// Of the first line over all histories, from 1; those of the others follow without gaps. Given by the caller,
        /// greater than any before. Above `i64::MAX` it is refused.
        position: u64,
        /// The lines, in order.
        lines: Vec<Transition>,
    },
    /// A message that must leave.
    OutboxPut(OutboxRow),
    /// The message with this number has left, or is not wanted any more.
    OutboxRemove(u64),
    /// A request that must be sent to a target, in place of the one with its number.
    RequestPut(RequestRow),
    /// The request with this number was answered, or is not wanted any more.
    RequestRemove(u64),
    /// A message that no plugin could read, in place of the one with its number.
    DeadLetterPut(Box<DeadLetterRow>),
    /// The message with this number was read after all, gave way, or is not wanted any more.
    DeadLetterRemove(u64),
    /// The record of a device. Goes through [`crate::Journal::append_checked`], for its aliases.
    Device(DeviceRecord),
    /// The device with its aliases, labels and profiles is gone. Devices below it stay, without a parent that exists.
    DeviceRemove(DeviceId),
    /// What a dialect keeps about a device.
    Profile(ProfileRecord),
    /// A document of a dialect's own.
    Document(DocumentRecord),
    /// That document is gone. One that is not known is gone already.
    DocumentRemove {
        /// The dialect it belongs to.
        dialect: Arc<str>,
        /// The collection it is in.
        collection: String,
        /// Its key.
        key: String,
    },
    /// How far a dialect's counter got.
    Counter {
        /// The dialect it belongs to.
        dialect: Arc<str>,
        /// Its name.
        counter: String,
        /// Its last value. Above `i64::MAX` it counts as that.
        value: u64,
    },
    /// How far a dialect was told the lines of its executions' histories.
    Cursor {
        /// The dialect.
        dialect: Arc<str>,
        /// Of the last line it was told.
        position: u64,
    },
    /// A credential.
    Credential(CredentialRecord),
    /// A credential is not valid any more.
    CredentialRemove {
        /// Its dialect.
        dialect: Arc<str>,
        /// Its account.
        account: String,
    },
    /// A persistent session and its subscriptions.
    MqttSession(MqttSessionRecord),
    /// The persistent session of this client is over.
    MqttSessionRemove(String),
}

/// How much a commit promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// With the operating system: a killed process forgets nothing that was waited for, a power loss may
    /// forget the last second.
    Relaxed,
    /// On the disk.
    Committed,
}

/// A message that must leave, kept until it has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    /// Given by the caller, increasing. Above `i64::MAX` it is refused.
    pub seq: u64,
    /// The execution it belongs to.
    pub execution: ExecutionId,
    /// The attempt it belongs to.
    pub attempt: u32,
    /// Which message of the attempt, from 0.
    pub index: u32,
    /// The device whose session gets it.
    pub to_device: DeviceId,
    /// Whether it goes out only if that session subscribes to its topic.
    pub subscribed_only: bool,
    /// What goes out.
    pub message: Message,
    /// When it must not leave any more, in milliseconds since 1970.
    pub expires_ms: u64,
}
