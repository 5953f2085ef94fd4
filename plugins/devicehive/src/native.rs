//! A client that publishes to an event topic itself: the same as the action (seed, "Notification/Command publishing").

use crate::actions::{self, Call, Request};
use crate::answer::{ApiError, Done, Failure};
use crate::caller::Notes;
use crate::catalogue::Catalogue;
use crate::device::HiveDevice;
use crate::permission::Permission;
use crate::settings::{NativePublish, Settings};
use crate::topics::Kind;
use crate::{command_insert, command_update, notification_actions};
use dragoman_plugin_sdk::{Error, Gateway, Message, Session, Wait};

/// Carries out what a message on an event topic is. It is answered like the action, on that action's response topic,
/// where the client listens there.
pub(crate) fn handle(
    gateway: &impl Gateway,
    session: &Session,
    message: &Message,
    kind: Kind,
    levels: &[&str],
) -> Result<Option<Wait>, Error> {
    let settings = Settings::read(gateway)?;
    if settings.native_publish == NativePublish::Ignore {
        return Ok(None);
    }
    let notes = Notes::read(gateway, &session.id)?;
    let read = Request::read(&message.payload);
    let malformed = read.is_none();
    let request = Request { action: action(kind).to_owned(), ..read.unwrap_or_default() };
    let call = Call { gateway, settings: &settings, session, notes: &notes, request: &request };
    let done = if malformed { Err(ApiError::malformed().into()) } else { run(&call, kind, levels) };
    actions::conclude(&call, done)
}

fn action(kind: Kind) -> &'static str {
    match kind {
        Kind::Command => "command/insert",
        Kind::CommandUpdate => "command/update",
        Kind::Notification => "notification/insert",
    }
}

fn run<G: Gateway>(call: &Call<'_, G>, kind: Kind, levels: &[&str]) -> Result<Done, Failure> {
    let permission = match kind {
        Kind::Command => Permission::CreateDeviceCommand,
        Kind::CommandUpdate => Permission::UpdateDeviceCommand,
        Kind::Notification => Permission::CreateDeviceNotification,
    };
    call.request.check_id()?;
    let caller = call.require(permission)?;
    let [network, device_type, device, name @ ..] = levels else { return Err(ApiError::wrong_id("Device").into()) };
    let device = caller.device(call.gateway, Some(device))?;
    if !is_place(call.settings, &device, network, device_type) {
        return Err(ApiError::denied().into());
    }
    let name = name.join("/");
    let name = Some(name.as_str()).filter(|name| !name.is_empty());
    // Either the command itself, or the whole request of the action.
    let members = &call.request.members;
    let wrapped = match kind {
        Kind::Command | Kind::CommandUpdate => members.object("command").ok().flatten(),
        Kind::Notification => members.object("notification").ok().flatten(),
    };
    let body = wrapped.as_ref().unwrap_or(members);
    match kind {
        Kind::Command => command_insert::submit(call, caller, &device, body, name),
        Kind::Notification => notification_actions::accept(call, &device, body, name),
        Kind::CommandUpdate => {
            let id = |name| body.number(name).or_else(|_| members.number(name)).ok().flatten();
            let id = id("commandId").or_else(|| id("id")).or_else(|| members.number("commandId").ok().flatten());
            let id = id.ok_or_else(|| ApiError::wrong_id("Command"))?;
            command_update::apply(call, &device, id, Some(body))
        }
    }
}

/// Whether the device is in the network and of the type that the topic says, by id or by name.
fn is_place(settings: &Settings, device: &HiveDevice, network: &str, device_type: &str) -> bool {
    let is = |of: Catalogue, level: &str, id: i64| of.by_level(settings, level).is_some_and(|entry| entry.id == id);
    is(Catalogue::Networks, network, device.profile.network_id)
        && is(Catalogue::DeviceTypes, device_type, device.profile.device_type_id)
}
