//! Follows the files of certificates while the daemon runs.
//!
//! They are looked at rather than watched: what renews certificates replaces files, symbolic links to them (certbot) or
//! links to their folder (Kubernetes), and only the file at the end of the path tells about all of these, on every file
//! system.

use super::TlsListener;
use super::files::TlsError;
use super::stamp::Stamps;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::Signal;
use tokio::time::{MissedTickBehavior, interval};

/// Three files of each listener are looked at this often; nothing is read while they are the same.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The listeners whose files are followed.
pub(crate) struct Reload {
    followed: Vec<Followed>,
}

/// A listener and what its files were.
struct Followed {
    listener: Arc<TlsListener>,
    /// Dealt with: in use, or told as broken.
    settled: Stamps,
    /// Broken when it was looked at last. Half of a new pair is no fault of anybody yet.
    doubtful: Option<Stamps>,
}

impl Reload {
    /// From what the files were when the listeners were opened.
    pub(crate) fn of(listeners: Vec<Arc<TlsListener>>) -> Self {
        let follow =
            |listener: Arc<TlsListener>| Followed { settled: listener.opened().clone(), listener, doubtful: None };
        Self { followed: listeners.into_iter().map(follow).collect() }
    }

    /// Follows the files until it is dropped. A signal has them looked at at once.
    pub(crate) async fn follow(mut self, mut asked: Signal) {
        let mut ticks = interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let is_asked = tokio::select! {
                _ = ticks.tick() => false,
                signal = asked.recv() => signal.is_some(),
            };
            if is_asked {
                tracing::info!("SIGHUP: the certificates are read again");
            }
            // A file may be on a file system that answers slowly.
            let looked = tokio::task::spawn_blocking(move || {
                self.look(is_asked);
                self
            });
            match looked.await {
                Ok(same) => self = same,
                Err(error) => return tracing::error!(%error, "the files of certificates are not followed any more"),
            }
        }
    }

    /// Looks once at every file. `is_asked`: somebody wants to know, so nothing is waited for.
    pub(super) fn look(&mut self, is_asked: bool) {
        for followed in &mut self.followed {
            followed.look(is_asked);
        }
    }
}

impl Followed {
    fn look(&mut self, is_asked: bool) {
        let now = Stamps::of(self.listener.files());
        if now == self.settled && !is_asked {
            return;
        }
        match self.listener.reload() {
            Ok(()) => count(&self.listener, "done"),
            Err(_) if !is_asked && self.doubtful.as_ref() != Some(&now) => {
                self.doubtful = Some(now);
                return;
            }
            Err(error) => self.refuse(&error),
        }
        self.doubtful = None;
        self.settled = now;
    }

    fn refuse(&self, error: &TlsError) {
        count(&self.listener, "failed");
        tracing::error!(listener = self.listener.section(), "{error}. The certificate that was in use stays in use.");
    }
}

fn count(listener: &TlsListener, outcome: &'static str) {
    metrics::counter!("dragoman_tls_reloads_total", "listener" => listener.section().to_owned(), "outcome" => outcome)
        .increment(1);
}
