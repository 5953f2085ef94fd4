//! What a plugin may ask for, and the HTTP request that is made of it.

use crate::config::is_transport;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header};
use bytes::Bytes;
use dragoman_store::RequestRow;
use http_body_util::Full;

const METHOD_MAX_BYTES: usize = 32;
const PATH_MAX_BYTES: usize = 8_192;
const HEADERS_MAX: usize = 64;
const HEADER_MAX_BYTES: usize = 8_192;
/// Marks the repetitions of one request for the receiver.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const AGENT: &str = concat!("dragoman/", env!("CARGO_PKG_VERSION"));

/// Whether a request can be sent at all; else what is wrong with it, for the plugin's author.
pub(super) fn check(row: &RequestRow) -> Result<(), String> {
    check_method(&row.method)?;
    check_path(&row.path)?;
    if row.headers.len() > HEADERS_MAX {
        return Err(format!("it has {} headers; {HEADERS_MAX} are allowed", row.headers.len()));
    }
    row.headers.iter().try_for_each(|(name, value)| check_header(name, value))
}

fn check_method(method: &str) -> Result<(), String> {
    let known = method.len() <= METHOD_MAX_BYTES && Method::from_bytes(method.as_bytes()).is_ok();
    if known && !matches!(method, "CONNECT" | "TRACE") {
        return Ok(());
    }
    Err(format!("its method {:?} cannot be used; expected one such as \"POST\"", shown(method)))
}

/// A path may add to the target's address but not leave it.
fn check_path(path: &str) -> Result<(), String> {
    let bad = |why: &str| Err(format!("its path {:?} {why}", shown(path)));
    if path.len() > PATH_MAX_BYTES {
        return bad(&format!("is longer than {PATH_MAX_BYTES} bytes"));
    }
    if !(path.is_empty() || path.starts_with(['/', '?'])) {
        return bad("begins with neither / nor ?");
    }
    if path.contains(['#', '\\']) || (!path.is_empty() && path.parse::<PathAndQuery>().is_err()) {
        return bad("holds a character that must be encoded with %");
    }
    let before_query = path.split('?').next().unwrap_or_default();
    // Some servers decode before they resolve, and some leave out what is behind a semicolon.
    let plain = before_query.to_ascii_lowercase().replace("%2e", ".").replace("%3b", ";");
    let plain = plain.replace("%2f", "/").replace("%5c", "/");
    let leaves = plain.split('/').any(|segment| matches!(segment.split(';').next(), Some("." | "..")));
    if leaves { bad("holds . or .. as a part") } else { Ok(()) }
}

fn check_header(name: &str, value: &str) -> Result<(), String> {
    let bad = |why: &str| Err(format!("its header {:?} {why}", shown(name)));
    let Ok(parsed) = name.parse::<HeaderName>() else { return bad("is no name of a header") };
    if is_transport(&parsed) {
        return bad("is set by the host itself; leave it out");
    }
    if value.len() > HEADER_MAX_BYTES {
        return bad(&format!("is longer than {HEADER_MAX_BYTES} bytes"));
    }
    if HeaderValue::from_str(value).is_err() {
        return bad("has a value that no header can carry; expected one line without control characters");
    }
    Ok(())
}

/// The HTTP request, with the target's own headers in place of those that the plugin set.
///
/// # Errors
/// Where [`check`] would have refused the row: what is kept may be older than its bounds.
pub(super) fn build(base: &str, own: &HeaderMap, row: &RequestRow) -> Result<Request<Full<Bytes>>, String> {
    check(row)?;
    let uri = address(base, &row.path).ok_or_else(|| format!("its path {:?} cannot be used", shown(&row.path)))?;
    let method = Method::from_bytes(row.method.as_bytes()).map_err(|error| error.to_string())?;
    let body = row.body.clone().map_or_else(Bytes::new, Bytes::from);
    let mut headers = HeaderMap::new();
    if row.body.is_some() {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    headers.insert(header::USER_AGENT, HeaderValue::from_static(AGENT));
    if let Ok(key) = HeaderValue::from_str(&format!("{:x}-{}", row.created_ms, row.seq)) {
        headers.insert(IDEMPOTENCY_KEY, key);
    }
    let mut asked = HeaderMap::new();
    for (name, value) in &row.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            asked.append(name, value);
        }
    }
    for layer in [&asked, own] {
        for name in layer.keys() {
            headers.remove(name);
        }
        for (name, value) in layer {
            headers.append(name.clone(), value.clone());
        }
    }
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    Ok(request)
}

/// The target's address with path and query behind it.
fn address(base: &str, path: &str) -> Option<Uri> {
    // An address without a path needs one before a query.
    let authority = base.split_once("://")?.1;
    let between = if path.starts_with('?') && !authority.contains('/') { "/" } else { "" };
    format!("{base}{between}{path}").parse().ok()
}

/// The beginning of a text of a plugin's, for errors.
fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::sync::Arc;

    fn row(method: &str, path: &str, headers: &[(&str, &str)], body: Option<&str>) -> RequestRow {
        RequestRow {
            seq: 7,
            dialect: Arc::from("things"),
            target: "alarms".to_owned(),
            method: method.to_owned(),
            path: path.to_owned(),
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            body: body.map(str::to_owned),
            created_ms: 255,
            tries: 0,
            next_ms: 0,
            last_answer: None,
            given_up_ms: None,
        }
    }

    #[test]
    fn path_and_query_are_added_to_the_address() {
        for (base, path, expected) in [
            ("http://a", "", "http://a/"),
            ("http://a:8/b", "", "http://a:8/b"),
            ("http://a", "/x?y=1", "http://a/x?y=1"),
            ("http://a", "?y=1", "http://a/?y=1"),
            ("https://a/b", "?y=1", "https://a/b?y=1"),
            ("https://a/b", "/x/..y/z?q=../..", "https://a/b/x/..y/z?q=../.."),
        ] {
            let built = build(base, &HeaderMap::new(), &row("POST", path, &[], None)).unwrap();
            assert_eq!(built.uri().to_string(), expected, "{base} {path}");
        }
    }

    #[test]
    fn the_targets_headers_take_the_place_of_the_plugins() {
        let own: HeaderMap = [("authorization", "Bearer own"), ("x-tenant", "acme")]
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .into_iter()
            .collect();
        let asked = [("Authorization", "Bearer other"), ("x-many", "1"), ("X-Many", "2"), ("content-type", "text/x")];
        let built = build("http://a", &own, &row("POST", "", &asked, Some("{}"))).unwrap();
        let values =
            |name: &str| built.headers().get_all(name).iter().map(|value| value.to_str().unwrap()).collect::<Vec<_>>();
        assert_eq!(values("authorization"), ["Bearer own"]);
        assert_eq!(values("x-many"), ["1", "2"]);
        assert_eq!(values("content-type"), ["text/x"]);
        assert_eq!(values("idempotency-key"), ["ff-7"]);
        assert_eq!(values("x-tenant"), ["acme"]);
        let plain = build("http://a", &HeaderMap::new(), &row("GET", "", &[], None)).unwrap();
        assert!(!plain.headers().contains_key("content-type"));
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        let many: Vec<(&str, &str)> = vec![("a", "1"); 65];
        let long = format!("/{}", "x".repeat(8_192));
        let long_value = "x".repeat(8_193);
        for (method, path, headers, expected) in [
            ("", "/", &[][..], "its method \"\" cannot be used; expected one such as \"POST\""),
            ("P OST", "/", &[], "its method \"P OST\" cannot be used; expected one such as \"POST\""),
            ("CONNECT", "/", &[], "its method \"CONNECT\" cannot be used; expected one such as \"POST\""),
            ("POST", "x", &[], "its path \"x\" begins with neither / nor ?"),
            ("POST", "http://b/", &[], "its path \"http://b/\" begins with neither / nor ?"),
            ("POST", "@b/", &[], "its path \"@b/\" begins with neither / nor ?"),
            ("POST", ":99/", &[], "its path \":99/\" begins with neither / nor ?"),
            ("POST", "/a b", &[], "its path \"/a b\" holds a character that must be encoded with %"),
            ("POST", "/a\r\nx: y", &[], "its path \"/a\\r\\nx: y\" holds a character that must be encoded with %"),
            ("POST", "/a#b", &[], "its path \"/a#b\" holds a character that must be encoded with %"),
            ("POST", "/..\\b", &[], "its path \"/..\\\\b\" holds a character that must be encoded with %"),
            ("POST", "/a/../b", &[], "its path \"/a/../b\" holds . or .. as a part"),
            ("POST", "/%2E%2e/b", &[], "its path \"/%2E%2e/b\" holds . or .. as a part"),
            ("POST", "/a%2f..%2Fb", &[], "its path \"/a%2f..%2Fb\" holds . or .. as a part"),
            ("POST", "/a/..%5cb", &[], "its path \"/a/..%5cb\" holds . or .. as a part"),
            ("POST", "/a/..;x=1/b", &[], "its path \"/a/..;x=1/b\" holds . or .. as a part"),
            ("POST", "/a/%2e.%3Bx/b", &[], "its path \"/a/%2e.%3Bx/b\" holds . or .. as a part"),
            ("POST", "/.?a", &[], "its path \"/.?a\" holds . or .. as a part"),
            ("POST", "/", &[("a b", "1")], "its header \"a b\" is no name of a header"),
            ("POST", "/", &[("Host", "b")], "its header \"Host\" is set by the host itself; leave it out"),
            (
                "POST",
                "/",
                &[("transfer-encoding", "chunked")],
                "its header \"transfer-encoding\" is set by the host itself; leave it out",
            ),
            (
                "POST",
                "/",
                &[("a", "1\r\nb: 2")],
                "its header \"a\" has a value that no header can carry; expected one line without control characters",
            ),
            ("POST", "/", &[("a", &long_value)], "its header \"a\" is longer than 8192 bytes"),
            ("POST", "/", &many, "it has 65 headers; 64 are allowed"),
        ] {
            let row = row(method, path, headers, None);
            assert_eq!(check(&row), Err(expected.to_owned()));
            assert!(build("http://a", &HeaderMap::new(), &row).is_err());
        }
        assert!(check(&row("POST", &long, &[], None)).unwrap_err().ends_with("is longer than 8192 bytes"));
    }
}
