//! `notification/insert`, `notification/get` and `notification/list`.

use crate::actions::Call;
use crate::answer::{ApiError, Done, Failure, reply};
use crate::command_read::instant_of;
use crate::device::HiveDevice;
use crate::members::Members;
use crate::notification::{self, Draft, Kept};
use crate::paging::Paging;
use crate::permission::Permission;
use crate::{instant, topics};
use dragoman_plugin_sdk::{Event, Gateway};
use serde::Serialize;
use serde_json::value::RawValue;

const NAME_CHARS_MAX: usize = 128;

#[derive(Serialize)]
struct Inserted {
    id: i64,
    timestamp: String,
}

pub(crate) fn insert<G: Gateway>(call: &Call<'_, G>) -> Result<Done, Failure> {
    let caller = call.require(Permission::CreateDeviceNotification)?;
    let device = call.device(caller)?;
    let members = call.request.members.object("notification")?;
    let members = members.ok_or_else(|| ApiError::required("Notification"))?;
    accept(call, &device, &members, None)
}

/// Keeps and tells a notification, to the other dialects too.
pub(crate) fn accept<G: Gateway>(
    call: &Call<'_, G>,
    device: &HiveDevice,
    members: &Members,
    default_name: Option<&str>,
) -> Result<Done, Failure> {
    let name = members.text("notification")?.or_else(|| default_name.map(str::to_owned));
    let name = name.filter(|name| !name.is_empty()).ok_or_else(|| ApiError::required("Notification"))?;
    if name.chars().count() > NAME_CHARS_MAX || !topics::is_plain(&name) {
        return Err(ApiError::invalid().into());
    }
    let timestamp_ms = instant_of(members, "timestamp")?.unwrap_or_else(|| call.gateway.now_ms());
    let draft = Draft { name, parameters: members.kept("parameters"), timestamp_ms };
    let kept = notification::insert(call.gateway, call.settings, device, draft)?;
    // Only the dialect that reaches a device tells the others what it says.
    if device.is_ours() {
        call.gateway.emit(&event(device, &kept))?;
    }
    reply("notification", &Inserted { id: kept.id, timestamp: instant::text(kept.timestamp_ms) })
}

/// What other dialects are told.
fn event(device: &HiveDevice, kept: &Kept) -> Event {
    Event {
        device: device.record.id.clone(),
        kind: "notification".to_owned(),
        name: Some(kept.name.clone()),
        at_ms: kept.timestamp_ms,
        raw: None,
        body: kept.parameters.as_deref().map(RawValue::get).map(str::to_owned),
        attributes: vec![("devicehive.id".to_owned(), kept.id.to_string())],
    }
}

pub(crate) fn get<G: Gateway>(call: &Call<'_, G>) -> Result<Done, Failure> {
    let caller = call.require(Permission::GetDeviceNotification)?;
    let device = call.device(caller)?;
    if call.request.members.raw("notificationId").is_none() {
        return Err(ApiError::wrong_id("Notification").into());
    }
    let id = call.request.members.number("notificationId").ok().flatten();
    let id = id.ok_or_else(|| ApiError::new(400, "Notification id should be an integer value."))?;
    let found = notification::find(call.gateway, &device.record.id, id)?;
    let found = found.ok_or_else(|| ApiError::new(404, "Requested notification not found"))?;
    reply("notification", &found.view())
}

pub(crate) fn list<G: Gateway>(call: &Call<'_, G>) -> Result<Done, Failure> {
    let caller = call.require(Permission::GetDeviceNotification)?;
    let device = call.device(caller)?;
    let members = &call.request.members;
    let paging = Paging::read(members, &["timestamp", "notification"])?;
    let (start_ms, end_ms) = (instant_of(members, "start")?, instant_of(members, "end")?);
    let mut names = members.texts("names")?.unwrap_or_default();
    names.extend(members.text("notification")?);
    let mut found = notification::of_device(call.gateway, &device.record.id)?;
    found.retain(|kept| {
        start_ms.is_none_or(|start_ms| kept.timestamp_ms >= start_ms)
            && end_ms.is_none_or(|end_ms| kept.timestamp_ms <= end_ms)
            && (names.is_empty() || names.contains(&kept.name))
    });
    let page = match paging.field.as_deref() {
        Some("notification") => paging.apply(found, |a, b| a.name.cmp(&b.name)),
        _ => paging.apply(found, |a, b| (a.timestamp_ms, a.id).cmp(&(b.timestamp_ms, b.id))),
    };
    reply("notifications", &page.iter().map(Kept::view).collect::<Vec<_>>())
}
