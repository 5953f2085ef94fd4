//! `POST /api/v1/commands`.

use crate::answer::{Failure, bad_request, not_found, refusal_answer};
use crate::settings::{NoSubscriber, Settings};
use crate::thing::Thing;
use crate::view::{self, Context};
use dragoman_plugin_sdk::http::{body_text, json_response};
use dragoman_plugin_sdk::{
    Decision, Error, Gateway, Intent, Invocation, Request, Response, Settlement, Stage, Submission, Wait, WhenAway,
    json,
};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// Label of an execution with the name of its action, for the list's filter.
pub(crate) const ACTION_LABEL: &str = "action";

/// Characters of an action or of what names a thing.
const NAME_CHARS_MAX: usize = 255;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    #[serde(default)]
    thing_id: Value,
    #[serde(default)]
    action: Value,
    #[serde(default)]
    params: Option<Box<RawValue>>,
    #[serde(default)]
    ttl: Value,
}

/// What a call asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wanted {
    thing: String,
    action: String,
    /// JSON text, `null` where none were given.
    params: String,
    ttl_s: u32,
}

/// Submits the command and waits until it is durable.
pub(crate) fn send(gateway: &impl Gateway, request: &Request) -> Result<Decision, Failure> {
    let settings = Settings::read(gateway)?;
    let wanted = read(body_text(&request.body).unwrap_or_default(), &settings)?;
    let thing =
        Thing::find(gateway, &wanted.thing).ok_or_else(|| not_found(format!("there is no thing {}", wanted.thing)))?;
    let (service, action) = settings.split_action(&wanted.action);
    let intent = Intent::Invoke(Invocation {
        service: service.map(str::to_owned),
        action: action.to_owned(),
        params: wanted.params,
    });
    let context = Context {
        command_id: gateway.new_id(),
        thing_id: thing.id,
        thing_name: thing.name,
        action: wanted.action.clone(),
        ttl: wanted.ttl_s,
    };
    let mut command = Submission::new(thing.device.id, intent);
    command.context = Some(serde_json::to_string(&context).map_err(|error| Error::Internal(error.to_string()))?);
    command.labels = vec![(ACTION_LABEL.to_owned(), wanted.action)];
    command.ttl_ms = Some(wanted.ttl_s.saturating_mul(1_000));
    command.succeeds_at = Some(Stage::Ended);
    command.when_away = Some(match settings.no_subscriber {
        NoSubscriber::TimeOut => WhenAway::Queue,
        NoSubscriber::Failed => WhenAway::Fail,
    });
    gateway.submit(command);
    Ok(Decision::Wait(Wait { context: "{}".to_owned(), until: Stage::Accepted }))
}

/// Words what became of the one command that a call submits.
pub(crate) fn settled(settlements: &[Settlement]) -> Result<Response, Error> {
    match settlements {
        [Settlement { settled: Ok(execution), .. }] => Ok(json_response(201, &view::of(execution))),
        [Settlement { settled: Err(reason), .. }] => Ok(refusal_answer(reason)),
        other => Err(Error::Internal(format!("a call submits one command, {} were settled", other.len()))),
    }
}

fn read(body: &str, settings: &Settings) -> Result<Wanted, Failure> {
    let body: Body = json::parse_object(body)
        .map_err(|broken| bad_request(format!("the body must be a JSON object: {}", broken.text())))?;
    let text = |value: &Value, name: &str| {
        value
            .as_str()
            .filter(|text| (1..=NAME_CHARS_MAX).contains(&text.chars().count()))
            .map(str::to_owned)
            .ok_or_else(|| bad_request(format!("{name} must be a string of 1 to {NAME_CHARS_MAX} characters")))
    };
    let thing = text(&body.thing_id, "thingId")?;
    let action = text(&body.action, "action")?;
    let params = match body.params {
        None => "null".to_owned(),
        Some(params) if params.get().len() > json::EMBEDDED_BYTES_MAX => {
            return Err(bad_request(format!("params must be at most {} bytes", json::EMBEDDED_BYTES_MAX)));
        }
        Some(params) if json::is_object(&params) => params.get().to_owned(),
        Some(_) => return Err(bad_request("params must be a JSON object")),
    };
    let ttl_s = match &body.ttl {
        Value::Null => settings.ttl_default_s,
        value => value
            .as_u64()
            .and_then(|seconds| u32::try_from(seconds).ok())
            .filter(|seconds| (1..=settings.ttl_max_s).contains(seconds))
            .ok_or_else(|| {
                bad_request(format!("ttl must be a whole number of seconds from 1 to {}", settings.ttl_max_s))
            })?,
    };
    Ok(Wanted { thing, action, params, ttl_s })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(failure: Failure) -> String {
        match failure {
            Failure::Answer(response) => body_text(&response.body).unwrap_or_default().to_owned(),
            Failure::Fault(error) => error.to_string(),
        }
    }

    #[test]
    fn a_body_is_read_or_refused_by_the_field_that_is_wrong() {
        let long = "x".repeat(256);
        let deep = format!(r#"{{"thingId":"t","action":"a","params":{{"x":{}{}}}}}"#, "[".repeat(70), "]".repeat(70));
        let large = format!(r#"{{"thingId":"t","action":"a","params":{{"x":"{}"}}}}"#, "y".repeat(258_041));
        let table = [
            ("", "the body must be a JSON object"),
            ("[]", "the body must be a JSON object"),
            (r#"["t","a",null,30]"#, "the body must be a JSON object"),
            (r#"{"thingId":"t","action":"a"} x"#, "the body must be a JSON object"),
            (r#"{"thingId":"t","thingId":"u","action":"a"}"#, "duplicate field"),
            (r#"{"action":"a"}"#, "thingId must be"),
            (r#"{"thingId":"","action":"a"}"#, "thingId must be"),
            (r#"{"thingId":1,"action":"a"}"#, "thingId must be"),
            (r#"{"thingId":"t"}"#, "action must be"),
            (&format!(r#"{{"thingId":"t","action":"{long}"}}"#), "action must be"),
            (r#"{"thingId":"t","action":"a","params":[1]}"#, "params must be"),
            (r#"{"thingId":"t","action":"a","params":"x"}"#, "params must be"),
            (r#"{"thingId":"t","action":"a","ttl":0}"#, "ttl must be"),
            (r#"{"thingId":"t","action":"a","ttl":86401}"#, "ttl must be"),
            (r#"{"thingId":"t","action":"a","ttl":1.5}"#, "ttl must be"),
            (r#"{"thingId":"t","action":"a","ttl":"30"}"#, "ttl must be"),
            (&deep, "nested deeper"),
            (&large, "params must be at most 258048 bytes"),
        ];
        for (body, expected) in table {
            let refused = message(read(body, &Settings::default()).unwrap_err());
            assert!(refused.contains(expected), "{body:.200}: {refused}");
        }
    }

    #[test]
    fn what_is_left_out_has_a_default_and_parameters_keep_their_text() {
        let read = |body: &str| read(body, &Settings::default()).map_err(message).unwrap();
        let wanted = read(r#"{"thingId":"t","action":"a","params":null,"ttl":null,"more":1}"#);
        assert_eq!((wanted.params.as_str(), wanted.ttl_s), ("null", 30));
        let wanted = read(r#"{"thingId":"t","action":"a","params": {"v": 1.50, "v": 12345678901234567890123}}"#);
        assert_eq!(wanted.params, r#"{"v": 1.50, "v": 12345678901234567890123}"#);
    }
}
