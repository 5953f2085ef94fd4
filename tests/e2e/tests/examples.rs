//! The examples as their READMEs say, on other ports.

use anyhow::ensure;
use dragoman_e2e::{Daemon, paths};
use dragoman_simulators::{Behaviour, Device, DeviceEvent, Firmware, FleetsFirmware, HuaweiFirmware};
use std::fs;
use tokio::process::Command;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_fleets_example_runs() -> anyhow::Result<()> {
    let daemon = set_up("emqx-fleets").await?;
    let firmware = |id: &str, secret: &str| FleetsFirmware {
        thing: id.to_owned(),
        client_id: id.to_owned(),
        secret: secret.to_owned(),
    };
    let _thermostat = connect(&daemon, firmware("thermostat-001", "thermostat-secret"), Behaviour::Answer).await?;
    let _lockbox = connect(&daemon, firmware("lockbox-001", "lockbox-secret"), Behaviour::Lockbox).await?;
    send(&daemon, "emqx-fleets", &["thermostat-001", "setTemperature", r#"{"value": 24}"#]).await?;
    send(&daemon, "emqx-fleets", &["lockbox-001", "setLevel", r#"{"level": 42, "pin": "1234"}"#]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_iotda_example_runs() -> anyhow::Result<()> {
    let daemon = set_up("huawei-iotda").await?;
    let firmware = |id: &str, secret: &str| HuaweiFirmware { device_id: id.to_owned(), secret: secret.to_owned() };
    let _meter = connect(&daemon, firmware("watermeter-001", "watermeter-secret"), Behaviour::Answer).await?;
    let _hub = connect(&daemon, firmware("hub-001", "hub-secret"), Behaviour::Answer).await?;
    send(&daemon, "huawei-iotda", &["watermeter-001", "ON_OFF", r#"{"value": "ON"}"#]).await?;
    send(&daemon, "huawei-iotda", &["valve-001", "ON_OFF", r#"{"value": "ON"}"#]).await
}

/// What a README promises must be in the file: the names and secrets that these tests use too.
#[test]
fn readmes_name_what_is_set_up() -> anyhow::Result<()> {
    for (name, secrets) in [
        ("emqx-fleets", ["thermostat-secret", "lockbox-secret", "fleets-example-secret"]),
        ("huawei-iotda", ["watermeter-secret", "hub-secret", "huawei-example-token"]),
    ] {
        let folder = paths::repository().join("examples").join(name);
        let readme = fs::read_to_string(folder.join("README.md"))?;
        let setup = fs::read_to_string(folder.join("setup.sh"))?;
        for secret in secrets {
            assert!(readme.contains(secret) && setup.contains(secret), "{name}: {secret}");
        }
    }
    Ok(())
}

/// Starts the example's gateway and runs its `setup.sh`.
async fn set_up(name: &str) -> anyhow::Result<Daemon> {
    let daemon = Daemon::start_example(name).await?;
    let script = paths::repository().join("examples").join(name).join("setup.sh");
    run(Command::new(script).env("DRAGOMAN_BIN", paths::daemon()?).env("DRAGOMAN_CONFIG", daemon.config())).await?;
    Ok(daemon)
}

/// Runs the example's script, which fails unless the device did what it was told.
async fn send(daemon: &Daemon, name: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let script = paths::repository().join("examples").join(name).join("send_command.py");
    let address = format!("http://{}", daemon.listeners().http);
    run(Command::new(paths::python()?).arg(script).args(arguments).env("DRAGOMAN_HTTP", address)).await
}

async fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command.kill_on_drop(true).output().await?;
    ensure!(
        output.status.success(),
        "{command:?} failed:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

async fn connect(daemon: &Daemon, firmware: impl Firmware, behaviour: Behaviour) -> anyhow::Result<Device> {
    let mut device = Device::start("127.0.0.1", daemon.mqtt_port()?, firmware, behaviour);
    dragoman_e2e::devices::event(&mut device, |event| (*event == DeviceEvent::Ready).then_some(())).await?;
    Ok(device)
}
