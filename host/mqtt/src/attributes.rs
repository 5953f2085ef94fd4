//! How MQTT 5 properties are called among the attributes of a message.
//!
//! They appear as `mqtt.content-type`, `mqtt.response-topic`, `mqtt.correlation-data` (where it is UTF-8; else
//! `mqtt.correlation-data-hex`), `mqtt.message-expiry-s` and `mqtt.payload-format` (`1`: text). User properties appear
//! under their own names; one whose name begins with `mqtt.` or `user.` gets `user.` in front, so that no client can put
//! on the look of a property it did not set.

/// Begins the names of MQTT's own properties.
pub(crate) const OWN: &str = "mqtt.";
const USER: &str = "user.";

/// The attribute for a user property of this name.
pub(crate) fn of_user(name: &str) -> String {
    let escaped = name.starts_with(OWN) || name.starts_with(USER);
    if escaped { format!("{USER}{name}") } else { name.to_owned() }
}

/// The name of the user property for an attribute that is none of MQTT's own.
pub(crate) fn to_user(name: &str) -> &str {
    name.strip_prefix(USER).unwrap_or(name)
}

/// Name, without `mqtt.`, and value of correlation data.
pub(crate) fn of_correlation(data: &[u8]) -> (&'static str, String) {
    match std::str::from_utf8(data) {
        Ok(text) => ("correlation-data", text.to_owned()),
        Err(_) => ("correlation-data-hex", data.iter().map(|byte| format!("{byte:02x}")).collect()),
    }
}

/// The bytes that stand there in hexadecimal.
pub(crate) fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
