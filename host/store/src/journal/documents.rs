//! Documents and counters of dialects.

use super::{Journal, cache};
use crate::document::DocumentRecord;
use crate::error::StoreError;
use dragoman_core::Attributes;
use std::sync::Arc;

/// Documents whose indexes are built in one transaction. Commits wait meanwhile.
const INDEX_STEP: u32 = 500;

impl Journal {
    /// A document by key.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn document(
        &self,
        dialect: &str,
        collection: &str,
        key: &str,
    ) -> Result<Option<Arc<DocumentRecord>>, StoreError> {
        let place = (Arc::from(dialect), collection.to_owned(), key.to_owned());
        let epoch = {
            let mut state = self.shared().lock();
            if let Some(found) = state.overlay.document(&place) {
                return Ok(found);
            }
            match state.caches.documents.get(&place) {
                Ok(found) => return Ok(found),
                Err(epoch) => epoch,
            }
        };
        let (dialect, collection, key) = place.clone();
        let found = self.read(move |backend| backend.document(&dialect, &collection, &key)).await?.map(Arc::new);
        if found.as_ref().is_none_or(|found| cache::is_small(&found.json)) {
            self.shared().lock().caches.documents.keep(epoch, place, found.clone());
        }
        Ok(found)
    }

    /// Documents whose top-level fields have all these values (none: every document), in key order behind `after`; at
    /// most [`crate::PAGE_MAX`]. Strings compare by their text, numbers and booleans by their JSON form.
    ///
    /// # Errors
    /// [`StoreError::NotIndexed`] where a field was not declared with [`Journal::declare_indexes`].
    pub async fn documents(
        &self,
        dialect: &str,
        collection: &str,
        fields: Attributes,
        after: Option<String>,
        limit: u32,
    ) -> Result<Vec<DocumentRecord>, StoreError> {
        let (dialect, collection) = (dialect.to_owned(), collection.to_owned());
        self.query(move |backend| backend.documents(&dialect, &collection, &fields, after.as_deref(), limit)).await
    }

    /// How many [`Journal::documents`] would give in all, counted up to `up_to`.
    ///
    /// # Errors
    /// As [`Journal::documents`].
    pub async fn count_documents(
        &self,
        dialect: &str,
        collection: &str,
        fields: Attributes,
        up_to: u64,
    ) -> Result<u64, StoreError> {
        let (dialect, collection) = (dialect.to_owned(), collection.to_owned());
        self.query(move |backend| backend.count_documents(&dialect, &collection, &fields, up_to)).await
    }

    /// Says by which fields the documents of a dialect can be asked for, each a collection and a field. Returns when they
    /// can: what is new is built from the documents that are there, some hundred at a time, and other commits come
    /// between. Where nothing changed since the last time, it is one short read.
    ///
    /// # Errors
    /// Where the database fails. Then the next declaration goes on with it.
    pub async fn declare_indexes(&self, dialect: &str, mut fields: Vec<(String, String)>) -> Result<(), StoreError> {
        fields.sort();
        fields.dedup();
        // Two that differ must not undo each other's steps.
        let _guard = self.shared().declarations.lock().await;
        loop {
            let (dialect, declared) = (dialect.to_owned(), fields.clone());
            if !self.query(move |backend| backend.index_documents(&dialect, &declared, INDEX_STEP)).await? {
                return Ok(());
            }
        }
    }

    /// How far a dialect's counter got; 0 where it was never written.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn counter(&self, dialect: &str, counter: &str) -> Result<u64, StoreError> {
        if let Some(found) = self.shared().lock().overlay.counter(dialect, counter) {
            return Ok(found);
        }
        let (dialect, counter) = (dialect.to_owned(), counter.to_owned());
        self.read(move |backend| backend.counter(&dialect, &counter)).await
    }
}
