//! What a dragoman dialect in Rust is made of: the contract's types, a trait to fill in, and the helpers that dialects
//! share. Handlers use `dragoman-handler-sdk`, which builds on this crate.
//!
//! A dialect implements [`Dialect`] and is exported with [`export_dialect!`]. All it may do besides answering it asks of
//! a [`Gateway`], so that the same code runs in the gateway and, with [`testing::Fake`], in a native test.

pub mod bindings;
mod dialect;
mod gateway;
pub mod http;
pub mod json;
pub mod outcome;
pub mod refusal;
pub mod route;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
pub mod time;

pub use bindings::dragoman::gateway::credentials::{Encoding, Identity, MacStep, Term};
pub use bindings::dragoman::gateway::devices::Registration;
pub use bindings::dragoman::gateway::executions::{Correlation, Page, Report, Selection, WhenAway};
pub use bindings::dragoman::gateway::host::Severity;
pub use bindings::dragoman::gateway::types::{
    Delivery, Device, Error, Execution, Intent, Invocation, Message, Outcome, Payload, Policy, Property, PropertyName,
    Reason, Session, Settlement, Stage, State, Subscription, Wait,
};
pub use bindings::exports::dragoman::gateway::admission::{Grant, Refusal as ConnectRefusal, Verdict};
pub use bindings::exports::dragoman::gateway::northbound::{Decision, Presented, Request, Response};
pub use bindings::exports::dragoman::gateway::plugin::{Claim, Description, Overflow, Queue};
pub use bindings::exports::dragoman::gateway::southbound::{Audience, Dispatched, Outgoing};
pub use dialect::Dialect;
pub use gateway::{Command, Gateway, Imports};

/// Names and values, in order, doubles allowed.
pub type Attributes = Vec<(String, String)>;

/// The first value of that name.
pub fn attribute<'a>(attributes: &'a [(String, String)], name: &str) -> Option<&'a str> {
    attributes.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
}
