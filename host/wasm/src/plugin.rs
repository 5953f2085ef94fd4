//! A loaded plugin, and its functions in the host's own words.

use crate::call::Active;
use crate::check::Bounds;
use crate::context::CallContext;
use crate::convert;
use crate::description::{Claim, Description, Roles};
use crate::error::{CallError, Fault};
use crate::export::Export;
use crate::instances::Instances;
use crate::reads::DeviceView;
use crate::runtime::Runtime;
use crate::state::{Call, Facts};
use crate::telemetry;
use crate::unit::Unit;
use crate::words::{Attempt, Decision, Dispatched, HandlerCommand, Request, Response, Settlement, Step, Verdict};
use crate::writes::Done;
use dragoman_core::{DeviceId, Execution, Intent, Message, Reply, Session};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
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

    /// Its settings, a JSON object.
    pub fn settings(&self) -> &str {
        &self.facts.settings
    }

    /// Whether one of its routes is meant.
    pub(crate) fn claims_route(&self, method: &str, path: &str) -> bool {
        self.description.claims.iter().any(|claim| matches!(claim, Claim::Http(route) if route.matches(method, path)))
    }

    /// `northbound.handle-request`.
    pub async fn handle_request(&self, call: CallContext, request: &Request) -> Result<Done<Decision>, CallError> {
        let export = Export::HandleRequest;
        self.guarded(export, async {
            let role = self.unit.northbound.as_ref().ok_or(Fault::NoSuchExport)?;
            let asked = convert::request(request, call.presented.as_ref());
            let mut active = self.begin(export, call, None).await?;
            let deadline = active.deadline();
            let (store, instance) = active.store();
            let result =
                deadline.run(async { role.load(&mut *store, &instance)?.call_handle_request(store, &asked).await });
            let result = result.await;
            let decision = convert::decision(active.answered(result)?);
            self.bounds().decision(&decision, active.submissions())?;
            Ok(active.done(decision))
        })
        .await
    }

    /// `northbound.settled`. The settlements in the order of the submissions.
    pub async fn settled(
        &self,
        call: CallContext,
        context: &str,
        settlements: &[Settlement],
    ) -> Result<Done<Response>, CallError> {
        let export = Export::Settled;
        self.guarded(export, async {
            let role = self.unit.northbound.as_ref().ok_or(Fault::NoSuchExport)?;
            let context = context.to_owned();
            let settlements: Vec<_> = settlements.iter().map(|one| convert::settlement(one, self.name())).collect();
            let mut active = self.begin(export, call, None).await?;
            let deadline = active.deadline();
            let (store, instance) = active.store();
            let result = deadline
                .run(async { role.load(&mut *store, &instance)?.call_settled(store, &context, &settlements).await });
            let result = result.await;
            let response = convert::response(active.answered(result)?);
            self.bounds().response(&response)?;
            Ok(active.done(response))
        })
        .await
    }

    /// `admission.authenticate`. `clean`: the client asked for a clean start.
    pub async fn authenticate(
        &self,
        call: CallContext,
        session: &Session,
        keep_alive_s: u16,
        clean: bool,
    ) -> Result<Done<Verdict>, CallError> {
        let export = Export::Authenticate;
        self.guarded(export, async {
            let role = self.unit.admission.as_ref().ok_or(Fault::NoSuchExport)?;
            let session = convert::session(session);
            let mut active = self.begin(export, call, None).await?;
            let deadline = active.deadline();
            let (store, instance) = active.store();
            let result = deadline.run(async {
                role.load(&mut *store, &instance)?.call_authenticate(store, &session, keep_alive_s, clean).await
            });
            let result = result.await;
            let verdict = convert::verdict(active.answered(result)?, self.name());
            self.bounds().verdict(&verdict)?;
            Ok(active.done(verdict))
        })
        .await
    }

    /// `southbound.dispatch`.
    pub async fn dispatch(
        &self,
        call: CallContext,
        device: &DeviceView,
        execution: &Execution,
        attempt: Attempt<'_>,
    ) -> Result<Done<Dispatched>, CallError> {
        let export = Export::Dispatch;
        self.guarded(export, async {
            let role = self.unit.southbound.as_ref().ok_or(Fault::NoSuchExport)?;
            let execution = convert::attempt(execution, self.name(), attempt);
            let mut active = self.begin(export, call, None).await?;
            active.state().call.memo.know_device(device);
            let device = convert::device(device);
            let deadline = active.deadline();
            let (store, instance) = active.store();
            let result = deadline
                .run(async { role.load(&mut *store, &instance)?.call_dispatch(store, &device, &execution).await });
            let result = result.await;
            let dispatched = convert::dispatched(active.answered(result)?);
            self.bounds().dispatched(&dispatched)?;
            Ok(active.done(dispatched))
        })
        .await
    }

    /// `southbound.handle-message`.
    pub async fn southbound_message(
        &self,
        call: CallContext,
        session: &Session,
        message: &Message,
    ) -> Result<Done<()>, CallError> {
        let export = Export::SouthboundMessage;
        self.guarded(export, async {
            let role = self.unit.southbound.as_ref().ok_or(Fault::NoSuchExport)?;
            let mut active = self.begin(export, call, Some(session.device.clone())).await?;
            let (session, message) = (convert::session(session), convert::message_to_wit(message));
            let deadline = active.deadline();
            let (store, instance) = active.store();
            let result = deadline
                .run(async { role.load(&mut *store, &instance)?.call_handle_message(store, &session, &message).await });
            let result = result.await;
            active.answered(result)?;
            Ok(active.done(()))
        })
        .await
    }

    /// `handler.commands`.
    pub async fn handler_commands(&self, call: CallContext) -> Result<Vec<HandlerCommand>, CallError> {
        let export = Export::Commands;
        self.guarded(export, async {
            let role = self.unit.handler.as_ref().ok_or(Fault::NoSuchExport)?;
            let mut active = self.begin(export, call, None).await?;
            let deadline = active.deadline();
            let (store, instance) = active.store();
            let result = deadline.run(async { role.load(&mut *store, &instance)?.call_commands(store).await }).await;
            let commands = convert::handler_commands(active.returned(result)?);
            self.bounds().handler_commands(&commands)?;
            Ok(active.done(commands).value)
        })
        .await
    }

    /// `handler.start`.
    pub async fn handler_start(
        &self,
        call: CallContext,
        device: &DeviceView,
        intent: &Intent,
    ) -> Result<Step, CallError> {
        let export = Export::Start;
        self.guarded(export, async {
            let role = self.unit.handler.as_ref().ok_or(Fault::NoSuchExport)?;
            let (device, intent) = (convert::device(device), convert::intent_to_wit(intent));
            let mut active = self.begin(export, call, None).await?;
            let deadline = active.deadline();
            let (store, instance) = active.store();
            let result =
                deadline.run(async { role.load(&mut *store, &instance)?.call_start(store, &device, &intent).await });
            let result = result.await;
            let step = convert::step(active.answered(result)?);
            self.bounds().step(&step)?;
            Ok(active.done(step).value)
        })
        .await
    }

    /// `handler.resume`, with the state that the step before left.
    pub async fn handler_resume(
        &self,
        call: CallContext,
        device: &DeviceView,
        intent: &Intent,
        state: &str,
        reply: &Reply,
    ) -> Result<Step, CallError> {
        let export = Export::Resume;
        self.guarded(export, async {
            let role = self.unit.handler.as_ref().ok_or(Fault::NoSuchExport)?;
            let (device, intent) = (convert::device(device), convert::intent_to_wit(intent));
            let (state, reply) = (state.to_owned(), convert::reply_to_wit(reply));
            let mut active = self.begin(export, call, None).await?;
            let deadline = active.deadline();
            let (store, instance) = active.store();
            let result = deadline.run(async {
                role.load(&mut *store, &instance)?.call_resume(store, &device, &intent, &state, &reply).await
            });
            let result = result.await;
            let step = convert::step(active.answered(result)?);
            self.bounds().step(&step)?;
            Ok(active.done(step).value)
        })
        .await
    }

    fn bounds(&self) -> Bounds {
        self.facts.bounds
    }

    async fn begin(
        &self,
        export: Export,
        context: CallContext,
        reporter: Option<Option<DeviceId>>,
    ) -> Result<Active, Fault> {
        let call = || Call::new(Arc::clone(&self.facts), export, Some(context), reporter);
        self.instances.lease(&self.runtime, &self.unit, call).await.map(Active)
    }

    /// Names the plugin and the export in what went wrong, and counts the call.
    async fn guarded<T>(&self, export: Export, call: impl Future<Output = Result<T, Fault>>) -> Result<T, CallError> {
        let start = Instant::now();
        let result = Box::pin(call).await;
        let result =
            result.map_err(|fault| CallError { plugin: Arc::clone(self.name()), export: export.name(), fault });
        telemetry::called(self.name(), export, result.as_ref().err(), start.elapsed());
        result
    }
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin").field("name", &self.facts.name).field("digest", &self.digest).finish_non_exhaustive()
    }
}
