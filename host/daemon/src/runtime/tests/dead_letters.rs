//! Messages that a plugin fails to read, and plugins that keep failing.

use super::*;
use crate::admin::{Control, ControlError};
use crate::runtime::control::Controller;
use crate::runtime::conversation::{Unanswered, answer_request};
use crate::runtime::dead_letters::Letters;
use dragoman_core::{Message, Payload, State};
use dragoman_mqtt::InboundVerdict;
use dragoman_store::DeadLetterRow;
use dragoman_wasm::{Fault, Request};

const DIALECT: &str = "scripted";
/// Traps in the version that is there first, and publishes in the next.
const TRAPS_FIRST: &str = "by version-one harm panic\npublish told 0";

fn said(topic: &str, script: &str) -> Message {
    Message { payload: Payload::Text(script.into()), qos: 1, ..message(topic) }
}

impl Bench {
    /// What becomes of a message of the lamp that is a script.
    async fn lamp_says(&self, script: &str) -> InboundVerdict {
        self.gateway.hear(client("", DIALECT, Some("lamp")), said("scripted/lamp/up", script)).await
    }

    async fn letters(&self) -> Vec<DeadLetterRow> {
        self.gateway.dead_letters(None, 0, 100).await.unwrap()
    }

    async fn numbers(&self) -> Vec<u64> {
        self.letters().await.iter().map(|row| row.seq).collect()
    }

    async fn mended(&self) {
        guests::replace(&self.gateway.config.plugins.folder, DIALECT, guests::version_two);
        self.gateway.plugins.rescan().await;
        assert_eq!(self.gateway.plugin(DIALECT).unwrap().version(), "version-two");
    }
}

#[tokio::test]
async fn a_message_that_a_plugin_fails_to_read_is_kept_and_read_by_the_next_version() {
    let bench = Bench::new().await;
    let message = said("scripted/lamp/up", TRAPS_FIRST);
    assert_eq!(bench.lamp_says(TRAPS_FIRST).await, InboundVerdict::Accept, "its sender must not send it for ever");
    assert_eq!(bench.lamp_says(TRAPS_FIRST).await, InboundVerdict::Accept);
    let application = client("", DIALECT, None);
    let heard = bench.gateway.hear(application, said("apps/scripted/x", TRAPS_FIRST)).await;
    assert_eq!(heard, InboundVerdict::Refuse(0x83), "an application can say it again");
    let letters = bench.letters().await;
    let shown: Vec<_> = letters.iter().map(|row| (row.seq, &*row.export, &*row.reason.code, row.tries)).collect();
    let code = "$PLUGIN_TRAP";
    assert_eq!(shown, [(1, "southbound.handle-message", code, 1), (2, "southbound.handle-message", code, 1)]);
    let first = &letters[0];
    assert_eq!((&*first.plugin, &*first.digest), (DIALECT, bench.plugin.digest()));
    assert_eq!((&first.message, first.session.device.as_ref()), (&message, Some(&device("lamp"))));

    let again = bench.gateway.replay_dead_letters(&Letters::One(1)).await.unwrap();
    assert_eq!((again.replayed, again.failed, again.left), (0, 1, 2));
    assert_eq!((again.reasons[0].0, &*again.reasons[0].1.code), (1, code));
    assert_eq!(bench.letters().await[0].tries, 2, "what fails again stays");

    bench.mended().await;
    bench.broker.left();
    let done = bench.gateway.replay_dead_letters(&Letters::Of(DIALECT.into())).await.unwrap();
    assert_eq!((done.replayed, done.failed, done.left), (2, 0, 0));
    bench.left("told", 2).await;
    assert!(bench.numbers().await.is_empty());
}

#[tokio::test]
async fn a_plain_no_is_no_dead_letter() {
    let bench = Bench::new().await;
    assert_eq!(bench.lamp_says("error no").await, InboundVerdict::Refuse(0x83));
    assert!(bench.numbers().await.is_empty());
}

/// The answer to a command is in a message that the dialect of the device fails to read: replayed, it ends the command.
#[tokio::test]
async fn a_replayed_answer_ends_its_command() {
    let bench = Bench::new().await;
    bench.sent("open").await;
    bench.lamp_says("by version-one harm panic\nended lamp open-1 JAMMED").await;
    assert_eq!(bench.execution("open").await.unwrap().state, State::Sent);
    bench.mended().await;
    bench.gateway.replay_dead_letters(&Letters::One(1)).await.unwrap();
    assert_eq!(bench.execution("open").await.unwrap().state, State::Failed);
}

#[tokio::test]
async fn past_the_bound_the_oldest_give_way_and_what_is_dropped_is_gone() {
    let bench = Bench::with(|config| config.plugins.dead_letters_max = 2).await;
    for _ in 0..3 {
        bench.lamp_says("harm panic").await;
    }
    assert_eq!(bench.numbers().await, [2, 3]);
    let controller = Controller::new(bench.gateway.clone());
    assert_eq!(controller.drop_dead_letters(&Letters::One(2)).await, Ok(1));
    for gone in [1, 2, 9, 0] {
        let dropped = controller.drop_dead_letters(&Letters::One(gone)).await;
        assert!(matches!(dropped, Err(ControlError::NotFound(_))), "{gone}: {dropped:?}");
        let replayed = controller.replay_dead_letters(&Letters::One(gone)).await;
        assert!(matches!(replayed, Err(ControlError::NotFound(_))), "{gone}: {replayed:?}");
    }
    assert_eq!(controller.drop_dead_letters(&Letters::Of("acme-things".into())).await, Ok(0));
    assert_eq!(controller.drop_dead_letters(&Letters::Of(DIALECT.into())).await, Ok(1));
    assert!(bench.numbers().await.is_empty());
}

#[tokio::test]
async fn without_room_for_one_a_message_is_refused() {
    let bench = Bench::with(|config| config.plugins.dead_letters_max = 0).await;
    assert_eq!(bench.lamp_says("harm panic").await, InboundVerdict::Refuse(0x83));
}

#[test]
fn dead_letters_outlive_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    life(folder.path(), async |bench| {
        assert_eq!(bench.lamp_says(TRAPS_FIRST).await, InboundVerdict::Accept);
    });
    life(folder.path(), async |bench| {
        bench.lamp_says("harm panic").await;
        assert_eq!(bench.numbers().await, [1, 2]);
        bench.mended().await;
        let done = bench.gateway.replay_dead_letters(&Letters::One(1)).await.unwrap();
        assert_eq!((done.replayed, done.left), (1, 1));
        bench.left("told", 1).await;
        bench.gateway.drop_dead_letters(&Letters::Of(DIALECT.into())).await.unwrap();
    });
    life(folder.path(), async |bench| {
        bench.lamp_says("harm panic").await;
        assert_eq!(bench.numbers().await, [3], "no number is given twice");
    });
}

/// A dialect that traps again and again is not called: its messages are kept, its requests are not answered, its commands
/// fail, until it is readmitted.
#[tokio::test]
async fn in_quarantine_messages_are_kept_commands_fail_and_an_operator_ends_it() {
    let bench = Bench::with(|config| {
        config.plugins.quarantine_faults = 2;
        config.plugins.quarantine_backoff_ms = 600_000;
        config.plugins.quarantine_backoff_max_ms = 600_000;
    })
    .await;
    let controller = Controller::new(bench.gateway.clone());
    for _ in 0..3 {
        bench.lamp_says("error no").await;
    }
    assert_eq!(controller.plugins().loaded[0].quarantine, None, "a refusal is no fault");
    bench.lamp_says("harm panic").await;
    bench.lamp_says("harm panic").await;
    let quarantine = controller.plugins().loaded[0].quarantine.clone().unwrap();
    assert!(quarantine.again_in_ms > 0 && quarantine.reason.contains("trapped"), "{quarantine:?}");

    bench.present("lamp");
    bench.write(vec![submit("first", "lamp"), submit("second", "lamp")]).await.unwrap();
    for id in ["first", "second"] {
        let ended = || async { bench.execution(id).await.filter(|one| one.state.is_final()) };
        let failed = bench.until("the end", ended).await;
        assert_eq!(failed.state, State::Failed, "nothing waits for a plugin that may never come back");
        let reason = failed.reason.clone().unwrap();
        assert!(reason.code == "$PLUGIN_QUARANTINED" && reason.text.contains(DIALECT), "{reason:?}");
    }
    assert_eq!(bench.lamp_says("publish told 0").await, InboundVerdict::Accept);
    let letters = bench.letters().await;
    assert_eq!(letters.last().unwrap().reason.code, "$PLUGIN_QUARANTINED", "without a call");
    let request = Request {
        method: "POST".into(),
        path: "/scripted/x".into(),
        query: String::new(),
        headers: Vec::new(),
        body: Payload::Text("now".into()),
        request_id: "r1".into(),
    };
    let answered = answer_request(&bench.gateway, &bench.plugin, request, None).await;
    let Err(Unanswered::Fault(error)) = answered else { panic!("it was called") };
    assert!(matches!(error.fault, Fault::Quarantined { again_in_ms: 1.. }), "{error}");

    assert_eq!(controller.readmit_plugin(DIALECT), Ok(1));
    bench.sent("third").await;
    let done = bench.gateway.replay_dead_letters(&Letters::One(3)).await.unwrap();
    assert_eq!(done.replayed, 1);
    bench.left("told", 1).await;
    let again = controller.readmit_plugin(DIALECT);
    assert!(matches!(again, Err(ControlError::NotFound(_))), "{again:?}");
}

/// A quarantine that is over soon is waited for, because a command that waits is what ends it.
#[tokio::test]
async fn a_command_waits_for_a_quarantine_that_is_short() {
    let bench = Bench::with(|config| {
        config.plugins.quarantine_faults = 1;
        config.plugins.quarantine_backoff_ms = 3_000;
    })
    .await;
    bench.lamp_says("harm panic").await;
    assert!(bench.plugin.quarantine().is_some());
    bench.sent("waits").await;
    assert_eq!(bench.plugin.quarantine(), None);
}
