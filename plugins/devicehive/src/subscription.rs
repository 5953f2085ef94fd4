//! `command/subscribe`, `notification/subscribe`, their opposites, and `subscription/list`.
//!
//! Over MQTT what is told live comes by the client's own subscription to event topics. What these actions add is the
//! backlog: what is kept since a time goes to the session that asked, behind the answer.

use crate::actions::Call;
use crate::announce::{self, SHARED_SUBSCRIPTION};
use crate::answer::{self, ApiError, Done, Failure, member, reply};
use crate::caller::{Caller, Notes};
use crate::catalogue::Catalogue;
use crate::command::{self, Command};
use crate::command_read::instant_of;
use crate::notification::{self, Kept as Notification};
use crate::permission::Permission;
use crate::settings::Settings;
use crate::topics::{self, Kind};
use crate::{instant, labels, ring, subscribe};
use dragoman_plugin_sdk::{Gateway, Readers, Subscription};
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// Subscriptions that one session may have.
const SUBSCRIPTIONS_MAX: usize = 100;
/// Networks, or device types, that one subscription may name.
const IDS_MAX: usize = 64;
const LIMIT_DEFAULT: usize = 20;
/// Events of one backlog: a call may ask for 1 000 things.
const LIMIT_MAX: usize = 500;

/// What is subscribed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Topic {
    #[serde(rename = "command")]
    Commands,
    #[serde(rename = "notification")]
    Notifications,
}

impl Topic {
    fn permission(self) -> Permission {
        match self {
            Self::Commands => Permission::GetDeviceCommand,
            Self::Notifications => Permission::GetDeviceNotification,
        }
    }
}

/// A subscription of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Kept {
    subscription_id: i64,
    #[serde(rename = "type")]
    topic: Topic,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    network_ids: Option<Vec<i64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_type_ids: Option<Vec<i64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    names: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<String>,
}

impl Kept {
    /// What the platform makes of a topic filter of events (sheet, section 2); none of any other filter. Where it names a
    /// device, networks and device types are left out.
    fn of_filter(settings: &Settings, client_id: &str, filter: &str) -> Option<Self> {
        let (kind, levels) = subscribe::served(settings, client_id, filter)?;
        let plain = |level: &&String| !topics::is_wildcard(level);
        let device_id = levels.get(2).filter(plain).cloned();
        let ids = |at: usize| match (&device_id, levels.get(at).filter(plain)) {
            (None, Some(level)) => level.parse().ok().map(|id| vec![id]),
            _ => None,
        };
        let name = levels.get(3..).filter(|name| !name.is_empty() && name.iter().all(|level| plain(&level)));
        Some(Self {
            subscription_id: SHARED_SUBSCRIPTION,
            topic: match kind {
                Kind::Command | Kind::CommandUpdate => Topic::Commands,
                Kind::Notification => Topic::Notifications,
            },
            network_ids: ids(0),
            device_type_ids: ids(1),
            device_id,
            names: name.map(|name| vec![name.join("/")]),
            timestamp: None,
        })
    }
}

/// What a subscription is about, to compare with.
struct Wanted<'a> {
    caller: &'a Caller,
    /// The gateway's id of the device.
    device: Option<String>,
    kept: &'a Kept,
}

impl Wanted<'_> {
    fn fits(&self, network: i64, device_type: i64, device_id: &str, name: &str) -> bool {
        let Kept { device_id: device, network_ids, device_type_ids, names, .. } = self.kept;
        self.caller.networks.has(network)
            && self.caller.device_types.has(device_type)
            && device.as_ref().is_none_or(|device| device == device_id)
            && network_ids.as_ref().is_none_or(|ids| ids.contains(&network))
            && device_type_ids.as_ref().is_none_or(|ids| ids.contains(&device_type))
            && names.as_ref().is_none_or(|names| names.iter().any(|known| known == name))
    }

    /// Labels that every command carries that fits: those of which only one value does.
    fn labels(&self) -> Vec<(String, String)> {
        let only = |ids: &Option<Vec<i64>>| match ids.as_deref() {
            Some([id]) => Some(id.to_string()),
            _ => None,
        };
        let name = match self.kept.names.as_deref() {
            Some([name]) => Some(labels::cut(name)),
            _ => None,
        };
        let all = [
            (labels::NETWORK, only(&self.kept.network_ids)),
            (labels::DEVICE_TYPE, only(&self.kept.device_type_ids)),
            (labels::COMMAND, name),
        ];
        all.into_iter().filter_map(|(label, value)| Some((label.to_owned(), value?))).collect()
    }
}

/// Remembers a subscription, answers with its number, and sends the backlog where a time is given.
pub(crate) fn subscribe<G: Gateway>(call: &Call<'_, G>, topic: Topic) -> Result<Done, Failure> {
    let caller = call.require(topic.permission())?;
    let members = &call.request.members;
    let device_id = members.text("deviceId")?;
    let device = match &device_id {
        Some(id) => Some(caller.device(call.gateway, Some(id))?.record.id),
        None => None,
    };
    let network_ids = scope(call, caller, Catalogue::Networks, "networkIds")?;
    let device_type_ids = scope(call, caller, Catalogue::DeviceTypes, "deviceTypeIds")?;
    if caller.networks.is_empty() || caller.device_types.is_empty() {
        return Err(ApiError::new(403, "No access to any device type or network").into());
    }
    let since_ms = instant_of(members, "timestamp")?;
    let limit = match members.number("limit")? {
        None => LIMIT_DEFAULT,
        Some(limit) => usize::try_from(limit).map_err(|_| ApiError::invalid())?.min(LIMIT_MAX),
    };
    let updated_only = topic == Topic::Commands && members.flag("returnUpdatedCommands")?.unwrap_or_default();
    if call.notes.subscriptions.len() >= SUBSCRIPTIONS_MAX {
        let text = format!("A session may have {SUBSCRIPTIONS_MAX} subscriptions. Unsubscribe first.");
        return Err(ApiError::new(400, text).into());
    }
    let kept = Kept {
        subscription_id: ring::next_id(call.gateway, "subscription"),
        topic,
        device_id,
        network_ids,
        device_type_ids,
        names: members.texts("names")?.filter(|names| !names.is_empty()),
        timestamp: since_ms.map(instant::text),
    };
    // Before the answer: what is too much to look at is no subscription.
    let wanted = Wanted { caller, device, kept: &kept };
    let (mut commands, mut notifications) = (Vec::new(), Vec::new());
    match (since_ms, topic) {
        (None, _) => {}
        (Some(since_ms), Topic::Commands) => commands = past_commands(call, &wanted, since_ms, limit, updated_only)?,
        (Some(since_ms), Topic::Notifications) => notifications = past_notifications(call, &wanted, since_ms)?,
    }
    let mut notes = call.notes.clone();
    notes.subscriptions.push(kept.clone());
    notes.write(call.gateway, &call.session.id)?;
    let answer = Ok(vec![member("subscriptionId", &kept.subscription_id)?]);
    answer::publish(call.gateway, call.asker(), &answer)?;
    let (to, id) = (Readers::Session(call.session.id.clone()), kept.subscription_id);
    let kind = if updated_only { Kind::CommandUpdate } else { Kind::Command };
    for command in commands.iter().take(limit) {
        announce::tell(call.gateway, &to, kind, command, id)?;
    }
    for notification in notifications.iter().take(limit) {
        notification::tell(call.gateway, &to, notification, id)?;
    }
    Ok(Done::Answered)
}

/// Networks, or device types, that exist and are the caller's.
fn scope<G: Gateway>(
    call: &Call<'_, G>,
    caller: &Caller,
    of: Catalogue,
    name: &str,
) -> Result<Option<Vec<i64>>, Failure> {
    let Some(mut ids) = call.request.members.numbers(name)?.filter(|ids| !ids.is_empty()) else { return Ok(None) };
    ids.sort_unstable();
    ids.dedup();
    if ids.len() > IDS_MAX {
        return Err(ApiError::new(400, format!("At most {IDS_MAX} {name} are taken. Leave them out for all.")).into());
    }
    if ids.iter().any(|id| !of.scope(caller).has(*id)) {
        return Err(ApiError::denied().into());
    }
    let mut unknown = String::new();
    for id in &ids {
        if of.by_id(call.settings, *id).is_none() {
            let comma = if unknown.is_empty() { "" } else { ", " };
            let _ = write!(unknown, "{comma}{id}");
        }
    }
    if unknown.is_empty() {
        return Ok(Some(ids));
    }
    let kind = if of == Catalogue::Networks { "Networks" } else { "Device types" };
    Err(ApiError::new(404, format!("{kind} with such {name} wasn't found: {{[{unknown}]}}")).into())
}

/// Commands since a time, oldest first.
fn past_commands<G: Gateway>(
    call: &Call<'_, G>,
    wanted: &Wanted<'_>,
    since_ms: u64,
    limit: usize,
    updated_only: bool,
) -> Result<Vec<Command>, Failure> {
    let selection = command::Wanted {
        device: wanted.device.as_deref(),
        labels: wanted.labels(),
        since_ms: Some(since_ms),
        most: Some(limit),
    };
    let mut found = command::select(call.gateway, call.settings, &selection, |command| {
        let Command { network_id, device_type_id, device_id, command: name, .. } = command;
        wanted.fits(*network_id, *device_type_id, device_id, name)
            && (!updated_only || command.last_updated > command.timestamp)
    })?;
    found.sort_by_key(|command| (command.timestamp, command.id));
    Ok(found)
}

/// Notifications since a time, oldest first.
fn past_notifications<G: Gateway>(
    call: &Call<'_, G>,
    wanted: &Wanted<'_>,
    since_ms: u64,
) -> Result<Vec<Notification>, Failure> {
    let mut found = match &wanted.device {
        Some(device) => notification::of_device(call.gateway, device)?,
        None => notification::all(call.gateway)?,
    };
    found.retain(|kept| {
        let Notification { network_id, device_type_id, device_id, name, .. } = kept;
        kept.timestamp_ms >= since_ms && wanted.fits(*network_id, *device_type_id, device_id, name)
    });
    found.sort_by_key(|kept| (kept.timestamp_ms, kept.id));
    Ok(found)
}

/// Forgets one subscription, or all of the kind.
pub(crate) fn unsubscribe<G: Gateway>(call: &Call<'_, G>, topic: Topic) -> Result<Done, Failure> {
    call.require(topic.permission())?;
    let id = call.request.members.number("subscriptionId")?;
    let is_meant = |kept: &Kept| kept.topic == topic && id.is_none_or(|id| id == kept.subscription_id);
    if let Some(id) = id.filter(|_| !call.notes.subscriptions.iter().any(is_meant)) {
        return Err(ApiError::new(404, format!("Subscription with id {id} was not found")).into());
    }
    let mut notes: Notes = call.notes.clone();
    notes.subscriptions.retain(|kept| !is_meant(kept));
    notes.write(call.gateway, &call.session.id)?;
    Ok(Done::Reply(Vec::new()))
}

/// What the session subscribed to: by action, then by topic.
pub(crate) fn list<G: Gateway>(call: &Call<'_, G>) -> Result<Done, Failure> {
    let caller = call.caller()?;
    if caller.require(Permission::GetDeviceCommand).is_err() {
        caller.require(Permission::GetDeviceNotification)?;
    }
    let topic = match call.request.members.text("type")?.as_deref() {
        None => None,
        Some("command") => Some(Topic::Commands),
        Some("notification") => Some(Topic::Notifications),
        Some(_) => return Err(ApiError::invalid().into()),
    };
    let held = call.gateway.subscriptions(&call.session.id);
    let of_topic = |held: &Subscription| Kept::of_filter(call.settings, &call.session.client_id, &held.filter);
    let all = call.notes.subscriptions.iter().cloned().chain(held.iter().filter_map(of_topic));
    reply("subscriptions", &all.filter(|kept| topic.is_none_or(|topic| topic == kept.topic)).collect::<Vec<_>>())
}
