//! What a call of a vector is given besides its arguments.

use super::records::{WrittenDevice, WrittenExecution, WrittenSession};
use super::world::VectorWorld;
use crate::context::{CallContext, IdSource, Numbers, Presented, Secret};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The time of a call whose vector names none.
const NOW_MS: u64 = 1_700_000_000_000;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Given {
    /// What `host.now` answers.
    now_ms: u64,
    /// What ids are made of: the same seed and time give the same ids.
    seed: u64,
    /// What `host.settings` answers.
    #[serde(deserialize_with = "object")]
    pub(super) settings: Value,
    presented: Option<WrittenPresented>,
    pub(super) devices: Vec<WrittenDevice>,
    pub(super) executions: Vec<WrittenExecution>,
    pub(super) documents: Vec<WrittenDocument>,
    pub(super) sessions: Vec<WrittenSession>,
    pub(super) credentials: Vec<WrittenCredential>,
    /// The last number that each counter gave.
    pub(super) counters: BTreeMap<String, u64>,
    /// Names of the targets that the operator configured.
    pub(super) targets: Vec<String>,
}

impl Default for Given {
    fn default() -> Self {
        Self {
            now_ms: NOW_MS,
            seed: 0,
            settings: Value::Object(Map::new()),
            presented: None,
            devices: Vec::new(),
            executions: Vec::new(),
            documents: Vec::new(),
            sessions: Vec::new(),
            credentials: Vec::new(),
            counters: BTreeMap::new(),
            targets: Vec::new(),
        }
    }
}

/// The settings are an object, as everywhere.
fn object<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Value, D::Error> {
    Map::deserialize(from).map(Value::Object)
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPresented {
    scheme: String,
    account: Option<String>,
    secret: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenDocument {
    pub(super) collection: String,
    pub(super) key: String,
    pub(super) value: Value,
    #[serde(default = "first")]
    pub(super) revision: u64,
}

fn first() -> u64 {
    1
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenCredential {
    pub(super) account: String,
    pub(super) secret: String,
    #[serde(default = "no_rights")]
    pub(super) rights: Value,
}

fn no_rights() -> Value {
    Value::Object(Map::new())
}

impl Given {
    /// For one call of the plugin of that name. Devices and sessions of the arguments are there too.
    pub(super) fn context(
        &self,
        plugin: &str,
        device: Option<&WrittenDevice>,
        session: Option<&WrittenSession>,
    ) -> CallContext {
        let presented = self.presented.as_ref().map(|presented| Presented {
            scheme: presented.scheme.clone(),
            account: presented.account.clone(),
            secret: Secret::new(presented.secret.clone().into_bytes()),
        });
        let mut seed = [0; 16];
        seed.iter_mut().zip(self.seed.to_be_bytes()).for_each(|(to, from)| *to = from);
        CallContext {
            host: Arc::new(VectorWorld::new(self, plugin, device, session)),
            now_ms: self.now_ms,
            ids: IdSource::new(seed, self.now_ms),
            presented,
            numbers: Numbers::default(),
        }
    }
}
