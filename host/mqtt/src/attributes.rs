//! How MQTT 5 properties are called among the attributes of a message.
//!
//! They appear as `mqtt.content-type`, `mqtt.response-topic`, `mqtt.correlation-data` (where it is UTF-8; else
//! `mqtt.correlation-data-hex`), `mqtt.message-expiry-s` and `mqtt.payload-format` (`1`: text). User properties appear
//! under their own names; one whose name begins with `mqtt.` or `user.` gets `user.` in front, so that no client can put
//! on the look of a property it did not set.

use dragoman_core::Attributes;
use std::num::NonZeroU32;

/// Begins the names of MQTT's own properties.
const OWN: &str = "mqtt.";
const USER: &str = "user.";

/// The properties that attributes stand for, in no library's types.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Properties {
    pub(crate) content_type: Option<String>,
    pub(crate) response_topic: Option<String>,
    pub(crate) correlation_data: Option<Vec<u8>>,
    /// In seconds.
    pub(crate) message_expiry: Option<NonZeroU32>,
    /// Whether the payload is said to be text.
    pub(crate) is_text: bool,
    /// Names and values, in order.
    pub(crate) user: Vec<(String, String)>,
}

impl Properties {
    /// Those that a message is to have. What is no value of its property is left out.
    pub(crate) fn of(attributes: &Attributes) -> Self {
        let mut properties = Self::default();
        for (name, value) in attributes {
            match name.strip_prefix(OWN) {
                Some("content-type") => properties.content_type = Some(value.clone()),
                Some("response-topic") => properties.response_topic = Some(value.clone()),
                Some("correlation-data") => properties.correlation_data = Some(value.clone().into_bytes()),
                Some("correlation-data-hex") => properties.correlation_data = from_hex(value),
                Some("message-expiry-s") => {
                    properties.message_expiry = value.parse().ok().and_then(NonZeroU32::new);
                }
                Some("payload-format") => properties.is_text = value == "1",
                Some(_) => {}
                None => properties.user.push((to_user(name).to_owned(), value.clone())),
            }
        }
        properties
    }

    /// What they are called.
    pub(crate) fn attributes(self) -> Attributes {
        let correlation = self.correlation_data.map(|data| of_correlation(&data));
        let own = [
            self.content_type.map(|text| ("content-type", text)),
            self.response_topic.map(|text| ("response-topic", text)),
            correlation,
            self.message_expiry.map(|seconds| ("message-expiry-s", seconds.to_string())),
            self.is_text.then(|| ("payload-format", "1".to_owned())),
        ];
        let own = own.into_iter().flatten().map(|(name, value)| (format!("{OWN}{name}"), value));
        own.chain(self.user.into_iter().map(|(name, value)| (of_user(&name), value))).collect()
    }
}

/// The attribute for a user property of this name.
fn of_user(name: &str) -> String {
    let escaped = name.starts_with(OWN) || name.starts_with(USER);
    if escaped { format!("{USER}{name}") } else { name.to_owned() }
}

/// The name of the user property for an attribute that is none of MQTT's own.
fn to_user(name: &str) -> &str {
    name.strip_prefix(USER).unwrap_or(name)
}

/// Name, without `mqtt.`, and value of correlation data.
fn of_correlation(data: &[u8]) -> (&'static str, String) {
    match std::str::from_utf8(data) {
        Ok(text) => ("correlation-data", text.to_owned()),
        Err(_) => ("correlation-data-hex", data.iter().map(|byte| format!("{byte:02x}")).collect()),
    }
}

/// The bytes that stand there in hexadecimal.
fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_survive_both_ways() {
        let list: Attributes = [
            ("mqtt.content-type", "application/json"),
            ("mqtt.response-topic", "a/b"),
            ("mqtt.correlation-data", "k1"),
            ("mqtt.message-expiry-s", "30"),
            ("mqtt.payload-format", "1"),
            ("region", "eu"),
            ("region", "us"),
            ("user.mqtt.content-type", "spoof"),
            ("user.user.x", "y"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
        assert_eq!(Properties::of(&list).attributes(), list);
    }

    #[test]
    fn user_properties_cannot_look_like_others() {
        for (name, attribute) in
            [("region", "region"), ("mqtt.content-type", "user.mqtt.content-type"), ("user.x", "user.user.x")]
        {
            assert_eq!(of_user(name), attribute);
            assert_eq!(to_user(attribute), name);
        }
    }

    #[test]
    fn correlation_data_that_is_not_text_is_hexadecimal() {
        assert_eq!(of_correlation(b"k1"), ("correlation-data", "k1".to_owned()));
        assert_eq!(of_correlation(&[0x00, 0xff]), ("correlation-data-hex", "00ff".to_owned()));
        assert_eq!(from_hex("00ff"), Some(vec![0x00, 0xff]));
        for bad in ["0", "zz", "é"] {
            assert_eq!(from_hex(bad), None);
        }
    }
}
