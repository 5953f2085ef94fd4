//! The command line that both device binaries share, and the lines they print.

use crate::device::{Device, DeviceEvent, Firmware};
use crate::model::Behaviour;
use anyhow::bail;
use serde_json::{Value, json};
use std::io::Write;

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

/// Runs a device until it is ended or refused; prints what happens, one JSON object a line.
///
/// # Errors
/// When the broker refuses the login, or nobody reads the output any more.
pub async fn run(connection: &Connection, firmware: impl Firmware) -> anyhow::Result<()> {
    let mut device = Device::start(&connection.host, connection.port, firmware, connection.behaviour);
    let mut out = std::io::stdout();
    while let Some(event) = device.next_event().await {
        writeln!(out, "{}", line(&event))?;
        out.flush()?;
        if let DeviceEvent::Refused(code) = event {
            bail!("the broker refused the login of {} with {code}; check the id and the secret", connection.id);
        }
    }
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
    }
}
