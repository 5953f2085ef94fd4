//! The configuration in the words of the crates it sets up.

use crate::config::{Config, Durability, Instances};
use dragoman_core::Limits;
use dragoman_wasm::{PluginOptions, PoolOptions, QuarantineOptions, RuntimeOptions};
use std::collections::BTreeMap;
use std::ffi::OsString;

/// Folder of compiled plugins inside the data folder; nobody but the daemon writes it.
const COMPILED: &str = "compiled";
/// Folder of the versions that serve or that open commands need, inside the data folder.
const KEPT: &str = "plugins-kept";

/// The word on the command line with which this program compiles a plugin for a daemon.
pub const COMPILE_PLUGIN: &str = "compile-plugin";

/// This program, also where its file was replaced by a newer one since it started.
#[cfg(target_os = "linux")]
fn own_program() -> OsString {
    "/proc/self/exe".into()
}

#[cfg(not(target_os = "linux"))]
fn own_program() -> OsString {
    std::env::current_exe().map_or_else(|_| "dragoman".into(), Into::into)
}

/// Bounds of the machine.
pub fn core_limits(config: &Config) -> Limits {
    Limits { open_max: config.limits.open_max, open_per_device_max: config.limits.open_per_device_max }
}

/// What is waited for before anything leaves.
pub fn durability(config: &Config) -> dragoman_store::Durability {
    match config.store.durability {
        Durability::Committed => dragoman_store::Durability::Committed,
        Durability::Relaxed => dragoman_store::Durability::Relaxed,
    }
}

/// Bounds of the plugin runtime.
pub fn runtime_options(config: &Config) -> RuntimeOptions {
    let plugins = &config.plugins;
    let pooled = config.named_plugins.values().map(|plugin| match plugin.instances {
        Instances::Fresh => 0,
        Instances::Pool { size, .. } => size,
    });
    RuntimeOptions {
        pooled_instances_max: pooled.sum(),
        instances_max: plugins.instances_max,
        file_max_bytes: plugins.file_max_bytes,
        instances_per_plugin_max: plugins.instances_per_plugin_max,
        memory_max_bytes: plugins.memory_max_bytes,
        deadline_ms: plugins.deadline_ms,
        log_max_bytes: plugins.log_bytes_max,
        writes_max_bytes: plugins.writes_max_bytes,
        host_calls_max: plugins.host_calls_max,
        grants: plugins.grants.clone(),
        quarantine: QuarantineOptions {
            faults_max: plugins.quarantine_faults,
            window_ms: plugins.quarantine_window_ms,
            backoff_ms: plugins.quarantine_backoff_ms,
            backoff_max_ms: plugins.quarantine_backoff_max_ms,
        },
        json_max_bytes: config.http.body_max_bytes,
        compile_ms: plugins.compile_ms,
        compile_memory_max_bytes: plugins.compile_memory_max_bytes,
        older_versions_max: plugins.older_versions_max,
        compiler: Some(vec![own_program(), COMPILE_PLUGIN.into()]),
        cache_dir: Some(config.data_dir.join(COMPILED)),
        kept_dir: Some(config.data_dir.join(KEPT)),
        ..RuntimeOptions::default()
    }
}

/// What holds for each plugin that has a section.
pub fn plugin_options(config: &Config) -> BTreeMap<String, PluginOptions> {
    let named = config.named_plugins.iter().map(|(name, plugin)| {
        let pool = match plugin.instances {
            Instances::Fresh => None,
            Instances::Pool { size, recycle_after_calls, recycle_after_bytes } => {
                let bytes_max = recycle_after_bytes;
                Some(PoolOptions { instances_max: size, calls_max: recycle_after_calls, bytes_max })
            }
        };
        let settings = serde_json::Value::Object(plugin.settings.clone()).to_string();
        (name.clone(), PluginOptions { settings, pool, grants: plugin.grants.clone() })
    });
    named.collect()
}
