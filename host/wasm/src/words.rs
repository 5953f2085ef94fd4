//! What plugins are asked and what they answer, in the host's own types.

use dragoman_core::{
    Attributes, ConnectRefusal, Correlation, Delivery, DeviceId, Execution, ExecutionId, Grant, Intent, Json, Message,
    Outcome, Payload, Reason, SessionId, Stage,
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
    /// This is the answer; the call submitted and asked nothing.
    Respond(Response),
    /// The call submitted or asked something.
    Wait(Wait),
}

/// What a call waits for: `settled` is called once everything it submitted got this far or was refused, `answered`
/// once everything it asked is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Handed to `settled` or `answered`.
    pub context: Json,
    /// How far; without meaning for a call that asked.
    pub until: Stage,
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
    /// At most 64 messages. None: what there was to send was published, and counts as sent.
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

/// What a client gets that asked for a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubscriptionVerdict {
    /// What it asked for.
    AsAsked,
    /// What matches this filter, though it is told that it got what it asked for.
    Rewritten(String),
    /// Nothing.
    Refuse,
}

/// What a device said of its own accord.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceEvent {
    /// The device.
    pub device: DeviceId,
    /// `[a-z][a-z0-9-]{0,63}`: `uplink`, `join`, `presence`, `properties`, `notification`, `message`, `location` or
    /// `log`, and what later contracts add.
    pub kind: String,
    /// The platform's name for it.
    pub name: Option<String>,
    /// When it was said, in milliseconds since 1970.
    pub at_ms: u64,
    /// As it came.
    pub raw: Option<Payload>,
    /// As the dialect reads it.
    pub body: Option<Json>,
    /// In the dialect's vocabulary.
    pub attributes: Attributes,
}

/// What a payload means, read by the device's handler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// The meaning.
    pub value: Json,
    /// At most 64, for people.
    pub warnings: Vec<String>,
}

/// Whether a device said it or is sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the device.
    Up,
    /// To the device.
    Down,
}

/// A question to a device's handler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Which frames would carry this out.
    Plan(Intent),
    /// What this means that the device said.
    DecodeUp(Delivery),
    /// What this means that the device would be sent.
    DecodeDown(Delivery),
}

/// What a device's handler answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To a plan.
    Frames(Vec<Intent>),
    /// To something to decode.
    Decoded(Decoded),
    /// It refused, or the device has no handler that can tell.
    Refused(Reason),
}

/// Whom a replay of transitions is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Follower {
    /// The session.
    pub session: SessionId,
    /// The dialect's own name for this following.
    pub tag: String,
}

/// Where a following begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Behind that position.
    Position(u64),
    /// From the first transition at or after that time, in milliseconds since 1970.
    Since(u64),
}

/// Whom a published message goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Everybody whose subscription matches and whose policy lets it receive.
    Subscribers,
    /// That session, whether or not it subscribed.
    Session(SessionId),
}

/// One of a plugin's own documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Unique in its collection, 1 to 256 bytes.
    pub key: String,
    /// The document.
    pub value: Json,
    /// From 1, one more with every change.
    pub revision: u64,
}
