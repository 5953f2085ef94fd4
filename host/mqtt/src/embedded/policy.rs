//! What a policy allows, as pure functions of filters and topics.

use dragoman_core::topic;

/// Whether one of the filters matches the topic.
pub(super) fn allows(filters: &[String], name: &str) -> bool {
    filters.iter().any(|filter| topic::matches(filter, name))
}

/// Whether one of the filters matches every topic that the asked filter matches.
pub(super) fn allows_filter(filters: &[String], asked: &str) -> bool {
    filters.iter().any(|filter| covers(filter, asked))
}

/// Whether a text is a topic name (MQTT 5.0, section 4.7.3): no wildcards, and none of the characters that section 1.5.4
/// lets a server refuse.
pub(super) fn is_name(text: &str, max_bytes: usize) -> bool {
    !text.is_empty() && text.len() <= max_bytes && !text.chars().any(|c| matches!(c, '+' | '#') || c.is_control())
}

/// Whether a text is a topic filter: wildcards stand for whole levels, `#` only at the end.
pub(super) fn is_filter(text: &str, max_bytes: usize) -> bool {
    if text.is_empty() || text.len() > max_bytes || text.chars().any(char::is_control) {
        return false;
    }
    let mut levels = text.split('/').peekable();
    while let Some(level) = levels.next() {
        match level {
            "+" => {}
            "#" if levels.peek().is_none() => {}
            _ if level.contains(['+', '#']) => return false,
            _ => {}
        }
    }
    true
}

/// Whether the broker library can route the topic: it takes `$` for a mark of the first level only.
pub(super) fn is_routable(name: &str) -> bool {
    !name.split('/').skip(1).any(|level| level.starts_with('$'))
}

fn covers(filter: &str, asked: &str) -> bool {
    if asked.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut wanted = asked.split('/');
    for part in filter.split('/') {
        match (part, wanted.next()) {
            ("#", _) => return true,
            (_, Some("#") | None) => return false,
            ("+", Some(_)) => {}
            (part, Some(level)) if part == level => {}
            _ => return false,
        }
    }
    wanted.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_covers_what_it_matches_whole() {
        let yes = [
            ("#", "a/b"),
            ("#", "a/+/#"),
            ("a/#", "a"),
            ("a/#", "a/#"),
            ("a/+", "a/+"),
            ("a/+", "a/b"),
            ("$oc/devices/d1/#", "$oc/devices/d1/sys/commands/#"),
            ("+/b/#", "+/b/c"),
        ];
        for (filter, asked) in yes {
            assert!(covers(filter, asked), "{filter} covers {asked}");
        }
        let no = [
            ("#", "$oc/#"),
            ("+/a", "$oc/a"),
            ("a/+", "a/#"),
            ("a/b", "a/+"),
            ("a/b", "a"),
            ("a/b", "a/b/c"),
            ("a/+/c", "a/+/+"),
            ("a", "+"),
            ("a/b/#", "a/#"),
            ("$oc/devices/d1/#", "$oc/devices/+/sys/#"),
        ];
        for (filter, asked) in no {
            assert!(!covers(filter, asked), "{filter} does not cover {asked}");
        }
    }

    #[test]
    fn names_and_filters_are_checked() {
        for name in ["a", "/", "$oc/devices/d1", "a b", "a//b"] {
            assert!(is_name(name, 64), "{name:?}");
        }
        for name in ["", "a/+", "a#", "a\0b", "\u{1}x", "0123456789abcdef0"] {
            assert!(!is_name(name, 16), "{name:?}");
        }
        for filter in ["#", "+", "+/a/#", "/", "$oc/#"] {
            assert!(is_filter(filter, 64), "{filter:?}");
        }
        for filter in ["", "#/a", "a#", "a/b+", "a/\0"] {
            assert!(!is_filter(filter, 64), "{filter:?}");
        }
    }
}
