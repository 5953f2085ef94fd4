//! Who a session is, as far as its token says, and what is noted about it.

use crate::answer::ApiError;
use crate::device::HiveDevice;
use crate::permission::{Actions, Permission, Scope};
use crate::subscription::Kept;
use crate::users;
use dragoman_plugin_sdk::{Error, Gateway, json};
use serde::{Deserialize, Serialize};

/// Bytes of the notes about one session: the gateway takes 64 KiB.
const BYTES_MAX: usize = 64 * 1_024;

/// The user behind a session and what the session may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Caller {
    pub(crate) user: i64,
    pub(crate) actions: Actions,
    pub(crate) networks: Scope,
    pub(crate) device_types: Scope,
    /// Milliseconds since 1970; none for a login at CONNECT, which lasts as long as the connection.
    pub(crate) expires_ms: Option<u64>,
}

impl Caller {
    /// Whether nothing is kept from it.
    pub(crate) fn is_admin(&self) -> bool {
        self.actions.is_all() && self.networks == Scope::All && self.device_types == Scope::All
    }

    pub(crate) fn require(&self, permission: Permission) -> Result<(), ApiError> {
        if self.actions.allow(permission) { Ok(()) } else { Err(ApiError::denied()) }
    }

    /// Whether its networks and device types have the device.
    pub(crate) fn sees(&self, device: &HiveDevice) -> bool {
        self.networks.has(device.profile.network_id) && self.device_types.has(device.profile.device_type_id)
    }

    /// The device of that id. One that is not there is 404 to who may see all, and 403 to anybody else, who cannot tell
    /// it from one that is not theirs.
    pub(crate) fn device(&self, gateway: &impl Gateway, id: Option<&str>) -> Result<HiveDevice, ApiError> {
        let id = id.filter(|id| !id.is_empty()).ok_or_else(|| ApiError::wrong_id("Device"))?;
        match HiveDevice::find(gateway, id) {
            Some(device) if self.sees(&device) => Ok(device),
            None if self.networks == Scope::All && self.device_types == Scope::All => Err(ApiError::no_device(id)),
            _ => Err(ApiError::denied()),
        }
    }
}

/// What is noted about a session; gone with its connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Notes {
    /// None: not authenticated.
    pub(crate) caller: Option<Caller>,
    /// Who logged in at CONNECT.
    #[serde(default)]
    pub(crate) user: Option<users::Kept>,
    /// What it subscribed to by action.
    #[serde(default)]
    pub(crate) subscriptions: Vec<Kept>,
}

impl Notes {
    pub(crate) fn read(gateway: &impl Gateway, session: &str) -> Result<Self, Error> {
        let Some(text) = gateway.notes(session) else { return Ok(Self::default()) };
        json::parse_object(&text).map_err(|broken| Error::Internal(format!("notes of {session}: {}", broken.text())))
    }

    pub(crate) fn write(&self, gateway: &impl Gateway, session: &str) -> Result<(), Error> {
        let text = serde_json::to_string(self).map_err(|error| Error::Internal(error.to_string()))?;
        if text.len() > BYTES_MAX {
            return Err(Error::Limit(format!("What is noted about a session has more than {BYTES_MAX} bytes.")));
        }
        gateway.put_notes(session, &text)
    }
}
