//! From an execution whose turn it is to messages: the handler's next step, then the device dialect's words.

use super::again::{AGAIN_AFTER, is_for_now};
use super::engine::{Outgoing, Step, Stopped};
use super::gateway::Gateway;
use super::writes::{About, PlannedAttempt, REPEATS_MAX, WriteError};
use dragoman_core::{Attributes, Correlation, Execution, ExecutionId, Phase, Planned, Reason, Reply};
use dragoman_store::StoreError;
use dragoman_wasm::{
    Attempt, Audience, CallContext, CallError, DeviceView, Dispatched, Fault, HandlerPlan, Plugin, PluginWrite,
    Step as HandlerStep,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long a command waits for a plugin in quarantine. All calls about its device wait behind it meanwhile.
const QUARANTINE_WAIT_MAX: Duration = Duration::from_secs(10);

/// Why there is no plan.
enum NoPlan {
    /// The plugin could not be called, or the store not read, for now. Nothing is wrong with the command, so it waits;
    /// its time to live bounds that.
    Later(String),
    /// A plugin is in quarantine, and is not called before so long. It is worth waiting for only if that is soon.
    Quarantined(Reason, Duration),
    /// The command cannot be planned.
    Fault(Reason),
}

impl From<CallError> for NoPlan {
    fn from(error: CallError) -> Self {
        match error.fault {
            Fault::Quarantined { again_in_ms } => Self::Quarantined(error.reason(), Duration::from_millis(again_in_ms)),
            _ if is_for_now(&error) => Self::Later(error.to_string()),
            _ => Self::Fault(error.reason()),
        }
    }
}

impl From<StoreError> for NoPlan {
    fn from(error: StoreError) -> Self {
        Self::Later(error.to_string())
    }
}

/// Plans one attempt and applies the result. With a reply, goes on with the conversation that the handler began.
/// Runs in the order of its device, so two attempts for one device are never planned at the same time; what cannot be
/// planned for now waits here, so that nothing behind it overtakes it.
pub async fn plan(gateway: &Arc<Gateway>, id: ExecutionId, attempt: u32, reply: Option<Reply>) {
    let mut waits_until = None;
    // None, or for another attempt: it ended, or its time was over.
    while let Some(execution) = gateway.engine.open_execution(&id).filter(|execution| is_asked(execution, attempt)) {
        let unplanned = match plan_now(gateway, &execution, attempt, reply.as_ref()).await {
            Ok(()) => return,
            Err(NoPlan::Quarantined(reason, again_in)) => {
                let now = Instant::now();
                let until = *waits_until.get_or_insert(now + QUARANTINE_WAIT_MAX);
                // One of the commands that wait is what ends a quarantine.
                if now + again_in < until { NoPlan::Later(reason.text) } else { NoPlan::Fault(reason) }
            }
            Err(unplanned) => unplanned,
        };
        match unplanned {
            NoPlan::Later(why) => {
                metrics::counter!("dragoman_plans_put_off_total").increment(1);
                tracing::debug!(execution = %id, %why, "a command is planned a little later");
                tokio::time::sleep(AGAIN_AFTER).await;
            }
            NoPlan::Quarantined(reason, _) | NoPlan::Fault(reason) => {
                tracing::warn!(execution = %id, code = %reason.code, reason = %reason.text, "a command could not be planned");
                let plan = Planned::Fault(reason);
                let step = Step::Dispatch { id, attempt, plan, messages: Vec::new() };
                // A journal that died has told everybody who must know.
                let _: Result<_, Stopped> = gateway.engine.turn(vec![step], None);
                return;
            }
        }
    }
}

async fn plan_now(
    gateway: &Arc<Gateway>,
    execution: &Execution,
    attempt: u32,
    reply: Option<&Reply>,
) -> Result<(), NoPlan> {
    // Calls that are repeated because somebody was faster see the same time and ids. The two plugins see ids of their own.
    let calls = Calls { handler: gateway.call_context(None), dialect: gateway.call_context(None) };
    let mut repeats = 0;
    loop {
        let planned = try_plan(gateway, &calls, execution, attempt, reply).await?;
        match apply(gateway, &execution.id, attempt, planned).await {
            Err(WriteError::Conflict(_)) if repeats < REPEATS_MAX => repeats += 1,
            Err(WriteError::Store(error)) => return Err(error.into()),
            // A journal that died has told everybody who must know.
            Ok(()) | Err(WriteError::Stopped(_)) => return Ok(()),
            Err(error) => return Err(NoPlan::Fault(Reason::new("$PLUGIN_ERROR", error.to_string()))),
        }
    }
}

/// What the calls of one plan need of their host.
struct Calls {
    handler: CallContext,
    dialect: CallContext,
}

/// A plan with what the dialect wrote while it made it.
struct Plan {
    planned: Planned,
    messages: Vec<Outgoing>,
    dialect: Option<(Arc<Plugin>, Vec<PluginWrite>)>,
    /// Held until the record says that the execution needs it, so that it is not unloaded before.
    handler: Option<Arc<Plugin>>,
}

/// The plan and the writes of its call are applied in one turn.
async fn apply(gateway: &Arc<Gateway>, id: &ExecutionId, attempt: u32, plan: Plan) -> Result<(), WriteError> {
    let Plan { planned, messages, dialect, handler: _held } = plan;
    match dialect {
        Some((dialect, writes)) if !writes.is_empty() => {
            let planned = Some(PlannedAttempt { id: id.clone(), attempt, plan: planned, messages });
            gateway.apply_writes(&dialect, writes, About { planned, ..About::default() }).await?;
        }
        _ => {
            gateway.engine.turn(vec![Step::Dispatch { id: id.clone(), attempt, plan: planned, messages }], None)?;
        }
    }
    Ok(())
}

/// Whether the machine still waits for this plan.
fn is_asked(execution: &Execution, attempt: u32) -> bool {
    matches!(execution.phase, Phase::Planning | Phase::Resuming(_)) && execution.attempt.checked_add(1) == Some(attempt)
}

async fn try_plan(
    gateway: &Arc<Gateway>,
    calls: &Calls,
    execution: &Execution,
    attempt: u32,
    reply: Option<&Reply>,
) -> Result<Plan, NoPlan> {
    let (mut digests, mut handler): (Attributes, _) = (Vec::new(), None);
    // Frames that stand already were planned for this step before, and came to nothing: they go out once more.
    let repeats = reply.is_none() && !execution.frames.is_empty();
    let step = match &execution.handler {
        _ if repeats => HandlerStep::Send(HandlerPlan {
            frames: execution.frames.clone(),
            state: String::new(),
            reply_within_ms: None,
        }),
        Some(name) => {
            let version =
                gateway.handler_for(execution, name).ok_or_else(|| not_loaded(gateway, name, "$NO_HANDLER"))?;
            let version = handler.insert(version);
            digests.push((version.name().to_string(), version.digest().to_owned()));
            let device = device_as_seen_by(gateway, execution, name).await?;
            handler_step(calls.handler.clone(), version, &device, execution, reply).await?
        }
        None => HandlerStep::Send(HandlerPlan {
            frames: vec![execution.intent.clone()],
            state: String::new(),
            reply_within_ms: None,
        }),
    };
    let plan = match step {
        HandlerStep::Finish(outcome) => {
            let planned = Planned::Done { outcome, digests };
            return Ok(Plan { planned, messages: Vec::new(), dialect: None, handler });
        }
        HandlerStep::Send(plan) => plan,
    };

    let record = gateway.engine.journal().device(&execution.device).await?.ok_or_else(|| removed(execution))?;
    let dialect = gateway.dialect_for(execution, &record.dialect);
    let dialect = dialect.ok_or_else(|| not_loaded(gateway, &record.dialect, "$NO_DIALECT"))?;
    digests.push((dialect.name().to_string(), dialect.digest().to_owned()));
    let device = device_as_seen_by(gateway, execution, dialect.name()).await?;
    let frames = Attempt { number: attempt, frames: &plan.frames };
    let done = dialect.dispatch(calls.dialect.clone(), &device, execution, frames).await?;
    // A repetition leaves the handler's state as it was.
    let handler_state = (execution.handler.is_some() && !repeats).then_some(plan.state);
    let (planned, messages) = match done.value {
        Dispatched::Send(outgoing) => {
            let (messages, correlations) = split(outgoing);
            let planned = Planned::Send {
                frames: plan.frames,
                // Somebody may say what came of it: who has the key, or whoever the dialect vouches for.
                answerable: !correlations.is_empty() || dialect.description().always_present,
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
    };
    Ok(Plan { planned, messages, dialect: Some((dialect, done.writes)), handler })
}

async fn handler_step(
    call: CallContext,
    handler: &Plugin,
    device: &DeviceView,
    execution: &Execution,
    reply: Option<&Reply>,
) -> Result<HandlerStep, CallError> {
    match reply {
        None => handler.handler_start(call, device, &execution.intent).await,
        Some(reply) => {
            let state = execution.handler_state.as_deref().unwrap_or("null");
            handler.handler_resume(call, device, &execution.intent, state, reply).await
        }
    }
}

/// A command waits for a plugin that was removed a moment ago: it may be replaced.
fn not_loaded(gateway: &Gateway, name: &str, code: &str) -> NoPlan {
    if gateway.catalog().is_just_gone(name) {
        return NoPlan::Later(format!("the plugin {name} was just removed"));
    }
    let text = format!("the plugin {name} is not loaded; put it into the plugin folder and send the command again");
    NoPlan::Fault(Reason::new(code, text))
}

fn removed(execution: &Execution) -> NoPlan {
    NoPlan::Fault(Reason::new("$UNKNOWN_DEVICE", format!("device {} was removed", execution.device)))
}

async fn device_as_seen_by(
    gateway: &Arc<Gateway>,
    execution: &Execution,
    plugin: &str,
) -> Result<Arc<DeviceView>, NoPlan> {
    gateway.device_view(plugin, &execution.device).await?.ok_or_else(|| removed(execution))
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
