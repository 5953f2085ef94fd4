//! What happens to commands and devices elsewhere in the gateway, told to this dialect's clients.

use crate::command::{self, Command, Context, Update};
use crate::device::HiveDevice;
use crate::notification::{self, Draft};
use crate::settings::Settings;
use crate::{NAME, announce, labels, topics};
use dragoman_plugin_sdk::{Decoded, Error, Event, Execution, Gateway, Payload, Transition, json};
use serde_json::value::{RawValue, to_raw_value};

/// Transitions that are asked for, with what each is good for.
pub(crate) const WANTED: [&str; 3] = [QUEUED, PROGRESS, ENDED];
/// A command for another dialect's device is announced: there is no dispatch of ours that does.
const QUEUED: &str = "queued";
/// That device works on it.
const PROGRESS: &str = "progress";
/// It has a verdict, or the gateway gave up.
const ENDED: &str = "ended";

/// Kinds of events that become notifications, where their device has an id of the platform.
pub(crate) const KINDS: [&str; 4] = ["notification", "properties", "uplink", "message"];

/// Announces what no call of ours has announced: a command for a device of another dialect and what becomes of it, and
/// the end of one that a handler carried out in steps of its own.
pub(crate) fn told(gateway: &impl Gateway, execution: &Execution, transitions: &[Transition]) -> Result<(), Error> {
    let settings = Settings::read(gateway)?;
    let context = Context::of(execution)?;
    for transition in transitions {
        let mut command = Command::of(&settings, execution, &context);
        match transition.event.as_str() {
            QUEUED if !context.ours => {
                // As it was then: what came later is told by its own events.
                command.change(Update {
                    status: context.status.clone(),
                    result: context.result.clone(),
                    at_ms: command.timestamp,
                });
                announce::inserted(gateway, &command)?;
            }
            PROGRESS if !context.ours => {
                let result = transition.detail.as_deref().map(json::raw);
                let status = Some(settings.status_words.progress.clone());
                command.change(Update { status, result, at_ms: transition.at_ms });
                announce::updated(gateway, &settings, &command, Some(&context.session))?;
            }
            ENDED => {
                let Some(end) = command::end(&settings, execution, &context) else { continue };
                if let Some(status) = &end.status {
                    gateway.set_label(&execution.id, labels::STATUS, &labels::status(status))?;
                }
                command.change(end);
                announce::updated(gateway, &settings, &command, Some(&context.session))?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Makes a notification of what a device of another dialect says, if the platform knows the device.
pub(crate) fn happened(gateway: &impl Gateway, event: &Event, decoded: Option<&Decoded>) -> Result<(), Error> {
    let Some(record) = gateway.device(&event.device).filter(|record| record.dialect != NAME) else { return Ok(()) };
    let Some(device) = HiveDevice::of(gateway, record)? else { return Ok(()) };
    let name = event.name.as_deref().filter(|name| topics::is_plain(name)).unwrap_or(&event.kind);
    let draft = Draft { name: name.to_owned(), parameters: parameters(event, decoded), timestamp_ms: event.at_ms };
    notification::insert(gateway, &Settings::read(gateway)?, &device, draft).map(|_| ())
}

/// What the device's handler read, else what its dialect did, else the payload where it is text.
fn parameters(event: &Event, decoded: Option<&Decoded>) -> Option<Box<RawValue>> {
    let read = decoded.map(|decoded| decoded.value.as_str()).or(event.body.as_deref());
    match (read, &event.raw) {
        (Some(read), _) => Some(json::raw(read)),
        (None, Some(Payload::Text(text))) => to_raw_value(text).ok(),
        (None, _) => None,
    }
}
