//! A message that must leave.

use super::intent::PayloadBody;
use crate::write::OutboxRow;
use dragoman_core::{Attributes, DeviceId, ExecutionId, Message};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub(crate) struct OutboxBody {
    seq: u64,
    execution: String,
    attempt: u32,
    index: u32,
    to_device: String,
    #[serde(default, skip_serializing_if = "super::is_default")]
    subscribed_only: bool,
    message: MessageBody,
    expires_ms: u64,
}

#[derive(Serialize, Deserialize)]
pub(super) struct MessageBody {
    topic: String,
    payload: PayloadBody,
    qos: u8,
    #[serde(default, skip_serializing_if = "super::is_default")]
    retain: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    attributes: Attributes,
}

impl From<&OutboxRow> for OutboxBody {
    fn from(row: &OutboxRow) -> Self {
        let OutboxRow { seq, execution, attempt, index, to_device, subscribed_only, message, expires_ms } = row;
        Self {
            seq: *seq,
            execution: execution.as_str().to_owned(),
            attempt: *attempt,
            index: *index,
            to_device: to_device.as_str().to_owned(),
            subscribed_only: *subscribed_only,
            message: message.into(),
            expires_ms: *expires_ms,
        }
    }
}

impl From<OutboxBody> for OutboxRow {
    fn from(body: OutboxBody) -> Self {
        Self {
            seq: body.seq,
            execution: ExecutionId::new(body.execution),
            attempt: body.attempt,
            index: body.index,
            to_device: DeviceId::new(body.to_device),
            subscribed_only: body.subscribed_only,
            message: body.message.into(),
            expires_ms: body.expires_ms,
        }
    }
}

impl From<&Message> for MessageBody {
    fn from(message: &Message) -> Self {
        let Message { topic, payload, qos, retain, attributes } = message;
        Self {
            topic: topic.clone(),
            payload: payload.into(),
            qos: *qos,
            retain: *retain,
            attributes: attributes.clone(),
        }
    }
}

impl From<MessageBody> for Message {
    fn from(body: MessageBody) -> Self {
        Self {
            topic: body.topic,
            payload: body.payload.into(),
            qos: body.qos,
            retain: body.retain,
            attributes: body.attributes,
        }
    }
}
