//! Callers that wait until an execution got somewhere.

use dragoman_core::{Execution, ExecutionId, Stage};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::oneshot;

/// What a waiting caller is given: the execution as it stood when it got there.
pub type Reached = Arc<Execution>;

/// Who waits for what. Lives under the engine's lock, so that nothing can be reached unseen between a submission and
/// the registration of its caller.
#[derive(Debug, Default)]
pub struct Waits {
    by_execution: HashMap<ExecutionId, Vec<Waiter>>,
}

#[derive(Debug)]
struct Waiter {
    until: Stage,
    tell: oneshot::Sender<Reached>,
}

impl Waits {
    /// Registers a caller. Resolves at once when the execution is already there.
    pub fn register(&mut self, execution: &Arc<Execution>, until: Stage) -> oneshot::Receiver<Reached> {
        let (tell, told) = oneshot::channel();
        if has_reached(execution, until) {
            // The receiver is in our hands, so the send cannot fail.
            let _ = tell.send(execution.clone());
        } else {
            let waiters = self.by_execution.entry(execution.id.clone()).or_default();
            // Callers that hung up must not add up while the execution stands still.
            waiters.retain(|waiter| !waiter.tell.is_closed());
            waiters.push(Waiter { until, tell });
        }
        told
    }

    /// Tells everybody whose stage the execution has reached; callers that went away are forgotten with them.
    pub fn changed(&mut self, execution: &Arc<Execution>) {
        let Some(waiters) = self.by_execution.get_mut(&execution.id) else { return };
        for waiter in std::mem::take(waiters) {
            if has_reached(execution, waiter.until) {
                let _ = waiter.tell.send(execution.clone());
            } else if !waiter.tell.is_closed() {
                waiters.push(waiter);
            }
        }
        if waiters.is_empty() {
            self.by_execution.remove(&execution.id);
        }
    }
}

/// Whether an execution got that far. What ended got everywhere it could.
fn has_reached(execution: &Execution, until: Stage) -> bool {
    use dragoman_core::State;
    execution.state.is_final()
        || match until {
            Stage::Accepted => true,
            Stage::Sent => execution.sent_ms.is_some(),
            Stage::Acked => execution.state == State::Acked,
            Stage::Ended => false,
        }
}
