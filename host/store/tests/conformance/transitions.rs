//! Lines of all histories by their positions, and how far dialects were told.

use crate::gate::Gate;
use crate::support::*;
use crate::{Place, commit, journal};
use dragoman_core::{Execution, State, Transition};
use dragoman_store::{
    Backend, Durability, Journal, JournalOptions, PAGE_MAX, Position, StoreError, TransitionQuery, Write,
};
use std::sync::Arc;

fn query(origin: &str) -> TransitionQuery {
    TransitionQuery {
        origin: origin.into(),
        after: 0,
        up_to: None,
        since_ms: None,
        labels: Vec::new(),
        limit: PAGE_MAX,
    }
}

fn from(origin: &str, name: &str) -> Execution {
    Execution { origin: origin.into(), ..execution(name, "lamp") }
}

fn positions(lines: &[Position]) -> Vec<u64> {
    lines.iter().map(|(position, ..)| *position).collect()
}

/// Positions that the backend finds.
fn found(backend: &Arc<dyn Backend>, query: &TransitionQuery) -> Vec<u64> {
    positions(&backend.transitions(query).unwrap())
}

fn line_at(position: u64, name: &str, seq: u64, at_ms: u64) -> Write {
    Write::Transitions { id: id(name), position, lines: vec![Transition { at_ms, ..line(seq, State::Queued) }] }
}

pub async fn lines_come_by_position_over_all_histories(place: &impl Place) {
    let backend = place.open();
    commit(&backend, [put(from("globex", "a")), put(from("globex", "b")), put(from("initech", "c"))]);
    commit(&backend, [lines_at(1, "a", [1, 2]), lines_at(3, "c", [1]), lines_at(4, "b", [1])]);
    // Positions may be left out, as where a turn came to nothing.
    commit(&backend, [lines_at(10, "a", [3]), lines_at(11, "b", [2, 3]), lines_at(13, "c", [2])]);
    let lines = backend.transitions(&query("globex")).unwrap();
    let expected = [("a", 1), ("a", 2), ("b", 1), ("a", 3), ("b", 2), ("b", 3)]
        .into_iter()
        .zip([1, 2, 4, 10, 11, 12])
        .map(|((name, seq), position)| (position, id(name), line(seq, State::Queued)))
        .collect::<Vec<_>>();
    assert_eq!(lines, expected);
    assert_eq!(found(&backend, &query("initech")), [3, 13]);
    assert_eq!(found(&backend, &query("nobody")), Vec::<u64>::new());
    assert_eq!(found(&backend, &TransitionQuery { after: 4, ..query("globex") }), [10, 11, 12]);
    assert_eq!(found(&backend, &TransitionQuery { after: 5, up_to: Some(11), ..query("globex") }), [10, 11]);
    assert_eq!(found(&backend, &TransitionQuery { after: 2, limit: 2, ..query("globex") }), [4, 10]);
    assert_eq!(found(&backend, &TransitionQuery { limit: 0, ..query("globex") }), [1]);
    assert_eq!(found(&backend, &TransitionQuery { after: u64::MAX, ..query("globex") }), Vec::<u64>::new());
    assert_eq!(backend.last_position().unwrap(), 13);
    // A line that is written again keeps its position.
    commit(&backend, [lines_at(14, "a", [3])]);
    assert_eq!(found(&backend, &query("globex")), [1, 2, 4, 10, 11, 12]);
}

pub async fn lines_are_found_by_label(place: &impl Place) {
    let backend = place.open();
    // More executions with the one label than are worth to be put in order, and few with the other.
    let many = 1_200_u64;
    let name = |n: u64| format!("e{n:04}");
    commit(
        &backend,
        (0..many).flat_map(|n| {
            let rare = if n % 400 == 7 { "rare" } else { "not" };
            let origin = if n % 2 == 0 { "initech" } else { "globex" };
            let execution = labelled(from(origin, &name(n)), &[("kind", "lamp"), ("how", rare)]);
            [put(execution), lines_at(n + 1, &name(n), [1])]
        }),
    );
    commit(&backend, [lines_at(many + 1, &name(7), [2])]);
    let labelled_with = |labels: &[(&str, &str)]| TransitionQuery { labels: pairs(labels), ..query("globex") };
    let all = found(&backend, &labelled_with(&[("kind", "lamp")]));
    assert_eq!(all, (2..=many).step_by(2).chain([many + 1]).collect::<Vec<_>>());
    for labels in
        [vec![("how", "rare")], vec![("kind", "lamp"), ("how", "rare")], vec![("how", "rare"), ("kind", "lamp")]]
    {
        let rare = labelled_with(&labels);
        assert_eq!(found(&backend, &rare), [8, 408, 808, many + 1]);
        assert_eq!(found(&backend, &TransitionQuery { after: 8, limit: 2, ..rare.clone() }), [408, 808]);
        assert_eq!(found(&backend, &TransitionQuery { after: 8, up_to: Some(408), ..rare }), [408]);
    }
    assert_eq!(found(&backend, &labelled_with(&[("kind", "door")])), Vec::<u64>::new());
    // Labels count as they are now.
    commit(&backend, [put(labelled(from("globex", &name(7)), &[("kind", "door")]))]);
    assert_eq!(found(&backend, &labelled_with(&[("kind", "door")])), [8, many + 1]);
    assert_eq!(found(&backend, &labelled_with(&[("how", "rare")])), [408, 808]);
}

pub async fn lines_are_found_by_time(place: &impl Place) {
    let backend = place.open();
    commit(&backend, [put(from("globex", "a")), put(from("initech", "b"))]);
    // The clock was set back between the fourth and the fifth.
    let times = [100, 200, 200, 500, 300, 400, 600];
    for (position, at_ms) in (1..).zip(times) {
        commit(
            &backend,
            [line_at(position * 2, "a", position, at_ms), line_at(position * 2 + 1, "b", position, at_ms)],
        );
    }
    for since_ms in [0, 100, 101, 200, 201, 300, 301, 400, 499, 500, 501, 600, 601, u64::MAX] {
        let expected: Vec<u64> =
            (1..).zip(times).filter(|(_, at_ms)| *at_ms >= since_ms).map(|(position, _)| position * 2).collect();
        let since = TransitionQuery { since_ms: Some(since_ms), ..query("globex") };
        assert_eq!(found(&backend, &since), expected, "since {since_ms}");
        let behind = expected.iter().copied().filter(|position| *position > 6).collect::<Vec<_>>();
        assert_eq!(found(&backend, &TransitionQuery { after: 6, ..since }), behind, "since {since_ms}");
    }
}

pub async fn positions_are_not_given_again(place: &impl Place) {
    {
        let backend = place.open();
        assert_eq!(backend.last_position().unwrap(), 0);
        commit(&backend, [put(moved(execution("a", "lamp"), State::Succeeded, 5_000)), lines_at(1, "a", [1, 2])]);
        commit(&backend, [put(execution("b", "lamp")), lines_at(3, "b", [1])]);
        commit(&backend, [put(moved(execution("b", "lamp"), State::Failed, 5_000)), lines_at(7, "b", [2])]);
        assert_eq!(backend.prune(6_000, 10).unwrap(), 2);
        assert_eq!(found(&backend, &query("globex")), Vec::<u64>::new());
        assert_eq!(backend.last_position().unwrap(), 7);
    }
    let backend = place.open();
    assert_eq!(backend.last_position().unwrap(), 7);
    // A line of an execution that is gone is left out, but somebody may have been told it.
    commit(&backend, [lines_at(8, "b", [3]), cursor(8)]);
    assert_eq!(backend.last_position().unwrap(), 8);
    commit(&backend, [cursor(3)]);
    assert_eq!(backend.last_position().unwrap(), 7);
    let beyond = backend.commit(&[put(execution("c", "lamp")), lines_at(u64::MAX, "c", [1])], Durability::Committed);
    assert!(matches!(beyond, Err(StoreError::Unwritable { .. })), "{beyond:?}");
}

pub async fn cursors_are_seen_at_once(place: &impl Place) {
    let gate = Gate::new(place.open());
    let journal = Journal::start(gate.clone(), JournalOptions::default()).unwrap();
    assert_eq!(journal.cursor("globex").await.unwrap(), None);
    journal.append(vec![cursor(3)]).unwrap();
    journal.flush().await.unwrap();
    gate.hold();
    journal.append(vec![cursor(4)]).unwrap();
    gate.wait_for_commit();
    journal.append(vec![cursor(5)]).unwrap();
    for _ in 0..2 {
        assert_eq!(journal.cursor("globex").await.unwrap(), Some(5));
        assert_eq!(journal.cursor("initech").await.unwrap(), None);
        gate.release();
        journal.flush().await.unwrap();
    }
}

/// Whoever asks again and again behind what came last gets every line once, in order, while lines are appended.
pub async fn followers_miss_nothing_and_get_nothing_twice(place: &impl Place) {
    const LINES: u64 = 600;
    let journal = journal(place);
    let followers: Vec<_> = [3, 7, PAGE_MAX]
        .into_iter()
        .map(|limit| {
            let journal = journal.clone();
            tokio::spawn(async move {
                let mut told = Vec::new();
                while told.len() < LINES as usize {
                    let after = told.last().copied().unwrap_or(0);
                    let next = journal.transitions(TransitionQuery { after, limit, ..query("globex") }).await.unwrap();
                    told.extend(positions(&next));
                    tokio::task::yield_now().await;
                }
                told
            })
        })
        .collect();
    let mut expected = Vec::new();
    for n in 1..=LINES {
        let (name, other) = (format!("e{}", n % 9), format!("o{}", n % 5));
        let seq = n.div_ceil(9) + 1;
        journal
            .append(vec![
                put(from("globex", &name)),
                put(from("initech", &other)),
                lines_at(n * 2, &name, [seq]),
                lines_at(n * 2 + 1, &other, [n]),
            ])
            .unwrap();
        expected.push(n * 2);
        // What was appended is found at once.
        if n % 50 == 0 {
            let last = journal.transitions(TransitionQuery { after: n * 2 - 1, ..query("globex") }).await.unwrap();
            assert_eq!(positions(&last), [n * 2]);
            assert_eq!(journal.last_position().await.unwrap(), n * 2 + 1);
        }
        tokio::task::yield_now().await;
    }
    for follower in followers {
        let told = tokio::time::timeout(std::time::Duration::from_secs(30), follower).await.expect("it hangs").unwrap();
        assert_eq!(told, expected);
    }
}
