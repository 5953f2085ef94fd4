//! What a device says: values of properties, Data Feeds and calls of methods. A write with the device's own key is
//! stored and never sent back.

use crate::definition::{Model, Property};
use crate::feed::{self, Point};
use crate::feedback::{self, Heard};
use crate::settings::Settings;
use crate::store::{Entry, Ledger, Writer};
use crate::topics::{self, Uplink};
use crate::{NAME, key, value};
use dragoman_plugin_sdk::{Device, Error, Event, Gateway, Message, Payload, Session, Severity, json};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Bytes of the name of a method that a device calls.
const METHOD_NAME_BYTES_MAX: usize = 128;

/// Takes a message. What cannot be read is dropped with a line in the log and changes nothing; the connection stays.
pub(crate) fn handle(gateway: &impl Gateway, session: &Session, message: &Message) -> Result<(), Error> {
    let drop = |why: &str| {
        let text = format!("dropped a message of client {:.128} on {:.256}: {why}", session.client_id, message.topic);
        gateway.log(Severity::Warn, &text);
    };
    let Some((id, said)) = topics::uplink(&message.topic) else {
        drop("it is no topic of a property, a feed or a method");
        return Ok(());
    };
    let Some(device) = key::by_id(gateway, id).filter(|device| speaks_for(session, device)) else {
        drop("the session does not speak for that device");
        return Ok(());
    };
    let settings = Settings::read(gateway)?;
    let model = Model::of(&settings, &device)?;
    let text = |payload: &Payload| match payload {
        Payload::Text(text) => Ok(text.clone()),
        Payload::Bytes(_) => Err("its payload is not UTF-8".to_owned()),
    };
    let (values, calls) = match said {
        Uplink::Property(name) => (vec![one_value(&model, name, &message.payload)], Vec::new()),
        Uplink::Feed => match text(&message.payload).and_then(|text| feed::read(&text, None)) {
            Ok(points) => (points.into_iter().map(|point| taken(&model, point)).collect(), Vec::new()),
            Err(why) => (vec![Err(why)], Vec::new()),
        },
        Uplink::Method(name) => (Vec::new(), vec![one_call(name, &message.payload)]),
        Uplink::Methods => match text(&message.payload).and_then(|text| feed::read_methods(&text)) {
            Ok(calls) => (Vec::new(), calls.into_iter().map(|call| call.and_then(named)).collect()),
            Err(why) => (Vec::new(), vec![Err(why)]),
        },
    };
    for why in
        values.iter().filter_map(|value| value.as_ref().err()).chain(calls.iter().filter_map(|c| c.as_ref().err()))
    {
        drop(why);
    }
    let values: Vec<_> = values.into_iter().flatten().collect();
    let calls: Vec<_> = calls.into_iter().flatten().collect();
    report(gateway, &settings, &model, &device, values, calls, Some(&message.payload))
}

/// A session speaks for its own device and for those that hang below it.
fn speaks_for(session: &Session, device: &Device) -> bool {
    let own = session.device.as_deref();
    device.dialect == NAME && own.is_some() && (own == Some(device.id.as_str()) || own == device.parent.as_deref())
}

/// A value of a device that was found to fit.
pub(crate) type Value = (Property, String, Option<u64>);

/// Checks one point: the property must be there and take the value. Access does not bind the device.
pub(crate) fn taken(model: &Model, point: Result<Point, String>) -> Result<Value, String> {
    let point = point?;
    let property = model.property(&point.property)?;
    value::check(property.definition.kind, &property.definition.boundaries, &point.value)
        .map_err(|why| format!("property {}: {why}", property.name))?;
    Ok((property, point.value, point.at_ms))
}

fn one_value(model: &Model, name: &str, payload: &Payload) -> Result<Value, String> {
    let property = model.property(name)?;
    let value = value::decode(property.definition.kind, &property.definition.boundaries, payload)
        .map_err(|why| format!("property {}: {why}", property.name))?;
    Ok((property, value, None))
}

fn one_call(name: &str, payload: &Payload) -> Result<feed::MethodCall, String> {
    let Payload::Text(text) = payload else { return Err("its payload is not UTF-8".to_owned()) };
    if text.trim().is_empty() {
        return named((name.to_owned(), "null".to_owned()));
    }
    let argument = json::parse::<Box<RawValue>>(text).map_err(|broken| format!("it is no JSON: {}", broken.text()))?;
    named((name.to_owned(), argument.get().to_owned()))
}

fn named(call: feed::MethodCall) -> Result<feed::MethodCall, String> {
    let fits = (1..=METHOD_NAME_BYTES_MAX).contains(&call.0.len());
    if fits { Ok(call) } else { Err(format!("a method's name has 1 to {METHOD_NAME_BYTES_MAX} bytes")) }
}

/// Stores what a device said, tells it to every dialect, and ends the commands that it answers.
pub(crate) fn report(
    gateway: &impl Gateway,
    settings: &Settings,
    model: &Model,
    device: &Device,
    values: Vec<Value>,
    calls: Vec<feed::MethodCall>,
    raw: Option<&Payload>,
) -> Result<(), Error> {
    let now_ms = gateway.now_ms();
    let mut ledger = Ledger::new(gateway, &device.id);
    let mut heard = Vec::with_capacity(values.len() + calls.len());
    let mut told: BTreeMap<String, Box<RawValue>> = BTreeMap::new();
    for (property, value, at_ms) in values {
        let name = property.key();
        // A device whose clock is ahead must not shut out what comes after.
        let at_ms = at_ms.unwrap_or(now_ms).min(now_ms);
        if ledger.set(Entry { name: name.clone(), value: value.clone(), at_ms, writer: Writer::Device })? {
            told.insert(property.name, json::raw(&value));
            heard.push(Heard::Property(name, value));
        }
    }
    let event = |kind: &str, name: Option<String>, body: String| Event {
        device: device.id.clone(),
        kind: kind.to_owned(),
        name,
        at_ms: now_ms,
        raw: raw.cloned(),
        body: Some(body),
        attributes: Vec::new(),
    };
    if !told.is_empty() {
        let body = serde_json::to_string(&told).map_err(|error| Error::Internal(error.to_string()))?;
        gateway.emit(&event("properties", None, body))?;
    }
    for (name, argument) in calls {
        gateway.emit(&event("notification", Some(name.clone()), argument.clone()))?;
        heard.push(Heard::Method(name, argument));
    }
    feedback::hear(gateway, settings, model, device, &heard, &mut ledger)?;
    ledger.commit()
}
