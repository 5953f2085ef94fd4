//! `down/push` and `down/replace`, by MQTT and by HTTP.
//!
//! ```text
//! begin ─┬─ the device has a handler: ask for the other form of each payload ── answered ─┬─ submit ── settled
//!        └─────────────────────────────────────────────────────────────────────────────────┘
//! ```

use crate::context::{Context, Item, Push, Reply, Waiting};
use crate::downlink::{Downlink, Source, to_base64};
use crate::error::{ApiError, Details, Failure, empty_response, no_f_port, too_much_at_once};
use crate::failure;
use crate::ids::{EndDeviceIds, Uid, is_lorawan};
use crate::intent::{delivery, encoded, intent, labels};
use crate::settings::Settings;
use crate::topic::Operation;
use crate::up::{self, Kind, Up};
use crate::{queue, ulid};
use dragoman_plugin_sdk::http::json_response;
use dragoman_plugin_sdk::refusal::Refusal;
use dragoman_plugin_sdk::{
    Answer, Attempts, Decision, Device, Error, Gateway, Place, Question, Response, Settlement, Severity, Stage,
    Submission, Wait, WhenAway, json,
};
use serde::Serialize;

#[derive(Serialize)]
struct Failed<'a> {
    downlink: &'a Downlink,
    error: Details,
}

/// Takes a push. `None` where there is nothing to wait for.
pub(crate) fn begin(
    gateway: &impl Gateway,
    (uid, device_id): (&Uid, &str),
    operation: Operation,
    reply: Reply,
    mut downlinks: Vec<Downlink>,
) -> Result<Option<Wait>, Failure> {
    let settings = Settings::read(gateway)?;
    let device = queue::device(gateway, uid, device_id)?;
    let replaces = operation == Operation::Replace;
    queue::check_work(gateway, &settings, uid, &device, downlinks.len(), replaces)?;
    if downlinks.is_empty() {
        if replaces {
            queue::clear(gateway, uid, &device)?;
        }
        return Ok(None);
    }
    let ids: Vec<_> = downlinks.iter().map(|_| ulid::correlation_id("as:downlink", &gateway.new_id())).collect();
    for (downlink, id) in downlinks.iter_mut().zip(&ids) {
        downlink.add_correlation_id(id.clone());
    }
    let checked = check(gateway, &settings, uid, &device, &downlinks, replaces);
    let items = match checked {
        Ok(sources) => {
            let parts = ids.into_iter().zip(downlinks).zip(sources);
            parts.map(|((id, downlink), source)| Item { id, downlink, source }).collect()
        }
        Err(Failure::Answer(error)) => {
            for downlink in &downlinks {
                publish_failed(gateway, &settings, (uid, device_id), Some(&device), downlink, &error)?;
            }
            return Err(Failure::Answer(error));
        }
        Err(fault) => return Err(fault),
    };
    let push = Push {
        reply,
        uid: uid.to_string(),
        device_id: device_id.to_owned(),
        device: device.id.clone(),
        lorawan: is_lorawan(&device),
        operation,
        items,
    };
    if device.handler.is_some() {
        let context = context(push.clone())?;
        for item in &push.items {
            let question = match item.source {
                Source::Bytes => Question::DecodeDown(delivery(&item.downlink)),
                Source::Object => Question::Plan(intent(&item.downlink, item.source, settings.decoded_commands)?),
            };
            gateway.ask(&device.id, &question);
        }
        return Ok(Some(Wait { context, until: Stage::Accepted }));
    }
    submit(gateway, &settings, uid, &device, &push).map(Some)
}

/// What the queue, or the session, refuses; the platform tells it item by item as well.
fn check(
    gateway: &impl Gateway,
    settings: &Settings,
    uid: &Uid,
    device: &Device,
    downlinks: &[Downlink],
    replaces: bool,
) -> Result<Vec<Source>, Failure> {
    let mut sources = Vec::with_capacity(downlinks.len());
    for downlink in downlinks {
        let source = downlink.source()?;
        downlink.attempts_max()?;
        if source == Source::Bytes && downlink.f_port == 0 {
            return Err(no_f_port().into());
        }
        if source == Source::Object && device.handler.is_none() {
            check_port(downlink, is_lorawan(device))?;
        }
        intent(downlink, source, settings.decoded_commands)?;
        sources.push(source);
    }
    queue::check_room(gateway, uid, device, downlinks.len(), replaces)?;
    Ok(sources)
}

/// An object needs a port only where a LoRaWAN network is to carry it and its handler names none.
fn check_port(downlink: &Downlink, lorawan: bool) -> Result<(), ApiError> {
    if lorawan && downlink.f_port == 0 { Err(no_f_port()) } else { Ok(()) }
}

/// Goes on with what the device's handler said, one answer for each item.
pub(crate) fn answered(gateway: &impl Gateway, mut push: Push, answers: &[Answer]) -> Result<Decision, Failure> {
    let settings = Settings::read(gateway)?;
    let uid = uid_of(&push)?;
    let device = queue::device(gateway, &uid, &push.device_id)?;
    if answers.len() != push.items.len() {
        let text = format!("{} items were asked for and {} answered", push.items.len(), answers.len());
        return Err(Error::Internal(text).into());
    }
    for (item, answer) in push.items.iter_mut().zip(answers) {
        complete(item, answer)?;
    }
    for item in &push.items {
        if let (Source::Object, Err(error)) = (item.source, check_port(&item.downlink, push.lorawan)) {
            for item in &push.items {
                publish_failed(gateway, &settings, (&uid, &push.device_id), Some(&device), &item.downlink, &error)?;
            }
            return Err(error.into());
        }
    }
    submit(gateway, &settings, &uid, &device, &push).map(Decision::Wait)
}

/// Adds the other form of the payload. What the handler cannot tell is left out; what it refuses to encode is an error,
/// and nothing of the push is queued.
fn complete(item: &mut Item, answer: &Answer) -> Result<(), ApiError> {
    match (item.source, answer) {
        (Source::Object, Answer::Frames(frames)) => {
            // Steps of a conversation, or words of another dialect, are no payload to show.
            if let Some((bytes, f_port)) = encoded(frames) {
                item.downlink.frm_payload = Some(to_base64(&bytes));
                item.downlink.f_port = f_port.unwrap_or(item.downlink.f_port);
            }
        }
        (Source::Object, Answer::Refused(reason)) if Refusal::of(reason) != Refusal::Unsupported => {
            return Err(failure::of_handler(reason, "encode_downlink"));
        }
        (Source::Bytes, Answer::Decoded(decoded)) => {
            item.downlink.decoded_payload = Some(json::raw(&decoded.value)).filter(|value| json::is_object(value));
            item.downlink.decoded_payload_warnings.clone_from(&decoded.warnings);
        }
        _ => {}
    }
    Ok(())
}

fn submit(
    gateway: &impl Gateway,
    settings: &Settings,
    uid: &Uid,
    device: &Device,
    push: &Push,
) -> Result<Wait, Failure> {
    let wait = Wait { context: context(push.clone())?, until: Stage::Accepted };
    if push.operation == Operation::Replace {
        queue::clear(gateway, uid, device)?;
    }
    for item in &push.items {
        let context =
            Context { uid: push.uid.clone(), device_id: push.device_id.clone(), downlink: item.downlink.clone() };
        let confirmed = item.downlink.confirmed;
        let wanted = intent(&item.downlink, item.source, settings.decoded_commands)?;
        let mut command = Submission::new(device.id.clone(), wanted);
        command.alias = Some(item.id.clone());
        command.context = Some(serde_json::to_string(&context).map_err(|error| Error::Internal(error.to_string()))?);
        command.labels = labels(&item.downlink, item.source);
        command.labels.push(queue::application_label(uid));
        command.ttl_ms = Some(settings.ttl_s.saturating_mul(1_000));
        // An unconfirmed downlink is done when it was sent by radio, or when the device's own receipt came.
        command.succeeds_at = Some(if confirmed { Stage::Ended } else { Stage::Acked });
        command.when_away = Some(WhenAway::Queue);
        if confirmed {
            let max = item.downlink.attempts_max()?;
            command.attempts = Some(Attempts { max, backoff_ms: 0, place: Place::Tail });
        }
        gateway.submit(command);
    }
    Ok(wait)
}

/// What is kept while the push waits; more than the gateway keeps is refused.
fn context(push: Push) -> Result<String, Failure> {
    let text = Waiting::Push(push).text()?;
    if text.len() > json::EMBEDDED_BYTES_MAX {
        let why = format!("the downlinks of one push may have {} bytes in all", json::EMBEDDED_BYTES_MAX);
        return Err(too_much_at_once(&why).into());
    }
    Ok(text)
}

/// Words what became of the items for a caller by HTTP: the first refusal is the answer. Nothing may be published here.
pub(crate) fn settled(gateway: &impl Gateway, push: &Push, settlements: &[Settlement]) -> Result<Response, Error> {
    let uid = uid_of(push)?;
    let refused = settlements.iter().find_map(|settlement| settlement.settled.as_ref().err());
    Ok(match refused {
        Some(reason) => failure::of_refusal(reason, &uid.device_alias(&push.device_id)).response(gateway),
        None => done(push.reply),
    })
}

/// Publishes what the gateway refused of a push by MQTT, item by item; the accepted ones were told as queued.
pub(crate) fn publish_refused(gateway: &impl Gateway, push: &Push, settlements: &[Settlement]) -> Result<(), Error> {
    let settings = Settings::read(gateway)?;
    let uid = uid_of(push)?;
    let device = gateway.device(&push.device);
    for (item, settlement) in push.items.iter().zip(settlements) {
        let Err(reason) = &settlement.settled else { continue };
        let error = failure::of_refusal(reason, &uid.device_alias(&push.device_id));
        gateway.log(Severity::Info, &format!("application {uid}: a downlink was refused: {}", error.message()));
        if Refusal::of(reason) != Refusal::UnknownDevice {
            publish_failed(gateway, &settings, (&uid, &push.device_id), device.as_ref(), &item.downlink, &error)?;
        }
    }
    Ok(())
}

/// The answer to a push that was carried out.
pub(crate) fn done(reply: Reply) -> Response {
    match reply {
        Reply::Object => json_response(200, &serde_json::json!({})),
        Reply::Empty | Reply::Silence => empty_response(200),
    }
}

fn uid_of(push: &Push) -> Result<Uid, Error> {
    Uid::parse(&push.uid).ok_or_else(|| Error::Internal(format!("{} is no application", push.uid)))
}

fn publish_failed(
    gateway: &impl Gateway,
    settings: &Settings,
    (uid, device_id): (&Uid, &str),
    device: Option<&Device>,
    downlink: &Downlink,
    error: &ApiError,
) -> Result<(), Error> {
    let up = Up {
        kind: Kind::Failed,
        ids: EndDeviceIds::new(uid, device_id, device, &[]),
        correlation_ids: downlink.correlation_ids.clone(),
        received_at_ms: gateway.now_ms(),
        body: up::body(&Failed { downlink, error: error.details(gateway) })?,
        simulated: false,
    };
    up::publish(gateway, settings, uid, device_id, up)
}
