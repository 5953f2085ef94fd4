//! Which version of its handler an execution keeps to, and how many need which version of a plugin.

use crate::common::*;
use dragoman_core::machine::reasons;
use dragoman_core::{
    Answer, Attributes, Event, Execution, HandOver, Input, Machine, Outcome, Planned, Reason, Report, State,
};

const HANDLER: &str = "three-steps";

fn by(digests: &[(&str, &str)]) -> Attributes {
    digests.iter().map(|(name, digest)| ((*name).to_owned(), (*digest).to_owned())).collect()
}

/// `x` with its first step out, planned by these versions.
fn begun(digests: &[(&str, &str)]) -> Bench {
    let mut bench = Bench::new(roomy());
    bench.online("lamp");
    let mut command = submission("x", "lamp");
    command.handler = Some(HANDLER.into());
    bench.submit(command);
    step(&mut bench, 1, digests);
    bench
}

fn step(bench: &mut Bench, attempt: u32, digests: &[(&str, &str)]) {
    let mut plan = send("lamp", &format!("k{attempt}"));
    if let Planned::Send { handler_state, digests: planned_by, .. } = &mut plan {
        *handler_state = Some("1".to_owned());
        *planned_by = by(digests);
    }
    bench.planned("x", attempt, plan);
    bench.handed_over("x", attempt, HandOver::Accepted { receipts: 0 });
}

fn answer(bench: &mut Bench, attempt: u32) {
    let (answer, _) = bench.report("lamp", &format!("k{attempt}"), Report::Ended(Outcome::Succeeded(None)));
    assert_eq!(answer, Answer::Taken);
}

fn release(bench: &mut Bench, plugin: &str, digest: &str) -> Answer {
    let reason = Reason::new("$PLUGIN_RELEASED", "an operator released it");
    let input = Input::Release { id: id("x"), plugin: plugin.to_owned(), digest: digest.to_owned(), reason };
    bench.apply(input).0
}

fn record(machine: &Machine) -> &Execution {
    machine.get(&id("x")).unwrap()
}

fn needed(machine: &Machine) -> Vec<(String, String, usize)> {
    machine.needed().map(|(name, digest, count)| (name.to_owned(), digest.to_owned(), count)).collect()
}

fn counts(expected: &[(&str, &str, usize)]) -> Vec<(String, String, usize)> {
    expected.iter().map(|(name, digest, count)| ((*name).to_owned(), (*digest).to_owned(), *count)).collect()
}

#[test]
fn a_conversation_keeps_to_the_version_that_began_it() {
    let mut bench = Bench::new(roomy());
    bench.online("lamp");
    let mut command = submission("x", "lamp");
    command.handler = Some(HANDLER.into());
    bench.submit(command);
    assert_eq!(record(&bench.machine).pinned(), None, "nothing has begun");
    step(&mut bench, 1, &[(HANDLER, "h1"), ("acme-things", "d1")]);
    assert_eq!(record(&bench.machine).pinned(), Some("h1"));
    assert_eq!(needed(&bench.machine), counts(&[("acme-things", "d1", 1), (HANDLER, "h1", 1)]));
    answer(&mut bench, 1);
    // The dialect was replaced meanwhile, and both of its versions may still hear an answer.
    step(&mut bench, 2, &[(HANDLER, "h1"), ("acme-things", "d2")]);
    assert_eq!(record(&bench.machine).pinned(), Some("h1"));
    assert_eq!(
        needed(&bench.machine),
        counts(&[("acme-things", "d1", 1), ("acme-things", "d2", 1), (HANDLER, "h1", 1)])
    );
    assert_eq!(bench.machine.needing(HANDLER, "h1"), 1);
    answer(&mut bench, 2);
    let plan = Planned::Done { outcome: succeeded(), digests: by(&[(HANDLER, "h1")]) };
    bench.planned("x", 3, plan);
    assert_eq!(needed(&bench.machine), []);
    let ended = record(&bench.machine);
    assert_eq!((ended.state, ended.digests.len()), (State::Succeeded, 3));
}

#[test]
fn the_version_that_tells_the_end_is_in_the_record() {
    let mut bench = begun(&[(HANDLER, "h1")]);
    answer(&mut bench, 1);
    bench.planned("x", 2, Planned::Done { outcome: succeeded(), digests: by(&[(HANDLER, "h2")]) });
    assert_eq!(record(&bench.machine).digests, by(&[(HANDLER, "h1"), (HANDLER, "h2")]));
}

#[test]
fn a_release_ends_the_need_and_says_so_in_the_history() {
    let mut bench = begun(&[(HANDLER, "h1"), ("acme-things", "d1")]);
    bench.machine.drain_changes();
    assert_eq!(release(&mut bench, HANDLER, "h2"), Answer::Stale, "another version");
    assert_eq!(release(&mut bench, HANDLER, "h1"), Answer::Taken);
    assert_eq!(release(&mut bench, HANDLER, "h1"), Answer::Stale, "it is released already");
    assert_eq!(record(&bench.machine).pinned(), None);
    assert_eq!(needed(&bench.machine), counts(&[("acme-things", "d1", 1)]));
    let [change] = bench.machine.drain_changes().try_into().unwrap();
    let [line] = change.transitions.try_into().unwrap();
    assert_eq!((line.event, line.reason.unwrap().code.as_str()), (Event::Note, "$PLUGIN_RELEASED"));
    assert_eq!(change.execution.last_note, None, "no plugin's note is written over");

    answer(&mut bench, 1);
    step(&mut bench, 2, &[(HANDLER, "h2")]);
    assert_eq!(record(&bench.machine).pinned(), Some("h2"));
    // The file was put back: the first version is the newest again.
    assert_eq!(release(&mut bench, HANDLER, "h2"), Answer::Taken);
    answer(&mut bench, 2);
    step(&mut bench, 3, &[(HANDLER, "h1")]);
    assert_eq!(record(&bench.machine).pinned(), Some("h1"));
    assert_eq!(needed(&bench.machine), counts(&[("acme-things", "d1", 1), (HANDLER, "h1", 1)]));
}

#[test]
fn the_version_it_keeps_to_never_gives_way_to_others() {
    let mut bench = begun(&[(HANDLER, "h1"), ("acme-things", "d1")]);
    for attempt in 2..40 {
        answer(&mut bench, attempt - 1);
        step(&mut bench, attempt, &[(HANDLER, "h1"), ("acme-things", &format!("d{attempt}"))]);
    }
    let record = record(&bench.machine);
    assert_eq!((record.pinned(), record.digests.len()), (Some("h1"), Execution::DIGESTS_MAX));
    assert_eq!(record.digests.last(), by(&[("acme-things", "d39")]).last());
    assert_eq!(needed(&bench.machine).len(), Execution::DIGESTS_MAX);
}

#[test]
fn what_is_needed_is_counted_again_after_a_restart() {
    let bench = begun(&[(HANDLER, "h1")]);
    let mut machine = Machine::new(roomy());
    machine.restore(record(&bench.machine).clone());
    assert_eq!(machine.needing(HANDLER, "h1"), 1, "a version may be asked for before anything goes on");
    machine.recovered(2_000, &mut Vec::new());
    assert_eq!(machine.needing(HANDLER, "h1"), 1);
    assert_eq!(needed(&machine), counts(&[(HANDLER, "h1", 1)]));
    assert_eq!(record(&machine).pinned(), Some("h1"));
    machine.apply(2_000, Input::Cancel { id: id("x") }, &mut Vec::new());
    assert_eq!(needed(&machine), []);
    assert_eq!(record(&machine).reason.as_ref().unwrap().code, reasons::CANCELED);
}
