//! Topics of a device, `$oc/devices/{device_id}/…`. A gateway speaks for its sub-devices on its own.

use dragoman_plugin_sdk::{Policy, Subscription, route};

/// Characters of a device id.
const DEVICE_ID_MAX: usize = 128;

/// Whether a text is a device id of the platform: `[A-Za-z0-9_-]{1,128}`.
pub(crate) fn is_device_id(text: &str) -> bool {
    (1..=DEVICE_ID_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

/// What is sent to a device and answered by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Command,
    SetProperties,
    GetProperties,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Command, Self::SetProperties, Self::GetProperties];

    fn path(self) -> &'static str {
        match self {
            Self::Command => "commands",
            Self::SetProperties => "properties/set",
            Self::GetProperties => "properties/get",
        }
    }

    /// The topic of a request to a device.
    pub(crate) fn request(self, device_id: &str, request_id: &str) -> String {
        format!("$oc/devices/{device_id}/sys/{}/request_id={request_id}", self.path())
    }

    /// Kind, device id and request id in the topic of a response.
    pub(crate) fn of_response(topic: &str) -> Option<(Self, &str, &str)> {
        Self::ALL.into_iter().find_map(|kind| {
            let pattern = format!("$oc/devices/{{device}}/sys/{}/response/request_id={{id}}", kind.path());
            match route::captures(&pattern, topic)?.as_slice() {
                [device_id, request_id] => Some((kind, *device_id, *request_id)),
                _ => None,
            }
        })
    }
}

/// What a device may do. The official SDKs never subscribe to a system topic: those reach it at QoS 0 all the same.
/// `extra` are filters of topics outside of its own that it may subscribe to, and be sent messages on.
pub(crate) fn policy(device_id: &str, extra: &[String]) -> Policy {
    let device = format!("$oc/devices/{device_id}");
    let below = |suffixes: &[&str]| suffixes.iter().map(|suffix| format!("{device}/{suffix}")).collect::<Vec<_>>();
    let down = below(&[
        "sys/commands/+",
        "sys/properties/set/+",
        "sys/properties/get/+",
        "sys/messages/down",
        "sys/shadow/get/response/+",
        "sys/events/down",
    ]);
    let implicit = down.iter().map(|filter| Subscription { filter: filter.clone(), qos: 0 }).collect();
    let mut receive = down;
    receive.extend(below(&["user/#"]));
    receive.extend_from_slice(extra);
    // Devices ask for `sys/commands/#` and the like; what is handed over is decided by `receive`.
    let mut subscribe = below(&["sys/#", "user/#"]);
    subscribe.extend_from_slice(extra);
    Policy { publish: below(&["sys/#", "user/#"]), subscribe, receive, implicit }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_are_told_by_their_topics() {
        for (topic, expected) in [
            ("$oc/devices/d_1/sys/commands/response/request_id=r-1", Some((Kind::Command, "d_1", "r-1"))),
            ("$oc/devices/d/sys/properties/set/response/request_id=r", Some((Kind::SetProperties, "d", "r"))),
            ("$oc/devices/d/sys/properties/get/response/request_id=r", Some((Kind::GetProperties, "d", "r"))),
            ("$oc/devices/d/sys/commands/response/request_id=", None),
            ("$oc/devices/d/sys/commands/response/r", None),
            ("$oc/devices/d/sys/commands/request_id=r", None),
            ("$oc/devices/d/sys/properties/report", None),
            ("$oc/devices/d/user/commands/response/request_id=r", None),
        ] {
            assert_eq!(Kind::of_response(topic), expected, "{topic}");
        }
    }

    #[test]
    fn extra_topics_are_listened_to_and_not_published_to() {
        let extra = ["/factory/+/in".to_owned()];
        let (plain, more) = (policy("d", &[]), policy("d", &extra));
        assert_eq!((&more.publish, &more.implicit), (&plain.publish, &plain.implicit));
        for (plain, more) in [(&plain.subscribe, &more.subscribe), (&plain.receive, &more.receive)] {
            assert_eq!(more.strip_prefix(plain.as_slice()), Some(&extra[..]));
        }
    }

    #[test]
    fn device_ids_are_of_the_platforms_letters() {
        let long = "d".repeat(128);
        for (text, expected) in [
            ("5f2b_dev-1", true),
            (long.as_str(), true),
            (&format!("{long}d"), false),
            ("", false),
            ("a+", false),
            ("a/b", false),
        ] {
            assert_eq!(is_device_id(text), expected, "{text}");
        }
    }
}
