//! An application that is sent requests by the gateway: a server on loopback that answers as it is told, and can be down.

use crate::wait::SOON;
use anyhow::Context;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// What is done about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// It is answered with that status.
    Answer(u16),
    /// It is never answered.
    Hang,
    /// The connection is closed without an answer.
    Close,
}

/// A request as it came.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Path and query.
    pub path: String,
    /// Header `idempotency-key`: the same for every try of one request.
    pub key: String,
    /// The body; null where it is no JSON.
    pub body: Value,
    /// What was done about it.
    pub act: Act,
}

/// A server that may be down.
pub struct Target {
    address: SocketAddr,
    script: Arc<Script>,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: Option<JoinHandle<()>>,
}

/// Says what is done about the how manieth request, from 1.
type Script = dyn Fn(usize) -> Act + Send + Sync;

impl Target {
    /// A server on a free port.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn start(script: impl Fn(usize) -> Act + Send + Sync + 'static) -> anyhow::Result<Self> {
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut target = Self { address, script: Arc::new(script), seen: Arc::default(), task: None };
        target.up().await?;
        Ok(target)
    }

    /// Its address, for a configuration.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Listens again, on the port that it had.
    ///
    /// # Errors
    /// When it cannot.
    pub async fn up(&mut self) -> anyhow::Result<()> {
        let listener = TcpListener::bind(self.address).await.context("listening as a target")?;
        self.address = listener.local_addr().context("asking for the target's address")?;
        let (script, seen) = (self.script.clone(), self.seen.clone());
        self.task = Some(tokio::spawn(async move {
            // Connections end with the server.
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (script, seen) = (script.clone(), seen.clone());
                connections.spawn(async move { serve(stream, &*script, &seen).await });
            }
        }));
        Ok(())
    }

    /// Is down: whoever connects is refused, and whoever is connected is cut off.
    pub async fn down(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            // Once it has ended the port is free.
            let _ = task.await;
        }
    }

    /// Every request until now, in the order in which they came.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until what was seen is enough.
    ///
    /// # Errors
    /// When it is not enough soon.
    pub async fn until(&self, what: &str, enough: impl Fn(&[Seen]) -> bool) -> anyhow::Result<Vec<Seen>> {
        crate::wait::until(what, SOON + Duration::from_secs(15), || async {
            Ok(Some(self.seen()).filter(|seen| enough(seen)))
        })
        .await
        .with_context(|| format!("the target has seen {:#?}", self.seen()))
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

async fn serve(stream: TcpStream, script: &Script, all: &Mutex<Vec<Seen>>) {
    let mut stream = BufReader::new(stream);
    while let Some((path, key, body)) = read(&mut stream).await {
        let act = {
            let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
            let act = script(all.len() + 1);
            all.push(Seen { path, key, body, act });
            act
        };
        let answer = match act {
            Act::Answer(status) => {
                let body = format!("the target says {status}");
                format!("HTTP/1.1 {status} -\r\ncontent-length: {}\r\n\r\n{body}", body.len())
            }
            Act::Hang => return std::future::pending().await,
            Act::Close => return,
        };
        if stream.get_mut().write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Path, key and body of the next request; none where the connection ends.
async fn read(stream: &mut BufReader<TcpStream>) -> Option<(String, String, Value)> {
    let mut first = String::new();
    stream.read_line(&mut first).await.ok()?;
    let path = first.split(' ').nth(1)?.to_owned();
    let (mut key, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "idempotency-key" => value.clone_into(&mut key),
            "content-length" => length = value.parse().ok()?,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some((path, key, serde_json::from_slice(&body).unwrap_or_default()))
}
