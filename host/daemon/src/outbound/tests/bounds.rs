//! What is refused, what is kept, and what an operator can do about it.

use super::server::{Act, Server};
use super::*;
use crate::outbound::OperatorError;

#[tokio::test]
async fn past_the_bound_a_request_is_refused_until_there_is_room() {
    let mut server = Server::start(|_, _| Act::Hang).await;
    let folder = tempfile::tempdir().unwrap();
    let config = TargetConfig { in_flight_max: 1, waiting_max: 3, ..quick(&server.url) };
    let bench = Bench::start(folder.path(), &[("alarms", config)]).await;
    for path in ["/a", "/b", "/c"] {
        bench.post(path).unwrap();
    }
    server.next().await;
    let full = bench.enqueue("/d").map(drop).unwrap_err();
    assert_eq!(full, EnqueueError::TooMany { target: "alarms".to_owned(), limit: 3 });
    assert_eq!(full.reason(), "waiting-max");
    assert_eq!(full.to_string(), "3 requests wait for target alarms, the limit (waiting_max)");
    // A plugin that asks hears it before it relies on it.
    assert_eq!(bench.outbound.check("things", request("POST", "/d", Vec::new(), None)), Err(full));
    server.let_go();
    assert_eq!(server.next().await.path, "/b");
    bench.post("/d").unwrap();
    assert_eq!(bench.rows().await.len(), 3);
}

#[tokio::test]
async fn what_waits_may_take_so_many_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let config = TargetConfig { waiting_max_bytes: 2_048, ..quick("http://127.0.0.1:9") };
    let bench = Bench::start(folder.path(), &[("alarms", config)]).await;
    let enqueue = |bytes: usize| {
        let mut batch = bench.outbound.batch();
        batch.add("things", request("POST", "/", Vec::new(), Some("x".repeat(bytes)))).map(|_| batch)
    };
    let first = enqueue(1_000).unwrap();
    let refused = enqueue(1_000).map(drop).unwrap_err();
    assert_eq!(refused, EnqueueError::TooLarge { target: "alarms".to_owned(), limit: 2_048 });
    drop(first);
    enqueue(1_700).unwrap();
}

#[tokio::test]
async fn only_targets_of_the_configuration_exist() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::start(folder.path(), &[("alarms", quick("http://127.0.0.1:9"))]).await;
    assert_eq!(bench.outbound.check("things", request("POST", "/", Vec::new(), None)), Ok(()));
    for target in ["reports", "Alarms"] {
        let other = || OutRequest { target: target.to_owned(), ..request("POST", "/", Vec::new(), None) };
        let unknown = EnqueueError::UnknownTarget { target: target.to_owned() };
        assert_eq!(bench.outbound.check("things", other()), Err(unknown.clone()));
        assert_eq!(bench.outbound.batch().add("things", other()).unwrap_err(), unknown);
    }
    let leaves = || request("POST", "//evil/../x", Vec::new(), None);
    let invalid = bench.outbound.batch().add("things", leaves()).unwrap_err();
    assert_eq!(bench.outbound.check("things", leaves()), Err(invalid.clone()));
    assert_eq!(
        invalid.to_string(),
        "the request to alarms cannot be sent: its path \"//evil/../x\" holds . or .. as a part"
    );
    assert!(matches!(bench.outbound.retry("reports").await, Err(OperatorError::Unknown(_))));
    assert_eq!(bench.state().waiting, 0, "what is refused takes no place");
}

#[tokio::test]
async fn nothing_is_sent_before_its_turn_is_committed() {
    let mut server = Server::start(|_, _| Act::status("200 OK")).await;
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::start(folder.path(), &[("alarms", quick(&server.url))]).await;
    let (batch, write) = bench.enqueue("/uncommitted").unwrap();
    let (failed, _) = bench.enqueue("/of-a-call-that-failed").unwrap();
    bench.post("/committed").unwrap();
    assert_eq!(server.next().await.path, "/committed");
    bench.until(|state| state.in_flight == 0 && state.waiting == 2).await;
    drop(failed);
    assert_eq!((server.rest().len(), bench.state().waiting), (0, 1));
    batch.appended(bench.journal.append(vec![write]).unwrap());
    assert_eq!(server.next().await.path, "/uncommitted");
    bench.idle().await;
}

#[tokio::test]
async fn when_its_tries_are_used_up_it_waits_for_the_operator() {
    let mut server =
        Server::start(|_, count| if count <= 6 { Act::status("500 Down") } else { Act::status("200 OK") }).await;
    let folder = tempfile::tempdir().unwrap();
    let config = TargetConfig { tries_max: 3, in_flight_max: 1, ..quick(&server.url) };
    let bench = Bench::start(folder.path(), &[("alarms", config)]).await;
    bench.post("/a").unwrap();
    bench.post("/b").unwrap();
    bench.until(|state| state.given_up == 2).await;
    for _ in 0..6 {
        server.next().await;
    }
    let rows = bench.rows().await;
    assert_eq!(rows.iter().map(|row| row.tries).collect::<Vec<_>>(), [3, 3]);
    assert_eq!(bench.outbound.retry("alarms").await.unwrap(), 2);
    assert_eq!([server.next().await.path, server.next().await.path], ["/a", "/b"]);
    bench.idle().await;
    assert_eq!((bench.rows().await, bench.state().given_up), (Vec::new(), 0));
    assert_eq!(bench.outbound.retry("alarms").await.unwrap(), 0);
}

#[tokio::test]
async fn so_many_that_were_given_up_are_kept() {
    let server = Server::start(|_, _| Act::status("404 Not Found")).await;
    let folder = tempfile::tempdir().unwrap();
    let config = TargetConfig { given_up_max: 2, in_flight_max: 1, ..quick(&server.url) };
    let bench = Bench::start(folder.path(), &[("alarms", config)]).await;
    for path in ["/a", "/b", "/c"] {
        bench.post(path).unwrap();
    }
    bench.idle().await;
    let paths = |rows: Vec<RequestRow>| rows.into_iter().map(|row| row.path).collect::<Vec<_>>();
    assert_eq!(paths(bench.rows().await), ["/b", "/c"]);
    let newest_first: Vec<String> =
        bench.outbound.target("alarms", 9).unwrap().1.into_iter().map(|row| row.path).collect();
    assert_eq!(newest_first, ["/c", "/b"]);
    assert_eq!(bench.outbound.drop_given_up("alarms").await.unwrap(), 2);
    assert_eq!((bench.rows().await, bench.state().given_up), (Vec::new(), 0));
}
