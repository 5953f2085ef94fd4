//! The engine that all plugins share.

use crate::bindings::All;
use crate::check::Bounds;
use crate::instances::Shares;
use crate::options::RuntimeOptions;
use crate::state::State;
use anyhow::Context as _;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use tokio::sync::Semaphore;
use wasmtime::component::{HasSelf, Linker};
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

/// Between two ticks of the epoch. What computes is looked at this often.
const TICK: Duration = Duration::from_millis(10);
/// What one component may be made of. Components of JavaScript and Python engines need most of it.
const CORE_INSTANCES_PER_COMPONENT: u32 = 40;
pub(crate) const MEMORIES_PER_COMPONENT: u32 = 4;
pub(crate) const TABLES_PER_COMPONENT: u32 = 20;
pub(crate) const TABLE_ELEMENTS: usize = 20_000;
const INSTANCE_BYTES: usize = 4 << 20;
/// Memory of a slot that stays mapped between two instances, so that taking it again costs no page faults.
const KEEP_RESIDENT_BYTES: usize = 128 << 10;

/// The engine, its limits and its pool of instance slots. Cheap to clone.
#[derive(Clone)]
pub struct Runtime(pub(crate) Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<State>,
    pub(crate) options: Arc<RuntimeOptions>,
    pub(crate) bounds: Bounds,
    /// As many as may run in fresh instances; with `kept` it is what the pool has slots for.
    pub(crate) fresh: Arc<Semaphore>,
    /// What each plugin may have of them.
    pub(crate) shares: Shares,
    /// As many as may be kept between calls.
    pub(crate) kept: Arc<Semaphore>,
}

/// The engine could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("the plugin runtime cannot start with {instances} instances of {memory_max_bytes} bytes: {source:#}")]
pub struct RuntimeError {
    instances: u32,
    memory_max_bytes: usize,
    source: anyhow::Error,
}

impl Runtime {
    /// Reserves address space for all instances, and starts the thread that ticks. Fails when the address space
    /// does not suffice or the host's CPU is not supported.
    pub fn new(options: RuntimeOptions) -> Result<Self, RuntimeError> {
        let instances = options.instances_max.saturating_add(options.pooled_instances_max);
        let memory_max_bytes = options.memory_max_bytes;
        Self::build(options, instances).map_err(|source| RuntimeError { instances, memory_max_bytes, source })
    }

    fn build(options: RuntimeOptions, instances: u32) -> anyhow::Result<Self> {
        let engine = Engine::new(&config(&options, instances))?;
        let mut linker = Linker::<State>::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        All::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
        tick(&engine)?;
        Ok(Self(Arc::new(Shared {
            engine,
            linker,
            bounds: Bounds::from(&options),
            shares: Shares::default(),
            fresh: Arc::new(Semaphore::new(options.instances_max as usize)),
            kept: Arc::new(Semaphore::new(options.pooled_instances_max as usize)),
            options: Arc::new(options),
        })))
    }

    /// The limits it was made with.
    pub fn options(&self) -> &RuntimeOptions {
        &self.0.options
    }

    /// Fresh instances that could be taken now.
    pub fn instances_free(&self) -> usize {
        self.0.fresh.available_permits()
    }

    /// Instances that could be kept between calls now, beside those that are.
    pub fn kept_free(&self) -> usize {
        self.0.kept.available_permits()
    }

    /// Instances that are there now, as the engine counts them: running, or kept between calls.
    pub fn instances_live(&self) -> u64 {
        self.0.engine.pooling_allocator_metrics().map_or(0, |metrics| metrics.component_instances())
    }
}

pub(crate) fn config(options: &RuntimeOptions, instances: u32) -> Config {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(CORE_INSTANCES_PER_COMPONENT))
        .total_memories(instances.saturating_mul(MEMORIES_PER_COMPONENT))
        .total_tables(instances.saturating_mul(TABLES_PER_COMPONENT))
        .total_stacks(instances)
        .max_component_instance_size(INSTANCE_BYTES)
        .max_core_instance_size(INSTANCE_BYTES)
        .max_core_instances_per_component(CORE_INSTANCES_PER_COMPONENT)
        .max_memories_per_component(MEMORIES_PER_COMPONENT)
        .max_tables_per_component(TABLES_PER_COMPONENT)
        .table_elements(TABLE_ELEMENTS)
        .max_memory_size(options.memory_max_bytes)
        .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
        .table_keep_resident(KEEP_RESIDENT_BYTES)
        .pagemap_scan(Enabled::Auto);
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .memory_init_cow(true)
        // The contract has no async functions; without them a fresh instance costs 8 µs less.
        .concurrency_support(false)
        // A file that is compiled while commands are served takes one processor at most.
        .parallel_compilation(false)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

/// One thread advances the epoch for as long as the engine lives.
fn tick(engine: &Engine) -> anyhow::Result<()> {
    let weak = engine.weak();
    thread::Builder::new()
        .name("plugin-epoch".into())
        .spawn(move || {
            while let Some(engine) = weak.upgrade() {
                engine.increment_epoch();
                drop(engine);
                thread::sleep(TICK);
            }
        })
        .context("cannot start the thread that ticks")?;
    Ok(())
}
