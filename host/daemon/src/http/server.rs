//! A listener that serves one axum router: plain or over TLS, bounded in connections, TCP_NODELAY on every socket, and with
//! an end.

use crate::tls::TlsListener;
use anyhow::Context;
use axum::Router;
use dragoman_mqtt::TlsAccept as _;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

/// How long a client may take to send the head of a request.
const HEAD_READ_TIMEOUT: Duration = Duration::from_secs(30);

/// How long what was sent may wait for the client to take it, before the system ends the connection.
#[cfg(target_os = "linux")]
const UNREAD_TIMEOUT: Duration = Duration::from_secs(30);
/// At most one warning in this time says that all connections are taken.
const FULL_WARNING_EVERY: Duration = Duration::from_secs(60);

/// Bounds of one listener.
#[derive(Clone, Debug)]
pub struct ServerLimits {
    /// Connections that are served at once; more wait in the system's backlog.
    pub connections_max: usize,
    /// Header fields of one request; more are answered 431.
    pub headers_max: usize,
}

/// A bound listener, so that its address is known before it serves.
pub struct Server {
    listener: TcpListener,
    tls: Option<Arc<TlsListener>>,
    limits: ServerLimits,
}

impl Server {
    /// Binds the address. Port 0 takes a free one. With `tls` it speaks HTTPS.
    pub fn bind(address: SocketAddr, tls: Option<Arc<TlsListener>>, limits: ServerLimits) -> anyhow::Result<Self> {
        let listener = dragoman_mqtt::listen(address)
            .with_context(|| format!("cannot listen on {address} for HTTP; is another program using the port?"))?;
        Ok(Self { listener, tls, limits })
    }

    /// Where it listens.
    pub fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }

    /// Serves until `stop` turns true, then finishes the requests that are under way and returns.
    pub async fn run(self, router: Router, mut stop: watch::Receiver<bool>) {
        let permits = Arc::new(Semaphore::new(self.limits.connections_max));
        let mut connections = JoinSet::new();
        let mut warned_at = None;
        loop {
            if permits.available_permits() == 0 {
                self.report_full(&mut warned_at);
            }
            let permit = tokio::select! {
                permit = permits.clone().acquire_owned() => permit,
                () = turned_true(&mut stop) => break,
            };
            let Ok(permit) = permit else { break };
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = turned_true(&mut stop) => break,
            };
            while connections.try_join_next().is_some() {}
            let (stream, remote) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, most likely: trying again at once would only burn a core.
                    tracing::error!(%error, "cannot accept an HTTP connection; raise the limit of open files");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            if let Err(error) = prepare(&stream) {
                tracing::debug!(%error, "the client was gone before it was served");
                continue;
            }
            let (router, tls, mut stop) = (router.clone(), self.tls.clone(), stop.clone());
            let headers_max = self.limits.headers_max;
            connections.spawn(async move {
                let _permit = permit;
                let Some(tls) = tls else { return serve(stream, router, headers_max, stop).await };
                // Nothing of a connection is under way before the handshake is done.
                let stream = tokio::select! {
                    stream = tls.accept(stream, remote) => stream,
                    () = turned_true(&mut stop) => None,
                };
                if let Some(stream) = stream {
                    serve(stream, router, headers_max, stop).await;
                }
            });
        }
        drop(self.listener);
        while connections.join_next().await.is_some() {}
    }

    /// Counts that the next client has to wait for one that leaves, and says so now and then.
    fn report_full(&self, warned_at: &mut Option<Instant>) {
        metrics::counter!("dragoman_http_connections_full_total").increment(1);
        if warned_at.is_some_and(|at| at.elapsed() < FULL_WARNING_EVERY) {
            return;
        }
        *warned_at = Some(Instant::now());
        tracing::warn!(
            limit = self.limits.connections_max,
            "all HTTP connections are taken, further clients wait; look for clients that keep theirs, or raise the limit"
        );
    }
}

/// Serves one connection until it ends, or `stop` turns true and its request is answered.
async fn serve<S>(stream: S, router: Router, headers_max: usize, mut stop: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_READ_TIMEOUT)
        .max_headers(headers_max)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(connection);
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = turned_true(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "an HTTP connection ended early");
    }
}

/// Sets what every accepted socket needs.
fn prepare(stream: &TcpStream) -> std::io::Result<()> {
    // Without it, an answer in two writes waits for the client's delayed acknowledgement (40 ms).
    stream.set_nodelay(true)?;
    // Without it, a client that does not read its answer keeps its connection for ever. Other systems have no such
    // option.
    #[cfg(target_os = "linux")]
    socket2::SockRef::from(stream).set_tcp_user_timeout(Some(UNREAD_TIMEOUT))?;
    Ok(())
}

/// Resolves when the value is true, or when nobody is left who could set it. Nothing of the channel is held over an
/// await of the caller's, which `wait_for`'s own result would be.
pub async fn turned_true(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[tokio::test]
    async fn an_accepted_socket_ends_when_its_client_does_not_read() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        prepare(&stream).unwrap();
        assert!(stream.nodelay().unwrap());
        #[cfg(target_os = "linux")]
        assert_eq!(socket2::SockRef::from(&stream).tcp_user_timeout().unwrap(), Some(UNREAD_TIMEOUT));
    }
}
