//! What a policy allows, as pure functions of filters and topics.

use dragoman_core::topic;

/// Whether one of the filters matches the topic.
pub(super) fn allows(filters: &[String], name: &str) -> bool {
    filters.iter().any(|filter| topic::matches(filter, name))
}

/// Whether one of the filters matches every topic that the asked filter matches.
pub(super) fn allows_filter(filters: &[String], asked: &str) -> bool {
    filters.iter().any(|filter| topic::covers(filter, asked))
}

/// Characters that MQTT 5.0, section 1.5.4, lets a server refuse: control characters, and those that are none and never
/// will be, e.g. U+FFFE.
fn is_refused(character: char) -> bool {
    let code = u32::from(character);
    character.is_control() || code & 0xfffe == 0xfffe || (0xfdd0..=0xfdef).contains(&code)
}

/// Whether a text is a topic name within the limit, without refused characters.
pub(super) fn is_name(text: &str, max_bytes: usize) -> bool {
    text.len() <= max_bytes && topic::check_name(text).is_ok() && !text.chars().any(is_refused)
}

/// Whether a text is a topic filter within the limit, without refused characters.
pub(super) fn is_filter(text: &str, max_bytes: usize) -> bool {
    text.len() <= max_bytes && topic::check_filter(text).is_ok() && !text.chars().any(is_refused)
}

/// Whether a text can name the group of a shared subscription (MQTT 5.0, section 4.8.2).
pub(super) fn is_group(text: &str, max_bytes: usize) -> bool {
    is_name(text, max_bytes) && !text.contains('/')
}

/// Whether the broker library can keep a message of the topic, or look for kept ones by the filter: its tree of retained
/// messages takes `$` for a mark of the first level only.
pub(super) fn can_be_retained(name: &str) -> bool {
    !name.split('/').skip(1).any(|level| level.starts_with('$'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_filters_are_checked() {
        for name in ["a", "/", "$oc/devices/d1", "a b", "a//b"] {
            assert!(is_name(name, 64), "{name:?}");
        }
        for name in ["", "a/+", "a#", "a\0b", "\u{1}0", "a\u{fffe}", "\u{1ffff}", "\u{fdd0}", "0123456789abcdef0"] {
            assert!(!is_name(name, 16), "{name:?}");
        }
        for filter in ["#", "+", "+/a/#", "/", "$oc/#"] {
            assert!(is_filter(filter, 64), "{filter:?}");
        }
        for filter in ["", "#/a", "a#", "a/b+", "a/\0", "a/\u{1}", "a/\u{ffff}/#"] {
            assert!(!is_filter(filter, 64), "{filter:?}");
        }
        assert!(can_be_retained("$oc/devices/d1") && !can_be_retained("a/$b"));
        assert!(is_group("g", 8) && !is_group("", 8) && !is_group("g/h", 8) && !is_group("+", 8));
    }
}
