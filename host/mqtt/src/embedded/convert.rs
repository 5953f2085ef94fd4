//! Messages between our words and those of the broker library.

use super::filters;
use crate::attributes::Properties;
use crate::events::{KeptSubscription, RetainHandling};
use dragoman_core::{Attributes, Message, Payload};
use rmqtt::codec::types::QoS;
use rmqtt::codec::v5::{
    PublishProperties, RetainHandling as WireRetainHandling, SubscriptionOptions as WireOptions, UserProperties,
};
use rmqtt::types::{CodecPublish, Publish, SubscriptionOptions};
use std::num::NonZeroU32;

/// What a client published.
pub(super) fn message(publish: &Publish) -> Message {
    Message {
        topic: publish.topic.to_string(),
        payload: Payload::from(publish.payload.to_vec()),
        qos: publish.qos.value(),
        retain: publish.retain,
        attributes: publish.properties.as_ref().map(attributes).unwrap_or_default(),
    }
}

/// A message for the wire.
pub(super) fn publish(message: &Message, qos: u8, retain: bool, expiry_s: Option<u32>) -> CodecPublish {
    let mut properties = properties(&message.attributes);
    let own = properties.message_expiry_interval.map(NonZeroU32::get);
    let expiry_s = own.into_iter().chain(expiry_s).min();
    properties.message_expiry_interval = expiry_s.and_then(NonZeroU32::new);
    CodecPublish {
        dup: false,
        retain,
        qos: qos_of(qos),
        topic: message.topic.as_str().into(),
        packet_id: None,
        payload: message.payload.as_bytes().to_vec().into(),
        properties: Some(properties),
    }
}

/// An upper bound of the size of the PUBLISH packet in bytes.
pub(super) fn packet_bytes(publish: &CodecPublish) -> usize {
    let properties = publish.properties.as_ref().map_or(0, |p| {
        let user: usize = p.user_properties.iter().map(|(name, value)| 5 + name.len() + value.len()).sum();
        let text =
            p.content_type.as_ref().map_or(0, |t| t.len() + 3) + p.response_topic.as_ref().map_or(0, |t| t.len() + 3);
        user + text + p.correlation_data.as_ref().map_or(0, |d| d.len() + 3) + 5 * p.subscription_ids.len() + 16
    });
    16 + publish.topic.len() + publish.payload.len() + properties
}

/// 0, 1 or 2; more is 2.
pub(super) fn qos_of(qos: u8) -> QoS {
    match qos {
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        _ => QoS::ExactlyOnce,
    }
}

/// A subscription as it is kept, from the name under which the library has it.
pub(super) fn kept_subscription(name: &str, options: &SubscriptionOptions) -> KeptSubscription {
    let (asked, served) = (filters::asked(name), filters::served(name));
    KeptSubscription {
        filter: asked.to_owned(),
        rewritten: (asked != served).then(|| served.to_owned()),
        granted: false,
        qos: options.qos_value(),
        share: options.shared_group().map(ToString::to_string),
        no_local: options.no_local().unwrap_or(false),
        retain_as_published: options.retain_as_published().unwrap_or(false),
        retain_handling: match options.retain_handling() {
            Some(WireRetainHandling::AtSubscribeNew) => RetainHandling::WhenNew,
            Some(WireRetainHandling::NoAtSubscribe) => RetainHandling::Never,
            Some(WireRetainHandling::AtSubscribe) | None => RetainHandling::Always,
        },
        subscription_id: options.subscription_identifier().map(NonZeroU32::get),
    }
}

/// A kept subscription as the broker library has it.
pub(super) fn subscription_options(kept: &KeptSubscription, protocol_level: u8) -> SubscriptionOptions {
    let share = kept.share.as_deref().map(Into::into);
    let qos = qos_of(kept.qos);
    if protocol_level < 5 {
        return SubscriptionOptions::from((qos, share, None));
    }
    let options = WireOptions {
        qos,
        no_local: kept.no_local,
        retain_as_published: kept.retain_as_published,
        retain_handling: match kept.retain_handling {
            RetainHandling::Always => WireRetainHandling::AtSubscribe,
            RetainHandling::WhenNew => WireRetainHandling::AtSubscribeNew,
            RetainHandling::Never => WireRetainHandling::NoAtSubscribe,
        },
    };
    SubscriptionOptions::from((&options, share, None, kept.subscription_id.and_then(NonZeroU32::new)))
}

fn attributes(properties: &PublishProperties) -> Attributes {
    let user = properties.user_properties.iter().map(|(name, value)| (name.to_string(), value.to_string()));
    Properties {
        content_type: properties.content_type.as_ref().map(ToString::to_string),
        response_topic: properties.response_topic.as_ref().map(ToString::to_string),
        correlation_data: properties.correlation_data.as_ref().map(|data| data.to_vec()),
        message_expiry: properties.message_expiry_interval,
        is_text: properties.is_utf8_payload,
        user: user.collect(),
    }
    .attributes()
}

fn properties(attributes: &Attributes) -> PublishProperties {
    let plain = Properties::of(attributes);
    let user = plain.user.into_iter().map(|(name, value)| (name.into(), value.into()));
    PublishProperties {
        content_type: plain.content_type.map(Into::into),
        response_topic: plain.response_topic.map(Into::into),
        correlation_data: plain.correlation_data.map(Into::into),
        message_expiry_interval: plain.message_expiry,
        is_utf8_payload: plain.is_text,
        user_properties: user.collect::<UserProperties>(),
        ..PublishProperties::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shorter_expiry_counts() {
        let mut message = Message {
            topic: "t".into(),
            payload: Payload::Text("x".into()),
            qos: 1,
            retain: false,
            attributes: vec![("mqtt.message-expiry-s".into(), "30".into())],
        };
        let expiry =
            |message: &Message, s| publish(message, 1, false, s).properties.and_then(|p| p.message_expiry_interval);
        assert_eq!(expiry(&message, Some(5)), NonZeroU32::new(5));
        assert_eq!(expiry(&message, Some(60)), NonZeroU32::new(30));
        message.attributes.clear();
        assert_eq!(expiry(&message, None), None);
    }
}
