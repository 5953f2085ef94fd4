//! Devices that are changed, removed and given more names.

use crate::world::{patient, said, world};
use dragoman_core::DeviceId;
use dragoman_wasm::{PluginOptions, PluginWrite, UpdateDevice};
use std::sync::atomic::Ordering;

fn update(profile: &str) -> PluginWrite {
    PluginWrite::UpdateDevice(UpdateDevice {
        id: DeviceId::new("d1"),
        handler: None,
        parent: None,
        aliases: vec![("ns".into(), "two".into())],
        labels: Vec::new(),
        profile: profile.into(),
        revision: 1,
    })
}

#[tokio::test]
async fn an_update_replaces_everything_the_call_wrote_about_a_device() {
    let world = world(patient(), PluginOptions::default()).await;
    let done = world.request("put d1 1 {}\nupdate d1 1 ns three\nupdate d1 1 ns two").await.unwrap();
    assert_eq!(said(Ok(done.clone())), "ok\nok\nok");
    assert_eq!(done.writes, [update("{\"updated\":true}")]);
    assert_eq!(done.read_revisions, [(DeviceId::new("d1"), 1)]);
    world.host.reads.store(0, Ordering::Relaxed);
    let done = world.request("update d1 1 ns two\nput d1 1 {\"p\":3}").await.unwrap();
    assert_eq!(done.writes, [update("{\"p\":3}")], "a profile behind an update belongs to it");
}

#[tokio::test]
async fn a_change_that_cannot_be_is_told_at_once() {
    let world = world(patient(), PluginOptions::default()).await;
    let reaches = "Error::Denied(\"the dialect `other` reaches the device `d9`\")";
    let taken = "Error::Conflict(\"the name `x` in `mine` is taken\")";
    for (script, told) in [
        ("update d9 1 ns two", reaches),
        ("remove d9", reaches),
        ("update d0 1 ns two", "Error::NotFound(\"no device has the id `d0`\")"),
        ("update d1 2 ns two", "Error::Conflict(\"the profile of `d1` has revision 1, not 2\")"),
        ("update d1 1 ns one", "ok"),
        ("update d2 1 ns one", "Error::Conflict(\"the name `one` in `ns` is taken\")"),
        ("rename d1 d2", "Error::Invalid(\"the id of a device cannot change\")"),
        ("update d1 1 ns two d1", "Error::Invalid(\"the device `d1` cannot hang below itself\")"),
        ("update d1 1 ns two d0", "Error::NotFound(\"no device has the id `d0`\")"),
        ("add-alias d0 ns two", "Error::NotFound(\"no device has the id `d0`\")"),
        ("add-alias d9 mine x\nadd-alias d1 mine x", &format!("ok\n{taken}")),
        ("add-alias d9 mine x\ncreate n1 mine x", &format!("ok\n{taken}")),
        ("add-alias d9 mine x\nupdate d1 1 mine x", &format!("ok\n{taken}")),
    ] {
        world.host.reads.store(0, Ordering::Relaxed);
        let said = world.says(script).await;
        // The revision that a device has is the number of reads so far, so only the first is known.
        let first = said.lines().last() == told.lines().last();
        assert!(first || said.contains("has revision"), "{script}: {said}");
    }
}

#[tokio::test]
async fn a_device_is_removed_once_and_named_by_others() {
    let world = world(patient(), PluginOptions::default()).await;
    let done = world.request("remove d1\nremove d1\nadd-alias d9 mine x\nadd-alias d9 ns one").await.unwrap();
    assert_eq!(said(Ok(done.clone())), "ok\nok\nok\nok");
    let alias = PluginWrite::AddAlias { device: DeviceId::new("d9"), namespace: "mine".into(), name: "x".into() };
    assert_eq!(done.writes, [PluginWrite::RemoveDevice(DeviceId::new("d1")), alias], "a name it has is not added");
}

#[tokio::test]
async fn devices_are_counted_as_far_as_the_contract_says() {
    let world = world(patient(), PluginOptions::default()).await;
    assert_eq!(world.says("devices-count\ndevices-count").await, "100000\n100000");
    assert_eq!(world.host.reads.load(Ordering::Relaxed), 1);
}
