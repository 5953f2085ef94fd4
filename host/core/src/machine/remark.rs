//! Notes and labels: what is said about an execution and changes nothing about it.

use super::Machine;
use super::input::{Answer, Refusal};
use crate::execution::{Event, Execution, Transition};
use crate::intent::{ExecutionId, Json};

impl Machine {
    /// A line of the history, in any state.
    pub(super) fn note_remark(&mut self, now_ms: u64, id: &ExecutionId, note: Json) -> Answer {
        if self.book.get(id).is_none() {
            return Answer::Stale;
        }
        let mut transition = None;
        self.book.amend(id, |record| transition = Some(record_note(record, now_ms, note)));
        self.book.append(id, transition);
        Answer::Taken
    }

    /// No line of the history, in any state.
    pub(super) fn label(&mut self, id: &ExecutionId, name: String, value: String) -> Answer {
        let Some(entry) = self.book.get(id) else { return Answer::Stale };
        if let Err(refusal) = check_label(&entry.record, &name) {
            return Answer::Refused(refusal);
        }
        self.book.amend(id, |record| put_label(record, name, value));
        Answer::Taken
    }
}

/// Adds a note to the history of an execution, ended or not; it becomes [`Execution::last_note`].
pub fn record_note(execution: &mut Execution, now_ms: u64, note: Json) -> Transition {
    execution.version += 1;
    execution.updated_ms = now_ms;
    execution.last_note = Some(note.clone());
    Transition {
        seq: execution.version,
        at_ms: now_ms,
        event: Event::Note,
        state: execution.state,
        attempt: execution.attempt,
        reason: None,
        detail: Some(note),
        attributes: Vec::new(),
    }
}

/// Sets a label of an execution, ended or not, or adds it.
///
/// # Errors
///
/// [`Refusal::Labels`] where it has [`Execution::LABELS_MAX`] others; nothing changed then.
pub fn set_label(execution: &mut Execution, name: String, value: String) -> Result<(), Refusal> {
    check_label(execution, &name)?;
    put_label(execution, name, value);
    Ok(())
}

fn check_label(execution: &Execution, name: &str) -> Result<(), Refusal> {
    let known = execution.labels.iter().any(|(known, _)| known == name);
    if known || execution.labels.len() < Execution::LABELS_MAX {
        Ok(())
    } else {
        Err(Refusal::Labels { limit: Execution::LABELS_MAX })
    }
}

fn put_label(execution: &mut Execution, name: String, value: String) {
    match execution.labels.iter_mut().find(|(known, _)| *known == name) {
        Some((_, of)) => *of = value,
        None => execution.labels.push((name, value)),
    }
}
