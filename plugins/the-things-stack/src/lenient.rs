//! JSON with one comma too many, as the platform's own first example has it.

/// The text without the comma that stands before a closing bracket, if there is exactly one such comma.
pub(crate) fn without_trailing_comma(text: &str) -> Option<String> {
    let mut found = None;
    let (mut in_string, mut escaped) = (false, false);
    let mut comma = None;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => {
                in_string = !in_string;
                comma = None;
            }
            _ if in_string => {}
            b',' => comma = Some(at),
            b'}' | b']' => {
                if let Some(at) = comma.take() {
                    if found.is_some() {
                        return None;
                    }
                    found = Some(at);
                }
            }
            b' ' | b'\t' | b'\r' | b'\n' => {}
            _ => comma = None,
        }
    }
    let at = found?;
    Some(format!("{}{}", text.get(..at)?, text.get(at + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_trailing_comma_is_taken_out_and_no_more() {
        for (text, expected) in [
            (r#"{"a":1,}"#, Some(r#"{"a":1}"#)),
            ("{\"a\":1,\n  }", Some("{\"a\":1\n  }")),
            ("[1,2,]", Some("[1,2]")),
            (r#"{"a":",}"}"#, None),
            (r#"{"a":"\",}",}"#, Some(r#"{"a":"\",}"}"#)),
            (r#"{"a":[1,],}"#, None),
            (r#"{"a":1}"#, None),
            ("[1,,]", Some("[1,]")),
            ("", None),
        ] {
            assert_eq!(without_trailing_comma(text).as_deref(), expected, "{text}");
        }
    }
}
