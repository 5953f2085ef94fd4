//! Attempts for which no report can come, and attempts with nothing to hand over.

use crate::common::*;
use dragoman_core::machine::reasons;
use dragoman_core::{Effect, Event, HandOver, Input, Outcome, Phase, Planned, Reply, Report, Stage, State, Submission};

/// A plan with these answers to come.
fn plan(answerable: bool) -> Planned {
    let Planned::Send { frames, handler_state, reply_within_ms, digests, .. } = send("lamp", "k") else { panic!() };
    Planned::Send { frames, correlations: Vec::new(), answerable, handler_state, reply_within_ms, digests }
}

fn sent_out(bench: &mut Bench, command: Submission, receipts: u32) -> Vec<Effect> {
    bench.online("lamp");
    bench.submit(command);
    bench.planned("x", 1, plan(false));
    bench.handed_over("x", 1, HandOver::Accepted { receipts })
}

fn end(bench: &Bench) -> (State, Option<&str>) {
    let record = bench.record("x");
    (record.state, record.reason.as_ref().map(|reason| reason.code.as_str()))
}

#[test]
fn where_no_report_can_come_it_counts_when_it_is_delivered() {
    let delivered_only = Some(reasons::DELIVERED_ONLY);
    // The wish, the receipts promised, and where it stands once it is sent, and once its receipts are there.
    let rows = [
        (Stage::Sent, 0, (State::Succeeded, None), None),
        (Stage::Acked, 0, (State::Succeeded, delivered_only), None),
        (Stage::Ended, 0, (State::Succeeded, delivered_only), None),
        (Stage::Sent, 1, (State::Succeeded, None), None),
        (Stage::Acked, 1, (State::Sent, None), Some((State::Succeeded, None))),
        (Stage::Ended, 1, (State::Sent, None), Some((State::Succeeded, delivered_only))),
        (Stage::Ended, 2, (State::Sent, None), Some((State::Succeeded, delivered_only))),
    ];
    for (wish, receipts, sent, acked) in rows {
        let mut bench = Bench::new(roomy());
        sent_out(&mut bench, with("x", |o| o.succeeds_at = wish), receipts);
        assert_eq!(end(&bench), sent, "{wish:?} with {receipts} receipts, sent");
        let Some(acked) = acked else { continue };
        for left in (0..receipts).rev() {
            assert_eq!(bench.record("x").state, State::Sent, "{left} are missing");
            bench.take(Input::Puback { id: id("x"), attempt: 1 });
        }
        assert_eq!(end(&bench), acked, "{wish:?} with {receipts} receipts, acked");
        assert_eq!(bench.record("x").outcome, None, "nobody told an outcome");
    }
}

#[test]
fn a_receipt_that_outran_the_broker_is_enough() {
    let mut bench = Bench::new(roomy());
    bench.online("lamp");
    bench.submit(submission("x", "lamp"));
    bench.planned("x", 1, plan(false));
    bench.take(Input::Puback { id: id("x"), attempt: 1 });
    assert_eq!(bench.record("x").state, State::Queued);
    bench.handed_over("x", 1, HandOver::Accepted { receipts: 1 });
    assert_eq!(end(&bench), (State::Succeeded, Some(reasons::DELIVERED_ONLY)));
    assert_eq!(bench.events("x"), [Event::Queued, Event::Planned, Event::Sent, Event::Acked, Event::Ended]);
}

#[test]
fn a_promised_receipt_that_is_lost_repeats_it() {
    let mut bench = Bench::new(roomy());
    sent_out(&mut bench, submission("x", "lamp"), 1);
    assert_eq!(bench.lost("x", 1), [plan_of("x", 2)]);
    // What can be told is asked for each attempt anew.
    bench.planned("x", 2, send("lamp", "k2"));
    bench.handed_over("x", 2, HandOver::Accepted { receipts: 0 });
    assert_eq!((end(&bench), bench.record("x").phase.clone()), ((State::Sent, None), Phase::AwaitingReply));
    bench.report("lamp", "k2", Report::Ended(succeeded()));
    assert_eq!(end(&bench), (State::Succeeded, None));
}

#[test]
fn a_handler_is_told_of_success_and_its_own_verdict_says_delivered_only() {
    let mut bench = Bench::new(roomy());
    let mut command = submission("x", "lamp");
    command.handler = Some("steps".into());
    let reply = Reply::Outcome(Outcome::Succeeded(None));
    assert_eq!(sent_out(&mut bench, command, 0), [Effect::Resume { id: id("x"), attempt: 2, reply }]);
    bench.planned("x", 2, done(succeeded()));
    assert_eq!(end(&bench), (State::Succeeded, Some(reasons::DELIVERED_ONLY)));
}

#[test]
fn what_was_delivered_to_a_handler_does_not_excuse_its_failure() {
    let mut bench = Bench::new(roomy());
    let mut command = submission("x", "lamp");
    command.handler = Some("steps".into());
    sent_out(&mut bench, command, 0);
    bench.planned("x", 2, done(failed()));
    assert_eq!(end(&bench), (State::Failed, None));
}

#[test]
fn it_stays_so_over_a_restart() {
    let mut bench = Bench::new(roomy());
    sent_out(&mut bench, submission("x", "lamp"), 1);
    assert_eq!(bench.restart(), []);
    bench.take(Input::Puback { id: id("x"), attempt: 1 });
    assert_eq!(end(&bench), (State::Succeeded, Some(reasons::DELIVERED_ONLY)));
}

#[test]
fn nothing_to_hand_over_is_sent_in_the_same_turn() {
    for (answerable, state) in [(true, State::Sent), (false, State::Succeeded)] {
        let mut bench = Bench::new(roomy());
        bench.online("lamp");
        bench.submit(submission("x", "lamp"));
        // The dialect has published what there was: no message, no key.
        bench.planned("x", 1, plan(answerable));
        bench.handed_over("x", 1, HandOver::Accepted { receipts: 0 });
        assert_eq!(bench.record("x").state, state, "answerable: {answerable}");
        assert_eq!(bench.events("x")[..3], [Event::Queued, Event::Planned, Event::Sent]);
        if answerable {
            bench.report_for("x", Report::Ended(succeeded()));
            assert_eq!(end(&bench), (State::Succeeded, None));
        }
    }
}
