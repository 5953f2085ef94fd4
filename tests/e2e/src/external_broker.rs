//! A mosquitto of the test's own, as an operator runs one, that can be killed and started again.

use crate::wait;
use anyhow::{Context, ensure};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// Where Debian puts it, which is not in everybody's path.
const DEBIAN: &str = "/usr/sbin/mosquitto";

/// A broker on loopback that lets everybody in. Dropping it kills the process.
pub struct Mosquitto {
    folder: TempDir,
    port: u16,
    process: Option<Child>,
}

impl Mosquitto {
    /// Starts one on a free port and waits until it listens.
    ///
    /// # Errors
    /// When it is not installed or does not listen soon.
    pub async fn start() -> anyhow::Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).context("a free port")?.port();
        let folder = tempfile::Builder::new().prefix("dragoman-mosquitto-").tempdir().context("making a folder")?;
        let text = format!("listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n");
        std::fs::write(folder.path().join("mosquitto.conf"), text).context("writing its configuration")?;
        let mut started = Self { folder, port, process: None };
        started.start_again().await?;
        Ok(started)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Kills it with SIGKILL. It has kept nothing.
    ///
    /// # Errors
    /// When it was not running.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        let mut process = self.process.take().context("mosquitto is not running")?;
        process.kill().await.context("killing mosquitto")
    }

    /// Starts it again on the same port.
    ///
    /// # Errors
    /// When it is running, not installed, or does not listen soon.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        ensure!(self.process.is_none(), "mosquitto is still running");
        let binary = if Path::new(DEBIAN).exists() { PathBuf::from(DEBIAN) } else { PathBuf::from("mosquitto") };
        let process = Command::new(binary)
            .arg("-c")
            .arg(self.folder.path().join("mosquitto.conf"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("mosquitto does not start; is it installed (apt-get install mosquitto)?")?;
        self.process = Some(process);
        wait::until("mosquitto listens", wait::SOON, || async {
            Ok(TcpStream::connect(("127.0.0.1", self.port)).await.ok().map(drop))
        })
        .await
    }
}
