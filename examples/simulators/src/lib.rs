//! Simulated devices that speak to the gateway as real firmware does: over a TCP socket, in MQTT 3.1.1; and a LoRaWAN
//! network with a lamp, in MQTT 5.
//!
//! [`model`] is what a device does with a command and knows no protocol; [`connio`], [`devicehive`], [`fleets`] and
//! [`huawei`] are firmwares around it; [`device`] is the connection that carries each. [`chirpstack`] is the network
//! server with its [`lamp`], [`network`] its connection. The binaries run one device each; some of the end-to-end tests
//! run the same code in their own process.

pub mod chirpstack;
pub mod cli;
pub mod connio;
pub mod device;
pub mod devicehive;
pub mod fleets;
pub mod huawei;
pub mod lamp;
pub mod model;
pub mod network;

pub use chirpstack::{Class, NetworkServer};
pub use connio::ConnioFirmware;
pub use device::{Device, DeviceEvent, Firmware, Login, Publish};
pub use devicehive::DeviceHiveFirmware;
pub use fleets::FleetsFirmware;
pub use huawei::HuaweiFirmware;
pub use model::{Behaviour, Command, Model, Verdict};
