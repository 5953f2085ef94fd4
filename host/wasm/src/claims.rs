//! Routes that a plugin claims, and when two of them are about the same request.

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
}
