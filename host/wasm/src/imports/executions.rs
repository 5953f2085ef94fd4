//! `executions`: commands on their way.

use super::draft::DEVICE_UNKNOWN;
use super::memo::unanswered;
use super::{Draft, is_device_id, is_execution_id, refusal, told};
use crate::access::Import;
use crate::bindings::dragoman::gateway::{executions, types};
use crate::check::{self, Bounds};
use crate::convert;
use crate::error::Fault;
use crate::reads::{CorrelationStatus, Selection};
use crate::state::State;
use crate::writes::PluginWrite;
use dragoman_core::{Attributes, Correlation, DeviceId, Execution, ExecutionId, Outcome, Reason, Report};
use std::collections::BTreeSet;
use std::sync::Arc;
use wasmtime::component::Resource;

/// Executions in one page.
const PAGE_MAX: u32 = 1000;

impl executions::Host for State {
    fn submit(&mut self, command: Resource<Draft>) -> wasmtime::Result<String> {
        let id = self.call.enter(Import::Submit)?.ids.next_id();
        let mut submit = self.table.delete(command)?.submit;
        self.drafts = self.drafts.saturating_sub(1);
        if !self.call.questions.is_empty() {
            return Err(Fault::DoesNotFit(super::ASKED_AND_SUBMITTED.into()).into());
        }
        self.call.submissions += 1;
        let max = self.call.facts.options.submissions_max;
        if self.call.submissions > max {
            return Err(Fault::Output(format!("it submits more than {max} commands in one call")).into());
        }
        submit.id = ExecutionId::new(id.as_str());
        if submit.refused.is_none() && !is_device_id(submit.device.as_str()) {
            submit.refused =
                Some(Reason::new(DEVICE_UNKNOWN, format!("no device has the id `{:.200}`", submit.device.as_str())));
        }
        self.call.writes.push(PluginWrite::Submit(submit));
        Ok(id)
    }

    async fn get(&mut self, id: String) -> wasmtime::Result<Option<types::Execution>> {
        self.call.enter(Import::ExecutionsGet)?;
        let found = self.visible(&id).await?;
        Ok(found.map(|execution| convert::execution(&execution, &self.call.facts.name)))
    }

    async fn query(
        &mut self,
        what: executions::Selection,
        after: Option<String>,
        limit: u32,
    ) -> wasmtime::Result<executions::Page> {
        self.call.enter(Import::ExecutionsQuery)?;
        self.page(selection(what)?, after, limit).await
    }

    async fn query_between(
        &mut self,
        what: executions::Selection,
        since: Option<u64>,
        before: Option<u64>,
        after: Option<String>,
        limit: u32,
    ) -> wasmtime::Result<executions::Page> {
        self.call.enter(Import::ExecutionsBetween)?;
        self.page(Selection { since_ms: since, before_ms: before, ..selection(what)? }, after, limit).await
    }

    async fn get_by_alias(&mut self, device: String, alias: String) -> wasmtime::Result<Option<types::Execution>> {
        self.call.enter(Import::ExecutionsByAlias)?;
        if !is_device_id(&device) || check::name("", &alias).is_err() {
            return Ok(None);
        }
        let found = self.call.execution_by_alias(DeviceId::new(device), alias).await.map_err(unanswered)?;
        let plugin = &*self.call.facts.name;
        let own = found.filter(|execution| *execution.origin == *plugin);
        Ok(own.map(|execution| convert::execution(&execution, plugin)))
    }

    async fn get_open(&mut self, device: String) -> wasmtime::Result<Vec<types::Execution>> {
        self.call.enter(Import::ExecutionsOpen)?;
        if !is_device_id(&device) {
            return Ok(Vec::new());
        }
        let device = DeviceId::new(device);
        if !self.call.reaches(&device).await.map_err(unanswered)? {
            return Ok(Vec::new());
        }
        let found = self.call.open_executions(device).await.map_err(unanswered)?;
        let plugin = &*self.call.facts.name;
        Ok(found.iter().take(PAGE_MAX as usize).map(|one| convert::execution(one, plugin)).collect())
    }

    async fn count(&mut self, what: executions::Selection) -> wasmtime::Result<u64> {
        self.call.enter(Import::ExecutionsCount)?;
        let what = selection(what)?;
        Ok(self.call.count(what).await.map_err(unanswered)?)
    }

    async fn cancel(&mut self, id: String) -> wasmtime::Result<Result<(), types::Error>> {
        self.call.enter(Import::Cancel)?;
        // Only its origin takes a command back, whichever side of the plugin asks.
        let Some(execution) = self.own(&id).await? else { return Ok(Err(unknown(&id))) };
        if execution.state.is_final() {
            return Ok(Err(types::Error::Conflict(format!("execution `{id}` has ended"))));
        }
        let cancel = PluginWrite::Cancel(execution.id.clone());
        if !self.call.writes.contains(&cancel) {
            self.call.write(id.len(), cancel)?;
        }
        Ok(Ok(()))
    }

    async fn tell(
        &mut self,
        about: executions::Correlation,
        what: executions::Report,
        attributes: types::Attributes,
    ) -> wasmtime::Result<Result<(), types::Error>> {
        self.call.enter(Import::Tell)?;
        let report = convert::report(what);
        refuse_host_code(&report)?;
        let checked = check::name("a correlation key", &about.key)
            .and_then(|()| report_fits(self.call.facts.bounds, &report, &attributes));
        if let Err(fault) = checked {
            return Ok(Err(refusal(fault)));
        }
        let about = Correlation { reporter: DeviceId::new(about.reporter), key: about.key };
        // What a session said is the word of its own device, whatever the plugin makes of it.
        if self.call.about.reporter.as_ref().is_some_and(|device| device.as_ref() != Some(&about.reporter)) {
            return Ok(Err(stranger(&about)));
        }
        if let Some(error) = self.unknown_attempt(&about).await {
            return Ok(Err(error));
        }
        let bytes = about.key.len() + report_bytes(&report) + check::attributes_bytes(&attributes);
        self.call.write(bytes, PluginWrite::Tell { about, report, attributes })?;
        Ok(Ok(()))
    }

    async fn tell_for(
        &mut self,
        id: String,
        what: executions::Report,
        attributes: types::Attributes,
    ) -> wasmtime::Result<Result<(), types::Error>> {
        self.call.enter(Import::TellFor)?;
        let report = convert::report(what);
        refuse_host_code(&report)?;
        if let Err(fault) = report_fits(self.call.facts.bounds, &report, &attributes) {
            return Ok(Err(refusal(fault)));
        }
        let Some(execution) = self.any(&id).await? else { return Ok(Err(unknown(&id))) };
        if !self.call.reaches(&execution.device).await.map_err(unanswered)? {
            return Ok(Err(types::Error::Denied(format!("another dialect reaches the device of execution `{id}`"))));
        }
        let bytes = id.len() + report_bytes(&report) + check::attributes_bytes(&attributes);
        self.call.write(bytes, PluginWrite::TellFor { id: execution.id.clone(), report, attributes })?;
        Ok(Ok(()))
    }

    async fn attempt_failed(
        &mut self,
        about: executions::Correlation,
        why: types::Reason,
        attributes: types::Attributes,
    ) -> wasmtime::Result<Result<(), types::Error>> {
        self.call.enter(Import::AttemptFailed)?;
        let reason = convert::reason(why);
        check::own_code(&reason)?;
        let checked = check::name("a correlation key", &about.key)
            .and_then(|()| self.call.facts.bounds.reason(&reason))
            .and_then(|()| check::attributes("attributes of a report", &attributes));
        if let Err(fault) = checked {
            return Ok(Err(refusal(fault)));
        }
        let about = Correlation { reporter: DeviceId::new(about.reporter), key: about.key };
        let reaches =
            is_device_id(about.reporter.as_str()) && self.call.reaches(&about.reporter).await.map_err(unanswered)?;
        if !reaches {
            return Ok(Err(stranger(&about)));
        }
        if let Some(error) = self.unknown_attempt(&about).await {
            return Ok(Err(error));
        }
        let bytes = about.key.len() + reason_bytes(&reason) + check::attributes_bytes(&attributes);
        self.call.write(bytes, PluginWrite::AttemptFailed { about, reason, attributes })?;
        Ok(Ok(()))
    }

    async fn note(&mut self, id: String, note: String) -> wasmtime::Result<Result<(), types::Error>> {
        self.call.enter(Import::Note)?;
        if let Err(fault) = self.call.facts.bounds.json("a note", &note) {
            return Ok(Err(refusal(fault)));
        }
        let Some(execution) = self.any(&id).await? else { return Ok(Err(unknown(&id))) };
        let own = *execution.origin == *self.call.facts.name;
        if !own && !self.call.reaches(&execution.device).await.map_err(unanswered)? {
            return Ok(Err(unknown(&id)));
        }
        self.call.write(id.len() + note.len(), PluginWrite::Note { id: execution.id.clone(), note })?;
        Ok(Ok(()))
    }

    async fn set_label(
        &mut self,
        id: String,
        name: String,
        value: String,
    ) -> wasmtime::Result<Result<(), types::Error>> {
        self.call.enter(Import::SetLabel)?;
        if let Err(fault) = check::label(&name, &value) {
            return Ok(Err(refusal(fault)));
        }
        let Some(execution) = self.own(&id).await? else { return Ok(Err(unknown(&id))) };
        let mut names: BTreeSet<&str> = execution.labels.iter().map(|(name, _)| name.as_str()).collect();
        names.extend(self.call.writes.iter().filter_map(|write| match write {
            PluginWrite::SetLabel { id, name, .. } if *id == execution.id => Some(name.as_str()),
            _ => None,
        }));
        if !names.contains(name.as_str())
            && let Err(fault) = check::count("labels of an execution", names.len() + 1, 0, check::LABELS_MAX)
        {
            return Ok(Err(refusal(fault)));
        }
        let bytes = id.len() + name.len() + value.len();
        self.call.write(bytes, PluginWrite::SetLabel { id: execution.id.clone(), name, value })?;
        Ok(Ok(()))
    }
}

impl State {
    /// One page of the plugin's own executions.
    async fn page(&mut self, what: Selection, after: Option<String>, limit: u32) -> wasmtime::Result<executions::Page> {
        let page = self.call.executions(what, after, limit.min(PAGE_MAX)).await.map_err(unanswered)?;
        let plugin = &*self.call.facts.name;
        let own = page.items.iter().filter(|execution| &*execution.origin == plugin);
        Ok(executions::Page { items: own.map(|one| convert::execution(one, plugin)).collect(), next: page.next })
    }

    /// An execution, whoever submitted it.
    async fn any(&mut self, id: &str) -> Result<Option<Arc<Execution>>, Fault> {
        if !is_execution_id(id) {
            return Ok(None);
        }
        self.call.execution(&ExecutionId::new(id)).await.map_err(unanswered)
    }

    /// An execution that the plugin submitted.
    async fn own(&mut self, id: &str) -> Result<Option<Arc<Execution>>, Fault> {
        let found = self.any(id).await?;
        Ok(found.filter(|execution| *execution.origin == *self.call.facts.name))
    }

    /// An execution that the plugin may see: its own, or, on its device side, one for a device that it reaches.
    async fn visible(&mut self, id: &str) -> Result<Option<Arc<Execution>>, Fault> {
        let Some(execution) = self.any(id).await? else { return Ok(None) };
        if *execution.origin == *self.call.facts.name {
            return Ok(Some(execution));
        }
        if self.call.export.is_application_side() {
            return Ok(None);
        }
        let reaches = self.call.reaches(&execution.device).await.map_err(unanswered)?;
        Ok(reaches.then_some(execution))
    }

    /// Why nothing can be said of an attempt; none: it is known.
    async fn unknown_attempt(&mut self, about: &Correlation) -> Option<types::Error> {
        match self.call.correlation(about).await {
            Ok(CorrelationStatus::Open | CorrelationStatus::Ended) => None,
            Ok(CorrelationStatus::Stranger) => Some(stranger(about)),
            Ok(CorrelationStatus::Unknown) => {
                Some(types::Error::NotFound(format!("nothing was dispatched under `{:.200}`", about.key)))
            }
            Err(error) => Some(told(error)),
        }
    }
}

fn unknown(id: &str) -> types::Error {
    types::Error::NotFound(format!("no execution has the id `{id:.200}`"))
}

fn stranger(about: &Correlation) -> types::Error {
    types::Error::Denied(format!("`{:.200}` was not named to report on that", about.reporter))
}

fn selection(what: executions::Selection) -> Result<Selection, Fault> {
    check::attributes("labels of a query", &what.labels)?;
    check::count("states of a query", what.states.len(), 0, check::ITEMS_MAX)?;
    Ok(Selection {
        device: what.device.map(DeviceId::new),
        states: what.states.into_iter().map(convert::state).collect(),
        labels: what.labels,
        newest_first: what.newest_first,
        since_ms: None,
        before_ms: None,
    })
}

fn refuse_host_code(report: &Report) -> Result<(), Fault> {
    match report {
        Report::Ended(Outcome::Failed(reason) | Outcome::Rejected(reason)) => check::own_code(reason),
        Report::Ended(Outcome::Succeeded(_)) | Report::Progress(_) | Report::Acked(_) => Ok(()),
    }
}

fn report_fits(bounds: Bounds, report: &Report, attributes: &Attributes) -> Result<(), Fault> {
    check::attributes("attributes of a report", attributes)?;
    match report {
        Report::Progress(note) | Report::Acked(note) => bounds.json_option("a report's note", note.as_deref()),
        Report::Ended(outcome) => bounds.outcome(outcome),
    }
}

fn report_bytes(report: &Report) -> usize {
    match report {
        Report::Progress(note) | Report::Acked(note) | Report::Ended(Outcome::Succeeded(note)) => {
            note.as_ref().map_or(0, String::len)
        }
        Report::Ended(Outcome::Failed(reason) | Outcome::Rejected(reason)) => reason_bytes(reason),
    }
}

fn reason_bytes(reason: &Reason) -> usize {
    reason.code.len() + reason.text.len() + reason.detail.as_ref().map_or(0, String::len)
}
