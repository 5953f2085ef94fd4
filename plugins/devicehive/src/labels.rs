//! Labels of executions, by which commands are found again.

use crate::command::Context;
use dragoman_plugin_sdk::outcome;

/// The name of the command.
pub(crate) const COMMAND: &str = "command";
/// The newest status, in lower case: the platform looks for it without regard to case.
pub(crate) const STATUS: &str = "status";
/// The network of the device.
pub(crate) const NETWORK: &str = "network";
/// The type of the device.
pub(crate) const DEVICE_TYPE: &str = "type";

/// Bytes of a label's value that are compared; a status is free text.
const VALUE_BYTES_MAX: usize = 128;

/// Labels of a new command.
pub(crate) fn of_command(context: &Context, name: &str, status: Option<&str>) -> Vec<(String, String)> {
    let mut labels = vec![
        (COMMAND.to_owned(), cut(name)),
        (NETWORK.to_owned(), context.network_id.to_string()),
        (DEVICE_TYPE.to_owned(), context.device_type_id.to_string()),
    ];
    labels.extend(status.map(|status| (STATUS.to_owned(), self::status(status))));
    labels
}

/// The value of the label of a status.
pub(crate) fn status(status: &str) -> String {
    cut(&status.to_lowercase())
}

/// The part of a text that is compared.
pub(crate) fn cut(text: &str) -> String {
    outcome::cut(text, VALUE_BYTES_MAX).to_owned()
}
