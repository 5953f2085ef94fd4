//! Topics of the platform: `dh/request`, `dh/response/{action}@{client-id}`, and the three kinds of events below
//! `dh/{kind}/{network}/{device type}/{device}/{name}`.

use crate::permission::Permission;

/// Everything that belongs to the platform. Other topics are an ordinary broker's.
pub(crate) const ALL: &str = "dh/#";

/// Where every action is asked for.
pub(crate) const REQUEST: &str = "dh/request";

/// Below it a client is answered.
pub(crate) const RESPONSES: &str = "dh/response/";

/// The topic of an answer: only the client behind the `@` gets it.
pub(crate) fn response(action: &str, client_id: &str) -> String {
    format!("{RESPONSES}{action}@{client_id}")
}

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Command,
    CommandUpdate,
    Notification,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Command, Self::CommandUpdate, Self::Notification];

    fn level(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::CommandUpdate => "command_update",
            Self::Notification => "notification",
        }
    }

    /// What a session must be allowed that is to see such events.
    pub(crate) fn permission(self) -> Permission {
        match self {
            Self::Command | Self::CommandUpdate => Permission::GetDeviceCommand,
            Self::Notification => Permission::GetDeviceNotification,
        }
    }

    /// The filter of all events of the kind.
    pub(crate) fn filter(self) -> String {
        format!("dh/{}/#", self.level())
    }

    /// The filter of the events of some networks and device types.
    pub(crate) fn filter_of(self, network: &str, device_type: &str) -> String {
        format!("dh/{}/{network}/{device_type}/#", self.level())
    }

    /// The topic of one event.
    pub(crate) fn topic(self, network: i64, device_type: i64, device: &str, name: &str) -> String {
        format!("dh/{}/{network}/{device_type}/{device}/{name}", self.level())
    }

    /// The topic, or topic filter, of these levels behind the kind.
    pub(crate) fn join(self, levels: &[String]) -> String {
        format!("dh/{}/{}", self.level(), levels.join("/"))
    }

    /// Kind, and the levels behind it, of a topic or of a filter that names its kind.
    pub(crate) fn split(topic: &str) -> Option<(Self, Vec<&str>)> {
        let (kind, rest) = topic.strip_prefix("dh/")?.split_once('/')?;
        let kind = Self::ALL.into_iter().find(|known| known.level() == kind)?;
        Some((kind, rest.split('/').collect()))
    }
}

/// Whether a level of a filter stands for many.
pub(crate) fn is_wildcard(level: &str) -> bool {
    level == "+" || level == "#"
}

/// Whether a text can stand in a topic: no wildcard, no control character.
pub(crate) fn is_plain(text: &str) -> bool {
    !text.is_empty() && !text.contains(['+', '#']) && !text.chars().any(char::is_control)
}

/// Whether a filter matches a topic (MQTT 3.1.1, section 4.7).
pub(crate) fn matches(filter: &str, topic: &str) -> bool {
    let (mut wanted, mut levels) = (filter.split('/'), topic.split('/'));
    loop {
        match (wanted.next(), levels.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(wanted), Some(level)) if wanted == level => {}
            _ => return false,
        }
    }
}

/// Whether a topic or a filter is private, by the client id behind an `@`, and not this client's.
pub(crate) fn is_of_another(topic: &str, client_id: &str) -> bool {
    let own = topic.strip_suffix(client_id).and_then(|rest| rest.strip_suffix('@'));
    own.unwrap_or(topic).contains('@')
}

/// Whether a filter matches every topic that the asked filter does.
pub(crate) fn covers(filter: &str, asked: &str) -> bool {
    let mut wanted = filter.split('/');
    for level in asked.split('/') {
        match wanted.next() {
            Some("#") => return true,
            Some("+") if level != "#" => {}
            Some(same) if same == level => {}
            _ => return false,
        }
    }
    matches!(wanted.next(), None | Some("#"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_topics_are_taken_apart() {
        for (topic, expected) in [
            ("dh/command/1/1/d/on", Some((Kind::Command, vec!["1", "1", "d", "on"]))),
            ("dh/command_update/+/t/#", Some((Kind::CommandUpdate, vec!["+", "t", "#"]))),
            ("dh/notification/#", Some((Kind::Notification, vec!["#"]))),
            ("dh/notification", None),
            ("dh/request", None),
            ("dh/commands/1", None),
            ("xdh/command/1", None),
        ] {
            assert_eq!(Kind::split(topic), expected, "{topic}");
        }
        assert_eq!(Kind::Command.topic(1, 2, "d", "on"), "dh/command/1/2/d/on");
    }

    #[test]
    fn filters_match_as_mqtt_says() {
        for (filter, topic, expected) in [
            ("dh/command/#", "dh/command/1/1/d/n", true),
            ("dh/command/#", "dh/command", true),
            ("dh/command/+/+/d/n", "dh/command/1/1/d/n", true),
            ("dh/command/+/+/d", "dh/command/1/1/d/n", false),
            ("dh/command/1/1/d/n/x", "dh/command/1/1/d/n", false),
            ("#", "dh/command", true),
        ] {
            assert_eq!(matches(filter, topic), expected, "{filter}");
        }
    }

    #[test]
    fn a_filter_covers_what_it_matches_all_of() {
        for (filter, asked, expected) in [
            ("home/#", "home/#", true),
            ("home/#", "home", true),
            ("home/#", "home/+/x/#", true),
            ("home/+", "home/x", true),
            ("home/+", "home/+", true),
            ("home/+", "home/#", false),
            ("home/+", "home/x/y", false),
            ("home/+/#", "home/#", false),
            ("home/x", "home/+", false),
            ("home/x", "home", false),
        ] {
            assert_eq!(covers(filter, asked), expected, "{filter} covers {asked}");
        }
    }

    #[test]
    fn a_private_topic_is_one_clients() {
        for (topic, expected) in [
            ("home/x", false),
            ("home/x@c", false),
            ("home/x@other", true),
            ("home/x@xc", true),
            ("home/@other/x", true),
            ("home/x@other@c", true),
            ("home/xc", false),
        ] {
            assert_eq!(is_of_another(topic, "c"), expected, "{topic}");
        }
    }
}
