//! Versions that were replaced or removed, for as long as somebody needs them.

use crate::plugin::Plugin;
use std::sync::Arc;

/// Who holds an older version besides those who work with it: this room and the catalogue.
const HOLDERS: usize = 2;

/// Versions that are not the newest of their plugin, the one that was replaced last at the end.
#[derive(Default)]
pub(crate) struct Older(Vec<Arc<Plugin>>);

impl Older {
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Plugin>> {
        self.0.iter()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn add(&mut self, plugin: Arc<Plugin>) {
        self.remove(&plugin);
        plugin.instances.retire();
        self.0.push(plugin);
    }

    pub(crate) fn extend(&mut self, plugin: Option<Arc<Plugin>>) {
        if let Some(plugin) = plugin {
            self.add(plugin);
        }
    }

    /// The same version serves again.
    pub(crate) fn remove(&mut self, plugin: &Plugin) {
        self.0.retain(|older| older.name() != plugin.name() || older.digest() != plugin.digest());
    }

    /// Drops what no open command needs and no call holds. A version that a call holds stays, because what comes of that
    /// call may be a command that needs it. Tells whether any was dropped: the catalogue holds it until the next.
    pub(crate) fn unload(&mut self, needing: impl Fn(&Plugin) -> usize) -> bool {
        let held = self.0.len();
        self.0.retain(|plugin| {
            let stays = Arc::strong_count(plugin) > HOLDERS || needing(plugin) > 0;
            if !stays {
                let (plugin, version, digest) = (plugin.name(), plugin.version(), plugin.digest());
                tracing::info!(%plugin, version, digest, "an older version of plugin {plugin} is unloaded");
            }
            stays
        });
        self.0.len() < held
    }
}
