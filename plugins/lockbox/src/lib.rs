//! Handler for an example device: a box whose level can be set only while it is unlocked. One command, `setLevel`,
//! becomes three steps, each a message and a reply; README.md draws them. Everything else passes through as it is. All
//! frames are intents, so the box may speak any dialect.

mod conversation;
mod params;

use dragoman_plugin_sdk::{
    Command, Description, Device, Error, Handler, Intent, Plugin, Reply, Stage, Step, export_plugin,
};

/// The name under which the gateway knows this handler.
pub const NAME: &str = "lockbox";

/// The handler.
#[derive(Clone, Copy, Debug)]
pub struct Lockbox;

impl Plugin for Lockbox {
    fn describe() -> Description {
        Description {
            name: NAME.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "Example device that is unlocked, set and read back".to_owned(),
            claims: Vec::new(),
            tells: Stage::Ended,
            queues: Vec::new(),
            credential_headers: Vec::new(),
            settings_schema: None,
            attributes: Vec::new(),
        }
    }
}

impl Handler for Lockbox {
    fn commands() -> Vec<Command> {
        vec![Command {
            name: params::SET_LEVEL.to_owned(),
            summary: "Unlocks the box, sets its level and reads it back".to_owned(),
            params_schema: Some(params::SCHEMA.to_owned()),
        }]
    }

    fn start(_: &Device, intent: &Intent) -> Result<Step, Error> {
        conversation::start(intent)
    }

    fn resume(_: &Device, intent: &Intent, state: &str, reply: &Reply) -> Result<Step, Error> {
        conversation::resume(intent, state, reply)
    }
}

export_plugin!(Lockbox: handler);
