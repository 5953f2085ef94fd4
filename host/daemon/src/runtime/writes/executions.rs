//! Commands: submitted, taken back, reported on, annotated.

use super::{Submitted, Transaction, WriteError};
use crate::runtime::engine::{Step, Turn};
use crate::runtime::submit;
use dragoman_core::{
    Answer, Attributes, Correlation, Execution, ExecutionId, Input, Json, Reason, Report, record_late, record_note,
    set_label,
};
use dragoman_wasm::Submit;
use std::sync::Arc;

/// A submission on its way: refused already, or a step of the turn.
pub(super) struct Prepared {
    id: ExecutionId,
    step: Result<usize, Reason>,
}

/// A report that may have come after the end.
pub(super) struct Told {
    about: Option<Correlation>,
    id: Option<ExecutionId>,
    report: Report,
    attributes: Attributes,
}

impl Transaction<'_> {
    pub(super) async fn submit(&mut self, submit: Submit) -> Result<(), WriteError> {
        let id = submit.id.clone();
        // The registry knows of none of this call's submissions yet, so they are compared with each other here.
        let keys = submit::keys(self.plugin.name(), &submit);
        if let Some(other) = keys.iter().find_map(|key| self.used.get(key)) {
            let text = format!("{other} of the same call has this alias or idempotency key");
            self.submissions.push(Prepared { id, step: Err(Reason::new("$DUPLICATE", text)) });
            return Ok(());
        }
        self.used.extend(keys.into_iter().map(|key| (key, id.clone())));
        let step = match submit::prepare(self.gateway, self.plugin, submit).await? {
            submit::Prepared::Refused(reason) => Err(reason),
            submit::Prepared::Submission { submission, always_present } => {
                if always_present {
                    let holder = submission.holder.clone();
                    self.steps.push(Step::Input(Input::Presence { holder, online: true }));
                }
                self.steps.push(Step::Input(Input::Submit(submission)));
                Ok(self.steps.len() - 1)
            }
        };
        self.submissions.push(Prepared { id, step });
        Ok(())
    }

    pub(super) fn cancel(&mut self, id: ExecutionId) {
        self.steps.push(Step::Input(Input::Cancel { id }));
    }

    pub(super) fn tell(&mut self, about: Correlation, report: Report, attributes: Attributes) {
        if !self.may_tell(&about) {
            return;
        }
        let told =
            Told { about: Some(about.clone()), id: None, report: report.clone(), attributes: attributes.clone() };
        self.reports.push((self.steps.len(), told));
        let Correlation { reporter: by, key } = about;
        self.steps.push(Step::Input(Input::Report { by, key, report, attributes }));
    }

    /// The dialect that reaches the device vouches for who speaks.
    pub(super) async fn tell_for(
        &mut self,
        id: ExecutionId,
        report: Report,
        attributes: Attributes,
    ) -> Result<(), WriteError> {
        let Some(execution) = self.gateway.execution(&id).await? else {
            count_stale("unknown_execution");
            return Ok(());
        };
        if !self.reaches(&execution).await? {
            self.count_stranger(execution.device.as_str());
            return Ok(());
        }
        let told = Told { about: None, id: Some(id.clone()), report: report.clone(), attributes: attributes.clone() };
        self.reports.push((self.steps.len(), told));
        self.steps.push(Step::Input(Input::ReportFor { id, report, attributes }));
        Ok(())
    }

    pub(super) fn attempt_failed(&mut self, about: Correlation, reason: Reason, attributes: Attributes) {
        if !self.may_tell(&about) {
            return;
        }
        let Correlation { reporter: by, key } = about;
        self.steps.push(Step::Input(Input::AttemptFailed { by, key, reason, attributes }));
    }

    pub(super) async fn note(&mut self, id: ExecutionId, note: Json) -> Result<(), WriteError> {
        if self.gateway.engine.open_execution(&id).is_some() {
            self.steps.push(Step::Input(Input::Note { id, note }));
            return Ok(());
        }
        self.amend_ended(&id, |execution, now_ms| Some(record_note(execution, now_ms, note))).await
    }

    pub(super) async fn set_label(&mut self, id: ExecutionId, name: String, value: String) -> Result<(), WriteError> {
        if self.gateway.engine.open_execution(&id).is_some() {
            self.steps.push(Step::Input(Input::Label { id, name, value }));
            return Ok(());
        }
        self.amend_ended(&id, |execution, _| {
            // A ninth label is left out; the import has told the plugin so.
            let _: Result<_, _> = set_label(execution, name, value);
            None
        })
        .await
    }

    /// Changes the record of an execution that is not open any more, which the machine does not know.
    async fn amend_ended(
        &mut self,
        id: &ExecutionId,
        amend: impl FnOnce(&mut Execution, u64) -> Option<dragoman_core::Transition>,
    ) -> Result<(), WriteError> {
        // What this call changed before is not in the journal yet, and must not be written over.
        let mut execution = match self.ended.remove(id) {
            Some(execution) => execution,
            None => match self.gateway.engine.journal().execution(id).await? {
                Some(execution) => Arc::unwrap_or_clone(execution),
                None => return Ok(()),
            },
        };
        let line = amend(&mut execution, self.gateway.engine.now_ms());
        self.ended.insert(id.clone(), execution.clone());
        self.steps.push(Step::Amend { execution: Arc::new(execution), lines: line.into_iter().collect() });
        Ok(())
    }

    /// What came of each submission, in order.
    pub(super) fn conclude_submissions(&mut self, turn: &mut Turn) -> Vec<Submitted> {
        let mut reached = std::mem::take(&mut turn.reached).into_iter();
        let prepared = std::mem::take(&mut self.submissions).into_iter();
        let submitted = prepared.map(|Prepared { id, step }| {
            let result = match step {
                Err(reason) => Err(reason),
                Ok(step) => {
                    let reached = reached.next().flatten();
                    match turn.answers.get(step) {
                        Some(Answer::Taken) => Ok((id.clone(), reached)),
                        Some(Answer::Existing(standing)) => Ok((standing.clone(), reached)),
                        Some(Answer::Refused(refusal)) => Err(Reason::new(refusal.code(), refusal.to_string())),
                        _ => Err(Reason::new("$INTERNAL", "the submission was not answered; please report this")),
                    }
                }
            };
            Submitted { id, result }
        });
        submitted.collect()
    }

    /// Records what came too late in a turn of its own, since only the first turn shows that it did.
    pub(super) async fn conclude_reports(&mut self, turn: &mut Turn) -> Result<(), WriteError> {
        for (step, told) in std::mem::take(&mut self.reports) {
            match turn.answers.get(step) {
                Some(Answer::Stale) => {
                    if let Some(late) = self.tell_late(&told).await? {
                        turn.seq = turn.seq.max(late);
                    }
                }
                Some(Answer::Denied) => {
                    let reporter = told.about.as_ref().map_or("", |about| about.reporter.as_str());
                    self.count_stranger(reporter);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Records a report whose execution is not open. None where nobody knows the key.
    async fn tell_late(&self, told: &Told) -> Result<Option<dragoman_store::Seq>, WriteError> {
        let engine = &self.gateway.engine;
        let id = match (&told.id, &told.about) {
            (Some(id), _) => Some(id.clone()),
            (None, Some(about)) => {
                engine.journal().by_correlation(&about.reporter, &about.key).await?.map(|(id, _)| id)
            }
            (None, None) => None,
        };
        let Some(id) = id else {
            count_stale("unknown_key");
            return Ok(None);
        };
        if engine.open_execution(&id).is_some() {
            // A report on an attempt that a later one replaced: the machine has seen it and did what there was to do.
            count_stale("earlier_attempt");
            return Ok(None);
        }
        let Some(execution) = engine.journal().execution(&id).await? else { return Ok(None) };
        let mut execution = Arc::unwrap_or_clone(execution);
        let line = record_late(&mut execution, engine.now_ms(), &told.report, told.attributes.clone());
        metrics::counter!("dragoman_late_reports_total").increment(1);
        let steps = vec![Step::Amend { execution: Arc::new(execution), lines: vec![line] }];
        Ok(Some(engine.turn(steps, None)?.seq))
    }

    /// Only the device whose session the call is about may be named as reporter.
    fn may_tell(&self, about: &Correlation) -> bool {
        let may = self.reporter == Some(&about.reporter);
        if !may {
            self.count_stranger(about.reporter.as_str());
        }
        may
    }

    async fn reaches(&self, execution: &Execution) -> Result<bool, WriteError> {
        let device = self.gateway.engine.journal().device(&execution.device).await?;
        Ok(device.is_some_and(|device| device.dialect == *self.plugin.name()))
    }

    fn count_stranger(&self, reporter: &str) {
        let dialect = self.plugin.name();
        metrics::counter!("dragoman_denied_reports_total", "dialect" => dialect.to_string()).increment(1);
        tracing::info!(%dialect, %reporter, "a report was refused: its sender was not named when the command was dispatched");
    }
}

fn count_stale(why: &'static str) {
    metrics::counter!("dragoman_stale_reports_total", "why" => why).increment(1);
}
