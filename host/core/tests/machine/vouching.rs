//! Reports that the device's dialect vouches for, without a key.

use crate::common::*;
use dragoman_core::{Answer, Effect, Event, HandOver, Input, Phase, Reply, Report, Stage, State};

/// Brings `x` to each phase in turn; the last is for a handler's second step.
fn stand(phase: &str, handled: bool) -> Bench {
    let mut bench = Bench::new(roomy());
    let mut command = submission("x", "lamp");
    command.handler = handled.then(|| "steps".into());
    if phase != "away" {
        bench.online("lamp");
    }
    bench.submit(command);
    if matches!(phase, "handing over" | "awaiting" | "resuming" | "lost") {
        bench.planned("x", 1, send("lamp", "k1"));
    }
    if matches!(phase, "awaiting" | "resuming" | "lost") {
        bench.handed_over("x", 1, HandOver::Accepted { receipts: 0 });
    }
    if phase == "resuming" {
        bench.report("lamp", "k1", Report::Ended(succeeded()));
    }
    if phase == "lost" {
        bench.offline("lamp");
        bench.lost("x", 1);
    }
    bench
}

#[test]
fn it_ends_in_every_open_state() {
    for phase in ["away", "planning", "handing over", "awaiting", "lost"] {
        let mut bench = stand(phase, false);
        let (answer, _) = bench.report_for("x", Report::Ended(rejected()));
        let record = bench.record("x");
        assert_eq!(
            (answer, record.state, &record.outcome),
            (Answer::Taken, State::Rejected, &Some(rejected())),
            "{phase}"
        );
        assert_eq!((record.phase.clone(), bench.machine.open()), (Phase::Ended, 0), "{phase}");
    }
}

#[test]
fn a_plan_that_was_overtaken_is_not_taken() {
    let mut bench = stand("planning", false);
    bench.report_for("x", Report::Ended(succeeded()));
    let plan = Input::Planned { id: id("x"), attempt: 1, plan: send("lamp", "k1") };
    assert_eq!(bench.apply(plan).0, Answer::Stale);
}

#[test]
fn progress_and_acked_are_taken_before_anything_is_sent_and_shut_no_window() {
    let mut bench = stand("away", false);
    bench.report_for("x", Report::Progress(Some("\"read\"".to_owned())));
    assert_eq!(bench.record("x").last_note.as_deref(), Some("\"read\""));
    assert_eq!(bench.report_for("x", Report::Acked(None)).0, Answer::Taken);
    assert_eq!(bench.report_for("x", Report::Acked(None)).0, Answer::Stale, "each fact once");
    assert_eq!((bench.record("x").state, bench.record("x").phase.clone()), (State::Acked, Phase::Waiting));
    assert_eq!(bench.online("lamp"), [plan_of("x", 1)], "it waits for its turn all the same");
    assert_eq!(bench.events("x"), [Event::Queued, Event::Progress, Event::Acked]);
}

#[test]
fn an_ack_of_what_is_being_planned_opens_no_window() {
    let mut bench = Bench::new(roomy());
    bench.online("lamp");
    for name in ["x", "y"] {
        bench.submit(with(name, |o| (o.window, o.device_window) = (Stage::Acked, Stage::Acked)));
    }
    assert_eq!(bench.report_for("x", Report::Acked(None)), (Answer::Taken, Vec::new()));
    bench.planned("x", 1, send("lamp", "k1"));
    assert_eq!(bench.report_for("x", Report::Acked(None)), (Answer::Taken, vec![plan_of("y", 1)]));
}

#[test]
fn a_vouched_ack_is_enough_where_acked_is_all_that_was_wished() {
    for phase in ["away", "planning", "handing over", "awaiting"] {
        let mut bench = stand("away", false);
        bench.take(Input::Cancel { id: id("x") });
        bench.machine.drain_changes();
        bench.submit(with("x", |o| o.succeeds_at = Stage::Acked));
        if phase != "away" {
            bench.online("lamp");
        }
        if matches!(phase, "handing over" | "awaiting") {
            bench.planned("x", 1, send("lamp", "k1"));
        }
        if phase == "awaiting" {
            bench.handed_over("x", 1, HandOver::Accepted { receipts: 0 });
        }
        bench.report_for("x", Report::Acked(None));
        assert_eq!(bench.record("x").state, State::Succeeded, "{phase}");
    }
}

#[test]
fn under_a_handler_it_answers_the_step_that_is_out() {
    for phase in ["handing over", "awaiting", "lost"] {
        let mut bench = stand(phase, true);
        let (answer, effects) = bench.report_for("x", Report::Ended(succeeded()));
        let resume = Effect::Resume { id: id("x"), attempt: 2, reply: Reply::Outcome(succeeded()) };
        assert_eq!((answer, effects.last()), (Answer::Taken, Some(&resume)), "{phase}");
    }
}

#[test]
fn under_a_handler_that_has_not_begun_it_is_the_end() {
    for phase in ["away", "planning"] {
        let mut bench = stand(phase, true);
        bench.report_for("x", Report::Ended(succeeded()));
        assert_eq!(bench.record("x").outcome, Some(succeeded()), "{phase}");
    }
    // Nor does one that was set back behind the others have a step that could be answered.
    let mut bench = stand("awaiting", true);
    bench.submit(with("y", |_| ()));
    bench.attempt_failed("lamp", "k1");
    bench.report_for("x", Report::Ended(succeeded()));
    assert_eq!((bench.record("x").state, bench.record("y").phase.clone()), (State::Succeeded, Phase::Planning));
}

#[test]
fn a_step_that_is_answered_is_not_answered_again() {
    let mut bench = stand("resuming", true);
    assert_eq!(bench.report_for("x", Report::Ended(failed())), (Answer::Late, Vec::new()));
    assert_eq!(bench.events("x").last(), Some(&Event::Late));
    bench.planned("x", 2, done(succeeded()));
    assert_eq!(bench.record("x").state, State::Succeeded);
}

#[test]
fn after_the_end_it_is_a_line_and_then_the_shell_s() {
    let mut bench = stand("awaiting", false);
    bench.take(Input::Cancel { id: id("x") });
    assert_eq!(bench.report_for("x", Report::Ended(succeeded())), (Answer::Late, Vec::new()));
    assert_eq!(bench.events("x").last(), Some(&Event::Late));
    assert_eq!(bench.report_for("x", Report::Ended(succeeded())), (Answer::Stale, Vec::new()), "it is forgotten");
}

#[test]
fn the_cause_of_an_ack_is_the_device_or_the_network() {
    let network = vec![("radio.f-cnt".to_owned(), "7".to_owned()), ("acked.cause".to_owned(), "network".to_owned())];
    let rows = [
        (network, None, r#"{"cause":"network"}"#),
        (vec![("acked.cause".to_owned(), "gossip".to_owned())], None, r#"{"cause":"device"}"#),
        (Vec::new(), Some("7".to_owned()), r#"{"cause":"device","detail":7}"#),
    ];
    for (attributes, detail, expected) in rows {
        for vouched in [true, false] {
            let mut bench = stand("awaiting", false);
            bench.machine.drain_changes();
            let (report, attributes) = (Report::Acked(detail.clone()), attributes.clone());
            bench.take(if vouched {
                Input::ReportFor { id: id("x"), report, attributes: attributes.clone() }
            } else {
                Input::Report { by: device("lamp"), key: "k1".to_owned(), report, attributes: attributes.clone() }
            });
            let change = bench.machine.drain_changes().remove(0);
            let line = &change.transitions[0];
            assert_eq!(
                (line.event, line.detail.as_deref(), &line.attributes),
                (Event::Acked, Some(expected), &attributes)
            );
        }
    }
}
