//! TLS to an external broker.

use super::options::TlsOptions;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;

/// What the files say, or what is wrong with them.
pub(super) fn client_config(options: &TlsOptions) -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up: {error}"))?
        .with_root_certificates(authorities(options.ca_file.as_deref())?);
    let config = match &options.identity {
        None => builder.with_no_client_auth(),
        Some((certificates, key)) => {
            let chain = self::certificates(certificates)?;
            let key_der = PrivateKeyDer::from_pem_slice(&read(key)?)
                .map_err(|error| format!("{} holds no usable key ({error}); expected one in PEM", key.display()))?;
            builder.with_client_auth_cert(chain, key_der).map_err(|error| {
                format!("{} and {} do not go together: {error}", certificates.display(), key.display())
            })?
        }
    };
    Ok(Arc::new(config))
}

fn authorities(file: Option<&Path>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    match file {
        Some(path) => {
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|error| format!("{} cannot be used: {error}", path.display()))?;
            }
        }
        None => {
            // Some systems carry a few that are not well formed; the others are good.
            let (added, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if added == 0 {
                return Err("this system has no certificates of authorities; install them, or name a file".into());
            }
        }
    }
    Ok(roots)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let bad = |detail: String| {
        format!("{} holds no usable certificate ({detail}); expected certificates in PEM", path.display())
    };
    let pem = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let found = found.map_err(|error| bad(error.to_string()))?;
    if found.is_empty() { Err(bad("it has none".into())) } else { Ok(found) }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path)
        .map_err(|error| format!("{} cannot be read: {error}; make the file or correct the name", path.display()))
}
