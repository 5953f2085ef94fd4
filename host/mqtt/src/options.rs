//! How an embedded broker is set up, with every limit.

use crate::events::KeptSession;
use async_trait::async_trait;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// The TLS handshakes of a listener. Whoever implements it decides about certificates, and how long a handshake may take.
#[async_trait]
pub trait TlsAccept: fmt::Debug + Send + Sync {
    /// None: it failed or took too long, which has been counted and told where operators look.
    async fn accept(&self, stream: TcpStream, remote: SocketAddr) -> Option<TlsStream<TcpStream>>;
}

/// A port that speaks MQTT 3.1, 3.1.1 and 5.
#[derive(Clone, Debug)]
pub struct ListenerOptions {
    /// Unique; sessions carry it.
    pub name: String,
    /// Port 0 takes a free one; [`EmbeddedBroker::addresses`](crate::EmbeddedBroker::addresses) tells which.
    pub address: SocketAddr,
    /// With it the port speaks TLS.
    pub tls: Option<Arc<dyn TlsAccept>>,
    /// With it the port speaks MQTT over WebSocket (MQTT 5, section 6), at this path.
    pub websocket_path: Option<String>,
    /// CONNECT packets that are looked at at one time; more wait.
    pub max_handshakes: usize,
    /// How long a client may take from the connection to CONNECT, and the whole admission from there.
    pub handshake_timeout: Duration,
}

impl ListenerOptions {
    /// A listener with the usual limits: 1,000 handshakes at one time, 15 seconds.
    pub fn new(name: impl Into<String>, address: SocketAddr) -> Self {
        Self {
            name: name.into(),
            address,
            tls: None,
            websocket_path: None,
            max_handshakes: 1_000,
            handshake_timeout: Duration::from_secs(15),
        }
    }

    /// Whether it speaks more than MQTT over TCP, which is what the broker library itself listens for here.
    pub(crate) fn has_front(&self) -> bool {
        self.tls.is_some() || self.websocket_path.is_some()
    }
}

/// How the embedded broker is set up.
#[derive(Clone, Debug)]
pub struct EmbeddedOptions {
    /// At least one.
    pub listeners: Vec<ListenerOptions>,
    /// Threads of the broker's own runtime; at least one.
    pub threads: usize,
    /// Largest packet of a client, in bytes. A larger one ends the connection.
    pub max_packet_bytes: u32,
    /// QoS 1 and 2 messages of a session on their way at one time. An MQTT 5 client may ask for less.
    pub max_inflight: u16,
    /// Messages that wait for a session, connected or persistent and absent. Past it QoS 0 is dropped first come, and of
    /// the others the oldest. As many again may wait to get there while the client does not read; then the newest is dropped.
    pub max_queued: usize,
    /// Messages of the daemon that are on their way to one session and not yet acknowledged or written. Past it
    /// [`Delivery::Full`](crate::Delivery::Full).
    pub max_outstanding: usize,
    /// Sessions, connected and persistent. Past it a CONNECT is answered with 3 (3.1.1) or 0x88 (5).
    pub max_sessions: usize,
    /// Subscriptions of a session. Past it SUBACK says 0x80 (3.1.1) or 0x97 (5).
    pub max_subscriptions: usize,
    /// Longest topic name or filter, in bytes.
    pub max_topic_bytes: usize,
    /// Longest client id, in bytes. Past it a CONNECT is answered with 2 (3.1.1) or 0x85 (5).
    pub max_client_id_bytes: usize,
    /// Retained messages that clients leave behind. Past it new ones are not kept; known ones are replaced.
    pub max_retained: usize,
    /// How long a session without a connection is remembered at most; a 3.1.1 client with clean session off gets this.
    pub session_expiry_max: Duration,
    /// How long a client may refuse to read before its connection is closed.
    pub send_timeout: Duration,
    /// How often the sweep looks for what was forgotten.
    pub sweep_every: Duration,
    /// What [`BrokerEvents::keep_session`](crate::BrokerEvents::keep_session) was told before the restart.
    pub kept: Vec<KeptSession>,
}

impl EmbeddedOptions {
    /// One or more listeners with the usual limits.
    pub fn new(listeners: Vec<ListenerOptions>) -> Self {
        Self {
            listeners,
            threads: 2,
            max_packet_bytes: 1024 * 1024,
            max_inflight: 64,
            max_queued: 1_000,
            max_outstanding: 1_000,
            max_sessions: 100_000,
            max_subscriptions: 200,
            max_topic_bytes: 512,
            max_client_id_bytes: 256,
            max_retained: 10_000,
            session_expiry_max: Duration::from_secs(7 * 24 * 60 * 60),
            send_timeout: Duration::from_secs(2),
            sweep_every: Duration::from_secs(1),
            kept: Vec::new(),
        }
    }
}
