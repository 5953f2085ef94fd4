//! A message that no plugin could read.

use super::message::MessageBody;
use super::verdict::ReasonBody;
use crate::dead_letter::DeadLetterRow;
use dragoman_core::{DeviceId, Session, SessionId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

#[derive(Serialize, Deserialize)]
pub(crate) struct DeadLetterBody {
    seq: u64,
    plugin: String,
    digest: String,
    export: String,
    at_ms: u64,
    tries: u32,
    reason: ReasonBody,
    session: SessionBody,
    message: MessageBody,
}

#[derive(Serialize, Deserialize)]
struct SessionBody {
    id: String,
    listener: String,
    client_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dialect: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    principal: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    device: Option<String>,
    protocol_level: u8,
}

impl From<&DeadLetterRow> for DeadLetterBody {
    fn from(row: &DeadLetterRow) -> Self {
        let DeadLetterRow { seq, plugin, digest, export, at_ms, tries, reason, session, message } = row;
        Self {
            seq: *seq,
            plugin: plugin.to_string(),
            digest: digest.clone(),
            export: export.clone(),
            at_ms: *at_ms,
            tries: *tries,
            reason: reason.into(),
            session: session.into(),
            message: message.into(),
        }
    }
}

impl From<DeadLetterBody> for DeadLetterRow {
    fn from(body: DeadLetterBody) -> Self {
        Self {
            seq: body.seq,
            plugin: Arc::from(body.plugin),
            digest: body.digest,
            export: body.export,
            at_ms: body.at_ms,
            tries: body.tries,
            reason: body.reason.into(),
            session: body.session.into(),
            message: body.message.into(),
        }
    }
}

impl From<&Session> for SessionBody {
    fn from(session: &Session) -> Self {
        let Session { id, listener, client_id, username, dialect, principal, device, protocol_level } = session;
        Self {
            id: id.as_str().to_owned(),
            listener: listener.to_string(),
            client_id: client_id.clone(),
            username: username.clone(),
            dialect: dialect.as_deref().map(str::to_owned),
            principal: principal.clone(),
            device: device.as_ref().map(|device| device.as_str().to_owned()),
            protocol_level: *protocol_level,
        }
    }
}

impl From<SessionBody> for Session {
    fn from(body: SessionBody) -> Self {
        Self {
            id: SessionId::new(body.id),
            listener: Arc::from(body.listener),
            client_id: body.client_id,
            username: body.username,
            dialect: body.dialect.map(Arc::from),
            principal: body.principal,
            device: body.device.map(DeviceId::new),
            protocol_level: body.protocol_level,
        }
    }
}
