//! The parameters of `setLevel`.

use dragoman_plugin_sdk::{Intent, Invocation};
use serde::Deserialize;
use serde_json::Value;

/// The command that is more than one message.
pub(crate) const SET_LEVEL: &str = "setLevel";

/// JSON Schema of the parameters of [`SET_LEVEL`].
pub(crate) const SCHEMA: &str = r#"{
  "type": "object",
  "required": ["level", "pin"],
  "additionalProperties": false,
  "properties": {
    "level": {"type": "integer", "minimum": 0, "maximum": 100},
    "pin": {"type": "string", "minLength": 1, "maxLength": 16}
  }
}"#;

const LEVEL_MAX: u8 = 100;
const PIN_CHARS_MAX: usize = 16;

/// What `setLevel` is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SetLevel {
    pub(crate) service: Option<String>,
    pub(crate) level: u8,
    pub(crate) pin: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    level: Value,
    pin: String,
}

impl SetLevel {
    /// `None` for any other intent; an error text for parameters that do not fit.
    pub(crate) fn of(intent: &Intent) -> Option<Result<Self, String>> {
        match intent {
            Intent::Invoke(invocation) if invocation.action == SET_LEVEL => Some(Self::read(invocation)),
            _ => None,
        }
    }

    fn read(invocation: &Invocation) -> Result<Self, String> {
        let params: Params = serde_json::from_str(&invocation.params)
            .map_err(|error| format!("the parameters must be {{\"level\", \"pin\"}}: {error}"))?;
        let level = params.level.as_u64().and_then(|level| u8::try_from(level).ok());
        let level = level.filter(|level| *level <= LEVEL_MAX);
        let level = level.ok_or_else(|| format!("level must be a whole number from 0 to {LEVEL_MAX}"))?;
        if !(1..=PIN_CHARS_MAX).contains(&params.pin.chars().count()) {
            return Err(format!("pin must be a string of 1 to {PIN_CHARS_MAX} characters"));
        }
        Ok(Self { service: invocation.service.clone(), level, pin: params.pin })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_or_refused() {
        for (params, expected) in [
            (r#"{"level":0,"pin":"1"}"#, true),
            (r#"{"level":100,"pin":"1234567890123456"}"#, true),
            (r#"{"level":101,"pin":"1"}"#, false),
            (r#"{"level":-1,"pin":"1"}"#, false),
            (r#"{"level":1.5,"pin":"1"}"#, false),
            (r#"{"level":"1","pin":"1"}"#, false),
            (r#"{"level":1,"pin":""}"#, false),
            (r#"{"level":1,"pin":1234}"#, false),
            (r#"{"level":1,"pin":"12345678901234567"}"#, false),
            (r#"{"level":1,"pin":"1","more":1}"#, false),
            (r#"{"level":1}"#, false),
            ("null", false),
        ] {
            let intent =
                Intent::Invoke(Invocation { service: None, action: SET_LEVEL.to_owned(), params: params.to_owned() });
            assert_eq!(SetLevel::of(&intent).unwrap().is_ok(), expected, "{params}");
        }
        assert!(SetLevel::of(&Intent::Read(Vec::new())).is_none());
        assert!(serde_json::from_str::<Value>(SCHEMA).is_ok());
    }
}
