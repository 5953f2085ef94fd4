//! A persistent MQTT session.

use crate::access::MqttSessionRecord;
use dragoman_core::{DeviceId, Subscription};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub(crate) struct MqttSessionBody {
    client_id: String,
    dialect: String,
    principal: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    device: Option<String>,
    expires_ms: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    subscriptions: Vec<SubscriptionBody>,
}

#[derive(Serialize, Deserialize)]
struct SubscriptionBody {
    filter: String,
    qos: u8,
}

impl From<&MqttSessionRecord> for MqttSessionBody {
    fn from(record: &MqttSessionRecord) -> Self {
        let MqttSessionRecord { client_id, dialect, principal, device, expires_ms, subscriptions } = record;
        Self {
            client_id: client_id.clone(),
            dialect: dialect.as_ref().to_owned(),
            principal: principal.clone(),
            device: device.as_ref().map(|device| device.as_str().to_owned()),
            expires_ms: *expires_ms,
            subscriptions: subscriptions
                .iter()
                .map(|Subscription { filter, qos }| SubscriptionBody { filter: filter.clone(), qos: *qos })
                .collect(),
        }
    }
}

impl From<MqttSessionBody> for MqttSessionRecord {
    fn from(body: MqttSessionBody) -> Self {
        Self {
            client_id: body.client_id,
            dialect: body.dialect.into(),
            principal: body.principal,
            device: body.device.map(DeviceId::new),
            expires_ms: body.expires_ms,
            subscriptions: body
                .subscriptions
                .into_iter()
                .map(|SubscriptionBody { filter, qos }| Subscription { filter, qos })
                .collect(),
        }
    }
}
