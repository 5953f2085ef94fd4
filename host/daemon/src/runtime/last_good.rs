//! An answer that a plugin failed to word, tried once more by the version that served before it.
//!
//! What became of the commands stands already, so nothing is at risk but the words. An answer of a device's handler is no such
//! answer: what a dialect makes of it may be more commands, which only the newest version submits. The version before may not understand
//! what the newer one kept for itself; then, and where no such version is loaded any more, the host answers.

use super::gateway::Gateway;
use dragoman_wasm::{Blame, CallError, Fault, Plugin};
use std::sync::Arc;

impl Gateway {
    /// Makes a call that words an answer, and where the plugin fails, once more with the last good version of it.
    ///
    /// # Errors
    /// Of the first call: what the version before fails of is not what an operator has to mend.
    pub(super) async fn worded<T, F>(
        &self,
        plugin: &Arc<Plugin>,
        word: impl Fn(Arc<Plugin>) -> F,
    ) -> Result<(Arc<Plugin>, T), CallError>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        let error = match word(plugin.clone()).await {
            Ok(worded) => return Ok((plugin.clone(), worded)),
            Err(error) => error,
        };
        let Some(before) = self.before(plugin).filter(|_| failed(&error)) else { return Err(error) };
        let worded = word(before.clone()).await;
        let result = if worded.is_ok() { "ok" } else { "failed" };
        let name = plugin.name().to_string();
        metrics::counter!("dragoman_answers_by_older_version_total", "dialect" => name, "result" => result)
            .increment(1);
        worded.map(|worded| (before, worded)).map_err(|_| error)
    }

    /// The version that served before this one, where it is still loaded; for one that was replaced meanwhile the one
    /// before that.
    fn before(&self, plugin: &Plugin) -> Option<Arc<Plugin>> {
        let catalog = self.catalog();
        let mut older = catalog.older_of(plugin.name());
        let is_newest = catalog.get(plugin.name()).is_some_and(|newest| newest.digest() == plugin.digest());
        if is_newest {
            return older.next().cloned();
        }
        older.find(|version| version.digest() == plugin.digest());
        older.next().cloned()
    }
}

/// Whether the plugin itself is what stands in the way of the answer.
fn failed(error: &CallError) -> bool {
    error.blame() != Blame::Nobody || matches!(error.fault, Fault::Quarantined { .. })
}
