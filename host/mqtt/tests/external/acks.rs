//! Acknowledgements that come late, in another order, with an error, or not at all.

use crate::ears::{connect, connected};
use crate::fake::{Fake, SENDS_MAX, Tally, all_settled, message, payload, publish, publish_many, settled};
use dragoman_mqtt::Published;
use rumqttc::v5::mqttbytes::v5::{Packet, PubAckReason, PubRec};
use std::time::Duration;

#[tokio::test]
async fn acknowledgements_in_any_order_settle_what_they_are_for() {
    let (fake, connection, _ears) = connected().await;
    let mut peer = fake.up(false).await;
    let verdicts = publish_many(&connection, 40).await;
    // Blocks of five, the last one first; every third has no subscriber.
    for _ in 0..8 {
        for publish in peer.publishes(5).await.iter().rev() {
            let number: usize = payload(publish)[1..].parse().unwrap();
            let reason =
                if number.is_multiple_of(3) { PubAckReason::NoMatchingSubscribers } else { PubAckReason::Success };
            peer.ack(publish.pkid, reason).await;
        }
    }
    let expected = |number: usize| match number.is_multiple_of(3) {
        true => Published::NoSubscriber,
        false => Published::Taken,
    };
    assert_eq!(all_settled(verdicts).await, (0..40).map(expected).collect::<Vec<_>>());
    assert_eq!(peer.soon().await, None);
}

#[tokio::test]
async fn an_id_that_is_never_acknowledged_costs_a_connection_and_no_message() {
    let fake = Fake::start().await;
    let mut options = fake.options();
    options.ack_timeout = Duration::from_millis(300);
    let (connection, _ears) = connect(options);
    let mut tally = Tally::default();
    let mut first = fake.up(false).await;
    let verdicts = publish_many(&connection, 50).await;
    // The third message has no PUBACK; the others go on around it until its id comes round.
    let mut stuck = None;
    while let Some(packet) = first.next().await {
        let Packet::Publish(publish) = packet else { panic!("{packet:?}") };
        assert_eq!(tally.count(&publish), 1);
        if payload(&publish) == "m2" {
            stuck = Some(publish.pkid);
            continue;
        }
        assert_ne!(Some(publish.pkid), stuck, "an id that is in use is given again");
        first.ack(publish.pkid, PubAckReason::Success).await;
    }
    assert!(tally.0.len() >= 10, "the others were held up: {tally:?}");
    let mut second = fake.up(true).await;
    let again = second.publish().await;
    assert_eq!(payload(&again), "m2");
    second.ack(again.pkid, PubAckReason::Success).await;
    tokio::spawn(async move { second.serve(&mut tally).await });
    assert_eq!(all_settled(verdicts).await, vec![Published::Taken; 50]);
}

#[tokio::test]
async fn a_message_that_is_never_acknowledged_is_sent_so_often_and_then_given_up() {
    let fake = Fake::start().await;
    let mut options = fake.options();
    options.ack_timeout = Duration::from_millis(100);
    let (connection, _ears) = connect(options);
    let verdicts = publish_many(&connection, 10).await;
    let serve = tokio::spawn(async move {
        let (mut tally, mut present) = (Tally::default(), false);
        while tally.0.get("m4") != Some(&SENDS_MAX) {
            let mut peer = fake.up(present).await;
            present = true;
            while let Some(Packet::Publish(publish)) = peer.next().await {
                tally.count(&publish);
                if payload(&publish) != "m4" {
                    peer.ack(publish.pkid, PubAckReason::Success).await;
                }
            }
        }
        (tally, fake)
    });
    let settled = all_settled(verdicts).await;
    for (number, verdict) in settled.iter().enumerate() {
        let expected = match number {
            4 => Published::Unacknowledged { sends: SENDS_MAX },
            _ => Published::Taken,
        };
        assert_eq!(*verdict, expected, "m{number}");
    }
    let (tally, fake) = serve.await.unwrap();
    assert_eq!(tally.0.get("m4"), Some(&SENDS_MAX));
    assert!(tally.0.iter().all(|(text, times)| text == "m4" || *times == 1), "{tally:?}");
    // It does not come again.
    assert_eq!(fake.up(true).await.soon().await, None);
}

/// The client library cannot read such a PUBACK, and with it the packet id that it is for.
#[tokio::test]
async fn a_reason_code_that_no_puback_may_have_is_a_refusal_of_that_message_alone() {
    let (fake, connection, _ears) = connected().await;
    let verdicts = publish_many(&connection, 12).await;
    let mut tally = Tally::default();
    let mut present = false;
    while tally.0.len() < 12 {
        let mut peer = fake.up(present).await;
        assert!(!peer.connect.clean_start, "what the broker holds for the gateway is not given up over this");
        present = true;
        while let Some(Packet::Publish(publish)) = peer.next().await {
            tally.count(&publish);
            match payload(&publish).as_str() {
                "m3" | "m4" => peer.ack_oddly(publish.pkid, 0x93).await,
                _ => peer.ack(publish.pkid, PubAckReason::Success).await,
            }
            if tally.0.len() == 12 && payload(&publish) == "m11" {
                break;
            }
        }
    }
    for (number, verdict) in all_settled(verdicts).await.into_iter().enumerate() {
        let expected = if matches!(number, 3 | 4) { Published::Refused(0x93) } else { Published::Taken };
        assert_eq!(verdict, expected, "m{number}");
    }
    assert!(tally.most() <= 3, "{tally:?}");
}

#[tokio::test]
async fn a_message_over_which_the_broker_closes_does_not_take_the_others_with_it() {
    let (fake, connection, _ears) = connected().await;
    let verdicts = publish_many(&connection, 20).await;
    let serve = tokio::spawn(async move {
        let (mut tally, mut present) = (Tally::default(), false);
        while tally.0.len() < 20 {
            let mut peer = fake.up(present).await;
            present = true;
            while let Some(Packet::Publish(publish)) = peer.next().await {
                tally.count(&publish);
                if payload(&publish) == "m1" {
                    break;
                }
                peer.ack(publish.pkid, PubAckReason::Success).await;
                if tally.0.len() == 20 {
                    break;
                }
            }
        }
        tally
    });
    let settled = all_settled(verdicts).await;
    assert_eq!(settled[1], Published::Unacknowledged { sends: SENDS_MAX });
    assert_eq!(settled.iter().filter(|verdict| **verdict == Published::Taken).count(), 19, "{settled:?}");
    let tally = serve.await.unwrap();
    assert_eq!(tally.most(), SENDS_MAX, "{tally:?}");
}

#[tokio::test]
async fn an_error_ends_one_message_and_the_rest_goes_on() {
    let (fake, connection, _ears) = connected().await;
    let mut peer = fake.up(false).await;
    let verdicts = publish_many(&connection, 30).await;
    let reason = |number: usize| match number % 4 {
        0 => PubAckReason::NotAuthorized,
        1 => PubAckReason::TopicNameInvalid,
        2 => PubAckReason::Success,
        _ => PubAckReason::ImplementationSpecificError,
    };
    for _ in 0..30 {
        let publish = peer.publish().await;
        peer.ack(publish.pkid, reason(payload(&publish)[1..].parse().unwrap())).await;
    }
    let expected = |number: usize| match number % 4 {
        0 => Published::Refused(0x87),
        1 => Published::Refused(0x90),
        2 => Published::Taken,
        _ => Published::Refused(0x83),
    };
    assert_eq!(all_settled(verdicts).await, (0..30).map(expected).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_broker_over_its_quota_is_asked_again() {
    let (fake, connection, _ears) = connected().await;
    let mut peer = fake.up(false).await;
    let verdict = publish(&connection, message("m"));
    for send in 1..SENDS_MAX {
        let publish = peer.publish().await;
        let reason = if send == 1 { PubAckReason::PacketIdentifierInUse } else { PubAckReason::QuotaExceeded };
        peer.ack(publish.pkid, reason).await;
    }
    let publish = peer.publish().await;
    peer.ack(publish.pkid, PubAckReason::Success).await;
    assert_eq!(settled(verdict).await, Published::Taken);
}

#[tokio::test]
async fn an_acknowledgement_for_nothing_ends_the_connection_and_settles_nothing() {
    let (fake, connection, _ears) = connected().await;
    let mut first = fake.up(false).await;
    let verdict = publish(&connection, message("m"));
    let sent = first.publish().await;
    first.ack(sent.pkid + 1, PubAckReason::Success).await;
    first.gone().await;
    let mut second = fake.up(true).await;
    let again = second.publish().await;
    assert_eq!(payload(&again), "m");
    second.ack(again.pkid, PubAckReason::Success).await;
    assert_eq!(settled(verdict).await, Published::Taken);
}

#[tokio::test]
async fn a_pubrec_for_qos_1_ends_the_connection_and_settles_nothing() {
    let (fake, connection, _ears) = connected().await;
    let mut first = fake.up(false).await;
    let verdict = publish(&connection, message("m"));
    let sent = first.publish().await;
    first.send(Packet::PubRec(PubRec::new(sent.pkid, None))).await;
    first.gone().await;
    let mut second = fake.up(true).await;
    let again = second.publish().await;
    second.ack(again.pkid, PubAckReason::Success).await;
    assert_eq!(settled(verdict).await, Published::Taken);
}

#[tokio::test]
async fn a_receive_maximum_of_one_is_enough() {
    let (fake, connection, _ears) = connected().await;
    let mut peer = fake.up_with(1, |_| {}).await;
    let verdicts = publish_many(&connection, 5).await;
    for number in 0..5 {
        let publish = peer.publish().await;
        assert_eq!(payload(&publish), format!("m{number}"));
        assert_eq!(peer.soon().await, None, "one at a time");
        peer.ack(publish.pkid, PubAckReason::Success).await;
    }
    assert_eq!(all_settled(verdicts).await, vec![Published::Taken; 5]);
}
