//! What listeners that speak TLS have alike: `[tls]`, and the files of a certificate.

use super::ConfigError;
use super::reader::Section;
use super::sections::path;
use std::path::{Path, PathBuf};

/// The keys of `[tls]`.
pub(super) const TLS: [&str; 2] = ["handshake_timeout_ms", "handshakes_max"];

/// `[tls]`: bounds of every listener with a certificate.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TlsConfig {
    /// How long a handshake may take before the connection is closed. Default 10 000.
    pub(crate) handshake_timeout_ms: u64,
    /// Handshakes of one listener that are under way at once; more wait, within their time. Default 1 000.
    pub(crate) handshakes_max: usize,
}

impl Default for TlsConfig {
    fn default() -> Self {
        Self { handshake_timeout_ms: 10_000, handshakes_max: 1_000 }
    }
}

/// The files of a listener that speaks TLS, all in PEM. They may be replaced while the daemon runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TlsFiles {
    /// Its certificate, then those that lead to the authority.
    pub(crate) certificate: PathBuf,
    /// The key of that certificate.
    pub(crate) key: PathBuf,
    /// Authorities of clients. With it a client has to show a certificate of one of them; without it none is asked for.
    pub(crate) client_ca: Option<PathBuf>,
}

/// `[tls]`.
pub(super) fn bounds(section: &Section<'_>) -> Result<TlsConfig, ConfigError> {
    let default = TlsConfig::default();
    Ok(TlsConfig {
        handshake_timeout_ms: section.integer("handshake_timeout_ms", 100..=60_000, default.handshake_timeout_ms)?,
        handshakes_max: section.integer("handshakes_max", 1..=100_000, default.handshakes_max)?,
    })
}

/// `certificate_file`, `key_file` and `client_ca_file` of a listener; none where it speaks plain text.
pub(super) fn files(section: &Section<'_>, folder: &Path) -> Result<Option<TlsFiles>, ConfigError> {
    let identity = identity(section, folder)?;
    let client_ca = file(section, "client_ca_file", folder)?;
    match identity {
        Some((certificate, key)) => Ok(Some(TlsFiles { certificate, key, client_ca })),
        None if client_ca.is_some() => {
            Err(section.error("client_ca_file", "means nothing without certificate_file and key_file"))
        }
        None => Ok(None),
    }
}

/// `certificate_file` and `key_file`, both or none.
pub(super) fn identity(section: &Section<'_>, folder: &Path) -> Result<Option<(PathBuf, PathBuf)>, ConfigError> {
    match (file(section, "certificate_file", folder)?, file(section, "key_file", folder)?) {
        (Some(certificate), Some(key)) => Ok(Some((certificate, key))),
        (None, None) => Ok(None),
        (Some(_), None) => Err(section.error("certificate_file", "is set and key_file is not; set both or none")),
        (None, Some(_)) => Err(section.error("key_file", "is set and certificate_file is not; set both or none")),
    }
}

/// A file that need not be named. A relative path is relative to `folder`.
pub(super) fn file(section: &Section<'_>, key: &str, folder: &Path) -> Result<Option<PathBuf>, ConfigError> {
    section.has(key).then(|| path(section, key, folder, PathBuf::new())).transpose()
}
