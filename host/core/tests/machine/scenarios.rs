//! What the table and the random sequences cannot show: several executions, several devices, and a restart.

use crate::common::*;
use dragoman_core::{
    Answer, Correlation, Effect, Event, Execution, HandOver, Input, Machine, Outcome, Phase, Planned, Reply, Report,
    Stage, State, record_late,
};

#[test]
fn a_window_lets_the_next_go_when_the_one_before_got_that_far() {
    // Which of the facts about the first lets the second go.
    let rows = [(Stage::Accepted, 0), (Stage::Sent, 1), (Stage::Acked, 2), (Stage::Ended, 3)];
    for (window, expected) in rows {
        let mut bench = Bench::new(roomy());
        bench.online("lamp");
        bench.submit(with("a", |o| o.window = window));
        let mut steps = vec![bench.submit(with("b", |o| o.window = window))];
        bench.planned("a", 1, send("lamp", "k"));
        steps.push(bench.handed_over("a", 1, HandOver::Accepted { receipts: 1 }));
        steps.push(bench.take(Input::Puback { id: id("a"), attempt: 1 }));
        steps.push(bench.report("lamp", "k", Report::Ended(succeeded())).1);
        let went = steps.iter().position(|effects| effects.contains(&plan_of("b", 1)));
        assert_eq!(went, Some(expected), "{window:?}");
    }
}

#[test]
fn lanes_of_one_device_take_turns_in_the_order_of_submission() {
    let mut bench = Bench::new(roomy());
    let mut names = Vec::new();
    for (name, queue) in [("a", "one"), ("b", "two"), ("c", "one"), ("d", "two")] {
        let mut submission = with(name, |o| (o.queue, o.window) = (queue.into(), Stage::Ended));
        submission.handler = Some("steps".into());
        bench.submit(submission);
        names.push(name);
    }
    let mut effects = bench.online("lamp");
    for name in names {
        assert_eq!(effects, [plan_of(name, 1)], "one at a time over both lanes");
        effects = bench.planned(name, 1, done(succeeded()));
    }
}

#[test]
fn what_comes_back_stands_where_it_stood() {
    let mut bench = Bench::new(roomy());
    bench.online("lamp");
    for name in ["a", "b", "c"] {
        bench.submit(with(name, |o| o.window = Stage::Accepted));
        bench.planned(name, 1, send("lamp", name));
    }
    bench.submit(with("d", |o| o.window = Stage::Accepted));
    bench.offline("lamp");
    for name in ["c", "a", "b"] {
        bench.handed_over(name, 1, HandOver::Away);
    }
    bench.submit(with("e", |o| o.window = Stage::Accepted));
    let expected = [plan_of("a", 2), plan_of("b", 2), plan_of("c", 2), plan_of("e", 1)];
    assert_eq!(bench.online("lamp"), expected);
    assert_eq!(bench.record("a").lost, 0, "a device that is away costs no attempt");
}

#[test]
fn a_command_without_a_subscriber_waits_and_does_not_spin() {
    let mut bench = Bench::new(roomy());
    bench.online("lamp");
    bench.submit(submission("x", "lamp"));
    bench.planned("x", 1, send("lamp", "k1"));
    assert!(bench.handed_over("x", 1, HandOver::NoSubscriber).is_empty());
    assert!(bench.submit(submission("y", "lamp")).is_empty(), "nor does the next one overtake it");
    assert_eq!(bench.take(Input::SignOfLife { holder: device("lamp") }), [plan_of("x", 2)]);
    bench.planned("x", 2, send("lamp", "k2"));
    // The device subscribes while the broker's refusal is on its way: that sign is not lost.
    bench.take(Input::SignOfLife { holder: device("lamp") });
    assert_eq!(bench.handed_over("x", 2, HandOver::NoSubscriber), [plan_of("x", 3)]);
}

#[test]
fn a_sub_device_is_there_when_its_gateway_is() {
    let mut bench = Bench::new(roomy());
    for (name, to) in [("a", "pump"), ("b", "lock")] {
        let mut submission = submission(name, to);
        submission.holder = device("gateway");
        bench.submit(submission);
    }
    assert!(bench.online("pump").is_empty());
    assert_eq!(bench.online("gateway"), [plan_of("b", 1), plan_of("a", 1)]);
}

#[test]
fn messages_may_leave_for_the_newest_attempt_within_its_time() {
    let mut bench = Bench::new(roomy());
    bench.online("lamp");
    bench.submit(submission("x", "lamp"));
    let may = |bench: &Bench, attempt: u32, now_ms: u64| bench.machine.may_hand_over(&id("x"), attempt, now_ms);
    assert!(!may(&bench, 1, 1_000), "not before it is planned");
    bench.planned("x", 1, send("lamp", "k1"));
    assert!(may(&bench, 1, 10_999));
    assert!(!may(&bench, 1, 11_000), "not when its time is over");
    assert!(!may(&bench, 0, 1_000));
    bench.lost("x", 1);
    assert!(!may(&bench, 1, 1_000), "not when it is to be repeated");
    bench.planned("x", 2, send("lamp", "k2"));
    assert!(may(&bench, 2, 1_000) && !may(&bench, 1, 1_000));
    bench.take(Input::Cancel { id: id("x") });
    assert!(!may(&bench, 2, 1_000), "not when it is taken back");
}

#[test]
fn the_key_of_a_late_attempt_ends_the_repetition_but_not_the_next_step() {
    let mut bench = Bench::new(roomy());
    bench.online("lamp");
    let mut command = submission("x", "lamp");
    command.handler = Some("steps".into());
    bench.submit(command);
    bench.planned("x", 1, send("lamp", "k1"));
    bench.lost("x", 1);
    // The answer to the first attempt comes while its repetition is being planned. What is planned then is not wanted.
    let (_, effects) = bench.report("lamp", "k1", Report::Ended(succeeded()));
    assert_eq!(effects, [Effect::Resume { id: id("x"), attempt: 3, reply: Reply::Outcome(succeeded()) }]);
    let late_plan = Input::Planned { id: id("x"), attempt: 2, plan: send("lamp", "k2") };
    assert_eq!(bench.apply(late_plan).0, Answer::Stale);
    bench.planned("x", 3, send("lamp", "k3"));
    assert_eq!(bench.report("lamp", "k1", Report::Ended(failed())).0, Answer::Late);
    assert_eq!(bench.report("lamp", "k3", Report::Ended(succeeded())).0, Answer::Taken);
}

#[test]
fn a_repetition_keeps_what_the_handler_gave_to_its_step() {
    let mut bench = Bench::new(roomy());
    bench.online("lamp");
    let mut command = submission("x", "lamp");
    command.handler = Some("steps".into());
    bench.submit(command);
    let step = |key: &str, state: Option<&str>, within: Option<u32>| match send("lamp", key) {
        Planned::Send { frames, correlations, digests, .. } => Planned::Send {
            frames,
            correlations,
            answerable: true,
            handler_state: state.map(str::to_owned),
            reply_within_ms: within,
            digests,
        },
        other => other,
    };
    bench.planned("x", 1, step("k1", Some("1"), Some(500)));
    bench.now_ms = 1_400;
    assert_eq!(bench.lost("x", 1).last(), Some(&plan_of("x", 2)));
    assert_eq!(bench.record("x").step_deadline_ms, None, "no step is out");
    bench.planned("x", 2, step("k2", None, None));
    let record = bench.record("x");
    assert_eq!((record.handler_state.as_deref(), record.step_deadline_ms), (Some("1"), Some(1_900)));
    assert_eq!(bench.machine.next_deadline_ms(), Some(1_900));
    // A new step starts with what it brings, and nothing else.
    bench.report("lamp", "k2", Report::Ended(succeeded()));
    bench.planned("x", 3, step("k3", None, None));
    let record = bench.record("x");
    assert_eq!((record.handler_state.as_deref(), record.step_deadline_ms, record.step_attempt), (None, None, 3));
}

#[test]
fn facts_about_one_attempt_are_told_once_and_with_their_cause() {
    let mut bench = Bench::new(roomy());
    bench.online("lamp");
    bench.submit(submission("x", "lamp"));
    bench.planned("x", 1, send("lamp", "k1"));
    bench.take(Input::Puback { id: id("x"), attempt: 1 });
    bench.handed_over("x", 1, HandOver::Accepted { receipts: 1 });
    assert_eq!(bench.report("lamp", "k1", Report::Acked(None)).0, Answer::Stale);
    bench.report("lamp", "k1", Report::Progress(Some("50".to_owned())));
    bench.report("lamp", "k1", Report::Ended(rejected()));
    let change = bench.machine.drain_changes().remove(0);
    let lines: Vec<_> =
        change.transitions.iter().map(|line| (line.event, line.state, line.detail.as_deref())).collect();
    assert_eq!(
        lines,
        [
            (Event::Queued, State::Queued, None),
            (Event::Planned, State::Queued, None),
            (Event::Sent, State::Sent, None),
            (Event::Acked, State::Acked, Some(r#"{"cause":"puback"}"#)),
            (Event::Progress, State::Acked, Some("50")),
            (Event::Ended, State::Rejected, None),
        ]
    );
    assert_eq!(change.execution.outcome, Some(rejected()));
    assert_eq!(change.execution.reason, None, "the reason is the device's, in its outcome");
    assert!(bench.machine.get(&id("x")).is_none(), "forgotten with the drain");
}

#[test]
fn a_late_answer_adds_a_line_and_changes_no_verdict() {
    let mut bench = Bench::new(roomy());
    bench.submit(submission("x", "lamp"));
    bench.take(Input::Cancel { id: id("x") });
    let mut record = Execution::clone(bench.record("x"));
    let before = record.clone();
    let line = record_late(&mut record, 5_000, &Report::Ended(Outcome::Succeeded(Some("1".to_owned()))), Vec::new());
    assert_eq!((line.seq, line.event, line.state), (3, Event::Late, State::Canceled));
    assert_eq!(line.detail.as_deref(), Some(r#"{"report":"succeeded","detail":1}"#));
    assert_eq!(record, Execution { version: 3, updated_ms: 5_000, ..before });
}

#[test]
fn of_many_keys_the_newest_are_kept() {
    let mut bench = Bench::new(roomy());
    bench.online("lamp");
    bench.submit(submission("x", "lamp"));
    let keys = (0..64).map(|n| Correlation { reporter: device("lamp"), key: format!("k{n}") }).collect();
    let Planned::Send { frames, handler_state, reply_within_ms, digests, .. } = send("lamp", "k") else { panic!() };
    let with_keys =
        Planned::Send { frames, correlations: keys, answerable: true, handler_state, reply_within_ms, digests };
    bench.planned("x", 1, with_keys);
    assert_eq!(bench.record("x").correlations.len(), Execution::CORRELATIONS_MAX);
    assert_eq!(bench.report("lamp", "k47", Report::Progress(None)).0, Answer::Stale);
    assert_eq!(bench.report("lamp", "k48", Report::Progress(None)).0, Answer::Taken);
    let found = |reporter: &str| {
        let correlation = Correlation { reporter: device(reporter), key: "k63".to_owned() };
        bench.machine.by_correlation(&correlation).map(|record| record.id.as_str().to_owned())
    };
    assert_eq!((found("lamp"), found("stranger")), (Some("x".to_owned()), Some("x".to_owned())));
}

#[test]
fn devices_may_use_the_same_key() {
    let mut bench = Bench::new(roomy());
    for name in ["lamp", "pump"] {
        bench.online(name);
        bench.submit(submission(name, name));
        bench.planned(name, 1, send(name, "17"));
    }
    assert_eq!(bench.report("lamp", "17", Report::Ended(succeeded())).0, Answer::Taken);
    assert_eq!((bench.record("lamp").state, bench.record("pump").state), (State::Succeeded, State::Queued));
    assert_eq!(bench.report("door", "17", Report::Ended(succeeded())).0, Answer::Denied);
}

#[test]
fn a_restart_goes_on_where_everything_stood() {
    let mut bench = Bench::new(roomy());
    bench.online("lamp");
    let free = |name: &str| with(name, |o| o.window = Stage::Accepted);
    for name in ["planning", "resuming", "handing-over", "awaiting"] {
        bench.submit(free(name));
    }
    bench.planned("handing-over", 1, send("lamp", "h"));
    bench.planned("awaiting", 1, send("lamp", "a"));
    bench.handed_over("awaiting", 1, HandOver::Accepted { receipts: 0 });
    let mut steps = submission("steps", "lock");
    steps.handler = Some("steps".into());
    bench.online("lock");
    bench.submit(steps);
    bench.planned("steps", 1, send("lock", "s"));
    bench.report("lock", "s", Report::Ended(succeeded()));
    bench.offline("lamp");
    bench.submit(free("waiting"));
    let kept = bench.machine.drain_changes();

    let mut effects = Vec::new();
    let mut machine = Machine::new(roomy());
    for change in kept {
        machine.restore(Execution::clone(&change.execution));
    }
    machine.recovered(2_000, &mut effects);
    assert_eq!(machine.open(), 6);
    let resume = Effect::Resume { id: id("steps"), attempt: 2, reply: Reply::Outcome(succeeded()) };
    assert_eq!(effects, [plan_of("planning", 1), plan_of("resuming", 1), resume]);
    assert_eq!(machine.next_deadline_ms(), Some(11_000));
    assert_eq!(machine.get(&id("waiting")).map(|record| record.phase.clone()), Some(Phase::Waiting));

    bench.machine = machine;
    assert_eq!(bench.online("lamp"), [plan_of("waiting", 1)]);
    assert!(bench.machine.may_hand_over(&id("handing-over"), 1, 2_000));
    bench.handed_over("handing-over", 1, HandOver::Accepted { receipts: 0 });
    assert_eq!(bench.events("handing-over"), [Event::Sent]);
    assert_eq!(bench.report("lamp", "a", Report::Ended(succeeded())).0, Answer::Taken);
}

#[test]
fn time_may_jump_and_the_largest_numbers_do_not_overflow() {
    let mut bench = Bench::new(roomy());
    bench.now_ms = u64::MAX - 5;
    bench.online("lamp");
    bench.submit(submission("x", "lamp"));
    assert_eq!(bench.record("x").deadline_ms, u64::MAX);
    bench.planned("x", 1, send("lamp", "k"));
    bench.now_ms = 3;
    bench.handed_over("x", 1, HandOver::Accepted { receipts: 0 });
    bench.submit(submission("y", "lamp"));
    assert!(bench.take(Input::Tick).is_empty());
    assert_eq!(bench.machine.next_deadline_ms(), Some(10_003));
}
