//! Transitions told to the dialect that submitted: each once and in order, over kills, faults and more than fits.

use super::*;
use dragoman_core::Attributes;
use dragoman_wasm::Start;

/// The script of a line: ask for a request of that number, which stays in the store.
fn ask(number: usize) -> String {
    format!("call alarms POST /{number}")
}

fn numbers(all: std::ops::Range<usize>) -> Vec<String> {
    all.map(|number| format!("/{number}")).collect()
}

fn follow(id: &str, tag: &str, position: u64, labels: Attributes) -> PluginWrite {
    let start = Start::Position(position);
    PluginWrite::Follow { session: session(id), tag: tag.into(), labels, start, limit: 1_000, live: true }
}

/// Which line the dialect was told of shows in the store, where its answer is kept in the same turn as its cursor: no
/// line is missing and none is there twice, wherever a kill fell.
#[test]
fn each_line_is_told_once_and_in_order_over_kills() {
    const LINES: usize = 60;
    let folder = tempfile::tempdir().unwrap();
    let mut written = 0;
    for round in 0..8 {
        life(folder.path(), async |bench| {
            if round == 0 {
                bench.write(vec![submit("e1", "lamp")]).await.unwrap();
            }
            let more = (written..written + LINES).map(|number| note("e1", &ask(number))).collect();
            bench.write(more).await.unwrap();
            written += LINES;
            // The kill falls while lines of this life are told, each time somewhere else.
            bench.requested(written - LINES + 7 * round).await;
        });
    }
    life(folder.path(), async |bench| {
        let told = bench.requested(written).await;
        assert_eq!(told, numbers(0..written));
        bench.write(vec![note("e1", &ask(written))]).await.unwrap();
        assert_eq!(bench.requested(written + 1).await, numbers(0..written + 1), "and it goes on");
    });
}

/// More lines at once than a feed holds in memory.
#[tokio::test]
async fn what_exceeds_the_memory_is_told_from_the_store() {
    const LINES: usize = 4_500;
    let bench = Bench::new().await;
    bench.write(vec![submit("e1", "lamp")]).await.unwrap();
    bench.write(vec![note("e1", &ask(0))]).await.unwrap();
    bench.requested(1).await;
    let all: Vec<Step> = (1..LINES)
        .map(|number| {
            let script = if number % 500 == 0 { ask(number / 500) } else { "now".to_owned() };
            Step::Input(Input::Note { id: ExecutionId::new("e1"), note: format!("\"{script}\"") })
        })
        .collect();
    for step in all {
        bench.gateway.engine.turn(vec![step], None).unwrap();
    }
    assert_eq!(bench.requested(9).await, numbers(0..9));
}

/// A call that fails costs its line, and not those behind it.
#[test]
fn a_dialect_that_fails_at_a_line_is_told_the_next() {
    let folder = tempfile::tempdir().unwrap();
    life(folder.path(), async |bench| {
        let scripts = [
            ask(0),
            "call alarms POST /lost\nerror mine".to_owned(),
            "call alarms POST /lost\nharm panic".to_owned(),
            "call alarms POST /lost\ncall reports POST /lost\nharm panic".to_owned(),
            ask(1),
        ];
        // Of an execution each: lines of one that follow each other may be told together.
        for (number, script) in scripts.iter().enumerate() {
            let id = format!("e{number}");
            bench.write(vec![submit(&id, "lamp")]).await.unwrap();
            bench.write(vec![note(&id, script)]).await.unwrap();
        }
        assert_eq!(bench.requested(2).await, numbers(0..2));
    });
    life(folder.path(), async |bench| {
        bench.write(vec![note("e1", &ask(2))]).await.unwrap();
        assert_eq!(bench.requested(3).await, numbers(0..3), "what failed is not told after a restart either");
    });
}

#[tokio::test]
async fn who_follows_is_told_what_was_and_what_comes_with_no_gap_and_no_double() {
    let bench = Bench::new().await;
    let id = session("s1");
    bench.broker.connect(client("", "scripted", None));
    let labelled = Submit { labels: vec![("kind".into(), "lamp".into())], ..submission("e1", "lamp") };
    let turn = bench.write(vec![PluginWrite::Submit(Box::new(labelled)), submit("e2", "door")]).await.unwrap();
    bench.gateway.engine.committed(turn.seq).await.unwrap();
    let say = async |execution: &str, topic: &str, times: usize| {
        bench.write(vec![note(execution, &format!("publish {topic} 1"))]).await.unwrap();
        bench.left(topic, times).await;
    };
    say("e1", "t/1", 1).await;
    let position = bench.gateway.engine.position();
    say("e1", "t/2", 1).await;
    say("e2", "other/1", 1).await;
    assert_eq!(bench.broker.left(), ["t/1", "t/2", "other/1"]);
    bench.write(vec![follow("s1", "a", position, vec![("kind".into(), "lamp".into())])]).await.unwrap();
    say("e1", "t/3", 2).await;
    say("e1", "t/4", 2).await;
    say("e2", "other/2", 1).await;
    assert_eq!(bench.broker.left(), ["t/2", "t/3", "t/3", "t/4", "t/4", "other/2"], "once for everybody, once for it");

    // The same name begins anew, and takes the place of the one before.
    bench.write(vec![follow("s1", "a", position + 100, Vec::new())]).await.unwrap();
    say("e1", "t/5", 2).await;
    bench.write(vec![PluginWrite::Unfollow { session: id.clone(), tag: Some("a".into()) }]).await.unwrap();
    say("e1", "t/6", 1).await;
    say("e1", "t/7", 1).await;
    assert_eq!(bench.broker.left(), ["t/5", "t/5", "t/6", "t/7"]);

    bench.write(vec![follow("s1", "a", position + 100, Vec::new())]).await.unwrap();
    say("e1", "t/8", 2).await;
    bench.gateway.notices.closed("scripted", &id);
    say("e1", "t/9", 1).await;
    say("e1", "t/10", 1).await;
    assert_eq!(bench.broker.left(), ["t/8", "t/8", "t/9", "t/10"]);
}

/// A session that closed during its replay must not be told for the rest of the process's life.
#[tokio::test]
async fn who_closed_before_its_replay_was_over_follows_nothing() {
    let bench = Bench::new().await;
    bench.write(vec![submit("e1", "lamp"), follow("gone", "a", 0, Vec::new())]).await.unwrap();
    for topic in ["t/1", "t/2", "t/3"] {
        bench.write(vec![note("e1", &format!("publish {topic} 1"))]).await.unwrap();
    }
    bench.left("t/3", 1).await;
    assert_eq!(bench.broker.left(), ["t/1", "t/2", "t/3"]);
}

/// A dialect whose first command starts its feed.
#[tokio::test]
async fn a_new_dialect_is_told_of_its_first_command_from_the_first_line_on() {
    let bench = Bench::new().await;
    guests::install_twin(&bench.gateway.config.plugins.folder);
    bench.gateway.plugins.rescan().await;
    let twin = bench.gateway.plugin("twin-two").unwrap();
    bench.gateway.apply_writes(&twin, vec![submit("e1", "lamp")], About::default()).await.unwrap();
    // Nothing was told meanwhile: its task shares this thread, and has not had it.
    for number in 0..2 {
        bench.input(Input::Note { id: ExecutionId::new("e1"), note: format!("\"{}\"", ask(number)) });
    }
    assert_eq!(bench.requested(2).await, numbers(0..2));
}
