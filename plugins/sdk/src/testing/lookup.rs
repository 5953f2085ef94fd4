//! How the gateway that a test made up finds what the test filled in. None of it counts as an import.

use super::Fake;
use crate::{Device, Document, Error, Execution, Page, Selection};

impl Fake {
    pub(super) fn named(&self, namespace: &str, name: &str) -> Option<Device> {
        let wanted = (namespace.to_owned(), name.to_owned());
        self.devices.borrow().iter().find(|device| device.aliases.contains(&wanted)).cloned()
    }

    pub(super) fn found_documents(
        &self,
        collection: &str,
        fields: &[(String, String)],
    ) -> Result<Vec<Document>, Error> {
        if let Some((field, _)) =
            fields.iter().find(|(field, _)| !self.indexes.contains(&format!("{collection}.{field}")))
        {
            return Err(Error::Invalid(format!("{collection}.{field} is not declared as an index")));
        }
        let documents = self.documents.borrow();
        let fits = |document: &Document| {
            let value: serde_json::Value = serde_json::from_str(&document.value).unwrap_or_default();
            fields.iter().all(|(field, wanted)| match value.get(field) {
                Some(serde_json::Value::String(text)) => text == wanted,
                Some(other) => format!("{other}") == *wanted,
                None => false,
            })
        };
        let of_it = documents.iter().filter(|((of, _), _)| of == collection).map(|(_, document)| document.clone());
        Ok(of_it.filter(fits).collect())
    }

    pub(super) fn selected(&self, what: &Selection) -> Vec<&Execution> {
        let mut found: Vec<_> = self
            .executions
            .iter()
            .filter(|execution| what.device.as_ref().is_none_or(|device| *device == execution.device))
            .filter(|execution| what.states.is_empty() || what.states.contains(&execution.state))
            .filter(|execution| what.labels.iter().all(|label| execution.labels.contains(label)))
            .collect();
        if what.newest_first {
            found.reverse();
        }
        found
    }
}

/// A page of those, behind a cursor that counts them.
pub(super) fn page(all: &[&Execution], after: Option<&str>, limit: u32) -> Page {
    let from = after.and_then(|after| after.parse::<usize>().ok()).unwrap_or(0);
    let limit = usize::try_from(limit.min(1_000)).unwrap_or(1_000);
    let items: Vec<_> = all.iter().skip(from).take(limit).map(|execution| (*execution).clone()).collect();
    let next = from + items.len();
    Page { items, next: (next < all.len()).then(|| next.to_string()) }
}
