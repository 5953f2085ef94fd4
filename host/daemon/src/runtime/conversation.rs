//! What an application wants: from its dialect to the engine, and back when the command got as far as was asked.
//!
//! A request by HTTP and a message by MQTT travel the same way: the dialect is called; where it asked a device's handler
//! it is called again with the answers; what it submitted is applied; and once that got as far as the dialect waits for,
//! it words the answer. Only how the first call is made and where the answer goes differs.

use super::again::{self, Failed};
use super::asks;
use super::engine::Stopped;
use super::gateway::Gateway;
use super::inbound::Turn;
use super::writes::{About, REPEATS_MAX, Submitted, WriteError};
use dragoman_core::{DeviceId, Execution, ExecutionId, Message, Session, Stage};
use dragoman_wasm::{
    CallContext, CallError, Decision, Done, Plugin, Presented, Question, Request, Response, Settlement, Wait,
};
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

/// Why the dialect could not answer, so that the host has to.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    /// The plugin failed before anything was accepted.
    #[error("{0}")]
    Fault(CallError),
    /// The plugin failed while it worded the answer; the outcome of the commands stays as it is.
    #[error("{fault}")]
    AnswerFault {
        /// What failed.
        fault: CallError,
        /// What was accepted.
        executions: Vec<ExecutionId>,
    },
    /// Somebody was faster each time.
    #[error("{0}; repeat the request")]
    Conflict(String),
    /// The plugin broke a rule of the contract.
    #[error("{0}")]
    NotAllowed(String),
    /// Too many callers wait already.
    #[error("{limit} requests wait for their commands, the limit; try again later")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// The daemon is stopping; the commands go on when it starts again.
    #[error("the gateway is restarting; the command goes on afterwards and can be looked up by its execution id")]
    Restarting {
        /// What was accepted.
        executions: Vec<ExecutionId>,
    },
    /// The store failed.
    #[error("{0}")]
    Store(String),
}

impl From<WriteError> for Unanswered {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Conflict(text) => Self::Conflict(text),
            WriteError::NotAllowed(text) => Self::NotAllowed(text),
            error @ (WriteError::Store(_) | WriteError::Stopped(_)) => Self::Store(error.to_string()),
        }
    }
}

impl From<Stopped> for Unanswered {
    fn from(stopped: Stopped) -> Self {
        Self::Store(stopped.to_string())
    }
}

/// Answers one request in the words of the dialect that claims its route. Whoever drops this waits for nothing any more;
/// what the dialect wants by then is done all the same.
pub async fn answer_request(
    gateway: &Arc<Gateway>,
    plugin: &Arc<Plugin>,
    request: Request,
    presented: Option<Presented>,
) -> Result<Response, Unanswered> {
    let call = gateway.call_context(presented);
    match begin_apart(gateway, plugin, call.clone(), request).await? {
        Begun::Respond(response) => {
            // What was read may be ahead of the disk, and nothing leaves before the disk has it.
            gateway.engine.committed(gateway.engine.horizon()).await?;
            Ok(response)
        }
        Begun::Wait { wait, submitted, place } => {
            let (settlements, executions) = settle(gateway, submitted).await?;
            drop(place);
            // The answer is worded while the disk works; it only leaves when the disk has all that the call could see.
            // A call of its own: what it makes up must not be what the first call made up.
            let word = |version: Arc<Plugin>| {
                let again = gateway.call_context(call.presented.clone());
                let (context, settlements) = (&wait.context, &settlements);
                async move { version.settled(again, context, settlements).await }
            };
            let worded = gateway.worded(plugin, word).await;
            gateway.engine.committed(gateway.engine.horizon()).await?;
            match worded {
                Ok((_, done)) if !done.writes.is_empty() => Err(Unanswered::NotAllowed(format!(
                    "plugin {} wrote while it worded an answer, which the contract does not allow",
                    plugin.name()
                ))),
                Ok((_, done)) => Ok(done.value),
                Err(fault) => Err(Unanswered::AnswerFault { fault, executions }),
            }
        }
        Begun::Nothing => Err(Unanswered::NotAllowed(format!(
            "plugin {} answered a request with nothing; the contract asks for a response",
            plugin.name()
        ))),
    }
}

/// Begins in a task of its own. A caller that hangs up drops whoever waits for its answer, at any time, and a turn that
/// is applied must not go without what follows it: a connection that is closed, a message that leaves.
async fn begin_apart(
    gateway: &Arc<Gateway>,
    plugin: &Arc<Plugin>,
    call: CallContext,
    request: Request,
) -> Result<Begun, Unanswered> {
    // It is never closed.
    let place = gateway.beginning.clone().acquire_owned().await.ok();
    let (gateway, plugin) = (gateway.clone(), plugin.clone());
    let begun = tokio::spawn(async move {
        let _place = place;
        begin(&gateway, &plugin, &call, &Asker::Request(&request)).await
    });
    match begun.await.map_err(tokio::task::JoinError::try_into_panic) {
        Ok(begun) => begun,
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        // The process is at its end.
        Err(Err(_)) => Err(Unanswered::Restarting { executions: Vec::new() }),
    }
}

/// Lets a dialect read a message of one of its applications and applies what it wants. Resolves when that is applied;
/// the answer, where the dialect waits for one, follows by itself.
pub async fn hear_message(
    gateway: &Arc<Gateway>,
    plugin: &Arc<Plugin>,
    session: &Session,
    message: &Message,
) -> Result<(), Unanswered> {
    let call = gateway.call_context(None);
    let first = Asker::Message(session, message);
    // The place is for those who wait for a device, so it must not outlive this function: a message has no connection
    // that hangs up. What bounds them is the number of open executions.
    let Begun::Wait { wait, submitted, place } = begin(gateway, plugin, &call, &first).await? else { return Ok(()) };
    drop(place);
    let (gateway, plugin, turn) = (gateway.clone(), plugin.clone(), Turn::of(session));
    tokio::spawn(async move {
        let settled = settle(&gateway, submitted).await;
        // Waited for outside of the turn, which what is settled may need itself. Answered in it: between two calls of one
        // session there is no other.
        let calls = gateway.calls.clone();
        calls.push(turn, async move {
            if let Err(why) = tell_settled(&gateway, &plugin, &wait, settled).await {
                metrics::counter!("dragoman_answers_failed_total", "dialect" => plugin.name().to_string()).increment(1);
                tracing::warn!(dialect = %plugin.name(), %why, "the answer to a message was not given");
            }
        });
    });
    Ok(())
}

async fn tell_settled(
    gateway: &Arc<Gateway>,
    plugin: &Arc<Plugin>,
    wait: &Wait,
    settled: Result<(Vec<Settlement>, Vec<ExecutionId>), Unanswered>,
) -> Result<(), Unanswered> {
    let (settlements, executions) = settled?;
    let word = |version: Arc<Plugin>| {
        let (call, settlements) = (gateway.call_context(None), &settlements);
        async move {
            let word = || version.topics_settled(call.clone(), &wait.context, settlements);
            match again::call_and_apply(gateway, &version, word, About::default).await {
                Ok(_) => Ok(Ok(())),
                Err(Failed::Call(fault)) => Err(fault),
                Err(Failed::Writes(error)) => Ok(Err(error)),
            }
        }
    };
    match gateway.worded(plugin, word).await {
        Ok((_, applied)) => Ok(applied?),
        Err(fault) => Err(Unanswered::AnswerFault { fault, executions }),
    }
}

/// Who begins a conversation.
enum Asker<'a> {
    Request(&'a Request),
    Message(&'a Session, &'a Message),
}

/// What the first calls of a conversation came to.
enum Begun {
    /// That was all.
    Nothing,
    /// This is the answer.
    Respond(Response),
    /// The answer follows.
    Wait { wait: Wait, submitted: Vec<Submitted>, place: Option<OwnedSemaphorePermit> },
}

/// What the first call of a conversation came to.
enum First {
    Begun(Begun),
    /// A device's handler is asked first. What the call wrote is applied.
    Asked {
        context: String,
        questions: Vec<(DeviceId, Question)>,
    },
}

/// Calls the dialect, and once more where it asked, and applies what it wrote.
async fn begin(
    gateway: &Arc<Gateway>,
    plugin: &Arc<Plugin>,
    call: &CallContext,
    asker: &Asker<'_>,
) -> Result<Begun, Unanswered> {
    let mut repeats = 0;
    let first = loop {
        let done = first_call(gateway, plugin, call, asker).await?;
        match conclude(gateway, plugin, done).await {
            Err(Unanswered::Conflict(_)) if repeats < REPEATS_MAX => repeats += 1,
            first => break first?,
        }
    };
    // From here on nothing leads back to the first call, whose writes would count twice.
    match first {
        First::Begun(begun) => Ok(begun),
        First::Asked { context, questions } => {
            let answers = asks::answer(gateway, questions).await;
            go_on(gateway, plugin, call, &context, &answers).await
        }
    }
}

async fn first_call(
    gateway: &Arc<Gateway>,
    plugin: &Plugin,
    call: &CallContext,
    asker: &Asker<'_>,
) -> Result<Done<Option<Decision>>, Unanswered> {
    // It is never closed.
    let place = || async { gateway.arrivals.acquire().await.ok() };
    match asker {
        // Who sent it can send it again.
        Asker::Request(request) => {
            let _place = place().await;
            let done = plugin.handle_request(call.clone(), request).await.map_err(Unanswered::Fault)?;
            Ok(done.map(Some))
        }
        Asker::Message(session, message) => {
            let read = || async {
                let _place = place().await;
                plugin.topics_message(call.clone(), session, message).await
            };
            let done = again::when_free(read).await.map_err(Unanswered::Fault)?;
            Ok(done.map(|wait| wait.map(Decision::Wait)))
        }
    }
}

async fn conclude(
    gateway: &Arc<Gateway>,
    plugin: &Arc<Plugin>,
    done: Done<Option<Decision>>,
) -> Result<First, Unanswered> {
    let Done { value, writes, questions, .. } = done;
    match value {
        Some(Decision::Wait(Wait { context, .. })) if !questions.is_empty() => {
            gateway.apply_writes(plugin, writes, About::default()).await?;
            Ok(First::Asked { context, questions })
        }
        value => apply(gateway, plugin, value, writes).await.map(First::Begun),
    }
}

/// The second call of a conversation that asked.
async fn go_on(
    gateway: &Arc<Gateway>,
    plugin: &Arc<Plugin>,
    call: &CallContext,
    context: &str,
    answers: &[dragoman_wasm::Answer],
) -> Result<Begun, Unanswered> {
    // Ids and numbers must differ from those of the first call, whose writes are applied.
    let call = gateway.call_context(call.presented.clone());
    let mut repeats = 0;
    loop {
        let answered = again::when_free(|| plugin.answered(call.clone(), context, answers)).await;
        let done = answered.map_err(Unanswered::Fault)?;
        match apply(gateway, plugin, done.value, done.writes).await {
            Err(Unanswered::Conflict(_)) if repeats < REPEATS_MAX => repeats += 1,
            begun => return begun,
        }
    }
}

async fn apply(
    gateway: &Arc<Gateway>,
    plugin: &Arc<Plugin>,
    decision: Option<Decision>,
    writes: Vec<dragoman_wasm::PluginWrite>,
) -> Result<Begun, Unanswered> {
    let until = match &decision {
        Some(Decision::Wait(wait)) => Some(wait.until),
        _ => None,
    };
    // Taken before anything is accepted, so that who is told to try again has not commanded anything. Callers that only
    // wait for the disk are gone in a moment and need no place.
    let place = match until {
        Some(until) if until != Stage::Accepted => {
            let full = |_| Unanswered::TooMany { limit: gateway.waiting_max() };
            Some(gateway.waiting.clone().try_acquire_owned().map_err(full)?)
        }
        _ => None,
    };
    let applied = gateway.apply_writes(plugin, writes, About { until, ..About::default() }).await?;
    Ok(match decision {
        None => Begun::Nothing,
        Some(Decision::Respond(response)) => Begun::Respond(response),
        Some(Decision::Wait(wait)) => Begun::Wait { wait, submitted: applied.submissions, place },
    })
}

/// Waits until all that was submitted got as far as was asked, or the daemon stops.
async fn settle(
    gateway: &Arc<Gateway>,
    submitted: Vec<Submitted>,
) -> Result<(Vec<Settlement>, Vec<ExecutionId>), Unanswered> {
    let executions: Vec<ExecutionId> =
        submitted.iter().filter_map(|submitted| submitted.result.as_ref().ok().map(|(id, _)| id.clone())).collect();
    let mut settlements = Vec::with_capacity(submitted.len());
    let mut draining = gateway.draining.subscribe();
    for Submitted { id, result } in submitted {
        let settled = match result {
            Err(reason) => Err(reason),
            Ok((standing, reached)) => {
                let execution = tokio::select! {
                    execution = reach(gateway, &standing, reached) => execution?,
                    () = crate::http::server::turned_true(&mut draining) => {
                        return Err(Unanswered::Restarting { executions });
                    }
                };
                Ok(execution)
            }
        };
        settlements.push(Settlement { id, settled });
    }
    Ok((settlements, executions))
}

/// Waits until an execution got as far as its caller asked; one that ended before is read back.
async fn reach(
    gateway: &Arc<Gateway>,
    id: &ExecutionId,
    reached: Option<tokio::sync::oneshot::Receiver<Arc<Execution>>>,
) -> Result<Arc<Execution>, Unanswered> {
    if let Some(reached) = reached
        && let Ok(execution) = reached.await
    {
        return Ok(execution);
    }
    match gateway.execution(id).await {
        Ok(Some(execution)) => Ok(execution),
        Ok(None) => Err(Unanswered::Store(format!("execution {id} was pruned while it was waited for"))),
        Err(error) => Err(Unanswered::Store(error.to_string())),
    }
}
