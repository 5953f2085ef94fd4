//! A device as the operator writes it, in the body of a request or on a line of an import.

use super::request::Secret;
use super::{NewDevice, checks};
use crate::credentials::DeviceSecretKind;
use dragoman_core::DeviceId;
use dragoman_store::DeviceRecord;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Largest profile.
const PROFILE_MAX_BYTES: usize = 65_536;

/// `{"id","dialect","handler"?,"parent"?,"aliases"?,"labels"?,"profile"?,"credential"?}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    id: String,
    dialect: String,
    handler: Option<String>,
    parent: Option<String>,
    #[serde(default)]
    aliases: BTreeMap<String, String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    profile: Option<Box<RawValue>>,
    credential: Option<Credential>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Credential {
    kind: Kind,
    secret: Secret,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Password,
    Key,
}

/// A device to be, and the secret to be set once it is registered.
pub(super) struct Device {
    pub(super) device: NewDevice,
    pub(super) secret: Option<(DeviceSecretKind, Zeroizing<Vec<u8>>)>,
}

impl Written {
    /// The same, checked for form.
    pub(super) fn check(self) -> Result<Device, String> {
        checks::device_id("id", &self.id)?;
        checks::plugin_name("dialect", &self.dialect)?;
        self.handler.as_deref().map_or(Ok(()), |handler| checks::plugin_name("handler", handler))?;
        self.parent.as_deref().map_or(Ok(()), |parent| checks::device_id("parent", parent))?;
        if self.parent.as_deref() == Some(&self.id) {
            return Err("parent is the device itself; name its gateway, or leave it out".to_owned());
        }
        let secret = self.credential.as_ref().map(secret).transpose()?;
        let record = DeviceRecord {
            id: DeviceId::new(self.id),
            dialect: Arc::from(self.dialect),
            handler: self.handler.map(Arc::from),
            parent: self.parent.map(DeviceId::new),
            aliases: checks::aliases(self.aliases)?,
            labels: checks::device_labels(self.labels)?,
            disabled: false,
            created_ms: 0,
            updated_ms: 0,
        };
        let profile = self.profile.map(|profile| check_profile(&profile)).transpose()?;
        Ok(Device { device: NewDevice { record, profile }, secret })
    }
}

fn secret(credential: &Credential) -> Result<(DeviceSecretKind, Zeroizing<Vec<u8>>), String> {
    let secret = Zeroizing::new(credential.secret.bytes().to_vec());
    if !(8..=1_024).contains(&secret.len()) {
        return Err(format!("credential.secret has {} bytes; it needs 8 to 1024", secret.len()));
    }
    let kind = match credential.kind {
        Kind::Password => DeviceSecretKind::Password,
        Kind::Key => DeviceSecretKind::Key,
    };
    Ok((kind, secret))
}

fn check_profile(profile: &RawValue) -> Result<String, String> {
    let text = profile.get();
    if !text.starts_with('{') {
        return Err("profile is not a JSON object".to_owned());
    }
    if text.len() > PROFILE_MAX_BYTES {
        return Err(format!("profile has {} bytes; at most {PROFILE_MAX_BYTES} are allowed", text.len()));
    }
    checks::readable("profile", profile)
}
