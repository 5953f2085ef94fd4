//! What a plugin imports has to be granted, by name, or it does not serve.

use crate::guests;
use crate::world::patient;
use dragoman_wasm::{Catalog, Grants, Interface, LoadStep, PluginFolder, PluginOptions, Runtime, RuntimeOptions};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A folder with the scripted dialect, which imports everything, and the handler, which imports nothing to be granted.
async fn folder(to_all: Grants, to_scripted: Option<Grants>) -> Arc<Catalog> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("scripted.wasm"), guests::scripted()).unwrap();
    std::fs::write(dir.path().join("stepper.wasm"), guests::stepper()).unwrap();
    let runtime = Runtime::new(RuntimeOptions { grants: to_all, ..patient() }).unwrap();
    let scripted = PluginOptions { grants: to_scripted, ..PluginOptions::default() };
    let options = BTreeMap::from([("scripted".to_owned(), scripted)]);
    PluginFolder::open(runtime, dir.path(), options).await.unwrap().catalog()
}

fn all() -> Grants {
    Interface::ALL.into_iter().collect()
}

#[tokio::test]
async fn a_plugin_that_imports_more_than_it_is_granted_is_refused_with_the_line_to_add() {
    let catalog = folder(Grants::new(), None).await;
    assert!(catalog.get("stepper").is_some(), "what is everybody's needs no grant");
    let [refused] = &*catalog.refused else { panic!("{:?}", catalog.refused) };
    assert_eq!(refused.step, LoadStep::Grants);
    let line = "grants = [\"devices\", \"executions\", \"documents\", \"sessions\", \"outbox\", \"events\", \
                \"credentials\", \"asks\"] in [plugin.scripted]";
    assert!(refused.reason.contains(line), "{}", refused.reason);

    let but_one: Grants = all().into_iter().filter(|interface| *interface != Interface::Outbox).collect();
    let catalog = folder(all(), Some(but_one)).await;
    let [refused] = &*catalog.refused else { panic!("its own grants count, not those of all") };
    assert!(refused.reason.starts_with("scripted.wasm needs `outbox`, which"), "{}", refused.reason);
}

#[tokio::test]
async fn what_is_granted_is_enough_by_its_own_name_or_for_all() {
    for (to_all, to_scripted) in [(all(), None), (Grants::new(), Some(all()))] {
        let catalog = folder(to_all, to_scripted).await;
        assert_eq!(catalog.refused, []);
        assert_eq!(*catalog.get("scripted").unwrap().imports(), all());
        assert_eq!(*catalog.get("stepper").unwrap().imports(), Grants::new());
    }
}
