//! What two calls must not look at and write at the same time.

use crate::runtime::submit;
use dragoman_core::ExecutionId;
use dragoman_wasm::PluginWrite;

/// The locks that a write needs from the look to the turn.
pub(super) fn of(plugin: &str, write: &PluginWrite) -> Vec<String> {
    match write {
        PluginWrite::Submit(submit) => submit::locks(plugin, submit),
        PluginWrite::PutProfile { device, .. } => vec![profile(plugin, device.as_str()), submit::device(device)],
        PluginWrite::RemoveDevice(device) => vec![submit::device(device)],
        PluginWrite::UpdateDevice(update) => vec![profile(plugin, update.id.as_str())],
        PluginWrite::PutDocument { collection, key, .. } | PluginWrite::RemoveDocument { collection, key, .. } => {
            vec![document(plugin, collection, key)]
        }
        // A note or a label of an execution that has ended replaces its record, and so does a late report.
        PluginWrite::Note { id, .. } | PluginWrite::SetLabel { id, .. } | PluginWrite::TellFor { id, .. } => {
            vec![execution(id)]
        }
        _ => Vec::new(),
    }
}

/// Whether a write changes which devices there are or what they are called.
pub(super) fn changes_registry(write: &PluginWrite) -> bool {
    matches!(
        write,
        PluginWrite::CreateDevice(_)
            | PluginWrite::UpdateDevice(_)
            | PluginWrite::RemoveDevice(_)
            | PluginWrite::AddAlias { .. }
    )
}

/// Names an execution that may have ended.
pub(super) fn execution(id: &ExecutionId) -> String {
    format!("e\0{id}")
}

/// Names a profile among the revisions that a call writes.
pub(super) fn profile(plugin: &str, device: &str) -> String {
    format!("p\0{plugin}\0{device}")
}

/// Names a document among the revisions that a call writes.
pub(super) fn document(plugin: &str, collection: &str, key: &str) -> String {
    format!("d\0{plugin}\0{collection}\0{key}")
}
