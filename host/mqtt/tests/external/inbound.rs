//! What the broker sends: acknowledged after it was dealt with, in order, and again where it was not.

use crate::ears::connected;
use crate::fake::{Peer, all_settled, publish_many};
use bytes::Bytes;
use dragoman_mqtt::{Heard, Published};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, PubAckReason, Publish, PublishProperties};

/// QoS 1 with a packet id, QoS 0 with 0.
async fn send(peer: &mut Peer, id: u16, text: &str) {
    send_with(peer, id, text, "acme/d1/up", None).await;
}

async fn send_with(peer: &mut Peer, pkid: u16, text: &str, topic: &'static str, properties: Option<PublishProperties>) {
    let qos = if pkid == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce };
    let (topic, payload) = (Bytes::from(topic), Bytes::copy_from_slice(text.as_bytes()));
    peer.send(Packet::Publish(Publish { dup: false, qos, retain: false, topic, pkid, payload, properties })).await;
}

fn alias(alias: u16) -> Option<PublishProperties> {
    Some(PublishProperties { topic_alias: Some(alias), ..PublishProperties::default() })
}

#[tokio::test]
async fn a_message_is_acknowledged_when_it_and_all_before_it_are_dealt_with() {
    let (fake, _connection, mut ears) = connected().await;
    let mut peer = fake.up(false).await;
    for id in 1..=3 {
        send(&mut peer, id, &format!("u{id}")).await;
    }
    let (first, second, third) = (ears.hear().await, ears.hear().await, ears.hear().await);
    assert_eq!(second.done(), "u2");
    assert_eq!(peer.soon().await, None, "the first is not dealt with");
    assert_eq!(first.done(), "u1");
    assert_eq!((peer.acked().await, peer.acked().await), (1, 2));
    assert_eq!(peer.soon().await, None);
    assert_eq!(third.done(), "u3");
    assert_eq!(peer.acked().await, 3);
}

#[tokio::test]
async fn a_message_without_acknowledgement_comes_again_and_is_heard_again() {
    let (fake, _connection, mut ears) = connected().await;
    let mut first = fake.up(false).await;
    send(&mut first, 1, "u1").await;
    let early = ears.hear().await;
    drop(first);
    let mut second = fake.up(true).await;
    send(&mut second, 1, "u1").await;
    let late = ears.hear().await;
    // The first verdict comes too late to be told to the broker, and is not told for the second message.
    early.done();
    assert_eq!(second.soon().await, None);
    late.done();
    assert_eq!(second.acked().await, 1);
}

#[tokio::test]
async fn a_message_that_cannot_be_kept_is_not_acknowledged() {
    let (fake, _connection, mut ears) = connected().await;
    let mut first = fake.up(false).await;
    send(&mut first, 1, "u1").await;
    let said = ears.hear().await;
    said.verdict.send(Heard::NotKept).unwrap();
    assert_eq!(first.next().await, None, "the connection ends, without an acknowledgement");
    let mut second = fake.up(true).await;
    send(&mut second, 1, "u1").await;
    ears.hear().await.done();
    assert_eq!(second.acked().await, 1);
}

#[tokio::test]
async fn a_topic_alias_that_nobody_asked_for_is_understood() {
    let (fake, _connection, mut ears) = connected().await;
    let mut peer = fake.up(false).await;
    send_with(&mut peer, 1, "u1", "acme/d1/up", alias(1)).await;
    send_with(&mut peer, 2, "u2", "acme/d2/up", alias(2)).await;
    send_with(&mut peer, 3, "u3", "", alias(1)).await;
    send_with(&mut peer, 4, "u4", "acme/d4/up", alias(1)).await;
    send_with(&mut peer, 5, "u5", "", alias(1)).await;
    for (text, topic) in
        [("u1", "acme/d1/up"), ("u2", "acme/d2/up"), ("u3", "acme/d1/up"), ("u4", "acme/d4/up"), ("u5", "acme/d4/up")]
    {
        let said = ears.hear().await;
        assert_eq!((said.text().as_str(), said.message.topic.as_str()), (text, topic));
        said.done();
    }
    for id in 1..=5 {
        assert_eq!(peer.acked().await, id);
    }
}

#[tokio::test]
async fn an_alias_that_stands_for_nothing_ends_the_connection_and_means_nothing_on_the_next() {
    let (fake, _connection, mut ears) = connected().await;
    let mut first = fake.up(false).await;
    send_with(&mut first, 1, "u1", "acme/d1/up", alias(1)).await;
    ears.hear().await.done();
    assert_eq!(first.acked().await, 1);
    send_with(&mut first, 2, "u2", "", alias(7)).await;
    assert_eq!(first.next().await, None);
    let mut second = fake.up(true).await;
    send_with(&mut second, 2, "u2", "", alias(1)).await;
    assert_eq!(second.next().await, None, "an alias is one connection's");
    let mut third = fake.up(true).await;
    send_with(&mut third, 2, "u2", "acme/d1/up", None).await;
    assert_eq!(ears.hear().await.done(), "u2");
    assert_eq!(third.acked().await, 2);
}

#[tokio::test]
async fn properties_are_heard_under_their_names() {
    let (fake, _connection, mut ears) = connected().await;
    let mut peer = fake.up(false).await;
    let properties = PublishProperties {
        correlation_data: Some(Bytes::from_static(b"k1")),
        user_properties: vec![("region".into(), "eu".into())],
        ..PublishProperties::default()
    };
    send_with(&mut peer, 1, "u1", "acme/d1/up", Some(properties)).await;
    let said = ears.hear().await;
    let expected = [("mqtt.correlation-data", "k1"), ("region", "eu")];
    assert_eq!(said.message.attributes, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    said.done();
}

#[tokio::test]
async fn a_flood_of_qos_0_makes_the_broker_wait_and_loses_nothing() {
    let (fake, _connection, mut ears) = connected().await;
    let mut peer = fake.up(false).await;
    for number in 0..400 {
        send(&mut peer, 0, &format!("u{number}")).await;
    }
    send(&mut peer, 1, "last").await;
    // Reading stops before there is an end to what waits; the bound is twice the receive maximum of 8, and what one look
    // at the socket brought.
    let mut waiting = Vec::new();
    for _ in 0..16 {
        waiting.push(ears.hear().await);
    }
    let mut heard = 0;
    while let Some(said) = waiting.pop() {
        said.done();
        heard += 1;
    }
    while heard < 400 {
        ears.hear().await.done();
        heard += 1;
    }
    assert_eq!(ears.hear().await.done(), "last");
    assert_eq!(peer.acked().await, 1);
}

#[tokio::test]
async fn more_than_the_receive_maximum_waits_for_its_turn_and_is_acknowledged() {
    let (fake, _connection, mut ears) = connected().await;
    let mut peer = fake.up(false).await;
    // Eight were allowed; sixteen are taken in at once.
    for id in 1..=40 {
        send(&mut peer, id, &format!("u{id}")).await;
    }
    for id in 1..=40 {
        assert_eq!(ears.hear().await.done(), format!("u{id}"));
    }
    for id in 1..=40 {
        assert_eq!(peer.acked().await, id);
    }
}

/// What a session held comes faster than its receipts are written, and commands must find room between them.
#[tokio::test]
async fn a_thousand_messages_at_once_are_acknowledged_on_one_connection() {
    let (fake, connection, mut ears) = connected().await;
    let mut peer = fake.up(false).await;
    for id in 1..=1_000 {
        send(&mut peer, id, &format!("u{id}")).await;
    }
    let commands = publish_many(&connection, 4).await;
    for id in 1..=1_000 {
        assert_eq!(ears.hear().await.done(), format!("u{id}"));
    }
    let (mut acked, mut published) = (0, 0);
    while acked < 1_000 || published < commands.len() {
        match peer.next().await.expect("the connection was given up") {
            Packet::PubAck(puback) => {
                acked += 1;
                assert_eq!(puback.pkid, acked);
            }
            Packet::Publish(publish) => {
                published += 1;
                peer.ack(publish.pkid, PubAckReason::Success).await;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(all_settled(commands).await.iter().all(|verdict| *verdict == Published::Taken));
}
