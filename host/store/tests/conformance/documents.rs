//! Documents, their indexes, counters.

use crate::gate::Gate;
use crate::support::*;
use crate::{Place, commit, journal};
use dragoman_store::{Backend, DocumentRecord, Durability, Journal, JournalOptions, StoreError, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

fn put_document(key: &str, json: &str) -> Write {
    Write::Document(document("shelf", key, json, 1))
}

fn keys(documents: &[DocumentRecord]) -> Vec<&str> {
    documents.iter().map(|document| document.key.as_str()).collect()
}

/// Keys of the documents on the shelf that have these values.
async fn with(journal: &Journal, fields: &[(&str, &str)]) -> Vec<String> {
    let found = journal.documents("globex", "shelf", pairs(fields), None, 1_000).await.unwrap();
    let count = journal.count_documents("globex", "shelf", pairs(fields), 10_000).await.unwrap();
    assert_eq!(found.len() as u64, count);
    found.into_iter().map(|document| document.key).collect()
}

/// The same past the journal.
fn stored(backend: &Arc<dyn Backend>, fields: &[(&str, &str)]) -> Vec<String> {
    let found = backend.documents("globex", "shelf", &pairs(fields), None, 1_000).unwrap();
    found.into_iter().map(|document| document.key).collect()
}

fn shelf(fields: &[&str]) -> Vec<(String, String)> {
    fields.iter().map(|field| ("shelf".to_owned(), (*field).to_owned())).collect()
}

pub async fn a_document_comes_back_and_is_replaced_and_removed(place: &impl Place) {
    let journal = journal(place);
    for revision in 1..=3 {
        let record = document("shelf", "a", &format!("{{\"n\":{revision}}}"), revision);
        journal.append(vec![Write::Document(record.clone())]).unwrap();
        // From memory, then from the database, then from the cache.
        for _ in 0..3 {
            assert_eq!(journal.document("globex", "shelf", "a").await.unwrap().as_deref(), Some(&record));
            assert_eq!(journal.document("initech", "shelf", "a").await.unwrap(), None);
            assert_eq!(journal.document("globex", "box", "a").await.unwrap(), None);
            assert_eq!(journal.document("globex", "shelf", "b").await.unwrap(), None);
            journal.flush().await.unwrap();
        }
    }
    journal.append(vec![remove_document("shelf", "a"), remove_document("shelf", "nothing")]).unwrap();
    for _ in 0..3 {
        assert_eq!(journal.document("globex", "shelf", "a").await.unwrap(), None);
        assert_eq!(with(&journal, &[]).await, Vec::<String>::new());
        journal.flush().await.unwrap();
    }
}

pub async fn documents_and_counters_are_seen_at_once(place: &impl Place) {
    let gate = Gate::new(place.open());
    let journal = Journal::start(gate.clone(), JournalOptions::default()).unwrap();
    journal.append(vec![put_document("a", "1"), put_document("b", "1"), counter("n", 1)]).unwrap();
    journal.flush().await.unwrap();
    // In the cache now.
    assert!(journal.document("globex", "shelf", "a").await.unwrap().is_some());
    assert_eq!(journal.document("globex", "shelf", "c").await.unwrap(), None);
    gate.hold();
    journal.append(vec![put_document("a", "2"), remove_document("shelf", "b"), counter("n", 2)]).unwrap();
    gate.wait_for_commit();
    journal.append(vec![put_document("c", "3"), counter("n", 3)]).unwrap();
    let json = |found: Option<Arc<DocumentRecord>>| found.map(|found| found.json.clone());
    for _ in 0..3 {
        assert_eq!(json(journal.document("globex", "shelf", "a").await.unwrap()).as_deref(), Some("2"));
        assert_eq!(json(journal.document("globex", "shelf", "b").await.unwrap()), None);
        assert_eq!(json(journal.document("globex", "shelf", "c").await.unwrap()).as_deref(), Some("3"));
        assert_eq!(journal.counter("globex", "n").await.unwrap(), 3);
        assert_eq!(journal.counter("globex", "m").await.unwrap(), 0);
        assert_eq!(journal.counter("initech", "n").await.unwrap(), 0);
        gate.release();
        journal.flush().await.unwrap();
    }
    assert_eq!(with(&journal, &[]).await, ["a", "c"]);
}

pub async fn documents_go_in_key_order(place: &impl Place) {
    let backend = place.open();
    commit(&backend, (0..30).rev().map(|n| put_document(&format!("k{n:02}"), "{}")));
    commit(&backend, [Write::Document(document("shelf2", "k05x", "{}", 1)), put_document("", "{}")]);
    let page = |after: Option<&str>, limit| {
        let found = backend.documents("globex", "shelf", &Vec::new(), after, limit).unwrap();
        keys(&found).join(" ")
    };
    assert_eq!(page(None, 3), " k00 k01");
    assert_eq!(page(Some(""), 2), "k00 k01");
    assert_eq!(page(Some("k27"), 9), "k28 k29");
    assert_eq!(page(Some("k27x"), 9), "k28 k29");
    assert_eq!(page(Some("k29"), 9), "");
    assert_eq!(page(None, 0), "");
    assert_eq!(backend.documents("globex", "shelf", &Vec::new(), None, 0).unwrap().len(), 1);
    assert_eq!(backend.count_documents("globex", "shelf", &Vec::new(), 1_000).unwrap(), 31);
    assert_eq!(backend.count_documents("globex", "shelf", &Vec::new(), 7).unwrap(), 7);
    assert_eq!(backend.count_documents("initech", "shelf", &Vec::new(), 7).unwrap(), 0);
}

pub async fn documents_are_found_by_their_fields(place: &impl Place) {
    let journal = journal(place);
    journal.declare_indexes("globex", shelf(&["kind", "size", "new"])).await.unwrap();
    journal
        .append(vec![
            put_document("a", r#"{"kind":"lamp","size":1,"new":true}"#),
            put_document("b", r#"{"kind":"lamp","size":2,"new":false}"#),
            put_document("c", r#"{"kind":"door","size":1,"new":true}"#),
            put_document("d", r#"{"kind":["lamp"],"size":"1"}"#),
            put_document("e", "[\"lamp\"]"),
            // Of other owners, with other indexes.
            Write::Document(DocumentRecord { dialect: "initech".into(), ..document("shelf", "f", "{\"size\":1}", 1) }),
            Write::Document(document("box", "g", "{\"size\":1}", 1)),
        ])
        .unwrap();
    assert_eq!(with(&journal, &[("kind", "lamp")]).await, ["a", "b"]);
    assert_eq!(with(&journal, &[("size", "1")]).await, ["a", "c", "d"]);
    assert_eq!(with(&journal, &[("new", "false")]).await, ["b"]);
    assert_eq!(with(&journal, &[("size", "1"), ("kind", "lamp")]).await, ["a"]);
    assert_eq!(with(&journal, &[("kind", "lamp"), ("size", "1"), ("new", "true")]).await, ["a"]);
    assert_eq!(with(&journal, &[("kind", "lamp"), ("kind", "door")]).await, Vec::<String>::new());
    assert_eq!(with(&journal, &[("kind", "gate")]).await, Vec::<String>::new());
    let behind = journal.documents("globex", "shelf", pairs(&[("size", "1")]), Some("a".to_owned()), 1).await.unwrap();
    assert_eq!(keys(&behind), ["c"]);

    // Changed, removed, and made anew within one commit.
    journal
        .append(vec![
            put_document("a", r#"{"kind":"door"}"#),
            remove_document("shelf", "c"),
            put_document("b", r#"{"kind":"gate"}"#),
            put_document("b", r#"{"kind":"lamp","size":7}"#),
            remove_document("shelf", "d"),
            put_document("d", r#"{"kind":"lamp"}"#),
        ])
        .unwrap();
    assert_eq!(with(&journal, &[("kind", "lamp")]).await, ["b", "d"]);
    assert_eq!(with(&journal, &[("kind", "door")]).await, ["a"]);
    assert_eq!(with(&journal, &[("kind", "gate")]).await, Vec::<String>::new());
    assert_eq!(with(&journal, &[("size", "1")]).await, Vec::<String>::new());
    assert_eq!(with(&journal, &[("size", "7")]).await, ["b"]);
}

pub async fn a_field_without_an_index_is_refused(place: &impl Place) {
    let journal = journal(place);
    journal.declare_indexes("globex", shelf(&["kind"])).await.unwrap();
    for (dialect, collection, field) in
        [("globex", "shelf", "size"), ("globex", "box", "kind"), ("initech", "shelf", "kind")]
    {
        let fields = pairs(&[(field, "1")]);
        let refused = journal.documents(dialect, collection, fields.clone(), None, 10).await.unwrap_err();
        assert!(matches!(&refused, StoreError::NotIndexed { .. }), "{refused:?}");
        assert_eq!(
            refused.to_string(),
            format!(
                "the documents of {dialect} in {collection} cannot be asked for by {field}, which has no index; declare \
                 {collection}.{field} as index in the description of the plugin"
            )
        );
        let refused = journal.count_documents(dialect, collection, fields, 10).await.unwrap_err();
        assert!(matches!(&refused, StoreError::NotIndexed { .. }), "{refused:?}");
    }
    assert_eq!(with(&journal, &[("kind", "1")]).await, Vec::<String>::new());
}

pub async fn indexes_follow_what_is_declared(place: &impl Place) {
    let journal = journal(place);
    let all = 1_300;
    journal
        .append(
            (0..all).map(|n| put_document(&format!("k{n:04}"), &format!(r#"{{"a":{},"b":"{n}"}}"#, n % 650))).collect(),
        )
        .unwrap();
    journal.declare_indexes("initech", shelf(&["a"])).await.unwrap();
    journal.declare_indexes("globex", shelf(&["a", "b", "a"])).await.unwrap();
    assert_eq!(with(&journal, &[("a", "649")]).await, ["k0649", "k1299"]);
    assert_eq!(with(&journal, &[("b", "1299")]).await, ["k1299"]);
    // Not wanted for a while, in which documents change.
    journal.declare_indexes("globex", shelf(&["b"])).await.unwrap();
    let refused = journal.documents("globex", "shelf", pairs(&[("a", "1")]), None, 1).await;
    assert!(matches!(refused, Err(StoreError::NotIndexed { .. })), "{refused:?}");
    journal.append(vec![put_document("k0649", r#"{"a":1,"b":"x"}"#), remove_document("shelf", "k1299")]).unwrap();
    assert_eq!(with(&journal, &[("b", "x")]).await, ["k0649"]);
    journal.declare_indexes("globex", shelf(&["b", "a"])).await.unwrap();
    assert_eq!(with(&journal, &[("a", "649")]).await, Vec::<String>::new());
    assert_eq!(with(&journal, &[("a", "1")]).await, ["k0001", "k0649", "k0651"]);
    assert_eq!(with(&journal, &[("b", "x")]).await, ["k0649"]);
}

/// After any number of steps, with writes between them, a query is refused or right.
pub async fn indexes_are_built_in_steps(place: &impl Place) {
    for steps in 0..16_usize {
        let backend = place.open();
        let declared = shelf(&["a"]);
        while backend.index_documents("globex", &[], 1_000).unwrap() {}
        commit(&backend, (0..10).map(|n| put_document(&format!("k{n}"), r#"{"a":1}"#)));
        commit(&backend, [remove_document("shelf", "new")]);
        for _ in 0..steps {
            backend.index_documents("globex", &declared, 1).unwrap();
        }
        let early = backend.documents("globex", "shelf", &pairs(&[("a", "1")]), None, 100);
        match &early {
            Ok(found) => assert_eq!(keys(found).len(), 10, "after {steps} steps"),
            Err(refused) => assert!(matches!(refused, StoreError::NotIndexed { .. }), "{refused:?}"),
        }
        commit(
            &backend,
            [
                put_document("k1", r#"{"a":2}"#),
                put_document("k8", r#"{"a":2}"#),
                put_document("new", r#"{"a":1}"#),
                remove_document("shelf", "k2"),
                remove_document("shelf", "k7"),
            ],
        );
        // A restart in between changes nothing.
        drop(backend);
        let backend = place.open();
        let mut more = 0;
        while backend.index_documents("globex", &declared, 1).unwrap() {
            more += 1;
            assert!(more < 100, "it does not end");
        }
        assert_eq!(stored(&backend, &[("a", "1")]), ["k0", "k3", "k4", "k5", "k6", "k9", "new"], "after {steps} steps");
        assert_eq!(stored(&backend, &[("a", "2")]), ["k1", "k8"], "after {steps} steps");
        // Dropped in steps, too, and wanted again before it is gone.
        for _ in 0..steps / 3 {
            backend.index_documents("globex", &[], 1).unwrap();
        }
        commit(&backend, [put_document("k0", r#"{"a":2}"#)]);
        while backend.index_documents("globex", &declared, 1).unwrap() {}
        assert_eq!(stored(&backend, &[("a", "2")]), ["k0", "k1", "k8"], "after {steps} steps");
        assert_eq!(stored(&backend, &[("a", "1")]), ["k3", "k4", "k5", "k6", "k9", "new"], "after {steps} steps");
    }
}

pub async fn documents_are_written_with_the_rest_or_not_at_all(place: &impl Place) {
    {
        let backend = place.open();
        commit(&backend, [Write::Device(device("lamp", &[("n", "1")])), put_document("a", "1"), counter("n", 1)]);
        let writes = [
            put_document("a", "2"),
            put_document("b", "2"),
            counter("n", 2),
            cursor(9),
            put(execution("e", "lamp")),
            Write::Device(device("door", &[("n", "1")])),
        ];
        let failed = backend.commit(&writes, Durability::Committed);
        assert!(matches!(failed, Err(StoreError::AliasTaken { .. })), "{failed:?}");
    }
    let backend = place.open();
    assert_eq!(backend.document("globex", "shelf", "a").unwrap(), Some(document("shelf", "a", "1", 1)));
    assert_eq!(backend.document("globex", "shelf", "b").unwrap(), None);
    assert_eq!(backend.counter("globex", "n").unwrap(), 1);
    assert_eq!(backend.cursor("globex").unwrap(), None);
}

pub async fn readers_never_see_an_older_document_after_a_newer(place: &impl Place) {
    let journal = journal(place);
    let done = Arc::new(AtomicBool::new(false));
    let write = |revision| {
        vec![
            Write::Document(document("shelf", "a", "{}", revision)),
            Write::Profile(profile("lamp", "globex", revision)),
            counter("n", revision),
            cursor(revision),
        ]
    };
    journal.append(write(1)).unwrap();
    let readers: Vec<_> = (0..4)
        .map(|reader| {
            let (journal, done) = (journal.clone(), Arc::clone(&done));
            tokio::spawn(async move {
                let mut newest = 0;
                while !done.load(Ordering::Relaxed) {
                    let found = match reader {
                        0 => journal.document("globex", "shelf", "a").await.unwrap().unwrap().revision,
                        1 => journal.profile(&dev("lamp"), "globex").await.unwrap().unwrap().revision,
                        2 => journal.counter("globex", "n").await.unwrap(),
                        _ => journal.cursor("globex").await.unwrap().unwrap(),
                    };
                    assert!(found >= newest, "reader {reader}: {found} after {newest}");
                    newest = found;
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for revision in 2..=400 {
        let seq = journal.append(write(revision)).unwrap();
        if revision % 3 == 0 {
            journal.committed(seq).await.unwrap();
        }
    }
    done.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.await.unwrap();
    }
    assert_eq!(journal.document("globex", "shelf", "a").await.unwrap().unwrap().revision, 400);
}

/// What is read again and again does not go to the database, and what changes is not read from memory.
pub async fn documents_and_profiles_are_read_from_memory(place: &impl Place) {
    let gate = Gate::new(place.open());
    let journal = Journal::start(gate.clone(), JournalOptions::default()).unwrap();
    let lamp = dev("lamp");
    for revision in 1..=2 {
        journal
            .append(vec![
                Write::Profile(profile("lamp", "globex", revision)),
                Write::Document(document("shelf", "a", "{}", revision)),
            ])
            .unwrap();
        journal.flush().await.unwrap();
        let before = gate.point_reads();
        for _ in 0..5 {
            let found = journal.profile(&lamp, "globex").await.unwrap();
            assert_eq!(found.map(|profile| profile.revision), Some(revision));
            assert_eq!(journal.profile(&lamp, "initech").await.unwrap(), None);
            let found = journal.document("globex", "shelf", "a").await.unwrap();
            assert_eq!(found.map(|document| document.revision), Some(revision));
            assert_eq!(journal.document("globex", "shelf", "b").await.unwrap(), None);
        }
        let reads = gate.point_reads() - before;
        assert!(reads <= 4, "{reads} reads");
        assert!(revision > 1 || reads == 4, "{reads} reads");
    }
    journal.append(vec![Write::DeviceRemove(lamp.clone())]).unwrap();
    journal.flush().await.unwrap();
    assert_eq!(journal.profile(&lamp, "globex").await.unwrap(), None);
    // A large one is read each time, so that many do not fill the memory.
    let large = document("shelf", "large", &format!("\"{}\"", "x".repeat(100_000)), 1);
    journal.append(vec![Write::Document(large)]).unwrap();
    journal.flush().await.unwrap();
    let before = gate.point_reads();
    for _ in 0..3 {
        assert!(journal.document("globex", "shelf", "large").await.unwrap().is_some());
    }
    assert_eq!(gate.point_reads() - before, 3);
}
