//! What a device says of its own accord: messages and properties, told to every dialect as events.

use crate::ID_ALIAS;
use crate::uplink::{Service, properties, speaker};
use dragoman_plugin_sdk::{Device, Error, Event, Gateway, Message, Payload, Session, json, route};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// Attribute of an event: the topic on which it came.
pub(crate) const TOPIC_ATTRIBUTE: &str = "huawei.topic";

/// Sub-devices of one report.
const SUB_DEVICES_MAX: usize = 50;
/// Bytes of a message's name that is kept.
const NAME_BYTES_MAX: usize = 512;

/// What a topic is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    /// `sys/messages/up`.
    Message,
    /// `user/…`.
    CustomMessage,
    /// `sys/properties/report`.
    Properties,
    /// `sys/gateway/sub_devices/properties/report`.
    SubDevices,
}

impl Report {
    /// What is reported on a topic, and the device id in it.
    pub(crate) fn of(topic: &str) -> Option<(Self, &str)> {
        let known = [
            (Self::Message, "$oc/devices/{device}/sys/messages/up"),
            (Self::Properties, "$oc/devices/{device}/sys/properties/report"),
            (Self::SubDevices, "$oc/devices/{device}/sys/gateway/sub_devices/properties/report"),
        ];
        let found =
            known.into_iter().find_map(|(what, pattern)| Some((what, *route::captures(pattern, topic)?.first()?)));
        found.or_else(|| {
            let (device, rest) = topic.strip_prefix("$oc/devices/")?.split_once('/')?;
            rest.strip_prefix("user/").map(|_| (Self::CustomMessage, device))
        })
    }
}

/// Tells what a device reported; why it cannot be read, for people.
pub(crate) fn handle(
    gateway: &impl Gateway,
    session: &Session,
    what: Report,
    device_id: &str,
    message: &Message,
) -> Result<Result<(), String>, Error> {
    let device = match speaker(gateway, session, device_id) {
        Ok(device) => device,
        Err(why) => return Ok(Err(why)),
    };
    let events = match what {
        Report::Message | Report::CustomMessage => Ok(vec![message_event(gateway, &device, message)]),
        Report::Properties => property_event(gateway, &device, message).map(|event| vec![event]),
        Report::SubDevices => sub_device_events(gateway, &device, message),
    };
    let events = match events {
        Ok(events) => events,
        Err(why) => return Ok(Err(why)),
    };
    for event in events {
        if let Err(why) = tell(gateway, event)? {
            return Ok(Err(why));
        }
    }
    Ok(Ok(()))
}

/// Tells an event; why the gateway does not take it. What a device says may grow beyond the gateway's bounds where it is
/// escaped or has its members' names written out: then it is told as it came, and nothing else.
fn tell(gateway: &impl Gateway, event: Event) -> Result<Result<(), String>, Error> {
    let first = gateway.emit(&event);
    let second = match first {
        Err(Error::Limit(_)) if event.body.is_some() && event.raw.is_some() => {
            gateway.emit(&Event { body: None, ..event })
        }
        other => other,
    };
    match second {
        Err(Error::Limit(why) | Error::Invalid(why)) => Ok(Err(why)),
        other => other.map(Ok),
    }
}

fn event(gateway: &impl Gateway, device: &Device, kind: &str, message: &Message, body: String) -> Event {
    Event {
        device: device.id.clone(),
        kind: kind.to_owned(),
        name: None,
        at_ms: gateway.now_ms(),
        raw: Some(message.payload.clone()),
        body: Some(body),
        attributes: vec![(TOPIC_ATTRIBUTE.to_owned(), message.topic.clone())],
    }
}

/// Any payload is a message. In the platform's envelope it is the content that counts, and a gateway may speak for a
/// device below it.
fn message_event(gateway: &impl Gateway, device: &Device, message: &Message) -> Event {
    #[derive(Deserialize)]
    struct Envelope {
        content: Box<RawValue>,
        #[serde(default)]
        object_device_id: Option<String>,
        #[serde(default)]
        name: Option<String>,
    }
    let Payload::Text(text) = &message.payload else {
        return Event { body: None, ..event(gateway, device, "message", message, String::new()) };
    };
    let Ok(envelope) = json::parse_object::<Envelope>(text) else {
        // JSON is told as it is, other text as a string, bytes only raw.
        let body = match json::parse::<Box<RawValue>>(text) {
            Ok(raw) => raw.get().to_owned(),
            Err(_) => Value::from(text.as_str()).to_string(),
        };
        return event(gateway, device, "message", message, body);
    };
    let below = envelope
        .object_device_id
        .filter(|id| !id.is_empty())
        .and_then(|id| gateway.resolve(ID_ALIAS, &id))
        .filter(|other| other.parent.as_ref() == Some(&device.id));
    let speaker = below.as_ref().unwrap_or(device);
    let name = envelope.name.filter(|name| (1..=NAME_BYTES_MAX).contains(&name.len()));
    Event { name, ..event(gateway, speaker, "message", message, envelope.content.get().to_owned()) }
}

#[derive(Deserialize)]
struct Services {
    services: Vec<Service>,
}

fn property_event(gateway: &impl Gateway, device: &Device, message: &Message) -> Result<Event, String> {
    let report: Services = read(message)?;
    Ok(event(gateway, device, "properties", message, properties(report.services)?))
}

/// One event for each sub-device that the gateway device speaks for.
fn sub_device_events(gateway: &impl Gateway, device: &Device, message: &Message) -> Result<Vec<Event>, String> {
    #[derive(Deserialize)]
    struct Report {
        devices: Vec<SubDevice>,
    }
    #[derive(Deserialize)]
    struct SubDevice {
        device_id: String,
        services: Vec<Service>,
    }
    let report: Report = read(message)?;
    if report.devices.len() > SUB_DEVICES_MAX {
        return Err(format!("it reports for {} devices; at most {SUB_DEVICES_MAX} are taken", report.devices.len()));
    }
    let mut events = Vec::with_capacity(report.devices.len());
    for sub in report.devices {
        let below = gateway.resolve(ID_ALIAS, &sub.device_id).filter(|other| other.parent.as_ref() == Some(&device.id));
        let below = below.ok_or_else(|| format!("device {:.128} does not hang below the session's", sub.device_id))?;
        let told = event(gateway, &below, "properties", message, properties(sub.services)?);
        // The payload is of many devices; no decoder of one of them could read it.
        events.push(Event { raw: None, ..told });
    }
    Ok(events)
}

fn read<T: serde::de::DeserializeOwned>(message: &Message) -> Result<T, String> {
    let Payload::Text(text) = &message.payload else { return Err("its payload is not UTF-8".to_owned()) };
    json::parse_object(text).map_err(|broken| format!("its payload is no report: {}", broken.text()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_told_by_their_topics() {
        for (topic, expected) in [
            ("$oc/devices/d_1/sys/messages/up", Some((Report::Message, "d_1"))),
            ("$oc/devices/d/user/a/b", Some((Report::CustomMessage, "d"))),
            ("$oc/devices/d/sys/properties/report", Some((Report::Properties, "d"))),
            ("$oc/devices/d/sys/gateway/sub_devices/properties/report", Some((Report::SubDevices, "d"))),
            ("$oc/devices/d/sys/messages/down", None),
            ("$oc/devices/d/sys/messages/up/x", None),
            ("$oc/devices/d/sys/events/up", None),
            ("$oc/devices/d", None),
        ] {
            assert_eq!(Report::of(topic), expected, "{topic}");
        }
    }
}
