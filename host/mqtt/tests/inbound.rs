//! What clients send: acknowledged after the daemon, consumed or routed, refused with a code.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(unreachable_pub)]
mod common;

use common::wire::{Client, v4, v5};
use common::{Heard, Setup, message};
use dragoman_core::Payload;
use dragoman_mqtt::{Broker, InboundVerdict};
use std::sync::Arc;
use tokio::sync::Semaphore;

#[tokio::test]
async fn the_acknowledgement_waits_for_the_daemon() {
    for (qos, answer) in [(1, 0x40), (2, 0x50)] {
        let gate = Arc::new(Semaphore::new(0));
        let mut setup = Setup::new();
        setup.gate = Some(gate.clone());
        let mut stage = setup.start().await;
        let (mut client, _) = Client::connect(stage.address, &v4("c")).await;
        let (mut other, _) = Client::connect(stage.address, &v4("other")).await;
        client.send_publish("up", "x", qos, false, 5).await;
        assert_eq!(stage.inbound().await.topic, "up");
        // Whoever else talks to the broker is served meanwhile, and still there is no answer to the first.
        other.ping().await;
        let mut none = [0; 1];
        let unread = client.io.try_read(&mut none);
        assert_eq!(unread.unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
        gate.add_permits(1);
        assert_eq!(client.acknowledged(answer).await, 0);
        stage.stop().await;
    }
}

#[tokio::test]
async fn a_subscription_does_not_overtake_what_was_sent_before() {
    for connect in [v4("c"), v5("c")] {
        let gate = Arc::new(Semaphore::new(0));
        let mut setup = Setup::new();
        setup.gate = Some(gate.clone());
        let mut stage = setup.start().await;
        let (mut client, _) = Client::connect(stage.address, &connect).await;
        let (mut other, _) = Client::connect(stage.address, &v4("other")).await;
        client.send_publish("login", "x", 0, false, 0).await;
        assert_eq!(stage.inbound().await.topic, "login");
        client.send_subscribe(&[("a/#", 1)]).await;
        // The daemon still thinks about the message; whoever else talks to the broker is served meanwhile.
        other.ping().await;
        let mut none = [0; 1];
        let unread = client.io.try_read(&mut none);
        assert_eq!(unread.unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
        gate.add_permits(1);
        assert_eq!(client.granted().await, [1]);
        stage.stop().await;
    }
}

#[tokio::test]
async fn each_qos_arrives_once() {
    let mut stage = Setup::new().start().await;
    let (mut client, _) = Client::connect(stage.address, &v4("c")).await;
    client.send_publish("up", "0", 0, false, 0).await;
    client.send_publish("up", "1", 1, false, 1).await;
    client.acknowledged(0x40).await;
    for _ in 0..2 {
        // The second is the same message, sent again because PUBREC seemed lost.
        client.send_publish("up", "2", 2, false, 2).await;
        client.acknowledged(0x50).await;
    }
    client.send(&[0x62, 2, 0, 2]).await;
    client.acknowledged(0x70).await;
    for qos in 0..3 {
        let message = stage.inbound().await;
        assert_eq!((message.qos, message.payload), (qos, Payload::Text(qos.to_string())));
    }
    assert_eq!(stage.broker.stats().inbound, 3);
    stage.stop().await;
}

#[tokio::test]
async fn what_the_daemon_takes_goes_nowhere_else() {
    let mut setup = Setup::new();
    setup.judge = Box::new(|message| match message.topic.as_str() {
        "mine" | "mine/$x" => InboundVerdict::Accept,
        "bad" => InboundVerdict::Refuse(0x99),
        "odd" => InboundVerdict::Refuse(1),
        _ => InboundVerdict::Route,
    });
    let stage = setup.start().await;
    let (mut listener, _) = Client::connect(stage.address, &v4("l")).await;
    listener.subscribe(&[("#", 1)]).await;
    let (mut client, _) = Client::connect(stage.address, &v5("c")).await;
    client.send_publish("mine", "kept?", 1, true, 3).await;
    assert_eq!(client.acknowledged(0x40).await, 0);
    assert_eq!(client.publish("mine/$x", "x").await, 0);
    assert_eq!(client.publish("bad", "x").await, 0x99);
    assert_eq!(client.publish("odd", "x").await, 0x80);
    assert_eq!(client.publish("free", "x").await, 0);
    assert_eq!(listener.take().await.topic, "free");
    assert_eq!(client.publish("free/$x", "x").await, 0);
    assert_eq!(listener.take().await.topic, "free/$x");
    // The broker library cannot keep such a topic.
    client.send_publish("free/$x", "x", 1, true, 4).await;
    assert_eq!(client.acknowledged(0x40).await, 0x90);
    listener.nothing_more().await;
    assert_eq!(client.subscribe(&[("mine", 1)]).await, [1]);
    client.nothing_more().await;
    // A 3.1.1 client has no way to see a refusal.
    assert_eq!(listener.publish("bad", "x").await, 0);
    stage.stop().await;
}

#[tokio::test]
async fn a_last_will_comes_by_the_same_way_and_not_after_a_goodbye() {
    let mut setup = Setup::new();
    setup.judge =
        Box::new(|message| if message.topic == "will/mine" { InboundVerdict::Accept } else { InboundVerdict::Route });
    let mut stage = setup.start().await;
    let (mut listener, _) = Client::connect(stage.address, &v4("l")).await;
    listener.subscribe(&[("will/#", 1)]).await;
    for (topic, goodbye) in [("will/mine", false), ("will/quiet", true), ("will/free", false)] {
        let mut connect = v5("c");
        connect.will = Some((topic.into(), "gone".into()));
        let (mut client, _) = Client::connect(stage.address, &connect).await;
        if goodbye {
            client.disconnect().await;
        }
        drop(client);
        stage.closed().await;
    }
    assert_eq!(listener.take().await.topic, "will/free");
    listener.nothing_more().await;
    assert_eq!(stage.broker.stats().inbound, 2);
    stage.stop().await;
}

#[tokio::test]
async fn mqtt_5_properties_arrive_as_attributes_and_go_on() {
    let mut stage = Setup::new().start().await;
    let (mut listener, _) = Client::connect(stage.address, &v5("l")).await;
    listener.subscribe(&[("up", 0)]).await;
    let (mut client, _) = Client::connect(stage.address, &v5("c")).await;
    let properties =
        [&[0x03, 0, 1, b'j'][..], &[0x08, 0, 1, b'r'], &[0x09, 0, 1, b'c'], &[0x26, 0, 1, b'a', 0, 1, b'b']].concat();
    let mut body = vec![0, 2, b'u', b'p', properties.len() as u8];
    body.extend(&properties);
    body.extend(b"x");
    client.send(&common::wire::packet(0x30, &body)).await;
    let attributes = stage.inbound().await.attributes;
    let expected =
        [("mqtt.content-type", "j"), ("mqtt.response-topic", "r"), ("mqtt.correlation-data", "c"), ("a", "b")];
    assert_eq!(attributes, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(listener.take().await.properties.len(), properties.len());
    let mut again = message("up", "y", 0);
    again.attributes = attributes;
    stage.broker.publish(None, &again, None).await;
    assert_eq!(listener.take().await.properties.len(), properties.len());
    stage.stop().await;
}

#[tokio::test]
async fn messages_of_qos_0_do_not_wait_for_each_other_and_stay_in_order() {
    let gate = Arc::new(Semaphore::new(0));
    let mut setup = Setup::new();
    setup.gate = Some(gate.clone());
    let mut stage = setup.start().await;
    let (mut listener, _) = Client::connect(stage.address, &v4("l")).await;
    listener.subscribe(&[("#", 0)]).await;
    let (mut client, _) = Client::connect(stage.address, &v4("c")).await;
    for topic in ["slow/1", "free/2", "slow/3", "free/4"] {
        client.send_publish(topic, "x", 0, false, 0).await;
    }
    // All of them are with the daemon, and none went on; the client is not held up.
    for topic in ["slow/1", "free/2", "slow/3", "free/4"] {
        assert_eq!(stage.inbound().await.topic, topic);
    }
    client.ping().await;
    listener.nothing_more().await;
    // What is to be acknowledged waits for all before it.
    client.send_publish("free/5", "x", 1, false, 5).await;
    gate.add_permits(1);
    for topic in ["slow/1", "free/2"] {
        assert_eq!(listener.message().await.topic, topic);
    }
    listener.nothing_more().await;
    assert!(!stage.seen().iter().any(|heard| matches!(heard, Heard::Inbound(_, message) if message.topic == "free/5")));
    gate.add_permits(1);
    client.acknowledged(0x40).await;
    for topic in ["slow/3", "free/4", "free/5"] {
        assert_eq!(listener.message().await.topic, topic);
    }
    stage.stop().await;
}

#[tokio::test]
async fn what_a_client_said_before_it_left_is_told_before_that() {
    let gate = Arc::new(Semaphore::new(0));
    let mut setup = Setup::new();
    setup.gate = Some(gate.clone());
    let mut stage = setup.start().await;
    let (mut listener, _) = Client::connect(stage.address, &v4("l")).await;
    listener.subscribe(&[("#", 0)]).await;
    let mut connect = v4("c");
    connect.will = Some(("free/will".into(), "gone".into()));
    let (mut client, _) = Client::connect(stage.address, &connect).await;
    client.send_publish("last/word", "x", 0, true, 0).await;
    assert_eq!(stage.inbound().await.topic, "last/word");
    drop(client);
    listener.nothing_more().await;
    gate.add_permits(1);
    for topic in ["last/word", "free/will"] {
        assert_eq!(listener.take().await.topic, topic);
    }
    stage.closed().await;
    listener.subscribe(&[("last/#", 0)]).await;
    assert!(listener.take().await.retain);
    stage.stop().await;
}
