//! A plugin that keeps failing is not called for a while, and one call decides whether that is over.

use crate::world::{World, patient, world};
use dragoman_wasm::{Fault, PluginOptions, QuarantineOptions, RuntimeOptions};
use std::time::Duration;

/// Two faults put a plugin into quarantine for that long.
async fn strict(backoff_ms: u64) -> World {
    let quarantine =
        QuarantineOptions { faults_max: 2, window_ms: 60_000, backoff_ms, backoff_max_ms: backoff_ms * 1000 };
    world(RuntimeOptions { quarantine, ..patient() }, PluginOptions::default()).await
}

async fn traps(world: &World) -> Fault {
    world.request("harm panic").await.unwrap_err().fault
}

#[tokio::test]
async fn a_plugin_that_keeps_failing_is_not_called_until_it_is_readmitted() {
    let world = strict(600_000).await;
    for _ in 0..10 {
        assert!(matches!(world.request("error no").await.unwrap_err().fault, Fault::Guest(_)), "a refusal is no fault");
    }
    assert!(matches!(traps(&world).await, Fault::Trapped(_)));
    assert_eq!(world.plugin.quarantine(), None);
    assert!(matches!(traps(&world).await, Fault::Trapped(_)));
    let state = world.plugin.quarantine().unwrap();
    assert!(state.times == 1 && state.reason.contains("trapped in northbound.handle-request"), "{state:?}");
    let error = world.request("now").await.unwrap_err();
    assert!(matches!(error.fault, Fault::Quarantined { again_in_ms: 1..=600_000 }), "{error}");
    assert_eq!((error.code(), error.is_fault()), ("$PLUGIN_QUARANTINED", false));
    assert!(world.plugin.readmit());
    assert!(!world.plugin.readmit());
    world.is_unharmed().await;
}

#[tokio::test]
async fn one_call_decides_when_its_time_is_over() {
    let world = strict(50).await;
    traps(&world).await;
    traps(&world).await;
    let probe = async |script: &str| loop {
        match world.request(script).await {
            Err(error) if matches!(error.fault, Fault::Quarantined { .. }) => {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            result => return result,
        }
    };
    assert!(matches!(probe("harm panic").await.unwrap_err().fault, Fault::Trapped(_)));
    assert_eq!(world.plugin.quarantine().unwrap().times, 2, "one fault is enough then");
    probe("now").await.unwrap();
    assert_eq!(world.plugin.quarantine(), None);
    assert!(matches!(traps(&world).await, Fault::Trapped(_)));
    world.is_unharmed().await;
}

#[tokio::test]
async fn a_probe_that_is_dropped_leaves_room_for_the_next() {
    let world = strict(1).await;
    traps(&world).await;
    traps(&world).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    let (plugin, call) = (world.plugin.clone(), world.call());
    let request = crate::world::request("get parked\nharm calls");
    let probe = tokio::spawn(async move { plugin.handle_request(call, &request).await });
    let arrived = tokio::time::timeout(Duration::from_secs(60), world.host.arrived.acquire()).await;
    arrived.unwrap().unwrap().forget();
    let waiting = world.request("now").await.unwrap_err().fault;
    assert_eq!(waiting, Fault::Quarantined { again_in_ms: 0 }, "one call decides, the others wait");
    probe.abort();
    assert!(probe.await.unwrap_err().is_cancelled());
    world.is_unharmed().await;
}
