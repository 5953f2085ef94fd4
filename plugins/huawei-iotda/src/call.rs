//! What the calls about one device have in common: who calls, which device, and the body.

use crate::answer::{ApiError, Failure};
use crate::topics::is_device_id;
use crate::{ID_ALIAS, auth};
use dragoman_plugin_sdk::http::body_text;
use dragoman_plugin_sdk::json::{self, Broken};
use dragoman_plugin_sdk::{Device, Gateway, Request, route};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The device that a call is about.
pub(crate) struct Target {
    /// The platform's id.
    pub(crate) device_id: String,
    pub(crate) device: Device,
    /// What the path names behind the device, e.g. a message.
    pub(crate) rest: Vec<String>,
}

/// Project, device id and what else the path names; the token is checked for the project. What the device is, comes
/// after the body, as the platform does it.
pub(crate) fn authorized(
    gateway: &impl Gateway,
    request: &Request,
    path: &str,
) -> Result<(String, Vec<String>), Failure> {
    let captures = route::path_captures(path, &request.path)
        .ok_or_else(|| ApiError::input("The path is not percent-encoded UTF-8."))?;
    let mut names = captures.into_iter();
    let (Some(project), Some(device_id)) = (names.next(), names.next()) else {
        return Err(ApiError::input("The path names no device.").into());
    };
    auth::authorize(gateway, request, &project)?;
    if !is_device_id(&device_id) {
        return Err(ApiError::input("device_id must be 1 to 128 letters, digits, _ and -.").into());
    }
    Ok((device_id, names.collect()))
}

/// The device of a call that is authorized.
pub(crate) fn target(gateway: &impl Gateway, device_id: String, rest: Vec<String>) -> Result<Target, Failure> {
    let device = gateway.resolve(ID_ALIAS, &device_id).ok_or_else(ApiError::no_device)?;
    Ok(Target { device_id, device, rest })
}

/// The body, where it is text.
pub(crate) fn text(request: &Request) -> Result<&str, ApiError> {
    body_text(&request.body).ok_or_else(|| ApiError::json("It is not UTF-8."))
}

/// A JSON object of this shape. What the platform does not know in it is not looked at.
pub(crate) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, ApiError> {
    json::parse_object(text).map_err(|broken| match broken {
        Broken::Syntax(text) => ApiError::json(&text),
        Broken::Shape(text) => ApiError::input(&text),
    })
}

/// A member that may be left out, `null` or empty, and else is a string of at most so many characters.
pub(crate) fn optional_text(value: &Value, name: &str, chars_max: usize) -> Result<Option<String>, ApiError> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) if text.chars().count() <= chars_max => {
            Ok(Some(text.clone()).filter(|text| !text.is_empty()))
        }
        _ => Err(ApiError::input(&format!("{name} must be a string of at most {chars_max} characters."))),
    }
}
