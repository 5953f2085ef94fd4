//! Topics of an application, `v3/{uid}/devices/{device_id}/…`, and what may be asked of them.

use crate::ids::{Uid, is_id};
use crate::rights::{Key, Right};
use dragoman_plugin_sdk::{Policy, route};
use serde::{Deserialize, Serialize};

/// What stands behind the device id in the topics that an application may read (`CanRead`).
pub(crate) const UPSTREAM: [&str; 11] = [
    "join",
    "up",
    "up/normalized",
    "down/queued",
    "down/sent",
    "down/ack",
    "down/nack",
    "down/failed",
    "down/invalidated",
    "location/solved",
    "service/data",
];

/// What an application asks of a device's queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Operation {
    Push,
    Replace,
}

impl Operation {
    pub(crate) const ALL: [Self; 2] = [Self::Push, Self::Replace];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Replace => "replace",
        }
    }
}

/// Whose queue is meant, and what is to be done with it. Exactly six levels.
pub(crate) fn downlink_topic(topic: &str) -> Option<(Uid, &str, Operation)> {
    Operation::ALL.into_iter().find_map(|operation| {
        let pattern = format!("v3/{{uid}}/devices/{{device}}/down/{}", operation.name());
        match route::captures(&pattern, topic)?.as_slice() {
            [uid, device_id] if is_id(device_id) => Some((Uid::parse(uid)?, *device_id, operation)),
            _ => None,
        }
    })
}

/// What the connections of a key may do. Any filter below the own application is granted; what is handed over is
/// decided by `receive`.
pub(crate) fn policy(key: &Key) -> Policy {
    let device = format!("v3/{}/devices/+", key.uid);
    let below = |suffixes: &[&str]| suffixes.iter().map(|suffix| format!("{device}/{suffix}")).collect();
    Policy {
        publish: if key.has(Right::TrafficDownWrite) { below(&["down/push", "down/replace"]) } else { Vec::new() },
        subscribe: vec![format!("v3/{}/#", key.uid)],
        receive: if key.has(Right::TrafficRead) { below(&UPSTREAM) } else { Vec::new() },
        implicit: Vec::new(),
    }
}

/// The filter that stands for one that the policy does not cover (`topics/v3.go`); `None` where it is refused.
pub(crate) fn rewritten(filter: &str, uid: &str) -> Option<String> {
    match filter {
        "#" | "v3/#" => Some(format!("v3/{uid}/#")),
        _ => {
            let rest = filter.strip_prefix("v3/+")?;
            (rest.is_empty() || rest.starts_with('/')).then(|| format!("v3/{uid}{rest}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_narrowed_to_the_own_application() {
        for (filter, expected) in [
            ("#", Some("v3/app1/#")),
            ("v3/#", Some("v3/app1/#")),
            ("v3/+", Some("v3/app1")),
            ("v3/+/#", Some("v3/app1/#")),
            ("v3/+/devices/+/up", Some("v3/app1/devices/+/up")),
            ("v3/+/devices/dev1/down/+", Some("v3/app1/devices/dev1/down/+")),
            ("v3/app2/#", None),
            ("v3/app10/devices/+/up", None),
            ("v3/+x/devices", None),
            ("v3", None),
            ("+/app1/devices/+/up", None),
            ("+/#", None),
            ("$SYS/#", None),
            ("dh/#", None),
            ("", None),
        ] {
            assert_eq!(rewritten(filter, "app1").as_deref(), expected, "{filter}");
        }
    }

    #[test]
    fn push_and_replace_have_six_levels() {
        for (topic, expected) in [
            ("v3/app1/devices/dev1/down/push", Some(("app1", "dev1", Operation::Push))),
            ("v3/app1@ttn/devices/dev1/down/replace", Some(("app1@ttn", "dev1", Operation::Replace))),
            ("v3/app1/devices/dev1/down/pushes", None),
            ("v3/app1/devices/dev1/down/push/now", None),
            ("v3/app1/devices/dev1/down", None),
            ("v3/app1/devices//down/push", None),
            ("v3/app1/devices/DEV/down/push", None),
            ("v3/a/devices/dev1/down/push", None),
            ("v2/app1/devices/dev1/down/push", None),
            ("v3/app1/device/dev1/down/push", None),
        ] {
            let found = downlink_topic(topic).map(|(uid, device, operation)| (uid.to_string(), device, operation));
            let found = found.as_ref().map(|(uid, device, operation)| (uid.as_str(), *device, *operation));
            assert_eq!(found, expected, "{topic}");
        }
    }
}
