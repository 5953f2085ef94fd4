//! A daemon with the devices and the credentials that most tests use.

use crate::daemon::Daemon;
use crate::devices;
use crate::{Admin, Fleets, Huawei, tokens};
use dragoman_simulators::{Behaviour, Device};

pub use crate::tokens::{FLEETS_KEY, HUAWEI_TOKEN};

/// A daemon and the clients of its APIs.
pub struct World {
    /// The daemon.
    pub daemon: Daemon,
    /// The operator.
    pub admin: Admin,
    /// An application of Fleets.
    pub fleets: Fleets,
    /// An application of IoTDA.
    pub huawei: Huawei,
}

impl World {
    /// Starts a daemon and registers every device of [`devices`] and every credential of
    /// [`tokens`].
    ///
    /// # Errors
    /// When anything of that fails.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_with("").await
    }

    /// The same, with TOML added to the daemon's configuration.
    ///
    /// # Errors
    /// When anything of that fails.
    pub async fn start_with(extra: &str) -> anyhow::Result<Self> {
        let daemon = Daemon::start(extra).await?;
        let admin = Admin::of(&daemon)?;
        for device in devices::records() {
            admin.add_device(&device).await?;
        }
        tokens::register(&admin).await?;
        let fleets = Fleets::new(&daemon, FLEETS_KEY.0, FLEETS_KEY.1)?;
        let huawei = Huawei::new(&daemon, HUAWEI_TOKEN.1)?;
        Ok(Self { daemon, admin, fleets, huawei })
    }

    /// Connects a registered thing of Fleets.
    ///
    /// # Errors
    /// When the broker refuses it.
    pub async fn thing(&self, id: &str, behaviour: Behaviour) -> anyhow::Result<Device> {
        devices::connect(&self.daemon, devices::fleets_firmware(id), behaviour).await
    }

    /// Connects a registered device of IoTDA.
    ///
    /// # Errors
    /// When the broker refuses it.
    pub async fn device(&self, id: &str, behaviour: Behaviour) -> anyhow::Result<Device> {
        devices::connect(&self.daemon, devices::huawei_firmware(&self.daemon, id), behaviour).await
    }
}
