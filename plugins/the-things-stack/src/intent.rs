//! What a downlink is in no platform's words, and what the frames of a plan are in the platform's.

use crate::downlink::{Downlink, Priority, Source};
use crate::error::{ApiError, invalid};
use crate::members::Members;
use dragoman_plugin_sdk::{Attributes, Delivery, Intent, Invocation, Payload, Property, attribute, json};

/// Attributes of a *deliver*, and labels of a command that has no place for attributes; shared with the device side of
/// LoRaWAN networks. README.md has the list.
pub(crate) const F_PORT: &str = "lorawan.f-port";
pub(crate) const CONFIRMED: &str = "lorawan.confirmed";
const PRIORITY: &str = "lorawan.priority";
const CLASS_B_C: &str = "lorawan.class-b-c";

/// Members of an object that become properties, and bytes of their names: what the gateway takes.
const MEMBERS_MAX: usize = 64;
const NAME_BYTES_MAX: usize = 512;

/// What is wanted of the device. Bytes are delivered; the members of an object are written, or invoked where the object
/// is exactly `{"command": name, "params": {…}}` and the setting allows it.
pub(crate) fn intent(downlink: &Downlink, source: Source, decoded_commands: bool) -> Result<Intent, ApiError> {
    match source {
        Source::Bytes => Ok(Intent::Deliver(delivery(downlink))),
        Source::Object => {
            let object = downlink.decoded_payload.as_ref().map_or("{}", |object| object.get());
            let members: Members = json::parse(object).map_err(|broken| invalid("decoded_payload", broken.text()))?;
            if members.len() > MEMBERS_MAX
                || members.iter().any(|(name, _)| name.is_empty() || name.len() > NAME_BYTES_MAX)
            {
                let why = format!("at most {MEMBERS_MAX} members with names of 1 to {NAME_BYTES_MAX} bytes");
                return Err(invalid("decoded_payload", &why));
            }
            match command(&members).filter(|_| decoded_commands) {
                Some(invocation) => Ok(Intent::Invoke(invocation)),
                None => Ok(Intent::Write(properties(&members))),
            }
        }
    }
}

/// The bytes of a downlink, with what the network is to know.
pub(crate) fn delivery(downlink: &Downlink) -> Delivery {
    let mut attributes =
        vec![(F_PORT.to_owned(), downlink.f_port.to_string()), (CONFIRMED.to_owned(), downlink.confirmed.to_string())];
    if downlink.priority != Priority::Lowest {
        attributes.push((PRIORITY.to_owned(), downlink.priority.name().to_owned()));
    }
    if let Some(class_b_c) = &downlink.class_b_c {
        attributes.push((CLASS_B_C.to_owned(), class_b_c.get().to_owned()));
    }
    Delivery { name: None, payload: Payload::Bytes(downlink.bytes().unwrap_or_default()), attributes }
}

/// Labels that say to the network what the intent has no place for.
pub(crate) fn labels(downlink: &Downlink, source: Source) -> Attributes {
    if source == Source::Bytes {
        return Vec::new();
    }
    let mut labels = vec![(CONFIRMED.to_owned(), downlink.confirmed.to_string())];
    if downlink.f_port > 0 {
        labels.push((F_PORT.to_owned(), downlink.f_port.to_string()));
    }
    labels
}

fn command(members: &Members) -> Option<Invocation> {
    let params = members.get("params").filter(|params| json::is_object(params))?;
    let action = members.text("command").filter(|name| !name.is_empty() && members.len() == 2)?;
    Some(Invocation { service: None, action, params: params.get().to_owned() })
}

fn properties(members: &Members) -> Vec<Property> {
    let property = |(name, value): (&str, &serde_json::value::RawValue)| Property {
        service: None,
        name: name.to_owned(),
        value: value.get().to_owned(),
    };
    members.iter().map(property).collect()
}

/// The bytes and the port that a handler planned; `None` where that is anything but one payload.
pub(crate) fn encoded(frames: &[Intent]) -> Option<(Vec<u8>, Option<u32>)> {
    let [Intent::Deliver(delivery)] = frames else { return None };
    let f_port = attribute(&delivery.attributes, F_PORT).and_then(|port| port.parse().ok());
    Some((bytes_of(&delivery.payload).to_vec(), f_port))
}

/// The bytes of a payload, whichever way the gateway hands it over.
pub(crate) fn bytes_of(payload: &Payload) -> &[u8] {
    match payload {
        Payload::Text(text) => text.as_bytes(),
        Payload::Bytes(bytes) => bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(item: &str, decoded_commands: bool) -> (Intent, Attributes) {
        let downlink = Downlink::read(item, 0).unwrap();
        let source = downlink.source().unwrap();
        (intent(&downlink, source, decoded_commands).unwrap(), labels(&downlink, source))
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn bytes_are_delivered_with_what_the_network_is_to_know() {
        let item =
            r#"{"f_port":15,"frm_payload":"vu8=","priority":"HIGH","confirmed":true,"class_b_c":{"gateways":[]}}"#;
        let (Intent::Deliver(delivery), labels) = of(item, true) else { panic!("a delivery") };
        assert_eq!(delivery.payload, Payload::Bytes(vec![0xbe, 0xef]));
        let expected = [
            pair("lorawan.f-port", "15"),
            pair("lorawan.confirmed", "true"),
            pair("lorawan.priority", "HIGH"),
            pair("lorawan.class-b-c", r#"{"gateways":[]}"#),
        ];
        assert_eq!((delivery.attributes, labels), (expected.to_vec(), vec![]));
    }

    #[test]
    fn objects_are_written_or_are_commands() {
        let invocation = |params: &str| {
            Intent::Invoke(Invocation { service: None, action: "set".to_owned(), params: params.to_owned() })
        };
        let write = |all: &[(&str, &str)]| {
            let property = |(name, value): &(&str, &str)| Property {
                service: None,
                name: (*name).to_owned(),
                value: (*value).to_owned(),
            };
            Intent::Write(all.iter().map(property).collect())
        };
        let both = r#"{"command":"set","params":{"v": 1.50}}"#;
        for (object, commands, expected) in [
            (r#"{"level": 1.50,"on":true}"#, true, write(&[("level", "1.50"), ("on", "true")])),
            (both, true, invocation(r#"{"v": 1.50}"#)),
            (both, false, write(&[("command", "\"set\""), ("params", r#"{"v": 1.50}"#)])),
            (r#"{"command":"set"}"#, true, write(&[("command", "\"set\"")])),
            (r#"{"command":7,"params":{}}"#, true, write(&[("command", "7"), ("params", "{}")])),
            (r#"{"command":"","params":{}}"#, true, write(&[("command", "\"\""), ("params", "{}")])),
            (r#"{"command":"set","params":1}"#, true, write(&[("command", "\"set\""), ("params", "1")])),
            (
                r#"{"command":"set","params":{},"x":1}"#,
                true,
                write(&[("command", "\"set\""), ("params", "{}"), ("x", "1")]),
            ),
        ] {
            let item = format!(r#"{{"f_port":2,"decoded_payload":{object}}}"#);
            let (intent, labels) = of(&item, commands);
            assert_eq!(intent, expected, "{object}");
            assert_eq!(labels, [pair("lorawan.confirmed", "false"), pair("lorawan.f-port", "2")], "{object}");
        }
    }

    #[test]
    fn objects_that_are_no_properties_are_refused() {
        let members: Vec<_> = (0..65).map(|number| format!(r#""p{number}":1"#)).collect();
        for object in
            [format!("{{{}}}", members.join(",")), r#"{"":1}"#.to_owned(), format!(r#"{{"{}":1}}"#, "x".repeat(513))]
        {
            let downlink = Downlink::read(&format!(r#"{{"decoded_payload":{object}}}"#), 0).unwrap();
            assert!(intent(&downlink, Source::Object, true).is_err(), "{object:.80}");
        }
    }

    #[test]
    fn one_payload_is_what_a_handler_encodes() {
        let frame =
            |attributes| Intent::Deliver(Delivery { name: None, payload: Payload::Text("A".to_owned()), attributes });
        assert_eq!(encoded(&[frame(vec![pair(F_PORT, "9")])]), Some((vec![65], Some(9))));
        assert_eq!(encoded(&[frame(vec![pair(F_PORT, "x")])]), Some((vec![65], None)));
        assert_eq!(encoded(&[frame(vec![]), frame(vec![])]), None);
        assert_eq!(encoded(&[Intent::Write(vec![])]), None);
        assert_eq!(encoded(&[]), None);
    }
}
