//! A whole gateway over a real store and a real plugin that does what its input says; only the broker is not real.
//!
//! The plugin and its words are those of the tests of dragoman-wasm, `host/wasm/tests/guests/scripted`. What it shall do
//! when it is told of a transition is the note that the transition is about; when it is told of an event of a device, the
//! event's body.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod broker;
mod conversation;
mod dead_letters;
mod events;
mod guests;
mod last_good;
mod late;
mod leaving;
mod notices;
mod restart;
mod unreadable;
mod versions;
mod writes;

use super::engine::{Engine, Step};
use super::gateway::Gateway;
use super::writes::{About, Applied, WriteError};
use super::{plugin_changes, recovery, settings};
use crate::config::{Config, TargetConfig};
use crate::credentials::Vault;
use crate::outbound::Outbound;
use broker::FakeBroker;
use dragoman_core::{
    Correlation, DeviceId, Event, Execution, ExecutionId, Input, Intent, Invocation, Outcome, Report, Session,
    SessionId,
};
use dragoman_store::sqlite::{SqliteBackend, SqliteOptions};
use dragoman_store::{DeviceRecord, Journal, JournalOptions, OpenError};
use dragoman_wasm::{OutRequest, Plugin, PluginFolder, PluginWrite, Runtime, RuntimeOptions, Submit};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// Longer than anything takes here.
const LONG: Duration = Duration::from_secs(30);

/// A gateway with the devices `lamp` and `door`, and `stranger`, which another dialect reaches. The target `alarms` is
/// configured and down: what it is sent stays in the store.
struct Bench {
    gateway: Arc<Gateway>,
    broker: Arc<FakeBroker>,
    plugin: Arc<Plugin>,
    /// Of a bench that is not started again.
    _folder: Option<TempDir>,
}

impl Bench {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// With another configuration.
    async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bench = Self::start(folder.path(), change).await;
        Self { _folder: Some(folder), ..bench }
    }

    /// Over what the last run left in the folder.
    async fn start(folder: &Path, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::defaults(folder);
        let hour_ms = 3_600_000;
        let down =
            TargetConfig { backoff_ms: hour_ms, backoff_max_ms: hour_ms, ..TargetConfig::at("http://127.0.0.1:9") };
        config.targets.insert("alarms".into(), down);
        change(&mut config);
        guests::install(&config.plugins.folder);
        std::fs::create_dir_all(&config.data_dir).unwrap();
        let config = Arc::new(config);
        let journal = Journal::start(Arc::new(open(&config.data_dir).await), JournalOptions::default()).unwrap();
        let vault = Arc::new(Vault::open(&config.data_dir, journal.clone()).unwrap());
        let engine =
            Arc::new(Engine::new(journal.clone(), settings::core_limits(&config), settings::durability(&config)));
        // The machine may be busy with other tests.
        let options = RuntimeOptions {
            deadline_ms: 60_000,
            load_deadline_ms: 60_000,
            wait_ms: 60_000,
            grants: dragoman_wasm::Interface::ALL.into_iter().collect(),
            cache_dir: Some(guests::compiled()),
            // The program of these tests compiles for nobody.
            compiler: None,
            ..settings::runtime_options(&config)
        };
        let folder = config.plugins.folder.clone();
        let plugins = PluginFolder::open(Runtime::new(options).unwrap(), folder, BTreeMap::new()).await.unwrap();
        assert_eq!(plugins.catalog().refused, []);
        let clock = engine.clone();
        let outbound = Outbound::start(&config.targets, journal, move || clock.now_ms()).await.unwrap();
        let gateway = Gateway::new(engine.clone(), plugins, vault, Arc::new(outbound), config);
        recovery::recover(&engine, |_| false, async |needed| gateway.plugins.recall(needed).await).await.unwrap();
        gateway.plugins.recovered().await;
        gateway.dead_letters.restore(engine.journal()).await.unwrap();
        for (id, dialect) in [("lamp", "scripted"), ("door", "scripted"), ("stranger", "acme-things")] {
            if engine.journal().device(&device(id)).await.unwrap().is_none() {
                engine.journal().put_device(record(id, dialect)).await.unwrap();
            }
        }
        plugin_changes::taken_over(&gateway, &gateway.catalog()).await;
        let broker = Arc::new(FakeBroker::default());
        gateway.attach_broker(broker.clone());
        let plugin = gateway.plugin("scripted").unwrap();
        let bench = Self { gateway, broker, plugin, _folder: None };
        // A dialect that was never told anything is told what happens from the first look on.
        let journal = bench.gateway.engine.journal();
        bench.until("the first look", || async { journal.cursor("scripted").await.unwrap() }).await;
        bench
    }

    async fn write(&self, writes: Vec<PluginWrite>) -> Result<Applied, WriteError> {
        self.gateway.apply_writes(&self.plugin, writes, About::default()).await
    }

    /// The same in a call about a message of that device.
    async fn write_as(&self, reporter: &str, writes: Vec<PluginWrite>) -> Result<Applied, WriteError> {
        let reporter = device(reporter);
        let about = About { reporter: Some(&reporter), ..About::default() };
        self.gateway.apply_writes(&self.plugin, writes, about).await
    }

    fn input(&self, input: Input) {
        self.gateway.engine.turn(vec![Step::Input(input)], None).unwrap();
    }

    fn present(&self, id: &str) {
        self.input(Input::Presence { holder: device(id), online: true });
    }

    async fn execution(&self, id: &str) -> Option<Arc<Execution>> {
        self.gateway.execution(&ExecutionId::new(id)).await.unwrap()
    }

    /// What happened to an execution, in order; that the numbers of its lines have no gap is checked.
    async fn history(&self, id: &str) -> Vec<Event> {
        let lines = self.gateway.engine.journal().history(&ExecutionId::new(id)).await.unwrap();
        assert!(lines.iter().zip(1..).all(|(line, seq)| line.seq == seq), "{lines:?}");
        lines.into_iter().map(|line| line.event).collect()
    }

    /// Paths of the requests in the store, in the order in which they were asked for.
    async fn requests(&self) -> Vec<String> {
        let rows = self.gateway.engine.journal().requests().await.unwrap();
        rows.into_iter().map(|row| row.path).collect()
    }

    /// Waits until it stands so.
    async fn until<T, F: Future<Output = Option<T>>>(&self, what: &str, stands: impl Fn() -> F) -> T {
        let look = async {
            loop {
                if let Some(found) = stands().await {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(LONG, look).await.unwrap_or_else(|_| panic!("in vain: {what}"))
    }

    /// Waits until so many requests are in the store.
    async fn requested(&self, count: usize) -> Vec<String> {
        let what = format!("{count} requests");
        self.until(&what, || async { Some(self.requests().await).filter(|all| all.len() >= count) }).await
    }

    /// Waits until that left so many times.
    async fn left(&self, line: &str, times: usize) {
        self.until(line, || async { (self.broker.times(line) >= times).then_some(()) }).await;
    }

    /// Submits `id` to a lamp that is there, and waits until it is with it.
    async fn sent(&self, id: &str) {
        self.present("lamp");
        self.write(vec![submit(id, "lamp")]).await.unwrap();
        let sent = || async { self.execution(id).await.filter(|execution| execution.sent_ms.is_some()) };
        self.until("the command is sent", sent).await;
    }
}

/// Runs one life of a gateway and ends it as a kill does: every task stops where it waits.
fn life<T>(folder: &Path, work: impl AsyncFnOnce(&Bench) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let result = runtime.block_on(async {
        let bench = Bench::start(folder, |_| {}).await;
        work(&bench).await
    });
    runtime.shutdown_timeout(LONG);
    result
}

/// Opens the store, once the run before has let go of it.
async fn open(folder: &Path) -> SqliteBackend {
    let tried = async {
        loop {
            match SqliteBackend::open(folder.join("store.db"), &SqliteOptions::default()) {
                Err(OpenError::InUse { .. }) => tokio::time::sleep(Duration::from_millis(2)).await,
                opened => return opened.unwrap(),
            }
        }
    };
    tokio::time::timeout(LONG, tried).await.unwrap()
}

fn device(id: &str) -> DeviceId {
    DeviceId::new(id)
}

fn record(id: &str, dialect: &str) -> DeviceRecord {
    DeviceRecord {
        id: device(id),
        dialect: dialect.into(),
        handler: None,
        parent: None,
        aliases: vec![("name".into(), id.into())],
        labels: Vec::new(),
        disabled: false,
        created_ms: 1,
        updated_ms: 1,
    }
}

fn submission(id: &str, device_id: &str) -> Submit {
    Submit {
        id: ExecutionId::new(id),
        device: device(device_id),
        intent: Intent::Invoke(Invocation { service: None, action: "on".into(), params: "{}".into() }),
        alias: None,
        idempotency_key: None,
        context: None,
        labels: Vec::new(),
        ttl_ms: None,
        succeeds_at: None,
        when_away: None,
        queue: None,
        attempts: None,
        refused: None,
    }
}

fn submit(id: &str, device: &str) -> PluginWrite {
    PluginWrite::Submit(Box::new(submission(id, device)))
}

fn cancel(id: &str) -> PluginWrite {
    PluginWrite::Cancel(ExecutionId::new(id))
}

/// A note that is a script.
fn note(id: &str, script: &str) -> PluginWrite {
    PluginWrite::Note { id: ExecutionId::new(id), note: format!("\"{}\"", script.replace('\n', "\\n")) }
}

fn label(id: &str, name: &str, value: &str) -> PluginWrite {
    PluginWrite::SetLabel { id: ExecutionId::new(id), name: name.into(), value: value.into() }
}

fn document(key: &str, revision: u64) -> PluginWrite {
    PluginWrite::PutDocument { collection: "things".into(), key: key.into(), value: "{}".into(), revision }
}

fn request(target: &str, path: &str) -> PluginWrite {
    PluginWrite::Request(Box::new(OutRequest {
        target: target.into(),
        method: "POST".into(),
        path: path.into(),
        headers: Vec::new(),
        body: None,
    }))
}

fn publish(topic: &str) -> PluginWrite {
    PluginWrite::Publish { to: dragoman_wasm::Readers::Subscribers, message: message(topic) }
}

fn message(topic: &str) -> dragoman_core::Message {
    let payload = dragoman_core::Payload::Text(String::new());
    dragoman_core::Message { topic: topic.into(), payload, qos: 0, retain: false, attributes: Vec::new() }
}

/// What the lamp answers to the first attempt of an execution.
fn answer(id: &str, report: Report) -> PluginWrite {
    PluginWrite::Tell { about: attempt(id), report, attributes: Vec::new() }
}

fn succeeded() -> Report {
    Report::Ended(Outcome::Succeeded(None))
}

/// The first attempt of an execution for the lamp, under the key that the plugin gave it.
fn attempt(id: &str) -> Correlation {
    Correlation { reporter: device("lamp"), key: format!("{id}-1") }
}

fn session(id: &str) -> SessionId {
    SessionId::new(id)
}

/// The session `s1`, of a device or of an application.
fn client(username: &str, dialect: &str, id: Option<&str>) -> Arc<Session> {
    Arc::new(Session {
        id: session("s1"),
        listener: "mqtt".into(),
        client_id: "client".into(),
        username: Some(username.into()),
        dialect: Some(dialect.into()),
        principal: Some("somebody".into()),
        device: id.map(device),
        protocol_level: 4,
    })
}
