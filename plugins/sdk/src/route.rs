//! Paths and topics matched against patterns.
//!
//! A pattern is levels between slashes. A name in braces stands for one level that is not empty, or for the rest of one
//! level, as in `request_id={id}`.

use crate::http::percent_decode;

const FILTER_BYTES_MAX: usize = 512;

/// What stands in the place of each brace, in order; `None` where the text does not fit.
pub fn captures<'a>(pattern: &str, text: &'a str) -> Option<Vec<&'a str>> {
    let mut found = Vec::new();
    let mut levels = text.split('/');
    for expected in pattern.split('/') {
        let level = levels.next()?;
        match expected.split_once('{') {
            Some((prefix, _)) => found.push(level.strip_prefix(prefix).filter(|rest| !rest.is_empty())?),
            None if level == expected => {}
            None => return None,
        }
    }
    levels.next().is_none().then_some(found)
}

/// As [`captures`], for a path as it came over the wire: the captures are percent-decoded. `None` also where that fails.
pub fn path_captures(pattern: &str, path: &str) -> Option<Vec<String>> {
    captures(pattern, path)?.into_iter().map(percent_decode).collect()
}

/// Whether a name can be one level of an MQTT topic: not empty, without `/`, wildcards and NUL.
pub fn is_topic_level(name: &str) -> bool {
    !name.is_empty() && !name.contains(['/', '+', '#', '\0'])
}

/// Whether a text is an MQTT topic filter that the gateway takes in a policy: 1 to 512 bytes without NUL, `+` alone in its
/// level, `#` alone in the last.
pub fn is_topic_filter(text: &str) -> bool {
    let levels = text.split('/').count();
    let fits = |(at, level): (usize, &str)| match level {
        "+" => true,
        "#" => at + 1 == levels,
        level => !level.contains(['+', '#', '\0']),
    };
    (1..=FILTER_BYTES_MAX).contains(&text.len()) && text.split('/').enumerate().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_captures_whole_levels_and_rests_of_levels() {
        for (pattern, text, expected) in [
            ("/api/v1/things", "/api/v1/things", Some(vec![])),
            ("/api/v1/things/{id}", "/api/v1/things/a", Some(vec!["a"])),
            ("/api/v1/things/{id}", "/api/v1/things/", None),
            ("/api/v1/things/{id}", "/api/v1/things/a/b", None),
            ("/api/v1/things/{id}", "/api/v1/things", None),
            (
                "$oc/devices/{d}/sys/commands/request_id={r}",
                "$oc/devices/x/sys/commands/request_id=7",
                Some(vec!["x", "7"]),
            ),
            ("$oc/devices/{d}/sys/commands/request_id={r}", "$oc/devices/x/sys/commands/request_id=", None),
            ("$oc/devices/{d}/sys/commands/request_id={r}", "$oc/devices/x/sys/commands/7", None),
        ] {
            assert_eq!(captures(pattern, text), expected, "{pattern} {text}");
        }
        assert_eq!(path_captures("/t/{id}", "/t/a%2fb"), Some(vec!["a/b".to_owned()]));
        assert_eq!(path_captures("/t/{id}", "/t/%ff"), None);
    }

    #[test]
    fn wildcards_and_separators_are_no_topic_level() {
        for (name, expected) in
            [("a b", true), ("", false), ("a/b", false), ("a+", false), ("#", false), ("a\0", false)]
        {
            assert_eq!(is_topic_level(name), expected, "{name:?}");
        }
    }

    #[test]
    fn a_filter_has_its_wildcards_in_levels_of_their_own() {
        let long = "x".repeat(FILTER_BYTES_MAX);
        for good in ["a", "/", "/a/+/b", "+", "#", "a/#", "$oc/x", &long] {
            assert!(is_topic_filter(good), "{good}");
        }
        for bad in ["", "a+", "a/#/b", "a#", "a\0", &format!("{long}x")] {
            assert!(!is_topic_filter(bad), "{bad}");
        }
    }
}
