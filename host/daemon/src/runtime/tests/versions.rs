//! Plugins that are replaced, removed and put back while commands need them.

use super::*;
use crate::admin::{Control, ControlError, ReleasedPlugin};
use crate::runtime::control::Controller;
use dragoman_core::{Message, Payload, State};

const HANDLER: &str = "stepper";
const DIALECT: &str = "scripted";

impl Bench {
    /// Registers a panel, which is there, and whose commands the handler of two steps plans.
    async fn panel(&self) {
        let journal = self.gateway.engine.journal();
        if journal.device(&device("panel")).await.unwrap().is_none() {
            let panel = DeviceRecord { handler: Some(HANDLER.into()), ..record("panel", DIALECT) };
            journal.put_device(panel).await.unwrap();
        }
        self.present("panel");
    }

    /// Has the panel begin a conversation, and waits until its first step is out.
    async fn begun(&self, id: &str) {
        self.panel().await;
        let open = Invocation { service: None, action: "open".into(), params: "{}".into() };
        let command = Submit { intent: Intent::Invoke(open), ..submission(id, "panel") };
        self.write(vec![PluginWrite::Submit(Box::new(command))]).await.unwrap();
        let sent = || async { self.execution(id).await.filter(|execution| execution.sent_ms.is_some()) };
        self.until("the first step is out", sent).await;
    }

    /// The panel answers a step, and the conversation ends.
    async fn finish(&self, id: &str) -> Arc<Execution> {
        self.panel().await;
        let attempt = self.execution(id).await.unwrap().attempt;
        let about = Correlation { reporter: device("panel"), key: format!("{id}-{attempt}") };
        let report = PluginWrite::Tell { about, report: succeeded(), attributes: Vec::new() };
        self.write_as("panel", vec![report]).await.unwrap();
        self.until("the end", || async { self.execution(id).await.filter(|one| one.state.is_final()) }).await
    }

    /// Replaces a plugin's file by another version of it, whose digest is told.
    async fn replace(&self, plugin: &str, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> String {
        guests::replace(&self.gateway.config.plugins.folder, plugin, change);
        self.gateway.plugins.rescan().await;
        self.digest(plugin)
    }

    fn digest(&self, plugin: &str) -> String {
        self.gateway.plugin(plugin).unwrap().digest().to_owned()
    }

    fn older(&self) -> Vec<(String, usize)> {
        let plugins = Controller::new(self.gateway.clone()).plugins();
        plugins.older.into_iter().map(|older| (older.digest, older.executions)).collect()
    }
}

/// Which versions of the handler worked on an execution.
fn handled_by(execution: &Execution) -> Vec<&str> {
    execution.digests.iter().filter(|(name, _)| name == HANDLER).map(|(_, digest)| digest.as_str()).collect()
}

#[tokio::test]
async fn a_conversation_ends_with_the_version_that_began_it_and_new_ones_begin_with_the_newest() {
    let bench = Bench::new().await;
    let first = bench.digest(HANDLER);
    bench.begun("old").await;
    let second = bench.replace(HANDLER, guests::variant(1)).await;
    assert_ne!(first, second);
    assert_eq!(bench.older(), [(first.clone(), 1)]);
    let held = Arc::downgrade(bench.gateway.catalog().version(HANDLER, &first).unwrap());
    let old = bench.finish("old").await;
    assert_eq!((old.state, handled_by(&old)), (State::Succeeded, vec![&*first]));
    bench.begun("new").await;
    let new = bench.finish("new").await;
    assert_eq!((new.state, handled_by(&new)), (State::Succeeded, vec![&*second]));
    bench.gateway.plugins.rescan().await;
    assert_eq!(bench.older(), []);
    assert!(held.upgrade().is_none(), "its code is unloaded");
}

#[tokio::test]
async fn a_handler_that_was_removed_ends_what_it_began_and_begins_nothing() {
    let bench = Bench::new().await;
    bench.begun("old").await;
    let first = bench.digest(HANDLER);
    guests::remove(&bench.gateway.config.plugins.folder, HANDLER);
    bench.gateway.plugins.rescan().await;
    assert!(bench.gateway.plugin(HANDLER).is_none());
    let old = bench.finish("old").await;
    assert_eq!((old.state, handled_by(&old)), (State::Succeeded, vec![&*first]));
    // It may be replaced, so this takes as long as a replacement may.
    bench.write(vec![submit("new", "panel")]).await.unwrap();
    let new =
        bench.until("the end", || async { bench.execution("new").await.filter(|one| one.state.is_final()) }).await;
    assert_eq!(new.reason.as_ref().unwrap().code, "$NO_HANDLER");
}

#[tokio::test]
async fn a_command_waits_for_a_handler_that_is_removed_to_be_replaced() {
    let bench = Bench::new().await;
    let first = bench.digest(HANDLER);
    guests::remove(&bench.gateway.config.plugins.folder, HANDLER);
    bench.gateway.plugins.rescan().await;
    bench.panel().await;
    let open = Invocation { service: None, action: "open".into(), params: "{}".into() };
    let command = Submit { intent: Intent::Invoke(open), ..submission("new", "panel") };
    bench.write(vec![PluginWrite::Submit(Box::new(command))]).await.unwrap();
    let second = bench.replace(HANDLER, guests::variant(1)).await;
    let sent = || async { bench.execution("new").await.filter(|execution| execution.sent_ms.is_some()) };
    bench.until("the first step is out", sent).await;
    let new = bench.finish("new").await;
    assert_eq!((new.state, handled_by(&new)), (State::Succeeded, vec![&*second]));
    assert_ne!(first, second);
}

/// The dialect of the device is removed: its answer is heard, and the next step dispatched, by the version that was.
#[tokio::test]
async fn a_dialect_that_was_removed_hears_what_is_open_to_its_end() {
    let bench = Bench::new().await;
    bench.sent("open").await;
    let lamp = client("", DIALECT, Some("lamp"));
    guests::remove(&bench.gateway.config.plugins.folder, DIALECT);
    bench.gateway.plugins.rescan().await;
    assert!(bench.gateway.plugin(DIALECT).is_none());
    let told = bench.gateway.hear(lamp, answered("ended lamp open-1 JAMMED")).await;
    assert_eq!(told, dragoman_mqtt::InboundVerdict::Accept);
    assert_eq!(bench.execution("open").await.unwrap().state, State::Failed);
}

/// On some platforms devices answer where applications speak.
#[tokio::test]
async fn a_dialect_that_was_removed_hears_answers_among_its_applications_and_begins_nothing() {
    let bench = Bench::new().await;
    let folder = &bench.gateway.config.plugins.folder;
    guests::install_twin(folder);
    bench.gateway.plugins.rescan().await;
    bench.gateway.engine.journal().put_device(record("far", "twin-two")).await.unwrap();
    bench.sent("open").await;
    let lamp = client("", DIALECT, Some("lamp"));
    let say = async |script: &str| {
        let message = Message { topic: "apps/scripted/lamp".into(), ..answered(script) };
        assert_eq!(bench.gateway.hear(lamp.clone(), message).await, dragoman_mqtt::InboundVerdict::Accept);
    };
    let open = || bench.gateway.engine.look(|machine| machine.open_executions().count());
    say("submit far\nwait {}").await;
    assert_eq!(open(), 2, "it serves");
    guests::remove(folder, DIALECT);
    bench.gateway.plugins.rescan().await;
    say("submit far\nwait {}").await;
    assert_eq!(open(), 2, "it begins nothing new");
    say("ended-for open JAMMED").await;
    assert_eq!(bench.execution("open").await.unwrap().state, State::Failed);
}

#[test]
fn a_conversation_keeps_to_its_version_over_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = life(folder.path(), async |bench| {
        let first = bench.digest(HANDLER);
        let second = bench.replace(HANDLER, guests::variant(1)).await;
        bench.begun("old").await;
        (first, second)
    });
    // Every start of a bench puts the first version into the folder.
    let kept = folder.path().join("data/plugins-kept").join(format!("{second}.wasm"));
    assert!(kept.exists());
    life(folder.path(), async |bench| {
        assert_eq!((bench.digest(HANDLER), bench.older()), (first, vec![(second.clone(), 1)]));
        let old = bench.finish("old").await;
        assert_eq!((old.state, handled_by(&old)), (State::Succeeded, vec![&*second]));
        bench.gateway.plugins.rescan().await;
        assert_eq!(bench.older(), []);
        bench.gateway.plugins.rescan().await;
        assert!(!kept.exists(), "nobody needs it any more");
    });
}

#[test]
fn what_keeps_to_a_version_that_is_lost_goes_over_to_the_newest_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let second = life(folder.path(), async |bench| {
        let second = bench.replace(HANDLER, guests::variant(1)).await;
        bench.begun("old").await;
        second
    });
    std::fs::remove_file(folder.path().join("data/plugins-kept").join(format!("{second}.wasm"))).unwrap();
    life(folder.path(), async |bench| {
        let lines = bench.gateway.engine.journal().history(&ExecutionId::new("old")).await.unwrap();
        let said: Vec<_> = lines.iter().filter(|line| line.event == Event::Note).collect();
        let [line] = said[..] else { panic!("{lines:?}") };
        let reason = line.reason.as_ref().unwrap();
        assert_eq!(reason.code, "$PLUGIN_VERSION_LOST");
        assert!(reason.text.contains(&second) && reason.text.ends_with("is missing"), "{}", reason.text);
        let old = bench.finish("old").await;
        assert_eq!(old.state, State::Succeeded);
        assert_eq!(handled_by(&old), [second.as_str(), &*bench.digest(HANDLER)]);
    });
}

#[tokio::test]
async fn a_release_has_what_is_open_go_over_to_the_newest() {
    let bench = Bench::new().await;
    let control = Controller::new(bench.gateway.clone());
    let first = bench.digest(HANDLER);
    bench.begun("old").await;
    let nothing = control.release_plugin(HANDLER, None).await;
    assert!(matches!(nothing, Err(ControlError::NotFound(_))), "{nothing:?}");
    let second = bench.replace(HANDLER, guests::variant(1)).await;
    let newest = control.release_plugin(HANDLER, Some(&second[..12])).await;
    assert!(matches!(newest, Err(ControlError::Conflict(_))), "{newest:?}");
    let done = control.release_plugin(HANDLER, Some(&first[..12])).await;
    assert_eq!(done, Ok(ReleasedPlugin { released: 1, waiting: 0 }));
    assert_eq!(bench.older().iter().map(|(_, executions)| *executions).sum::<usize>(), 0);
    let lines = bench.gateway.engine.journal().history(&ExecutionId::new("old")).await.unwrap();
    assert_eq!(lines.last().unwrap().reason.as_ref().unwrap().code, "$PLUGIN_RELEASED");
    let old = bench.finish("old").await;
    assert_eq!((old.state, handled_by(&old)), (State::Succeeded, vec![&*first, &*second]));

    bench.begun("gone").await;
    guests::remove(&bench.gateway.config.plugins.folder, HANDLER);
    bench.gateway.plugins.rescan().await;
    let removed = control.release_plugin(HANDLER, None).await;
    assert!(matches!(removed, Err(ControlError::Conflict(_))), "{removed:?}");
}

fn answered(script: &str) -> Message {
    let payload = Payload::Text(script.into());
    Message { topic: "scripted/lamp/up".into(), payload, qos: 1, retain: false, attributes: Vec::new() }
}

#[tokio::test]
async fn a_message_that_the_newest_dialect_leaves_unmatched_is_read_by_one_with_open_commands() {
    let bench = Bench::new().await;
    let lamp = client("", DIALECT, Some("lamp"));
    let hear = async |script: &str| bench.gateway.hear(lamp.clone(), answered(script)).await;
    let state = async |id: &str| bench.execution(id).await.unwrap().state;
    bench.sent("e1").await;
    bench.replace(DIALECT, guests::version_two).await;
    // Both know it, so the newest says what it was.
    hear("by version-two progress lamp e1-1 2\nby version-one progress lamp e1-1 1").await;
    assert_eq!(bench.execution("e1").await.unwrap().last_note.as_deref(), Some("2"));
    // Only the version before knows what its device says; the newest answers with an error, or with nothing.
    hear("by version-one progress lamp e1-1 1\nby version-two document put things new 0 {}").await;
    assert_eq!(bench.execution("e1").await.unwrap().last_note.as_deref(), Some("1"));
    let journal = bench.gateway.engine.journal();
    assert!(journal.document(DIALECT, "things", "new").await.unwrap().is_none(), "one of them counts, whole");
    // What the version before fails of is the newest's to read.
    hear("by version-one harm panic\nby version-two document put things seen 0 {}").await;
    assert!(journal.document(DIALECT, "things", "seen").await.unwrap().is_some());
    hear("by version-one ended lamp e1-1 JAMMED").await;
    assert_eq!(state("e1").await, State::Failed);
    // It has no open command any more, and is not asked.
    bench.sent("e2").await;
    hear("by version-one ended lamp e2-1 JAMMED").await;
    assert_eq!(state("e2").await, State::Sent);
    hear("by version-two ended lamp e2-1 JAMMED").await;
    assert_eq!(state("e2").await, State::Failed);
}

#[tokio::test]
async fn a_version_that_does_not_read_what_is_open_does_not_serve() {
    let bench = Bench::new().await;
    let first = bench.digest(DIALECT);
    for (id, context, why) in [
        ("e1", "read-by version-one", "an error: invalid: this context is not mine"),
        ("e2", "trap-but-in version-one", "plugin scripted trapped in notifications.on-transitions"),
    ] {
        let command = Submit { context: Some(format!("\"{context}\"")), ..submission(id, "lamp") };
        bench.write(vec![PluginWrite::Submit(Box::new(command))]).await.unwrap();
        assert_eq!(bench.replace(DIALECT, guests::version_two).await, first, "the old version stays");
        let plugins = Controller::new(bench.gateway.clone()).plugins();
        let [refused] = &plugins.refused[..] else { panic!("{:?}", plugins.refused) };
        assert_eq!(refused.step, "contexts");
        assert!(refused.reason.contains(id) && refused.reason.contains(why), "{}", refused.reason);
        assert!(refused.reason.ends_with("(version version-one still serves)"), "{}", refused.reason);
        assert!(bench.history(id).await.len() == 1, "nothing that was tried had an effect");
        bench.write(vec![cancel(id)]).await.unwrap();
        bench.replace(DIALECT, guests::variant(0)).await;
        let back = bench.replace(DIALECT, |wasm| wasm).await;
        assert_eq!(back, first);
    }
    let command = Submit { context: Some("\"read-by version-two\"".into()), ..submission("e3", "lamp") };
    bench.write(vec![PluginWrite::Submit(Box::new(command))]).await.unwrap();
    assert_ne!(bench.replace(DIALECT, guests::version_two).await, first);
}

/// The file is replaced while nothing runs: every start of a bench puts the first version into the folder.
#[test]
fn a_version_that_does_not_read_what_is_open_does_not_serve_after_a_restart_either() {
    let folder = tempfile::tempdir().unwrap();
    let second = life(folder.path(), async |bench| {
        let second = bench.replace(DIALECT, guests::version_two).await;
        let command = Submit { context: Some("\"read-by version-two\"".into()), ..submission("e1", "lamp") };
        let written = bench.write(vec![PluginWrite::Submit(Box::new(command))]).await.unwrap();
        bench.gateway.engine.committed(written.seq).await.unwrap();
        second
    });
    life(folder.path(), async |bench| {
        assert_eq!(bench.digest(DIALECT), second, "what served serves on");
        let plugins = Controller::new(bench.gateway.clone()).plugins();
        let [refused] = &plugins.refused[..] else { panic!("{:?}", plugins.refused) };
        assert!(refused.step == "contexts" && refused.reason.contains("e1"), "{}", refused.reason);
    });
}

/// What two plugins both want stays with the one that serves, by the names of both; when it goes, the other is taken.
#[tokio::test]
async fn of_two_that_claim_the_same_the_earlier_serves_and_both_are_named() {
    let bench = Bench::new().await;
    let folder = bench.gateway.config.plugins.folder.clone();
    guests::install_rival(&folder);
    bench.gateway.plugins.rescan().await;
    let plugins = Controller::new(bench.gateway.clone()).plugins();
    let [refused] = &plugins.refused[..] else { panic!("{:?}", plugins.refused) };
    assert_eq!(refused.step, "claims");
    for part in ["plugin `twin-two`", "the device topic `scripted/+/up`", "plugin `scripted` in scripted.wasm"] {
        assert!(refused.reason.contains(part), "{part}: {}", refused.reason);
    }
    guests::remove(&folder, DIALECT);
    bench.gateway.plugins.rescan().await;
    assert!(bench.gateway.plugin("twin-two").is_some() && bench.gateway.catalog().refused.is_empty());
}
