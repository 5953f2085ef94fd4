//! A plugin's own documents.

use super::{Transaction, WriteError, keys};
use crate::runtime::engine::Step;
use dragoman_core::Json;
use dragoman_store::{DocumentRecord, Write};

impl Transaction<'_> {
    pub(super) async fn put_document(
        &mut self,
        collection: String,
        key: String,
        json: Json,
        revision: u64,
    ) -> Result<(), WriteError> {
        self.expect_document(&collection, &key, revision).await?;
        let dialect = self.plugin.name().clone();
        let revision = revision + 1;
        self.revisions.insert(keys::document(&dialect, &collection, &key), revision);
        let record = DocumentRecord { dialect, collection, key, json, revision };
        self.steps.push(Step::Write(Write::Document(record)));
        Ok(())
    }

    pub(super) async fn remove_document(
        &mut self,
        collection: String,
        key: String,
        revision: u64,
    ) -> Result<(), WriteError> {
        self.expect_document(&collection, &key, revision).await?;
        let dialect = self.plugin.name().clone();
        self.revisions.insert(keys::document(&dialect, &collection, &key), 0);
        self.steps.push(Step::Write(Write::DocumentRemove { dialect, collection, key }));
        Ok(())
    }

    async fn expect_document(&self, collection: &str, key: &str, revision: u64) -> Result<(), WriteError> {
        let dialect = self.plugin.name();
        let newest = match self.revisions.get(&keys::document(dialect, collection, key)) {
            Some(newest) => *newest,
            None => {
                let stored = self.gateway.engine.journal().document(dialect, collection, key).await?;
                stored.map_or(0, |stored| stored.revision)
            }
        };
        if newest == revision {
            return Ok(());
        }
        Err(WriteError::Conflict(format!("document {key} of {collection} is at revision {newest}, not {revision}")))
    }
}
