//! Topics of a device, below two brand prefixes that mean the same, and what it may do there.

use dragoman_plugin_sdk::{Policy, Subscription};

/// The platform's two names, in the order in which they are tried.
pub(crate) const PREFIXES: [&str; 2] = ["connio", "csipio"];

/// Filters of the topics on which devices speak.
pub(crate) const DEVICE_FILTERS: [&str; 2] = ["connio/data/out/devices/+/#", "csipio/data/out/devices/+/#"];

/// What a device says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Uplink<'a> {
    /// `…/properties/{name}`: one value.
    Property(&'a str),
    /// `…/json` or `…/properties/json`: a Data Feed.
    Feed,
    /// `…/methods/{name}`: a call.
    Method(&'a str),
    /// `…/methods/json`: calls.
    Methods,
}

/// The device id, as written, and what it says there.
pub(crate) fn uplink(topic: &str) -> Option<(&str, Uplink<'_>)> {
    let rest = PREFIXES.iter().find_map(|prefix| topic.strip_prefix(prefix)?.strip_prefix("/data/out/devices/"))?;
    let (device, what) = rest.split_once('/')?;
    let said = match what.split_once('/') {
        None if what == "json" => Uplink::Feed,
        Some(("properties", "json")) => Uplink::Feed,
        Some(("methods", "json")) => Uplink::Methods,
        Some(("properties", name)) if is_level(name) => Uplink::Property(name),
        Some(("methods", name)) if is_level(name) => Uplink::Method(name),
        _ => return None,
    };
    is_level(device).then_some((device, said))
}

fn is_level(text: &str) -> bool {
    !text.is_empty() && !text.contains('/')
}

/// The topics on which a value goes to a device: one for each prefix under which its session listens, with the id as
/// the session writes it. Where it listens under none, the first prefix, so that the gateway finds nobody there.
pub(crate) fn downlinks(subscriptions: &[Subscription], device_id: &str, property: &str) -> Vec<String> {
    let topic = |prefix: &str, id: &str| format!("{prefix}/data/in/devices/{id}/properties/{property}");
    let listened = PREFIXES.into_iter().filter_map(|prefix| {
        let heard = subscriptions.iter().find(|one| hears(&one.filter, prefix, device_id, property))?;
        Some(topic(prefix, written_id(&heard.filter).unwrap_or(device_id)))
    });
    let topics: Vec<_> = listened.collect();
    if topics.is_empty() { vec![topic(PREFIXES[0], device_id)] } else { topics }
}

/// Whether the session of a device listens for a property at QoS 1 or more.
pub(crate) fn is_held_for(subscriptions: &[Subscription], device_id: &str, property: &str) -> bool {
    let hears = |one: &Subscription| PREFIXES.iter().any(|prefix| hears(&one.filter, prefix, device_id, property));
    subscriptions.iter().any(|one| one.qos >= 1 && hears(one))
}

/// Whether a filter matches the topic of a property. Names are lower case in topics; ids are matched without case.
fn hears(filter: &str, prefix: &str, device_id: &str, property: &str) -> bool {
    let wanted = [prefix, "data", "in", "devices", device_id, "properties", property];
    let mut levels = filter.split('/');
    for (index, level) in wanted.into_iter().enumerate() {
        match levels.next() {
            Some("#") => return true,
            Some("+") => {}
            Some(written) if written == level => {}
            Some(written) if index == ID_LEVEL && written.to_lowercase() == level.to_lowercase() => {}
            _ => return false,
        }
    }
    matches!(levels.next(), None | Some("#"))
}

/// Place of the device id in a topic.
const ID_LEVEL: usize = 4;

fn written_id(filter: &str) -> Option<&str> {
    filter.split('/').nth(ID_LEVEL).filter(|level| !level.contains(['+', '#']))
}

/// What a session may do that speaks for these devices, their ids in every spelling that it uses.
pub(crate) fn policy<'a>(ids: impl IntoIterator<Item = &'a str>) -> Policy {
    let mut policy = Policy { publish: Vec::new(), subscribe: Vec::new(), receive: Vec::new(), implicit: Vec::new() };
    for id in ids {
        for prefix in PREFIXES {
            policy.publish.push(format!("{prefix}/data/out/devices/{id}/#"));
            policy.subscribe.push(format!("{prefix}/data/in/devices/{id}/#"));
            policy.receive.push(format!("{prefix}/data/in/devices/{id}/properties/+"));
        }
    }
    policy
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subscribed(filters: &[(&str, u8)]) -> Vec<Subscription> {
        filters.iter().map(|(filter, qos)| Subscription { filter: (*filter).to_owned(), qos: *qos }).collect()
    }

    #[test]
    fn a_topic_says_who_says_what() {
        for (topic, expected) in [
            ("connio/data/out/devices/_dev_1/properties/temp", Some(("_dev_1", Uplink::Property("temp")))),
            ("csipio/data/out/devices/_dev_1/properties/temp", Some(("_dev_1", Uplink::Property("temp")))),
            ("connio/data/out/devices/_DEV_1/json", Some(("_DEV_1", Uplink::Feed))),
            ("connio/data/out/devices/_dev_1/properties/json", Some(("_dev_1", Uplink::Feed))),
            ("connio/data/out/devices/_dev_1/methods/reset", Some(("_dev_1", Uplink::Method("reset")))),
            ("connio/data/out/devices/_dev_1/methods/json", Some(("_dev_1", Uplink::Methods))),
            ("connio/data/out/devices/_dev_1/properties/", None),
            ("connio/data/out/devices/_dev_1/properties/a/b", None),
            ("connio/data/out/devices/_dev_1/properties", None),
            ("connio/data/out/devices//json", None),
            ("connio/data/out/devices/_dev_1", None),
            ("connio/data/in/devices/_dev_1/properties/temp", None),
            ("other/data/out/devices/_dev_1/json", None),
            ("connioxdata/out/devices/_dev_1/json", None),
        ] {
            assert_eq!(uplink(topic), expected, "{topic}");
        }
    }

    #[test]
    fn a_value_goes_to_the_prefixes_under_which_the_session_listens() {
        let connio = "connio/data/in/devices/_dev_1/properties/temp";
        let csipio = "csipio/data/in/devices/_dev_1/properties/temp";
        let spelled = "csipio/data/in/devices/_DEV_1/properties/temp";
        for (filters, expected) in [
            (vec![], vec![connio]),
            (vec![("connio/data/in/devices/_dev_1/properties/#", 0)], vec![connio]),
            (vec![("csipio/data/in/devices/_dev_1/properties/#", 0)], vec![csipio]),
            (
                vec![("csipio/data/in/devices/_dev_1/#", 1), ("connio/data/in/devices/_dev_1/#", 1)],
                vec![connio, csipio],
            ),
            (vec![("csipio/data/in/devices/_dev_1/properties/temp", 0)], vec![csipio]),
            (vec![("csipio/data/in/devices/_dev_1/properties/other", 0)], vec![connio]),
            (vec![("csipio/data/in/devices/_DEV_1/properties/+", 0)], vec![spelled]),
            (vec![("csipio/data/in/devices/_dev_2/properties/#", 0)], vec![connio]),
            (vec![("csipio/data/in/devices/_dev_1/properties", 0)], vec![connio]),
            (vec![("csipio/data/in/devices/_dev_1/properties/temp/#", 0)], vec![csipio]),
        ] {
            assert_eq!(downlinks(&subscribed(&filters), "_dev_1", "temp"), expected, "{filters:?}");
        }
    }

    #[test]
    fn only_a_subscription_of_qos_1_is_held_for() {
        for (filters, expected) in [
            (vec![], false),
            (vec![("connio/data/in/devices/_dev_1/#", 0)], false),
            (vec![("connio/data/in/devices/_dev_1/#", 1)], true),
            (vec![("connio/data/in/devices/_dev_1/#", 0), ("csipio/data/in/devices/_dev_1/properties/temp", 1)], true),
            (vec![("connio/data/in/devices/_dev_1/properties/other", 1)], false),
        ] {
            assert_eq!(is_held_for(&subscribed(&filters), "_dev_1", "temp"), expected, "{filters:?}");
        }
    }
}
