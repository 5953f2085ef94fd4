//! The HTTP API, below `/api/v3/as/applications/{application}`.

use crate::context::{Reply, Waiting};
use crate::downlink::{BadBody, read_all};
use crate::error::{ApiError, Code, Failure, WEB, broken_body, empty_response, invalid, unimplemented};
use crate::formatter::{self, Test};
use crate::ids::{Uid, is_id};
use crate::members::Members;
use crate::rights::{Right, authorize};
use crate::settings::Settings;
use crate::topic::Operation;
use crate::{push, queue};
use dragoman_plugin_sdk::http::{body_text, json_response};
use dragoman_plugin_sdk::{Answer, Decision, Error, Gateway, Request, Response, Settlement, json, route};
use serde::Serialize;

/// What a call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Downlinks(Operation),
    WebhookDownlinks(Operation),
    Queue,
    Simulate,
    Format(Test),
    ConnectionInfo,
    ReadLink,
    WriteLink,
    NotEmulated,
}

/// Method, path below an application, and what it is for.
pub(crate) const ROUTES: [(&str, &str, Route); 18] = [
    ("POST", "/devices/{device}/down/push", Route::Downlinks(Operation::Push)),
    ("POST", "/devices/{device}/down/replace", Route::Downlinks(Operation::Replace)),
    ("GET", "/devices/{device}/down", Route::Queue),
    ("POST", "/devices/{device}/up/simulate", Route::Simulate),
    ("POST", "/devices/{device}/down/encode", Route::Format(Test::Encode)),
    ("POST", "/devices/{device}/down/decode", Route::Format(Test::DecodeDown)),
    ("POST", "/devices/{device}/up/decode", Route::Format(Test::DecodeUp)),
    ("POST", "/webhooks/{webhook}/devices/{device}/down/push", Route::WebhookDownlinks(Operation::Push)),
    ("POST", "/webhooks/{webhook}/devices/{device}/down/replace", Route::WebhookDownlinks(Operation::Replace)),
    ("GET", "/mqtt-connection-info", Route::ConnectionInfo),
    ("GET", "/link", Route::ReadLink),
    ("PUT", "/link", Route::WriteLink),
    ("GET", "/packages/storage/{type}", Route::NotEmulated),
    ("GET", "/devices/{device}/packages/storage/{type}", Route::NotEmulated),
    ("GET", "/webhooks", Route::NotEmulated),
    ("POST", "/webhooks", Route::NotEmulated),
    ("GET", "/webhooks/{webhook}", Route::NotEmulated),
    ("DELETE", "/webhooks/{webhook}", Route::NotEmulated),
];

/// Where the routes stand.
pub(crate) const PREFIX: &str = "/api/v3/as/applications/{application}";

/// Collection of the links that were set; they mean nothing here and are shown again.
const LINKS: &str = "links";

#[derive(Serialize)]
struct ConnectionInfo<'a> {
    public_tls_address: &'a str,
    public_address: &'a str,
    username: String,
}

/// Carries out a call or says why not.
pub(crate) fn handle(gateway: &impl Gateway, request: &Request) -> Result<Decision, Error> {
    answer(gateway, call(gateway, request))
}

fn answer(gateway: &impl Gateway, result: Result<Decision, Failure>) -> Result<Decision, Error> {
    match result {
        Ok(decision) => Ok(decision),
        Err(Failure::Answer(error)) => Ok(Decision::Respond(error.response(gateway))),
        Err(Failure::Fault(error)) => Err(error),
    }
}

/// The route of a call with what stands in its braces, the application first.
fn find(method: &str, path: &str) -> Option<(Route, Vec<String>)> {
    ROUTES
        .iter()
        .filter(|(known, ..)| *known == method)
        .find_map(|(_, below, found)| Some((*found, route::path_captures(&format!("{PREFIX}{below}"), path)?)))
}

fn call(gateway: &impl Gateway, request: &Request) -> Result<Decision, Failure> {
    let (route, names) = find(&request.method, &request.path).ok_or_else(|| invalid("path", "it is not known"))?;
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    if let Some(name) = names.iter().find(|name| !is_id(name)).filter(|_| route != Route::NotEmulated) {
        return Err(invalid("path", &format!("`{name}` is no id")).into());
    }
    let application = names.first().copied().unwrap_or_default();
    let body = || body_text(&request.body).ok_or_else(|| broken_body("it is not UTF-8"));
    let allowed = |right| authorize(gateway, request, application, right);
    match (route, names.as_slice()) {
        (Route::Downlinks(operation), [_, device]) => {
            let uid = allowed(Right::TrafficDownWrite)?;
            downlinks(gateway, (&uid, device), operation, Reply::Object, body()?)
        }
        (Route::WebhookDownlinks(operation), [_, webhook, device]) => {
            let uid = allowed(Right::TrafficDownWrite)?;
            webhook_downlinks(gateway, &uid, webhook, device, operation, body()?)
        }
        (Route::Queue, [_, device]) => {
            let uid = allowed(Right::TrafficRead)?;
            let device = queue::device(gateway, &uid, device)?;
            Ok(Decision::Respond(queue::list(gateway, &uid, &device)?))
        }
        (Route::Simulate, [_, device]) => {
            formatter::simulate(gateway, (&allowed(Right::TrafficUpWrite)?, device), body()?)
        }
        (Route::Format(test), [_, device]) => {
            formatter::ask(gateway, (&allowed(Right::TrafficRead)?, device), test, body()?)
        }
        (Route::ConnectionInfo, _) => connection_info(gateway, &allowed(Right::Info)?),
        (Route::ReadLink, _) => read_link(gateway, &allowed(Right::Link)?),
        (Route::WriteLink, _) => write_link(gateway, &allowed(Right::Link)?, body()?),
        (Route::NotEmulated, _) => {
            allowed(Right::Info)?;
            Err(unimplemented(&format!("{} {}", request.method, request.path)).into())
        }
        _ => Err(invalid("path", "it is not known").into()),
    }
}

fn downlinks(
    gateway: &impl Gateway,
    target: (&Uid, &str),
    operation: Operation,
    reply: Reply,
    body: &str,
) -> Result<Decision, Failure> {
    let items_max = queue::items_max(&Settings::read(gateway)?);
    let downlinks = read_all(body, items_max).map_err(|bad| match bad {
        BadBody::Json(why) => broken_body(&why),
        BadBody::Item(error) => error,
    })?;
    Ok(match push::begin(gateway, target, operation, reply, downlinks)? {
        Some(wait) => Decision::Wait(wait),
        None => Decision::Respond(push::done(reply)),
    })
}

fn webhook_downlinks(
    gateway: &impl Gateway,
    uid: &Uid,
    webhook: &str,
    device: &str,
    operation: Operation,
    body: &str,
) -> Result<Decision, Failure> {
    let settings = Settings::read(gateway)?;
    let known = settings.webhooks.get(webhook).filter(|known| known.application == uid.to_string());
    match known {
        None => {
            let error = ApiError::new(Code::NotFound, WEB, "webhook_not_found", "webhook `{webhook_id}` not found");
            Err(error.with("webhook_id", webhook).into())
        }
        Some(known) if known.paused => Ok(Decision::Respond(empty_response(406))),
        Some(_) => downlinks(gateway, (uid, device), operation, Reply::Empty, body),
    }
}

fn connection_info(gateway: &impl Gateway, uid: &Uid) -> Result<Decision, Failure> {
    let settings = Settings::read(gateway)?;
    let info = ConnectionInfo {
        public_tls_address: &settings.public_tls_address,
        public_address: &settings.public_address,
        username: uid.to_string(),
    };
    Ok(Decision::Respond(json_response(200, &info)))
}

fn read_link(gateway: &impl Gateway, uid: &Uid) -> Result<Decision, Failure> {
    let link = gateway.document(LINKS, &uid.to_string()).map_or_else(|| "{}".to_owned(), |link| link.value);
    Ok(Decision::Respond(json_response(200, &json::raw(&link))))
}

/// Takes `{"link": {…}, "field_mask": …}` as a whole.
fn write_link(gateway: &impl Gateway, uid: &Uid, body: &str) -> Result<Decision, Failure> {
    let body: Members = json::parse_object(body).map_err(|broken| broken_body(broken.text()))?;
    let link = match body.get("link") {
        None => "{}".to_owned(),
        Some(link) if json::is_object(link) => link.get().to_owned(),
        Some(_) => return Err(invalid("link", "it must be an object").into()),
    };
    let key = uid.to_string();
    let revision = gateway.document(LINKS, &key).map_or(0, |link| link.revision);
    gateway.put_document(LINKS, &key, &link, revision)?;
    Ok(Decision::Respond(json_response(200, &json::raw(&link))))
}

/// Words the answer to a call that submitted.
pub(crate) fn settled(gateway: &impl Gateway, context: &str, settlements: &[Settlement]) -> Result<Response, Error> {
    match Waiting::read(context)? {
        Waiting::Push(push) => push::settled(gateway, &push, settlements),
        Waiting::Format(_) | Waiting::Simulate(_) => Err(Error::Internal("that call submitted nothing".to_owned())),
    }
}

/// Goes on with a call that asked a handler, whether it came by HTTP or by MQTT.
pub(crate) fn answered(gateway: &impl Gateway, context: &str, answers: &[Answer]) -> Result<Option<Decision>, Error> {
    let (result, waits) = match Waiting::read(context)? {
        Waiting::Push(waiting) => {
            let waits = waiting.reply != Reply::Silence;
            (push::answered(gateway, waiting, answers), waits)
        }
        Waiting::Format(call) => (formatter::answered(call, answers).map(Decision::Respond), true),
        Waiting::Simulate(simulation) => {
            (formatter::simulated(gateway, simulation, answers).map(Decision::Respond), true)
        }
    };
    if let (Err(Failure::Answer(error)), false) = (&result, waits) {
        let text = format!("dropped a push by MQTT: {}", error.message());
        gateway.log(dragoman_plugin_sdk::Severity::Info, &text);
        return Ok(None);
    }
    answer(gateway, result).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_found_and_nothing_else() {
        for (method, below, route) in ROUTES {
            let path = format!("{PREFIX}{below}").replace(['{', '}'], "");
            assert_eq!(find(method, &path).map(|(found, _)| found), Some(route), "{method} {path}");
        }
        for (method, path) in [
            ("GET", "/api/v3/as/applications/app1/devices/dev1/down/push"),
            ("POST", "/api/v3/as/applications/app1/devices/dev1/down"),
            ("POST", "/api/v3/as/applications/app1/devices/dev1/down/push/"),
            ("POST", "/api/v3/as/applications//devices/dev1/down/push"),
            ("POST", "/api/v3/as/applications/app1/devices/%zz/down/push"),
            ("POST", "/api/v3/applications/app1/devices/dev1/down/push"),
        ] {
            assert_eq!(find(method, path), None, "{method} {path}");
        }
    }
}
