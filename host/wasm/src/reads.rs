//! What a plugin may learn from the host during a call.

use crate::context::{Presented, Secret};
use crate::words::Document;
use crate::writes::OutRequest;
use async_trait::async_trait;
use dragoman_core::{
    Attributes, Correlation, DeviceId, Execution, ExecutionId, Json, Session, SessionId, State, Subscription,
};
use std::sync::Arc;

/// The host's side of a plugin's reads. `plugin` is always the name of the plugin that asks.
///
/// Answers are the applied state. They need not repeat: this crate remembers them for the length of one call, so that
/// what a plugin reads twice in one call reads the same twice. They know nothing of what the call itself has buffered.
#[async_trait]
pub trait HostReads: Send + Sync {
    /// One device, with the asking plugin's own profile.
    async fn device(&self, plugin: &str, id: &DeviceId) -> Result<Option<Arc<DeviceView>>, ReadError>;

    /// The device that a platform knows under this name.
    async fn resolve(&self, plugin: &str, namespace: &str, name: &str) -> Result<Option<Arc<DeviceView>>, ReadError>;

    /// Devices in id order, those after `after` that carry all of `labels`; `limit` is at most 1000.
    async fn devices(
        &self,
        plugin: &str,
        labels: &Attributes,
        after: Option<&DeviceId>,
        limit: u32,
    ) -> Result<Vec<Arc<DeviceView>>, ReadError>;

    /// How many devices carry all of `labels`, counted up to 100 000.
    async fn count_devices(&self, plugin: &str, labels: &Attributes) -> Result<u64, ReadError>;

    /// One execution, whoever submitted it; this crate decides what of it the plugin sees.
    async fn execution(&self, plugin: &str, id: &ExecutionId) -> Result<Option<Arc<Execution>>, ReadError>;

    /// Executions whose origin is the asking plugin, in order of creation; `limit` is at most 1000. A page behind
    /// `after` that was not given by an earlier page is [`ReadError::Invalid`].
    async fn executions(
        &self,
        plugin: &str,
        what: &Selection,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page, ReadError>;

    /// How many executions of the asking plugin match, counted up to 100 000.
    async fn count(&self, plugin: &str, what: &Selection) -> Result<u64, ReadError>;

    /// The execution of the asking plugin, for that device, that it submitted under this id of its own.
    async fn execution_by_alias(
        &self,
        plugin: &str,
        device: &DeviceId,
        alias: &str,
    ) -> Result<Option<Arc<Execution>>, ReadError>;

    /// Open executions of a device, of whatever origin, oldest first, at most 1000. This crate asks only for devices
    /// that the asking plugin reaches.
    async fn open_executions(&self, plugin: &str, device: &DeviceId) -> Result<Vec<Arc<Execution>>, ReadError>;

    /// What a report under this key would meet.
    async fn correlation(&self, plugin: &str, about: &Correlation) -> Result<CorrelationStatus, ReadError>;

    /// Checks what the client presented against an account of the asking plugin; with no account, finds the one that
    /// the presented token belongs to. May take long: its time is not counted against the plugin's deadline.
    async fn check_presented(
        &self,
        plugin: &str,
        presented: &Presented,
        account: Option<&str>,
    ) -> Result<Identity, CheckError>;

    /// The secret of an account of the asking plugin, where it has one that can be a key. It stays in this crate.
    async fn secret(&self, plugin: &str, account: &str) -> Result<Option<Secret>, ReadError>;

    /// Checks a password against an account of the asking plugin. One that does not exist is denied like a wrong
    /// password.
    async fn check_password(&self, plugin: &str, account: &str, password: &Secret) -> Result<Identity, CheckError>;

    /// One of the asking plugin's own documents.
    async fn document(&self, plugin: &str, collection: &str, key: &str) -> Result<Option<Arc<Document>>, ReadError>;

    /// Its documents in key order, those after `after` whose top-level fields have these values; every field is one
    /// that the plugin's description indexes; `limit` is at most 1000.
    async fn documents(
        &self,
        plugin: &str,
        collection: &str,
        fields: &Attributes,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Arc<Document>>, ReadError>;

    /// How many documents match, counted up to 100 000.
    async fn count_documents(&self, plugin: &str, collection: &str, fields: &Attributes) -> Result<u64, ReadError>;

    /// The next value of one of its counters, from 1; never the same twice.
    async fn next_number(&self, plugin: &str, counter: &str) -> Result<u64, ReadError>;

    /// A session, of whatever dialect; this crate shows it only to the dialect that admitted it.
    async fn session(&self, plugin: &str, id: &SessionId) -> Result<Option<Arc<Session>>, ReadError>;

    /// What the client of a session of the asking plugin subscribed to and was granted, in its own words.
    async fn subscriptions(&self, plugin: &str, id: &SessionId) -> Result<Vec<Subscription>, ReadError>;

    /// Those of a device's session, also of a persistent one that is away. None: the device has no session that the
    /// asking plugin admitted.
    async fn device_subscriptions(
        &self,
        plugin: &str,
        device: &DeviceId,
    ) -> Result<Option<Vec<Subscription>>, ReadError>;

    /// What the asking plugin noted about a session of its own.
    async fn notes(&self, plugin: &str, id: &SessionId) -> Result<Option<Json>, ReadError>;

    /// Whether a request would be taken in now. By the time its call is applied there may be no room any more.
    fn check_request(&self, plugin: &str, request: &OutRequest) -> Result<(), RequestError>;
}

/// A device as one plugin sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceView {
    /// The gateway's own name for it.
    pub id: DeviceId,
    /// Name of the dialect that reaches it.
    pub dialect: Arc<str>,
    /// Name of the handler that plans for it; none: the intent is the frame.
    pub handler: Option<Arc<str>>,
    /// The gateway device it hangs below.
    pub parent: Option<DeviceId>,
    /// Whether the session that reaches it is connected now.
    pub online: bool,
    /// That session.
    pub session: Option<SessionId>,
    /// Every name a platform has for it: namespace and name.
    pub aliases: Attributes,
    /// Its labels.
    pub labels: Attributes,
    /// The asking plugin's own record about it.
    pub profile: Option<Json>,
    /// The revision of that record; 0: none yet.
    pub revision: u64,
    /// When it was registered, in milliseconds since 1970.
    pub created_ms: u64,
}

/// Which executions are meant. All that is set must match.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Selection {
    /// For this device.
    pub device: Option<DeviceId>,
    /// In one of these states; none: in any.
    pub states: Vec<State>,
    /// With all of these labels.
    pub labels: Attributes,
    /// Newest first instead of oldest first.
    pub newest_first: bool,
    /// Created at or after that time, in milliseconds since 1970.
    pub since_ms: Option<u64>,
    /// Created before that time, in milliseconds since 1970.
    pub before_ms: Option<u64>,
}

/// Some of the executions that match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// In the order that was asked for.
    pub items: Vec<Arc<Execution>>,
    /// What to pass as `after` for the page behind this one; none: this was the last.
    pub next: Option<String>,
}

/// What a report under a correlation key would meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CorrelationStatus {
    /// An open execution that was dispatched under it.
    Open,
    /// One that has ended: the report is recorded as late.
    Ended,
    /// An execution that named another reporter.
    Stranger,
    /// Nothing.
    Unknown,
}

/// Whose credential it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The account.
    pub account: String,
    /// What the operator granted, a JSON object.
    pub rights: Json,
}

/// Why a read came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// What was asked is malformed.
    #[error("{0}")]
    Invalid(String),
    /// Not now.
    #[error("{0}")]
    Unavailable(String),
    /// A fault of the host.
    #[error("{0}")]
    Internal(String),
}

/// Why a request to another system is not taken in, as a sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The operator configured no such target.
    #[error("{0}")]
    NotFound(String),
    /// It cannot be sent to anybody.
    #[error("{0}")]
    Invalid(String),
    /// Too much waits for the target.
    #[error("{0}")]
    Limit(String),
}

/// Why a credential was not confirmed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// It does not fit.
    #[error("{0}")]
    Denied(String),
    /// Not now.
    #[error("{0}")]
    Unavailable(String),
    /// A fault of the host.
    #[error("{0}")]
    Internal(String),
}
