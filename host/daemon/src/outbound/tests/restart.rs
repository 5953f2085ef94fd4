//! What is there after a stop and after a kill.

use super::server::{Act, Server};
use super::*;
use crate::outbound::OperatorError;
use std::collections::BTreeSet;
use std::sync::Mutex;

#[tokio::test]
async fn what_was_not_answered_is_sent_again_after_a_kill() {
    let mut server = Server::start(|seen, _| match seen.path.as_str() {
        "/done" => Act::status("200 OK"),
        "/refused" => Act::status("410 Gone"),
        _ => Act::Hang,
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let config = TargetConfig { in_flight_max: 1, ..quick(&server.url) };
    let bench = Bench::start(folder.path(), &[("alarms", config.clone())]).await;
    for path in ["/done", "/refused", "/under-way", "/waiting"] {
        bench.post(path).unwrap();
    }
    let first: Vec<String> =
        [server.next().await, server.next().await, server.next().await].map(|seen| seen.path).into();
    assert_eq!(first, ["/done", "/refused", "/under-way"]);
    bench.kill().await;

    let bench = Bench::start(folder.path(), &[("alarms", config)]).await;
    assert_eq!(server.next().await.path, "/under-way");
    assert_eq!((bench.state().waiting, bench.state().given_up), (1, 1));
    server.let_go();
    assert_eq!(server.next().await.path, "/waiting");
    server.let_go();
    bench.idle().await;
    let left: Vec<String> = bench.rows().await.into_iter().map(|row| row.path).collect();
    assert_eq!(left, ["/refused"], "what was given up stays until the operator says");
    assert_eq!(server.rest(), [] as [&str; 0], "what was done is not sent again");
    assert!(bench.post("/new").unwrap() > 4, "numbers go on");
}

#[tokio::test]
async fn every_request_arrives_over_many_kills() {
    let answered = Arc::new(Mutex::new(BTreeSet::new()));
    let tell = Arc::clone(&answered);
    let mut server = Server::start(move |seen, count| match count % 3 {
        0 => Act::status("503 Busy"),
        1 => Act::Close,
        _ => {
            tell.lock().unwrap().insert(seen.path.clone());
            Act::status("200 OK")
        }
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let config = TargetConfig { tries_max: 1_000, backoff_max_ms: 2, ..quick(&server.url) };
    let mut posted = BTreeSet::new();
    for life in 0..8 {
        let bench = Bench::start(folder.path(), &[("alarms", config.clone())]).await;
        for n in 0..10 {
            let path = format!("/{life}-{n}");
            bench.post(&path).unwrap();
            posted.insert(path);
        }
        bench.journal.flush().await.unwrap();
        // In the middle of the work, each time after one more request.
        for _ in 0..=life {
            server.next().await;
        }
        bench.kill().await;
    }
    let bench = Bench::start(folder.path(), &[("alarms", config)]).await;
    bench.idle().await;
    assert_eq!((bench.rows().await, bench.state().given_up), (Vec::new(), 0));
    assert_eq!(*answered.lock().unwrap(), posted, "what left the store was answered");
}

#[tokio::test]
async fn tries_and_waits_go_on_where_they_were() {
    let mut server = Server::start(|_, _| Act::status("500 Down")).await;
    let folder = tempfile::tempdir().unwrap();
    let config = TargetConfig { tries_max: 2, backoff_ms: 3_600_000, backoff_max_ms: 3_600_000, ..quick(&server.url) };
    let bench = Bench::start(folder.path(), &[("alarms", config.clone())]).await;
    bench.post("/a").unwrap();
    server.next().await;
    bench.until(|state| state.in_flight == 0 && state.last_answer.is_some()).await;
    bench.kill().await;

    let bench = Bench::start(folder.path(), &[("alarms", config.clone())]).await;
    let state = bench.state();
    assert_eq!((state.waiting, state.last_answer.as_deref()), (1, Some("500 Internal Server Error")));
    let rows = bench.rows().await;
    assert!(rows[0].tries == 1 && rows[0].next_ms > now_ms() + 3_000_000, "{rows:?}");
    bench.kill().await;

    // A wait longer than the bound, from an older configuration or a clock that was set back, is cut.
    let bench =
        Bench::start(folder.path(), &[("alarms", TargetConfig { backoff_ms: 1, backoff_max_ms: 1, ..config })]).await;
    server.next().await;
    bench.until(|state| state.given_up == 1).await;
}

#[tokio::test]
async fn a_stop_waits_for_what_is_under_way_and_begins_nothing() {
    let mut server = Server::start(|_, _| Act::Hang).await;
    let folder = tempfile::tempdir().unwrap();
    let config = TargetConfig { in_flight_max: 1, ..quick(&server.url) };
    let bench = Bench::start(folder.path(), &[("alarms", config.clone())]).await;
    bench.post("/a").unwrap();
    bench.post("/b").unwrap();
    server.next().await;
    {
        let stop = bench.outbound.stop(LONG);
        tokio::pin!(stop);
        let early = tokio::time::timeout(Duration::from_millis(50), &mut stop).await;
        assert!(early.is_err(), "a request is under way");
        server.let_go();
        tokio::time::timeout(LONG, stop).await.unwrap();
    }
    assert_eq!(bench.rows().await.iter().map(|row| row.path.as_str()).collect::<Vec<_>>(), ["/b"]);
    assert_eq!(server.rest(), [] as [&str; 0]);
    bench.kill().await;

    // What takes longer than the grace is broken off.
    let bench = Bench::start(folder.path(), &[("alarms", config)]).await;
    assert_eq!(server.next().await.path, "/b");
    tokio::time::timeout(LONG, bench.outbound.stop(Duration::from_millis(1))).await.unwrap();
    assert_eq!(bench.rows().await.len(), 1);
}

#[tokio::test]
async fn requests_for_a_target_that_is_gone_are_kept_and_can_be_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::start(folder.path(), &[("alarms", quick("http://127.0.0.1:9"))]).await;
    bench.post("/a").unwrap();
    bench.until(|state| state.last_answer.is_some()).await;
    bench.kill().await;

    let bench = Bench::start(folder.path(), &[]).await;
    let state = bench.state();
    assert_eq!((state.url, state.waiting), (None, 1));
    assert!(matches!(bench.enqueue("/b").map(drop), Err(EnqueueError::UnknownTarget { .. })));
    assert!(matches!(bench.outbound.retry("alarms").await, Err(OperatorError::NotConfigured(_))));
    assert_eq!(bench.outbound.drop_given_up("alarms").await.unwrap(), 1);
    assert_eq!((bench.rows().await, bench.state().waiting), (Vec::new(), 0));
}
