//! Notes, labels, and the removal of a device.

use crate::common::*;
use dragoman_core::machine::reasons;
use dragoman_core::{Answer, Effect, Event, Execution, HandOver, Input, Refusal, State, record_note, set_label};

fn note(bench: &mut Bench, text: &str) -> Answer {
    let (answer, effects) = bench.apply(Input::Note { id: id("x"), note: text.to_owned() });
    assert_eq!(effects, []);
    answer
}

fn label(bench: &mut Bench, name: &str, value: &str) -> Answer {
    let (name, value) = (name.to_owned(), value.to_owned());
    let (answer, effects) = bench.apply(Input::Label { id: id("x"), name, value });
    assert_eq!(effects, []);
    answer
}

#[test]
fn a_note_is_a_line_in_any_state_and_the_newest_is_kept() {
    let mut bench = Bench::new(roomy());
    assert_eq!(note(&mut bench, "0"), Answer::Stale, "of nothing");
    bench.submit(submission("x", "lamp"));
    assert_eq!(note(&mut bench, "1"), Answer::Taken);
    bench.take(Input::Cancel { id: id("x") });
    assert_eq!(note(&mut bench, "2"), Answer::Taken, "it has ended within this turn");
    let mut record = Execution::clone(bench.record("x"));
    assert_eq!((record.state, record.last_note.as_deref()), (State::Canceled, Some("2")));
    let change = bench.machine.drain_changes().remove(0);
    let lines: Vec<_> = change.transitions.iter().map(|line| (line.seq, line.event, line.detail.as_deref())).collect();
    let expected =
        [(1, Event::Queued, None), (2, Event::Note, Some("1")), (3, Event::Ended, None), (4, Event::Note, Some("2"))];
    assert_eq!(lines, expected);
    assert_eq!(note(&mut bench, "3"), Answer::Stale, "the shell records it");
    let line = record_note(&mut record, 7_000, "3".to_owned());
    assert_eq!((line.seq, line.at_ms, line.event, line.state), (5, 7_000, Event::Note, State::Canceled));
    assert_eq!((record.version, record.updated_ms, record.last_note.as_deref()), (5, 7_000, Some("3")));
}

#[test]
fn a_label_is_set_without_a_line() {
    let mut bench = Bench::new(roomy());
    assert_eq!(label(&mut bench, "status", "new"), Answer::Stale);
    bench.submit(submission("x", "lamp"));
    bench.machine.drain_changes();
    assert_eq!(label(&mut bench, "status", "new"), Answer::Taken);
    assert_eq!(label(&mut bench, "status", "done"), Answer::Taken);
    let change = bench.machine.drain_changes().remove(0);
    assert_eq!(change.transitions, []);
    assert_eq!(change.execution.labels, [("status".to_owned(), "done".to_owned())]);
}

#[test]
fn a_ninth_label_is_refused_and_one_of_the_eight_can_still_be_set() {
    let mut bench = Bench::new(roomy());
    bench.submit(submission("x", "lamp"));
    for n in 0..Execution::LABELS_MAX {
        assert_eq!(label(&mut bench, &format!("l{n}"), "1"), Answer::Taken);
    }
    bench.machine.drain_changes();
    let Answer::Refused(refusal) = label(&mut bench, "l8", "1") else { panic!("it was not refused") };
    let text = "the execution has 8 labels, the limit; set one of them to another value";
    assert_eq!((refusal.code(), refusal.to_string().as_str()), ("$LIMIT", text));
    assert!(bench.machine.drain_changes().is_empty());
    assert_eq!(label(&mut bench, "l7", "2"), Answer::Taken);

    let mut ended = Execution::clone(bench.record("x"));
    assert_eq!(set_label(&mut ended, "l8".to_owned(), "1".to_owned()), Err(Refusal::Labels { limit: 8 }));
    assert_eq!(set_label(&mut ended, "l0".to_owned(), "3".to_owned()), Ok(()));
    assert_eq!((ended.labels.len(), ended.labels[0].1.as_str(), ended.version), (8, "3", 1));
}

#[test]
fn with_a_device_all_that_is_open_for_it_ends() {
    let mut bench = Bench::new(roomy());
    bench.online("lamp");
    for name in ["out", "behind"] {
        bench.submit(submission(name, "lamp"));
    }
    bench.planned("out", 1, send("lamp", "k"));
    bench.handed_over("out", 1, HandOver::Accepted { receipts: 0 });
    // What goes through its session to another device stays.
    let mut below = submission("below", "pump");
    below.holder = device("lamp");
    bench.submit(below);
    let effects = bench.take(Input::Remove { device: device("lamp") });
    assert_eq!(effects, [Effect::Withdraw { id: id("out"), attempt: 1 }], "nothing new goes out");
    for name in ["out", "behind"] {
        let code = bench.record(name).reason.as_ref().map(|reason| reason.code.as_str());
        assert_eq!((bench.record(name).state, code), (State::Canceled, Some(reasons::REMOVED)), "{name}");
    }
    assert_eq!((bench.record("below").state, bench.machine.open()), (State::Queued, 1));
    assert_eq!(bench.take(Input::Remove { device: device("lamp") }), []);
}
