//! The bytes of a LoRaWAN lamp: items of a tag and a value, as the handler `lora-lamp` documents them.

use serde_json::{Map, Value, json};

/// The port on which the lamp takes commands.
pub const COMMAND_PORT: u64 = 10;
/// The port on which it reports.
pub const REPORT_PORT: u64 = 11;
/// What the lamp measures, in tenths of a degree Celsius.
const TEMPERATURE: i16 = 215;

/// Reads a command; none where the bytes mean nothing.
pub fn decode(bytes: &[u8]) -> Option<Map<String, Value>> {
    let mut values = Map::new();
    let mut rest = bytes;
    while let [tag, tail @ ..] = rest {
        let (name, value, tail) = match (tag, tail) {
            (0, tail) => ("report", json!(true), tail),
            (1, [value, tail @ ..]) => ("switch", json!(*value == 1), tail),
            (2, [value, tail @ ..]) => ("level", json!(value), tail),
            (4, [value, tail @ ..]) => ("blink", json!(value), tail),
            _ => return None,
        };
        values.insert(name.to_owned(), value);
        rest = tail;
    }
    (!values.is_empty()).then_some(values)
}

/// A report of what the lamp was set to and what it measures.
pub fn report(values: &Map<String, Value>) -> Vec<u8> {
    let switch = u8::from(values.get("switch").and_then(Value::as_bool).unwrap_or_default());
    let level = values.get("level").and_then(Value::as_u64).and_then(|level| u8::try_from(level).ok());
    let [high, low] = TEMPERATURE.to_be_bytes();
    vec![1, switch, 2, level.unwrap_or_default(), 3, high, low]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_by_table() {
        for (bytes, expected) in [
            (&[1, 1, 2, 50][..], Some(json!({ "switch": true, "level": 50 }))),
            (&[0], Some(json!({ "report": true }))),
            (&[4, 3], Some(json!({ "blink": 3 }))),
            (&[], None),
            (&[2], None),
            (&[9, 9], None),
        ] {
            assert_eq!(decode(bytes).map(Value::Object), expected, "{bytes:?}");
        }
    }

    #[test]
    fn a_report_says_what_was_set() {
        let values = Map::from_iter([("level".to_owned(), json!(50)), ("switch".to_owned(), json!(true))]);
        assert_eq!(report(&values), [1, 1, 2, 50, 3, 0, 215]);
        assert_eq!(report(&Map::new()), [1, 0, 2, 0, 3, 0, 215]);
    }
}
