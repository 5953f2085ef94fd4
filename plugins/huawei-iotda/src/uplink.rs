//! What a device publishes: responses end what was asked, reports are told to every dialect, and everything else is
//! taken and not looked at.

use crate::reports::{self, Report};
use crate::topics::Kind;
use crate::{ID_ALIAS, RESPONSE_ATTRIBUTE};
use dragoman_plugin_sdk::{
    self as sdk, Correlation, Device, Error, Gateway, Message, Outcome, Payload, Reason, Session, Severity, json,
    outcome,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Bytes of a response that is kept as it came; the gateway takes 16 KiB of attributes.
const RESPONSE_BYTES_MAX: usize = 15 * 1_024;

/// Code of the reason of a response that is no success, before its number.
pub(crate) const RESULT_CODE: &str = "RESULT_CODE_";

/// Takes a message. What cannot be read is dropped with a line in the log, and the execution stays as it is.
pub(crate) fn handle(gateway: &impl Gateway, session: &Session, message: &Message) -> Result<(), Error> {
    let topic = &message.topic;
    let taken = match (Kind::of_response(topic), Report::of(topic)) {
        (Some((kind, device_id, request_id)), _) => {
            respond(gateway, session, kind, (device_id, request_id), &message.payload)
        }
        (None, Some((what, device_id))) => reports::handle(gateway, session, what, device_id, message)?,
        (None, None) => {
            gateway.log(Severity::Debug, &format!("nothing to do for a message on {topic}"));
            return Ok(());
        }
    };
    if let Err(why) = taken {
        let text = format!("dropped a message of client {} on {topic}: {why}", session.client_id);
        gateway.log(Severity::Warn, &text);
    }
    Ok(())
}

fn respond(
    gateway: &impl Gateway,
    session: &Session,
    kind: Kind,
    (device_id, request_id): (&str, &str),
    payload: &Payload,
) -> Result<(), String> {
    let reporter = speaker(gateway, session, device_id)?.id;
    let (word, response) = parse(kind, payload)?;
    let about = Correlation { reporter, key: request_id.to_owned() };
    // What is too large for an attribute is worded anew from the outcome.
    let fits = response.len() <= RESPONSE_BYTES_MAX;
    let attributes: Vec<_> = fits.then(|| (RESPONSE_ATTRIBUTE.to_owned(), response)).into_iter().collect();
    gateway.tell(&about, &sdk::Report::Ended(word), &attributes).map_err(|error| outcome::error_text(&error).to_owned())
}

/// The device of the session, where it is the one that the topic names.
pub(crate) fn speaker(gateway: &impl Gateway, session: &Session, device_id: &str) -> Result<Device, String> {
    gateway
        .resolve(ID_ALIAS, device_id)
        .filter(|device| session.device.as_ref() == Some(&device.id))
        .ok_or_else(|| "the session is not that device".to_owned())
}

/// What every response has. Members that mean nothing for what was asked are not looked at.
#[derive(Deserialize)]
struct Response {
    #[serde(default)]
    result_code: Option<i64>,
    #[serde(default)]
    result_desc: Value,
    #[serde(default)]
    paras: Option<Box<RawValue>>,
}

/// What the response to a query has besides.
#[derive(Deserialize)]
struct Queried {
    #[serde(default)]
    services: Option<Vec<Service>>,
}

/// Properties of a service as a device words them.
#[derive(Deserialize)]
pub(crate) struct Service {
    service_id: Option<String>,
    #[serde(default)]
    properties: BTreeMap<String, Box<RawValue>>,
}

/// The verdict, and the response as it came, `null` for an empty one.
fn parse(kind: Kind, payload: &Payload) -> Result<(Outcome, String), String> {
    let Payload::Text(text) = payload else { return Err("its payload is not UTF-8".to_owned()) };
    let text = text.trim();
    if text.is_empty() {
        return Ok((Outcome::Succeeded(None), "null".to_owned()));
    }
    let whole = json::object_text(text).ok_or("its payload is no JSON object")?;
    let shape = |broken: json::Broken| format!("its payload is no response: {}", broken.text());
    let response: Response = json::parse_object(&whole).map_err(shape)?;
    // A response without a result code is one of success.
    let word = match response.result_code.unwrap_or(0) {
        0 => Outcome::Succeeded(match kind {
            Kind::Command => response.paras.map(|paras| paras.get().to_owned()),
            Kind::SetProperties => None,
            Kind::GetProperties => {
                let queried: Queried = json::parse_object(&whole).map_err(shape)?;
                Some(properties(queried.services.unwrap_or_default())?)
            }
        }),
        code => Outcome::Failed(Reason {
            code: format!("{RESULT_CODE}{code}"),
            text: outcome::device_text(
                response.result_desc.as_str().unwrap_or_default(),
                &format!("the device answered with result_code {code}"),
            ),
            detail: Some(whole.clone()),
        }),
    };
    Ok((word, whole))
}

/// `{"service": {"name": value}}`, values as they were written; properties without a service stand outside of one.
pub(crate) fn properties(services: Vec<Service>) -> Result<String, String> {
    #[derive(Serialize)]
    #[serde(untagged)]
    enum Member {
        Alone(Box<RawValue>),
        Service(BTreeMap<String, Box<RawValue>>),
    }
    let mut all = BTreeMap::new();
    for service in services {
        match service.service_id {
            Some(id) => {
                all.insert(id, Member::Service(service.properties));
            }
            None => all.extend(service.properties.into_iter().map(|(name, value)| (name, Member::Alone(value)))),
        }
    }
    serde_json::to_string(&all).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_a_verdict_and_keeps_its_text() {
        let success = |result: Option<&str>| Outcome::Succeeded(result.map(str::to_owned));
        let table = [
            (Kind::Command, "", success(None), "null"),
            (
                Kind::Command,
                r#" {"result_code": 0,"response_name":"COMMAND_RESPONSE","paras":{"result": "success"}} "#,
                success(Some(r#"{"result": "success"}"#)),
                r#"{"result_code": 0,"response_name":"COMMAND_RESPONSE","paras":{"result": "success"}}"#,
            ),
            (Kind::Command, r#"{"paras":null}"#, success(None), r#"{"paras":null}"#),
            (
                Kind::SetProperties,
                r#"{"result_code":0,"result_desc":"Success"}"#,
                success(None),
                r#"{"result_code":0,"result_desc":"Success"}"#,
            ),
            (
                Kind::GetProperties,
                r#"{"services":[{"service_id":"T","properties":{"v":57},"event_time":null}]}"#,
                success(Some(r#"{"T":{"v":57}}"#)),
                r#"{"services":[{"service_id":"T","properties":{"v":57},"event_time":null}]}"#,
            ),
            (
                Kind::GetProperties,
                r#"{"services":[{"service_id":"T","properties":{"v":57.50}},{"service_id":null,"properties":{"n":123456789012345678901}}]}"#,
                success(Some(r#"{"T":{"v":57.50},"n":123456789012345678901}"#)),
                r#"{"services":[{"service_id":"T","properties":{"v":57.50}},{"service_id":null,"properties":{"n":123456789012345678901}}]}"#,
            ),
            (Kind::GetProperties, r#"{"services":null}"#, success(Some("{}")), r#"{"services":null}"#),
            // What a response of another kind would have does not matter.
            (
                Kind::Command,
                r#"{"paras":{},"services":null,"result_desc":5}"#,
                success(Some("{}")),
                r#"{"paras":{},"services":null,"result_desc":5}"#,
            ),
            (Kind::SetProperties, r#"{"services":7}"#, success(None), r#"{"services":7}"#),
        ];
        for (kind, text, word, response) in table {
            assert_eq!(parse(kind, &Payload::Text(text.to_owned())), Ok((word, response.to_owned())), "{text}");
        }
        for (text, expected) in [
            (r#"{"result_code":7}"#, "the device answered with result_code 7"),
            (r#"{"result_code":7,"result_desc":"no water"}"#, "no water"),
            (r#"{"result_code":7,"result_desc":5,"services":null}"#, "the device answered with result_code 7"),
        ] {
            let (word, response) = parse(Kind::Command, &Payload::Text(text.to_owned())).unwrap();
            let Outcome::Failed(reason) = word else { panic!("{word:?}") };
            assert_eq!((reason.code.as_str(), reason.text.as_str()), ("RESULT_CODE_7", expected));
            assert_eq!(reason.detail, Some(response));
        }
    }

    #[test]
    fn what_is_no_response_is_dropped() {
        for (kind, text) in [
            (Kind::Command, "x"),
            (Kind::Command, "[]"),
            (Kind::Command, "7"),
            (Kind::Command, r#"{"result_code":"0"}"#),
            (Kind::Command, r#"{"result_code":0"#),
            (Kind::GetProperties, r#"{"services":7}"#),
            (Kind::GetProperties, r#"{"services":[{"service_id":"T","properties":[]}]}"#),
        ] {
            assert!(parse(kind, &Payload::Text(text.to_owned())).is_err(), "{text}");
        }
        assert!(parse(Kind::Command, &Payload::Bytes(vec![0xff])).is_err());
    }
}
