//! A store that cannot be read for a moment, or in one place for ever: nothing that was told once is lost to the first,
//! and no more than its own record to the second.

use super::*;
use crate::runtime::events::Events;
use dragoman_core::{Message, Payload, Subscription};
use dragoman_mqtt::{BrokerEvents, InboundVerdict, SubscribeVerdict};
use dragoman_wasm::DeviceEvent;
use rusqlite::Connection;

/// Looks something up that shows in the broker, then a document that nobody has looked at, and publishes.
fn script(document: &str) -> String {
    format!("session s9\ndocument get things {document}\npublish told 0")
}

/// The database as another program sees it.
fn database(folder: &Path) -> Connection {
    let db = Connection::open(folder.join("store.db")).unwrap();
    db.busy_timeout(LONG).unwrap();
    db
}

fn run(db: &Connection, sql: &str) {
    db.execute_batch(sql).unwrap();
}

/// Does something while no document can be read, which can be again once the plugin was called twice.
pub(super) async fn tried_again<T>(bench: &Bench, work: impl Future<Output = T>) -> T {
    let db = database(&bench.gateway.config.data_dir);
    run(&db, "ALTER TABLE document RENAME TO hidden");
    let before = bench.broker.looked_up();
    let repaired = async {
        bench.until("a second try", || async { (bench.broker.looked_up() >= before + 2).then_some(()) }).await;
        run(&db, "ALTER TABLE hidden RENAME TO document");
    };
    tokio::join!(work, repaired).0
}

fn said(topic: &str, text: &str) -> Message {
    Message { payload: Payload::Text(text.into()), qos: 1, ..message(topic) }
}

fn json(text: &str) -> String {
    format!("\"{}\"", text.replace('\n', "\\n"))
}

/// Nobody says a second time what these are about.
#[tokio::test]
async fn what_is_told_once_is_told_though_the_plugin_cannot_be_called_for_a_moment() {
    let bench = Bench::new().await;
    let gateway = &bench.gateway;
    let events = Events::new(gateway.clone());

    let asked = Subscription { filter: "x/#".into(), qos: 1 };
    let verdict = tried_again(&bench, events.subscribing(client(&script("a"), "scripted", None), asked)).await;
    assert_eq!(verdict, SubscribeVerdict::AsAsked);
    bench.left("told", 1).await;

    for (topic, id, document) in [("scripted/lamp/up", Some("lamp"), "b"), ("apps/scripted/x", None, "c")] {
        bench.broker.left();
        let verdict =
            tried_again(&bench, Box::pin(gateway.hear(client("", "scripted", id), said(topic, &script(document)))))
                .await;
        assert_eq!(verdict, InboundVerdict::Accept, "{topic}");
        bench.left("told", 1).await;
    }

    bench.broker.left();
    let submits = format!("submit door\nwait {}", json(&script("d")));
    let verdict = gateway.hear(client("", "scripted", None), said("apps/scripted/x", &submits)).await;
    assert_eq!(verdict, InboundVerdict::Accept);
    let settled = async {
        bench.input(Input::Remove { device: device("door") });
        bench.left("told", 1).await;
    };
    tried_again(&bench, settled).await;

    bench.broker.left();
    let event = DeviceEvent {
        device: device("lamp"),
        kind: "uplink".into(),
        name: None,
        at_ms: 1,
        raw: None,
        body: Some(json(&script("e"))),
        attributes: Vec::new(),
    };
    let told = async {
        gateway.device_events.push(gateway, event, 0).await;
        bench.left("told", 1).await;
    };
    tried_again(&bench, told).await;

    bench.broker.left();
    bench.write(vec![submit("e1", "lamp")]).await.unwrap();
    let told = async {
        bench.write(vec![note("e1", &script("f"))]).await.unwrap();
        bench.left("told", 1).await;
    };
    tried_again(&bench, told).await;
}

/// More lines than a feed holds in memory, at a time when histories cannot be read.
#[tokio::test]
async fn lines_that_cannot_be_read_for_a_moment_are_told_later() {
    const LINES: usize = 4_500;
    let bench = Bench::new().await;
    bench.write(vec![submit("e1", "lamp")]).await.unwrap();
    let db = database(&bench.gateway.config.data_dir);
    let index: String =
        db.query_row("SELECT sql FROM sqlite_schema WHERE name = 'transition_origin'", [], |row| row.get(0)).unwrap();
    run(&db, "DROP INDEX transition_origin");
    for number in 0..LINES {
        let script = if number % 500 == 0 { format!("call alarms POST /{}", number / 500) } else { "now".to_owned() };
        bench.input(Input::Note { id: ExecutionId::new("e1"), note: json(&script) });
    }
    // Long enough for a read to fail; if it has not, this shows less, and nothing that is not so.
    tokio::time::sleep(Duration::from_millis(600)).await;
    run(&db, &index);
    let expected: Vec<String> = (0..9).map(|number| format!("/{number}")).collect();
    assert_eq!(bench.requested(9).await, expected);
}

/// A line and an execution that can never be read again.
#[test]
fn a_record_that_cannot_be_read_costs_its_own_lines_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let scripts = ["/line", "/execution", "/good"].map(|path| format!("call alarms POST {path}"));
    let ids = ["e0", "e1", "e2"];
    let data = life(folder.path(), async |bench| {
        for (id, script) in ids.iter().zip(&scripts) {
            bench.write(vec![submit(id, "lamp")]).await.unwrap();
            bench.write(vec![note(id, script), cancel(id)]).await.unwrap();
        }
        bench.requested(3).await;
        bench.gateway.config.data_dir.clone()
    });
    let db = database(&data);
    run(&db, "UPDATE cursor SET position = 0");
    run(
        &db,
        "UPDATE transition SET body = '{' WHERE seq = 2 AND execution = (SELECT row FROM execution WHERE id = 'e0')",
    );
    run(&db, "UPDATE execution SET body = '{' WHERE id = 'e1'");
    drop(db);
    life(folder.path(), async |bench| {
        let told = bench.requested(4).await;
        assert_eq!(told, ["/line", "/execution", "/good", "/good"]);
    });
}
