//! Paths and topics matched against patterns.
//!
//! A pattern is levels between slashes. A name in braces stands for one level that is not empty, or for the rest of one
//! level, as in `request_id={id}`.

use crate::http::percent_decode;

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
}
