//! `command/update`: any number of them, with any status, in any state, by any client with the right.

use crate::actions::Call;
use crate::answer::{ApiError, Done, Failure};
use crate::command::{self, Command, Found, Update};
use crate::device::HiveDevice;
use crate::members::Members;
use crate::permission::Permission;
use crate::{STATUS_ATTRIBUTE, announce, commands_kept, labels};
use dragoman_plugin_sdk::{Error, Execution, Gateway, Report, Severity, State, outcome};
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
            if tell(call, device, &execution, &update)? == Told::Otherwise {
                gateway.note(&execution.id, &update.note()?)?;
            }
            if let Some(status) = &update.status {
                gateway.set_label(&execution.id, labels::STATUS, &labels::status(status))?;
            }
            command.change(update);
            announce::updated(gateway, call.settings, &command, Some(&context.session))?;
        }
        Found::Kept(mut kept) => {
            let update = changed(&kept.command, status, result, gateway.now_ms());
            if let Some(execution) = gateway.execution(&kept.execution) {
                tell(call, device, &execution, &update)?;
            }
            kept.command.change(update);
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

/// How the history of an execution came to know of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// By a progress that carries it.
    AsProgress,
    /// By something that does not say it all, or not at all.
    Otherwise,
}

/// Tells the gateway what the update says about the execution: that the device has it, that it works on it, or its
/// verdict. Only for devices of this dialect; for any other an update is no word of the device.
fn tell<G: Gateway>(
    call: &Call<'_, G>,
    device: &HiveDevice,
    execution: &Execution,
    update: &Update,
) -> Result<Told, Failure> {
    if !device.is_ours() {
        return Ok(Told::Otherwise);
    }
    let status = update.status.as_deref().unwrap_or_default();
    let attributes = [(STATUS_ATTRIBUTE.to_owned(), labels::cut(status))];
    let report = |what: &Report| match call.gateway.tell_for(&execution.id, what, &attributes) {
        Ok(()) => Ok(()),
        // The execution is gone, or was never ours to speak of: the platform knows neither.
        Err(error @ (Error::NotFound(_) | Error::Denied(_) | Error::Conflict(_))) => {
            let text = format!("an update of {} was not counted: {}", execution.id, outcome::error_text(&error));
            call.gateway.log(Severity::Warn, &text);
            Ok(())
        }
        Err(error) => Err(Failure::from(error)),
    };
    match call.settings.status_sets.verdict(status, update.result.as_deref()) {
        Some(verdict) => report(&Report::Ended(verdict)).map(|()| Told::Otherwise),
        // Behind the end, a status that is no verdict is no news of the device.
        None if outcome::is_final(execution.state) => Ok(Told::Otherwise),
        None => {
            if matches!(execution.state, State::Queued | State::Sent) {
                report(&Report::Acked(None))?;
            }
            report(&Report::Progress(Some(update.note()?))).map(|()| Told::AsProgress)
        }
    }
}
