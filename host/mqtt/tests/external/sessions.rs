//! Connections that end, and sessions that are there afterwards or are not.

use crate::ears::{connect, connected};
use crate::fake::{Fake, Tally, all_settled, limits, message, payload, publish, publish_many, settled};
use dragoman_mqtt::{Link, Published};
use rumqttc::v5::mqttbytes::v5::{ConnAck, ConnectReturnCode, Disconnect, DisconnectReasonCode, Packet, PubAckReason};
use std::time::Duration;

#[tokio::test]
async fn nothing_is_lost_with_a_lost_session() {
    let (fake, connection, _ears) = connected().await;
    let mut tally = Tally::default();
    let mut first = fake.up(false).await;
    let verdicts = publish_many(&connection, 50).await;
    // Five may be without PUBACK, so seven come when two have one.
    for number in 0..7 {
        let publish = first.publish().await;
        tally.count(&publish);
        if number < 2 {
            first.ack(publish.pkid, PubAckReason::Success).await;
        }
    }
    drop(first);
    // Without a session, it subscribes again before it sends anything; `up` sees to that.
    let second = fake.up(false).await;
    let serve = tokio::spawn(async move {
        second.serve(&mut tally).await;
        tally
    });
    assert_eq!(all_settled(verdicts).await, vec![Published::Taken; 50]);
    connection.shutdown(Duration::from_secs(5)).await;
    let tally = serve.await.unwrap();
    assert_eq!(tally.0.len(), 50);
    assert!(tally.most() <= 2, "{tally:?}");
    assert_eq!(tally.0.values().filter(|times| **times == 2).count(), 5, "only what had no PUBACK: {tally:?}");
}

#[tokio::test]
async fn nothing_is_lost_when_a_resumed_session_holds_back_its_acknowledgements() {
    let (fake, connection, _ears) = connected().await;
    let first = fake.up(false).await;
    let verdicts = publish_many(&connection, 50).await;
    let mut first = first;
    let before = first.publishes(5).await;
    drop(first);
    let mut second = fake.up(true).await;
    // No SUBSCRIBE: the first packet is what was in flight, all of it, before anything is acknowledged.
    let again = second.publishes(5).await;
    let texts = |publishes: &[_]| publishes.iter().map(payload).collect::<Vec<_>>();
    assert_eq!(texts(&again), texts(&before), "in the same order");
    for publish in &again {
        second.ack(publish.pkid, PubAckReason::Success).await;
    }
    let mut tally = Tally::default();
    tokio::spawn(async move { second.serve(&mut tally).await });
    assert_eq!(all_settled(verdicts).await, vec![Published::Taken; 50]);
}

#[tokio::test]
async fn acknowledgements_that_came_with_the_end_count() {
    let (fake, connection, _ears) = connected().await;
    let mut first = fake.up(false).await;
    let verdicts = publish_many(&connection, 5).await;
    for publish in first.publishes(5).await {
        first.ack(publish.pkid, PubAckReason::Success).await;
    }
    let reason_code = DisconnectReasonCode::ServerShuttingDown;
    first.send(Packet::Disconnect(Disconnect { reason_code, properties: None })).await;
    drop(first);
    assert_eq!(all_settled(verdicts).await, vec![Published::Taken; 5]);
    let mut second = fake.up(false).await;
    assert_eq!(second.soon().await, None, "nothing is sent again");
}

#[tokio::test]
async fn a_broker_that_refuses_is_asked_again_and_the_reason_is_told() {
    let (fake, connection, _ears) = connected().await;
    let verdict = publish(&connection, message("m"));
    for _ in 0..3 {
        let mut peer = fake.accept().await;
        let code = ConnectReturnCode::NotAuthorized;
        peer.send(Packet::ConnAck(ConnAck { session_present: false, code, properties: None })).await;
        peer.gone().await;
    }
    connection.until(|link| matches!(link, Link::Down(why) if why.contains("NotAuthorized"))).await;
    let mut peer = fake.up(false).await;
    let publish = peer.publish().await;
    peer.ack(publish.pkid, PubAckReason::Success).await;
    assert_eq!(settled(verdict).await, Published::Taken);
    assert_eq!(connection.link(), Link::Up { refused: Vec::new() });
}

#[tokio::test]
async fn a_broker_without_qos_1_is_not_used() {
    let (fake, connection, _ears) = connected().await;
    let mut peer = fake.accept().await;
    let mut properties = limits(10);
    properties.max_qos = Some(0);
    peer.welcome(false, properties).await;
    peer.gone().await;
    connection.until(|link| matches!(link, Link::Down(why) if why.contains("QoS 0 only"))).await;
}

#[tokio::test]
async fn who_it_is_and_what_it_takes_is_said_in_connect() {
    let fake = Fake::start().await;
    let mut options = fake.options();
    options.username = Some("gateway".into());
    options.password = Some("secret".into());
    let (_connection, _ears) = connect(options);
    for _ in 0..2 {
        let peer = fake.accept().await;
        assert_eq!((peer.connect.client_id.as_str(), peer.connect.clean_start), ("gateway-1", false));
        let login = peer.login.clone().unwrap();
        assert_eq!((login.username.as_str(), login.password.as_str()), ("gateway", "secret"));
        let properties = peer.connect.properties.clone().unwrap();
        assert_eq!(properties.session_expiry_interval, Some(24 * 60 * 60));
        assert_eq!(properties.receive_maximum, Some(8));
        assert_eq!(properties.max_packet_size, Some(1024 * 1024));
        assert_eq!(properties.topic_alias_max, None, "no alias is asked for");
    }
}

#[tokio::test]
async fn a_subscription_that_is_refused_is_told_and_asked_for_again() {
    use rumqttc::v5::mqttbytes::v5::{SubAck, SubscribeReasonCode};
    let (fake, connection, _ears) = connected().await;
    let mut peer = fake.accept().await;
    peer.welcome(false, limits(10)).await;
    let Some(Packet::Subscribe(subscribe)) = peer.next().await else { panic!("SUBSCRIBE") };
    let return_codes = vec![SubscribeReasonCode::NotAuthorized];
    peer.send(Packet::SubAck(SubAck { pkid: subscribe.pkid, return_codes, properties: None })).await;
    connection
        .until(|link| matches!(link, Link::Up { refused } if refused == &[("acme/+/up".to_owned(), "NotAuthorized".to_owned())]))
        .await;
    drop(peer);
    // The session is there, and still it asks.
    let mut peer = fake.accept().await;
    peer.welcome(true, limits(10)).await;
    peer.subscribed().await;
    connection.until(|link| *link == Link::Up { refused: Vec::new() }).await;
}

#[tokio::test]
async fn it_takes_leave_when_all_is_acknowledged() {
    let (fake, connection, _ears) = connected().await;
    let mut peer = fake.up(false).await;
    let verdict = publish(&connection, message("m"));
    let sent = peer.publish().await;
    let leaving = tokio::spawn({
        let connection = connection.clone();
        async move { connection.shutdown(Duration::from_secs(10)).await }
    });
    assert_eq!(peer.soon().await, None, "it waits for the PUBACK");
    peer.ack(sent.pkid, PubAckReason::Success).await;
    assert!(matches!(peer.next().await, Some(Packet::Disconnect(_))));
    assert_eq!(settled(verdict).await, Published::Taken);
    leaving.await.unwrap();
    assert_eq!(connection.link(), Link::Closed);
    assert_eq!(settled(publish(&connection, message("late"))).await, Published::Closed { sends: 0 });
    assert!(fake.nobody_comes().await);
}

#[tokio::test]
async fn what_is_not_acknowledged_in_time_is_closed_at_the_end() {
    let (fake, connection, _ears) = connected().await;
    let mut peer = fake.up(false).await;
    let verdict = publish(&connection, message("m"));
    peer.publish().await;
    connection.shutdown(Duration::from_millis(100)).await;
    assert_eq!(settled(verdict).await, Published::Closed { sends: 1 });
    assert_eq!(connection.link(), Link::Closed);
}
