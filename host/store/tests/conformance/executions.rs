//! Executions, histories, outbox.

use crate::support::*;
use crate::{Place, commit};
use dragoman_core::{Execution, ExecutionId, Outcome, Payload, Reason, State};
use dragoman_store::{Backend, Durability, Selection, StoreError, Write};
use std::sync::Arc;

fn open_ids(backend: &Arc<dyn Backend>) -> Vec<String> {
    let mut ids = Vec::new();
    backend.load_open(&mut |execution| ids.push(execution.id.to_string())).unwrap();
    ids
}

pub async fn an_execution_comes_back_whole(place: &impl Place) {
    let backend = place.open();
    let mut execution = labelled(idempotent(correlated(execution("a", "lamp"), 3, "hub", "k"), "i"), &[("x", "y")]);
    execution.outcome = Some(Outcome::Failed(Reason::new("E", "It could not.")));
    execution.context = Some("{}".to_owned());
    commit(&backend, [put(execution.clone())]);
    assert_eq!(backend.execution(&id("a")).unwrap(), Some(execution));
    assert_eq!(backend.execution(&id("b")).unwrap(), None);
}

pub async fn a_newer_version_replaces_the_older(place: &impl Place) {
    let backend = place.open();
    let first = execution("a", "lamp");
    let second = moved(first.clone(), State::Sent, 2_000);
    commit(&backend, [put(first)]);
    commit(&backend, [put(second.clone())]);
    assert_eq!(backend.execution(&id("a")).unwrap(), Some(second));
    assert_eq!(backend.count(&Selection::default(), 10).unwrap(), 1);
}

pub async fn of_several_versions_in_one_commit_the_last_stays(place: &impl Place) {
    let backend = place.open();
    let first = execution("a", "lamp");
    let second = moved(first.clone(), State::Sent, 2_000);
    let third = moved(second.clone(), State::Succeeded, 3_000);
    commit(&backend, [put(first), put(execution("b", "lamp")), put(second), put(third.clone())]);
    assert_eq!(backend.execution(&id("a")).unwrap(), Some(third));
    // The order of creation is that of the first versions.
    let page = backend.executions(&Selection { limit: 10, ..Selection::default() }).unwrap();
    assert_eq!(page.items.iter().map(|item| item.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
}

pub async fn history_is_in_order_and_a_line_is_there_once(place: &impl Place) {
    let backend = place.open();
    // Lines may stand before their execution in the same commit.
    commit(&backend, [lines("a", [1]), put(execution("a", "lamp")), lines("a", [2, 3])]);
    commit(&backend, [lines("a", [4, 4, 5])]);
    let seqs: Vec<u64> = backend.history(&id("a")).unwrap().iter().map(|line| line.seq).collect();
    assert_eq!(seqs, [1, 2, 3, 4, 5]);
    assert_eq!(backend.history(&id("a")).unwrap().first(), Some(&line(1, State::Queued)));
    assert_eq!(backend.history(&id("b")).unwrap(), []);
}

pub async fn lines_of_an_unknown_execution_are_left_out(place: &impl Place) {
    let backend = place.open();
    commit(&backend, [lines("gone", [7]), put(execution("a", "lamp"))]);
    assert_eq!(backend.history(&id("gone")).unwrap(), []);
    assert!(backend.execution(&id("a")).unwrap().is_some());
}

pub async fn the_alias_is_per_origin_and_device(place: &impl Place) {
    let backend = place.open();
    let aliased = |name: &str, device: &str, origin: &str| Execution {
        alias: Some("7".to_owned()),
        origin: origin.into(),
        ..execution(name, device)
    };
    commit(&backend, [put(aliased("a", "lamp", "x")), put(aliased("b", "door", "x")), put(aliased("c", "lamp", "y"))]);
    let find = |origin: &str, device: &str, alias: &str| {
        backend.execution_by_alias(origin, &dev(device), alias).unwrap().map(|found| found.id.to_string())
    };
    assert_eq!(find("x", "lamp", "7").as_deref(), Some("a"));
    assert_eq!(find("x", "door", "7").as_deref(), Some("b"));
    assert_eq!(find("y", "lamp", "7").as_deref(), Some("c"));
    assert_eq!(find("y", "door", "7"), None);
    assert_eq!(find("x", "lamp", "8"), None);
}

pub async fn the_newest_execution_has_the_alias_and_the_key(place: &impl Place) {
    let backend = place.open();
    let both = |name: &str| Execution { alias: Some("7".to_owned()), ..idempotent(execution(name, "lamp"), "k") };
    commit(&backend, [put(both("old"))]);
    commit(&backend, [put(both("new"))]);
    commit(&backend, [put(moved(both("old"), State::Succeeded, 5_000))]);
    assert_eq!(backend.execution_by_alias("globex", &dev("lamp"), "7").unwrap().unwrap().id, id("new"));
    assert_eq!(backend.execution_by_idempotency("globex", "k").unwrap().unwrap().id, id("new"));
    assert_eq!(backend.execution_by_idempotency("other", "k").unwrap(), None);
}

pub async fn a_correlation_names_execution_and_attempt(place: &impl Place) {
    let backend = place.open();
    let first = correlated(execution("a", "lamp"), 1, "hub", "k1");
    commit(&backend, [put(first.clone())]);
    commit(&backend, [put(correlated(first, 2, "hub", "k2"))]);
    assert_eq!(backend.by_correlation(&dev("hub"), "k1").unwrap(), Some((id("a"), 1)));
    assert_eq!(backend.by_correlation(&dev("hub"), "k2").unwrap(), Some((id("a"), 2)));
    assert_eq!(backend.by_correlation(&dev("lamp"), "k1").unwrap(), None);
}

pub async fn the_newest_execution_has_the_correlation(place: &impl Place) {
    let backend = place.open();
    let old = correlated(execution("old", "lamp"), 2, "lamp", "k");
    commit(&backend, [put(old.clone())]);
    commit(&backend, [put(correlated(execution("new", "lamp"), 1, "lamp", "k"))]);
    commit(&backend, [put(moved(old, State::Failed, 9_000))]);
    assert_eq!(backend.by_correlation(&dev("lamp"), "k").unwrap(), Some((id("new"), 1)));
}

pub async fn correlations_that_gave_way_are_forgotten(place: &impl Place) {
    let backend = place.open();
    let mut long = execution("a", "lamp");
    for attempt in 1..=20 {
        long = correlated(long, attempt, "lamp", &format!("k{attempt}"));
        if long.correlations.len() > Execution::CORRELATIONS_MAX {
            long.correlations.remove(0);
        }
        commit(&backend, [put(long.clone())]);
    }
    assert_eq!(backend.by_correlation(&dev("lamp"), "k4").unwrap(), None);
    assert_eq!(backend.by_correlation(&dev("lamp"), "k5").unwrap(), Some((id("a"), 5)));
    assert_eq!(backend.by_correlation(&dev("lamp"), "k20").unwrap(), Some((id("a"), 20)));
}

pub async fn open_executions_are_loaded_in_order_of_creation(place: &impl Place) {
    let backend = place.open();
    for name in ["c", "a", "b", "d"] {
        commit(&backend, [put(execution(name, "lamp"))]);
    }
    commit(&backend, [put(moved(execution("c", "lamp"), State::Acked, 2_000))]);
    commit(&backend, [put(moved(execution("b", "lamp"), State::Canceled, 2_000))]);
    assert_eq!(open_ids(&backend), ["c", "a", "d"]);
}

pub async fn the_outbox_holds_what_was_put_and_not_removed(place: &impl Place) {
    let backend = place.open();
    commit(&backend, [3, 1, 2, 9].map(|seq| Write::OutboxPut(message(seq, "a"))));
    commit(&backend, [Write::OutboxRemove(2), Write::OutboxRemove(77)]);
    // Put and removed within one commit: the order within it counts.
    commit(&backend, [Write::OutboxPut(message(4, "a")), Write::OutboxRemove(4)]);
    commit(&backend, [Write::OutboxRemove(5), Write::OutboxPut(message(5, "a"))]);
    assert_eq!(backend.outbox().unwrap(), [1, 3, 5, 9].map(|seq| message(seq, "a")));
}

pub async fn numbers_at_their_ends_come_back(place: &impl Place) {
    let backend = place.open();
    let mut extreme = execution("a", "lamp");
    extreme.deadline_ms = u64::MAX;
    extreme.version = u64::MAX;
    extreme.created_ms = 0;
    extreme.options.ttl_ms = u32::MAX;
    commit(&backend, [put(extreme.clone())]);
    assert_eq!(backend.execution(&id("a")).unwrap(), Some(extreme));

    let mut row = message(i64::MAX as u64, "a");
    row.expires_ms = u64::MAX;
    commit(&backend, [Write::OutboxPut(row.clone())]);
    assert_eq!(backend.outbox().unwrap(), [row]);
    let beyond = backend.commit(&[Write::OutboxPut(message(u64::MAX, "a"))], Durability::Committed);
    assert!(matches!(beyond, Err(StoreError::Unwritable { .. })), "{beyond:?}");
}

pub async fn text_that_needs_escaping_comes_back(place: &impl Place) {
    let backend = place.open();
    let odd = "a'; DROP TABLE execution; --\"\\\u{1}🜍%_";
    let mut execution = labelled(execution("a", odd), &[(odd, odd)]);
    execution.alias = Some(odd.to_owned());
    execution.context = Some(odd.to_owned());
    let execution = correlated(idempotent(execution, odd), 1, odd, odd);
    let mut row = message(1, "a");
    row.message.payload = Payload::Text(odd.to_owned());
    commit(&backend, [put(execution.clone()), Write::OutboxPut(row.clone())]);
    assert_eq!(backend.execution_by_alias("globex", &dev(odd), odd).unwrap(), Some(execution.clone()));
    assert_eq!(backend.execution_by_idempotency("globex", odd).unwrap(), Some(execution.clone()));
    assert_eq!(backend.by_correlation(&dev(odd), odd).unwrap(), Some((id("a"), 1)));
    let selection = Selection { labels: execution.labels.clone(), limit: 5, ..Selection::default() };
    assert_eq!(backend.executions(&selection).unwrap().items, [execution]);
    assert_eq!(backend.outbox().unwrap(), [row]);
}

pub async fn a_commit_is_all_or_nothing(place: &impl Place) {
    let backend = place.open();
    commit(&backend, [Write::Device(device("lamp", &[("n", "1")]))]);
    let writes = [
        put(execution("a", "lamp")),
        lines("a", [1]),
        Write::OutboxPut(message(1, "a")),
        Write::Device(device("door", &[("n", "1")])),
    ];
    let failed = backend.commit(&writes, Durability::Committed);
    assert!(matches!(failed, Err(StoreError::AliasTaken { .. })), "{failed:?}");
    assert_eq!(backend.execution(&id("a")).unwrap(), None);
    assert_eq!(backend.outbox().unwrap(), []);
    assert_eq!(backend.device(&dev("door")).unwrap(), None);
    // And the next one goes through.
    commit(&backend, [put(execution("a", "lamp"))]);
    assert!(backend.execution(&id("a")).unwrap().is_some());
}

pub async fn an_empty_commit_is_fine(place: &impl Place) {
    let backend = place.open();
    for durability in [Durability::Committed, Durability::Relaxed, Durability::Relaxed, Durability::Committed] {
        backend.commit(&[], durability).unwrap();
        backend.commit(&[put(execution("a", "lamp"))], durability).unwrap();
    }
    backend.commit(&[], Durability::Committed).unwrap();
    assert_eq!(open_ids(&backend), ["a"]);
}

pub async fn labels_of_an_execution_may_change(place: &impl Place) {
    let backend = place.open();
    let count = |name: &str, value: &str| {
        backend.count(&Selection { labels: pairs(&[(name, value)]), ..Selection::default() }, 10).unwrap()
    };
    let with = |labels: &[(&str, &str)]| put(labelled(execution("a", "lamp"), labels));
    commit(&backend, [with(&[("x", "1"), ("y", "1")]), put(labelled(execution("b", "lamp"), &[("x", "1")]))]);
    // The same again, in another order, is no change.
    commit(&backend, [with(&[("y", "1"), ("x", "1"), ("x", "1")])]);
    assert_eq!([count("x", "1"), count("y", "1")], [2, 1]);
    commit(&backend, [with(&[("x", "2"), ("y", "1"), ("z", "1")])]);
    assert_eq!([count("x", "1"), count("x", "2"), count("y", "1"), count("z", "1")], [1, 1, 1, 1]);
    commit(&backend, [with(&[])]);
    assert_eq!([count("x", "1"), count("x", "2"), count("y", "1"), count("z", "1")], [1, 0, 0, 0]);
    commit(&backend, [with(&[("x", "3")]), with(&[("x", "4")])]);
    assert_eq!([count("x", "3"), count("x", "4")], [0, 1]);
}

/// An ended execution with everything that can hang on one.
fn ended(name: &str, at_ms: u64) -> [Write; 2] {
    let execution = correlated(labelled(execution(name, "lamp"), &[("l", name)]), 1, "lamp", name);
    [put(moved(execution, State::Succeeded, at_ms)), lines(name, [1, 2])]
}

pub async fn pruning_forgets_the_earliest_ended_with_all_of_theirs(place: &impl Place) {
    let backend = place.open();
    for (name, at_ms) in [("a", 5_000), ("b", 3_000), ("c", 4_000), ("d", 9_000)] {
        commit(&backend, ended(name, at_ms));
    }
    assert_eq!(backend.prune(6_000, 2).unwrap(), 2);
    let left = |backend: &Arc<dyn Backend>| -> Vec<String> {
        let page = backend.executions(&Selection { limit: 10, ..Selection::default() }).unwrap();
        page.items.iter().map(|item| item.id.to_string()).collect()
    };
    assert_eq!(left(&backend), ["a", "d"]);
    assert_eq!(backend.prune(6_000, 2).unwrap(), 1);
    assert_eq!(backend.prune(6_000, 2).unwrap(), 0);
    assert_eq!(left(&backend), ["d"]);
    assert_eq!(backend.history(&id("b")).unwrap(), []);
    assert_eq!(backend.by_correlation(&dev("lamp"), "b").unwrap(), None);
    assert_eq!(backend.by_correlation(&dev("lamp"), "d").unwrap(), Some((id("d"), 1)));
    let labels = Selection { labels: pairs(&[("l", "b")]), ..Selection::default() };
    assert_eq!(backend.count(&labels, 10).unwrap(), 0);
    // A late line of what is forgotten is left out; a late record of it is a record again.
    commit(&backend, [lines("b", [3])]);
    assert_eq!(backend.history(&id("b")).unwrap(), []);
}

pub async fn pruning_leaves_what_is_open(place: &impl Place) {
    let backend = place.open();
    commit(&backend, [put(execution("a", "lamp")), put(moved(execution("b", "lamp"), State::Acked, 1))]);
    assert_eq!(backend.prune(u64::MAX, 1_000).unwrap(), 0);
    assert_eq!(open_ids(&backend), ["a", "b"]);
}

pub async fn everything_is_there_after_reopening(place: &impl Place) {
    let execution = moved(correlated(execution("a", "lamp"), 1, "lamp", "k"), State::Sent, 2_000);
    {
        let backend = place.open();
        commit(&backend, [put(execution.clone()), lines("a", [1, 2]), Write::OutboxPut(message(1, "a"))]);
        commit(&backend, [Write::Device(device("lamp", &[("n", "1")])), Write::Profile(profile("lamp", "x", 4))]);
        backend.commit(&[put(self::execution("late", "lamp"))], Durability::Relaxed).unwrap();
    }
    let backend = place.open();
    assert_eq!(backend.execution(&ExecutionId::new("a")).unwrap(), Some(execution));
    assert_eq!(backend.history(&id("a")).unwrap().len(), 2);
    assert_eq!(backend.outbox().unwrap(), [message(1, "a")]);
    assert_eq!(backend.device_by_alias("n", "1").unwrap(), Some(device("lamp", &[("n", "1")])));
    assert_eq!(backend.profile(&dev("lamp"), "x").unwrap(), Some(profile("lamp", "x", 4)));
    assert_eq!(open_ids(&backend), ["a", "late"]);
}
