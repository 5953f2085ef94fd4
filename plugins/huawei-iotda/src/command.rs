//! `POST /v5/iot/{project}/devices/{device}/commands`: a synchronous command.

use crate::UNNAMED_ACTION;
use crate::answer::{ApiError, Failure};
use crate::call::{self, optional_text, parse};
use crate::context::{Call, Context};
use crate::settings::Settings;
use dragoman_plugin_sdk::{Decision, Gateway, Intent, Invocation, Request, Stage, Submission, Wait, WhenAway, json};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// The path of the call.
pub(crate) const PATH: &str = "/v5/iot/{project}/devices/{device}/commands";

pub(crate) const SERVICE_ID_CHARS_MAX: usize = 64;
const COMMAND_NAME_CHARS_MAX: usize = 128;

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    service_id: Value,
    #[serde(default)]
    command_name: Value,
    paras: Option<Box<RawValue>>,
}

/// Submits the command and waits for its end.
pub(crate) fn handle(gateway: &impl Gateway, request: &Request) -> Result<Decision, Failure> {
    let (device_id, rest) = call::authorized(gateway, request, PATH)?;
    let invocation = read(call::text(request)?)?;
    let target = call::target(gateway, device_id, rest)?;
    let call = Call::Command(gateway.new_id());
    submit(gateway, request, &target.device.id, Intent::Invoke(invocation), call)
}

/// Submits what a call waits for until the device has answered, `sync-time-out-s` at most.
pub(crate) fn submit(
    gateway: &impl Gateway,
    request: &Request,
    device: &str,
    intent: Intent,
    call: Call,
) -> Result<Decision, Failure> {
    let context = Context { call, request_id: request.request_id.clone() }.text()?;
    let mut command = Submission::new(device, intent);
    command.context = Some(context.clone());
    command.ttl_ms = Some(Settings::read(gateway)?.sync_time_out_s.saturating_mul(1_000));
    command.succeeds_at = Some(Stage::Ended);
    command.when_away = Some(WhenAway::Fail);
    gateway.submit(command);
    Ok(Decision::Wait(Wait { context, until: Stage::Ended }))
}

fn read(text: &str) -> Result<Invocation, ApiError> {
    let body: Body = parse(text)?;
    let service = optional_text(&body.service_id, "service_id", SERVICE_ID_CHARS_MAX)?;
    let action = optional_text(&body.command_name, "command_name", COMMAND_NAME_CHARS_MAX)?;
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
