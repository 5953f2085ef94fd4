//! What devices say.

use super::Machine;
use super::book::Line;
use super::input::{ACKED_CAUSE, Answer, Effect, Report};
use super::step::{reason_of, told, told_outcome};
use crate::execution::{Event, Execution, Phase, Reason, Transition};
use crate::intent::{Attributes, DeviceId, ExecutionId, Json};

/// What a late line says.
type Said = (Option<Reason>, Json);

impl Machine {
    /// Finds the attempt that a report is about, and applies it where the reporter was named at dispatch.
    pub(super) fn report(
        &mut self,
        now_ms: u64,
        by: &DeviceId,
        key: &str,
        report: Report,
        attributes: Attributes,
        effects: &mut Vec<Effect>,
    ) -> Answer {
        let (id, attempt) = match self.dispatched_under(key, by) {
            Ok(found) => found,
            Err(answer) => return answer,
        };
        let Some(record) = self.standing(&id) else {
            return self.too_late(now_ms, &id, None, said(&report), attributes);
        };
        if self.is_closed(&id, attempt) {
            return self.too_late(now_ms, &id, Some(attempt), said(&report), attributes);
        }
        let newest = attempt == record.attempt;
        let out = matches!(record.phase, Phase::HandingOver | Phase::AwaitingReply);
        let answered = matches!(record.phase, Phase::Resuming(_));
        match report {
            Report::Progress(note) if newest && (out || answered) => self.progress(now_ms, &id, note, attributes),
            // Said twice, it is no news.
            Report::Acked(_) if newest && (out || answered) && record.told.acked => return Answer::Stale,
            Report::Acked(detail) if newest && (out || answered) => {
                self.acked(now_ms, &id, detail.as_deref(), attributes, effects);
            }
            // The device did it, whether or not that attempt was thought lost and repeated.
            Report::Ended(outcome) if attempt >= record.step_attempt && !answered => {
                // The answer came before the broker's own word, which finds nobody any more where this is the end.
                if newest && record.phase == Phase::HandingOver && !record.told.sent && !record.handled {
                    self.note_sent(now_ms, &id);
                }
                self.book.amend(&id, |record| record.told.heard = true);
                self.answer_step(now_ms, &id, outcome, attributes, effects);
            }
            // An attempt that another replaced, or a step that is answered.
            Report::Progress(_) | Report::Acked(_) | Report::Ended(_) => {
                return self.too_late(now_ms, &id, Some(attempt), said(&report), attributes);
            }
        }
        self.serve(now_ms, &record.device, effects);
        Answer::Taken
    }

    /// A report that the device's dialect vouches for, about the execution as it stands: in every open state, also while
    /// it still waits for its turn. Where a step of a handler is answered already, a verdict comes too late.
    pub(super) fn report_for(
        &mut self,
        now_ms: u64,
        id: &ExecutionId,
        report: Report,
        attributes: Attributes,
        effects: &mut Vec<Effect>,
    ) -> Answer {
        let Some(record) = self.standing(id) else {
            return match self.book.get(id) {
                Some(_) => self.too_late(now_ms, id, None, said(&report), attributes),
                None => Answer::Stale,
            };
        };
        match report {
            Report::Progress(note) => self.progress(now_ms, id, note, attributes),
            Report::Acked(_) if record.told.acked => return Answer::Stale,
            Report::Acked(detail) => self.acked(now_ms, id, detail.as_deref(), attributes, effects),
            Report::Ended(_) if matches!(record.phase, Phase::Resuming(_)) => {
                return self.too_late(now_ms, id, Some(record.attempt), said(&report), attributes);
            }
            Report::Ended(outcome) => {
                self.book.amend(id, |record| record.told.heard = true);
                self.answer_step(now_ms, id, outcome, attributes, effects);
            }
        }
        self.serve(now_ms, &record.device, effects);
        Answer::Taken
    }

    /// The execution and attempt that were dispatched under this key, if this device may report on them.
    pub(super) fn dispatched_under(&self, key: &str, by: &DeviceId) -> Result<(ExecutionId, u32), Answer> {
        let unknown = || if self.book.find_any(key).is_some() { Answer::Denied } else { Answer::Stale };
        self.book.find(key, by).ok_or_else(unknown)
    }

    fn progress(&mut self, now_ms: u64, id: &ExecutionId, note: Option<Json>, attributes: Attributes) {
        self.book.amend(id, |record| {
            record.told.heard = true;
            record.last_note.clone_from(&note);
        });
        self.book.note(id, now_ms, Event::Progress, Line { detail: note, attributes, ..Line::default() });
    }

    fn acked(
        &mut self,
        now_ms: u64,
        id: &ExecutionId,
        detail: Option<&str>,
        attributes: Attributes,
        effects: &mut Vec<Effect>,
    ) {
        self.note_acked(now_ms, id, by_cause(&attributes, detail), attributes);
        self.conclude_if_reached(now_ms, id, effects);
    }

    /// It has ended within this very turn, so that the record is still here, or the attempt has failed, was replaced or was
    /// answered: the history grows by one line. The attempt is the newest where none is named.
    pub(super) fn too_late(
        &mut self,
        now_ms: u64,
        id: &ExecutionId,
        attempt: Option<u32>,
        said: Said,
        attributes: Attributes,
    ) -> Answer {
        let mut transition = None;
        self.book.amend(id, |record| {
            let attempt = attempt.unwrap_or(record.attempt);
            transition = Some(late_line(record, now_ms, attempt, said, attributes));
        });
        self.book.append(id, transition);
        Answer::Late
    }
}

/// Records a report on an execution that has ended. The verdict stays; the history grows by one line.
pub fn record_late(execution: &mut Execution, now_ms: u64, report: &Report, attributes: Attributes) -> Transition {
    let attempt = execution.attempt;
    late_line(execution, now_ms, attempt, said(report), attributes)
}

/// Records that an attempt of an execution that has ended came to nothing. The verdict stays; the history grows by one
/// line.
pub fn record_late_failure(
    execution: &mut Execution,
    now_ms: u64,
    reason: Reason,
    attributes: Attributes,
) -> Transition {
    let attempt = execution.attempt;
    late_line(execution, now_ms, attempt, said_of_failure(reason), attributes)
}

fn late_line(
    execution: &mut Execution,
    now_ms: u64,
    attempt: u32,
    (reason, detail): Said,
    attributes: Attributes,
) -> Transition {
    execution.version += 1;
    execution.updated_ms = now_ms;
    Transition {
        seq: execution.version,
        at_ms: now_ms,
        event: Event::Late,
        state: execution.state,
        attempt,
        reason,
        detail: Some(detail),
        attributes,
    }
}

fn said(report: &Report) -> Said {
    match report {
        Report::Progress(note) => (None, told("progress", note.as_deref())),
        Report::Acked(detail) => (None, told("acked", detail.as_deref())),
        Report::Ended(outcome) => (reason_of(outcome).cloned(), told_outcome(outcome)),
    }
}

pub(super) fn said_of_failure(reason: Reason) -> Said {
    (Some(reason), told("attempt-failed", None))
}

/// Who says that the device has it: a network, where the report names it as [`ACKED_CAUSE`], else the device.
fn by_cause(attributes: &Attributes, detail: Option<&str>) -> Json {
    let network = attributes.iter().any(|(name, value)| name == ACKED_CAUSE && value == "network");
    let cause = if network { "network" } else { "device" };
    match detail {
        Some(detail) => format!(r#"{{"cause":"{cause}","detail":{detail}}}"#),
        None => format!(r#"{{"cause":"{cause}"}}"#),
    }
}
