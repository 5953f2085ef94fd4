//! Thousands of small lives of the machine, each from one seed.
//!
//! First everything goes wrong that can, and what must never be wrong is checked at every step. Then the faults stop,
//! and everything must come to an end; what is submitted then must succeed. `DRAGOMAN_SEED=7` repeats seed 7 alone;
//! `DRAGOMAN_SEEDS=100000` runs that many.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "a failing run must tell its seed and repeat it"
)]

use crate::shell::Shell;
use crate::world::{HOLDERS, Rng, World};
use dragoman_core::machine::reasons;
use dragoman_core::{Answer, Event, ExecutionId, Input, Overflow, State, WhenAway};
use std::collections::BTreeSet;

const SEEDS: u64 = 8_000;

/// What happened in any of the runs.
#[derive(Default)]
struct Coverage {
    events: BTreeSet<Event>,
    ends: BTreeSet<(State, Option<String>)>,
    crashes: u32,
    turned_back: bool,
}

/// Tells the seed when the run below it fails.
struct Telltale(u64);

impl Drop for Telltale {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the run of seed {0} failed; DRAGOMAN_SEED={0} repeats it", self.0);
        }
    }
}

#[test]
fn lives_under_faults_are_safe_and_come_to_an_end() {
    let only = number("DRAGOMAN_SEED");
    let seeds = only.map_or(1..=number("DRAGOMAN_SEEDS").unwrap_or(SEEDS), |seed| seed..=seed);
    let mut coverage = Coverage::default();
    for seed in seeds {
        let _telltale = Telltale(seed);
        live(seed, &mut coverage);
    }
    if only.is_none() {
        check_coverage(&coverage);
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is not a number: {text}")))
}

fn live(seed: u64, coverage: &mut Coverage) {
    let mut shell = Shell::new(Rng(seed).below(u64::MAX));
    for _ in 0..150 {
        disturb(&mut shell);
    }
    shell.calm();
    let afterwards = submit_afterwards(&mut shell);
    shell.run_out();
    assert_eq!(shell.machine.open(), 0, "something is open for ever");
    assert!(shell.disk.outbox.is_empty(), "something never leaves: {:?}", shell.disk.outbox);
    for (id, history) in &shell.disk.histories {
        assert!(history.ended.is_some(), "{id} has no end");
        let succeeded = history.ended == Some(State::Succeeded);
        assert!(succeeded || !afterwards.contains(id), "{id} did not succeed without faults: {:?}", history.lines);
    }
    cover(&shell, coverage);
}

/// One turn in a world of faults.
fn disturb(shell: &mut Shell) {
    let world = &mut shell.world;
    let mut inputs = Vec::new();
    if world.mishap(2) {
        let jump_ms = world.rng.below(3_000);
        world.offset_ms += jump_ms;
        if world.rng.percent(30) {
            world.offset_ms -= 2 * jump_ms;
            shell.turned_back = true;
        }
    }
    let world = &mut shell.world;
    if world.rng.percent(12) {
        let (holder, online) = (world.rng.pick(&HOLDERS), world.rng.percent(70));
        inputs.push(world.connect(holder, online));
    }
    if world.rng.percent(5) {
        let holder = world.rng.pick(&HOLDERS);
        inputs.push(Input::SignOfLife { holder: crate::common::device(holder) });
    }
    if world.rng.percent(2) && !shell.names.is_empty() {
        inputs.push(Input::Cancel { id: world.rng.pick(&shell.names) });
    }
    if world.rng.percent(4) && !shell.names.is_empty() {
        inputs.extend(remark(world, &shell.names));
    }
    if world.rng.percent(1) {
        let gone = world.rng.pick(&["lamp", "pump", "lock"]);
        inputs.push(Input::Remove { device: crate::common::device(gone) });
    }
    if world.rng.percent(25) {
        let submission = world.some_submission(shell.names.len());
        shell.submit(submission);
    }
    let world = &mut shell.world;
    for _ in 0..=world.rng.below(3) {
        inputs.extend(world.take_next());
    }
    if world.rng.percent(60) {
        inputs.push(Input::Tick);
    }
    world.time_ms += world.rng.below(60);
    shell.turn(inputs);
}

/// Somebody with the right to speak says something about one of them, wherever it stands.
fn remark(world: &mut World, names: &[ExecutionId]) -> Option<Input> {
    let id = world.rng.pick(names);
    Some(match world.rng.below(4) {
        0 => Input::Note { id, note: "1".to_owned() },
        1 => {
            let name = format!("label{}", world.rng.below(12));
            Input::Label { id, name, value: "1".to_owned() }
        }
        _ => {
            let report = world.some_vouched_report(&id);
            Input::ReportFor { id, report, attributes: Vec::new() }
        }
    })
}

/// Commands to every lane, with more time than all that are before them.
fn submit_afterwards(shell: &mut Shell) -> BTreeSet<ExecutionId> {
    let mut accepted = BTreeSet::new();
    for _ in 0..12 {
        let mut submission = shell.world.some_submission(shell.names.len());
        submission.options.ttl_ms = 100_000_000;
        submission.options.overflow = Overflow::RefuseNewest;
        submission.options.when_away = WhenAway::Queue;
        let id = submission.id.clone();
        if shell.submit(submission) == Answer::Taken {
            accepted.insert(id);
        }
        shell.turn(Vec::new());
    }
    accepted
}

fn cover(shell: &Shell, coverage: &mut Coverage) {
    coverage.crashes += shell.crashes;
    coverage.turned_back |= shell.turned_back;
    for history in shell.disk.histories.values() {
        for line in &history.lines {
            coverage.events.insert(line.event);
            if line.event == Event::Ended {
                let code = line.reason.as_ref().map(|reason| reason.code.clone());
                coverage.ends.insert((line.state, code));
            }
        }
    }
}

/// A simulation that never meets a case says nothing about it.
fn check_coverage(coverage: &Coverage) {
    use Event::*;
    let all = [Queued, Planned, Sent, Acked, Progress, Replied, Silence, AttemptFailed, Requeued, Ended, Note, Late];
    for event in all {
        assert!(coverage.events.contains(&event), "no run met {event:?}");
    }
    let ends = [
        (State::Succeeded, None),
        (State::Succeeded, Some(reasons::DELIVERED_ONLY)),
        (State::Failed, Some("jammed")),
        (State::Failed, Some("nack")),
        (State::Failed, Some("no-words")),
        (State::Failed, Some("$PLUGIN_TRAP")),
        (State::Failed, Some(reasons::AWAY)),
        (State::Failed, Some(reasons::NO_SUBSCRIBER)),
        (State::Failed, Some(reasons::UNDELIVERED)),
        (State::Rejected, Some("locked")),
        (State::TimedOut, Some(reasons::EXPIRED_IN_QUEUE)),
        (State::TimedOut, Some(reasons::NO_RESPONSE)),
        (State::Canceled, Some(reasons::CANCELED)),
        (State::Canceled, Some(reasons::REMOVED)),
        (State::Canceled, Some(reasons::REPLACED)),
    ];
    for (state, code) in ends {
        assert!(coverage.ends.contains(&(state, code.map(str::to_owned))), "no run ended {state:?} with {code:?}");
    }
    // No life here is long enough for the limit of attempts; the table and a scenario reach it.
    let mut codes = reasons::ALL.iter().filter(|code| **code != reasons::LIMIT);
    assert!(codes.all(|code| ends.iter().any(|(_, met)| *met == Some(*code))), "a code is not covered");
    assert!(coverage.crashes > 0 && coverage.turned_back, "no run crashed, or turned its clock back");
}
