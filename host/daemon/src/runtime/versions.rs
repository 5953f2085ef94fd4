//! Which version of a plugin goes on with an execution.
//!
//! A handler's conversation keeps to the version that began it, by digest, also over a restart; new commands get the
//! newest. Dialects are not pinned: the newest answers, and an older one is asked only for a message of a device that the
//! newest leaves unmatched, while the older one still has open commands. A plugin whose file was removed gets no new work,
//! and goes on with what is open.

use super::again;
use super::contexts;
use super::engine::{Step, Stopped};
use super::gateway::Gateway;
use super::inbound::Turn;
use async_trait::async_trait;
use dragoman_core::{Answer, Correlation, DeviceId, Execution, ExecutionId, Input, Message, Reason, Session};
use dragoman_wasm::{CallError, Fault, GuestError, InFlight, LostVersion, Plugin, PluginWrite};
use futures::StreamExt;
use std::sync::Arc;
use std::time::Duration;

/// The version that an execution keeps to is nowhere kept, so it went over to the newest.
const VERSION_LOST: &str = "$PLUGIN_VERSION_LOST";
/// An operator had it go over to the newest version.
const RELEASED: &str = "$PLUGIN_RELEASED";
/// Executions that go over at the same time.
const RELEASES_AT_ONCE: usize = 64;
/// How long a release waits for the calls about its device that came before.
const TURN_WITHIN: Duration = Duration::from_secs(10);

/// What a release came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Released {
    /// Executions that went over.
    pub released: usize,
    /// Executions that still wait for a call about their device that came before; they go over behind it.
    pub waiting: usize,
}

impl Gateway {
    /// The version of its handler that goes on with an execution. One whose version is lost goes over to the newest, with
    /// a line in its history. None: no such plugin is loaded.
    pub(super) fn handler_for(&self, execution: &Execution, name: &str) -> Option<Arc<Plugin>> {
        let catalog = self.catalog();
        let Some(digest) = execution.pinned() else { return catalog.get(name).cloned() };
        if let Some(version) = catalog.version(name, digest) {
            return Some(version.clone());
        }
        let lost = LostVersion { plugin: name.into(), digest: digest.into(), why: "it is not loaded any more".into() };
        // A journal that died has told everybody who must know.
        let _: Result<_, Stopped> = self.engine.turn(vec![lost_step(&execution.id, &lost)], None);
        catalog.get(name).cloned()
    }

    /// The dialect that dispatches an execution: the newest, or one that was removed after it dispatched a part of it.
    pub(super) fn dialect_for(&self, execution: &Execution, name: &str) -> Option<Arc<Plugin>> {
        let catalog = self.catalog();
        let needed = |plugin: &&Arc<Plugin>| execution.needs().any(|(_, digest)| digest == plugin.digest());
        catalog.get(name).or_else(|| catalog.older_of(name).find(needed)).cloned()
    }

    /// Who reads a message of a device: the newest version, unless that has nothing to say about an open command and an
    /// older one with open commands has. Calls are tried for that without effect.
    pub(super) async fn reader_of(
        self: &Arc<Self>,
        newest: &Arc<Plugin>,
        session: &Session,
        message: &Message,
    ) -> Arc<Plugin> {
        let catalog = self.catalog();
        let is_elder = |plugin: &&Arc<Plugin>| plugin.digest() != newest.digest() && self.is_needed_of(plugin, session);
        let elders: Vec<_> = catalog.older_of(newest.name()).filter(is_elder).cloned().collect();
        if elders.is_empty() {
            return newest.clone();
        }
        // Whatever else the newest says is its own to say; an older version reads what it surely can.
        let unmatched = match self.matches(newest, session, message).await {
            Ok(matches) => !matches,
            Err(error) => leaves_unmatched(&error),
        };
        for elder in elders.into_iter().filter(|_| unmatched) {
            if self.matches(&elder, session, message).await.unwrap_or(false) {
                metrics::counter!("dragoman_device_messages_by_older_version_total", "dialect" => newest.name().to_string())
                    .increment(1);
                return elder;
            }
        }
        newest.clone()
    }

    /// Whether a version finds an open command in a message. What it wrote is dropped.
    async fn matches(
        self: &Arc<Self>,
        plugin: &Plugin,
        session: &Session,
        message: &Message,
    ) -> Result<bool, CallError> {
        let call = self.call_context(None);
        let done = again::when_free(|| plugin.southbound_message(call.clone(), session, message)).await?;
        Ok(done.writes.iter().any(|write| self.is_about_open(write)))
    }

    /// Whether an open command that a session may speak of needs a version: of its device or of one behind that, which it
    /// holds; of any where its device is not known.
    fn is_needed_of(&self, plugin: &Plugin, session: &Session) -> bool {
        let (name, digest) = (plugin.name(), plugin.digest());
        self.engine.look(|machine| match &session.device {
            _ if machine.needing(name, digest) == 0 => false,
            None => true,
            Some(device) => {
                let needs = |execution: &Execution| execution.needs().any(|needed| needed == (&**name, digest));
                machine.open_executions().any(|open| (open.device == *device || open.holder == *device) && needs(open))
            }
        })
    }

    fn is_about_open(&self, write: &PluginWrite) -> bool {
        let by_key = |about: &Correlation| self.engine.look(|machine| machine.by_correlation(about).is_some());
        match write {
            PluginWrite::Tell { about, .. } | PluginWrite::AttemptFailed { about, .. } => by_key(about),
            PluginWrite::TellFor { id, .. } => self.engine.open_execution(id).is_some(),
            _ => false,
        }
    }

    /// Has every open execution go over from a version to the newest. Each in the order of the calls about its device, so
    /// that none is under way meanwhile.
    pub async fn release_version(self: &Arc<Self>, plugin: &str, digest: &str) -> Released {
        let needs = |execution: &Execution| execution.needs().any(|needed| needed == (plugin, digest));
        let open: Vec<(ExecutionId, DeviceId)> = self.engine.look(|machine| {
            let needing = machine.open_executions().filter(|execution| needs(execution));
            needing.map(|execution| (execution.id.clone(), execution.device.clone())).collect()
        });
        let text = format!("an operator had it go over from version {digest} of plugin {plugin} to the newest");
        let reason = Reason::new(RELEASED, text);
        let released = futures::stream::iter(open).map(|(id, device)| {
            let (this, reason) = (self.clone(), reason.clone());
            let step = release_step(&id, plugin, digest, reason);
            let turn = self.calls.run(Turn::Device(device), async move {
                this.engine.has_room().await.is_ok()
                    && this.engine.turn(vec![step], None).is_ok_and(|turn| turn.answers.first() == Some(&Answer::Taken))
            });
            async move { tokio::time::timeout(TURN_WITHIN, turn).await }
        });
        let mut done = Released::default();
        let mut released = released.buffer_unordered(RELEASES_AT_ONCE);
        while let Some(result) = released.next().await {
            match result {
                Ok(went_over) => done.released += usize::from(went_over == Some(true)),
                Err(_) => done.waiting += 1,
            }
        }
        done
    }
}

#[async_trait]
impl InFlight for Gateway {
    fn needing(&self, plugin: &str, digest: &str) -> usize {
        self.engine.look(|machine| machine.needing(plugin, digest))
    }

    async fn committed(&self) -> bool {
        self.engine.committed(self.engine.horizon()).await.is_ok()
    }

    async fn check(&self, next: &Arc<Plugin>) -> Result<(), String> {
        match self.this() {
            Some(this) => contexts::check(&this, next).await,
            None => Ok(()),
        }
    }
}

/// What has an execution go over whose version is lost.
pub(super) fn lost_step(id: &ExecutionId, lost: &LostVersion) -> Step {
    let LostVersion { plugin, digest, why } = lost;
    let text = format!(
        "it goes over to the newest version of plugin {plugin}, because the one that began it ({digest}) is lost: {why}"
    );
    metrics::counter!("dragoman_plugin_versions_lost_total", "plugin" => plugin.clone()).increment(1);
    tracing::warn!(execution = %id, plugin, digest, "a command goes over to the newest version of plugin {plugin}");
    release_step(id, plugin, digest, Reason::new(VERSION_LOST, text))
}

fn release_step(id: &ExecutionId, plugin: &str, digest: &str, reason: Reason) -> Step {
    Step::Input(Input::Release { id: id.clone(), plugin: plugin.to_owned(), digest: digest.to_owned(), reason })
}

/// Whether an error says that the message means nothing to the plugin.
fn leaves_unmatched(error: &CallError) -> bool {
    matches!(error.fault, Fault::Guest(GuestError::Invalid(_) | GuestError::NotFound(_) | GuestError::Unsupported(_)))
}
