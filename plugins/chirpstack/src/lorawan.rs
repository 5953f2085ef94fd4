//! The vocabulary that this dialect shares with application sides of LoRaWAN networks. README.md has it as a table.

use dragoman_plugin_sdk::Attributes;

/// Namespace of the network servers: the user name of their MQTT connection.
pub const SERVER_ALIAS: &str = "chirpstack.server";

/// Namespace of the hexadecimal device EUI, lower case.
pub const DEV_EUI_ALIAS: &str = "lorawan.dev-eui";

/// Label of a device, or of its network server: ChirpStack's application of it.
pub(crate) const APPLICATION_LABEL: &str = "chirpstack.application-id";

pub(crate) const F_PORT: &str = "lorawan.f-port";
pub(crate) const F_CNT: &str = "lorawan.f-cnt";
pub(crate) const CONFIRMED: &str = "lorawan.confirmed";
pub(crate) const DEV_ADDR: &str = "lorawan.dev-addr";
pub(crate) const JOIN_EUI: &str = "lorawan.join-eui";
pub(crate) const SESSION_KEY_ID: &str = "lorawan.session-key-id";
pub(crate) const GATEWAY_ID: &str = "lorawan.gateway-id";
pub(crate) const RX_METADATA: &str = "lorawan.rx-metadata";
pub(crate) const SETTINGS: &str = "lorawan.settings";

/// Who says that the device has it: the network's gateway sent it by radio.
pub(crate) const ACKED_BY_NETWORK: (&str, &str) = ("acked.cause", "network");

/// Codes of reasons.
pub(crate) const NACK: &str = "LORAWAN_NACK";
pub(crate) const NO_RECEIPT: &str = "LORAWAN_NO_RECEIPT";
pub(crate) const EXPIRED: &str = "LORAWAN_EXPIRED";
pub(crate) const TOO_LONG: &str = "LORAWAN_TOO_LONG";
pub(crate) const F_CNT_TOO_LOW: &str = "LORAWAN_F_CNT_TOO_LOW";

/// Bytes of attributes that the gateway takes, less some for their names.
const ATTRIBUTES_BYTES_MAX: usize = 15 * 1_024;

/// Adds an attribute that is known and fits. What is too large is left out: it is never what a command hangs on.
pub(crate) fn add(attributes: &mut Attributes, name: &str, value: Option<impl Into<String>>) {
    let Some(value) = value.map(Into::into).filter(|value| !value.is_empty()) else { return };
    let used: usize = attributes.iter().map(|(name, value)| name.len() + value.len()).sum();
    if used + name.len() + value.len() <= ATTRIBUTES_BYTES_MAX {
        attributes.push((name.to_owned(), value));
    }
}

/// Whether a text is an EUI as ChirpStack writes it: 16 lower-case hexadecimal digits.
pub(crate) fn is_eui(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_stay_within_what_the_gateway_takes() {
        let mut attributes = Vec::new();
        add(&mut attributes, "a", Some("x".repeat(15_000)));
        add(&mut attributes, "b", Some("y".repeat(1_000)));
        add(&mut attributes, "c", Some("z"));
        add(&mut attributes, "d", Some(""));
        add(&mut attributes, "e", None::<String>);
        let names: Vec<_> = attributes.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a", "c"]);
    }

    #[test]
    fn an_eui_has_16_digits() {
        for (text, expected) in [
            ("4200000000000000", true),
            ("0102030405abcdef", true),
            ("0102030405ABCDEF", false),
            ("010203040506070", false),
            ("01020304050607080", false),
            ("010203040506070g", false),
            ("", false),
        ] {
            assert_eq!(is_eui(text), expected, "{text}");
        }
    }
}
