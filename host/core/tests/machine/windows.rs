//! The window of a device, over all of its queues and origins.

use crate::common::*;
use dragoman_core::{HandOver, Input, Options, Report, Stage, Submission};

/// For `lamp`, in a queue of its own origin, which would let everything go at once.
fn from(origin: &str, name: &str, change: impl FnOnce(&mut Options)) -> Submission {
    let mut submission = with(name, |o| (o.window, o.device_window) = (Stage::Accepted, Stage::Acked));
    submission.origin = origin.into();
    submission.options.queue = origin.into();
    change(&mut submission.options);
    submission
}

#[test]
fn one_goes_out_when_the_one_before_got_that_far_whatever_their_queues() {
    // Which of the facts about the first lets the second go.
    let rows = [(Stage::Accepted, 0), (Stage::Sent, 1), (Stage::Acked, 2), (Stage::Ended, 3)];
    for (window, expected) in rows {
        let mut bench = Bench::new(roomy());
        bench.online("lamp");
        bench.submit(from("globex", "a", |o| o.device_window = window));
        let mut steps = vec![bench.submit(from("initech", "b", |o| o.device_window = window))];
        bench.planned("a", 1, send("lamp", "k"));
        steps.push(bench.handed_over("a", 1, HandOver::Accepted { receipts: 1 }));
        steps.push(bench.take(Input::Puback { id: id("a"), attempt: 1 }));
        steps.push(bench.report("lamp", "k", Report::Ended(succeeded())).1);
        let went = steps.iter().position(|effects| effects.contains(&plan_of("b", 1)));
        assert_eq!(went, Some(expected), "{window:?}");
    }
}

#[test]
fn a_queue_s_own_window_holds_beside_it() {
    let mut bench = Bench::new(roomy());
    bench.online("lamp");
    bench.submit(from("globex", "a", |o| (o.window, o.device_window) = (Stage::Ended, Stage::Sent)));
    bench.submit(from("globex", "b", |_| ()));
    bench.submit(from("initech", "c", |_| ()));
    bench.planned("a", 1, send("lamp", "k"));
    let sent = bench.handed_over("a", 1, HandOver::Accepted { receipts: 0 });
    assert_eq!(sent, [plan_of("c", 1)], "the device has room, the queue of the first has not");
}

#[test]
fn whatever_ends_or_fails_the_attempt_frees_the_slot() {
    type End = fn(&mut Bench);
    let ends: [(&str, End); 6] = [
        ("canceled", |b| {
            b.take(Input::Cancel { id: id("a") });
        }),
        ("timed out", |b| {
            b.now_ms = 1_100;
            b.take(Input::Tick);
        }),
        ("answered", |b| {
            b.report("lamp", "k", Report::Ended(failed()));
        }),
        ("lost for the last time", |b| {
            b.lost("a", 1);
        }),
        ("failed for the last time", |b| {
            b.attempt_failed("lamp", "k");
        }),
        ("acked by the network", |b| {
            let attributes = vec![("acked.cause".to_owned(), "network".to_owned())];
            let (by, key, report) = (device("lamp"), "k".to_owned(), Report::Acked(None));
            b.take(Input::Report { by, key, report, attributes });
        }),
    ];
    for (name, end) in ends {
        let mut bench = Bench::new(roomy());
        bench.online("lamp");
        bench.submit(from("globex", "a", |o| (o.ttl_ms, o.attempts) = (100, 1)));
        bench.planned("a", 1, send("lamp", "k"));
        bench.submit(from("initech", "b", |_| ()));
        assert_eq!(bench.record("b").attempt, 0);
        end(&mut bench);
        bench.planned("b", 1, send("lamp", "kb"));
        assert_eq!(bench.record("b").attempt, 1, "{name}");
    }
}

#[test]
fn a_failed_attempt_frees_the_slot_for_the_other_queue() {
    let mut bench = Bench::new(roomy());
    bench.online("lamp");
    bench.submit(from("globex", "a", |o| o.backoff_ms = 100));
    bench.planned("a", 1, send("lamp", "a1"));
    bench.submit(from("initech", "b", |_| ()));
    let (_, effects) = bench.attempt_failed("lamp", "a1");
    assert!(effects.contains(&plan_of("b", 1)), "{effects:?}");
    bench.planned("b", 1, send("lamp", "b1"));
    // The first has rested, but now the slot is the other's.
    bench.now_ms = 1_100;
    assert_eq!(bench.take(Input::Tick), []);
    let (_, effects) = bench.report("lamp", "b1", Report::Acked(None));
    assert_eq!(effects, [plan_of("a", 2)]);
    bench.submit(from("initech", "c", |_| ()));
    assert_eq!(bench.record("c").attempt, 0, "and then the first one's again");
}

#[test]
fn it_holds_over_a_restart() {
    for (acked, expected) in [(false, vec![]), (true, vec![plan_of("b", 1)])] {
        let mut bench = Bench::new(roomy());
        bench.online("lamp");
        bench.submit(from("globex", "a", |_| ()));
        bench.planned("a", 1, send("lamp", "k"));
        bench.handed_over("a", 1, HandOver::Accepted { receipts: 0 });
        bench.offline("lamp");
        bench.submit(from("initech", "b", |_| ()));
        if acked {
            bench.report("lamp", "k", Report::Acked(None));
        }
        assert_eq!(bench.restart(), []);
        assert_eq!(bench.online("lamp"), expected, "acked: {acked}");
    }
}

/// What is known is of the attempt before, which the device had.
#[test]
fn after_a_restart_it_is_shut_for_a_repetition_that_is_being_planned() {
    let mut bench = Bench::new(roomy());
    bench.online("lamp");
    bench.submit(from("globex", "a", |_| ()));
    bench.planned("a", 1, send("lamp", "a1"));
    bench.report("lamp", "a1", Report::Acked(None));
    bench.attempt_failed("lamp", "a1");
    assert_eq!(bench.record("a").phase, dragoman_core::Phase::Planning);
    bench.submit(from("initech", "b", |_| ()));
    assert_eq!(bench.restart(), [plan_of("a", 2)]);
    assert_eq!(bench.online("lamp"), []);
    bench.planned("a", 2, send("lamp", "a2"));
    let (_, effects) = bench.report("lamp", "a2", Report::Acked(None));
    assert_eq!(effects, [plan_of("b", 1)]);
}

#[test]
fn it_is_shut_again_for_each_attempt() {
    let mut bench = Bench::new(roomy());
    bench.online("lamp");
    bench.submit(from("globex", "a", |_| ()));
    bench.planned("a", 1, send("lamp", "a1"));
    bench.lost("a", 1);
    bench.submit(from("initech", "b", |_| ()));
    assert_eq!(bench.record("b").phase, dragoman_core::Phase::Waiting, "the repetition is being planned");
    bench.planned("a", 2, send("lamp", "a2"));
    let (_, effects) = bench.report("lamp", "a2", Report::Acked(None));
    assert_eq!(effects, [plan_of("b", 1)]);
}
