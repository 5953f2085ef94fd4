//! Commands at a steady rate, whatever becomes of those before.

use anyhow::{Context, ensure};
use dragoman_e2e::Huawei;
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// Commands that are being given.
pub(crate) struct Load {
    stop: watch::Sender<bool>,
    given: JoinHandle<anyhow::Result<Took>>,
}

/// How long each command took.
pub(crate) struct Took(Vec<Duration>);

impl Load {
    /// Gives that many commands a second to the devices in turn. The first that fails ends it.
    pub(crate) fn start(huawei: &Huawei, devices: impl Iterator<Item = String>, per_second: u32) -> Self {
        let (stop, stopped) = watch::channel(false);
        let given = tokio::spawn(give(huawei.clone(), devices.collect(), per_second, stopped));
        Self { stop, given }
    }

    /// Waits for the answers of all that were given.
    pub(crate) async fn stop(self) -> anyhow::Result<Took> {
        self.stop.send_replace(true);
        self.given.await.context("the load panicked")?.context("a good command failed")
    }
}

async fn give(
    huawei: Huawei,
    devices: Vec<String>,
    per_second: u32,
    stopped: watch::Receiver<bool>,
) -> anyhow::Result<Took> {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / per_second);
    let (mut running, mut took) = (JoinSet::new(), Vec::new());
    let mut next = devices.into_iter().cycle();
    while !*stopped.borrow() {
        // Ticks that were late come at once, so that a command that waits is counted as one that waited.
        ticks.tick().await;
        let (huawei, device) = (huawei.clone(), next.next().context("there are no devices")?);
        running.spawn(async move { command(&huawei, &device).await });
        while let Some(done) = running.try_join_next() {
            took.push(done.context("a command panicked")??);
        }
    }
    while let Some(done) = running.join_next().await {
        took.push(done.context("a command panicked")??);
    }
    Ok(Took(took))
}

async fn command(huawei: &Huawei, device: &str) -> anyhow::Result<Duration> {
    let begin = Instant::now();
    let answer = huawei.command(device, "ON_OFF", &json!({ "value": "ON" })).await?.expect(200)?;
    ensure!(answer["response"]["result_code"] == 0, "{device} answered {answer}");
    Ok(begin.elapsed())
}

impl Took {
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// What all but one in a hundred stayed below.
    pub(crate) fn p99_ms(&self) -> f64 {
        let mut all = self.0.clone();
        all.sort_unstable();
        let at = (all.len() * 99).div_ceil(100).saturating_sub(1);
        all.get(at).map_or(0.0, |took| took.as_secs_f64() * 1000.0)
    }
}
