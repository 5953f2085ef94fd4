//! What plugins are asked and what they answer, in the host's own types.

use dragoman_core::{
    Attributes, ConnectRefusal, Correlation, Execution, ExecutionId, Grant, Intent, Json, Message, Outcome, Payload,
    Reason, Stage,
};
use std::sync::Arc;

/// An HTTP request on a route of a dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Upper case.
    pub method: String,
    /// As on the wire, undecoded.
    pub path: String,
    /// As on the wire, without the question mark; empty where there is none.
    pub query: String,
    /// Names in lower case, in order, doubles kept, without those that carry a credential.
    pub headers: Attributes,
    /// The body.
    pub body: Payload,
    /// For logs and the platform's request-id header.
    pub request_id: String,
}

/// An answer to an HTTP request. Whether names and values of headers are valid is left to whoever sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// 200 to 599.
    pub status: u16,
    /// At most 64, together at most 16 KiB.
    pub headers: Attributes,
    /// The body.
    pub body: Payload,
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// This is the answer; the call submitted nothing.
    Respond(Response),
    /// The call submitted something: `settled` answers once all of it got this far or was refused.
    Wait {
        /// Handed to `settled`.
        context: Json,
        /// How far.
        until: Stage,
    },
}

/// What became of one submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The id that the plugin was told when it submitted.
    pub id: ExecutionId,
    /// The execution, or why there is none.
    pub settled: Result<Arc<Execution>, Reason>,
}

/// Whether a client may connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may do this.
    Accept(Grant),
    /// It may not.
    Refuse(ConnectRefusal),
    /// Another dialect may know it.
    NotMine,
}

/// The attempt that is being dispatched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt<'a> {
    /// From 1.
    pub number: u32,
    /// The intent itself, or what the handler planned.
    pub frames: &'a [Intent],
}

/// What becomes of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dispatched {
    /// 1 to 64 messages.
    Send(Vec<Outgoing>),
    /// Nothing to send: this is the outcome.
    Done(Outcome),
    /// The dialect has no words for it.
    Unsupported(Reason),
}

/// One message to a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Whom it goes to.
    pub to: Audience,
    /// The message.
    pub message: Message,
    /// The key that the answer will carry.
    pub correlation: Option<Correlation>,
}

/// Whom a message goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// The session of the device, whether or not it subscribed.
    Session,
    /// The session of the device, if it subscribed to the topic.
    Subscribed,
}

/// What a handler wants done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send this and come back.
    Send(HandlerPlan),
    /// It is over.
    Finish(Outcome),
}

/// One step of a handler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandlerPlan {
    /// 1 to 64 intents, or payloads as the device takes them.
    pub frames: Vec<Intent>,
    /// Handed back to `resume`; at most 64 KiB.
    pub state: Json,
    /// After that many milliseconds `resume` is told of silence.
    pub reply_within_ms: Option<u32>,
}

/// A command that a handler knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandlerCommand {
    /// Its name.
    pub name: String,
    /// What it does.
    pub summary: String,
    /// JSON Schema of its parameters.
    pub params_schema: Option<Json>,
}
