//! A mosquitto of the test's own, with the files of `examples/mosquitto`, that can be killed, paused and started again.

use crate::devices::{self, secret};
use crate::lamps::{self, Side};
use crate::{paths, wait};
use anyhow::{Context, ensure};
use dragoman_simulators::huawei::{self, FIXED_HOUR};
use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// Where Debian puts it, which is not in everybody's path.
const DEBIAN: &str = "/usr/sbin/mosquitto";
/// Port of the example.
const EXAMPLE_PORT: &str = "1884";
/// The gateway's password there.
const GATEWAY_PASSWORD: &str = "gateway-secret";
/// Things of Fleets that tests add: `thing-0` and so on.
const THINGS: usize = 10;

/// A broker on loopback. Dropping it kills the process.
pub struct Mosquitto {
    folder: TempDir,
    port: u16,
    process: Option<Child>,
}

impl Mosquitto {
    /// Starts one on a free port and waits until it listens. Every device of the tests may come, and each may speak and
    /// hear as the example's `acl` says.
    ///
    /// # Errors
    /// When it is not installed or does not listen soon.
    pub async fn start() -> anyhow::Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).context("a free port")?.port();
        let folder = tempfile::Builder::new().prefix("dragoman-mosquitto-").tempdir().context("making a folder")?;
        fs::create_dir(folder.path().join("data")).context("making the folder of its data")?;
        let example_of = |file| example(file).map(|text| text.replace(EXAMPLE_PORT, &port.to_string()));
        // Started by root it would become somebody else, who may not read this folder.
        let configuration = format!("{}\nuser root\n", example_of("mosquitto.conf")?);
        for (file, text) in [("mosquitto.conf", configuration), ("acl", example_of("acl")?)] {
            fs::write(folder.path().join(file), text).with_context(|| format!("writing {file}"))?;
        }
        fs::write(folder.path().join("gateway.password"), GATEWAY_PASSWORD).context("writing the password")?;
        let passwords = folder.path().join("passwords");
        fs::write(&passwords, users()).context("writing the passwords")?;
        let hashed = Command::new("mosquitto_passwd").arg("-U").arg(&passwords).status().await;
        ensure!(hashed.context("running mosquitto_passwd; is mosquitto installed?")?.success(), "no passwords");
        let mut started = Self { folder, port, process: None };
        started.start_again().await?;
        Ok(started)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The sections `[brokers.…]` of the example, for this broker.
    ///
    /// # Errors
    /// When the example has none.
    pub fn brokers(&self) -> anyhow::Result<String> {
        let text = example("dragoman.toml")?;
        let (_, brokers) = text.split_once("[brokers.").context("the example has no section [brokers.…]")?;
        let password = self.folder.path().join("gateway.password");
        let named = format!("{:?}", password.to_str().context("a path is not UTF-8")?);
        let brokers = brokers.replace("\"gateway.password\"", &named);
        Ok(format!("[brokers.{}", brokers.replace(EXAMPLE_PORT, &self.port.to_string())))
    }

    /// Changes one of its files from the next start on: `mosquitto.conf` or `acl`.
    ///
    /// # Errors
    /// When the file does not say what is to be replaced.
    pub fn rewrite(&mut self, file: &str, from: &str, to: &str) -> anyhow::Result<()> {
        let path = self.folder.path().join(file);
        let text = fs::read_to_string(&path).with_context(|| format!("reading {file}"))?;
        ensure!(text.contains(from), "{file} does not say {from}");
        fs::write(&path, text.replace(from, to)).with_context(|| format!("writing {file}"))
    }

    /// Kills it with SIGKILL. It keeps what it wrote down before.
    ///
    /// # Errors
    /// When it was not running.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        let mut process = self.process.take().context("mosquitto is not running")?;
        process.kill().await.context("killing mosquitto")
    }

    /// Tells it to stop, as a service manager does, and waits for that. It writes down what it has.
    ///
    /// # Errors
    /// When it was not running, or does not stop soon.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        self.signal("-TERM").await?;
        let mut process = self.process.take().context("mosquitto is not running")?;
        tokio::time::timeout(wait::SOON, process.wait()).await.context("mosquitto does not stop")??;
        Ok(())
    }

    /// Lets it stand still: its connections stay, and nothing is read or answered.
    ///
    /// # Errors
    /// When it was not running.
    pub async fn pause(&self) -> anyhow::Result<()> {
        self.signal("-STOP").await
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// When it was not running.
    pub async fn go_on(&self) -> anyhow::Result<()> {
        self.signal("-CONT").await
    }

    /// Starts it again on the same port and the same data.
    ///
    /// # Errors
    /// When it is running, not installed, or does not listen soon.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        ensure!(self.process.is_none(), "mosquitto is still running");
        let binary = if Path::new(DEBIAN).exists() { PathBuf::from(DEBIAN) } else { PathBuf::from("mosquitto") };
        let log = fs::OpenOptions::new().create(true).append(true).open(self.log_file()).context("opening its log")?;
        let process = Command::new(binary)
            .args(["-c", "mosquitto.conf"])
            .current_dir(self.folder.path())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("mosquitto does not start; is it installed (apt-get install mosquitto)?")?;
        self.process = Some(process);
        wait::until("mosquitto listens", wait::SOON, || async {
            Ok(TcpStream::connect(("127.0.0.1", self.port)).await.ok().map(drop))
        })
        .await
        .with_context(|| format!("its log says: {}", self.log()))
    }

    /// What it logged.
    pub fn log(&self) -> String {
        fs::read(self.log_file()).map(|text| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default()
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("mosquitto.log")
    }

    async fn signal(&self, signal: &str) -> anyhow::Result<()> {
        let pid = self.process.as_ref().and_then(Child::id).context("mosquitto is not running")?;
        let told = Command::new("kill").args([signal, &pid.to_string()]).status().await.context("running kill")?;
        ensure!(told.success(), "kill {signal} {pid} failed");
        Ok(())
    }
}

fn example(file: &str) -> anyhow::Result<String> {
    let path = paths::repository().join("examples/mosquitto").join(file);
    fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
}

/// Who may come, with passwords in the clear.
fn users() -> String {
    let mut users = format!("gateway:{GATEWAY_PASSWORD}\n");
    let mut add = |user: &str, password: &str| {
        // Writing to a text never fails.
        let _ = writeln!(users, "{user}:{password}");
    };
    let devices = devices::records().into_iter().chain(Side::ALL.iter().flat_map(|side| side.records()));
    let things = (0..THINGS).map(|number| devices::fleets_record(&format!("thing-{number}")));
    for record in devices.chain(things) {
        let id = record["id"].as_str().unwrap_or_default();
        match record["dialect"].as_str() {
            Some("huawei-iotda") => add(id, &huawei::password(&secret(id), FIXED_HOUR)),
            Some("connio") => add(&lamps::connio_key(id), &secret(id)),
            _ => add(id, &secret(id)),
        }
    }
    users
}
