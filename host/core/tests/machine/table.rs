//! The whole transition table, kept as `transitions.txt` beside this file.
//!
//! Every situation that an execution `x` can be in meets every kind of input. `y` is the next command of the same lane.
//! `UPDATE_EXPECT=1` writes the table anew; what it says is then to be read as part of the change.

use crate::common::*;
use dragoman_core::{
    Answer, HandOver, Input, Machine, Outcome, Phase, Place, Planned, Report, Stage, State, Submission, WhenAway,
};
use expect_test::expect_file;
use std::collections::BTreeSet;
use std::fmt::Write;

type Setup = fn(&mut Bench);

/// The gateway that carries the session of `x`.
const HOLDER: &str = "gateway";

fn command(name: &str) -> Submission {
    let mut submission = submission(name, "lamp");
    submission.holder = device(HOLDER);
    submission.options.window = Stage::Acked;
    submission
}

/// Submits `x`, changed as the situation needs it, and `y` behind it.
fn submit(bench: &mut Bench, change: impl FnOnce(&mut Submission)) {
    let mut x = command("x");
    change(&mut x);
    bench.submit(x);
    bench.submit(command("y"));
}

fn plan(bench: &mut Bench, attempt: u32) {
    bench.planned("x", attempt, send(HOLDER, &format!("k{attempt}")));
}

fn accept(bench: &mut Bench, attempt: u32, receipts: u32) {
    bench.handed_over("x", attempt, HandOver::Accepted { receipts });
}

fn tell(bench: &mut Bench, attempt: u32, report: Report) {
    let (answer, _) = bench.report(HOLDER, &format!("k{attempt}"), report);
    assert_eq!(answer, Answer::Taken);
}

fn fail(bench: &mut Bench, attempt: u32) {
    let (answer, _) = bench.attempt_failed(HOLDER, &format!("k{attempt}"));
    assert_eq!(answer, Answer::Taken);
}

fn unanswerable(bench: &mut Bench, attempt: u32) {
    bench.planned("x", attempt, without_answers());
}

fn planning(bench: &mut Bench, change: impl FnOnce(&mut Submission)) {
    bench.online(HOLDER);
    submit(bench, change);
}

fn handing_over(bench: &mut Bench, change: impl FnOnce(&mut Submission)) {
    planning(bench, change);
    plan(bench, 1);
}

fn awaiting(bench: &mut Bench, receipts: u32, change: impl FnOnce(&mut Submission)) {
    handing_over(bench, change);
    accept(bench, 1, receipts);
}

fn handled(submission: &mut Submission) {
    submission.handler = Some("three-steps".into());
}

fn step(bench: &mut Bench, attempt: u32) {
    let mut plan = send(HOLDER, &format!("k{attempt}"));
    if let Planned::Send { handler_state, reply_within_ms, .. } = &mut plan {
        *handler_state = Some(format!("{attempt}"));
        *reply_within_ms = Some(500);
    }
    bench.planned("x", attempt, plan);
}

fn first_step_out(bench: &mut Bench) {
    planning(bench, handled);
    step(bench, 1);
    accept(bench, 1, 1);
}

fn second_step_planned(bench: &mut Bench) {
    first_step_out(bench);
    tell(bench, 1, Report::Ended(succeeded()));
    step(bench, 2);
}

fn as_it_is(_: &mut Submission) {}

const SITUATIONS: &[(&str, Setup)] = &[
    ("the device is away", |b| submit(b, as_it_is)),
    ("the window is shut", |b| {
        b.online(HOLDER);
        b.submit(command("w"));
        submit(b, as_it_is);
    }),
    ("the window is shut, and it fails when the device is away", |b| {
        b.online(HOLDER);
        b.submit(command("w"));
        submit(b, |x| x.options.when_away = WhenAway::Fail);
    }),
    ("it is being planned", |b| planning(b, as_it_is)),
    ("it is planned", |b| handing_over(b, as_it_is)),
    ("it is planned, and it fails when the device is away", |b| {
        handing_over(b, |x| x.options.when_away = WhenAway::Fail);
    }),
    ("it is planned, with one attempt", |b| handing_over(b, |x| x.options.attempts = 1)),
    ("it is planned, and sent is enough", |b| handing_over(b, |x| x.options.succeeds_at = Stage::Sent)),
    ("it is planned, and sent must be enough", |b| {
        handing_over(b, |x| {
            x.options.succeeds_at = Stage::Sent;
            x.options.lowered = true;
        });
    }),
    ("it is planned, and acked is enough", |b| handing_over(b, |x| x.options.succeeds_at = Stage::Acked)),
    ("it is planned, and a receipt came early", |b| {
        handing_over(b, as_it_is);
        b.take(Input::Puback { id: id("x"), attempt: 1 });
    }),
    ("it is planned, and the device has it already", |b| {
        handing_over(b, as_it_is);
        tell(b, 1, Report::Acked(None));
    }),
    ("it is sent, a receipt is missing", |b| awaiting(b, 1, as_it_is)),
    ("it is sent with one attempt, a receipt is missing", |b| awaiting(b, 1, |x| x.options.attempts = 1)),
    ("it is sent, the device has gone, and it fails when the device is away", |b| {
        awaiting(b, 1, |x| x.options.when_away = WhenAway::Fail);
        b.offline(HOLDER);
    }),
    ("it is sent, one of two receipts came", |b| {
        awaiting(b, 2, as_it_is);
        b.take(Input::Puback { id: id("x"), attempt: 1 });
    }),
    ("it is sent without receipts", |b| awaiting(b, 0, as_it_is)),
    ("it is sent, and the device works on it", |b| {
        awaiting(b, 1, as_it_is);
        tell(b, 1, Report::Progress(None));
    }),
    ("it is sent, and acked must be enough", |b| {
        awaiting(b, 1, |x| {
            x.options.succeeds_at = Stage::Acked;
            x.options.lowered = true;
        });
    }),
    ("it is acked", |b| {
        awaiting(b, 1, as_it_is);
        b.take(Input::Puback { id: id("x"), attempt: 1 });
    }),
    ("it went to a device that has gone", |b| {
        handing_over(b, as_it_is);
        b.handed_over("x", 1, HandOver::Away);
    }),
    ("nobody subscribes", |b| {
        handing_over(b, as_it_is);
        b.handed_over("x", 1, HandOver::NoSubscriber);
    }),
    ("it was lost, and the device is away", |b| {
        awaiting(b, 1, as_it_is);
        b.offline(HOLDER);
        b.lost("x", 1);
    }),
    ("it was lost, and is being planned again", |b| {
        awaiting(b, 1, as_it_is);
        b.lost("x", 1);
    }),
    ("it was lost, and is planned again", |b| {
        awaiting(b, 1, as_it_is);
        b.lost("x", 1);
        plan(b, 2);
    }),
    ("it was lost, and is sent again", |b| {
        awaiting(b, 1, as_it_is);
        b.lost("x", 1);
        plan(b, 2);
        accept(b, 2, 1);
    }),
    ("the window of the device is shut by another origin", |b| {
        b.online(HOLDER);
        let mut w = command("w");
        w.origin = "initech".into();
        w.options.device_window = Stage::Acked;
        b.submit(w);
        submit(b, as_it_is);
    }),
    ("it is sent, and keeps the window of its device shut", |b| {
        awaiting(b, 0, |x| (x.options.window, x.options.device_window) = (Stage::Accepted, Stage::Acked));
    }),
    ("it is planned, and no report can come", |b| {
        planning(b, as_it_is);
        unanswerable(b, 1);
    }),
    ("it is sent, a receipt is missing, and no report can come", |b| {
        planning(b, as_it_is);
        unanswerable(b, 1);
        accept(b, 1, 1);
    }),
    ("its attempt failed, it waits behind the next", |b| {
        awaiting(b, 0, as_it_is);
        fail(b, 1);
    }),
    ("its attempt failed, and it rests before the next", |b| {
        awaiting(b, 0, |x| (x.options.backoff_ms, x.options.failed_to) = (400, Place::Head));
        fail(b, 1);
    }),
    ("its attempt failed, and is being planned again", |b| {
        awaiting(b, 0, |x| x.options.failed_to = Place::Head);
        fail(b, 1);
    }),
    ("its attempt failed, and is sent again for the last time", |b| {
        awaiting(b, 0, |x| (x.options.failed_to, x.options.attempts) = (Place::Head, 2));
        fail(b, 1);
        plan(b, 2);
        accept(b, 2, 0);
    }),
    ("its dialect vouched for it while the device is away: acked", |b| {
        submit(b, as_it_is);
        b.report_for("x", Report::Acked(None));
    }),
    ("handler: the first step is being planned", |b| planning(b, handled)),
    ("handler: the first step is planned", |b| {
        planning(b, handled);
        step(b, 1);
    }),
    ("handler: the first step is sent", first_step_out),
    ("handler: the first step is sent, and acked must be enough", |b| {
        planning(b, |x| {
            handled(x);
            x.options.succeeds_at = Stage::Acked;
            x.options.lowered = true;
        });
        step(b, 1);
        accept(b, 1, 1);
    }),
    ("handler: the first step was lost, and the device is away", |b| {
        first_step_out(b);
        b.offline(HOLDER);
        b.lost("x", 1);
    }),
    ("handler: the first step was lost, and is being planned again", |b| {
        first_step_out(b);
        b.lost("x", 1);
    }),
    ("handler: the first step is answered", |b| {
        first_step_out(b);
        tell(b, 1, Report::Ended(succeeded()));
    }),
    ("handler: the first step is answered before the broker had it", |b| {
        planning(b, handled);
        step(b, 1);
        tell(b, 1, Report::Ended(succeeded()));
    }),
    ("handler: the device was silent", |b| {
        first_step_out(b);
        b.now_ms += 500;
        b.take(Input::Tick);
    }),
    ("handler: the second step is planned", second_step_planned),
    ("handler: the second step is sent", |b| {
        second_step_planned(b);
        accept(b, 2, 1);
    }),
    ("handler: the second step is acked", |b| {
        second_step_planned(b);
        accept(b, 2, 1);
        b.take(Input::Puback { id: id("x"), attempt: 2 });
    }),
    ("handler: the second step met no subscriber", |b| {
        second_step_planned(b);
        b.handed_over("x", 2, HandOver::NoSubscriber);
    }),
    ("handler: the second step was lost, and is being planned again", |b| {
        second_step_planned(b);
        b.lost("x", 2);
    }),
    ("handler: the first step failed, and the next command goes first", |b| {
        first_step_out(b);
        fail(b, 1);
    }),
    ("handler: the second step failed, and is being planned again", |b| {
        second_step_planned(b);
        fail(b, 2);
    }),
    ("handler: the second step was lost and then failed, and rests", |b| {
        planning(b, |x| {
            handled(x);
            x.options.backoff_ms = 400;
        });
        step(b, 1);
        tell(b, 1, Report::Ended(succeeded()));
        step(b, 2);
        b.lost("x", 2);
        plan(b, 3);
        fail(b, 3);
    }),
    ("handler: the first step is sent, and no report can come", |b| {
        planning(b, handled);
        unanswerable(b, 1);
        accept(b, 1, 1);
    }),
    ("handler: the last step that it may plan is answered", |b| {
        planning(b, handled);
        for attempt in 1..=Machine::ATTEMPTS_MAX {
            let frames = vec![intent("asked")];
            let plan = Planned::Answered { outcome: succeeded(), frames, handler_state: None, digests: Vec::new() };
            b.planned("x", attempt, plan);
        }
    }),
    ("it has just succeeded", |b| {
        awaiting(b, 1, as_it_is);
        tell(b, 1, Report::Ended(succeeded()));
    }),
    ("it has just failed", |b| {
        awaiting(b, 1, as_it_is);
        tell(b, 1, Report::Ended(failed()));
    }),
    ("it was just rejected", |b| {
        awaiting(b, 1, as_it_is);
        tell(b, 1, Report::Ended(rejected()));
    }),
    ("it has just timed out", |b| {
        awaiting(b, 1, as_it_is);
        b.now_ms += 10_000;
        b.take(Input::Tick);
    }),
    ("it was just canceled", |b| {
        awaiting(b, 1, as_it_is);
        b.take(Input::Cancel { id: id("x") });
    }),
    ("it has ended and is forgotten", |b| {
        awaiting(b, 1, as_it_is);
        b.take(Input::Cancel { id: id("x") });
        b.machine.drain_changes();
    }),
];

/// Every kind of input, for an execution whose newest attempt has this number. The second is what time passes before.
fn inputs(attempt: u32) -> Vec<(String, u64, Input)> {
    let next = attempt + 1;
    let mut rows = Vec::new();
    let mut row = |name: &str, wait_ms: u64, input: Input| rows.push((name.to_owned(), wait_ms, input));
    let planned = |attempt: u32, plan: Planned| Input::Planned { id: id("x"), attempt, plan };
    let answered = Planned::Answered { outcome: succeeded(), frames: Vec::new(), handler_state: None, digests: vec![] };
    let reason = |code: &str| dragoman_core::Reason::new(code, "a sentence");
    row("planned: send", 0, planned(next, send(HOLDER, &format!("k{next}"))));
    row("planned: send, after the deadline", 10_000, planned(next, send(HOLDER, &format!("k{next}"))));
    row("planned: send, no report can come", 0, planned(next, without_answers()));
    row("planned: done, succeeded", 0, planned(next, done(succeeded())));
    row("planned: done, rejected", 0, planned(next, done(rejected())));
    row("planned: answered", 0, planned(next, answered));
    row("planned: unsupported", 0, planned(next, Planned::Unsupported(reason("no-words"))));
    row("planned: fault", 0, planned(next, Planned::Fault(reason("$PLUGIN_TRAP"))));
    row("planned: send, for the attempt before", 0, planned(attempt, send(HOLDER, "k")));
    row("planned: send, for an attempt to come", 0, planned(next + 1, send(HOLDER, "k")));
    let handed_over = |attempt: u32, result: HandOver| Input::HandedOver { id: id("x"), attempt, result };
    row("handed over: accepted, no receipts", 0, handed_over(attempt, HandOver::Accepted { receipts: 0 }));
    row("handed over: accepted, 1 receipt", 0, handed_over(attempt, HandOver::Accepted { receipts: 1 }));
    row("handed over: accepted, 2 receipts", 0, handed_over(attempt, HandOver::Accepted { receipts: 2 }));
    row("handed over: away", 0, handed_over(attempt, HandOver::Away));
    row("handed over: no subscriber", 0, handed_over(attempt, HandOver::NoSubscriber));
    row("handed over: another attempt", 0, handed_over(next, HandOver::Accepted { receipts: 0 }));
    row("puback", 0, Input::Puback { id: id("x"), attempt });
    row("puback: another attempt", 0, Input::Puback { id: id("x"), attempt: next });
    row("lost", 0, Input::Lost { id: id("x"), attempt, why: "the session closed".to_owned() });
    row("lost: another attempt", 0, Input::Lost { id: id("x"), attempt: next, why: String::new() });
    let report = |by: &str, key: u32, report: Report| Input::Report {
        by: device(by),
        key: format!("k{key}"),
        report,
        attributes: Vec::new(),
    };
    row("report: progress", 0, report(HOLDER, attempt, Report::Progress(Some("50".to_owned()))));
    row("report: acked", 0, report(HOLDER, attempt, Report::Acked(None)));
    row("report: succeeded", 0, report(HOLDER, attempt, Report::Ended(succeeded())));
    row("report: failed", 0, report(HOLDER, attempt, Report::Ended(failed())));
    row("report: rejected", 0, report(HOLDER, attempt, Report::Ended(rejected())));
    row("report: succeeded, after the deadline", 10_000, report(HOLDER, attempt, Report::Ended(succeeded())));
    if attempt > 1 {
        row("report on the attempt before: acked", 0, report(HOLDER, attempt - 1, Report::Acked(None)));
        row("report on the attempt before: succeeded", 0, report(HOLDER, attempt - 1, Report::Ended(succeeded())));
    }
    row("report of a stranger: succeeded", 0, report("stranger", attempt, Report::Ended(succeeded())));
    row("report on an unknown key: succeeded", 0, report(HOLDER, 99, Report::Ended(Outcome::Succeeded(None))));
    let attempt_failed = |by: &str, key: u32| Input::AttemptFailed {
        by: device(by),
        key: format!("k{key}"),
        reason: reason("nack"),
        attributes: Vec::new(),
    };
    row("attempt failed", 0, attempt_failed(HOLDER, attempt));
    if attempt > 1 {
        row("attempt failed: the attempt before", 0, attempt_failed(HOLDER, attempt - 1));
    }
    row("attempt failed, says a stranger", 0, attempt_failed("stranger", attempt));
    row("attempt failed: an unknown key", 0, attempt_failed(HOLDER, 99));
    let vouched = |report: Report| Input::ReportFor { id: id("x"), report, attributes: Vec::new() };
    row("vouched: progress", 0, vouched(Report::Progress(None)));
    row("vouched: acked", 0, vouched(Report::Acked(None)));
    row("vouched: succeeded", 0, vouched(Report::Ended(succeeded())));
    row("vouched: rejected", 0, vouched(Report::Ended(rejected())));
    row("note", 0, Input::Note { id: id("x"), note: "1".to_owned() });
    row("label", 0, Input::Label { id: id("x"), name: "status".to_owned(), value: "new".to_owned() });
    let release = |digest: &str| Input::Release {
        id: id("x"),
        plugin: "acme-things".to_owned(),
        digest: digest.to_owned(),
        reason: reason("$PLUGIN_RELEASED"),
    };
    row("release of a version", 0, release("d1"));
    row("release of a version that it does not need", 0, release("d2"));
    row("presence: online", 0, Input::Presence { holder: device(HOLDER), online: true });
    row("presence: offline", 0, Input::Presence { holder: device(HOLDER), online: false });
    row("sign of life", 0, Input::SignOfLife { holder: device(HOLDER) });
    row("cancel", 0, Input::Cancel { id: id("x") });
    row("remove the device", 0, Input::Remove { device: device("lamp") });
    row("tick: nothing is due", 1, Input::Tick);
    row("tick: the time of a step or rest is over", 500, Input::Tick);
    row("tick: the time to live is over", 10_000, Input::Tick);
    row("submit: the same id", 0, Input::Submit(Box::new(command("x"))));
    rows
}

#[test]
fn every_situation_meets_every_input() {
    let mut table = String::new();
    let mut met = BTreeSet::new();
    for (name, setup) in SITUATIONS {
        write_situation(&mut table, &mut met, name, *setup);
    }
    let pairs = met.iter().map(|(state, phase)| format!("{}, {phase}\n", state_word(*state))).collect::<String>();
    writeln!(table, "States and phases that were met\n\n{pairs}").unwrap();
    expect_file!["transitions.txt"].assert_eq(&table);
}

fn write_situation(table: &mut String, met: &mut BTreeSet<(State, &'static str)>, name: &str, setup: Setup) {
    let mut bench = Bench::new(roomy());
    setup(&mut bench);
    let before = bench.machine.get(&id("x")).cloned();
    let attempt = before.as_ref().map_or(1, |record| record.attempt);
    let standing = before.as_ref().map_or("forgotten".to_owned(), |record| {
        met.insert((record.state, phase_word(&record.phase)));
        format!("{}, {}, attempt {attempt}", state_word(record.state), phase_word(&record.phase))
    });
    writeln!(table, "{name} [{standing}]\n").unwrap();
    let version = before.as_ref().map_or(0, |record| record.version);
    let mut unchanged = Vec::new();
    for (input_name, wait_ms, input) in inputs(attempt) {
        let mut bench = Bench::new(roomy());
        setup(&mut bench);
        bench.now_ms += wait_ms;
        let (answer, effects) = bench.apply(input);
        let after = bench.machine.get(&id("x")).cloned();
        if after == before && effects.is_empty() {
            unchanged.push(format!("{input_name} ({})", answer_word(&answer)));
            continue;
        }
        assert_ne!(answer, Answer::Denied, "a denied report changed something: {input_name}");
        let after = after.map_or("-".to_owned(), |record| {
            met.insert((record.state, phase_word(&record.phase)));
            let kept = if record.phase == Phase::Ended { String::new() } else { format!(" {}", record.attempt) };
            format!("{} {}{kept}", state_word(record.state), phase_word(&record.phase))
        });
        let changes = bench.machine.drain_changes();
        let lines = line_words(&changes, &id("x"), version);
        let effects = effects.iter().map(effect_words).collect::<Vec<_>>().join(", ");
        let row = format!("  {input_name:<42} {:<22} {after:<28} {lines:<44} {effects}", answer_word(&answer));
        writeln!(table, "{}", row.trim_end()).unwrap();
    }
    for chunk in unchanged.chunks(3) {
        writeln!(table, "  unchanged: {}", chunk.join(", ")).unwrap();
    }
    writeln!(table).unwrap();
}
