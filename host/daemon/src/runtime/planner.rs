//! From an execution whose turn it is to messages: the handler's next step, then the device dialect's words.

use super::engine::{Outgoing, Step, Stopped};
use super::gateway::Gateway;
use dragoman_core::{Attributes, Correlation, Execution, ExecutionId, Planned, Reason, Reply};
use dragoman_wasm::{Attempt, Audience, CallError, DeviceView, Dispatched, HandlerPlan, Plugin, Step as HandlerStep};
use std::sync::Arc;

/// Plans one attempt and applies the result. With a reply, goes on with the conversation that the handler began.
/// Runs in the order of its device, so two attempts for one device are never planned at the same time.
pub async fn plan(gateway: &Arc<Gateway>, id: ExecutionId, attempt: u32, reply: Option<Reply>) {
    let Some(execution) = gateway.engine.open_execution(&id) else { return };
    let (plan, messages) = match try_plan(gateway, &execution, attempt, reply).await {
        Ok(planned) => planned,
        Err(reason) => {
            tracing::warn!(execution = %id, code = %reason.code, reason = %reason.text, "a command could not be planned");
            (Planned::Fault(reason), Vec::new())
        }
    };
    let _: Result<_, Stopped> = gateway.engine.turn(vec![Step::Dispatch { id, attempt, plan, messages }], None);
}

async fn try_plan(
    gateway: &Arc<Gateway>,
    execution: &Execution,
    attempt: u32,
    reply: Option<Reply>,
) -> Result<(Planned, Vec<Outgoing>), Reason> {
    let mut digests: Attributes = Vec::new();
    // Frames that stand already were planned for this step before, and came to nothing: they go out once more.
    let repeats = reply.is_none() && !execution.frames.is_empty();
    let step = match &execution.handler {
        _ if repeats => HandlerStep::Send(HandlerPlan {
            frames: execution.frames.clone(),
            state: String::new(),
            reply_within_ms: None,
        }),
        Some(name) => {
            let handler = loaded(gateway, name, "$NO_HANDLER")?;
            digests.push((handler.name().to_string(), handler.digest().to_owned()));
            let device = device_as_seen_by(gateway, execution, name).await?;
            handler_step(gateway, &handler, &device, execution, reply).await.map_err(|fault| fault.reason())?
        }
        None => HandlerStep::Send(HandlerPlan {
            frames: vec![execution.intent.clone()],
            state: String::new(),
            reply_within_ms: None,
        }),
    };
    let plan = match step {
        HandlerStep::Finish(outcome) => return Ok((Planned::Done(outcome), Vec::new())),
        HandlerStep::Send(plan) => plan,
    };

    let record = gateway.device_record(&execution.device).await?;
    let dialect = loaded(gateway, &record.dialect, "$NO_DIALECT")?;
    digests.push((dialect.name().to_string(), dialect.digest().to_owned()));
    let device = device_as_seen_by(gateway, execution, dialect.name()).await?;
    let attempt = Attempt { number: attempt, frames: &plan.frames };
    let done = dialect
        .dispatch(gateway.call_context(None), &device, execution, attempt)
        .await
        .map_err(|fault| fault.reason())?;
    if !done.writes.is_empty() {
        gateway
            .apply_writes(&dialect, done.writes, None, None)
            .await
            .map_err(|error| Reason::new("$PLUGIN_ERROR", error.to_string()))?;
    }
    // A repetition leaves the handler's state as it was.
    let handler_state = (execution.handler.is_some() && !repeats).then_some(plan.state);
    Ok(match done.value {
        Dispatched::Send(outgoing) => {
            let (messages, correlations) = split(outgoing);
            let planned = Planned::Send {
                frames: plan.frames,
                correlations,
                handler_state,
                reply_within_ms: plan.reply_within_ms,
                digests,
            };
            (planned, messages)
        }
        Dispatched::Done(outcome) => {
            (Planned::Answered { outcome, frames: plan.frames, handler_state, digests }, Vec::new())
        }
        Dispatched::Unsupported(reason) => (Planned::Unsupported(reason), Vec::new()),
    })
}

async fn handler_step(
    gateway: &Arc<Gateway>,
    handler: &Plugin,
    device: &DeviceView,
    execution: &Execution,
    reply: Option<Reply>,
) -> Result<HandlerStep, CallError> {
    let call = gateway.call_context(None);
    match reply {
        None => handler.handler_start(call, device, &execution.intent).await,
        Some(reply) => {
            let state = execution.handler_state.as_deref().unwrap_or("null");
            handler.handler_resume(call, device, &execution.intent, state, &reply).await
        }
    }
}

fn loaded(gateway: &Gateway, name: &str, code: &str) -> Result<Arc<Plugin>, Reason> {
    gateway.plugin(name).ok_or_else(|| {
        Reason::new(
            code,
            format!("the plugin {name} is not loaded; put it into the plugin folder and send the command again"),
        )
    })
}

async fn device_as_seen_by(
    gateway: &Arc<Gateway>,
    execution: &Execution,
    plugin: &str,
) -> Result<Arc<DeviceView>, Reason> {
    gateway
        .device_view(plugin, &execution.device)
        .await
        .map_err(|error| Reason::new("$STORE", error.to_string()))?
        .ok_or_else(|| Reason::new("$UNKNOWN_DEVICE", format!("device {} was removed", execution.device)))
}

fn split(outgoing: Vec<dragoman_wasm::Outgoing>) -> (Vec<Outgoing>, Vec<Correlation>) {
    let mut correlations = Vec::new();
    let messages = outgoing
        .into_iter()
        .map(|outgoing| {
            correlations.extend(outgoing.correlation);
            Outgoing { subscribed_only: outgoing.to == Audience::Subscribed, message: outgoing.message }
        })
        .collect();
    (messages, correlations)
}
