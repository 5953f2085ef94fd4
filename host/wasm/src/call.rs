//! One call: its instance, its way through the plugin, and what it leaves.

use crate::bindings::dragoman::gateway::types as wit;
use crate::convert;
use crate::deadline::{Deadline, Elapsed};
use crate::error::Fault;
use crate::instances::{Lease, Live};
use crate::one_line::one_line;
use crate::state::State;
use crate::stdio::Stdio;
use crate::writes::{Done, PluginWrite};
use std::sync::Arc;
use tracing::Level;
use wasmtime::Trap;
use wasmtime_wasi::I32Exit;

/// Lines of a panic that are told with the fault.
const PANIC_MAX_BYTES: usize = 500;

/// A call in progress. Dropped before [`Active::done`], nothing of it remains and its instance is not used again.
pub(crate) struct Active(pub(crate) Lease);

impl Active {
    pub(crate) fn live(&mut self) -> &mut Live {
        &mut self.0.live
    }

    pub(crate) fn state(&mut self) -> &mut State {
        self.0.live.store.data_mut()
    }

    pub(crate) fn deadline(&self) -> Arc<Deadline> {
        Arc::clone(&self.0.live.store.data().call.deadline)
    }

    /// Whether the call has submitted or asked something, so that it must wait.
    pub(crate) fn must_wait(&self) -> bool {
        let call = &self.0.live.store.data().call;
        call.submissions > 0 || !call.questions.is_empty()
    }

    /// What an export that can answer with an error answered.
    pub(crate) fn answered<T>(
        &mut self,
        result: Result<wasmtime::Result<Result<T, wit::Error>>, Elapsed>,
    ) -> Result<T, Fault> {
        self.returned(result)?.map_err(|error| Fault::Guest(convert::guest_error(error)))
    }

    /// What an export returned, if it did.
    pub(crate) fn returned<T>(&mut self, result: Result<wasmtime::Result<T>, Elapsed>) -> Result<T, Fault> {
        let state = self.state();
        let result = match result {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => {
                let fault = classify(&error, &state.stdio);
                return Err(fault);
            }
            Err(Elapsed) => Err(Fault::Deadline { limit_ms: state.call.limit_ms() }),
        };
        log_stdio(state);
        result
    }

    /// Ends the call: its writes, in order, and the answer that was checked meanwhile.
    pub(crate) fn done<T>(mut self, value: T) -> Done<T> {
        let call = &mut self.state().call;
        let writes = std::mem::take(&mut call.writes);
        let questions = std::mem::take(&mut call.questions);
        call.end();
        self.0.give_back();
        let revision = |write: &PluginWrite| match write {
            PluginWrite::PutProfile { device, revision, .. } => Some((device.clone(), *revision)),
            PluginWrite::UpdateDevice(update) => Some((update.id.clone(), update.revision)),
            _ => None,
        };
        Done { read_revisions: writes.iter().filter_map(revision).collect(), value, writes, questions }
    }
}

/// What the plugin wrote to its standard output and error goes to its log.
fn log_stdio(state: &mut State) {
    let (text, dropped) = state.stdio.take();
    let export = state.call.export;
    for line in text.lines() {
        state.call.log.line(export, Level::INFO, line);
    }
    state.call.log.lost(dropped);
}

/// Why a call did not return.
pub(crate) fn classify(error: &wasmtime::Error, stdio: &Stdio) -> Fault {
    if let Some(fault) = error.downcast_ref::<Fault>() {
        return fault.clone();
    }
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        return Fault::Trapped(format!("it exited with status {}", exit.0));
    }
    if let Some(trap) = error.downcast_ref::<Trap>() {
        let (said, _) = stdio.take();
        let said = said.trim();
        if said.is_empty() {
            return Fault::Trapped(trap.to_string());
        }
        let start = (0..=said.len()).find(|at| said.len() - at <= PANIC_MAX_BYTES && said.is_char_boundary(*at));
        let said = one_line(said.get(start.unwrap_or(0)..).unwrap_or_default());
        return Fault::Trapped(format!("{trap}; it said: {said}"));
    }
    let cause = error.root_cause().to_string();
    if cause.contains("too much data is being copied") {
        return Fault::HostcallBudget("too much data in one crossing".into());
    }
    if cause.contains("handle limit exceeded") {
        return Fault::HostcallBudget("it holds more than the host keeps for one instance".into());
    }
    Fault::DoesNotFit(cause)
}
