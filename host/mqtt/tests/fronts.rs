//! Listeners that speak TLS and WebSocket: the same broker behind them, the same limits, and no way round.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(unreachable_pub)]
mod common;

use async_trait::async_trait;
use common::wire::{Client, SOON, v4, v5};
use common::{Heard, Setup, Stage, device, message, token};
use dragoman_mqtt::{Broker, CloseReason, Delivery, InboundVerdict, ListenerOptions, TlsAccept};
use futures::{SinkExt, StreamExt};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

/// The daemon's part: a certificate for `localhost`.
struct Secure {
    acceptor: TlsAcceptor,
    certificate: CertificateDer<'static>,
}

impl std::fmt::Debug for Secure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secure")
    }
}

#[async_trait]
impl TlsAccept for Secure {
    async fn accept(&self, stream: TcpStream, _remote: SocketAddr) -> Option<TlsStream<TcpStream>> {
        self.acceptor.accept(stream).await.ok()
    }
}

impl Secure {
    fn new() -> Arc<Self> {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
        let certificate = certificate.der().clone();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
            .unwrap();
        Arc::new(Self { acceptor: TlsAcceptor::from(Arc::new(config)), certificate })
    }

    async fn connect(&self, address: SocketAddr) -> tokio_rustls::client::TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let connector = TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth()));
        let stream = TcpStream::connect(address).await.unwrap();
        connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap()
    }
}

/// A broker whose only listener has a front.
async fn stage(change: impl FnOnce(&mut Setup, &mut ListenerOptions)) -> Stage {
    let mut setup = Setup::new();
    setup.judge = Box::new(|_| InboundVerdict::Accept);
    let mut listener = setup.options.listeners.remove(0);
    change(&mut setup, &mut listener);
    setup.options.listeners.push(listener);
    setup.start().await
}

async fn websocket<S>(stream: S, path: &str, protocol: &str) -> Result<WebSocketStream<S>, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut request = format!("ws://localhost{path}").into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", protocol.parse().unwrap());
    client_async(request, stream).await.map(|(socket, response)| {
        assert_eq!(response.headers().get("sec-websocket-protocol").unwrap(), "mqtt");
        socket
    })
}

/// Bytes over a WebSocket, cut into frames of at most seven, as a client may.
fn bytes_over<S>(socket: WebSocketStream<S>) -> DuplexStream
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let (mut sink, mut source) = socket.split();
    let (mut read, mut write) = tokio::io::split(theirs);
    tokio::spawn(async move {
        let mut chunk = [0; 7];
        while let Ok(length @ 1..) = read.read(&mut chunk).await {
            if sink.send(Message::Binary(chunk[..length].to_vec().into())).await.is_err() {
                return;
            }
        }
    });
    tokio::spawn(async move {
        while let Some(Ok(message)) = source.next().await {
            if let Message::Binary(bytes) = message {
                write.write_all(&bytes).await.unwrap();
            }
        }
        // The duplex has no other way to say that this side is over.
        let _ = write.shutdown().await;
    });
    ours
}

/// A command arrives, is acknowledged, and something is published, in both versions of MQTT.
async fn works<S: AsyncRead + AsyncWrite + Unpin>(stage: &mut Stage, open: impl AsyncFn() -> S) {
    for (at, connect) in [(0, v4("four").user("four")), (1, v5("five").user("five"))] {
        let (mut client, connack) = Client::try_connect_over(open().await, &connect).await;
        assert_eq!(connack.code, 0);
        let (session, _) = stage.opened().await;
        assert_eq!(&*session.listener, "main");
        let attempts = stage.seen().into_iter().filter_map(|heard| match heard {
            Heard::Asked(attempt) => attempt.remote,
            _ => None,
        });
        let inside = stage.address.port();
        assert!(attempts.into_iter().all(|remote| remote.ip().is_loopback() && remote.port() != inside));
        client.subscribe(&[("down", 1)]).await;
        let to = device(connect.username.as_deref().unwrap());
        let sent = stage.broker.publish_to(&to, &message("down", &"x".repeat(20_000), 1), true, 9_999, token(at)).await;
        assert_eq!(sent, Delivery::Sent { receipt: true });
        assert_eq!(client.take().await.payload.len(), 20_000);
        assert_eq!(stage.receipt().await.0, token(at));
        assert_eq!(client.publish("up", &"y".repeat(20_000)).await, 0);
        assert_eq!(stage.inbound().await.topic, "up");
        client.disconnect().await;
        client.closed().await;
        assert_eq!(stage.closed().await.1, CloseReason::ByClient);
    }
}

#[tokio::test]
async fn mqtt_is_spoken_over_tls() {
    let secure = Secure::new();
    let mut stage = stage(|_, listener| listener.tls = Some(secure.clone())).await;
    let address = stage.address;
    works(&mut stage, async || secure.connect(address).await).await;
    stage.stop().await;
}

#[tokio::test]
async fn mqtt_is_spoken_over_websocket_with_and_without_tls() {
    let secure = Secure::new();
    let mut plain = stage(|_, listener| listener.websocket_path = Some("/mqtt".into())).await;
    let address = plain.address;
    let open =
        async || bytes_over(websocket(TcpStream::connect(address).await.unwrap(), "/mqtt", "mqtt").await.unwrap());
    works(&mut plain, open).await;
    plain.stop().await;
    let both = |_: &mut Setup, listener: &mut ListenerOptions| {
        listener.tls = Some(secure.clone());
        listener.websocket_path = Some("/deep/path".into());
    };
    let mut both = stage(both).await;
    let address = both.address;
    let open =
        async || bytes_over(websocket(secure.connect(address).await, "/deep/path", "other, mqtt").await.unwrap());
    works(&mut both, open).await;
    both.stop().await;
}

#[tokio::test]
async fn what_is_no_mqtt_over_websocket_is_told_so() {
    let stage = stage(|_, listener| listener.websocket_path = Some("/mqtt".into())).await;
    for (path, protocol, expected) in [("/mqtt", "chat", 400), ("/other", "mqtt", 404)] {
        let stream = TcpStream::connect(stage.address).await.unwrap();
        match websocket(stream, path, protocol).await {
            Err(Error::Http(response)) => assert_eq!(response.status().as_u16(), expected, "{path} {protocol}"),
            other => panic!("{path} {protocol} was not refused: {other:?}"),
        }
    }
    let mut plain = TcpStream::connect(stage.address).await.unwrap();
    plain.write_all(b"\x10\x10\0\x04MQTT\x04\x02\0\x3c\0\x04same\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    // Reset or closed: it is over either way.
    let _ = timeout(SOON, plain.read_to_end(&mut answer)).await.expect("the connection of plain MQTT is closed");
    stage.stop().await;
}

#[tokio::test]
async fn frames_that_cannot_be_mqtt_end_the_connection_with_the_reason() {
    let limits = |setup: &mut Setup, listener: &mut ListenerOptions| {
        setup.options.max_packet_bytes = 1_024;
        listener.websocket_path = Some("/mqtt".into());
    };
    let stage = stage(limits).await;
    for (message, expected) in [
        (Message::Text("CONNECT".into()), CloseCode::Unsupported),
        (Message::Binary(vec![0x30; 1_030].into()), CloseCode::Size),
    ] {
        let stream = TcpStream::connect(stage.address).await.unwrap();
        let mut socket = websocket(stream, "/mqtt", "mqtt").await.unwrap();
        socket.send(message).await.unwrap();
        let close = loop {
            match timeout(SOON, socket.next()).await.expect("an answer") {
                Some(Ok(Message::Close(Some(close)))) => break close,
                Some(Ok(_)) => {}
                other => panic!("no reason, but {other:?}"),
            }
        };
        assert_eq!(close.code, expected);
    }
    stage.stop().await;
}

#[tokio::test]
async fn who_says_nothing_is_not_waited_for() {
    let secure = Secure::new();
    for (is_websocket, has_tls) in [(false, true), (true, false), (true, true)] {
        let stage = stage(|_, listener| {
            listener.handshake_timeout = Duration::from_millis(100);
            listener.tls = has_tls.then(|| secure.clone() as Arc<dyn TlsAccept>);
            listener.websocket_path = is_websocket.then(|| "/mqtt".to_owned());
        });
        let stage = stage.await;
        let mut silent: Vec<Box<dyn AsyncRead + Unpin>> = Vec::new();
        if has_tls {
            silent.push(Box::new(secure.connect(stage.address).await));
        } else {
            silent.push(Box::new(TcpStream::connect(stage.address).await.unwrap()));
            let stream = TcpStream::connect(stage.address).await.unwrap();
            silent.push(Box::new(bytes_over(websocket(stream, "/mqtt", "mqtt").await.unwrap())));
        }
        for mut stream in silent {
            let ended = timeout(SOON, stream.read_u8()).await.expect("the connection is closed in time");
            assert!(ended.is_err(), "and nothing is said before");
        }
        stage.stop().await;
    }
}

#[tokio::test]
async fn a_client_that_breaks_off_is_gone_at_once_and_one_that_is_closed_sees_it() {
    let secure = Secure::new();
    let mut stage = stage(|_, listener| listener.tls = Some(secure.clone())).await;
    let (lost, _) = Client::try_connect_over(secure.connect(stage.address).await, &v4("lost")).await;
    stage.opened().await;
    drop(lost);
    let (session, reason) = stage.closed().await;
    assert_eq!(session.client_id, "lost");
    assert!(matches!(reason, CloseReason::ConnectionLost(_)), "{reason:?}");
    let (mut closed, _) = Client::try_connect_over(secure.connect(stage.address).await, &v4("c").user("c")).await;
    stage.opened().await;
    stage.broker.close_device(&device("c")).await;
    closed.closed().await;
    assert_eq!(stage.closed().await.1, CloseReason::ByHost);
    let (mut last, _) = Client::try_connect_over(secure.connect(stage.address).await, &v4("last")).await;
    stage.opened().await;
    stage.stop().await;
    last.closed().await;
    assert_eq!(stage.closed().await.1, CloseReason::ByHost);
}

/// The port of the library is found as somebody on the machine would: among all that are open on the loopback interface.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn nobody_gets_in_behind_the_front() {
    let secure = Secure::new();
    let mut stage = stage(|_, listener| listener.tls = Some(secure.clone())).await;
    let mut found = 0;
    for address in own_listening_ports() {
        if address == stage.address {
            continue;
        }
        let (_client, connack) = Client::try_connect(address, &v4("intruder").user("c")).await;
        assert_eq!(connack.code, 5);
        found += 1;
    }
    assert_eq!(found, 1, "there is one port behind the front");
    assert!(stage.seen().is_empty(), "the daemon is not even asked");
    let (mut client, _) = Client::try_connect_over(secure.connect(stage.address).await, &v4("c").user("c")).await;
    client.ping().await;
    stage.stop().await;
}

/// Every TCP port on which this process listens. Tests that run in processes of their own see only their own.
#[cfg(target_os = "linux")]
fn own_listening_ports() -> Vec<SocketAddr> {
    let sockets =
        std::fs::read_dir("/proc/self/fd").unwrap().filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    let own: Vec<String> = sockets
        .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let table = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
    let rows = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| row[3] == "0A" && own.iter().any(|inode| inode == row[9]))
        .map(|row| {
            let port = u16::from_str_radix(row[1].split_once(':').unwrap().1, 16).unwrap();
            SocketAddr::from(([127, 0, 0, 1], port))
        })
        .collect()
}
