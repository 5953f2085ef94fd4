//! Questions of a dialect to a device's handler. The handler answers in a call of its own, so no plugin calls a plugin.

use super::gateway::Gateway;
use dragoman_core::{Delivery, DeviceId, Intent, Outcome, Reason};
use dragoman_wasm::{Answer, CallError, Direction, Plugin, Question, Step};
use std::sync::Arc;

/// Answers in the order of the questions.
pub async fn answer(gateway: &Arc<Gateway>, questions: Vec<(DeviceId, Question)>) -> Vec<Answer> {
    let mut answers = Vec::with_capacity(questions.len());
    for (device, question) in questions {
        let answer = match question {
            Question::Plan(intent) => plan(gateway, &device, &intent).await,
            Question::DecodeUp(what) => decode(gateway, &device, Direction::Up, &what).await,
            Question::DecodeDown(what) => decode(gateway, &device, Direction::Down, &what).await,
        };
        answers.push(answer.unwrap_or_else(Answer::Refused));
    }
    answers
}

async fn plan(gateway: &Arc<Gateway>, id: &DeviceId, intent: &Intent) -> Result<Answer, Reason> {
    let Some((handler, device)) = handler_of(gateway, id).await? else {
        // A device without a handler is sent the intent as it is.
        return Ok(Answer::Frames(vec![intent.clone()]));
    };
    match handler.handler_start(gateway.call_context(None), &device, intent).await.map_err(fault)? {
        Step::Send(plan) => Ok(Answer::Frames(plan.frames)),
        Step::Finish(Outcome::Succeeded(_)) => Ok(Answer::Frames(Vec::new())),
        Step::Finish(Outcome::Failed(reason) | Outcome::Rejected(reason)) => Err(reason),
    }
}

async fn decode(
    gateway: &Arc<Gateway>,
    id: &DeviceId,
    direction: Direction,
    what: &Delivery,
) -> Result<Answer, Reason> {
    let decoder = handler_of(gateway, id).await?.filter(|(handler, _)| handler.roles().decoder);
    let Some((handler, device)) = decoder else {
        let text = format!("device {id} has no handler that reads what it says");
        return Err(Reason::new("$UNSUPPORTED", text));
    };
    let decoded = handler.decode(gateway.call_context(None), &device, direction, what).await.map_err(fault)?;
    decoded.map(Answer::Decoded)
}

/// The handler of a device as it is loaded now, and the device as that handler sees it.
pub async fn handler_of(
    gateway: &Arc<Gateway>,
    id: &DeviceId,
) -> Result<Option<(Arc<Plugin>, Arc<dragoman_wasm::DeviceView>)>, Reason> {
    let unavailable = |error: dragoman_store::StoreError| Reason::new("$STORE", error.to_string());
    let record = gateway.engine.journal().device(id).await.map_err(unavailable)?;
    let Some(record) = record else {
        return Err(Reason::new("$UNKNOWN_DEVICE", format!("no device {id} is registered")));
    };
    let Some(name) = &record.handler else { return Ok(None) };
    let Some(handler) = gateway.plugin(name) else {
        let text = format!("the handler {name} is not loaded; put it into the plugin folder");
        return Err(Reason::new("$NO_HANDLER", text));
    };
    let view = gateway.device_view(name, id).await.map_err(unavailable)?;
    Ok(view.map(|view| (handler, view)))
}

#[expect(clippy::needless_pass_by_value, reason = "so that it can be named in map_err")]
fn fault(error: CallError) -> Reason {
    error.reason()
}
