//! What an intent asks of the lamp.

use crate::bytes::{Item, LEVEL_MAX};
use dragoman_plugin_sdk::{Intent, json};
use serde_json::{Map, Value};

/// Sets switch and level, as a write does.
pub(crate) const SET: &str = "set";
/// Blinks.
pub(crate) const BLINK: &str = "blink";

/// JSON Schema of the parameters of [`SET`].
pub(crate) const SET_SCHEMA: &str = r#"{
  "type": "object",
  "minProperties": 1,
  "additionalProperties": false,
  "properties": {
    "switch": {"type": "boolean"},
    "level": {"type": "integer", "minimum": 0, "maximum": 100}
  }
}"#;

/// JSON Schema of the parameters of [`BLINK`].
pub(crate) const BLINK_SCHEMA: &str = r#"{
  "type": "object",
  "required": ["times"],
  "additionalProperties": false,
  "properties": {"times": {"type": "integer", "minimum": 1, "maximum": 255}}
}"#;

/// The items that carry out an intent, or why there are none.
pub(crate) fn of(intent: &Intent) -> Result<Vec<Item>, String> {
    match intent {
        Intent::Invoke(invocation) => {
            let params: Map<String, Value> = json::parse_object(&invocation.params)
                .map_err(|broken| format!("the parameters must be an object: {}", broken.text()))?;
            match invocation.action.as_str() {
                SET => params.iter().map(|(name, value)| item(name, value)).collect(),
                BLINK => params.iter().map(|(name, value)| blink(name, value)).collect(),
                other => Err(format!("the lamp has no command {other}; it has {SET} and {BLINK}")),
            }
        }
        Intent::Write(properties) => properties
            .iter()
            .map(|property| {
                let value = json::parse(&property.value)
                    .map_err(|broken| format!("{} is no JSON: {}", property.name, broken.text()))?;
                item(&property.name, &value)
            })
            .collect(),
        Intent::Read(_) => Ok(vec![Item::Report]),
        Intent::Deliver(_) => Err("bytes are passed on as they are".to_owned()),
    }
}

fn item(name: &str, value: &Value) -> Result<Item, String> {
    match name {
        "switch" => match value {
            Value::Bool(on) => Ok(Item::Switch(*on)),
            value if value.as_u64().is_some_and(|number| number <= 1) => Ok(Item::Switch(value.as_u64() == Some(1))),
            _ => Err("switch must be true or false".to_owned()),
        },
        "level" => number(value)
            .filter(|level| *level <= LEVEL_MAX)
            .map(Item::Level)
            .ok_or_else(|| format!("level must be a whole number from 0 to {LEVEL_MAX}")),
        "temperature" => Err("temperature is only reported".to_owned()),
        other => Err(format!("the lamp has no property {other}; it has switch, level and temperature")),
    }
}

fn blink(name: &str, value: &Value) -> Result<Item, String> {
    let times = number(value).filter(|times| name == "times" && *times > 0);
    times.map(Item::Blink).ok_or_else(|| "times must be a whole number from 1 to 255, and all there is".to_owned())
}

/// A whole number, also where it is written as `5.0`, as platforms with one kind of number do.
fn number(value: &Value) -> Option<u8> {
    (0..=u8::MAX).find(|number| value.as_f64() == Some(f64::from(*number)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dragoman_plugin_sdk::{Invocation, Property};

    fn invoke(action: &str, params: &str) -> Result<Vec<Item>, String> {
        of(&Intent::Invoke(Invocation { service: None, action: action.to_owned(), params: params.to_owned() }))
    }

    #[test]
    fn commands_are_read_or_refused() {
        for (action, params, expected) in [
            ("set", r#"{"switch":true}"#, Some(vec![Item::Switch(true)])),
            ("set", r#"{"level":5.0,"switch":0}"#, Some(vec![Item::Level(5), Item::Switch(false)])),
            ("set", r#"{"level":100}"#, Some(vec![Item::Level(100)])),
            ("set", "{}", Some(vec![])),
            ("set", r#"{"level":101}"#, None),
            ("set", r#"{"level":-1}"#, None),
            ("set", r#"{"level":1.5}"#, None),
            ("set", r#"{"level":"5"}"#, None),
            ("set", r#"{"switch":"on"}"#, None),
            ("set", r#"{"switch":2}"#, None),
            ("set", r#"{"temperature":20}"#, None),
            ("set", r#"{"colour":1}"#, None),
            ("set", "null", None),
            ("set", "[]", None),
            ("blink", r#"{"times":3}"#, Some(vec![Item::Blink(3)])),
            ("blink", r#"{"times":0}"#, None),
            ("blink", r#"{"times":256}"#, None),
            ("blink", r#"{"times":1,"fast":1}"#, None),
            ("reboot", "{}", None),
        ] {
            assert_eq!(invoke(action, params).ok(), expected, "{action} {params}");
        }
        for schema in [SET_SCHEMA, BLINK_SCHEMA] {
            assert!(serde_json::from_str::<Value>(schema).is_ok());
        }
    }

    #[test]
    fn properties_are_written_and_asked_for() {
        let write = |name: &str, value: &str| {
            of(&Intent::Write(vec![Property { service: None, name: name.to_owned(), value: value.to_owned() }]))
        };
        assert_eq!(write("level", "42"), Ok(vec![Item::Level(42)]));
        assert!(write("level", "{").is_err());
        assert_eq!(of(&Intent::Read(vec![])), Ok(vec![Item::Report]));
    }
}
