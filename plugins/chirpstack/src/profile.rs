//! What is known of a LoRaWAN device: learned from its events, and kept while it does not change.

use crate::lorawan::{APPLICATION_LABEL, DEV_ADDR, SESSION_KEY_ID, add};
use dragoman_plugin_sdk::{Attributes, Device, Error, Gateway, attribute, json};
use serde::{Deserialize, Serialize};

/// The dialect's own record about a device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct Profile {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) application_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dev_addr: Option<String>,
    /// Base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) session_key_id: Option<String>,
    /// The item that the network was given last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) waiting: Option<Waiting>,
}

/// An item of which no receipt came yet, as far as is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Waiting {
    pub(crate) item: String,
    pub(crate) execution: String,
    /// Uplinks since it, or since the network sent something else to the device.
    pub(crate) uplinks: u32,
}

impl Profile {
    /// What is known; nothing where the record is not ours.
    pub(crate) fn of(device: &Device) -> Self {
        device.profile.as_deref().and_then(|text| json::parse_object(text).ok()).unwrap_or_default()
    }

    /// Writes what is new. Uplinks come often and rarely say anything new.
    pub(crate) fn keep(&self, gateway: &impl Gateway, device: &Device) -> Result<(), Error> {
        if *self == Self::of(device) {
            return Ok(());
        }
        let text = serde_json::to_string(self).map_err(|error| Error::Internal(error.to_string()))?;
        gateway.put_profile(&device.id, &text, device.revision)
    }

    /// What a report or an event says about the session.
    pub(crate) fn session(&self) -> Attributes {
        let mut attributes = Vec::new();
        add(&mut attributes, DEV_ADDR, self.dev_addr.clone());
        add(&mut attributes, SESSION_KEY_ID, self.session_key_id.clone());
        attributes
    }

    /// ChirpStack's application: as last heard, else as the operator says of the device, of its server or of all.
    pub(crate) fn application(&self, device: &Device, server: &Device, default: Option<&str>) -> Option<String> {
        let heard = self.application_id.as_deref();
        heard
            .or_else(|| attribute(&device.labels, APPLICATION_LABEL))
            .or_else(|| attribute(&server.labels, APPLICATION_LABEL))
            .or(default)
            .map(str::to_owned)
    }
}
