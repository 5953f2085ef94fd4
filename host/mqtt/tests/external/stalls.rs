//! Connections on which nothing goes on, and that nobody closes.

use crate::ears::{connect, connected};
use crate::fake::{Fake, Tally, all_settled, limits, message, publish, publish_many, settled};
use dragoman_core::{Message, Payload};
use dragoman_mqtt::{Link, Published};
use rumqttc::v5::mqttbytes::v5::{Packet, PubAckReason};
use std::time::Duration;

#[tokio::test]
async fn a_connection_whose_other_end_is_gone_is_found_out_and_nothing_is_lost() {
    let (fake, connection, _ears) = connected().await;
    let first = fake.up_with(10, |limits| limits.server_keep_alive = Some(1)).await;
    let verdicts = publish_many(&connection, 8).await;
    // Nothing is read and nothing is answered from here on; the socket stays open.
    let mut second = fake.up(false).await;
    let mut tally = Tally::default();
    for publish in second.publishes(5).await {
        tally.count(&publish);
        second.ack(publish.pkid, PubAckReason::Success).await;
    }
    tokio::spawn(async move { second.serve(&mut tally).await });
    assert_eq!(all_settled(verdicts).await, vec![Published::Taken; 8]);
    drop(first);
}

#[tokio::test]
async fn an_idle_connection_whose_other_end_is_gone_is_found_out() {
    let (fake, connection, _ears) = connected().await;
    let first = fake.up_with(10, |limits| limits.server_keep_alive = Some(1)).await;
    connection.until(|link| matches!(link, Link::Up { .. })).await;
    let _second = fake.up(false).await;
    drop(first);
}

#[tokio::test]
async fn a_socket_that_takes_nothing_more_is_given_up() {
    let fake = Fake::start().await;
    let mut options = fake.options();
    options.inflight_max = 256;
    // What is written is not waited for here, only that writing goes on.
    options.ack_timeout = Duration::from_secs(600);
    let (connection, _ears) = connect(options);
    let first = fake.up_with(512, |limits| limits.server_keep_alive = Some(1)).await;
    // More than the buffers of a socket take.
    let large =
        |number: usize| Message { payload: Payload::Text(format!("{number}:{}", "x".repeat(200_000))), ..message("") };
    let verdicts: Vec<_> = (0..200).map(|number| publish(&connection, large(number))).collect();
    let second = fake.up(false).await;
    let mut tally = Tally::default();
    tokio::spawn(async move { second.serve(&mut tally).await });
    assert_eq!(all_settled(verdicts).await, vec![Published::Taken; 200]);
    drop(first);
}

#[tokio::test]
async fn subscriptions_that_are_not_answered_are_asked_for_again() {
    let fake = Fake::start().await;
    let mut options = fake.options();
    options.ack_timeout = Duration::from_millis(200);
    let (connection, _ears) = connect(options);
    let verdict = publish(&connection, message("m"));
    let mut first = fake.accept().await;
    first.welcome(false, limits(10)).await;
    // SUBSCRIBE, and then the end; no message before the subscriptions stand.
    assert!(matches!(first.next().await, Some(Packet::Subscribe(_))));
    assert_eq!(first.next().await, None);
    // The session is there now, but whether it has the subscriptions nobody knows.
    let mut second = fake.accept().await;
    second.welcome(true, limits(10)).await;
    second.subscribed().await;
    let sent = second.publish().await;
    second.ack(sent.pkid, PubAckReason::Success).await;
    assert_eq!(settled(verdict).await, Published::Taken);
}

#[tokio::test]
async fn a_broker_that_wants_no_keep_alive_is_not_pinged_without_end() {
    let (fake, connection, _ears) = connected().await;
    let mut peer = fake.up_with(10, |limits| limits.server_keep_alive = Some(0)).await;
    for number in 0..20 {
        let verdict = publish(&connection, message(&format!("m{number}")));
        let sent = peer.publish().await;
        peer.ack(sent.pkid, PubAckReason::Success).await;
        assert_eq!(settled(verdict).await, Published::Taken);
    }
    assert!(peer.pings() <= 2, "{} pings", peer.pings());
}

#[tokio::test]
async fn a_broker_that_says_nothing_at_all_is_given_up() {
    let fake = Fake::start().await;
    let mut options = fake.options();
    options.connect_timeout = Duration::from_secs(1);
    let (connection, _ears) = connect(options);
    let silent = fake.socket().await;
    connection.until(|link| matches!(link, Link::Down(why) if why.contains("did not answer in time"))).await;
    let mut peer = fake.up(false).await;
    drop(silent);
    let verdict = publish(&connection, message("m"));
    let sent = peer.publish().await;
    peer.ack(sent.pkid, PubAckReason::Success).await;
    assert_eq!(settled(verdict).await, Published::Taken);
}
