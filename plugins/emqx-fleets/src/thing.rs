//! A device seen as a thing.

use dragoman_plugin_sdk::time::rfc3339;
use dragoman_plugin_sdk::{Device, Gateway, attribute, json};
use serde::{Deserialize, Serialize};

/// Namespace of the name of a thing. Every device that has one is a thing, whichever dialect reaches it.
pub(crate) const NAME_ALIAS: &str = "fleets.name";
/// Namespace of the UUID of a thing.
pub(crate) const ID_ALIAS: &str = "fleets.id";
/// Namespace of the MQTT client id of a thing.
pub(crate) const CLIENT_ID_ALIAS: &str = "fleets.client-id";
/// Label of a device for each tag of the thing.
pub(crate) const TAG_LABEL: &str = "fleets.tag";

/// What this dialect keeps about a thing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Profile {
    pub(crate) mqtt_client_id: Option<String>,
    pub(crate) thing_type_id: Option<String>,
    pub(crate) tags: Vec<String>,
}

/// A device with a Fleets name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Thing {
    pub(crate) device: Device,
    pub(crate) name: String,
    /// The UUID that Fleets gave it; for a device that was registered elsewhere the gateway's own id.
    pub(crate) id: String,
}

impl Thing {
    /// `None` for a device that no Fleets name was given to.
    pub(crate) fn of(device: Device) -> Option<Self> {
        let name = attribute(&device.aliases, NAME_ALIAS)?.to_owned();
        let id = attribute(&device.aliases, ID_ALIAS).unwrap_or(&device.id).to_owned();
        Some(Self { device, name, id })
    }

    /// By UUID, by name, or by the gateway's own id of the device.
    pub(crate) fn find(gateway: &impl Gateway, id_or_name: &str) -> Option<Self> {
        gateway
            .resolve(ID_ALIAS, id_or_name)
            .or_else(|| gateway.resolve(NAME_ALIAS, id_or_name))
            .or_else(|| gateway.device(id_or_name))
            .and_then(Self::of)
    }

    /// The thing as the API shows it.
    pub(crate) fn view(&self) -> View<'_> {
        let profile = self.device.profile.as_deref().and_then(|text| json::parse_object::<Profile>(text).ok());
        let profile = profile.unwrap_or_else(|| Profile {
            tags: self.device.labels.iter().filter(|(name, _)| name == TAG_LABEL).map(|(_, tag)| tag.clone()).collect(),
            ..Profile::default()
        });
        View {
            id: &self.id,
            name: &self.name,
            mqtt_client_id: attribute(&self.device.aliases, CLIENT_ID_ALIAS)
                .map(str::to_owned)
                .or(profile.mqtt_client_id),
            thing_type_id: profile.thing_type_id,
            tags: profile.tags,
            status: if self.device.online { "online" } else { "offline" },
            created_at: rfc3339(self.device.created_ms),
        }
    }
}

/// A thing in the answers of the API.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct View<'a> {
    pub(crate) id: &'a str,
    pub(crate) name: &'a str,
    pub(crate) mqtt_client_id: Option<String>,
    pub(crate) thing_type_id: Option<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) status: &'static str,
    pub(crate) created_at: String,
}
