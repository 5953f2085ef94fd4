//! Mosquitto's own clients, as a distribution has them, run by the lines that people type.

use crate::daemon::Daemon;
use crate::wait::SOON;
use anyhow::{Context, bail, ensure};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// A message as `mosquitto_sub -d` prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Printed {
    /// Topic.
    pub topic: String,
    /// Quality of service, `q0` or `q1`.
    pub qos: String,
    /// Payload; these tests have no line feeds in theirs.
    pub payload: String,
}

/// A running `mosquitto_sub -d`. Dropping it kills the process, so that its connection ends without DISCONNECT.
pub struct Listening {
    lines: Lines<BufReader<ChildStdout>>,
    process: Child,
}

impl Listening {
    /// Runs a line of the shell that begins with `mosquitto_sub` and has `-d` in it, on the daemon's port, and waits until
    /// it is subscribed.
    ///
    /// # Errors
    /// When the program is not installed, ends, or is not subscribed soon.
    pub async fn start(daemon: &Daemon, line: &str) -> anyhow::Result<Self> {
        let mut process =
            shell(daemon, line)?.stdout(Stdio::piped()).spawn().with_context(|| format!("running {line}"))?;
        let stdout = process.stdout.take().context("mosquitto_sub has no standard output")?;
        let mut listening = Self { lines: BufReader::new(stdout).lines(), process };
        let granted = listening.line("a SUBACK", |line| line.starts_with("Subscribed ")).await?;
        ensure!(!granted.ends_with("128"), "{line} was not granted what it asked for: {granted}");
        Ok(listening)
    }

    /// Waits for the next message.
    ///
    /// # Errors
    /// When none comes soon.
    pub async fn message(&mut self) -> anyhow::Result<Printed> {
        let header = self.line("a message", |line| line.contains(" received PUBLISH (")).await?;
        let payload = self.line("its payload", |line| !line.starts_with("Client ")).await?;
        // Client ID received PUBLISH (d0, q0, r0, m0, 'TOPIC', ... (4 bytes))
        let topic = header.split('\'').nth(1).context("the line names no topic")?.to_owned();
        let qos = header.split(", ").nth(1).context("the line names no QoS")?.to_owned();
        Ok(Printed { topic, qos, payload })
    }

    /// Kills the process, as when a device loses its power.
    ///
    /// # Errors
    /// When it had ended.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        self.process.kill().await.context("killing mosquitto_sub")
    }

    async fn line(&mut self, what: &str, is_it: impl Fn(&str) -> bool) -> anyhow::Result<String> {
        let found = tokio::time::timeout(SOON, async {
            while let Some(line) = self.lines.next_line().await? {
                if is_it(&line) {
                    return Ok(line);
                }
            }
            bail!("mosquitto_sub ended")
        });
        found.await.with_context(|| format!("mosquitto_sub waited in vain for {what}"))?
    }
}

/// Runs a line of the shell that begins with `mosquitto_pub`, on the daemon's port, to its end. Gives what it printed.
///
/// # Errors
/// When the program is not installed, fails, or does not end soon.
pub async fn publish(daemon: &Daemon, line: &str) -> anyhow::Result<String> {
    let output =
        tokio::time::timeout(SOON, shell(daemon, line)?.output()).await.context("mosquitto_pub did not end")??;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{line} failed with {}: {printed}{error}", output.status);
    Ok(printed)
}

/// The line with the daemon's port behind it. The program takes the place of the shell, so that it is what is killed, and
/// its output comes line by line, which it does by itself on a terminal only.
fn shell(daemon: &Daemon, line: &str) -> anyhow::Result<Command> {
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg(format!("exec stdbuf -oL {line} -p {}", daemon.mqtt_port()?))
        .stdin(Stdio::null())
        .kill_on_drop(true);
    Ok(command)
}
