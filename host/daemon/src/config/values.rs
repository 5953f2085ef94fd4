//! The checked values of the configuration. The bounds are in `sections`.

use super::listeners::MqttListenerConfig;
use super::tls::TlsFiles;
use dragoman_wasm::Grants;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

/// `[http]`: the listener that applications call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HttpConfig {
    /// Default `127.0.0.1:8080`. Port 0 takes a free one.
    pub(crate) listen: SocketAddr,
    /// With it the listener speaks HTTPS. Default none.
    pub(crate) tls: Option<TlsFiles>,
    /// Largest request body; a longer one is refused. Default 262 144.
    pub(crate) body_max_bytes: usize,
    /// Most header fields of a request. Default 64.
    pub(crate) headers_max: usize,
    /// Connections that may be open at once. Default 10 000.
    pub(crate) connections_max: usize,
    /// How long a shutdown waits for calls that are under way. Default 20 000.
    pub(crate) shutdown_grace_ms: u64,
}

/// `[mqtt]`: the embedded broker.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MqttConfig {
    /// Default `127.0.0.1:1883`. Port 0 takes a free one.
    pub(crate) listen: SocketAddr,
    /// With it that listener speaks MQTT over TLS. Default none.
    pub(crate) tls: Option<TlsFiles>,
    /// Dialects that a connection is offered to, in this order. Default empty: every loaded one that claims connections, in
    /// order of their names.
    pub(crate) dialects: Vec<String>,
    /// The `[mqtt.listeners.NAME]` sections: further listeners. Default none.
    pub(crate) listeners: BTreeMap<String, MqttListenerConfig>,
    /// Largest packet; the connection of a longer one is closed. Default 262 144.
    pub(crate) packet_max_bytes: usize,
    /// Connections that may be open at once. Default 20 000.
    pub(crate) connections_max: usize,
    /// Subscriptions that one client may have. Default 200.
    pub(crate) subscriptions_max: usize,
}

/// `[admin]`: the listener that operators call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AdminConfig {
    /// Default `127.0.0.1:8081`. Port 0 takes a free one. An address that other machines may reach is refused unless
    /// `allow_remote` is true.
    pub(crate) listen: SocketAddr,
    /// With it the listener speaks HTTPS. Default none.
    pub(crate) tls: Option<TlsFiles>,
    /// Where the token comes from.
    pub(crate) token: TokenSource,
}

/// Where the admin token comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TokenSource {
    /// `token_env`: this environment variable.
    Env(String),
    /// `token_file`: this file, which the operator made.
    File(PathBuf),
    /// Neither is set: `admin.token` in the data folder, made at the first start, readable by its owner only.
    Made(PathBuf),
}

/// `[plugins]`: the folder, and what holds for every plugin.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PluginsConfig {
    /// Folder of the `.wasm` files. Default `plugins`, next to the configuration file.
    pub(crate) folder: PathBuf,
    /// Instances of all plugins that may be alive at once. Default 64.
    pub(crate) instances_max: u32,
    /// Of these, those of one plugin; a slow one leaves the rest to the others. Default three quarters of them.
    pub(crate) instances_per_plugin_max: u32,
    /// Size of a plugin's file. Default 67 108 864.
    pub(crate) file_max_bytes: u64,
    /// Linear memory of one instance. Default 67 108 864.
    pub(crate) memory_max_bytes: usize,
    /// Time of one call, without the time that the gateway needs to answer what the plugin asks. Default 250.
    pub(crate) deadline_ms: u64,
    /// Log text of one call; what exceeds it is counted, not kept. Default 16 384.
    pub(crate) log_bytes_max: usize,
    /// What one call may write through its imports, in all. Default 16 777 216.
    pub(crate) writes_max_bytes: usize,
    /// Calls of imports that one call may make. Default 1 000.
    pub(crate) host_calls_max: u32,
    /// Processor time that compiling a file may take. Default 120 000.
    pub(crate) compile_ms: u64,
    /// Memory that its compiler may need. Default 2 147 483 648.
    pub(crate) compile_memory_max_bytes: u64,
    /// Older versions of one plugin that open commands may hold; the next version waits. Default 32.
    pub(crate) older_versions_max: usize,
    /// So many faults within the window put a plugin into quarantine; 0: none do. Default 20.
    pub(crate) quarantine_faults: u32,
    /// That window. Default 60 000.
    pub(crate) quarantine_window_ms: u64,
    /// How long the first quarantine lasts; each that follows at once lasts twice as long. Default 5 000.
    pub(crate) quarantine_backoff_ms: u64,
    /// How long one lasts at most. Default 300 000.
    pub(crate) quarantine_backoff_max_ms: u64,
    /// Messages that plugins failed to read and that are kept; 0: none are. Default 10 000.
    pub(crate) dead_letters_max: usize,
    /// What they may take in all. Default 67 108 864.
    pub(crate) dead_letters_max_bytes: u64,
    /// What a plugin without grants of its own may import. Default nothing.
    pub(crate) grants: Grants,
}

/// `[plugin.NAME]`: what holds for one plugin.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct PluginConfig {
    /// How instances are made. Default a fresh one for each call.
    pub(crate) instances: Instances,
    /// What it may import beside `host`. Default none of its own: [`PluginsConfig::grants`].
    pub(crate) grants: Option<Grants>,
    /// `[plugin.NAME.settings]` as JSON, for the plugin's `host.settings`. Default empty.
    pub(crate) settings: Map<String, Value>,
}

/// How the instances of a plugin are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Instances {
    /// A fresh one for each call, so that nothing is carried from one call to the next.
    #[default]
    Fresh,
    /// Kept and used again.
    Pool {
        /// Instances kept. Default 2.
        size: u32,
        /// Calls after which one is thrown away. Default 1 000.
        recycle_after_calls: u32,
        /// Memory beyond which one is thrown away. Default 33 554 432.
        recycle_after_bytes: usize,
    },
}

/// `[store]`: the execution store.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StoreConfig {
    /// What is waited for before anything leaves the process. Default committed.
    pub(crate) durability: Durability,
    /// How long ended executions and their history are kept. Default 30.
    pub(crate) retention_days: u32,
}

/// What is waited for before anything leaves the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// The disk has it.
    Committed,
    /// The store has it; a power loss may forget the last second.
    Relaxed,
}

/// `[limits]`: bounds of the command engine.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LimitsConfig {
    /// Executions that may be open at once. Default 1 000 000.
    pub(crate) open_max: usize,
    /// Executions that may be open for one device at once. Default 10 000.
    pub(crate) open_per_device_max: usize,
    /// HTTP calls that may wait for a command at once. Default 20 000.
    pub(crate) http_waiting_max: usize,
    /// How long an idempotency key is remembered. Default 24, the least.
    pub(crate) idempotency_hours: u32,
}

/// `[log]`: what is logged, on standard error.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LogConfig {
    /// Default text.
    pub(crate) format: LogFormat,
    /// Level, or levels per target as in `info,dragoman::http=debug`. Default `info`.
    pub(crate) filter: String,
}

/// How a log line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// For collectors, an object a line.
    Json,
}
