//! The state of one embedded broker: limits, counters, tables, and the way to the daemon.

use super::counters::Counters;
use super::front::Doors;
use super::index::Index;
use super::live::Live;
use super::outstanding::Outstanding;
use super::retained::Retained;
use super::router::Turns;
use super::tables::Tables;
use crate::broker::Receipt;
use crate::events::BrokerEvents;
use crate::options::{EmbeddedOptions, ListenerOptions};
use rmqtt::context::ServerContext;
use rmqtt::shared::Entry;
use rmqtt::types::Id;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{SystemTime, UNIX_EPOCH};

/// What holds the library's context. It is let go at the stop, because the context holds the hub.
#[derive(Clone)]
pub(super) struct Running {
    pub(super) scx: ServerContext,
    pub(super) retained: Retained,
}

pub(super) struct Hub {
    pub(super) options: EmbeddedOptions,
    pub(super) events: Arc<dyn BrokerEvents>,
    pub(super) counters: Counters,
    /// Listener names by the library's listener id.
    pub(super) listeners: Vec<Arc<str>>,
    /// Who comes through listeners that are not the library's own.
    pub(super) doors: Doors,
    /// Locked before the tables where both are.
    index: RwLock<Index>,
    tables: RwLock<Tables>,
    running: RwLock<Option<Running>>,
    stopping: AtomicBool,
    started_ms: u64,
    /// Locked last.
    pub(super) turns: Mutex<Turns>,
}

/// One count for all brokers of the process, so that a session id names one session in all of them.
static SESSIONS: AtomicU64 = AtomicU64::new(1);

pub(super) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

impl Hub {
    pub(super) fn new(options: EmbeddedOptions, events: Arc<dyn BrokerEvents>) -> Self {
        Self {
            listeners: options.listeners.iter().map(|listener| listener.name.as_str().into()).collect(),
            doors: Doors::default(),
            options,
            events,
            counters: Counters::default(),
            index: RwLock::default(),
            tables: RwLock::default(),
            running: RwLock::default(),
            stopping: AtomicBool::new(false),
            started_ms: now_ms(),
            turns: Mutex::default(),
        }
    }

    /// The tables for reading. Never held over a call out or an await.
    pub(super) fn tables(&self) -> RwLockReadGuard<'_, Tables> {
        self.tables.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The tables for writing. Never held over a call out or an await.
    pub(super) fn tables_mut(&self) -> RwLockWriteGuard<'_, Tables> {
        self.tables.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The subscriptions for reading. Never held over a call out or an await.
    pub(super) fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The subscriptions for writing. Never held over a call out or an await.
    pub(super) fn index_mut(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn running(&self) -> Option<Running> {
        self.running.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_running(&self, running: Option<Running>) {
        *self.running.write().unwrap_or_else(PoisonError::into_inner) = running;
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Relaxed)
    }

    pub(super) fn stop(&self) -> bool {
        !self.stopping.swap(true, Relaxed)
    }

    /// A session id that neither this process nor an earlier one on this machine gave.
    pub(super) fn new_session_id(&self) -> String {
        format!("{:x}-{:x}", self.started_ms, SESSIONS.fetch_add(1, Relaxed))
    }

    pub(super) fn listener_name(&self, id: &Id) -> Arc<str> {
        let at = usize::from(id.lid()).checked_sub(1);
        at.and_then(|at| self.listeners.get(at)).cloned().unwrap_or_else(|| Arc::from(""))
    }

    /// Where a client is. None: nobody knows, which for a listener with a front means that it went round it.
    pub(super) fn remote(&self, id: &Id) -> Option<SocketAddr> {
        let seen = id.remote_addr?;
        if self.has_front(id) { self.doors.behind(seen) } else { Some(seen) }
    }

    /// Whether the listener of a connection is one of ours, with the library's behind it.
    pub(super) fn has_front(&self, id: &Id) -> bool {
        let at = usize::from(id.lid()).checked_sub(1);
        at.and_then(|at| self.options.listeners.get(at)).is_some_and(ListenerOptions::has_front)
    }

    /// Whether a connection is to be answered with "unavailable".
    pub(super) fn turns_away(&self, id: &Id) -> bool {
        self.tables().turned_away.contains_key(id)
    }

    /// The library's entry of a session, as long as the broker runs.
    pub(super) async fn entry(&self, id: &Id) -> Option<Box<dyn Entry>> {
        let scx = self.running()?.scx;
        let entry = scx.extends.shared().await.entry(id.clone());
        Some(entry)
    }

    /// Tells how a delivery ended, if its receipt was promised. Whoever took it out of its session calls this.
    pub(super) fn tell_receipt(&self, message: Outstanding, receipt: Receipt) {
        if message.receipt
            && let Some(token) = message.token
        {
            self.counters.receipt(&receipt);
            self.events.receipt(token, receipt);
        }
    }

    /// All connected sessions.
    pub(super) fn all_live(&self) -> Vec<Arc<Live>> {
        self.tables().by_session.values().cloned().collect()
    }
}
