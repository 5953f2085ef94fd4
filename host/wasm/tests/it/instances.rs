//! Waiting for an instance, giving up, and instances that are kept.

use crate::guests::{scripted, variant, with};
use crate::world::{INSTANCES, World, patient, request, world};
use dragoman_wasm::{CallError, Decision, Done, Fault, PluginOptions, PoolOptions, RuntimeOptions};
use std::pin::Pin;
use std::time::Duration;
use tokio::task::JoinHandle;

type Called = Result<Done<Decision>, CallError>;

/// Starts a call and returns when it waits for the host.
async fn park(world: &World) -> JoinHandle<Called> {
    let (plugin, call) = (world.plugin.clone(), world.call());
    let task = tokio::spawn(async move { plugin.handle_request(call, &request("get parked\nharm calls")).await });
    let arrived = tokio::time::timeout(Duration::from_secs(60), world.host.arrived.acquire()).await;
    arrived.unwrap().unwrap().forget();
    task
}

fn pooled(instances_max: u32, calls_max: u32) -> PluginOptions {
    PluginOptions {
        pool: Some(PoolOptions { instances_max, calls_max, ..PoolOptions::default() }),
        ..PluginOptions::default()
    }
}

#[tokio::test]
async fn a_call_waits_for_an_instance_but_not_in_a_queue_without_end() {
    let options = RuntimeOptions { waiting_max: 1, ..patient() };
    let world = world(options, PluginOptions::default()).await;
    let mut parked = Vec::new();
    for _ in 0..INSTANCES {
        parked.push(park(&world).await);
    }
    assert_eq!(world.runtime.instances_free(), 0);
    let mut waiting: Pin<Box<dyn Future<Output = Called>>> = Box::pin(world.request("now"));
    assert!(futures_poll_once(&mut waiting).await.is_none(), "there is no instance yet");
    let error = world.request("now").await.unwrap_err();
    assert_eq!((error.code(), error.is_fault()), ("$PLUGIN_BUSY", false));
    assert_eq!(
        error.to_string(),
        "plugin scripted was not called for northbound.handle-request: 1 calls already wait for an instance"
    );
    world.host.gate.add_permits(INSTANCES as usize);
    waiting.await.unwrap();
    for task in parked {
        task.await.unwrap().unwrap();
    }
    world.is_unharmed().await;
}

/// Each plugin has a share of the instances, and a queue of its own.
#[tokio::test]
async fn calls_of_a_slow_plugin_leave_instances_to_the_others() {
    let share = INSTANCES - 1;
    let options = RuntimeOptions { instances_per_plugin_max: share, waiting_max: 1, ..patient() };
    let world = world(options, PluginOptions::default()).await;
    let twin = with(scripted(), &[("scripted", "twin-two")]);
    std::fs::write(world.path("twin.wasm"), twin).unwrap();
    world.folder.rescan().await;
    let twin = world.folder.catalog().get("twin-two").unwrap().clone();
    let mut parked = Vec::new();
    for _ in 0..share {
        parked.push(park(&world).await);
    }
    let mut waiting: Pin<Box<dyn Future<Output = Called>>> = Box::pin(world.request("now"));
    assert!(futures_poll_once(&mut waiting).await.is_none(), "its share is taken");
    assert_eq!(world.runtime.instances_free(), 1);
    twin.handle_request(world.call(), &request("now")).await.unwrap();
    world.host.gate.add_permits(share as usize);
    waiting.await.unwrap();
    for task in parked {
        task.await.unwrap().unwrap();
    }
    world.is_unharmed().await;
}

#[tokio::test]
async fn a_call_waits_for_an_instance_only_so_long() {
    let options = RuntimeOptions { wait_ms: 50, ..patient() };
    let world = world(options, PluginOptions::default()).await;
    let mut parked = Vec::new();
    for _ in 0..INSTANCES {
        parked.push(park(&world).await);
    }
    let fault = world.request("now").await.unwrap_err().fault;
    assert_eq!(fault, Fault::Busy("no instance became free within 50 ms".into()));
    world.host.gate.add_permits(INSTANCES as usize);
    for task in parked {
        task.await.unwrap().unwrap();
    }
    world.is_unharmed().await;
}

#[tokio::test]
async fn a_call_that_nobody_waits_for_any_more_frees_its_instance() {
    let world = world(patient(), PluginOptions::default()).await;
    let parked = park(&world).await;
    assert_eq!(world.runtime.instances_free(), INSTANCES as usize - 1);
    parked.abort();
    assert!(parked.await.unwrap_err().is_cancelled());
    world.is_unharmed().await;
}

#[tokio::test]
async fn a_kept_instance_keeps_its_state_until_it_is_replaced() {
    let world = world(patient(), pooled(1, 3)).await;
    let mut counts = Vec::new();
    for _ in 0..7 {
        counts.push(world.says("harm calls").await);
    }
    assert_eq!(counts, ["0", "1", "2", "0", "1", "2", "0"]);
}

#[tokio::test]
async fn a_kept_instance_that_grew_is_replaced() {
    let pool = PoolOptions { instances_max: 1, calls_max: 1000, bytes_max: 8 << 20 };
    let world = world(patient(), PluginOptions { pool: Some(pool), ..PluginOptions::default() }).await;
    assert_eq!(world.says("harm grow 1000000\nharm calls").await, "grown\n0");
    assert_eq!(world.says("harm calls").await, "1", "a little more is no reason");
    assert_eq!(world.says("harm grow 9000000\nharm calls").await, "grown\n2");
    assert_eq!(world.says("harm calls").await, "0", "nobody uses it again");
}

#[tokio::test]
async fn a_kept_instance_is_not_used_after_a_fault() {
    let world = world(RuntimeOptions { deadline_ms: 2000, ..patient() }, pooled(1, 1000)).await;
    for harm in ["harm panic", "harm spin", "status 99", "harm exit", "hold d1"] {
        assert_eq!(world.says("harm calls").await, "0", "{harm}");
        assert_eq!(world.says("harm calls").await, "1", "{harm}");
        let ended = world.request(harm).await;
        assert_eq!(ended.is_err(), harm != "hold d1", "{harm}");
    }
    // An error of the contract is an orderly answer.
    assert_eq!(world.says("harm calls").await, "0");
    assert_eq!(world.says("harm clock\nnow").await.lines().next(), Some("1700000000123"));
    world.is_unharmed().await;
}

#[tokio::test]
async fn nothing_of_one_call_is_left_to_the_next_on_a_kept_instance() {
    let world = world(patient(), pooled(1, 1000)).await;
    let first = world.request("id\nsubmit d1\ncancel e1\nwait {}").await.unwrap();
    let second = world.request("id\nsubmit d1\ncancel e1\nwait {}").await.unwrap();
    assert_eq!(first, second);
    world.request("submit d1\nerror no").await.unwrap_err();
    assert_eq!(world.request("now").await.unwrap().writes, []);
    assert_ne!(world.says("get d1").await, world.says("get d1").await, "a new call reads anew");
}

#[tokio::test]
async fn a_version_that_was_replaced_keeps_no_instance() {
    let world = world(patient(), pooled(1, 1000)).await;
    let free = world.runtime.kept_free();
    assert_eq!(world.says("harm calls").await, "0");
    assert_eq!(world.runtime.kept_free(), free - 1);
    std::fs::write(world.path("scripted.wasm"), variant(scripted(), 1)).unwrap();
    world.folder.rescan().await;
    assert_eq!(world.runtime.kept_free(), free, "its place is for the newest");
    for _ in 0..2 {
        assert_eq!(world.says("harm calls").await, "0", "whoever still calls it gets a fresh one");
    }
    assert_eq!(world.runtime.kept_free(), free);
}

#[tokio::test]
async fn a_pool_is_bounded_and_goes_on_when_other_pools_keep_everything() {
    // Two slots to keep, and a plugin that may use three at once.
    let world = world(patient(), pooled(3, 1000)).await;
    let mut parked = Vec::new();
    for _ in 0..3 {
        parked.push(park(&world).await);
    }
    assert_eq!(world.runtime.instances_free(), INSTANCES as usize - 1, "the third runs in a slot of the others");
    let mut fourth: Pin<Box<dyn Future<Output = Called>>> = Box::pin(world.request("harm calls"));
    assert!(futures_poll_once(&mut fourth).await.is_none(), "the fourth waits for its turn");
    world.host.gate.add_permits(3);
    for task in parked {
        assert_eq!(crate::world::said(task.await.unwrap()), "none\n0");
    }
    assert_eq!(crate::world::said(fourth.await), "1", "it runs where an earlier one did");
    assert_eq!(world.runtime.instances_free(), INSTANCES as usize, "the third was not kept");
}

/// Polls a future once.
async fn futures_poll_once<T>(future: &mut Pin<Box<dyn Future<Output = T> + '_>>) -> Option<T> {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(match future.as_mut().poll(context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}
