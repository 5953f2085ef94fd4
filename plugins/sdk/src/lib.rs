//! What a dragoman plugin in Rust is made of: the contract's types, a trait for each role, and the helpers that
//! dialects share.
//!
//! A plugin implements [`Plugin`] and the roles it has, and is exported with [`export_plugin!`]. All it may do besides
//! answering it asks of a [`Gateway`], so that the same code runs in the gateway and, with [`testing::Fake`], in a
//! native test. A plugin needs only those functions of the gateway that it calls: its component imports no others.

pub mod bindings;
mod gateway;
pub mod http;
pub mod json;
pub mod outcome;
pub mod refusal;
mod roles;
pub mod route;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
pub mod time;

pub use bindings::admission::exports::dragoman::gateway::admission::{Grant, Refusal as ConnectRefusal, Verdict};
pub use bindings::answers::exports::dragoman::gateway::answers::Answer;
pub use bindings::decoder::exports::dragoman::gateway::decoder::Direction;
pub use bindings::dragoman::gateway::asks::Question;
pub use bindings::dragoman::gateway::credentials::{Encoding, Identity, MacStep, Term};
pub use bindings::dragoman::gateway::devices::Registration;
pub use bindings::dragoman::gateway::documents::Document;
pub use bindings::dragoman::gateway::executions::{Correlation, Page, Place, Report, Selection, WhenAway};
pub use bindings::dragoman::gateway::host::Severity;
pub use bindings::dragoman::gateway::outbox::Audience as Readers;
pub use bindings::dragoman::gateway::sessions::Start;
pub use bindings::dragoman::gateway::types::{
    Decision, Decoded, Delivery, Device, Error, Event, Execution, Intent, Invocation, Message, Outcome, Payload,
    Policy, Property, PropertyName, Reason, Response, Session, Settlement, Stage, State, Subscription, Transition,
    Wait,
};
pub use bindings::handler::exports::dragoman::gateway::handler::{Command, Plan, Reply, Step};
pub use bindings::northbound::exports::dragoman::gateway::northbound::{Presented, Request};
pub use bindings::notifications::exports::dragoman::gateway::notifications::Follower;
pub use bindings::plugin::exports::dragoman::gateway::plugin::{Claim, Description, Overflow, Queue};
pub use bindings::southbound::exports::dragoman::gateway::southbound::{Audience, Dispatched, Outgoing};
pub use bindings::subscriptions::exports::dragoman::gateway::subscriptions::Verdict as SubscriptionVerdict;
pub use gateway::{Attempts, Gateway, Imports, Submission};
pub use roles::{
    Admission, Answers, Decoder, Handler, Northbound, Notifications, Plugin, Southbound, Subscriptions, Topics,
};

/// Names and values, in order, doubles allowed.
pub type Attributes = Vec<(String, String)>;

/// The first value of that name.
pub fn attribute<'a>(attributes: &'a [(String, String)], name: &str) -> Option<&'a str> {
    attributes.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
}
