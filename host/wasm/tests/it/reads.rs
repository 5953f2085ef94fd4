//! What a plugin reads: the same twice in one call, and no more than it may.

use crate::world::{patient, request, said, session, world};
use dragoman_wasm::{CallError, Decision, Done, PluginOptions, PluginWrite, Verdict};
use std::sync::atomic::Ordering;

#[tokio::test]
async fn what_is_read_twice_in_a_call_reads_the_same_twice() {
    let world = world(patient(), PluginOptions::default()).await;
    let d1 = "d1:1:{\"read\":1}";
    let script = "get d1\nget d1\nresolve ns one\ndevices 2\ndevices 2\ncount -\ncount -\nexecution e1\nexecutions -\nexecutions -";
    let first = world.says(script).await;
    let lines: Vec<_> = first.lines().collect();
    let [list, counted, e1] = [lines[3], lines[5], lines[7]];
    assert_eq!(lines[..3], [d1, d1, d1]);
    // The list saw a newer revision of d1 than the call did.
    assert!(list.starts_with(&format!("{d1} d2:")), "{list}");
    assert_eq!((lines[4], lines[6]), (list, counted));
    assert!(lines[8].starts_with(e1), "{first}");
    assert_eq!(lines[8], lines[9]);
    assert_ne!(world.says(script).await, first, "another call sees what is new");
}

#[tokio::test]
async fn what_is_known_is_not_asked_for_again() {
    let world = world(patient(), PluginOptions::default()).await;
    world.says("get d1\nget d1\nget d0\nget d0\nresolve a b\nresolve a b\nexecution e1\nexecution e1").await;
    assert_eq!(world.host.reads.load(Ordering::Relaxed), 3, "d1, d0 and e1; the fake does not count unknown names");
}

#[tokio::test]
async fn the_application_side_sees_only_what_it_submitted() {
    let world = world(patient(), PluginOptions::default()).await;
    let seen = world.says("execution e2\nexecution e4\nexecution none\nexecution e/1\nexecutions -").await;
    let lines: Vec<_> = seen.lines().collect();
    assert_eq!(lines[..4], ["none"; 4]);
    let shown: Vec<_> = lines[4].split(' ').map(|one| one.split(':').next().unwrap()).collect();
    assert_eq!(shown, ["e1", "e3", "more"], "{seen}");
    assert!(lines[4].contains("\"mine\""));
}

#[tokio::test]
async fn only_an_own_open_execution_can_be_canceled() {
    let world = world(patient(), PluginOptions::default()).await;
    let done = world.request("cancel e1\ncancel e1\ncancel e2\ncancel e3\ncancel e9").await.unwrap();
    let told = said(Ok(done.clone()));
    assert_eq!(
        told.lines().collect::<Vec<_>>(),
        [
            "ok",
            "ok",
            "Error::NotFound(\"no execution has the id `e2`\")",
            "Error::Conflict(\"execution `e3` has ended\")",
            "Error::NotFound(\"no execution has the id `e9`\")",
        ]
    );
    assert_eq!(done.writes, [PluginWrite::Cancel(dragoman_core::ExecutionId::new("e1"))]);
}

#[tokio::test]
async fn beside_the_application_side_executions_for_own_devices_are_seen() {
    let world = world(patient(), PluginOptions::default()).await;
    let asked =
        world.plugin.authenticate(world.call(), &session("execution e2\nexecution e4"), 0, false).await.unwrap();
    let Verdict::Accept(grant) = asked.value else { panic!() };
    let seen: Vec<_> = grant.principal.split([',', ' ']).collect();
    assert!(seen[0].starts_with("e2:State::Sent:") && seen[0].ends_with(":none"), "{seen:?}");
    assert_eq!(seen[1], "none");
}

#[tokio::test]
async fn a_host_that_cannot_answer_is_not_the_plugin_s_fault() {
    let world = world(patient(), PluginOptions::default()).await;
    let error = world.request("get broken").await.unwrap_err();
    assert_eq!((error.code(), error.is_fault()), ("$UNAVAILABLE", false));
    assert_eq!(
        error.to_string(),
        "the host could not answer plugin scripted in northbound.handle-request: the store is away"
    );
    world.is_unharmed().await;
}

#[tokio::test]
async fn a_credential_is_checked_and_never_shown() {
    let world = world(patient(), PluginOptions::default()).await;
    let ask = async |secret: &str, script: &str| -> Result<Done<Decision>, CallError> {
        world.plugin.handle_request(world.call_presenting(secret), &request(script)).await
    };
    assert_eq!(said(ask("right", "check\ncheck a").await), "found\n{\"of\":\"a\"}");
    assert_eq!(said(ask("wrong", "check a").await), "Error::Denied(\"it does not fit\")");
    assert_eq!(world.says("check a").await, "Error::Denied(\"the client presented no credential\")");
    // HMAC-SHA-256 with the key `key` over `data`.
    let mac = "5031fe3d989c6d1537a013fa6e739da23463fdaec3b70137d828e36ace221bd0";
    assert_eq!(said(ask(mac, "mac k data\nmac k other").await), "true\nfalse");
    let unknown = "Error::NotFound(\"the account has no secret that can be a key\")";
    assert_eq!(said(ask(mac, "mac unknown data").await), unknown);
}

#[tokio::test]
async fn the_time_of_a_password_check_is_not_the_plugin_s() {
    let options = dragoman_wasm::RuntimeOptions { deadline_ms: 500, ..patient() };
    let world = world(options, PluginOptions::default()).await;
    let call = world.call_presenting("right");
    assert_eq!(said(world.plugin.handle_request(call, &request("check slow")).await), "{\"of\":\"slow\"}");
}
