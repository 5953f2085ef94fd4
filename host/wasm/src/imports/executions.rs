//! `executions`: commands on their way.

use super::draft::DEVICE_UNKNOWN;
use super::memo::unanswered;
use super::{Draft, is_device_id, is_execution_id, refusal, told};
use crate::bindings::dragoman::gateway::{executions, types};
use crate::check::{self, Bounds};
use crate::convert;
use crate::error::Fault;
use crate::export::Access;
use crate::reads::{CorrelationStatus, Selection};
use crate::state::State;
use crate::writes::PluginWrite;
use dragoman_core::{Correlation, DeviceId, Execution, ExecutionId, Outcome, Reason, Report};
use std::sync::Arc;
use wasmtime::component::Resource;

/// Executions in one page.
const PAGE_MAX: u32 = 1000;

impl executions::Host for State {
    fn submit(&mut self, command: Resource<Draft>) -> wasmtime::Result<String> {
        let id = self.call.enter("executions.submit", Access::Submit)?.ids.next_id();
        let mut submit = self.table.delete(command)?.submit;
        self.drafts = self.drafts.saturating_sub(1);
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
        self.call.enter("executions.get", Access::Host)?;
        let found = self.visible(id).await?;
        Ok(found.map(|execution| convert::execution(&execution, &self.call.facts.name)))
    }

    async fn query(
        &mut self,
        what: executions::Selection,
        after: Option<String>,
        limit: u32,
    ) -> wasmtime::Result<executions::Page> {
        self.call.enter("executions.query", Access::Host)?;
        let what = selection(what)?;
        let page = self.call.executions(what, after, limit.min(PAGE_MAX)).await.map_err(unanswered)?;
        let plugin = &*self.call.facts.name;
        let own = page.items.iter().filter(|execution| &*execution.origin == plugin);
        Ok(executions::Page { items: own.map(|one| convert::execution(one, plugin)).collect(), next: page.next })
    }

    async fn count(&mut self, what: executions::Selection) -> wasmtime::Result<u64> {
        self.call.enter("executions.count", Access::Host)?;
        let what = selection(what)?;
        Ok(self.call.count(what).await.map_err(unanswered)?)
    }

    async fn cancel(&mut self, id: String) -> wasmtime::Result<Result<(), types::Error>> {
        self.call.enter("executions.cancel", Access::Host)?;
        let found = if is_execution_id(&id) {
            self.call.execution(&ExecutionId::new(id.as_str())).await.map_err(unanswered)?
        } else {
            None
        };
        // Only its origin takes a command back, whichever side of the plugin asks.
        let own = found.filter(|execution| *execution.origin == *self.call.facts.name);
        let Some(execution) = own else {
            return Ok(Err(types::Error::NotFound(format!("no execution has the id `{id:.200}`"))));
        };
        if execution.state.is_final() {
            return Ok(Err(types::Error::Conflict(format!("execution `{id}` has ended"))));
        }
        let cancel = PluginWrite::Cancel(execution.id.clone());
        if !self.call.writes.contains(&cancel) {
            self.call.charge(id.len())?;
            self.call.writes.push(cancel);
        }
        Ok(Ok(()))
    }

    async fn tell(
        &mut self,
        about: executions::Correlation,
        what: executions::Report,
        attributes: types::Attributes,
    ) -> wasmtime::Result<Result<(), types::Error>> {
        self.call.enter("executions.tell", Access::Host)?;
        let report = convert::report(what);
        refuse_host_code(&report)?;
        let checked = check::name("a correlation key", &about.key)
            .and_then(|()| check::attributes("attributes of a report", &attributes))
            .and_then(|()| report_size(self.call.facts.bounds, &report));
        if let Err(fault) = checked {
            return Ok(Err(refusal(fault)));
        }
        let about = Correlation { reporter: DeviceId::new(about.reporter), key: about.key };
        let stranger = || types::Error::Denied(format!("`{:.200}` was not named to report on that", about.reporter));
        // What a session said is the word of its own device, whatever the plugin makes of it.
        if self.call.reporter.as_ref().is_some_and(|device| device.as_ref() != Some(&about.reporter)) {
            return Ok(Err(stranger()));
        }
        match self.call.correlation(&about).await {
            Ok(CorrelationStatus::Open | CorrelationStatus::Ended) => {}
            Ok(CorrelationStatus::Stranger) => return Ok(Err(stranger())),
            Ok(CorrelationStatus::Unknown) => {
                return Ok(Err(types::Error::NotFound(format!("nothing was dispatched under `{:.200}`", about.key))));
            }
            Err(error) => return Ok(Err(told(error))),
        }
        self.call.charge(about.key.len() + report_bytes(&report) + check::attributes_bytes(&attributes))?;
        self.call.writes.push(PluginWrite::Tell { about, report, attributes });
        Ok(Ok(()))
    }
}

impl State {
    /// An execution that the plugin may see: its own, or, on its device side, one for a device that it reaches.
    async fn visible(&mut self, id: String) -> Result<Option<Arc<Execution>>, Fault> {
        if !is_execution_id(&id) {
            return Ok(None);
        }
        let Some(execution) = self.call.execution(&ExecutionId::new(id)).await.map_err(unanswered)? else {
            return Ok(None);
        };
        let facts = Arc::clone(&self.call.facts);
        if *execution.origin == *facts.name {
            return Ok(Some(execution));
        }
        if self.call.export.is_northbound() {
            return Ok(None);
        }
        let device = self.call.device(&execution.device).await.map_err(unanswered)?;
        Ok(device.filter(|device| *device.dialect == *facts.name).map(|_| execution))
    }
}

fn selection(what: executions::Selection) -> Result<Selection, Fault> {
    check::attributes("labels of a query", &what.labels)?;
    check::count("states of a query", what.states.len(), 0, check::ITEMS_MAX)?;
    Ok(Selection {
        device: what.device.map(DeviceId::new),
        states: what.states.into_iter().map(convert::state).collect(),
        labels: what.labels,
        newest_first: what.newest_first,
    })
}

fn refuse_host_code(report: &Report) -> Result<(), Fault> {
    match report {
        Report::Ended(Outcome::Failed(reason) | Outcome::Rejected(reason)) => check::own_code(reason),
        Report::Ended(Outcome::Succeeded(_)) | Report::Progress(_) | Report::Acked(_) => Ok(()),
    }
}

fn report_size(bounds: Bounds, report: &Report) -> Result<(), Fault> {
    match report {
        Report::Progress(note) | Report::Acked(note) => bounds.json_option("a report's note", note.as_deref()),
        Report::Ended(outcome) => bounds.outcome(outcome),
    }
}

fn report_bytes(report: &Report) -> usize {
    let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    match report {
        Report::Progress(note) | Report::Acked(note) | Report::Ended(Outcome::Succeeded(note)) => length(note),
        Report::Ended(Outcome::Failed(reason) | Outcome::Rejected(reason)) => {
            reason.code.len() + reason.text.len() + length(&reason.detail)
        }
    }
}
