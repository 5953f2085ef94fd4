//! Notifications: kept as documents, the newest of each device, and told to who subscribed.

use crate::device::HiveDevice;
use crate::settings::Settings;
use crate::topics::Kind;
use crate::{announce, instant, ring};
use dragoman_plugin_sdk::{Error, Gateway, Readers};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The collection of the documents.
pub(crate) const COLLECTION: &str = "notifications";

/// A notification that is not kept yet.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) name: String,
    pub(crate) parameters: Option<Box<RawValue>>,
    pub(crate) timestamp_ms: u64,
}

/// A notification as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Kept {
    /// The gateway's id of the device.
    pub(crate) device: String,
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) device_id: String,
    pub(crate) network_id: i64,
    pub(crate) device_type_id: i64,
    pub(crate) timestamp_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) parameters: Option<Box<RawValue>>,
}

/// A notification as answers and events show it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct View<'a> {
    id: i64,
    notification: &'a str,
    device_id: &'a str,
    network_id: i64,
    device_type_id: i64,
    timestamp: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<&'a RawValue>,
}

impl Kept {
    pub(crate) fn view(&self) -> View<'_> {
        View {
            id: self.id,
            notification: &self.name,
            device_id: &self.device_id,
            network_id: self.network_id,
            device_type_id: self.device_type_id,
            timestamp: instant::text(self.timestamp_ms),
            parameters: self.parameters.as_deref(),
        }
    }

    fn topic(&self) -> String {
        Kind::Notification.topic(self.network_id, self.device_type_id, &self.device_id, &self.name)
    }
}

/// Keeps a notification and tells it to who subscribed.
pub(crate) fn insert(
    gateway: &impl Gateway,
    settings: &Settings,
    device: &HiveDevice,
    draft: Draft,
) -> Result<Kept, Error> {
    let kept = Kept {
        device: device.record.id.clone(),
        id: ring::next_id(gateway, "notification"),
        name: draft.name,
        device_id: device.id.clone(),
        network_id: device.profile.network_id,
        device_type_id: device.profile.device_type_id,
        timestamp_ms: draft.timestamp_ms,
        parameters: draft.parameters,
    };
    ring::add(gateway, COLLECTION, (&kept.device, kept.id), &kept, settings.notifications_kept)?;
    tell(gateway, &Readers::Subscribers, &kept, announce::SHARED_SUBSCRIPTION)?;
    Ok(kept)
}

/// Publishes the event of a notification.
pub(crate) fn tell(gateway: &impl Gateway, to: &Readers, kept: &Kept, subscription: i64) -> Result<(), Error> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Event<'a> {
        action: &'static str,
        notification: View<'a>,
        subscription_id: i64,
    }
    let event = Event { action: "notification/insert", notification: kept.view(), subscription_id: subscription };
    announce::publish(gateway, to, kept.topic(), &event)
}

/// What is kept about a device, oldest first.
pub(crate) fn of_device(gateway: &impl Gateway, device: &str) -> Result<Vec<Kept>, Error> {
    ring::all(gateway, COLLECTION, Some(device))
}

/// One of them.
pub(crate) fn find(gateway: &impl Gateway, device: &str, id: i64) -> Result<Option<Kept>, Error> {
    gateway.document(COLLECTION, &ring::key(device, id)).as_ref().map(ring::read).transpose()
}

/// Removes what is kept about a device.
pub(crate) fn forget(gateway: &impl Gateway, device: &str) -> Result<(), Error> {
    ring::forget(gateway, COLLECTION, device)
}

/// What is kept about all devices, at most 1 000.
pub(crate) fn all(gateway: &impl Gateway) -> Result<Vec<Kept>, Error> {
    ring::all(gateway, COLLECTION, None)
}
