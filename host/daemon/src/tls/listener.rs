//! The handshakes of one listener, with the certificate that its files hold now.

use super::certificate;
use super::failure::{self, Failures};
use super::files::{self, Loaded, TlsError};
use super::stamp::Stamps;
use crate::config::{TlsConfig, TlsFiles};
use arc_swap::ArcSwap;
use async_trait::async_trait;
use dragoman_mqtt::TlsAccept;
use rustls::ServerConfig;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A listener that speaks TLS.
pub(crate) struct TlsListener {
    /// In the configuration; also its name in logs and metrics.
    section: String,
    files: TlsFiles,
    opened: Stamps,
    is_http: bool,
    /// Swapped whole, so that a handshake has one certificate and one list of authorities from its first byte to its last.
    config: ArcSwap<ServerConfig>,
    handshakes: Semaphore,
    handshake_timeout: Duration,
    failures: Failures,
}

impl std::fmt::Debug for TlsListener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsListener")
            .field("section", &self.section)
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

impl TlsListener {
    /// Reads the files of a listener. A certificate out of its time is told as an error and used.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub(crate) fn open(
        section: &str,
        files: &TlsFiles,
        is_http: bool,
        bounds: &TlsConfig,
    ) -> Result<Arc<Self>, TlsError> {
        let now_s = super::now_s();
        // Before they are read, so that a change in between is seen later.
        let opened = Stamps::of(files);
        let loaded = files::load(section, files, is_http, now_s)?;
        if let Err(error) = files::in_its_time(section, files, &loaded.certificate, now_s) {
            tracing::error!(listener = section, "{error}");
        }
        let listener = Self {
            section: section.to_owned(),
            files: files.clone(),
            opened,
            is_http,
            config: ArcSwap::from(loaded.config.clone()),
            handshakes: Semaphore::new(bounds.handshakes_max),
            handshake_timeout: Duration::from_millis(bounds.handshake_timeout_ms),
            failures: Failures::default(),
        };
        listener.tell(&loaded);
        Ok(Arc::new(listener))
    }

    /// The section of the configuration that describes it.
    pub(super) fn section(&self) -> &str {
        &self.section
    }

    /// What it reads.
    pub(super) fn files(&self) -> &TlsFiles {
        &self.files
    }

    /// What its files were before they were read for the first time.
    pub(super) fn opened(&self) -> &Stamps {
        &self.opened
    }

    /// Takes what stands in the files now for the next handshakes. Connections that are open go on as they are.
    ///
    /// # Errors
    /// See [`TlsError`]; then the last good certificate stays.
    pub(super) fn reload(&self) -> Result<(), TlsError> {
        let now_s = super::now_s();
        let loaded = files::load(&self.section, &self.files, self.is_http, now_s)?;
        files::in_its_time(&self.section, &self.files, &loaded.certificate, now_s)?;
        self.config.store(loaded.config.clone());
        self.tell(&loaded);
        Ok(())
    }

    /// Handshakes that could begin now.
    #[cfg(test)]
    pub(super) fn handshakes_free(&self) -> usize {
        self.handshakes.available_permits()
    }

    fn tell(&self, loaded: &Loaded) {
        let (listener, serial) = (self.section.as_str(), loaded.certificate.serial.as_str());
        tracing::info!(listener, serial, file = %self.files.certificate.display(), "a certificate is in use");
        for remark in &loaded.remarks {
            tracing::warn!(listener, "{remark}");
        }
        #[allow(clippy::cast_precision_loss)] // A gauge is a float; below 2^53 nothing is lost.
        let not_after_s = loaded.certificate.not_after_s as f64;
        metrics::gauge!("dragoman_tls_certificate_not_after_seconds", "listener" => self.section.clone())
            .set(not_after_s);
    }

    fn failed(&self, remote: SocketAddr, reason: &'static str, detail: &dyn std::fmt::Display) {
        let listener = self.section.as_str();
        metrics::counter!("dragoman_tls_handshakes_failed_total", "listener" => self.section.clone(), "reason" => reason)
            .increment(1);
        tracing::debug!(listener, %remote, reason, %detail, "a TLS handshake failed");
        if let Some(times) = self.failures.due(Instant::now()) {
            tracing::info!(listener, times, %remote, reason, %detail, "TLS handshakes failed; this is the last of them");
        }
    }
}

#[async_trait]
impl TlsAccept for TlsListener {
    async fn accept(&self, stream: TcpStream, remote: SocketAddr) -> Option<TlsStream<TcpStream>> {
        let handshake = async {
            // It is never closed.
            let _place = self.handshakes.acquire().await.ok();
            TlsAcceptor::from(self.config.load_full()).accept(stream).await
        };
        match timeout(self.handshake_timeout, handshake).await {
            Ok(Ok(stream)) => {
                let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
                if let Some(client) = shown.and_then(|shown| certificate::read(shown).ok()) {
                    let listener = self.section.as_str();
                    tracing::debug!(listener, %remote, serial = client.serial, name = ?client.common_name, "a client showed its certificate");
                }
                Some(stream)
            }
            Ok(Err(error)) => {
                self.failed(remote, failure::reason(&error), &error);
                None
            }
            Err(elapsed) => {
                self.failed(remote, "time-out", &elapsed);
                None
            }
        }
    }
}
