//! Networks and device types: `network/…` and `devicetype/…` as far as they read. They are what the settings say.

use crate::actions::Call;
use crate::answer::{ApiError, Done, Failure, reply};
use crate::caller::Caller;
use crate::device::{self, HiveDevice, View};
use crate::paging::{Paging, Pattern};
use crate::permission::{Permission, Scope};
use crate::settings::Settings;
use dragoman_plugin_sdk::Gateway;
use serde::Serialize;
use std::collections::BTreeMap;

/// Networks, or device types: both are a number, a name and a description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Catalogue {
    Networks,
    DeviceTypes,
}

/// A network or a device type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Entry {
    pub(crate) id: i64,
    pub(crate) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'static str>,
}

impl Catalogue {
    /// Id and name, as the operator set them.
    fn set(self, settings: &Settings) -> &BTreeMap<i64, String> {
        match self {
            Self::Networks => &settings.networks,
            Self::DeviceTypes => &settings.device_types,
        }
    }

    /// What a fresh platform comes with. It is there under another name where the operator gave its id one.
    fn first(self) -> Entry {
        let (name, description) = match self {
            Self::Networks => ("VirtualLed Sample Network", "A DeviceHive network for VirtualLed sample"),
            Self::DeviceTypes => ("Default Device Type", "Default DeviceHive device type"),
        };
        Entry { id: 1, name: name.to_owned(), description: Some(description) }
    }

    /// The words of errors, answers and requests: kind, single member, list member, id member.
    fn words(self) -> (&'static str, &'static str, &'static str, &'static str) {
        match self {
            Self::Networks => ("Network", "network", "networks", "networkId"),
            Self::DeviceTypes => ("Device type", "deviceType", "deviceTypes", "deviceTypeId"),
        }
    }

    fn permission(self) -> Permission {
        match self {
            Self::Networks => Permission::GetNetwork,
            Self::DeviceTypes => Permission::GetDeviceType,
        }
    }

    pub(crate) fn scope(self, caller: &Caller) -> &Scope {
        match self {
            Self::Networks => &caller.networks,
            Self::DeviceTypes => &caller.device_types,
        }
    }

    fn has(self, device: &HiveDevice, id: i64) -> bool {
        match self {
            Self::Networks => device.profile.network_id == id,
            Self::DeviceTypes => device.profile.device_type_id == id,
        }
    }

    /// All of them, by id.
    fn all(self, settings: &Settings) -> Vec<Entry> {
        let set = self.set(settings);
        let first = Some(self.first()).filter(|first| !set.contains_key(&first.id));
        let entry = |(id, name): (&i64, &String)| Entry { id: *id, name: name.clone(), description: None };
        first.into_iter().chain(set.iter().map(entry)).collect()
    }

    pub(crate) fn by_id(self, settings: &Settings, id: i64) -> Option<Entry> {
        match self.set(settings).get(&id) {
            Some(name) => Some(Entry { id, name: name.clone(), description: None }),
            None => Some(self.first()).filter(|first| first.id == id),
        }
    }

    /// Where two have the same name, the one with the lower id.
    pub(crate) fn by_name(self, settings: &Settings, name: &str) -> Option<Entry> {
        self.all(settings).into_iter().find(|entry| entry.name == name)
    }

    /// By the level of a topic: a number is an id, anything else a name where topics may have names.
    pub(crate) fn by_level(self, settings: &Settings, level: &str) -> Option<Entry> {
        match level.parse() {
            Ok(id) => self.by_id(settings, id),
            Err(_) if settings.names_in_topics => self.by_name(settings, level),
            Err(_) => None,
        }
    }
}

/// One, with its devices that the caller sees.
pub(crate) fn get<G: Gateway>(call: &Call<'_, G>, of: Catalogue) -> Result<Done, Failure> {
    #[derive(Serialize)]
    struct WithDevices<'a> {
        #[serde(flatten)]
        entry: Entry,
        devices: Vec<View<'a>>,
    }
    let caller = call.require(of.permission())?;
    let (kind, single, _, id_member) = of.words();
    let id = call.id(id_member, kind)?;
    if !of.scope(caller).has(id) {
        return Err(ApiError::denied().into());
    }
    let entry = of.by_id(call.settings, id).ok_or_else(|| ApiError::not_found(kind, id))?;
    let devices = device::all(call.gateway, |device| of.has(device, id) && caller.sees(device))?;
    reply(single, &WithDevices { entry, devices: devices.iter().map(HiveDevice::view).collect() })
}

pub(crate) fn list<G: Gateway>(call: &Call<'_, G>, of: Catalogue) -> Result<Done, Failure> {
    let caller = call.require(of.permission())?;
    let paging = Paging::read(&call.request.members, &["id", "name"])?;
    let found = found(call, of, caller)?;
    let page = match paging.field.as_deref() {
        Some("name") => paging.apply(found, |a, b| a.name.cmp(&b.name)),
        _ => paging.apply(found, |a, b| a.id.cmp(&b.id)),
    };
    reply(of.words().2, &page)
}

pub(crate) fn count<G: Gateway>(call: &Call<'_, G>, of: Catalogue) -> Result<Done, Failure> {
    let caller = call.require(of.permission())?;
    reply("count", &found(call, of, caller)?.len())
}

fn found<G: Gateway>(call: &Call<'_, G>, of: Catalogue, caller: &Caller) -> Result<Vec<Entry>, Failure> {
    let members = &call.request.members;
    let (name, pattern) = (members.text("name")?, Pattern::read(members, "namePattern")?);
    let mut all = of.all(call.settings);
    all.retain(|entry| {
        of.scope(caller).has(entry.id)
            && name.as_ref().is_none_or(|name| *name == entry.name)
            && pattern.as_ref().is_none_or(|pattern| pattern.fits(&entry.name))
    });
    Ok(all)
}
