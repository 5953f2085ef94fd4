//! What one input may do at most, and how often one command may be tried.

use crate::common::*;
use dragoman_core::machine::reasons;
use dragoman_core::{Answer, Effect, ExecutionId, HandOver, Input, Limits, Machine, Planned, Report, Stage, State};

const TICK_MAX: usize = Machine::TICK_MAX;

fn spacious() -> Bench {
    Bench::new(Limits { open_max: 10_000, open_per_device_max: 10_000 })
}

/// Names of what ended since the last call, in the order in which it did.
fn ended(bench: &mut Bench) -> Vec<ExecutionId> {
    let changes = bench.machine.drain_changes();
    changes
        .iter()
        .filter(|change| change.execution.state.is_final())
        .map(|change| change.execution.id.clone())
        .collect()
}

#[test]
fn a_tick_ends_so_many_and_leaves_the_rest_due() {
    let mut bench = spacious();
    let count = 2 * TICK_MAX + 1;
    // The later it was submitted, the earlier it is due: neither names nor submissions give the order.
    for n in 0..count {
        let mut command = submission(&format!("x{n:04}"), &format!("lamp{n:04}"));
        command.options.ttl_ms = 5_000 - n as u32;
        bench.submit(command);
    }
    bench.machine.drain_changes();
    bench.now_ms += 6_000;
    let by_deadline: Vec<ExecutionId> = (0..count).rev().map(|n| id(&format!("x{n:04}"))).collect();
    for due in by_deadline.chunks(TICK_MAX) {
        let first_ms = bench.record(due[0].as_str()).deadline_ms;
        assert_eq!(bench.machine.next_deadline_ms(), Some(first_ms), "what is due stays due");
        bench.take(Input::Tick);
        assert_eq!(ended(&mut bench), due, "in the order of their deadlines");
    }
    assert_eq!((bench.machine.next_deadline_ms(), bench.machine.open()), (None, 0));
}

#[test]
fn a_tick_counts_what_expires_in_the_queue_of_a_device_that_is_there() {
    let mut bench = spacious();
    bench.online("lamp");
    let queued = |name: &str| with(name, |o| o.queue_limit = 10_000);
    for n in 0..TICK_MAX + 5 {
        bench.submit(queued(&format!("x{n:04}")));
    }
    bench.now_ms += 10_000;
    bench.submit(queued("y"));
    bench.machine.drain_changes();
    // Each that ends opens the window of its lane: what comes next is past its time, too, and may not go out.
    assert!(bench.take(Input::Tick).is_empty());
    assert_eq!(ended(&mut bench).len(), TICK_MAX);
    assert_eq!(bench.machine.next_deadline_ms(), Some(bench.now_ms));
    assert_eq!(bench.take(Input::Tick), [plan_of("y", 1)]);
    assert_eq!(ended(&mut bench).len(), 5);
    assert_eq!(bench.machine.next_deadline_ms(), Some(bench.now_ms + 10_000));
}

#[test]
fn whatever_gives_a_device_its_turn_ends_no_more_than_a_tick() {
    let fill = |bench: &mut Bench| {
        for n in 0..2 * TICK_MAX {
            // Two devices behind one holder, half each.
            let mut command = submission(&format!("x{n:04}"), ["pump", "lock"][n % 2]);
            command.holder = device("gateway");
            command.options.queue_limit = 10_000;
            bench.submit(command);
        }
    };
    let turns = [
        Input::Presence { holder: device("gateway"), online: true },
        Input::SignOfLife { holder: device("gateway") },
        Input::Cancel { id: id("x0000") },
        Input::Submit(Box::new({
            let mut command = with("y", |o| (o.queue_limit, o.ttl_ms) = (10_000, 1_000_000));
            (command.device, command.holder) = (device("pump"), device("gateway"));
            command
        })),
    ];
    for (which, input) in turns.into_iter().enumerate() {
        let mut bench = spacious();
        if which > 0 {
            bench.online("gateway");
        }
        fill(&mut bench);
        bench.now_ms += 10_000;
        bench.machine.drain_changes();
        assert!(bench.take(input.clone()).is_empty(), "nothing that is past its time goes out");
        let ended_at_once = ended(&mut bench).len();
        assert!(ended_at_once <= TICK_MAX + 1, "{ended_at_once} ended with {input:?}");
        assert!(which > 0 || ended_at_once == TICK_MAX, "a presence ended {ended_at_once}");
        // The rest is due, and comes to its end with the ticks that follow.
        while bench.machine.next_deadline_ms().is_some_and(|due_ms| due_ms <= bench.now_ms) {
            bench.take(Input::Tick);
            assert!(ended(&mut bench).len() <= TICK_MAX);
        }
        assert_eq!(bench.machine.open(), usize::from(which == 3));
    }
}

#[test]
fn steps_that_are_silent_get_their_turn_among_what_expires() {
    let mut bench = spacious();
    bench.online("lock");
    let mut talking = submission("talking", "lock");
    talking.handler = Some("steps".into());
    talking.options.ttl_ms = 1_000_000;
    bench.submit(talking);
    let Planned::Send { frames, correlations, handler_state, digests, .. } = send("lock", "k") else { panic!() };
    let plan =
        Planned::Send { frames, correlations, answerable: true, handler_state, reply_within_ms: Some(2_000), digests };
    bench.planned("talking", 1, plan);
    for n in 0..2 * TICK_MAX {
        let mut command = submission(&format!("x{n:04}"), &format!("lamp{n:04}"));
        command.options.ttl_ms = if n < TICK_MAX { 1_000 } else { 3_000 };
        bench.submit(command);
    }
    bench.now_ms += 5_000;
    let resumes = |effects: &[Effect]| effects.iter().filter(|effect| matches!(effect, Effect::Resume { .. })).count();
    let ticks: Vec<usize> = (0..3).map(|_| resumes(&bench.take(Input::Tick))).collect();
    assert_eq!(ticks, [0, 1, 0]);
    assert_eq!(bench.machine.open(), 1);
}

/// A handler's step that its dialect has nothing to send for.
fn answered() -> Planned {
    Planned::Answered { outcome: succeeded(), frames: vec![intent("asked")], handler_state: None, digests: Vec::new() }
}

fn conversation(bench: &mut Bench) {
    bench.online("lamp");
    let mut command = submission("x", "lamp");
    command.handler = Some("endless".into());
    bench.submit(command);
    bench.submit(submission("y", "lamp"));
}

#[test]
fn a_handler_that_always_plans_one_more_step_fails_at_the_limit() {
    let plans = [answered as fn() -> Planned, || send("lamp", "one-more")];
    for one_more in plans {
        let mut bench = Bench::new(roomy());
        conversation(&mut bench);
        let mut attempt = 1;
        // The shell answers every plan that is asked for at once, until no more is asked for.
        let effects = loop {
            let (answer, effects) = bench.apply(Input::Planned { id: id("x"), attempt, plan: answered() });
            assert_eq!(answer, Answer::Taken);
            assert!(matches!(effects[..], [Effect::Resume { .. }]), "attempt {attempt}: {effects:?}");
            attempt += 1;
            if attempt > Machine::ATTEMPTS_MAX {
                let (answer, effects) = bench.apply(Input::Planned { id: id("x"), attempt, plan: one_more() });
                assert_eq!(answer, Answer::Stale, "its messages are not taken");
                break effects;
            }
        };
        let record = bench.record("x");
        assert_eq!((record.state, record.attempt), (State::Failed, 1_000));
        let reason = record.reason.as_ref().map(|reason| (reason.code.as_str(), reason.text.as_str()));
        let text = "the command took 1000 attempts, the limit for one command, and has not come to its end";
        assert_eq!(reason, Some((reasons::LIMIT, text)));
        assert_eq!(effects, [plan_of("y", 1)], "the device is free for the next");
    }
}

#[test]
fn a_handler_may_finish_after_its_last_step() {
    let mut bench = Bench::new(roomy());
    conversation(&mut bench);
    for attempt in 1..=Machine::ATTEMPTS_MAX {
        bench.planned("x", attempt, answered());
    }
    bench.planned("x", Machine::ATTEMPTS_MAX + 1, done(succeeded()));
    assert_eq!((bench.record("x").state, bench.record("x").outcome.clone()), (State::Succeeded, Some(succeeded())));
}

#[test]
fn what_no_broker_took_has_a_limit_of_its_own() {
    let mut bench = Bench::new(roomy());
    bench.online("lamp");
    bench.submit(with("x", |o| (o.succeeds_at, o.lowered) = (Stage::Acked, true)));
    let last = Machine::UNTAKEN_MAX + 1;
    for attempt in 1..=last {
        bench.planned("x", attempt, send("lamp", &format!("k{attempt}")));
        bench.handed_over("x", attempt, HandOver::NoSubscriber);
        let next = bench.take(Input::SignOfLife { holder: device("lamp") });
        assert_eq!(next, [plan_of("x", attempt + 1)]);
    }
    let attempt = last + 1;
    assert_eq!(bench.apply(Input::Planned { id: id("x"), attempt, plan: send("lamp", "k") }).0, Answer::Stale);
    let code = bench.record("x").reason.as_ref().map(|reason| reason.code.clone());
    assert_eq!((bench.record("x").state, code.as_deref()), (State::Failed, Some(reasons::LIMIT)));
    let late = bench.report("lamp", &format!("k{last}"), Report::Acked(None)).0;
    assert_eq!(late, Answer::Late, "its last attempt may still be told of");
}
