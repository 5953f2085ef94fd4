//! DeviceHive over MQTT: applications and devices, which on this platform are the same kind of client.
//!
//! What the platform documents and what is ours is told apart in this crate's README.md.

mod actions;
mod admission;
mod announce;
mod answer;
mod caller;
mod catalogue;
mod command;
mod command_insert;
mod command_read;
mod command_update;
mod commands_kept;
mod device;
mod device_read;
mod device_save;
mod downlink;
mod instant;
mod intents;
mod labels;
mod login;
mod members;
mod native;
mod notification;
mod notification_actions;
mod paging;
mod permission;
mod policy;
mod ring;
mod server;
mod settings;
mod status;
mod subscribe;
mod subscription;
mod token;
mod topics;
mod transitions;
mod users;

pub use settings::{NativePublish, Rights, Settings, StatusWords, TokenExpiry, UpdatesTo};
pub use status::StatusSets;

use dragoman_plugin_sdk::{
    Admission, Attributes, Claim, Decoded, Description, Device, Dispatched, Error, Event, Execution, Follower, Gateway,
    Message, Notifications, Overflow, Plugin, Queue, Session, Settlement, Southbound, Stage, Subscription,
    SubscriptionVerdict, Subscriptions, Topics, Transition, Verdict, Wait, export_plugin,
};

/// The name under which the gateway knows this dialect.
pub const NAME: &str = "devicehive";

/// Namespace of the device ids of the platform. Every device that has one is a device of the platform.
pub const ID_ALIAS: &str = "devicehive.id";

/// Label of a device: the id of its network.
pub const NETWORK_LABEL: &str = "devicehive.network";

/// Label of a device: the id of its type.
pub const TYPE_LABEL: &str = "devicehive.type";

/// Attribute of a report: the status of the update that said so.
pub const STATUS_ATTRIBUTE: &str = "devicehive.status";

/// Commands of one device that may wait for it. Those of this dialect are there always; others may be away.
pub const QUEUE_LIMIT: u32 = 1_000;

/// The dialect.
#[derive(Clone, Copy, Debug)]
pub struct Hive;

impl Plugin for Hive {
    fn describe() -> Description {
        Description {
            name: NAME.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "DeviceHive: applications and devices over MQTT".to_owned(),
            claims: vec![Claim::ApplicationTopic(topics::ALL.to_owned()), Claim::Connections],
            tells: Stage::Ended,
            queues: vec![Queue {
                name: "commands".to_owned(),
                window: Stage::Accepted,
                limit: QUEUE_LIMIT,
                overflow: Overflow::RefuseNewest,
            }],
            credential_headers: Vec::new(),
            settings_schema: Some(settings::SCHEMA.to_owned()),
            attributes: attributes(),
        }
    }
}

fn attributes() -> Attributes {
    let indexes = [
        "users.login".to_owned(),
        format!("{}.{}", notification::COLLECTION, ring::DEVICE_FIELD),
        format!("{}.{}", commands_kept::COLLECTION, ring::DEVICE_FIELD),
        format!("{}.{}", commands_kept::COLLECTION, commands_kept::EXECUTION_FIELD),
    ];
    let named = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut all = vec![named("device.presence", "always"), named("topics.unclaimed", "allow")];
    all.extend(indexes.map(|index| named("documents.index", &index)));
    all.extend(transitions::WANTED.map(|event| named("notifications.transitions", event)));
    all.extend(transitions::KINDS.map(|kind| named("notifications.events", kind)));
    all
}

impl Admission for Hive {
    fn authenticate(gateway: &impl Gateway, session: &Session, _: u16, _: bool) -> Result<Verdict, Error> {
        admission::authenticate(gateway, session)
    }
}

impl Topics for Hive {
    fn handle_message(gateway: &impl Gateway, session: &Session, message: &Message) -> Result<Option<Wait>, Error> {
        if message.topic == topics::REQUEST {
            return actions::handle(gateway, session, message);
        }
        match topics::Kind::split(&message.topic) {
            Some((kind, levels)) => native::handle(gateway, session, message, kind, &levels),
            // Nobody is allowed to publish anything else here; a policy that said so would be wrong.
            None => Ok(None),
        }
    }

    fn settled(gateway: &impl Gateway, context: &str, settlements: &[Settlement]) -> Result<(), Error> {
        command_insert::settled(gateway, context, settlements)
    }
}

impl Subscriptions for Hive {
    fn on_subscribe(
        gateway: &impl Gateway,
        session: &Session,
        asked: &Subscription,
    ) -> Result<SubscriptionVerdict, Error> {
        subscribe::decide(gateway, session, asked)
    }
}

impl Notifications for Hive {
    fn on_transitions(
        gateway: &impl Gateway,
        execution: &Execution,
        transitions: &[Transition],
        _: u64,
        followers: &[Follower],
    ) -> Result<(), Error> {
        // A replay for followers is told to nobody: this dialect never asks for one.
        if followers.is_empty() { transitions::told(gateway, execution, transitions) } else { Ok(()) }
    }

    fn on_event(gateway: &impl Gateway, event: &Event, decoded: Option<&Decoded>) -> Result<(), Error> {
        transitions::happened(gateway, event, decoded)
    }
}

impl Southbound for Hive {
    fn dispatch(gateway: &impl Gateway, device: &Device, execution: &Execution) -> Result<Dispatched, Error> {
        downlink::dispatch(gateway, device, execution)
    }

    fn handle_message(_: &impl Gateway, _: &Session, _: &Message) -> Result<(), Error> {
        // Devices speak on application topics, like every other client.
        Ok(())
    }
}

export_plugin!(Hive: admission, topics, subscriptions, notifications, southbound);
