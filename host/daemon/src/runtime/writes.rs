//! What a plugin call wrote, applied in one piece.

use super::engine::{Step, Stopped};
use super::gateway::Gateway;
use super::submit::{self, Prepared};
use super::waits::Reached;
use dragoman_core::{
    Answer, Attributes, Correlation, DeviceId, ExecutionId, Input, Reason, Report, Stage, record_late,
};
use dragoman_store::{DeviceRecord, ProfileRecord, Seq, StoreError, Write};
use dragoman_wasm::{CreateDevice, Plugin, PluginWrite, Submit};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::oneshot;

/// What came of the writes of one call.
pub struct Applied {
    /// Of each submission, in order.
    pub submissions: Vec<Submitted>,
    /// What covers all of it.
    pub seq: Seq,
}

/// What came of one submission.
pub struct Submitted {
    /// The id that the plugin was told.
    pub id: ExecutionId,
    /// The execution that stands for it, and what tells when it got as far as was asked; none where it has ended.
    pub result: Result<(ExecutionId, Option<oneshot::Receiver<Reached>>), Reason>,
}

/// Why the writes of a call were not applied. None of them was.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Somebody was faster; the call may be repeated.
    #[error("{0}")]
    Conflict(String),
    /// The contract does not allow it.
    #[error("{0}")]
    NotAllowed(String),
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store cannot be written any more.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

impl Gateway {
    /// Applies what a plugin wrote. `until` registers a caller for every submission; `reporter` is the device of the
    /// session that the call was about, the only one in whose name it may tell.
    pub async fn apply_writes(
        self: &Arc<Self>,
        plugin: &Plugin,
        writes: Vec<PluginWrite>,
        until: Option<Stage>,
        reporter: Option<&DeviceId>,
    ) -> Result<Applied, WriteError> {
        let (mut submits, mut registry, mut others) = (Vec::new(), Vec::new(), Vec::new());
        for write in writes {
            match write {
                PluginWrite::Submit(submit) => submits.push(*submit),
                PluginWrite::CreateDevice(_) | PluginWrite::PutProfile { .. } => registry.push(write),
                PluginWrite::Cancel(_) | PluginWrite::Tell { .. } => others.push(write),
                _ => {
                    return Err(WriteError::NotAllowed(format!(
                        "plugin {} wrote what this gateway does not serve",
                        plugin.name()
                    )));
                }
            }
        }
        if !registry.is_empty() {
            if !submits.is_empty() || !others.is_empty() {
                return Err(WriteError::NotAllowed(format!(
                    "plugin {} wrote the registry and an execution in one call; the contract allows one of them",
                    plugin.name()
                )));
            }
            let seq = self.write_registry(plugin, registry).await?;
            return Ok(Applied { submissions: Vec::new(), seq });
        }
        self.write_executions(plugin, submits, others, until, reporter).await
    }

    async fn write_executions(
        self: &Arc<Self>,
        plugin: &Plugin,
        submits: Vec<Submit>,
        others: Vec<PluginWrite>,
        until: Option<Stage>,
        reporter: Option<&DeviceId>,
    ) -> Result<Applied, WriteError> {
        if !submits.is_empty() {
            self.engine.has_room().await?;
        }
        let _keys = self.keyed.lock(submits.iter().flat_map(|submit| submit::keys(plugin.name(), submit))).await;
        let mut steps = Vec::with_capacity(submits.len() + others.len());
        let mut prepared = Vec::with_capacity(submits.len());
        let mut used: HashMap<String, ExecutionId> = HashMap::new();
        for submit in submits {
            let id = submit.id.clone();
            // The registry knows of none of this call's submissions yet, so they are compared with each other here.
            let keys = submit::keys(plugin.name(), &submit);
            if let Some(other) = keys.iter().find_map(|key| used.get(key)) {
                let text = format!("{other} of the same call has this alias or idempotency key");
                prepared.push((id, Some(Reason::new("$DUPLICATE", text))));
                continue;
            }
            used.extend(keys.into_iter().map(|key| (key, id.clone())));
            let refused = match submit::prepare(self, plugin, submit).await? {
                Prepared::Submission(submission) => {
                    steps.push(Step::Input(Input::Submit(submission)));
                    None
                }
                Prepared::Refused(reason) => Some(reason),
            };
            prepared.push((id, refused));
        }
        let submitted = steps.len();
        let mut tells = Vec::new();
        for write in others {
            match write {
                PluginWrite::Cancel(id) => steps.push(Step::Input(Input::Cancel { id })),
                PluginWrite::Tell { about, report, attributes } => {
                    if reporter != Some(&about.reporter) {
                        count_stranger(plugin, &about);
                        continue;
                    }
                    tells.push((steps.len(), about.clone(), report.clone(), attributes.clone()));
                    let Correlation { reporter: by, key } = about;
                    steps.push(Step::Input(Input::Report { by, key, report, attributes }));
                }
                _ => {}
            }
        }
        let turn = self.engine.turn(steps, until)?;
        let mut seq = turn.seq;
        for (index, about, report, attributes) in tells {
            match turn.answers.get(index) {
                Some(Answer::Stale) => {
                    if let Some(late) = self.tell_late(&about, &report, attributes).await? {
                        seq = seq.max(late);
                    }
                }
                Some(Answer::Denied) => count_stranger(plugin, &about),
                _ => {}
            }
        }
        let mut outcomes = turn.answers.into_iter().take(submitted).zip(turn.reached);
        let submissions = prepared
            .into_iter()
            .map(|(id, refused)| {
                let result = match refused {
                    Some(reason) => Err(reason),
                    None => match outcomes.next() {
                        Some((Answer::Taken, reached)) => Ok((id.clone(), reached)),
                        Some((Answer::Existing(standing), reached)) => Ok((standing, reached)),
                        Some((Answer::Refused(refusal), _)) => Err(Reason::new(refusal.code(), refusal.to_string())),
                        _ => Err(Reason::new("$INTERNAL", "the submission was not answered; please report this")),
                    },
                };
                Submitted { id, result }
            })
            .collect();
        Ok(Applied { submissions, seq })
    }

    /// Records a report whose execution is not open. None where nobody knows the key.
    async fn tell_late(
        &self,
        about: &Correlation,
        report: &Report,
        attributes: Attributes,
    ) -> Result<Option<Seq>, WriteError> {
        let Some((id, _)) = self.engine.journal().by_correlation(&about.reporter, &about.key).await? else {
            count_stale("unknown_key");
            return Ok(None);
        };
        if self.engine.open_execution(&id).is_some() {
            count_stale("earlier_attempt");
            // A report on an attempt that a later one replaced: the machine has seen it and did not need it.
            return Ok(None);
        }
        let Some(execution) = self.engine.journal().execution(&id).await? else { return Ok(None) };
        let mut execution = Arc::unwrap_or_clone(execution);
        let line = record_late(&mut execution, self.engine.now_ms(), report, attributes);
        metrics::counter!("dragoman_late_reports_total").increment(1);
        let steps = vec![
            Step::Write(Write::Execution(Arc::new(execution))),
            Step::Write(Write::Transitions { id, position: 0, lines: vec![line] }),
        ];
        Ok(Some(self.engine.turn(steps, None)?.seq))
    }

    async fn write_registry(&self, plugin: &Plugin, writes: Vec<PluginWrite>) -> Result<Seq, WriteError> {
        let _registry = self.registry.lock().await;
        let now_ms = self.engine.now_ms();
        let mut rows = Vec::with_capacity(writes.len() * 2);
        for write in writes {
            match write {
                PluginWrite::CreateDevice(create) => {
                    if self.engine.journal().device(&create.id).await?.is_some() {
                        return Err(WriteError::Conflict(format!("a device {} is registered already", create.id)));
                    }
                    self.check_parent(create.parent.as_ref()).await?;
                    rows.extend(new_device(plugin, create, now_ms));
                }
                PluginWrite::PutProfile { device, profile, revision } => {
                    if self.engine.journal().device(&device).await?.is_none() {
                        return Err(WriteError::Conflict(format!("device {device} was removed")));
                    }
                    let stored = self.engine.journal().profile(&device, plugin.name()).await?;
                    let newest = stored.map_or(0, |stored| stored.revision);
                    if newest != revision {
                        return Err(WriteError::Conflict(format!(
                            "the profile of device {device} is at revision {newest}, not {revision}"
                        )));
                    }
                    rows.push(Write::Profile(ProfileRecord {
                        device,
                        dialect: plugin.name().clone(),
                        json: profile,
                        revision: revision + 1,
                    }));
                }
                _ => {}
            }
        }
        let seq = self.engine.journal().append_checked(rows).await.map_err(|error| match error {
            StoreError::AliasTaken { .. } => WriteError::Conflict(error.to_string()),
            error => WriteError::Store(error),
        })?;
        self.engine.also_covers(seq);
        Ok(seq)
    }
}

impl Gateway {
    /// A gateway device has a session of its own.
    async fn check_parent(&self, parent: Option<&DeviceId>) -> Result<(), WriteError> {
        let Some(id) = parent else { return Ok(()) };
        match self.engine.journal().device(id).await? {
            Some(record) if record.parent.is_none() => Ok(()),
            Some(_) => {
                Err(WriteError::NotAllowed(format!("device {id} hangs below another one and cannot be a gateway")))
            }
            None => Err(WriteError::Conflict(format!("the gateway device {id} is not registered"))),
        }
    }
}

fn new_device(plugin: &Plugin, create: CreateDevice, now_ms: u64) -> [Write; 2] {
    let profile =
        ProfileRecord { device: create.id.clone(), dialect: plugin.name().clone(), json: create.profile, revision: 1 };
    let record = DeviceRecord {
        id: create.id,
        dialect: plugin.name().clone(),
        handler: create.handler.map(Into::into),
        parent: create.parent,
        aliases: create.aliases,
        labels: create.labels,
        disabled: false,
        created_ms: now_ms,
        updated_ms: now_ms,
    };
    [Write::Device(record), Write::Profile(profile)]
}

fn count_stale(why: &'static str) {
    metrics::counter!("dragoman_stale_reports_total", "why" => why).increment(1);
}

fn count_stranger(plugin: &Plugin, about: &Correlation) {
    metrics::counter!("dragoman_denied_reports_total", "dialect" => plugin.name().to_string()).increment(1);
    tracing::info!(dialect = %plugin.name(), reporter = %about.reporter, "a report was refused: its sender was not named when the command was dispatched");
}
