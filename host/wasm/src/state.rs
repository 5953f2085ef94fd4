//! What lives beside an instance: its call in progress, and the little of WASI that it sees.

use crate::access::{Access, Export, Import};
use crate::check::Bounds;
use crate::context::CallContext;
use crate::deadline::{Deadline, HostTime};
use crate::error::Fault;
use crate::imports::Memo;
use crate::options::RuntimeOptions;
use crate::stdio::Stdio;
use crate::telemetry::LogBudget;
use crate::words::Question;
use crate::writes::PluginWrite;
use dragoman_core::{DeviceId, SessionId};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use wasmtime::ResourceLimiter;
use wasmtime_wasi::{HostWallClock, ResourceTable, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

/// What the imports know of the plugin that calls them.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) name: Arc<str>,
    pub(crate) settings: String,
    pub(crate) queues: Vec<Arc<str>>,
    /// Collections of documents and the fields that find documents in them.
    pub(crate) indexes: Vec<(String, String)>,
    pub(crate) options: Arc<RuntimeOptions>,
    pub(crate) bounds: Bounds,
    /// Linear memory of its largest instance so far, in bytes.
    pub(crate) memory_bytes: AtomicUsize,
}

/// The data of one store.
pub(crate) struct State {
    pub(crate) table: ResourceTable,
    wasi: WasiCtx,
    clock: Clock,
    pub(crate) memory: MemoryLimit,
    pub(crate) stdio: Stdio,
    /// Submissions that the plugin holds and has neither submitted nor dropped.
    pub(crate) drafts: u32,
    pub(crate) call: Call,
}

/// One call in progress.
pub(crate) struct Call {
    pub(crate) facts: Arc<Facts>,
    pub(crate) export: Export,
    /// None only in `describe`.
    pub(crate) context: Option<CallContext>,
    pub(crate) deadline: Arc<Deadline>,
    pub(crate) host_time: HostTime,
    pub(crate) about: About,
    pub(crate) memo: Memo,
    pub(crate) writes: Vec<PluginWrite>,
    pub(crate) questions: Vec<(DeviceId, Question)>,
    /// How many values of each counter it was given.
    pub(crate) numbers: HashMap<String, usize>,
    writes_bytes: usize,
    reads_bytes: usize,
    host_calls: u32,
    pub(crate) submissions: u32,
    pub(crate) log: LogBudget,
}

/// Whom a call is about, where that decides what it may do.
#[derive(Debug, Default)]
pub(crate) struct About {
    /// The device of the session that spoke; none: no session spoke.
    pub(crate) reporter: Option<Option<DeviceId>>,
    /// The session that is not admitted yet.
    pub(crate) admitting: Option<SessionId>,
}

impl State {
    pub(crate) fn new(call: Call) -> Self {
        let options = &call.facts.options;
        let stdio = Stdio::new(options.log_max_bytes);
        let clock = Clock(Arc::new(AtomicU64::new(call.now_ms())));
        // Nothing is inherited: no arguments, no environment, no folder, no network.
        let wasi = WasiCtxBuilder::new()
            .stdout(stdio.clone())
            .stderr(stdio.clone())
            .wall_clock(clock.clone())
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .build();
        let memory = MemoryLimit { used_bytes: 0, max_bytes: options.memory_max_bytes, facts: Arc::clone(&call.facts) };
        Self { table: ResourceTable::new(), wasi, clock, memory, stdio, drafts: 0, call }
    }

    /// Begins the next call on an instance that is used again.
    pub(crate) fn reset(&mut self, call: Call) {
        self.clock.0.store(call.now_ms(), Ordering::Relaxed);
        self.call = call;
    }
}

impl Call {
    pub(crate) fn new(facts: Arc<Facts>, export: Export, context: Option<CallContext>, about: About) -> Self {
        let options = &facts.options;
        let limit_ms = if export == Export::Describe { options.load_deadline_ms } else { options.deadline_ms };
        let deadline = Arc::new(Deadline::after(Duration::from_millis(limit_ms)));
        let host_time = HostTime::of(Duration::from_millis(options.host_time_ms));
        let log = LogBudget::new(Arc::clone(&facts.name), options.log_lines_max, options.log_max_bytes);
        Self {
            facts,
            export,
            context,
            deadline,
            host_time,
            about,
            memo: Memo::default(),
            writes: Vec::new(),
            questions: Vec::new(),
            numbers: HashMap::new(),
            writes_bytes: 0,
            reads_bytes: 0,
            host_calls: 0,
            submissions: 0,
            log,
        }
    }

    /// Forgets what the call was given and what it read, so that an instance that waits for its next call holds no
    /// credential and no record.
    pub(crate) fn end(&mut self) {
        self.context = None;
        self.about = About::default();
        self.memo = Memo::default();
        self.numbers.clear();
    }

    pub(crate) fn limit_ms(&self) -> u64 {
        let options = &self.facts.options;
        if self.export == Export::Describe { options.load_deadline_ms } else { options.deadline_ms }
    }

    fn now_ms(&self) -> u64 {
        self.context.as_ref().map_or(0, |context| context.now_ms)
    }

    /// Lets an import in, or faults: not every export may call every import, and not without end.
    pub(crate) fn enter(&mut self, import: Import) -> Result<&mut CallContext, Fault> {
        let (access, import) = (import.access(), import.name());
        if !self.export.allows(access) {
            return Err(Fault::DoesNotFit(format!("it called `{import}`, which is not allowed there")));
        }
        if access != Access::Own {
            self.host_calls += 1;
            let max = self.facts.options.host_calls_max;
            if self.host_calls > max {
                return Err(Fault::HostcallBudget(format!("more than {max} calls, the last one of `{import}`")));
            }
        }
        let missing = || Fault::DoesNotFit(format!("it called `{import}` outside of a call"));
        self.context.as_mut().ok_or_else(missing)
    }

    /// Buffers a write that keeps so many bytes, or faults.
    pub(crate) fn write(&mut self, bytes: usize, write: PluginWrite) -> Result<(), Fault> {
        self.charge(bytes)?;
        self.writes.push(write);
        Ok(())
    }

    /// Counts what was read, or faults: what does not fit into the plugin's memory is not kept for it either.
    pub(crate) fn charge_read(&mut self, bytes: usize) -> Result<(), Fault> {
        self.reads_bytes = self.reads_bytes.saturating_add(bytes);
        let max = self.facts.options.memory_max_bytes;
        if self.reads_bytes > max {
            return Err(Fault::HostcallBudget(format!("it reads more than {max} bytes of documents in one call")));
        }
        Ok(())
    }

    /// Counts what is going to be buffered, or faults.
    pub(crate) fn charge(&mut self, bytes: usize) -> Result<(), Fault> {
        self.writes_bytes = self.writes_bytes.saturating_add(bytes);
        let max = self.facts.options.writes_max_bytes;
        if self.writes_bytes > max {
            return Err(Fault::Output(format!("it writes more than {max} bytes in one call")));
        }
        Ok(())
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// The wall clock that a plugin sees stands still at the time of its call.
#[derive(Clone)]
struct Clock(Arc<AtomicU64>);

impl HostWallClock for Clock {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// Bounds the memories of an instance together. Growing past it ends the call at once, with a clearer reason than
/// the plugin's own failing allocation would give.
pub(crate) struct MemoryLimit {
    used_bytes: usize,
    max_bytes: usize,
    facts: Arc<Facts>,
}

impl MemoryLimit {
    /// What all memories of the instance have together; memory never shrinks.
    pub(crate) fn used_bytes(&self) -> usize {
        self.used_bytes
    }
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let used_bytes = self.used_bytes.saturating_add(desired.saturating_sub(current));
        if used_bytes > self.max_bytes {
            return Err(Fault::Memory { limit_bytes: self.max_bytes }.into());
        }
        self.used_bytes = used_bytes;
        self.facts.memory_bytes.fetch_max(used_bytes, Ordering::Relaxed);
        Ok(true)
    }

    fn table_growing(&mut self, _current: usize, _desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(true)
    }
}
