//! Topic names and topic filters (MQTT 5.0, section 4.7).
//!
//! Shared subscriptions (`$share/group/filter`) are not taken apart here: whoever allows them passes the filter in them.

/// Bytes of UTF-8 that a topic name or filter may have at most (MQTT 5.0, section 1.5.4).
pub const BYTES_MAX: usize = 65_535;

/// Why a text is no topic name or no topic filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// Both need at least one character.
    #[error("a topic has at least one character")]
    Empty,
    /// Longer than [`BYTES_MAX`].
    #[error("a topic has at most {BYTES_MAX} bytes, this one has {0}")]
    TooLong(usize),
    /// U+0000 is forbidden in every MQTT text.
    #[error("a topic must not contain the character U+0000")]
    Nul,
    /// `+` or `#` in a topic name.
    #[error("wildcards (+ and #) stand in filters only, not in the name of a topic")]
    WildcardInName,
    /// `+` or `#` beside other characters of a level.
    #[error("a wildcard (+ or #) takes a whole level of a filter, between slashes")]
    WildcardInLevel,
    /// `#` before the last level.
    #[error("# stands at the end of a filter only")]
    HashNotLast,
}

/// Whether a text can be the name that a message is published under.
pub fn check_name(topic: &str) -> Result<(), TopicError> {
    check_text(topic)?;
    if topic.contains(['+', '#']) { Err(TopicError::WildcardInName) } else { Ok(()) }
}

/// Whether a text can be subscribed to.
pub fn check_filter(filter: &str) -> Result<(), TopicError> {
    check_text(filter)?;
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        if level.len() > 1 && level.contains(['+', '#']) {
            return Err(TopicError::WildcardInLevel);
        }
        if level == "#" && levels.peek().is_some() {
            return Err(TopicError::HashNotLast);
        }
    }
    Ok(())
}

fn check_text(text: &str) -> Result<(), TopicError> {
    if text.is_empty() {
        return Err(TopicError::Empty);
    }
    if text.len() > BYTES_MAX {
        return Err(TopicError::TooLong(text.len()));
    }
    if text.contains('\0') { Err(TopicError::Nul) } else { Ok(()) }
}

/// Whether a filter matches a topic name. A filter that begins with a wildcard matches no topic that begins with `$`.
pub fn matches(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') && begins_with_wildcard(filter) {
        return false;
    }
    let mut levels = topic.split('/');
    for part in filter.split('/') {
        match (part, levels.next()) {
            ("#", _) => return true,
            ("+", Some(_)) => {}
            (part, Some(level)) if part == level => {}
            _ => return false,
        }
    }
    levels.next().is_none()
}

/// Whether every topic that `asked` matches is matched by `filter`. Both are valid filters.
pub fn covers(filter: &str, asked: &str) -> bool {
    if asked.starts_with('$') && begins_with_wildcard(filter) {
        return false;
    }
    let mut parts = filter.split('/');
    for (depth, asked_part) in asked.split('/').enumerate() {
        match parts.next() {
            Some("#") => return true,
            // An asked `#` stands for any number of levels. For none it does not where no topic would be left, since a
            // topic has at least one character.
            Some("+") if asked_part == "#" => {
                let needs_a_level = depth == 0 || (depth == 1 && asked.starts_with('/'));
                return needs_a_level && parts.next() == Some("#");
            }
            Some(part) if part == "+" || part == asked_part => {}
            _ => return false,
        }
    }
    matches!(parts.next(), None | Some("#"))
}

/// Whether some topic is matched by both filters. Both are valid.
pub fn overlaps(a: &str, b: &str) -> bool {
    if (a.starts_with('$') && begins_with_wildcard(b)) || (b.starts_with('$') && begins_with_wildcard(a)) {
        return false;
    }
    let (mut a_parts, mut b_parts) = (a.split('/'), b.split('/'));
    for depth in 0_usize.. {
        match (a_parts.next(), b_parts.next()) {
            (None, None) => return true,
            // What both agree on so far is a topic, unless it is a single empty level.
            (Some("#"), None) | (None, Some("#")) => return depth > 1 || !(a.starts_with('/') || b.starts_with('/')),
            (Some("#"), Some(_)) | (Some(_), Some("#")) => return true,
            (Some(x), Some(y)) if x == y || x == "+" || y == "+" => {}
            _ => return false,
        }
    }
    false
}

fn begins_with_wildcard(filter: &str) -> bool {
    filter.starts_with(['+', '#'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_or_filter_is_told_from_other_texts() {
        let rows = [
            ("a", Ok(()), Ok(())),
            ("/", Ok(()), Ok(())),
            ("a//b", Ok(()), Ok(())),
            ("$SYS/broker", Ok(()), Ok(())),
            ("gr\u{fc}n/\u{1f331}", Ok(()), Ok(())),
            ("", Err(TopicError::Empty), Err(TopicError::Empty)),
            ("a\0b", Err(TopicError::Nul), Err(TopicError::Nul)),
            ("+", Err(TopicError::WildcardInName), Ok(())),
            ("#", Err(TopicError::WildcardInName), Ok(())),
            ("+/a/#", Err(TopicError::WildcardInName), Ok(())),
            ("a/+/b", Err(TopicError::WildcardInName), Ok(())),
            ("a+", Err(TopicError::WildcardInName), Err(TopicError::WildcardInLevel)),
            ("a/b#", Err(TopicError::WildcardInName), Err(TopicError::WildcardInLevel)),
            ("++", Err(TopicError::WildcardInName), Err(TopicError::WildcardInLevel)),
            ("#/a", Err(TopicError::WildcardInName), Err(TopicError::HashNotLast)),
            ("a/#/", Err(TopicError::WildcardInName), Err(TopicError::HashNotLast)),
        ];
        for (text, as_name, as_filter) in rows {
            assert_eq!(check_name(text), as_name, "{text:?} as a name");
            assert_eq!(check_filter(text), as_filter, "{text:?} as a filter");
        }
        for (bytes, expected) in [(BYTES_MAX, Ok(())), (BYTES_MAX + 1, Err(TopicError::TooLong(BYTES_MAX + 1)))] {
            assert_eq!(check_name(&"x".repeat(bytes)), expected);
            assert_eq!(check_filter(&"x".repeat(bytes)), expected);
        }
        // The bound is in bytes: this text has one character fewer than it.
        assert_eq!(check_name(&"\u{fc}".repeat(BYTES_MAX / 2 + 1)), Err(TopicError::TooLong(BYTES_MAX + 1)));
    }

    #[test]
    fn a_filter_matches_topics() {
        let rows = [
            ("a/b", "a/b", true),
            ("a/b", "a/b/c", false),
            ("a/+", "a/b", true),
            ("a/+", "a", false),
            ("a/+", "a/", true),
            ("a/#", "a", true),
            ("a/#", "a/b/c", true),
            ("+/+", "/x", true),
            ("+", "/x", false),
            ("#", "$SYS/a", false),
            ("+/a", "$SYS/a", false),
            ("$SYS/#", "$SYS/a", true),
            ("a/+", "a/$b", true),
            ("A", "a", false),
        ];
        for (filter, topic, expected) in rows {
            assert_eq!(matches(filter, topic), expected, "{filter} on {topic}");
        }
    }

    #[test]
    fn filters_are_compared() {
        // Filter, other filter, whether the first covers the second, whether they overlap.
        let rows = [
            ("#", "a/+/b", true, true),
            ("a/#", "a", true, true),
            ("a/#", "a/+/#", true, true),
            ("a/+/#", "a/#", false, true),
            ("+/#", "#", true, true),
            ("+/+/#", "#", false, true),
            ("/+/#", "/#", true, true),
            ("a/+", "a/b", true, true),
            ("a/b", "a/+", false, true),
            ("+/b", "a/+", false, true),
            ("a/b", "a/c", false, false),
            ("a", "a/b", false, false),
            ("#", "$SYS/#", false, false),
            ("$SYS/#", "#", false, false),
            ("$SYS/#", "$SYS/+/x", true, true),
            ("+", "/#", false, false),
            ("devices/1/#", "devices/+/up", false, true),
            ("devices/1/#", "devices/2/up", false, false),
        ];
        for (filter, asked, expected_covers, expected_overlaps) in rows {
            assert_eq!(covers(filter, asked), expected_covers, "{filter} covers {asked}");
            assert_eq!(overlaps(filter, asked), expected_overlaps, "{filter} and {asked} overlap");
            assert_eq!(overlaps(asked, filter), expected_overlaps, "{asked} and {filter} overlap");
        }
    }

    /// Every topic of up to five levels over an alphabet that has one level which no generated filter names.
    fn all_topics() -> Vec<String> {
        let alphabet = ["", "a", "$s", "other"];
        let mut rows: Vec<String> = alphabet.iter().map(|level| (*level).to_owned()).collect();
        let mut topics = rows.clone();
        for _ in 1..5 {
            rows = rows.iter().flat_map(|row| alphabet.iter().map(move |level| format!("{row}/{level}"))).collect();
            topics.extend_from_slice(&rows);
        }
        topics.retain(|topic| !topic.is_empty());
        topics
    }

    fn some_filter() -> impl Strategy<Value = String> {
        let level = prop::sample::select(vec!["", "a", "$s", "+", "+"]);
        (prop::collection::vec(level, 0..4), any::<bool>())
            .prop_map(|(mut levels, open)| {
                if open {
                    levels.push("#");
                }
                levels.join("/")
            })
            .prop_filter("empty", |filter| !filter.is_empty())
    }

    #[test]
    fn comparing_filters_agrees_with_trying_every_topic() {
        let topics = all_topics();
        proptest!(ProptestConfig::with_cases(2000), |(a in some_filter(), b in some_filter())| {
            prop_assert_eq!(check_filter(&a), Ok(()));
            let matched = |filter: &str| topics.iter().map(|topic| matches(filter, topic)).collect::<Vec<_>>();
            let (by_a, by_b) = (matched(&a), matched(&b));
            let covered = by_a.iter().zip(&by_b).all(|(in_a, in_b)| *in_a || !*in_b);
            let shared = by_a.iter().zip(&by_b).any(|(in_a, in_b)| *in_a && *in_b);
            prop_assert_eq!(covers(&a, &b), covered, "{} covers {}", a, b);
            prop_assert_eq!(overlaps(&a, &b), shared, "{} and {} overlap", a, b);
        });
    }
}
