//! The messages of a device, looked up and deleted: `GET …/messages`, `GET` and `DELETE …/messages/{message}`.

use crate::answer::{ApiError, Failure, REQUEST_ID_HEADER};
use crate::call::{self, Target};
use crate::message::{self, KIND, KIND_DELETED, KIND_LABEL, View};
use crate::messages;
use dragoman_plugin_sdk::http::json_response;
use dragoman_plugin_sdk::{
    Decision, Error, Execution, Gateway, Payload, Request, Response, Selection, State, attribute,
};
use serde::Serialize;

/// The path of a message.
pub(crate) const PATH: &str = "/v5/iot/{project}/devices/{device}/messages/{message}";

/// Messages of a device that the platform keeps.
pub(crate) const KEPT: u32 = 20;

/// The newest messages, newest first. The platform keeps 20; what a newer one pushed out is not shown.
pub(crate) fn list(gateway: &impl Gateway, request: &Request) -> Result<Decision, Failure> {
    #[derive(Serialize)]
    struct Answer {
        device_id: String,
        messages: Vec<View>,
    }
    let (device_id, rest) = call::authorized(gateway, request, messages::PATH)?;
    let target = call::target(gateway, device_id, rest)?;
    let shown = kept(gateway, &target).iter().filter(|found| is_shown(found)).filter_map(message::view).collect();
    let answer = Answer { device_id: target.device_id, messages: shown };
    Ok(Decision::Respond(with_request_id(json_response(200, &answer), request)))
}

/// One of them.
pub(crate) fn show(gateway: &impl Gateway, request: &Request) -> Result<Decision, Failure> {
    let (target, found) = find(gateway, request)?;
    let is_kept = kept(gateway, &target).iter().any(|kept| kept.id == found.id);
    let view = message::view(&found).filter(|_| is_kept).ok_or_else(ApiError::no_message)?;
    Ok(Decision::Respond(with_request_id(json_response(200, &view), request)))
}

/// Deletes one: what is pending is not sent any more, and no message of that id is shown.
pub(crate) fn delete(gateway: &impl Gateway, request: &Request) -> Result<Decision, Failure> {
    let (_, found) = find(gateway, request)?;
    match gateway.cancel(&found.id) {
        // What has ended cannot be taken back; it is only not shown any more.
        Ok(()) | Err(Error::Conflict(_)) => {}
        Err(error) => return Err(error.into()),
    }
    gateway.set_label(&found.id, KIND_LABEL, KIND_DELETED)?;
    let response = Response { status: 204, headers: Vec::new(), body: Payload::Text(String::new()) };
    Ok(Decision::Respond(with_request_id(response, request)))
}

fn find(gateway: &impl Gateway, request: &Request) -> Result<(Target, Execution), Failure> {
    let (device_id, rest) = call::authorized(gateway, request, PATH)?;
    let target = call::target(gateway, device_id, rest)?;
    let message_id = target.rest.first().map(String::as_str).unwrap_or_default();
    let found = gateway
        .execution_by_alias(&target.device.id, message_id)
        .filter(|found| attribute(&found.labels, KIND_LABEL) == Some(KIND) && is_shown(found))
        .ok_or_else(ApiError::no_message)?;
    Ok((target, found))
}

fn kept(gateway: &impl Gateway, target: &Target) -> Vec<Execution> {
    let selection = Selection {
        device: Some(target.device.id.clone()),
        states: Vec::new(),
        labels: vec![(KIND_LABEL.to_owned(), KIND.to_owned())],
        newest_first: true,
    };
    gateway.executions(&selection, None, KEPT).items
}

/// What was taken back, by the application or for a newer message, is gone.
fn is_shown(execution: &Execution) -> bool {
    execution.state != State::Canceled
}

fn with_request_id(mut response: Response, request: &Request) -> Response {
    response.headers.push((REQUEST_ID_HEADER.to_owned(), request.request_id.clone()));
    response
}
