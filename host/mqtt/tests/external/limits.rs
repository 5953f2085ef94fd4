//! Limits of the broker, and ours.

use crate::ears::{connect, connected};
use crate::fake::{Fake, all_settled, limits, message, payload, publish, publish_many, settled};
use bytes::Bytes;
use dragoman_core::{Message, Payload, Subscription};
use dragoman_mqtt::Published;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, PubAckReason, Publish};

#[tokio::test]
async fn never_more_than_half_of_the_receive_maximum_is_without_puback() {
    let (fake, connection, _ears) = connected().await;
    let mut peer = fake.up(false).await;
    let verdicts = publish_many(&connection, 30).await;
    for _ in 0..6 {
        let block = peer.publishes(5).await;
        assert_eq!(peer.soon().await, None, "five of ten");
        for publish in block {
            peer.ack(publish.pkid, PubAckReason::Success).await;
        }
    }
    assert_eq!(all_settled(verdicts).await, vec![Published::Taken; 30]);
}

#[tokio::test]
async fn a_packet_that_the_broker_does_not_take_is_not_sent() {
    let (fake, connection, _ears) = connected().await;
    let mut peer = fake.up_with(10, |limits| limits.max_packet_size = Some(128)).await;
    let large = settled(publish(&connection, message(&"x".repeat(128)))).await;
    assert!(matches!(large, Published::TooLarge { bytes, max: 128 } if bytes > 128 && bytes < 192), "{large:?}");
    let small = publish(&connection, message("small"));
    let sent = peer.publish().await;
    assert_eq!(payload(&sent), "small");
    peer.ack(sent.pkid, PubAckReason::Success).await;
    assert_eq!(settled(small).await, Published::Taken);
}

#[tokio::test]
async fn what_no_packet_carries_is_refused_at_once() {
    let (_fake, connection, _ears) = connected().await;
    let bad = Message { topic: "acme/+/down".into(), ..message("m") };
    let verdict = settled(publish(&connection, bad)).await;
    assert!(matches!(&verdict, Published::Invalid(why) if why.contains("wildcards")), "{verdict:?}");
}

#[tokio::test]
async fn a_broker_that_keeps_no_messages_is_not_asked_to() {
    let (fake, connection, _ears) = connected().await;
    let mut peer = fake.up_with(10, |limits| limits.retain_available = Some(0)).await;
    assert_eq!(connection.publish(&message("m"), true, None, None).await, Published::Refused(0x9a));
    assert_eq!(peer.soon().await, None);
}

#[tokio::test]
async fn a_session_that_sends_too_large_packets_again_and_again_is_begun_anew() {
    let fake = Fake::start().await;
    let mut options = fake.options();
    options.packet_max_bytes = 1024;
    let (connection, mut ears) = connect(options);
    let poison =
        Packet::Publish(Publish { pkid: 1, ..Publish::new("acme/d1/up", QoS::AtLeastOnce, vec![b'x'; 2_000], None) });
    for present in [false, true, true] {
        let mut peer = fake.up(present).await;
        assert!(!peer.connect.clean_start);
        peer.send(poison.clone()).await;
        peer.gone().await;
    }
    let mut peer = fake.accept().await;
    assert!(peer.connect.clean_start, "the broker is asked to forget");
    peer.welcome(false, limits(10)).await;
    peer.subscribed().await;
    peer.send(Packet::Publish(Publish { pkid: 1, ..Publish::new("acme/d1/up", QoS::AtLeastOnce, "u1", None) })).await;
    ears.hear().await.done();
    assert_eq!(peer.acked().await, 1);
    let verdict = publish(&connection, message("m"));
    let sent = peer.publish().await;
    peer.ack(sent.pkid, PubAckReason::Success).await;
    assert_eq!(settled(verdict).await, Published::Taken);
    drop(peer);
    assert!(!fake.up(true).await.connect.clean_start, "only once");
}

#[tokio::test]
async fn bytes_that_are_no_packet_end_the_connection() {
    let (fake, connection, _ears) = connected().await;
    let mut peer = fake.up(false).await;
    let verdict = publish(&connection, message("m"));
    peer.publish().await;
    // A PUBLISH whose topic is not text.
    let topic = Bytes::from_static(&[0xff, 0xfe]);
    peer.send(Packet::Publish(Publish { topic, ..Publish::default() })).await;
    peer.gone().await;
    let mut peer = fake.up(true).await;
    let sent = peer.publish().await;
    peer.ack(sent.pkid, PubAckReason::Success).await;
    assert_eq!(settled(verdict).await, Published::Taken);
}

#[tokio::test]
async fn qos_2_becomes_1_and_qos_0_is_taken_when_it_is_written() {
    let (fake, connection, _ears) = connected().await;
    let mut peer = fake.up(false).await;
    let zero = settled(publish(&connection, Message { qos: 0, ..message("zero") })).await;
    assert_eq!(zero, Published::Taken);
    assert_eq!(peer.publish().await.qos, QoS::AtMostOnce);
    let two = publish(&connection, Message { qos: 2, ..message("two") });
    let sent = peer.publish().await;
    assert_eq!(sent.qos, QoS::AtLeastOnce);
    peer.ack(sent.pkid, PubAckReason::Success).await;
    assert_eq!(settled(two).await, Published::Taken);
}

#[tokio::test]
async fn properties_and_all_subscriptions_go_out() {
    let fake = Fake::start().await;
    let mut options = fake.options();
    options.subscriptions.push(Subscription { filter: "$share/gateways/acme/#".into(), qos: 0 });
    let (connection, _ears) = connect(options);
    let mut peer = fake.accept().await;
    peer.welcome(false, limits(10)).await;
    assert_eq!(peer.subscribed().await, ["acme/+/up", "$share/gateways/acme/#"]);
    let sent = Message {
        payload: Payload::Bytes(vec![0, 0xff]),
        attributes: vec![
            ("mqtt.response-topic".into(), "acme/d1/up".into()),
            ("mqtt.correlation-data".into(), "k1".into()),
            ("region".into(), "eu".into()),
        ],
        ..message("")
    };
    let verdict = publish(&connection, sent);
    let got = peer.publish().await;
    let properties = got.properties.unwrap();
    assert_eq!(&got.payload[..], [0, 0xff]);
    assert_eq!(properties.response_topic.as_deref(), Some("acme/d1/up"));
    assert_eq!(properties.correlation_data.as_deref(), Some(&b"k1"[..]));
    assert_eq!(properties.user_properties, [("region".to_owned(), "eu".to_owned())]);
    assert_eq!(properties.topic_alias, None);
    peer.ack(got.pkid, PubAckReason::Success).await;
    assert_eq!(settled(verdict).await, Published::Taken);
}
