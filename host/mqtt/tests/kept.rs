//! Persistent sessions, over reconnects and over a restart of the daemon.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(unreachable_pub)]
mod common;

use common::wire::{Client, Connect, v4, v5};
use common::{Heard, Setup, Stage, device, grant, message, open_policy, token};
use dragoman_mqtt::{Broker, Delivery, KeptSession};
use std::collections::BTreeMap;

/// What a store would hold.
fn stored(stage: &mut Stage) -> Vec<KeptSession> {
    let mut store = BTreeMap::new();
    for heard in stage.seen() {
        match heard {
            Heard::Keep(kept) => drop(store.insert(kept.client_id.clone(), kept)),
            Heard::Forget(client_id) => drop(store.remove(&client_id)),
            _ => {}
        }
    }
    // Through text and back, as a store does it.
    store.into_values().map(|kept| serde_json::from_str(&serde_json::to_string(&kept).unwrap()).unwrap()).collect()
}

async fn restarted(mut stage: Stage) -> Stage {
    stage.stop().await;
    let mut setup = Setup::new();
    setup.options.kept = stored(&mut stage);
    setup.start().await
}

async fn subscribed(stage: &Stage, connect: &Connect) -> Client {
    let (mut client, _) = Client::connect(stage.address, connect).await;
    assert_eq!(client.subscribe(&[("down/#", 1), ("news", 0)]).await, [1, 0]);
    client
}

#[tokio::test]
async fn firmware_that_subscribed_once_is_not_deaf_after_a_restart() {
    for connect in [v4("d1").kept(3600), v5("d1").kept(3600)] {
        for gone_before in [false, true] {
            let mut stage = Setup::new().start().await;
            let mut client = subscribed(&stage, &connect).await;
            client.unsubscribe("news").await;
            if gone_before {
                drop(client);
                stage.closed().await;
            }
            let mut stage = restarted(stage).await;
            assert_eq!(stage.broker.stats().kept, 1);
            // What other clients send to an absent persistent session waits, as MQTT says.
            assert_eq!(stage.broker.publish(None, &message("down/1", "early", 1), None).await, 1);
            assert_eq!(
                stage.broker.publish_to(&device("d1"), &message("down/2", "x", 1), true, 9, token(0)).await,
                Delivery::Away
            );
            let (mut client, connack) = Client::connect(stage.address, &connect).await;
            assert!(connack.session_present);
            let (session, resumed) = stage.opened().await;
            assert!(resumed);
            assert_eq!(client.take().await.payload, "early");
            let names: Vec<_> =
                stage.broker.subscriptions(&session.id).into_iter().map(|s| (s.filter, s.qos)).collect();
            assert_eq!(names, [("down/#".to_owned(), 1)]);
            assert_eq!(stage.broker.publish(None, &message("news", "x", 1), None).await, 0);
            let sent =
                stage.broker.publish_to(&device("d1"), &message("down/2", "now", 1), true, 9_999, token(1)).await;
            assert_eq!(sent, Delivery::Sent { receipt: true });
            assert_eq!(client.take().await.payload, "now");
            assert_eq!(stage.broker.publish(None, &message("down/3", "routed", 1), None).await, 1);
            assert_eq!(client.take().await.payload, "routed");
            client.nothing_more().await;
            // It survives a second restart without another SUBSCRIBE, and ends with its UNSUBSCRIBE.
            let stage = restarted(stage).await;
            let (mut client, connack) = Client::connect(stage.address, &connect).await;
            assert!(connack.session_present);
            client.ping().await;
            client.unsubscribe("down/#").await;
            assert_eq!(stage.broker.publish(None, &message("down/4", "x", 1), None).await, 0);
            stage.stop().await;
        }
    }
}

#[tokio::test]
async fn a_clean_connect_and_a_clean_session_leave_nothing() {
    let mut stage = Setup::new().start().await;
    subscribed(&stage, &v4("clean")).await;
    drop(subscribed(&stage, &v4("d1").kept(60)).await);
    assert_eq!(stored(&mut stage).len(), 1);
    let (_, connack) = Client::connect(stage.address, &v4("d1")).await;
    assert!(!connack.session_present);
    stage.hear(|heard| matches!(heard, Heard::Forget(id) if id == "d1").then_some(())).await;
    assert!(stored(&mut stage).is_empty());
    stage.stop().await;
}

#[tokio::test]
async fn a_session_expires_while_it_is_away_and_over_a_restart() {
    let mut stage = Setup::new().start().await;
    drop(subscribed(&stage, &v5("d1").kept(1)).await);
    stage.hear(|heard| matches!(heard, Heard::Forget(id) if id == "d1").then_some(())).await;
    assert_eq!(stage.broker.stats().kept, 0);

    drop(subscribed(&stage, &v5("d2").kept(3600)).await);
    let mut kept = stage
        .hear(|heard| match heard {
            Heard::Keep(kept) if kept.gone_since_ms.is_some() && kept.client_id == "d2" => Some(kept.clone()),
            _ => None,
        })
        .await;
    stage.stop().await;
    kept.gone_since_ms = Some(1);
    let mut setup = Setup::new();
    setup.options.kept = vec![kept];
    let mut stage = setup.start().await;
    stage.hear(|heard| matches!(heard, Heard::Forget(id) if id == "d2").then_some(())).await;
    let (_, connack) = Client::connect(stage.address, &v5("d2").kept(60)).await;
    assert!(!connack.session_present);
    stage.stop().await;
}

#[tokio::test]
async fn another_principal_does_not_get_a_restored_session() {
    let mut stage = Setup::new().start().await;
    let client = subscribed(&stage, &v4("id").user("alice").kept(60)).await;
    drop(client);
    stage.closed().await;
    let stage = restarted(stage).await;
    assert_eq!(Client::try_connect(stage.address, &v4("id").user("mallory").kept(60)).await.1.code, 5);
    let (_, connack) = Client::connect(stage.address, &v4("id").user("alice").kept(60)).await;
    assert!(connack.session_present);
    stage.stop().await;
}

#[tokio::test]
async fn the_subscriptions_of_an_absent_device_are_known_also_after_a_restart() {
    let mut stage = Setup::new().start().await;
    assert_eq!(stage.broker.device_subscriptions(&device("d1")), None);
    let client = subscribed(&stage, &v4("c1").user("d1").kept(60)).await;
    let words = |stage: &Stage| {
        let list = stage.broker.device_subscriptions(&device("d1")).unwrap();
        list.into_iter().map(|s| (s.filter, s.qos)).collect::<Vec<_>>()
    };
    let expected = [("down/#".to_owned(), 1), ("news".to_owned(), 0)];
    assert_eq!(words(&stage), expected);
    drop(client);
    stage.closed().await;
    assert_eq!(words(&stage), expected);
    let mut stage = restarted(stage).await;
    assert_eq!(words(&stage), expected);
    // It comes back and wants to be forgotten.
    let (client, _) = Client::connect(stage.address, &v4("c1").user("d1")).await;
    assert_eq!(words(&stage), []);
    drop(client);
    stage.closed().await;
    assert_eq!(stage.broker.device_subscriptions(&device("d1")), None);
    stage.stop().await;
}

#[tokio::test]
async fn a_restored_session_obeys_the_policy_of_today() {
    let stage = Setup::new().start().await;
    drop(subscribed(&stage, &v4("d1").kept(60)).await);
    let mut stage = stage;
    stage.closed().await;
    stage.stop().await;
    let mut setup = Setup::new();
    setup.options.kept = stored(&mut stage);
    setup.admit = Box::new(|attempt| {
        let mut policy = open_policy();
        policy.receive = vec!["down/2".into()];
        Ok(grant(attempt, policy))
    });
    let stage = setup.start().await;
    stage.broker.publish(None, &message("down/1", "no", 1), None).await;
    let (mut client, _) = Client::connect(stage.address, &v4("d1").kept(60)).await;
    stage.broker.publish(None, &message("down/1", "no", 1), None).await;
    stage.broker.publish(None, &message("down/2", "yes", 1), None).await;
    assert_eq!(client.take().await.payload, "yes");
    client.nothing_more().await;
    stage.stop().await;
}

#[tokio::test]
async fn what_a_client_ends_at_once_after_it_resumed_stays_ended() {
    let stage = Setup::new().start().await;
    let connect = v4("d1").kept(60);
    for round in 0..30 {
        let (mut client, _) = Client::connect(stage.address, &connect).await;
        client.subscribe(&[("down", 1)]).await;
        // The library hands over what was left behind at the same time as it reads this.
        let mut again = Client::begin(stage.address, &connect).await;
        again.send(&[0xa2, 8, 0, 8, 0, 4, b'd', b'o', b'w', b'n']).await;
        assert_eq!(again.packet().await.unwrap().first, 0x20);
        assert_eq!(again.packet().await.unwrap().first, 0xb0);
        again.ping().await;
        assert_eq!(stage.broker.publish(None, &message("down", "x", 1), None).await, 0, "round {round}");
        assert_eq!(stage.broker.device_subscriptions(&device("d1")), Some(Vec::new()));
    }
    stage.stop().await;
}
