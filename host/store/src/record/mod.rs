//! The written form of what is kept: JSON objects, one module per record.
//!
//! Core types carry no serde. Here is a counterpart for each, converted field by field: destructuring without `..` makes
//! the compiler name this place when a field is added. A field that is added gets `#[serde(default)]`, and fields that
//! are not known are passed over, so that older and newer records can be read.

mod dead_letter;
mod device;
mod execution;
mod intent;
mod message;
mod options;
mod request;
mod transition;
mod verdict;

pub(crate) use dead_letter::DeadLetterBody;
pub(crate) use device::DeviceBody;
pub(crate) use execution::ExecutionBody;
pub(crate) use message::OutboxBody;
pub(crate) use request::RequestBody;
pub(crate) use transition::TransitionBody;
pub(crate) use verdict::state_word;

#[cfg(test)]
mod tests;

use crate::error::StoreError;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The text of a record. `what` and `key` name it where it cannot be written.
pub(crate) fn write(what: &'static str, key: &str, body: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(body).map_err(|error| StoreError::Unwritable {
        what,
        key: key.to_owned(),
        detail: error.to_string(),
    })
}

/// A record from its text. `what` and `key` name it where it cannot be read.
pub(crate) fn read<T: DeserializeOwned>(what: &'static str, key: &str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Unreadable {
        what,
        key: key.to_owned(),
        detail: error.to_string(),
    })
}

/// Whether an optional field may be left out.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
