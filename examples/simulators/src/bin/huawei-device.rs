//! A simulated device of Huawei IoTDA.

use clap::Parser;
use dragoman_simulators::{HuaweiFirmware, cli};

/// A simulated device of Huawei IoTDA: signs in with its HMAC, never subscribes, and answers commands.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(flatten)]
    connection: cli::Connection,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() -> anyhow::Result<()> {
    let Arguments { connection } = Arguments::parse();
    let firmware = HuaweiFirmware { device_id: connection.id.clone(), secret: connection.secret.clone() };
    cli::run(&connection, firmware).await
}
