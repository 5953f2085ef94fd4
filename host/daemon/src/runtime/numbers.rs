//! Counters of dialects: each value is given once, over restarts too.

use super::engine::{Engine, Step};
use dragoman_store::Write;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::Mutex;

/// Counters that are remembered. Plugins name them; past it all are read from the store again.
const REMEMBERED_MAX: usize = 10_000;

/// The last value that was given, by dialect and counter.
#[derive(Default)]
pub struct Numbers {
    given: Mutex<HashMap<(Arc<str>, String), u64>>,
}

impl Numbers {
    /// The next value. It counts as given also where the call that asked for it comes to nothing.
    pub async fn next(&self, engine: &Engine, dialect: &str, counter: &str) -> Result<u64, String> {
        let mut given = self.given.lock().await;
        let key = (Arc::from(dialect), counter.to_owned());
        let last = match given.get(&key) {
            Some(last) => *last,
            None => engine.journal().counter(dialect, counter).await.map_err(|error| error.to_string())?,
        };
        let value = last.checked_add(1).ok_or_else(|| format!("counter {counter} has no value left"))?;
        let write = Write::Counter { dialect: key.0.clone(), counter: key.1.clone(), value };
        engine.turn(vec![Step::Write(write)], None).map_err(|error| error.to_string())?;
        if given.len() >= REMEMBERED_MAX {
            given.clear();
        }
        given.insert(key, value);
        Ok(value)
    }
}
