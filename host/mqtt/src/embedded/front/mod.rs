//! Listeners that the library does not have as they are needed here: TLS and WebSocket.
//!
//! The library takes connections only from TCP ports that it opened itself, and its own TLS reads certificates once, brings a
//! second cryptographic library, and knows no bound for frames. So such a listener is ours: it does the handshakes, and
//! carries the bytes of MQTT to a port of the library on the loopback interface and back. That port is no way round: only
//! who is in [`Doors`] is let in there, and only a front puts anybody in.

mod carry;
mod doors;
mod websocket;

pub(super) use doors::Doors;

use super::hub::Hub;
use crate::options::{ListenerOptions, TlsAccept};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::time;

/// What of the library's may wait in the system for a front that waits for its client; more waits at the library, where the
/// limits are.
const WAITING_BYTES: u32 = 64 * 1024;
/// How long nothing is accepted when the system gives no more.
const PAUSE: Duration = Duration::from_millis(100);
/// At most one line in this time says that connections cannot be taken.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// One listener of ours and the port of the library behind it.
pub(super) struct Front {
    hub: Arc<Hub>,
    name: Arc<str>,
    tls: Option<Arc<dyn TlsAccept>>,
    websocket_path: Option<Arc<str>>,
    /// Where the library listens.
    behind: SocketAddr,
    limits: Limits,
    told: Mutex<Option<Instant>>,
}

/// Of one connection.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// From the connection to the library's first answer, which is CONNACK.
    admission: Duration,
    /// For a client to take what it is sent.
    send: Duration,
    /// Largest packet of a client, with its header.
    packet_bytes: usize,
}

impl Front {
    pub(super) fn new(hub: Arc<Hub>, listener: &ListenerOptions, behind: SocketAddr) -> Self {
        let options = &hub.options;
        let limits = Limits {
            admission: listener.handshake_timeout,
            send: options.send_timeout,
            packet_bytes: usize::try_from(options.max_packet_bytes).unwrap_or(usize::MAX),
        };
        Self {
            name: listener.name.as_str().into(),
            tls: listener.tls.clone(),
            websocket_path: listener.websocket_path.as_deref().map(Into::into),
            behind,
            limits,
            told: Mutex::default(),
            hub,
        }
    }

    /// Accepts until it is aborted. Connections live on until the library closes them.
    pub(super) async fn run(self, listener: TcpListener, connections_max: usize) {
        let (front, places) = (Arc::new(self), Arc::new(Semaphore::new(connections_max.min(Semaphore::MAX_PERMITS))));
        loop {
            // It is never closed.
            let Ok(place) = places.clone().acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, remote)) => {
                    let front = front.clone();
                    tokio::spawn(async move {
                        front.serve(stream, remote).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    front.tell("a connection cannot be accepted; raise the limit of open files", &error);
                    time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn serve(&self, stream: TcpStream, remote: SocketAddr) {
        let until = time::Instant::now() + self.limits.admission;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, %remote, "a client was gone before it was served");
            return;
        }
        match &self.tls {
            None => self.speak(stream, remote, until).await,
            Some(tls) => {
                if let Some(stream) = tls.accept(stream, remote).await {
                    // The certificate has had its own time; CONNECT has what it has elsewhere.
                    self.speak(stream, remote, time::Instant::now() + self.limits.admission).await;
                }
            }
        }
    }

    async fn speak<S>(&self, stream: S, remote: SocketAddr, until: time::Instant)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin,
    {
        let Some(path) = &self.websocket_path else {
            return self.carry(remote, async |broker| carry::bytes(stream, broker, &self.limits, until).await).await;
        };
        match websocket::upgrade(stream, path, &self.limits, until).await {
            Ok(socket) => {
                self.carry(remote, async |broker| websocket::carry(socket, broker, &self.limits, until).await).await;
            }
            Err(cause) => self.refused(remote, cause),
        }
    }

    /// Opens the way to the library, with the client's own address on record for as long as it lasts.
    async fn carry(&self, remote: SocketAddr, between: impl AsyncFnOnce(TcpStream) -> Result<(), &'static str>) {
        let broker = match self.behind().await {
            Ok(broker) => broker,
            Err(error) => return self.tell("the broker cannot be reached from its own listener", &error),
        };
        let Ok(inside) = broker.local_addr() else { return };
        // Before the first byte is carried, so before anybody asks who comes through there.
        let _door = self.hub.doors.open(inside, remote);
        if let Err(cause) = between(broker).await {
            self.refused(remote, cause);
        }
    }

    async fn behind(&self) -> io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(WAITING_BYTES)?;
        let stream = socket.connect(self.behind).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    fn refused(&self, remote: SocketAddr, cause: &'static str) {
        let listener = self.name.to_string();
        tracing::debug!(listener, %remote, cause, "a connection is closed before the broker does");
        metrics::counter!("dragoman_mqtt_connections_refused_total", "listener" => listener, "cause" => cause)
            .increment(1);
    }

    fn tell(&self, what: &str, error: &io::Error) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|at| at.elapsed() >= TELL_EVERY) {
            *told = Some(Instant::now());
            tracing::error!(listener = %self.name, %error, "{what}");
        }
    }
}
