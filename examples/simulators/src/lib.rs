//! Simulated devices that speak to the gateway as real firmware does: over a TCP socket, in MQTT 3.1.1.
//!
//! [`model`] is what a device does with a command and knows no protocol; [`connio`], [`fleets`] and [`huawei`] are
//! firmwares around it; [`device`] is the connection that carries each. The binaries `connio-device`, `fleets-device` and
//! `huawei-device` run one device each; the end-to-end tests run the same code in their own process.

pub mod cli;
pub mod connio;
pub mod device;
pub mod fleets;
pub mod huawei;
pub mod model;

pub use connio::ConnioFirmware;
pub use device::{Device, DeviceEvent, Firmware, Login, Publish};
pub use fleets::FleetsFirmware;
pub use huawei::HuaweiFirmware;
pub use model::{Behaviour, Command, Model, Verdict};
