//! A loaded plugin. Its functions, in the host's own words, are in one room for each of its sides.

mod applications;
mod devices;
mod handlers;
mod happenings;

use crate::access::Export;
use crate::call::Active;
use crate::check::Bounds;
use crate::context::CallContext;
use crate::description::{Claim, Description, Roles};
use crate::error::{CallError, Fault};
use crate::grants::Grants;
use crate::instances::Instances;
use crate::quarantine::{Quarantine, QuarantineState};
use crate::runtime::Runtime;
use crate::state::{About, Call, Facts};
use crate::telemetry;
use crate::unit::Unit;
use dragoman_core::Session;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Instant;

/// One version of a plugin. Whoever holds it may call it, also after its file was replaced or removed.
///
/// Every call is a transaction: its writes come with its answer, and an error leaves none. Dropping the future of a
/// call ends it and frees its instance.
pub struct Plugin {
    pub(crate) runtime: Runtime,
    pub(crate) unit: Unit,
    pub(crate) instances: Instances,
    pub(crate) facts: Arc<Facts>,
    pub(crate) description: Description,
    pub(crate) digest: String,
    pub(crate) file: PathBuf,
    pub(crate) quarantine: Quarantine,
}

impl Plugin {
    /// As it describes itself.
    pub fn name(&self) -> &Arc<str> {
        &self.facts.name
    }

    /// As it describes itself.
    pub fn version(&self) -> &str {
        &self.description.version
    }

    /// SHA-256 of its file, in hex.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Where it was loaded from.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// What it says about itself.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// What it exports.
    pub fn roles(&self) -> Roles {
        self.unit.roles()
    }

    /// What it imports that has to be granted, and was.
    pub fn imports(&self) -> &Grants {
        &self.unit.needs
    }

    /// Its settings, a JSON object.
    pub fn settings(&self) -> &str {
        &self.facts.settings
    }

    /// The same code for one trial call: fresh instances, other settings, and as much time as the first call of a file.
    pub(crate) fn for_trial(&self, settings: String) -> Self {
        let facts = &self.facts;
        let mut options = (*facts.options).clone();
        options.deadline_ms = options.load_deadline_ms;
        let facts = Facts {
            name: Arc::clone(&facts.name),
            settings,
            queues: facts.queues.clone(),
            indexes: facts.indexes.clone(),
            options: Arc::new(options),
            bounds: facts.bounds,
            memory_bytes: AtomicUsize::new(0),
        };
        Self {
            runtime: self.runtime.clone(),
            unit: self.unit.clone(),
            instances: Instances::new(&self.runtime, self.name(), None),
            facts: Arc::new(facts),
            description: self.description.clone(),
            digest: self.digest.clone(),
            file: self.file.clone(),
            // A trial says nothing about how the plugin serves.
            quarantine: Quarantine::never(Arc::clone(self.name())),
        }
    }

    /// Whether it is in quarantine, because it kept failing, and for how long; none: it is called.
    pub fn quarantine(&self) -> Option<QuarantineState> {
        self.quarantine.state()
    }

    /// Whether calls come to nothing now, because it is in quarantine.
    pub fn is_shut(&self) -> bool {
        self.quarantine().is_some_and(|state| state.again_in_ms > 0)
    }

    /// Ends its quarantine. Tells whether it was in one.
    pub fn readmit(&self) -> bool {
        self.quarantine.readmit()
    }

    /// Whether one of its routes is meant.
    pub(crate) fn claims_route(&self, method: &str, path: &str) -> bool {
        self.description.claims.iter().any(|claim| matches!(claim, Claim::Http(route) if route.matches(method, path)))
    }

    fn bounds(&self) -> Bounds {
        self.facts.bounds
    }

    async fn begin(&self, export: Export, context: CallContext, about: About) -> Result<Active, Fault> {
        let call = || Call::new(Arc::clone(&self.facts), export, Some(context), about);
        self.instances.lease(&self.runtime, &self.unit, call).await.map(Active)
    }

    /// Begins a call about what a session did: it speaks for its own device only, and reads as the call was given it.
    async fn begin_spoken(&self, export: Export, context: CallContext, session: &Session) -> Result<Active, Fault> {
        let about = About { reporter: Some(session.device.clone()), ..About::default() };
        let mut active = self.begin(export, context, about).await?;
        active.state().call.memo.know_session(session);
        Ok(active)
    }

    /// Makes the call unless the plugin is in quarantine, names the plugin and the export in what went wrong, and counts
    /// the call.
    async fn guarded<T>(&self, export: Export, call: impl Future<Output = Result<T, Fault>>) -> Result<T, CallError> {
        let start = Instant::now();
        let failed = |fault| CallError { plugin: Arc::clone(self.name()), export: export.name(), fault };
        let result = match self.quarantine.enter() {
            Ok(pass) => {
                let result = Box::pin(call).await.map_err(failed);
                pass.told(result.as_ref().err());
                result
            }
            Err(again_in) => {
                let again_in_ms = u64::try_from(again_in.as_millis()).unwrap_or(u64::MAX);
                Err(failed(Fault::Quarantined { again_in_ms }))
            }
        };
        telemetry::called(self.name(), export, result.as_ref().err(), start.elapsed());
        result
    }
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin").field("name", &self.facts.name).field("digest", &self.digest).finish_non_exhaustive()
    }
}
