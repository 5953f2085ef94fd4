//! The same lamp five times, once behind each device side: its records at the gateway, with a name at every application
//! side, and the simulator that is it.
//!
//! Every lamp takes a `level` from 0 to 100, by a write of that property or by the command `set`.

use crate::daemon::Daemon;
use crate::devices::secret;
use crate::simulator::Simulator;
use crate::site::Site;
use crate::tokens::TTS_APPLICATION;
use serde_json::{Value, json};

/// EUI of the lamp behind ChirpStack.
const DEV_EUI: &str = "4200000000000000";
/// ChirpStack's application of that lamp.
const APPLICATION: &str = "ca739e26-7b67-4f14-b69e-d568c22a5a75";
/// The network server, as a device of the gateway, and its user name.
pub const NETWORK: &str = "network-1";
/// How often the lamp of class A speaks, in milliseconds.
const UPLINK_EVERY_MS: &str = "100";

/// A device side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Huawei IoTDA.
    Huawei,
    /// EMQX Fleets.
    Fleets,
    /// A LoRaWAN lamp of class A behind ChirpStack.
    ChirpStack,
    /// DeviceHive.
    DeviceHive,
    /// Connio.
    Connio,
}

impl Side {
    /// Every device side.
    pub const ALL: [Self; 5] = [Self::Huawei, Self::Fleets, Self::ChirpStack, Self::DeviceHive, Self::Connio];

    /// The lamp's id at the gateway, and its name at Huawei, Fleets, The Things Stack and DeviceHive.
    pub fn id(self) -> &'static str {
        match self {
            Self::Huawei => "lamp-huawei",
            Self::Fleets => "lamp-fleets",
            Self::ChirpStack => "lamp-chirpstack",
            Self::DeviceHive => "lamp-devicehive",
            Self::Connio => "lamp-connio",
        }
    }

    /// The lamp's id at Connio.
    pub fn connio_id(self) -> String {
        format!("_dev_{}", self.id())
    }

    /// What is registered for the lamp, in order.
    pub fn records(self) -> Vec<Value> {
        let id = self.id();
        let mut record = json!({
            "id": id,
            "aliases": {
                "huawei.id": id,
                "fleets.name": id,
                "tts.id": format!("{TTS_APPLICATION}.{id}"),
                "devicehive.id": id,
                "connio.id": self.connio_id(),
            },
        });
        let password = |id: &str| json!({ "kind": "password", "secret": secret(id) });
        match self {
            Self::Huawei => {
                record["dialect"] = json!("huawei-iotda");
                record["credential"] = json!({ "kind": "key", "secret": secret(id) });
            }
            Self::Fleets => {
                record["dialect"] = json!("emqx-fleets");
                record["credential"] = password(id);
            }
            Self::ChirpStack => {
                record["dialect"] = json!("chirpstack");
                record["handler"] = json!("lora-lamp");
                record["parent"] = json!(NETWORK);
                record["aliases"]["lorawan.dev-eui"] = json!(DEV_EUI);
                // Else a command would have to wait until the lamp was heard for the first time.
                record["labels"] = json!({ "chirpstack.application-id": APPLICATION });
                let network = json!({
                    "id": NETWORK,
                    "dialect": "chirpstack",
                    "aliases": { "chirpstack.server": NETWORK },
                    "credential": password(NETWORK),
                });
                return vec![network, record];
            }
            // A device is a user of the platform like any other; `tokens` has it.
            Self::DeviceHive => record["dialect"] = json!("devicehive"),
            Self::Connio => {
                record["dialect"] = json!("connio");
                record["credential"] = password(id);
                record["aliases"]["connio.key"] = json!(connio_key(id));
                // The lamp tells in `result` what became of a level, because the platform knows no answer.
                let feedback = json!({
                    "property": "result", "succeeded": "ok", "failed": "failed", "rejected": "rejected",
                });
                record["profile"] = json!({
                    "properties": {
                        "level": { "type": "number", "feedback": feedback },
                        "result": { "type": "string" },
                    },
                    "methods": { "set": { "property": "level", "argument": "level", "access": "public" } },
                });
            }
        }
        vec![record]
    }

    /// Where the lamp is. A device of DeviceHive is what its login says, which only the gateway itself can check.
    pub fn site(self, daemon: &Daemon) -> Site {
        if self == Self::DeviceHive { Site::Embedded } else { daemon.site() }
    }

    /// Starts the lamp, a process of its own, and waits until it is connected.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn start(self, daemon: &Daemon) -> anyhow::Result<Simulator> {
        let id = self.id();
        let secret = secret(if self == Self::ChirpStack { NETWORK } else { id });
        let (connio_id, connio_key) = (self.connio_id(), connio_key(id));
        let (binary, arguments): (_, &[&str]) = match self {
            Self::Huawei if self.site(daemon) == Site::Mosquitto => {
                ("huawei-device", &["--id", id, "--own-subscriptions"])
            }
            Self::Huawei => ("huawei-device", &["--id", id]),
            Self::Fleets => ("fleets-device", &["--id", id]),
            Self::ChirpStack => (
                "chirpstack-network",
                &[
                    "--id",
                    NETWORK,
                    "--dev-eui",
                    DEV_EUI,
                    "--application",
                    APPLICATION,
                    "--uplink-every-ms",
                    UPLINK_EVERY_MS,
                ],
            ),
            Self::DeviceHive => ("devicehive-device", &["--id", id]),
            Self::Connio => ("connio-device", &["--id", &connio_id, "--key", &connio_key]),
        };
        let port = if self.site(daemon) == Site::Mosquitto { daemon.device_port()? } else { daemon.mqtt_port()? };
        Simulator::start(port, binary, arguments, &secret).await
    }

    /// Waits until the lamp is connected again after the daemon was killed. At another's broker it was never cut off.
    ///
    /// # Errors
    /// When it is not connected soon.
    pub async fn back(self, daemon: &Daemon, lamp: &mut Simulator) -> anyhow::Result<()> {
        match self.site(daemon) {
            Site::Embedded => lamp.event("ready").await.map(drop),
            Site::Mosquitto => Ok(()),
        }
    }
}

/// Id of the key of a device of Connio, its user name.
pub fn connio_key(id: &str) -> String {
    format!("_key_{id}")
}
