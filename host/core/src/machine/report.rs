//! What devices say.

use super::Machine;
use super::book::Line;
use super::input::{Answer, Effect, Report};
use super::step::{reason_of, told, told_outcome};
use crate::execution::{Event, Execution, Phase, Transition};
use crate::intent::{Attributes, DeviceId, ExecutionId, Json};

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
        let Some((id, attempt)) = self.book.find(key, by) else {
            return if self.book.find_any(key).is_some() { Answer::Denied } else { Answer::Stale };
        };
        let Some(record) = self.standing(&id) else {
            return self.report_after_end(now_ms, &id, &report, attributes);
        };
        let newest = attempt == record.attempt;
        let out = matches!(record.phase, Phase::HandingOver | Phase::AwaitingReply);
        let answered = matches!(record.phase, Phase::Resuming(_));
        match report {
            Report::Progress(note) if newest && (out || answered) => {
                self.book.amend(&id, |record| {
                    record.told.heard = true;
                    record.last_note.clone_from(&note);
                });
                self.book.note(&id, now_ms, Event::Progress, Line { detail: note, attributes, ..Line::default() });
            }
            Report::Acked(detail) if newest && (out || answered) && !record.told.acked => {
                self.note_acked(now_ms, &id, by_device(detail.as_deref()), attributes);
                self.conclude_if_reached(now_ms, &id, effects);
            }
            // The device did it, whether or not that attempt was thought lost and repeated.
            Report::Ended(outcome) if attempt >= record.step_attempt && !answered => {
                self.book.amend(&id, |record| record.told.heard = true);
                self.answer_step(now_ms, &id, outcome, attributes, effects);
            }
            Report::Progress(_) | Report::Acked(_) | Report::Ended(_) => return Answer::Stale,
        }
        self.serve(now_ms, &record.device, effects);
        Answer::Taken
    }

    /// It ended within this very turn: the record is still here.
    fn report_after_end(&mut self, now_ms: u64, id: &ExecutionId, report: &Report, attributes: Attributes) -> Answer {
        let mut transition = None;
        self.book.amend(id, |record| transition = Some(record_late(record, now_ms, report, attributes)));
        self.book.append(id, transition);
        Answer::Taken
    }
}

/// Records a report on an execution that has ended. The verdict stays; the history grows by one line.
pub fn record_late(execution: &mut Execution, now_ms: u64, report: &Report, attributes: Attributes) -> Transition {
    execution.version += 1;
    execution.updated_ms = now_ms;
    let (reason, detail) = match report {
        Report::Progress(note) => (None, told("progress", note.as_deref())),
        Report::Acked(detail) => (None, told("acked", detail.as_deref())),
        Report::Ended(outcome) => (reason_of(outcome).cloned(), told_outcome(outcome)),
    };
    Transition {
        seq: execution.version,
        at_ms: now_ms,
        event: Event::Late,
        state: execution.state,
        attempt: execution.attempt,
        reason,
        detail: Some(detail),
        attributes,
    }
}

fn by_device(detail: Option<&str>) -> Json {
    match detail {
        Some(detail) => format!(r#"{{"cause":"device","detail":{detail}}}"#),
        None => r#"{"cause":"device"}"#.to_owned(),
    }
}
