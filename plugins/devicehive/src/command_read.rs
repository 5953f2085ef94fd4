//! `command/get` and `command/list`.

use crate::actions::Call;
use crate::answer::{ApiError, Done, Failure, reply};
use crate::command::{self, Command, Found, Wanted};
use crate::labels;
use crate::members::Members;
use crate::paging::Paging;
use crate::permission::Permission;
use dragoman_plugin_sdk::{Gateway, time};

pub(crate) fn get<G: Gateway>(call: &Call<'_, G>) -> Result<Done, Failure> {
    let caller = call.require(Permission::GetDeviceCommand)?;
    let device = call.device(caller)?;
    let id = call.id("commandId", "Command")?;
    let found = command::find(call.gateway, &device, id)?.ok_or_else(|| ApiError::not_found("Command", id))?;
    match found {
        Found::Own(execution, context) => reply("command", &Command::of(call.settings, &execution, &context)),
        Found::Kept(kept) => reply("command", &kept.command),
    }
}

pub(crate) fn list<G: Gateway>(call: &Call<'_, G>) -> Result<Done, Failure> {
    let caller = call.require(Permission::GetDeviceCommand)?;
    let device = call.device(caller)?;
    let members = &call.request.members;
    let paging = Paging::read(members, &["timestamp", "command", "status"])?;
    let (start_ms, end_ms) = (instant_of(members, "start")?, instant_of(members, "end")?);
    let mut names = members.texts("names")?.unwrap_or_default();
    names.extend(members.text("command")?);
    let status = members.text("status")?.map(|status| status.to_lowercase());
    let mut wanted = Vec::new();
    if let [name] = names.as_slice() {
        wanted.push((labels::COMMAND.to_owned(), labels::cut(name)));
    }
    // A command of another dialect's device gets its last status from its end, which is no label until it is told.
    if let Some(status) = status.as_deref().filter(|_| device.is_ours()) {
        wanted.push((labels::STATUS.to_owned(), labels::status(status)));
    }
    let wanted = Wanted { device: Some(&device.record.id), labels: wanted, since_ms: start_ms, most: None };
    let found: Vec<Command> = command::select(call.gateway, call.settings, &wanted, |command| {
        end_ms.is_none_or(|end_ms| command.timestamp <= end_ms)
            && (names.is_empty() || names.contains(&command.command))
            && status
                .as_ref()
                .is_none_or(|wanted| command.status.as_ref().is_some_and(|status| status.to_lowercase() == *wanted))
    })?;
    let page = match paging.field.as_deref() {
        Some("command") => paging.apply(found, |a, b| a.command.cmp(&b.command)),
        Some("status") => paging.apply(found, |a, b| a.status.cmp(&b.status)),
        _ => paging.apply(found, |a, b| (a.timestamp, a.id).cmp(&(b.timestamp, b.id))),
    };
    reply("commands", &page)
}

/// A time of a request.
pub(crate) fn instant_of(members: &Members, name: &str) -> Result<Option<u64>, Failure> {
    let Some(text) = members.text(name)? else { return Ok(None) };
    Ok(Some(time::iso_8601(&text).ok_or_else(ApiError::invalid)?))
}
