//! A device's queue as the application sees it: `GET …/down`, and what a replacement clears.

use crate::context::Context;
use crate::downlink::{ConfirmedRetry, Downlink};
use crate::error::{ApiError, Failure, device_not_found, queue_capacity, too_much_at_once};
use crate::ids::Uid;
use crate::settings::Settings;
use crate::up;
use dragoman_plugin_sdk::http::json_response;
use dragoman_plugin_sdk::{Device, Error, Execution, Gateway, Response, Selection, State, json};
use serde::Serialize;
use serde_json::value::RawValue;

/// Items of one device that may wait (`downlink_queue_capacity`).
pub(crate) const QUEUE_LIMIT: u32 = 10_000;
/// Label of an execution with the application that pushed it.
const APPLICATION: &str = "tts.application";
/// Items of a listing, and their bytes; the gateway takes answers of 4 MiB.
const LISTED_MAX: usize = 1_000;
const LISTING_BYTES_MAX: usize = 3 * 1_024 * 1_024;
/// Executions that are read at once. Each may be as large as a request.
const STEP: u32 = 50;
/// Imports that a call may need besides those of its items.
const CALLS_RESERVED: usize = 40;
/// Imports for one item of a push, at least.
const CALLS_OF_ITEM: usize = 13;

#[derive(Serialize)]
struct Listing {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    downlinks: Vec<Box<RawValue>>,
}

/// The device that an application calls by that name.
pub(crate) fn device(gateway: &impl Gateway, uid: &Uid, device_id: &str) -> Result<Device, Failure> {
    let alias = uid.device_alias(device_id);
    Ok(gateway.resolve(crate::ids::ID_ALIAS, &alias).ok_or_else(|| device_not_found(&alias))?)
}

/// What the application has queued or ahead in the network, in order: the first 1 000, and of them as many as an answer
/// holds. A header says how many there are more.
pub(crate) fn list(gateway: &impl Gateway, uid: &Uid, device: &Device) -> Result<Response, Error> {
    let selection = selection(uid, device, vec![State::Queued, State::Sent]);
    let (mut waiting, mut after) = (Vec::new(), None);
    loop {
        // A few at a time: of each only the item that is shown is kept, and the record is several times as large.
        let page = gateway.executions(&selection, after.as_deref(), STEP);
        for execution in &page.items {
            if let Some(downlink) = listed(execution) {
                waiting.push((place(execution), up::body(&downlink)?));
            }
        }
        match page.next.filter(|_| waiting.len() < LISTED_MAX && !page.items.is_empty()) {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    waiting.truncate(LISTED_MAX);
    waiting.sort_by_key(|(place, _)| *place);
    let mut bytes = 0;
    let fits = waiting.into_iter().map(|(_, downlink)| downlink).take_while(|downlink| {
        bytes += downlink.get().len();
        bytes <= LISTING_BYTES_MAX
    });
    let downlinks: Vec<_> = fits.collect();
    let more = count(gateway, &selection).saturating_sub(downlinks.len());
    let mut response = json_response(200, &Listing { downlinks });
    if more > 0 {
        response.headers.push(("x-warning".to_owned(), format!("{more} more downlinks are not listed")));
    }
    Ok(response)
}

/// First what is sent, then what waits, by when it took its place: a failed attempt goes to the tail.
fn place(execution: &Execution) -> (bool, u64) {
    let since = if execution.attempt > 0 { execution.updated_ms } else { execution.created_ms };
    (execution.state != State::Sent, since)
}

fn listed(execution: &Execution) -> Option<Downlink> {
    let context: Context = json::parse_object(execution.context.as_deref()?).ok()?;
    let mut downlink = context.downlink;
    let attempt = execution.attempt + u32::from(execution.state == State::Queued);
    let max_attempts = downlink.confirmed_retry.and_then(|retry| retry.max_attempts);
    downlink.confirmed_retry = downlink.confirmed.then_some(ConfirmedRetry { attempt, max_attempts });
    Some(downlink)
}

/// Items that one call can carry out, or tell as failed.
pub(crate) fn items_max(settings: &Settings) -> usize {
    calls_max(settings).saturating_sub(CALLS_RESERVED) / calls_of_item(settings)
}

/// Refuses more than one call can do: new items, and what is taken back for them. Nothing is told about such a push,
/// because that would be more than the call can do as well.
pub(crate) fn check_work(
    gateway: &impl Gateway,
    settings: &Settings,
    uid: &Uid,
    device: &Device,
    items: usize,
    replaces: bool,
) -> Result<(), ApiError> {
    let taken_back = if replaces { count(gateway, &own(uid, device)) } else { 0 };
    let calls = items.saturating_mul(calls_of_item(settings)).saturating_add(taken_back);
    if calls.saturating_add(CALLS_RESERVED) > calls_max(settings) {
        let why = format!("{items} new and {taken_back} replaced downlinks are more than one call can do");
        return Err(too_much_at_once(&why));
    }
    Ok(())
}

/// Refuses more than a queue holds. `replaces`: what the application has waiting is taken back first.
pub(crate) fn check_room(
    gateway: &impl Gateway,
    uid: &Uid,
    device: &Device,
    items: usize,
    replaces: bool,
) -> Result<(), ApiError> {
    let own = own(uid, device);
    let taken_back = if replaces { count(gateway, &own) } else { 0 };
    // The queue is the device's, whichever application filled it.
    let all = count(gateway, &Selection { labels: Vec::new(), ..own }).saturating_sub(taken_back);
    let limit = usize::try_from(QUEUE_LIMIT).unwrap_or(usize::MAX);
    if items.saturating_add(all) > limit { Err(queue_capacity()) } else { Ok(()) }
}

fn count(gateway: &impl Gateway, what: &Selection) -> usize {
    usize::try_from(gateway.count(what)).unwrap_or(usize::MAX)
}

fn own(uid: &Uid, device: &Device) -> Selection {
    selection(uid, device, vec![State::Queued])
}

fn calls_max(settings: &Settings) -> usize {
    usize::try_from(settings.host_calls_max).unwrap_or(usize::MAX)
}

/// An item that fails is told to readers and to each webhook.
fn calls_of_item(settings: &Settings) -> usize {
    CALLS_OF_ITEM.max(1 + settings.webhooks.len())
}

/// Takes back what the application has waiting. What the network holds already may still be sent.
pub(crate) fn clear(gateway: &impl Gateway, uid: &Uid, device: &Device) -> Result<(), Failure> {
    let selection = own(uid, device);
    let mut after = None;
    loop {
        let page = gateway.executions(&selection, after.as_deref(), 1_000);
        for execution in &page.items {
            gateway.cancel(&execution.id)?;
        }
        after = match page.next {
            Some(next) => Some(next),
            None => return Ok(()),
        };
    }
}

/// Another application may know the same device: it neither sees nor replaces what is not its own.
fn selection(uid: &Uid, device: &Device, states: Vec<State>) -> Selection {
    Selection { device: Some(device.id.clone()), states, labels: vec![application_label(uid)], newest_first: false }
}

/// The label of every downlink of an application.
pub(crate) fn application_label(uid: &Uid) -> (String, String) {
    (APPLICATION.to_owned(), uid.to_string())
}
