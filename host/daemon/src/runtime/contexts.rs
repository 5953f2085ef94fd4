//! Whether a new version of a dialect can go on with the commands that the one before left open.
//!
//! What a dialect keeps with its commands is opaque to the host: only the dialect can say whether it still reads it. So it
//! is told, of some of what is open, what it would be told if the time to live were over now, which is how every command
//! may end. A call is a transaction: whatever it writes then is dropped.
//!
//! What a handler keeps is not asked about: a conversation keeps to the version that began it. Nor is what a caller waits
//! with: the version that took the request words its answer.

use super::again;
use super::gateway::Gateway;
use dragoman_core::{Change, Execution, Input, Limits, Machine, Transition};
use dragoman_wasm::{CallError, Fault, GuestError, Plugin};
use std::sync::Arc;

/// Open commands that a new version is asked about, the oldest of them.
const READ_MAX: usize = 100;

/// Asks a new version about open commands of its own.
///
/// # Errors
/// What it could not read, as the middle of a sentence about its file.
pub(super) async fn check(gateway: &Arc<Gateway>, next: &Arc<Plugin>) -> Result<(), String> {
    let wants = &next.description().transitions;
    if !next.roles().notifications || wants.is_none() {
        return Ok(());
    }
    let open: Vec<Arc<Execution>> = gateway.engine.look(|machine| {
        let own = machine.open_executions().filter(|execution| *execution.origin == **next.name());
        own.take(READ_MAX).cloned().collect()
    });
    if open.is_empty() {
        return Ok(());
    }
    declare_indexes(gateway, next).await;
    let position = gateway.engine.position();
    for open in open {
        let Some(Change { execution, transitions }) = at_its_end(&open) else { continue };
        let lines: Vec<Transition> =
            transitions.into_iter().filter(|line| wants.wants(&execution.intent, line.event)).collect();
        if lines.is_empty() {
            continue;
        }
        let call = gateway.call_context(None);
        let told = again::when_free(|| next.on_transitions(call.clone(), &execution, &lines, position, &[])).await;
        if let Some(error) = told.err().filter(cannot_read) {
            return Err(format!(
                "cannot go on with execution {}, which the version before it left open: {error}; make it read what that \
                 version kept, or wait: it is tried again until such commands have ended",
                open.id
            ));
        }
    }
    Ok(())
}

/// It may ask for documents by fields that the version before did not.
async fn declare_indexes(gateway: &Arc<Gateway>, next: &Plugin) {
    let mut indexes = next.description().indexes.clone();
    indexes.extend(gateway.plugin(next.name()).into_iter().flat_map(|serving| serving.description().indexes.clone()));
    if let Err(error) = gateway.engine.journal().declare_indexes(next.name(), indexes).await {
        tracing::warn!(dialect = %next.name(), %error, "the indexes of a new version's documents could not be made yet");
    }
}

/// The execution as it would be if its time to live were over now, with the lines that its history would grow by.
fn at_its_end(open: &Execution) -> Option<Change> {
    let mut machine = Machine::new(Limits { open_max: 1, open_per_device_max: 1 });
    let (now_ms, mut effects) = (open.deadline_ms, Vec::new());
    machine.restore(open.clone());
    machine.recovered(now_ms, &mut effects);
    machine.apply(now_ms, Input::Tick, &mut effects);
    machine.drain_changes().into_iter().find(|change| change.execution.state.is_final())
}

/// Whether a version shows that it cannot read what it was given. Where it only cannot do its work now, it can.
fn cannot_read(error: &CallError) -> bool {
    match &error.fault {
        Fault::Guest(error) => matches!(error, GuestError::Invalid(_) | GuestError::Internal(_)),
        // It has shown so before, and often.
        Fault::Quarantined { .. } => true,
        _ => error.is_fault(),
    }
}
