//! A command on its way to a device: `…/data/in/devices/{id}/properties/{name}` with the JSON text of the value.

use crate::definition::{Access, CONNECTION_STATUS, Model, Publish, is_same_name};
use crate::settings::Settings;
use crate::store::{self, Entry, Ledger, Writer};
use crate::target::{self, Target, Unfit};
use crate::{ID_ALIAS, NAME, topics, value};
use dragoman_plugin_sdk::route::is_topic_level;
use dragoman_plugin_sdk::{
    Audience, Correlation, Device, Dispatched, Error, Execution, Gateway, Intent, Message, Outcome, Outgoing, Payload,
    PropertyName, Reason, attribute, json, outcome,
};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Messages of one attempt.
const MESSAGES_MAX: usize = 64;

/// Who decided that the values are to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decided {
    /// This dialect's own application side, when it was called; they are stored already.
    AtCall,
    /// Another dialect's application: it is a write with another key than the device's own.
    Now,
    /// The device's handler, which stands where the platform has its own scripts: access does not bind it.
    ByHandler,
}

/// Answers from the store what is to be read; sends what is to be written and is news for the device.
pub(crate) fn dispatch(gateway: &impl Gateway, device: &Device, execution: &Execution) -> Result<Dispatched, Error> {
    let settings = Settings::read(gateway)?;
    let model = Model::of(&settings, device)?;
    let decided = match (outcome::is_plain(execution), execution.origin == NAME) {
        (false, _) => Decided::ByHandler,
        (true, true) => Decided::AtCall,
        (true, false) => Decided::Now,
    };
    let reads: Vec<_> = execution.frames.iter().filter_map(names_of).collect();
    if !reads.is_empty() && reads.len() == execution.frames.len() {
        return Ok(Dispatched::Done(read(gateway, &model, device, &reads.concat(), decided)?));
    }
    let Some(id) = attribute(&device.aliases, ID_ALIAS).filter(|id| is_topic_level(id)) else {
        let text = format!("device {} has no alias {ID_ALIAS} that can be a topic level", device.id);
        return Ok(Dispatched::Unsupported(outcome::reason("NO_DEVICE_ID", text)));
    };
    let targets = match target::of_frames(&model, &settings, &execution.frames) {
        Ok(targets) => targets,
        Err(Unfit::Unsupported(reason)) => return Ok(Dispatched::Unsupported(reason)),
        Err(Unfit::Rejected(reason)) => return Ok(Dispatched::Done(Outcome::Rejected(reason))),
    };
    let news = match decided {
        Decided::AtCall => targets,
        Decided::Now | Decided::ByHandler => match decide(gateway, &device.id, execution, targets, decided)? {
            Ok(news) => news,
            Err(reason) => return Ok(Dispatched::Done(Outcome::Rejected(reason))),
        },
    };
    if news.is_empty() {
        return Ok(Dispatched::Done(Outcome::Succeeded(None)));
    }
    let holder = device.parent.as_deref().unwrap_or(&device.id);
    let subscriptions = gateway.device_subscriptions(holder).unwrap_or_default();
    let mut messages = Vec::with_capacity(news.len());
    for Target { property, value } in news {
        for topic in topics::downlinks(&subscriptions, id, &property.key()) {
            // Without a rule nobody will tell what became of it, and without a correlation the gateway knows that.
            let correlation =
                property.rule(&settings).map(|_| Correlation { reporter: holder.to_owned(), key: gateway.new_id() });
            messages.push(Outgoing {
                to: Audience::Subscribed,
                message: Message {
                    topic,
                    payload: Payload::Text(value.clone()),
                    qos: 1,
                    retain: false,
                    attributes: Vec::new(),
                },
                correlation,
            });
        }
    }
    if messages.len() > MESSAGES_MAX {
        let text = format!("it would be {} messages; at most {MESSAGES_MAX} are sent at once", messages.len());
        return Ok(Dispatched::Unsupported(outcome::reason("TOO_MANY_PROPERTIES", text)));
    }
    Ok(Dispatched::Send(messages))
}

/// Checks all values and stores them: those that the device must hear of, or why none is taken.
fn decide(
    gateway: &impl Gateway,
    device: &str,
    execution: &Execution,
    targets: Vec<Target>,
    decided: Decided,
) -> Result<Result<Vec<Target>, Reason>, Error> {
    for Target { property, value } in &targets {
        if decided == Decided::Now && property.definition.access != Access::Public {
            let text = format!("property {} is not public", property.name);
            return Ok(Err(outcome::reason("NOT_WRITABLE", text)));
        }
        if let Err(why) = value::check(property.definition.kind, &property.definition.boundaries, value) {
            return Ok(Err(outcome::reason("INVALID_VALUE", format!("property {}: {why}", property.name))));
        }
    }
    let writer = Writer::Execution(execution.id.clone());
    let mut ledger = Ledger::new(gateway, device);
    let mut news = Vec::with_capacity(targets.len());
    for target in targets {
        let key = target.property.key();
        let is_news = is_news(&mut ledger, target.property.definition.publish, &key, &target.value, Some(&writer))?;
        let writer = if is_news { writer.clone() } else { ledger.silent_writer(&key, &target.value)? };
        ledger.set(Entry { name: key, value: target.value.clone(), at_ms: gateway.now_ms(), writer })?;
        if is_news {
            news.push(target);
        }
    }
    ledger.commit()?;
    Ok(Ok(news))
}

/// Whether the device must hear of a write by another key than its own. What this very execution has stored in an
/// earlier attempt is still to be brought to the device, and so is what is stored though its command was refused.
pub(crate) fn is_news<G: Gateway>(
    ledger: &mut Ledger<'_, G>,
    publish: Publish,
    name: &str,
    value: &str,
    writer: Option<&Writer>,
) -> Result<bool, Error> {
    Ok(match publish {
        Publish::Always => true,
        Publish::Never => false,
        Publish::Changed => {
            let differs = |current: &Entry| !value::same(&current.value, value) || Some(&current.writer) == writer;
            ledger.current(name)?.is_none_or(differs) || ledger.is_stranded(name)?
        }
    })
}

fn names_of(frame: &Intent) -> Option<Vec<PropertyName>> {
    match frame {
        Intent::Read(names) => Some(names.clone()),
        _ => None,
    }
}

/// `{"name": value}` of the stored values; `null` for a property that has none yet.
fn read(
    gateway: &impl Gateway,
    model: &Model,
    device: &Device,
    names: &[PropertyName],
    decided: Decided,
) -> Result<Outcome, Error> {
    let may_read = |access: Access| decided == Decided::ByHandler || access != Access::Private;
    let mut values: BTreeMap<String, Box<RawValue>> = BTreeMap::new();
    if names.is_empty() {
        for stored in store::all(gateway, &device.id)? {
            let Ok(property) = model.property(&stored.entry.name) else { continue };
            if may_read(property.definition.access) {
                values.insert(property.name, json::raw(&stored.entry.value));
            }
        }
    }
    let mut ledger = Ledger::new(gateway, &device.id);
    for asked in names {
        if is_same_name(&asked.name, CONNECTION_STATUS) {
            values.insert(CONNECTION_STATUS.to_owned(), connection_status(device));
            continue;
        }
        let property = match model.property(&asked.name) {
            Ok(property) if may_read(property.definition.access) => property,
            Ok(property) => {
                let text = format!("property {} is private", property.name);
                return Ok(Outcome::Rejected(outcome::reason("NOT_READABLE", text)));
            }
            Err(why) => return Ok(Outcome::Rejected(outcome::reason("NO_PROPERTY", why))),
        };
        let value = ledger.current(&property.key())?.map_or("null", |entry| &entry.value);
        values.insert(asked.name.clone(), json::raw(value));
    }
    let text = serde_json::to_string(&values).map_err(|error| Error::Internal(error.to_string()))?;
    if text.len() > json::EMBEDDED_BYTES_MAX {
        let text = format!("the values have more than {} bytes; ask for fewer", json::EMBEDDED_BYTES_MAX);
        return Ok(Outcome::Rejected(outcome::reason("TOO_LARGE", text)));
    }
    Ok(Outcome::Succeeded(Some(text)))
}

/// The value of the built-in property, JSON.
pub(crate) fn connection_status(device: &Device) -> Box<RawValue> {
    json::raw(if device.online { "\"online\"" } else { "\"offline\"" })
}
