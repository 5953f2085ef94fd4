//! `documents`: a plugin's own durable data.

use super::memo::unanswered;
use super::{refusal, told};
use crate::access::Import;
use crate::bindings::dragoman::gateway::{documents, types};
use crate::check::{self, Checked};
use crate::documented::is_collection;
use crate::error::Fault;
use crate::state::State;
use crate::words::Document;
use crate::writes::PluginWrite;
use dragoman_core::Attributes;

/// Documents in one list.
const LIST_MAX: u32 = 1000;
/// How far `count` counts.
const COUNT_MAX: u64 = 100_000;
/// The key of a document and the name of a counter, in bytes.
const KEY_MAX_BYTES: usize = 256;

impl documents::Host for State {
    async fn get(&mut self, collection: String, key: String) -> wasmtime::Result<Option<documents::Document>> {
        self.call.enter(Import::DocumentsGet)?;
        if named(&collection, &key).is_err() {
            return Ok(None);
        }
        let found = self.call.document(&collection, &key).await.map_err(unanswered)?;
        self.call.charge_read(found.as_ref().map_or(0, |document| document.value.len()))?;
        Ok(found.as_deref().map(to_wit))
    }

    async fn query(
        &mut self,
        collection: String,
        fields: types::Attributes,
        after: Option<String>,
        limit: u32,
    ) -> wasmtime::Result<Result<Vec<documents::Document>, types::Error>> {
        self.call.enter(Import::DocumentsQuery)?;
        if let Err(fault) = self.indexed(&collection, &fields) {
            return Ok(Err(refusal(fault)));
        }
        Ok(match self.call.documents(collection, fields, after, limit.min(LIST_MAX)).await {
            Ok(found) => {
                self.call.charge_read(found.iter().map(|document| document.value.len()).sum())?;
                Ok(found.iter().map(|document| to_wit(document)).collect())
            }
            Err(error) => Err(told(error)),
        })
    }

    async fn count(
        &mut self,
        collection: String,
        fields: types::Attributes,
    ) -> wasmtime::Result<Result<u64, types::Error>> {
        self.call.enter(Import::DocumentsCount)?;
        if let Err(fault) = self.indexed(&collection, &fields) {
            return Ok(Err(refusal(fault)));
        }
        let counted = self.call.count_documents(collection, fields).await;
        Ok(counted.map(|count| count.min(COUNT_MAX)).map_err(told))
    }

    async fn put(
        &mut self,
        collection: String,
        key: String,
        value: String,
        revision: u64,
    ) -> wasmtime::Result<Result<(), types::Error>> {
        self.call.enter(Import::DocumentsPut)?;
        let checked = named(&collection, &key).and_then(|()| self.call.facts.bounds.json("a document", &value));
        if let Err(fault) = checked {
            return Ok(Err(refusal(fault)));
        }
        if let Err(error) = self.newest(&collection, &key, revision).await {
            return Ok(Err(error));
        }
        self.call.charge(collection.len() + key.len() + value.len())?;
        let becomes = Document { key: key.clone(), value: value.clone(), revision: revision.saturating_add(1) };
        self.call.wrote_document(&collection, &key, Some(becomes));
        self.call.writes.push(PluginWrite::PutDocument { collection, key, value, revision });
        Ok(Ok(()))
    }

    async fn remove(
        &mut self,
        collection: String,
        key: String,
        revision: u64,
    ) -> wasmtime::Result<Result<(), types::Error>> {
        self.call.enter(Import::DocumentsRemove)?;
        if let Err(fault) = named(&collection, &key) {
            return Ok(Err(refusal(fault)));
        }
        match self.newest(&collection, &key, revision).await {
            Ok(()) if revision == 0 => {
                return Ok(Err(types::Error::NotFound(format!("`{collection}` has no document `{key:.100}`"))));
            }
            Ok(()) => {}
            Err(error) => return Ok(Err(error)),
        }
        self.call.charge(collection.len() + key.len())?;
        self.call.wrote_document(&collection, &key, None);
        self.call.writes.push(PluginWrite::RemoveDocument { collection, key, revision });
        Ok(Ok(()))
    }

    async fn next_number(&mut self, counter: String) -> wasmtime::Result<u64> {
        self.call.enter(Import::NextNumber)?;
        check::count("bytes in the name of a counter", counter.len(), 1, KEY_MAX_BYTES)?;
        Ok(self.call.next_number(counter).await?)
    }
}

impl State {
    /// Whether every field is one that the plugin's description indexes.
    fn indexed(&self, collection: &str, fields: &Attributes) -> Checked {
        named(collection, "-")?;
        check::attributes("fields of a query", fields)?;
        let known = |field: &str| self.call.facts.indexes.iter().any(|(of, name)| of == collection && name == field);
        match fields.iter().find(|(field, _)| !known(field)) {
            None => Ok(()),
            Some((field, _)) => Err(Fault::DoesNotFit(format!(
                "`{field:.100}` is no index of `{collection}`; describe it with the attribute `documents.index` = \
                 `{collection}.{field:.100}`"
            ))),
        }
    }

    /// Whether a revision is the newest that the call can know; 0: there is no such document.
    async fn newest(&mut self, collection: &str, key: &str, revision: u64) -> Result<(), types::Error> {
        let known = self.call.document(collection, key).await.map_err(told)?;
        let newest = known.map_or(0, |document| document.revision);
        if newest == revision {
            return Ok(());
        }
        Err(types::Error::Conflict(format!(
            "the document `{key:.100}` of `{collection}` has revision {newest}, not {revision}"
        )))
    }
}

/// Whether a document can have this name.
fn named(collection: &str, key: &str) -> Checked {
    if !is_collection(collection) {
        return Err(Fault::DoesNotFit(format!("`{collection:.100}` is not a collection: [a-z][a-z0-9_-]{{0,63}}")));
    }
    check::count("bytes in the key of a document", key.len(), 1, KEY_MAX_BYTES)
}

fn to_wit(document: &Document) -> documents::Document {
    documents::Document { key: document.key.clone(), value: document.value.clone(), revision: document.revision }
}
