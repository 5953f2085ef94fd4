//! What the broker tells and asks.

use super::*;
use crate::runtime::events::Events;
use dragoman_core::{Subscription, WhenAway};
use dragoman_mqtt::{BrokerEvents, CloseReason, KeptSession, SubscribeVerdict};

/// The dialect decides about what its policy does not grant; without its word nobody hears anything.
#[tokio::test]
async fn a_subscription_is_granted_only_by_the_word_of_its_dialect() {
    let bench = Bench::new().await;
    let events = Events::new(bench.gateway.clone());
    bench.write(vec![document("taken", 0)]).await.unwrap();
    for (script, dialect, expected) in [
        ("now", "scripted", SubscribeVerdict::AsAsked),
        ("rewrite a/b", "scripted", SubscribeVerdict::Rewritten("a/b".into())),
        ("refuse", "scripted", SubscribeVerdict::Refuse),
        ("harm panic", "scripted", SubscribeVerdict::Refuse),
        ("error no", "scripted", SubscribeVerdict::Refuse),
        ("now", "stepper", SubscribeVerdict::Refuse),
        ("now", "not-loaded", SubscribeVerdict::Refuse),
        ("document put things new 0 {}", "scripted", SubscribeVerdict::AsAsked),
    ] {
        let asked = Subscription { filter: "x/#".into(), qos: 1 };
        let verdict = events.subscribing(client(script, dialect, None), asked).await;
        assert_eq!(verdict, expected, "{script} by {dialect}");
    }
    let journal = bench.gateway.engine.journal();
    assert!(journal.document("scripted", "things", "new").await.unwrap().is_some(), "what it wrote counts");
}

/// A device is there from the opening of its session to its end, and what waits for it goes out in between.
#[tokio::test]
async fn a_device_is_there_as_long_as_its_session_is() {
    let bench = Bench::new().await;
    let events = Events::new(bench.gateway.clone());
    let lamp = client("", "scripted", Some("lamp"));
    bench.write(vec![submit("e1", "lamp")]).await.unwrap();
    // The broker does not name it: it was taken over before this was told.
    events.opened(lamp.clone(), false).await;
    assert!(bench.gateway.presence.session_of(&device("lamp")).is_none());
    bench.broker.connect(lamp.clone());
    events.opened(lamp.clone(), false).await;
    bench.left("e1/1/0 to lamp", 1).await;
    assert_eq!(bench.broker.left(), ["e1/1/0 to lamp"]);
    bench.gateway.notes.put(&lamp.id, "1".into());
    events.closed(lamp.clone(), CloseReason::ByClient).await;
    assert_eq!(bench.gateway.notes.get(&lamp.id), None);
    bench.write_as("lamp", vec![answer("e1", succeeded())]).await.unwrap();
    let away = Submit { when_away: Some(WhenAway::Fail), ..submission("e2", "lamp") };
    let refused = bench.write(vec![PluginWrite::Submit(Box::new(away))]).await.unwrap().submissions.remove(0).result;
    assert_eq!(refused.unwrap_err().code, "$AWAY");
}

/// It was let in before it was removed, when there was no session to close.
#[tokio::test]
async fn a_device_that_was_removed_while_it_came_in_is_closed() {
    let bench = Bench::new().await;
    let events = Events::new(bench.gateway.clone());
    bench.write(vec![PluginWrite::RemoveDevice(device("lamp"))]).await.unwrap();
    bench.left("close lamp", 1).await;
    events.opened(client("", "scripted", Some("lamp")), false).await;
    bench.left("close lamp", 2).await;
    events.opened(client("", "scripted", Some("door")), false).await;
    assert_eq!(bench.broker.times("close door"), 0);
}

/// What a persistent session subscribed to is kept until it says otherwise or its time is over.
#[test]
fn a_session_that_is_kept_is_there_after_a_kill_until_it_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let kept = |client_id: &str, gone_since_ms: Option<u64>| KeptSession {
        client_id: client_id.into(),
        username: None,
        dialect: "scripted".into(),
        principal: "somebody".into(),
        admitted_as: None,
        device: None,
        protocol_level: 4,
        expiry_s: 60,
        gone_since_ms,
        subscriptions: Vec::new(),
    };
    life(folder.path(), async |bench| {
        let events = Events::new(bench.gateway.clone());
        events.keep_session(kept("a", Some(5_000))).await;
        events.keep_session(kept("b", None)).await;
        events.keep_session(kept("c", None)).await;
        events.forget_session("c".into()).await;
    });
    life(folder.path(), async |bench| {
        let mut found = bench.gateway.engine.journal().mqtt_sessions().await.unwrap();
        found.sort_by(|one, other| one.client_id.cmp(&other.client_id));
        let ids: Vec<&str> = found.iter().map(|record| record.client_id.as_str()).collect();
        assert_eq!(ids, ["a", "b"]);
        assert_eq!(found[0].expires_ms, 65_000);
        assert!(found[1].expires_ms > bench.gateway.engine.now_ms() + 30_000, "{}", found[1].expires_ms);
    });
}
