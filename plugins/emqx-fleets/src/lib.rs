//! EMQX Fleets: things and commands over HTTP, and the two MQTT topics on which a thing is commanded.
//!
//! What the platform documents and what is ours is told apart in this crate's README.md.

mod admission;
mod answer;
mod auth;
mod cancel;
mod commands;
mod list;
mod request;
mod response;
mod send;
mod settings;
mod thing;
mod things;
mod view;

pub use answer::refusal_answer;
pub use settings::{MqttAuthentication, NoSubscriber, Settings};

use dragoman_plugin_sdk::{
    Admission, Claim, Decision, Description, Device, Dispatched, Error, Execution, Gateway, Message, Northbound,
    Overflow, Plugin, Queue, Request, Response, Session, Settlement, Southbound, Stage, Verdict, export_plugin,
};

/// The name under which the gateway knows this dialect.
pub const NAME: &str = "emqx-fleets";

/// Commands of one thing that may wait for it.
pub const QUEUE_LIMIT: u32 = 100;

/// The dialect.
#[derive(Clone, Copy, Debug)]
pub struct Fleets;

impl Plugin for Fleets {
    fn describe() -> Description {
        Description {
            name: NAME.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "EMQX Fleets: things, commands, and things over MQTT".to_owned(),
            claims: commands::ROUTES
                .iter()
                .chain(things::ROUTES)
                .map(|(method, path)| Claim::Http(format!("{method} {path}")))
                .chain([Claim::DeviceTopic(response::FILTER.to_owned()), Claim::Connections])
                .collect(),
            tells: Stage::Ended,
            queues: vec![Queue {
                name: "commands".to_owned(),
                window: Stage::Accepted,
                limit: QUEUE_LIMIT,
                overflow: Overflow::RefuseNewest,
            }],
            credential_headers: Vec::new(),
            settings_schema: Some(settings::SCHEMA.to_owned()),
            attributes: Vec::new(),
        }
    }
}

impl Admission for Fleets {
    fn authenticate(gateway: &impl Gateway, session: &Session, _: u16, _: bool) -> Result<Verdict, Error> {
        admission::authenticate(gateway, session)
    }
}

impl Northbound for Fleets {
    fn handle_request(gateway: &impl Gateway, request: &Request) -> Result<Decision, Error> {
        let answered = auth::authorize(gateway, request).and_then(|()| match things::handle(gateway, request)? {
            Some(response) => Ok(Decision::Respond(response)),
            None => commands::handle(gateway, request),
        });
        answer::decide(answered)
    }

    fn settled(_: &impl Gateway, _: &str, settlements: &[Settlement]) -> Result<Response, Error> {
        send::settled(settlements)
    }
}

impl Southbound for Fleets {
    fn dispatch(gateway: &impl Gateway, device: &Device, execution: &Execution) -> Result<Dispatched, Error> {
        request::dispatch(gateway, device, execution)
    }

    fn handle_message(gateway: &impl Gateway, session: &Session, message: &Message) -> Result<(), Error> {
        response::handle(gateway, session, message);
        Ok(())
    }
}

export_plugin!(Fleets: admission, northbound, southbound);
