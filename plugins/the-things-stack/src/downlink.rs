//! `ApplicationDownlink`: an item of a device's queue, as it is pushed and as it is shown.

use crate::error::{ApiError, invalid, no_payload, too_many_retries, too_much_at_once};
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use dragoman_plugin_sdk::json;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

/// Bytes of a payload (`lorawan.proto`).
const PAYLOAD_BYTES_MAX: usize = 255;
const F_PORT_MAX: u32 = 255;
/// The port of the LoRaWAN test protocol.
const F_PORT_TEST: u32 = 224;
/// Levels that an object leaves to what it is kept in, and its bytes.
const DEPTH_LEFT: usize = 16;
const OBJECT_BYTES_MAX: usize = 8 * 1_024;
pub(crate) const CORRELATION_ID_CHARS_MAX: usize = 100;
pub(crate) const CORRELATION_IDS_MAX: usize = 32;
/// Attempts of a confirmed downlink where the application names none, and the most that the server makes.
const ATTEMPTS_DEFAULT: u32 = 8;
const ATTEMPTS_MAX: u32 = 32;
/// Attempts that an application may name at all.
const ATTEMPTS_NAMED_MAX: u32 = 100;

/// What a device gets its payload from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Source {
    /// The application gave bytes.
    Bytes,
    /// The application gave an object, for the device's handler to encode.
    Object,
}

/// Only handed on to the gateways: the queue is first in, first out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Priority {
    #[default]
    Lowest,
    Low,
    BelowNormal,
    Normal,
    AboveNormal,
    High,
    Highest,
}

impl Priority {
    const ALL: [(Self, &'static str); 7] = [
        (Self::Lowest, "LOWEST"),
        (Self::Low, "LOW"),
        (Self::BelowNormal, "BELOW_NORMAL"),
        (Self::Normal, "NORMAL"),
        (Self::AboveNormal, "ABOVE_NORMAL"),
        (Self::High, "HIGH"),
        (Self::Highest, "HIGHEST"),
    ];

    pub(crate) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(priority, _)| *priority == self).map_or("LOWEST", |(_, name)| name)
    }

    /// By name or number.
    fn read(value: &Value) -> Option<Self> {
        let place = match value {
            Value::Null => 0,
            Value::String(text) => Self::ALL.iter().position(|(_, name)| name == text)?,
            value => usize::try_from(value.as_u64()?).ok()?,
        };
        Self::ALL.get(place).map(|(priority, _)| *priority)
    }
}

/// An item, worded as the platform writes it: what is zero or unknown is left out.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Downlink {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) session_key_id: Option<String>,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) f_port: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) f_cnt: u32,
    /// Base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) frm_payload: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) decoded_payload: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) decoded_payload_warnings: Vec<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) confirmed: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) class_b_c: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "is_lowest")]
    pub(crate) priority: Priority,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) correlation_ids: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) confirmed_retry: Option<ConfirmedRetry>,
}

/// Which attempt of a confirmed downlink it is, of how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ConfirmedRetry {
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) attempt: u32,
    #[serde(default, alias = "maxAttempts", skip_serializing_if = "Option::is_none")]
    pub(crate) max_attempts: Option<u32>,
}

/// An item as an application sends it; what is not known in it is not looked at.
#[derive(Clone, Debug, Deserialize)]
struct Item {
    #[serde(default, alias = "fPort")]
    f_port: Option<u32>,
    #[serde(default, alias = "frmPayload")]
    frm_payload: Option<String>,
    #[serde(default, alias = "decodedPayload")]
    decoded_payload: Option<Box<RawValue>>,
    #[serde(default)]
    confirmed: Option<bool>,
    #[serde(default, alias = "classBC")]
    class_b_c: Option<Box<RawValue>>,
    #[serde(default)]
    priority: Value,
    #[serde(default, alias = "correlationIds")]
    correlation_ids: Option<Vec<String>>,
    #[serde(default, alias = "confirmedRetry")]
    confirmed_retry: Option<ConfirmedRetry>,
}

#[derive(Deserialize)]
struct Push {
    #[serde(default)]
    downlinks: Option<Vec<Box<RawValue>>>,
}

/// Reads `{"downlinks": […]}`: the items one by one, so that what is wrong in one of them is told with its number. More
/// than `items_max` are refused before any is looked at.
pub(crate) fn read_all(body: &str, items_max: usize) -> Result<Vec<Downlink>, BadBody> {
    let push: Push = json::parse_object(body).map_err(|broken| BadBody::Json(broken.text().to_owned()))?;
    let items = push.downlinks.unwrap_or_default();
    if items.len() > items_max {
        let why = format!("{} downlinks are more than one call can do; it takes {items_max}", items.len());
        return Err(BadBody::Item(too_much_at_once(&why)));
    }
    items.iter().enumerate().map(|(number, item)| Downlink::read(item.get(), number)).collect()
}

/// Why a body is refused. Nothing of it is queued, and nothing is published.
#[derive(Debug)]
pub(crate) enum BadBody {
    /// It is no JSON, or none of that shape.
    Json(String),
    /// An item does not fit, or there are too many.
    Item(ApiError),
}

impl Downlink {
    /// Reads one item. Members that only the server sets are dropped (`CleanDownlinks`).
    pub(crate) fn read(text: &str, number: usize) -> Result<Self, BadBody> {
        let item: Item = json::parse_object(text).map_err(|broken| BadBody::Json(broken.text().to_owned()))?;
        Self::of(item, number).map_err(BadBody::Item)
    }

    fn of(item: Item, number: usize) -> Result<Self, ApiError> {
        let bad = |field: &str, why: String| invalid(&format!("downlinks[{number}].{field}"), &why);
        let f_port = item.f_port.unwrap_or_default();
        if f_port > F_PORT_MAX || f_port == F_PORT_TEST {
            return Err(bad("f_port", format!("it must be 1 to {F_PORT_MAX} and not {F_PORT_TEST}")));
        }
        let frm_payload = match item.frm_payload.filter(|text| !text.is_empty()) {
            None => None,
            Some(text) => {
                let bytes = from_base64(&text).ok_or_else(|| bad("frm_payload", "it is no base64".to_owned()))?;
                if bytes.len() > PAYLOAD_BYTES_MAX {
                    return Err(bad("frm_payload", format!("it must have at most {PAYLOAD_BYTES_MAX} bytes")));
                }
                Some(to_base64(&bytes)).filter(|text| !text.is_empty())
            }
        };
        let objects = [("decoded_payload", &item.decoded_payload), ("class_b_c", &item.class_b_c)];
        for (name, value) in objects {
            if value.as_ref().is_some_and(|value| !is_small_object(value, OBJECT_BYTES_MAX)) {
                let levels = json::DEPTH_MAX - DEPTH_LEFT;
                let why = format!("it must be an object of at most {OBJECT_BYTES_MAX} bytes and {levels} levels");
                return Err(bad(name, why));
            }
        }
        let priority =
            Priority::read(&item.priority).ok_or_else(|| bad("priority", "it is none of the priorities".to_owned()))?;
        let correlation_ids = item.correlation_ids.unwrap_or_default();
        if correlation_ids.len() > CORRELATION_IDS_MAX
            || correlation_ids.iter().any(|id| id.chars().count() > CORRELATION_ID_CHARS_MAX)
        {
            let why = format!("at most {CORRELATION_IDS_MAX} of at most {CORRELATION_ID_CHARS_MAX} characters each");
            return Err(bad("correlation_ids", why));
        }
        let max_attempts = item.confirmed_retry.and_then(|retry| retry.max_attempts);
        if max_attempts.is_some_and(|max| !(1..=ATTEMPTS_NAMED_MAX).contains(&max)) {
            let why = format!("it must be 1 to {ATTEMPTS_NAMED_MAX}");
            return Err(bad("confirmed_retry.max_attempts", why));
        }
        Ok(Self {
            f_port,
            // Where both are given the bytes count, and the object is dropped.
            decoded_payload: item.decoded_payload.filter(|_| frm_payload.is_none()),
            frm_payload,
            confirmed: item.confirmed.unwrap_or_default(),
            class_b_c: item.class_b_c,
            priority,
            correlation_ids,
            confirmed_retry: max_attempts.map(|max| ConfirmedRetry { attempt: 0, max_attempts: Some(max) }),
            ..Self::default()
        })
    }

    /// What the payload comes from; an error where there is none.
    pub(crate) fn source(&self) -> Result<Source, ApiError> {
        match (&self.frm_payload, &self.decoded_payload) {
            (Some(_), _) => Ok(Source::Bytes),
            (None, Some(_)) => Ok(Source::Object),
            (None, None) => Err(no_payload()),
        }
    }

    /// The payload's bytes, where there are some.
    pub(crate) fn bytes(&self) -> Option<Vec<u8>> {
        from_base64(self.frm_payload.as_deref()?)
    }

    /// How often a confirmed downlink is tried; more than the server makes is refused.
    pub(crate) fn attempts_max(&self) -> Result<u32, ApiError> {
        match self.confirmed_retry.and_then(|retry| retry.max_attempts) {
            None => Ok(ATTEMPTS_DEFAULT),
            Some(max) if max > ATTEMPTS_MAX => Err(too_many_retries(max, ATTEMPTS_MAX)),
            Some(max) => Ok(max),
        }
    }

    /// The application's correlation ids with the server's own, sorted and each once (`mergeStrings`).
    pub(crate) fn add_correlation_id(&mut self, id: String) {
        self.correlation_ids.push(id);
        self.correlation_ids.sort_unstable();
        self.correlation_ids.dedup();
    }
}

/// Whether a value is an object that can be kept within a context.
pub(crate) fn is_small_object(value: &RawValue, bytes_max: usize) -> bool {
    let wrapped = format!("{}{value}{}", "[".repeat(DEPTH_LEFT), "]".repeat(DEPTH_LEFT));
    json::is_object(value) && value.get().len() <= bytes_max && json::parse::<IgnoredAny>(&wrapped).is_ok()
}

/// Standard or URL-safe alphabet, padded or not.
pub(crate) fn from_base64(text: &str) -> Option<Vec<u8>> {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(&alphabet::STANDARD, config).decode(text.replace('-', "+").replace('_', "/")).ok()
}

/// Standard alphabet, padded.
pub(crate) fn to_base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_zero(value: &u32) -> bool {
    *value == 0
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_false(value: &bool) -> bool {
    !*value
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_lowest(value: &Priority) -> bool {
    *value == Priority::Lowest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        serde_json::to_string(&Downlink::read(text, 0).unwrap()).unwrap()
    }

    #[test]
    fn what_is_zero_or_the_servers_own_is_left_out() {
        for (text, expected) in [
            (r#"{"f_port":15,"frm_payload":"vu8=","priority":"NORMAL"}"#, None),
            (
                r#"{"fPort":15,"frmPayload":"vu8","priority":3}"#,
                Some(r#"{"f_port":15,"frm_payload":"vu8=","priority":"NORMAL"}"#),
            ),
            (
                r#"{"f_port":15,"f_cnt":7,"session_key_id":"AA==","frm_payload":"_-8=","priority":"LOWEST","confirmed":false,"correlation_ids":[],"more":1}"#,
                Some(r#"{"f_port":15,"frm_payload":"/+8="}"#),
            ),
            (
                r#"{"f_port":1,"decoded_payload":{"a": 1.50},"confirmed":true,"confirmed_retry":{"attempt":3,"max_attempts":2},"class_b_c":{"gateways":[]}}"#,
                Some(
                    r#"{"f_port":1,"decoded_payload":{"a": 1.50},"confirmed":true,"class_b_c":{"gateways":[]},"confirmed_retry":{"max_attempts":2}}"#,
                ),
            ),
            (r#"{"f_port":null,"frm_payload":null,"priority":null,"confirmed":null}"#, Some("{}")),
            (r#"{"frm_payload":"AQ==","decoded_payload":{"a":1}}"#, Some(r#"{"frm_payload":"AQ=="}"#)),
        ] {
            assert_eq!(written(text), expected.unwrap_or(text), "{text}");
        }
    }

    #[test]
    fn a_body_is_read_or_refused_by_the_field_that_is_wrong() {
        let long = to_base64(&[0; 256]);
        let id = "x".repeat(101);
        let many = format!(r#"{{"correlation_ids":[{}"a"]}}"#, r#""a","#.repeat(32));
        let levels =
            |depth: usize| format!(r#"{{"decoded_payload":{}1{}}}"#, r#"{"x":"#.repeat(depth), "}".repeat(depth));
        let (fits, nested) = (levels(48), levels(49));
        let large = format!(r#"{{"decoded_payload":{{"x":"{}"}}}}"#, "y".repeat(8_185));
        let deep = format!(r#"{{"decoded_payload":{}{}}}"#, r#"{"x":"#.repeat(70), "1".to_owned() + &"}".repeat(70));
        for (item, expected) in [
            ("7", "object"),
            ("[]", "object"),
            (r#""vu8=""#, "object"),
            (r#"{"f_port":"15"}"#, "invalid type"),
            (r#"{"f_port":-1}"#, "invalid value"),
            (r#"{"f_port":1.5}"#, "invalid type"),
            (r#"{"f_port":256}"#, "downlinks[0].f_port"),
            (r#"{"f_port":224}"#, "downlinks[0].f_port"),
            (r#"{"f_port":1,"fPort":1}"#, "duplicate field"),
            (r#"{"frm_payload":7}"#, "invalid type"),
            (r#"{"frm_payload":"BE EF"}"#, "it is no base64"),
            (r#"{"frm_payload":"v"}"#, "it is no base64"),
            (&format!(r#"{{"frm_payload":"{long}"}}"#), "at most 255 bytes"),
            (r#"{"decoded_payload":[1]}"#, "downlinks[0].decoded_payload"),
            (r#"{"decoded_payload":"on"}"#, "downlinks[0].decoded_payload"),
            (&deep, "nested deeper"),
            (&nested, "downlinks[0].decoded_payload"),
            (&large, "downlinks[0].decoded_payload"),
            (r#"{"confirmed":"true"}"#, "invalid type"),
            (r#"{"class_b_c":[]}"#, "downlinks[0].class_b_c"),
            (r#"{"priority":"URGENT"}"#, "downlinks[0].priority"),
            (r#"{"priority":"normal"}"#, "downlinks[0].priority"),
            (r#"{"priority":7}"#, "downlinks[0].priority"),
            (r#"{"priority":true}"#, "downlinks[0].priority"),
            (r#"{"correlation_ids":"a"}"#, "invalid type"),
            (r#"{"correlation_ids":[1]}"#, "invalid type"),
            (&format!(r#"{{"correlation_ids":["{id}"]}}"#), "downlinks[0].correlation_ids"),
            (&many, "downlinks[0].correlation_ids"),
            (r#"{"confirmed_retry":{"max_attempts":0}}"#, "confirmed_retry.max_attempts"),
            (r#"{"confirmed_retry":{"max_attempts":101}}"#, "confirmed_retry.max_attempts"),
            (r#"{"confirmed_retry":8}"#, "invalid type"),
        ] {
            let body = format!(r#"{{"downlinks":[{item}]}}"#);
            let text = match read_all(&body, 1) {
                Ok(_) => panic!("{item:.100} was taken"),
                Err(BadBody::Json(text)) => text,
                Err(BadBody::Item(error)) => error.message(),
            };
            assert!(text.contains(expected), "{item:.100}: {text}");
        }
        for body in ["", "[]", "7", "{\"downlinks\":{}}", "{\"downlinks\":[", r#"{"downlinks":[{}],}"#] {
            assert!(matches!(read_all(body, 1), Err(BadBody::Json(_))), "{body}");
        }
        assert!(read_all(&format!(r#"{{"downlinks":[{fits}]}}"#), 1).is_ok());
        let two = read_all(r#"{"downlinks":[7,7]}"#, 1);
        assert!(matches!(two, Err(BadBody::Item(error)) if error.name == "too_much_at_once"));
        for body in ["{}", r#"{"downlinks":null}"#, r#"{"downlinks":[]}"#, r#"{"other":1}"#] {
            assert_eq!(read_all(body, 1).unwrap().len(), 0, "{body}");
        }
    }

    #[test]
    fn an_item_is_tried_eight_times_unless_it_says_otherwise() {
        let attempts = |max: &str| {
            let text = format!(r#"{{"confirmed_retry":{{"max_attempts":{max}}}}}"#);
            Downlink::read(&text, 0).unwrap().attempts_max().map_err(|error| error.name)
        };
        for (max, expected) in
            [("null", Ok(8)), ("1", Ok(1)), ("32", Ok(32)), ("33", Err("downlink_max_retries_invalid"))]
        {
            assert_eq!(attempts(max), expected, "{max}");
        }
    }

    #[test]
    fn every_priority_has_a_name_and_a_number() {
        for (number, (priority, name)) in Priority::ALL.iter().enumerate() {
            assert_eq!(Priority::read(&Value::from(number)), Some(*priority));
            assert_eq!(Priority::read(&Value::from(*name)), Some(*priority));
            assert_eq!(serde_json::to_string(priority).unwrap(), format!("\"{}\"", priority.name()));
        }
    }
}
