//! The settings of the dialect.

use dragoman_plugin_sdk::{Error, Gateway, json, route};
use serde::Deserialize;

/// Filters of `extra-topics`.
pub(crate) const EXTRA_TOPICS_MAX: usize = 64;

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
    /// The QoS with which devices are sent what they subscribed to themselves, 0 or 1.
    pub downlink_qos: u8,
    /// Ends of the custom topics that products define; a message to any other goes to `sys/messages/down`.
    pub user_topics: Vec<String>,
    /// Filters of topics outside of a device's own to which devices may subscribe, so that a message with a
    /// `topic_full_name` below them reaches those that did; at most 64.
    pub extra_topics: Vec<String>,
    /// Where the platform's notifications go, by resource.
    pub push: Push,
    /// How a notification of a message's status is shaped.
    pub push_shape: Shape,
}

/// Where notifications go; what names no target is not sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Push {
    /// The status of a message has changed.
    #[serde(rename = "device.message.status")]
    pub message_status: Option<Subscriber>,
    /// A device has reported properties.
    #[serde(rename = "device.property")]
    pub property: Option<Subscriber>,
    /// A device has sent a message.
    #[serde(rename = "device.message")]
    pub message: Option<Subscriber>,
    /// A device came or went.
    #[serde(rename = "device.status")]
    pub status: Option<Subscriber>,
}

/// An application that is told: a target of the gateway's configuration, and the path below its address.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subscriber {
    /// Name of the target.
    pub target: String,
    /// Path and query.
    #[serde(default = "root")]
    pub path: String,
}

fn root() -> String {
    "/".to_owned()
}

/// How a notification of a message's status is shaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// `notify_data` has the members themselves.
    Flat,
    /// `notify_data` has `header` and `body`.
    Nested,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sync_time_out_s: 20,
            keep_alive_min_s: 30,
            keep_alive_max_s: 1_200,
            timestamp_tolerance_h: 1,
            default_service_id: None,
            downlink_qos: 0,
            user_topics: Vec::new(),
            extra_topics: Vec::new(),
            push: Push::default(),
            push_shape: Shape::Flat,
        }
    }
}

impl Settings {
    /// Reads what the operator set.
    pub fn read(gateway: &impl Gateway) -> Result<Self, Error> {
        let broken = |why: &str| Error::Internal(format!("the settings of {} do not fit: {why}", crate::NAME));
        let settings: Self = json::parse_object(&gateway.settings()).map_err(|error| broken(error.text()))?;
        if settings.downlink_qos > 1 {
            return Err(broken("downlink-qos is neither 0 nor 1"));
        }
        if settings.extra_topics.len() > EXTRA_TOPICS_MAX {
            return Err(broken(&format!("extra-topics has more than {EXTRA_TOPICS_MAX} filters")));
        }
        match settings.extra_topics.iter().find(|filter| !route::is_topic_filter(filter)) {
            Some(filter) => Err(broken(&format!("`{filter:.200}` in extra-topics is no topic filter"))),
            None => Ok(settings),
        }
    }
}

/// JSON Schema of [`Settings`].
pub(crate) const SCHEMA: &str = r##"{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "sync-time-out-s": {"type": "integer", "minimum": 1, "maximum": 4233600, "default": 20, "description": "How long a synchronous call waits for the device, in seconds."},
    "keep-alive-min-s": {"type": "integer", "minimum": 0, "maximum": 65535, "default": 30, "description": "The shortest keep-alive that a device may ask for, in seconds."},
    "keep-alive-max-s": {"type": "integer", "minimum": 0, "maximum": 65535, "default": 1200, "description": "The longest keep-alive that a device may ask for, in seconds."},
    "timestamp-tolerance-h": {"type": "integer", "minimum": 0, "default": 1, "description": "Hours by which a checked time stamp in a client id may differ from the clock."},
    "default-service-id": {"type": ["string", "null"], "default": null, "description": "The service of what names none, e.g. a command of a dialect without services."},
    "downlink-qos": {"type": "integer", "minimum": 0, "maximum": 1, "default": 0, "description": "The QoS with which devices are sent what they subscribed to themselves; what reaches them without is of QoS 0."},
    "user-topics": {"type": "array", "items": {"type": "string"}, "default": [], "description": "Ends of the custom topics that products define; a message to any other goes to sys/messages/down."},
    "extra-topics": {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 512}, "maxItems": 64, "default": [], "description": "Filters of topics outside of a device's own to which every device may subscribe; a message with a topic_full_name below them reaches those that did."},
    "push": {"type": "object", "additionalProperties": false, "default": {}, "description": "Where notifications go, by resource.", "properties": {
      "device.message.status": {"$ref": "#/$defs/subscriber"},
      "device.property": {"$ref": "#/$defs/subscriber"},
      "device.message": {"$ref": "#/$defs/subscriber"},
      "device.status": {"$ref": "#/$defs/subscriber"}
    }},
    "push-shape": {"enum": ["flat", "nested"], "default": "flat", "description": "How a notification of a message's status is shaped."}
  },
  "$defs": {
    "subscriber": {"type": "object", "additionalProperties": false, "required": ["target"], "properties": {
      "target": {"type": "string", "description": "A target of the gateway's configuration."},
      "path": {"type": "string", "default": "/", "description": "Path and query below the target's address."}
    }}
  }
}"##;

#[cfg(test)]
mod tests {
    use super::*;
    use dragoman_plugin_sdk::testing::Fake;

    #[test]
    fn unknown_settings_are_refused_and_absent_ones_have_defaults() {
        let read = |text: &str| Settings::read(&Fake { settings: text.to_owned(), ..Fake::default() });
        assert_eq!(read("{}"), Ok(Settings::default()));
        assert_eq!(read(r#"{"default-service-id":"S"}"#).unwrap().default_service_id.as_deref(), Some("S"));
        assert_eq!(read(r#"{"extra-topics":["/a/+","b/#"]}"#).unwrap().extra_topics, ["/a/+", "b/#"]);
        assert_eq!(read(r#"{"downlink-qos":1}"#).unwrap().downlink_qos, 1);
        let many = format!(r#"{{"extra-topics":[{}"a"]}}"#, r#""a","#.repeat(EXTRA_TOPICS_MAX));
        for bad in [
            r#"{"downlink-qos":2}"#,
            r#"{"downlink-qos":-1}"#,
            r#"{"extra-topics":["a/#/b"]}"#,
            r#"{"extra-topics":[""]}"#,
            r#"{"extra-topics":"a"}"#,
            &many,
        ] {
            assert!(matches!(read(bad), Err(Error::Internal(text)) if text.contains("do not fit")), "{bad:.80}");
        }
        let push = read(r#"{"push":{"device.message.status":{"target":"app"}}}"#).unwrap().push.message_status.unwrap();
        assert_eq!((push.target.as_str(), push.path.as_str()), ("app", "/"));
        assert!(matches!(read(r#"{"push":{"device.else":{"target":"app"}}}"#), Err(Error::Internal(_))));
        assert!(matches!(read(r#"{"ttl":1}"#), Err(Error::Internal(text)) if text.contains("sync-time-out-s")));
        assert!(serde_json::from_str::<serde_json::Value>(SCHEMA).is_ok());
    }
}
