//! A device as the platform sees it: every device of the registry that has an id of the platform.

use crate::answer::{ApiError, Failure};
use crate::settings::Settings;
use crate::{ID_ALIAS, NAME, NETWORK_LABEL, TYPE_LABEL, topics};
use dragoman_plugin_sdk::{Device, Error, Gateway, attribute, json};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Records of the registry that a list looks at; devices of other dialects among them.
const SCANNED_MAX: usize = 20_000;
/// Records that are read at once. Each may have a profile of 252 KiB.
const STEP: u32 = 100;
/// Bytes of `data` of all that is found: a plugin has 64 MiB.
const FOUND_BYTES_MAX: usize = 8 * 1_024 * 1_024;

/// What the platform keeps about a device.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Profile {
    pub(crate) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) data: Option<Box<RawValue>>,
    pub(crate) network_id: i64,
    pub(crate) device_type_id: i64,
    pub(crate) is_blocked: bool,
}

/// A device of the platform.
#[derive(Clone, Debug)]
pub(crate) struct HiveDevice {
    pub(crate) record: Device,
    /// The platform's id of it.
    pub(crate) id: String,
    pub(crate) profile: Profile,
}

/// A device as answers show it; members that are null are left out.
#[derive(Serialize)]
pub(crate) struct View<'a> {
    id: &'a str,
    #[serde(flatten)]
    profile: &'a Profile,
}

impl HiveDevice {
    /// By the platform's id.
    pub(crate) fn find(gateway: &impl Gateway, id: &str) -> Option<Self> {
        Self::of(gateway, gateway.resolve(ID_ALIAS, id)?).ok().flatten()
    }

    /// `None` for a record without an id of the platform, or with one that cannot stand in a topic.
    pub(crate) fn of(gateway: &impl Gateway, record: Device) -> Result<Option<Self>, Error> {
        let id = attribute(&record.aliases, ID_ALIAS).filter(|id| topics::is_plain(id) && !id.contains('/'));
        let Some(id) = id.map(str::to_owned) else { return Ok(None) };
        let kept = record.profile.as_deref().and_then(|text| json::parse_object::<Profile>(text).ok());
        let profile = match kept {
            Some(profile) => profile,
            None => default_profile(&Settings::read(gateway)?, &record, &id),
        };
        Ok(Some(Self { record, id, profile }))
    }

    /// Whether this dialect reaches it.
    pub(crate) fn is_ours(&self) -> bool {
        self.record.dialect == NAME
    }

    pub(crate) fn view(&self) -> View<'_> {
        View { id: &self.id, profile: &self.profile }
    }
}

/// What a device is that was registered without the platform: labels say where it belongs, else the settings.
fn default_profile(settings: &Settings, record: &Device, id: &str) -> Profile {
    let label = |name: &str, default: i64| {
        attribute(&record.labels, name).and_then(|value| value.parse().ok()).unwrap_or(default)
    };
    Profile {
        name: id.to_owned(),
        data: None,
        network_id: label(NETWORK_LABEL, settings.default_network),
        device_type_id: label(TYPE_LABEL, settings.default_device_type),
        is_blocked: false,
    }
}

/// All devices of the platform that fit, in the order of the registry.
pub(crate) fn all(gateway: &impl Gateway, fits: impl Fn(&HiveDevice) -> bool) -> Result<Vec<HiveDevice>, Failure> {
    let (mut found, mut after, mut scanned, mut bytes) = (Vec::new(), None::<String>, 0, 0);
    loop {
        let step = gateway.devices(&[], after.as_deref(), STEP);
        scanned += step.len();
        let Some(last) = step.last() else { return Ok(found) };
        if scanned > SCANNED_MAX {
            let text = format!("The registry holds more than the {SCANNED_MAX} devices that a list looks at.");
            return Err(ApiError::new(503, text).into());
        }
        after = Some(last.id.clone());
        for record in step {
            let device = HiveDevice::of(gateway, record)?.filter(&fits);
            bytes += device
                .iter()
                .filter_map(|device| device.profile.data.as_ref())
                .map(|raw| raw.get().len())
                .sum::<usize>();
            found.extend(device);
        }
        if bytes > FOUND_BYTES_MAX {
            let text = format!("The devices have more than {FOUND_BYTES_MAX} bytes of data. Ask for less.");
            return Err(ApiError::new(400, text).into());
        }
    }
}
