//! What a plugin claims, and when two claims are about the same thing.

use std::fmt;

/// A method and a path, where a name in braces stands for one path segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    method: String,
    segments: Vec<Segment>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Text(String),
    Any(String),
}

impl Route {
    /// Parses e.g. `POST /v5/iot/{project}/devices`. The error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (method, path) = text.split_once(' ').ok_or("it must be a method, a space and a path")?;
        if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err("its method must be upper-case letters".into());
        }
        let path = path.strip_prefix('/').ok_or("its path must begin with a slash")?;
        let segments = path.split('/').map(Segment::parse).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { method: method.into(), segments })
    }

    /// The method.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// Whether a request with this method and this path, as on the wire and without query, is meant.
    pub fn matches(&self, method: &str, path: &str) -> bool {
        let Some(path) = path.strip_prefix('/') else { return false };
        let mut parts = path.split('/');
        self.method == method
            && self.segments.iter().all(|segment| match (segment, parts.next()) {
                (Segment::Text(text), Some(part)) => text == part,
                (Segment::Any(_), Some(part)) => !part.is_empty(),
                (_, None) => false,
            })
            && parts.next().is_none()
    }

    /// Whether some request is meant by both.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.method == other.method
            && self.segments.len() == other.segments.len()
            && self.segments.iter().zip(&other.segments).all(|pair| match pair {
                (Segment::Text(one), Segment::Text(two)) => one == two,
                (Segment::Text(text), Segment::Any(_)) | (Segment::Any(_), Segment::Text(text)) => !text.is_empty(),
                (Segment::Any(_), Segment::Any(_)) => true,
            })
    }
}

impl Segment {
    fn parse(text: &str) -> Result<Self, String> {
        if let Some(name) = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            let valid = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            return if valid {
                Ok(Self::Any(name.into()))
            } else {
                Err(format!("`{text}` must be letters, digits or `_` in braces"))
            };
        }
        if text.bytes().any(|byte| matches!(byte, b'{' | b'}' | b'?' | b'#' | b' ' | b'*')) {
            return Err(format!("its segment `{text}` holds a character that no path segment has"));
        }
        Ok(Self::Text(text.into()))
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.method)?;
        self.segments.iter().try_for_each(|segment| match segment {
            Segment::Text(text) => write!(f, "/{text}"),
            Segment::Any(name) => write!(f, "/{{{name}}}"),
        })
    }
}

/// What is wrong with a topic filter (MQTT 5.0, section 4.7), if anything.
pub(crate) fn filter_problem(filter: &str) -> Option<&'static str> {
    if filter.is_empty() || filter.len() > 65_535 {
        return Some("a topic filter has 1 to 65535 bytes");
    }
    if filter.contains('\0') {
        return Some("a topic filter holds no NUL");
    }
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        if level == "#" && levels.peek().is_some() {
            return Some("`#` stands only at the end of a topic filter");
        }
        if level.len() > 1 && level.contains(['#', '+']) {
            return Some("a wildcard stands alone between two slashes");
        }
    }
    None
}

/// What is wrong with a topic name, if anything.
pub(crate) fn topic_problem(topic: &str) -> Option<&'static str> {
    if topic.is_empty() || topic.len() > 65_535 {
        return Some("a topic has 1 to 65535 bytes");
    }
    topic.contains(['#', '+', '\0']).then_some("a topic holds no wildcard and no NUL")
}

/// Whether some topic is matched by both filters.
pub(crate) fn filters_overlap(one: &str, two: &str) -> bool {
    let wild = |filter: &str| filter.starts_with(['+', '#']);
    if (one.starts_with('$') && wild(two)) || (two.starts_with('$') && wild(one)) {
        return false;
    }
    let (mut left, mut right) = (one.split('/'), two.split('/'));
    loop {
        match (left.next(), right.next()) {
            (Some("#"), _) | (_, Some("#")) | (None, None) => return true,
            (None, Some(_)) | (Some(_), None) => return false,
            (Some(a), Some(b)) if a == "+" || b == "+" || a == b => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_parse_match_and_overlap() {
        let route = |text: &str| Route::parse(text).unwrap();
        let command = route("POST /v5/iot/{project}/devices/{device}/commands");
        assert_eq!(command.to_string(), "POST /v5/iot/{project}/devices/{device}/commands");
        for (method, path, matches) in [
            ("POST", "/v5/iot/p/devices/d/commands", true),
            ("GET", "/v5/iot/p/devices/d/commands", false),
            ("POST", "/v5/iot/p/devices/d/commands/", false),
            ("POST", "/v5/iot//devices/d/commands", false),
            ("POST", "/v5/iot/a%2Fb/devices/d/commands", true),
            ("POST", "v5/iot/p/devices/d/commands", false),
        ] {
            assert_eq!(command.matches(method, path), matches, "{method} {path}");
        }
        for (one, two, overlap) in [
            ("GET /a/{x}", "GET /a/b", true),
            ("GET /a/{x}", "GET /{y}/b", true),
            ("GET /a/{x}", "GET /b/{x}", false),
            ("GET /a/{x}", "POST /a/{x}", false),
            ("GET /a/{x}", "GET /a", false),
            ("GET /a/{x}", "GET /a/", false),
            ("GET /", "GET /", true),
        ] {
            assert_eq!(route(one).overlaps(&route(two)), overlap, "{one} {two}");
            assert_eq!(route(two).overlaps(&route(one)), overlap, "{two} {one}");
        }
        for bad in ["/a", "get /a", "GET a", "GET /{", "GET /{}", "GET /a{b}", "GET /*", "GET /a?b"] {
            assert!(Route::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn filters_are_checked_and_overlap_when_a_topic_matches_both() {
        for bad in ["", "a/#/b", "a#", "a/b+", "a\0"] {
            assert!(filter_problem(bad).is_some(), "{bad:?}");
        }
        for good in ["#", "+", "+/a/#", "$oc/devices/+/sys/#", "/"] {
            assert_eq!(filter_problem(good), None, "{good}");
        }
        for (one, two, overlap) in [
            ("a/+", "+/b", true),
            ("a/#", "a", true),
            ("a/+", "a", false),
            ("#", "$sys/a", false),
            ("+/a", "$sys/a", false),
            ("$oc/+/x", "$oc/a/#", true),
            ("a/b", "a/c", false),
            ("a/#", "a/b/c/d", true),
            ("a/+/c", "a/b/+/d", false),
        ] {
            assert_eq!(filters_overlap(one, two), overlap, "{one} {two}");
            assert_eq!(filters_overlap(two, one), overlap, "{two} {one}");
        }
    }
}
