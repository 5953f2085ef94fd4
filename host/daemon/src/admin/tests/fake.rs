//! A gateway that only remembers what it was asked.

use crate::admin::{
    Command, Control, ControlError, DeviceState, NewDevice, OlderPlugin, PluginList, PluginQuarantine, PluginState,
    RefusedPlugin, ReleasedPlugin,
};
use crate::credentials::Vault;
use crate::credentials::memory::Kept;
use crate::outbound::{GivenUp, TargetState};
use crate::runtime::dead_letters::{Letters, Replayed};
use dragoman_core::{
    Attributes, DeviceId, Event, Execution, ExecutionId, Intent, Invocation, Message, Options, Outcome, Overflow,
    Owner, Payload, Phase, Place, Reason, Session, SessionId, Stage, State, Transition, WhenAway,
};
use dragoman_store::{DeadLetterRow, Page, Selection};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// See the module.
pub(super) struct Fake {
    vault: Vault,
    _folder: tempfile::TempDir,
    pub(super) devices: Mutex<BTreeMap<DeviceId, DeviceState>>,
    /// Sizes of the batches that were registered.
    pub(super) batches: Mutex<Vec<usize>>,
    pub(super) commands: Mutex<Vec<Command>>,
    pub(super) selections: Mutex<Vec<Selection>>,
    pub(super) stopping: Mutex<bool>,
}

impl Fake {
    /// With the plugin `things`, and the executions `e1` (queued) and `e2` (ended).
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            vault: Vault::new(Arc::new(Kept::default()), folder.path()).unwrap(),
            _folder: folder,
            devices: Mutex::default(),
            batches: Mutex::default(),
            commands: Mutex::default(),
            selections: Mutex::default(),
            stopping: Mutex::new(false),
        }
    }

    fn found(id: &ExecutionId) -> Option<Arc<Execution>> {
        match id.as_str() {
            "e1" => Some(Arc::new(execution("e1", State::Queued))),
            "e2" => Some(Arc::new(execution("e2", State::Failed))),
            _ => None,
        }
    }
}

#[async_trait::async_trait]
impl Control for Fake {
    fn ready(&self) -> Result<(), String> {
        if *self.stopping.lock().unwrap() { Err("the daemon stops".to_owned()) } else { Ok(()) }
    }

    fn vault(&self) -> &Vault {
        &self.vault
    }

    fn plugins(&self) -> PluginList {
        let things = PluginState {
            name: "things".to_owned(),
            version: "0.1.0".to_owned(),
            digest: "ab".to_owned(),
            file: "plugins/things.wasm".to_owned(),
            summary: "Things".to_owned(),
            roles: vec!["northbound", "southbound"],
            imports: vec!["devices"],
            claims: vec!["POST /api/v1/commands".to_owned()],
            executions: 2,
            quarantine: None,
        };
        let older = OlderPlugin {
            name: "things".to_owned(),
            version: "0.0.9".to_owned(),
            digest: "cd".to_owned(),
            executions: 1,
            removed: false,
            quarantine: Some(PluginQuarantine { again_in_ms: 9, times: 1, reason: "it trapped".to_owned() }),
        };
        let (file, reason) = ("plugins/x.wasm".to_owned(), "x.wasm is no component".to_owned());
        let broken = RefusedPlugin { file, step: "component", reason };
        PluginList { loaded: vec![things], older: vec![older], refused: vec![broken] }
    }

    async fn release_plugin(&self, name: &str, digest: Option<&str>) -> Result<ReleasedPlugin, ControlError> {
        match (name, digest) {
            ("things", None | Some("cdcdcdcd")) => Ok(ReleasedPlugin { released: 1, waiting: 2 }),
            _ => Err(ControlError::NotFound(format!("no command is open that needs an older version of {name}"))),
        }
    }

    fn readmit_plugin(&self, name: &str) -> Result<usize, ControlError> {
        match name {
            "things" => Ok(1),
            _ => Err(ControlError::NotFound(format!("no version of plugin {name} is in quarantine"))),
        }
    }

    async fn dead_letters(
        &self,
        plugin: Option<&str>,
        after: u64,
        limit: u32,
    ) -> Result<Vec<DeadLetterRow>, ControlError> {
        let fits = |row: &DeadLetterRow| plugin.is_none_or(|plugin| plugin == &*row.plugin) && row.seq > after;
        Ok([letter(1), letter(2)].into_iter().filter(fits).take(limit as usize).collect())
    }

    async fn dead_letter(&self, seq: u64) -> Result<DeadLetterRow, ControlError> {
        let found = [letter(1), letter(2)].into_iter().find(|row| row.seq == seq);
        found.ok_or_else(|| ControlError::NotFound(format!("there is no dead letter {seq}")))
    }

    async fn replay_dead_letters(&self, which: &Letters) -> Result<Replayed, ControlError> {
        match which {
            Letters::One(seq) => {
                let reason = self.dead_letter(*seq).await?.reason;
                Ok(Replayed { replayed: 0, failed: 1, reasons: vec![(*seq, reason)], left: 2 })
            }
            Letters::Of(_) => Ok(Replayed { replayed: 2, ..Replayed::default() }),
        }
    }

    async fn drop_dead_letters(&self, which: &Letters) -> Result<usize, ControlError> {
        match which {
            Letters::One(seq) => self.dead_letter(*seq).await.map(|_| 1),
            Letters::Of(_) => Ok(2),
        }
    }

    fn targets(&self) -> Vec<TargetState> {
        let target = |name: &str, url: Option<&str>, given_up| TargetState {
            name: name.to_owned(),
            url: url.map(str::to_owned),
            waiting: 3,
            in_flight: 1,
            given_up,
            held_ms: None,
            last_answer: Some("404 Not Found".to_owned()),
            last_answer_ms: Some(7),
        };
        vec![target("alarms", Some("https://hooks.example"), 1), target("gone", None, 0)]
    }

    fn target(&self, name: &str, limit: usize) -> Result<(TargetState, Vec<GivenUp>), ControlError> {
        let found = self.targets().into_iter().find(|target| target.name == name);
        let found = found.ok_or_else(|| ControlError::NotFound(format!("there is no target {name}")))?;
        let row = GivenUp {
            seq: 9,
            dialect: "things".into(),
            method: "POST".to_owned(),
            path: "/hook".to_owned(),
            tries: 12,
            created_ms: 5,
            given_up_ms: 7,
            last_answer: Some("404 Not Found".to_owned()),
        };
        let rows = vec![row; found.given_up.min(limit)];
        Ok((found, rows))
    }

    async fn retry_target(&self, name: &str) -> Result<usize, ControlError> {
        match self.target(name, 0)?.0.url {
            Some(_) => Ok(4),
            None => Err(ControlError::Conflict(format!("target {name} is not in the configuration any more"))),
        }
    }

    async fn drop_target(&self, name: &str) -> Result<usize, ControlError> {
        self.target(name, 0).map(|_| 5)
    }

    async fn submit(&self, command: Command) -> Result<Arc<Execution>, ControlError> {
        if command.device.as_str() == "nobody" {
            return Err(ControlError::Refused(Reason::new("$UNKNOWN_DEVICE", "no device nobody is registered")));
        }
        self.commands.lock().unwrap().push(command);
        Ok(Arc::new(execution("e1", State::Queued)))
    }

    async fn ended(&self, id: &ExecutionId) -> Result<Option<Arc<Execution>>, ControlError> {
        let state = if *self.stopping.lock().unwrap() { State::Sent } else { State::Succeeded };
        Ok(Some(Arc::new(execution(id.as_str(), state))))
    }

    async fn cancel(&self, id: &ExecutionId) -> Result<Arc<Execution>, ControlError> {
        match id.as_str() {
            "e1" => Ok(Arc::new(execution("e1", State::Canceled))),
            "e2" => Err(ControlError::Conflict("execution e2 has ended as FAILED".to_owned())),
            id => Err(ControlError::NotFound(format!("no execution {id} is known"))),
        }
    }

    async fn execution(&self, id: &ExecutionId) -> Result<Option<Arc<Execution>>, ControlError> {
        Ok(Self::found(id))
    }

    async fn history(&self, _: &ExecutionId) -> Result<Vec<Transition>, ControlError> {
        let line = |seq, event, state, reason| Transition {
            seq,
            at_ms: 1_000 + seq,
            event,
            state,
            attempt: 1,
            reason,
            detail: Some("{\"cause\":\"x\"}".to_owned()),
            attributes: vec![("a".to_owned(), "1".to_owned()), ("a".to_owned(), "2".to_owned())],
        };
        let jam = Reason { code: "jam".to_owned(), text: "the door is jammed".to_owned(), detail: None };
        Ok(vec![line(1, Event::Queued, State::Queued, None), line(2, Event::Ended, State::Failed, Some(jam))])
    }

    async fn executions(&self, selection: Selection) -> Result<Page, ControlError> {
        if selection.after.as_deref() == Some("nowhere") {
            return Err(ControlError::Invalid("\"nowhere\" is not where a page ended".to_owned()));
        }
        self.selections.lock().unwrap().push(selection);
        Ok(Page { items: vec![execution("e2", State::Failed)], next: Some("p2".to_owned()) })
    }

    async fn device(&self, id: &DeviceId) -> Result<Option<DeviceState>, ControlError> {
        Ok(self.devices.lock().unwrap().get(id).cloned())
    }

    async fn devices(
        &self,
        labels: Attributes,
        after: Option<DeviceId>,
        limit: u32,
    ) -> Result<Vec<DeviceState>, ControlError> {
        let devices = self.devices.lock().unwrap();
        let fits = |device: &&DeviceState| {
            labels.iter().all(|label| device.record.labels.contains(label))
                && after.as_ref().is_none_or(|after| device.record.id > *after)
        };
        Ok(devices.values().filter(fits).take(limit as usize).cloned().collect())
    }

    async fn add_devices(&self, devices: Vec<NewDevice>) -> Vec<Result<(), ControlError>> {
        self.batches.lock().unwrap().push(devices.len());
        let mut kept = self.devices.lock().unwrap();
        let mut add = |NewDevice { record, profile }: NewDevice| {
            if kept.contains_key(&record.id) {
                return Err(ControlError::Conflict(format!("device {} is registered already", record.id)));
            }
            kept.insert(record.id.clone(), DeviceState { record, online: false, profile });
            Ok(())
        };
        devices.into_iter().map(&mut add).collect()
    }

    async fn remove_device(&self, id: &DeviceId) -> Result<bool, ControlError> {
        Ok(self.devices.lock().unwrap().remove(id).is_some())
    }
}

/// A message that the plugin `things` failed to read; the second holds no text.
fn letter(seq: u64) -> DeadLetterRow {
    let payload = if seq == 2 { Payload::Bytes(vec![0xff]) } else { Payload::Text("21".to_owned()) };
    DeadLetterRow {
        seq,
        plugin: "things".into(),
        digest: "ab".to_owned(),
        export: "southbound.handle-message".to_owned(),
        at_ms: 5,
        tries: 1,
        reason: Reason::new("$PLUGIN_TRAP", "it trapped"),
        session: Session {
            id: SessionId::new("s1"),
            listener: "mqtt".into(),
            client_id: "client".to_owned(),
            username: None,
            dialect: Some("things".into()),
            principal: Some("somebody".to_owned()),
            device: Some(DeviceId::new("lamp-1")),
            protocol_level: 4,
        },
        message: Message {
            topic: "things/up".to_owned(),
            payload,
            qos: 1,
            retain: false,
            attributes: vec![("a".to_owned(), "b".to_owned())],
        },
    }
}

/// An execution in that state.
pub(super) fn execution(id: &str, state: State) -> Execution {
    let params = "{\"level\":7}".to_owned();
    let jam = Reason { code: "jam".to_owned(), text: "the door is jammed".to_owned(), detail: Some("3".to_owned()) };
    Execution {
        id: ExecutionId::new(id),
        device: DeviceId::new("lamp-1"),
        holder: DeviceId::new("lamp-1"),
        intent: Intent::Invoke(Invocation { service: None, action: "set".to_owned(), params }),
        options: Options {
            ttl_ms: 30_000,
            succeeds_at: Stage::Ended,
            lowered: false,
            when_away: WhenAway::Queue,
            queue: "admin".into(),
            window: Stage::Ended,
            device_window: Stage::Accepted,
            queue_limit: 10,
            overflow: Overflow::RefuseNewest,
            attempts: 1,
            backoff_ms: 0,
            failed_to: Place::Tail,
        },
        origin: "admin".into(),
        alias: None,
        context: Some("{\"secret\":\"of the origin\"}".to_owned()),
        labels: vec![("batch".to_owned(), "7".to_owned())],
        idempotency: None,
        owner: Owner { node: "local".into(), lease_until_ms: u64::MAX },
        handler: None,
        digests: vec![("things".to_owned(), "ab".to_owned())],
        released: Vec::new(),
        state,
        phase: if state.is_final() { Phase::Ended } else { Phase::Waiting },
        version: 1,
        attempt: 0,
        told: dragoman_core::Told::default(),
        step_attempt: 0,
        lost: 0,
        failed: 0,
        closed: Vec::new(),
        queue_position: 1_000,
        not_before_ms: None,
        frames: Vec::new(),
        handler_state: None,
        reply_within_ms: None,
        step_deadline_ms: None,
        correlations: Vec::new(),
        receipts_missing: 0,
        answerable: true,
        delivered_only: false,
        outcome: match state {
            State::Succeeded => Some(Outcome::Succeeded(Some("{\"level\":7}".to_owned()))),
            State::Failed => Some(Outcome::Failed(jam)),
            _ => None,
        },
        reason: None,
        last_note: None,
        report: Vec::new(),
        created_ms: 1_000,
        updated_ms: 1_001,
        sent_ms: None,
        ended_ms: state.is_final().then_some(1_001),
        deadline_ms: 31_000,
    }
}
