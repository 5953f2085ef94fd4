//! A device that is heard of before its broker, and a process that stops in between.

use crate::common::*;
use dragoman_core::{Answer, Effect, Event, HandOver, Input, Phase, Reply, Report, Stage, State, Submission};

/// Plans the first attempt of `x`, lets the device be heard of, and starts again with what was committed. Tells the
/// effects of going on.
fn restarted(bench: &mut Bench, command: Submission, heard: &[Input]) -> Vec<Effect> {
    bench.online("lamp");
    bench.submit(command);
    bench.planned("x", 1, send("lamp", "k1"));
    for input in heard {
        bench.take(input.clone());
    }
    bench.restart()
}

fn puback() -> Input {
    Input::Puback { id: id("x"), attempt: 1 }
}

fn told(report: Report) -> Input {
    Input::Report { by: device("lamp"), key: "k1".to_owned(), report, attributes: Vec::new() }
}

fn lost() -> Input {
    Input::Lost { id: id("x"), attempt: 1, why: "the process stopped".to_owned() }
}

#[test]
fn what_the_device_was_heard_of_counts_as_sent() {
    let rows = [
        (puback(), State::Sent),
        (told(Report::Progress(None)), State::Sent),
        (told(Report::Acked(None)), State::Acked),
    ];
    for (heard, state) in rows {
        let mut bench = Bench::new(roomy());
        let effects = restarted(&mut bench, submission("x", "lamp"), std::slice::from_ref(&heard));
        assert_eq!(effects, [], "{heard:?}");
        let record = bench.record("x").clone();
        assert_eq!((record.phase, record.state), (Phase::AwaitingReply, state), "{heard:?}");
        assert!(record.told.sent && record.sent_ms == Some(1_000), "{heard:?}");
        assert_eq!(record.told.acked, state == State::Acked, "{heard:?}");
        // It is neither repeated nor sent again, and what the shell may still say of it changes nothing.
        assert!(!bench.machine.may_hand_over(&id("x"), 1, bench.now_ms));
        let accepted = HandOver::Accepted { receipts: 1 };
        for stale in [lost(), Input::HandedOver { id: id("x"), attempt: 1, result: accepted }, puback()] {
            assert_eq!(bench.apply(stale).0, Answer::Stale, "{heard:?}");
        }
        assert_eq!(bench.events("x"), [Event::Sent], "once: {heard:?}");
        assert_eq!(bench.apply(told(Report::Ended(succeeded()))).0, Answer::Taken);
        assert_eq!(bench.record("x").state, State::Succeeded);
    }
}

#[test]
fn what_the_device_was_heard_of_stays_counted_over_the_next_restart() {
    let mut bench = Bench::new(roomy());
    restarted(&mut bench, submission("x", "lamp"), &[puback()]);
    assert_eq!(bench.restart(), []);
    assert_eq!((bench.record("x").phase.clone(), bench.events("x")), (Phase::AwaitingReply, Vec::new()));
}

#[test]
fn what_nothing_was_heard_of_waits_for_the_broker_or_is_lost() {
    let mut bench = Bench::new(roomy());
    restarted(&mut bench, submission("x", "lamp"), &[]);
    assert_eq!(bench.record("x").phase, Phase::HandingOver);
    assert_eq!(bench.apply(lost()).0, Answer::Taken);
    assert_eq!(bench.record("x").phase, Phase::Waiting);
}

#[test]
fn where_sent_is_enough_it_has_succeeded() {
    let mut bench = Bench::new(roomy());
    let command = with("x", |o| o.succeeds_at = Stage::Sent);
    assert_eq!(restarted(&mut bench, command, &[puback()]), []);
    assert_eq!(bench.record("x").state, State::Succeeded);
    assert_eq!(bench.events("x"), [Event::Sent, Event::Ended]);
}

#[test]
fn where_sent_is_enough_for_a_step_its_handler_goes_on() {
    let mut bench = Bench::new(roomy());
    let mut command = with("x", |o| (o.succeeds_at, o.lowered) = (Stage::Sent, true));
    command.handler = Some("steps".into());
    let reply = Reply::Outcome(dragoman_core::Outcome::Succeeded(None));
    assert_eq!(restarted(&mut bench, command, &[puback()]), [Effect::Resume { id: id("x"), attempt: 2, reply }]);
    assert_eq!(bench.events("x"), [Event::Sent, Event::Replied]);
}

#[test]
fn a_window_that_waits_for_sent_is_open_again() {
    for (window, goes) in [(Stage::Sent, true), (Stage::Acked, false)] {
        let mut bench = Bench::new(roomy());
        restarted(&mut bench, with("x", |o| o.window = window), &[puback()]);
        bench.submit(with("y", |o| o.window = window));
        let expected = if goes { vec![plan_of("y", 1)] } else { Vec::new() };
        assert_eq!(bench.online("lamp"), expected, "{window:?}");
    }
}
