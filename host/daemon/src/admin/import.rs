//! Registering many devices in one request, a JSON object a line.

use super::record::{Device, Written};
use super::{Failure, NewDevice, Shared, devices, request};
use crate::credentials::DeviceSecretKind;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use dragoman_core::DeviceId;
use futures::StreamExt;
use serde_json::{Value, json};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Longest line.
const LINE_MAX_BYTES: usize = 262_144;
/// Devices that are registered together.
const BATCH: usize = 1_000;
/// Secrets that are kept at once, so that they share commits.
const SECRETS_AT_ONCE: usize = 64;
/// Failures that are reported; more are counted.
const REPORTED_MAX: usize = 100;

/// `POST /v1/devices/import`: `{"imported","failed":[{"line","message"}],"failed_total"}`. Lines that fail do not touch
/// the others; at most 100 of them are reported. A body that breaks off keeps what came before.
pub(super) async fn import(State(control): State<Shared>, body: Body) -> Result<Json<Value>, Failure> {
    let mut import = Import { control, batch: Vec::new(), imported: 0, failed: Vec::new(), failed_total: 0 };
    let mut lines = Lines::default();
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let Ok(chunk) = chunk else {
            import.flush().await;
            let (line, imported) = (lines.number, import.imported);
            return Err(Failure::invalid(format!(
                "the body ended early in line {line}; {imported} devices are imported"
            )));
        };
        for line in lines.push(&chunk) {
            import.line(line).await;
        }
    }
    if let Some(line) = lines.finish() {
        import.line(line).await;
    }
    import.flush().await;
    Ok(Json(json!({"imported": import.imported, "failed": import.failed, "failed_total": import.failed_total})))
}

/// A numbered line, or none where it was too long.
type Line = (usize, Option<Zeroizing<Vec<u8>>>);

/// Cuts a stream of chunks into lines.
struct Lines {
    /// Of the line that is being read, from 1.
    number: usize,
    begun: Zeroizing<Vec<u8>>,
    too_long: bool,
}

impl Default for Lines {
    fn default() -> Self {
        Self { number: 1, begun: Zeroizing::default(), too_long: false }
    }
}

impl Lines {
    /// The lines that a chunk ends.
    fn push(&mut self, chunk: &[u8]) -> Vec<Line> {
        let mut parts = chunk.split(|byte| *byte == b'\n');
        let mut ended = Vec::new();
        if let Some(first) = parts.next() {
            self.add(first);
        }
        for part in parts {
            ended.extend(self.end());
            self.add(part);
        }
        ended
    }

    /// The last line, where it does not end in a line feed.
    fn finish(&mut self) -> Option<Line> {
        self.end()
    }

    fn add(&mut self, part: &[u8]) {
        self.too_long |= self.begun.len() + part.len() > LINE_MAX_BYTES;
        if self.too_long {
            self.begun.clear();
        } else {
            self.begun.extend_from_slice(part);
        }
    }

    /// Ends the line. Empty ones are passed over.
    fn end(&mut self) -> Option<Line> {
        let number = self.number;
        self.number += 1;
        let text = std::mem::take(&mut self.begun);
        if std::mem::take(&mut self.too_long) {
            return Some((number, None));
        }
        (!text.trim_ascii().is_empty()).then_some((number, Some(text)))
    }
}

/// One import under way.
struct Import {
    control: Shared,
    batch: Vec<(usize, Device)>,
    imported: u64,
    failed: Vec<Value>,
    failed_total: u64,
}

impl Import {
    async fn line(&mut self, (number, text): Line) {
        let read = match text {
            None => Err(format!("the line exceeds {LINE_MAX_BYTES} bytes, the limit")),
            Some(text) => request::parse::<Written>(&text)
                .map_err(|problem| format!("the line {problem}"))
                .and_then(Written::check),
        };
        match read {
            Ok(device) => self.batch.push((number, device)),
            Err(problem) => self.fail(number, &problem),
        }
        if self.batch.len() >= BATCH {
            self.flush().await;
        }
    }

    /// Registers what was read so far, then keeps the secrets of those that were registered.
    async fn flush(&mut self) {
        let mut pending: Vec<Pending> = Vec::with_capacity(self.batch.len());
        let mut records: Vec<NewDevice> = Vec::with_capacity(self.batch.len());
        for (line, Device { device, secret }) in self.batch.drain(..) {
            pending.push(Pending {
                line,
                id: device.record.id.clone(),
                dialect: device.record.dialect.clone(),
                secret,
            });
            records.push(device);
        }
        if records.is_empty() {
            return;
        }
        let mut added = self.control.add_devices(records).await.into_iter();
        let mut secrets = Vec::new();
        for pending in pending {
            match added.next() {
                Some(Ok(())) if pending.secret.is_some() => secrets.push(pending),
                Some(Ok(())) => self.imported += 1,
                Some(Err(error)) => self.fail(pending.line, &error.to_string()),
                None => self.fail(pending.line, "the gateway did not say what became of the device"),
            }
        }
        let control = Arc::clone(&self.control);
        let mut kept = futures::stream::iter(secrets.into_iter().map(|pending| keep_secret(&control, pending)))
            .buffer_unordered(SECRETS_AT_ONCE);
        while let Some((line, kept)) = kept.next().await {
            match kept {
                Ok(()) => self.imported += 1,
                Err(failure) => self.fail(line, failure.message()),
            }
        }
    }

    fn fail(&mut self, line: usize, message: &str) {
        self.failed_total += 1;
        if self.failed.len() < REPORTED_MAX {
            self.failed.push(json!({"line": line, "message": message}));
        }
    }
}

/// What is left to do for a device, once it is registered.
struct Pending {
    line: usize,
    id: DeviceId,
    dialect: Arc<str>,
    secret: Option<(DeviceSecretKind, Zeroizing<Vec<u8>>)>,
}

async fn keep_secret(control: &Shared, pending: Pending) -> (usize, Result<(), Failure>) {
    let Pending { line, id, dialect, secret } = pending;
    let kept = match secret {
        Some((kind, secret)) => devices::set_secret(control, &dialect, &id, kind, &secret).await,
        None => Ok(()),
    };
    (line, kept)
}

#[cfg(test)]
mod tests {
    use super::{LINE_MAX_BYTES, Lines};

    fn cut(chunks: &[&[u8]]) -> Vec<(usize, Option<usize>)> {
        let mut lines = Lines::default();
        let mut all: Vec<_> = chunks.iter().flat_map(|chunk| lines.push(chunk)).collect();
        all.extend(lines.finish());
        all.into_iter().map(|(number, text)| (number, text.map(|text| text.len()))).collect()
    }

    #[test]
    fn lines_are_cut_wherever_the_chunks_end() {
        assert_eq!(cut(&[]), []);
        assert_eq!(cut(&[b"a\nbc\n"]), [(1, Some(1)), (2, Some(2))]);
        assert_eq!(cut(&[b"a", b"a\n\n \nb", b"", b"\r\nc"]), [(1, Some(2)), (4, Some(2)), (5, Some(1))]);
        let long = vec![b'x'; LINE_MAX_BYTES];
        assert_eq!(cut(&[&long, b"\n", &long, b"x\n", b"a"]), [(1, Some(LINE_MAX_BYTES)), (2, None), (3, Some(1))]);
    }
}
