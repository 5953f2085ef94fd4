//! The journal over a backend: order, visibility, group commit, failure.

use crate::gate::Gate;
use crate::support::*;
use crate::{Place, journal};
use dragoman_core::State;
use dragoman_store::{Backend, Durability, Journal, JournalError, JournalOptions, Selection, StoreError, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// No step of a test takes longer than this unless it hangs.
const PATIENCE: Duration = Duration::from_secs(30);

fn gated(place: &impl Place, options: JournalOptions) -> (Arc<Gate>, Journal) {
    let gate = Gate::new(place.open());
    let journal = Journal::start(gate.clone(), options).unwrap();
    (gate, journal)
}

async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it hangs")
}

pub async fn appends_are_visible_at_once(place: &impl Place) {
    let (gate, journal) = gated(place, JournalOptions::default());
    gate.hold();
    let mut first = idempotent(correlated(execution("a", "lamp"), 1, "hub", "k"), "i");
    first.alias = Some("7".to_owned());
    journal.append(vec![put(first.clone()), lines("a", [1])]).unwrap();
    gate.wait_for_commit();
    let second = moved(first, State::Sent, 2_000);
    journal.append(vec![put(second.clone()), lines("a", [2])]).unwrap();
    for _ in 0..2 {
        assert_eq!(journal.execution(&id("a")).await.unwrap().as_deref(), Some(&second));
        assert_eq!(journal.by_alias("globex", &dev("lamp"), "7").await.unwrap().as_deref(), Some(&second));
        assert_eq!(journal.by_idempotency("globex", "i").await.unwrap().as_deref(), Some(&second));
        assert_eq!(journal.by_correlation(&dev("hub"), "k").await.unwrap(), Some((id("a"), 1)));
        assert_eq!(journal.history(&id("a")).await.unwrap().len(), 2);
        gate.release();
        soon(journal.flush()).await.unwrap();
    }
}

pub async fn committed_means_in_the_backend(place: &impl Place) {
    let backend = place.open();
    let journal = Journal::start(Arc::clone(&backend), JournalOptions::default()).unwrap();
    for n in 0..50 {
        let name = format!("e{n}");
        let seq = journal.append(vec![put(execution(&name, "lamp"))]).unwrap();
        soon(journal.committed(seq)).await.unwrap();
        assert!(backend.execution(&id(&name)).unwrap().is_some());
    }
    assert_eq!(journal.pending(), 0);
}

pub async fn many_appenders_keep_their_order(place: &impl Place) {
    const TASKS: u64 = 8;
    const EACH: u64 = 200;
    let journal = journal(place);
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let journal = journal.clone();
            tokio::spawn(async move {
                let name = format!("e{task}");
                let mut current = execution(&name, "lamp");
                let mut last = journal.append(vec![put(current.clone()), lines(&name, [1])]).unwrap();
                for seq in 2..=EACH {
                    current = moved(current, State::Sent, seq);
                    let at = journal.append(vec![put(current.clone()), lines(&name, [seq])]).unwrap();
                    assert!(at > last, "positions grow");
                    last = at;
                    if seq % 16 == 0 {
                        journal.committed(at).await.unwrap();
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        soon(task).await.unwrap();
    }
    soon(journal.flush()).await.unwrap();
    for task in 0..TASKS {
        let name = format!("e{task}");
        assert_eq!(journal.execution(&id(&name)).await.unwrap().unwrap().version, EACH);
        let seqs: Vec<u64> = journal.history(&id(&name)).await.unwrap().iter().map(|line| line.seq).collect();
        assert_eq!(seqs, (1..=EACH).collect::<Vec<_>>());
    }
}

pub async fn one_commit_takes_what_waits(place: &impl Place) {
    let (gate, journal) = gated(place, JournalOptions::default());
    gate.hold();
    journal.append(vec![put(execution("a", "lamp"))]).unwrap();
    gate.wait_for_commit();
    for n in 0..100 {
        journal.append(vec![put(execution(&format!("e{n}"), "lamp"))]).unwrap();
    }
    assert_eq!(journal.pending(), 101);
    gate.release();
    soon(journal.flush()).await.unwrap();
    assert_eq!(gate.commits(), [(1, Durability::Committed), (100, Durability::Committed)]);
}

const NEVER_MS: u64 = 3_600_000;

pub async fn what_nobody_waits_for_goes_along(place: &impl Place) {
    let (gate, journal) = gated(place, JournalOptions { linger_ms: NEVER_MS, ..JournalOptions::default() });
    journal.append(vec![put(execution("a", "lamp"))]).unwrap();
    let wanted = journal.append(vec![put(execution("b", "lamp"))]).unwrap();
    soon(journal.committed(wanted)).await.unwrap();
    assert_eq!(gate.commits(), [(2, Durability::Committed)]);
    journal.append(vec![put(execution("c", "lamp"))]).unwrap();
    soon(journal.close()).await.unwrap();
    assert_eq!(gate.commits().len(), 2, "what waits for company is committed at the end");
}

pub async fn what_nobody_waits_for_is_committed_in_its_time(place: &impl Place) {
    let (gate, journal) = gated(place, JournalOptions { linger_ms: 1, ..JournalOptions::default() });
    for round in 1..=3 {
        journal.append(vec![put(execution(&format!("e{round}"), "lamp"))]).unwrap();
        let gate = gate.clone();
        let commits = soon(tokio::task::spawn_blocking(move || gate.wait_for_commits(round))).await.unwrap();
        assert_eq!(commits.len(), round);
    }
}

pub async fn much_does_not_wait_for_company(place: &impl Place) {
    let (gate, journal) = gated(place, JournalOptions { linger_ms: NEVER_MS, ..JournalOptions::default() });
    for n in 0..1_024 {
        journal.append(vec![put(execution(&format!("e{n}"), "lamp"))]).unwrap();
    }
    let commits = soon(tokio::task::spawn_blocking(move || gate.wait_for_commits(1))).await.unwrap();
    assert_eq!(commits, [(1_024, Durability::Committed)]);
}

pub async fn past_the_bound_an_append_is_refused_and_room_comes_back(place: &impl Place) {
    let (gate, journal) = gated(place, JournalOptions { pending_max: 10, ..JournalOptions::default() });
    gate.hold();
    journal.append(vec![put(execution("a", "lamp"))]).unwrap();
    gate.wait_for_commit();
    // One append is taken whole, whatever its size.
    journal.append((0..20).map(|n| put(execution(&format!("e{n}"), "lamp"))).collect()).unwrap();
    let refused = journal.append(vec![put(execution("late", "lamp"))]);
    assert!(matches!(refused, Err(JournalError::Full { limit: 10 })), "{refused:?}");
    assert_eq!(journal.execution(&id("late")).await.unwrap(), None);
    let waiter = tokio::spawn({
        let journal = journal.clone();
        async move { journal.ready().await }
    });
    gate.release();
    soon(waiter).await.unwrap().unwrap();
    let seq = journal.append(vec![put(execution("late", "lamp"))]).unwrap();
    soon(journal.committed(seq)).await.unwrap();
}

pub async fn a_failed_commit_poisons_it(place: &impl Place) {
    let (gate, journal) = gated(place, JournalOptions::default());
    let fine = journal.append(vec![put(execution("fine", "lamp"))]).unwrap();
    soon(journal.committed(fine)).await.unwrap();
    gate.hold();
    gate.fail();
    let lost = journal.append(vec![put(execution("lost", "lamp"))]).unwrap();
    let waiter = tokio::spawn({
        let journal = journal.clone();
        async move { journal.committed(lost).await }
    });
    gate.release();
    let cause = soon(waiter).await.unwrap().unwrap_err();
    assert_eq!(
        cause.to_string(),
        "a commit failed, so nothing more can be made durable: the store failed while committing: the disk is gone; \
         look at the disk and the system log, then start dragoman again"
    );
    assert!(matches!(journal.append(vec![put(execution("b", "lamp"))]), Err(JournalError::Failed(_))));
    assert!(matches!(soon(journal.ready()).await, Err(JournalError::Failed(_))));
    assert!(matches!(soon(journal.flush()).await, Err(JournalError::Failed(_))));
    assert!(matches!(soon(journal.outbox()).await, Err(StoreError::Journal(JournalError::Failed(_)))));
    // What was committed before it stays committed.
    soon(journal.committed(fine)).await.unwrap();
    assert!(matches!(soon(journal.close()).await, Err(JournalError::Failed(_))));
}

pub async fn relaxed_writes_are_synced_soon(place: &impl Place) {
    let (gate, journal) = gated(place, JournalOptions { relaxed_sync_ms: 20, ..JournalOptions::default() });
    let seq = journal.append_relaxed(vec![put(execution("a", "lamp"))]).unwrap();
    soon(journal.committed(seq)).await.unwrap();
    let commits = tokio::task::spawn_blocking(move || gate.wait_for_commits(2));
    assert_eq!(soon(commits).await.unwrap(), [(1, Durability::Relaxed), (0, Durability::Committed)]);
}

pub async fn mixed_groups_are_durable(place: &impl Place) {
    let (gate, journal) = gated(place, JournalOptions { relaxed_sync_ms: 3_600_000, ..JournalOptions::default() });
    gate.hold();
    journal.append_relaxed(vec![put(execution("a", "lamp"))]).unwrap();
    gate.wait_for_commit();
    journal.append_relaxed(vec![put(execution("b", "lamp"))]).unwrap();
    journal.append(vec![put(execution("c", "lamp"))]).unwrap();
    journal.append_relaxed(vec![put(execution("d", "lamp"))]).unwrap();
    gate.release();
    soon(journal.flush()).await.unwrap();
    journal.append_relaxed(vec![put(execution("e", "lamp"))]).unwrap();
    soon(journal.close()).await.unwrap();
    // The last relaxed one is brought to the disk before the end.
    let expected =
        [(1, Durability::Relaxed), (3, Durability::Committed), (1, Durability::Relaxed), (0, Durability::Committed)];
    assert_eq!(gate.commits(), expected);
}

pub async fn closing_commits_what_is_left(place: &impl Place) {
    let journal = journal(place);
    for n in 0..500 {
        journal.append(vec![put(execution(&format!("e{n}"), "lamp"))]).unwrap();
    }
    soon(journal.close()).await.unwrap();
    assert!(matches!(journal.append(vec![put(execution("late", "lamp"))]), Err(JournalError::Closed)));
    assert!(matches!(soon(journal.ready()).await, Err(JournalError::Closed)));
    soon(journal.close()).await.unwrap();
    assert_eq!(journal.count(Selection::default(), 1_000).await.unwrap(), 500);
}

pub async fn dropping_the_last_handle_commits_what_is_left(place: &impl Place) {
    let (gate, journal) = gated(place, JournalOptions::default());
    gate.hold();
    journal.append(vec![put(execution("a", "lamp"))]).unwrap();
    gate.wait_for_commit();
    journal.clone().append(vec![put(execution("b", "lamp"))]).unwrap();
    drop(journal);
    gate.release();
    let watched = Arc::clone(&gate);
    soon(tokio::task::spawn_blocking(move || watched.wait_for_commits(2))).await.unwrap();
    assert!(gate.execution(&id("b")).unwrap().is_some());
}

pub async fn devices_must_be_checked(place: &impl Place) {
    let journal = journal(place);
    for append in [Journal::append, Journal::append_relaxed] {
        let refused = append(&journal, vec![put(execution("a", "lamp")), Write::Device(device("lamp", &[]))]);
        assert!(matches!(&refused, Err(JournalError::Unchecked(id)) if *id == dev("lamp")), "{refused:?}");
    }
    assert_eq!(journal.pending(), 0);
    assert_eq!(journal.execution(&id("a")).await.unwrap(), None);
}

pub async fn queries_see_what_was_appended(place: &impl Place) {
    let journal = journal(place);
    for n in 1..=50_u64 {
        journal.append(vec![put(execution(&format!("e{n}"), "lamp")), Write::OutboxPut(message(n, "a"))]).unwrap();
        assert_eq!(journal.count(Selection::default(), 100).await.unwrap(), n);
        assert_eq!(journal.outbox().await.unwrap().len() as u64, n);
    }
    let page = journal.executions(Selection { limit: 100, ..Selection::default() }).await.unwrap();
    assert_eq!(page.items.len(), 50);
}

pub async fn history_joins_disk_and_memory(place: &impl Place) {
    let (gate, journal) = gated(place, JournalOptions::default());
    journal.append(vec![put(execution("a", "lamp")), lines("a", [1, 2])]).unwrap();
    soon(journal.flush()).await.unwrap();
    gate.hold();
    journal.append(vec![lines("a", [3])]).unwrap();
    gate.wait_for_commit();
    journal.append(vec![lines("a", [4, 5])]).unwrap();
    let seqs: Vec<u64> = journal.history(&id("a")).await.unwrap().iter().map(|line| line.seq).collect();
    assert_eq!(seqs, [1, 2, 3, 4, 5]);
    gate.release();
}

pub async fn removal_is_visible_at_once(place: &impl Place) {
    let (gate, journal) = gated(place, JournalOptions::default());
    journal.put_device(device("lamp", &[("n", "1")])).await.unwrap();
    journal.append(vec![Write::Profile(profile("lamp", "x", 1))]).unwrap();
    soon(journal.flush()).await.unwrap();
    gate.hold();
    journal.append(vec![Write::DeviceRemove(dev("lamp"))]).unwrap();
    assert_eq!(journal.device(&dev("lamp")).await.unwrap(), None);
    assert_eq!(journal.resolve("n", "1").await.unwrap(), None);
    assert_eq!(journal.profile(&dev("lamp"), "x").await.unwrap(), None);
    gate.release();
}

/// A record is either in memory or in the database at any moment, and never older than what was seen before.
pub async fn readers_during_commits_always_find_it(place: &impl Place) {
    let journal = journal(place);
    let newest = Arc::new(AtomicU64::new(0));
    let mut current = execution("a", "lamp");
    journal.append(vec![put(current.clone()), lines("a", [1])]).unwrap();
    newest.store(1, Ordering::SeqCst);
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (journal, newest) = (journal.clone(), Arc::clone(&newest));
            tokio::spawn(async move {
                loop {
                    let at_least = newest.load(Ordering::SeqCst);
                    let found = journal.execution(&id("a")).await.unwrap().expect("it is always there");
                    assert!(found.version >= at_least, "{} when {at_least} was appended", found.version);
                    let lines = journal.history(&id("a")).await.unwrap();
                    assert!(lines.len() as u64 >= at_least);
                    assert!(lines.iter().map(|line| line.seq).eq(1..=lines.len() as u64), "no gap, no double");
                    if at_least == 400 {
                        return;
                    }
                }
            })
        })
        .collect();
    for seq in 2..=400 {
        current = moved(current, State::Sent, seq);
        let at = journal.append(vec![put(current.clone()), lines("a", [seq])]).unwrap();
        newest.store(seq, Ordering::SeqCst);
        if seq % 2 == 0 {
            soon(journal.committed(at)).await.unwrap();
        }
    }
    for reader in readers {
        soon(reader).await.unwrap();
    }
}

pub async fn a_reopened_journal_has_everything(place: &impl Place) {
    for round in 0..3_u64 {
        let journal = journal(place);
        let mut open = Vec::new();
        soon(journal.load_open(|execution| open.push(execution.id.to_string()))).await.unwrap();
        assert_eq!(open, (0..round).map(|n| format!("e{n}")).collect::<Vec<_>>());
        assert_eq!(journal.outbox().await.unwrap().len() as u64, round);
        journal
            .append(vec![put(execution(&format!("e{round}"), "lamp")), Write::OutboxPut(message(round, "a"))])
            .unwrap();
        soon(journal.close()).await.unwrap();
    }
}

pub async fn load_open_hands_over_more_than_a_batch(place: &impl Place) {
    let journal = journal(place);
    journal.append((0..2_000).map(|n| put(execution(&format!("e{n:04}"), "lamp"))).collect()).unwrap();
    let mut open = Vec::new();
    soon(journal.load_open(|execution| open.push(execution.id.to_string()))).await.unwrap();
    assert_eq!(open, (0..2_000).map(|n| format!("e{n:04}")).collect::<Vec<_>>());
}
