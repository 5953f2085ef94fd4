//! The platforms' own clients and the usual MQTT and HTTP ones, from PyPI at pinned versions, as they are.

use anyhow::{Context, ensure};
use dragoman_e2e::devices::{self, METER, THERMOSTAT};
use dragoman_e2e::world::{FLEETS_KEY, HUAWEI_TOKEN};
use dragoman_e2e::{World, paths};
use std::time::Duration;
use tokio::process::Command;

/// The longest script waits out the 20 s of a synchronous command and imports a large SDK.
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_iotda_sdk_commands_a_paho_device() -> anyhow::Result<()> {
    let world = World::start().await?;
    let arguments = [HUAWEI_TOKEN.1, METER, &devices::secret(METER)];
    run("huawei_sdk.py", &world, &arguments).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_and_paho_run_the_flow_of_the_fleets_page() -> anyhow::Result<()> {
    let world = World::start().await?;
    let arguments = [FLEETS_KEY.0, FLEETS_KEY.1, THERMOSTAT, &devices::secret(THERMOSTAT)];
    run("fleets_flow.py", &world, &arguments).await
}

async fn run(script: &str, world: &World, arguments: &[&str]) -> anyhow::Result<()> {
    let listeners = world.daemon.listeners();
    let mut command = Command::new(paths::python()?);
    command
        .arg(paths::repository().join("tests/clients").join(script))
        .arg(format!("http://{}", listeners.http))
        .arg(world.daemon.mqtt_port()?.to_string())
        .args(arguments)
        .kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await.context("the script did not end")??;
    ensure!(
        output.status.success(),
        "{script} failed:\n{}{}\nthe daemon's log ends with:\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
        world.daemon.log_tail()
    );
    Ok(())
}
