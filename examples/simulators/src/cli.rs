//! The command line that the binaries share, the lines they print, and the words they take while they run.

use crate::chirpstack::NetworkServer;
use crate::device::{Device, DeviceEvent, Firmware};
use crate::model::Behaviour;
use crate::network::{Access, Network};
use anyhow::bail;
use clap::ValueEnum;
use serde_json::{Value, json};
use std::io::{BufRead, Write};
use std::time::Duration;
use tokio::sync::mpsc;

/// Which broker, which device, and how it behaves.
#[derive(clap::Args, Clone, Debug)]
pub struct Connection {
    /// Host name or address of the gateway's MQTT listener.
    #[arg(long, default_value = "127.0.0.1")]
    pub host: String,
    /// Port of the gateway's MQTT listener.
    #[arg(long, default_value_t = 1883)]
    pub port: u16,
    /// Name of the device at its platform.
    #[arg(long)]
    pub id: String,
    /// Secret of the device.
    #[arg(long, env = "DEVICE_SECRET", hide_env_values = true)]
    pub secret: String,
    /// What the device does with a command.
    #[arg(long, value_enum, default_value_t = Behaviour::Answer)]
    pub behaviour: Behaviour,
}

/// Runs a device until it is ended or refused; prints what happens, one JSON object a line. A line on the standard input
/// that is the name of a behaviour changes the device's.
///
/// # Errors
/// When the broker refuses the login, or nobody reads the output any more.
pub async fn run(connection: &Connection, firmware: impl Firmware) -> anyhow::Result<()> {
    let mut device = Device::start(&connection.host, connection.port, firmware, connection.behaviour);
    let link = device.link.clone();
    follow(&connection.id, &mut device.events, |behaviour| link.behave(behaviour)).await
}

/// The same for a network server, whose lamp speaks in that interval.
///
/// # Errors
/// As for [`run`].
pub async fn run_network(connection: &Connection, server: NetworkServer, uplink_every: Duration) -> anyhow::Result<()> {
    let Connection { host, port, id, secret, .. } = connection.clone();
    let mut network = Network::start(&Access { host, port, user: id, password: secret }, server, uplink_every);
    let link = network.link.clone();
    follow(&connection.id, &mut network.events, |behaviour| link.behave(behaviour)).await
}

async fn follow(
    id: &str,
    events: &mut mpsc::UnboundedReceiver<DeviceEvent>,
    behave: impl Fn(Behaviour),
) -> anyhow::Result<()> {
    let mut told = behaviours();
    loop {
        tokio::select! {
            event = events.recv() => {
                let Some(event) = event else { return Ok(()) };
                print(&line(&event))?;
                if let DeviceEvent::Refused(code) = event {
                    bail!("the broker refused {id}: {code}; check the id and the secret");
                }
            }
            Some((word, behaviour)) = told.recv() => match behaviour {
                Some(behaviour) => {
                    behave(behaviour);
                    print(&json!({ "event": "behaves", "behaviour": word }))?;
                }
                None => print(&json!({ "event": "not understood", "word": word }))?,
            },
        }
    }
}

/// What is written on the standard input, line by line, and the behaviour of that name.
fn behaviours() -> mpsc::UnboundedReceiver<(String, Option<Behaviour>)> {
    let (tell, told) = mpsc::unbounded_channel();
    // Reading the standard input blocks; the thread ends with the process.
    std::thread::spawn(move || {
        for word in std::io::stdin().lock().lines().map_while(Result::ok) {
            let behaviour = Behaviour::from_str(word.trim(), true).ok();
            if tell.send((word, behaviour)).is_err() {
                return;
            }
        }
    });
    told
}

fn print(line: &Value) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{line}")?;
    out.flush()?;
    Ok(())
}

fn line(event: &DeviceEvent) -> Value {
    match event {
        DeviceEvent::Ready => json!({ "event": "ready" }),
        DeviceEvent::Refused(code) => json!({ "event": "refused", "code": code }),
        DeviceEvent::Lost(error) => json!({ "event": "lost", "error": error }),
        DeviceEvent::Received { topic, payload } => {
            json!({ "event": "received", "topic": topic, "payload": String::from_utf8_lossy(payload) })
        }
        DeviceEvent::Answered(answer) => {
            json!({ "event": "answered", "topic": answer.topic, "payload": answer.payload })
        }
        DeviceEvent::Has(values) => json!({ "event": "has", "values": values }),
    }
}
