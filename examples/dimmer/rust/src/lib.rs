//! Handler for the dimmer that `../README.md` describes: the same as `../javascript` and `../python`, in Rust.

mod conversation;
mod frames;

use dragoman_plugin_sdk::{
    Command, Decoded, Decoder, Delivery, Description, Device, Direction, Error, Gateway, Handler, Imports, Intent,
    Plugin, Reply, Stage, Step, export_plugin,
};

/// The handler.
#[derive(Clone, Copy, Debug)]
pub struct Dimmer;

impl Plugin for Dimmer {
    fn describe() -> Description {
        Description {
            name: "dimmer".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "Example dimmer that is set, checked and asked once more".to_owned(),
            claims: Vec::new(),
            tells: Stage::Ended,
            queues: Vec::new(),
            credential_headers: Vec::new(),
            settings_schema: Some(conversation::SETTINGS_SCHEMA.to_owned()),
            attributes: Vec::new(),
        }
    }
}

impl Handler for Dimmer {
    fn commands() -> Vec<Command> {
        vec![Command {
            name: "set".to_owned(),
            summary: "Sets the level and checks it".to_owned(),
            params_schema: Some(conversation::SET_SCHEMA.to_owned()),
        }]
    }

    fn start(_: &Device, intent: &Intent) -> Result<Step, Error> {
        conversation::start(intent, &Imports.settings())
    }

    fn resume(_: &Device, intent: &Intent, state: &str, reply: &Reply) -> Result<Step, Error> {
        conversation::resume(intent, state, reply, &Imports.settings())
    }
}

impl Decoder for Dimmer {
    fn decode(_: &Device, direction: Direction, what: &Delivery) -> Result<Decoded, Error> {
        frames::decode(direction, &what.payload, Imports.now_ms())
    }
}

export_plugin!(Dimmer: handler, decoder);
