//! A simulated device in a process of its own, which tells what happens to it line by line and is told how to behave.

use crate::paths;
use crate::wait::SOON;
use anyhow::{Context, bail};
use serde_json::Value;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::{mpsc, watch};

/// A running simulator. Dropping it kills the process.
pub struct Simulator {
    name: String,
    stdin: ChildStdin,
    events: mpsc::UnboundedReceiver<Value>,
    values: watch::Receiver<Value>,
    _process: Child,
}

impl Simulator {
    /// Starts a simulator by the name of its binary, at the broker of that port, and waits until it is connected.
    ///
    /// # Errors
    /// When it is not built, or is not connected soon.
    pub async fn start(port: u16, binary: &str, arguments: &[&str], secret: &str) -> anyhow::Result<Self> {
        let mut process = Command::new(paths::simulator(binary)?)
            .args(["--port", &port.to_string()])
            .args(arguments)
            .env("DEVICE_SECRET", secret)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {binary}"))?;
        let stdin = process.stdin.take().context("the simulator has no standard input")?;
        let stdout = process.stdout.take().context("the simulator has no standard output")?;
        let (tell, events) = mpsc::unbounded_channel();
        let (has, values) = watch::channel(Value::Null);
        tokio::spawn(async move {
            let mut lines = BufReader::new(stdout).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let event: Value = serde_json::from_str(&line).unwrap_or_default();
                if event["event"] == "has" {
                    has.send_replace(event["values"].clone());
                }
                if tell.send(event).is_err() {
                    return;
                }
            }
        });
        let mut simulator = Self { name: binary.to_owned(), stdin, events, values, _process: process };
        simulator.event("ready").await?;
        Ok(simulator)
    }

    /// Waits for the next event of that name; those before it are passed over.
    ///
    /// # Errors
    /// When the device is refused or ends, or it does not happen soon.
    pub async fn event(&mut self, name: &str) -> anyhow::Result<Value> {
        let found = tokio::time::timeout(SOON, async {
            while let Some(event) = self.events.recv().await {
                if event["event"] == name {
                    return Ok(event);
                }
                if event["event"] == "refused" {
                    bail!("the broker refused {}: {event}", self.name);
                }
            }
            bail!("{} ended", self.name)
        });
        found.await.with_context(|| format!("{} did not say {name:?} soon", self.name))?
    }

    /// Lets the device behave otherwise from now on, by the name of a behaviour.
    ///
    /// # Errors
    /// When it ended, or does not know the name.
    pub async fn behave(&mut self, behaviour: &str) -> anyhow::Result<()> {
        self.stdin.write_all(format!("{behaviour}\n").as_bytes()).await.context("telling the simulator")?;
        self.stdin.flush().await.context("telling the simulator")?;
        self.event("behaves").await.map(drop)
    }

    /// Waits until the device has that value.
    ///
    /// # Errors
    /// When it does not have it soon.
    pub async fn has(&mut self, name: &str, value: &Value) -> anyhow::Result<()> {
        let found = tokio::time::timeout(SOON, self.values.wait_for(|values| values[name] == *value)).await;
        let is_there = matches!(&found, Ok(Ok(_)));
        drop(found);
        anyhow::ensure!(is_there, "{} was not set to {name} = {value}; it has {}", self.name, self.value(name));
        Ok(())
    }

    /// What the device has for that name now.
    pub fn value(&self, name: &str) -> Value {
        self.values.borrow()[name].clone()
    }
}
