//! How many open executions need which version of a plugin.

use crate::execution::Execution;
use std::collections::BTreeMap;

/// Counts by name and digest. What is not counted is not kept.
#[derive(Debug, Default)]
pub(super) struct Needed {
    counts: BTreeMap<String, BTreeMap<String, usize>>,
}

impl Needed {
    /// Counts what an execution needs.
    pub(super) fn add(&mut self, record: &Execution) {
        for (name, digest) in record.needs() {
            match self.counts.get_mut(name).and_then(|versions| versions.get_mut(digest)) {
                Some(count) => *count += 1,
                None => {
                    self.counts.entry(name.to_owned()).or_default().insert(digest.to_owned(), 1);
                }
            }
        }
    }

    /// Takes back what [`Needed::add`] counted of it.
    pub(super) fn remove(&mut self, record: &Execution) {
        for (name, digest) in record.needs() {
            let Some(versions) = self.counts.get_mut(name) else { continue };
            match versions.get_mut(digest) {
                Some(count) if *count > 1 => *count -= 1,
                Some(_) => {
                    versions.remove(digest);
                }
                None => {}
            }
            if versions.is_empty() {
                self.counts.remove(name);
            }
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &str, usize)> {
        self.counts.iter().flat_map(|(name, versions)| {
            versions.iter().map(|(digest, count)| (name.as_str(), digest.as_str(), *count))
        })
    }

    pub(super) fn of(&self, name: &str, digest: &str) -> usize {
        self.counts.get(name).and_then(|versions| versions.get(digest)).copied().unwrap_or(0)
    }
}
