//! Where a call gets its instance from: a fresh one each time, or one that earlier calls left.

use crate::error::Fault;
use crate::options::PoolOptions;
use crate::runtime::{Runtime, Shared};
use crate::state::{Call, State};
use crate::unit::{Guests, Unit};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use wasmtime::component::Instance;
use wasmtime::{Store, UpdateDeadline};

/// An instance and the slot it occupies. The slot is free again when this is dropped.
pub(crate) struct Live {
    // Dropped before the permits: a permit promises a free slot.
    pub(crate) store: Store<State>,
    pub(crate) instance: Instance,
    pub(crate) guests: Guests,
    calls: u32,
    _slot: OwnedSemaphorePermit,
    keepable: bool,
}

/// The instances of one plugin.
pub(crate) struct Instances {
    share: Arc<Share>,
    pool: Option<Arc<Pool>>,
}

/// What a plugin, all its versions together, may have of the instances of all at one time: one that is slow leaves some
/// to the others.
pub(crate) struct Share {
    turns: Arc<Semaphore>,
    /// Calls that wait for an instance.
    waiting: AtomicUsize,
}

/// The shares of plugins of which any version is there.
pub(crate) type Shares = Mutex<BTreeMap<Arc<str>, Weak<Share>>>;

impl Share {
    fn of(runtime: &Runtime, plugin: &Arc<str>) -> Arc<Self> {
        let mut shares = runtime.0.shares.lock().unwrap_or_else(PoisonError::into_inner);
        shares.retain(|_, share| share.strong_count() > 0);
        if let Some(share) = shares.get(plugin).and_then(Weak::upgrade) {
            return share;
        }
        let options = &runtime.0.options;
        let most = options.instances_per_plugin_max.clamp(1, options.instances_max.max(1));
        let share = Arc::new(Self { turns: Arc::new(Semaphore::new(most as usize)), waiting: AtomicUsize::new(0) });
        shares.insert(Arc::clone(plugin), Arc::downgrade(&share));
        share
    }
}

/// Instances of one plugin that wait for their next call.
pub(crate) struct Pool {
    options: PoolOptions,
    turns: Arc<Semaphore>,
    idle: Mutex<Vec<Live>>,
    retired: AtomicBool,
}

/// A turn to use an instance, and where the instance goes afterwards.
pub(crate) struct Lease {
    pub(crate) live: Live,
    home: Option<Arc<Pool>>,
    _turn: OwnedSemaphorePermit,
    _share: Option<OwnedSemaphorePermit>,
}

impl Instances {
    /// Keeps no instance from now on: a version that was replaced is called seldom, and its slots are for the newest.
    pub(crate) fn retire(&self) {
        if let Some(pool) = &self.pool {
            pool.retired.store(true, Ordering::Relaxed);
            pool.idle().clear();
        }
    }

    /// Of a version with a pool of its own, or with a fresh instance for each call.
    pub(crate) fn new(runtime: &Runtime, plugin: &Arc<str>, pool: Option<PoolOptions>) -> Self {
        let pool = pool.map(|options| {
            let turns = Arc::new(Semaphore::new(options.instances_max.max(1) as usize));
            Arc::new(Pool { options, turns, idle: Mutex::default(), retired: AtomicBool::new(false) })
        });
        Self { share: Share::of(runtime, plugin), pool }
    }

    /// Waits for an instance and begins the call on it. The time of the call begins when it has one.
    pub(crate) async fn lease(
        &self,
        runtime: &Runtime,
        unit: &Unit,
        call: impl FnOnce() -> Call,
    ) -> Result<Lease, Fault> {
        let shared = &runtime.0;
        let until = Instant::now() + Duration::from_millis(shared.options.wait_ms);
        let Some(pool) = &self.pool else {
            let turn = self.wait(shared, &self.share.turns, until).await?;
            let slot = self.wait(shared, &shared.fresh, until).await?;
            let live = instantiate(runtime, unit, call(), slot, false).await?;
            return Ok(Lease { live, home: None, _turn: turn, _share: None });
        };
        let turn = self.wait(shared, &pool.turns, until).await?;
        let idle = pool.idle().pop();
        let mut share = None;
        let live = if let Some(mut live) = idle {
            live.store.data_mut().reset(call());
            live
        } else {
            // Where other plugins keep all there is to keep, the call still gets a slot, only not for long.
            let kept = (!pool.is_retired()).then(|| Arc::clone(&shared.kept).try_acquire_owned().ok()).flatten();
            match kept {
                Some(slot) => instantiate(runtime, unit, call(), slot, true).await?,
                None => {
                    share = Some(self.wait(shared, &self.share.turns, until).await?);
                    let slot = self.wait(shared, &shared.fresh, until).await?;
                    instantiate(runtime, unit, call(), slot, false).await?
                }
            }
        };
        Ok(Lease { live, home: Some(Arc::clone(pool)), _turn: turn, _share: share })
    }

    /// Waits for a permit, as long and as many as the options allow.
    async fn wait(
        &self,
        shared: &Shared,
        semaphore: &Arc<Semaphore>,
        until: Instant,
    ) -> Result<OwnedSemaphorePermit, Fault> {
        if let Ok(permit) = Arc::clone(semaphore).try_acquire_owned() {
            return Ok(permit);
        }
        let waiting = Waiting::enter(&self.share.waiting);
        if waiting.place >= shared.options.waiting_max {
            return Err(Fault::Busy(format!("{} calls already wait for an instance", waiting.place)));
        }
        match tokio::time::timeout_at(until, Arc::clone(semaphore).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => {
                let limit_ms = shared.options.wait_ms;
                Err(Fault::Busy(format!("no instance became free within {limit_ms} ms")))
            }
        }
    }
}

impl Pool {
    fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Relaxed)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Live>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    /// Gives the instance back after a call without a fault. An instance of a call that faulted is dropped instead.
    pub(crate) fn give_back(self) {
        let Self { mut live, home, _turn, _share } = self;
        let Some(pool) = home else { return };
        live.calls += 1;
        let state = live.store.data();
        let small = state.memory.used_bytes() <= pool.options.bytes_max;
        // Submissions that a call leaves behind would add up over the calls.
        if live.keepable && small && live.calls < pool.options.calls_max && state.drafts == 0 {
            // Looked at under the lock, so that none is left behind when the pool is emptied.
            let mut idle = pool.idle();
            if !pool.is_retired() {
                idle.push(live);
            }
        }
    }
}

async fn instantiate(
    runtime: &Runtime,
    unit: &Unit,
    call: Call,
    slot: OwnedSemaphorePermit,
    keepable: bool,
) -> Result<Live, Fault> {
    let deadline = Arc::clone(&call.deadline);
    let limit_ms = call.limit_ms();
    let mut store = Store::new(&runtime.0.engine, State::new(call));
    store.limiter(|state| &mut state.memory);
    store.set_hostcall_fuel(runtime.0.options.hostcall_fuel_bytes);
    // What computes gives way to other tasks at every tick until its time is over.
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|context| {
        let call = &context.data().call;
        if call.deadline.passed() {
            return Err(Fault::Deadline { limit_ms: call.limit_ms() }.into());
        }
        Ok(UpdateDeadline::Yield(1))
    });
    let instance = deadline.run(unit.pre.instantiate_async(&mut store)).await;
    let instance = instance
        .map_err(|_| Fault::Deadline { limit_ms })?
        .map_err(|error| crate::call::classify(&error, &store.data().stdio))?;
    Ok(Live { store, instance, guests: Guests::default(), calls: 0, _slot: slot, keepable })
}

/// A place in the queue, given up when the caller stops waiting for whatever reason.
struct Waiting<'a> {
    count: &'a AtomicUsize,
    place: usize,
}

impl<'a> Waiting<'a> {
    fn enter(count: &'a AtomicUsize) -> Self {
        Self { count, place: count.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}
