//! Writes over HTTP: `POST /v3/data/devices/{ref}`, `…/properties` and `…/properties/{property}`.

use crate::answer::{Failure, bad_request, refusal_answer};
use crate::definition::{Access, Model, Property, Publish};
use crate::dispatch::is_news;
use crate::feed::{self, Point};
use crate::key::Caller;
use crate::settings::Settings;
use crate::store::{Entry, Ledger, Writer};
use crate::{ID_ALIAS, NAME, topics, uplink};
use dragoman_plugin_sdk::http::{body_text, json_response};
use dragoman_plugin_sdk::refusal::Refusal;
use dragoman_plugin_sdk::{
    Decision, Device, Error, Gateway, Intent, Property as Written, Request, Response, Settlement, Severity, Stage,
    State, Submission, Wait, WhenAway, attribute,
};
use serde::{Deserialize, Serialize};

/// Label of an execution with the name of its property.
const PROPERTY_LABEL: &str = "property";

/// How many points were taken, the answer of every write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Receipt {
    accepted: usize,
    rejected: usize,
}

/// What is kept while a write waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Context {
    /// Points that need no command.
    receipt: Receipt,
    /// Whether another dialect reaches the device: its word then counts.
    foreign: bool,
    /// Whether a method was called, which answers a result in place of a receipt.
    method: bool,
}

/// `{"property": value, …}`.
pub(crate) fn object(
    gateway: &impl Gateway,
    request: &Request,
    caller: &Caller,
    device: &Device,
) -> Result<Decision, Failure> {
    let points = feed::read_conventional(text(request)?).map_err(|why| bad_request(&why))?;
    write(gateway, caller, device, points)
}

/// A Data Feed, for the property of the path or for those that it names.
pub(crate) fn feed(
    gateway: &impl Gateway,
    request: &Request,
    caller: &Caller,
    device: &Device,
    property: Option<&str>,
) -> Result<Decision, Failure> {
    let settings = Settings::read(gateway)?;
    if let Some(property) = property
        && Model::of(&settings, device)?.property(property).is_err()
    {
        return Err(crate::answer::not_found(property));
    }
    let points = feed::read(text(request)?, property).map_err(|why| bad_request(&why))?;
    write(gateway, caller, device, points)
}

fn text(request: &Request) -> Result<&str, Failure> {
    body_text(&request.body).ok_or_else(|| bad_request("The body is not UTF-8."))
}

fn write(
    gateway: &impl Gateway,
    caller: &Caller,
    device: &Device,
    points: Vec<Result<Point, String>>,
) -> Result<Decision, Failure> {
    let settings = Settings::read(gateway)?;
    let model = Model::of(&settings, device)?;
    let mut rejected = 0;
    let mut values = Vec::with_capacity(points.len());
    for point in points {
        match uplink::taken(&model, point).and_then(|value| writable(caller, value)) {
            Ok(value) => values.push(value),
            Err(why) => {
                rejected += 1;
                gateway.log(Severity::Info, &format!("rejected a value for device {}: {why}", device.id));
            }
        }
    }
    let receipt = Receipt { accepted: values.len(), rejected };
    match caller {
        Caller::Device(_) => {
            uplink::report(gateway, &settings, &model, device, values, Vec::new(), None)?;
            Ok(Decision::Respond(json_response(200, &receipt)))
        }
        Caller::Key(_) => commands(gateway, &settings, device, values, rejected, false),
    }
}

/// Others may write what is public.
fn writable(caller: &Caller, value: uplink::Value) -> Result<uplink::Value, String> {
    let (property, ..) = &value;
    if matches!(caller, Caller::Key(_)) && property.definition.access != Access::Public {
        return Err(format!("property {} is not public", property.name));
    }
    Ok(value)
}

/// Stores what was accepted and sends the device what it must hear of: one command a value, in order.
pub(crate) fn commands(
    gateway: &impl Gateway,
    settings: &Settings,
    device: &Device,
    values: Vec<uplink::Value>,
    rejected: usize,
    method: bool,
) -> Result<Decision, Failure> {
    let foreign = device.dialect != NAME;
    let now_ms = gateway.now_ms();
    let is_there = match &device.parent {
        None => device.online,
        Some(parent) => gateway.device(parent).is_some_and(|parent| parent.online),
    };
    let mut ledger = Ledger::new(gateway, &device.id);
    let mut stored = 0;
    let mut submitted = 0;
    for (property, value, at_ms) in values {
        let name = property.key();
        let at_ms = at_ms.unwrap_or(now_ms).min(now_ms);
        let publish = property.definition.publish;
        let is_past = ledger.current(&name)?.is_some_and(|current| current.at_ms > at_ms);
        // What is older than the stored value changes nothing, so only what is published every time goes out.
        let is_sent =
            foreign || is_news(&mut ledger, publish, &name, &value, None)? && !(is_past && publish == Publish::Changed);
        if !is_sent {
            let writer = ledger.silent_writer(&name, &value)?;
            if !ledger.set(Entry { name, value, at_ms, writer })? {
                let text = "is of an older time than the stored one and changes nothing";
                gateway.log(Severity::Info, &format!("a value of {} for device {} {text}", property.name, device.id));
            }
            stored += 1;
            continue;
        }
        let command = command(gateway, settings, device, &property, &value);
        let is_lost = command.when_away == Some(WhenAway::Fail) && !is_there;
        let id = gateway.submit(command);
        submitted += 1;
        if !foreign {
            // What the platform loses is no news when it is written again; what is refused and asked for again is.
            let writer = if is_lost { Writer::Key } else { Writer::Execution(id) };
            ledger.set(Entry { name, value, at_ms, writer })?;
        }
    }
    ledger.commit()?;
    let context = Context { receipt: Receipt { accepted: stored, rejected }, foreign, method };
    if submitted == 0 {
        return Ok(Decision::Respond(answer(&context, context.receipt)));
    }
    let text = serde_json::to_string(&context).map_err(|error| Error::Internal(error.to_string()))?;
    // The platform answers when it has the value. What becomes of it with a device of another dialect only its end shows.
    let until = if foreign { Stage::Ended } else { Stage::Accepted };
    Ok(Decision::Wait(Wait { context: text, until }))
}

fn command(
    gateway: &impl Gateway,
    settings: &Settings,
    device: &Device,
    property: &Property,
    value: &str,
) -> Submission {
    let written = Written { service: None, name: property.name.clone(), value: value.to_owned() };
    let mut command = Submission::new(&device.id, Intent::Write(vec![written]));
    command.labels = vec![(PROPERTY_LABEL.to_owned(), property.key())];
    if device.dialect != NAME {
        command.ttl_ms = Some(settings.outcome_wait_ms());
        command.succeeds_at = Some(Stage::Ended);
        command.when_away = Some(WhenAway::Fail);
        return command;
    }
    command.ttl_ms = Some(settings.ttl_ms());
    let confirms = device.handler.is_some() || property.rule(settings).is_some();
    command.succeeds_at = Some(if confirms { Stage::Ended } else { Stage::Acked });
    command.when_away = Some(when_away(gateway, settings, device, &property.key()));
    command
}

/// The platform loses what it sends to an absent device, unless the broker keeps a subscription of QoS 1 for it.
fn when_away(gateway: &impl Gateway, settings: &Settings, device: &Device, property: &str) -> WhenAway {
    let id = attribute(&device.aliases, ID_ALIAS).unwrap_or_default();
    let holder = device.parent.as_deref().unwrap_or(&device.id);
    let subscriptions = gateway.device_subscriptions(holder).unwrap_or_default();
    if settings.hold_offline || topics::is_held_for(&subscriptions, id, property) {
        WhenAway::Queue
    } else {
        WhenAway::Fail
    }
}

/// Words what became of the commands of a write.
pub(crate) fn settled(
    gateway: &impl Gateway,
    context: &Context,
    settlements: &[Settlement],
) -> Result<Response, Error> {
    let mut receipt = context.receipt;
    let mut refused = None;
    for settlement in settlements {
        let accepted = match &settlement.settled {
            Ok(execution) if context.foreign => execution.state == State::Succeeded,
            Ok(_) => true,
            // The value is stored all the same; that the device did not hear of it is not told.
            Err(reason) if !context.foreign && is_lost(Refusal::of(reason)) => {
                gateway.log(Severity::Info, &format!("{} is lost: {}", settlement.id, reason.text));
                true
            }
            Err(reason) => {
                refused = Some(reason);
                false
            }
        };
        if accepted {
            receipt.accepted += 1;
        } else {
            receipt.rejected += 1;
        }
    }
    // Where nothing at all was taken, why says more than a count does.
    Ok(match refused {
        Some(reason) if receipt.accepted == 0 && receipt.rejected == settlements.len() && speaks_of_call(reason) => {
            refusal_answer(reason)
        }
        _ => answer(context, receipt),
    })
}

fn is_lost(refusal: Refusal) -> bool {
    matches!(refusal, Refusal::Away | Refusal::NoSubscriber)
}

/// Whether a refusal is about the call, not about the value or the device's absence.
fn speaks_of_call(reason: &dragoman_plugin_sdk::Reason) -> bool {
    !is_lost(Refusal::of(reason)) && Refusal::of(reason) != Refusal::Unsupported
}

fn answer(context: &Context, receipt: Receipt) -> Response {
    if context.method {
        // A method that writes a property returns nothing.
        return json_response(200, &serde_json::json!({"result": null}));
    }
    json_response(200, &receipt)
}
