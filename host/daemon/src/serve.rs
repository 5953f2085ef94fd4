//! `dragoman serve`: everything started in order, and stopped in the opposite one.

use crate::config::{Config, MqttConfig};
use crate::credentials::Vault;
use crate::http::server::{Server, ServerLimits};
use crate::outbound::Outbound;
use crate::runtime::control::Controller;
use crate::runtime::engine::Engine;
use crate::runtime::events::Events;
use crate::runtime::gateway::Gateway;
use crate::runtime::network::{Ears, Network, Outside};
use crate::runtime::{plugin_changes, recovery, retention, settings};
use crate::tls::{Reload, TlsListener};
use crate::{admin, http, tls};
use anyhow::Context;
use dragoman_mqtt::{
    Broker, EmbeddedBroker, EmbeddedOptions, ExternalConnection, KeptSession, ListenerOptions, TlsAccept,
};
use dragoman_store::sqlite::{SqliteBackend, SqliteOptions};
use dragoman_store::{Journal, JournalOptions};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Writes that the journal takes at most. The engine lets new work wait long before.
const JOURNAL_PENDING_MAX: usize = 1 << 20;
/// How long the last answers and the broker may take once the grace is over.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// The listeners with a certificate, by their sections of the configuration.
type TlsListeners = BTreeMap<String, Arc<TlsListener>>;

/// Runs the daemon until it is told to stop or its store fails.
pub async fn run(config: Config) -> anyhow::Result<()> {
    let config = Arc::new(config);
    let metrics = install_metrics()?;

    // Certificates and ports first: what cannot listen shall not touch the store.
    let secure = open_certificates(&config)?;
    let http_limits =
        ServerLimits { connections_max: config.http.connections_max, headers_max: config.http.headers_max };
    let http_server = Server::bind(config.http.listen, secure.get("http").cloned(), http_limits.clone())?;
    let admin_server = Server::bind(config.admin.listen, secure.get("admin").cloned(), http_limits)?;

    let journal = open_store(&config).await?;
    let vault = Arc::new(Vault::open(&config.data_dir, journal.clone())?);
    let engine = Arc::new(Engine::new(journal.clone(), settings::core_limits(&config), settings::durability(&config)));
    let runtime =
        dragoman_wasm::Runtime::new(settings::runtime_options(&config)).context("cannot start the plugin runtime")?;
    let plugins =
        dragoman_wasm::PluginFolder::open(runtime, config.plugins.folder.clone(), settings::plugin_options(&config))
            .await
            .context("cannot use the plugin folder")?;
    let clock = engine.clone();
    let outbound = Arc::new(Outbound::start(&config.targets, journal.clone(), move || clock.now_ms()).await?);
    let gateway = Gateway::new(engine.clone(), plugins, vault, outbound.clone(), config.clone());
    let recall = async |needed| gateway.plugins.recall(needed).await;
    let open = recovery::recover(&engine, |dialect| config.is_outside(dialect), recall)
        .await
        .context("cannot take over what the last run left")?;
    gateway.plugins.recovered().await;
    gateway.dead_letters.restore(&journal).await.context("cannot take over the dead letters of the last run")?;
    plugin_changes::taken_over(&gateway, &gateway.catalog()).await;

    let embedded = start_broker(&config, &gateway, &secure, kept_sessions(&journal).await?).await?;
    let (http_at, admin_at, mqtt_at) = (http_server.address()?, admin_server.address()?, embedded.addresses());
    let broker = with_external(&config, &gateway, Arc::new(embedded))?;
    gateway.attach_broker(broker.clone());

    let (stop, stopping) = watch::channel(false);
    let control = Arc::new(Controller::new(gateway.clone()));
    let admin_router = admin::router(control.clone(), &config.admin_token()?, metrics.clone());
    let http = tokio::spawn(http_server.run(http::endpoint::router(gateway.clone()), stopping));
    // Operators can look until the last answer is given.
    let (stop_admin, admin_stopping) = watch::channel(false);
    let admin = tokio::spawn(admin_server.run(admin_router, admin_stopping));
    let deadlines = tokio::spawn({
        let engine = engine.clone();
        async move { engine.keep_deadlines().await }
    });
    let mut signals = Signals::watch()?;
    let hang_up = signal(SignalKind::hangup()).context("cannot watch for SIGHUP")?;
    let certificates = tokio::spawn(Reload::of(secure.into_values().collect()).follow(hang_up));
    // Only now: whoever reads that line may use every listener, and finds the admin token in its file.
    announce(http_at, admin_at, &mqtt_at, open);
    let retention = tokio::spawn(retention::keep(engine.clone(), config.store.retention_days));
    let upkeep = tokio::spawn(keep_metrics(metrics, engine.clone()));
    let changes = tokio::spawn(plugin_changes::follow(gateway.clone()));

    let verdict = wait_for_the_end(&mut signals, &engine).await;
    control.stopping();
    // Connections close as they become idle; requests that wait for a device may still get their answer.
    stop.send_replace(true);
    // A store that cannot be written gives nobody an answer any more.
    let grace = Duration::from_millis(if verdict.is_ok() { config.http.shutdown_grace_ms } else { 0 });
    let mut http = http;
    if !answered(&mut http, grace, &mut signals).await {
        gateway.draining.send_replace(true);
        let _ = tokio::time::timeout(LAST_WORDS, &mut http).await;
    }
    stop_admin.send_replace(true);
    let _ = tokio::time::timeout(LAST_WORDS, admin).await;
    broker.shutdown(LAST_WORDS).await;
    outbound.stop(LAST_WORDS).await;
    for task in [deadlines, retention, upkeep, changes, certificates] {
        task.abort();
    }
    if verdict.is_ok() {
        journal.close().await.context("the last commit failed")?;
        tracing::info!("stopped");
    }
    verdict
}

fn open_certificates(config: &Config) -> anyhow::Result<TlsListeners> {
    let open = |(section, files, is_http): (String, _, _)| {
        let listener = TlsListener::open(&section, files, is_http, &config.tls)?;
        anyhow::Ok((section, listener))
    };
    tls::configured(config).into_iter().map(open).collect()
}

async fn open_store(config: &Config) -> anyhow::Result<Journal> {
    std::fs::create_dir_all(&config.data_dir)
        .with_context(|| format!("cannot create the data folder {}", config.data_dir.display()))?;
    let path = config.data_dir.join("dragoman.sqlite");
    let backend = tokio::task::spawn_blocking(move || SqliteBackend::open(&path, &SqliteOptions::default()))
        .await
        .context("opening the store was broken off")??;
    let options = JournalOptions { pending_max: JOURNAL_PENDING_MAX, ..JournalOptions::default() };
    Journal::start(Arc::new(backend), options).context("the store got no thread")
}

async fn kept_sessions(journal: &Journal) -> anyhow::Result<Vec<KeptSession>> {
    let mut kept = Vec::new();
    for record in journal.mqtt_sessions().await? {
        match serde_json::from_str(&record.body) {
            Ok(session) => kept.push(session),
            Err(error) => {
                tracing::warn!(%error, client_id = %record.client_id, "a kept session is unreadable; its client has to subscribe again");
            }
        }
    }
    Ok(kept)
}

async fn start_broker(
    config: &Config,
    gateway: &Arc<Gateway>,
    secure: &TlsListeners,
    kept: Vec<KeptSession>,
) -> anyhow::Result<EmbeddedBroker> {
    let first = (MqttConfig::FIRST, config.mqtt.listen, None);
    let further = config.mqtt.listeners.iter();
    let further = further.map(|(name, listener)| (name.as_str(), listener.listen, listener.websocket_path.clone()));
    let listeners = std::iter::once(first).chain(further).map(|(name, listen, websocket_path)| {
        let tls = secure.get(&tls::mqtt_section(name)).cloned().map(|listener| listener as Arc<dyn TlsAccept>);
        ListenerOptions { tls, websocket_path, ..ListenerOptions::new(name, listen) }
    });
    let mut options = EmbeddedOptions::new(listeners.collect());
    options.max_packet_bytes = u32::try_from(config.mqtt.packet_max_bytes).unwrap_or(u32::MAX);
    options.max_sessions = config.mqtt.connections_max;
    options.max_subscriptions = config.mqtt.subscriptions_max;
    options.kept = kept;
    Ok(EmbeddedBroker::start(options, Arc::new(Events::new(gateway.clone()))).await?)
}

/// The embedded broker, and with it those of the configuration. They connect while the daemon runs: one that is away keeps
/// nobody else waiting.
fn with_external(
    config: &Config,
    gateway: &Arc<Gateway>,
    embedded: Arc<dyn Broker>,
) -> anyhow::Result<Arc<dyn Broker>> {
    if config.brokers.is_empty() {
        return Ok(embedded);
    }
    let mut outside = Vec::new();
    for (name, broker) in &config.brokers {
        let ears = Arc::new(Ears::new(gateway.clone(), name, broker.clone()));
        let connection = ExternalConnection::start(broker.options(name)?, ears)?;
        outside.push(Outside::new(broker.clone(), connection));
    }
    Ok(Arc::new(Network::new(embedded, outside, gateway.engine.clone())))
}

/// One line on standard output, for scripts and tests that start the daemon on free ports.
fn announce(http: SocketAddr, admin: SocketAddr, mqtt: &[(String, SocketAddr)], open: usize) {
    let named = |name: &str| mqtt.iter().find(|(listener, _)| listener == name).map(|(_, at)| at.to_string());
    let first = named(MqttConfig::FIRST).unwrap_or_default();
    tracing::info!(%http, mqtt = first, %admin, open_executions = open, "ready");
    let further: serde_json::Map<_, _> = mqtt
        .iter()
        .filter(|(listener, _)| listener != MqttConfig::FIRST)
        .map(|(listener, at)| (listener.clone(), at.to_string().into()))
        .collect();
    let line = serde_json::json!({
        "event": "ready", "http": http.to_string(), "mqtt": first, "admin": admin.to_string(),
        "mqtt_listeners": further,
    });
    let mut out = std::io::stdout().lock();
    // Nobody need listen: a closed standard output is no reason to stop.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

fn install_metrics() -> anyhow::Result<PrometheusHandle> {
    PrometheusBuilder::new()
        .set_buckets(&[0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0])
        .context("metric buckets")?
        .install_recorder()
        .context("cannot install the metrics recorder")
}

/// Levels are read now and then; histograms hold on to their samples until somebody reads them, unless they are drained.
async fn keep_metrics(metrics: PrometheusHandle, engine: Arc<Engine>) {
    const EVERY: Duration = Duration::from_secs(5);
    loop {
        let open = engine.look(dragoman_core::Machine::open);
        metrics::gauge!("dragoman_executions_open").set(u32::try_from(open).unwrap_or(u32::MAX));
        metrics.run_upkeep();
        tokio::time::sleep(EVERY).await;
    }
}

/// What an operator stops the daemon with.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn watch() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate()).context("cannot watch for SIGTERM")?,
            interrupt: signal(SignalKind::interrupt()).context("cannot watch for SIGINT")?,
        })
    }

    /// The name of the next one.
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Waits for a signal, or for the store to fail.
async fn wait_for_the_end(signals: &mut Signals, engine: &Engine) -> anyhow::Result<()> {
    let mut stopped = engine.stopped();
    tokio::select! {
        signal = signals.next() => tracing::info!("{signal}: stopping; once more, and calls under way are not waited for"),
        failed = stopped.wait_for(Option::is_some) => {
            let why = failed.ok().and_then(|why| why.clone()).unwrap_or_default();
            anyhow::bail!("the store failed: {why}");
        }
    }
    Ok(())
}

/// Waits until the last request is answered, but not longer than the grace, nor after another signal.
async fn answered(http: &mut JoinHandle<()>, grace: Duration, signals: &mut Signals) -> bool {
    tokio::select! {
        answered = tokio::time::timeout(grace, http) => answered.is_ok(),
        signal = signals.next() => {
            tracing::info!("{signal}: calls under way are told that the gateway restarts");
            false
        }
    }
}
