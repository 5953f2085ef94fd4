//! What a call has read: reading it again gives the same.
//!
//! A device, an execution, a document or a session is remembered as it was first seen, whichever way that was, so that
//! a list shows it as an earlier read did. The host's time is not the plugin's, and bounded for the whole call.

mod credentials;
mod devices;
mod documents;
mod executions;
mod sessions;

use crate::context::Secret;
use crate::deadline::HostLate;
use crate::error::Fault;
use crate::reads::{CheckError, CorrelationStatus, DeviceView, HostReads, Identity, ReadError, Selection};
use crate::state::Call;
use crate::words::Document;
use dragoman_core::{Attributes, Correlation, DeviceId, Execution, ExecutionId, Session, SessionId, Subscription};
use std::collections::HashMap;
use std::sync::Arc;

/// Everything that one call has read.
#[derive(Default)]
pub(crate) struct Memo {
    devices: HashMap<DeviceId, Option<Arc<DeviceView>>>,
    names: HashMap<(String, String), Option<DeviceId>>,
    device_lists: HashMap<(Attributes, Option<DeviceId>, u32), Vec<DeviceId>>,
    executions: HashMap<ExecutionId, Option<Arc<Execution>>>,
    pages: HashMap<(Selection, Option<String>, u32), KnownPage>,
    counts: HashMap<Selection, u64>,
    correlations: HashMap<Correlation, CorrelationStatus>,
    checks: HashMap<Option<String>, Result<Identity, CheckError>>,
    /// By account and hash of the password.
    passwords: HashMap<(String, [u8; 32]), Result<Identity, CheckError>>,
    secrets: HashMap<String, Option<Secret>>,
    device_counts: HashMap<Attributes, u64>,
    aliases: HashMap<(DeviceId, String), Option<ExecutionId>>,
    open: HashMap<DeviceId, Vec<ExecutionId>>,
    documents: HashMap<DocumentName, Option<Arc<Document>>>,
    /// What the call itself made of documents; none: it removed them.
    written: HashMap<DocumentName, Option<Arc<Document>>>,
    document_lists: HashMap<(String, Attributes, Option<String>, u32), Vec<String>>,
    document_counts: HashMap<(String, Attributes), u64>,
    sessions: HashMap<SessionId, Option<Arc<Session>>>,
    subscriptions: HashMap<SessionId, Vec<Subscription>>,
    device_subscriptions: HashMap<DeviceId, Option<Vec<Subscription>>>,
    notes: HashMap<SessionId, Option<String>>,
}

/// Collection and key.
type DocumentName = (String, String);

/// The ids of a page, and where the next one begins.
type KnownPage = (Vec<ExecutionId>, Option<String>);

impl Memo {
    /// Takes in what the call was given, so that reading it agrees.
    pub(crate) fn know_device(&mut self, device: &DeviceView) {
        self.devices.insert(device.id.clone(), Some(Arc::new(device.clone())));
    }

    /// Takes in the session that a call was given.
    pub(crate) fn know_session(&mut self, session: &Session) {
        self.sessions.insert(session.id.clone(), Some(Arc::new(session.clone())));
    }

    fn device(&self, id: &DeviceId) -> Option<Arc<DeviceView>> {
        self.devices.get(id).cloned().flatten()
    }

    fn execution(&self, id: &ExecutionId) -> Option<Arc<Execution>> {
        self.executions.get(id).cloned().flatten()
    }
}

/// A read that could not be answered where the contract has no error for it.
pub(super) fn unanswered(error: ReadError) -> Fault {
    let (ReadError::Invalid(text) | ReadError::Unavailable(text) | ReadError::Internal(text)) = error;
    Fault::Host(text)
}

impl Call {
    fn host(&self) -> Result<(Arc<dyn HostReads>, Arc<str>), ReadError> {
        let context = self.context.as_ref().ok_or_else(|| ReadError::Internal("there is no call".into()))?;
        Ok((Arc::clone(&context.host), Arc::clone(&self.facts.name)))
    }

    /// Waits for the host.
    async fn hosted<T, E: From<HostLate>>(&mut self, answer: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        self.host_time.wait(&self.deadline, answer).await.unwrap_or_else(|late| Err(late.into()))
    }
}

const LATE: &str = "the host did not answer in time; try again later";

impl From<HostLate> for ReadError {
    fn from(_: HostLate) -> Self {
        Self::Unavailable(LATE.into())
    }
}

impl From<HostLate> for CheckError {
    fn from(_: HostLate) -> Self {
        Self::Unavailable(LATE.into())
    }
}
