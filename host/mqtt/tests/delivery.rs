//! Messages of the daemon to one device, and their receipts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(unreachable_pub)]
mod common;

use common::wire::{Client, v4, v5};
use common::{Setup, device, message, open_policy, token};
use dragoman_core::{Policy, Subscription};
use dragoman_mqtt::{Broker, Delivery, DeliveryToken, Receipt};
use std::collections::HashSet;

const MINUTE_MS: u64 = 60_000;
const SENT: Delivery = Delivery::Sent { receipt: true };

#[tokio::test]
async fn a_device_that_never_subscribed_gets_it_and_its_puback_is_the_receipt() {
    for connect in [v4("d1"), v5("d1")] {
        let mut stage = Setup::new().start().await;
        let (mut device1, _) = Client::connect(stage.address, &connect).await;
        stage.opened().await;
        let sent = message("$oc/devices/d1/sys/commands/request_id=7", "{}", 1);
        assert_eq!(stage.broker.publish_to(&device("d1"), &sent, false, MINUTE_MS, token(0)).await, SENT);
        let got = device1.message().await;
        assert_eq!((got.topic.as_str(), got.payload.as_str(), got.qos), (sent.topic.as_str(), "{}", 1));
        assert!(stage.receipts().is_empty(), "no receipt before the PUBACK");
        device1.puback(got.id).await;
        assert_eq!(stage.receipt().await, (token(0), Receipt::Acked));
        device1.nothing_more().await;
        assert_eq!(stage.broker.stats().outstanding, 0);
        stage.stop().await;
    }
}

#[tokio::test]
async fn an_mqtt_5_device_sees_the_expiry_and_no_property_of_ours() {
    let stage = Setup::new().start().await;
    let (mut device1, _) = Client::connect(stage.address, &v5("d1")).await;
    let plain = message("down", "x", 1);
    stage.broker.publish_to(&device("d1"), &plain, false, 30_500, token(0)).await;
    let got = device1.take().await;
    // Only "message expiry interval": of the 31 seconds that were asked for, one that has begun is not counted.
    assert!(matches!(got.properties[..], [0x02, 0, 0, 0, 30 | 31]), "{:?}", got.properties);

    let mut own = plain;
    own.attributes = vec![("mqtt.correlation-data".into(), "k".into()), ("a".into(), "b".into())];
    stage.broker.publish_to(&device("d1"), &own, false, MINUTE_MS, token(1)).await;
    let got = device1.take().await;
    let mut properties = got.properties.clone();
    for part in [&[0x09, 0, 1, b'k'][..], &[0x26, 0, 1, b'a', 0, 1, b'b'][..]] {
        let at = properties.windows(part.len()).position(|window| window == part).expect("its own property");
        properties.drain(at..at + part.len());
    }
    assert_eq!(properties.len(), 5, "and the expiry: {properties:?}");
    stage.stop().await;
}

#[tokio::test]
async fn an_absent_device_gets_nothing_and_nothing_later() {
    let mut stage = Setup::new().start().await;
    let broker = stage.broker.clone();
    let (mut first, _) = Client::connect(stage.address, &v4("d1").kept(600)).await;
    first.subscribe(&[("down", 1)]).await;
    drop(first);
    stage.closed().await;
    assert_eq!(
        broker.publish_to(&device("d1"), &message("down", "x", 1), false, MINUTE_MS, token(0)).await,
        Delivery::Away
    );
    assert_eq!(
        broker.publish_to(&device("d9"), &message("down", "x", 1), false, MINUTE_MS, token(1)).await,
        Delivery::Away
    );
    let (mut again, connack) = Client::connect(stage.address, &v4("d1").kept(600)).await;
    assert!(connack.session_present);
    again.nothing_more().await;
    assert!(stage.receipts().is_empty());
    stage.stop().await;
}

#[tokio::test]
async fn what_was_in_flight_is_lost_once_and_never_delivered_to_the_next_session() {
    for connect in [v4("d1").kept(600), v5("d1").kept(600), v4("d1")] {
        let mut setup = Setup::new();
        setup.options.max_inflight = 5;
        let mut stage = setup.start().await;
        let (mut first, _) = Client::connect(stage.address, &connect).await;
        for index in 0..20 {
            let sent = message("down", "x", 1);
            assert_eq!(stage.broker.publish_to(&device("d1"), &sent, false, MINUTE_MS, token(index)).await, SENT);
        }
        for _ in 0..5 {
            first.message().await;
        }
        // The same client comes again while 5 messages are in flight and 15 wait.
        let (mut again, connack) = Client::connect(stage.address, &connect).await;
        assert_eq!(connack.session_present, !connect.clean);
        stage.closed().await;
        again.nothing_more().await;
        again.nothing_more().await;
        let receipts = stage.receipts();
        assert_eq!(receipts.len(), 20, "{receipts:?}");
        assert!(receipts.iter().all(|(_, receipt)| matches!(receipt, Receipt::Lost(_))));
        let tokens: HashSet<_> = receipts.iter().map(|(token, _)| token.index).collect();
        assert_eq!(tokens.len(), 20);
        // And the new session is as good as new.
        stage.broker.publish_to(&device("d1"), &message("down", "y", 1), false, MINUTE_MS, token(99)).await;
        assert_eq!(again.take().await.payload, "y");
        assert_eq!(stage.receipt().await, (token(99), Receipt::Acked));
        stage.stop().await;
    }
}

#[tokio::test]
async fn a_flood_and_a_reset_leave_no_token_open() {
    let mut stage = Setup::new().start().await;
    let (device1, _) = Client::connect(stage.address, &v4("d1")).await;
    stage.opened().await;
    let mut sent = 0;
    for index in 0..1000 {
        let delivery =
            stage.broker.publish_to(&device("d1"), &message("down", "x", 1), false, MINUTE_MS, token(index)).await;
        sent += usize::from(delivery == SENT);
    }
    device1.reset();
    stage.closed().await;
    let receipts = stage.receipts();
    let tokens: HashSet<_> = receipts.iter().map(|(token, _)| token.index).collect();
    assert_eq!((receipts.len(), tokens.len()), (sent, sent));
    assert_eq!(stage.broker.stats().outstanding, 0);
    stage.stop().await;
}

#[tokio::test]
async fn subscribed_only_needs_a_subscription_and_takes_the_lower_qos() {
    let implicit = vec![Subscription { filter: "auto/#".into(), qos: 0 }];
    let stage = Setup::new().policy(Policy { implicit, ..open_policy() }).start().await;
    let (mut device1, _) = Client::connect(stage.address, &v4("d1")).await;
    let send = async |topic: &str, qos, only| {
        stage.broker.publish_to(&device("d1"), &message(topic, "x", qos), only, MINUTE_MS, token(0)).await
    };
    assert_eq!(send("down", 1, true).await, Delivery::NoSubscriber);
    device1.subscribe(&[("down", 0)]).await;
    assert_eq!(send("down", 1, true).await, Delivery::Sent { receipt: false });
    assert_eq!(device1.take().await.qos, 0);
    device1.subscribe(&[("down", 1)]).await;
    assert_eq!(send("down", 1, true).await, SENT);
    assert_eq!(device1.take().await.qos, 1);
    assert_eq!(send("auto/1", 1, true).await, Delivery::Sent { receipt: false });
    assert_eq!(device1.take().await.topic, "auto/1");
    device1.unsubscribe("down").await;
    assert_eq!(send("down", 1, true).await, Delivery::NoSubscriber);
    assert_eq!(send("down", 1, false).await, SENT);
    assert_eq!(device1.take().await.qos, 1);
    stage.stop().await;
}

#[tokio::test]
async fn limits_are_told() {
    let mut setup = Setup::new().policy(Policy { receive: vec!["down/#".into()], ..open_policy() });
    setup.options.max_outstanding = 3;
    let mut stage = setup.start().await;
    let mut connect = v5("d1");
    connect.max_packet_bytes = Some(200);
    let (mut device1, _) = Client::connect(stage.address, &connect).await;
    let broker = stage.broker.clone();
    let send = async |topic: &str, payload: &str, index| {
        broker.publish_to(&device("d1"), &message(topic, payload, 1), false, MINUTE_MS, token(index)).await
    };
    assert_eq!(send("up", "x", 0).await, Delivery::NoSubscriber);
    assert_eq!(send("down/+", "x", 0).await, Delivery::Invalid);
    assert_eq!(send("down/1", &"x".repeat(200), 0).await, Delivery::Invalid);
    for index in 0..3 {
        assert_eq!(send("down/1", "x", index).await, SENT);
    }
    assert_eq!(send("down/1", "x", 3).await, Delivery::Full);
    device1.take().await;
    stage.receipt().await;
    assert_eq!(send("down/1", "x", 4).await, SENT);
    stage.stop().await;
}

#[tokio::test]
async fn what_expires_while_it_waits_is_lost_and_not_delivered() {
    let mut setup = Setup::new();
    setup.options.max_inflight = 1;
    let mut stage = setup.start().await;
    let (mut device1, _) = Client::connect(stage.address, &v4("d1")).await;
    let send = async |index, ms| {
        stage.broker.publish_to(&device("d1"), &message("down", "x", 1), false, ms, token(index)).await
    };
    send(0, MINUTE_MS).await;
    send(1, 20).await;
    let first = device1.message().await;
    let (late, receipt) = stage.receipt().await;
    assert_eq!(late, token(1));
    assert!(matches!(receipt, Receipt::Lost(why) if why.contains("expired")));
    device1.puback(first.id).await;
    assert_eq!(stage.receipt().await, (token(0), Receipt::Acked));
    device1.nothing_more().await;
    assert_eq!(stage.receipts().len(), 2);
    stage.stop().await;
}

#[tokio::test]
async fn what_waits_behind_others_can_be_taken_back_and_what_is_on_the_wire_cannot() {
    for connect in [v4("d1"), v5("d1")] {
        let mut setup = Setup::new();
        setup.options.max_inflight = 1;
        setup.options.max_outstanding = 4;
        let mut stage = setup.start().await;
        let (mut device1, _) = Client::connect(stage.address, &connect).await;
        let broker = stage.broker.clone();
        let attempt = |attempt| DeliveryToken { attempt, ..token(0) };
        let send = async |number: u32, qos| {
            let message = message("down", &number.to_string(), qos);
            broker.publish_to(&device("d1"), &message, false, MINUTE_MS, attempt(number)).await
        };
        let withdraw = |number| broker.withdraw(&device("d1"), &attempt(number).execution, number);
        send(0, 1).await;
        let first = device1.message().await;
        send(1, 1).await;
        send(2, 0).await;
        send(3, 1).await;
        assert_eq!(withdraw(0), 0, "it is on the wire");
        assert_eq!((withdraw(1), withdraw(2)), (1, 1));
        assert_eq!((withdraw(1), withdraw(9)), (0, 0));
        assert_eq!(broker.withdraw(&device("d2"), &attempt(3).execution, 3), 0, "it is another device's");
        assert_eq!(send(4, 1).await, Delivery::Full, "the places are free when their turn comes");
        device1.puback(first.id).await;
        assert_eq!(stage.receipt().await, (attempt(0), Receipt::Acked));
        assert_eq!(device1.take().await.payload, "3");
        assert_eq!(stage.receipt().await, (attempt(3), Receipt::Acked));
        assert_eq!(withdraw(3), 0, "it was delivered");
        assert_eq!(send(4, 1).await, SENT);
        assert_eq!(device1.take().await.payload, "4");
        device1.nothing_more().await;
        stage.receipt().await;
        // Nothing is told of what was withdrawn, also not when the session ends.
        send(5, 1).await;
        device1.message().await;
        send(6, 1).await;
        assert_eq!(withdraw(6), 1);
        drop(device1);
        stage.closed().await;
        let told: Vec<_> = stage.receipts().into_iter().map(|(token, _)| token.attempt).collect();
        assert_eq!(told, [0, 3, 4, 5]);
        stage.stop().await;
    }
}
