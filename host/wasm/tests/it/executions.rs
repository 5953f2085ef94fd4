//! What of executions the later platforms need: own ids, vouching, failed attempts, notes and labels.

use crate::world::{message, patient, said, session, world};
use dragoman_core::{Correlation, DeviceId, ExecutionId, Outcome, Reason, Report};
use dragoman_wasm::{Fault, PluginOptions, PluginWrite};

#[tokio::test]
async fn executions_are_found_by_own_id_by_time_and_by_device() {
    let world = world(patient(), PluginOptions::default()).await;
    let seen = world
        .says("by-alias d1 a1\nexecution e1\nby-alias d1 a2\nby-alias d/1 a1\nopen d1\nopen d1\nbetween 1 5")
        .await;
    let lines: Vec<_> = seen.lines().collect();
    assert!(lines[0].starts_with("e1:"));
    assert_eq!((lines[1], lines[2], lines[3]), (lines[0], "none", "none"));
    let open: Vec<_> = lines[4].split(' ').collect();
    assert_eq!((open[0], lines[5]), (lines[0], lines[4]));
    assert!(open[1].starts_with("e2:State::Sent") && open[1].ends_with(":none"), "another's context stays hidden");
    assert!(lines[6].starts_with(lines[0]) && !lines[6].contains("e2:"), "{seen}");
    // The fake host refuses to be asked for the device of another dialect.
    assert_eq!(world.says("open d9\nopen d0").await, "\n");
}

#[tokio::test]
async fn the_dialect_that_reaches_a_device_vouches_for_who_speaks() {
    let world = world(patient(), PluginOptions::default()).await;
    let done = world.request("ended-for e2 BROKEN\nended-for e4 BROKEN\nended-for e9 BROKEN").await.unwrap();
    assert_eq!(
        said(Ok(done.clone())).lines().collect::<Vec<_>>(),
        [
            "ok",
            "Error::Denied(\"another dialect reaches the device of execution `e4`\")",
            "Error::NotFound(\"no execution has the id `e9`\")",
        ]
    );
    let report = Report::Ended(Outcome::Failed(Reason::new("BROKEN", "because")));
    assert_eq!(done.writes, [PluginWrite::TellFor { id: ExecutionId::new("e2"), report, attributes: Vec::new() }]);
    assert!(matches!(world.fault("ended-for e2 $OURS").await, Fault::DoesNotFit(text) if text.contains("`$OURS`")));
}

#[tokio::test]
async fn an_application_that_speaks_over_mqtt_speaks_for_its_own_device_only() {
    let world = world(patient(), PluginOptions::default()).await;
    let tell = async |script: &str| {
        world.plugin.topics_message(world.call(), &session(""), &message(script)).await.unwrap().writes.len()
    };
    assert_eq!(tell("progress d1 open {}").await, 1);
    assert_eq!(tell("progress d2 open {}").await, 0);
    assert_eq!(tell("ended-for e2 BROKEN").await, 1, "unless its dialect vouches for it");
}

#[tokio::test]
async fn an_attempt_fails_by_the_word_of_the_dialect_that_made_it() {
    let world = world(patient(), PluginOptions::default()).await;
    let script = "attempt-failed d1 open NACK\nattempt-failed d9 open NACK\nattempt-failed d1 foreign NACK\n\
                  attempt-failed d1 unknown NACK";
    let done = world.request(script).await.unwrap();
    assert_eq!(
        said(Ok(done.clone())).lines().collect::<Vec<_>>(),
        [
            "ok",
            "Error::Denied(\"`d9` was not named to report on that\")",
            "Error::Denied(\"`d1` was not named to report on that\")",
            "Error::NotFound(\"nothing was dispatched under `unknown`\")",
        ]
    );
    let about = Correlation { reporter: DeviceId::new("d1"), key: "open".into() };
    let reason = Reason::new("NACK", "because");
    assert_eq!(done.writes, [PluginWrite::AttemptFailed { about, reason, attributes: Vec::new() }]);
    assert!(matches!(world.fault("attempt-failed d1 open $OURS").await, Fault::DoesNotFit(_)));
}

#[tokio::test]
async fn notes_are_for_the_origin_and_the_device_s_dialect_and_labels_for_the_origin() {
    let world = world(patient(), PluginOptions::default()).await;
    let seen =
        world.says("note e1 {}\nnote e2 1\nnote e4 {}\nnote e3 {}\nlabel e1 a b\nlabel e3 a b\nlabel e2 a b").await;
    let unknown = |id: &str| format!("Error::NotFound(\"no execution has the id `{id}`\")");
    let lines: Vec<_> = seen.lines().collect();
    assert_eq!(lines, ["ok", "ok", &unknown("e4"), "ok", "ok", "ok", &unknown("e2")]);
    let invalid = world.says("note e1 {").await;
    assert!(invalid.starts_with("Error::Invalid(\"a note is not valid JSON"), "{invalid}");
    let nine: String = (1..=9).map(|label| format!("label e1 l{label} x\n")).collect();
    let seen = world.says(&format!("{nine}label e1 l8 y")).await;
    let limit = "Error::Limit(\"there are 9 labels of an execution, but at most 8 are allowed\")";
    assert_eq!(seen.lines().skip(7).collect::<Vec<_>>(), ["ok", limit, "ok"], "one that is there can change");
}
