//! Sends one request over HTTP or TLS. Redirects are not followed and no proxy of the environment is used.

use super::form;
use super::verdict::{Outcome, retry_after_ms};
use crate::config::TargetConfig;
use crate::tls::files::{self, TlsError};
use axum::http::{HeaderMap, HeaderValue, Response, header};
use bytes::Bytes;
use dragoman_store::RequestRow;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use zeroize::Zeroizing;

/// Most of an answer's body that is read.
const ANSWER_MAX_BYTES: usize = 4_096;
/// Most characters of its first line that are recorded.
const LINE_MAX_CHARS: usize = 200;
/// How long a connection that nobody uses is kept.
const IDLE: Duration = Duration::from_secs(30);
/// A secret shorter than this is no secret, and hiding it would garble answers.
const HIDDEN_MIN_BYTES: usize = 4;

/// Why a target cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TargetError {
    /// A file that the configuration names cannot be read.
    #[error("{what} names {}, which cannot be read: {source}; make the file or correct the key", path.display())]
    Unreadable {
        /// The key.
        what: String,
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file holds nothing that can stand in a header.
    #[error("{what} names {}, which is no value of a header; expected one line, such as Bearer and a token", path.display())]
    NoHeader {
        /// The key.
        what: String,
        /// The file.
        path: PathBuf,
    },
    /// Its certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// The HTTP client of one target.
pub(crate) struct Client {
    http: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    base: String,
    /// The target's own.
    headers: HeaderMap,
    /// What must not be recorded where an answer repeats it.
    hidden: Vec<Zeroizing<String>>,
    timeout: Duration,
}

impl Client {
    /// A client for the target of that name. Reads its files; connects to nothing.
    ///
    /// # Errors
    /// See [`TargetError`]; each says what to do next.
    pub(crate) fn new(name: &str, config: &TargetConfig) -> Result<Self, TargetError> {
        let mut headers: HeaderMap = config.headers.iter().cloned().collect();
        let mut hidden = Vec::new();
        if let Some(path) = &config.authorization_file {
            let secret = authorization(format!("targets.{name}.authorization_file"), path)?;
            headers.insert(header::AUTHORIZATION, secret.header);
            hidden = secret.hidden;
        }
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls(name, config)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE)
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(config.in_flight_max)
            .build(connector);
        Ok(Self { http, base: config.url.clone(), headers, hidden, timeout: Duration::from_millis(config.timeout_ms) })
    }

    /// Sends a request once. Never longer than the target's time-out.
    pub(super) async fn send(&self, row: &RequestRow) -> Outcome {
        let request = match form::build(&self.base, &self.headers, row) {
            Ok(request) => request,
            Err(why) => return Outcome::Failed(format!("the request cannot be sent: {why}")),
        };
        let deadline = tokio::time::Instant::now() + self.timeout;
        let outcome = match tokio::time::timeout_at(deadline, self.http.request(request)).await {
            Err(_) => Outcome::Failed(format!("no answer within {} ms", self.timeout.as_millis())),
            Ok(Err(error)) => Outcome::Failed(broken(&error)),
            Ok(Ok(response)) => answered(response, deadline).await,
        };
        self.without_secrets(outcome)
    }

    /// A target that repeats what it was sent must not bring the secret into the store and the log.
    fn without_secrets(&self, mut outcome: Outcome) -> Outcome {
        let (Outcome::Answered { text, .. } | Outcome::Failed(text)) = &mut outcome;
        for hidden in &self.hidden {
            if text.contains(hidden.as_str()) {
                *text = text.replace(hidden.as_str(), "[secret]");
            }
        }
        outcome
    }
}

/// The status decides; of the body only as much is read as comes in time and within the bound.
async fn answered(response: Response<Incoming>, deadline: tokio::time::Instant) -> Outcome {
    let status = response.status();
    let retry_after = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after_ms = retry_after.and_then(|value| retry_after_ms(value, SystemTime::now()));
    let mut body = response.into_body();
    let mut read: Vec<u8> = Vec::new();
    while read.len() < ANSWER_MAX_BYTES {
        let Ok(Some(Ok(frame))) = tokio::time::timeout_at(deadline, body.frame()).await else { break };
        if let Some(data) = frame.data_ref() {
            read.extend(data.iter().take(ANSWER_MAX_BYTES - read.len()));
        }
    }
    Outcome::Answered { status, retry_after_ms, text: described(&status.to_string(), &read) }
}

/// Status and first line. Control characters are left out, so that nothing can write lines into a log or a terminal.
fn described(status: &str, body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let line = text.trim_start().lines().next().unwrap_or_default();
    let line: String = line.chars().filter(|c| !c.is_control()).take(LINE_MAX_CHARS).collect();
    let line = line.trim();
    if line.is_empty() { status.to_owned() } else { format!("{status}: {line}") }
}

/// What broke, by its deepest cause, which is the one that says something.
fn broken(error: &legacy::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    if error.is_connect() { format!("no connection: {cause}") } else { format!("the connection broke: {cause}") }
}

struct Secret {
    header: HeaderValue,
    /// The value, and what stands behind the scheme in it.
    hidden: Vec<Zeroizing<String>>,
}

fn authorization(what: String, path: &Path) -> Result<Secret, TargetError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => Zeroizing::new(text),
        Err(source) => return Err(TargetError::Unreadable { what, path: path.to_owned(), source }),
    };
    let value = text.trim();
    match HeaderValue::from_str(value) {
        Ok(mut header) if !value.is_empty() => {
            header.set_sensitive(true);
            let token = value.split_once(' ').map_or("", |(_, token)| token.trim());
            let hidden = [value, token].into_iter().filter(|text| text.len() >= HIDDEN_MIN_BYTES);
            Ok(Secret { header, hidden: hidden.map(|text| Zeroizing::new(text.to_owned())).collect() })
        }
        _ => Err(TargetError::NoHeader { what, path: path.to_owned() }),
    }
}

fn tls(name: &str, config: &TargetConfig) -> Result<ClientConfig, TlsError> {
    let what = format!("targets.{name}.ca_file");
    // Nothing is looked at where no TLS is spoken.
    let roots = match config.is_tls() {
        true => files::authorities(&what, config.ca_file.as_deref())?,
        false => RootCertStore::empty(),
    };
    Ok(files::trusting(&what, roots)?.with_no_client_auth())
}
