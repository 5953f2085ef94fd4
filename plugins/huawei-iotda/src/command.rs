//! `POST /v5/iot/{project}/devices/{device}/commands`: a synchronous command.

use crate::answer::{ApiError, Failure};
use crate::settings::Settings;
use crate::topics::is_device_id;
use crate::{ID_ALIAS, UNNAMED_ACTION, auth};
use dragoman_plugin_sdk::http::body_text;
use dragoman_plugin_sdk::json::Broken;
use dragoman_plugin_sdk::{
    Decision, Error, Gateway, Intent, Invocation, Request, Stage, Submission, Wait, WhenAway, json, route,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

/// The path of the call.
pub(crate) const PATH: &str = "/v5/iot/{project}/devices/{device}/commands";

const SERVICE_ID_CHARS_MAX: usize = 64;
const COMMAND_NAME_CHARS_MAX: usize = 128;

/// What is kept while the call waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Context {
    pub(crate) command_id: String,
    pub(crate) request_id: String,
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    service_id: Value,
    #[serde(default)]
    command_name: Value,
    paras: Option<Box<RawValue>>,
}

/// Submits the command and waits for its end. What the platform does not know in the body is not looked at.
pub(crate) fn handle(gateway: &impl Gateway, request: &Request) -> Result<Decision, Failure> {
    let captures = route::path_captures(PATH, &request.path)
        .ok_or_else(|| ApiError::input("The path is not percent-encoded UTF-8."))?;
    let [project, device_id] = captures.as_slice() else {
        return Err(ApiError::input("The path names no device.").into());
    };
    auth::authorize(gateway, request, project)?;
    if !is_device_id(device_id) {
        return Err(ApiError::input("device_id must be 1 to 128 letters, digits, _ and -.").into());
    }
    let text = body_text(&request.body).ok_or_else(|| ApiError::json("It is not UTF-8."))?;
    let invocation = read(text)?;
    let device = gateway.resolve(ID_ALIAS, device_id).ok_or_else(ApiError::no_device)?;

    let context = Context { command_id: gateway.new_id(), request_id: request.request_id.clone() };
    let context = serde_json::to_string(&context).map_err(|error| Error::Internal(error.to_string()))?;
    let mut command = Submission::new(device.id, Intent::Invoke(invocation));
    command.context = Some(context.clone());
    command.ttl_ms = Some(Settings::read(gateway)?.sync_time_out_s.saturating_mul(1_000));
    command.succeeds_at = Some(Stage::Ended);
    command.when_away = Some(WhenAway::Fail);
    gateway.submit(command);
    Ok(Decision::Wait(Wait { context, until: Stage::Ended }))
}

fn read(text: &str) -> Result<Invocation, ApiError> {
    let body: Body = json::parse_object(text).map_err(|broken| match broken {
        Broken::Syntax(text) => ApiError::json(&text),
        Broken::Shape(text) => ApiError::input(&text),
    })?;
    let optional = |value: &Value, name: &str, max: usize| match value {
        Value::Null => Ok(None),
        Value::String(text) if text.chars().count() <= max => Ok(Some(text.clone())),
        _ => Err(ApiError::input(&format!("{name} must be a string of at most {max} characters."))),
    };
    let service = optional(&body.service_id, "service_id", SERVICE_ID_CHARS_MAX)?.filter(|text| !text.is_empty());
    let action = optional(&body.command_name, "command_name", COMMAND_NAME_CHARS_MAX)?.filter(|text| !text.is_empty());
    let action = action.unwrap_or_else(|| UNNAMED_ACTION.to_owned());
    match body.paras.filter(|paras| json::is_object(paras)) {
        Some(paras) if paras.get().len() > json::EMBEDDED_BYTES_MAX => {
            Err(ApiError::input(&format!("paras must be at most {} bytes.", json::EMBEDDED_BYTES_MAX)))
        }
        Some(paras) => Ok(Invocation { service, action, params: paras.get().to_owned() }),
        None => Err(ApiError::input("paras must be a JSON object.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_read_or_refused_with_the_platforms_code() {
        let code = |text: &str| read(text).unwrap_err().code;
        let long = |length: usize| "x".repeat(length);
        let deep = format!(r#"{{"paras":{{"x":{}{}}}}}"#, "[".repeat(70), "]".repeat(70));
        for (text, expected) in [
            ("", "IOTDA.000008"),
            ("{", "IOTDA.000008"),
            ("paras", "IOTDA.000008"),
            (&deep, "IOTDA.000008"),
            ("[]", "IOTDA.000006"),
            (r#"["s","c",{}]"#, "IOTDA.000006"),
            ("{}", "IOTDA.000006"),
            (r#"{"paras":null}"#, "IOTDA.000006"),
            (r#"{"paras":"{}"}"#, "IOTDA.000006"),
            (r#"{"paras":[]}"#, "IOTDA.000006"),
            (r#"{"paras":{},"service_id":7}"#, "IOTDA.000006"),
            (&format!(r#"{{"paras":{{}},"service_id":"{}"}}"#, long(65)), "IOTDA.000006"),
            (&format!(r#"{{"paras":{{}},"command_name":"{}"}}"#, long(129)), "IOTDA.000006"),
        ] {
            assert_eq!(code(text), expected, "{text}");
        }
    }

    #[test]
    fn parameters_keep_their_text_and_unknown_members_are_not_looked_at() {
        let read = |text: &str| read(text).unwrap();
        let full = read(r#"{"service_id":"WaterMeter","command_name":"ON_OFF","paras": {"value": 1.50},"more":[1]}"#);
        assert_eq!(full.service.as_deref(), Some("WaterMeter"));
        assert_eq!(full.action, "ON_OFF");
        assert_eq!(full.params, r#"{"value": 1.50}"#);
        let bare = read(r#"{"paras":{},"service_id":"","command_name":null}"#);
        assert_eq!((bare.service, bare.action.as_str()), (None, UNNAMED_ACTION));
    }
}
