//! A request of an application: from its dialect to the engine, and back when the command got as far as was asked.

use super::engine::Stopped;
use super::events::REPEATS_MAX;
use super::gateway::Gateway;
use super::writes::{Submitted, WriteError};
use dragoman_core::{Execution, ExecutionId, Stage};
use dragoman_wasm::{CallContext, CallError, Decision, Plugin, PluginWrite, Presented, Request, Response, Settlement};
use std::sync::Arc;

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

impl From<Stopped> for Unanswered {
    fn from(stopped: Stopped) -> Self {
        Self::Store(stopped.to_string())
    }
}

/// Answers one request in the words of the dialect that claims its route.
pub async fn answer(
    gateway: &Arc<Gateway>,
    plugin: &Plugin,
    request: &Request,
    presented: Option<Presented>,
) -> Result<Response, Unanswered> {
    let call = gateway.call_context(presented);
    let mut repeats = 0;
    loop {
        let done = {
            let _place = gateway.arrivals.acquire().await.map_err(|error| Unanswered::Store(error.to_string()))?;
            plugin.handle_request(call.clone(), request).await.map_err(Unanswered::Fault)?
        };
        if !done.questions.is_empty() {
            return Err(Unanswered::NotAllowed(format!(
                "plugin {} asked a handler, which this gateway does not serve",
                plugin.name()
            )));
        }
        // Taken before anything is accepted, so that who is told to try again has not commanded anything. Callers that
        // only wait for the disk are gone in a moment and need no place.
        let place = match &done.value {
            Decision::Wait(wait) if wait.until != Stage::Accepted => {
                let full = |_| Unanswered::TooMany { limit: gateway.waiting_max() };
                Some(gateway.waiting.try_acquire().map_err(full)?)
            }
            _ => None,
        };
        let submits = done.writes.iter().any(|write| matches!(write, PluginWrite::Submit(_)));
        let applied = match &done.value {
            Decision::Respond(_) if submits => {
                return Err(Unanswered::NotAllowed(format!(
                    "plugin {} submitted a command and answered at once; the contract asks it to wait",
                    plugin.name()
                )));
            }
            Decision::Respond(_) => gateway.apply_writes(plugin, done.writes, None, None).await,
            Decision::Wait(wait) => gateway.apply_writes(plugin, done.writes, Some(wait.until), None).await,
        };
        let applied = match applied {
            Ok(applied) => applied,
            Err(WriteError::Conflict(_)) if repeats < REPEATS_MAX => {
                repeats += 1;
                continue;
            }
            Err(WriteError::Conflict(text)) => return Err(Unanswered::Conflict(text)),
            Err(WriteError::NotAllowed(text)) => return Err(Unanswered::NotAllowed(text)),
            Err(error) => return Err(Unanswered::Store(error.to_string())),
        };
        return match done.value {
            Decision::Respond(response) => {
                // What was read may be ahead of the disk, and nothing leaves before the disk has it.
                gateway.engine.committed(gateway.engine.horizon()).await?;
                Ok(response)
            }
            Decision::Wait(wait) => {
                let _place = place;
                settle(gateway, plugin, call, &wait.context, applied.submissions).await
            }
        };
    }
}

async fn settle(
    gateway: &Arc<Gateway>,
    plugin: &Plugin,
    call: CallContext,
    context: &str,
    submissions: Vec<Submitted>,
) -> Result<Response, Unanswered> {
    let executions: Vec<ExecutionId> =
        submissions.iter().filter_map(|submitted| submitted.result.as_ref().ok().map(|(id, _)| id.clone())).collect();
    let mut settlements = Vec::with_capacity(submissions.len());
    let mut draining = gateway.draining.subscribe();
    for Submitted { id, result } in submissions {
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
    // The answer is worded while the disk works; it only leaves when the disk has all that the call could see.
    let again = CallContext { now_ms: gateway.engine.now_ms(), ..call };
    let worded = plugin.settled(again, context, &settlements).await;
    gateway.engine.committed(gateway.engine.horizon()).await?;
    match worded {
        Ok(done) if !done.writes.is_empty() => Err(Unanswered::NotAllowed(format!(
            "plugin {} wrote while it worded an answer, which the contract does not allow",
            plugin.name()
        ))),
        Ok(done) => Ok(done.value),
        Err(fault) => Err(Unanswered::AnswerFault { fault, executions }),
    }
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
