//! Forgets what ended long ago, a little at a time.

use super::engine::Engine;
use std::sync::Arc;
use std::time::Duration;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(60);
/// Executions forgotten in one transaction. Commits wait meanwhile, so it is some milliseconds' worth.
const BATCH: u32 = 200;
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// Forgets ended executions that many days after their end, for as long as the daemon runs.
pub async fn keep(engine: Arc<Engine>, retention_days: u32) {
    let keep_ms = u64::from(retention_days) * DAY_MS;
    loop {
        tokio::time::sleep(EVERY).await;
        let before_ms = engine.now_ms().saturating_sub(keep_ms);
        loop {
            match engine.journal().prune(before_ms, BATCH).await {
                Ok(pruned) => {
                    metrics::counter!("dragoman_executions_pruned_total").increment(pruned);
                    if pruned < u64::from(BATCH) {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
                Err(error) => {
                    tracing::warn!(%error, "ended executions could not be pruned; trying again in a minute");
                    break;
                }
            }
        }
    }
}
