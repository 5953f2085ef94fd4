//! What leaves and is no dispatch, and what devices say of their own accord: after the commit and in order.

use super::*;
use crate::runtime::device_events::{LED_BY_ONE_MAX, LED_MAX};
use crate::runtime::publisher::{Departure, Publisher};
use dragoman_core::Payload;
use dragoman_store::Seq;
use dragoman_wasm::{DeviceEvent, Readers};
use futures::FutureExt;

/// An event whose body is a script.
fn event(id: &str, kind: &str, script: &str) -> DeviceEvent {
    DeviceEvent {
        device: device(id),
        kind: kind.into(),
        name: None,
        at_ms: 1,
        raw: None,
        body: Some(format!("\"{}\"", script.replace('\n', "\\n"))),
        attributes: Vec::new(),
    }
}

fn departure(topic: &str) -> Departure {
    Departure::Publish { dialect: "scripted".into(), to: Readers::Subscribers, message: message(topic) }
}

/// A number that the journal will give soon: another journal is ahead of it by a few.
async fn soon(bench: &Bench) -> Seq {
    const AHEAD: usize = 5;
    let cursor = || vec![dragoman_store::Write::Cursor { dialect: "acme-things".into(), position: 1 }];
    let newest = bench.gateway.engine.journal().append(cursor()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ahead = Journal::start(Arc::new(open(folder.path()).await), JournalOptions::default()).unwrap();
    while ahead.append(cursor()).unwrap() < newest {}
    let later: Vec<Seq> = (0..AHEAD).map(|_| ahead.append(cursor()).unwrap()).collect();
    later[AHEAD - 1]
}

/// Each kind of departure, in the order in which they were written, and none before the turn that explains it.
#[tokio::test]
async fn what_leaves_waits_for_its_commit_and_for_what_was_written_before_it() {
    let bench = Bench::new().await;
    let publisher = &bench.gateway.publisher;
    let committed = bench.gateway.engine.horizon();
    let later = soon(&bench).await;
    publisher.push(committed, departure("first")).await;
    publisher.push(later, departure("second")).await;
    publisher.push(committed, Departure::Close(session("s1"))).await;
    publisher.push(committed, Departure::Forget(device("lamp"))).await;
    let (dialect, to) = ("scripted".into(), Readers::Session(session("s2")));
    let to_session = Departure::Publish { dialect, to, message: message("last") };
    publisher.push(committed, to_session).await;
    bench.left("first", 1).await;
    // Whatever is to leave has had its chance once the store has written something else.
    bench.gateway.engine.journal().flush().await.unwrap();
    tokio::task::yield_now().await;
    assert_eq!(bench.broker.left(), ["first"]);
    while bench.gateway.engine.horizon() < later {
        bench.write(vec![submit("e1", "lamp"), cancel("e1")]).await.unwrap();
    }
    bench.left("last to s2", 1).await;
    assert_eq!(bench.broker.left(), ["second", "close s1", "close lamp", "last to s2"]);
}

#[tokio::test]
async fn what_a_plugin_publishes_is_for_clients_of_its_dialect() {
    let bench = Bench::new().await;
    bench.write(vec![publish("told")]).await.unwrap();
    bench.left("told", 1).await;
    assert_eq!(bench.broker.published_for().as_deref(), Some("scripted"));
}

#[tokio::test]
async fn what_a_device_says_is_told_in_order_to_who_asked_for_its_kind() {
    // Every second call fails here.
    let bench = Bench::with(|config| config.plugins.quarantine_faults = 0).await;
    let mut expected = Vec::new();
    for number in 0..30 {
        let path = format!("/{number}");
        let script = format!("call alarms POST {path}");
        // A call that fails costs its event and none behind it; another kind is not asked for.
        bench
            .write(vec![
                PluginWrite::Emit(event("lamp", "uplink", &script)),
                PluginWrite::Emit(event("lamp", "uplink", "call alarms POST /lost\nharm panic")),
                PluginWrite::Emit(event("lamp", "join", "call alarms POST /not-asked-for")),
            ])
            .await
            .unwrap();
        expected.push(path);
    }
    assert_eq!(bench.requested(30).await, expected);
}

/// What is told of an event may be an event again; it comes behind the one that it is about, and nobody waits for himself.
#[tokio::test]
async fn an_event_may_lead_to_another() {
    let bench = Bench::new().await;
    let leads = "emit lamp uplink\nemit door uplink\npublish told/first 1";
    bench.write(vec![PluginWrite::Emit(event("lamp", "uplink", leads))]).await.unwrap();
    bench.left("told/first", 1).await;
    bench.write(vec![PluginWrite::Emit(event("lamp", "uplink", "publish told/last 1"))]).await.unwrap();
    bench.left("told/last", 1).await;
    assert_eq!(bench.broker.left(), ["told/first", "told/last"]);
}

#[tokio::test]
async fn an_event_does_not_lead_to_ever_more_of_them() {
    let bench = Bench::new().await;
    let leads = "emit lamp uplink\n".repeat(LED_BY_ONE_MAX + 3) + "publish told/first 1";
    let emitted = |count: usize| vec![PluginWrite::Emit(event("lamp", "uplink", &leads)); count];
    let about = |led| About { led, ..About::default() };
    // What a device said may be many events; what is said of each of them may not.
    let dropped = LED_BY_ONE_MAX + 3;
    bench.gateway.apply_writes(&bench.plugin, emitted(dropped), about(0)).await.unwrap();
    bench.left("told/first", dropped).await;
    bench.gateway.apply_writes(&bench.plugin, emitted(dropped), about(1)).await.unwrap();
    bench.left("told/first", dropped + LED_BY_ONE_MAX).await;
    bench.write(vec![PluginWrite::Emit(event("lamp", "uplink", "publish told/last 1"))]).await.unwrap();
    bench.left("told/last", 1).await;
    assert_eq!(bench.broker.times("told/first"), dropped + LED_BY_ONE_MAX, "those beyond are told to nobody");
}

#[tokio::test]
async fn events_do_not_lead_to_others_for_ever() {
    let bench = Bench::new().await;
    let push = async |text: &str, led| {
        bench.gateway.device_events.push(&bench.gateway, event("lamp", "uplink", text), led).await;
    };
    push("publish told/first 1", LED_MAX).await;
    push("publish told/never 1", LED_MAX + 1).await;
    push("publish told/last 1", 0).await;
    bench.left("told/last", 1).await;
    assert_eq!(bench.broker.left(), ["told/first", "told/last"]);
}

/// The handler of a device reads its payload before any dialect is told; that it cannot is no reason to keep it back.
#[tokio::test]
async fn an_event_is_told_whether_or_not_its_payload_means_something() {
    let bench = Bench::new().await;
    let stepped = DeviceRecord { handler: Some("stepper".into()), ..record("stepped", "scripted") };
    let lost = DeviceRecord { handler: Some("no-such-handler".into()), ..record("lost", "scripted") };
    for record in [stepped, lost] {
        bench.gateway.engine.journal().put_device(record).await.unwrap();
    }
    let raw = |id: &str, payload: Payload, topic: &str| {
        let event = event(id, "uplink", &format!("publish {topic} 1"));
        PluginWrite::Emit(DeviceEvent { raw: Some(payload), ..event })
    };
    for (id, payload, topic) in [
        ("stepped", Payload::Text("good".into()), "told/decoded"),
        ("stepped", Payload::Bytes(vec![0xff]), "told/undecodable"),
        ("stepped", Payload::Text("panic".into()), "told/faulty"),
        ("lost", Payload::Text("good".into()), "told/no-handler"),
        ("nobody", Payload::Text("good".into()), "told/no-device"),
    ] {
        bench.write(vec![raw(id, payload, topic)]).await.unwrap();
        bench.left(topic, 1).await;
    }
}

const MIB: usize = 1024 * 1024;

fn large() -> Payload {
    Payload::Bytes(vec![0; MIB])
}

/// Memory is the bound, not only the number.
#[tokio::test]
async fn departures_that_wait_hold_so_much_memory_and_no_more() {
    let bench = Bench::new().await;
    let (_broker, nobody) = tokio::sync::watch::channel(None);
    let publisher = Publisher::start(bench.gateway.engine.clone(), nobody);
    let large = || Departure::Publish {
        dialect: "scripted".into(),
        to: Readers::Subscribers,
        message: dragoman_core::Message { payload: large(), ..message("large") },
    };
    let mut taken = 0;
    while taken < 100 && publisher.push(Seq::default(), large()).now_or_never().is_some() {
        taken += 1;
    }
    assert_eq!(taken, 63, "in 64 MiB, with one place more for each");
}

#[tokio::test]
async fn events_that_wait_hold_so_much_memory_and_no_more() {
    let bench = Bench::new().await;
    // Whoever is told waits for the registry.
    let registry = bench.gateway.registry.lock().await;
    let large = || DeviceEvent { raw: Some(large()), ..event("lamp", "uplink", "create - name x") };
    let mut taken = 0;
    while taken < 100 && bench.gateway.device_events.push(&bench.gateway, large(), 0).now_or_never().is_some() {
        taken += 1;
    }
    assert_eq!(taken, 31, "in 32 MiB, with one place more for each");
    drop(registry);
}
