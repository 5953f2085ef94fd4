//! What is sent to a device: commands, and requests to set and to report properties.

use crate::settings::Settings;
use crate::topics::Kind;
use crate::{ID_ALIAS, UNNAMED_ACTION, topics};
use dragoman_plugin_sdk::{
    Audience, Correlation, Device, Dispatched, Error, Execution, Gateway, Intent, Message, Outgoing, Payload, Property,
    PropertyName, Reason, attribute, json, outcome,
};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

#[derive(Serialize)]
struct Command<'a> {
    object_device_id: &'a str,
    command_name: Option<&'a str>,
    service_id: Option<&'a str>,
    paras: Box<RawValue>,
}

#[derive(Serialize)]
struct SetProperties<'a> {
    object_device_id: &'a str,
    services: Vec<Service<'a>>,
}

#[derive(Serialize)]
struct Service<'a> {
    service_id: Option<&'a str>,
    properties: Map<String, Value>,
}

#[derive(Serialize)]
struct GetProperties<'a> {
    object_device_id: &'a str,
    service_id: Option<&'a str>,
}

/// One message for each frame, to the session of the device or of its gateway, under a fresh request id.
pub(crate) fn dispatch(gateway: &impl Gateway, device: &Device, execution: &Execution) -> Result<Dispatched, Error> {
    let settings = Settings::read(gateway)?;
    let holder = match &device.parent {
        None => Some(device.clone()),
        Some(parent) => gateway.device(parent),
    };
    let id_of =
        |device: &Device| attribute(&device.aliases, ID_ALIAS).filter(|id| topics::is_device_id(id)).map(str::to_owned);
    let ids = holder.as_ref().and_then(|holder| Some((holder.id.as_str(), id_of(holder)?, id_of(device)?)));
    let Some((reporter, topic_id, object_id)) = ids else {
        let text = format!("device {} or its gateway has no alias {ID_ALIAS} of the platform's letters", device.id);
        return Ok(Dispatched::Unsupported(outcome::reason("NO_DEVICE_ID", text)));
    };
    let mut messages = Vec::with_capacity(execution.frames.len());
    for frame in &execution.frames {
        let (kind, text) = match words(frame, &object_id, settings.default_service_id.as_deref()) {
            Ok(words) => words,
            Err(reason) => return Ok(Dispatched::Unsupported(reason)),
        };
        let request_id = gateway.new_id();
        messages.push(Outgoing {
            to: Audience::Session,
            message: Message {
                topic: kind.request(&topic_id, &request_id),
                payload: Payload::Text(text),
                // The platform's implicit subscriptions are of QoS 0; a device that subscribes itself raises it.
                qos: 0,
                retain: false,
                attributes: Vec::new(),
            },
            correlation: Some(Correlation { reporter: reporter.to_owned(), key: request_id }),
        });
    }
    Ok(Dispatched::Send(messages))
}

/// Kind and payload of a frame. README.md has the table.
fn words(frame: &Intent, object_device_id: &str, default_service: Option<&str>) -> Result<(Kind, String), Reason> {
    match frame {
        Intent::Invoke(invocation) => {
            let paras = if invocation.params.trim() == "null" { "{}" } else { invocation.params.as_str() };
            let command = Command {
                object_device_id,
                command_name: Some(invocation.action.as_str()).filter(|action| *action != UNNAMED_ACTION),
                service_id: invocation.service.as_deref().or(default_service),
                paras: json::raw(paras),
            };
            Ok((Kind::Command, text_of(&command)?))
        }
        Intent::Write(properties) => {
            let services = group(properties, default_service);
            Ok((Kind::SetProperties, text_of(&SetProperties { object_device_id, services })?))
        }
        Intent::Read(names) => {
            let service_id = one_service(names)?.or(default_service);
            Ok((Kind::GetProperties, text_of(&GetProperties { object_device_id, service_id })?))
        }
        Intent::Deliver(_) => Err(outcome::reason("NO_MESSAGES", "messages to IoTDA devices are not supported yet")),
    }
}

fn text_of(payload: &impl Serialize) -> Result<String, Reason> {
    serde_json::to_string(payload).map_err(|error| outcome::reason("NOT_JSON", error.to_string()))
}

/// Services in the order in which they first appear.
fn group<'a>(properties: &'a [Property], default_service: Option<&'a str>) -> Vec<Service<'a>> {
    let mut services: Vec<Service<'a>> = Vec::new();
    for property in properties {
        let service_id = property.service.as_deref().or(default_service);
        let value = json::parse::<Value>(&property.value).unwrap_or_default();
        match services.iter_mut().find(|service| service.service_id == service_id) {
            Some(service) => {
                service.properties.insert(property.name.clone(), value);
            }
            None => {
                let properties = Map::from_iter([(property.name.clone(), value)]);
                services.push(Service { service_id, properties });
            }
        }
    }
    services
}

/// The platform asks for one service, or for all.
fn one_service(names: &[PropertyName]) -> Result<Option<&str>, Reason> {
    let first = names.first().and_then(|name| name.service.as_deref());
    if names.iter().all(|name| name.service.as_deref() == first) {
        Ok(first)
    } else {
        Err(outcome::reason("MANY_SERVICES", "IoTDA asks for the properties of one service, or of all, at a time"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dragoman_plugin_sdk::{Delivery, Invocation};

    fn some(text: Option<&str>) -> Option<String> {
        text.map(str::to_owned)
    }

    fn invoke(service: Option<&str>, action: &str, params: &str) -> Intent {
        Intent::Invoke(Invocation { service: some(service), action: action.to_owned(), params: params.to_owned() })
    }

    fn property(service: Option<&str>, name: &str, value: &str) -> Property {
        Property { service: some(service), name: name.to_owned(), value: value.to_owned() }
    }

    fn asked(service: Option<&str>, name: &str) -> PropertyName {
        PropertyName { service: some(service), name: name.to_owned() }
    }

    #[test]
    fn each_intent_has_its_topic_and_payload() {
        let table = [
            (
                invoke(Some("WaterMeter"), "ON_OFF", r#"{"value":"ON"}"#),
                Kind::Command,
                r#"{"object_device_id":"d","command_name":"ON_OFF","service_id":"WaterMeter","paras":{"value":"ON"}}"#,
            ),
            (
                invoke(None, UNNAMED_ACTION, "null"),
                Kind::Command,
                r#"{"object_device_id":"d","command_name":null,"service_id":"S","paras":{}}"#,
            ),
            (
                Intent::Write(vec![
                    property(Some("A"), "x", "1"),
                    property(None, "y", "[2]"),
                    property(Some("A"), "z", "3"),
                ]),
                Kind::SetProperties,
                r#"{"object_device_id":"d","services":[{"service_id":"A","properties":{"x":1,"z":3}},{"service_id":"S","properties":{"y":[2]}}]}"#,
            ),
            (Intent::Read(vec![]), Kind::GetProperties, r#"{"object_device_id":"d","service_id":"S"}"#),
            (
                Intent::Read(vec![asked(Some("A"), "x"), asked(Some("A"), "y")]),
                Kind::GetProperties,
                r#"{"object_device_id":"d","service_id":"A"}"#,
            ),
        ];
        for (intent, kind, text) in table {
            assert_eq!(words(&intent, "d", Some("S")), Ok((kind, text.to_owned())));
        }
        assert!(words(&invoke(None, "a", "{}"), "d", None).unwrap().1.contains(r#""service_id":null"#));
    }

    #[test]
    fn what_the_platform_has_no_words_for_is_refused() {
        let many = Intent::Read(vec![asked(Some("A"), "x"), asked(Some("B"), "y")]);
        assert_eq!(words(&many, "d", None).unwrap_err().code, "MANY_SERVICES");
        let delivery = Delivery { name: None, payload: Payload::Text(String::new()), attributes: Vec::new() };
        assert_eq!(words(&Intent::Deliver(delivery), "d", None).unwrap_err().code, "NO_MESSAGES");
    }
}
