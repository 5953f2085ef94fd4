//! Where the devices of the tests are: the same tests run with them at the embedded broker and at a mosquitto.

use std::env;

/// The profile of nextest under which devices are at a mosquitto; nextest tells tests its name.
const PROFILE: &str = "external-broker";

/// A broker for devices. Applications, and devices of DeviceHive, are at the embedded one in either case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Site {
    /// The gateway's own.
    Embedded,
    /// Debian's mosquitto with the files of `examples/mosquitto`, one for each daemon.
    Mosquitto,
}

impl Site {
    /// Of this run.
    pub fn of_this_run() -> Self {
        match env::var("NEXTEST_PROFILE").as_deref() {
            Ok(PROFILE) => Self::Mosquitto,
            _ => Self::Embedded,
        }
    }
}
