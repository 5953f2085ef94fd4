//! Commands that came by another dialect for a device of this one. Their executions belong to that dialect, so what the
//! platform needs, its own id above all, stands in a document.

use crate::command::Command;
use crate::ring;
use dragoman_plugin_sdk::{Error, Gateway};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The collection of the documents.
pub(crate) const COLLECTION: &str = "commands";
/// The indexed member that names the execution.
pub(crate) const EXECUTION_FIELD: &str = "execution";
/// Commands that one execution can have been sent as: steps of a handler, and attempts. The newest are looked at last.
const READ_MAX: u32 = 100;

/// A command as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// The gateway's id of the device.
    pub(crate) device: String,
    pub(crate) execution: String,
    pub(crate) heard: Heard,
    pub(crate) command: Command,
}

/// What the gateway was told of an execution. It belongs to another dialect, so it cannot be read when it is updated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Heard {
    Nothing,
    /// The device has it.
    Acked,
    /// The device's verdict.
    Ended,
}

/// The command that an execution was sent as before and that nobody has updated, if it says the same: an attempt that is
/// repeated is the same command, the next step of a handler is not.
pub(crate) fn unanswered(
    gateway: &impl Gateway,
    execution: &str,
    name: &str,
    parameters: Option<&RawValue>,
) -> Result<Option<Kept>, Error> {
    let fields = [(EXECUTION_FIELD.to_owned(), execution.to_owned())];
    for document in gateway.documents(COLLECTION, &fields, None, READ_MAX)? {
        let kept: Kept = ring::read(&document)?;
        let same = kept.command.command == name
            && kept.command.parameters.as_deref().map(RawValue::get) == parameters.map(RawValue::get);
        if same && kept.command.status.is_none() {
            return Ok(Some(kept));
        }
    }
    Ok(None)
}

/// Keeps a new command; of one device the newest `limit`.
pub(crate) fn add(gateway: &impl Gateway, kept: &Kept, limit: u32) -> Result<(), Error> {
    ring::add(gateway, COLLECTION, (&kept.device, kept.command.id), kept, limit)
}

/// Writes over one that is kept.
pub(crate) fn replace(gateway: &impl Gateway, kept: &Kept) -> Result<(), Error> {
    let key = ring::key(&kept.device, kept.command.id);
    let Some(document) = gateway.document(COLLECTION, &key) else { return Ok(()) };
    gateway.put_document(COLLECTION, &key, &ring::text_of(kept)?, document.revision)
}

/// A command of a device.
pub(crate) fn find(gateway: &impl Gateway, device: &str, id: i64) -> Result<Option<Kept>, Error> {
    gateway.document(COLLECTION, &ring::key(device, id)).as_ref().map(ring::read).transpose()
}

/// Those of one device, or of all.
pub(crate) fn all(gateway: &impl Gateway, device: Option<&str>) -> Result<Vec<Kept>, Error> {
    ring::all(gateway, COLLECTION, device)
}

/// Removes what is kept about a device.
pub(crate) fn forget(gateway: &impl Gateway, device: &str) -> Result<(), Error> {
    ring::forget(gateway, COLLECTION, device)
}
