//! ChirpStack v4, device side: LoRaWAN devices behind a network server that connects to the gateway by MQTT.
//!
//! What ChirpStack documents and what is ours is told apart in this crate's README.md.

mod admission;
mod downlink;
mod lorawan;
mod profile;
mod radio;
mod receipts;
mod settings;
mod topic;
mod uplink;

pub use lorawan::{DEV_EUI_ALIAS, SERVER_ALIAS};
pub use settings::Settings;

use dragoman_plugin_sdk::{
    Admission, Claim, Description, Device, Dispatched, Error, Execution, Gateway, Message, Plugin, Session, Southbound,
    Stage, Verdict, export_plugin,
};

/// The name under which the gateway knows this dialect.
pub const NAME: &str = "chirpstack";

/// The dialect.
#[derive(Clone, Copy, Debug)]
pub struct Chirpstack;

impl Plugin for Chirpstack {
    fn describe() -> Description {
        Description {
            name: NAME.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "ChirpStack v4: LoRaWAN devices behind a network server".to_owned(),
            claims: vec![
                Claim::Connections,
                Claim::DeviceTopic(topic::EVENTS.to_owned()),
                Claim::DeviceTopic(topic::COMMANDS.to_owned()),
            ],
            tells: Stage::Ended,
            // Commands wait in the queues of the dialects that submit them.
            queues: Vec::new(),
            credential_headers: Vec::new(),
            settings_schema: Some(settings::SCHEMA.to_owned()),
            // The network holds one item of a device ahead: an item that comes after an uplink misses its receive window.
            attributes: vec![("device.window".to_owned(), "acked".to_owned())],
        }
    }
}

impl Admission for Chirpstack {
    fn authenticate(gateway: &impl Gateway, session: &Session, _: u16, _: bool) -> Result<Verdict, Error> {
        admission::authenticate(gateway, session)
    }
}

impl Southbound for Chirpstack {
    fn dispatch(gateway: &impl Gateway, device: &Device, execution: &Execution) -> Result<Dispatched, Error> {
        downlink::dispatch(gateway, device, execution)
    }

    fn handle_message(gateway: &impl Gateway, session: &Session, message: &Message) -> Result<(), Error> {
        uplink::handle(gateway, session, message)
    }
}

export_plugin!(Chirpstack: admission, southbound);
