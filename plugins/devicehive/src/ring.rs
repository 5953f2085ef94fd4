//! Documents about a device of which only the newest are kept.

use dragoman_plugin_sdk::{Document, Error, Gateway, json};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The indexed member of every document: the gateway's id of the device.
pub(crate) const DEVICE_FIELD: &str = "device";

/// Documents of a device that are read at most.
const READ_MAX: u32 = 1_000;

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
    let fields = [(DEVICE_FIELD.to_owned(), device.to_owned())];
    let known = gateway.count_documents(collection, &fields)?;
    let surplus = (known + 1).saturating_sub(u64::from(kept.max(1)));
    if surplus > 0 {
        let surplus = u32::try_from(surplus).unwrap_or(READ_MAX).min(READ_MAX);
        for oldest in gateway.documents(collection, &fields, None, surplus)? {
            gateway.remove_document(collection, &oldest.key, oldest.revision)?;
        }
    }
    gateway.put_document(collection, &key(device, id), &text_of(value)?, 0)
}

/// All that is kept about a device, oldest first.
pub(crate) fn all<T: DeserializeOwned>(
    gateway: &impl Gateway,
    collection: &str,
    device: &str,
) -> Result<Vec<T>, Error> {
    let fields = [(DEVICE_FIELD.to_owned(), device.to_owned())];
    gateway.documents(collection, &fields, None, READ_MAX)?.iter().map(read).collect()
}

/// Removes all that is kept about a device.
pub(crate) fn forget(gateway: &impl Gateway, collection: &str, device: &str) -> Result<(), Error> {
    let fields = [(DEVICE_FIELD.to_owned(), device.to_owned())];
    for document in gateway.documents(collection, &fields, None, READ_MAX)? {
        gateway.remove_document(collection, &document.key, document.revision)?;
    }
    Ok(())
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
        let ids: Vec<_> = all::<Value>(&fake, "c", "d").unwrap().iter().map(|value| value["id"].clone()).collect();
        assert_eq!(ids, [10, 11, 12]);
        forget(&fake, "c", "d").unwrap();
        assert!(all::<Value>(&fake, "c", "d").unwrap().is_empty());
        assert_eq!(all::<Value>(&fake, "c", "e").unwrap().len(), 1);
    }

    #[test]
    fn ids_have_31_bits() {
        let fake = Fake::default();
        assert_eq!((next_id(&fake, "n"), next_id(&fake, "n")), (1, 2));
        fake.counters.borrow_mut().insert("n".to_owned(), (1 << 31) - 2);
        assert_eq!((next_id(&fake, "n"), next_id(&fake, "n")), ((1 << 31) - 1, 1));
    }
}
