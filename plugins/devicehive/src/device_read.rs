//! `device/get`, `device/list` and `device/count`.

use crate::actions::Call;
use crate::answer::{Done, Failure, reply};
use crate::caller::Caller;
use crate::catalogue::Catalogue;
use crate::device::{self, HiveDevice};
use crate::paging::{Paging, Pattern};
use crate::permission::Permission;
use dragoman_plugin_sdk::Gateway;

pub(crate) fn get<G: Gateway>(call: &Call<'_, G>) -> Result<Done, Failure> {
    let caller = call.require(Permission::GetDevice)?;
    reply("device", &call.device(caller)?.view())
}

pub(crate) fn list<G: Gateway>(call: &Call<'_, G>) -> Result<Done, Failure> {
    let caller = call.require(Permission::GetDevice)?;
    let paging = Paging::read(&call.request.members, &["name", "status", "network"])?;
    let found = found(call, caller)?;
    let page = match paging.field.as_deref() {
        Some("name") => paging.apply(found, |a, b| a.profile.name.cmp(&b.profile.name)),
        Some("network") => paging.apply(found, |a, b| a.profile.network_id.cmp(&b.profile.network_id)),
        Some("status") => paging.apply(found, |a, b| a.profile.is_blocked.cmp(&b.profile.is_blocked)),
        _ => paging.apply(found, |a, b| a.id.cmp(&b.id)),
    };
    reply("devices", &page.iter().map(HiveDevice::view).collect::<Vec<_>>())
}

pub(crate) fn count<G: Gateway>(call: &Call<'_, G>) -> Result<Done, Failure> {
    let permission = match call.settings.has_documented_rights() {
        true => Permission::RegisterDevice,
        false => Permission::GetDevice,
    };
    let caller = call.require(permission)?;
    reply("count", &found(call, caller)?.len())
}

/// The devices that the caller sees and the request's filters fit.
fn found<G: Gateway>(call: &Call<'_, G>, caller: &Caller) -> Result<Vec<HiveDevice>, Failure> {
    let members = &call.request.members;
    let (name, pattern) = (members.text("name")?, Pattern::read(members, "namePattern")?);
    let network = members.number("networkId")?;
    // A name of no network is a filter that fits no device.
    let id_of = |name: String| Catalogue::Networks.by_name(call.settings, &name).map_or(i64::MIN, |network| network.id);
    let named = members.text("networkName")?.map(id_of);
    device::all(call.gateway, |device| {
        let profile = &device.profile;
        caller.sees(device)
            && name.as_ref().is_none_or(|name| *name == profile.name)
            && pattern.as_ref().is_none_or(|pattern| pattern.fits(&profile.name))
            && network.is_none_or(|network| network == profile.network_id)
            && named.is_none_or(|network| network == profile.network_id)
    })
}
