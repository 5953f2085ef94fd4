//! What the folder came to: the plugins that serve, and the files that do not, each with its reason.

use crate::description::Claim;
use crate::plugin::Plugin;
use crate::refusal::LoadStep;
use dragoman_core::topic;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The plugins that serve at one moment. Replaced as a whole whenever a file changes.
#[derive(Debug, Default)]
pub struct Catalog {
    /// By name.
    pub plugins: BTreeMap<Arc<str>, Arc<Plugin>>,
    /// Files that do not serve. Where an earlier version of the file was good, that one still serves.
    pub refused: Vec<RefusedFile>,
    /// Versions that were replaced or removed and that something open may still need; what was replaced last at the end.
    pub older: Vec<Arc<Plugin>>,
    /// When plugins went that were removed.
    pub(crate) gone: BTreeMap<Arc<str>, Instant>,
}

/// Who removes a file to put another in its place has done so by then.
const REPLACED_WITHIN: Duration = Duration::from_secs(10);

/// A file that does not serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedFile {
    /// The file.
    pub file: PathBuf,
    /// What it failed.
    pub step: LoadStep,
    /// A sentence that names the file, what is missing and what would mend it.
    pub reason: String,
}

impl Catalog {
    /// The plugin of that name.
    pub fn get(&self, name: &str) -> Option<&Arc<Plugin>> {
        self.plugins.get(name)
    }

    /// Whether a plugin of that name was removed a moment ago, so that another may be on its way.
    pub fn is_just_gone(&self, name: &str) -> bool {
        self.gone.get(name).is_some_and(|gone| gone.elapsed() < REPLACED_WITHIN)
    }

    /// That version of a plugin, newest or older.
    pub fn version(&self, name: &str, digest: &str) -> Option<&Arc<Plugin>> {
        let newest = self.plugins.get(name).filter(|plugin| plugin.digest() == digest);
        newest.or_else(|| self.older_of(name).find(|plugin| plugin.digest() == digest))
    }

    /// The plugin of that name; where it was removed, the version that still goes on with what is open.
    pub fn for_open(&self, name: &str) -> Option<&Arc<Plugin>> {
        self.plugins.get(name).or_else(|| self.older_of(name).next())
    }

    /// Older versions of a plugin, what was replaced last first.
    pub fn older_of(&self, name: &str) -> impl Iterator<Item = &Arc<Plugin>> {
        self.older.iter().rev().filter(move |plugin| **plugin.name() == *name)
    }

    /// The plugin that claims a request, by method and path as on the wire, without query.
    pub fn route(&self, method: &str, path: &str) -> Option<&Arc<Plugin>> {
        self.plugins.values().find(|plugin| plugin.claims_route(method, path))
    }

    /// The plugin whose devices speak on a topic; where it was removed, the version that goes on with what is open.
    pub fn device_topic(&self, topic: &str) -> Option<&Arc<Plugin>> {
        self.claimant(|claim| matches!(claim, Claim::DeviceTopic(filter) if topic::matches(filter, topic)))
    }

    /// The plugin whose applications speak on a topic; where it was removed, the version that goes on with what is open: on
    /// some platforms devices answer there too. Asked before [`Catalog::device_topic`]: one plugin may claim a topic both
    /// ways.
    pub fn application_topic(&self, topic: &str) -> Option<&Arc<Plugin>> {
        self.claimant(|claim| matches!(claim, Claim::ApplicationTopic(filter) if topic::matches(filter, topic)))
    }

    fn claimant(&self, claims: impl Fn(&Claim) -> bool) -> Option<&Arc<Plugin>> {
        let removed = self.older.iter().rev().filter(|plugin| !self.plugins.contains_key(plugin.name()));
        let mut plugins = self.plugins.values().chain(removed);
        plugins.find(|plugin| plugin.description.claims.iter().any(&claims))
    }

    /// Whether nothing of it is another.
    pub(crate) fn same(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.plugins.values().chain(&self.older), other.plugins.values().chain(&other.older));
        self.refused == other.refused
            && (self.plugins.len(), self.older.len()) == (other.plugins.len(), other.older.len())
            && ours.zip(theirs).all(|(one, two)| Arc::ptr_eq(one, two))
    }
}
