//! `[targets.NAME]`: where plugins may send HTTP requests. A target that is not listed does not exist.

use super::ConfigError;
use super::reader::Section;
use super::sections::is_plugin_name;
use super::tls;
use axum::http::{HeaderName, HeaderValue, Uri, header};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The keys of one target.
pub(super) const TARGET: [&str; 12] = [
    "url",
    "timeout_ms",
    "in_flight_max",
    "waiting_max",
    "waiting_max_bytes",
    "given_up_max",
    "tries_max",
    "backoff_ms",
    "backoff_max_ms",
    "headers",
    "authorization_file",
    "ca_file",
];
/// Each has a task and bounds of its own.
const TARGETS_MAX: usize = 1_000;
const HEADERS_MAX: usize = 32;

/// One target.
#[derive(Clone, PartialEq)]
pub(crate) struct TargetConfig {
    /// `http://` or `https://` with host, port and path as they were written, without a slash at the end. The path and
    /// query of each request are added to it.
    pub(crate) url: String,
    /// Time of one try: connecting, sending and the answer. Default 10 000.
    pub(crate) timeout_ms: u64,
    /// Requests that may be under way at once. With 1 their order is kept: one that is repeated holds up those behind it.
    /// Default 4.
    pub(crate) in_flight_max: usize,
    /// Requests that may wait for it, those under way included; more are refused. Default 10 000.
    pub(crate) waiting_max: usize,
    /// What those may take in memory, in all. Default 67 108 864.
    pub(crate) waiting_max_bytes: usize,
    /// Requests that were given up and are kept for the operator; past it the oldest is dropped. Default 1 000.
    pub(crate) given_up_max: usize,
    /// How often a request is tried in all. Default 12.
    pub(crate) tries_max: u32,
    /// The wait before the second try; it doubles with each that fails. Default 1 000.
    pub(crate) backoff_ms: u64,
    /// The longest wait between two tries, also where the target asks for more. Default 600 000.
    pub(crate) backoff_max_ms: u64,
    /// Set on every request, in place of what the plugin says. Default empty.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// File with the value of the `authorization` header.
    pub(crate) authorization_file: Option<PathBuf>,
    /// File with the certificates of the authorities that are trusted for this target, in PEM; none: the system's.
    pub(crate) ca_file: Option<PathBuf>,
}

/// Without the values of headers, which may be secrets.
impl std::fmt::Debug for TargetConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let headers: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("TargetConfig").field("url", &self.url).field("headers", &headers).finish_non_exhaustive()
    }
}

impl TargetConfig {
    /// A target at that address with every default.
    pub(crate) fn at(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            timeout_ms: 10_000,
            in_flight_max: 4,
            waiting_max: 10_000,
            waiting_max_bytes: 67_108_864,
            given_up_max: 1_000,
            tries_max: 12,
            backoff_ms: 1_000,
            backoff_max_ms: 600_000,
            headers: Vec::new(),
            authorization_file: None,
            ca_file: None,
        }
    }

    /// Whether it is reached over TLS.
    pub(crate) fn is_tls(&self) -> bool {
        self.url.starts_with("https:")
    }
}

/// Every target of the file. Relative paths are relative to `folder`.
pub(super) fn all(root: &Section<'_>, folder: &Path) -> Result<BTreeMap<String, TargetConfig>, ConfigError> {
    let named = root.open_section("targets")?;
    let mut targets = BTreeMap::new();
    for name in named.keys().map(|name| name.get_ref().as_ref()) {
        if !is_plugin_name(name) {
            return Err(named.error(
                name,
                "names no target: names are lower-case letters, digits and hyphens, at most 64, and begin with a letter",
            ));
        }
        if targets.len() == TARGETS_MAX {
            return Err(named.error(name, format!("is one target too many; {TARGETS_MAX} are allowed")));
        }
        targets.insert(name.to_owned(), target(&named.section(name, &TARGET)?, folder)?);
    }
    Ok(targets)
}

fn target(section: &Section<'_>, folder: &Path) -> Result<TargetConfig, ConfigError> {
    let default = TargetConfig::at(&url(section)?);
    let file = |key| tls::file(section, key, folder);
    let target = TargetConfig {
        timeout_ms: section.integer("timeout_ms", 100..=300_000, default.timeout_ms)?,
        in_flight_max: section.integer("in_flight_max", 1..=1_000, default.in_flight_max)?,
        waiting_max: section.integer("waiting_max", 1..=1_000_000, default.waiting_max)?,
        waiting_max_bytes: section.integer("waiting_max_bytes", 1_024..=17_179_869_184, default.waiting_max_bytes)?,
        given_up_max: section.integer("given_up_max", 0..=1_000_000, default.given_up_max)?,
        tries_max: section.integer("tries_max", 1..=1_000, default.tries_max)?,
        backoff_ms: section.integer("backoff_ms", 1..=3_600_000, default.backoff_ms)?,
        backoff_max_ms: section.integer("backoff_max_ms", 1..=86_400_000, default.backoff_max_ms)?,
        headers: headers(&section.open_section("headers")?)?,
        authorization_file: file("authorization_file")?,
        ca_file: file("ca_file")?,
        url: default.url,
    };
    if target.backoff_max_ms < target.backoff_ms {
        let (most, first) = (target.backoff_max_ms, target.backoff_ms);
        return Err(section.error("backoff_max_ms", format!("is {most}, less than backoff_ms, which is {first}")));
    }
    if target.ca_file.is_some() && !target.is_tls() {
        return Err(section.error("ca_file", "means nothing for a url that begins with http://"));
    }
    Ok(target)
}

/// What is wrong is said without the text, which may hold a password.
fn url(section: &Section<'_>) -> Result<String, ConfigError> {
    let Some(text) = section.text("url")? else {
        let at = section.full("url");
        return Err(
            section.error_here(format!("{at} is missing; set the address, such as \"https://example.org/hook\""))
        );
    };
    let bad = |why: &str| Err(section.error("url", why));
    if text.contains(['?', '#']) {
        return bad("has a query or fragment; leave it out, plugins add path and query to it");
    }
    let uri = match text.parse::<Uri>() {
        Ok(uri) if matches!(uri.scheme_str(), Some("http" | "https")) => uri,
        _ => return bad("is no address; expected one such as \"https://example.org/hook\""),
    };
    match uri.authority() {
        Some(authority) if authority.as_str().contains('@') => {
            bad("has a user name or password inside; put the value of the authorization header into a file and name \
                 it with authorization_file")
        }
        Some(authority) if !authority.host().is_empty() => Ok(text.trim_end_matches('/').to_owned()),
        _ => bad("names no host; expected an address such as \"https://example.org/hook\""),
    }
}

fn headers(section: &Section<'_>) -> Result<Vec<(HeaderName, HeaderValue)>, ConfigError> {
    let mut headers = Vec::new();
    for name in section.keys().map(|name| name.get_ref().as_ref()) {
        let Some(text) = section.text(name)? else { continue };
        let header = match name.parse::<HeaderName>() {
            Ok(header) if header == header::AUTHORIZATION => {
                return Err(
                    section.error(name, "is a secret; put its value into a file and name that with authorization_file")
                );
            }
            Ok(header) if is_transport(&header) => {
                return Err(section.error(name, "is set by dragoman itself; leave it out"));
            }
            Ok(header) => header,
            Err(_) => return Err(section.error(name, "is no name of a header")),
        };
        let value = HeaderValue::from_str(text).map_err(|_| {
            section.error(name, "has a value that no header can carry; expected one line without control characters")
        })?;
        if headers.len() == HEADERS_MAX {
            return Err(section.error(name, format!("is one header too many; {HEADERS_MAX} are allowed")));
        }
        headers.push((header, value));
    }
    Ok(headers)
}

/// Whether a header says how a message travels, which only the client itself knows (RFC 9110, section 7.6.1; RFC 9112).
pub(crate) fn is_transport(name: &HeaderName) -> bool {
    const NAMES: [HeaderName; 10] = [
        header::CONNECTION,
        header::CONTENT_LENGTH,
        header::EXPECT,
        header::HOST,
        header::PROXY_AUTHENTICATE,
        header::PROXY_AUTHORIZATION,
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
    ];
    NAMES.contains(name) || matches!(name.as_str(), "keep-alive" | "proxy-connection")
}
