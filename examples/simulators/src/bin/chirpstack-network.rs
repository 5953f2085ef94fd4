//! A simulated ChirpStack network server with one LoRaWAN lamp.

use clap::Parser;
use dragoman_simulators::chirpstack::{Class, NetworkServer};
use dragoman_simulators::cli;
use std::time::Duration;

/// A simulated ChirpStack network server with one LoRaWAN lamp: takes downlinks and tells what became of them.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(flatten)]
    connection: cli::Connection,
    /// ChirpStack's application of the lamp.
    #[arg(long, default_value = "ca739e26-7b67-4f14-b69e-d568c22a5a75")]
    application: String,
    /// EUI of the lamp, 16 hexadecimal digits in lower case.
    #[arg(long, default_value = "4200000000000000")]
    dev_eui: String,
    /// When the lamp listens.
    #[arg(long, value_enum, default_value_t = Class::A)]
    class: Class,
    /// How often the lamp speaks, in milliseconds.
    #[arg(long, default_value_t = 5_000)]
    uplink_every_ms: u64,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() -> anyhow::Result<()> {
    let Arguments { connection, application, dev_eui, class, uplink_every_ms } = Arguments::parse();
    let server = NetworkServer::new(&application, &dev_eui, class, connection.behaviour);
    cli::run_network(&connection, server, Duration::from_millis(uplink_every_ms.max(1))).await
}
