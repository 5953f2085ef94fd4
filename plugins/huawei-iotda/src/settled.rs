//! The answers to calls that waited for the device.

use crate::answer::{ApiError, REQUEST_ID_HEADER};
use crate::context::{Call, Context};
use crate::uplink::RESULT_CODE;
use crate::{RESPONSE_ATTRIBUTE, messages, properties};
use dragoman_plugin_sdk::http::json_response;
use dragoman_plugin_sdk::refusal::is_host_code;
use dragoman_plugin_sdk::{
    Error, Execution, Gateway, Outcome, Reason, Response, Settlement, State, attribute, json, outcome,
};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

/// What a response is called that the device did not name: the name in the platform's documentation.
const RESPONSE_NAME: &str = "COMMAND_RESPONSE";

#[derive(Serialize)]
struct Answer {
    command_id: String,
    response: Box<RawValue>,
}

/// A response in the platform's shape, for a device that did not word it itself.
#[derive(Serialize)]
struct DeviceResponse {
    result_code: i32,
    response_name: &'static str,
    paras: Box<RawValue>,
}

/// Words what became of the one command that a call submits.
pub(crate) fn settled(gateway: &impl Gateway, context: &str, settlements: &[Settlement]) -> Result<Response, Error> {
    let Context { call, request_id } = Context::read(context)?;
    let [settlement] = settlements else {
        return Err(Error::Internal(format!("a call submits one command, {} were settled", settlements.len())));
    };
    let answered = match (&call, &settlement.settled) {
        (Call::Message(message_id), settled) => messages::answer(gateway, message_id, settled.as_ref())?,
        (_, Err(reason)) => Err(ApiError::of(reason)),
        (Call::Command(command_id), Ok(execution)) => word(execution, &Shape::Command)?
            .map(|response| json_response(200, &Answer { command_id: command_id.clone(), response })),
        (Call::SetProperties(id), Ok(execution)) => word(execution, &Shape::SetProperties)?
            .map(|response| json_response(200, &properties::Answer { request_id: id.clone(), response })),
        (Call::GetProperties(id, service), Ok(execution)) => {
            let shape = Shape::GetProperties { service: service.clone(), now_ms: gateway.now_ms() };
            word(execution, &shape)?
                .map(|response| json_response(200, &properties::Answer { request_id: id.clone(), response }))
        }
    };
    Ok(match answered {
        Err(error) => error.response(&request_id),
        Ok(mut response) => {
            response.headers.push((REQUEST_ID_HEADER.to_owned(), request_id));
            response
        }
    })
}

/// How a response is worded for a device that did not word it itself.
enum Shape {
    Command,
    SetProperties,
    GetProperties { service: String, now_ms: u64 },
}

/// What the device said, or the error that stands for its silence.
fn word(execution: &Execution, shape: &Shape) -> Result<Result<Box<RawValue>, ApiError>, Error> {
    // What a step of a handler was answered is not what the command came to.
    let own = attribute(&execution.report, RESPONSE_ATTRIBUTE).filter(|_| outcome::is_plain(execution));
    let said = match (&execution.outcome, execution.state) {
        (_, State::TimedOut) => Err(ApiError::timed_out()),
        (_, State::Canceled) => Err(ApiError::internal("The command was canceled.")),
        (_, State::Queued | State::Sent | State::Acked) => Err(ApiError::internal("The command has not ended.")),
        (Some(Outcome::Failed(reason) | Outcome::Rejected(reason)), _) if is_host_code(&reason.code) => {
            Err(ApiError::of(reason))
        }
        (Some(_), _) if own.is_some() => Ok(json::raw(own.unwrap_or_default())),
        (Some(Outcome::Succeeded(result)), _) => Ok(match shape {
            Shape::Command => succeeded(result.as_deref())?,
            Shape::SetProperties => properties::set(0, "success")?,
            Shape::GetProperties { service, now_ms } => properties::got(result.as_deref(), service, *now_ms)?,
        }),
        (Some(Outcome::Failed(reason) | Outcome::Rejected(reason)), _) => Ok(match own_words(reason) {
            Some(whole) => whole,
            None => worded(reason, shape)?,
        }),
        // Delivered to a device whose dialect tells no outcome: there is no response to show.
        (None, State::Succeeded) => Ok(RawValue::NULL.to_owned()),
        (None, _) => match &execution.reason {
            Some(reason) if is_host_code(&reason.code) => Err(ApiError::of(reason)),
            Some(reason) if outcome::unsupported(execution).is_some() => Err(ApiError::unsupported(&reason.text)),
            // The attempts are used up, and this is why the newest failed.
            Some(reason) => Ok(worded(reason, shape)?),
            None => Err(ApiError::internal("The command failed without a reason.")),
        },
    };
    Ok(said)
}

fn worded(reason: &Reason, shape: &Shape) -> Result<Box<RawValue>, Error> {
    match shape {
        Shape::Command => failed(reason),
        Shape::SetProperties | Shape::GetProperties { .. } => properties::set(1, &reason.text),
    }
}

fn succeeded(result: Option<&str>) -> Result<Box<RawValue>, Error> {
    let paras = match result.map(json::raw) {
        None => json::raw("{}"),
        Some(result) if json::is_object(&result) => result,
        Some(result) if result.get() == "null" => json::raw("{}"),
        Some(result) => to_json(&serde_json::json!({"result": result}))?,
    };
    to_json(&DeviceResponse { result_code: 0, response_name: RESPONSE_NAME, paras })
}

/// A device of this platform has said all in the detail of its reason.
fn own_words(reason: &Reason) -> Option<Box<RawValue>> {
    let whole = reason.detail.as_deref().map(json::raw)?;
    (reason.code.starts_with(RESULT_CODE) && json::is_object(&whole)).then_some(whole)
}

fn failed(reason: &Reason) -> Result<Box<RawValue>, Error> {
    #[derive(Serialize)]
    struct Paras<'a> {
        error_code: &'a str,
        error_msg: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        detail: Option<Box<RawValue>>,
    }
    let detail = reason.detail.as_deref().map(json::raw);
    let paras = to_json(&Paras { error_code: &reason.code, error_msg: &reason.text, detail })?;
    to_json(&DeviceResponse { result_code: 1, response_name: RESPONSE_NAME, paras })
}

pub(crate) fn to_json(value: &impl Serialize) -> Result<Box<RawValue>, Error> {
    to_raw_value(value).map_err(|error| Error::Internal(error.to_string()))
}
