//! Words of plugins where people read them line by line: logs, lists and reasons.

use std::borrow::Cow;

/// The text on one line, without anything that a terminal obeys: who writes a line break must not write the next line of
/// a log as well.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    if !text.contains(is_control) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_control(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

/// Control characters, the two separators that some programs break lines at, and what changes the direction of the text
/// around it.
pub(crate) fn is_control(character: char) -> bool {
    let breaks = matches!(character, '\u{2028}' | '\u{2029}');
    let turns =
        matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    character.is_control() || breaks || turns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_line_or_reach_a_terminal_is_written_out() {
        for (text, shown) in [
            ("two words, „ünïcode“", "two words, „ünïcode“"),
            ("one\ntwo\r\n", "one\\ntwo\\r\\n"),
            ("\u{1b}[2J\0", "\\u{1b}[2J\\u{0}"),
            ("a\u{2028}b\u{9b}c", "a\\u{2028}b\\u{9b}c"),
            ("a\u{202e}b\u{2069}", "a\\u{202e}b\\u{2069}"),
        ] {
            assert_eq!(one_line(text), shown);
        }
    }
}
