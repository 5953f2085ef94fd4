//! Starting the library on threads of its own, and stopping it without leaving anything behind.

use super::entries::WaitingShared;
use super::front::Front;
use super::hub::{Hub, Running};
use super::retained::{Retained, SharedSubscriptions};
use super::router::OnceRouter;
use super::{hooks, lifecycle, restore, sweep};
use crate::broker::BrokerError;
use crate::events::{BrokerEvents, CloseReason};
use crate::listen::{BACKLOG, listen};
use crate::options::{EmbeddedOptions, ListenerOptions};
use rmqtt::context::ServerContext;
use rmqtt::hook::Register;
use rmqtt::net::{Builder, Listener};
use rmqtt::router::DefaultRouter;
use rmqtt::server::MqttServer;
use rmqtt::shared::DefaultShared;
use std::collections::HashSet;
use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

/// A free port that other machines do not reach.
const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// How long the library may hold on to what is to be freed.
const LET_GO: Duration = Duration::from_secs(1);

/// The running broker.
pub(super) struct Threads {
    /// Only dropped empty: a runtime must not be dropped inside another one.
    runtime: Option<Runtime>,
    tasks: Vec<JoinHandle<()>>,
    register: Option<Arc<dyn Register>>,
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

type Started = (Arc<Hub>, Vec<(String, SocketAddr)>, Threads);

pub(super) async fn start(mut options: EmbeddedOptions, events: Arc<dyn BrokerEvents>) -> Result<Started, BrokerError> {
    check(&options)?;
    let kept = std::mem::take(&mut options.kept);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(options.threads.max(1))
        .thread_name("mqtt")
        .enable_all()
        .build()
        .map_err(|error| BrokerError::Threads(error.to_string()))?;
    let handle = runtime.handle().clone();
    let mut threads = Threads { runtime: Some(runtime), tasks: Vec::new(), register: None };
    let hub = Arc::new(Hub::new(options, events));
    let setup = handle.spawn(set_up(hub.clone(), kept));
    let (addresses, tasks, register) =
        setup.await.map_err(|error| BrokerError::Internal(format!("its start failed ({error})")))??;
    threads.tasks = tasks;
    threads.register = Some(register);
    Ok((hub, addresses, threads))
}

type SetUp = (Vec<(String, SocketAddr)>, Vec<JoinHandle<()>>, Arc<dyn Register>);

async fn set_up(hub: Arc<Hub>, kept: Vec<crate::KeptSession>) -> Result<SetUp, BrokerError> {
    let (mut listeners, mut addresses, mut fronts) = (Vec::new(), Vec::new(), Vec::new());
    for listener in &hub.options.listeners {
        let failed = |error: &dyn Display| bind_error(listener, &error.to_string());
        let bound = bind(listener, &hub.options)?;
        let mut address = bound.local_addr().map_err(|error| failed(&error))?;
        if listener.has_front() {
            let front = Front::new(hub.clone(), listener, address);
            let outside = listen(listener.address).map_err(|error| failed(&error))?;
            address = outside.local_addr().map_err(|error| failed(&error))?;
            // As many more as may be looked at before the library refuses them with a word.
            let connections_max = hub.options.max_sessions.saturating_add(listener.max_handshakes);
            fronts.push(front.run(outside, connections_max));
        }
        addresses.push((listener.name.clone(), address));
        listeners.push(bound);
    }
    let Some(config) = listeners.first().map(|listener| listener.cfg.clone()) else {
        return Err(BrokerError::Internal("it has no listener".into()));
    };

    let scx = ServerContext::new()
        .busy_check_enable(false)
        .mqtt_max_sessions(isize::try_from(hub.options.max_sessions).unwrap_or(isize::MAX))
        .build()
        .await;
    let retained = Retained::new(hub.options.max_retained);
    *scx.extends.retain_mut().await = Box::new(retained.clone());
    *scx.extends.shared_subscription_mut().await = Box::new(SharedSubscriptions);
    *scx.extends.router_mut().await = Box::new(OnceRouter::new(hub.clone(), scx.node.id()));
    *scx.extends.shared_mut().await =
        Box::new(WaitingShared { inner: DefaultShared::new(Some(scx.clone())), hub: hub.clone() });
    let register: Arc<dyn Register> = Arc::from(scx.extends.hook_mgr().register());
    hooks::register(register.as_ref(), &hub).await;

    let running = Running { scx: scx.clone(), retained };
    hub.set_running(Some(running.clone()));
    restore::restore(&hub, &running, &config, kept).await;

    let mut server = MqttServer::new(scx);
    for (at, listener) in (1u16..).zip(listeners) {
        server = server.listener_by_id(listener, at);
    }
    let server = server.build();
    let serve = tokio::spawn(async move {
        if let Err(error) = server.run().await {
            tracing::error!(%error, "the MQTT broker ended");
        }
    });
    let mut tasks = vec![serve, tokio::spawn(sweep::run(hub))];
    tasks.extend(fronts.into_iter().map(tokio::spawn));
    Ok((addresses, tasks, register))
}

fn check(options: &EmbeddedOptions) -> Result<(), BrokerError> {
    let refuse = |name: &str, cause: &str| Err(BrokerError::Options { name: name.to_owned(), cause: cause.to_owned() });
    let mut names = HashSet::new();
    for listener in &options.listeners {
        if !names.insert(&listener.name) {
            return refuse(&listener.name, "its name is used twice; give each listener a name of its own");
        }
        if listener.max_handshakes == 0 {
            return refuse(&listener.name, "max_handshakes is 0; nobody could connect");
        }
    }
    match options.listeners.first() {
        None => refuse("(none)", "there has to be at least one"),
        Some(first) if options.max_inflight == 0 => {
            refuse(&first.name, "max_inflight is 0; nothing could be delivered")
        }
        Some(first) if options.max_queued == 0 => refuse(&first.name, "max_queued is 0; nothing could be delivered"),
        Some(_) => Ok(()),
    }
}

fn bind(listener: &ListenerOptions, options: &EmbeddedOptions) -> Result<Listener, BrokerError> {
    // The library writes the name and the address into its log, where the one behind a front must not look like the front.
    let (name, address) = match listener.has_front() {
        true => (format!("(behind {})", listener.name), LOOPBACK),
        false => (listener.name.clone(), listener.address),
    };
    Builder::new()
        .name(name)
        .laddr(address)
        .nodelay(true)
        .reuseaddr(Some(true))
        .backlog(BACKLOG.into())
        // With true, a client without user name would never be asked about.
        .allow_anonymous(false)
        .max_connections(options.max_sessions)
        .max_handshaking_limit(listener.max_handshakes)
        .handshake_timeout(listener.handshake_timeout)
        .send_timeout(options.send_timeout)
        .max_packet_size(options.max_packet_bytes)
        .max_inflight(NonZeroU16::new(options.max_inflight).unwrap_or(NonZeroU16::MIN))
        .max_mqueue_len(options.max_queued)
        .max_clientid_len(options.max_client_id_bytes)
        .session_expiry_interval(options.session_expiry_max)
        .max_session_expiry_interval(options.session_expiry_max)
        // Zero is "off": by default every message would get an expiry and be sent again while the client thinks.
        .message_expiry_interval(Duration::ZERO)
        .message_retry_interval(Duration::ZERO)
        .bind()
        .and_then(Listener::tcp)
        .map_err(|error| bind_error(listener, &error.to_string()))
}

fn bind_error(listener: &ListenerOptions, cause: &str) -> BrokerError {
    BrokerError::Bind { name: listener.name.clone(), address: listener.address, cause: cause.to_owned() }
}

impl Threads {
    /// See [`Broker::shutdown`](crate::Broker::shutdown).
    pub(super) async fn stop(mut self, hub: &Arc<Hub>, within: Duration) {
        let Some(runtime) = self.runtime.take() else { return };
        hub.stop();
        let tasks = std::mem::take(&mut self.tasks);
        let register = self.register.clone();
        let ended = runtime.spawn(wind_up(hub.clone(), tasks, register, within)).await;
        if let Err(error) = ended {
            tracing::error!(%error, "the MQTT broker did not stop cleanly");
        }
        // Ending the threads waits for them, which an asynchronous thread must not do.
        let ended = tokio::task::spawn_blocking(move || runtime.shutdown_timeout(LET_GO)).await;
        if let Err(error) = ended {
            tracing::error!(%error, "the threads of the MQTT broker did not end");
        }
    }
}

async fn wind_up(hub: Arc<Hub>, tasks: Vec<JoinHandle<()>>, register: Option<Arc<dyn Register>>, within: Duration) {
    let until = Instant::now() + within;
    for task in tasks {
        task.abort();
        // The ports are free when the task is gone; that it was aborted is no news.
        let _ = task.await;
    }
    for live in hub.all_live() {
        live.end_for(CloseReason::ByHost);
        lifecycle::ask_to_close(&hub, &live).await;
    }
    while !hub.tables().by_session.is_empty() && Instant::now() < until {
        sleep(Duration::from_millis(5)).await;
    }
    for live in hub.all_live() {
        lifecycle::close(&hub, &live, CloseReason::ByHost, live.expiry_s).await;
    }
    let Some(running) = hub.running() else { return };
    hub.set_running(None);
    // The context holds what holds the context. All of this is freed here, inside the runtime, because the library's
    // sessions start a task when they are dropped.
    let scx = running.scx.clone();
    let free = async {
        if let Some(register) = register {
            register.stop().await;
        }
        *scx.extends.shared_mut().await = Box::new(DefaultShared::new(None));
        *scx.extends.router_mut().await = Box::new(DefaultRouter::new(None));
    };
    if timeout(LET_GO, free).await.is_err() {
        tracing::warn!("a client is still being served at the end of the MQTT broker");
    }
}
