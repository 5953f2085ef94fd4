//! The host's own time: it is not the plugin's, and it is bounded too.

use crate::world::{INSTANCES, patient, request, said, world};
use dragoman_wasm::{PluginOptions, PoolOptions, RuntimeOptions};
use std::sync::Arc;
use std::time::Duration;

#[tokio::test]
async fn the_time_that_the_host_needs_to_read_is_not_the_plugin_s() {
    let options = RuntimeOptions { deadline_ms: 500, ..patient() };
    let world = world(options, PluginOptions::default()).await;
    let reading = world.request("get parked");
    let releasing = async {
        world.host.arrived.acquire().await.unwrap().forget();
        // Longer than the plugin may take.
        tokio::time::sleep(Duration::from_millis(800)).await;
        world.host.gate.add_permits(1);
    };
    let (read, ()) = tokio::join!(reading, releasing);
    assert_eq!(said(read), "none");
}

#[tokio::test]
async fn a_host_that_does_not_answer_ends_the_call() {
    let options = RuntimeOptions { host_time_ms: 100, ..patient() };
    let world = world(options, PluginOptions::default()).await;
    let error = world.request("get parked").await.unwrap_err();
    assert_eq!((error.code(), error.is_fault()), ("$UNAVAILABLE", false));
    assert_eq!(
        error.to_string(),
        "the host could not answer plugin scripted in northbound.handle-request: the host did not answer in time; try \
         again later"
    );
    assert_eq!(world.runtime.instances_free(), INSTANCES as usize);
    world.is_unharmed().await;
}

#[tokio::test]
async fn an_instance_that_waits_for_its_next_call_holds_nothing_of_the_last() {
    let pool = Some(PoolOptions { instances_max: 1, calls_max: 1000, ..PoolOptions::default() });
    let world = world(patient(), PluginOptions { pool, ..PluginOptions::default() }).await;
    let call = world.call_presenting("right");
    assert_eq!(said(world.plugin.handle_request(call, &request("check a\nharm calls")).await), "{\"of\":\"a\"}\n0");
    assert_eq!(world.says("harm calls").await, "1", "the instance was kept");
    assert_eq!(Arc::strong_count(&world.host), 1, "and nobody but this test holds the host of its call");
}
