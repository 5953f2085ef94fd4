//! A server that does as it is told.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) at: Instant,
    pub(super) method: String,
    pub(super) path: String,
    /// Names in lower case.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What is done about a request.
pub(super) enum Act {
    /// Status line, headers and body as they stand here; the length is added.
    Answer(&'static str, &'static str, String),
    /// Nothing, until [`Server::let_go`]; then 200.
    Hang,
    /// The connection is closed without an answer.
    Close,
    /// 200 and a body without an end.
    Endless,
    /// 200 and a body that is announced and does not come.
    NoBody,
}

impl Act {
    pub(super) fn status(status: &'static str) -> Self {
        Self::Answer(status, "", String::new())
    }
}

/// A listener on loopback that tells what it sees.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) url: String,
    seen: mpsc::UnboundedReceiver<Seen>,
    pub(super) most_at_once: Arc<AtomicUsize>,
    hanging: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Server {
    /// Does what `script` says about a request, and the how manieth it is, from 1.
    pub(super) async fn start(script: impl Fn(&Seen, usize) -> Act + Send + Sync + 'static) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), script).await
    }

    pub(super) async fn start_at(
        address: SocketAddr,
        script: impl Fn(&Seen, usize) -> Act + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, seen) = mpsc::unbounded_channel();
        let (hanging, most_at_once) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
        let shared = Arc::new(Shared {
            script: Box::new(script),
            tell,
            count: AtomicUsize::new(0),
            at_once: AtomicUsize::new(0),
            most_at_once: Arc::clone(&most_at_once),
            hanging: Arc::clone(&hanging),
        });
        let task = tokio::spawn(async move {
            // Ends with the connections, when the server is dropped.
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&shared);
                connections.spawn(async move { serve(stream, &shared).await });
            }
        });
        Self { address, url: format!("http://{address}"), seen, most_at_once, hanging, task }
    }

    /// The next request.
    pub(super) async fn next(&mut self) -> Seen {
        tokio::time::timeout(super::LONG, self.seen.recv()).await.expect("no request came").unwrap()
    }

    /// Those that came and were not asked for.
    pub(super) fn rest(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.seen.try_recv().ok()).map(|seen| seen.path).collect()
    }

    /// Answers what hangs.
    pub(super) fn let_go(&self) {
        self.hanging.notify_waiters();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Script = Box<dyn Fn(&Seen, usize) -> Act + Send + Sync>;

struct Shared {
    script: Script,
    tell: mpsc::UnboundedSender<Seen>,
    count: AtomicUsize,
    at_once: AtomicUsize,
    most_at_once: Arc<AtomicUsize>,
    hanging: Arc<Notify>,
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, shared: &Shared) {
    let mut stream = BufReader::new(stream);
    while let Some(seen) = read(&mut stream).await {
        let count = shared.count.fetch_add(1, Ordering::SeqCst) + 1;
        let at_once = shared.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        shared.most_at_once.fetch_max(at_once, Ordering::SeqCst);
        let act = (shared.script)(&seen, count);
        // From before it is told, so that whoever heard of it can let it go.
        let let_go = shared.hanging.notified();
        tokio::pin!(let_go);
        let_go.as_mut().enable();
        let _ = shared.tell.send(seen);
        let answer = match act {
            Act::Answer(status, headers, body) => {
                format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
            }
            Act::Hang => {
                let_go.await;
                "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_owned()
            }
            Act::Close => return,
            Act::NoBody => "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n".to_owned(),
            Act::Endless => {
                let head = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n";
                let mut sent = stream.get_mut().write_all(head.as_bytes()).await;
                while sent.is_ok() {
                    sent = stream.get_mut().write_all(&[b'x'; 1_024]).await;
                }
                return;
            }
        };
        shared.at_once.fetch_sub(1, Ordering::SeqCst);
        if stream.get_mut().write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read(stream: &mut BufReader<impl AsyncRead + Unpin>) -> Option<Seen> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let mut first = lines.first()?.split(' ').map(str::to_owned);
    let (method, path) = (first.next()?, first.next()?);
    let headers: Vec<(String, String)> = lines
        .iter()
        .skip(1)
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length =
        headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, value)| value.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Seen { at: Instant::now(), method, path, headers, body: String::from_utf8(body).unwrap() })
}

/// A server over TLS with the certificate in `tls/`, made for these tests alone: for localhost and 127.0.0.1. Every request
/// gets 200.
pub(super) async fn start_tls(host: &str) -> (SocketAddr, JoinHandle<()>) {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let chain = vec![CertificateDer::from_pem_slice(include_bytes!("tls/server.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("tls/server.key")).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind((host, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(stream) = acceptor.accept(stream).await else { continue };
            let mut stream = BufReader::new(stream);
            while read(&mut stream).await.is_some() {
                let _ = stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
            }
        }
    });
    (address, task)
}
