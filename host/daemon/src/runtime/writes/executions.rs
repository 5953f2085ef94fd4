//! Commands: submitted, taken back, reported on, annotated.

use super::{Submitted, Transaction, WriteError, keys};
use crate::runtime::engine::{Step, Turn};
use crate::runtime::submit;
use dragoman_core::{
    Answer, Attributes, Correlation, Execution, ExecutionId, Input, Json, Reason, Report, Transition, record_late,
    record_late_failure, record_note, set_label,
};
use dragoman_store::Seq;
use dragoman_wasm::Submit;
use std::sync::Arc;

/// A submission on its way: refused already, or a step of the turn.
pub(super) struct Prepared {
    id: ExecutionId,
    step: Result<usize, Reason>,
}

/// Something said about an execution that may have ended before the turn.
pub(super) struct Told {
    about: About,
    said: Said,
}

enum About {
    /// The attempt that was dispatched under this key.
    Key(Correlation),
    /// The execution.
    Id(ExecutionId),
}

enum Said {
    Report(Report, Attributes),
    AttemptFailed(Reason, Attributes),
    Note(Json),
    Label(String, String),
}

impl Said {
    /// Puts it into the record of an execution that has ended.
    fn amend(self, execution: &mut Execution, now_ms: u64) -> Option<Transition> {
        match self {
            Self::Report(report, attributes) => Some(record_late(execution, now_ms, &report, attributes)),
            Self::AttemptFailed(reason, attributes) => Some(record_late_failure(execution, now_ms, reason, attributes)),
            Self::Note(note) => Some(record_note(execution, now_ms, note)),
            Self::Label(name, value) => {
                // A ninth label is left out; the import has told the plugin so.
                let _: Result<_, _> = set_label(execution, name, value);
                None
            }
        }
    }
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
            submit::Prepared::Steps(steps) => {
                self.steps.extend(steps);
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
        if self.may_tell(&about) {
            let Correlation { reporter: by, key } = about.clone();
            let input = Input::Report { by, key, report: report.clone(), attributes: attributes.clone() };
            self.say(About::Key(about), Said::Report(report, attributes), input);
        }
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
        let input = Input::ReportFor { id: id.clone(), report: report.clone(), attributes: attributes.clone() };
        self.say(About::Id(id), Said::Report(report, attributes), input);
        Ok(())
    }

    pub(super) fn attempt_failed(&mut self, about: Correlation, reason: Reason, attributes: Attributes) {
        if self.may_tell(&about) {
            let Correlation { reporter: by, key } = about.clone();
            let input = Input::AttemptFailed { by, key, reason: reason.clone(), attributes: attributes.clone() };
            self.say(About::Key(about), Said::AttemptFailed(reason, attributes), input);
        }
    }

    pub(super) async fn note(&mut self, id: ExecutionId, note: Json) -> Result<(), WriteError> {
        let input = Input::Note { id: id.clone(), note: note.clone() };
        self.remark(id, Said::Note(note), input).await
    }

    pub(super) async fn set_label(&mut self, id: ExecutionId, name: String, value: String) -> Result<(), WriteError> {
        let input = Input::Label { id: id.clone(), name: name.clone(), value: value.clone() };
        self.remark(id, Said::Label(name, value), input).await
    }

    /// A step for the machine, and what is to be done where the execution is not open any more by then.
    fn say(&mut self, about: About, said: Said, input: Input) {
        self.told.push((self.steps.len(), Told { about, said }));
        self.steps.push(Step::Input(input));
    }

    /// Changes an open execution through the machine, and the record of one that has ended.
    async fn remark(&mut self, id: ExecutionId, said: Said, input: Input) -> Result<(), WriteError> {
        // Looked at once for each execution, so that the remarks of a call keep their order where it ends meanwhile.
        let open = self.open.contains(&id)
            || (!self.ended.contains_key(&id) && self.gateway.engine.open_execution(&id).is_some());
        if open {
            self.open.insert(id.clone());
            self.say(About::Id(id), said, input);
            return Ok(());
        }
        // What this call changed before is not in the journal yet, and must not be written over.
        let mut execution = match self.ended.remove(&id) {
            Some(execution) => execution,
            None => match self.gateway.engine.journal().execution(&id).await? {
                Some(execution) => Arc::unwrap_or_clone(execution),
                None => return Ok(()),
            },
        };
        let line = said.amend(&mut execution, self.gateway.engine.now_ms());
        self.ended.insert(id, execution.clone());
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

    /// Records what came too late in turns of their own, since only the first turn shows that it did. Says what covers
    /// them; that turn stands whatever becomes of these.
    pub(super) async fn conclude_told(&mut self, turn: &Turn) -> Seq {
        let mut covers = turn.seq;
        for (step, told) in std::mem::take(&mut self.told) {
            match turn.answers.get(step) {
                Some(Answer::Stale) => match self.tell_late(told).await {
                    Ok(late) => covers = covers.max(late.unwrap_or_default()),
                    Err(error) => {
                        metrics::counter!("dragoman_late_reports_failed_total").increment(1);
                        tracing::warn!(dialect = %self.plugin.name(), %error, "what came too late is not recorded");
                    }
                },
                // The machine has put it into the history itself.
                Some(Answer::Late) => metrics::counter!("dragoman_late_reports_total").increment(1),
                Some(Answer::Denied) => match &told.about {
                    About::Key(about) => self.count_stranger(about.reporter.as_str()),
                    About::Id(_) => self.count_stranger(""),
                },
                _ => {}
            }
        }
        covers
    }

    /// Records something about an execution that is not open. None where nobody knows the key, or it is no news.
    async fn tell_late(&self, told: Told) -> Result<Option<Seq>, WriteError> {
        let engine = &self.gateway.engine;
        let id = match told.about {
            About::Id(id) => Some(id),
            About::Key(about) => engine.journal().by_correlation(&about.reporter, &about.key).await?.map(|(id, _)| id),
        };
        let Some(id) = id else {
            count_stale("unknown_key");
            return Ok(None);
        };
        if engine.open_execution(&id).is_some() {
            count_stale("repeated");
            return Ok(None);
        }
        // Whoever else changes the record looks at it and writes it under the same key.
        let _key = self.gateway.keyed.lock([keys::execution(&id)]).await;
        let Some(execution) = engine.journal().execution(&id).await? else { return Ok(None) };
        let mut execution = Arc::unwrap_or_clone(execution);
        let line = told.said.amend(&mut execution, engine.now_ms());
        metrics::counter!("dragoman_late_reports_total").increment(1);
        let steps = vec![Step::Amend { execution: Arc::new(execution), lines: line.into_iter().collect() }];
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
