//! What an intent is in the platform's words. README.md has the table.

use crate::UNNAMED_ACTION;
use crate::message::{attributes, is_raw};
use crate::topics::Kind;
use dragoman_plugin_sdk::{
    Audience, Delivery, Intent, Payload, Property, PropertyName, Reason, attribute, json, outcome,
};
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// What the words of a frame depend on besides the frame.
pub(crate) struct About<'a> {
    /// The platform's id of the device that is meant.
    pub(crate) object_device_id: &'a str,
    /// The platform's id of the device on whose topics it goes out: itself, or its gateway.
    pub(crate) topic_device_id: &'a str,
    /// The service of what names none.
    pub(crate) default_service: Option<&'a str>,
    /// Ends of the custom topics that the product defines.
    pub(crate) user_topics: &'a [String],
    /// What a message is called that has no id of the platform.
    pub(crate) execution_id: &'a str,
}

/// A frame in the platform's words.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Words {
    /// It is answered under a request id.
    Request(Kind, String),
    /// It is not answered.
    Message { to: Audience, topic: String, payload: Payload },
}

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
    /// Values as they were written: another notation of a number may be another number.
    properties: BTreeMap<&'a str, Box<RawValue>>,
}

#[derive(Serialize)]
struct GetProperties<'a> {
    object_device_id: &'a str,
    service_id: Option<&'a str>,
}

/// The platform's envelope of a message.
#[derive(Serialize)]
struct Envelope<'a> {
    object_device_id: &'a str,
    name: Option<&'a str>,
    id: &'a str,
    /// A string, whatever the message was: the device SDKs take anything else for no envelope.
    content: &'a str,
}

/// Words one frame.
pub(crate) fn of(frame: &Intent, about: &About<'_>) -> Result<Words, Reason> {
    let object_device_id = about.object_device_id;
    match frame {
        Intent::Invoke(invocation) => {
            let paras = if invocation.params.trim() == "null" { "{}" } else { invocation.params.as_str() };
            let command = Command {
                object_device_id,
                command_name: Some(invocation.action.as_str()).filter(|action| *action != UNNAMED_ACTION),
                service_id: invocation.service.as_deref().or(about.default_service),
                paras: json::raw(paras),
            };
            Ok(Words::Request(Kind::Command, text_of(&command)?))
        }
        Intent::Write(properties) => {
            let services = group(properties, about.default_service);
            Ok(Words::Request(Kind::SetProperties, text_of(&SetProperties { object_device_id, services })?))
        }
        Intent::Read(names) => {
            let service_id = one_service(names)?.or(about.default_service);
            Ok(Words::Request(Kind::GetProperties, text_of(&GetProperties { object_device_id, service_id })?))
        }
        Intent::Deliver(delivery) => message(delivery, about),
    }
}

/// A topic that the product defines is for who subscribed to it; the system's topic reaches every session.
fn message(delivery: &Delivery, about: &About<'_>) -> Result<Words, Reason> {
    let id = about.topic_device_id;
    let user = attribute(&delivery.attributes, attributes::TOPIC)
        .filter(|topic| about.user_topics.iter().any(|defined| defined == topic));
    let full = attribute(&delivery.attributes, attributes::FULL_TOPIC);
    let (to, topic) = match (full, user) {
        (Some(topic), _) => (Audience::Subscribed, topic.to_owned()),
        (None, Some(topic)) => (Audience::Subscribed, format!("$oc/devices/{id}/user/{topic}")),
        (None, None) => (Audience::Session, format!("$oc/devices/{id}/sys/messages/down")),
    };
    let payload = match &delivery.payload {
        payload if is_raw(&delivery.attributes) => payload.clone(),
        // Bytes have no place in the envelope, whose content is text.
        Payload::Bytes(bytes) => Payload::Bytes(bytes.clone()),
        Payload::Text(content) => Payload::Text(text_of(&Envelope {
            object_device_id: about.object_device_id,
            name: delivery.name.as_deref(),
            id: attribute(&delivery.attributes, attributes::ID).unwrap_or(about.execution_id),
            content,
        })?),
    };
    Ok(Words::Message { to, topic, payload })
}

fn text_of(payload: &impl Serialize) -> Result<String, Reason> {
    serde_json::to_string(payload).map_err(|error| outcome::reason("NOT_JSON", error.to_string()))
}

/// Services in the order in which they first appear.
fn group<'a>(properties: &'a [Property], default_service: Option<&'a str>) -> Vec<Service<'a>> {
    let mut services: Vec<Service<'a>> = Vec::new();
    for property in properties {
        let service_id = property.service.as_deref().or(default_service);
        let (name, value) = (property.name.as_str(), json::raw(&property.value));
        match services.iter_mut().find(|service| service.service_id == service_id) {
            Some(service) => {
                service.properties.insert(name, value);
            }
            None => services.push(Service { service_id, properties: BTreeMap::from([(name, value)]) }),
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
    use dragoman_plugin_sdk::Invocation;

    fn words(frame: &Intent, default_service: Option<&str>) -> Result<Words, Reason> {
        let user_topics = ["messageDown".to_owned()];
        of(
            frame,
            &About {
                object_device_id: "d",
                topic_device_id: "g",
                default_service,
                user_topics: &user_topics,
                execution_id: "e-1",
            },
        )
    }

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
            (
                Intent::Write(vec![
                    property(Some("A"), "x", "123456789012345678901"),
                    property(Some("A"), "y", "57.50"),
                ]),
                Kind::SetProperties,
                r#"{"object_device_id":"d","services":[{"service_id":"A","properties":{"x":123456789012345678901,"y":57.50}}]}"#,
            ),
            (Intent::Read(vec![]), Kind::GetProperties, r#"{"object_device_id":"d","service_id":"S"}"#),
            (
                Intent::Read(vec![asked(Some("A"), "x"), asked(Some("A"), "y")]),
                Kind::GetProperties,
                r#"{"object_device_id":"d","service_id":"A"}"#,
            ),
        ];
        for (intent, kind, text) in table {
            assert_eq!(words(&intent, Some("S")), Ok(Words::Request(kind, text.to_owned())));
        }
        let Ok(Words::Request(_, text)) = words(&invoke(None, "a", "{}"), None) else { panic!("a request") };
        assert!(text.contains(r#""service_id":null"#));
    }

    #[test]
    fn what_the_platform_has_no_words_for_is_refused() {
        let many = Intent::Read(vec![asked(Some("A"), "x"), asked(Some("B"), "y")]);
        assert_eq!(words(&many, None).unwrap_err().code, "MANY_SERVICES");
    }

    #[test]
    fn a_message_goes_to_the_systems_topic_or_to_one_that_is_defined() {
        let text = |text: &str| Payload::Text(text.to_owned());
        let envelope = |name: &str, id: &str, content: &str| {
            text(&format!(r#"{{"object_device_id":"d","name":{name},"id":"{id}","content":{content}}}"#))
        };
        let (system, user) = ("$oc/devices/g/sys/messages/down", "$oc/devices/g/user/messageDown");
        for (name, payload, of_delivery, to, topic, expected) in [
            (
                Some("n"),
                text("hello"),
                vec![(attributes::ID, "m")],
                Audience::Session,
                system,
                envelope("\"n\"", "m", "\"hello\""),
            ),
            (None, text("hello"), vec![], Audience::Session, system, envelope("null", "e-1", "\"hello\"")),
            (None, text(r#"{"a":1}"#), vec![], Audience::Session, system, envelope("null", "e-1", r#""{\"a\":1}""#)),
            (
                None,
                text("x"),
                vec![(attributes::TOPIC, "messageDown")],
                Audience::Subscribed,
                user,
                envelope("null", "e-1", "\"x\""),
            ),
            (
                None,
                text("x"),
                vec![(attributes::TOPIC, "other")],
                Audience::Session,
                system,
                envelope("null", "e-1", "\"x\""),
            ),
            (
                None,
                text("x"),
                vec![(attributes::FULL_TOPIC, "any/topic"), (attributes::FORMAT, "raw")],
                Audience::Subscribed,
                "any/topic",
                text("x"),
            ),
            (None, Payload::Bytes(vec![0xff]), vec![], Audience::Session, system, Payload::Bytes(vec![0xff])),
        ] {
            let of_delivery = of_delivery.into_iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
            let delivery = Delivery { name: some(name), payload, attributes: of_delivery };
            let words = words(&Intent::Deliver(delivery.clone()), None);
            assert_eq!(words, Ok(Words::Message { to, topic: topic.to_owned(), payload: expected }), "{delivery:?}");
        }
    }
}
