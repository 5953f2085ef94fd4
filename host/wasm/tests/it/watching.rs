//! The catalogue follows the folder by itself, while calls go on.

use crate::guests::{scripted, with};
use crate::world::{patient, request, world};
use dragoman_wasm::{Catalog, PluginOptions};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::watch;

async fn until(changes: &mut watch::Receiver<Arc<Catalog>>, what: impl Fn(&Catalog) -> bool) {
    let found = tokio::time::timeout(Duration::from_secs(60), changes.wait_for(|catalog| what(catalog))).await;
    found.expect("the folder was not followed").unwrap();
}

fn version(catalog: &Catalog) -> Option<&str> {
    catalog.get("scripted").map(|plugin| plugin.version())
}

#[tokio::test]
async fn a_file_that_appears_changes_or_goes_is_noticed() {
    let world = world(patient(), PluginOptions::default()).await;
    let mut changes = world.folder.subscribe();
    std::fs::write(world.path("scripted.wasm"), with(scripted(), &[("version-one", "version-two")])).unwrap();
    until(&mut changes, |catalog| version(catalog) == Some("version-two")).await;
    std::fs::remove_file(world.path("scripted.wasm")).unwrap();
    until(&mut changes, |catalog| version(catalog).is_none()).await;
    std::fs::write(world.path("beside"), scripted()).unwrap();
    std::fs::rename(world.path("beside"), world.path("again.wasm")).unwrap();
    until(&mut changes, |catalog| version(catalog) == Some("version-one")).await;
    assert!(Arc::ptr_eq(&changes.borrow(), &world.folder.catalog()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_fails_while_versions_change() {
    let world = Arc::new(world(patient(), PluginOptions::default()).await);
    let (stop, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let callers: Vec<_> = (0..2)
        .map(|_| {
            let (world, stop, calls) = (Arc::clone(&world), Arc::clone(&stop), Arc::clone(&calls));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let catalog = world.folder.catalog();
                    let plugin = catalog.get("scripted").expect("there is always one");
                    plugin.handle_request(world.call(), &request("now\nget d1")).await.unwrap();
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for round in 0..6 {
        let target = if round % 2 == 0 { "version-two" } else { "version-one" };
        std::fs::write(world.path("beside"), with(scripted(), &[("version-one", target)])).unwrap();
        std::fs::rename(world.path("beside"), world.path("scripted.wasm")).unwrap();
        world.folder.rescan().await;
        assert_eq!(version(&world.folder.catalog()), Some(target));
    }
    stop.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.unwrap();
    }
    assert!(calls.load(Ordering::Relaxed) > 0);
    world.is_unharmed().await;
}
