//! `command/update`: any number of them, with any status, in any state, by any client with the right.

use crate::actions::Call;
use crate::answer::{ApiError, Done, Failure};
use crate::command::{self, Command, Found, Update};
use crate::commands_kept::Heard;
use crate::device::HiveDevice;
use crate::members::Members;
use crate::permission::Permission;
use crate::{STATUS_ATTRIBUTE, announce, commands_kept, labels};
use dragoman_plugin_sdk::{Error, Gateway, Report, Severity, State, outcome};
use serde_json::value::RawValue;

pub(crate) fn update<G: Gateway>(call: &Call<'_, G>) -> Result<Done, Failure> {
    let caller = call.require(Permission::UpdateDeviceCommand)?;
    let device = call.device(caller)?;
    let id = call.id("commandId", "Command")?;
    let members = call.request.members.object("command")?;
    apply(call, &device, id, members.as_ref())
}

/// Changes status and result, tells the gateway what that means, and everybody else what the command is now.
pub(crate) fn apply<G: Gateway>(
    call: &Call<'_, G>,
    device: &HiveDevice,
    id: i64,
    members: Option<&Members>,
) -> Result<Done, Failure> {
    let gateway = call.gateway;
    let found = command::find(gateway, device, id)?.ok_or_else(|| ApiError::not_found("Command", id))?;
    let members = members.ok_or_else(|| ApiError::required("Command"))?;
    let (status, result) = (members.text("status")?, members.kept("result"));
    match found {
        Found::Own(execution, context) => {
            let mut command = Command::of(call.settings, &execution, &context);
            let update = changed(&command, status, result, gateway.now_ms());
            command.change(update.clone());
            command.fits()?;
            let heard = match execution.state {
                State::Queued | State::Sent => Heard::Nothing,
                State::Acked => Heard::Acked,
                _ => Heard::Ended,
            };
            // What is no progress of an execution stands in no other line of its history.
            if !device.is_ours() || tell(call, &execution.id, heard, &update)? != Told::Progress {
                gateway.note(&execution.id, &update.note()?)?;
            }
            if let Some(status) = &update.status {
                gateway.set_label(&execution.id, labels::STATUS, &labels::status(status))?;
            }
            announce::updated(gateway, call.settings, &command, Some(&context.session))?;
        }
        Found::Kept(mut kept) => {
            let update = changed(&kept.command, status, result, gateway.now_ms());
            kept.command.change(update.clone());
            kept.command.fits()?;
            kept.heard = match tell(call, &kept.execution, kept.heard, &update)? {
                Told::Progress => Heard::Acked,
                Told::Verdict => Heard::Ended,
                Told::Nothing => kept.heard,
            };
            commands_kept::replace(gateway, &kept)?;
            announce::updated(gateway, call.settings, &kept.command, None)?;
        }
    }
    Ok(Done::Reply(Vec::new()))
}

/// What is left out stays as it is.
fn changed(command: &Command, status: Option<String>, result: Option<Box<RawValue>>, at_ms: u64) -> Update {
    Update {
        status: status.or_else(|| command.status.clone()),
        result: result.or_else(|| command.result.clone()),
        at_ms,
    }
}

/// As what the gateway was told an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// The device works on it.
    Progress,
    /// Its verdict.
    Verdict,
    /// Behind the end, a status that is no verdict is no news of the device.
    Nothing,
}

/// Tells the gateway what an update says about an execution for a device of this dialect: that the device has it and
/// works on it, or its verdict. For any other device an update is no word of the device.
fn tell<G: Gateway>(call: &Call<'_, G>, execution: &str, heard: Heard, update: &Update) -> Result<Told, Failure> {
    let status = update.status.as_deref().unwrap_or_default();
    let attributes = [(STATUS_ATTRIBUTE.to_owned(), labels::cut(status))];
    let report = |what: &Report| match call.gateway.tell_for(execution, what, &attributes) {
        Ok(()) => Ok(()),
        // The execution is gone, or was never ours to speak of: the platform knows neither.
        Err(error @ (Error::NotFound(_) | Error::Denied(_) | Error::Conflict(_))) => {
            let text = format!("an update of {execution} was not counted: {}", outcome::error_text(&error));
            call.gateway.log(Severity::Warn, &text);
            Ok(())
        }
        Err(error) => Err(Failure::from(error)),
    };
    match (call.settings.status_sets.verdict(status, update.result.as_deref()), heard) {
        (Some(verdict), _) => report(&Report::Ended(verdict)).map(|()| Told::Verdict),
        (None, Heard::Ended) => Ok(Told::Nothing),
        (None, heard) => {
            if heard == Heard::Nothing {
                report(&Report::Acked(None))?;
            }
            report(&Report::Progress(Some(update.note()?))).map(|()| Told::Progress)
        }
    }
}
