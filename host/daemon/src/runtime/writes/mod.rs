//! What a plugin call wrote, applied in one piece.
//!
//! Everything that a call wrote becomes steps of one turn, so it is committed together or not at all. Who must look
//! before it writes (aliases, revisions, idempotency keys) holds the locks of its keys from the look to the turn. What
//! leaves the process or lives only as long as a connection follows after the turn, in the order it was written.

mod documents;
mod executions;
mod keys;
mod live;
mod outcome;
mod registry;

pub use live::After;
pub use outcome::{Applied, REPEATS_MAX, Submitted, WriteError};

use super::device_events::LED_BY_ONE_MAX;
use super::engine::{Outgoing, Step};
use super::gateway::Gateway;
use super::notices::Follow;
use crate::outbound::{Batch, EnqueueError};
use dragoman_core::{DeviceId, Execution, ExecutionId, Planned, Stage};
use dragoman_store::{DeviceRecord, Write};
use dragoman_wasm::{DeviceEvent, OutRequest, Plugin, PluginWrite};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// What the call was about, as far as its writes depend on it.
#[derive(Default)]
pub struct About<'a> {
    /// A caller is registered for every submission, to be told when it got this far.
    pub until: Option<Stage>,
    /// The device of the session that the call was about, the only one in whose name it may tell.
    pub reporter: Option<&'a DeviceId>,
    /// The attempt that the call planned, applied in the same turn.
    pub planned: Option<PlannedAttempt>,
    /// Up to where the plugin has been told of transitions, once this is applied.
    pub cursor: Option<u64>,
    /// The dead letter that the plugin read, which is none any more once this is applied.
    pub letter: Option<u64>,
    /// How many events led to the call, one to the next.
    pub led: u8,
}

/// An attempt that the plugins planned.
pub struct PlannedAttempt {
    /// The execution.
    pub id: ExecutionId,
    /// Which attempt.
    pub attempt: u32,
    /// What they made of it.
    pub plan: Planned,
    /// What is to be sent.
    pub messages: Vec<Outgoing>,
}

impl Gateway {
    /// Applies what a plugin wrote.
    pub async fn apply_writes(
        self: &Arc<Self>,
        plugin: &Plugin,
        writes: Vec<PluginWrite>,
        about: About<'_>,
    ) -> Result<Applied, WriteError> {
        if writes.iter().any(|write| matches!(write, PluginWrite::Submit(_))) {
            self.engine.has_room().await?;
        }
        let keys = self.keyed.lock(writes.iter().flat_map(|write| keys::of(plugin.name(), write))).await;
        // Devices are also registered by operators, who look at all names at once.
        let registry = match writes.iter().any(keys::changes_registry) {
            true => Some(self.registry.lock().await),
            false => None,
        };
        let planned = about.planned.is_some();
        let mut transaction = Transaction::new(self, plugin, about);
        for write in writes {
            transaction.add(write).await?;
        }
        let (until, steps) = (transaction.until, std::mem::take(&mut transaction.steps));
        let mut turn = self.engine.turn(steps, until)?;
        // What follows may wait for room on a queue, and the registry belongs to everybody. The keys stay locked, so that
        // what two calls with one key publish leaves in the order of their turns.
        drop(registry);
        let requests = std::mem::replace(&mut transaction.requests, self.outbound.batch());
        // Of an attempt that is not wanted any more nothing was applied, and nothing may leave the process.
        let wanted = !planned || turn.answers.first() == Some(&dragoman_core::Answer::Taken);
        if !wanted {
            return Ok(Applied { submissions: Vec::new(), seq: turn.seq });
        }
        requests.appended(turn.seq);
        let submissions = transaction.conclude_submissions(&mut turn);
        self.after(plugin, turn.seq, std::mem::take(&mut transaction.after)).await;
        // What comes too late takes locks of its own, and nobody may wait for one lock under another.
        drop(keys);
        let seq = transaction.conclude_told(&turn).await;
        Ok(Applied { submissions, seq })
    }
}

/// The writes of one call while they are looked at, one by one and in order.
struct Transaction<'a> {
    gateway: &'a Arc<Gateway>,
    plugin: &'a Plugin,
    until: Option<Stage>,
    reporter: Option<&'a DeviceId>,
    led: u8,
    steps: Vec<Step>,
    submissions: Vec<executions::Prepared>,
    /// Aliases and idempotency keys that submissions of this call used.
    used: HashMap<String, ExecutionId>,
    /// What is told of executions, by the step that tells it.
    told: Vec<(usize, executions::Told)>,
    /// Devices as this call leaves them; none: removed.
    devices: HashMap<DeviceId, Option<DeviceRecord>>,
    /// Executions that were open when this call remarked on them first.
    open: HashSet<ExecutionId>,
    /// Executions that had ended before, as this call leaves them.
    ended: HashMap<ExecutionId, Execution>,
    /// Revisions of documents and profiles as this call leaves them; 0: none.
    revisions: HashMap<String, u64>,
    /// Requests to targets. Their places are given back where the call comes to nothing.
    requests: Batch,
    /// Events that this call emits.
    emitted: usize,
    after: Vec<After>,
}

impl<'a> Transaction<'a> {
    fn new(gateway: &'a Arc<Gateway>, plugin: &'a Plugin, about: About<'a>) -> Self {
        let mut steps = Vec::new();
        if let Some(PlannedAttempt { id, attempt, plan, messages }) = about.planned {
            steps.push(Step::Dispatch { id, attempt, plan, messages });
        }
        if let Some(position) = about.cursor {
            steps.push(Step::Write(Write::Cursor { dialect: plugin.name().clone(), position }));
        }
        if let Some(letter) = about.letter {
            steps.push(Step::Write(Write::DeadLetterRemove(letter)));
        }
        Self {
            gateway,
            plugin,
            until: about.until,
            reporter: about.reporter,
            led: about.led,
            steps,
            submissions: Vec::new(),
            used: HashMap::new(),
            told: Vec::new(),
            devices: HashMap::new(),
            open: HashSet::new(),
            ended: HashMap::new(),
            revisions: HashMap::new(),
            requests: gateway.outbound.batch(),
            emitted: 0,
            after: Vec::new(),
        }
    }

    /// One event may lead to others, but not to ever more of them.
    fn emit(&mut self, event: DeviceEvent) {
        self.emitted += 1;
        if self.led == 0 || self.emitted <= LED_BY_ONE_MAX {
            self.after.push(After::Emit { event, led: self.led });
            return;
        }
        metrics::counter!("dragoman_device_events_dropped_total").increment(1);
        if self.emitted == LED_BY_ONE_MAX + 1 {
            tracing::warn!(dialect = %self.plugin.name(), device = %event.device, "events are dropped: {} emits more than {LED_BY_ONE_MAX} where it is told of one", self.plugin.name());
        }
    }

    /// A target that became full since the plugin asked loses this request and nothing else: what the call wrote besides
    /// is for others.
    fn request(&mut self, request: OutRequest) -> Result<(), WriteError> {
        match self.requests.add(self.plugin.name(), request) {
            Ok(write) => self.steps.push(Step::Write(write)),
            Err(EnqueueError::TooMany { .. } | EnqueueError::TooLarge { .. }) => {}
            Err(error) => return Err(WriteError::NotAllowed(error.to_string())),
        }
        Ok(())
    }

    /// One line for each thing that a plugin can write; each is done in the room of its kind.
    async fn add(&mut self, write: PluginWrite) -> Result<(), WriteError> {
        match write {
            PluginWrite::Submit(submit) => self.submit(*submit).await?,
            PluginWrite::Cancel(id) => self.cancel(id),
            PluginWrite::Tell { about, report, attributes } => self.tell(about, report, attributes),
            PluginWrite::TellFor { id, report, attributes } => self.tell_for(id, report, attributes).await?,
            PluginWrite::AttemptFailed { about, reason, attributes } => self.attempt_failed(about, reason, attributes),
            PluginWrite::Note { id, note } => self.note(id, note).await?,
            PluginWrite::SetLabel { id, name, value } => self.set_label(id, name, value).await?,
            PluginWrite::CreateDevice(create) => self.create_device(create).await?,
            PluginWrite::UpdateDevice(update) => self.update_device(update).await?,
            PluginWrite::RemoveDevice(id) => self.remove_device(id).await?,
            PluginWrite::AddAlias { device, namespace, name } => self.add_alias(device, namespace, name).await?,
            PluginWrite::PutProfile { device, profile, revision } => {
                self.put_profile(device, profile, revision).await?;
            }
            PluginWrite::PutDocument { collection, key, value, revision } => {
                self.put_document(collection, key, value, revision).await?;
            }
            PluginWrite::RemoveDocument { collection, key, revision } => {
                self.remove_document(collection, key, revision).await?;
            }
            PluginWrite::Request(request) => self.request(*request)?,
            PluginWrite::Publish { to, message } => self.after.push(After::Publish { to, message }),
            PluginWrite::Emit(event) => self.emit(event),
            PluginWrite::PutNotes { session, notes } => self.after.push(After::PutNotes { session, notes }),
            PluginWrite::SetPolicy { session, principal, policy } => {
                self.after.push(After::SetPolicy { session, principal, policy });
            }
            PluginWrite::Follow { session, tag, labels, start, limit, live } => {
                self.after.push(After::Follow(Follow { session, tag, labels, start, limit, live }));
            }
            PluginWrite::Unfollow { session, tag } => self.after.push(After::Unfollow { session, tag }),
            PluginWrite::Close(session) => self.after.push(After::Close(session)),
        }
        Ok(())
    }
}
