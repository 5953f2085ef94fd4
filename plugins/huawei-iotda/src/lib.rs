//! Huawei Cloud IoTDA: synchronous commands over HTTP, and devices over MQTT as the official device SDKs speak it.
//!
//! What the platform documents and what is ours is told apart in this crate's README.md.

mod admission;
mod answer;
mod auth;
mod client_id;
mod command;
mod downlink;
mod settings;
mod settled;
mod topics;
mod uplink;

pub use answer::refusal_answer;
pub use client_id::{ClientId, mac_steps};
pub use settings::Settings;

use dragoman_plugin_sdk::{
    Admission, Claim, Decision, Description, Device, Dispatched, Error, Execution, Gateway, Message, Northbound,
    Overflow, Plugin, Queue, Request, Response, Session, Settlement, Southbound, Stage, Verdict, export_plugin,
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

/// The dialect.
#[derive(Clone, Copy, Debug)]
pub struct Iotda;

impl Plugin for Iotda {
    fn describe() -> Description {
        Description {
            name: NAME.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "Huawei Cloud IoTDA: synchronous commands, devices and gateways over MQTT".to_owned(),
            claims: vec![
                Claim::Http(format!("POST {}", command::PATH)),
                Claim::DeviceTopic("$oc/devices/+/sys/#".to_owned()),
                Claim::DeviceTopic("$oc/devices/+/user/#".to_owned()),
                Claim::Connections,
            ],
            tells: Stage::Ended,
            queues: vec![Queue {
                name: "commands".to_owned(),
                window: Stage::Accepted,
                limit: QUEUE_LIMIT,
                overflow: Overflow::RefuseNewest,
            }],
            credential_headers: vec![auth::TOKEN_HEADER.to_owned()],
            settings_schema: Some(settings::SCHEMA.to_owned()),
            attributes: Vec::new(),
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
        match command::handle(gateway, request) {
            Ok(decision) => Ok(decision),
            Err(answer::Failure::Answer(error)) => Ok(Decision::Respond(error.response(&request.request_id))),
            Err(answer::Failure::Fault(error)) => Err(error),
        }
    }

    fn settled(_: &impl Gateway, context: &str, settlements: &[Settlement]) -> Result<Response, Error> {
        settled::settled(context, settlements)
    }
}

impl Southbound for Iotda {
    fn dispatch(gateway: &impl Gateway, device: &Device, execution: &Execution) -> Result<Dispatched, Error> {
        downlink::dispatch(gateway, device, execution)
    }

    fn handle_message(gateway: &impl Gateway, session: &Session, message: &Message) -> Result<(), Error> {
        uplink::handle(gateway, session, message);
        Ok(())
    }
}

export_plugin!(Iotda: admission, northbound, southbound);
