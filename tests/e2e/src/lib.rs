//! What the end-to-end tests stand on: a daemon per test in a folder of its own, clients of its APIs, and devices on
//! real sockets.
//!
//! Nothing here builds anything: `cargo xtask test` builds the daemon and the plugins first. Tests wait for events or
//! poll with a time-out; none asserts on a pause.
//!
//! Devices are at the embedded broker or at a mosquitto, as [`Site`] says; the tests are the same.

pub mod admin;
mod compiled;
pub mod connio;
pub mod daemon;
pub mod devicehive;
pub mod devices;
pub mod external_broker;
pub mod fleets;
pub mod harm;
pub mod http;
pub mod huawei;
pub mod lamps;
pub mod metrics;
pub mod mosquitto;
pub mod mqtt;
pub mod paths;
pub mod simulator;
pub mod site;
pub mod target;
pub mod tokens;
pub mod tts;
pub mod wait;
pub mod world;

pub use admin::Admin;
pub use connio::Connio;
pub use daemon::Daemon;
pub use devicehive::DeviceHive;
pub use fleets::Fleets;
pub use http::Answer;
pub use huawei::Huawei;
pub use simulator::Simulator;
pub use site::Site;
pub use target::Target;
pub use tts::Tts;
pub use world::World;
