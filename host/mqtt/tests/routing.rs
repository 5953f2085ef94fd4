//! Who gets what is published: subscriptions, implicit ones, policies, retained messages.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(unreachable_pub)]
mod common;

use common::wire::{Client, v4, v5};
use common::{Setup, device, grant, message, open_policy, token};
use dragoman_core::{Policy, Subscription};
use dragoman_mqtt::{Broker, Delivery};

fn implicit(filter: &str, qos: u8) -> Policy {
    Policy { implicit: vec![Subscription { filter: filter.to_owned(), qos }], ..open_policy() }
}

const SYS: &str = "$oc/devices/d1/sys/x";

/// Two sessions have the implicit subscription: the device and the sender.
async fn one_copy(sender: &mut Client, device: &mut Client, qos: u8) {
    assert_eq!(sender.publish(SYS, "x").await, 0);
    assert_eq!(sender.take().await.topic, SYS);
    let got = device.take().await;
    assert_eq!((got.topic.as_str(), got.qos), (SYS, qos));
    device.nothing_more().await;
}

#[tokio::test]
async fn implicit_and_explicit_subscriptions_give_one_copy_with_the_higher_qos() {
    for connect in [v4("d1"), v5("d1")] {
        let stage = Setup::new().policy(implicit("$oc/devices/+/sys/#", 0)).start().await;
        let (mut device1, _) = Client::connect(stage.address, &connect).await;
        let (mut sender, _) = Client::connect(stage.address, &v4("app")).await;
        one_copy(&mut sender, &mut device1, 0).await;
        assert_eq!(
            device1.subscribe(&[("$oc/devices/+/sys/#", 1), (SYS, 0), ("$oc/devices/d1/#", 0)]).await,
            [1, 0, 0]
        );
        one_copy(&mut sender, &mut device1, 1).await;
        device1.unsubscribe("$oc/devices/+/sys/#").await;
        one_copy(&mut sender, &mut device1, 0).await;
        device1.unsubscribe(SYS).await;
        device1.unsubscribe("$oc/devices/d1/#").await;
        one_copy(&mut sender, &mut device1, 0).await;
        stage.stop().await;
    }
}

#[tokio::test]
async fn implicit_subscriptions_end_with_their_session() {
    let mut stage = Setup::new().policy(implicit("auto/#", 1)).start().await;
    let (mut device1, _) = Client::connect(stage.address, &v4("d1").kept(60)).await;
    assert_eq!(stage.broker.publish(None, &message("auto/1", "x", 1), None).await, 1);
    device1.take().await;
    let session = stage.broker.session_of(&device("d1")).unwrap();
    assert!(stage.broker.subscriptions(&session.id).is_empty(), "it did not ask for it");
    drop(device1);
    stage.closed().await;
    assert_eq!(stage.broker.publish(None, &message("auto/1", "x", 1), None).await, 0);
    stage.stop().await;
}

#[tokio::test]
async fn wildcards_do_not_show_topics_that_begin_with_a_dollar() {
    let stage = Setup::new().start().await;
    let (mut all, _) = Client::connect(stage.address, &v4("all")).await;
    assert_eq!(all.subscribe(&[("#", 1), ("+/devices/d1", 1)]).await, [1, 1]);
    for topic in ["$oc/devices/d1", "$globex/devices/d1"] {
        assert_eq!(stage.broker.publish(None, &message(topic, "x", 1), None).await, 0);
    }
    assert_eq!(all.subscribe(&[("$oc/devices/#", 1)]).await, [1]);
    assert_eq!(stage.broker.publish(None, &message("$oc/devices/d1", "x", 1), None).await, 1);
    assert_eq!(all.take().await.topic, "$oc/devices/d1");
    assert_eq!(stage.broker.publish(None, &message("plain/devices/d1", "x", 1), None).await, 1);
    assert_eq!(all.take().await.topic, "plain/devices/d1");
    all.nothing_more().await;
    // Behind the first level it is a character like others, in filters too.
    for filter in ["#", "+/devices/d1", "$oc/devices/#"] {
        all.unsubscribe(filter).await;
    }
    for filter in ["things/d1/$added", "plain/#", "things/+/$added/#"] {
        assert_eq!(all.subscribe(&[(filter, 1)]).await, [1]);
        let topic = if filter == "plain/#" { "plain/$x" } else { "things/d1/$added" };
        assert_eq!(stage.broker.publish(None, &message(topic, "x", 1), None).await, 1, "{filter}");
        assert_eq!(all.take().await.topic, topic);
        all.unsubscribe(filter).await;
    }
    stage.stop().await;
}

#[tokio::test]
async fn a_policy_refuses_without_ending_the_connection() {
    let policy = Policy {
        publish: vec!["up/d1/#".into()],
        subscribe: vec!["down/d1/#".into()],
        receive: vec!["#".into()],
        implicit: Vec::new(),
    };
    for (connect, not_authorized, refused) in [(v4("d1"), 0x80, 0), (v5("d1"), 0x87, 0x87)] {
        let mut stage = Setup::new().policy(policy.clone()).start().await;
        let (mut device1, _) = Client::connect(stage.address, &connect).await;
        let codes = device1.subscribe(&[("down/d1/+", 1), ("down/+/x", 1), ("#", 0), ("down/d1/#", 1)]).await;
        assert_eq!(codes, [1, not_authorized, not_authorized, 1]);
        assert_eq!(device1.publish("up/d2/x", "x").await, refused);
        assert_eq!(device1.publish("up/d1/x", "mine").await, 0);
        assert_eq!(stage.inbound().await.topic, "up/d1/x");
        device1.ping().await;
        let stats = stage.broker.stats();
        assert_eq!((stats.refused_publishes, stats.refused_subscriptions, stats.inbound), (1, 2, 1));
        stage.stop().await;
    }
}

#[tokio::test]
async fn the_receive_filter_holds_for_routed_retained_and_targeted_messages() {
    let receive = Policy { receive: vec!["seen/#".into()], ..open_policy() };
    let mut setup = Setup::new();
    setup.admit = Box::new(move |attempt| {
        let policy = if attempt.session.client_id == "d1" { receive.clone() } else { open_policy() };
        Ok(grant(attempt, policy))
    });
    let stage = setup.start().await;
    let mut kept = message("hidden/r", "x", 1);
    kept.retain = true;
    stage.broker.publish(None, &kept, None).await;
    kept.topic = "seen/r".into();
    stage.broker.publish(None, &kept, None).await;
    let (mut device1, _) = Client::connect(stage.address, &v4("d1")).await;
    let (mut sender, _) = Client::connect(stage.address, &v4("app")).await;
    assert_eq!(device1.subscribe(&[("#", 1)]).await, [1]);
    let retained = device1.take().await;
    assert_eq!((retained.topic.as_str(), retained.retain), ("seen/r", true));
    sender.publish("hidden/1", "x").await;
    sender.publish("seen/1", "x").await;
    assert_eq!(device1.take().await.topic, "seen/1");
    let targeted = message("hidden/2", "x", 1);
    assert_eq!(stage.broker.publish_to(&device("d1"), &targeted, false, 9_999, token(0)).await, Delivery::NoSubscriber);
    device1.nothing_more().await;
    stage.stop().await;
}

#[tokio::test]
async fn retained_messages_are_bounded_and_can_be_cleared() {
    let mut setup = Setup::new();
    setup.options.max_retained = 2;
    let stage = setup.start().await;
    let (mut client, _) = Client::connect(stage.address, &v4("c")).await;
    for (id, topic) in (1..).zip(["r/1", "r/2", "r/3"]) {
        client.send_publish(topic, "v", 1, true, id).await;
        client.acknowledged(0x40).await;
    }
    client.send_publish("r/1", "", 1, true, 9).await;
    client.acknowledged(0x40).await;
    client.subscribe(&[("r/#", 0)]).await;
    assert_eq!(client.take().await.topic, "r/2");
    client.nothing_more().await;
    stage.stop().await;
}

#[tokio::test]
async fn what_one_dialect_retained_no_other_replaces_or_clears() {
    let stage = Setup::new().start().await;
    for (dialect, payload) in [("test", "old"), ("other", "of another"), ("other", ""), ("test", "new")] {
        let mut retained = message("r/1", payload, 1);
        retained.retain = true;
        stage.broker.publish(Some(dialect), &retained, None).await;
        // Who comes now is told what is there.
        let (mut client, _) = Client::connect(stage.address, &v4("c")).await;
        client.subscribe(&[("r/#", 1)]).await;
        let expected = if dialect == "test" { payload } else { "old" };
        assert_eq!(client.take().await.payload, expected, "after {dialect} said {payload:?}");
        client.nothing_more().await;
    }
    stage.stop().await;
}

#[tokio::test]
async fn a_shared_subscription_serves_one_member_at_a_time() {
    let stage = Setup::new().start().await;
    let (mut one, _) = Client::connect(stage.address, &v4("m1")).await;
    let (mut two, _) = Client::connect(stage.address, &v5("m2")).await;
    for member in [&mut one, &mut two] {
        assert_eq!(member.subscribe(&[("$share/g/$oc/up/#", 1)]).await, [1]);
    }
    for _ in 0..10 {
        assert_eq!(stage.broker.publish(None, &message("$oc/up/1", "x", 1), None).await, 1);
    }
    for member in [&mut one, &mut two] {
        for _ in 0..5 {
            assert_eq!(member.take().await.topic, "$oc/up/1");
        }
        member.nothing_more().await;
    }
    stage.stop().await;
}

#[tokio::test]
async fn subscriptions_and_topics_have_limits() {
    let mut setup = Setup::new();
    setup.options.max_subscriptions = 2;
    setup.options.max_topic_bytes = 20;
    let stage = setup.start().await;
    let (mut client, _) = Client::connect(stage.address, &v5("c")).await;
    let long = "t/0123456789012345678";
    assert_eq!(client.subscribe(&[("a", 1), ("b", 1), ("c", 1), ("a", 0), (long, 0)]).await, [1, 1, 0x97, 0, 0x8f]);
    assert_eq!(client.subscribe(&[("a#", 1), ("#/a", 1)]).await, [0x8f, 0x8f]);
    assert_eq!(client.publish(long, "x").await, 0x90);
    client.ping().await;
    stage.stop().await;
}
