//! Reads and checks the files of certificates, in the same words for the daemon, a reload and `dragoman check`.

use super::certificate::{self, Certificate};
use crate::config::TlsFiles;
use rustls::client::WantsClientCert;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, ServerConfig};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};
use zeroize::Zeroizing;

const DAY_S: u64 = 86_400;
/// A certificate with less time left should have been renewed.
const RENEW_BEFORE_S: u64 = 30 * DAY_S;

/// Why certificates cannot be used, and what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    /// A file cannot be read.
    #[error("{key} names {}, which cannot be read: {source}; make the file or correct the key", path.display())]
    Unreadable {
        /// In the configuration, or of the command line.
        key: String,
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// No certificate, or one that is none.
    #[error("{key} names {}, which holds no usable certificate ({detail}); expected certificates in PEM", path.display())]
    NoCertificate {
        /// In the configuration, or of the command line.
        key: String,
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// No key, or one that is none.
    #[error("{key} names {}, which holds no usable key ({detail}); expected one in PEM, without a passphrase", path.display())]
    NoKey {
        /// In the configuration, or of the command line.
        key: String,
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// The key is another's.
    #[error("{section}: {} is not the key of the first certificate in {}; put two files there that belong together", key.display(), certificate.display())]
    Mismatch {
        /// Of the configuration.
        section: String,
        /// The file of the key.
        key: PathBuf,
        /// The file of the certificate.
        certificate: PathBuf,
    },
    /// Out of its time.
    #[error("{key} names {}, whose certificate {when}", path.display())]
    NotNow {
        /// In the configuration.
        key: String,
        /// Which file.
        path: PathBuf,
        /// When its time was or will be, and what to do.
        when: String,
    },
    /// This system trusts nobody.
    #[error("this system has no certificates of authorities; install them, or name a file with {key}")]
    NoAuthorities {
        /// Where to name one.
        key: String,
    },
    /// Nothing that a file could help.
    #[error("{section}: TLS cannot be set up: {detail}")]
    Setup {
        /// Of the configuration.
        section: String,
        /// What the library says.
        detail: String,
    },
}

/// What a listener needs, read from its files.
#[derive(Clone)]
pub(super) struct Loaded {
    pub(super) config: Arc<ServerConfig>,
    /// The listener's own, the first in its file.
    pub(super) certificate: Certificate,
    /// What an operator should look at although it works.
    pub(super) remarks: Vec<String>,
}

/// Reads the files of the listener that a section of the configuration describes.
///
/// # Errors
/// See [`TlsError`]. A certificate out of its time is no error here, because a daemon that does not start helps nobody; see
/// [`in_its_time`].
pub(super) fn load(section: &str, files: &TlsFiles, is_http: bool, now_s: u64) -> Result<Loaded, TlsError> {
    let chain = certificates(&format!("{section}.certificate_file"), &files.certificate)?;
    let key = private_key(&format!("{section}.key_file"), &files.key)?;
    let bad = |detail: String| TlsError::NoCertificate {
        key: format!("{section}.certificate_file"),
        path: files.certificate.clone(),
        detail,
    };
    let first = chain.first().ok_or_else(|| bad("it has none".to_owned()))?;
    let certificate = certificate::read(first).map_err(|error| bad(error.to_string()))?;
    let setup =
        |error: &dyn std::fmt::Display| TlsError::Setup { section: section.to_owned(), detail: error.to_string() };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = match &files.client_ca {
        None => WebPkiClientVerifier::no_client_auth(),
        Some(path) => {
            let roots = authorities(&format!("{section}.client_ca_file"), Some(path))?;
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
                .build()
                .map_err(|error| setup(&error))?
        }
    };
    let built = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| setup(&error))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key);
    let mut config = built.map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => TlsError::Mismatch {
            section: section.to_owned(),
            key: files.key.clone(),
            certificate: files.certificate.clone(),
        },
        rustls::Error::InvalidCertificate(error) => bad(error.to_string()),
        error => {
            TlsError::NoKey { key: format!("{section}.key_file"), path: files.key.clone(), detail: error.to_string() }
        }
    })?;
    if is_http {
        config.alpn_protocols.push(super::HTTP_1_1.to_vec());
    }
    if files.client_ca.is_some() {
        // A resumed session is not asked for its certificate again; here each connection is, so that one that has expired or
        // whose authority is gone stays outside.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    let remarks = remarks(section, files, &certificate, now_s);
    Ok(Loaded { config: Arc::new(config), certificate, remarks })
}

/// Refuses a certificate that no client would accept now.
///
/// # Errors
/// [`TlsError::NotNow`].
pub(super) fn in_its_time(section: &str, files: &TlsFiles, found: &Certificate, now_s: u64) -> Result<(), TlsError> {
    let when = if found.not_after_s < now_s {
        format!("expired on {}; renew it, the file is read again by itself", date(found.not_after_s))
    } else if found.not_before_s > now_s {
        format!("is not valid before {}; is the clock of this machine right?", date(found.not_before_s))
    } else {
        return Ok(());
    };
    Err(TlsError::NotNow { key: format!("{section}.certificate_file"), path: files.certificate.clone(), when })
}

/// Reads everything as the daemon would, and says what it found.
///
/// # Errors
/// See [`TlsError`]; a certificate out of its time is one here.
pub(crate) fn check(section: &str, files: &TlsFiles, is_http: bool) -> Result<String, TlsError> {
    let now_s = super::now_s();
    let loaded = load(section, files, is_http, now_s)?;
    in_its_time(section, files, &loaded.certificate, now_s)?;
    let clients = match &files.client_ca {
        Some(path) => format!(", clients need a certificate of {}", path.display()),
        None => String::new(),
    };
    let valid =
        format!("{} is valid until {}{clients}", files.certificate.display(), date(loaded.certificate.not_after_s));
    Ok(std::iter::once(valid).chain(loaded.remarks).collect::<Vec<_>>().join("; "))
}

fn remarks(section: &str, files: &TlsFiles, certificate: &Certificate, now_s: u64) -> Vec<String> {
    let mut remarks = Vec::new();
    let left_s = certificate.not_after_s.saturating_sub(now_s);
    if (1..RENEW_BEFORE_S).contains(&left_s) {
        remarks.push(format!(
            "the certificate of {section} expires in {} days, on {}; renew it, the file is read again by itself",
            left_s / DAY_S,
            date(certificate.not_after_s)
        ));
    }
    let mode = std::fs::metadata(&files.key).map_or(0, |found| found.permissions().mode());
    if mode & 0o007 != 0 {
        let path = files.key.display();
        remarks
            .push(format!("every user of this machine may read or change {path}; take that away with chmod o= {path}"));
    }
    remarks
}

/// The trust of a client: the authorities of a file, or the system's; and its own certificate with the key.
///
/// # Errors
/// See [`TlsError`].
pub(crate) fn client_config(
    ca_file: Option<&Path>,
    identity: Option<(&Path, &Path)>,
) -> Result<ClientConfig, TlsError> {
    let builder = trusting("--ca-file", authorities("--ca-file", ca_file)?)?;
    let Some((certificate, key_file)) = identity else { return Ok(builder.with_no_client_auth()) };
    let chain = certificates("--certificate-file", certificate)?;
    let private = private_key("--key-file", key_file)?;
    builder.with_client_auth_cert(chain, private).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => TlsError::Mismatch {
            section: "--key-file".to_owned(),
            key: key_file.to_owned(),
            certificate: certificate.to_owned(),
        },
        error => TlsError::NoKey { key: "--key-file".to_owned(), path: key_file.to_owned(), detail: error.to_string() },
    })
}

/// A client that trusts these authorities, or nobody; it still has to say whether it shows a certificate. `what` is it for.
///
/// # Errors
/// Only where the library is built without what it needs.
pub(crate) fn trusting(
    what: &str,
    roots: RootCertStore,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| TlsError::Setup { section: what.to_owned(), detail: error.to_string() })?;
    Ok(builder.with_root_certificates(roots))
}

/// The authorities of a file, or the system's where none is named; at least one. `key` says where it is or could be named.
///
/// # Errors
/// See [`TlsError`].
pub(crate) fn authorities(key: &str, file: Option<&Path>) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    let Some(path) = file else {
        // Some systems carry a few that are not well formed; the others are good.
        let (added, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return if added == 0 { Err(TlsError::NoAuthorities { key: key.to_owned() }) } else { Ok(roots) };
    };
    for certificate in certificates(key, path)? {
        roots.add(certificate).map_err(|error| TlsError::NoCertificate {
            key: key.to_owned(),
            path: path.to_owned(),
            detail: error.to_string(),
        })?;
    }
    Ok(roots)
}

/// At least one.
fn certificates(key: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bad = |detail: String| TlsError::NoCertificate { key: key.to_owned(), path: path.to_owned(), detail };
    let pem = read(key, path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let found = found.map_err(|error| bad(error.to_string()))?;
    if found.is_empty() { Err(bad("it has none".to_owned())) } else { Ok(found) }
}

fn private_key(key: &str, path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(&read(key, path)?).map_err(|error| TlsError::NoKey {
        key: key.to_owned(),
        path: path.to_owned(),
        detail: error.to_string(),
    })
}

fn read(key: &str, path: &Path) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    let unreadable = |source| TlsError::Unreadable { key: key.to_owned(), path: path.to_owned(), source };
    std::fs::read(path).map(Zeroizing::new).map_err(unreadable)
}

/// As in HTTP, which people read as well.
fn date(at_s: u64) -> String {
    let at = UNIX_EPOCH.checked_add(Duration::from_secs(at_s));
    // Years of five digits have no such form.
    at.filter(|_| at_s < 253_402_300_800).map_or_else(|| format!("second {at_s} since 1970"), httpdate::fmt_http_date)
}
