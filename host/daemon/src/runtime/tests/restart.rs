//! What a start makes of what a killed run left.

use super::*;
use dragoman_core::State;

/// A message that the lamp had not acknowledged is sent again, once, as the next attempt; what was queued is there; what
/// had ended stays as it was; and no row of the outbox is left behind.
#[test]
fn what_was_on_its_way_is_tried_again_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let before = life(folder.path(), async |bench| {
        bench.sent("ended").await;
        bench.write_as("lamp", vec![answer("ended", succeeded())]).await.unwrap();
        bench.broker.promise_receipts();
        bench.sent("sent").await;
        bench.write(vec![submit("behind", "lamp"), submit("waits", "door")]).await.unwrap();
        assert_eq!(bench.broker.left(), ["ended/1/0 to lamp", "sent/1/0 to lamp"]);
        bench.execution("ended").await.unwrap()
    });
    life(folder.path(), async |bench| {
        assert!(bench.gateway.engine.journal().outbox().await.unwrap().is_empty());
        assert_eq!(bench.execution("ended").await.unwrap(), before);
        let expected = [Event::Queued, Event::Planned, Event::Sent, Event::Requeued];
        assert_eq!(bench.history("sent").await, expected);
        bench.present("lamp");
        bench.left("sent/2/0 to lamp", 1).await;
        // The window of the queue is one command, which is the one that was out.
        bench.write_as("lamp", vec![answer("sent", succeeded())]).await.unwrap();
        bench.left("behind/1/0 to lamp", 1).await;
        bench.present("door");
        bench.left("waits/1/0 to door", 1).await;
        assert_eq!(
            bench.broker.left(),
            ["sent/2/0 to lamp", "behind/1/0 to lamp", "waits/1/0 to door"],
            "each once, and in order"
        );
        assert_eq!(bench.execution("sent").await.unwrap().state, State::Succeeded, "the first attempt's answer counts");
    });
}

/// Callers and places of requests belong to the process; what they asked for is open, and nothing else is.
#[test]
fn what_was_open_is_open_again_and_nothing_else_is() {
    let folder = tempfile::tempdir().unwrap();
    let ids = |bench: &Bench| -> Vec<bool> {
        ["a", "b", "c"].map(|id| bench.gateway.engine.open_execution(&ExecutionId::new(id)).is_some()).to_vec()
    };
    life(folder.path(), async |bench| {
        bench.write(vec![submit("a", "lamp"), submit("b", "lamp"), submit("c", "door"), cancel("b")]).await.unwrap();
        assert_eq!(ids(bench), [true, false, true]);
    });
    life(folder.path(), async |bench| {
        assert_eq!(ids(bench), [true, false, true]);
        bench.write(vec![cancel("a")]).await.unwrap();
    });
    life(folder.path(), async |bench| assert_eq!(ids(bench), [false, false, true]));
}
