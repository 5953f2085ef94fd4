//! Starting, stopping, living side by side, and clients that do not behave.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(unreachable_pub)]
mod common;

use common::wire::{Client, v4, v5};
use common::{Heard, Setup, device, message, token};
use dragoman_mqtt::{
    Broker, BrokerError, CloseReason, Delivery, EmbeddedBroker, EmbeddedOptions, ListenerOptions, Receipt,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

#[tokio::test]
async fn two_brokers_in_a_process_do_not_know_each_other() {
    let (mut one, mut two) = (Setup::new().start().await, Setup::new().start().await);
    let (mut client1, _) = Client::connect(one.address, &v4("same")).await;
    let (mut client2, _) = Client::connect(two.address, &v4("same")).await;
    for client in [&mut client1, &mut client2] {
        client.subscribe(&[("t", 1)]).await;
    }
    assert_ne!(one.opened().await.0.id, two.opened().await.0.id);
    assert_eq!(one.broker.publish(None, &message("t", "one", 1), None).await, 1);
    assert_eq!(client1.take().await.payload, "one");
    client2.nothing_more().await;
    one.stop().await;
    client1.closed().await;
    client2.ping().await;
    assert_eq!(two.broker.publish(None, &message("t", "two", 1), None).await, 1);
    assert_eq!(client2.take().await.payload, "two");
    two.stop().await;
}

#[tokio::test]
async fn a_broker_stops_and_starts_again_on_its_port() {
    let mut address = ([127, 0, 0, 1], 0).into();
    for round in 0..5 {
        let mut setup = Setup::new();
        setup.options.listeners[0].address = address;
        let mut stage = setup.start().await;
        address = stage.address;
        let (mut client, _) = Client::connect(address, &v4("c")).await;
        let (_absent, _) = Client::connect(address, &v5("kept").kept(60)).await;
        stage.broker.publish_to(&device("c"), &message("t", "x", 1), false, 9_999, token(round)).await;
        client.message().await;
        stage.stop().await;
        client.closed().await;
        let (lost, receipt) = stage.receipt().await;
        assert!(lost == token(round) && matches!(receipt, Receipt::Lost(_)));
        let closed = stage.seen().iter().filter(|heard| matches!(heard, Heard::Closed(_, CloseReason::ByHost))).count();
        assert_eq!(closed, 2);
        stage.stop().await;
        let delivery = stage.broker.publish_to(&device("c"), &message("t", "x", 1), false, 1, token(0)).await;
        assert_eq!((delivery, stage.broker.publish(None, &message("t", "x", 1), None).await), (Delivery::Away, 0));
    }
}

#[tokio::test]
async fn a_broker_may_be_dropped() {
    let stage = Setup::new().start().await;
    let (mut client, _) = Client::connect(stage.address, &v4("c")).await;
    drop(stage);
    client.closed().await;
}

#[tokio::test]
async fn start_says_what_is_wrong() {
    struct Nobody;
    #[async_trait::async_trait]
    impl dragoman_mqtt::BrokerEvents for Nobody {
        async fn authenticate(
            &self,
            _: dragoman_mqtt::ConnectAttempt,
        ) -> Result<dragoman_core::Grant, dragoman_core::ConnectRefusal> {
            Err(dragoman_core::ConnectRefusal::NotAuthorized)
        }
        async fn opened(&self, _: Arc<dragoman_core::Session>, _: bool) {}
        async fn closed(&self, _: Arc<dragoman_core::Session>, _: CloseReason) {}
        async fn inbound(
            &self,
            _: Arc<dragoman_core::Session>,
            _: dragoman_core::Message,
        ) -> dragoman_mqtt::InboundVerdict {
            dragoman_mqtt::InboundVerdict::Accept
        }
        async fn subscribing(
            &self,
            _: Arc<dragoman_core::Session>,
            _: dragoman_core::Subscription,
        ) -> dragoman_mqtt::SubscribeVerdict {
            dragoman_mqtt::SubscribeVerdict::Refuse
        }
        async fn subscribed(&self, _: Arc<dragoman_core::Session>, _: dragoman_core::Subscription) {}
        async fn unsubscribed(&self, _: Arc<dragoman_core::Session>, _: String) {}
        fn receipt(&self, _: dragoman_mqtt::DeliveryToken, _: Receipt) {}
        async fn keep_session(&self, _: dragoman_mqtt::KeptSession) {}
        async fn forget_session(&self, _: String) {}
    }
    let start = async |listeners| EmbeddedBroker::start(EmbeddedOptions::new(listeners), Arc::new(Nobody)).await.err();
    let any = || ListenerOptions::new("main", ([127, 0, 0, 1], 0).into());
    assert!(matches!(start(Vec::new()).await, Some(BrokerError::Options { .. })));
    assert!(matches!(start(vec![any(), any()]).await, Some(BrokerError::Options { .. })));
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let mut listener = any();
    listener.address = taken.local_addr().unwrap();
    let error = start(vec![listener]).await.unwrap();
    assert!(matches!(error, BrokerError::Bind { .. }));
    assert!(error.to_string().contains("main"), "{error}");
}

#[tokio::test]
async fn each_listener_has_its_name() {
    let mut setup = Setup::new();
    setup.options.listeners.push(ListenerOptions::new("second", ([127, 0, 0, 1], 0).into()));
    let mut stage = setup.start().await;
    let addresses = stage.broker.addresses();
    assert_eq!(addresses.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["main", "second"]);
    for (name, address) in addresses {
        let (_client, _) = Client::connect(address, &v4("c")).await;
        assert_eq!(&*stage.opened().await.0.listener, name);
    }
    stage.stop().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off_and_what_waited_is_bounded() {
    let mut setup = Setup::new();
    setup.options.send_timeout = Duration::from_millis(200);
    setup.options.max_outstanding = 100;
    let mut stage = setup.start().await;
    let (client, _) = Client::connect(stage.address, &v4("c")).await;
    stage.opened().await;
    // Far more than the buffers of a socket hold.
    let big = message("t", &"x".repeat(100_000), 0);
    let mut refused = 0;
    while stage.broker.session_of(&device("c")).is_some() {
        match stage.broker.publish_to(&device("c"), &big, false, 60_000, token(0)).await {
            Delivery::Full => refused += 1,
            Delivery::Sent { receipt: false } | Delivery::Away => {}
            other => panic!("{other:?}"),
        }
        assert!(stage.broker.stats().outstanding <= 100);
        tokio::task::yield_now().await;
    }
    assert!(refused > 0);
    assert!(matches!(stage.closed().await.1, CloseReason::Protocol(_) | CloseReason::ConnectionLost(_)));
    drop(client);
    stage.stop().await;
}

#[tokio::test]
async fn more_sessions_than_allowed_are_told_to_come_later() {
    let mut setup = Setup::new();
    setup.options.max_sessions = 2;
    let stage = setup.start().await;
    let (_one, _) = Client::connect(stage.address, &v4("c1")).await;
    let (_two, _) = Client::connect(stage.address, &v4("c2")).await;
    assert_eq!(Client::try_connect(stage.address, &v4("c3")).await.1.code, 3);
    assert_eq!(Client::try_connect(stage.address, &v5("c3")).await.1.code, 0x88);
    Client::connect(stage.address, &v4("c2")).await;
    stage.stop().await;
}

#[tokio::test]
async fn a_packet_beyond_the_limit_ends_the_connection() {
    let mut setup = Setup::new();
    setup.options.max_packet_bytes = 1_000;
    let mut stage = setup.start().await;
    let (mut client, _) = Client::connect(stage.address, &v4("c")).await;
    client.send_publish("t", &"x".repeat(900), 1, false, 1).await;
    client.acknowledged(0x40).await;
    client.send_publish("t", &"x".repeat(1_100), 1, false, 2).await;
    client.closed().await;
    assert!(matches!(stage.closed().await.1, CloseReason::Protocol(_)));
    stage.stop().await;
}

#[tokio::test]
async fn the_sweep_closes_a_session_that_broke_before_its_first_turn() {
    let gate = Arc::new(Semaphore::new(0));
    let mut setup = Setup::new();
    setup.open_gate = Some(gate.clone());
    let mut stage = setup.start().await;
    let client = Client::begin(stage.address, &v4("c")).await;
    let (session, _) = stage.opened().await;
    let sent = stage.broker.publish_to(&device("c"), &message("t", "x", 1), false, 60_000, token(0)).await;
    assert_eq!(sent, Delivery::Sent { receipt: true });
    // Its CONNACK finds nobody, and the library says nothing about that.
    client.reset();
    gate.add_permits(1);
    let (closed, _) = stage.closed().await;
    assert_eq!(closed.id, session.id);
    let receipts = stage.receipts();
    assert!(matches!(receipts.as_slice(), [(lost, Receipt::Lost(_))] if *lost == token(0)), "{receipts:?}");
    assert_eq!(stage.broker.stats().connected, 0);
    gate.add_permits(1);
    Client::connect(stage.address, &v4("c")).await;
    stage.stop().await;
}
