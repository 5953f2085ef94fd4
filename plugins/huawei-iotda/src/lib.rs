//! Huawei Cloud IoTDA: synchronous commands, properties and messages over HTTP, notifications to applications, and devices
//! over MQTT as the official device SDKs speak it.
//!
//! What the platform documents and what is ours is told apart in this crate's README.md.

mod admission;
mod answer;
mod auth;
mod call;
mod client_id;
mod command;
mod context;
mod downlink;
mod instant;
mod message;
mod message_list;
mod messages;
mod properties;
mod push;
mod reports;
mod routes;
mod settings;
mod settled;
mod topics;
mod uplink;
mod wording;

pub use answer::refusal_answer;
pub use client_id::{ClientId, mac_steps};
pub use settings::{Push, Settings, Shape, Subscriber};

use dragoman_plugin_sdk::{
    Admission, Claim, Decision, Decoded, Description, Device, Dispatched, Error, Event, Execution, Follower, Gateway,
    Message, Northbound, Notifications, Overflow, Plugin, Queue, Request, Response, Session, Settlement, Southbound,
    Stage, Transition, Verdict, export_plugin,
};

/// The name under which the gateway knows this dialect.
pub const NAME: &str = "huawei-iotda";

/// Namespace of the device ids of the platform. Every device that has one can be called by it.
pub const ID_ALIAS: &str = "huawei.id";

/// Attribute of a report: the response of a device as it came, JSON text.
pub const RESPONSE_ATTRIBUTE: &str = "huawei.response";

/// The action of a command without a name, which the platform allows and the gateway does not.
pub const UNNAMED_ACTION: &str = "huawei.unnamed";

/// Commands of one device that may wait for their turn behind a handler at work.
pub const QUEUE_LIMIT: u32 = 20;

/// The queue in which messages wait for an absent device; a newer one pushes the oldest out.
pub(crate) const MESSAGES_QUEUE: &str = "messages";

/// The dialect.
#[derive(Clone, Copy, Debug)]
pub struct Iotda;

impl Plugin for Iotda {
    fn describe() -> Description {
        Description {
            name: NAME.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "Huawei Cloud IoTDA: commands, properties and messages, devices and gateways over MQTT".to_owned(),
            claims: routes::claims()
                .map(Claim::Http)
                .chain([
                    Claim::DeviceTopic("$oc/devices/+/sys/#".to_owned()),
                    Claim::DeviceTopic("$oc/devices/+/user/#".to_owned()),
                    Claim::Connections,
                ])
                .collect(),
            tells: Stage::Ended,
            queues: vec![
                Queue {
                    name: "commands".to_owned(),
                    window: Stage::Accepted,
                    limit: QUEUE_LIMIT,
                    overflow: Overflow::RefuseNewest,
                },
                Queue {
                    name: MESSAGES_QUEUE.to_owned(),
                    window: Stage::Sent,
                    limit: message_list::KEPT,
                    overflow: Overflow::DropOldest,
                },
            ],
            credential_headers: vec![auth::TOKEN_HEADER.to_owned()],
            settings_schema: Some(settings::SCHEMA.to_owned()),
            attributes: push::WANTED.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        }
    }
}

impl Admission for Iotda {
    fn authenticate(gateway: &impl Gateway, session: &Session, keep_alive_s: u16, _: bool) -> Result<Verdict, Error> {
        admission::authenticate(gateway, session, keep_alive_s)
    }
}

impl Northbound for Iotda {
    fn handle_request(gateway: &impl Gateway, request: &Request) -> Result<Decision, Error> {
        match routes::handle(gateway, request) {
            Ok(decision) => Ok(decision),
            Err(answer::Failure::Answer(error)) => Ok(Decision::Respond(error.response(&request.request_id))),
            Err(answer::Failure::Fault(error)) => Err(error),
        }
    }

    fn settled(gateway: &impl Gateway, context: &str, settlements: &[Settlement]) -> Result<Response, Error> {
        settled::settled(gateway, context, settlements)
    }
}

impl Notifications for Iotda {
    fn on_transitions(
        gateway: &impl Gateway,
        execution: &Execution,
        transitions: &[Transition],
        _: u64,
        followers: &[Follower],
    ) -> Result<(), Error> {
        // This dialect follows nothing, so there is nobody to replay for.
        if followers.is_empty() { push::on_transitions(gateway, execution, transitions) } else { Ok(()) }
    }

    fn on_event(gateway: &impl Gateway, event: &Event, _: Option<&Decoded>) -> Result<(), Error> {
        push::on_event(gateway, event)
    }
}

impl Southbound for Iotda {
    fn dispatch(gateway: &impl Gateway, device: &Device, execution: &Execution) -> Result<Dispatched, Error> {
        downlink::dispatch(gateway, device, execution)
    }

    fn handle_message(gateway: &impl Gateway, session: &Session, message: &Message) -> Result<(), Error> {
        uplink::handle(gateway, session, message)
    }
}

export_plugin!(Iotda: admission, northbound, southbound, notifications);
