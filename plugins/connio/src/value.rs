//! Values of properties: their JSON text, what a type takes, and when two are equal.

use dragoman_plugin_sdk::{Payload, json};
use serde::Deserialize;
use serde_json::{Number, Value};

/// Bytes of a string, unless the property says less.
const STRING_BYTES_MAX: usize = 1_024;
/// Characters of one of an enum's strings.
const ENUM_CHARS_MAX: usize = 64;

/// What a property takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Any JSON value; ours, for what is not declared.
    #[default]
    Any,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A string of at most 1 KiB.
    String,
    /// One of a set of strings and numbers.
    Enum,
    /// An object or an array.
    Object,
    /// `{"geo": {"lat", "lon", "alt"?}, "zone"?}`.
    Waypoint,
    /// Bytes as a base64 string.
    Blob,
    /// Not carried over MQTT.
    File,
}

/// What narrows a type.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Boundaries {
    /// Of a number.
    pub min: Option<f64>,
    /// Of a number.
    pub max: Option<f64>,
    /// Of a string, an object or a blob, in bytes of its text.
    pub size: Option<usize>,
    /// Of an enum; an empty one takes every string and number.
    pub set: Vec<Value>,
}

/// Why a value, a JSON text, is none of that type within these boundaries.
pub(crate) fn check(kind: Kind, boundaries: &Boundaries, text: &str) -> Result<(), String> {
    if text.len() > json::EMBEDDED_BYTES_MAX {
        return Err(format!("a value has at most {} bytes", json::EMBEDDED_BYTES_MAX));
    }
    // In a list, because it is kept as a member of an object: there is one level less for the value itself.
    let [value]: [Value; 1] =
        json::parse(&format!("[{text}]")).map_err(|broken| format!("it is no JSON: {}", broken.text()))?;
    let size_max = boundaries.size.unwrap_or(usize::MAX);
    let sized = |bytes: usize, max: usize| {
        if bytes <= max { Ok(()) } else { Err(format!("it has {bytes} bytes, at most {max} are allowed")) }
    };
    match (kind, &value) {
        (Kind::Any, _) => Ok(()),
        (Kind::Number, Value::Number(number)) => check_range(boundaries, number),
        (Kind::Boolean, Value::Bool(_)) => Ok(()),
        (Kind::String, Value::String(string)) => sized(string.len(), size_max.min(STRING_BYTES_MAX)),
        (Kind::Enum, Value::String(_) | Value::Number(_)) => check_set(boundaries, &value),
        (Kind::Object, Value::Object(_) | Value::Array(_)) => sized(text.len(), size_max),
        (Kind::Waypoint, Value::Object(_)) => check_waypoint(&value),
        (Kind::Blob, Value::String(string)) if is_base64(string) => sized(string.len(), size_max),
        (Kind::File, _) => Err("files are not carried".to_owned()),
        _ => Err(format!("it is no value of type {}", name(kind))),
    }
}

/// The value, JSON text, in a payload that a device published. The platform asks for JSON; its SDK also sends strings
/// without quotes, and those are taken where a string may stand.
pub(crate) fn decode(kind: Kind, boundaries: &Boundaries, payload: &Payload) -> Result<String, String> {
    let Payload::Text(text) = payload else { return Err("its payload is not UTF-8".to_owned()) };
    let text = text.trim();
    let as_written =
        if text.is_empty() { Err("its payload is empty".to_owned()) } else { check(kind, boundaries, text) };
    let Err(why) = as_written else { return Ok(text.to_owned()) };
    let takes_strings = matches!(kind, Kind::Any | Kind::String | Kind::Enum);
    // What begins like JSON and is none is a broken value, not a word.
    if takes_strings && !text.is_empty() && !text.starts_with(['{', '[', '"']) {
        let quoted = Value::String(text.to_owned()).to_string();
        check(kind, boundaries, &quoted)?;
        return Ok(quoted);
    }
    Err(why)
}

/// Whether two JSON texts are the same value: deep, without regard to the order of members and the form of numbers.
pub(crate) fn same(one: &str, other: &str) -> bool {
    one == other
        || match (json::parse::<Value>(one), json::parse::<Value>(other)) {
            (Ok(one), Ok(other)) => equal(&one, &other),
            _ => false,
        }
}

fn equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => equal_numbers(one, other),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| equal(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, value)| other.get(name).is_some_and(|other| equal(value, other)))
        }
        _ => one == other,
    }
}

fn equal_numbers(one: &Number, other: &Number) -> bool {
    one == other || ((one.is_f64() || other.is_f64()) && one.as_f64() == other.as_f64())
}

fn check_range(boundaries: &Boundaries, number: &Number) -> Result<(), String> {
    let value = number.as_f64().ok_or("it is no number of double precision")?;
    match (boundaries.min, boundaries.max) {
        (Some(min), _) if value < min => Err(format!("it is below {min}")),
        (_, Some(max)) if value > max => Err(format!("it is above {max}")),
        _ => Ok(()),
    }
}

fn check_set(boundaries: &Boundaries, value: &Value) -> Result<(), String> {
    if value.as_str().is_some_and(|text| text.chars().count() > ENUM_CHARS_MAX) {
        return Err(format!("it has more than {ENUM_CHARS_MAX} characters"));
    }
    if boundaries.set.is_empty() || boundaries.set.iter().any(|one| equal(one, value)) {
        return Ok(());
    }
    Err("it is not in the property's set".to_owned())
}

fn check_waypoint(value: &Value) -> Result<(), String> {
    let geo = value.get("geo").ok_or("it has no geo")?;
    let degrees = |name: &str, limit: f64| geo.get(name).and_then(Value::as_f64).is_some_and(|d| d.abs() <= limit);
    let altitude = geo.get("alt").is_none_or(Value::is_number);
    if degrees("lat", 90.0) && degrees("lon", 180.0) && altitude {
        return Ok(());
    }
    Err("its geo is no {lat, lon, alt?} in degrees and metres".to_owned())
}

/// RFC 4648 with padding.
fn is_base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    text.len().is_multiple_of(4)
        && text.len() - body.len() <= 2
        && body.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(&byte))
}

/// The platform's name of a type.
pub(crate) fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Any => "any",
        Kind::Number => "number",
        Kind::Boolean => "boolean",
        Kind::String => "string",
        Kind::Enum => "enum",
        Kind::Object => "object",
        Kind::Waypoint => "waypoint",
        Kind::Blob => "blob",
        Kind::File => "file",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boundaries(text: &str) -> Boundaries {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_type_takes_its_values_within_its_boundaries() {
        let long = format!("\"{}\"", "x".repeat(1_025));
        let large = format!("\"{}\"", "x".repeat(json::EMBEDDED_BYTES_MAX));
        let deep = format!("{}{}", "[".repeat(64), "]".repeat(64));
        for (kind, bounds, text, taken) in [
            (Kind::Any, "{}", "null", true),
            (Kind::Any, "{}", &deep, false),
            (Kind::Any, "{}", &large, false),
            (Kind::Any, "{}", "nul", false),
            (Kind::Any, "{}", "1,2", false),
            (Kind::Number, "{}", "45", true),
            (Kind::Number, "{}", "21.56", true),
            (Kind::Number, "{}", "\"45\"", false),
            (Kind::Number, r#"{"min":5,"max":35}"#, "5", true),
            (Kind::Number, r#"{"min":5,"max":35}"#, "35.0", true),
            (Kind::Number, r#"{"min":5,"max":35}"#, "4.9", false),
            (Kind::Number, r#"{"min":5,"max":35}"#, "35.1", false),
            (Kind::Boolean, "{}", "true", true),
            (Kind::Boolean, "{}", "1", false),
            (Kind::String, "{}", "\"Operational\"", true),
            (Kind::String, "{}", "Operational", false),
            (Kind::String, "{}", &long, false),
            (Kind::String, r#"{"size":2}"#, "\"abc\"", false),
            (Kind::Enum, r#"{"set":["on","off",3]}"#, "\"on\"", true),
            (Kind::Enum, r#"{"set":["on","off",3]}"#, "3.0", true),
            (Kind::Enum, r#"{"set":["on","off",3]}"#, "\"ON\"", false),
            (Kind::Enum, r#"{"set":["on"]}"#, "true", false),
            (Kind::Object, "{}", r#"{"a":[1]}"#, true),
            (Kind::Object, "{}", "[1]", true),
            (Kind::Object, "{}", "1", false),
            (Kind::Object, r#"{"size":3}"#, r#"{"a":1}"#, false),
            (Kind::Waypoint, "{}", r#"{"geo":{"lat":41.1,"lon":28.9}}"#, true),
            (Kind::Waypoint, "{}", r#"{"geo":{"lat":91,"lon":28.9}}"#, false),
            (Kind::Waypoint, "{}", r#"{"lat":41.1,"lon":28.9}"#, false),
            (Kind::Blob, "{}", "\"aGk=\"", true),
            (Kind::Blob, "{}", "\"aGk\"", false),
            (Kind::Blob, "{}", "\"a===\"", false),
            (Kind::File, "{}", "\"aGk=\"", false),
        ] {
            assert_eq!(check(kind, &boundaries(bounds), text).is_ok(), taken, "{kind:?} {bounds} {text:.60}");
        }
    }

    #[test]
    fn a_payload_is_json_and_a_bare_word_where_strings_may_stand() {
        let set = boundaries(r#"{"set":["alarm",7]}"#);
        for (kind, text, expected) in [
            (Kind::Number, " 45 ", Some("45")),
            (Kind::Number, "alarm", None),
            (Kind::String, "\"Operational\"", Some("\"Operational\"")),
            (Kind::String, "alarm", Some("\"alarm\"")),
            (Kind::String, "45", Some("\"45\"")),
            (Kind::String, "\"alarm", None),
            (Kind::Enum, "alarm", Some("\"alarm\"")),
            (Kind::Enum, "7", Some("7")),
            (Kind::Enum, "8", None),
            (Kind::Any, "{\"a\": 1.50}", Some("{\"a\": 1.50}")),
            (Kind::Any, "{\"a\":", None),
            (Kind::Any, "on", Some("\"on\"")),
            (Kind::Any, "", None),
        ] {
            let bounds = if kind == Kind::Enum { set.clone() } else { Boundaries::default() };
            let decoded = decode(kind, &bounds, &Payload::Text(text.to_owned()));
            assert_eq!(decoded.ok().as_deref(), expected, "{kind:?} {text}");
        }
        assert!(decode(Kind::Any, &set, &Payload::Bytes(vec![0xff])).is_err());
    }

    #[test]
    fn equality_is_deep_and_of_numbers_not_of_their_form() {
        for (one, other, expected) in [
            ("24", "24.0", true),
            ("24", "\"24\"", false),
            (r#"{"a":1,"b":[2.0]}"#, r#"{ "b":[2], "a":1 }"#, true),
            (r#"{"a":1}"#, r#"{"a":1,"b":null}"#, false),
            ("[1,2]", "[2,1]", false),
            ("9007199254740993", "9007199254740992", false),
            ("null", "null", true),
            ("x", "y", false),
        ] {
            assert_eq!(same(one, other), expected, "{one} {other}");
        }
    }
}
