//! A folder with plugins in it, and short ways to call them.

use crate::guests;
use crate::host::FakeHost;
use dragoman_core::{Message, Payload, Session, SessionId};
use dragoman_wasm::{
    CallContext, CallError, Decision, Done, Fault, IdSource, Numbers, Plugin, PluginFolder, PluginOptions, Presented,
    QuarantineOptions, Request, Runtime, RuntimeOptions, Secret,
};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

pub const NOW_MS: u64 = 1_700_000_000_123;
/// As many calls as may run at once in a test.
pub const INSTANCES: u32 = 4;

pub struct World {
    pub runtime: Runtime,
    pub folder: PluginFolder,
    pub host: Arc<FakeHost>,
    pub plugin: Arc<Plugin>,
    dir: TempDir,
}

/// Limits for calls that are meant to return: the machine may be busy.
pub fn patient() -> RuntimeOptions {
    RuntimeOptions {
        instances_max: INSTANCES,
        instances_per_plugin_max: INSTANCES,
        pooled_instances_max: 2,
        deadline_ms: 60_000,
        load_deadline_ms: 60_000,
        wait_ms: 60_000,
        cache_dir: Some(cache_dir()),
        // Many tests provoke fault after fault.
        quarantine: QuarantineOptions { faults_max: 0, ..QuarantineOptions::default() },
        ..RuntimeOptions::default()
    }
}

/// Compiled code is shared by all tests, which run in processes of their own.
fn cache_dir() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled")
}

/// A world with the scripted dialect.
pub async fn world(options: RuntimeOptions, plugin: PluginOptions) -> World {
    open("scripted", &guests::scripted(), options, plugin).await
}

/// A world with one plugin.
pub async fn open(name: &str, wasm: &[u8], options: RuntimeOptions, plugin: PluginOptions) -> World {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(format!("{name}.wasm")), wasm).unwrap();
    let runtime = Runtime::new(options).unwrap();
    let options = BTreeMap::from([(name.to_owned(), plugin)]);
    let folder = PluginFolder::open(runtime.clone(), dir.path(), options).await.unwrap();
    let catalog = folder.catalog();
    assert_eq!(catalog.refused, []);
    let plugin = Arc::clone(catalog.get(name).unwrap());
    World { runtime, folder, host: FakeHost::new(), plugin, dir }
}

/// What a call is given.
pub fn call(host: &Arc<FakeHost>) -> CallContext {
    CallContext {
        host: Arc::clone(host) as Arc<dyn dragoman_wasm::HostReads>,
        now_ms: NOW_MS,
        ids: IdSource::new([1; 16], NOW_MS),
        presented: None,
        numbers: Numbers::default(),
    }
}

impl World {
    pub fn path(&self, file: &str) -> PathBuf {
        self.dir.path().join(file)
    }

    /// The folder alone; the rest lives as long as what comes with it.
    pub fn without_plugin(self) -> (PluginFolder, Box<dyn std::any::Any>) {
        let Self { runtime, folder, host, plugin: _, dir } = self;
        (folder, Box::new((runtime, host, dir)))
    }

    pub fn call(&self) -> CallContext {
        call(&self.host)
    }

    pub fn call_presenting(&self, secret: &str) -> CallContext {
        let secret = Secret::new(secret.into());
        let presented = Presented { scheme: "basic".into(), account: Some("user".into()), secret };
        CallContext { presented: Some(presented), ..self.call() }
    }

    /// Runs a script in `northbound.handle-request`.
    pub async fn request(&self, script: &str) -> Result<Done<Decision>, CallError> {
        self.plugin.handle_request(self.call(), &request(script)).await
    }

    /// What a script in `northbound.handle-request` said.
    pub async fn says(&self, script: &str) -> String {
        said(self.request(script).await)
    }

    /// What went wrong with a script in `northbound.handle-request`. Afterwards every instance must be free again, and
    /// the next call must not notice anything.
    pub async fn fault(&self, script: &str) -> Fault {
        let fault = self.request(script).await.unwrap_err().fault;
        self.is_unharmed().await;
        fault
    }

    /// Every slot is free, and a call does what it should.
    pub async fn is_unharmed(&self) {
        assert_eq!(self.runtime.instances_free(), INSTANCES as usize);
        let next = self.request("now").await.unwrap();
        assert_eq!(next.writes, []);
        assert_eq!(said(Ok(next)), NOW_MS.to_string());
        assert_eq!(self.runtime.instances_free(), INSTANCES as usize);
    }
}

pub fn said(result: Result<Done<Decision>, CallError>) -> String {
    match result.unwrap().value {
        Decision::Respond(response) => String::from_utf8(response.body.as_bytes().to_vec()).unwrap(),
        Decision::Wait(_) => panic!("it waits"),
    }
}

pub fn request(script: &str) -> Request {
    Request {
        method: "POST".into(),
        path: "/scripted/x".into(),
        query: "a=b".into(),
        headers: vec![("x".into(), "1".into()), ("x".into(), "2".into())],
        body: Payload::from(script.as_bytes().to_vec()),
        request_id: "r1".into(),
    }
}

/// A session of the device `d1`.
pub fn session(script: &str) -> Session {
    Session {
        id: SessionId::new("s1"),
        listener: "mqtt".into(),
        client_id: "d1".into(),
        username: Some(script.into()),
        dialect: Some("scripted".into()),
        principal: None,
        device: Some(dragoman_core::DeviceId::new("d1")),
        protocol_level: 5,
    }
}

pub fn message(script: &str) -> Message {
    let payload = Payload::Text(script.into());
    Message { topic: "scripted/d1/up".into(), payload, qos: 1, retain: false, attributes: Vec::new() }
}
