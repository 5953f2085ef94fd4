//! Documents that a call has read, what it made of them, and the numbers it was given.

use crate::error::Fault;
use crate::imports::memo::unanswered;
use crate::reads::ReadError;
use crate::state::Call;
use crate::words::Document;
use dragoman_core::Attributes;
use std::sync::Arc;

impl Call {
    /// A document as it is after what the call itself wrote.
    pub(in crate::imports) async fn document(
        &mut self,
        collection: &str,
        key: &str,
    ) -> Result<Option<Arc<Document>>, ReadError> {
        let name = (collection.to_owned(), key.to_owned());
        if let Some(written) = self.memo.written.get(&name) {
            return Ok(written.clone());
        }
        if let Some(known) = self.memo.documents.get(&name) {
            return Ok(known.clone());
        }
        let (host, plugin) = self.host()?;
        let found = self.hosted(host.document(&plugin, collection, key)).await?;
        self.memo.documents.insert(name, found.clone());
        Ok(found)
    }

    /// Takes in what the call made of a document; none: it removed it.
    pub(in crate::imports) fn wrote_document(&mut self, collection: &str, key: &str, becomes: Option<Document>) {
        self.memo.written.insert((collection.to_owned(), key.to_owned()), becomes.map(Arc::new));
    }

    /// Documents as they are applied; what the call itself wrote is not among them.
    pub(in crate::imports) async fn documents(
        &mut self,
        collection: String,
        fields: Attributes,
        after: Option<String>,
        limit: u32,
    ) -> Result<Vec<Arc<Document>>, ReadError> {
        let key = (collection, fields, after, limit);
        let (collection, fields, after, _) = &key;
        if !self.memo.document_lists.contains_key(&key) {
            let (host, plugin) = self.host()?;
            let asked = host.documents(&plugin, collection, fields, after.as_deref(), limit);
            let found = self.hosted(asked).await?;
            let keys = found.iter().map(|document| document.key.clone()).collect();
            for document in found {
                let name = (collection.clone(), document.key.clone());
                self.memo.documents.entry(name).or_insert(Some(document));
            }
            self.memo.document_lists.insert(key.clone(), keys);
        }
        let keys = self.memo.document_lists.get(&key).map(Vec::as_slice).unwrap_or_default();
        let known = |key: &String| self.memo.documents.get(&(collection.clone(), key.clone())).cloned().flatten();
        Ok(keys.iter().filter_map(known).collect())
    }

    pub(in crate::imports) async fn count_documents(
        &mut self,
        collection: String,
        fields: Attributes,
    ) -> Result<u64, ReadError> {
        let key = (collection, fields);
        if let Some(known) = self.memo.document_counts.get(&key) {
            return Ok(*known);
        }
        let (host, plugin) = self.host()?;
        let found = self.hosted(host.count_documents(&plugin, &key.0, &key.1)).await?;
        self.memo.document_counts.insert(key, found);
        Ok(found)
    }

    /// The next value of a counter: the one that an earlier run of the same call was given here, or a new one.
    pub(in crate::imports) async fn next_number(&mut self, counter: String) -> Result<u64, Fault> {
        let (host, plugin) = self.host().map_err(unanswered)?;
        let numbers = self.context.as_ref().map(|context| context.numbers.clone()).unwrap_or_default();
        let place = self.numbers.get(&counter).copied().unwrap_or(0);
        let value = match numbers.given(&counter, place) {
            Some(value) => value,
            None => {
                let value = self.hosted(host.next_number(&plugin, &counter)).await.map_err(unanswered)?;
                numbers.keep(&counter, value);
                value
            }
        };
        self.numbers.insert(counter, place + 1);
        Ok(value)
    }
}
