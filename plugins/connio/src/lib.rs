//! Connio, also known as Csip.io: properties over HTTP, and devices over MQTT that hear of writes to them.
//!
//! What the platform documents and what is ours is told apart in this crate's README.md.

mod admission;
mod answer;
mod definition;
mod dispatch;
mod feed;
mod feedback;
mod key;
mod method;
mod read;
mod routes;
mod settings;
mod store;
mod target;
mod topics;
mod uplink;
mod value;
mod write;

pub use answer::refusal_answer;
pub use definition::{Access, Feedback, MethodDefinition, Mismatch, Profile, PropertyDefinition, Publish, Rule};
pub use settings::{Settings, Undeclared};
pub use value::{Boundaries, Kind};

use dragoman_plugin_sdk::{
    Admission, Claim, Decision, Description, Device, Dispatched, Error, Execution, Gateway, Message, Northbound,
    Overflow, Plugin, Queue, Request, Response, Session, Settlement, Southbound, Stage, Verdict, export_plugin, json,
};
use serde::Deserialize;

/// The name under which the gateway knows this dialect.
pub const NAME: &str = "connio";

/// Namespace of the platform's device ids, `_dev_…`, in lower case. Every device that has one can be called by it.
pub const ID_ALIAS: &str = "connio.id";

/// Namespace of the names of devices, in lower case.
pub const NAME_ALIAS: &str = "connio.name";

/// Namespace of the ids of devices' own keys, `_key_…`, in lower case.
pub const KEY_ALIAS: &str = "connio.key";

/// Label of a device with the id of its app, `_app_…`.
pub const APP_LABEL: &str = "connio.app";

/// Label of a device with the id of its account, `_acc_…`.
pub const ACCOUNT_LABEL: &str = "connio.account";

/// Writes to one device that may wait for it.
pub const QUEUE_LIMIT: u32 = 100;

/// The dialect.
#[derive(Clone, Copy, Debug)]
pub struct Connio;

impl Plugin for Connio {
    fn describe() -> Description {
        let topics = topics::DEVICE_FILTERS.map(|filter| Claim::DeviceTopic(filter.to_owned()));
        Description {
            name: NAME.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "Connio (Csip.io): property writes over HTTP, and devices over MQTT".to_owned(),
            claims: routes::claims().map(Claim::Http).chain(topics).chain([Claim::Connections]).collect(),
            // A PUBACK, and the outcome where a property has a feedback rule: only then a message has a correlation.
            tells: Stage::Ended,
            queues: vec![Queue {
                name: "writes".to_owned(),
                // Writes to one property must arrive in order; one device's go out one behind the other.
                window: Stage::Sent,
                limit: QUEUE_LIMIT,
                overflow: Overflow::RefuseNewest,
            }],
            credential_headers: Vec::new(),
            settings_schema: Some(settings::SCHEMA.to_owned()),
            attributes: vec![("documents.index".to_owned(), store::INDEX.to_owned())],
        }
    }
}

impl Admission for Connio {
    fn authenticate(gateway: &impl Gateway, session: &Session, _: u16, _: bool) -> Result<Verdict, Error> {
        admission::authenticate(gateway, session)
    }
}

/// What is kept while a call waits.
#[derive(Deserialize)]
#[serde(untagged)]
enum Context {
    Write(write::Context),
    Method(method::Context),
}

impl Northbound for Connio {
    fn handle_request(gateway: &impl Gateway, request: &Request) -> Result<Decision, Error> {
        answer::decide(routes::handle(gateway, request))
    }

    fn settled(gateway: &impl Gateway, context: &str, settlements: &[Settlement]) -> Result<Response, Error> {
        match json::parse_object(context).map_err(|broken| Error::Internal(broken.text().to_owned()))? {
            Context::Write(context) => write::settled(gateway, &context, settlements),
            Context::Method(context) => method::settled(&context, settlements),
        }
    }
}

impl Southbound for Connio {
    fn dispatch(gateway: &impl Gateway, device: &Device, execution: &Execution) -> Result<Dispatched, Error> {
        dispatch::dispatch(gateway, device, execution)
    }

    fn handle_message(gateway: &impl Gateway, session: &Session, message: &Message) -> Result<(), Error> {
        uplink::handle(gateway, session, message)
    }
}

export_plugin!(Connio: admission, northbound, southbound);
