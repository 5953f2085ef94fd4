//! Messages that wait while there is no connection.

use crate::ears::{connect, connected};
use crate::fake::{Fake, all_settled, message, payload, publish, publish_many, settled};
use dragoman_core::ExecutionId;
use dragoman_mqtt::Published;
use rumqttc::v5::mqttbytes::v5::PubAckReason;
use std::time::Duration;

#[tokio::test]
async fn what_expires_while_it_waits_is_not_sent_and_the_rest_carries_what_is_left() {
    let (fake, connection, _ears) = connected().await;
    let short = message("short");
    let expired = connection.publish(&short, false, Some(Duration::from_millis(50)), None);
    assert_eq!(expired.await, Published::Expired { sends: 0 });
    let long = tokio::spawn({
        let connection = connection.clone();
        async move { connection.publish(&message("long"), false, Some(Duration::from_secs(30)), None).await }
    });
    let mut peer = fake.up(false).await;
    let sent = peer.publish().await;
    assert_eq!(payload(&sent), "long");
    let expiry = sent.properties.and_then(|properties| properties.message_expiry_interval).unwrap();
    assert!((20..=30).contains(&expiry), "{expiry} s");
    peer.ack(sent.pkid, PubAckReason::Success).await;
    assert_eq!(settled(long).await, Published::Taken);
}

#[tokio::test]
async fn what_is_taken_back_while_it_waits_is_not_sent() {
    let (fake, connection, _ears) = connected().await;
    let verdicts = publish_many(&connection, 3).await;
    let withdraw = |text: &str| connection.withdraw(&ExecutionId::new(text), 1);
    for text in ["m1", "m1", "unknown"] {
        withdraw(text);
    }
    let mut peer = fake.up(false).await;
    for expected in ["m0", "m2"] {
        let sent = peer.publish().await;
        assert_eq!(payload(&sent), expected);
        withdraw(expected);
        peer.ack(sent.pkid, PubAckReason::Success).await;
    }
    assert_eq!(all_settled(verdicts).await, [Published::Taken, Published::Withdrawn, Published::Taken], "one waited");
}

#[tokio::test]
async fn who_comes_when_too_many_wait_waits_too_and_expires() {
    let fake = Fake::start().await;
    let mut options = fake.options();
    options.waiting_max = 2;
    let (connection, _ears) = connect(options);
    let _two = publish_many(&connection, 2).await;
    let third = message("third");
    let verdict = connection.publish(&third, false, Some(Duration::from_millis(50)), None).await;
    assert_eq!(verdict, Published::Expired { sends: 0 });
    let fourth = publish(&connection, message("fourth"));
    let mut peer = fake.up(false).await;
    for expected in ["m0", "m1", "fourth"] {
        let sent = peer.publish().await;
        assert_eq!(payload(&sent), expected);
        peer.ack(sent.pkid, PubAckReason::Success).await;
    }
    assert_eq!(settled(fourth).await, Published::Taken);
}

#[tokio::test]
async fn what_is_posted_leaves_in_its_order_or_is_refused() {
    let fake = Fake::start().await;
    let mut options = fake.options();
    options.waiting_max = 2;
    let (connection, _ears) = connect(options);
    assert!(connection.post(&message("p0"), false, None));
    assert!(connection.post(&message("p1"), false, None));
    assert!(!connection.post(&message("p2"), false, None), "two may wait");
    let mut peer = fake.up(false).await;
    for expected in ["p0", "p1"] {
        let sent = peer.publish().await;
        assert_eq!(payload(&sent), expected);
        peer.ack(sent.pkid, PubAckReason::Success).await;
    }
    let bad = dragoman_core::Message { topic: "#".into(), ..message("bad") };
    assert!(!connection.post(&bad, false, None));
}
