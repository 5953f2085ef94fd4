//! Requests over a real journal to a scripted HTTP server.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bounds;
mod lane;
mod restart;
mod secrets;
mod sending;
mod server;

use super::{Batch, EnqueueError, Outbound, TargetState};
use crate::config::TargetConfig;
use dragoman_core::Attributes;
use dragoman_store::sqlite::{SqliteBackend, SqliteOptions};
use dragoman_store::{Journal, JournalOptions, OpenError, RequestRow, Write};
use dragoman_wasm::OutRequest;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Longer than anything takes here.
const LONG: Duration = Duration::from_secs(30);

/// A running outbound side with one target, `alarms`, over a store in a folder.
struct Bench {
    journal: Journal,
    outbound: Arc<Outbound>,
}

/// A request to the target that all tests have.
fn request(method: &str, path: &str, headers: Attributes, body: Option<String>) -> OutRequest {
    OutRequest { target: "alarms".to_owned(), method: method.to_owned(), path: path.to_owned(), headers, body }
}

impl Bench {
    async fn start(folder: &Path, targets: &[(&str, TargetConfig)]) -> Self {
        let backend = open(&folder.join("store.db")).await;
        let journal = Journal::start(Arc::new(backend), JournalOptions::default()).unwrap();
        let targets: BTreeMap<String, TargetConfig> =
            targets.iter().map(|(name, config)| ((*name).to_owned(), config.clone())).collect();
        let outbound = Arc::new(Outbound::start(&targets, journal.clone(), now_ms).await.unwrap());
        Self { journal, outbound }
    }

    /// Takes in a POST of that path, as a plugin's call does.
    fn post(&self, path: &str) -> Result<u64, EnqueueError> {
        let (batch, write) = self.enqueue(path)?;
        let seq = seq_of(&write);
        batch.appended(self.journal.append(vec![write]).unwrap());
        Ok(seq)
    }

    /// The same before its turn.
    fn enqueue(&self, path: &str) -> Result<(Batch, Write), EnqueueError> {
        let mut batch = self.outbound.batch();
        let body = Some("{\"level\":7}".to_owned());
        let write = batch.add("things", request("POST", path, Vec::new(), body))?;
        Ok((batch, write))
    }

    fn state(&self) -> TargetState {
        self.outbound.target("alarms", 0).unwrap().0
    }

    /// Waits until the target stands so.
    async fn until(&self, stands: impl Fn(&TargetState) -> bool) -> TargetState {
        let look = async {
            loop {
                let state = self.state();
                if stands(&state) {
                    return state;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        match tokio::time::timeout(LONG, look).await {
            Ok(state) => state,
            Err(_) => panic!("it stays at {:?}", self.state()),
        }
    }

    /// Waits until nothing waits and nothing is under way.
    async fn idle(&self) {
        self.until(|state| state.waiting + state.in_flight == 0).await;
    }

    async fn rows(&self) -> Vec<RequestRow> {
        self.journal.requests().await.unwrap()
    }

    /// What a killed process leaves: what was under way is broken off.
    async fn kill(self) {
        let Self { journal, outbound } = self;
        drop(outbound);
        journal.close().await.unwrap();
    }
}

/// Opens the store, once those who were killed have let go of it.
async fn open(path: &Path) -> SqliteBackend {
    let tried = async {
        loop {
            match SqliteBackend::open(path, &SqliteOptions::default()) {
                Err(OpenError::InUse { .. }) => tokio::time::sleep(Duration::from_millis(2)).await,
                opened => return opened.unwrap(),
            }
        }
    };
    tokio::time::timeout(LONG, tried).await.unwrap()
}

fn seq_of(write: &Write) -> u64 {
    match write {
        Write::RequestPut(row) => row.seq,
        other => panic!("{other:?}"),
    }
}

fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// A target that is tried again at once.
fn quick(url: &str) -> TargetConfig {
    TargetConfig { backoff_ms: 1, backoff_max_ms: 20, ..TargetConfig::at(url) }
}
