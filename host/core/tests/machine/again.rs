//! Attempts that the device's dialect says came to nothing: when, where and how often they are tried again.

use crate::common::*;
use dragoman_core::machine::reasons;
use dragoman_core::{
    Answer, Correlation, Effect, Event, HandOver, Input, Options, Phase, Place, Planned, Reason, Reply, Report, Stage,
    State, Submission, WhenAway, record_late_failure,
};

/// Submits, plans and hands over the first attempt under the name as key.
fn send_out(bench: &mut Bench, command: Submission) {
    let name = command.id.as_str().to_owned();
    bench.submit(command);
    bench.planned(&name, 1, send("lamp", &format!("{name}1")));
    bench.handed_over(&name, 1, HandOver::Accepted { receipts: 0 });
}

fn fail(bench: &mut Bench, key: &str) -> Vec<Effect> {
    let (answer, effects) = bench.attempt_failed("lamp", key);
    assert_eq!(answer, Answer::Taken);
    effects
}

/// A queue of three of which only the first is out.
fn three(change: impl Fn(&mut Options)) -> Bench {
    let mut bench = Bench::new(roomy());
    bench.online("lamp");
    send_out(&mut bench, with("a", &change));
    bench.submit(with("b", &change));
    bench.submit(with("c", &change));
    bench
}

#[test]
fn it_goes_before_or_behind_what_waits() {
    let mut head = three(|o| o.failed_to = Place::Head);
    assert_eq!(fail(&mut head, "a1"), [plan_of("a", 2)]);

    let mut tail = three(|o| o.failed_to = Place::Tail);
    assert_eq!(fail(&mut tail, "a1"), [plan_of("b", 1)]);
    tail.submit(with("d", |_| ()));
    // What is queued later goes behind it: first attempts are in the order of submission.
    let mut order = Vec::new();
    for (name, attempt) in [("b", 1), ("c", 1), ("a", 2), ("d", 1)] {
        order.push(name);
        let effects = tail.planned(name, attempt, done(succeeded()));
        assert_eq!(tail.record(name).state, State::Succeeded, "{order:?} {effects:?}");
    }
}

#[test]
fn its_lines_say_so_and_it_is_queued_again() {
    let mut bench = three(|_| ());
    bench.report("lamp", "a1", Report::Acked(None));
    let reason = Reason::new("nack", "no ack bit");
    let attributes = vec![("radio.f-cnt".to_owned(), "7".to_owned())];
    let (by, key) = (device("lamp"), "a1".to_owned());
    bench.take(Input::AttemptFailed { by, key, reason: reason.clone(), attributes: attributes.clone() });
    let record = bench.record("a");
    assert_eq!((record.state, record.phase.clone(), record.failed, record.lost), (State::Queued, Phase::Waiting, 1, 0));
    let changes = bench.machine.drain_changes();
    let lines = &changes.iter().find(|change| change.execution.id == id("a")).unwrap().transitions;
    let told: Vec<_> = lines[4..].iter().map(|line| (line.event, line.state, line.reason.as_ref())).collect();
    let expected =
        [(Event::AttemptFailed, State::Acked, Some(&reason)), (Event::Requeued, State::Queued, Some(&reason))];
    assert_eq!((told, &lines[4].attributes), (expected.to_vec(), &attributes));
}

#[test]
fn attempts_that_were_lost_and_that_failed_are_bounded_together() {
    let mut bench = Bench::new(roomy());
    bench.online("lamp");
    send_out(&mut bench, with("a", |o| o.attempts = 3));
    bench.lost("a", 1);
    for attempt in 2..=3 {
        bench.planned("a", attempt, send("lamp", &format!("a{attempt}")));
        let withdrawn = fail(&mut bench, &format!("a{attempt}")).contains(&Effect::Withdraw { id: id("a"), attempt });
        assert!(withdrawn, "what is left of it in the outbox is not wanted");
    }
    let record = bench.record("a");
    let code = record.reason.as_ref().map(|reason| reason.code.as_str());
    assert_eq!((record.state, code, record.outcome.as_ref()), (State::Failed, Some("nack"), None));
    assert_eq!((record.lost, record.failed), (1, 2));
    let events = bench.events("a");
    assert_eq!(events[events.len() - 2..], [Event::AttemptFailed, Event::Ended]);
}

#[test]
fn the_last_failure_withdraws_nothing_that_its_broker_took() {
    let mut bench = Bench::new(roomy());
    bench.online("lamp");
    send_out(&mut bench, with("a", |o| o.attempts = 1));
    assert_eq!(fail(&mut bench, "a1"), []);
}

#[test]
fn what_comes_under_a_closed_key_is_a_line_and_ends_nothing() {
    let mut bench = three(|o| o.failed_to = Place::Head);
    fail(&mut bench, "a1");
    let late = [Report::Ended(succeeded()), Report::Acked(None), Report::Progress(None)];
    for report in late.clone() {
        assert_eq!(bench.report("lamp", "a1", report), (Answer::Late, Vec::new()), "while it is planned again");
    }
    bench.planned("a", 2, send("lamp", "a2"));
    bench.machine.drain_changes();
    for report in late {
        assert_eq!(bench.report("lamp", "a1", report).0, Answer::Late, "while its next attempt is out");
    }
    assert_eq!(bench.attempt_failed("lamp", "a1").0, Answer::Late, "told twice");
    let change = bench.machine.drain_changes().remove(0);
    let lines: Vec<_> =
        change.transitions.iter().map(|line| (line.event, line.attempt, line.detail.as_deref().unwrap())).collect();
    let expected = [
        (Event::Late, 1, r#"{"report":"succeeded","detail":1}"#),
        (Event::Late, 1, r#"{"report":"acked"}"#),
        (Event::Late, 1, r#"{"report":"progress"}"#),
        (Event::Late, 1, r#"{"report":"attempt-failed"}"#),
    ];
    assert_eq!(lines, expected);
    assert_eq!(bench.record("a").failed, 1);
    assert_eq!(bench.report("lamp", "a2", Report::Ended(succeeded())).0, Answer::Taken);
}

#[test]
fn the_answer_to_an_attempt_that_was_lost_still_counts_after_another_failed() {
    let mut bench = Bench::new(roomy());
    bench.online("lamp");
    send_out(&mut bench, with("a", |o| o.backoff_ms = 100));
    bench.lost("a", 1);
    bench.planned("a", 2, send("lamp", "a2"));
    fail(&mut bench, "a2");
    assert_eq!(bench.report("lamp", "a1", Report::Ended(succeeded())).0, Answer::Taken);
    assert_eq!((bench.record("a").state, bench.record("a").not_before_ms), (State::Succeeded, None));
    assert_eq!(bench.machine.next_deadline_ms(), None);
}

#[test]
fn an_attempt_that_was_lost_can_still_be_said_to_have_failed() {
    let mut bench = Bench::new(roomy());
    bench.online("lamp");
    send_out(&mut bench, with("a", |_| ()));
    bench.offline("lamp");
    bench.lost("a", 1);
    assert_eq!(bench.attempt_failed("lamp", "a1"), (Answer::Late, Vec::new()));
    assert_eq!((bench.record("a").lost, bench.record("a").failed), (1, 0), "it counts once");
    assert_eq!(bench.report("lamp", "a1", Report::Ended(succeeded())).0, Answer::Late);
}

#[test]
fn strangers_and_unknown_keys_fail_nothing() {
    let mut bench = three(|_| ());
    let before = bench.record("a").clone();
    assert_eq!(bench.attempt_failed("stranger", "a1"), (Answer::Denied, Vec::new()));
    assert_eq!(bench.attempt_failed("lamp", "a9"), (Answer::Stale, Vec::new()));
    assert_eq!(*bench.record("a"), before);
}

#[test]
fn after_the_end_it_is_a_line() {
    let mut bench = three(|_| ());
    bench.take(Input::Cancel { id: id("a") });
    assert_eq!(bench.attempt_failed("lamp", "a1"), (Answer::Late, Vec::new()));
    let mut record = bench.record("a").clone();
    let line = record_late_failure(&mut record, 5_000, Reason::new("nack", "no ack bit"), Vec::new());
    assert_eq!((line.event, line.seq, line.state), (Event::Late, record.version, State::Canceled));
    assert_eq!(line.reason.map(|reason| reason.code), Some("nack".to_owned()));
}

#[test]
fn it_rests_before_it_goes_out_again_and_is_not_overtaken() {
    for (place, next) in [(Place::Head, "a"), (Place::Tail, "b")] {
        let mut bench = three(|o| (o.backoff_ms, o.failed_to) = (500, place));
        let effects = fail(&mut bench, "a1");
        assert_eq!(bench.record("a").not_before_ms, Some(1_500));
        if place == Place::Tail {
            assert_eq!(effects, [plan_of("b", 1)]);
            bench.planned("b", 1, done(succeeded()));
            bench.planned("c", 1, done(succeeded()));
            bench.submit(with("d", |_| ()));
        } else {
            assert_eq!(effects, [], "nothing of its queue overtakes it");
        }
        assert_eq!(bench.machine.next_deadline_ms(), Some(1_500), "{next}");
        bench.now_ms = 1_499;
        assert_eq!(bench.take(Input::Tick), []);
        assert_eq!(bench.take(Input::SignOfLife { holder: device("lamp") }), [], "nothing but time ends the rest");
        assert_eq!(bench.online("lamp"), []);
        bench.now_ms = 1_500;
        assert_eq!(bench.take(Input::Tick), [plan_of("a", 2)]);
        assert_eq!(bench.record("a").not_before_ms, None);
        assert_eq!(bench.machine.next_deadline_ms(), Some(11_000));
    }
}

#[test]
fn a_rest_ends_while_the_device_is_away_and_with_the_time_to_live() {
    let mut bench = Bench::new(roomy());
    bench.online("lamp");
    send_out(&mut bench, with("a", |o| o.backoff_ms = 500));
    fail(&mut bench, "a1");
    bench.offline("lamp");
    bench.now_ms = 1_500;
    assert_eq!(bench.take(Input::Tick), []);
    assert_eq!(bench.machine.next_deadline_ms(), Some(11_000), "no rest is due twice");
    assert_eq!(bench.online("lamp"), [plan_of("a", 2)]);

    let mut bench = Bench::new(roomy());
    bench.online("lamp");
    send_out(&mut bench, with("a", |o| o.backoff_ms = u32::MAX));
    fail(&mut bench, "a1");
    bench.now_ms = 11_000;
    assert_eq!(bench.take(Input::Tick), []);
    let code = bench.record("a").reason.as_ref().map(|reason| reason.code.as_str());
    assert_eq!((bench.record("a").state, code), (State::TimedOut, Some(reasons::NO_RESPONSE)));
}

#[test]
fn rest_and_place_outlive_a_restart() {
    let mut bench = three(|o| (o.backoff_ms, o.failed_to) = (500, Place::Tail));
    fail(&mut bench, "a1");
    bench.planned("b", 1, done(succeeded()));
    assert_eq!(bench.restart(), [plan_of("c", 1)]);
    bench.online("lamp");
    bench.planned("c", 1, done(succeeded()));
    bench.submit(with("d", |_| ()));
    assert_eq!(bench.machine.next_deadline_ms(), Some(1_500));
    bench.now_ms = 1_500;
    assert_eq!(bench.take(Input::Tick), [plan_of("a", 2)], "before what was queued after it failed");
    bench.planned("a", 2, send("lamp", "a2"));
    assert_eq!(bench.report("lamp", "a1", Report::Ended(succeeded())).0, Answer::Late, "the key stays closed");
}

#[test]
fn a_place_at_the_tail_outlives_a_restart() {
    let mut bench = three(|o| o.failed_to = Place::Tail);
    bench.offline("lamp");
    fail(&mut bench, "a1");
    // Twice, for the second start must know it as well as the first.
    bench.restart();
    bench.restart();
    bench.submit(with("d", |_| ()));
    let mut order = Vec::new();
    let mut effects = bench.online("lamp");
    while let [Effect::Plan { id, attempt }] = &effects[..] {
        let (name, attempt) = (id.as_str().to_owned(), *attempt);
        effects = bench.planned(&name, attempt, done(succeeded()));
        order.push(name);
    }
    assert_eq!(order, ["b", "c", "a", "d"]);
}

#[test]
fn an_impatient_command_fails_with_its_device_away() {
    let mut bench = Bench::new(roomy());
    bench.online("lamp");
    send_out(&mut bench, with("a", |o| o.when_away = WhenAway::Fail));
    bench.offline("lamp");
    fail(&mut bench, "a1");
    let code = bench.record("a").reason.as_ref().map(|reason| reason.code.as_str());
    assert_eq!((bench.record("a").state, code), (State::Failed, Some(reasons::AWAY)));
}

fn handled(name: &str, place: Place) -> Submission {
    let mut command = with(name, |o| o.failed_to = place);
    command.handler = Some("codec".into());
    command
}

#[test]
fn a_handler_s_step_is_repeated_with_its_frames() {
    let mut bench = Bench::new(roomy());
    bench.online("lamp");
    send_out(&mut bench, handled("a", Place::Head));
    bench.report("lamp", "a1", Report::Ended(succeeded()));
    bench.planned("a", 2, send("lamp", "a2"));
    bench.submit(handled("b", Place::Head));
    assert_eq!(fail(&mut bench, "a2").last(), Some(&plan_of("a", 3)), "the second step, not what waits");
    let record = bench.record("a");
    assert_eq!((record.frames.len(), record.step_attempt, record.state), (1, 2, State::Sent));
    bench.planned("a", 3, send("lamp", "a3"));
    assert_eq!(bench.report("lamp", "a2", Report::Ended(succeeded())).0, Answer::Late);
    let (_, effects) = bench.report("lamp", "a3", Report::Ended(succeeded()));
    let reply = Reply::Outcome(succeeded());
    let withdraw = Effect::Withdraw { id: id("a"), attempt: 3 };
    assert_eq!(effects, [withdraw, Effect::Resume { id: id("a"), attempt: 4, reply }]);
}

#[test]
fn a_first_step_that_failed_lets_the_others_of_its_device_go_first() {
    let mut bench = Bench::new(roomy());
    bench.online("lamp");
    send_out(&mut bench, handled("a", Place::Tail));
    bench.submit(handled("b", Place::Tail));
    assert_eq!(fail(&mut bench, "a1"), [plan_of("b", 1)]);
    bench.planned("b", 1, send("lamp", "b1"));
    bench.handed_over("b", 1, HandOver::Accepted { receipts: 0 });
    // Both may fail in turns.
    assert_eq!(fail(&mut bench, "b1"), [plan_of("a", 2)]);
    assert_eq!(bench.planned("a", 2, done(succeeded())), [plan_of("b", 2)]);
    assert_eq!(bench.restart(), [plan_of("b", 2)]);
}

#[test]
fn a_conversation_keeps_its_device_as_long_as_it_may_be_answered() {
    // A later step that failed, and a first one of which an earlier attempt was lost, keep the device.
    for later_step in [true, false] {
        let mut bench = Bench::new(roomy());
        bench.online("lamp");
        send_out(&mut bench, handled("a", Place::Tail));
        if later_step {
            bench.report("lamp", "a1", Report::Ended(succeeded()));
        } else {
            bench.lost("a", 1);
        }
        bench.planned("a", 2, send("lamp", "a2"));
        bench.submit(handled("b", Place::Tail));
        assert_eq!(fail(&mut bench, "a2").last(), Some(&plan_of("a", 3)), "later step: {later_step}");
    }
    // With the last answer that may come, the claim is gone.
    let mut bench = Bench::new(roomy());
    bench.online("lamp");
    send_out(&mut bench, handled("a", Place::Tail));
    bench.lost("a", 1);
    bench.planned("a", 2, send("lamp", "a2"));
    bench.submit(handled("b", Place::Tail));
    bench.offline("lamp");
    fail(&mut bench, "a2");
    assert_eq!(bench.attempt_failed("lamp", "a1").0, Answer::Late);
    assert_eq!(bench.online("lamp"), [plan_of("b", 1)]);
}

#[test]
fn the_key_of_a_failed_attempt_that_is_used_again_is_a_new_one() {
    let mut bench = Bench::new(roomy());
    bench.online("lamp");
    send_out(&mut bench, with("a", |o| o.failed_to = Place::Head));
    fail(&mut bench, "a1");
    bench.planned("a", 2, send("lamp", "a1"));
    assert_eq!(bench.report("lamp", "a1", Report::Ended(succeeded())).0, Answer::Taken);
}

#[test]
fn closed_attempts_are_forgotten_with_their_keys() {
    let mut bench = Bench::new(roomy());
    bench.online("lamp");
    let command = with("a", |o| (o.attempts, o.window) = (100, Stage::Accepted));
    send_out(&mut bench, command);
    for attempt in 1..40 {
        fail(&mut bench, &format!("a{attempt}"));
        let Planned::Send { frames, handler_state, reply_within_ms, digests, .. } = send("lamp", "k") else { panic!() };
        let key = format!("a{}", attempt + 1);
        let correlations = vec![Correlation { reporter: device("lamp"), key }];
        let plan = Planned::Send { frames, correlations, answerable: true, handler_state, reply_within_ms, digests };
        bench.planned("a", attempt + 1, plan);
    }
    assert_eq!(bench.record("a").closed, (25..40).collect::<Vec<_>>());
}
