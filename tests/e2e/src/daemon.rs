//! A real daemon in a process of its own, with a folder of its own, that can be killed and started again.

use crate::compiled;
use crate::external_broker::Mosquitto;
use crate::paths;
use crate::site::Site;
use anyhow::{Context, bail, ensure};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// The first start compiles every plugin, perhaps beside other tests that do the same.
const READY_WITHIN: Duration = Duration::from_secs(120);
/// Who is asked about a client of the embedded broker, in order. DeviceHive also takes clients without a user name.
const DIALECTS: &str = r#"["huawei-iotda", "emqx-fleets", "connio", "the-things-stack", "chirpstack", "devicehive"]"#;
/// All that there is to grant: these tests are about something else.
const GRANTS: &str = r#"["devices", "executions", "documents", "sessions", "outbox", "events", "credentials", "asks"]"#;
/// Of the daemon's log, what is shown when a test fails.
const LOG_LINES_SHOWN: usize = 60;

/// A daemon. Dropping it kills the process and removes the folder.
pub struct Daemon {
    folder: TempDir,
    binary: PathBuf,
    /// Its configuration with the addresses of [`Listeners::default`].
    template: String,
    listeners: Listeners,
    process: Option<Child>,
    mosquitto: Option<Mosquitto>,
}

/// `address:port` of each listener.
#[derive(Clone, Debug)]
pub struct Listeners {
    /// The dialects' HTTP APIs.
    pub http: String,
    /// The embedded broker.
    pub mqtt: String,
    /// The admin API.
    pub admin: String,
    /// Further listeners of the embedded broker, by name; they take a free port at each start.
    pub further: BTreeMap<String, String>,
}

impl Default for Listeners {
    /// Where the examples listen.
    fn default() -> Self {
        let at = |port: u16| format!("127.0.0.1:{port}");
        Self { http: at(8080), mqtt: at(1883), admin: at(8081), further: BTreeMap::new() }
    }
}

impl Daemon {
    /// Starts a daemon with an empty store and waits until it is ready. `extra` is TOML that is added to its
    /// configuration, e.g. settings of a plugin. Where this run has its devices at a mosquitto, that is started first.
    ///
    /// # Errors
    /// When it is not built, does not start, or is not ready in time.
    pub async fn start(extra: &str) -> anyhow::Result<Self> {
        Self::start_changed(extra, |configuration| configuration).await
    }

    /// The same, with what `change` makes of the configuration, for keys of sections that it has already.
    ///
    /// # Errors
    /// As for [`Daemon::start`].
    pub async fn start_changed(extra: &str, change: impl FnOnce(String) -> String) -> anyhow::Result<Self> {
        let (mosquitto, brokers) = match Site::of_this_run() {
            Site::Embedded => (None, String::new()),
            Site::Mosquitto => {
                let mosquitto = Mosquitto::start().await?;
                let brokers = mosquitto.brokers()?;
                (Some(mosquitto), brokers)
            }
        };
        let Listeners { http, mqtt, admin, .. } = Listeners::default();
        let plugins = toml_path(&paths::plugins()?)?;
        // Tests share the processor with other tests, so a plugin call may take longer than the default allows.
        let template = format!(
            "data_dir = \"data\"\n\n[http]\nlisten = \"{http}\"\nshutdown_grace_ms = 3000\n\n\
             [mqtt]\nlisten = \"{mqtt}\"\ndialects = {DIALECTS}\n\n\
             [admin]\nlisten = \"{admin}\"\n\n[plugins]\nfolder = {plugins}\ndeadline_ms = 5000\ngrants = {GRANTS}\n\n{extra}\n\n{brokers}\n"
        );
        Self::start_from(change(template), mosquitto).await
    }

    /// Starts a daemon with the configuration of an example. Only its ports, its data and the place of the plugins are
    /// others.
    ///
    /// # Errors
    /// When the example does not have what is to be replaced, or as for [`Daemon::start`].
    pub async fn start_example(name: &str) -> anyhow::Result<Self> {
        let file = paths::repository().join("examples").join(name).join("dragoman.toml");
        let mut text = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
        for (from, to) in [
            (format!("\"../../target/examples/{name}\""), "\"data\"".to_owned()),
            ("\"../../target/plugins\"".to_owned(), toml_path(&paths::plugins()?)?),
        ] {
            ensure!(text.contains(&from), "{} does not say {from}", file.display());
            text = text.replace(&from, &to);
        }
        Self::start_from(text, None).await
    }

    async fn start_from(template: String, mosquitto: Option<Mosquitto>) -> anyhow::Result<Self> {
        let any = || "127.0.0.1:0".to_owned();
        let mut daemon = Self {
            folder: tempfile::Builder::new().prefix("dragoman-e2e-").tempdir().context("making a folder")?,
            binary: paths::daemon()?,
            template,
            listeners: Listeners { http: any(), mqtt: any(), admin: any(), further: BTreeMap::new() },
            process: None,
            mosquitto,
        };
        let data = daemon.folder.path().join("data");
        compiled::give(&data)?;
        daemon.run().await?;
        compiled::keep(&data)?;
        // From now on the file names the real ports, for the command line and for the next start.
        fs::write(daemon.config(), daemon.configuration()?).context("writing the configuration")?;
        Ok(daemon)
    }

    /// Kills the process with SIGKILL, as a power switch would; the folder stays.
    ///
    /// # Errors
    /// When it was not running.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        let mut process = self.process.take().context("the daemon is not running")?;
        process.kill().await.context("killing the daemon")
    }

    /// Tells it to stop, as a service manager would. It may take as long as its grace.
    ///
    /// # Errors
    /// When it was not running.
    pub async fn terminate(&self) -> anyhow::Result<()> {
        let pid = self.pid().context("the daemon is not running")?;
        let told = Command::new("kill").args(["-TERM", &pid.to_string()]).status().await.context("running kill")?;
        ensure!(told.success(), "kill -TERM {pid} failed");
        Ok(())
    }

    /// Waits until it ended by itself.
    ///
    /// # Errors
    /// When it was not running, does not end in time, or ends with an error.
    pub async fn ended(&mut self) -> anyhow::Result<()> {
        let mut process = self.process.take().context("the daemon is not running")?;
        let status = tokio::time::timeout(crate::wait::SOON, process.wait())
            .await
            .context("the daemon does not stop")?
            .context("waiting for the daemon")?;
        ensure!(status.success(), "the daemon ended with {status}");
        Ok(())
    }

    /// Starts it again on the same data and the same ports.
    ///
    /// # Errors
    /// When it is still running, or not ready in time.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        ensure!(self.process.is_none(), "the daemon is still running");
        self.run().await
    }

    /// Changes its configuration from the next start on.
    ///
    /// # Errors
    /// When the configuration does not say what is to be replaced.
    pub fn reconfigure(&mut self, from: &str, to: &str) -> anyhow::Result<()> {
        ensure!(self.template.contains(from), "the configuration does not say {from}");
        self.template = self.template.replace(from, to);
        Ok(())
    }

    /// Gives it a plugin folder of its own, with copies of the built plugins, from the next start on.
    ///
    /// # Errors
    /// When they are not built or cannot be copied.
    pub fn own_plugins(&mut self) -> anyhow::Result<PathBuf> {
        let (built, own) = (paths::plugins()?, self.folder.path().join("plugins"));
        fs::create_dir_all(&own).context("making a plugin folder")?;
        for file in fs::read_dir(&built).context("reading the built plugins")? {
            let file = file.context("reading the built plugins")?;
            fs::copy(file.path(), own.join(file.file_name())).context("copying a plugin")?;
        }
        self.reconfigure(&toml_path(&built)?, &toml_path(&own)?)?;
        Ok(own)
    }

    /// Where it listens; the same after every start.
    pub fn listeners(&self) -> &Listeners {
        &self.listeners
    }

    /// Port of the embedded broker.
    ///
    /// # Errors
    /// When the daemon reported something that is no address.
    pub fn mqtt_port(&self) -> anyhow::Result<u16> {
        let port = self.listeners.mqtt.rsplit_once(':').map(|(_, port)| port).context("the address has no port")?;
        port.parse().context("the port is no number")
    }

    /// Where its devices are, but those of DeviceHive.
    pub fn site(&self) -> Site {
        if self.mosquitto.is_some() { Site::Mosquitto } else { Site::Embedded }
    }

    /// The broker at which its devices are, where that is not the embedded one.
    ///
    /// # Errors
    /// When it is the embedded one.
    pub fn mosquitto(&mut self) -> anyhow::Result<&mut Mosquitto> {
        self.mosquitto.as_mut().context("the devices of this run are at the embedded broker")
    }

    /// Port of the broker at which its devices are.
    ///
    /// # Errors
    /// When the daemon reported something that is no address.
    pub fn device_port(&self) -> anyhow::Result<u16> {
        self.mosquitto.as_ref().map_or_else(|| self.mqtt_port(), |mosquitto| Ok(mosquitto.port()))
    }

    /// Process id while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().and_then(Child::id)
    }

    /// Resident memory of the process, in bytes, as the kernel counts it.
    ///
    /// # Errors
    /// When the daemon does not run.
    pub fn resident_bytes(&self) -> anyhow::Result<u64> {
        let pid = self.pid().context("the daemon is not running")?;
        let status = fs::read_to_string(format!("/proc/{pid}/status")).context("reading the status of the process")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS in the status")?;
        let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().context("VmRSS is no number")?;
        Ok(kib * 1024)
    }

    /// Folder of its configuration, data and log.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its configuration file.
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("dragoman.toml")
    }

    /// Token of the admin API.
    ///
    /// # Errors
    /// When the daemon did not write it.
    pub fn admin_token(&self) -> anyhow::Result<String> {
        let file = self.folder.path().join("data/admin.token");
        let token = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
        Ok(token.trim().to_owned())
    }

    /// Runs the binary as a command-line client of this daemon. Gives what it printed.
    ///
    /// # Errors
    /// When it ends with anything but success.
    pub async fn cli(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = Command::new(&self.binary)
            .args(arguments)
            .env("DRAGOMAN_ADMIN", format!("http://{}", self.listeners.admin))
            .env("DRAGOMAN_ADMIN_TOKEN", self.admin_token()?)
            .stdin(Stdio::null())
            .output()
            .await
            .context("running the command line")?;
        if !output.status.success() {
            let error = String::from_utf8_lossy(&output.stderr);
            bail!("`dragoman {}` failed with {}: {error}", arguments.join(" "), output.status);
        }
        String::from_utf8(output.stdout).context("the output is not UTF-8")
    }

    /// The newest lines of its log.
    pub fn log_tail(&self) -> String {
        let text = fs::read(self.log_file()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n")
    }

    async fn run(&mut self) -> anyhow::Result<()> {
        fs::write(self.config(), self.configuration()?).context("writing the configuration")?;
        let log = fs::OpenOptions::new().create(true).append(true).open(self.log_file()).context("opening the log")?;
        let mut process = Command::new(&self.binary)
            .arg("serve")
            .arg("--config")
            .arg(self.config())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {}", self.binary.display()))?;
        let stdout = process.stdout.take().context("the daemon has no standard output")?;
        self.process = Some(process);
        let mut lines = BufReader::new(stdout).lines();
        let ready = tokio::time::timeout(READY_WITHIN, async {
            while let Some(line) = lines.next_line().await? {
                let event: Value = serde_json::from_str(&line).unwrap_or(Value::Null);
                if event["event"] == "ready" {
                    return Ok(event);
                }
            }
            bail!("the daemon ended before it was ready:\n{}", self.log_tail())
        })
        .await
        .with_context(|| format!("not ready within {} s:\n{}", READY_WITHIN.as_secs(), self.log_tail()))??;
        let address =
            |name: &str| ready[name].as_str().map(str::to_owned).with_context(|| format!("no {name} in {ready}"));
        let further = serde_json::from_value(ready["mqtt_listeners"].clone()).context("reading further listeners")?;
        self.listeners =
            Listeners { http: address("http")?, mqtt: address("mqtt")?, admin: address("admin")?, further };
        // A daemon that prints more must not stop because nobody reads.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(())
    }

    fn configuration(&self) -> anyhow::Result<String> {
        let (from, to) = (Listeners::default(), &self.listeners);
        let mut text = self.template.clone();
        for (from, to) in [(from.http, &to.http), (from.mqtt, &to.mqtt), (from.admin, &to.admin)] {
            ensure!(text.contains(&from), "the configuration does not say {from}");
            text = text.replace(&from, to);
        }
        Ok(text)
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("daemon.log")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the daemon's log ends with:\n{}", self.log_tail());
        }
    }
}

/// A path as a string of TOML.
fn toml_path(path: &Path) -> anyhow::Result<String> {
    let path = path.canonicalize().with_context(|| format!("looking for {}", path.display()))?;
    Ok(format!("{:?}", path.to_str().context("a path is not UTF-8")?))
}
