//! `$emqx/commands/things/{name}/executions/{execution}/request`: a command on its way to a thing.

use crate::settings::Settings;
use crate::thing::NAME_ALIAS;
use crate::view::{Context, params_of};
use dragoman_plugin_sdk::route::is_topic_level;
use dragoman_plugin_sdk::{
    Audience, Correlation, Device, Dispatched, Error, Execution, Gateway, Intent, Message, Outgoing, Payload, Property,
    PropertyName, Reason, attribute, json, outcome,
};
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// The payload, in the order of the platform's documentation.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Payloads<'a> {
    command_id: &'a str,
    action: String,
    params: Box<RawValue>,
    /// Unix time in seconds.
    timestamp: u64,
    /// What is left of the time to live, in seconds, rounded up.
    ttl: u64,
}

/// One message for each frame. The first attempt answers under the execution's own id; every other message has a fresh
/// one, so that a late answer never ends a later attempt.
pub(crate) fn dispatch(gateway: &impl Gateway, device: &Device, execution: &Execution) -> Result<Dispatched, Error> {
    let settings = Settings::read(gateway)?;
    let Some(name) = attribute(&device.aliases, NAME_ALIAS).filter(|name| is_topic_level(name)) else {
        let text = format!("device {} has no alias {NAME_ALIAS} that can be a topic level", device.id);
        return Ok(Dispatched::Unsupported(outcome::reason("NO_THING_NAME", text)));
    };
    let command_id = match Context::of(execution).command_id {
        id if id.is_empty() => gateway.new_id(),
        id => id,
    };
    let now_ms = gateway.now_ms();
    let mut messages = Vec::with_capacity(execution.frames.len());
    for (index, frame) in execution.frames.iter().enumerate() {
        let (action, params) = match words(frame, &settings) {
            Ok(words) => words,
            Err(reason) => return Ok(Dispatched::Unsupported(reason)),
        };
        let key = if index == 0 && execution.attempt <= 1 { execution.id.clone() } else { gateway.new_id() };
        let payload = Payloads {
            command_id: &command_id,
            action,
            params: json::raw(&params),
            timestamp: now_ms / 1_000,
            ttl: execution.deadline_ms.saturating_sub(now_ms).div_ceil(1_000).max(1),
        };
        let text = serde_json::to_string(&payload).map_err(|error| Error::Internal(error.to_string()))?;
        messages.push(Outgoing {
            to: Audience::Subscribed,
            message: Message {
                topic: format!("$emqx/commands/things/{name}/executions/{key}/request"),
                payload: Payload::Text(text),
                qos: 1,
                retain: false,
                attributes: Vec::new(),
            },
            correlation: Some(Correlation { reporter: device.id.clone(), key }),
        });
    }
    Ok(Dispatched::Send(messages))
}

/// Action and parameters of a frame. README.md has the table.
fn words(frame: &Intent, settings: &Settings) -> Result<(String, String), Reason> {
    match frame {
        Intent::Invoke(invocation) => {
            Ok((settings.join_action(invocation.service.as_deref(), &invocation.action), params_of(frame).to_owned()))
        }
        Intent::Write(properties) => Ok((settings.write_action.clone(), write_params(properties)?)),
        Intent::Read(names) => Ok((settings.read_action.clone(), read_params(names))),
        Intent::Deliver(_) => Err(outcome::reason("NO_MESSAGES", "Fleets has commands for its things and no messages")),
    }
}

/// Values as they were written: another notation of a number may be another number.
#[derive(Serialize)]
#[serde(untagged)]
enum Param<'a> {
    Alone(Box<RawValue>),
    OfService(BTreeMap<&'a str, Box<RawValue>>),
}

/// `{"name": value}`, and `{"service": {"name": value}}` for a property of a service.
fn write_params(properties: &[Property]) -> Result<String, Reason> {
    let mut params: BTreeMap<&str, Param<'_>> = BTreeMap::new();
    for property in properties {
        let (name, value) = (property.name.as_str(), json::raw(&property.value));
        match &property.service {
            None => {
                params.insert(name, Param::Alone(value));
            }
            Some(service) => match params.get_mut(service.as_str()) {
                Some(Param::OfService(group)) => {
                    group.insert(name, value);
                }
                _ => {
                    params.insert(service, Param::OfService(BTreeMap::from([(name, value)])));
                }
            },
        }
    }
    serde_json::to_string(&params).map_err(|error| outcome::reason("NOT_JSON", error.to_string()))
}

/// `{}` for everything, else `{"properties": ["name", "service.name"]}`.
fn read_params(names: &[PropertyName]) -> String {
    if names.is_empty() {
        return "{}".to_owned();
    }
    let full = |name: &PropertyName| match &name.service {
        None => name.name.clone(),
        Some(service) => format!("{service}.{}", name.name),
    };
    serde_json::json!({"properties": names.iter().map(full).collect::<Vec<_>>()}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use dragoman_plugin_sdk::{Delivery, Invocation};

    #[test]
    fn each_intent_has_its_action_and_parameters() {
        let property = |service: Option<&str>, name: &str, value: &str| Property {
            service: service.map(str::to_owned),
            name: name.to_owned(),
            value: value.to_owned(),
        };
        let asked = |service: Option<&str>, name: &str| PropertyName {
            service: service.map(str::to_owned),
            name: name.to_owned(),
        };
        let invoke = |service: Option<&str>, action: &str, params: &str| {
            Intent::Invoke(Invocation {
                service: service.map(str::to_owned),
                action: action.to_owned(),
                params: params.to_owned(),
            })
        };
        let table = [
            (invoke(None, "open", r#"{"a":1}"#), "open", r#"{"a":1}"#),
            (invoke(None, "open", "null"), "open", "{}"),
            (invoke(Some("Lock"), "open", "null"), "open", "{}"),
            (Intent::Write(vec![property(None, "level", "3")]), "setProperties", r#"{"level":3}"#),
            (
                Intent::Write(vec![
                    property(Some("A"), "x", "1"),
                    property(Some("A"), "y", "[2]"),
                    property(None, "z", "\"q\""),
                ]),
                "setProperties",
                r#"{"A":{"x":1,"y":[2]},"z":"q"}"#,
            ),
            (
                Intent::Write(vec![property(None, "x", "123456789012345678901"), property(Some("A"), "y", "57.50")]),
                "setProperties",
                r#"{"A":{"y":57.50},"x":123456789012345678901}"#,
            ),
            (Intent::Read(vec![]), "getProperties", "{}"),
            (
                Intent::Read(vec![asked(None, "level"), asked(Some("A"), "x")]),
                "getProperties",
                r#"{"properties":["level","A.x"]}"#,
            ),
        ];
        for (intent, action, params) in table {
            assert_eq!(words(&intent, &Settings::default()), Ok((action.to_owned(), params.to_owned())));
        }
        let delivery = Delivery { name: None, payload: Payload::Text("x".to_owned()), attributes: Vec::new() };
        let refused = words(&Intent::Deliver(delivery), &Settings::default()).unwrap_err();
        assert_eq!(refused.code, "NO_MESSAGES");
    }
}
