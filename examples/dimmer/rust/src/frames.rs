//! The bytes of the dimmer.

use dragoman_plugin_sdk::{Decoded, Direction, Error, Payload};
use serde_json::{Value, json};

const SET: u8 = 0x10;
const SET_AT_ONCE: u8 = 0x11;
const REPORT: u8 = 0x81;
const HOT_CELSIUS: i8 = 80;

/// Asks for a level, to be reached over so many tenths of a second.
pub(crate) fn set(level: u8, fade_tenths: u8) -> Vec<u8> {
    vec![SET, level, fade_tenths]
}

/// Asks for a level, to be reached at once.
pub(crate) fn set_at_once(level: u8) -> Vec<u8> {
    vec![SET_AT_ONCE, level]
}

/// What a payload means. The gateway gives text for all that is valid UTF-8, also where the device sent binary that
/// happens to be.
pub(crate) fn decode(direction: Direction, payload: &Payload, now_ms: u64) -> Result<Decoded, Error> {
    let bytes: &[u8] = match payload {
        Payload::Text(text) => text.as_bytes(),
        Payload::Bytes(bytes) => bytes,
    };
    match (direction, bytes) {
        (Direction::Up, &[REPORT, level, temperature, age_s]) => {
            let temperature = temperature.cast_signed();
            let measured_ms = now_ms.saturating_sub(u64::from(age_s) * 1000);
            let warnings = if temperature > HOT_CELSIUS { vec!["the dimmer is hot".to_owned()] } else { Vec::new() };
            let value = json!({"level": level, "temperature": temperature, "measured_ms": measured_ms});
            Ok(Decoded { value: value.to_string(), warnings })
        }
        (Direction::Down, &[SET, level, tenths]) => {
            Ok(plain(&json!({"set": level, "fade_ms": u32::from(tenths) * 100})))
        }
        (Direction::Down, &[SET_AT_ONCE, level]) => Ok(plain(&json!({"set": level}))),
        _ => Err(Error::Invalid(format!("{} bytes are no message of a dimmer", bytes.len()))),
    }
}

fn plain(value: &Value) -> Decoded {
    Decoded { value: value.to_string(), warnings: Vec::new() }
}
