//! The form of ids, names, labels and aliases. Each check gives the end of a sentence about what it was given.

use dragoman_core::Attributes;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Labels of a device, or aliases of one.
const DEVICE_NAMES_MAX: usize = 32;
/// Labels of an execution, as the contract has it.
pub(super) const EXECUTION_LABELS_MAX: usize = 8;
const NAME_MAX_BYTES: usize = 64;
const VALUE_MAX_BYTES: usize = 256;
/// How much of what somebody sent is repeated in an answer.
const SHOWN_MAX_CHARS: usize = 128;

/// What somebody sent, as it may be repeated in an answer: cut, and without control characters.
pub(super) fn shown(text: &str) -> String {
    let cut = text.chars().count() > SHOWN_MAX_CHARS;
    let mut shown: String = text.chars().take(SHOWN_MAX_CHARS).map(|c| if c.is_control() { '?' } else { c }).collect();
    if cut {
        shown.push('…');
    }
    shown
}

/// `[A-Za-z0-9_.:-]{1,128}`, as the contract has it.
pub(super) fn device_id(field: &str, id: &str) -> Result<(), String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte);
    if (1..=128).contains(&id.len()) && id.bytes().all(allowed) {
        return Ok(());
    }
    Err(format!("{field} is {:?}; allowed are 1 to 128 of A-Z a-z 0-9 _ . : -", shown(id)))
}

/// `[A-Za-z0-9_-]{1,64}`, as the contract has it.
pub(super) fn is_execution_id(id: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    (1..=64).contains(&id.len()) && id.bytes().all(allowed)
}

/// `[a-z][a-z0-9-]{0,63}`, as the contract has it.
pub(super) fn plugin_name(field: &str, name: &str) -> Result<(), String> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.len() <= 64 && name.starts_with(|first: char| first.is_ascii_lowercase()) && name.bytes().all(allowed) {
        return Ok(());
    }
    Err(format!("{field} is {:?}; the name of a plugin is a lower-case letter and up to 63 of a-z 0-9 -", shown(name)))
}

/// JSON as it was written. It must be one that every reader of it can follow: serde_json goes 128 levels deep.
pub(super) fn readable(field: &str, json: &RawValue) -> Result<String, String> {
    match serde_json::from_str::<Value>(json.get()) {
        Ok(_) => Ok(json.get().to_owned()),
        Err(error) => Err(format!("{field} cannot be read: {error}")),
    }
}

/// Namespaces and names of platforms for a device.
pub(super) fn aliases(aliases: BTreeMap<String, String>) -> Result<Attributes, String> {
    pairs("aliases", DEVICE_NAMES_MAX, aliases)
}

/// Labels of a device.
pub(super) fn device_labels(labels: BTreeMap<String, String>) -> Result<Attributes, String> {
    pairs("labels", DEVICE_NAMES_MAX, labels)
}

/// Labels of an execution.
pub(super) fn execution_labels(labels: BTreeMap<String, String>) -> Result<Attributes, String> {
    pairs("labels", EXECUTION_LABELS_MAX, labels)
}

fn pairs(field: &str, most: usize, pairs: BTreeMap<String, String>) -> Result<Attributes, String> {
    if pairs.len() > most {
        return Err(format!("{field} has {} entries; at most {most} are allowed", pairs.len()));
    }
    for (name, value) in &pairs {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        if !(1..=NAME_MAX_BYTES).contains(&name.len()) || !name.bytes().all(allowed) {
            return Err(format!("{field} has the name {:?}; allowed are 1 to 64 of A-Z a-z 0-9 _ . -", shown(name)));
        }
        if !(1..=VALUE_MAX_BYTES).contains(&value.len()) || value.chars().any(char::is_control) {
            return Err(format!("{field}.{name} needs 1 to 256 bytes without control characters"));
        }
    }
    Ok(pairs.into_iter().collect())
}
