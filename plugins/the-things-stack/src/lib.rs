//! The Things Stack v3, application side: MQTT and HTTP as the Application Server speaks them, for devices of every
//! dialect.
//!
//! What the platform documents and what is ours is told apart in this crate's README.md.

mod admission;
mod context;
mod downlink;
mod error;
mod events;
mod failure;
mod formatter;
mod ids;
mod intent;
mod lenient;
mod members;
mod mqtt;
mod push;
mod queue;
mod rights;
mod routes;
mod settings;
mod topic;
mod transitions;
mod ulid;
mod up;

pub use ids::{DEV_EUI_ALIAS, ID_ALIAS};
pub use settings::{Settings, Webhook};

use context::Waiting;
use dragoman_plugin_sdk::{
    Admission, Answer, Answers, Claim, Decision, Decoded, Description, Error, Event, Execution, Follower, Gateway,
    Message, Northbound, Notifications, Overflow, Plugin, Queue, Request, Response, Session, Settlement, Stage,
    Subscription, SubscriptionVerdict, Subscriptions, Topics, Transition, Verdict, Wait, export_plugin,
};

/// The name under which the gateway knows this dialect.
pub const NAME: &str = "the-things-stack";

/// The dialect.
#[derive(Clone, Copy, Debug)]
pub struct TheThingsStack;

impl Plugin for TheThingsStack {
    fn describe() -> Description {
        let mut claims = vec![Claim::Connections, Claim::ApplicationTopic("v3/#".to_owned())];
        let routes = routes::ROUTES.iter();
        claims.extend(routes.map(|(method, below, _)| Claim::Http(format!("{method} {}{below}", routes::PREFIX))));
        let wanted = transitions::EVENTS.map(|event| ("notifications.transitions".to_owned(), event.to_owned()));
        let mut attributes = wanted.to_vec();
        attributes.extend(events::KINDS.map(|kind| ("notifications.events".to_owned(), kind.to_owned())));
        Description {
            name: NAME.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "The Things Stack v3: applications over MQTT and HTTP".to_owned(),
            claims,
            tells: Stage::Ended,
            queues: vec![Queue {
                name: "downlinks".to_owned(),
                window: Stage::Accepted,
                limit: queue::QUEUE_LIMIT,
                overflow: Overflow::RefuseNewest,
            }],
            credential_headers: Vec::new(),
            settings_schema: Some(settings::SCHEMA.to_owned()),
            attributes,
        }
    }
}

impl Admission for TheThingsStack {
    fn authenticate(gateway: &impl Gateway, session: &Session, _: u16, _: bool) -> Result<Verdict, Error> {
        admission::authenticate(gateway, session)
    }
}

impl Subscriptions for TheThingsStack {
    fn on_subscribe(_: &impl Gateway, session: &Session, asked: &Subscription) -> Result<SubscriptionVerdict, Error> {
        Ok(admission::on_subscribe(session, asked))
    }
}

impl Northbound for TheThingsStack {
    fn handle_request(gateway: &impl Gateway, request: &Request) -> Result<Decision, Error> {
        routes::handle(gateway, request)
    }

    fn settled(gateway: &impl Gateway, context: &str, settlements: &[Settlement]) -> Result<Response, Error> {
        routes::settled(gateway, context, settlements)
    }
}

impl Topics for TheThingsStack {
    fn handle_message(gateway: &impl Gateway, session: &Session, message: &Message) -> Result<Option<Wait>, Error> {
        mqtt::handle(gateway, session, message)
    }

    fn settled(gateway: &impl Gateway, context: &str, settlements: &[Settlement]) -> Result<(), Error> {
        match Waiting::read(context)? {
            Waiting::Push(push) => push::publish_refused(gateway, &push, settlements),
            Waiting::Format(_) | Waiting::Simulate(_) => Err(Error::Internal("that call is HTTP's".to_owned())),
        }
    }
}

impl Notifications for TheThingsStack {
    fn on_transitions(
        gateway: &impl Gateway,
        execution: &Execution,
        transitions: &[Transition],
        _: u64,
        followers: &[Follower],
    ) -> Result<(), Error> {
        // A replay is for followers, and this dialect follows nothing.
        if followers.is_empty() { transitions::on_transitions(gateway, execution, transitions) } else { Ok(()) }
    }

    fn on_event(gateway: &impl Gateway, event: &Event, decoded: Option<&Decoded>) -> Result<(), Error> {
        events::on_event(gateway, event, decoded)
    }
}

impl Answers for TheThingsStack {
    fn answered(gateway: &impl Gateway, context: &str, answers: &[Answer]) -> Result<Option<Decision>, Error> {
        routes::answered(gateway, context, answers)
    }
}

export_plugin!(TheThingsStack: admission, northbound, topics, subscriptions, notifications, answers);
