//! The platform's HTTP calls: which of them are carried, and what the others are answered.

use crate::answer::{ApiError, Failure};
use crate::{auth, command, message_list, messages, properties};
use dragoman_plugin_sdk::{Decision, Gateway, Request, route};

/// The calls that are carried.
const ROUTES: &[(&str, &str)] = &[
    ("POST", command::PATH),
    ("PUT", properties::PATH),
    ("GET", properties::PATH),
    ("POST", messages::PATH),
    ("GET", messages::PATH),
    ("GET", message_list::PATH),
    ("DELETE", message_list::PATH),
];

/// Calls that the platform has and this gateway has not, and why.
const NOT_CARRIED: &[(&str, &str, &str)] = &[
    ("POST", "/v5/iot/{project}/devices/{device}/async-commands", ASYNC),
    ("GET", "/v5/iot/{project}/devices/{device}/async-commands", ASYNC),
    ("GET", "/v5/iot/{project}/devices/{device}/async-commands/{command}", ASYNC),
    ("GET", "/v5/iot/{project}/devices/{device}/shadow", SHADOW),
    ("PUT", "/v5/iot/{project}/devices/{device}/shadow", SHADOW),
    ("POST", "/v5/iot/{project}/batchtasks", BATCH),
    ("GET", "/v5/iot/{project}/batchtasks", BATCH),
    ("GET", "/v5/iot/{project}/batchtasks/{task}", BATCH),
    ("DELETE", "/v5/iot/{project}/batchtasks/{task}", BATCH),
    ("POST", "/v5/iot/{project}/broadcast-messages", BROADCAST),
    ("POST", "/v5/iot/{project}/devices", DEVICES),
    ("GET", "/v5/iot/{project}/devices", DEVICES),
    ("GET", "/v5/iot/{project}/devices/{device}", DEVICES),
    ("PUT", "/v5/iot/{project}/devices/{device}", DEVICES),
    ("DELETE", "/v5/iot/{project}/devices/{device}", DEVICES),
];
const ASYNC: &str = "MQTT devices support only synchronous command delivery.";
const SHADOW: &str = "Device shadows are not supported by this gateway.";
const BATCH: &str = "Batch tasks are not supported by this gateway.";
const BROADCAST: &str = "Broadcast messages are not supported by this gateway.";
const DEVICES: &str = "Devices are managed by this gateway's operator.";

/// Methods and paths, as `describe` claims them.
pub(crate) fn claims() -> impl Iterator<Item = String> {
    let missing = NOT_CARRIED.iter().map(|(method, path, _)| (method, path));
    ROUTES.iter().map(|(method, path)| (method, path)).chain(missing).map(|(method, path)| format!("{method} {path}"))
}

/// Carries out a call.
pub(crate) fn handle(gateway: &impl Gateway, request: &Request) -> Result<Decision, Failure> {
    let fits = |path: &str| route::captures(path, &request.path).is_some();
    let carried = ROUTES.iter().find(|(method, path)| *method == request.method && fits(path));
    match carried.map(|(method, path)| (*method, *path)) {
        Some(("POST", command::PATH)) => command::handle(gateway, request),
        Some(("PUT", properties::PATH)) => properties::put(gateway, request),
        Some(("GET", properties::PATH)) => properties::get(gateway, request),
        Some(("POST", messages::PATH)) => messages::post(gateway, request),
        Some(("GET", messages::PATH)) => message_list::list(gateway, request),
        Some(("GET", message_list::PATH)) => message_list::show(gateway, request),
        Some(("DELETE", message_list::PATH)) => message_list::delete(gateway, request),
        _ => Err(not_carried(gateway, request)?.into()),
    }
}

/// The answer to a call that is not carried, for who may call at all.
fn not_carried(gateway: &impl Gateway, request: &Request) -> Result<ApiError, Failure> {
    for (method, path, why) in NOT_CARRIED {
        let Some(names) = route::path_captures(path, &request.path).filter(|_| *method == request.method) else {
            continue;
        };
        auth::authorize(gateway, request, names.first().map(String::as_str).unwrap_or_default())?;
        return Ok(ApiError::not_carried(why));
    }
    Ok(ApiError::input("The path is not percent-encoded UTF-8, or no call of the platform."))
}
