//! The settings of the dialect.

use dragoman_plugin_sdk::{Error, Gateway, json};
use serde::Deserialize;

/// What the operator may choose; README.md says what each is for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Settings {
    /// How long a synchronous call waits for the device, in seconds.
    pub sync_time_out_s: u32,
    /// The shortest keep-alive that a device may ask for, in seconds.
    pub keep_alive_min_s: u16,
    /// The longest keep-alive that a device may ask for, in seconds.
    pub keep_alive_max_s: u16,
    /// Hours by which a checked time stamp in a client id may differ from the clock.
    pub timestamp_tolerance_h: u64,
    /// The service of what names none, e.g. a command of a dialect without services; none: `null` is sent.
    pub default_service_id: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sync_time_out_s: 20,
            keep_alive_min_s: 30,
            keep_alive_max_s: 1_200,
            timestamp_tolerance_h: 1,
            default_service_id: None,
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
    "sync-time-out-s": {"type": "integer", "minimum": 1, "maximum": 4233600, "default": 20, "description": "How long a synchronous call waits for the device, in seconds."},
    "keep-alive-min-s": {"type": "integer", "minimum": 0, "maximum": 65535, "default": 30, "description": "The shortest keep-alive that a device may ask for, in seconds."},
    "keep-alive-max-s": {"type": "integer", "minimum": 0, "maximum": 65535, "default": 1200, "description": "The longest keep-alive that a device may ask for, in seconds."},
    "timestamp-tolerance-h": {"type": "integer", "minimum": 0, "default": 1, "description": "Hours by which a checked time stamp in a client id may differ from the clock."},
    "default-service-id": {"type": ["string", "null"], "default": null, "description": "The service of what names none, e.g. a command of a dialect without services."}
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
        assert_eq!(read(r#"{"default-service-id":"S"}"#).unwrap().default_service_id.as_deref(), Some("S"));
        assert!(matches!(read(r#"{"ttl":1}"#), Err(Error::Internal(text)) if text.contains("sync-time-out-s")));
        assert!(serde_json::from_str::<serde_json::Value>(SCHEMA).is_ok());
    }
}
