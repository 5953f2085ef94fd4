//! What the admin API asks of the gateway.

use crate::credentials::Vault;
use crate::outbound::{GivenUp, TargetState};
use crate::runtime::dead_letters::{Letters, Replayed};
use dragoman_core::{Attributes, DeviceId, Execution, ExecutionId, Intent, Json, Reason, Stage, Transition, WhenAway};
use dragoman_store::{DeadLetterRow, DeviceRecord, Page, Selection};
use std::sync::Arc;

/// What the admin API asks of the gateway. Everything it is given has been checked for form, not for existence.
#[async_trait::async_trait]
pub(crate) trait Control: Send + Sync {
    /// Whether calls and devices are served.
    ///
    /// # Errors
    /// Why not, in a sentence.
    fn ready(&self) -> Result<(), String>;

    /// The credentials.
    fn vault(&self) -> &Vault;

    /// The loaded plugins and the refused files.
    fn plugins(&self) -> PluginList;

    /// Has every open execution go over from older versions of a plugin, or from the one whose digest begins so, to the
    /// newest. [`ControlError::NotFound`] where no older version is needed, [`ControlError::Conflict`] where there is no
    /// newest.
    async fn release_plugin(&self, name: &str, digest: Option<&str>) -> Result<ReleasedPlugin, ControlError>;

    /// Ends the quarantine of every version of a plugin, and tells of how many. [`ControlError::NotFound`] where none of
    /// them is in one.
    fn readmit_plugin(&self, name: &str) -> Result<usize, ControlError>;

    /// Messages that a plugin failed to read, by number behind `after`: all of them, or those of one plugin.
    async fn dead_letters(
        &self,
        plugin: Option<&str>,
        after: u64,
        limit: u32,
    ) -> Result<Vec<DeadLetterRow>, ControlError>;

    /// One of them. [`ControlError::NotFound`].
    async fn dead_letter(&self, seq: u64) -> Result<DeadLetterRow, ControlError>;

    /// Has the newest version of their plugin read them once more. [`ControlError::NotFound`] where the one that is named is
    /// not there, [`ControlError::Conflict`] where the plugin is not loaded.
    async fn replay_dead_letters(&self, which: &Letters) -> Result<Replayed, ControlError>;

    /// Forgets them. Tells how many. [`ControlError::NotFound`] where the one that is named is not there.
    async fn drop_dead_letters(&self, which: &Letters) -> Result<usize, ControlError>;

    /// The targets of plugins' requests, by name.
    fn targets(&self) -> Vec<TargetState>;

    /// One of them, and the newest of the requests that were given up, the newest first. [`ControlError::NotFound`].
    fn target(&self, name: &str, limit: usize) -> Result<(TargetState, Vec<GivenUp>), ControlError>;

    /// Sends what was given up once more, as far as it may wait. Tells how many that are.
    async fn retry_target(&self, name: &str) -> Result<usize, ControlError>;

    /// Forgets what was given up. Tells how many that are.
    async fn drop_target(&self, name: &str) -> Result<usize, ControlError>;

    /// Submits a command with the origin `admin`. Returns when it is committed.
    async fn submit(&self, command: Command) -> Result<Arc<Execution>, ControlError>;

    /// Waits until it has ended; none where it is not known. Returns it as it stands when the daemon stops first.
    async fn ended(&self, id: &ExecutionId) -> Result<Option<Arc<Execution>>, ControlError>;

    /// Ends it as canceled. [`ControlError::Conflict`] where it has ended.
    async fn cancel(&self, id: &ExecutionId) -> Result<Arc<Execution>, ControlError>;

    /// An execution as it stands.
    async fn execution(&self, id: &ExecutionId) -> Result<Option<Arc<Execution>>, ControlError>;

    /// Its history, in order.
    async fn history(&self, id: &ExecutionId) -> Result<Vec<Transition>, ControlError>;

    /// One page. [`ControlError::Invalid`] where `after` is no place that a page ended.
    async fn executions(&self, selection: Selection) -> Result<Page, ControlError>;

    /// A device and what its dialect keeps about it.
    async fn device(&self, id: &DeviceId) -> Result<Option<DeviceState>, ControlError>;

    /// Devices in id order behind `after` that carry all these labels, without profiles.
    async fn devices(
        &self,
        labels: Attributes,
        after: Option<DeviceId>,
        limit: u32,
    ) -> Result<Vec<DeviceState>, ControlError>;

    /// Registers devices; one result for each, in order. What one is refused for does not touch the others.
    /// [`ControlError::Conflict`] where the id or an alias is taken, [`ControlError::NotFound`] where the parent is
    /// missing.
    async fn add_devices(&self, devices: Vec<NewDevice>) -> Vec<Result<(), ControlError>>;

    /// Forgets a device and closes its session. Tells whether it was there.
    async fn remove_device(&self, id: &DeviceId) -> Result<bool, ControlError>;
}

/// Why the gateway did not do it. The text is a sentence for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ControlError {
    /// 400
    #[error("{0}")]
    Invalid(String),
    /// 404
    #[error("{0}")]
    NotFound(String),
    /// 409
    #[error("{0}")]
    Conflict(String),
    /// 422: the engine refused the command; the code begins with `$`.
    #[error("{}", .0.text)]
    Refused(Reason),
    /// 503: the store fails, too much waits, or the daemon stops.
    #[error("{0}")]
    Unavailable(String),
}

/// A command of the operator.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Command {
    /// The device it is for.
    pub(crate) device: DeviceId,
    /// What is wanted.
    pub(crate) intent: Intent,
    /// None: the default of the daemon.
    pub(crate) ttl_ms: Option<u32>,
    /// What counts as success; none: the outcome.
    pub(crate) succeeds_at: Option<Stage>,
    /// None: it waits.
    pub(crate) when_away: Option<WhenAway>,
    /// At most 8.
    pub(crate) labels: Attributes,
    /// Against doubles.
    pub(crate) idempotency_key: Option<String>,
}

/// A device to be. Its credential is set through [`Control::vault`].
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NewDevice {
    /// The record; `created_ms` and `updated_ms` are 0 and set by the gateway.
    pub(crate) record: DeviceRecord,
    /// What its dialect shall know about it, a JSON object.
    pub(crate) profile: Option<Json>,
}

/// A device as it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DeviceState {
    /// The record.
    pub(crate) record: DeviceRecord,
    /// Whether the session that reaches it is connected.
    pub(crate) online: bool,
    /// What its dialect keeps about it, where it was asked for.
    pub(crate) profile: Option<Json>,
}

/// The plugins now.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct PluginList {
    /// By name.
    pub(crate) loaded: Vec<PluginState>,
    /// Versions that were replaced or removed and that open commands still need.
    pub(crate) older: Vec<OlderPlugin>,
    /// Files that do not fit, and why.
    pub(crate) refused: Vec<RefusedPlugin>,
}

/// A loaded plugin.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub(crate) struct PluginState {
    /// As it calls itself.
    pub(crate) name: String,
    /// As it says.
    pub(crate) version: String,
    /// SHA-256 of the file, hex.
    pub(crate) digest: String,
    /// Path of the file.
    pub(crate) file: String,
    /// What it says of itself.
    pub(crate) summary: String,
    /// `admission`, `northbound`, `southbound`, `handler`.
    pub(crate) roles: Vec<&'static str>,
    /// What it imports and was granted: `devices`, `executions`, …
    pub(crate) imports: Vec<&'static str>,
    /// Routes, topics and connections it claims, as it words them.
    pub(crate) claims: Vec<String>,
    /// Open executions that need this version.
    pub(crate) executions: usize,
    /// Why it is not called for a while, where it kept failing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) quarantine: Option<PluginQuarantine>,
}

/// A plugin that kept failing.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub(crate) struct PluginQuarantine {
    /// In how many milliseconds it is tried again; 0: with the next call.
    pub(crate) again_in_ms: u64,
    /// How often in a row it was put there.
    pub(crate) times: u32,
    /// The fault that put it there.
    pub(crate) reason: String,
}

/// A version that is not the newest.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub(crate) struct OlderPlugin {
    /// As it calls itself.
    pub(crate) name: String,
    /// As it says.
    pub(crate) version: String,
    /// SHA-256 of the file, hex.
    pub(crate) digest: String,
    /// Open executions that need it; 0 while the last call of it ends.
    pub(crate) executions: usize,
    /// Whether its file was removed, so that there is no newest version to go over to.
    pub(crate) removed: bool,
    /// Why it is not called for a while, where it kept failing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) quarantine: Option<PluginQuarantine>,
}

/// What a release came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct ReleasedPlugin {
    /// Executions that went over.
    pub(crate) released: usize,
    /// Executions that go over when a call that came before is done.
    pub(crate) waiting: usize,
}

/// A file that was refused.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub(crate) struct RefusedPlugin {
    /// Its path.
    pub(crate) file: String,
    /// What it failed: `file`, `component`, `contract`, `describe`, `grants`, `vectors`, `keep`, `claims`,
    /// `older` or `contexts`.
    pub(crate) step: &'static str,
    /// What is wrong and what would mend it.
    pub(crate) reason: String,
}
