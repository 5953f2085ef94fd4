//! Handler for an example LoRaWAN device: a lamp with a switch and a level that reports its temperature. It makes bytes of
//! commands and reads the bytes that the lamp sends; README.md has the format.

mod bytes;
mod wanted;

use dragoman_plugin_sdk::outcome::reason;
use dragoman_plugin_sdk::{
    Command, Decoded, Decoder, Delivery, Description, Device, Direction, Error, Handler, Intent, Outcome, Payload,
    Plan, Plugin, Reply, Stage, Step, attribute, export_plugin,
};

/// The name under which the gateway knows this handler.
pub const NAME: &str = "lora-lamp";

/// Attribute of a payload: the LoRaWAN port.
const F_PORT: &str = "lorawan.f-port";

/// The handler.
#[derive(Clone, Copy, Debug)]
pub struct LoraLamp;

impl Plugin for LoraLamp {
    fn describe() -> Description {
        Description {
            name: NAME.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "Example LoRaWAN lamp: switch, level, temperature".to_owned(),
            claims: Vec::new(),
            tells: Stage::Ended,
            queues: Vec::new(),
            credential_headers: Vec::new(),
            settings_schema: None,
            attributes: Vec::new(),
        }
    }
}

impl Handler for LoraLamp {
    fn commands() -> Vec<Command> {
        vec![
            Command {
                name: wanted::SET.to_owned(),
                summary: "Sets switch and level".to_owned(),
                params_schema: Some(wanted::SET_SCHEMA.to_owned()),
            },
            Command {
                name: wanted::BLINK.to_owned(),
                summary: "Blinks so many times".to_owned(),
                params_schema: Some(wanted::BLINK_SCHEMA.to_owned()),
            },
        ]
    }

    fn start(_: &Device, intent: &Intent) -> Result<Step, Error> {
        // Bytes are the lamp's already.
        if let Intent::Deliver(_) = intent {
            return Ok(send(intent.clone()));
        }
        Ok(match wanted::of(intent).and_then(|items| bytes::encode(&items)) {
            Ok(bytes) => send(Intent::Deliver(Delivery {
                name: None,
                payload: Payload::Bytes(bytes),
                attributes: vec![(F_PORT.to_owned(), bytes::F_PORT.to_string())],
            })),
            Err(why) => Step::Finish(Outcome::Rejected(reason("INVALID_PARAMS", why))),
        })
    }

    fn resume(_: &Device, _: &Intent, _: &str, reply: &Reply) -> Result<Step, Error> {
        Ok(Step::Finish(match reply {
            Reply::Outcome(outcome) => outcome.clone(),
            Reply::Silence => Outcome::Failed(reason("NO_REPLY", "the lamp did not answer")),
        }))
    }
}

impl Decoder for LoraLamp {
    fn decode(_: &Device, direction: Direction, what: &Delivery) -> Result<Decoded, Error> {
        let bytes = match &what.payload {
            Payload::Text(text) => text.as_bytes(),
            Payload::Bytes(bytes) => bytes,
        };
        let expected = match direction {
            Direction::Up => bytes::F_PORT_UP,
            Direction::Down => bytes::F_PORT,
        };
        match attribute(&what.attributes, F_PORT) {
            Some(port) if port != expected.to_string() => {
                Err(Error::Invalid(format!("port {port} is none of the lamp's; it speaks on {expected}")))
            }
            _ => bytes::decode(bytes).map(|(value, warnings)| Decoded { value, warnings }).map_err(Error::Invalid),
        }
    }
}

/// One step, which takes as long as its command lives.
fn send(frame: Intent) -> Step {
    Step::Send(Plan { frames: vec![frame], state: "{}".to_owned(), reply_within: None })
}

export_plugin!(LoraLamp: handler, decoder);
