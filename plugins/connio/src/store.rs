//! The current value of each property of a device: one document a property.

use crate::value;
use dragoman_plugin_sdk::{Error, Gateway, json};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Collection of the documents.
const COLLECTION: &str = "values";
/// The field by which the values of one device are found; `describe` declares it.
pub(crate) const INDEX: &str = "values.device";
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
/// Properties of one device that are read together.
const PAGE: u32 = 1_000;

/// Who wrote a value that is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Writer {
    /// The device, with its own key.
    Device,
    /// Somebody else, without the device hearing of it.
    Key,
    /// This execution, which brings it to the device.
    Execution(String),
}

/// A value that is to be the current one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Name of the property, lower case.
    pub(crate) name: String,
    /// JSON text.
    pub(crate) value: String,
    /// The time that the value is of, in milliseconds since 1970.
    pub(crate) at_ms: u64,
    pub(crate) writer: Writer,
}

/// The current value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) entry: Entry,
    /// When it was stored, in milliseconds since 1970.
    stored_ms: u64,
    revision: u64,
}

#[derive(Serialize, Deserialize)]
struct Document {
    /// The gateway's id of the device.
    device: String,
    name: String,
    value: Box<RawValue>,
    at: u64,
    stored: u64,
    writer: Writer,
}

/// The current value of a property, its name in lower case.
fn get(gateway: &impl Gateway, device: &str, name: &str) -> Result<Option<Stored>, Error> {
    gateway.document(COLLECTION, &key(device, name)).map(|found| read(&found.value, found.revision)).transpose()
}

/// The current values of all properties of a device, by name.
pub(crate) fn all(gateway: &impl Gateway, device: &str) -> Result<Vec<Stored>, Error> {
    let of_device = [("device".to_owned(), device.to_owned())];
    let found = gateway.documents(COLLECTION, &of_device, None, PAGE)?;
    found.iter().map(|found| read(&found.value, found.revision)).collect()
}

/// Replaces what was read as `before`.
fn put(gateway: &impl Gateway, device: &str, entry: &Entry, before: Option<&Stored>) -> Result<(), Error> {
    let document = Document {
        device: device.to_owned(),
        name: entry.name.clone(),
        value: json::raw(&entry.value),
        at: entry.at_ms,
        stored: gateway.now_ms(),
        writer: entry.writer.clone(),
    };
    let text = serde_json::to_string(&document).map_err(|error| Error::Internal(error.to_string()))?;
    gateway.put_document(COLLECTION, &key(device, &entry.name), &text, before.map_or(0, |before| before.revision))
}

fn key(device: &str, name: &str) -> String {
    format!("{device}/{name}")
}

fn read(text: &str, revision: u64) -> Result<Stored, Error> {
    let document: Document = json::parse_object(text)
        .map_err(|broken| Error::Internal(format!("a stored value cannot be read: {}", broken.text())))?;
    let Document { name, value, at, stored, writer, .. } = document;
    let entry = Entry { name, value: value.get().to_owned(), at_ms: at, writer };
    Ok(Stored { entry, stored_ms: stored, revision })
}

/// The values of one device during one call: reads each once, and writes each once at the end.
pub(crate) struct Ledger<'a, G> {
    gateway: &'a G,
    device: &'a str,
    read: BTreeMap<String, Option<Stored>>,
    written: BTreeMap<String, Entry>,
}

impl<'a, G: Gateway> Ledger<'a, G> {
    /// Of the device with this id of the gateway.
    pub(crate) fn new(gateway: &'a G, device: &'a str) -> Self {
        Self { gateway, device, read: BTreeMap::new(), written: BTreeMap::new() }
    }

    /// The current value of a property, its name in lower case, with what this call has set.
    pub(crate) fn current(&mut self, name: &str) -> Result<Option<&Entry>, Error> {
        if !self.read.contains_key(name) {
            self.read.insert(name.to_owned(), get(self.gateway, self.device, name)?);
        }
        let stored = self.read.get(name).and_then(Option::as_ref).map(|stored| &stored.entry);
        Ok(self.written.get(name).or(stored))
    }

    /// Who is to stand as the writer of a value that the device does not hear of. Where it is the stored one, whoever
    /// wrote that: it may still be on its way.
    pub(crate) fn silent_writer(&mut self, name: &str, value: &str) -> Result<Writer, Error> {
        let current = self.current(name)?.filter(|current| value::same(&current.value, value));
        Ok(current.map_or(Writer::Key, |current| current.writer.clone()))
    }

    /// Whether the current value is stored as on its way by a command that the gateway did not take: the device never hears
    /// of it. Commands that have ended are kept for a day at least, so only one of the last day can be missed.
    pub(crate) fn is_stranded(&mut self, name: &str) -> Result<bool, Error> {
        self.current(name)?;
        // What this call has set is submitted with it and not there yet.
        let stored = self.read.get(name).and_then(Option::as_ref).filter(|_| !self.written.contains_key(name));
        Ok(stored.is_some_and(|stored| match &stored.entry.writer {
            Writer::Execution(id) if self.gateway.now_ms().saturating_sub(stored.stored_ms) < DAY_MS => {
                self.gateway.execution(id).is_none()
            }
            Writer::Execution(_) | Writer::Device | Writer::Key => false,
        }))
    }

    /// When the current value was stored, in milliseconds since 1970; what this call has set is stored now.
    pub(crate) fn stored_ms(&mut self, name: &str) -> Result<Option<u64>, Error> {
        self.current(name)?;
        let stored = self.read.get(name).and_then(Option::as_ref).map(|stored| stored.stored_ms);
        Ok(if self.written.contains_key(name) { Some(self.gateway.now_ms()) } else { stored })
    }

    /// Makes it the current value, unless that is of a later time. No history is kept, so an older value is not.
    pub(crate) fn set(&mut self, entry: Entry) -> Result<bool, Error> {
        if self.current(&entry.name)?.is_some_and(|current| current.at_ms > entry.at_ms) {
            return Ok(false);
        }
        self.written.insert(entry.name.clone(), entry);
        Ok(true)
    }

    /// Writes what was set.
    pub(crate) fn commit(self) -> Result<(), Error> {
        let Self { gateway, device, read, written } = self;
        written
            .values()
            .try_for_each(|entry| put(gateway, device, entry, read.get(&entry.name).and_then(Option::as_ref)))
    }
}
