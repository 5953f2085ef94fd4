//! `POST` and `GET /v3/data/devices/{ref}/methods/{method}`. On the platform a method is a script on the server; here it
//! is a property that the device declares for it, else what the device's handler or its own dialect does with the name.

use crate::answer::{Failure, bad_parameter, bad_request, error_response, forbidden, not_found, refusal_answer};
use crate::definition::{Access, Model};
use crate::feed::Point;
use crate::key::Caller;
use crate::settings::Settings;
use crate::{NAME, target, uplink, write};
use dragoman_plugin_sdk::http::{Query, body_text, json_response};
use dragoman_plugin_sdk::refusal::is_host_code;
use dragoman_plugin_sdk::{
    Decision, Device, Error, Execution, Gateway, Intent, Invocation, Outcome, Request, Response, Settlement, Stage,
    State, Submission, Wait, WhenAway, json, outcome,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Bytes of a method's name.
const NAME_BYTES_MAX: usize = 128;

/// What is kept while a method runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Context {
    method: String,
}

/// Calls a method with its argument.
pub(crate) fn call(
    gateway: &impl Gateway,
    request: &Request,
    caller: &Caller,
    device: &Device,
    name: &str,
) -> Result<Decision, Failure> {
    if name.len() > NAME_BYTES_MAX {
        return Err(not_found("method"));
    }
    let argument = argument(request)?;
    let settings = Settings::read(gateway)?;
    let model = Model::of(&settings, device)?;
    if let Some((_, method)) = model.method(name) {
        if method.access != Access::Public && matches!(caller, Caller::Key(_)) {
            return Err(forbidden(name, "The method is not public."));
        }
        let value = argument_of(&argument, method.argument.as_deref());
        let point = Point { property: method.property.clone(), value, at_ms: None };
        let value = uplink::taken(&model, Ok(point)).map_err(|why| bad_request(&why))?;
        return write::commands(gateway, &settings, device, vec![value], 0, true);
    }
    if device.handler.is_none() && device.dialect == NAME {
        return Err(not_found(name));
    }
    let params = match argument.trim() {
        text if text.starts_with('{') || text == "null" => text.to_owned(),
        text => format!(r#"{{"value":{text}}}"#),
    };
    let intent = Intent::Invoke(Invocation { service: None, action: name.to_owned(), params });
    let mut command = Submission::new(&device.id, intent);
    command.ttl_ms = Some(settings.outcome_wait_ms());
    command.succeeds_at = Some(Stage::Ended);
    command.when_away = Some(WhenAway::Fail);
    gateway.submit(command);
    let context = serde_json::to_string(&Context { method: name.to_owned() });
    let context = context.map_err(|error| Error::Internal(error.to_string()))?;
    Ok(Decision::Wait(Wait { context, until: Stage::Ended }))
}

/// The argument as JSON text: `value` of the body, or `args` of the query; `null` for none.
fn argument(request: &Request) -> Result<String, Failure> {
    #[derive(Deserialize)]
    struct Body {
        #[serde(default)]
        value: Option<Box<RawValue>>,
    }
    let text = if request.method == "GET" {
        let query = Query::parse(&request.query)
            .ok_or_else(|| bad_parameter("query", "The query is not percent-encoded UTF-8."))?;
        let text = query.first("args").unwrap_or("null");
        json::parse::<Box<RawValue>>(text)
            .map_err(|broken| bad_parameter("args", &format!("args is no JSON: {}", broken.text())))?
            .get()
            .to_owned()
    } else {
        let text = body_text(&request.body).ok_or_else(|| bad_request("The body is not UTF-8."))?;
        if text.trim().is_empty() {
            return Ok("null".to_owned());
        }
        let body: Body = json::parse_object(text)
            .map_err(|broken| bad_request(&format!("The body does not fit: {}", broken.text())))?;
        body.value.map_or_else(|| "null".to_owned(), |value| value.get().to_owned())
    };
    if text.len() > json::EMBEDDED_BYTES_MAX {
        return Err(bad_request(&format!("The argument has more than {} bytes.", json::EMBEDDED_BYTES_MAX)));
    }
    Ok(text)
}

/// What a method writes: the named member where the argument is an object that has it, else the argument.
fn argument_of(argument: &str, member: Option<&str>) -> String {
    let found = member.and_then(|member| target::member(argument, member));
    found.unwrap_or_else(|| argument.to_owned())
}

/// Words what the method came to.
pub(crate) fn settled(context: &Context, settlements: &[Settlement]) -> Result<Response, Error> {
    match settlements {
        [Settlement { settled: Ok(execution), .. }] => Ok(answer(&context.method, execution)),
        [Settlement { settled: Err(reason), .. }] => Ok(refusal_answer(reason)),
        other => Err(Error::Internal(format!("a method is one command, {} were settled", other.len()))),
    }
}

fn answer(method: &str, execution: &Execution) -> Response {
    let why = outcome::why(execution);
    let text = why.map_or("It came to nothing.", |reason| reason.text.as_str());
    match (execution.state, &execution.outcome, why) {
        (State::Succeeded, Some(Outcome::Succeeded(Some(result))), _) => result_response(json::raw(result)),
        (State::Succeeded, _, _) => result_response(RawValue::NULL.to_owned()),
        (State::Rejected, _, _) => error_response(403, "MethodRejected", method, text),
        (State::TimedOut, _, _) => error_response(500, "MethodTimedOut", method, text),
        (State::Failed, None, Some(reason)) if is_host_code(&reason.code) => refusal_answer(reason),
        (State::Failed, _, Some(reason)) if outcome::unsupported(execution).is_some() => {
            error_response(400, "BadRequest", method, &reason.text)
        }
        _ => error_response(500, "MethodFailed", method, text),
    }
}

fn result_response(result: Box<RawValue>) -> Response {
    #[derive(Serialize)]
    struct Answer {
        result: Box<RawValue>,
    }
    json_response(200, &Answer { result })
}
