//! JSON from outside, within a depth that every reader behind us can bear.

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

/// Arrays and objects that may stand in each other.
pub const DEPTH_MAX: usize = 64;

/// Bytes of a document that is to be written into a message: what the gateway takes for one message (256 KiB), less
/// 4 KiB for what stands around it.
pub const EMBEDDED_BYTES_MAX: usize = (256 - 4) * 1_024;

/// Why a text is not what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// It is not JSON, or nested deeper than [`DEPTH_MAX`].
    Syntax(String),
    /// It is JSON of another shape.
    Shape(String),
}

impl Broken {
    /// What is wrong, for people.
    pub fn text(&self) -> &str {
        match self {
            Self::Syntax(text) | Self::Shape(text) => text,
        }
    }
}

/// Reads a JSON text into a type.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Broken> {
    if is_deeper_than(text, DEPTH_MAX) {
        return Err(Broken::Syntax(format!("the JSON is nested deeper than {DEPTH_MAX} levels")));
    }
    // Read twice, so that what is no JSON at all is never called JSON of another shape.
    serde_json::from_str::<&RawValue>(text).map_err(|error| Broken::Syntax(error.to_string()))?;
    serde_json::from_str(text).map_err(|error| Broken::Shape(error.to_string()))
}

/// As [`parse`], for an object: a list of the members' values, which serde takes for a struct too, is refused.
pub fn parse_object<T: DeserializeOwned>(text: &str) -> Result<T, Broken> {
    if is_object(&parse::<Box<RawValue>>(text)?) {
        parse(text)
    } else {
        Err(Broken::Shape("expected an object".to_owned()))
    }
}

/// A JSON object as it was written, white space around it aside; `None` for any other value and for what is no JSON.
pub fn object_text(text: &str) -> Option<String> {
    parse::<Box<RawValue>>(text).ok().filter(|raw| is_object(raw)).map(|raw| raw.get().to_owned())
}

/// Whether the value is an object.
pub fn is_object(raw: &RawValue) -> bool {
    raw.get().starts_with('{')
}

/// A JSON text to be written into another one as it is; `null` where the text is no JSON.
pub fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

fn is_deeper_than(text: &str, limit: usize) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                if depth > limit {
                    return true;
                }
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_counted_outside_of_strings() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse::<Box<RawValue>>(&nested(DEPTH_MAX)).is_ok());
        assert!(matches!(parse::<Box<RawValue>>(&nested(DEPTH_MAX + 1)), Err(Broken::Syntax(_))));
        assert!(parse::<Box<RawValue>>(&format!("\"\\\"{}\"", "[".repeat(100))).is_ok());
        assert!(parse::<Box<RawValue>>(&format!("[{}1]", "[],".repeat(100))).is_ok());
    }

    #[test]
    fn syntax_and_shape_are_told_apart() {
        assert!(matches!(parse::<Vec<u8>>("{"), Err(Broken::Syntax(_))));
        assert!(matches!(parse::<Vec<u8>>("{}"), Err(Broken::Shape(_))));
        assert!(matches!(parse::<(u8, u8)>("[1,2]"), Ok((1, 2))));
        assert!(matches!(parse_object::<(u8, u8)>("[1,2]"), Err(Broken::Shape(_))));
        assert!(matches!(parse_object::<(u8, u8)>("[1,2"), Err(Broken::Syntax(_))));
    }

    #[test]
    fn an_object_keeps_its_text() {
        assert_eq!(object_text(" {\"a\": 1.50} ").as_deref(), Some("{\"a\": 1.50}"));
        assert_eq!(object_text("[]"), None);
        assert_eq!(object_text("{"), None);
    }
}
