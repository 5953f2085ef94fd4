//! A simulated thing of EMQX Fleets.

use clap::Parser;
use dragoman_simulators::{FleetsFirmware, cli};

/// A simulated thing of EMQX Fleets: connects, subscribes to its command requests and answers them.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(flatten)]
    connection: cli::Connection,
    /// MQTT client id of the thing; its name unless given.
    #[arg(long)]
    client_id: Option<String>,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() -> anyhow::Result<()> {
    let Arguments { connection, client_id } = Arguments::parse();
    let firmware = FleetsFirmware {
        thing: connection.id.clone(),
        client_id: client_id.unwrap_or_else(|| connection.id.clone()),
        secret: connection.secret.clone(),
    };
    cli::run(&connection, firmware).await
}
