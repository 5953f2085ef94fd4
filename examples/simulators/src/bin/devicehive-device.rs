//! A simulated device of DeviceHive.

use clap::Parser;
use dragoman_simulators::{DeviceHiveFirmware, cli};

/// A simulated device of DeviceHive: signs in as a user, listens to its commands and updates them.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(flatten)]
    connection: cli::Connection,
    /// Login of the user as whom it signs in; the device id unless given.
    #[arg(long)]
    login: Option<String>,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() -> anyhow::Result<()> {
    let Arguments { connection, login } = Arguments::parse();
    let firmware = DeviceHiveFirmware {
        device_id: connection.id.clone(),
        login: login.unwrap_or_else(|| connection.id.clone()),
        secret: connection.secret.clone(),
    };
    cli::run(&connection, firmware).await
}
