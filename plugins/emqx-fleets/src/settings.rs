//! The settings of the dialect. Each stands for something that the platform does not document.

use dragoman_plugin_sdk::{Error, Gateway, json};
use serde::Deserialize;

/// What the operator may choose; README.md says what each is for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Settings {
    /// Time to live of a command that names none, in seconds.
    pub ttl_default_s: u32,
    /// The longest time to live that a call may name, in seconds.
    pub ttl_max_s: u32,
    /// What becomes of a command whose thing is not there or does not listen.
    pub no_subscriber: NoSubscriber,
    /// What a thing must show to connect by MQTT.
    pub mqtt_authentication: MqttAuthentication,
    /// What joins service and action in the names of actions; none: Fleets knows no services and they are left out.
    pub service_separator: Option<String>,
    /// The action that sets properties.
    pub write_action: String,
    /// The action that asks for properties.
    pub read_action: String,
}

/// What becomes of a command whose thing is not there or does not listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoSubscriber {
    /// It waits and times out.
    TimeOut,
    /// It fails at once.
    Failed,
}

/// What a thing must show to connect by MQTT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MqttAuthentication {
    /// Its client id and the password of its account `device/{device id}`.
    Password,
    /// Its client id, e.g. where TLS has authenticated it.
    ClientId,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ttl_default_s: 30,
            ttl_max_s: 86_400,
            no_subscriber: NoSubscriber::TimeOut,
            mqtt_authentication: MqttAuthentication::Password,
            service_separator: None,
            write_action: "setProperties".to_owned(),
            read_action: "getProperties".to_owned(),
        }
    }
}

impl Settings {
    /// Reads what the operator set.
    pub fn read(gateway: &impl Gateway) -> Result<Self, Error> {
        json::parse_object(&gateway.settings())
            .map_err(|broken| Error::Internal(format!("the settings of {} do not fit: {}", crate::NAME, broken.text())))
    }

    /// Service and action of a name of an action.
    pub(crate) fn split_action<'a>(&self, name: &'a str) -> (Option<&'a str>, &'a str) {
        match self.separator().and_then(|separator| name.split_once(separator)) {
            Some((service, action)) if !service.is_empty() && !action.is_empty() => (Some(service), action),
            _ => (None, name),
        }
    }

    /// The name of an action, of its service and itself.
    pub(crate) fn join_action(&self, service: Option<&str>, action: &str) -> String {
        match (self.separator(), service) {
            (Some(separator), Some(service)) => format!("{service}{separator}{action}"),
            _ => action.to_owned(),
        }
    }

    fn separator(&self) -> Option<&str> {
        self.service_separator.as_deref().filter(|separator| !separator.is_empty())
    }
}

/// JSON Schema of [`Settings`].
pub(crate) const SCHEMA: &str = r#"{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "ttl-default-s": {"type": "integer", "minimum": 1, "default": 30, "description": "Time to live, in seconds, of a command that names none."},
    "ttl-max-s": {"type": "integer", "minimum": 1, "maximum": 4233600, "default": 86400, "description": "The longest time to live, in seconds, that a call may name."},
    "no-subscriber": {"enum": ["time-out", "failed"], "default": "time-out", "description": "What becomes of a command whose thing is not there or does not listen."},
    "mqtt-authentication": {"enum": ["password", "client-id"], "default": "password", "description": "What a thing must show to connect by MQTT."},
    "service-separator": {"type": ["string", "null"], "default": null, "description": "What joins service and action in the names of actions, e.g. a full stop."},
    "write-action": {"type": "string", "default": "setProperties", "description": "The action that sets properties."},
    "read-action": {"type": "string", "default": "getProperties", "description": "The action that asks for properties."}
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
        assert_eq!(read(r#"{"no-subscriber":"failed"}"#).unwrap().no_subscriber, NoSubscriber::Failed);
        assert!(matches!(read(r#"{"ttl":1}"#), Err(Error::Internal(text)) if text.contains("ttl-default-s")));
        assert!(serde_json::from_str::<serde_json::Value>(SCHEMA).is_ok());
    }

    #[test]
    fn services_are_part_of_the_action_only_with_a_separator() {
        let plain = Settings::default();
        assert_eq!(plain.split_action("Lock.open"), (None, "Lock.open"));
        assert_eq!(plain.join_action(Some("Lock"), "open"), "open");
        let dotted = Settings { service_separator: Some(".".to_owned()), ..Settings::default() };
        assert_eq!(dotted.split_action("Lock.open"), (Some("Lock"), "open"));
        assert_eq!(dotted.split_action(".open"), (None, ".open"));
        assert_eq!(dotted.join_action(Some("Lock"), "open"), "Lock.open");
        assert_eq!(dotted.join_action(None, "open"), "open");
    }
}
