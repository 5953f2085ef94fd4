//! A simulated device of Connio.

use clap::Parser;
use dragoman_simulators::{ConnioFirmware, cli};

/// A simulated device of Connio: connects with its key, listens to its properties and tells what became of them.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(flatten)]
    connection: cli::Connection,
    /// Id of the device's key, the user name.
    #[arg(long)]
    key: String,
    /// The platform's name in the topics: connio or csipio.
    #[arg(long, default_value = "connio")]
    brand: String,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() -> anyhow::Result<()> {
    let Arguments { connection, key, brand } = Arguments::parse();
    let firmware =
        ConnioFirmware { device_id: connection.id.clone(), key_id: key, secret: connection.secret.clone(), brand };
    cli::run(&connection, firmware).await
}
