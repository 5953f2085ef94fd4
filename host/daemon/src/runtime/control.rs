//! What the admin API asks for, done by the gateway.

use super::dead_letters::{DeadLetterError, Letters, Replayed};
use super::engine::{Step, Stopped};
use super::gateway::Gateway;
use super::submit::{self, Prepared};
use super::versions::Released;
use crate::admin::{
    Command, Control, ControlError, DeviceState, NewDevice, OlderPlugin, PluginList, PluginQuarantine, PluginState,
    RefusedPlugin, ReleasedPlugin,
};
use crate::credentials::Vault;
use crate::outbound::{GivenUp, OperatorError, TargetState};
use dragoman_core::{Answer, Attributes, DeviceId, Execution, ExecutionId, Input, Overflow, Reason, Stage, Transition};
use dragoman_store::{DeadLetterRow, DeviceRecord, Page, ProfileRecord, Selection, StoreError, Write};
use dragoman_wasm::{Catalog, Claim, InFlight, Plugin, QuarantineState, Queue, Submit};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The origin of operators' commands, and the name of their queue.
const ADMIN: &str = "admin";
/// Operators' commands that may wait for one device.
const QUEUE_LIMIT: u32 = 1_000;

/// The gateway as the admin API sees it.
pub struct Controller {
    gateway: Arc<Gateway>,
    stopping: AtomicBool,
}

impl Controller {
    /// Controls that gateway.
    pub fn new(gateway: Arc<Gateway>) -> Self {
        Self { gateway, stopping: AtomicBool::new(false) }
    }

    /// From now on the daemon is not ready for new work.
    pub fn stopping(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    fn state_of(&self, record: DeviceRecord, profile: Option<String>) -> DeviceState {
        let holder = record.parent.as_ref().unwrap_or(&record.id);
        DeviceState { online: self.gateway.presence.session_of(holder).is_some(), record, profile }
    }

    fn plugin_state(&self, plugin: &Plugin) -> PluginState {
        let description = plugin.description();
        PluginState {
            name: plugin.name().to_string(),
            version: plugin.version().to_owned(),
            digest: plugin.digest().to_owned(),
            file: plugin.file().display().to_string(),
            summary: description.summary.clone(),
            roles: roles(plugin),
            imports: plugin.imports().iter().map(|interface| interface.word()).collect(),
            claims: description.claims.iter().map(claim).collect(),
            executions: self.gateway.needing(plugin.name(), plugin.digest()),
            quarantine: quarantine(plugin),
        }
    }

    fn older_plugin(&self, catalog: &Catalog, plugin: &Plugin) -> OlderPlugin {
        OlderPlugin {
            name: plugin.name().to_string(),
            version: plugin.version().to_owned(),
            digest: plugin.digest().to_owned(),
            executions: self.gateway.needing(plugin.name(), plugin.digest()),
            removed: catalog.get(plugin.name()).is_none(),
            quarantine: quarantine(plugin),
        }
    }

    async fn known(&self, id: &ExecutionId) -> Result<Arc<Execution>, ControlError> {
        self.gateway
            .execution(id)
            .await?
            .ok_or_else(|| ControlError::NotFound(format!("no execution {id} is known; it may have been pruned")))
    }

    async fn add_one(&self, device: NewDevice) -> Result<(), ControlError> {
        self.check_new(&device).await?;
        let seq = self.gateway.engine.journal().append_checked(rows(device, self.gateway.engine.now_ms())).await?;
        self.gateway.engine.also_covers(seq);
        Ok(self.gateway.engine.committed(seq).await?)
    }

    async fn check_new(&self, device: &NewDevice) -> Result<(), ControlError> {
        let journal = self.gateway.engine.journal();
        if journal.device(&device.record.id).await?.is_some() {
            let id = &device.record.id;
            return Err(ControlError::Conflict(format!("device {id} is registered already; remove it first")));
        }
        match &device.record.parent {
            Some(parent) => match journal.device(parent).await? {
                None => {
                    Err(ControlError::NotFound(format!("the gateway device {parent} is not registered; add it first")))
                }
                Some(parent) if parent.parent.is_some() => Err(ControlError::Invalid(format!(
                    "device {} hangs below another device itself; only a device with a session of its own can be a gateway",
                    parent.id
                ))),
                Some(_) => Ok(()),
            },
            None => Ok(()),
        }
    }

    /// All devices in one transaction; none of them is registered where that fails. Their profiles follow in another.
    async fn add_together(&self, devices: &[NewDevice]) -> Result<(), ControlError> {
        let mut ids = HashSet::new();
        for device in devices {
            let id = &device.record.id;
            if !ids.insert(id) {
                return Err(ControlError::Conflict(format!("device {id} is there twice")));
            }
            self.check_new(device).await?;
        }
        let journal = self.gateway.engine.journal();
        let now_ms = self.gateway.engine.now_ms();
        let (mut records, mut profiles) = (Vec::with_capacity(devices.len()), Vec::new());
        for write in devices.iter().cloned().flat_map(|device| rows(device, now_ms)) {
            match write {
                Write::Device(record) => records.push(record),
                profile => profiles.push(profile),
            }
        }
        journal.import_devices(records).await?;
        let seq = journal.append(profiles).map_err(StoreError::from)?;
        self.gateway.engine.also_covers(seq);
        Ok(self.gateway.engine.committed(seq).await?)
    }
}

#[async_trait::async_trait]
impl Control for Controller {
    fn ready(&self) -> Result<(), String> {
        if self.stopping.load(Ordering::Relaxed) {
            return Err("the daemon is stopping".into());
        }
        if let Some(why) = &*self.gateway.engine.stopped().borrow() {
            return Err(format!("the store cannot be written: {why}"));
        }
        if self.gateway.broker().is_none() {
            return Err("the broker is starting".into());
        }
        Ok(())
    }

    fn vault(&self) -> &Vault {
        &self.gateway.vault
    }

    fn plugins(&self) -> PluginList {
        let catalog = self.gateway.catalog();
        PluginList {
            loaded: catalog.plugins.values().map(|plugin| self.plugin_state(plugin)).collect(),
            older: catalog.older.iter().map(|plugin| self.older_plugin(&catalog, plugin)).collect(),
            refused: catalog
                .refused
                .iter()
                .map(|refused| RefusedPlugin {
                    file: refused.file.display().to_string(),
                    step: refused.step.word(),
                    reason: refused.reason.clone(),
                })
                .collect(),
        }
    }

    async fn release_plugin(&self, name: &str, digest: Option<&str>) -> Result<ReleasedPlugin, ControlError> {
        let catalog = self.gateway.catalog();
        let named = |version: &&Arc<Plugin>| digest.is_none_or(|digest| version.digest().starts_with(digest));
        if digest.is_some() && catalog.get(name).is_some_and(|newest| named(&newest)) {
            return Err(ControlError::Conflict(format!(
                "that is the newest version of plugin {name}; nothing is older"
            )));
        }
        let older: Vec<_> = catalog.older_of(name).filter(named).cloned().collect();
        if older.is_empty() {
            return Err(ControlError::NotFound(format!(
                "no command is open that needs an older version of plugin {name}{}; dragoman plugin list shows what is held",
                digest.map(|digest| format!(" that begins with {digest}")).unwrap_or_default()
            )));
        }
        if catalog.get(name).is_none() {
            return Err(ControlError::Conflict(format!(
                "plugin {name} is not in the folder, so there is no newest version to go over to; put its file there, or \
                 cancel the commands"
            )));
        }
        let mut done = ReleasedPlugin::default();
        for version in older {
            let Released { released, waiting } = self.gateway.release_version(name, version.digest()).await;
            done.released += released;
            done.waiting += waiting;
        }
        self.gateway.engine.committed(self.gateway.engine.horizon()).await?;
        Ok(done)
    }

    fn readmit_plugin(&self, name: &str) -> Result<usize, ControlError> {
        let catalog = self.gateway.catalog();
        let versions = catalog.get(name).into_iter().chain(catalog.older_of(name));
        match versions.filter(|version| version.readmit()).count() {
            0 => Err(ControlError::NotFound(format!(
                "no version of plugin {name} is in quarantine; dragoman plugin list shows which plugins are"
            ))),
            readmitted => Ok(readmitted),
        }
    }

    async fn dead_letters(
        &self,
        plugin: Option<&str>,
        after: u64,
        limit: u32,
    ) -> Result<Vec<DeadLetterRow>, ControlError> {
        Ok(self.gateway.dead_letters(plugin, after, limit).await?)
    }

    async fn dead_letter(&self, seq: u64) -> Result<DeadLetterRow, ControlError> {
        Ok(self.gateway.dead_letter(seq).await?)
    }

    async fn replay_dead_letters(&self, which: &Letters) -> Result<Replayed, ControlError> {
        Ok(self.gateway.replay_dead_letters(which).await?)
    }

    async fn drop_dead_letters(&self, which: &Letters) -> Result<usize, ControlError> {
        Ok(self.gateway.drop_dead_letters(which).await?)
    }

    fn targets(&self) -> Vec<TargetState> {
        self.gateway.outbound.targets()
    }

    fn target(&self, name: &str, limit: usize) -> Result<(TargetState, Vec<GivenUp>), ControlError> {
        Ok(self.gateway.outbound.target(name, limit)?)
    }

    async fn retry_target(&self, name: &str) -> Result<usize, ControlError> {
        Ok(self.gateway.outbound.retry(name).await?)
    }

    async fn drop_target(&self, name: &str) -> Result<usize, ControlError> {
        Ok(self.gateway.outbound.drop_given_up(name).await?)
    }

    async fn submit(&self, command: Command) -> Result<Arc<Execution>, ControlError> {
        let gateway = &self.gateway;
        gateway.engine.has_room().await?;
        let submit = Submit {
            id: ExecutionId::new(uuid::Uuid::now_v7().to_string()),
            device: command.device,
            intent: command.intent,
            alias: None,
            idempotency_key: command.idempotency_key,
            context: None,
            labels: command.labels,
            ttl_ms: command.ttl_ms,
            succeeds_at: command.succeeds_at,
            when_away: command.when_away,
            queue: None,
            attempts: None,
            refused: None,
        };
        let queue =
            Queue { name: ADMIN.into(), window: Stage::Accepted, limit: QUEUE_LIMIT, overflow: Overflow::RefuseNewest };
        let _locks = gateway.keyed.lock(submit::locks(ADMIN, &submit)).await;
        let id = submit.id.clone();
        let steps = match submit::prepare_for(gateway, ADMIN.into(), &queue, submit).await? {
            Prepared::Steps(steps) => steps,
            Prepared::Refused(reason) => return Err(refused(reason)),
        };
        let turn = gateway.engine.turn(steps, None)?;
        let standing = match turn.answers.into_iter().next_back() {
            Some(Answer::Existing(standing)) => standing,
            Some(Answer::Refused(refusal)) => return Err(refused(Reason::new(refusal.code(), refusal.to_string()))),
            _ => id,
        };
        gateway.engine.committed(turn.seq).await?;
        self.known(&standing).await
    }

    async fn ended(&self, id: &ExecutionId) -> Result<Option<Arc<Execution>>, ControlError> {
        let mut draining = self.gateway.draining.subscribe();
        if let Some(reached) = self.gateway.engine.wait_for(id, Stage::Ended) {
            tokio::select! {
                _ = reached => self.gateway.engine.committed(self.gateway.engine.horizon()).await?,
                () = crate::http::server::turned_true(&mut draining) => {}
            }
        }
        Ok(self.gateway.execution(id).await?)
    }

    async fn cancel(&self, id: &ExecutionId) -> Result<Arc<Execution>, ControlError> {
        let (canceled, seq) = self.gateway.cancel(id)?;
        let execution = self.known(id).await?;
        if !canceled {
            return Err(ControlError::Conflict(format!("execution {id} has ended already")));
        }
        self.gateway.engine.committed(seq).await?;
        Ok(execution)
    }

    async fn execution(&self, id: &ExecutionId) -> Result<Option<Arc<Execution>>, ControlError> {
        Ok(self.gateway.execution(id).await?)
    }

    async fn history(&self, id: &ExecutionId) -> Result<Vec<Transition>, ControlError> {
        Ok(self.gateway.engine.journal().history(id).await?)
    }

    async fn executions(&self, selection: Selection) -> Result<Page, ControlError> {
        Ok(self.gateway.engine.journal().executions(selection).await?)
    }

    async fn device(&self, id: &DeviceId) -> Result<Option<DeviceState>, ControlError> {
        let journal = self.gateway.engine.journal();
        let Some(record) = journal.device(id).await? else { return Ok(None) };
        let profile = journal.profile(id, &record.dialect).await?.map(|profile| profile.json);
        Ok(Some(self.state_of(Arc::unwrap_or_clone(record), profile)))
    }

    async fn devices(
        &self,
        labels: Attributes,
        after: Option<DeviceId>,
        limit: u32,
    ) -> Result<Vec<DeviceState>, ControlError> {
        let records = self.gateway.engine.journal().devices(labels, after, limit).await?;
        Ok(records.into_iter().map(|record| self.state_of(record, None)).collect())
    }

    async fn add_devices(&self, devices: Vec<NewDevice>) -> Vec<Result<(), ControlError>> {
        let _registry = self.gateway.registry.lock().await;
        if devices.len() > 1 && self.add_together(&devices).await.is_ok() {
            return devices.iter().map(|_| Ok(())).collect();
        }
        // One of them does not fit: the others are registered one by one, and each hears its own.
        let mut results = Vec::with_capacity(devices.len());
        for device in devices {
            results.push(self.add_one(device).await);
        }
        results
    }

    async fn remove_device(&self, id: &DeviceId) -> Result<bool, ControlError> {
        let _device = self.gateway.keyed.lock([submit::device(id)]).await;
        let _registry = self.gateway.registry.lock().await;
        let journal = self.gateway.engine.journal();
        if journal.device(id).await?.is_none() {
            return Ok(false);
        }
        let steps =
            vec![Step::Write(Write::DeviceRemove(id.clone())), Step::Input(Input::Remove { device: id.clone() })];
        let seq = self.gateway.engine.turn(steps, None)?.seq;
        if let Some(broker) = self.gateway.broker() {
            broker.close_device(id).await;
        }
        self.gateway.engine.committed(seq).await?;
        Ok(true)
    }
}

fn rows(device: NewDevice, now_ms: u64) -> Vec<Write> {
    let NewDevice { mut record, profile } = device;
    record.created_ms = now_ms;
    record.updated_ms = now_ms;
    let profile = profile.map(|json| {
        Write::Profile(ProfileRecord { device: record.id.clone(), dialect: record.dialect.clone(), json, revision: 1 })
    });
    std::iter::once(Write::Device(record)).chain(profile).collect()
}

fn roles(plugin: &Plugin) -> Vec<&'static str> {
    let roles = plugin.roles();
    let named = [
        (roles.admission, "admission"),
        (roles.northbound, "northbound"),
        (roles.southbound, "southbound"),
        (roles.handler, "handler"),
        (roles.topics, "topics"),
        (roles.subscriptions, "subscriptions"),
        (roles.notifications, "notifications"),
        (roles.answers, "answers"),
        (roles.decoder, "decoder"),
    ];
    named.into_iter().filter_map(|(has, name)| has.then_some(name)).collect()
}

fn claim(claim: &Claim) -> String {
    match claim {
        Claim::Http(route) => route.to_string(),
        Claim::DeviceTopic(filter) => format!("device topic {filter}"),
        Claim::ApplicationTopic(filter) => format!("application topic {filter}"),
        Claim::Connections => "connections".into(),
    }
}

fn quarantine(plugin: &Plugin) -> Option<PluginQuarantine> {
    let QuarantineState { again_in_ms, times, reason } = plugin.quarantine()?;
    Some(PluginQuarantine { again_in_ms, times, reason })
}

fn refused(reason: Reason) -> ControlError {
    match reason.code.as_str() {
        "$UNKNOWN_DEVICE" => ControlError::NotFound(reason.text),
        _ => ControlError::Refused(reason),
    }
}

impl From<DeadLetterError> for ControlError {
    fn from(error: DeadLetterError) -> Self {
        let text = error.to_string();
        match error {
            DeadLetterError::Unknown(_) => Self::NotFound(text),
            DeadLetterError::NotLoaded(_) => Self::Conflict(text),
            DeadLetterError::Store(_) | DeadLetterError::Stopped(_) => Self::Unavailable(text),
        }
    }
}

impl From<OperatorError> for ControlError {
    fn from(error: OperatorError) -> Self {
        let text = error.to_string();
        match error {
            OperatorError::Unknown(_) => Self::NotFound(text),
            OperatorError::NotConfigured(_) => Self::Conflict(text),
            OperatorError::Journal(_) => Self::Unavailable(text),
        }
    }
}

impl From<Stopped> for ControlError {
    fn from(stopped: Stopped) -> Self {
        Self::Unavailable(stopped.to_string())
    }
}

impl From<StoreError> for ControlError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::AliasTaken { .. } => Self::Conflict(error.to_string()),
            StoreError::BadCursor(_) => Self::Invalid(error.to_string()),
            error => Self::Unavailable(error.to_string()),
        }
    }
}
