//! What is said about a command after its end.

use super::*;
use dragoman_core::{Reason, State};
use dragoman_wasm::CreateDevice;

/// A write that is looked up at the database, so that whatever else is to run runs meanwhile.
fn slow(id: &str) -> PluginWrite {
    PluginWrite::CreateDevice(CreateDevice {
        id: device(id),
        handler: None,
        parent: None,
        aliases: vec![("name".into(), id.into())],
        labels: Vec::new(),
        profile: "{}".into(),
    })
}

fn failed(code: &str) -> Report {
    Report::Ended(Outcome::Failed(Reason::new(code, "because")))
}

fn tell_for(id: &str, report: Report) -> PluginWrite {
    PluginWrite::TellFor { id: ExecutionId::new(id), report, attributes: Vec::new() }
}

fn attempt_failed(id: &str) -> PluginWrite {
    let reason = Reason::new("nack", "no ack bit");
    PluginWrite::AttemptFailed { about: attempt(id), reason, attributes: Vec::new() }
}

/// Whatever comes after the end is one more line, in its order, and the verdict stays.
#[tokio::test]
async fn what_comes_after_the_end_is_a_line_and_changes_no_verdict() {
    let bench = Bench::new().await;
    bench.sent("e1").await;
    let mut expected = vec![Event::Queued, Event::Planned, Event::Sent, Event::Ended];
    bench.write_as("lamp", vec![answer("e1", succeeded())]).await.unwrap();
    assert_eq!(bench.history("e1").await, expected);
    for (writes, lines) in [
        (vec![answer("e1", Report::Progress(Some("1".into())))], vec![Event::Late]),
        (vec![answer("e1", Report::Acked(None))], vec![Event::Late]),
        (vec![answer("e1", failed("late"))], vec![Event::Late]),
        (vec![tell_for("e1", failed("late"))], vec![Event::Late]),
        (vec![attempt_failed("e1")], vec![Event::Late]),
        (vec![answer("e1", succeeded()), answer("e1", succeeded())], vec![Event::Late, Event::Late]),
        (vec![note("e1", "a"), answer("e1", succeeded())], vec![Event::Note, Event::Late]),
        (vec![note("e1", "a"), label("e1", "n", "v"), note("e1", "b")], vec![Event::Note, Event::Note]),
        (vec![tell_for("e1", succeeded()), attempt_failed("e1")], vec![Event::Late, Event::Late]),
    ] {
        let text = format!("{writes:?}");
        let applied = bench.write_as("lamp", writes).await.unwrap();
        bench.gateway.engine.committed(applied.seq).await.unwrap();
        expected.extend(lines);
        assert_eq!(bench.history("e1").await, expected, "{text}");
    }
    let execution = bench.execution("e1").await.unwrap();
    assert_eq!((execution.state, &execution.reason), (State::Succeeded, &None));
    assert_eq!(execution.last_note.as_deref(), Some("\"b\""));
    assert_eq!(execution.labels, [("n".to_owned(), "v".to_owned())]);
    assert_eq!(execution.version, expected.len() as u64);
}

/// Who was not named when the command was dispatched says nothing about it, open or ended.
#[tokio::test]
async fn a_stranger_s_word_is_no_line() {
    let bench = Bench::new().await;
    bench.sent("e1").await;
    for ended in [false, true] {
        let before = bench.history("e1").await;
        let about = Correlation { reporter: device("door"), key: "e1-1".into() };
        let by_door = PluginWrite::Tell { about, report: succeeded(), attributes: Vec::new() };
        let unknown = Correlation { reporter: device("lamp"), key: "no-such-key".into() };
        let unknown = PluginWrite::Tell { about: unknown, report: succeeded(), attributes: Vec::new() };
        for (reporter, write) in [
            ("door", answer("e1", succeeded())),
            ("door", attempt_failed("e1")),
            ("door", by_door.clone()),
            ("lamp", by_door),
            ("lamp", unknown),
            ("lamp", tell_for("none", succeeded())),
        ] {
            bench.write_as(reporter, vec![write.clone()]).await.unwrap();
            assert_eq!(bench.history("e1").await, before, "{reporter}: {write:?}, ended: {ended}");
        }
        // A call that is about no session may tell nothing in anybody's name.
        bench.write(vec![answer("e1", succeeded())]).await.unwrap();
        assert_eq!(bench.history("e1").await, before);
        if !ended {
            bench.write_as("lamp", vec![answer("e1", succeeded())]).await.unwrap();
        }
    }
}

/// A remark is for any state, so it is not lost where the command ends between the look and the turn.
#[tokio::test]
async fn a_remark_on_a_command_that_ends_meanwhile_is_kept() {
    let bench = Bench::new().await;
    for round in 0..100 {
        let id = format!("e{round}");
        bench.write(vec![submit(&id, "lamp")]).await.unwrap();
        let mut remarks = vec![note(&id, "a"), label(&id, "n", "v")];
        remarks.extend((0..8).map(|number| slow(&format!("x{round}-{number}"))));
        remarks.push(note(&id, "b"));
        let remarks = bench.write(remarks);
        let end = async {
            bench.input(Input::Cancel { id: ExecutionId::new(id.as_str()) });
        };
        let (remarked, ()) = tokio::join!(remarks, end);
        remarked.unwrap();
        let execution = bench.execution(&id).await.unwrap();
        assert_eq!((execution.state, execution.last_note.as_deref()), (State::Canceled, Some("\"b\"")));
        assert_eq!(execution.labels, [("n".to_owned(), "v".to_owned())]);
        match bench.history(&id).await[..] {
            [Event::Queued, Event::Ended, Event::Note, Event::Note] => return,
            // The database answered all of it before it was asked for the answer: the end came too late, once more.
            [Event::Queued, Event::Note, Event::Note, Event::Ended] => {}
            ref other => panic!("{other:?}"),
        }
    }
    panic!("no command ended while a remark on it was being written");
}

/// Both replace the record of the ended command, and each must have seen what the other one wrote.
#[tokio::test]
async fn a_remark_and_a_late_report_do_not_write_over_each_other() {
    let bench = Bench::new().await;
    bench.sent("e1").await;
    bench.write_as("lamp", vec![answer("e1", succeeded())]).await.unwrap();
    for round in 0..5 {
        let remark = bench.write(vec![note("e1", "a"), slow(&format!("x{round}"))]);
        let report = bench.write_as("lamp", vec![answer("e1", failed("late"))]);
        let failure = bench.write_as("lamp", vec![attempt_failed("e1")]);
        let (remarked, reported, failed) = tokio::join!(remark, report, failure);
        assert!(remarked.is_ok() && reported.is_ok() && failed.is_ok());
        let mut lines = bench.history("e1").await.split_off(4 + 3 * round);
        lines.sort();
        assert_eq!(lines, [Event::Note, Event::Late, Event::Late], "round {round}");
    }
    assert_eq!(bench.execution("e1").await.unwrap().version, 4 + 15);
}
