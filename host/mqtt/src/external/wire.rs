//! Messages between our words and those of the client library.

use crate::attributes::Properties;
use bytes::Bytes;
use dragoman_core::{Attributes, Message, Payload, Subscription, topic};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Filter, Publish, PublishProperties, RetainForwardRule};
use std::num::NonZeroU32;
use std::time::Duration;

/// Longest text and binary datum of MQTT.
const FIELD_BYTES_MAX: usize = 65_535;

/// A message for the wire, without packet id; QoS 2 becomes 1. Why not, where no packet can carry it.
pub(super) fn publish(message: &Message, retain: bool) -> Result<Publish, String> {
    topic::check_name(&message.topic).map_err(|error| error.to_string())?;
    let properties = properties(&message.attributes);
    let user = properties.user_properties.iter().flat_map(|(name, value)| [name.len(), value.len()]);
    let fields = [&properties.content_type, &properties.response_topic].into_iter().flatten().map(String::len);
    let data = properties.correlation_data.as_ref().map(Bytes::len);
    if let Some(bytes) = user.chain(fields).chain(data).find(|bytes| *bytes > FIELD_BYTES_MAX) {
        return Err(format!("a property has {bytes} bytes, and MQTT carries at most {FIELD_BYTES_MAX}"));
    }
    let qos = if message.qos == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce };
    let payload = Bytes::copy_from_slice(message.payload.as_bytes());
    let mut publish = Publish::new(message.topic.as_str(), qos, payload, Some(properties));
    publish.retain = retain;
    Ok(publish)
}

/// The same message, to be forgotten by the broker after what is left of its time, in whole seconds and at least one; or
/// earlier, where it says so itself.
pub(super) fn expiring(publish: &Publish, left: Option<Duration>) -> Publish {
    let mut publish = publish.clone();
    if let (Some(left), Some(properties)) = (left, &mut publish.properties) {
        let whole = u32::try_from(left.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX).max(1);
        let own = properties.message_expiry_interval.unwrap_or(u32::MAX);
        properties.message_expiry_interval = Some(whole.min(own));
    }
    publish
}

/// Bytes of the PUBLISH packet, once it has its packet id and an expiry.
pub(super) fn packet_bytes(publish: &Publish) -> usize {
    let mut whole = expiring(publish, Some(Duration::from_secs(1)));
    whole.pkid = 1;
    whole.size()
}

/// What the broker published under this topic. Bytes that are no topic: why.
pub(super) fn message(publish: &Publish, topic: &Bytes) -> Result<Message, String> {
    let topic = std::str::from_utf8(topic).map_err(|_| "a topic that is no text".to_owned())?;
    topic::check_name(topic).map_err(|error| format!("a message under no topic name: {error}"))?;
    Ok(Message {
        topic: topic.to_owned(),
        payload: Payload::from(publish.payload.to_vec()),
        qos: publish.qos as u8,
        retain: publish.retain,
        attributes: publish.properties.as_ref().map(attributes).unwrap_or_default(),
    })
}

/// A subscription for the wire. What the gateway published itself does not come back, and retained messages come only
/// when the subscription is new, so that making it again does not repeat them.
pub(super) fn filter(subscription: &Subscription) -> Filter {
    let qos = if subscription.qos == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce };
    let mut filter = Filter::new(subscription.filter.as_str(), qos);
    // MQTT 5.0, section 3.8.3.1: not together with a shared subscription.
    filter.nolocal = !subscription.filter.starts_with("$share/");
    filter.retain_forward_rule = RetainForwardRule::OnNewSubscribe;
    filter
}

fn attributes(properties: &PublishProperties) -> Attributes {
    Properties {
        content_type: properties.content_type.clone(),
        response_topic: properties.response_topic.clone(),
        correlation_data: properties.correlation_data.as_ref().map(|data| data.to_vec()),
        message_expiry: properties.message_expiry_interval.and_then(NonZeroU32::new),
        is_text: properties.payload_format_indicator == Some(1),
        user: properties.user_properties.clone(),
    }
    .attributes()
}

fn properties(attributes: &Attributes) -> PublishProperties {
    let plain = Properties::of(attributes);
    PublishProperties {
        content_type: plain.content_type,
        response_topic: plain.response_topic,
        correlation_data: plain.correlation_data.map(Bytes::from),
        message_expiry_interval: plain.message_expiry.map(NonZeroU32::get),
        payload_format_indicator: plain.is_text.then_some(1),
        user_properties: plain.user,
        ..PublishProperties::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(attributes: &[(&str, &str)]) -> Message {
        Message {
            topic: "t".into(),
            payload: Payload::Text("x".into()),
            qos: 1,
            retain: true,
            attributes: attributes.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        }
    }

    #[test]
    fn a_message_survives_both_ways() {
        let sent = plain(&[
            ("mqtt.content-type", "application/json"),
            ("mqtt.response-topic", "a/b"),
            ("mqtt.correlation-data", "k1"),
            ("mqtt.message-expiry-s", "30"),
            ("mqtt.payload-format", "1"),
            ("region", "eu"),
            ("region", "us"),
            ("user.mqtt.content-type", "spoof"),
        ]);
        let wire = publish(&sent, true).unwrap();
        assert_eq!(message(&wire, &wire.topic), Ok(sent));
    }

    #[test]
    fn the_shorter_expiry_counts_and_is_never_zero() {
        let expiry = |attributes: &[(&str, &str)], left_ms: Option<u64>| {
            let publish = publish(&plain(attributes), false).unwrap();
            expiring(&publish, left_ms.map(Duration::from_millis)).properties.unwrap().message_expiry_interval
        };
        let own = [("mqtt.message-expiry-s", "30")];
        assert_eq!(expiry(&own, Some(5_000)), Some(5));
        assert_eq!(expiry(&own, Some(60_000)), Some(30));
        assert_eq!(expiry(&own, None), Some(30));
        assert_eq!(expiry(&[], Some(1)), Some(1));
        assert_eq!(expiry(&[], Some(1_001)), Some(2));
        assert_eq!(expiry(&[], Some(u64::MAX)), Some(u32::MAX));
        assert_eq!(expiry(&[], None), None);
    }

    #[test]
    fn what_no_packet_can_carry_is_refused() {
        let long = "x".repeat(65_536);
        for (bad, why) in [
            (Message { topic: "a/+".into(), ..plain(&[]) }, "wildcards"),
            (Message { topic: String::new(), ..plain(&[]) }, "at least one"),
            (plain(&[("mqtt.content-type", &long)]), "65536 bytes"),
            (plain(&[("region", &long)]), "65536 bytes"),
            (plain(&[(&long, "eu")]), "65536 bytes"),
            (plain(&[("mqtt.correlation-data", &long)]), "65536 bytes"),
        ] {
            let error = publish(&bad, false).unwrap_err();
            assert!(error.contains(why), "{why}: {error}");
        }
    }

    #[test]
    fn the_size_is_that_of_the_packet() {
        let publish = publish(&plain(&[("region", "eu")]), false).unwrap();
        let mut sent = expiring(&publish, Some(Duration::from_secs(9)));
        sent.pkid = 7;
        let mut bytes = bytes::BytesMut::new();
        sent.write(&mut bytes).unwrap();
        assert_eq!(packet_bytes(&publish), bytes.len());
    }

    #[test]
    fn own_messages_do_not_come_back_but_for_shared_subscriptions() {
        let asked = |filter: &str| super::filter(&Subscription { filter: filter.into(), qos: 2 });
        assert!(asked("a/+").nolocal);
        assert!(!asked("$share/g/a/+").nolocal);
        assert_eq!(asked("a/+").qos, QoS::AtLeastOnce);
    }
}
