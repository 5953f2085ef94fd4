//! The settings of the dialect.

use crate::definition::Profile;
use dragoman_plugin_sdk::{Error, Gateway, json};
use serde::Deserialize;
use std::collections::BTreeMap;

/// What the operator may choose; README.md says what each is for.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Settings {
    /// Time to live of a command, in seconds.
    pub ttl_s: u32,
    /// How long a call waits that hears the outcome, in seconds.
    pub outcome_wait_s: u32,
    /// Whether a command waits for every absent device, not only for one whose session the broker keeps.
    pub hold_offline: bool,
    /// Whether a property confirms what was written to it where its definition says nothing about feedback.
    pub feedback: bool,
    /// What becomes of properties that a device does not declare.
    pub undeclared_properties: Undeclared,
    /// The property that takes payloads of other dialects; none: a *deliver* is unsupported.
    pub deliver_property: Option<String>,
    /// Device profiles by name: what devices of one kind declare.
    pub profiles: BTreeMap<String, Profile>,
}

/// What becomes of properties that a device does not declare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Undeclared {
    /// Taken as public, published always, of any type.
    Accept,
    /// The same for a device that declares nothing at all; refused for one that does.
    AcceptIfNone,
    /// Refused.
    Refuse,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ttl_s: 60,
            outcome_wait_s: 20,
            hold_offline: false,
            feedback: false,
            undeclared_properties: Undeclared::AcceptIfNone,
            deliver_property: None,
            profiles: BTreeMap::new(),
        }
    }
}

impl Settings {
    /// Reads what the operator set.
    pub fn read(gateway: &impl Gateway) -> Result<Self, Error> {
        json::parse_object(&gateway.settings())
            .map_err(|broken| Error::Internal(format!("the settings of {} do not fit: {}", crate::NAME, broken.text())))
    }

    pub(crate) fn ttl_ms(&self) -> u32 {
        self.ttl_s.saturating_mul(1_000)
    }

    pub(crate) fn outcome_wait_ms(&self) -> u32 {
        self.outcome_wait_s.saturating_mul(1_000)
    }
}

/// JSON Schema of [`Settings`].
pub(crate) const SCHEMA: &str = r#"{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "ttl-s": {"type": "integer", "minimum": 1, "maximum": 4233600, "default": 60, "description": "Time to live of a command, in seconds."},
    "outcome-wait-s": {"type": "integer", "minimum": 1, "maximum": 4233600, "default": 20, "description": "How long a call waits that hears the outcome, in seconds: a method, and a write to a device of another dialect."},
    "hold-offline": {"type": "boolean", "default": false, "description": "Whether a command waits for every absent device, not only for one whose session the broker keeps."},
    "feedback": {"type": "boolean", "default": false, "description": "Whether a property confirms what was written to it where its definition says nothing about feedback."},
    "undeclared-properties": {"enum": ["accept", "accept-if-none", "refuse"], "default": "accept-if-none", "description": "What becomes of properties that a device does not declare."},
    "deliver-property": {"type": ["string", "null"], "default": null, "description": "The property that takes payloads of other dialects."},
    "profiles": {"type": "object", "default": {}, "description": "Device profiles by name.", "additionalProperties": {
      "type": "object",
      "properties": {
        "properties": {"type": "object", "additionalProperties": {"type": "object", "properties": {
          "id": {"type": "string"},
          "type": {"enum": ["any", "number", "boolean", "string", "enum", "object", "waypoint", "blob", "file"], "default": "any"},
          "access": {"enum": ["public", "protected", "private"], "default": "public"},
          "publish": {"enum": ["always", "changed", "never"], "default": "always"},
          "boundaries": {"type": "object", "properties": {"min": {"type": "number"}, "max": {"type": "number"}, "size": {"type": "integer", "minimum": 0}, "set": {"type": "array"}}},
          "feedback": {"anyOf": [{"type": "boolean"}, {"type": "object", "additionalProperties": false, "properties": {
            "property": {"type": "string"},
            "method": {"type": "string"},
            "succeeded": {},
            "failed": {},
            "rejected": {},
            "mismatch": {"enum": ["ignore", "fail"], "default": "ignore"}
          }}]}
        }}},
        "methods": {"type": "object", "additionalProperties": {"type": "object", "required": ["property"], "properties": {
          "id": {"type": "string"},
          "property": {"type": "string", "description": "The property that the method writes."},
          "argument": {"type": "string", "description": "The member of the parameters that is the value."},
          "access": {"enum": ["public", "protected", "private"], "default": "public"}
        }}}
      }
    }}
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
        assert_eq!(read(r#"{"ttl-s":5,"undeclared-properties":"refuse"}"#).unwrap().ttl_ms(), 5_000);
        assert!(matches!(read(r#"{"ttl":1}"#), Err(Error::Internal(text)) if text.contains("ttl-s")));
        assert!(matches!(read(r#"{"profiles":{"T":{"properties":{"a":{"type":"int"}}}}}"#), Err(Error::Internal(_))));
        assert!(serde_json::from_str::<serde_json::Value>(SCHEMA).is_ok());
    }
}
