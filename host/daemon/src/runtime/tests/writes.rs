//! What one call wrote: all of it or nothing, each write on what the ones before it leave.

use super::*;
use crate::runtime::engine::Outgoing;
use crate::runtime::writes::PlannedAttempt;
use dragoman_core::{Attributes, Planned, Stage, State};
use dragoman_wasm::{CreateDevice, UpdateDevice};

fn create(id: &str, alias: &str, parent: Option<&str>) -> PluginWrite {
    PluginWrite::CreateDevice(CreateDevice {
        id: device(id),
        handler: None,
        parent: parent.map(device),
        aliases: names(alias),
        labels: Vec::new(),
        profile: "{}".into(),
    })
}

fn update(id: &str, alias: &str, revision: u64) -> PluginWrite {
    PluginWrite::UpdateDevice(UpdateDevice {
        id: device(id),
        handler: None,
        parent: None,
        aliases: names(alias),
        labels: Vec::new(),
        profile: "{}".into(),
        revision,
    })
}

fn names(alias: &str) -> Attributes {
    vec![("name".into(), alias.into())]
}

fn profile(id: &str, revision: u64) -> PluginWrite {
    PluginWrite::PutProfile { device: device(id), profile: "{}".into(), revision }
}

fn add_alias(id: &str, alias: &str) -> PluginWrite {
    PluginWrite::AddAlias { device: device(id), namespace: "name".into(), name: alias.into() }
}

fn remove_document(key: &str, revision: u64) -> PluginWrite {
    PluginWrite::RemoveDocument { collection: "things".into(), key: key.into(), revision }
}

/// One of everything that a call can write.
fn everything() -> Vec<PluginWrite> {
    vec![
        submit("e1", "lamp"),
        create("new", "new", None),
        document("new", 0),
        request("alarms", "/new"),
        publish("new"),
        note("ended", "null"),
        label("ended", "a", "b"),
        PluginWrite::Close(session("s1")),
    ]
}

/// Whatever is wrong with one write, and wherever it stands among the others, none of them leaves a trace.
#[tokio::test]
async fn what_one_call_wrote_is_there_whole_or_not_at_all() {
    let bench = Bench::new().await;
    bench.write(vec![submit("ended", "lamp"), cancel("ended"), document("old", 0)]).await.unwrap();
    bench.write(vec![create("child", "child", Some("lamp"))]).await.unwrap();
    let before = bench.history("ended").await;
    for (wrong, kind, words) in [
        (document("old", 3), "conflict", "document old of things is at revision 1, not 3"),
        (document("old", 0), "conflict", "document old of things is at revision 1, not 0"),
        (remove_document("none", 1), "conflict", "document none of things is at revision 0, not 1"),
        (profile("lamp", 5), "conflict", "the profile of device lamp is at revision 0, not 5"),
        (profile("nobody", 0), "conflict", "device nobody was removed"),
        (add_alias("nobody", "x"), "conflict", "device nobody was removed"),
        (add_alias("door", "lamp"), "conflict", "name lamp is the name of device lamp already"),
        (create("door", "x", None), "conflict", "a device door is registered already"),
        (create("x", "lamp", None), "conflict", "name lamp is the name of device lamp already"),
        (create("x", "x", Some("nobody")), "conflict", "the gateway device nobody is not registered"),
        (create("x", "x", Some("child")), "not allowed", "device child hangs below another one"),
        (update("door", "door", 7), "conflict", "the profile of device door is at revision 0, not 7"),
        (update("stranger", "stranger", 0), "not allowed", "device stranger is reached by acme-things"),
        (PluginWrite::RemoveDevice(device("stranger")), "not allowed", "device stranger is reached by acme-things"),
        (PluginWrite::RemoveDevice(device("nobody")), "conflict", "device nobody was removed"),
        (request("reports", "/"), "not allowed", "no target reports is configured"),
        (request("alarms", "/../x"), "not allowed", "the request to alarms cannot be sent"),
    ] {
        for place in [0, everything().len()] {
            let mut writes = everything();
            writes.insert(place, wrong.clone());
            let (found, text) = match bench.write(writes).await {
                Err(WriteError::Conflict(text)) => ("conflict", text),
                Err(WriteError::NotAllowed(text)) => ("not allowed", text),
                Err(error) => panic!("{wrong:?}: {error}"),
                Ok(_) => panic!("{wrong:?} was applied"),
            };
            assert_eq!(found, kind, "{wrong:?}");
            assert!(text.contains(words), "{wrong:?}: {text}");
        }
    }
    let journal = bench.gateway.engine.journal();
    assert_eq!(bench.execution("e1").await, None);
    assert_eq!(journal.device(&device("new")).await.unwrap(), None);
    assert_eq!(journal.document("scripted", "things", "new").await.unwrap(), None);
    assert_eq!(bench.history("ended").await, before);
    assert_eq!(bench.execution("ended").await.unwrap().labels, []);
    assert_eq!(bench.requests().await, [] as [&str; 0]);
    assert_eq!(bench.gateway.outbound.targets()[0].waiting, 0, "the places of the requests are given back");

    bench.write(everything()).await.unwrap();
    bench.left("close s1", 1).await;
    assert_eq!(bench.broker.left(), ["new", "close s1"], "of the calls before nothing left");
    assert_eq!(bench.execution("e1").await.unwrap().state, State::Queued);
    assert!(journal.device(&device("new")).await.unwrap().is_some());
    assert_eq!(journal.document("scripted", "things", "new").await.unwrap().unwrap().revision, 1);
    assert_eq!(bench.requests().await, ["/new"]);
}

#[tokio::test]
async fn each_write_of_a_call_builds_on_the_ones_before_it() {
    let bench = Bench::new().await;
    let forget = |id: &str| PluginWrite::RemoveDevice(device(id));
    for (writes, refusal) in [
        (vec![document("a", 0), document("a", 1), remove_document("a", 2), document("a", 0)], None),
        (vec![document("a", 1), document("a", 1)], Some("document a of things is at revision 2, not 1")),
        (vec![document("b", 0), remove_document("b", 1), document("b", 2)], Some("is at revision 0, not 2")),
        (vec![profile("lamp", 0), update("lamp", "bulb", 1), profile("lamp", 2)], None),
        (vec![profile("lamp", 3), profile("lamp", 3)], Some("is at revision 4, not 3")),
        (vec![create("c", "lamp", None), add_alias("c", "candle")], None),
        (vec![create("d", "torch", None), create("d", "other", None)], Some("a device d is registered already")),
        (vec![create("d", "torch", None), create("f", "torch", None)], Some("torch is the name of device d already")),
        (vec![create("d", "torch", None), update("d", "beam", 1), create("f", "torch", None)], None),
        (vec![forget("d"), create("d", "torch beam", None), profile("d", 1)], None),
        (vec![forget("d"), profile("d", 2)], Some("device d was removed")),
        (vec![forget("f"), create("g", "torch", None), add_alias("g", "torch")], None),
        (vec![create("h", "h", None), create("i", "i", Some("h"))], None),
        (vec![create("j", "j", Some("j"))], Some("is not registered")),
    ] {
        let text = format!("{writes:?}");
        match (bench.write(writes).await, refusal) {
            (Ok(_), None) => {}
            (Err(error), Some(words)) => assert!(error.to_string().contains(words), "{text}: {error}"),
            (result, _) => panic!("{text}: {:?}", result.map(|applied| applied.seq)),
        }
    }
    let journal = bench.gateway.engine.journal();
    assert_eq!(journal.document("scripted", "things", "a").await.unwrap().unwrap().revision, 1);
    assert_eq!(journal.profile(&device("lamp"), "scripted").await.unwrap().unwrap().revision, 3);
    let holder = async |name: &str| journal.resolve("name", name).await.unwrap().map(|found| found.id.to_string());
    for (name, expected) in [
        ("bulb", Some("lamp")),
        ("lamp", Some("c")),
        ("candle", Some("c")),
        ("torch", Some("g")),
        ("beam", None),
        ("torch beam", Some("d")),
    ] {
        assert_eq!(holder(name).await.as_deref(), expected, "{name}");
    }
}

#[tokio::test]
async fn two_submissions_of_one_call_under_one_name_are_one() {
    let bench = Bench::new().await;
    let named = |id: &str, alias: Option<&str>, key: Option<&str>| {
        let (alias, idempotency_key) = (alias.map(Into::into), key.map(Into::into));
        PluginWrite::Submit(Box::new(Submit { alias, idempotency_key, ..submission(id, "lamp") }))
    };
    let told = async |writes: Vec<PluginWrite>| -> Vec<String> {
        let applied = bench.write(writes).await.unwrap();
        let told = applied.submissions.into_iter().map(|submitted| match submitted.result {
            Ok((standing, _)) => standing.to_string(),
            Err(reason) => reason.code,
        });
        told.collect()
    };
    let first = vec![
        named("a1", Some("x"), None),
        named("a2", Some("x"), None),
        named("k1", None, Some("x")),
        named("k2", Some("y"), Some("x")),
        named("a3", Some("y"), None),
    ];
    assert_eq!(told(first).await, ["a1", "$DUPLICATE", "k1", "$DUPLICATE", "a3"]);
    for refused in ["a2", "k2"] {
        assert_eq!(bench.execution(refused).await, None);
    }
    let later = vec![named("a4", Some("x"), None), named("k3", None, Some("x")), named("free", None, None)];
    assert_eq!(told(later).await, ["$DUPLICATE", "k1", "free"], "the same key is the same execution");
}

/// A plan may come when its attempt is not wanted any more; then nothing of what the plugin wrote with it leaves.
#[tokio::test]
async fn what_was_written_for_an_attempt_that_is_not_wanted_does_not_leave() {
    let bench = Bench::new().await;
    bench.write(vec![submit("e1", "lamp"), cancel("e1")]).await.unwrap();
    let planned = || PlannedAttempt {
        id: ExecutionId::new("e1"),
        attempt: 1,
        plan: Planned::Send {
            frames: Vec::new(),
            correlations: Vec::new(),
            answerable: true,
            handler_state: None,
            reply_within_ms: None,
            digests: Vec::new(),
        },
        messages: vec![Outgoing { subscribed_only: false, message: message("down") }],
    };
    let about = About { planned: Some(planned()), ..About::default() };
    let writes = vec![request("alarms", "/unwanted"), publish("unwanted")];
    bench.gateway.apply_writes(&bench.plugin, writes, about).await.unwrap();
    bench.write(vec![publish("marker"), request("alarms", "/marker")]).await.unwrap();
    bench.left("marker", 1).await;
    assert_eq!(bench.broker.left(), ["marker"]);
    assert_eq!(bench.requests().await, ["/marker"]);
}

#[tokio::test]
async fn a_device_takes_its_open_commands_and_its_connection_with_it() {
    let bench = Bench::new().await;
    bench.write(vec![submit("e1", "lamp"), submit("e2", "door")]).await.unwrap();
    bench.write(vec![PluginWrite::RemoveDevice(device("lamp"))]).await.unwrap();
    let removed = bench.execution("e1").await.unwrap();
    assert_eq!((removed.state, removed.reason.as_ref().unwrap().code.as_str()), (State::Canceled, "$REMOVED"));
    assert_eq!(bench.execution("e2").await.unwrap().state, State::Queued);
    bench.left("close lamp", 1).await;
    let refused = bench.write(vec![submit("e3", "lamp")]).await.unwrap().submissions.remove(0).result;
    assert_eq!(refused.unwrap_err().code, "$UNKNOWN_DEVICE");
}

/// A caller is registered in the turn that takes its command, so nothing can be reached unseen.
#[tokio::test]
async fn a_caller_hears_of_what_happened_in_the_same_call() {
    let bench = Bench::new().await;
    let about = About { until: Some(Stage::Ended), ..About::default() };
    let writes = vec![submit("e1", "lamp"), cancel("e1"), submit("e2", "lamp")];
    let mut applied = bench.gateway.apply_writes(&bench.plugin, writes, about).await.unwrap();
    let reached = |submitted: crate::runtime::writes::Submitted| submitted.result.unwrap().1.unwrap();
    let mut open = reached(applied.submissions.remove(1));
    let ended = tokio::time::timeout(LONG, reached(applied.submissions.remove(0))).await.unwrap().unwrap();
    assert_eq!(ended.state, State::Canceled);
    assert!(open.try_recv().is_err(), "the other one is open");
}
