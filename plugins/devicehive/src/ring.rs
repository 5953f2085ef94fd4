//! Documents about a device of which only the newest are kept.

use dragoman_plugin_sdk::{Document, Error, Gateway, json};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The indexed member of every document: the gateway's id of the device.
pub(crate) const DEVICE_FIELD: &str = "device";

/// Documents that are kept of one device at most, whatever the settings say: removing a device removes them all, in one
/// call, which may read 64 MiB.
const KEPT_MAX: u32 = 100;
/// Documents that are read at once. Each may have 256 KiB.
const STEP: u32 = 50;
/// Bytes of all that one call reads of them: a plugin has 64 MiB.
const READ_BYTES_MAX: usize = 8 * 1_024 * 1_024;

/// The platform's ids are positive numbers of 31 bits. A counter that passes them begins anew.
pub(crate) fn next_id(gateway: &impl Gateway, counter: &str) -> i64 {
    let number = gateway.next_number(counter).saturating_sub(1) % u64::from(i32::MAX.unsigned_abs());
    i64::try_from(number).unwrap_or_default() + 1
}

/// The key of a document. Keys of one device follow each other in the order of their ids.
pub(crate) fn key(device: &str, id: i64) -> String {
    format!("{device}:{id:010}")
}

/// Adds a document and removes the oldest of the device where that makes more than `kept`.
pub(crate) fn add(
    gateway: &impl Gateway,
    collection: &str,
    (device, id): (&str, i64),
    value: &impl Serialize,
    kept: u32,
) -> Result<(), Error> {
    let fields = of_device(device);
    let known = gateway.count_documents(collection, &fields)?;
    let surplus = (known + 1).saturating_sub(u64::from(kept.clamp(1, KEPT_MAX)));
    if surplus > 0 {
        // Where the setting became smaller, the rest goes with the next ones.
        let surplus = u32::try_from(surplus).unwrap_or(STEP).min(STEP);
        for oldest in gateway.documents(collection, &fields, None, surplus)? {
            gateway.remove_document(collection, &oldest.key, oldest.revision)?;
        }
    }
    gateway.put_document(collection, &key(device, id), &text_of(value)?, 0)
}

/// What is kept about a device, or about all, in the order of the keys; of more than 1 000 the first, and `Limit` where
/// it is too much to look at.
pub(crate) fn all<T: DeserializeOwned>(
    gateway: &impl Gateway,
    collection: &str,
    device: Option<&str>,
) -> Result<Vec<T>, Error> {
    let (mut found, mut bytes) = (Vec::new(), 0);
    each(gateway, collection, device, 1_000, |document| {
        bytes += document.value.len();
        if bytes > READ_BYTES_MAX {
            return Err(Error::Limit(format!("The {collection} have more than {READ_BYTES_MAX} bytes. Ask for less.")));
        }
        found.push(read(document)?);
        Ok(())
    })?;
    Ok(found)
}

/// Removes all that is kept about a device.
pub(crate) fn forget(gateway: &impl Gateway, collection: &str, device: &str) -> Result<(), Error> {
    each(gateway, collection, Some(device), KEPT_MAX, |document| {
        gateway.remove_document(collection, &document.key, document.revision)
    })
}

/// Goes through the documents about a device, or about all, at most so many.
fn each(
    gateway: &impl Gateway,
    collection: &str,
    device: Option<&str>,
    most: u32,
    mut visit: impl FnMut(&Document) -> Result<(), Error>,
) -> Result<(), Error> {
    let fields = device.map(of_device).unwrap_or_default();
    let (mut after, mut left) = (None::<String>, most);
    while left > 0 {
        let step = gateway.documents(collection, &fields, after.as_deref(), STEP.min(left))?;
        step.iter().try_for_each(&mut visit)?;
        let Some(last) = step.last() else { return Ok(()) };
        after = Some(last.key.clone());
        left = left.saturating_sub(u32::try_from(step.len()).unwrap_or(left));
    }
    Ok(())
}

fn of_device(device: &str) -> Vec<(String, String)> {
    vec![(DEVICE_FIELD.to_owned(), device.to_owned())]
}

/// What a document says.
pub(crate) fn read<T: DeserializeOwned>(document: &Document) -> Result<T, Error> {
    json::parse_object(&document.value)
        .map_err(|broken| Error::Internal(format!("document {}: {}", document.key, broken.text())))
}

/// A document as text.
pub(crate) fn text_of(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| Error::Internal(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dragoman_plugin_sdk::testing::Fake;
    use serde_json::{Value, json};

    #[test]
    fn only_the_newest_are_kept() {
        let fake = Fake { indexes: vec!["c.device".to_owned()], ..Fake::default() };
        for id in 8..13 {
            add(&fake, "c", ("d", id), &json!({"device": "d", "id": id}), 3).unwrap();
        }
        add(&fake, "c", ("e", 1), &json!({"device": "e", "id": 1}), 3).unwrap();
        let ids: Vec<_> =
            all::<Value>(&fake, "c", Some("d")).unwrap().iter().map(|value| value["id"].clone()).collect();
        assert_eq!(ids, [10, 11, 12]);
        forget(&fake, "c", "d").unwrap();
        assert!(all::<Value>(&fake, "c", Some("d")).unwrap().is_empty());
        assert_eq!(all::<Value>(&fake, "c", Some("e")).unwrap().len(), 1);
        assert_eq!(all::<Value>(&fake, "c", None).unwrap().len(), 1);
    }

    #[test]
    fn more_than_a_step_is_read_and_forgotten_and_too_much_is_a_limit() {
        let fake = Fake { indexes: vec!["c.device".to_owned()], ..Fake::default() };
        for id in 0..70 {
            add(&fake, "c", ("d", id), &json!({"device": "d", "id": id}), 100).unwrap();
        }
        assert_eq!(all::<Value>(&fake, "c", Some("d")).unwrap().len(), 70);
        forget(&fake, "c", "d").unwrap();
        assert!(fake.documents.borrow().is_empty());
        let large = json!({"device": "d", "x": "x".repeat(250_000)}).to_string();
        for id in 0..i64::try_from(READ_BYTES_MAX / 250_000 + 1).unwrap() {
            fake.put_document("c", &key("d", id), &large, 0).unwrap();
        }
        assert!(matches!(all::<Value>(&fake, "c", Some("d")), Err(Error::Limit(_))));
    }

    #[test]
    fn ids_have_31_bits() {
        let fake = Fake::default();
        assert_eq!((next_id(&fake, "n"), next_id(&fake, "n")), (1, 2));
        fake.counters.borrow_mut().insert("n".to_owned(), (1 << 31) - 2);
        assert_eq!((next_id(&fake, "n"), next_id(&fake, "n")), ((1 << 31) - 1, 1));
    }
}
