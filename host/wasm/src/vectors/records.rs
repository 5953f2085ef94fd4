//! Devices, executions, sessions and messages, as a vector writes them. What is left out has a value that most calls do
//! not look at; what belongs to a dialect belongs to the plugin that is tried.

use super::vocabulary::{self, WrittenIntent, WrittenOutcome, WrittenReason, WrittenState, text};
use crate::reads::DeviceView;
use dragoman_core::{
    Attributes, Correlation, DeviceId, Execution, ExecutionId, Message, Options, Overflow, Owner, Payload, Phase,
    Place, Session, SessionId, Stage, Subscription, Told, WhenAway,
};
use serde::Deserialize;
use serde_json::Value;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenDevice {
    pub(super) id: String,
    pub(super) dialect: Option<String>,
    handler: Option<String>,
    parent: Option<String>,
    #[serde(default = "yes")]
    online: bool,
    session: Option<String>,
    #[serde(default, deserialize_with = "vocabulary::attributes")]
    aliases: Attributes,
    #[serde(default, deserialize_with = "vocabulary::attributes")]
    labels: Attributes,
    profile: Option<Value>,
    revision: Option<u64>,
    #[serde(default)]
    created_ms: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenExecution {
    id: String,
    device: String,
    intent: WrittenIntent,
    origin: Option<String>,
    alias: Option<String>,
    context: Option<Value>,
    #[serde(default, deserialize_with = "vocabulary::attributes")]
    labels: Attributes,
    #[serde(default)]
    state: WrittenState,
    #[serde(default)]
    attempt: u32,
    #[serde(default)]
    frames: Vec<WrittenIntent>,
    outcome: Option<WrittenOutcome>,
    reason: Option<WrittenReason>,
    last_note: Option<Value>,
    #[serde(default, deserialize_with = "vocabulary::attributes")]
    report: Attributes,
    /// Keys under which its attempts were dispatched.
    #[serde(default)]
    correlations: Vec<WrittenCorrelation>,
    #[serde(default)]
    created_ms: u64,
    updated_ms: Option<u64>,
    sent_ms: Option<u64>,
    ended_ms: Option<u64>,
    deadline_ms: Option<u64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenCorrelation {
    reporter: String,
    key: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenSession {
    pub(super) id: String,
    #[serde(default)]
    listener: String,
    client_id: Option<String>,
    username: Option<String>,
    dialect: Option<String>,
    principal: Option<String>,
    device: Option<String>,
    protocol_level: Option<u8>,
    #[serde(default)]
    pub(super) subscriptions: Vec<WrittenSubscription>,
    pub(super) notes: Option<Value>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenSubscription {
    filter: String,
    #[serde(default)]
    qos: u8,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenMessage {
    topic: String,
    #[serde(deserialize_with = "vocabulary::payload")]
    payload: Payload,
    #[serde(default)]
    qos: u8,
    #[serde(default)]
    retain: bool,
    #[serde(default, deserialize_with = "vocabulary::attributes")]
    attributes: Attributes,
}

fn yes() -> bool {
    true
}

impl WrittenDevice {
    /// As the plugin sees it.
    pub(super) fn view(&self, plugin: &str) -> DeviceView {
        DeviceView {
            id: DeviceId::new(self.id.as_str()),
            dialect: self.dialect.as_deref().unwrap_or(plugin).into(),
            handler: self.handler.as_deref().map(Into::into),
            parent: self.parent.as_deref().map(DeviceId::new),
            online: self.online,
            session: self.session.as_deref().map(SessionId::new),
            aliases: self.aliases.clone(),
            labels: self.labels.clone(),
            profile: text(self.profile.as_ref()),
            revision: self.revision.unwrap_or(u64::from(self.profile.is_some())),
            created_ms: self.created_ms,
        }
    }
}

impl WrittenExecution {
    /// The record. The intent is its frame where the vector gives none.
    pub(super) fn record(&self, plugin: &str) -> Execution {
        let device = DeviceId::new(self.device.as_str());
        let frames = if self.frames.is_empty() { std::slice::from_ref(&self.intent) } else { &self.frames };
        let correlation = |(at, one): (usize, &WrittenCorrelation)| {
            let about = Correlation { reporter: DeviceId::new(one.reporter.as_str()), key: one.key.clone() };
            (u32::try_from(at + 1).unwrap_or(u32::MAX), about)
        };
        let state = dragoman_core::State::from(self.state);
        Execution {
            id: ExecutionId::new(self.id.as_str()),
            holder: device.clone(),
            device,
            intent: (&self.intent).into(),
            options: options(),
            origin: self.origin.as_deref().unwrap_or(plugin).into(),
            alias: self.alias.clone(),
            context: text(self.context.as_ref()),
            labels: self.labels.clone(),
            idempotency: None,
            owner: Owner { node: "vectors".into(), lease_until_ms: u64::MAX },
            handler: None,
            digests: Vec::new(),
            released: Vec::new(),
            state,
            phase: if state.is_final() { Phase::Ended } else { Phase::AwaitingReply },
            version: 1,
            attempt: self.attempt,
            told: Told::default(),
            step_attempt: 1,
            lost: 0,
            failed: 0,
            closed: Vec::new(),
            queue_position: self.created_ms,
            not_before_ms: None,
            frames: frames.iter().map(Into::into).collect(),
            handler_state: None,
            reply_within_ms: None,
            step_deadline_ms: None,
            correlations: self.correlations.iter().enumerate().map(correlation).collect(),
            receipts_missing: 0,
            answerable: true,
            delivered_only: false,
            outcome: self.outcome.as_ref().map(Into::into),
            reason: self.reason.as_ref().map(Into::into),
            last_note: text(self.last_note.as_ref()),
            report: self.report.clone(),
            created_ms: self.created_ms,
            updated_ms: self.updated_ms.unwrap_or(self.created_ms),
            sent_ms: self.sent_ms,
            ended_ms: self.ended_ms,
            deadline_ms: self.deadline_ms.unwrap_or(self.created_ms.saturating_add(u64::from(TTL_MS))),
        }
    }
}

/// Time to live of an execution whose vector names no deadline.
const TTL_MS: u32 = 60_000;

/// What no plugin sees of an execution.
fn options() -> Options {
    Options {
        ttl_ms: TTL_MS,
        succeeds_at: Stage::Ended,
        lowered: false,
        when_away: WhenAway::Queue,
        queue: "main".into(),
        window: Stage::Ended,
        device_window: Stage::Accepted,
        queue_limit: 1,
        overflow: Overflow::RefuseNewest,
        attempts: 1,
        backoff_ms: 0,
        failed_to: Place::Tail,
    }
}

impl WrittenSession {
    pub(super) fn session(&self, plugin: &str) -> Session {
        Session {
            id: SessionId::new(self.id.as_str()),
            listener: self.listener.as_str().into(),
            client_id: self.client_id.clone().unwrap_or_else(|| self.id.clone()),
            username: self.username.clone(),
            dialect: Some(self.dialect.as_deref().unwrap_or(plugin).into()),
            principal: self.principal.clone(),
            device: self.device.as_deref().map(DeviceId::new),
            protocol_level: self.protocol_level.unwrap_or(5),
        }
    }
}

impl From<&WrittenSubscription> for Subscription {
    fn from(written: &WrittenSubscription) -> Self {
        Self { filter: written.filter.clone(), qos: written.qos }
    }
}

impl From<&WrittenMessage> for Message {
    fn from(written: &WrittenMessage) -> Self {
        Self {
            topic: written.topic.clone(),
            payload: written.payload.clone(),
            qos: written.qos,
            retain: written.retain,
            attributes: written.attributes.clone(),
        }
    }
}
