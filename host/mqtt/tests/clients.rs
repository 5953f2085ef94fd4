//! An ordinary client library, in both protocol versions.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(unreachable_pub)]
mod common;

use common::wire::SOON;
use common::{Setup, device, message, token};
use dragoman_core::Payload;
use dragoman_mqtt::{Broker, Receipt};
use tokio::time::timeout;

#[tokio::test]
async fn rumqttc_3_1_1_is_served() {
    use rumqttc::{AsyncClient, Event, Incoming, MqttOptions, QoS};
    let mut stage = Setup::new().start().await;
    let mut options = MqttOptions::new("d1", stage.address.ip().to_string(), stage.address.port());
    options.set_credentials("d1", "secret");
    let (client, mut events) = AsyncClient::new(options, 10);
    client.subscribe("down/#", QoS::AtLeastOnce).await.unwrap();
    let device1 = tokio::spawn(async move {
        loop {
            if let Event::Incoming(Incoming::Publish(got)) = events.poll().await.unwrap() {
                client.publish("up", QoS::ExactlyOnce, false, got.payload).await.unwrap();
            }
        }
    });
    stage.hear(|heard| matches!(heard, common::Heard::Subscribed(..)).then_some(())).await;
    stage.broker.publish_to(&device("d1"), &message("down/1", "hello", 1), true, 9_999, token(0)).await;
    assert_eq!(stage.inbound().await.payload, Payload::Text("hello".into()));
    if stage.receipts().is_empty() {
        assert_eq!(stage.receipt().await, (token(0), Receipt::Acked));
    }
    device1.abort();
    stage.closed().await;
    stage.stop().await;
}

#[tokio::test]
async fn rumqttc_5_is_served_and_sees_only_what_belongs_to_the_message() {
    use rumqttc::v5::mqttbytes::QoS;
    use rumqttc::v5::mqttbytes::v5::Packet;
    use rumqttc::v5::{AsyncClient, Event, MqttOptions};
    let mut stage = Setup::new().start().await;
    let mut options = MqttOptions::new("d1", stage.address.ip().to_string(), stage.address.port());
    options.set_credentials("d1", "secret");
    let (client, mut events) = AsyncClient::new(options, 10);
    client.subscribe("down/#", QoS::AtLeastOnce).await.unwrap();
    let wait = tokio::spawn(async move {
        loop {
            if let Event::Incoming(Packet::Publish(got)) = events.poll().await.unwrap() {
                client.publish("up", QoS::AtLeastOnce, false, "done").await.unwrap();
                // Both acknowledgements go out with the next turns.
                while !matches!(events.poll().await.unwrap(), Event::Incoming(Packet::PubAck(_))) {}
                return got;
            }
        }
    });
    stage.hear(|heard| matches!(heard, common::Heard::Subscribed(..)).then_some(())).await;
    let mut sent = message("down/1", "hello", 1);
    sent.attributes = vec![("region".into(), "eu".into())];
    stage.broker.publish_to(&device("d1"), &sent, true, 9_999, token(0)).await;
    let got = timeout(SOON, wait).await.unwrap().unwrap();
    let properties = got.properties.unwrap();
    assert_eq!(properties.user_properties, [("region".to_owned(), "eu".to_owned())]);
    assert!(properties.correlation_data.is_none() && properties.response_topic.is_none());
    stage.inbound().await;
    if stage.receipts().is_empty() {
        assert_eq!(stage.receipt().await, (token(0), Receipt::Acked));
    }
    stage.stop().await;
}
