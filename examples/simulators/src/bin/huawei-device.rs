//! A simulated device of Huawei IoTDA.

use clap::Parser;
use dragoman_simulators::{HuaweiFirmware, cli};

/// A simulated device of Huawei IoTDA: signs in with its HMAC, never subscribes, and answers commands.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(flatten)]
    connection: cli::Connection,
    /// Subscribe to its own topics and keep one password, for a broker that knows nothing of the platform.
    #[arg(long)]
    own_subscriptions: bool,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() -> anyhow::Result<()> {
    let Arguments { connection, own_subscriptions } = Arguments::parse();
    let firmware =
        HuaweiFirmware { device_id: connection.id.clone(), secret: connection.secret.clone(), own_subscriptions };
    cli::run(&connection, firmware).await
}
