//! Three calls of a command's way through the dialect `huawei-iotda`: the application's request, the dispatch, the
//! device's answer. Each natively, in a fresh instance for every call, and in a kept one; the latter two through the
//! gateway's runtime with its limits, imports and conversions, as the daemon makes them.
//!
//! `DRAGOMAN_PLUGINS` is the folder with the component. `cargo xtask bench plugin-call` runs this and judges it.
#![allow(missing_docs, reason = "criterion's macros make public items")]

mod agreement;
mod host;
mod native;
mod records;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use dragoman_plugin_sdk::{Northbound, Southbound};
use dragoman_wasm::{Attempt, Plugin, PluginFolder, PluginOptions, PoolOptions, Runtime, RuntimeOptions};
use host::Host;
use huawei_iotda::{Iotda, NAME};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;

/// The machine may be busy; a call that is slow is measured, not ended.
const PATIENCE_MS: u64 = 60_000;

criterion_group!(calls, measure);
criterion_main!(calls);

fn measure(criterion: &mut Criterion) {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a tokio runtime");
    tokio.block_on(agreement::check());
    handle_request(criterion, &tokio);
    dispatch(criterion, &tokio);
    handle_message(criterion, &tokio);
}

fn handle_request(criterion: &mut Criterion, tokio: &tokio::runtime::Runtime) {
    let mut group = criterion.benchmark_group("handle-request");
    let request = native::request();
    group.bench_function("native", |bench| {
        bench.iter_batched_ref(
            native::gateway,
            |gateway| Iotda::handle_request(gateway, black_box(&request)).expect("it waits for the end"),
            BatchSize::SmallInput,
        );
    });
    let request = records::request();
    for (name, instances) in instances() {
        let (host, _folder, plugin) = tokio.block_on(open(instances));
        group.bench_function(name, |bench| {
            bench.to_async(tokio).iter(async || {
                let call = plugin.handle_request(records::call(&host), black_box(&request)).await;
                assert_eq!(call.expect("it waits for the end").writes.len(), 1);
            });
        });
    }
}

fn dispatch(criterion: &mut Criterion, tokio: &tokio::runtime::Runtime) {
    let mut group = criterion.benchmark_group("dispatch");
    let (device, execution) = (native::device(), native::execution());
    group.bench_function("native", |bench| {
        bench.iter_batched_ref(
            native::gateway,
            |gateway| Iotda::dispatch(gateway, black_box(&device), black_box(&execution)).expect("a message"),
            BatchSize::SmallInput,
        );
    });
    let (device, execution) = (records::device(), records::execution());
    for (name, instances) in instances() {
        let (host, _folder, plugin) = tokio.block_on(open(instances));
        group.bench_function(name, |bench| {
            bench.to_async(tokio).iter(async || {
                let attempt = Attempt { number: 1, frames: std::slice::from_ref(&execution.intent) };
                let call = plugin.dispatch(records::call(&host), black_box(&device), black_box(&execution), attempt);
                call.await.expect("a message");
            });
        });
    }
}

fn handle_message(criterion: &mut Criterion, tokio: &tokio::runtime::Runtime) {
    let mut group = criterion.benchmark_group("handle-message");
    let (session, message) = (native::session(), native::message());
    group.bench_function("native", |bench| {
        bench.iter_batched_ref(
            native::gateway,
            |gateway| Iotda::handle_message(gateway, black_box(&session), black_box(&message)).expect("a report"),
            BatchSize::SmallInput,
        );
    });
    let (session, message) = (records::session(), records::message());
    for (name, instances) in instances() {
        let (host, _folder, plugin) = tokio.block_on(open(instances));
        group.bench_function(name, |bench| {
            bench.to_async(tokio).iter(async || {
                let call = plugin.southbound_message(records::call(&host), black_box(&session), black_box(&message));
                assert_eq!(call.await.expect("a report").writes.len(), 1);
            });
        });
    }
}

/// How instances are kept, under the names that the configuration has for it.
fn instances() -> [(&'static str, Option<PoolOptions>); 2] {
    [("fresh", None), ("pool", Some(PoolOptions::default()))]
}

/// The component as the daemon loads it. The folder is watched for as long as it is held.
async fn open(pool: Option<PoolOptions>) -> (Arc<Host>, PluginFolder, Arc<Plugin>) {
    let options =
        RuntimeOptions { deadline_ms: PATIENCE_MS, load_deadline_ms: PATIENCE_MS, ..RuntimeOptions::default() };
    let runtime = Runtime::new(options).expect("the runtime of plugins");
    let plugins = BTreeMap::from([(NAME.to_owned(), PluginOptions { pool, ..PluginOptions::default() })]);
    let folder = PluginFolder::open(runtime, component_folder(), plugins).await.expect("the folder of plugins");
    let plugin = Arc::clone(folder.catalog().get(NAME).expect("the component in the folder"));
    (Arc::new(Host), folder, plugin)
}

fn component_folder() -> PathBuf {
    std::env::var_os("DRAGOMAN_PLUGINS").map(PathBuf::from).expect("DRAGOMAN_PLUGINS names the folder of the plugins")
}
