//! Every key of the file, its default and its bounds.

use super::reader::{Place, Section};
use super::{
    AdminConfig, Config, ConfigError, Durability, HttpConfig, Instances, LimitsConfig, LogConfig, LogFormat,
    MqttConfig, PluginConfig, PluginsConfig, StoreConfig, TlsConfig, TokenSource, brokers, listeners, settings,
    targets, tls,
};
use dragoman_wasm::{Grants, Interface};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use toml::de::DeTable;

const ROOT: [&str; 12] =
    ["data_dir", "http", "mqtt", "brokers", "admin", "tls", "plugins", "plugin", "targets", "store", "limits", "log"];
const HTTP: [&str; 8] = [
    "listen",
    "certificate_file",
    "key_file",
    "client_ca_file",
    "body_max_bytes",
    "headers_max",
    "connections_max",
    "shutdown_grace_ms",
];
const ADMIN: [&str; 7] =
    ["listen", "certificate_file", "key_file", "client_ca_file", "allow_remote", "token_env", "token_file"];
const PLUGINS: [&str; 19] = [
    "folder",
    "instances_max",
    "instances_per_plugin_max",
    "file_max_bytes",
    "memory_max_bytes",
    "deadline_ms",
    "log_bytes_max",
    "writes_max_bytes",
    "host_calls_max",
    "compile_ms",
    "compile_memory_max_bytes",
    "older_versions_max",
    "quarantine_faults",
    "quarantine_window_ms",
    "quarantine_backoff_ms",
    "quarantine_backoff_max_ms",
    "dead_letters_max",
    "dead_letters_max_bytes",
    "grants",
];
const PLUGIN: [&str; 6] =
    ["grants", "instances", "pool_size", "recycle_after_calls", "recycle_after_bytes", "settings"];
const STORE: [&str; 2] = ["durability", "retention_days"];
const LIMITS: [&str; 4] = ["open_max", "open_per_device_max", "http_waiting_max", "idempotency_hours"];
const LOG: [&str; 2] = ["format", "filter"];

/// Every table and its keys, for the test of the example, with a star for whatever name the example gives.
#[cfg(test)]
pub(super) const TABLES: [(&str, &[&str]); 13] = [
    ("", &ROOT),
    ("http", &HTTP),
    ("mqtt", &listeners::MQTT),
    ("mqtt.listeners.*", &listeners::LISTENER),
    ("tls", &tls::TLS),
    ("brokers.*", &brokers::BROKER),
    ("admin", &ADMIN),
    ("plugins", &PLUGINS),
    ("plugin.*", &PLUGIN),
    ("targets.*", &targets::TARGET),
    ("store", &STORE),
    ("limits", &LIMITS),
    ("log", &LOG),
];

/// A message or body smaller than this carries no command; one that is larger belongs into object storage.
pub(super) const MESSAGE_BYTES: RangeInclusive<u64> = 1_024..=16_777_216;
pub(super) const CONNECTIONS: RangeInclusive<u64> = 1..=1_000_000;
/// From one page of WebAssembly to all that 32 bits address.
const MEMORY_BYTES: RangeInclusive<u64> = 65_536..=4_294_967_296;
const DEADLINE_MS: RangeInclusive<u64> = 1..=60_000;
/// Up to a day.
const BACKOFF_MS: RangeInclusive<u64> = 1..=86_400_000;

/// The configuration without a file.
pub(super) fn defaults(folder: &Path) -> Config {
    let data_dir = folder.join("data");
    Config {
        file: None,
        http: HttpConfig {
            listen: loopback(8080),
            tls: None,
            body_max_bytes: 262_144,
            headers_max: 64,
            connections_max: 10_000,
            shutdown_grace_ms: 20_000,
        },
        mqtt: MqttConfig {
            listen: loopback(1883),
            tls: None,
            dialects: Vec::new(),
            listeners: BTreeMap::new(),
            packet_max_bytes: 262_144,
            connections_max: 20_000,
            subscriptions_max: 200,
        },
        admin: AdminConfig { listen: loopback(8081), tls: None, token: TokenSource::Made(made_token(&data_dir)) },
        tls: TlsConfig::default(),
        plugins: PluginsConfig {
            folder: folder.join("plugins"),
            instances_max: 64,
            instances_per_plugin_max: 48,
            file_max_bytes: 67_108_864,
            memory_max_bytes: 67_108_864,
            deadline_ms: 250,
            log_bytes_max: 16_384,
            writes_max_bytes: 16_777_216,
            host_calls_max: 1_000,
            compile_ms: 120_000,
            compile_memory_max_bytes: 2_147_483_648,
            older_versions_max: 32,
            quarantine_faults: 20,
            quarantine_window_ms: 60_000,
            quarantine_backoff_ms: 5_000,
            quarantine_backoff_max_ms: 300_000,
            dead_letters_max: 10_000,
            dead_letters_max_bytes: 67_108_864,
            grants: Grants::new(),
        },
        named_plugins: BTreeMap::new(),
        targets: BTreeMap::new(),
        brokers: BTreeMap::new(),
        store: StoreConfig { durability: Durability::Committed, retention_days: 30 },
        limits: LimitsConfig {
            open_max: 1_000_000,
            open_per_device_max: 10_000,
            http_waiting_max: 20_000,
            idempotency_hours: 24,
        },
        log: LogConfig { format: LogFormat::Text, filter: "info".to_owned() },
        data_dir,
    }
}

/// The configuration that the text of a file describes.
pub(super) fn parse(file: &Path, text: &str) -> Result<Config, ConfigError> {
    let place = Place { file, text };
    let document = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        place.error(at, format!("this is not TOML: {}", error.message()))
    })?;
    let root = Section::root(&place, document.get_ref(), &ROOT)?;
    let folder = file.parent().unwrap_or_else(|| Path::new(""));
    let defaults = defaults(folder);
    let data_dir = path(&root, "data_dir", folder, defaults.data_dir)?;
    let http = http(&root.section("http", &HTTP)?, folder, &defaults.http)?;
    let mqtt = listeners::mqtt(&root.section("mqtt", &listeners::MQTT)?, folder, defaults.mqtt)?;
    let admin = admin(&root.section("admin", &ADMIN)?, folder, &data_dir, &defaults.admin)?;
    let plugins = plugins(&root.section("plugins", &PLUGINS)?, folder, defaults.plugins)?;
    let store = store(&root.section("store", &STORE)?, &defaults.store)?;
    let config = Config {
        file: Some(file.to_owned()),
        named_plugins: named_plugins(&root, &plugins)?,
        targets: targets::all(&root, folder)?,
        brokers: brokers::all(&root, folder)?,
        limits: limits(&root.section("limits", &LIMITS)?, &defaults.limits, store.retention_days)?,
        store,
        log: log(&root.section("log", &LOG)?, defaults.log)?,
        tls: tls::bounds(&root.section("tls", &tls::TLS)?)?,
        data_dir,
        http,
        mqtt,
        admin,
        plugins,
    };
    distinct_listeners(&root, &config)?;
    Ok(config)
}

fn http(section: &Section<'_>, folder: &Path, default: &HttpConfig) -> Result<HttpConfig, ConfigError> {
    Ok(HttpConfig {
        listen: listen(section, default.listen)?,
        tls: tls::files(section, folder)?,
        body_max_bytes: section.integer("body_max_bytes", MESSAGE_BYTES, default.body_max_bytes)?,
        headers_max: section.integer("headers_max", 8..=1_024, default.headers_max)?,
        connections_max: section.integer("connections_max", CONNECTIONS, default.connections_max)?,
        shutdown_grace_ms: section.integer("shutdown_grace_ms", 0..=600_000, default.shutdown_grace_ms)?,
    })
}

fn admin(
    section: &Section<'_>,
    folder: &Path,
    data_dir: &Path,
    default: &AdminConfig,
) -> Result<AdminConfig, ConfigError> {
    let listen = listen(section, default.listen)?;
    let allow_remote = section.boolean("allow_remote", false)?;
    if !listen.ip().is_loopback() && !allow_remote {
        return Err(section.error(
            "listen",
            format!(
                "is \"{listen}\", which other machines may reach: whoever has the token commands every device; \
                 use a loopback address, or set admin.allow_remote = true"
            ),
        ));
    }
    let token = match (section.text("token_env")?, section.has("token_file")) {
        (Some(_), true) => {
            return Err(section.error("token_file", "and admin.token_env are both set; keep one of them"));
        }
        (Some(name), false) => TokenSource::Env(name.to_owned()),
        (None, true) => TokenSource::File(path(section, "token_file", folder, PathBuf::new())?),
        (None, false) => TokenSource::Made(made_token(data_dir)),
    };
    Ok(AdminConfig { listen, tls: tls::files(section, folder)?, token })
}

fn plugins(section: &Section<'_>, folder: &Path, default: PluginsConfig) -> Result<PluginsConfig, ConfigError> {
    let backoff_ms = section.integer("quarantine_backoff_ms", BACKOFF_MS, default.quarantine_backoff_ms)?;
    let longest_ms = default.quarantine_backoff_max_ms.max(backoff_ms);
    let backoff_max_ms = section.integer("quarantine_backoff_max_ms", BACKOFF_MS, longest_ms)?;
    if backoff_max_ms < backoff_ms {
        let problem = format!("is {backoff_max_ms}, less than plugins.quarantine_backoff_ms, which is {backoff_ms}");
        return Err(section.error("quarantine_backoff_max_ms", problem));
    }
    let instances_max = section.integer("instances_max", 1..=10_000, default.instances_max)?;
    let three_quarters = (instances_max.saturating_mul(3) / 4).max(1);
    Ok(PluginsConfig {
        folder: path(section, "folder", folder, default.folder)?,
        instances_max,
        instances_per_plugin_max: section.integer("instances_per_plugin_max", 1..=10_000, three_quarters)?,
        file_max_bytes: section.integer("file_max_bytes", 1_024..=1_073_741_824, default.file_max_bytes)?,
        memory_max_bytes: section.integer("memory_max_bytes", MEMORY_BYTES, default.memory_max_bytes)?,
        deadline_ms: section.integer("deadline_ms", DEADLINE_MS, default.deadline_ms)?,
        log_bytes_max: section.integer("log_bytes_max", 0..=1_048_576, default.log_bytes_max)?,
        writes_max_bytes: section.integer("writes_max_bytes", 1_024..=1_073_741_824, default.writes_max_bytes)?,
        host_calls_max: section.integer("host_calls_max", 1..=1_000_000, default.host_calls_max)?,
        compile_ms: section.integer("compile_ms", 1_000..=3_600_000, default.compile_ms)?,
        compile_memory_max_bytes: section.integer(
            "compile_memory_max_bytes",
            67_108_864..=1_099_511_627_776,
            default.compile_memory_max_bytes,
        )?,
        older_versions_max: section.integer("older_versions_max", 1..=1_000, default.older_versions_max)?,
        quarantine_faults: section.integer("quarantine_faults", 0..=1_000_000, default.quarantine_faults)?,
        quarantine_window_ms: section.integer("quarantine_window_ms", BACKOFF_MS, default.quarantine_window_ms)?,
        quarantine_backoff_ms: backoff_ms,
        quarantine_backoff_max_ms: backoff_max_ms,
        dead_letters_max: section.integer("dead_letters_max", 0..=1_000_000, default.dead_letters_max)?,
        dead_letters_max_bytes: section.integer(
            "dead_letters_max_bytes",
            1_024..=17_179_869_184,
            default.dead_letters_max_bytes,
        )?,
        grants: grants(section)?.unwrap_or_default(),
    })
}

fn named_plugins(root: &Section<'_>, plugins: &PluginsConfig) -> Result<BTreeMap<String, PluginConfig>, ConfigError> {
    let named = root.open_section("plugin")?;
    named
        .keys()
        .map(|name| {
            let name = name.get_ref().as_ref();
            if !is_plugin_name(name) {
                return Err(named.error(
                    name,
                    "names no plugin: names are lower-case letters, digits and hyphens, at most 64, and begin with a \
                     letter",
                ));
            }
            Ok((name.to_owned(), plugin(&named.section(name, &PLUGIN)?, plugins)?))
        })
        .collect()
}

fn plugin(section: &Section<'_>, plugins: &PluginsConfig) -> Result<PluginConfig, ConfigError> {
    let pooled = section.choice("instances", &[("fresh", false), ("pool", true)], false)?;
    let size = section.integer("pool_size", 1..=10_000, 2.min(plugins.instances_max))?;
    let recycle_after_calls = section.integer("recycle_after_calls", 1..=1_000_000_000, 1_000)?;
    let recycle_after_bytes = section.integer("recycle_after_bytes", MEMORY_BYTES, 33_554_432)?;
    let of_pools = ["pool_size", "recycle_after_calls", "recycle_after_bytes"];
    if !pooled && let Some(key) = of_pools.into_iter().find(|key| section.has(key)) {
        return Err(section.error(key, format!("means nothing without {} = \"pool\"", section.full("instances"))));
    }
    if size > plugins.instances_max {
        let most = plugins.instances_max;
        return Err(section.error("pool_size", format!("is {size}, more than plugins.instances_max, which is {most}")));
    }
    Ok(PluginConfig {
        grants: grants(section)?,
        instances: if pooled {
            Instances::Pool { size, recycle_after_calls, recycle_after_bytes }
        } else {
            Instances::Fresh
        },
        settings: settings::object(&section.open_section("settings")?)?,
    })
}

/// Interfaces of the contract by their names.
fn grants(section: &Section<'_>) -> Result<Option<Grants>, ConfigError> {
    let known = Interface::ALL.map(|interface| format!("\"{interface}\"")).join(", ");
    let words = section.texts("grants", &format!("one of {known}"), |word| Interface::of(word).is_some())?;
    Ok(words.map(|words| words.iter().filter_map(|word| Interface::of(word)).collect()))
}

fn store(section: &Section<'_>, default: &StoreConfig) -> Result<StoreConfig, ConfigError> {
    let words = [("committed", Durability::Committed), ("relaxed", Durability::Relaxed)];
    Ok(StoreConfig {
        durability: section.choice("durability", &words, default.durability)?,
        retention_days: section.integer("retention_days", 1..=3_650, default.retention_days)?,
    })
}

fn limits(section: &Section<'_>, default: &LimitsConfig, retention_days: u32) -> Result<LimitsConfig, ConfigError> {
    let idempotency_hours = section.integer("idempotency_hours", 24..=8_760, default.idempotency_hours)?;
    if idempotency_hours > retention_days.saturating_mul(24) {
        let why = format!("is {idempotency_hours}, longer than store.retention_days, which is {retention_days}");
        return Err(section.error("idempotency_hours", format!("{why}: what was pruned is not remembered")));
    }
    Ok(LimitsConfig {
        open_max: section.integer("open_max", 1..=10_000_000, default.open_max)?,
        open_per_device_max: section.integer("open_per_device_max", 1..=1_000_000, default.open_per_device_max)?,
        http_waiting_max: section.integer("http_waiting_max", 1..=1_000_000, default.http_waiting_max)?,
        idempotency_hours,
    })
}

fn log(section: &Section<'_>, default: LogConfig) -> Result<LogConfig, ConfigError> {
    let words = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    let expected = "a level (error, warn, info, debug, trace) or levels per target, such as \"info,dragoman=debug\"";
    Ok(LogConfig {
        format: section.choice("format", &words, default.format)?,
        filter: section.parsed("filter", expected, default.filter, |text| {
            tracing_subscriber::EnvFilter::builder().parse(text).is_ok().then(|| text.to_owned())
        })?,
    })
}

pub(super) fn listen(section: &Section<'_>, default: SocketAddr) -> Result<SocketAddr, ConfigError> {
    section.parsed("listen", "an address and a port, such as \"127.0.0.1:8080\"", default, |text| text.parse().ok())
}

/// Two listeners on one address would fail later, with an error that names neither key.
fn distinct_listeners(root: &Section<'_>, config: &Config) -> Result<(), ConfigError> {
    let mut listeners = vec![
        ("http".to_owned(), config.http.listen),
        ("mqtt".to_owned(), config.mqtt.listen),
        ("admin".to_owned(), config.admin.listen),
    ];
    let further = config.mqtt.listeners.iter();
    listeners.extend(further.map(|(name, listener)| (format!("mqtt.listeners.{name}"), listener.listen)));
    for (index, (name, listen)) in listeners.iter().enumerate() {
        let earlier = listeners.iter().take(index).find(|(_, other)| other == listen && listen.port() != 0);
        if let Some((other, _)) = earlier {
            // Only one of the two need be set in the file; the error stands where one is.
            let set = root.table(name)?.has("listen");
            let (at, taken) = if set { (name, other) } else { (other, name) };
            let problem = format!("is \"{listen}\", which {taken}.listen takes; choose another port");
            return Err(root.table(at)?.error("listen", problem));
        }
    }
    Ok(())
}

pub(super) fn path(section: &Section<'_>, key: &str, folder: &Path, default: PathBuf) -> Result<PathBuf, ConfigError> {
    Ok(section.text(key)?.map_or(default, |text| folder.join(text)))
}

fn made_token(data_dir: &Path) -> PathBuf {
    data_dir.join("admin.token")
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// `[a-z][a-z0-9-]{0,63}`, as the contract has it; targets are named alike.
pub(super) fn is_plugin_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}
