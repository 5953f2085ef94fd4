//! How much memory the daemon holds after work, and with a million devices registered. Runs alone: see
//! `.config/nextest.toml`.

use anyhow::{Context, ensure};
use dragoman_e2e::World;
use dragoman_e2e::devices::{METER, THERMOSTAT};
use dragoman_e2e::wait::{self, SOON};
use dragoman_simulators::Behaviour;
use serde_json::json;
use std::fs;
use std::io::{BufWriter, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const MIB: u64 = 1024 * 1024;
/// Commands over each of the two dialects.
const COMMANDS_PER_DIALECT: usize = 5_000;
/// Calls under way at once.
const CALLERS: usize = 16;
/// Resident memory after the commands and a rest.
const AFTER_COMMANDS_MAX: u64 = 96 * MIB;
/// Devices that are registered then.
const DEVICES: usize = 1_000_000;
/// What they may add.
const FOR_DEVICES_MAX: u64 = 64 * MIB;
/// From the start of the process until it is ready, with that many devices.
const READY_WITHIN: Duration = Duration::from_secs(3);
/// The rest before memory is read, in seconds; another one for a quick look while developing.
const REST_VARIABLE: &str = "DRAGOMAN_FOOTPRINT_REST_S";
const REST_S: u64 = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_stays_small_after_ten_thousand_commands_and_with_a_million_devices() -> anyhow::Result<()> {
    let mut world = World::start().await?;
    run_commands(&world).await?;
    rest().await;
    let after_commands = world.daemon.resident_bytes()?;
    eprintln!("after {} commands: {} MiB", 2 * COMMANDS_PER_DIALECT, after_commands / MIB);
    ensure!(after_commands <= AFTER_COMMANDS_MAX, "{} MiB after the commands", after_commands / MIB);

    let began = Instant::now();
    let file = world.daemon.folder().join("devices.jsonl");
    write_devices(&file)?;
    world.daemon.cli(&["device", "import", file.to_str().context("the path is not UTF-8")?]).await?;
    eprintln!("{DEVICES} devices were imported in {} s", began.elapsed().as_secs());
    let with_devices = wait::until("memory with the devices below its bound", Duration::from_secs(REST_S), || async {
        let now = world.daemon.resident_bytes()?;
        Ok((now <= AFTER_COMMANDS_MAX + FOR_DEVICES_MAX).then_some(now))
    })
    .await?;
    eprintln!("with {DEVICES} devices: {} MiB", with_devices / MIB);

    world.daemon.kill().await?;
    let began = Instant::now();
    world.daemon.start_again().await?;
    let ready = began.elapsed();
    eprintln!("ready again after {} ms, with {} MiB", ready.as_millis(), world.daemon.resident_bytes()? / MIB);
    ensure!(ready <= READY_WITHIN, "ready only after {} ms", ready.as_millis());

    // The devices are really there: one of them is commanded.
    let last = name(DEVICES - 1);
    let id = world.fleets.accepted(&last, "reboot", &json!({}), 1).await?;
    assert_eq!(world.fleets.ended(&id, SOON).await?["status"], "TIMED_OUT");
    let restarted = world.daemon.resident_bytes()?;
    ensure!(restarted <= AFTER_COMMANDS_MAX + FOR_DEVICES_MAX, "{} MiB after the restart", restarted / MIB);
    Ok(())
}

/// Every command is answered by its device; none may be refused or fail.
async fn run_commands(world: &World) -> anyhow::Result<()> {
    let _thing = world.thing(THERMOSTAT, Behaviour::Answer).await?;
    let _device = world.device(METER, Behaviour::Answer).await?;
    let began = Instant::now();
    let left = Arc::new(AtomicUsize::new(COMMANDS_PER_DIALECT));
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (fleets, huawei, left) = (world.fleets.clone(), world.huawei.clone(), left.clone());
        callers.spawn(async move {
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                let id = fleets.accepted(THERMOSTAT, "setTemperature", &json!({ "value": 21 }), 60).await?;
                let answer = huawei.command(METER, "ON_OFF", &json!({ "value": "ON" })).await?.expect(200)?;
                ensure!(answer["response"]["result_code"] == 0, "{answer}");
                let ended = fleets.ended(&id, SOON).await?;
                ensure!(ended["status"] == "SUCCEEDED", "{ended}");
            }
            Ok(())
        });
    }
    while let Some(ended) = callers.join_next().await {
        ended??;
    }
    eprintln!("{} commands took {} s", 2 * COMMANDS_PER_DIALECT, began.elapsed().as_secs());
    Ok(())
}

fn write_devices(file: &std::path::Path) -> anyhow::Result<()> {
    let mut lines = BufWriter::new(fs::File::create(file)?);
    for number in 0..DEVICES {
        let name = name(number);
        writeln!(
            lines,
            "{{\"id\":\"{name}\",\"dialect\":\"emqx-fleets\",\"aliases\":{{\"fleets.name\":\"{name}\"}}}}"
        )?;
    }
    lines.flush()?;
    Ok(())
}

fn name(number: usize) -> String {
    format!("device-{number:07}")
}

async fn rest() {
    let seconds = std::env::var(REST_VARIABLE).ok().and_then(|text| text.parse().ok()).unwrap_or(REST_S);
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}
