//! Standard output and error of a plugin, e.g. the text of a panic: kept up to a limit, then counted.

use bytes::Bytes;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// What a WASI stream may be given at once.
const CHUNK_MAX_BYTES: usize = 64 << 10;

/// Where both streams of one instance go.
#[derive(Clone, Debug)]
pub(crate) struct Stdio(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    kept: Mutex<Vec<u8>>,
    max_bytes: usize,
    dropped_bytes: AtomicUsize,
}

impl Stdio {
    pub(crate) fn new(max_bytes: usize) -> Self {
        let (kept, dropped_bytes) = (Mutex::default(), AtomicUsize::new(0));
        Self(Arc::new(Shared { kept, max_bytes, dropped_bytes }))
    }

    /// What was written since the last call, and how many bytes more were not kept.
    pub(crate) fn take(&self) -> (String, usize) {
        let kept = std::mem::take(&mut *self.0.kept.lock().unwrap_or_else(PoisonError::into_inner));
        (String::from_utf8_lossy(&kept).into_owned(), self.0.dropped_bytes.swap(0, Ordering::Relaxed))
    }

    fn keep(&self, bytes: &[u8]) {
        let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (keep, drop) = bytes.split_at(bytes.len().min(self.0.max_bytes.saturating_sub(kept.len())));
        kept.extend_from_slice(keep);
        self.0.dropped_bytes.fetch_add(drop.len(), Ordering::Relaxed);
    }
}

impl IsTerminal for Stdio {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Stdio {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Stdio {
    async fn ready(&mut self) {}
}

impl OutputStream for Stdio {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.keep(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(CHUNK_MAX_BYTES)
    }
}
