//! The calls that a vector can make, with their arguments.

use super::answer::{self, Came};
use super::given::Given;
use super::records::{WrittenDevice, WrittenExecution, WrittenMessage, WrittenSession};
use super::vocabulary::{self, WrittenDelivery, WrittenIntent, WrittenReason, WrittenReply};
use crate::plugin::Plugin;
use crate::words::{Attempt, Direction, Request, Settlement};
use dragoman_core::{Attributes, ExecutionId, Payload};
use serde::Deserialize;
use serde::de::{DeserializeOwned, Error as _};
use serde_json::Value;
use std::sync::Arc;

/// A call and its arguments.
#[derive(Clone, Debug)]
pub(super) enum Asked {
    Describe,
    Commands,
    Start(Planned),
    Resume(Resumed),
    Decode(Told),
    HandleRequest(Requested),
    Settled(Settled),
    Dispatch(Box<Dispatching>),
    DeviceMessage(Heard),
    TopicsMessage(Heard),
    TopicsSettled(Settled),
    Authenticate(Connecting),
}

/// As `call` names them.
const CALLS: &str = "plugin.describe, handler.commands, handler.start, handler.resume, decoder.decode, \
                     northbound.handle-request, northbound.settled, southbound.dispatch, southbound.handle-message, \
                     topics.handle-message, topics.settled, admission.authenticate";

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Planned {
    device: WrittenDevice,
    intent: WrittenIntent,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Resumed {
    device: WrittenDevice,
    intent: WrittenIntent,
    state: Value,
    reply: WrittenReply,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Told {
    device: WrittenDevice,
    direction: WrittenDirection,
    what: WrittenDelivery,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WrittenDirection {
    Up,
    Down,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Requested {
    method: String,
    path: String,
    #[serde(default)]
    query: String,
    #[serde(default, deserialize_with = "vocabulary::attributes")]
    headers: Attributes,
    #[serde(default = "empty", deserialize_with = "vocabulary::payload")]
    body: Payload,
    #[serde(default)]
    request_id: String,
}

fn empty() -> Payload {
    Payload::Text(String::new())
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settled {
    context: Value,
    settlements: Vec<WrittenSettlement>,
}

/// The execution, or why there is none.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WrittenSettlement {
    Execution(Box<WrittenExecution>),
    Refused { id: String, reason: WrittenReason },
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Dispatching {
    device: WrittenDevice,
    execution: WrittenExecution,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Heard {
    session: WrittenSession,
    message: WrittenMessage,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Connecting {
    session: WrittenSession,
    #[serde(default)]
    keep_alive_s: u16,
    #[serde(default)]
    clean: bool,
}

impl Asked {
    /// The arguments of the call of that name.
    pub(super) fn read(call: &str, input: Value) -> Result<Self, serde_json::Error> {
        fn of<T: DeserializeOwned>(input: Value) -> Result<T, serde_json::Error> {
            serde_json::from_value(input).map_err(|error| serde_json::Error::custom(format!("its `input`: {error}")))
        }
        let nothing = |input: Value| if input.is_null() { Ok(Nothing {}) } else { of(input) };
        Ok(match call {
            "plugin.describe" => nothing(input).map(|_| Self::Describe)?,
            "handler.commands" => nothing(input).map(|_| Self::Commands)?,
            "handler.start" => Self::Start(of(input)?),
            "handler.resume" => Self::Resume(of(input)?),
            "decoder.decode" => Self::Decode(of(input)?),
            "northbound.handle-request" => Self::HandleRequest(of(input)?),
            "northbound.settled" => Self::Settled(of(input)?),
            "southbound.dispatch" => Self::Dispatch(Box::new(of(input)?)),
            "southbound.handle-message" => Self::DeviceMessage(of(input)?),
            "topics.handle-message" => Self::TopicsMessage(of(input)?),
            "topics.settled" => Self::TopicsSettled(of(input)?),
            "admission.authenticate" => Self::Authenticate(of(input)?),
            other => return Err(serde_json::Error::custom(format!("no vector can call `{other}`, only {CALLS}"))),
        })
    }

    /// Makes the call, and words what came of it.
    pub(super) async fn make(&self, plugin: &Plugin, given: &Given) -> Value {
        let name = &**plugin.name();
        let context =
            |device: Option<&WrittenDevice>, session: Option<&WrittenSession>| given.context(name, device, session);
        let came = match self {
            Self::Describe => Ok(Came::answer(answer::description(plugin.description()))),
            Self::Commands => {
                let commands = plugin.handler_commands(context(None, None)).await;
                commands.map(|commands| Came::answer(answer::commands(&commands)))
            }
            Self::Start(Planned { device, intent }) => {
                let call = plugin.handler_start(context(Some(device), None), &device.view(name), &intent.into()).await;
                call.map(|step| Came::answer(answer::step(&step)))
            }
            Self::Resume(Resumed { device, intent, state, reply }) => {
                let (view, intent, reply) = (device.view(name), intent.into(), reply.into());
                let call = context(Some(device), None);
                let step = plugin.handler_resume(call, &view, &intent, &state.to_string(), &reply).await;
                step.map(|step| Came::answer(answer::step(&step)))
            }
            Self::Decode(Told { device, direction, what }) => {
                let direction = match direction {
                    WrittenDirection::Up => Direction::Up,
                    WrittenDirection::Down => Direction::Down,
                };
                let call = context(Some(device), None);
                let decoded = plugin.decode(call, &device.view(name), direction, &what.into()).await;
                decoded.map(|decoded| Came::answer(answer::decoded(&decoded)))
            }
            Self::HandleRequest(requested) => {
                let request = Request {
                    method: requested.method.clone(),
                    path: requested.path.clone(),
                    query: requested.query.clone(),
                    headers: requested.headers.clone(),
                    body: requested.body.clone(),
                    request_id: requested.request_id.clone(),
                };
                let done = plugin.handle_request(context(None, None), &request).await;
                done.map(|done| Came::done(done, answer::decision))
            }
            Self::Settled(settled) => {
                let (context_text, settlements) = settled.arguments(name);
                let done = plugin.settled(context(None, None), &context_text, &settlements).await;
                done.map(|done| Came::done(done, answer::response))
            }
            Self::TopicsSettled(settled) => {
                let (context_text, settlements) = settled.arguments(name);
                let done = plugin.topics_settled(context(None, None), &context_text, &settlements).await;
                done.map(|done| Came::done(done, |()| Value::Null))
            }
            Self::Dispatch(dispatching) => {
                let Dispatching { device, execution } = &**dispatching;
                let execution = execution.record(name);
                let attempt = Attempt { number: execution.attempt.max(1), frames: &execution.frames };
                let done = plugin.dispatch(context(Some(device), None), &device.view(name), &execution, attempt).await;
                done.map(|done| Came::done(done, answer::dispatched))
            }
            Self::DeviceMessage(Heard { session, message }) => {
                let call = context(None, Some(session));
                let done = plugin.southbound_message(call, &session.session(name), &message.into()).await;
                done.map(|done| Came::done(done, |()| Value::Null))
            }
            Self::TopicsMessage(Heard { session, message }) => {
                let call = context(None, Some(session));
                let done = plugin.topics_message(call, &session.session(name), &message.into()).await;
                done.map(|done| Came::done(done, |wait| wait.as_ref().map_or(Value::Null, answer::wait)))
            }
            Self::Authenticate(Connecting { session, keep_alive_s, clean }) => {
                let call = context(None, Some(session));
                let done = plugin.authenticate(call, &session.session(name), *keep_alive_s, *clean).await;
                done.map(|done| Came::done(done, answer::verdict))
            }
        };
        match came {
            Ok(came) => came.output(),
            Err(error) => answer::fault(&error),
        }
    }
}

impl Settled {
    fn arguments(&self, plugin: &str) -> (String, Vec<Settlement>) {
        let settlement = |one: &WrittenSettlement| match one {
            WrittenSettlement::Execution(execution) => {
                let record = Arc::new(execution.record(plugin));
                Settlement { id: record.id.clone(), settled: Ok(record) }
            }
            WrittenSettlement::Refused { id, reason } => {
                Settlement { id: ExecutionId::new(id.as_str()), settled: Err(reason.into()) }
            }
        };
        (self.context.to_string(), self.settlements.iter().map(settlement).collect())
    }
}
