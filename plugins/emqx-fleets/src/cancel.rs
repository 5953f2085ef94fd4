//! Taking a command back. The platform lists the status CANCELED and documents no call that leads to it; this one is ours.

use crate::answer::{Failure, conflict, not_found};
use crate::view;
use dragoman_plugin_sdk::http::json_response;
use dragoman_plugin_sdk::{Error, Execution, Gateway, Response, State, outcome};

/// Answers with the execution as it is once canceled: what was written in this call cannot be read in it.
pub(crate) fn cancel(gateway: &impl Gateway, mut execution: Execution) -> Result<Response, Failure> {
    if outcome::is_final(execution.state) {
        let status = view::status_of(execution.state);
        return Err(conflict(format!("execution {} has ended with {status}", execution.id)));
    }
    gateway.cancel(&execution.id).map_err(|error| match error {
        Error::Conflict(text) => conflict(text),
        Error::NotFound(_) => not_found("there is no such execution"),
        error => Failure::Fault(error),
    })?;
    let now_ms = gateway.now_ms();
    execution.state = State::Canceled;
    execution.ended_ms = Some(now_ms);
    execution.updated_ms = now_ms;
    Ok(json_response(200, &view::of(&execution)))
}
