//! What the folder came to: the plugins that serve, and the files that do not, each with its reason.

use crate::description::Claim;
use crate::plugin::Plugin;
use dragoman_core::topic;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// The plugins that serve at one moment. Replaced as a whole whenever a file changes.
#[derive(Debug, Default)]
pub struct Catalog {
    /// By name.
    pub plugins: BTreeMap<Arc<str>, Arc<Plugin>>,
    /// Files that do not serve. Where an earlier version of the file was good, that one still serves.
    pub refused: Vec<RefusedFile>,
}

/// A file that does not serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedFile {
    /// The file.
    pub file: PathBuf,
    /// A sentence that names the file, what is missing and what would mend it.
    pub reason: String,
}

impl Catalog {
    /// The plugin of that name.
    pub fn get(&self, name: &str) -> Option<&Arc<Plugin>> {
        self.plugins.get(name)
    }

    /// The plugin that claims a request, by method and path as on the wire, without query.
    pub fn route(&self, method: &str, path: &str) -> Option<&Arc<Plugin>> {
        self.plugins.values().find(|plugin| plugin.claims_route(method, path))
    }

    /// The plugin whose devices speak on a topic.
    pub fn device_topic(&self, topic: &str) -> Option<&Arc<Plugin>> {
        let claims = |claim: &Claim| matches!(claim, Claim::DeviceTopic(filter) if topic::matches(filter, topic));
        self.plugins.values().find(|plugin| plugin.description.claims.iter().any(claims))
    }

    /// The plugin whose applications speak on a topic. Asked before [`Catalog::device_topic`]: one plugin may claim a
    /// topic both ways.
    pub fn application_topic(&self, topic: &str) -> Option<&Arc<Plugin>> {
        let claims = |claim: &Claim| matches!(claim, Claim::ApplicationTopic(filter) if topic::matches(filter, topic));
        self.plugins.values().find(|plugin| plugin.description.claims.iter().any(claims))
    }
}
