//! ChirpStack's topics, as its MQTT integration has them by default.

use crate::lorawan::is_eui;
use dragoman_plugin_sdk::{Policy, route};

/// What a network server publishes.
pub(crate) const EVENTS: &str = "application/+/device/+/event/+";
/// What it reads.
pub(crate) const COMMANDS: &str = "application/+/device/+/command/+";

/// Application, device EUI and kind of an event.
pub(crate) fn event(topic: &str) -> Option<(&str, &str, &str)> {
    match route::captures("application/{application}/device/{eui}/event/{kind}", topic)?.as_slice() {
        [application, eui, kind] if is_eui(eui) => Some((*application, *eui, *kind)),
        _ => None,
    }
}

/// Where a downlink of a device goes.
pub(crate) fn command(application: &str, eui: &str) -> String {
    format!("application/{application}/device/{eui}/command/down")
}

/// What a network server may do. It subscribes as one of a group where it can.
pub(crate) fn policy() -> Policy {
    Policy {
        publish: vec![EVENTS.to_owned()],
        subscribe: vec![COMMANDS.to_owned(), format!("$share/chirpstack/{COMMANDS}")],
        receive: vec![COMMANDS.to_owned()],
        implicit: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_told_by_their_topics() {
        for (topic, expected) in [
            ("application/a-1/device/4200000000000000/event/up", Some(("a-1", "4200000000000000", "up"))),
            ("application/a-1/device/4200000000000000/event/", None),
            ("application/a-1/device/4200000000000000/event/up/x", None),
            ("application/a-1/device/4200000000000000/command/down", None),
            ("application/a-1/device/42/event/up", None),
            ("application/a-1/device/420000000000000G/event/up", None),
            ("application//device/4200000000000000/event/up", None),
            ("gateway/a-1/event/up", None),
        ] {
            assert_eq!(event(topic), expected, "{topic}");
        }
    }
}
