//! The limits of plugins, each with its unit and default.

use crate::grants::{Grants, Interface};
use std::ffi::OsString;
use std::path::PathBuf;

/// Limits of every plugin together and of each call. A plugin that goes past a limit of its call faults; the call
/// writes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuntimeOptions {
    /// Calls that may run at once in fresh instances; address space for as many is reserved. Default 32.
    pub instances_max: u32,
    /// Instances of all pooled plugins together that are kept warm between calls. Default 8.
    pub pooled_instances_max: u32,
    /// Of these, those of one plugin, so that a slow one leaves some to the others. Default 24.
    pub instances_per_plugin_max: u32,
    /// Calls of one plugin that may wait for an instance; the next one is refused with
    /// [`Fault::Busy`](crate::Fault::Busy). Default 1024.
    pub waiting_max: usize,
    /// How long a call may wait for an instance, in milliseconds. Default 2000.
    pub wait_ms: u64,
    /// Linear memory of one instance, all its memories together, in bytes. Default 64 MiB.
    pub memory_max_bytes: usize,
    /// Time of one call in milliseconds, without the time that the host needs to answer what the plugin asks. Default
    /// 250.
    pub deadline_ms: u64,
    /// Time that the host may need in one call to answer what the plugin asks, in milliseconds. Default 10 000.
    pub host_time_ms: u64,
    /// Time for the first instance of a file and its `describe`, in milliseconds. Default 5000.
    pub load_deadline_ms: u64,
    /// Size of a plugin's file in bytes. Default 64 MiB.
    pub file_max_bytes: u64,
    /// What one crossing from plugin to host (arguments of an import, the answer of a call) may copy, in bytes.
    /// Default 8 MiB.
    pub hostcall_fuel_bytes: usize,
    /// Imports that read or write something of the host, per call; `host.*` is limited by time only. Default 1000.
    pub host_calls_max: u32,
    /// Commands that one call may submit. Default 256.
    pub submissions_max: u32,
    /// Everything that one call buffers to be written, in bytes. Default 16 MiB.
    pub writes_max_bytes: usize,
    /// Lines of log per call that are kept; what exceeds it is counted. Default 50.
    pub log_lines_max: u32,
    /// Log and standard output per call that are kept, in bytes each; what exceeds it is counted. Default 16 KiB.
    pub log_max_bytes: usize,
    /// One JSON document or payload of the contract, in bytes. Default 262 144.
    pub json_max_bytes: usize,
    /// The body of one response, in bytes. Default 4 MiB.
    pub response_max_bytes: usize,
    /// What a plugin is granted that has no grants of its own. Default everything.
    pub grants: Grants,
    /// When a plugin that keeps failing is not called for a while.
    pub quarantine: QuarantineOptions,
    /// The command of a program that calls [`compile_for_parent`](crate::compile_for_parent): files are then compiled in a
    /// process of its own, within the next two limits. Default none: they are compiled in this process, without limits.
    pub compiler: Option<Vec<OsString>>,
    /// Processor time that compiling a file may take, in milliseconds. Default 120 000.
    pub compile_ms: u64,
    /// What the compiler may need of memory for a file, in bytes. Default 2 GiB.
    pub compile_memory_max_bytes: u64,
    /// Older versions of one plugin that open commands may hold, each with its code in memory; the next version waits.
    /// Default 32.
    pub older_versions_max: usize,
    /// How long a start waits for files that it has to load, in milliseconds. Default 60 000.
    pub start_wait_ms: u64,
    /// Where compiled code is kept, a folder that only the daemon may write (it is made with mode 0700, and refused
    /// when others may write to it). Default none: every start compiles every file.
    pub cache_dir: Option<PathBuf>,
    /// Where copies of the versions that serve are kept, and which served, for what comes after a restart: commands that
    /// need one, and files that are refused. Default none: a command goes over to the newest version then, and nothing
    /// serves for a file that is refused at a start.
    pub kept_dir: Option<PathBuf>,
}

impl Default for RuntimeOptions {
    fn default() -> Self {
        Self {
            instances_max: 32,
            instances_per_plugin_max: 24,
            pooled_instances_max: 8,
            waiting_max: 1024,
            wait_ms: 2000,
            memory_max_bytes: 64 << 20,
            deadline_ms: 250,
            host_time_ms: 10_000,
            load_deadline_ms: 5000,
            file_max_bytes: 64 << 20,
            hostcall_fuel_bytes: 8 << 20,
            host_calls_max: 1000,
            submissions_max: 256,
            writes_max_bytes: 16 << 20,
            log_lines_max: 50,
            log_max_bytes: 16 << 10,
            json_max_bytes: 262_144,
            response_max_bytes: 4 << 20,
            grants: Interface::ALL.into_iter().collect(),
            quarantine: QuarantineOptions::default(),
            compiler: None,
            compile_ms: 120_000,
            compile_memory_max_bytes: 2 << 30,
            older_versions_max: 32,
            start_wait_ms: 60_000,
            cache_dir: None,
            kept_dir: None,
        }
    }
}

/// When a version of a plugin that keeps failing is not called for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuarantineOptions {
    /// So many faults within the window put it into quarantine; 0: none do. Default 20.
    pub faults_max: u32,
    /// The window in milliseconds. Default 60 000.
    pub window_ms: u64,
    /// How long the first quarantine lasts, in milliseconds; each that follows at once lasts twice as long. Default 5000.
    pub backoff_ms: u64,
    /// How long one lasts at most, in milliseconds. Default 300 000.
    pub backoff_max_ms: u64,
}

impl Default for QuarantineOptions {
    fn default() -> Self {
        Self { faults_max: 20, window_ms: 60_000, backoff_ms: 5000, backoff_max_ms: 300_000 }
    }
}

/// What the configuration says about one plugin, by the name it describes itself with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginOptions {
    /// What `host.settings` answers: a JSON object. Default `{}`.
    pub settings: String,
    /// Keep instances between calls. Default none: every call gets a fresh instance.
    pub pool: Option<PoolOptions>,
    /// What it may import beside `host`. Default none of its own: [`RuntimeOptions::grants`].
    pub grants: Option<Grants>,
}

impl Default for PluginOptions {
    fn default() -> Self {
        Self { settings: "{}".into(), pool: None, grants: None }
    }
}

/// Instances of one plugin that are kept between calls. For languages whose instances are dear (JavaScript, Python);
/// the plugin's state then lives as long as its instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolOptions {
    /// Calls of this plugin that may run at once, and instances that are kept. Default 2.
    pub instances_max: u32,
    /// Calls after which an instance is replaced. Default 1000.
    pub calls_max: u32,
    /// An instance whose memory has grown beyond so many bytes is replaced. Default 32 MiB.
    pub bytes_max: usize,
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self { instances_max: 2, calls_max: 1000, bytes_max: 32 << 20 }
    }
}
