//! The record of a device.

use crate::registry::DeviceRecord;
use dragoman_core::{Attributes, DeviceId};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub(crate) struct DeviceBody {
    id: String,
    dialect: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    handler: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parent: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    aliases: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    labels: Attributes,
    #[serde(default, skip_serializing_if = "super::is_default")]
    disabled: bool,
    created_ms: u64,
    updated_ms: u64,
}

impl From<&DeviceRecord> for DeviceBody {
    fn from(record: &DeviceRecord) -> Self {
        let DeviceRecord { id, dialect, handler, parent, aliases, labels, disabled, created_ms, updated_ms } = record;
        Self {
            id: id.as_str().to_owned(),
            dialect: dialect.as_ref().to_owned(),
            handler: handler.as_deref().map(str::to_owned),
            parent: parent.as_ref().map(|parent| parent.as_str().to_owned()),
            aliases: aliases.clone(),
            labels: labels.clone(),
            disabled: *disabled,
            created_ms: *created_ms,
            updated_ms: *updated_ms,
        }
    }
}

impl From<DeviceBody> for DeviceRecord {
    fn from(body: DeviceBody) -> Self {
        Self {
            id: DeviceId::new(body.id),
            dialect: body.dialect.into(),
            handler: body.handler.map(Into::into),
            parent: body.parent.map(DeviceId::new),
            aliases: body.aliases,
            labels: body.labels,
            disabled: body.disabled,
            created_ms: body.created_ms,
            updated_ms: body.updated_ms,
        }
    }
}
