//! The examples as their READMEs say, on other ports.

use anyhow::{Context, bail, ensure};
use dragoman_e2e::wait::SOON;
use dragoman_e2e::{Daemon, DeviceHive, Simulator, paths};
use dragoman_simulators::{
    Behaviour, Class, Device, DeviceEvent, Firmware, FleetsFirmware, HuaweiFirmware, NetworkServer,
};
use serde_json::json;
use std::fs;
use std::process::Stdio;
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};

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
    let firmware = |id: &str, secret: &str| HuaweiFirmware {
        device_id: id.to_owned(),
        secret: secret.to_owned(),
        own_subscriptions: false,
    };
    let _meter = connect(&daemon, firmware("watermeter-001", "watermeter-secret"), Behaviour::Answer).await?;
    let _hub = connect(&daemon, firmware("hub-001", "hub-secret"), Behaviour::Answer).await?;
    send(&daemon, "huawei-iotda", &["watermeter-001", "ON_OFF", r#"{"value": "ON"}"#]).await?;
    send(&daemon, "huawei-iotda", &["valve-001", "ON_OFF", r#"{"value": "ON"}"#]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_chirpstack_example_runs() -> anyhow::Result<()> {
    let daemon = set_up("chirpstack").await?;
    let _network = start_network(&daemon).await?;
    run_script(&daemon, "chirpstack/send_downlink.py", &["lamp-1", r#"{"switch": true, "level": 50}"#]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_devicehive_example_runs() -> anyhow::Result<()> {
    let daemon = set_up("devicehive").await?;
    let _led = Simulator::start(daemon.mqtt_port()?, "devicehive-device", &["--id", "led-1"], "led-secret").await?;
    run_script(&daemon, "devicehive/send_command.py", &["led-1", "led", r#"{"value": 1}"#]).await?;
    let (login, password) = ("example", "devicehive-example-password");
    let mut application = DeviceHive::connect(&daemon, login, password).await?;
    let answer = application.ask("token", json!({ "login": login, "password": password })).await?;
    ensure!(answer["accessToken"].is_string(), "the example signs tokens: {answer}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_connio_example_runs() -> anyhow::Result<()> {
    let daemon = set_up("connio").await?;
    let arguments = ["--id", "_dev_1", "--key", "_key_device_1"];
    let _thermostat = Simulator::start(daemon.mqtt_port()?, "connio-device", &arguments, "thermostat-secret").await?;
    run_script(&daemon, "connio/write_property.py", &["thermostat", "setpoint", "21.5"]).await
}

/// The simulated network of these tests says nothing that ChirpStack's own message classes do not read, and leaves
/// nothing out that they write.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_simulated_network_speaks_as_chirpstacks_own_classes_do() -> anyhow::Result<()> {
    let events = events_of_every_kind().join("\n") + "\n";
    let mut child = Command::new(paths::python()?)
        .arg(paths::repository().join("examples/chirpstack/check_events.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut stdin = child.stdin.take().context("the script has no standard input")?;
    stdin.write_all(events.as_bytes()).await?;
    drop(stdin);
    let output = child.wait_with_output().await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    ensure!(String::from_utf8_lossy(&output.stdout).trim() == "ack join log txack up", "some events were not told");
    Ok(())
}

/// Kind and JSON of what a network says that sends one item and discards two.
fn events_of_every_kind() -> Vec<String> {
    let (application, eui) = ("ca739e26-7b67-4f14-b69e-d568c22a5a75", "4200000000000000");
    let mut network = NetworkServer::new(application, eui, Class::A, Behaviour::Answer);
    let topic = format!("application/{application}/device/{eui}/command/down");
    let command = |id: &str, expires: &str| {
        format!(r#"{{"id":"{id}","devEui":"{eui}","confirmed":true,"fPort":10,"data":"AjI=","expiresAt":"{expires}"}}"#)
    };
    let now = SystemTime::now();
    for (id, expires) in [("1", "2000-01-01T00:00:00Z"), ("2", "2099-01-01T00:00:00Z"), ("3", "2099-01-01T00:00:00Z")] {
        network.command(&topic, command(id, expires).as_bytes(), now);
    }
    let mut events = network.uplink(now);
    network.model().behave(Behaviour::Refuse);
    events.extend(network.uplink(now + Duration::from_secs(5)));
    let kind = |topic: &str| topic.rsplit('/').next().unwrap_or_default().to_owned();
    events.iter().map(|event| format!("{} {}", kind(&event.topic), event.payload)).collect()
}

/// Starts the example's network, a process of its own, and waits until it is connected.
async fn start_network(daemon: &Daemon) -> anyhow::Result<Child> {
    let mut child = Command::new(paths::python()?)
        .arg(paths::repository().join("examples/chirpstack/network.py"))
        .env("DRAGOMAN_MQTT", &daemon.listeners().mqtt)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let stdout = child.stdout.take().context("the network has no standard output")?;
    let mut lines = BufReader::new(stdout).lines();
    let ready = tokio::time::timeout(SOON, async {
        while let Some(line) = lines.next_line().await? {
            if line == "ready" {
                return Ok(());
            }
        }
        bail!("the network ended before it was ready")
    });
    ready.await.context("the network is not ready")??;
    // A network that prints more must not stop because nobody reads.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Ok(child)
}

/// What a README promises must be in the file: the names and secrets that these tests use too.
#[test]
fn readmes_name_what_is_set_up() -> anyhow::Result<()> {
    for (name, secrets) in [
        ("emqx-fleets", &["thermostat-secret", "lockbox-secret", "fleets-example-secret"][..]),
        ("huawei-iotda", &["watermeter-secret", "hub-secret", "huawei-example-token"]),
        ("chirpstack", &["network-secret", "tts-example-key", "4200000000000000"]),
        ("devicehive", &["led-secret", "devicehive-example-password"]),
        ("connio", &["thermostat-secret", "connio-example-secret", "_key_device_1", "_key_example"]),
    ] {
        let folder = paths::repository().join("examples").join(name);
        let readme = fs::read_to_string(folder.join("README.md"))?;
        let setup = fs::read_to_string(folder.join("setup.sh"))?;
        for secret in secrets {
            assert!(readme.contains(*secret) && setup.contains(*secret), "{name}: {secret}");
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

async fn send(daemon: &Daemon, name: &str, arguments: &[&str]) -> anyhow::Result<()> {
    run_script(daemon, &format!("{name}/send_command.py"), arguments).await
}

/// Runs an example's script, which fails unless the device did what it was told.
async fn run_script(daemon: &Daemon, script: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let listeners = daemon.listeners();
    let mut command = Command::new(paths::python()?);
    command
        .arg(paths::repository().join("examples").join(script))
        .args(arguments)
        .env("DRAGOMAN_HTTP", format!("http://{}", listeners.http))
        .env("DRAGOMAN_MQTT", &listeners.mqtt);
    tokio::time::timeout(SOON, run(&mut command)).await.with_context(|| format!("{script} did not end"))?
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
