//! How a connection to an external broker is set up, with every limit.

use dragoman_core::{Subscription, topic};
use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// The shortest keep-alive that the client library takes.
const KEEP_ALIVE_MIN: Duration = Duration::from_secs(5);
/// Longest text of MQTT.
const TEXT_BYTES_MAX: usize = 65_535;

/// One connection to one broker.
#[derive(Clone)]
pub struct ExternalOptions {
    /// Stands in logs and metrics.
    pub name: String,
    /// Name or address of the broker's machine.
    pub host: String,
    /// Its port: usually 1883, with TLS 8883.
    pub port: u16,
    /// With TLS, and whom to trust; none is plain TCP.
    pub tls: Option<TlsOptions>,
    /// Stable over restarts, for the broker keeps the session under it; and nobody else's.
    pub client_id: String,
    /// As the broker knows the gateway.
    pub username: Option<String>,
    /// Never printed.
    pub password: Option<String>,
    /// What is subscribed to, with QoS 0 or 1; 2 is taken as 1. Filters may be shared ones.
    pub subscriptions: Vec<Subscription>,
    /// How long the broker keeps what it has for the gateway while there is no connection.
    pub session_expiry: Duration,
    /// How often a sign of life is asked for; at least 5 seconds. A connection on which nothing happens for twice as
    /// long is broken off.
    pub keep_alive: Duration,
    /// How long the broker may take for one PUBACK or SUBACK. Past it the connection is made anew.
    pub ack_timeout: Duration,
    /// How long finding, reaching and being accepted by the broker may take, in whole seconds, at least one.
    pub connect_timeout: Duration,
    /// The wait before the second try to connect; doubled with each that fails.
    pub backoff_min: Duration,
    /// The longest wait between two tries.
    pub backoff_max: Duration,
    /// Largest packet of the broker, in bytes.
    pub packet_max_bytes: u32,
    /// Messages of the broker that may be without acknowledgement at one time. As many of QoS 0 may be on their way.
    pub receive_max: u16,
    /// Messages that may be without PUBACK at one time; half of the broker's receive maximum where that is less.
    pub inflight_max: u16,
    /// Messages that may wait to be sent; past it [`ExternalConnection::publish`](super::ExternalConnection::publish)
    /// waits.
    pub waiting_max: usize,
    /// How often one message is sent at most, when connections break before its PUBACK or the broker has no room.
    pub sends_max: u32,
}

impl ExternalOptions {
    /// A connection with the usual limits.
    pub fn new(name: impl Into<String>, host: impl Into<String>, port: u16, client_id: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            host: host.into(),
            port,
            tls: None,
            client_id: client_id.into(),
            username: None,
            password: None,
            subscriptions: Vec::new(),
            session_expiry: Duration::from_secs(24 * 60 * 60),
            keep_alive: Duration::from_secs(30),
            ack_timeout: Duration::from_secs(20),
            connect_timeout: Duration::from_secs(10),
            backoff_min: Duration::from_millis(250),
            backoff_max: Duration::from_secs(30),
            packet_max_bytes: 1024 * 1024,
            receive_max: 256,
            inflight_max: 256,
            waiting_max: 65_536,
            sends_max: 5,
        }
    }

    /// Whether a connection can be made with these options at all. Reads the files of TLS; connects to nothing.
    ///
    /// # Errors
    /// The first option that cannot be used.
    pub fn check(&self) -> Result<(), ExternalError> {
        let refuse = |cause: &str| Err(self.error(cause));
        if self.host.is_empty() {
            return refuse("it names no host");
        }
        if self.host.contains(':') && self.tls.is_some() {
            return refuse(
                "TLS needs a host name or an IPv4 address; certificates for a literal IPv6 one are not looked at",
            );
        }
        if self.client_id.is_empty() || self.client_id.len() > TEXT_BYTES_MAX {
            return refuse("its client id is empty or too long; the broker keeps the session under it");
        }
        if self.username.is_none() && self.password.is_some() {
            return refuse("it has a password and no user name");
        }
        if self.subscriptions.is_empty() {
            return refuse("it subscribes to nothing, so no device could answer");
        }
        let mut known = HashSet::new();
        for Subscription { filter, .. } in &self.subscriptions {
            if let Err(error) = topic::check_filter(unshared(filter)) {
                return Err(self.error(&format!("it cannot subscribe to {filter:?}: {error}")));
            }
            if !known.insert(filter) {
                return Err(self.error(&format!("it subscribes to {filter:?} twice")));
            }
        }
        if self.keep_alive < KEEP_ALIVE_MIN || self.keep_alive.as_secs() > u64::from(u16::MAX) {
            return refuse("its keep-alive is not between 5 and 65,535 seconds");
        }
        if self.receive_max == 0 || self.inflight_max == 0 || self.waiting_max == 0 || self.sends_max == 0 {
            return refuse("a limit is 0, so nothing could be sent or received");
        }
        if self.connect_timeout < Duration::from_secs(1) || self.ack_timeout.is_zero() || self.backoff_min.is_zero() {
            return refuse("a time is too short: 1 second to connect, and more than none for the others");
        }
        if let Some(tls) = &self.tls {
            super::tls::client_config(tls).map_err(|cause| self.error(&cause))?;
        }
        Ok(())
    }

    fn error(&self, cause: &str) -> ExternalError {
        ExternalError { name: self.name.clone(), cause: cause.to_owned() }
    }
}

/// The filter of a subscription without `$share/group/`.
pub(super) fn unshared(filter: &str) -> &str {
    let shared = filter.strip_prefix("$share/").and_then(|rest| rest.split_once('/'));
    shared.map_or(filter, |(_, filter)| filter)
}

/// Without the password.
impl fmt::Debug for ExternalOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExternalOptions")
            .field("name", &self.name)
            .field("host", &self.host)
            .field("port", &self.port)
            .field("tls", &self.tls)
            .field("client_id", &self.client_id)
            .field("username", &self.username)
            .field("password", &self.password.as_ref().map(|_| "hidden"))
            .field("subscriptions", &self.subscriptions)
            .finish_non_exhaustive()
    }
}

/// Whom to trust, and what to show. The files are read for each connection, so they can be renewed in place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// Certificates of the authorities that are trusted, in PEM; none: the system's.
    pub ca_file: Option<PathBuf>,
    /// The gateway's own certificate with those up to its authority, and its key, in PEM.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// Why a connection cannot be set up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the connection to broker {name} cannot be set up: {cause}.")]
pub struct ExternalError {
    /// Of the connection.
    pub name: String,
    /// What is wrong, and where it helps what to do.
    pub cause: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> ExternalOptions {
        ExternalOptions {
            subscriptions: vec![Subscription { filter: "acme/+/up".into(), qos: 1 }],
            ..ExternalOptions::new("plant", "broker.example", 1883, "gateway-1")
        }
    }

    #[test]
    fn what_cannot_work_is_refused_with_its_reason() {
        assert_eq!(options().check(), Ok(()));
        type Change = fn(&mut ExternalOptions);
        let table: [(&str, Change); 12] = [
            ("no host", |o| o.host.clear()),
            ("IPv6", |o| {
                o.host = "::1".into();
                o.tls = Some(TlsOptions::default());
            }),
            ("client id", |o| o.client_id.clear()),
            ("no user name", |o| o.password = Some("p".into())),
            ("subscribes to nothing", |o| o.subscriptions.clear()),
            ("twice", |o| o.subscriptions.push(Subscription { filter: "acme/+/up".into(), qos: 0 })),
            ("whole level", |o| o.subscriptions.push(Subscription { filter: "$share/g/a+".into(), qos: 1 })),
            ("keep-alive", |o| o.keep_alive = Duration::from_secs(4)),
            ("limit is 0", |o| o.sends_max = 0),
            ("limit is 0", |o| o.receive_max = 0),
            ("too short", |o| o.connect_timeout = Duration::from_millis(900)),
            ("cannot be read", |o| {
                o.tls = Some(TlsOptions { ca_file: Some("no/such.pem".into()), identity: None });
            }),
        ];
        for (expected, change) in table {
            let mut options = options();
            change(&mut options);
            let error = options.check().unwrap_err();
            assert!(error.to_string().contains(expected), "{expected}: {error}");
            assert_eq!(error.name, "plant");
        }
    }

    #[test]
    fn a_password_is_not_printed() {
        let options = ExternalOptions { username: Some("u".into()), password: Some("hush-hush".into()), ..options() };
        assert!(!format!("{options:?}").contains("hush-hush"));
    }

    #[test]
    fn a_shared_filter_is_looked_at_behind_its_group() {
        for (filter, expected) in
            [("a/+", "a/+"), ("$share/g/a/+", "a/+"), ("$share/g/$oc/x", "$oc/x"), ("$share/g", "$share/g")]
        {
            assert_eq!(unshared(filter), expected);
        }
    }
}
