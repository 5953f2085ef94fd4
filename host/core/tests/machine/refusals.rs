//! What is not accepted, in which words, and what gives way.

use crate::common::*;
use dragoman_core::machine::reasons;
use dragoman_core::{
    Answer, HandOver, Idempotency, Input, Limits, Options, Overflow, Prior, Refusal, Report, Stage, State, Submission,
    WhenAway,
};

fn refusal(bench: &mut Bench, submission: Submission) -> Refusal {
    match bench.apply(Input::Submit(Box::new(submission))) {
        (Answer::Refused(refusal), effects) if effects.is_empty() => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn options_that_mean_nothing_are_refused() {
    type Change = fn(&mut Options);
    let rows: [(&str, Change); 5] = [
        ("the time to live is 0; give the command at least 1 ms", |o| o.ttl_ms = 0),
        ("0 attempts are allowed; allow at least 1", |o| o.attempts = 0),
        ("the queue may hold 0 commands; let it hold at least 1", |o| o.queue_limit = 0),
        ("a command cannot succeed by being accepted; choose sent, acked or ended", |o| {
            o.succeeds_at = Stage::Accepted;
        }),
        ("success at the device's outcome is the highest wish and cannot be a lowered one", |o| o.lowered = true),
    ];
    for (text, change) in rows {
        let refusal = refusal(&mut Bench::new(roomy()), with("x", change));
        assert_eq!((refusal.code(), refusal.to_string().as_str()), ("$INVALID", text));
    }
}

#[test]
fn limits_are_told_with_their_numbers() {
    let mut bench = Bench::new(Limits { open_max: 2, open_per_device_max: 1 });
    bench.submit(submission("a", "lamp"));
    let told = refusal(&mut bench, submission("b", "lamp"));
    assert_eq!(told.to_string(), "1 commands for this device are open, the limit; wait until some are done");
    bench.submit(submission("c", "pump"));
    let told = refusal(&mut bench, submission("d", "door"));
    assert_eq!(
        (told.code(), told.to_string().as_str()),
        ("$LIMIT", "2 commands are open, the limit; wait until some are done")
    );
    // What has ended no longer counts, also before it is drained.
    bench.take(Input::Cancel { id: id("a") });
    bench.submit(submission("d", "door"));
}

#[test]
fn a_full_queue_refuses_the_newest_or_drops_the_oldest_that_waits() {
    let mut bench = Bench::new(roomy());
    for name in ["a", "b"] {
        bench.submit(with(name, |o| o.queue_limit = 2));
    }
    let told = refusal(&mut bench, with("c", |o| o.queue_limit = 2));
    assert_eq!(
        (told.code(), told.to_string().as_str()),
        ("$QUEUE_FULL", "the device's queue q holds 2 commands, its limit; wait until some are done",)
    );
    bench.submit(with("d", |o| (o.queue_limit, o.overflow) = (2, Overflow::DropOldest)));
    let reason = bench.record("a").reason.as_ref().map(|reason| reason.code.as_str());
    assert_eq!((bench.record("a").state, reason), (State::Canceled, Some(reasons::REPLACED)));
    assert_eq!(bench.record("b").state, State::Queued);
    // Another origin has its own lane of the same name.
    let mut other = with("e", |o| o.queue_limit = 1);
    other.origin = "initech".into();
    bench.submit(other);
}

#[test]
fn what_gave_way_has_its_reason_in_its_history_and_what_was_refused_has_none() {
    let mut bench = Bench::new(roomy());
    bench.submit(with("a", |o| o.queue_limit = 1));
    bench.submit(with("b", |o| (o.queue_limit, o.overflow) = (1, Overflow::DropOldest)));
    assert_eq!(refusal(&mut bench, with("c", |o| o.queue_limit = 1)).code(), "$QUEUE_FULL");
    let changes = bench.machine.drain_changes();
    let lines = |name: &str| line_words(&changes, &id(name), 0);
    assert_eq!([lines("a"), lines("b"), lines("c")], ["queued ended($replaced)", "queued", ""]);
    assert!(bench.machine.get(&id("c")).is_none(), "the refusal is the caller's answer");
}

#[test]
fn what_failed_is_queued_again_and_may_give_way() {
    let mut bench = Bench::new(roomy());
    bench.online("lamp");
    bench.submit(submission("a", "lamp"));
    bench.planned("a", 1, send("lamp", "a1"));
    bench.handed_over("a", 1, HandOver::Accepted { receipts: 0 });
    bench.report("lamp", "a1", Report::Acked(None));
    bench.submit(submission("b", "lamp"));
    bench.offline("lamp");
    bench.attempt_failed("lamp", "a1");
    // It went to the tail, so the oldest that waits is the other one.
    let newest = |name: &str| with(name, |o| (o.queue_limit, o.overflow) = (2, Overflow::DropOldest));
    bench.submit(newest("c"));
    assert_eq!(["a", "b"].map(|name| bench.record(name).state), [State::Queued, State::Canceled]);
    bench.submit(newest("d"));
    assert_eq!(bench.record("a").state, State::Canceled);
}

#[test]
fn a_conversation_that_has_begun_does_not_give_way() {
    let mut bench = Bench::new(roomy());
    bench.online("lamp");
    let mut talking = submission("talking", "lamp");
    talking.handler = Some("steps".into());
    bench.submit(talking);
    bench.planned("talking", 1, send("lamp", "k1"));
    bench.handed_over("talking", 1, HandOver::Accepted { receipts: 0 });
    bench.report("lamp", "k1", Report::Ended(succeeded()));
    bench.planned("talking", 2, send("lamp", "k2"));
    bench.handed_over("talking", 2, HandOver::NoSubscriber);
    let newest = |name: &str, limit: u32| {
        with(name, |o| {
            o.queue_limit = limit;
            o.overflow = Overflow::DropOldest;
        })
    };
    assert_eq!(refusal(&mut bench, newest("x", 1)).code(), "$QUEUE_FULL");
    bench.submit(newest("a", 2));
    bench.submit(newest("b", 2));
    let states = ["talking", "a", "b"].map(|name| bench.record(name).state);
    assert_eq!(states, [State::Sent, State::Canceled, State::Queued]);
}

#[test]
fn what_already_stands_is_told_apart() {
    let mut bench = Bench::new(roomy());
    let again = |fingerprint: Option<u64>, now: Option<u64>| {
        let mut submission = submission("x", "lamp");
        submission.prior = Some(Prior { id: id("first"), fingerprint });
        submission.idempotency = now.map(|fingerprint| Idempotency { key: "key".to_owned(), fingerprint });
        Input::Submit(Box::new(submission))
    };
    assert_eq!(bench.apply(again(Some(7), Some(7))).0, Answer::Existing(id("first")));
    let conflict = Answer::Refused(Refusal::IdempotencyConflict(id("first")));
    assert_eq!(bench.apply(again(Some(7), Some(8))).0, conflict);
    let duplicate = Answer::Refused(Refusal::Duplicate(id("first")));
    assert_eq!(bench.apply(again(None, Some(7))).0, duplicate);
    assert_eq!(bench.machine.open(), 0);
    assert!(bench.machine.drain_changes().is_empty());
}

#[test]
fn a_command_that_may_not_wait_is_refused_while_the_device_is_away() {
    let mut bench = Bench::new(roomy());
    let away = |name: &str| with(name, |o| o.when_away = WhenAway::Fail);
    assert_eq!(refusal(&mut bench, away("x")).code(), "$AWAY");
    bench.online("lamp");
    assert_eq!(bench.submit(away("x")), [plan_of("x", 1)]);
}
