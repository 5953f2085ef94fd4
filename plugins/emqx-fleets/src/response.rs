//! `$emqx/commands/things/{name}/executions/{execution}/response`: what a thing answers.

use crate::thing::NAME_ALIAS;
use dragoman_plugin_sdk::{
    Correlation, Gateway, Message, Outcome, Payload, Reason, Report, Session, Severity, json, outcome, route,
};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// Filter of the topics that things answer on.
pub(crate) const FILTER: &str = "$emqx/commands/things/+/executions/+/response";

const PATTERN: &str = "$emqx/commands/things/{name}/executions/{execution}/response";

/// Reports the answer. What is no answer is dropped with a line in the log, and the execution stays as it is.
pub(crate) fn handle(gateway: &impl Gateway, session: &Session, message: &Message) {
    if let Err(why) = report(gateway, session, message) {
        let text = format!("dropped a message of client {} on {}: {why}", session.client_id, message.topic);
        gateway.log(Severity::Warn, &text);
    }
}

fn report(gateway: &impl Gateway, session: &Session, message: &Message) -> Result<(), String> {
    let captures = route::captures(PATTERN, &message.topic).ok_or("it is no topic of a response")?;
    let [name, key] = captures.as_slice() else { return Err("it is no topic of a response".to_owned()) };
    let reporter = gateway
        .resolve(NAME_ALIAS, name)
        .map(|device| device.id)
        .filter(|id| session.device.as_ref() == Some(id))
        .ok_or("the session is not that thing")?;
    let word = parse(&message.payload)?;
    let about = Correlation { reporter, key: (*key).to_owned() };
    gateway.tell(&about, &Report::Ended(word), &[]).map_err(|error| outcome::error_text(&error).to_owned())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    #[serde(default)]
    status: Value,
    #[serde(default)]
    result: Option<Box<RawValue>>,
    #[serde(default)]
    status_reason: Value,
}

/// The verdict in a response. Other members, e.g. `timestamp`, are not looked at.
fn parse(payload: &Payload) -> Result<Outcome, String> {
    let Payload::Text(text) = payload else { return Err("its payload is not UTF-8".to_owned()) };
    let answer: Answer =
        json::parse_object(text).map_err(|broken| format!("its payload is no JSON object: {}", broken.text()))?;
    let result = answer.result.map(|raw| raw.get().to_owned());
    let reason = |status: &str, result| {
        let sent = |member: &str| answer.status_reason.get(member).and_then(Value::as_str).unwrap_or_default();
        let text = outcome::device_text(sent("reasonDescription"), &format!("the device answered {status}"));
        Reason { code: outcome::device_code(sent("reasonCode"), status), text, detail: result }
    };
    match answer.status.as_str() {
        Some("SUCCEEDED") => Ok(Outcome::Succeeded(result)),
        Some("FAILED") => Ok(Outcome::Failed(reason("FAILED", result))),
        Some("REJECTED") => Ok(Outcome::Rejected(reason("REJECTED", result))),
        _ => Err("its status is none of SUCCEEDED, FAILED, REJECTED".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_a_verdict_or_dropped() {
        let parse = |text: &str| parse(&Payload::Text(text.to_owned()));
        let reason = |code: &str, text: &str, detail: Option<&str>| Reason {
            code: code.to_owned(),
            text: text.to_owned(),
            detail: detail.map(str::to_owned),
        };
        for (text, expected) in [
            (r#"{"status":"SUCCEEDED"}"#, Outcome::Succeeded(None)),
            (r#"{"status":"SUCCEEDED","result":null}"#, Outcome::Succeeded(None)),
            (
                r#"{"status":"SUCCEEDED","result": { "currentTemperature": 24 },"timestamp":1748390401}"#,
                Outcome::Succeeded(Some(r#"{ "currentTemperature": 24 }"#.to_owned())),
            ),
            (r#"{"status":"FAILED"}"#, Outcome::Failed(reason("FAILED", "the device answered FAILED", None))),
            (
                r#"{"status":"REJECTED","statusReason":{"reasonCode":"$BUSY","reasonDescription":"busy"},"result":1}"#,
                Outcome::Rejected(reason("BUSY", "busy", Some("1"))),
            ),
        ] {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
        for text in [
            "",
            "x",
            "[]",
            "{}",
            r#"{"status":"IN_PROGRESS"}"#,
            r#"{"status":"succeeded"}"#,
            r#"{"status":1}"#,
            r#"{"status":"SUCCEEDED""#,
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(super::parse(&Payload::Bytes(vec![0xff])).is_err());
    }
}
