//! What the plugin folder asks about commands that are on their way.

use crate::plugin::Plugin;
use async_trait::async_trait;
use std::sync::Arc;

/// Whoever works with the plugins of a folder, and knows what is open.
#[async_trait]
pub trait InFlight: Send + Sync + 'static {
    /// How many open commands need this version of a plugin, by name and digest. A version that nobody needs and nobody
    /// holds is unloaded when it is not the newest.
    fn needing(&self, plugin: &str, digest: &str) -> usize;

    /// Waits until what [`InFlight::needing`] told is on the disk, so that a version that nobody needs there may go for
    /// good. False: it may never be.
    async fn committed(&self) -> bool;

    /// Whether a new version can go on with what the one that it replaces left open. Asked before it serves; nothing that
    /// is asked of it may have an effect.
    ///
    /// # Errors
    /// What it could not read, as the middle of a sentence about the file, and what would mend it.
    async fn check(&self, next: &Arc<Plugin>) -> Result<(), String>;
}
