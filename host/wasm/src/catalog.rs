//! What the folder came to: the plugins that serve, and the files that do not, each with its reason.

use crate::description::Claim;
use crate::plugin::Plugin;
use crate::refusal::LoadStep;
use dragoman_core::topic;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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
    /// Whether a file is being loaded, which may be theirs.
    pub(crate) loads: Arc<AtomicBool>,
}

/// Who removes a file to put another in its place has done so by then.
pub(crate) const REPLACED_WITHIN: Duration = Duration::from_secs(10);

/// Who speaks on a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Applications of a dialect.
    Application,
    /// Devices of a dialect.
    Device,
}

/// Applications come first: one plugin may claim a topic both ways.
fn find_reader<'p>(
    plugins: impl Iterator<Item = &'p Arc<Plugin>> + Clone,
    topic: &str,
) -> Option<(Side, &'p Arc<Plugin>)> {
    let claims = |side: Side, plugin: &Plugin| {
        plugin.description.claims.iter().any(|claim| match (side, claim) {
            (Side::Application, Claim::ApplicationTopic(filter)) | (Side::Device, Claim::DeviceTopic(filter)) => {
                topic::matches(filter, topic)
            }
            _ => false,
        })
    };
    let application = plugins.clone().find(|plugin| claims(Side::Application, plugin));
    let device = || plugins.into_iter().find(|plugin| claims(Side::Device, plugin));
    application.map(|plugin| (Side::Application, plugin)).or_else(|| Some((Side::Device, device()?)))
}

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
        let loads = self.loads.load(Ordering::Relaxed);
        self.gone.get(name).is_some_and(|gone| loads || gone.elapsed() < REPLACED_WITHIN)
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

    /// Who reads a message of a client of that dialect on a topic. A removed plugin goes on with what is open, and takes
    /// nothing from those that serve; on some platforms devices answer where applications speak, so it is heard there too.
    pub fn reader(&self, topic: &str, dialect: Option<&str>) -> Option<(Side, &Arc<Plugin>)> {
        let is_removed =
            |plugin: &&Arc<Plugin>| !self.plugins.contains_key(plugin.name()) && dialect == Some(&**plugin.name());
        let serving = find_reader(self.plugins.values(), topic);
        serving.or_else(|| find_reader(self.older.iter().rev().filter(is_removed), topic))
    }

    /// Whether nothing of it is another.
    pub(crate) fn same(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.plugins.values().chain(&self.older), other.plugins.values().chain(&other.older));
        self.refused == other.refused
            && (self.plugins.len(), self.older.len()) == (other.plugins.len(), other.older.len())
            && self.gone.keys().eq(other.gone.keys())
            && ours.zip(theirs).all(|(one, two)| Arc::ptr_eq(one, two))
    }
}
