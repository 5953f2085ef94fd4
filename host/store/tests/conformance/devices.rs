//! Devices, aliases, labels, profiles; most through the journal, whose cache and overlay must not show.

use crate::gate::Gate;
use crate::support::*;
use crate::{Place, commit, journal};
use dragoman_core::DeviceId;
use dragoman_store::{DeviceRecord, Journal, JournalOptions, StoreError, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

async fn resolved(journal: &Journal, namespace: &str, name: &str) -> Option<String> {
    journal.resolve(namespace, name).await.unwrap().map(|record| record.id.to_string())
}

fn ids(records: &[DeviceRecord]) -> Vec<&str> {
    records.iter().map(|record| record.id.as_str()).collect()
}

pub async fn a_device_comes_back_by_id_and_by_every_alias(place: &impl Place) {
    let journal = journal(place);
    let record = device("lamp", &[("globex.name", "one"), ("initech.id", "two"), ("initech.id", "two")]);
    journal.put_device(record.clone()).await.unwrap();
    // From memory, then from the database, then from the cache.
    for _ in 0..3 {
        assert_eq!(*journal.device(&dev("lamp")).await.unwrap().unwrap(), record);
        assert_eq!(*journal.resolve("globex.name", "one").await.unwrap().unwrap(), record);
        assert_eq!(*journal.resolve("initech.id", "two").await.unwrap().unwrap(), record);
        assert_eq!(resolved(&journal, "initech.id", "one").await, None);
        assert_eq!(journal.device(&dev("door")).await.unwrap(), None);
        journal.flush().await.unwrap();
    }
}

pub async fn an_alias_moves_when_it_was_given_up(place: &impl Place) {
    let journal = journal(place);
    for flushed in [false, true] {
        journal.put_device(device("lamp", &[("n", "1"), ("n", "2")])).await.unwrap();
        if flushed {
            journal.flush().await.unwrap();
        }
        assert_eq!(resolved(&journal, "n", "1").await.as_deref(), Some("lamp"));
        journal.put_device(device("lamp", &[("n", "2")])).await.unwrap();
        assert_eq!(resolved(&journal, "n", "1").await, None);
        journal.put_device(device("door", &[("n", "1")])).await.unwrap();
        assert_eq!(resolved(&journal, "n", "1").await.as_deref(), Some("door"));
        assert_eq!(resolved(&journal, "n", "2").await.as_deref(), Some("lamp"));
        journal.flush().await.unwrap();
        assert_eq!(resolved(&journal, "n", "1").await.as_deref(), Some("door"));
        journal.append(vec![Write::DeviceRemove(dev("door"))]).unwrap();
    }
}

pub async fn a_taken_alias_names_its_device(place: &impl Place) {
    let journal = journal(place);
    journal.put_device(device("lamp", &[("n", "1")])).await.unwrap();
    for _ in 0..2 {
        let refused = journal.put_device(device("door", &[("n", "2"), ("n", "1")])).await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the name 1 in n belongs to device lamp; choose another, or take it from that device first"
        );
        // Its own aliases are no obstacle to a device.
        journal.put_device(device("lamp", &[("n", "1")])).await.unwrap();
        journal.flush().await.unwrap();
    }
    assert_eq!(resolved(&journal, "n", "2").await, None);
}

pub async fn names_are_compared_byte_for_byte(place: &impl Place) {
    let journal = journal(place);
    journal.put_device(device("Lamp", &[("n", "A")])).await.unwrap();
    journal.put_device(device("lamp", &[("n", "a")])).await.unwrap();
    journal.flush().await.unwrap();
    assert_eq!(resolved(&journal, "n", "A").await.as_deref(), Some("Lamp"));
    assert_eq!(resolved(&journal, "n", "a").await.as_deref(), Some("lamp"));
    assert_eq!(resolved(&journal, "N", "a").await, None);
    assert_eq!(resolved(&journal, "n", "a ").await, None);
}

pub async fn removal_takes_aliases_labels_and_profiles_along(place: &impl Place) {
    let journal = journal(place);
    let mut record = device("lamp", &[("n", "1")]);
    record.labels = pairs(&[("room", "hall")]);
    journal.append_checked(vec![Write::Device(record), Write::Profile(profile("lamp", "x", 1))]).await.unwrap();
    journal.flush().await.unwrap();
    assert_eq!(resolved(&journal, "n", "1").await.as_deref(), Some("lamp"));
    journal.append(vec![Write::DeviceRemove(dev("lamp"))]).unwrap();
    for _ in 0..2 {
        assert_eq!(journal.device(&dev("lamp")).await.unwrap(), None);
        assert_eq!(resolved(&journal, "n", "1").await, None);
        assert_eq!(journal.profile(&dev("lamp"), "x").await.unwrap(), None);
        assert_eq!(journal.devices(pairs(&[("room", "hall")]), None, 10).await.unwrap(), []);
        journal.flush().await.unwrap();
    }
    // A new device of that name starts without what the old one had.
    journal.put_device(device("lamp", &[])).await.unwrap();
    journal.flush().await.unwrap();
    assert_eq!(journal.profile(&dev("lamp"), "x").await.unwrap(), None);
    assert_eq!(resolved(&journal, "n", "1").await, None);
}

/// The same for aliases: a name that was given up before the look-up began is not found.
pub async fn a_name_given_up_is_gone_during_commits(place: &impl Place) {
    let journal = journal(place);
    for round in 0..300_u32 {
        let name = format!("name-{round}");
        journal.put_device(device("lamp", &[("n", name.as_str())])).await.unwrap();
        if let Some(before) = round.checked_sub(1) {
            assert_eq!(resolved(&journal, "n", &format!("name-{before}")).await, None, "round {round}");
        }
        assert_eq!(resolved(&journal, "n", &name).await.as_deref(), Some("lamp"));
    }
}

pub async fn a_device_made_anew_has_no_old_profile(place: &impl Place) {
    let gate = Gate::new(place.open());
    let journal = Journal::start(gate.clone(), JournalOptions::default()).unwrap();
    journal
        .append_checked(vec![Write::Device(device("lamp", &[])), Write::Profile(profile("lamp", "x", 1))])
        .await
        .unwrap();
    journal.flush().await.unwrap();
    gate.hold();
    journal.append(vec![Write::DeviceRemove(dev("lamp"))]).unwrap();
    journal.put_device(device("lamp", &[])).await.unwrap();
    assert_eq!(journal.profile(&dev("lamp"), "x").await.unwrap(), None);
    gate.release();
    journal.flush().await.unwrap();
    assert_eq!(journal.profile(&dev("lamp"), "x").await.unwrap(), None);
}

pub async fn pages_go_in_id_order_and_by_labels(place: &impl Place) {
    let backend = place.open();
    commit(
        &backend,
        (0..30).rev().map(|n| {
            let mut record = device(&format!("d{n:02}"), &[]);
            record.labels = pairs(&[("mod3", ["0", "1", "2"][n % 3]), ("mod2", ["0", "1"][n % 2])]);
            Write::Device(record)
        }),
    );
    let page = |labels: &[(&str, &str)], after: Option<&str>, limit| {
        backend.devices(&pairs(labels), after.map(dev).as_ref(), limit).unwrap()
    };
    assert_eq!(ids(&page(&[], None, 3)), ["d00", "d01", "d02"]);
    assert_eq!(ids(&page(&[], Some("d27"), 9)), ["d28", "d29"]);
    assert_eq!(ids(&page(&[], Some("d27x"), 9)), ["d28", "d29"]);
    assert_eq!(ids(&page(&[("mod3", "1")], Some("d20"), 9)), ["d22", "d25", "d28"]);
    assert_eq!(ids(&page(&[("mod3", "1"), ("mod2", "0")], None, 2)), ["d04", "d10"]);
    assert_eq!(ids(&page(&[("mod3", "4")], None, 2)), Vec::<&str>::new());
    assert_eq!(page(&[], None, 0).len(), 1);
    let count = |labels: &[(&str, &str)], up_to| backend.count_devices(&pairs(labels), up_to).unwrap();
    assert_eq!((count(&[], 100), count(&[], 7)), (30, 7));
    assert_eq!((count(&[("mod3", "1"), ("mod2", "0")], 100), count(&[("mod3", "4")], 100)), (5, 0));
}

pub async fn labels_follow_the_record(place: &impl Place) {
    let backend = place.open();
    let with = |labels: &[(&str, &str)]| {
        let mut record = device("lamp", &[]);
        record.labels = pairs(labels);
        Write::Device(record)
    };
    let has = |label: (&str, &str)| !backend.devices(&pairs(&[label]), None, 1).unwrap().is_empty();
    commit(&backend, [with(&[("a", "1"), ("b", "1"), ("b", "1")])]);
    assert!(has(("a", "1")) && has(("b", "1")));
    commit(&backend, [with(&[("b", "1"), ("a", "2")])]);
    assert!(!has(("a", "1")) && has(("a", "2")) && has(("b", "1")));
    commit(&backend, [with(&[])]);
    assert!(!has(("a", "2")) && !has(("b", "1")));
}

pub async fn an_alias_is_added_later(place: &impl Place) {
    let journal = journal(place);
    journal.put_device(device("lamp", &[("n", "1")])).await.unwrap();
    journal.append(vec![Write::Profile(profile("lamp", "x", 1))]).unwrap();
    journal.flush().await.unwrap();
    assert_eq!(resolved(&journal, "m", "2").await, None);
    journal.put_device(device("lamp", &[("n", "1"), ("m", "2")])).await.unwrap();
    for _ in 0..2 {
        assert_eq!(resolved(&journal, "n", "1").await.as_deref(), Some("lamp"));
        assert_eq!(resolved(&journal, "m", "2").await.as_deref(), Some("lamp"));
        assert_eq!(journal.profile(&dev("lamp"), "x").await.unwrap(), Some(profile("lamp", "x", 1)));
        journal.flush().await.unwrap();
    }
}

pub async fn a_removed_device_leaves_documents(place: &impl Place) {
    let journal = journal(place);
    journal.put_device(device("lamp", &[])).await.unwrap();
    journal.append(vec![Write::Document(document("lamps", "lamp", "{}", 1))]).unwrap();
    journal.append(vec![Write::DeviceRemove(dev("lamp"))]).unwrap();
    journal.flush().await.unwrap();
    assert_eq!(journal.device(&dev("lamp")).await.unwrap(), None);
    assert!(journal.document("globex", "lamps", "lamp").await.unwrap().is_some());
}

pub async fn children_hang_below_their_gateway(place: &impl Place) {
    let journal = journal(place);
    let below = |name: &str, parent: Option<&str>| DeviceRecord { parent: parent.map(dev), ..device(name, &[]) };
    for record in [below("hub", None), below("c", Some("hub")), below("a", Some("hub")), below("b", Some("other"))] {
        journal.put_device(record).await.unwrap();
    }
    assert_eq!(ids(&journal.children(dev("hub"), None, 10).await.unwrap()), ["a", "c"]);
    assert_eq!(ids(&journal.children(dev("hub"), Some(dev("a")), 10).await.unwrap()), ["c"]);
    assert_eq!(ids(&journal.children(dev("hub"), None, 1).await.unwrap()), ["a"]);
    journal.put_device(below("a", None)).await.unwrap();
    assert_eq!(ids(&journal.children(dev("hub"), None, 10).await.unwrap()), ["c"]);
}

pub async fn profiles_are_per_device_and_dialect(place: &impl Place) {
    let journal = journal(place);
    let all = [profile("lamp", "x", 1), profile("lamp", "y", 2), profile("door", "x", 3)];
    journal.append(all.iter().cloned().map(Write::Profile).collect()).unwrap();
    for _ in 0..2 {
        for profile in &all {
            let found = journal.profile(&profile.device, &profile.dialect).await.unwrap();
            assert_eq!(found.as_ref(), Some(profile));
        }
        assert_eq!(journal.profile(&dev("door"), "y").await.unwrap(), None);
        journal.flush().await.unwrap();
    }
    journal.append(vec![Write::Profile(profile("lamp", "x", 9))]).unwrap();
    assert_eq!(journal.profile(&dev("lamp"), "x").await.unwrap(), Some(profile("lamp", "x", 9)));
}

pub async fn checked_appends_look_at_each_other(place: &impl Place) {
    let journal = journal(place);
    let put = |id: &str, aliases: &[(&str, &str)]| Write::Device(device(id, aliases));
    let twice = journal.append_checked(vec![put("lamp", &[("n", "1")]), put("door", &[("n", "1")])]).await;
    assert!(matches!(&twice, Err(StoreError::AliasTaken { by, .. }) if *by == dev("lamp")), "{twice:?}");
    assert_eq!(journal.device(&dev("lamp")).await.unwrap(), None);

    // Given up and taken, and removed and taken, within one append.
    journal.append_checked(vec![put("lamp", &[("n", "1")]), put("hub", &[("n", "2")])]).await.unwrap();
    journal
        .append_checked(vec![
            put("lamp", &[]),
            put("door", &[("n", "1")]),
            Write::DeviceRemove(dev("hub")),
            put("gate", &[("n", "2")]),
        ])
        .await
        .unwrap();
    journal.flush().await.unwrap();
    assert_eq!(resolved(&journal, "n", "1").await.as_deref(), Some("door"));
    assert_eq!(resolved(&journal, "n", "2").await.as_deref(), Some("gate"));
}

pub async fn checked_appends_see_what_waits(place: &impl Place) {
    let gate = Gate::new(place.open());
    let journal = Journal::start(gate.clone(), JournalOptions::default()).unwrap();
    gate.hold();
    journal.put_device(device("lamp", &[("n", "1")])).await.unwrap();
    let refused = journal.put_device(device("door", &[("n", "1")])).await;
    assert!(matches!(&refused, Err(StoreError::AliasTaken { by, .. }) if *by == dev("lamp")), "{refused:?}");
    journal.append(vec![Write::DeviceRemove(dev("lamp"))]).unwrap();
    journal.put_device(device("door", &[("n", "1")])).await.unwrap();
    assert_eq!(resolved(&journal, "n", "1").await.as_deref(), Some("door"));
    gate.release();
    journal.flush().await.unwrap();
    assert_eq!(resolved(&journal, "n", "1").await.as_deref(), Some("door"));
}

pub async fn a_refused_append_writes_nothing(place: &impl Place) {
    let journal = journal(place);
    journal.put_device(device("lamp", &[("n", "1")])).await.unwrap();
    let writes = vec![put(execution("a", "lamp")), Write::Device(device("door", &[("n", "1")]))];
    assert!(journal.append_checked(writes).await.is_err());
    assert_eq!(journal.execution(&id("a")).await.unwrap(), None);
    journal.flush().await.unwrap();
    assert_eq!(journal.execution(&id("a")).await.unwrap(), None);
}

pub async fn two_writers_of_one_alias_one_wins(place: &impl Place) {
    let journal = journal(place);
    for round in 0..20 {
        let name = format!("name-{round}");
        let tasks: Vec<_> = (0..4)
            .map(|writer| {
                let (journal, name) = (journal.clone(), name.clone());
                tokio::spawn(async move {
                    journal.put_device(device(&format!("d{round}-{writer}"), &[("n", name.as_str())])).await.is_ok()
                })
            })
            .collect();
        let mut winners = 0;
        for task in tasks {
            winners += usize::from(task.await.unwrap());
        }
        assert_eq!(winners, 1, "{name}");
    }
    journal.flush().await.unwrap();
}

pub async fn import_then_read(place: &impl Place) {
    let journal = journal(place);
    journal.put_device(device("d00007", &[("n", "old")])).await.unwrap();
    assert_eq!(resolved(&journal, "n", "old").await.as_deref(), Some("d00007"));
    let records: Vec<DeviceRecord> = (0..25_000)
        .map(|n| {
            let mut record = device(&format!("d{n:05}"), &[("n", &format!("name{n}"))]);
            record.labels = pairs(&[("kind", "lamp")]);
            record
        })
        .collect();
    assert_eq!(journal.import_devices(records).await.unwrap(), 25_000);
    assert_eq!(resolved(&journal, "n", "name24999").await.as_deref(), Some("d24999"));
    assert_eq!(resolved(&journal, "n", "name7").await.as_deref(), Some("d00007"));
    assert_eq!(resolved(&journal, "n", "old").await, None);
    let page = journal.devices(pairs(&[("kind", "lamp")]), Some(dev("d24990")), 100).await.unwrap();
    assert_eq!(page.len(), 9);
    let taken = journal.put_device(device("other", &[("n", "name3")])).await;
    assert!(matches!(taken, Err(StoreError::AliasTaken { .. })), "{taken:?}");
}

pub async fn import_names_the_taken_alias(place: &impl Place) {
    let journal = journal(place);
    let records = vec![device("a", &[("n", "1")]), device("b", &[("n", "1")])];
    let refused = journal.import_devices(records).await;
    assert!(matches!(&refused, Err(StoreError::AliasTaken { by, .. }) if *by == dev("a")), "{refused:?}");
    assert_eq!(journal.device(&dev("a")).await.unwrap(), None);
    // The journal is none the worse for it.
    journal.put_device(device("b", &[("n", "1")])).await.unwrap();
    journal.flush().await.unwrap();
}

pub async fn readers_never_see_an_older_device_after_a_newer(place: &impl Place) {
    let journal = journal(place);
    let done = Arc::new(AtomicBool::new(false));
    journal.put_device(device("lamp", &[("n", "1")])).await.unwrap();
    let readers: Vec<_> = (0..3)
        .map(|reader| {
            let (journal, done) = (journal.clone(), Arc::clone(&done));
            tokio::spawn(async move {
                let mut newest = 0;
                while !done.load(Ordering::Relaxed) {
                    let found = match reader {
                        0 => journal.device(&DeviceId::new("lamp")).await.unwrap(),
                        _ => journal.resolve("n", "1").await.unwrap(),
                    };
                    let updated_ms = found.unwrap().updated_ms;
                    assert!(updated_ms >= newest, "{updated_ms} after {newest}");
                    newest = updated_ms;
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for updated_ms in 1_001..1_200 {
        let seq = journal.put_device(DeviceRecord { updated_ms, ..device("lamp", &[("n", "1")]) }).await.unwrap();
        if updated_ms % 3 == 0 {
            journal.committed(seq).await.unwrap();
        }
    }
    done.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.await.unwrap();
    }
    assert_eq!(journal.device(&dev("lamp")).await.unwrap().unwrap().updated_ms, 1_199);
}
