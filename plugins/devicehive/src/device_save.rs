//! `device/save` and `device/delete`.

use crate::actions::Call;
use crate::answer::{ApiError, Done, Failure};
use crate::caller::Caller;
use crate::catalogue::Catalogue;
use crate::device::{HiveDevice, Profile};
use crate::members::Members;
use crate::notification::{self, Draft};
use crate::permission::{Permission, Scope};
use crate::{ID_ALIAS, NETWORK_LABEL, TYPE_LABEL, commands_kept};
use dragoman_plugin_sdk::{Attributes, Error, Gateway, Registration, json};
use serde_json::value::to_raw_value;

const ID_CHARS_MAX: usize = 128;
const NAME_CHARS_MAX: usize = 128;

/// Registers a device, or changes one. `data` is overwritten even when it is left out; other members only when present.
pub(crate) fn save<G: Gateway>(call: &Call<'_, G>) -> Result<Done, Failure> {
    let permission = match call.settings.has_documented_rights() {
        true => Permission::GetDevice,
        false => Permission::RegisterDevice,
    };
    let caller = call.require(permission)?;
    let id = call.request.members.text("deviceId").ok().flatten().filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| ApiError::wrong_id("Device"))?;
    let known = HiveDevice::find(call.gateway, &id);
    if known.as_ref().is_some_and(|known| !caller.sees(known)) {
        return Err(ApiError::denied().into());
    }
    if id.len() > ID_CHARS_MAX || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Err(ApiError::new(400, "Device Id can only contain letters, digits and dashes.").into());
    }
    let members = call.request.members.object("device")?;
    let members = members.ok_or_else(|| ApiError::new(400, "Missing or invalid payload in request"))?;
    let profile = profile(call, caller, known.as_ref(), &members)?;
    let (device, event) = match known {
        None => (create(call, &id, profile)?, "$device-add"),
        Some(known) => (change(call, known, profile)?, "$device-update"),
    };
    let parameters = to_raw_value(&device.view()).map_err(|error| Error::Internal(error.to_string()))?;
    let draft = Draft { name: event.to_owned(), parameters: Some(parameters), timestamp_ms: call.gateway.now_ms() };
    notification::insert(call.gateway, call.settings, &device, draft)?;
    Ok(Done::Reply(Vec::new()))
}

/// What the device is to be.
fn profile<G: Gateway>(
    call: &Call<'_, G>,
    caller: &Caller,
    known: Option<&HiveDevice>,
    members: &Members,
) -> Result<Profile, Failure> {
    let name = members.text("name")?.or_else(|| known.map(|known| known.profile.name.clone()));
    let name = name.filter(|name| (1..=NAME_CHARS_MAX).contains(&name.chars().count()));
    let name = name.ok_or_else(|| ApiError::new(400, "The name of a device must have 1 to 128 symbols."))?;
    let network_id = match members.number("networkId")? {
        Some(id) => place(call, Catalogue::Networks, &caller.networks, id)?,
        None => match known {
            Some(known) => known.profile.network_id,
            None => own(&caller.networks, call.settings.default_network)
                .ok_or_else(|| ApiError::new(403, "No access to network!"))?,
        },
    };
    let device_type_id = match members.number("deviceTypeId")? {
        Some(id) => place(call, Catalogue::DeviceTypes, &caller.device_types, id)?,
        None => match known {
            Some(known) => known.profile.device_type_id,
            None => own(&caller.device_types, call.settings.default_device_type).ok_or_else(ApiError::denied)?,
        },
    };
    let is_blocked = members.flag("isBlocked")?.or_else(|| known.map(|known| known.profile.is_blocked));
    let data = members.kept("data");
    Ok(Profile { name, data, network_id, device_type_id, is_blocked: is_blocked.unwrap_or_default() })
}

/// The default where it is the caller's, else the caller's first.
fn own(scope: &Scope, default: i64) -> Option<i64> {
    match scope {
        Scope::Only(ids) if !ids.contains(&default) => ids.first().copied(),
        _ => Some(default),
    }
}

/// A network, or device type, that exists and is the caller's.
fn place<G: Gateway>(call: &Call<'_, G>, of: Catalogue, scope: &Scope, id: i64) -> Result<i64, Failure> {
    if !scope.has(id) {
        return Err(ApiError::denied().into());
    }
    of.by_id(call.settings, id).ok_or_else(ApiError::invalid)?;
    Ok(id)
}

fn create<G: Gateway>(call: &Call<'_, G>, id: &str, profile: Profile) -> Result<HiveDevice, Failure> {
    let what = Registration {
        id: None,
        handler: None,
        parent: None,
        aliases: vec![(ID_ALIAS.to_owned(), id.to_owned())],
        labels: labels(Vec::new(), &profile),
        profile: text_of(&profile)?,
    };
    let registered = call.gateway.register(&what).map_err(changed_meanwhile)?;
    // What was written in this call cannot be read in it.
    let record = dragoman_plugin_sdk::Device {
        id: registered,
        dialect: crate::NAME.to_owned(),
        handler: None,
        parent: None,
        online: true,
        session: None,
        aliases: what.aliases,
        labels: what.labels,
        profile: Some(what.profile),
        revision: 1,
        created_ms: call.gateway.now_ms(),
    };
    Ok(HiveDevice { record, id: id.to_owned(), profile })
}

fn change<G: Gateway>(call: &Call<'_, G>, known: HiveDevice, profile: Profile) -> Result<HiveDevice, Failure> {
    let (record, text) = (&known.record, text_of(&profile)?);
    let done = if known.is_ours() {
        let what = Registration {
            id: None,
            handler: record.handler.clone(),
            parent: record.parent.clone(),
            aliases: record.aliases.clone(),
            labels: labels(record.labels.clone(), &profile),
            profile: text,
        };
        call.gateway.update_device(&record.id, &what, record.revision)
    } else {
        // Its record belongs to the dialect that reaches it; what the platform knows about it is ours.
        call.gateway.put_profile(&record.id, &text, record.revision)
    };
    done.map_err(changed_meanwhile)?;
    Ok(HiveDevice { profile, ..known })
}

/// The labels of a device, those of network and device type made anew.
fn labels(mut labels: Attributes, profile: &Profile) -> Attributes {
    labels.retain(|(name, _)| name != NETWORK_LABEL && name != TYPE_LABEL);
    labels.push((NETWORK_LABEL.to_owned(), profile.network_id.to_string()));
    labels.push((TYPE_LABEL.to_owned(), profile.device_type_id.to_string()));
    labels
}

fn text_of(profile: &Profile) -> Result<String, Failure> {
    let text = serde_json::to_string(profile).map_err(|error| Error::Internal(error.to_string()))?;
    if text.len() > json::EMBEDDED_BYTES_MAX {
        return Err(ApiError::new(400, format!("A device has at most {} bytes.", json::EMBEDDED_BYTES_MAX)).into());
    }
    Ok(text)
}

fn changed_meanwhile(error: Error) -> Failure {
    match error {
        Error::Conflict(_) => ApiError::new(409, "The device was changed by somebody else. Ask again.").into(),
        Error::Invalid(text) | Error::Limit(text) => ApiError::new(400, text).into(),
        error => error.into(),
    }
}

/// Removes a device with its notifications. One that another dialect reaches is not the platform's to remove.
pub(crate) fn delete<G: Gateway>(call: &Call<'_, G>) -> Result<Done, Failure> {
    let caller = call.require(Permission::RegisterDevice)?;
    let device = call.device(caller)?;
    if !device.is_ours() {
        let text = format!("Device {} is reached by another platform. Remove it there.", device.id);
        return Err(ApiError::new(403, text).into());
    }
    notification::forget(call.gateway, &device.record.id)?;
    commands_kept::forget(call.gateway, &device.record.id)?;
    call.gateway.remove_device(&device.record.id).map_err(changed_meanwhile)?;
    Ok(Done::Reply(Vec::new()))
}
