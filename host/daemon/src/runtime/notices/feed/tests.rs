//! A feed beside a store that has every line: whatever comes when, each line is told once and in order.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use dragoman_core::{
    DeviceId, Event, ExecutionId, Intent, Options, Overflow, Owner, Phase, Place, Stage, State, Told, Transition,
    WhenAway,
};
use std::sync::Arc;

fn follow(tag: &str) -> Follow {
    Follow {
        session: SessionId::new("s"),
        tag: tag.into(),
        labels: Vec::new(),
        start: dragoman_wasm::Start::Position(0),
        limit: 1,
        live: true,
    }
}

fn execution() -> Arc<Execution> {
    Arc::new(Execution {
        id: ExecutionId::new("e"),
        device: DeviceId::new("d"),
        holder: DeviceId::new("d"),
        intent: Intent::Read(Vec::new()),
        options: Options {
            ttl_ms: 1,
            succeeds_at: Stage::Ended,
            lowered: false,
            when_away: WhenAway::Queue,
            queue: "q".into(),
            window: Stage::Ended,
            device_window: Stage::Accepted,
            queue_limit: 1,
            overflow: Overflow::RefuseNewest,
            attempts: 1,
            backoff_ms: 0,
            failed_to: Place::Tail,
        },
        origin: "acme-things".into(),
        alias: None,
        context: None,
        labels: vec![("kind".into(), "lamp".into())],
        idempotency: None,
        owner: Owner { node: "one".into(), lease_until_ms: u64::MAX },
        handler: None,
        digests: Vec::new(),
        released: Vec::new(),
        state: State::Queued,
        phase: Phase::Waiting,
        version: 1,
        attempt: 0,
        told: Told::default(),
        step_attempt: 0,
        lost: 0,
        failed: 0,
        closed: Vec::new(),
        queue_position: 0,
        not_before_ms: None,
        frames: Vec::new(),
        handler_state: None,
        reply_within_ms: None,
        step_deadline_ms: None,
        correlations: Vec::new(),
        receipts_missing: 0,
        answerable: false,
        delivered_only: false,
        outcome: None,
        reason: None,
        last_note: None,
        report: Vec::new(),
        created_ms: 0,
        updated_ms: 0,
        sent_ms: None,
        ended_ms: None,
        deadline_ms: 0,
    })
}

fn lines(count: u64) -> Vec<Transition> {
    let line = |seq| Transition {
        seq,
        at_ms: 0,
        event: Event::Note,
        state: State::Queued,
        attempt: 0,
        reason: None,
        detail: None,
        attributes: Vec::new(),
    };
    (0..count).map(line).collect()
}

/// A feed, the store behind it, and the dialect that is told.
struct Bench {
    feed: Feed,
    execution: Arc<Execution>,
    /// Of the newest line in the store.
    stored: u64,
    told: Vec<u64>,
    reads: usize,
}

impl Bench {
    fn new() -> Self {
        let mut feed = Feed::default();
        feed.told_up_to(0);
        Self { feed, execution: execution(), stored: 0, told: Vec::new(), reads: 0 }
    }

    /// So many lines happen at once.
    fn happen(&mut self, count: u64) {
        let (execution, position) = (self.execution.clone(), self.stored + 1);
        self.stored += count;
        self.feed.push(Item::Notice(Notice { execution, lines: lines(count), position }));
    }

    /// One step of the feed's task; with `failing` the store fails under it. False: the task ends.
    fn work(&mut self, failing: bool) -> bool {
        match self.feed.next() {
            Next::Idle => return false,
            _ if failing => self.feed.again(None),
            Next::Read => {
                self.reads += 1;
                self.feed.keep_again();
                // What happens now is kept in memory, and the read finds it too.
                self.happen(1);
                self.tell(self.feed.cursor().unwrap() + 1, self.stored);
            }
            Next::Tell(notice) => self.tell(notice.position, notice.end()),
            Next::Follow(follow) => panic!("{follow:?}"),
        }
        true
    }

    fn tell(&mut self, first: u64, last: u64) {
        if last > self.feed.cursor().unwrap() {
            self.told.extend(first..=last);
            self.feed.told_up_to(last);
        }
    }

    fn finish(&mut self) {
        self.feed.push(Item::CatchUp);
        while self.work(false) {}
        assert_eq!(self.told, (1..=self.stored).collect::<Vec<_>>());
    }
}

#[test]
fn a_feed_reads_the_store_before_anything_else_and_ends_idle() {
    let mut feed = Feed::default();
    assert!(feed.push(Item::Follow(follow("a"))), "the first item starts the task");
    assert!(!feed.push(Item::CatchUp));
    assert!(matches!(feed.next(), Next::Read));
    feed.told_up_to(7);
    assert!(matches!(feed.next(), Next::Read), "still behind");
    feed.keep_again();
    assert!(matches!(feed.next(), Next::Follow(_)));
    assert!(matches!(feed.next(), Next::Idle));
    assert!(feed.push(Item::CatchUp), "a task that ended is started again");
}

#[test]
fn what_exceeds_the_bound_is_read_back_from_the_store() {
    let mut bench = Bench::new();
    for _ in 0..WAITING_MAX {
        bench.happen(1);
    }
    assert!(bench.work(false));
    assert_eq!((bench.told.as_slice(), bench.reads), (&[1][..], 0), "as many as are kept are told from memory");
    for _ in 0..WAITING_MAX {
        bench.happen(2);
    }
    assert_eq!((bench.feed.notices, bench.feed.waiting.len()), (0, 0), "past the bound nothing is kept");
    while bench.work(false) {}
    assert_eq!(bench.reads, 1);
    assert_eq!(bench.told, (1..=bench.stored).collect::<Vec<_>>());
    bench.happen(1);
    while bench.work(false) {}
    assert_eq!((bench.told.last(), bench.reads), (Some(&bench.stored), 1), "then it is kept in memory again");
}

#[test]
fn replays_are_kept_where_lines_are_not() {
    let mut bench = Bench::new();
    bench.feed.push(Item::Follow(follow("a")));
    for _ in 0..=WAITING_MAX {
        bench.happen(1);
    }
    assert!(matches!(bench.feed.next(), Next::Read));
    bench.feed.keep_again();
    assert!(matches!(bench.feed.next(), Next::Follow(_)));
    assert!(matches!(bench.feed.next(), Next::Idle));
}

/// Lines, steps of the task, catching up and a store that fails, in an order that numbers decide.
#[test]
fn each_line_is_told_once_and_in_order_whatever_comes_when() {
    for seed in 1..=500_u64 {
        let (mut bench, mut random) = (Bench::new(), seed);
        for _ in 0..200 {
            // Knuth's MMIX generator; its high bits are good enough to shuffle with.
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            match random >> 60 {
                0..=6 => bench.happen(1 + (random >> 50) % 3),
                7..=12 => {
                    bench.work(false);
                }
                13 => {
                    bench.work(true);
                }
                14 => {
                    bench.feed.push(Item::CatchUp);
                }
                _ => while bench.work(false) {},
            }
        }
        bench.finish();
    }
}

#[test]
fn what_is_not_wanted_any_more_is_not_replayed() {
    let mut feed = Feed::default();
    feed.told_up_to(0);
    feed.push(Item::Follow(follow("a")));
    feed.push(Item::Follow(follow("b")));
    feed.unfollow(&SessionId::new("s"), Some("a"));
    assert!(matches!(feed.next(), Next::Follow(follow) if follow.tag == "b"));
    assert!(matches!(feed.next(), Next::Idle));
}

#[test]
fn a_replay_that_came_to_nothing_is_the_next_to_be_served() {
    let mut feed = Feed::default();
    feed.told_up_to(0);
    feed.push(Item::Follow(follow("a")));
    feed.push(Item::Follow(follow("b")));
    let Next::Follow(first) = feed.next() else { panic!("a replay") };
    feed.again(Some(first));
    assert!(matches!(feed.next(), Next::Read));
    feed.keep_again();
    assert!(matches!(feed.next(), Next::Follow(follow) if follow.tag == "a"));
    assert!(matches!(feed.next(), Next::Follow(follow) if follow.tag == "b"));
}

#[test]
fn a_session_follows_once_under_each_of_its_names_and_only_what_carries_the_labels() {
    let mut feed = Feed::default();
    let labelled = |tag: &str, labels: &[(&str, &str)]| {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Following::from(&Follow { labels, ..follow(tag) })
    };
    let tags = |feed: &Feed| -> Vec<String> {
        feed.followers_of(&execution()).into_iter().map(|follower| follower.tag).collect()
    };
    for following in [
        labelled("all", &[]),
        labelled("all", &[]),
        labelled("lamps", &[("kind", "lamp")]),
        labelled("red lamps", &[("kind", "lamp"), ("colour", "red")]),
        labelled("doors", &[("kind", "door")]),
    ] {
        assert!(feed.follow(following));
    }
    assert_eq!(tags(&feed), ["all", "lamps"]);
    feed.unfollow(&SessionId::new("s"), Some("all"));
    assert_eq!(tags(&feed), ["lamps"]);
    feed.unfollow(&SessionId::new("another"), None);
    assert_eq!(tags(&feed), ["lamps"]);
    feed.unfollow(&SessionId::new("s"), None);
    assert_eq!(tags(&feed), [] as [&str; 0]);
}

#[test]
fn so_many_follow_and_no_more() {
    let mut feed = Feed::default();
    for number in 0..FOLLOWERS_MAX {
        assert!(feed.follow(Following::from(&follow(&number.to_string()))));
    }
    assert!(!feed.follow(Following::from(&follow("one too many"))));
    assert!(feed.follow(Following::from(&follow("0"))), "who follows already may begin anew");
}

#[test]
fn what_holds_too_much_memory_is_read_back_from_the_store() {
    let mut bench = Bench::new();
    let large = |line: Transition| Transition { detail: Some("x".repeat(1024 * 1024)), ..line };
    let mut kept = 0;
    while kept < 100 && !bench.feed.behind {
        let (execution, position) = (bench.execution.clone(), kept + 1);
        let lines = lines(1).into_iter().map(large).collect();
        bench.feed.push(Item::Notice(Notice { execution, lines, position }));
        kept += 1;
    }
    assert_eq!(kept, 16, "the last of them is one too many");
    assert_eq!((bench.feed.waiting.len(), bench.feed.bytes), (0, 0));
}

#[test]
fn what_was_told_makes_room_in_memory() {
    let mut bench = Bench::new();
    bench.happen(2);
    bench.happen(3);
    assert!(bench.feed.bytes > 0);
    while bench.work(false) {}
    assert_eq!(bench.feed.bytes, 0);
}

/// What started the feed of a dialect that was never told of anything is the first that it is told of.
#[test]
fn a_new_dialect_begins_with_the_first_line_that_came_in() {
    let notice = |position| Item::Notice(Notice { execution: execution(), lines: lines(2), position });
    let mut feed = Feed::default();
    assert_eq!(feed.beginning(40), 40, "none came in");
    feed.push(notice(38));
    feed.push(notice(41));
    assert_eq!(feed.beginning(42), 37);
    let mut behind = Feed::default();
    behind.push(Item::CatchUp);
    behind.push(notice(38));
    assert_eq!(behind.beginning(42), 37, "though it is not kept in memory");
}

#[test]
fn a_replay_takes_the_place_of_the_one_of_the_same_name() {
    let mut feed = Feed::default();
    feed.told_up_to(0);
    for tag in ["a", "b", "a"] {
        feed.push(Item::Follow(follow(tag)));
    }
    let mut next = || match feed.next() {
        Next::Follow(follow) => Some(follow.tag),
        _ => None,
    };
    assert_eq!([next(), next(), next()], [Some("b".into()), Some("a".into()), None]);
}

#[test]
fn a_session_follows_so_much_and_others_follow_all_the_same() {
    let mut feed = Feed::default();
    feed.told_up_to(0);
    for number in 0..FOLLOWERS_OF_SESSION_MAX {
        let next = follow(&number.to_string());
        assert!(feed.has_room_for(&next));
        match number % 2 {
            0 => {
                feed.push(Item::Follow(next));
            }
            _ => assert!(feed.follow(Following::from(&next))),
        }
    }
    assert!(!feed.has_room_for(&follow("one too many")));
    assert!(feed.has_room_for(&follow("0")), "what waits may begin anew");
    assert!(feed.has_room_for(&follow("1")), "and so may what is followed");
    let other = Follow { session: SessionId::new("other"), ..follow("one too many") };
    assert!(feed.has_room_for(&other));
    feed.unfollow(&SessionId::new("s"), Some("4"));
    assert!(feed.has_room_for(&follow("one too many")));
}
