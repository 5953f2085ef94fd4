//! Names of applications and devices.

use dragoman_plugin_sdk::{Device, attribute};
use serde::Serialize;
use std::fmt;

/// Namespace of the devices of applications: `{application}.{device}`, with `@{tenant}` behind it where there is one.
pub const ID_ALIAS: &str = "tts.id";

/// Namespace of the hexadecimal device EUI, lower case. Shared with the device side of LoRaWAN networks.
pub const DEV_EUI_ALIAS: &str = "lorawan.dev-eui";

/// Characters of one id (`identifiers.proto`).
const ID_CHARS_MAX: usize = 36;
const ID_CHARS_MIN: usize = 3;

/// An application: what stands in topics between `v3/` and `/devices`, and the user name of its connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Uid {
    pub(crate) application: String,
    pub(crate) tenant: Option<String>,
}

impl Uid {
    /// Reads `{application}` or `{application}@{tenant}`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (application, tenant) = match text.split_once('@') {
            None => (text, None),
            Some((application, tenant)) => (application, Some(tenant)),
        };
        let fits = is_id(application) && tenant.is_none_or(is_id);
        fits.then(|| Self { application: application.to_owned(), tenant: tenant.map(str::to_owned) })
    }

    /// The name of one of its devices in [`ID_ALIAS`].
    pub(crate) fn device_alias(&self, device_id: &str) -> String {
        match &self.tenant {
            None => format!("{}.{device_id}", self.application),
            Some(tenant) => format!("{}.{device_id}@{tenant}", self.application),
        }
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.tenant {
            None => f.write_str(&self.application),
            Some(tenant) => write!(f, "{}@{tenant}", self.application),
        }
    }
}

/// Whether a text is an id: `^[a-z0-9](?:[-]?[a-z0-9]){2,}$`, at most 36 characters.
pub(crate) fn is_id(text: &str) -> bool {
    let bytes = text.as_bytes();
    let letters = bytes.iter().filter(|byte| **byte != b'-').count();
    (ID_CHARS_MIN..=ID_CHARS_MAX).contains(&bytes.len())
        && letters >= ID_CHARS_MIN
        && bytes.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
        && !text.contains("--")
}

/// The applications that know the device, each with its name for it.
pub(crate) fn names_of(device: &Device) -> Vec<(Uid, String)> {
    device.aliases.iter().filter(|(namespace, _)| namespace == ID_ALIAS).filter_map(|(_, alias)| split(alias)).collect()
}

fn split(alias: &str) -> Option<(Uid, String)> {
    let (application, rest) = alias.split_once('.')?;
    let (device_id, uid) = match rest.split_once('@') {
        None => (rest, application.to_owned()),
        Some((device_id, tenant)) => (device_id, format!("{application}@{tenant}")),
    };
    is_id(device_id).then_some((Uid::parse(&uid)?, device_id.to_owned()))
}

/// Whether a LoRaWAN network reaches the device.
pub(crate) fn is_lorawan(device: &Device) -> bool {
    attribute(&device.aliases, DEV_EUI_ALIAS).is_some()
}

/// `end_device_ids` of a message. What is not known is left out.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct EndDeviceIds {
    device_id: String,
    application_ids: ApplicationIds,
    #[serde(skip_serializing_if = "Option::is_none")]
    dev_eui: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    join_eui: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dev_addr: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
struct ApplicationIds {
    application_id: String,
}

impl EndDeviceIds {
    /// Of a device, by what is registered and by what the network said with the message. Bodies carry the bare
    /// application id, without tenant.
    pub(crate) fn new(uid: &Uid, device_id: &str, device: Option<&Device>, said: &[(String, String)]) -> Self {
        let upper = |text: &str| text.to_ascii_uppercase();
        let of_device = |name: &str| {
            let device = device?;
            attribute(&device.aliases, name).or_else(|| attribute(&device.labels, name))
        };
        Self {
            device_id: device_id.to_owned(),
            application_ids: ApplicationIds { application_id: uid.application.clone() },
            dev_eui: of_device(DEV_EUI_ALIAS).map(upper),
            join_eui: attribute(said, "lorawan.join-eui").or_else(|| of_device("lorawan.join-eui")).map(upper),
            dev_addr: attribute(said, "lorawan.dev-addr").map(upper),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_of_the_platforms_letters() {
        let long = "a".repeat(36);
        for (text, expected) in [
            ("app1", true),
            ("my-app-1", true),
            ("0ab", true),
            (long.as_str(), true),
            (&format!("{long}a"), false),
            ("ab", false),
            ("a-b", false),
            ("", false),
            ("App1", false),
            ("-app", false),
            ("app-", false),
            ("ap--p", false),
            ("app.1", false),
            ("app/1", false),
            ("app+", false),
            ("\u{e9}app", false),
        ] {
            assert_eq!(is_id(text), expected, "{text}");
        }
    }

    #[test]
    fn an_application_may_have_a_tenant() {
        for (text, alias) in [("app1", Some("app1.dev1")), ("app1@ttn", Some("app1.dev1@ttn"))] {
            let uid = Uid::parse(text).unwrap();
            assert_eq!(uid.to_string(), text);
            let alias = alias.unwrap();
            assert_eq!(uid.device_alias("dev1"), alias);
            assert_eq!(split(alias), Some((uid, "dev1".to_owned())));
        }
        for text in ["", "@ttn", "app1@", "app1@ttn@x", "#", "app1@tt", "app1 "] {
            assert_eq!(Uid::parse(text), None, "{text}");
        }
        for alias in ["app1", "app1.", ".dev1", "app1.dev1@", "app1.dev1.x"] {
            assert_eq!(split(alias), None, "{alias}");
        }
    }
}
