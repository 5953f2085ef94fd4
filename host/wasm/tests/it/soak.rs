//! Millions of calls: memory stays as it is, and no slot is lost.
//!
//! A short form runs with the other tests. `cargo xtask soak` runs the long one, each guest in a process of its own, with
//! `DRAGOMAN_SOAK_MINUTES` and `DRAGOMAN_SOAK_CALLS`, both of which must be reached, and a file for the figures in
//! `DRAGOMAN_SOAK_FIGURES`.

use crate::guests;
use crate::host::{FakeHost, device};
use crate::world::{INSTANCES, call, patient, request};
use dragoman_core::{Intent, Invocation};
use dragoman_wasm::{CallContext, CallError, Fault, Plugin, PluginFolder, PluginOptions, PoolOptions, Runtime, Step};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const POOL: u32 = 2;
/// Calls of the short form.
const CALLS: u64 = 20_000;
/// How much more the last third of the time may use than the second, in parts of a hundred.
const GROWTH_MAX_PERCENT: f64 = 5.0;
/// Within a minute memory has not come to rest. So much is no leak yet; one of five kilobytes a call would be more, and
/// smaller ones are for the long form to find.
const SHORT_GROWTH_MAX_BYTES: f64 = 32.0 * 1024.0 * 1024.0;
const LONG: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rust_in_fresh_instances() {
    let soak = Soak::of("rust-fresh", "scripted", guests::scripted(), None).await;
    let call = async |soak: &Soak| {
        let script = "get d1\nsubmit d1 key=k\npublish a/b 1\nlog here\nwait {}";
        let done = soak.plugin.handle_request(soak.call(), &request(script)).await?;
        assert_eq!(done.writes.len(), 2);
        Ok(())
    };
    let ran = soak.run(call).await;
    assert_eq!(ran.faults, 0);
    soak.ends(&ran).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn javascript_in_kept_instances() {
    let wasm = std::fs::read(javascript()).unwrap_or_else(|error| {
        panic!(
            "the handler in JavaScript cannot be read, `cargo xtask guests` builds it: {}: {error}",
            javascript().display()
        )
    });
    let soak = Soak::of("javascript-pool", "dimmer", wasm, Some(pool(1000))).await;
    let set = Intent::Invoke(Invocation {
        service: None,
        action: "set".into(),
        params: r#"{"level":40,"fade_ms":1250}"#.into(),
    });
    let call = async |soak: &Soak| {
        let step = soak.plugin.handler_start(soak.call(), &device("d1", 1), &set).await?;
        assert!(matches!(step, Step::Send(_)), "{step:?}");
        Ok(())
    };
    let ran = soak.run(call).await;
    assert_eq!(ran.faults, 0);
    soak.ends(&ran).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_that_traps_every_hundredth_call() {
    let marks = [("deed", "trap-every-hundredth"), ("place", "northbound.handle-request")];
    // Nothing but its trap ends an instance.
    let soak = Soak::of("traps", "hostile", guests::hostile(&marks), Some(pool(u32::MAX))).await;
    let call = async |soak: &Soak| {
        let called = soak.plugin.handle_request(soak.call(), &request("x")).await;
        match called {
            Err(CallError { fault: Fault::Trapped(_), .. }) | Ok(_) => called.map(drop),
            Err(other) => panic!("{other}"),
        }
    };
    let ran = soak.run(call).await;
    // Each instance traps at its hundredth call; those of the last moment have not got there.
    let instances = u64::from(POOL);
    assert!((ran.calls / 100 - instances..=ran.calls / 100).contains(&ran.faults), "{} of {}", ran.faults, ran.calls);
    soak.ends(&ran).await;
}

fn pool(calls_max: u32) -> PoolOptions {
    PoolOptions { instances_max: POOL, calls_max, ..PoolOptions::default() }
}

/// Where `cargo xtask guests` puts it.
fn javascript() -> PathBuf {
    let beside = || Path::new(env!("CARGO_TARGET_TMPDIR")).join("../guests");
    std::env::var_os("DRAGOMAN_GUESTS").map_or_else(beside, PathBuf::from).join("dimmer-javascript.wasm")
}

/// One guest beside one that can hold a slot.
struct Soak {
    name: &'static str,
    minutes: Duration,
    calls: u64,
    runtime: Runtime,
    plugin: Arc<Plugin>,
    holder: Arc<Plugin>,
    folder: PluginFolder,
    host: Arc<FakeHost>,
    dir: tempfile::TempDir,
}

/// What came of a run.
struct Ran {
    calls: u64,
    faults: u64,
    took: Duration,
    /// Mean resident memory in the second and in the last third of the time, in bytes.
    thirds: (f64, f64),
}

impl Soak {
    async fn of(name: &'static str, plugin: &str, wasm: Vec<u8>, pool: Option<PoolOptions>) -> Arc<Self> {
        let number = |variable: &str| std::env::var(variable).ok().map(|text| text.parse::<u64>().unwrap());
        let minutes = Duration::from_secs(60 * number("DRAGOMAN_SOAK_MINUTES").unwrap_or(0));
        let calls = number("DRAGOMAN_SOAK_CALLS").unwrap_or(CALLS);
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("holder.wasm"), guests::scripted()).unwrap();
        std::fs::write(dir.path().join("soaked.wasm"), &wasm).unwrap();
        let runtime = Runtime::new(patient()).unwrap();
        let options = BTreeMap::from([(plugin.to_owned(), PluginOptions { pool, ..PluginOptions::default() })]);
        let folder = PluginFolder::open(runtime.clone(), dir.path(), options).await.unwrap();
        let get = |name: &str| Arc::clone(folder.catalog().get(name).unwrap());
        let (plugin, holder) = (get(plugin), get("scripted"));
        Arc::new(Self { name, minutes, calls, runtime, plugin, holder, folder, host: FakeHost::new(), dir })
    }

    fn call(&self) -> CallContext {
        call(&self.host)
    }

    /// Calls until both the time and the number are reached. Any other fault than a trap is told by a panic of `call`.
    async fn run(self: &Arc<Self>, call: impl AsyncFn(&Self) -> Result<(), CallError>) -> Ran {
        let (calls, faults) = (AtomicU64::new(0), AtomicU64::new(0));
        let begin = Instant::now();
        let over = Arc::new(AtomicBool::new(false));
        let memory = watch_memory(Arc::clone(&over), if self.minutes.is_zero() { 20 } else { 1000 });
        let caller = async || {
            while begin.elapsed() < self.minutes || calls.load(Ordering::Relaxed) < self.calls {
                faults.fetch_add(u64::from(call(self).await.is_err()), Ordering::Relaxed);
                calls.fetch_add(1, Ordering::Relaxed);
            }
        };
        // More at once than a pool has instances.
        tokio::join!(Box::pin(caller()), Box::pin(caller()), Box::pin(caller()), Box::pin(caller()));
        let took = begin.elapsed();
        over.store(true, Ordering::Relaxed);
        let samples = memory.join().unwrap();
        let third = samples.len() / 3;
        assert!(third > 1, "only {} looks at memory in {took:?}", samples.len());
        let thirds = (mean(&samples[third..2 * third]), mean(&samples[2 * third..]));
        Ran { calls: calls.into_inner(), faults: faults.into_inner(), took, thirds }
    }

    /// All slots can be taken and are given back, nothing lives on, and memory stood still.
    async fn ends(self: Arc<Self>, ran: &Ran) {
        self.takes_every_slot().await;
        let (second, last) = ran.thirds;
        let percent = (last - second) / second * 100.0;
        let seconds = ran.took.as_secs();
        println!("{}: {} calls in {seconds} s, {} faults, memory {percent:+.2} %", self.name, ran.calls, ran.faults);
        if let Some(file) = std::env::var_os("DRAGOMAN_SOAK_FIGURES") {
            let figures = json!({
                "guest": self.name, "calls": ran.calls, "seconds": seconds, "faults": ran.faults,
                "second_third_bytes": second.round(), "last_third_bytes": last.round(), "growth_percent": percent,
            });
            std::fs::write(file, figures.to_string()).unwrap();
        }
        let allowed = if ran.took < LONG {
            SHORT_GROWTH_MAX_BYTES.max(second * GROWTH_MAX_PERCENT / 100.0)
        } else {
            second * GROWTH_MAX_PERCENT / 100.0
        };
        assert!(last - second <= allowed, "memory grew by {percent:.2} %: from {second} to {last} bytes");
        let Self { runtime, plugin, holder, folder, dir, .. } = Arc::into_inner(self).unwrap();
        drop((plugin, holder, folder, dir));
        // The folder is looked after by a task, which ends a little after its owner.
        tokio::time::timeout(Duration::from_secs(60), async {
            while runtime.instances_live() > 0 || runtime.kept_free() < patient().pooled_instances_max as usize {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap();
    }

    /// Calls that wait for the host hold every slot at once, and give them back.
    async fn takes_every_slot(&self) {
        assert_eq!(self.runtime.instances_free(), INSTANCES as usize);
        let held: Vec<_> = (0..INSTANCES)
            .map(|_| {
                let (holder, call) = (Arc::clone(&self.holder), self.call());
                tokio::spawn(async move { holder.handle_request(call, &request("get parked")).await })
            })
            .collect();
        let arrived = tokio::time::timeout(Duration::from_secs(60), self.host.arrived.acquire_many(INSTANCES)).await;
        arrived.unwrap().unwrap().forget();
        assert_eq!(self.runtime.instances_free(), 0);
        assert!(self.runtime.instances_live() >= u64::from(INSTANCES));
        self.host.gate.add_permits(INSTANCES as usize);
        for call in held {
            call.await.unwrap().unwrap();
        }
        assert_eq!(self.runtime.instances_free(), INSTANCES as usize);
    }
}

/// Looks at the resident memory of this process until it is over, in a thread that nothing of the run can delay.
fn watch_memory(over: Arc<AtomicBool>, every_ms: u64) -> std::thread::JoinHandle<Vec<f64>> {
    std::thread::spawn(move || {
        let mut samples = Vec::new();
        while !over.load(Ordering::Relaxed) {
            samples.push(resident_bytes());
            std::thread::sleep(Duration::from_millis(every_ms));
        }
        samples
    })
}

fn resident_bytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() * 1024.0
}

#[expect(clippy::cast_precision_loss, reason = "there are few")]
fn mean(samples: &[f64]) -> f64 {
    samples.iter().sum::<f64>() / samples.len() as f64
}
