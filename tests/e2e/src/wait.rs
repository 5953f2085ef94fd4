//! Waiting for something to become true, with a time-out.

use anyhow::bail;
use std::time::{Duration, Instant};

/// Longer than anything that should happen at once takes on a machine that is busy with other tests.
pub const SOON: Duration = Duration::from_secs(30);

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Asks until there is an answer.
///
/// # Errors
/// When the question fails, or there is no answer within the time.
pub async fn until<T, F: Future<Output = anyhow::Result<Option<T>>>>(
    what: &str,
    patience: Duration,
    mut ask: impl FnMut() -> F,
) -> anyhow::Result<T> {
    let end = Instant::now() + patience;
    loop {
        if let Some(answer) = ask().await? {
            return Ok(answer);
        }
        if Instant::now() >= end {
            bail!("waited {} s in vain: {what}", patience.as_secs());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
