//! The processes of the demonstration and the folder they work in.

use super::cast::Device;
use super::lamps::{self, Lamp};
use crate::process::Running;
use crate::workspace::Workspace;
use anyhow::Context;
use serde_json::Value;
use std::fs;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// The first start compiles every plugin to machine code.
const GATEWAY_READY_WITHIN: Duration = Duration::from_secs(120);
const DEVICE_READY_WITHIN: Duration = Duration::from_secs(15);

/// Where the gateway listens, and the token of its admin API.
#[derive(Clone)]
pub(crate) struct Addresses {
    /// `address:port` of the dialects' HTTP APIs.
    pub(crate) http: String,
    /// `address:port` of the embedded broker.
    pub(crate) mqtt: String,
    /// `address:port` of the admin API.
    pub(crate) admin: String,
    /// Bearer token of the admin API.
    pub(crate) token: String,
    /// Folder that holds `dragoman.toml`.
    pub(crate) folder: String,
    /// Path of the gateway's binary.
    pub(crate) binary: String,
}

/// A running gateway and its devices. Dropping it ends them and removes their folder.
pub(crate) struct Stage {
    // In the order in which they must go: devices, gateway, folder.
    devices: Vec<(&'static str, Running)>,
    gateway: Running,
    addresses: Addresses,
    _folder: TempDir,
}

impl Stage {
    /// Starts a gateway with an empty store in a fresh folder and waits until it is ready.
    pub(crate) fn open(workspace: &Workspace) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("dragoman-demo-").tempdir().context("making a folder")?;
        let config = folder.path().join("dragoman.toml");
        fs::write(&config, configuration(workspace)?).with_context(|| format!("writing {}", config.display()))?;
        let binary = workspace.binary("dragoman");
        let mut gateway = Running::start(
            "the gateway",
            Command::new(&binary).arg("serve").arg("--config").arg(&config).env("NO_COLOR", "1"),
        )?;
        let ready = gateway.wait_for(GATEWAY_READY_WITHIN, |line| {
            serde_json::from_str::<Value>(line).ok().filter(|event| event["event"] == "ready")
        })?;
        let address = |listener: &str| {
            let text = ready[listener].as_str();
            text.map(str::to_owned).with_context(|| format!("the gateway did not say where its {listener} listens"))
        };
        let token_file = folder.path().join("data/admin.token");
        let token = fs::read_to_string(&token_file).with_context(|| format!("reading {}", token_file.display()))?;
        let addresses = Addresses {
            http: address("http")?,
            mqtt: address("mqtt")?,
            admin: address("admin")?,
            token: token.trim().to_owned(),
            folder: folder.path().display().to_string(),
            binary: binary.display().to_string(),
        };
        Ok(Self { devices: Vec::new(), gateway, addresses, _folder: folder })
    }

    /// Where the gateway listens.
    pub(crate) fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Starts a simulated device and waits until it is connected.
    pub(crate) fn start_device(&mut self, workspace: &Workspace, device: &Device) -> anyhow::Result<()> {
        let arguments = ["--id", device.id, "--behaviour", device.behaviour];
        self.start(workspace, device.id, device.simulator, &arguments, device.secret)
    }

    /// Starts a simulated lamp and waits until it is connected.
    pub(crate) fn start_lamp(&mut self, workspace: &Workspace, lamp: &Lamp) -> anyhow::Result<()> {
        self.start(workspace, lamp.id, lamp.simulator, lamp.arguments, lamps::SECRET)
    }

    fn start(
        &mut self,
        workspace: &Workspace,
        id: &'static str,
        simulator: &str,
        arguments: &[&str],
        secret: &str,
    ) -> anyhow::Result<()> {
        let (host, port) = self.addresses.mqtt.rsplit_once(':').context("the MQTT address has no port")?;
        let mut command = Command::new(workspace.binary(simulator));
        command.args(["--host", host, "--port", port]).args(arguments).env("DEVICE_SECRET", secret);
        let mut running = Running::start(id, &mut command)?;
        running.wait_for(DEVICE_READY_WITHIN, |line| {
            serde_json::from_str::<Value>(line).ok().filter(|event| event["event"] == "ready")
        })?;
        eprintln!("  {id} ({simulator})");
        self.devices.push((id, running));
        Ok(())
    }

    /// Waits until a device says that it has that level.
    pub(crate) fn wait_for_level(&mut self, id: &str, level: u32) -> anyhow::Result<()> {
        let found = self.devices.iter_mut().find(|(name, _)| *name == id);
        let (_, device) = found.with_context(|| format!("there is no device {id}"))?;
        let is_so = |event: &Value| event["event"] == "has" && event["values"]["level"] == level;
        let said = |line: &str| serde_json::from_str::<Value>(line).ok().filter(is_so);
        device.wait_for(DEVICE_READY_WITHIN, said).with_context(|| format!("{id} was not set to level {level}"))?;
        Ok(())
    }

    /// Fails when one of the processes has ended.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        self.gateway.check()?;
        self.devices.iter_mut().try_for_each(|(_, device)| device.check())
    }
}

/// Every listener on a port that the system chooses, so that the demonstration disturbs nothing that runs. Plugin calls
/// may take longer than by default, because the machine may still be busy with what was just built.
fn configuration(workspace: &Workspace) -> anyhow::Result<String> {
    let plugins = workspace.plugins();
    let plugins = plugins.to_str().context("the path of the plugin folder is not UTF-8")?;
    Ok(format!(
        "data_dir = \"data\"\n\n\
         [http]\nlisten = \"127.0.0.1:0\"\n\n\
         [mqtt]\nlisten = \"127.0.0.1:0\"\ndialects = [\"huawei-iotda\", \"emqx-fleets\", \"connio\", \
         \"the-things-stack\", \"chirpstack\", \"devicehive\"]\n\n\
         [admin]\nlisten = \"127.0.0.1:0\"\n\n\
         [plugins]\nfolder = {plugins:?}\ndeadline_ms = 5000\n\
         grants = [\"devices\", \"executions\", \"documents\", \"sessions\", \"outbox\", \"events\", \"credentials\", \"asks\"]\n\n[log]\nfilter = \"warn\"\n"
    ))
}
