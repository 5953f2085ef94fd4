//! The lane by itself: order, waits and places, with made-up times.

use super::quick;
use crate::config::TargetConfig;
use crate::outbound::lane::{Fate, Full, Lane, Tried};
use crate::outbound::verdict::Outcome;
use axum::http::StatusCode;
use dragoman_store::{RequestRow, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

struct Bench {
    lane: Lane,
    start: Instant,
}

fn bench(config: TargetConfig) -> Bench {
    Bench { lane: Lane::new(config), start: Instant::now() }
}

fn slow() -> TargetConfig {
    TargetConfig { backoff_ms: 1_000, backoff_max_ms: 60_000, in_flight_max: 2, ..quick("http://a") }
}

fn row(seq: u64) -> RequestRow {
    RequestRow {
        seq,
        dialect: "things".into(),
        target: "alarms".to_owned(),
        method: "POST".to_owned(),
        path: "/".to_owned(),
        headers: Vec::new(),
        body: None,
        created_ms: 0,
        tries: 0,
        next_ms: 0,
        last_answer: None,
        given_up_ms: None,
    }
}

impl Bench {
    fn at(&self, ms: u64) -> Instant {
        self.start + Duration::from_millis(ms)
    }

    fn put(&mut self, seqs: impl IntoIterator<Item = u64>) {
        for seq in seqs {
            self.lane.reserve(&Arc::new(row(seq))).unwrap();
            assert!(self.lane.release(seq));
        }
    }

    /// What begins at that time.
    fn take(&mut self, ms: u64) -> Vec<u64> {
        let now = self.at(ms);
        std::iter::from_fn(|| self.lane.take(now)).map(|row| row.seq).collect()
    }

    /// A try from one time to another that ended with that status; 0 is no answer. Tells what is written.
    fn tried(&mut self, seq: u64, (began, ended): (u64, u64), status: u16) -> Vec<Write> {
        let outcome = match status {
            0 => Outcome::Failed("no connection".to_owned()),
            status => Outcome::Answered {
                status: StatusCode::from_u16(status).unwrap(),
                retry_after_ms: None,
                text: status.to_string(),
            },
        };
        let tried = Tried { seq, outcome, began: self.at(began), ended: self.at(ended), ended_ms: ended, chance: 0 };
        let fate = self.lane.fate(&tried).unwrap();
        let writes = fate.writes(seq);
        self.lane.apply(&tried, fate);
        writes
    }

    fn wakes_in(&self, ms: u64) -> Option<u64> {
        let at = self.lane.wakes_at(self.at(ms))?;
        Some(u64::try_from((at - self.start).as_millis()).unwrap())
    }
}

#[test]
fn requests_begin_in_order_and_a_repeated_one_is_overtaken() {
    let mut bench = bench(slow());
    bench.put([1, 2, 3, 4]);
    assert_eq!(bench.take(0), [1, 2]);
    assert_eq!(bench.wakes_in(0), None, "it is full");
    bench.tried(1, (0, 10), 500);
    assert_eq!(bench.take(10), [3], "one that only concerns itself holds nobody up");
    bench.tried(2, (0, 20), 200);
    bench.tried(3, (10, 20), 200);
    assert_eq!(bench.take(20), [4]);
    bench.tried(4, (20, 30), 200);
    assert_eq!((bench.take(1_009), bench.wakes_in(30)), (vec![], Some(1_010)));
    assert_eq!(bench.take(1_010), [1]);
    bench.tried(1, (1_010, 1_020), 500);
    assert_eq!(bench.wakes_in(1_020), Some(3_020), "waits double");
}

#[test]
fn a_target_that_takes_one_at_a_time_gets_them_strictly_in_order() {
    let mut bench = bench(TargetConfig { in_flight_max: 1, ..slow() });
    bench.put([1, 2, 3]);
    assert_eq!(bench.take(0), [1]);
    bench.tried(1, (0, 10), 500);
    assert_eq!((bench.take(10), bench.wakes_in(10)), (vec![], Some(1_010)), "those behind it wait");
    assert_eq!(bench.take(1_010), [1]);
    bench.tried(1, (1_010, 1_020), 500);
    assert_eq!((bench.take(1_021), bench.wakes_in(1_021)), (vec![], Some(3_020)));
    assert_eq!(bench.take(3_020), [1]);
    bench.tried(1, (3_020, 3_030), 404);
    assert_eq!(bench.take(3_030), [2], "what was given up holds nobody up");
    bench.tried(2, (3_030, 3_040), 200);
    assert_eq!(bench.take(3_040), [3]);
}

#[test]
fn while_the_target_is_away_nothing_overtakes() {
    let mut bench = bench(slow());
    bench.put(1..=5);
    assert_eq!(bench.take(0), [1, 2]);
    bench.tried(1, (0, 10), 0);
    assert_eq!(bench.take(10), [0_u64; 0], "there is a place, but the target is away");
    bench.tried(2, (0, 11), 0);
    // Both were under way together, so the target failed once.
    assert_eq!(bench.wakes_in(11), Some(1_011));
    assert_eq!(bench.lane.state("alarms", bench.at(11)).held_ms, Some(1_000));
    assert_eq!(bench.take(1_011), [1, 2]);
    bench.tried(1, (1_011, 1_020), 503);
    bench.tried(2, (1_011, 1_020), 0);
    assert_eq!(bench.wakes_in(1_020), Some(3_020));
    assert_eq!(bench.take(3_020), [1, 2]);
    bench.tried(1, (3_020, 3_030), 200);
    bench.tried(2, (3_020, 3_030), 200);
    assert_eq!(bench.take(3_030), [3, 4]);
    // Its failures in a row are over.
    bench.tried(3, (3_030, 3_040), 0);
    assert_eq!(bench.wakes_in(3_040), Some(4_040));
}

#[test]
fn what_is_written_says_what_becomes_of_it() {
    let mut bench = bench(TargetConfig { tries_max: 2, given_up_max: 1, ..slow() });
    bench.put([1, 2, 3]);
    bench.take(0);
    let again = RequestRow { tries: 1, next_ms: 1_005, last_answer: Some("500".to_owned()), ..row(1) };
    assert_eq!(bench.tried(1, (0, 5), 500), [Write::RequestPut(again)]);
    assert_eq!(bench.tried(2, (0, 5), 204), [Write::RequestRemove(2)]);
    assert_eq!(bench.take(5), [3]);
    let final_answer = RequestRow { tries: 1, last_answer: Some("404".to_owned()), given_up_ms: Some(6), ..row(3) };
    assert_eq!(bench.tried(3, (5, 6), 404), [Write::RequestPut(final_answer)]);
    assert_eq!(bench.take(1_005), [1]);
    let used_up = RequestRow {
        tries: 2,
        next_ms: 1_005,
        last_answer: Some("500".to_owned()),
        given_up_ms: Some(1_006),
        ..row(1)
    };
    // One that was given up before gives way.
    assert_eq!(bench.tried(1, (1_005, 1_006), 500), [Write::RequestPut(used_up), Write::RequestRemove(3)]);
    assert_eq!(bench.lane.droppable(false), [1]);
}

#[test]
fn a_place_is_taken_from_the_reservation_to_the_end() {
    let mut bench = bench(TargetConfig { waiting_max: 2, ..slow() });
    bench.put([1]);
    bench.lane.reserve(&Arc::new(row(2))).unwrap();
    assert_eq!(bench.lane.reserve(&Arc::new(row(3))), Err(Full::Rows(2)));
    assert_eq!(bench.take(0), [1], "what is not committed is not taken");
    assert_eq!(bench.lane.reserve(&Arc::new(row(3))), Err(Full::Rows(2)));
    assert!(bench.lane.forget(2) && !bench.lane.forget(2) && !bench.lane.release(2));
    bench.put([3]);
    bench.tried(1, (0, 1), 500);
    assert_eq!(bench.lane.reserve(&Arc::new(row(4))), Err(Full::Rows(2)), "one that is tried again keeps its place");
    assert!(bench.lane.newly_full() && !bench.lane.newly_full(), "told once");
}

#[test]
fn only_as_many_are_revived_as_may_wait() {
    let mut bench = bench(TargetConfig { waiting_max: 3, ..slow() });
    bench.put([1, 2]);
    bench.take(0);
    bench.tried(1, (0, 1), 404);
    bench.tried(2, (0, 1), 404);
    bench.put([3, 4]);
    let revived = bench.lane.revived();
    assert_eq!(revived.iter().map(|row| (row.seq, row.tries, row.given_up_ms)).collect::<Vec<_>>(), [(1, 0, None)]);
    bench.lane.revive(revived);
    let state = bench.lane.state("alarms", bench.at(1));
    assert_eq!((state.waiting, state.given_up), (3, 1));
    assert_eq!(bench.take(1), [1, 3]);
    bench.lane.drop_all(&[2, 4]);
    assert_eq!(bench.lane.state("alarms", bench.at(1)).waiting, 0);
}

#[test]
fn an_operator_ends_all_waits() {
    let mut bench = bench(slow());
    bench.put([1, 2]);
    assert_eq!(bench.take(0), [1, 2]);
    bench.tried(1, (0, 10), 500);
    bench.tried(2, (0, 10), 0);
    assert_eq!(bench.take(10), [0_u64; 0]);
    bench.lane.revive(Vec::new());
    assert_eq!(bench.take(10), [1, 2]);
}

#[test]
fn a_try_of_nothing_has_no_fate() {
    let bench = bench(slow());
    let now = bench.start;
    let outcome = Outcome::Failed(String::new());
    let tried = Tried { seq: 1, outcome, began: now, ended: now, ended_ms: 0, chance: 0 };
    assert!(!matches!(bench.lane.fate(&tried), Some(Fate::Done | Fate::Again { .. } | Fate::GivenUp { .. })));
}
