//! What arrives, how often, in which order, and what is recorded.

use super::server::{Act, Server, start_tls};
use super::*;
use std::net::TcpListener;
use std::sync::atomic::Ordering;

#[tokio::test]
async fn a_request_arrives_whole_and_leaves_the_store() {
    let mut server = Server::start(|_, _| Act::Answer("201 Created", "", "made\nmore".to_owned())).await;
    let folder = tempfile::tempdir().unwrap();
    let config = TargetConfig {
        headers: vec![("x-tenant".parse().unwrap(), "acme".parse().unwrap())],
        ..quick(&format!("{}/base", server.url))
    };
    let bench = Bench::start(folder.path(), &[("alarms", config)]).await;
    let headers = vec![("X-Tenant".to_owned(), "globex".to_owned()), ("X-Kind".to_owned(), "up".to_owned())];
    let body = Some("{\"n\":1.50}".to_owned());
    let mut batch = bench.outbound.batch();
    let write = batch.add("things", request("PUT", "/hook?a=b%20c", headers, body)).unwrap();
    batch.appended(bench.journal.append(vec![write]).unwrap());
    let seen = server.next().await;
    assert_eq!(
        (seen.method.as_str(), seen.path.as_str(), seen.body.as_str()),
        ("PUT", "/base/hook?a=b%20c", "{\"n\":1.50}")
    );
    let header = |name| seen.header(name).unwrap_or_default();
    assert_eq!(header("host"), server.address.to_string());
    assert_eq!((header("x-tenant"), header("x-kind"), header("content-type")), ("acme", "up", "application/json"));
    assert!(header("idempotency-key").ends_with("-1") && header("user-agent").starts_with("dragoman/"));
    bench.idle().await;
    assert_eq!(bench.rows().await, []);
    assert_eq!(bench.state().last_answer.as_deref(), Some("201 Created: made"));
    assert!(bench.state().last_answer_ms.is_some());
}

#[tokio::test]
async fn it_is_tried_again_until_it_is_done() {
    let mut server = Server::start(|_, count| match count {
        1 => Act::status("500 Internal Server Error"),
        2 => Act::status("408 Request Timeout"),
        3 => Act::Close,
        4 => Act::status("425 Too Early"),
        5 => Act::status("429 Too Many Requests"),
        6 => Act::status("502 Bad Gateway"),
        _ => Act::status("204 No Content"),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::start(folder.path(), &[("alarms", quick(&server.url))]).await;
    bench.post("/a").unwrap();
    let mut keys = Vec::new();
    for _ in 0..7 {
        keys.push(server.next().await.header("idempotency-key").unwrap().to_owned());
    }
    keys.dedup();
    assert_eq!(keys.len(), 1, "the receiver can tell that it is the same request");
    bench.idle().await;
    assert_eq!((bench.rows().await, server.rest().len()), (Vec::new(), 0));
    assert_eq!(bench.state().last_answer.as_deref(), Some("204 No Content"));
}

#[tokio::test]
async fn what_is_final_is_given_up_at_once_and_redirects_are_not_followed() {
    for (status, headers) in [
        ("404 Not Found", ""),
        ("400 Bad Request", "retry-after: 0\r\n"),
        ("307 Temporary Redirect", "location: /elsewhere\r\n"),
        ("304 Not Modified", ""),
    ] {
        let mut server =
            Server::start(move |_, _| Act::Answer(status, headers, "no\tsuch \u{1b}[31mhook".to_owned())).await;
        let folder = tempfile::tempdir().unwrap();
        let bench = Bench::start(folder.path(), &[("alarms", quick(&server.url))]).await;
        let seq = bench.post("/a").unwrap();
        assert_eq!(server.next().await.path, "/a");
        bench.until(|state| state.given_up == 1).await;
        bench.idle().await;
        let rows = bench.rows().await;
        assert_eq!((rows.len(), rows[0].seq, rows[0].tries), (1, seq, 1), "{status}");
        assert!(rows[0].given_up_ms.is_some());
        let answer = rows[0].last_answer.clone().unwrap();
        assert!(answer.starts_with(status) && !answer.contains(char::is_control), "{answer}");
        let (_, given_up) = bench.outbound.target("alarms", 10).unwrap();
        assert_eq!((given_up.len(), given_up[0].path.as_str(), &*given_up[0].dialect), (1, "/a", "things"));
        assert_eq!(server.rest(), [] as [&str; 0], "{status}");
    }
}

#[tokio::test]
async fn the_wait_that_the_target_asks_for_is_kept_within_bounds() {
    let answer = |status, wait| {
        move |_: &_, count| match count {
            1 => Act::Answer(status, wait, String::new()),
            _ => Act::status("200 OK"),
        }
    };
    let mut server = Server::start(answer("429 Too Many Requests", "retry-after: 1\r\n")).await;
    let folder = tempfile::tempdir().unwrap();
    let config = TargetConfig { backoff_max_ms: 10_000, ..quick(&server.url) };
    let bench = Bench::start(folder.path(), &[("alarms", config)]).await;
    bench.post("/a").unwrap();
    bench.post("/b").unwrap();
    let first = server.next().await;
    let mut later = vec![server.next().await, server.next().await];
    // The other may have been under way with the first.
    let last = later.pop().unwrap();
    assert!(last.at - first.at >= Duration::from_secs(1), "{:?}", last.at - first.at);

    let mut server = Server::start(answer("503 Service Unavailable", "retry-after: 86400\r\n")).await;
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::start(folder.path(), &[("alarms", quick(&server.url))]).await;
    bench.post("/a").unwrap();
    server.next().await;
    server.next().await;
    bench.idle().await;
}

#[tokio::test]
async fn a_target_that_is_down_gets_everything_in_order_when_it_is_back() {
    let down = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = down.local_addr().unwrap();
    drop(down);
    let folder = tempfile::tempdir().unwrap();
    let config = TargetConfig { in_flight_max: 1, tries_max: 1_000, ..quick(&format!("http://{address}")) };
    let bench = Bench::start(folder.path(), &[("alarms", config)]).await;
    let paths: Vec<String> = (0..30).map(|n| format!("/{n}")).collect();
    for path in &paths {
        bench.post(path).unwrap();
    }
    let state = bench.until(|state| state.last_answer.is_some()).await;
    let answer = state.last_answer.unwrap();
    assert!(answer.starts_with("no connection: ") && answer.contains("refused"), "{answer}");
    let mut server = Server::start_at(address, |_, _| Act::status("200 OK")).await;
    let mut arrived = Vec::new();
    for _ in &paths {
        arrived.push(server.next().await.path);
    }
    assert_eq!(arrived, paths);
    bench.idle().await;
    assert_eq!(bench.rows().await, []);
}

#[tokio::test]
async fn a_target_that_does_not_answer_is_left_after_the_time_out() {
    let mut server = Server::start(|_, count| if count == 1 { Act::Hang } else { Act::status("200 OK") }).await;
    let folder = tempfile::tempdir().unwrap();
    let config = TargetConfig { timeout_ms: 100, backoff_ms: 300, backoff_max_ms: 300, ..quick(&server.url) };
    let bench = Bench::start(folder.path(), &[("alarms", config)]).await;
    bench.post("/a").unwrap();
    let state = bench.until(|state| state.last_answer.is_some()).await;
    assert_eq!(state.last_answer.as_deref(), Some("no answer within 100 ms"));
    assert!(state.held_ms.is_some_and(|held_ms| held_ms <= 300), "{state:?}");
    server.next().await;
    server.next().await;
    bench.idle().await;
}

#[tokio::test]
async fn an_answer_is_read_no_further_than_it_must() {
    let mut server = Server::start(|seen, _| if seen.path == "/endless" { Act::Endless } else { Act::NoBody }).await;
    let folder = tempfile::tempdir().unwrap();
    let config = TargetConfig { timeout_ms: 200, tries_max: 1, ..quick(&server.url) };
    let bench = Bench::start(folder.path(), &[("alarms", config)]).await;
    bench.post("/endless").unwrap();
    bench.idle().await;
    assert_eq!(bench.state().last_answer, Some(format!("200 OK: {}", "x".repeat(200))));
    bench.post("/no-body").unwrap();
    bench.idle().await;
    assert_eq!(bench.state().last_answer.as_deref(), Some("200 OK"), "the status decides");
    assert_eq!((bench.rows().await, bench.state().given_up), (Vec::new(), 0));
    assert_eq!([server.next().await.path, server.next().await.path], ["/endless", "/no-body"]);
}

#[tokio::test]
async fn so_many_are_under_way_at_once_and_no_more() {
    let mut server = Server::start(|_, _| Act::Hang).await;
    let folder = tempfile::tempdir().unwrap();
    let config = TargetConfig { in_flight_max: 3, ..quick(&server.url) };
    let bench = Bench::start(folder.path(), &[("alarms", config)]).await;
    for n in 0..9 {
        bench.post(&format!("/{n}")).unwrap();
    }
    for round in 0..3 {
        for _ in 0..3 {
            server.next().await;
        }
        let state = bench.until(|state| state.in_flight == 3 && state.waiting == 6 - round * 3).await;
        assert_eq!((state.waiting, server.rest().len()), (6 - round * 3, 0));
        server.let_go();
    }
    bench.idle().await;
    assert_eq!(server.most_at_once.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_certificate_is_checked_against_the_authorities_of_the_file() {
    let (address, _server) = start_tls("127.0.0.1").await;
    let (other_name, _other) = start_tls("127.0.0.2").await;
    let ca_file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/outbound/tests/tls/ca.pem");
    let at = |address| TargetConfig { tries_max: 1, ..quick(&format!("https://{address}")) };
    for (config, expected) in [
        (TargetConfig { ca_file: Some(ca_file.clone()), ..at(address) }, "200 OK"),
        (TargetConfig { ca_file: Some(ca_file), ..at(other_name) }, "no connection: invalid peer certificate"),
        (at(address), "no connection: invalid peer certificate"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let bench = Bench::start(folder.path(), &[("alarms", config)]).await;
        bench.post("/a").unwrap();
        let state = bench.until(|state| state.last_answer.is_some()).await;
        assert!(state.last_answer.as_deref().unwrap_or_default().starts_with(expected), "{state:?}");
    }
}
