//! The settings of the dialect.

use crate::status::StatusSets;
use dragoman_plugin_sdk::{Error, Gateway, json};
use serde::Deserialize;
use std::collections::BTreeMap;

/// What the operator may choose; README.md says what each is for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Settings {
    /// Follows the table of the platform's page to the letter where the rulings do not.
    pub strict_docs: bool,
    /// Whether topics may name networks and device types instead of giving their ids.
    pub names_in_topics: bool,
    /// Who is told about an update of a command; none: all, under `strict-docs` its creator.
    pub updates_to: Option<UpdatesTo>,
    /// Whose rights `device/save` and `device/count` ask for; none: the server's, under `strict-docs` the table's.
    pub rights: Option<Rights>,
    /// What a message on an event topic is, sent by a client.
    pub native_publish: NativePublish,
    /// Whether clients with neither user name nor password may connect.
    pub anonymous: bool,
    /// Topics on which clients talk to each other, authenticated or not.
    pub ordinary_topics: Vec<String>,
    /// The account whose secret signs tokens, read as Base64.
    pub jwt_account: String,
    /// Life of an access token, in milliseconds.
    pub access_token_max_age_ms: u64,
    /// Life of a refresh token, in milliseconds.
    pub refresh_token_max_age_ms: u64,
    /// When the expiry of a token counts.
    pub token_expiry: TokenExpiry,
    /// Networks: their names by id. The platform's first is there besides, unless its id, 1, is named.
    pub networks: BTreeMap<i64, String>,
    /// Device types: their names by id, likewise.
    pub device_types: BTreeMap<i64, String>,
    /// What `configuration/get` tells: values by name.
    pub configurations: BTreeMap<String, String>,
    /// The network of a device that names none.
    pub default_network: i64,
    /// The device type of a device that names none.
    pub default_device_type: i64,
    /// Time to live, in seconds, of a command without a lifetime.
    pub ttl_default_s: u32,
    /// Notifications of one device that are kept, the newest.
    pub notifications_kept: u32,
    /// Commands of other dialects that are kept for one device, the newest.
    pub commands_kept: u32,
    /// Which status of an update ends a command, and how.
    pub status_sets: StatusSets,
    /// What the end of a command is called whose device does not speak this dialect.
    pub status_words: StatusWords,
    /// The status of a command that the gateway ended, for a device of this dialect; none: nothing is said.
    pub expired_status: Option<String>,
    /// The command that sets properties; none: there is none.
    pub write_command: Option<String>,
    /// The command that asks for properties; none: there is none.
    pub read_command: Option<String>,
    /// The command that passes a payload on; none: there is none.
    pub deliver_command: Option<String>,
    /// What joins service and action in the names of commands; none: services are left out.
    pub service_separator: Option<String>,
    /// What `server/info` tells of the REST server.
    pub rest_server_url: String,
}

/// Who is told about an update of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UpdatesTo {
    /// Everybody who subscribed and may see the device.
    Subscribers,
    /// The session that inserted the command, if it subscribed.
    Creator,
}

/// Whose rights `device/save` and `device/count` ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rights {
    /// What the platform's server asks for.
    Server,
    /// What the table of the platform's page says.
    Documented,
}

/// What a message on an event topic is, sent by a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NativePublish {
    /// An insert or an update.
    Insert,
    /// Nothing, as the platform's own broker has it.
    Ignore,
}

/// When the expiry of a token counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenExpiry {
    /// With every request of the session that it authenticated.
    EachRequest,
    /// When it authenticates a session, which it then outlives.
    Authenticate,
}

/// Statuses that stand for what a device of another dialect came to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct StatusWords {
    /// The device works on it.
    pub progress: String,
    /// The device did it.
    pub succeeded: String,
    /// The device could not.
    pub failed: String,
    /// The device would not.
    pub rejected: String,
    /// Nothing was heard in time.
    pub timed_out: String,
    /// It was canceled.
    pub canceled: String,
}

impl Default for StatusWords {
    fn default() -> Self {
        Self {
            progress: "in progress".to_owned(),
            succeeded: "success".to_owned(),
            failed: "failed".to_owned(),
            rejected: "rejected".to_owned(),
            timed_out: "timeout".to_owned(),
            canceled: "canceled".to_owned(),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            strict_docs: false,
            names_in_topics: true,
            updates_to: None,
            rights: None,
            native_publish: NativePublish::Insert,
            anonymous: true,
            ordinary_topics: Vec::new(),
            jwt_account: "jwt".to_owned(),
            access_token_max_age_ms: 1_800_000,
            refresh_token_max_age_ms: 15_724_800_000,
            token_expiry: TokenExpiry::EachRequest,
            networks: BTreeMap::new(),
            device_types: BTreeMap::new(),
            configurations: BTreeMap::new(),
            default_network: 1,
            default_device_type: 1,
            ttl_default_s: 30 * 24 * 60 * 60,
            notifications_kept: 100,
            commands_kept: 100,
            status_sets: StatusSets::default(),
            status_words: StatusWords::default(),
            expired_status: None,
            write_command: Some("set".to_owned()),
            read_command: Some("get".to_owned()),
            deliver_command: Some("deliver".to_owned()),
            service_separator: None,
            rest_server_url: String::new(),
        }
    }
}

impl Settings {
    /// Reads what the operator set.
    pub fn read(gateway: &impl Gateway) -> Result<Self, Error> {
        json::parse_object(&gateway.settings())
            .map_err(|broken| Error::Internal(format!("the settings of {} do not fit: {}", crate::NAME, broken.text())))
    }

    /// Ruling 2.
    pub(crate) fn tells_creator_only(&self) -> bool {
        match self.updates_to {
            None => self.strict_docs,
            Some(to) => to == UpdatesTo::Creator,
        }
    }

    /// Ruling 3.
    pub(crate) fn has_documented_rights(&self) -> bool {
        match self.rights {
            None => self.strict_docs,
            Some(rights) => rights == Rights::Documented,
        }
    }
}

/// JSON Schema of [`Settings`].
pub(crate) const SCHEMA: &str = r#"{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "strict-docs": {"type": "boolean", "default": false, "description": "Follow the table of the platform's page to the letter: the defaults of updates-to and rights."},
    "names-in-topics": {"type": "boolean", "default": true, "description": "Topics may name networks and device types instead of giving their ids."},
    "updates-to": {"enum": ["subscribers", "creator", null], "default": null, "description": "Who is told about an update of a command."},
    "rights": {"enum": ["server", "documented", null], "default": null, "description": "Whose rights device/save and device/count ask for."},
    "native-publish": {"enum": ["insert", "ignore"], "default": "insert", "description": "What a message on an event topic is, sent by a client."},
    "anonymous": {"type": "boolean", "default": true, "description": "Clients with neither user name nor password may connect, and authenticate with a token later."},
    "ordinary-topics": {"type": "array", "items": {"type": "string"}, "maxItems": 32, "default": [], "description": "Topic filters on which clients talk to each other, authenticated or not."},
    "jwt-account": {"type": "string", "minLength": 1, "default": "jwt", "description": "The account whose secret signs tokens, read as Base64."},
    "access-token-max-age-ms": {"type": "integer", "minimum": 1000, "default": 1800000, "description": "Life of an access token, in milliseconds."},
    "refresh-token-max-age-ms": {"type": "integer", "minimum": 1000, "default": 15724800000, "description": "Life of a refresh token, in milliseconds."},
    "token-expiry": {"enum": ["each-request", "authenticate"], "default": "each-request", "description": "When the expiry of a token counts."},
    "networks": {
      "type": "object",
      "propertyNames": {"pattern": "^[1-9][0-9]{0,17}$"},
      "additionalProperties": {"type": "string", "minLength": 1, "maxLength": 128},
      "maxProperties": 1000,
      "default": {},
      "description": "Networks: their names by id. The platform's first is there besides, unless its id, 1, is named."
    },
    "device-types": {
      "type": "object",
      "propertyNames": {"pattern": "^[1-9][0-9]{0,17}$"},
      "additionalProperties": {"type": "string", "minLength": 1, "maxLength": 128},
      "maxProperties": 1000,
      "default": {},
      "description": "Device types: their names by id, likewise."
    },
    "configurations": {
      "type": "object",
      "propertyNames": {"minLength": 1, "maxLength": 32},
      "additionalProperties": {"type": "string", "maxLength": 128},
      "maxProperties": 1000,
      "default": {},
      "description": "What configuration/get tells: values by name."
    },
    "default-network": {"type": "integer", "minimum": 1, "default": 1, "description": "The network of a device that names none."},
    "default-device-type": {"type": "integer", "minimum": 1, "default": 1, "description": "The device type of a device that names none."},
    "ttl-default-s": {"type": "integer", "minimum": 1, "maximum": 4233600, "default": 2592000, "description": "Time to live, in seconds, of a command without a lifetime."},
    "notifications-kept": {"type": "integer", "minimum": 1, "maximum": 100, "default": 100, "description": "Notifications of one device that are kept, the newest."},
    "commands-kept": {"type": "integer", "minimum": 1, "maximum": 100, "default": 100, "description": "Commands of other dialects that are kept for one device, the newest."},
    "status-sets": {
      "type": "object",
      "additionalProperties": false,
      "description": "Which status of an update ends a command, and how; without regard to case.",
      "properties": {
        "succeeded": {"type": "array", "items": {"type": "string"}, "default": ["success", "succeeded", "completed", "done", "ok"]},
        "failed": {"type": "array", "items": {"type": "string"}, "default": ["failed", "failure", "error", "timeout"]},
        "rejected": {"type": "array", "items": {"type": "string"}, "default": ["rejected", "refused"]}
      }
    },
    "status-words": {
      "type": "object",
      "additionalProperties": false,
      "description": "Statuses that stand for what a device of another dialect came to.",
      "properties": {
        "progress": {"type": "string", "default": "in progress"},
        "succeeded": {"type": "string", "default": "success"},
        "failed": {"type": "string", "default": "failed"},
        "rejected": {"type": "string", "default": "rejected"},
        "timed-out": {"type": "string", "default": "timeout"},
        "canceled": {"type": "string", "default": "canceled"}
      }
    },
    "expired-status": {"type": ["string", "null"], "default": null, "description": "The status of a command that the gateway ended, for a device of this dialect."},
    "write-command": {"type": ["string", "null"], "default": "set", "description": "The command that sets properties."},
    "read-command": {"type": ["string", "null"], "default": "get", "description": "The command that asks for properties."},
    "deliver-command": {"type": ["string", "null"], "default": "deliver", "description": "The command that passes a payload on."},
    "service-separator": {"type": ["string", "null"], "default": null, "description": "What joins service and action in the names of commands, e.g. a full stop."},
    "rest-server-url": {"type": "string", "default": "", "description": "What server/info tells of the REST server."}
  }
}"#;

#[cfg(test)]
mod tests {
    use super::*;
    use dragoman_plugin_sdk::testing::Fake;

    fn read(text: &str) -> Result<Settings, Error> {
        Settings::read(&Fake { settings: text.to_owned(), ..Fake::default() })
    }

    #[test]
    fn unknown_settings_are_refused_and_absent_ones_have_defaults() {
        assert_eq!(read("{}"), Ok(Settings::default()));
        assert_eq!(read(r#"{"status-words":{"failed":"F"}}"#).unwrap().status_words.failed, "F");
        assert!(matches!(read(r#"{"ttl":1}"#), Err(Error::Internal(text)) if text.contains("ttl-default-s")));
        assert!(serde_json::from_str::<serde_json::Value>(SCHEMA).is_ok());
    }

    #[test]
    fn strict_docs_is_a_default_that_each_ruling_can_override() {
        for (text, creator, documented) in [
            ("{}", false, false),
            (r#"{"strict-docs":true}"#, true, true),
            (r#"{"strict-docs":true,"updates-to":"subscribers","rights":"server"}"#, false, false),
            (r#"{"updates-to":"creator","rights":"documented"}"#, true, true),
        ] {
            let settings = read(text).unwrap();
            assert_eq!((settings.tells_creator_only(), settings.has_documented_rights()), (creator, documented));
        }
    }

    #[test]
    fn the_schema_names_every_setting() {
        let schema: serde_json::Value = serde_json::from_str(SCHEMA).unwrap();
        let Err(Error::Internal(text)) = read(r#"{"no-such-setting":1}"#) else { panic!("it is refused") };
        let known: Vec<_> = text.split('`').skip(3).step_by(2).collect();
        assert!(known.len() > 20, "{text}");
        for name in known {
            assert!(schema["properties"].get(name).is_some(), "{name} is not in the schema");
        }
    }
}
