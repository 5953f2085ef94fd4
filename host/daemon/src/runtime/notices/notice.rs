//! What a feed holds: lines of one execution that happened together, with the record as it stood then.

use dragoman_core::{Attributes, Execution, Intent, Outcome, Payload, Reason, Transition};
use std::sync::Arc;

/// Lines of one execution that happened together.
#[derive(Clone, Debug)]
pub(super) struct Notice {
    pub(super) execution: Arc<Execution>,
    pub(super) lines: Vec<Transition>,
    /// Of the first line.
    pub(super) position: u64,
}

impl Notice {
    /// The position of its last line.
    pub(super) fn end(&self) -> u64 {
        self.position + u64::try_from(self.lines.len()).unwrap_or(u64::MAX).saturating_sub(1)
    }

    /// Roughly what it holds in memory: the record is copied when it changes, so each notice may have one of its own.
    pub(super) fn bytes(&self) -> usize {
        let lines = self.lines.iter().map(|line| {
            size_of::<Transition>() + reason(line.reason.as_ref()) + text(line.detail.as_ref()) + all(&line.attributes)
        });
        record(&self.execution) + lines.sum::<usize>()
    }
}

fn record(execution: &Execution) -> usize {
    let outcome = match &execution.outcome {
        None => 0,
        Some(Outcome::Succeeded(value)) => text(value.as_ref()),
        Some(Outcome::Failed(why) | Outcome::Rejected(why)) => reason(Some(why)),
    };
    let texts = [&execution.alias, &execution.context, &execution.handler_state, &execution.last_note];
    let attributes = [&execution.labels, &execution.digests, &execution.released, &execution.report];
    size_of::<Execution>()
        + intent(&execution.intent)
        + execution.frames.iter().map(intent).sum::<usize>()
        + texts.into_iter().map(|one| text(one.as_ref())).sum::<usize>()
        + attributes.into_iter().map(all).sum::<usize>()
        + execution.correlations.iter().map(|(_, correlation)| correlation.key.len()).sum::<usize>()
        + outcome
        + reason(execution.reason.as_ref())
}

fn intent(intent: &Intent) -> usize {
    match intent {
        Intent::Invoke(invocation) => invocation.action.len() + invocation.params.len(),
        Intent::Write(properties) => properties.iter().map(|one| one.name.len() + one.value.len()).sum(),
        Intent::Read(names) => names.iter().map(|one| one.name.len()).sum(),
        Intent::Deliver(delivery) => Payload::as_bytes(&delivery.payload).len() + all(&delivery.attributes),
    }
}

fn reason(reason: Option<&Reason>) -> usize {
    reason.map_or(0, |reason| reason.code.len() + reason.text.len() + text(reason.detail.as_ref()))
}

fn text(text: Option<&String>) -> usize {
    text.map_or(0, String::len)
}

fn all(attributes: &Attributes) -> usize {
    attributes.iter().map(|(name, value)| name.len() + value.len()).sum()
}
