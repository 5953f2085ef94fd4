//! Requests and responses of HTTP.

use crate::{Payload, Response};
use serde::Serialize;

/// An answer with a JSON body.
pub fn json_response(status: u16, body: &impl Serialize) -> Response {
    // Only a map with keys that are no strings or a failing `Serialize` could fail here; the plugins' bodies are neither.
    let text = serde_json::to_string(body).unwrap_or_else(|_| "null".to_owned());
    Response {
        status,
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: Payload::Text(text),
    }
}

/// The body, where it is text.
pub fn body_text(body: &Payload) -> Option<&str> {
    match body {
        Payload::Text(text) => Some(text),
        Payload::Bytes(_) => None,
    }
}

/// Undoes percent-encoding (RFC 3986). `None` for a `%` without two hex digits and for what is not UTF-8 afterwards.
pub fn percent_decode(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let high = hex_value(bytes.next()?)?;
            let low = hex_value(bytes.next()?)?;
            out.push(high << 4 | low);
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).ok()
}

fn hex_value(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// The names and values of a query or of an `application/x-www-form-urlencoded` body, decoded, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads what stands behind the `?`. `None` where the encoding is broken.
    pub fn parse(raw: &str) -> Option<Self> {
        let decode = |part: &str| percent_decode(&part.replace('+', " "));
        raw.split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                Some((decode(name)?, decode(value)?))
            })
            .collect::<Option<Vec<_>>>()
            .map(Self)
    }

    /// The first value of that name; an empty one counts as absent.
    pub fn first(&self, name: &str) -> Option<&str> {
        crate::attribute(&self.0, name).filter(|value| !value.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_encoding_is_undone_or_refused() {
        for (text, expected) in [
            ("plain", Some("plain")),
            ("a%2Fb", Some("a/b")),
            ("%e6%b8%a9", Some("\u{6e29}")),
            ("100%", None),
            ("%4", None),
            ("%zz", None),
            ("%+1", None),
            ("%ff", None),
        ] {
            assert_eq!(percent_decode(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_query_gives_the_first_value_of_a_name() {
        let query = Query::parse("a=1&b=x+y%26&a=2&empty=&flag").unwrap();
        assert_eq!(query.first("a"), Some("1"));
        assert_eq!(query.first("b"), Some("x y&"));
        assert_eq!(query.first("empty"), None);
        assert_eq!(query.first("flag"), None);
        assert_eq!(Query::parse("a=%"), None);
        assert_eq!(Query::parse(""), Some(Query::default()));
    }
}
