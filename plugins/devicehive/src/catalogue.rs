//! Networks and device types: `network/…` and `devicetype/…` as far as they read.

use crate::actions::Call;
use crate::answer::{ApiError, Done, Failure, reply};
use crate::caller::Caller;
use crate::device::{self, HiveDevice, View};
use crate::paging::{Paging, is_like};
use crate::permission::{Permission, Scope};
use crate::ring;
use dragoman_plugin_sdk::{Error, Gateway};
use serde::{Deserialize, Serialize};

/// Entries that are read at most.
const READ_MAX: u32 = 1_000;

/// Networks, or device types: both are a number, a name and a description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Catalogue {
    Networks,
    DeviceTypes,
}

/// A network or a device type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) id: i64,
    pub(crate) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
}

impl Catalogue {
    /// The collection of the documents.
    fn collection(self) -> &'static str {
        match self {
            Self::Networks => "networks",
            Self::DeviceTypes => "device-types",
        }
    }

    /// What a fresh platform comes with, as long as no document says otherwise.
    fn first(self) -> Entry {
        let (name, description) = match self {
            Self::Networks => ("VirtualLed Sample Network", "A DeviceHive network for VirtualLed sample"),
            Self::DeviceTypes => ("Default Device Type", "Default DeviceHive device type"),
        };
        Entry { id: 1, name: name.to_owned(), description: Some(description.to_owned()) }
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

    pub(crate) fn by_id(self, gateway: &impl Gateway, id: i64) -> Result<Option<Entry>, Error> {
        match gateway.document(self.collection(), &id.to_string()) {
            Some(document) => ring::read(&document).map(Some),
            None => Ok(Some(self.first()).filter(|first| first.id == id)),
        }
    }

    pub(crate) fn by_name(self, gateway: &impl Gateway, name: &str) -> Result<Option<Entry>, Error> {
        let fields = [("name".to_owned(), name.to_owned())];
        match gateway.documents(self.collection(), &fields, None, 1)?.first() {
            Some(document) => ring::read(document).map(Some),
            None => {
                let first = self.first();
                let kept = gateway.document(self.collection(), &first.id.to_string()).is_some();
                Ok(Some(first).filter(|first| !kept && first.name == name))
            }
        }
    }

    /// By the level of a topic: a number is an id, anything else a name.
    pub(crate) fn by_level(self, gateway: &impl Gateway, level: &str, names: bool) -> Result<Option<Entry>, Error> {
        match level.parse() {
            Ok(id) => self.by_id(gateway, id),
            Err(_) if names => self.by_name(gateway, level),
            Err(_) => Ok(None),
        }
    }

    fn all(self, gateway: &impl Gateway) -> Result<Vec<Entry>, Error> {
        let kept = gateway.documents(self.collection(), &[], None, READ_MAX)?;
        let mut all = kept.iter().map(ring::read).collect::<Result<Vec<Entry>, _>>()?;
        let first = self.first();
        if all.iter().all(|entry| entry.id != first.id) {
            all.push(first);
        }
        Ok(all)
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
    let entry = of.by_id(call.gateway, id)?.ok_or_else(|| ApiError::not_found(kind, id))?;
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
    let (name, pattern) = (members.text("name")?, members.text("namePattern")?);
    let mut all = of.all(call.gateway)?;
    all.retain(|entry| {
        of.scope(caller).has(entry.id)
            && name.as_ref().is_none_or(|name| *name == entry.name)
            && pattern.as_ref().is_none_or(|pattern| is_like(&entry.name, pattern))
    });
    Ok(all)
}
