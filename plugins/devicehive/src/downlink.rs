//! What is sent to a device: the event on `dh/command/…`, which everybody who subscribed gets, the device among them.

use crate::command::{Command, Context};
use crate::commands_kept::{self, Heard, Kept};
use crate::device::HiveDevice;
use crate::settings::Settings;
use crate::{ID_ALIAS, NAME, announce, intents, ring, topics};
use dragoman_plugin_sdk::{Device, Dispatched, Error, Execution, Gateway, Intent, outcome};

/// Publishes the command once. Whoever dispatches announces, so nothing else does for a device of this dialect.
pub(crate) fn dispatch(gateway: &impl Gateway, device: &Device, execution: &Execution) -> Result<Dispatched, Error> {
    let settings = Settings::read(gateway)?;
    let Some(device) = HiveDevice::of(gateway, device.clone())? else {
        let text = format!("device {} has no alias {ID_ALIAS} that can stand in a topic", device.id);
        return Ok(Dispatched::Unsupported(outcome::reason("NO_DEVICE_ID", text)));
    };
    let command = if execution.origin == NAME && outcome::is_plain(execution) {
        Command::of(&settings, execution, &Context::of(execution)?)
    } else {
        let frame = match execution.frames.as_slice() {
            [] => &execution.intent,
            [frame] => frame,
            _ => {
                let text = "a DeviceHive device is sent one command at a time";
                return Ok(Dispatched::Unsupported(outcome::reason("MANY_FRAMES", text)));
            }
        };
        match keep(gateway, &settings, &device, execution, frame)? {
            Ok(command) => command,
            Err(reason) => return Ok(Dispatched::Unsupported(reason)),
        }
    };
    announce::inserted(gateway, &command)?;
    Ok(Dispatched::Send(Vec::new()))
}

/// Makes a command of the platform of what came by another dialect, or of a handler's step: with an id of the platform's
/// own, by which clients will speak of it.
fn keep(
    gateway: &impl Gateway,
    settings: &Settings,
    device: &HiveDevice,
    execution: &Execution,
    frame: &Intent,
) -> Result<Result<Command, dragoman_plugin_sdk::Reason>, Error> {
    let (name, parameters) = match intents::words(settings, frame) {
        Ok(words) => words,
        Err(reason) => return Ok(Err(reason)),
    };
    if !topics::is_plain(&name) {
        let text = format!("the name {name:?} cannot stand in a topic");
        return Ok(Err(outcome::reason("BAD_NAME", text)));
    }
    if let Some(known) = commands_kept::unanswered(gateway, &execution.id, &name, parameters.as_deref())? {
        return Ok(Ok(known.command));
    }
    let now_ms = gateway.now_ms();
    let left_s = execution.deadline_ms.saturating_sub(now_ms).div_ceil(1_000);
    let command = Command {
        id: ring::next_id(gateway, "command"),
        command: name,
        timestamp: now_ms,
        last_updated: now_ms,
        user_id: None,
        device_id: device.id.clone(),
        network_id: device.profile.network_id,
        device_type_id: device.profile.device_type_id,
        parameters,
        lifetime: i64::try_from(left_s).ok(),
        status: None,
        result: None,
    };
    let kept =
        Kept { device: device.record.id.clone(), execution: execution.id.clone(), heard: Heard::Nothing, command };
    let added = kept.command.fits().and_then(|()| commands_kept::add(gateway, &kept, settings.commands_kept));
    match added {
        Ok(()) => Ok(Ok(kept.command)),
        Err(Error::Limit(text) | Error::Invalid(text)) => Ok(Err(outcome::reason("TOO_LARGE", text))),
        Err(error) => Err(error),
    }
}
