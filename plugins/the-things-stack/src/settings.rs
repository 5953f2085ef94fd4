//! The settings of the dialect.

use dragoman_plugin_sdk::{Error, Gateway, json};
use serde::Deserialize;
use std::collections::BTreeMap;

/// What the operator may choose; README.md says what each is for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Settings {
    /// How long a downlink may wait and be on its way, in seconds.
    pub ttl_s: u32,
    /// Whether `{"command", "params"}` as decoded payload is a command instead of two properties.
    pub decoded_commands: bool,
    /// `public_address` of the connection info.
    pub public_address: String,
    /// `public_tls_address` of the connection info.
    pub public_tls_address: String,
    /// How many imports one call may use: the gateway's `host_calls_max`.
    pub host_calls_max: u32,
    /// Webhooks by id.
    pub webhooks: BTreeMap<String, Webhook>,
}

/// A webhook of an application.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Webhook {
    /// The application, with its tenant where it has one.
    pub application: String,
    /// A paused webhook takes and tells nothing.
    #[serde(default)]
    pub paused: bool,
    /// Where its messages go: the name of a target in the gateway's configuration. None: nowhere.
    #[serde(default)]
    pub target: Option<String>,
    /// Path for each kind of message that it wants, by the member of the message, e.g. `uplink_message`.
    #[serde(default)]
    pub paths: BTreeMap<String, String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ttl_s: 30 * 24 * 3_600,
            decoded_commands: true,
            public_address: String::new(),
            public_tls_address: String::new(),
            host_calls_max: 1_000,
            webhooks: BTreeMap::new(),
        }
    }
}

impl Settings {
    /// Reads what the operator set.
    pub fn read(gateway: &impl Gateway) -> Result<Self, Error> {
        json::parse_object(&gateway.settings())
            .map_err(|broken| Error::Internal(format!("the settings of {} do not fit: {}", crate::NAME, broken.text())))
    }
}

/// JSON Schema of [`Settings`].
pub(crate) const SCHEMA: &str = r#"{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "ttl-s": {"type": "integer", "minimum": 1, "maximum": 4233600, "default": 2592000, "description": "How long a downlink may wait and be on its way, in seconds."},
    "decoded-commands": {"type": "boolean", "default": true, "description": "Whether {\"command\", \"params\"} as decoded payload is a command instead of two properties."},
    "public-address": {"type": "string", "default": "", "description": "public_address of the MQTT connection info."},
    "public-tls-address": {"type": "string", "default": "", "description": "public_tls_address of the MQTT connection info."},
    "host-calls-max": {"type": "integer", "minimum": 100, "maximum": 1000000, "default": 1000, "description": "How many imports one call may use: host_calls_max of the gateway's plugins."},
    "webhooks": {
      "type": "object",
      "default": {},
      "description": "Webhooks by id.",
      "additionalProperties": {
        "type": "object",
        "additionalProperties": false,
        "required": ["application"],
        "properties": {
          "application": {"type": "string", "description": "The application, with its tenant where it has one."},
          "paused": {"type": "boolean", "default": false},
          "target": {"type": ["string", "null"], "default": null, "description": "Name of a target of HTTP requests in the gateway's configuration."},
          "paths": {"type": "object", "default": {}, "additionalProperties": {"type": "string"}, "description": "Path for each kind of message, e.g. {\"uplink_message\": \"/up\"}."}
        }
      }
    }
  }
}"#;

#[cfg(test)]
mod tests {
    use super::*;
    use dragoman_plugin_sdk::testing::Fake;

    #[test]
    fn unknown_settings_are_refused_and_absent_ones_have_defaults() {
        let read = |text: &str| Settings::read(&Fake { settings: text.to_owned(), ..Fake::default() });
        assert_eq!(read("{}"), Ok(Settings::default()));
        let hook = read(r#"{"webhooks":{"wh1":{"application":"app1","paths":{"uplink_message":"/up"}}}}"#).unwrap();
        assert_eq!(hook.webhooks["wh1"].paths["uplink_message"], "/up");
        for text in [r#"{"ttl":1}"#, r#"{"webhooks":{"wh1":{}}}"#, r#"{"ttl-s":"1"}"#] {
            assert!(matches!(read(text), Err(Error::Internal(_))), "{text}");
        }
        assert!(serde_json::from_str::<serde_json::Value>(SCHEMA).is_ok());
    }
}
