//! A plugin's own documents and counters.

use crate::world::{patient, request, said, world};
use dragoman_wasm::{Fault, PluginOptions, PluginWrite};
use std::sync::atomic::Ordering;

fn put(key: &str, value: &str, revision: u64) -> PluginWrite {
    PluginWrite::PutDocument { collection: "things".into(), key: key.into(), value: value.into(), revision }
}

#[tokio::test]
async fn a_call_reads_what_it_wrote_and_builds_on_it() {
    let world = world(patient(), PluginOptions::default()).await;
    let script = "document get things k1\ndocument get things k1\ndocument put things k1 1 {\"a\":1}\n\
                  document get things k1\ndocument put things k1 1 {}\ndocument put things k1 2 {\"a\":2}\n\
                  document remove things k1 3\ndocument get things k1\ndocument put things k1 0 {}\n\
                  document put things k3 0 {}\ndocument remove things k4 0\ndocument put things k2 0 {}";
    let done = world.request(script).await.unwrap();
    assert_eq!(
        said(Ok(done.clone())).lines().collect::<Vec<_>>(),
        [
            "k1:1:{\"read\":1}",
            "k1:1:{\"read\":1}",
            "ok",
            "k1:2:{\"a\":1}",
            "Error::Conflict(\"the document `k1` of `things` has revision 2, not 1\")",
            "ok",
            "ok",
            "none",
            "ok",
            "ok",
            "Error::NotFound(\"`things` has no document `k4`\")",
            "Error::Conflict(\"the document `k2` of `things` has revision 1, not 0\")",
        ]
    );
    let remove = PluginWrite::RemoveDocument { collection: "things".into(), key: "k1".into(), revision: 3 };
    assert_eq!(
        done.writes,
        [put("k1", "{\"a\":1}", 1), put("k1", "{\"a\":2}", 2), remove, put("k1", "{}", 0), put("k3", "{}", 0)]
    );
}

#[tokio::test]
async fn lists_and_counts_repeat_and_show_what_is_applied() {
    let world = world(patient(), PluginOptions::default()).await;
    let script = "document get things k1\ndocument query things kind=x\ndocument query things kind=x\n\
                  document put things k1 1 {}\ndocument query things\ndocument count things\ndocument count things";
    let seen = world.says(script).await;
    let lines: Vec<_> = seen.lines().collect();
    assert!(lines[1].starts_with(&format!("{} k2:1:", lines[0])), "{seen}");
    assert_eq!((lines[2], lines[4]), (lines[1], lines[1]), "what was seen first stays");
    assert_eq!(lines[5], lines[6]);
}

#[tokio::test]
async fn a_field_that_is_not_indexed_finds_nothing() {
    let world = world(patient(), PluginOptions::default()).await;
    let invalid = "Error::Invalid(\"`size` is no index of `things`; describe it with the attribute `documents.index` = \
                   `things.size`\")";
    assert_eq!(world.says("document query things size=3").await, invalid);
    assert_eq!(world.says("document count things kind=x size=3").await, invalid);
    let other = world.says("document query others kind=x").await;
    assert!(other.starts_with("Error::Invalid(\"`kind` is no index of `others`"), "{other}");
}

#[tokio::test]
async fn names_and_values_have_bounds() {
    let world = world(patient(), PluginOptions::default()).await;
    let not_a_collection = "Error::Invalid(\"`Things` is not a collection: [a-z][a-z0-9_-]{0,63}\")";
    assert_eq!(world.says("document put Things k 0 {}").await, not_a_collection);
    assert_eq!(world.says("document query Things").await, not_a_collection);
    assert_eq!(world.says("document get Things k1").await, "none");
    let key = "Error::Limit(\"there are 257 bytes in the key of a document, but at most 256 are allowed\")";
    assert_eq!(world.says("document long-put things 262144").await, format!("{key}ok"));
    let long = "Error::Limit(\"a document has 262145 bytes, but at most 262144 are allowed\")";
    assert_eq!(world.says("document long-put things 262145").await, format!("{key}{long}"));
    let broken = world.says("document put things k3 0 {").await;
    assert!(broken.starts_with("Error::Invalid(\"a document is not valid JSON"), "{broken}");
    let counter = world.fault(&format!("number {}", "n".repeat(257))).await;
    assert!(matches!(counter, Fault::Output(text) if text.contains("257 bytes in the name of a counter")));
}

#[tokio::test]
async fn a_repeated_call_gets_the_same_numbers() {
    let world = world(patient(), PluginOptions::default()).await;
    let call = world.call();
    let ask = async |script: &str| said(world.plugin.handle_request(call.clone(), &request(script)).await);
    assert_eq!(ask("number n\nnumber n\nnumber m").await, "1\n2\n3");
    assert_eq!(ask("number m\nnumber n\nnumber n").await, "3\n1\n2");
    assert_eq!(world.host.reads.load(Ordering::Relaxed), 3, "nothing new was counted");
    assert_eq!(ask("number n\nnumber n\nnumber n").await, "1\n2\n4", "it goes on behind what was given");
    assert_eq!(world.says("number n").await, "5", "another call goes on");
}

#[tokio::test]
async fn a_call_that_fails_writes_nothing_of_any_kind() {
    let world = world(patient(), PluginOptions::default()).await;
    let writes = "document put things k3 0 {}\nput-notes s1 {}\npolicy s1 a/b\nfollow s1 t 5\npublish a/b 1\n\
                  call hooks POST /x\nemit d1 uplink\nremove d1\nnote e1 {}\nlabel e1 a b\nended-for e2 NO";
    let done = world.request(writes).await.unwrap();
    assert_eq!(done.writes.len(), 11, "{}", said(Ok(done)));
    world.request(&format!("{writes}\nerror no")).await.unwrap_err();
    world.request(&format!("{writes}\nharm panic")).await.unwrap_err();
    world.is_unharmed().await;
}
