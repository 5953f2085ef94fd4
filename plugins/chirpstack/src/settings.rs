//! The settings of the dialect.

use dragoman_plugin_sdk::{Error, Gateway, json};
use serde::Deserialize;

/// What the operator may choose; README.md says what each is for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Settings {
    /// ChirpStack's application of a device that has not been heard yet and has no label for it.
    pub application_id: Option<String>,
    /// Whether a command that does not say is sent confirmed, so that its outcome is known.
    pub confirm: bool,
    /// The port of a command that names none; none: it is not sent.
    pub default_f_port: Option<u32>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { application_id: None, confirm: true, default_f_port: None }
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
    "application-id": {"type": ["string", "null"], "default": null, "description": "ChirpStack's application of a device that has not been heard yet and has no label for it."},
    "confirm": {"type": "boolean", "default": true, "description": "Whether a command that does not say is sent confirmed, so that its outcome is known."},
    "default-f-port": {"type": ["integer", "null"], "minimum": 1, "maximum": 255, "default": null, "description": "The port of a command that names none."}
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
        assert_eq!(read(r#"{"default-f-port":2}"#).unwrap().default_f_port, Some(2));
        assert!(matches!(read(r#"{"confirmed":true}"#), Err(Error::Internal(_))));
        assert!(serde_json::from_str::<serde_json::Value>(SCHEMA).is_ok());
    }
}
