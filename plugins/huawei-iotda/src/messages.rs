//! `POST /v5/iot/{project}/devices/{device}/messages`: a message that is delivered at once or when the device comes.

use crate::answer::{ApiError, Failure};
use crate::call;
use crate::context::{Call, Context};
use crate::message::{Content, Details, KIND, KIND_LABEL, Outcome, attributes};
use crate::settings::Settings;
use crate::topics::is_device_id;
use crate::{MESSAGES_QUEUE, NAME};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dragoman_plugin_sdk::http::json_response;
use dragoman_plugin_sdk::refusal::Refusal;
use dragoman_plugin_sdk::{
    Decision, Delivery, Error, Execution, Gateway, Intent, Payload, Reason, Request, Response, Stage, Submission, Wait,
    WhenAway, json,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

/// The path of this call and of the list.
pub(crate) const PATH: &str = "/v5/iot/{project}/devices/{device}/messages";

const MESSAGE_ID_CHARS_MAX: usize = 100;
const NAME_CHARS_MAX: usize = 128;
/// Bytes of a message; 20 of them are shown together.
const MESSAGE_BYTES_MAX: usize = 128 * 1_024;
const TOPIC_BYTES_MAX: usize = 128;
const TTL_MIN_MAX: u64 = 1_440;
const TTL_MIN_STEP: u64 = 5;
const USER_PROPERTIES_MAX: usize = 20;
const PROPERTY_CHARS_MAX: usize = 128;

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    message_id: Value,
    #[serde(default)]
    name: Value,
    #[serde(default)]
    message: Option<Box<RawValue>>,
    #[serde(default)]
    properties: Option<Box<RawValue>>,
    #[serde(default)]
    encoding: Value,
    #[serde(default)]
    payload_format: Value,
    #[serde(default)]
    topic: Value,
    #[serde(default)]
    topic_full_name: Value,
    #[serde(default)]
    ttl: Value,
}

/// What a call asks for.
#[derive(Clone, Debug, PartialEq)]
struct Wanted {
    message_id: Option<String>,
    delivery: Delivery,
    content: Content,
    /// MQTT 5 properties as they came.
    properties: Option<String>,
    /// 0: it is not kept for a device that is away.
    ttl_min: u32,
}

/// Submits the message. Where the device is there, the answer says whether it was delivered; else that it is pending.
pub(crate) fn post(gateway: &impl Gateway, request: &Request) -> Result<Decision, Failure> {
    let (device_id, rest) = call::authorized(gateway, request, PATH)?;
    let wanted = read(call::text(request)?)?;
    let target = call::target(gateway, device_id, rest)?;
    let message_id = wanted.message_id.unwrap_or_else(|| gateway.new_id());
    let mut delivery = wanted.delivery;
    delivery.attributes.insert(0, (attributes::ID.to_owned(), message_id.clone()));
    // How long a device of another dialect takes until it is sent something is not known here.
    let at_once = target.device.online && target.device.dialect == NAME;
    let details = Details {
        message_id: message_id.clone(),
        device_id: target.device_id,
        content: wanted.content,
        online: at_once,
        properties: wanted.properties,
    };
    let mut command = Submission::new(target.device.id, Intent::Deliver(delivery));
    command.alias = Some(message_id.clone());
    command.context = Some(details.text()?);
    command.labels = vec![(KIND_LABEL.to_owned(), KIND.to_owned())];
    command.queue = Some(MESSAGES_QUEUE.to_owned());
    command.succeeds_at = Some(Stage::Acked);
    command.when_away = Some(if at_once || wanted.ttl_min == 0 { WhenAway::Fail } else { WhenAway::Queue });
    command.ttl_ms = Some(match wanted.ttl_min {
        0 => Settings::read(gateway)?.sync_time_out_s.saturating_mul(1_000),
        minutes => minutes.saturating_mul(60_000),
    });
    gateway.submit(command);
    let context = Context { call: Call::Message(message_id), request_id: request.request_id.clone() }.text()?;
    Ok(Decision::Wait(Wait { context, until: if at_once { Stage::Sent } else { Stage::Accepted } }))
}

/// Words the outcome. A device that went away in this moment has failed to get it, and nothing of it is kept.
pub(crate) fn answer(
    gateway: &impl Gateway,
    message_id: &str,
    settled: Result<&Execution, &Reason>,
) -> Result<Result<Response, ApiError>, Error> {
    #[derive(Serialize)]
    struct Answer<'a> {
        message_id: &'a str,
        result: Outcome,
    }
    let result = match settled {
        Ok(execution) => Outcome::of(execution),
        Err(reason) if Refusal::of(reason) == Refusal::Away => Outcome::failed(gateway.now_ms()),
        Err(reason) if Refusal::of(reason) == Refusal::Duplicate => {
            return Ok(Err(ApiError::input(&format!("The device has a message {message_id} already."))));
        }
        Err(reason) => return Ok(Err(ApiError::of(reason))),
    };
    Ok(Ok(json_response(201, &Answer { message_id, result })))
}

fn read(text: &str) -> Result<Wanted, ApiError> {
    let body: Body = call::parse(text)?;
    let choice = |value: &Value, name: &str, other: &str, usual: &str| match value {
        Value::Null => Ok(false),
        Value::String(text) if text == usual => Ok(false),
        Value::String(text) if text == other => Ok(true),
        _ => Err(ApiError::input(&format!("{name} must be {usual} or {other}."))),
    };
    let base64 = choice(&body.encoding, "encoding", "base64", "none")?;
    let raw = choice(&body.payload_format, "payload_format", "raw", "standard")?;
    if base64 && raw {
        return Err(ApiError::input("payload_format can be raw only with the encoding none."));
    }
    let (payload, content) = payload(body.message.as_deref(), base64)?;
    let mut of_delivery = Vec::new();
    let mut set = |name: &str, value: Option<String>| of_delivery.extend(value.map(|value| (name.to_owned(), value)));
    set(attributes::FORMAT, (raw || base64).then(|| "raw".to_owned()));
    let topic = call::optional_text(&body.topic, "topic", TOPIC_BYTES_MAX)?;
    let full = call::optional_text(&body.topic_full_name, "topic_full_name", TOPIC_BYTES_MAX)?;
    if topic.is_some() && full.is_some() {
        return Err(ApiError::input("topic and topic_full_name exclude each other."));
    }
    for name in topic.iter().chain(&full) {
        if name.len() > TOPIC_BYTES_MAX || name.contains(['+', '#', '\0']) {
            return Err(ApiError::input(&format!("A topic has at most {TOPIC_BYTES_MAX} bytes and no wildcard.")));
        }
    }
    set(attributes::TOPIC, topic);
    set(attributes::FULL_TOPIC, full);
    if let Some(properties) = &body.properties {
        of_delivery.extend(mqtt_properties(properties)?);
    }
    let name = call::optional_text(&body.name, "name", NAME_CHARS_MAX)?;
    if name.as_deref().is_some_and(|name| !is_name(name)) {
        return Err(ApiError::input("name must consist of letters, digits and _?'#().,&%@!-."));
    }
    let message_id = call::optional_text(&body.message_id, "message_id", MESSAGE_ID_CHARS_MAX)?;
    if message_id.as_deref().is_some_and(|id| !is_device_id(id)) {
        return Err(ApiError::input("message_id must consist of letters, digits, _ and -."));
    }
    Ok(Wanted {
        message_id,
        delivery: Delivery { name, payload, attributes: of_delivery },
        content,
        properties: body.properties.map(|properties| properties.get().to_owned()),
        ttl_min: ttl_min(&body.ttl)?,
    })
}

fn payload(message: Option<&RawValue>, is_base64: bool) -> Result<(Payload, Content), ApiError> {
    let message = message.ok_or_else(|| ApiError::input("message is missing."))?;
    if message.get().len() > MESSAGE_BYTES_MAX {
        return Err(ApiError::input(&format!("message must be at most {MESSAGE_BYTES_MAX} bytes.")));
    }
    if json::is_object(message) && !is_base64 {
        return Ok((Payload::Text(message.get().to_owned()), Content::Object));
    }
    let text: String =
        json::parse(message.get()).map_err(|_| ApiError::input("message must be a string or a JSON object."))?;
    if !is_base64 {
        return Ok((Payload::Text(text), Content::Text));
    }
    let bytes = STANDARD.decode(&text).map_err(|_| ApiError::input("message is no base64."))?;
    Ok((Payload::Bytes(bytes), Content::Base64))
}

/// Properties of MQTT 5 as attributes of a message: the gateway's names, user properties under `user.`.
fn mqtt_properties(properties: &RawValue) -> Result<Vec<(String, String)>, ApiError> {
    #[derive(Deserialize)]
    struct Properties {
        #[serde(default)]
        correlation_data: Value,
        #[serde(default)]
        response_topic: Value,
        #[serde(default)]
        user_properties: Vec<UserProperty>,
    }
    #[derive(Deserialize)]
    struct UserProperty {
        #[serde(default)]
        prop_key: Value,
        #[serde(default)]
        prop_value: Value,
    }
    let properties: Properties = call::parse(properties.get())?;
    if properties.user_properties.len() > USER_PROPERTIES_MAX {
        return Err(ApiError::input(&format!("There are at most {USER_PROPERTIES_MAX} user_properties.")));
    }
    let mut found = Vec::new();
    for (value, name, attribute) in [
        (&properties.correlation_data, "correlation_data", "mqtt.correlation-data"),
        (&properties.response_topic, "response_topic", "mqtt.response-topic"),
    ] {
        let text = call::optional_text(value, name, PROPERTY_CHARS_MAX)?;
        found.extend(text.map(|text| (attribute.to_owned(), text)));
    }
    for property in &properties.user_properties {
        let key = call::optional_text(&property.prop_key, "prop_key", PROPERTY_CHARS_MAX)?
            .ok_or_else(|| ApiError::input("prop_key is missing in user_properties."))?;
        let value = call::optional_text(&property.prop_value, "prop_value", PROPERTY_CHARS_MAX)?.unwrap_or_default();
        found.push((format!("user.{key}"), value));
    }
    Ok(found)
}

fn ttl_min(value: &Value) -> Result<u32, ApiError> {
    let minutes = match value {
        Value::Null => Some(TTL_MIN_MAX),
        value => value.as_u64().filter(|minutes| *minutes <= TTL_MIN_MAX && minutes.is_multiple_of(TTL_MIN_STEP)),
    };
    minutes.and_then(|minutes| u32::try_from(minutes).ok()).ok_or_else(|| {
        ApiError::input(&format!("ttl must be a multiple of {TTL_MIN_STEP} minutes from 0 to {TTL_MIN_MAX}."))
    })
}

fn is_name(name: &str) -> bool {
    name.chars().all(|letter| letter.is_alphanumeric() || "_?'#().,&%@!-".contains(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_read_or_refused_with_the_platforms_code() {
        let large = format!(r#"{{"message":"{}"}}"#, "x".repeat(MESSAGE_BYTES_MAX));
        let long = |member: &str, length: usize| format!(r#"{{"message":"m","{member}":"{}"}}"#, "x".repeat(length));
        let many: Vec<_> = (0..21).map(|index| format!(r#"{{"prop_key":"{index}","prop_value":""}}"#)).collect();
        let many = format!(r#"{{"message":"m","properties":{{"user_properties":[{}]}}}}"#, many.join(","));
        for (text, code) in [
            ("", "IOTDA.000008"),
            ("{\"message\":", "IOTDA.000008"),
            ("[]", "IOTDA.000006"),
            ("{}", "IOTDA.000006"),
            (r#"{"message":null}"#, "IOTDA.000006"),
            (r#"{"message":7}"#, "IOTDA.000006"),
            (r#"{"message":["m"]}"#, "IOTDA.000006"),
            (&large, "IOTDA.000006"),
            (&long("message_id", 101), "IOTDA.000006"),
            (r#"{"message":"m","message_id":"a b"}"#, "IOTDA.000006"),
            (r#"{"message":"m","message_id":7}"#, "IOTDA.000006"),
            (&long("name", 129), "IOTDA.000006"),
            (r#"{"message":"m","name":"a/b"}"#, "IOTDA.000006"),
            (r#"{"message":"m","encoding":"hex"}"#, "IOTDA.000006"),
            (r#"{"message":"m","encoding":7}"#, "IOTDA.000006"),
            (r#"{"message":"m","payload_format":"x"}"#, "IOTDA.000006"),
            (r#"{"message":"bQ==","payload_format":"raw","encoding":"base64"}"#, "IOTDA.000006"),
            (r#"{"message":"m","encoding":"base64"}"#, "IOTDA.000006"),
            (r#"{"message":"Zg","encoding":"base64"}"#, "IOTDA.000006"),
            (r#"{"message":"Zh==","encoding":"base64"}"#, "IOTDA.000006"),
            (r#"{"message":"Z-9v","encoding":"base64"}"#, "IOTDA.000006"),
            (r#"{"message":{},"encoding":"base64"}"#, "IOTDA.000006"),
            (r#"{"message":"m","topic":"a","topic_full_name":"b"}"#, "IOTDA.000006"),
            (r#"{"message":"m","topic":"a/#"}"#, "IOTDA.000006"),
            (r#"{"message":"m","topic_full_name":"a/+/b"}"#, "IOTDA.000006"),
            (&long("topic", 129), "IOTDA.000006"),
            (r#"{"message":"m","ttl":3}"#, "IOTDA.000006"),
            (r#"{"message":"m","ttl":1445}"#, "IOTDA.000006"),
            (r#"{"message":"m","ttl":-5}"#, "IOTDA.000006"),
            (r#"{"message":"m","ttl":"5"}"#, "IOTDA.000006"),
            (r#"{"message":"m","properties":[]}"#, "IOTDA.000006"),
            (r#"{"message":"m","properties":{"correlation_data":7}}"#, "IOTDA.000006"),
            (r#"{"message":"m","properties":{"user_properties":[{"prop_value":"x"}]}}"#, "IOTDA.000006"),
            (&many, "IOTDA.000006"),
        ] {
            assert_eq!(read(text).unwrap_err().code, code, "{text:.80}");
        }
    }

    #[test]
    fn a_message_is_a_string_an_object_or_bytes() {
        let read = |text: &str| {
            let wanted = read(text).unwrap();
            (wanted.delivery.payload, wanted.content, wanted.delivery.attributes, wanted.ttl_min)
        };
        let text = |text: &str| Payload::Text(text.to_owned());
        let attribute = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        for (body, expected) in [
            (r#"{"message":"HelloWorld"}"#, (text("HelloWorld"), Content::Text, vec![], 1_440)),
            (r#"{"message": {"a": 1.50},"ttl":0}"#, (text(r#"{"a": 1.50}"#), Content::Object, vec![], 0)),
            (
                r#"{"message":"bQ==","encoding":"base64","ttl":5}"#,
                (Payload::Bytes(b"m".to_vec()), Content::Base64, vec![attribute("huawei.payload-format", "raw")], 5),
            ),
            (
                r#"{"message":"m","payload_format":"raw","topic_full_name":"$oc/x"}"#,
                (
                    text("m"),
                    Content::Text,
                    vec![attribute("huawei.payload-format", "raw"), attribute("huawei.topic-full-name", "$oc/x")],
                    1_440,
                ),
            ),
            (
                r#"{"message":"m","properties":{"correlation_data":"c","response_topic":"r","user_properties":[{"prop_key":"k","prop_value":"v"}]}}"#,
                (
                    text("m"),
                    Content::Text,
                    vec![
                        attribute("mqtt.correlation-data", "c"),
                        attribute("mqtt.response-topic", "r"),
                        attribute("user.k", "v"),
                    ],
                    1_440,
                ),
            ),
        ] {
            assert_eq!(read(body), expected, "{body}");
        }
    }
}
