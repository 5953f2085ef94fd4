//! Messages of the daemon on their way to one session, and what becomes of them.
//!
//! The library says about each message where it came from. For the daemon's messages that origin names our session and
//! the number of the message in it, so a PUBACK finds its token without anything in the message itself: an origin is
//! never sent to a client.

use super::hub::Hub;
use super::live::Live;
use super::outstanding::{NotTaken, Outstanding};
use super::{convert, policy, router};
use crate::broker::{Delivery, DeliveryToken, Receipt};
use dragoman_core::{DeviceId, Message, SessionId};
use rmqtt::codec::v5::PublishProperties;
use rmqtt::types::{From as Origin, FromType, Id, Publish, Reason};
use rmqtt::utils::timestamp_millis;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What [`Broker::publish_to`](crate::Broker::publish_to) says.
pub(super) async fn publish_to(
    hub: &Hub,
    device: &DeviceId,
    message: &Message,
    subscribed_only: bool,
    expires_in_ms: u64,
    token: DeliveryToken,
) -> Delivery {
    let live = hub.tables().by_device.get(device).cloned();
    let Some(live) = live else { return Delivery::Away };
    if subscribed_only && live.subscribed_qos(&message.topic).is_none() {
        return match policy::is_name(&message.topic, hub.options.max_topic_bytes) {
            true => Delivery::NoSubscriber,
            false => Delivery::Invalid,
        };
    }
    send(hub, &live, message, Some(expires_in_ms), Some(token)).await
}

/// What [`Broker::publish_to_session`](crate::Broker::publish_to_session) says.
pub(super) async fn publish_to_session(hub: &Hub, session: &SessionId, message: &Message) -> bool {
    let live = hub.tables().by_session.get(session).cloned();
    let Some(live) = live else { return false };
    let delivery = send(hub, &live, message, None, None).await;
    if !matches!(delivery, Delivery::Sent { .. } | Delivery::Away) {
        hub.counters.dropped("session-message");
        let client = &live.session.client_id;
        tracing::warn!(client, topic = message.topic, ?delivery, "a message of the daemon cannot be sent to a session");
    }
    matches!(delivery, Delivery::Sent { .. })
}

/// Sends a message to one session. With a token its receipt is told, where its QoS has one.
async fn send(
    hub: &Hub,
    live: &Arc<Live>,
    message: &Message,
    expires_in_ms: Option<u64>,
    token: Option<DeliveryToken>,
) -> Delivery {
    let Some(running) = hub.running() else { return Delivery::Away };
    if !policy::is_name(&message.topic, hub.options.max_topic_bytes) {
        return Delivery::Invalid;
    }
    if !live.may_receive(&message.topic) {
        return Delivery::NoSubscriber;
    }
    let subscribed = live.subscribed_qos(&message.topic);
    let qos = message.qos.min(subscribed.unwrap_or(message.qos)).min(1);
    let publish = convert::publish(message, qos, false, expires_in_ms.map(in_seconds));
    if !fits(hub, live, &publish) {
        return Delivery::Invalid;
    }
    let entry = running.scx.extends.shared().await.entry(live.id.clone());
    if entry.id_same() != Some(true) || !entry.is_connected().await {
        return Delivery::Away;
    }
    let deadline = expires_in_ms.and_then(|ms| Instant::now().checked_add(Duration::from_millis(ms.max(1))));
    let receipt = qos > 0 && token.is_some();
    let outstanding = Outstanding { token, receipt, deadline };
    let number = match live.take_on(outstanding, hub.options.max_outstanding) {
        Ok(number) => number,
        Err(NotTaken::Closed) => return Delivery::Away,
        Err(NotTaken::Full) => return Delivery::Full,
    };
    let publish = Publish::from(publish).create_time(timestamp_millis());
    let sent = entry.publish(origin(&running.scx.node.id(), live, number), publish).await;
    if sent.is_err() && live.settle(number).is_some() {
        return Delivery::Away;
    }
    Delivery::Sent { receipt }
}

/// Whole seconds on the wire, at least one.
fn in_seconds(ms: u64) -> u32 {
    u32::try_from(ms.max(1).div_ceil(1000)).unwrap_or(u32::MAX)
}

/// What [`Broker::publish`](crate::Broker::publish) says.
pub(super) async fn publish(hub: &Hub, dialect: Option<&str>, message: &Message, expires_in_ms: Option<u64>) -> usize {
    let Some(running) = hub.running() else { return 0 };
    let scx = running.scx;
    let can_be = !message.retain || policy::can_be_retained(&message.topic);
    if !policy::is_name(&message.topic, hub.options.max_topic_bytes) || !can_be {
        tracing::warn!(topic = message.topic, "a message of the daemon has a topic that cannot be routed");
        return 0;
    }
    let recipients = router::recipients(hub, None, dialect, &message.topic);
    if recipients.is_empty() && !message.retain {
        return 0;
    }
    let wire = convert::publish(message, message.qos, message.retain, expires_in_ms.map(in_seconds));
    let publish = Publish::from(wire).create_time(timestamp_millis());
    // The user name stands for the dialect: what is retained goes out by it later.
    let from = Id::new(scx.node.id(), 0, None, None, "dragoman".into(), dialect.map(Into::into));
    let from = Origin::from_admin(from);
    if message.retain {
        let expiry = expires_in_ms.map(Duration::from_millis);
        let retain = rmqtt::types::Retain { msg_id: None, from: from.clone(), publish: publish.clone() };
        let topic = publish.topic.clone();
        if let Err(error) = scx.extends.retain().await.set(&topic, retain, expiry).await {
            tracing::warn!(%topic, %error, "a message of the daemon is not retained");
        }
    }
    match scx.extends.shared().await.forwards_to(from, &publish, recipients, None).await {
        Ok(sessions) | Err((sessions, _)) => sessions.len(),
    }
}

/// Whether a message may be handed to a session now.
pub(super) fn may_deliver(hub: &Hub, live: &Live, from: &Origin, publish: &Publish) -> bool {
    if from.is_system() {
        // The policy may have changed since it was taken on; what is not handed over is then told to be lost.
        return live.may_receive(publish.topic.as_ref())
            && number_in(live, from).is_some_and(|number| live.hand_over(number, Instant::now()));
    }
    live.leave_routed();
    if !live.may_receive(publish.topic.as_ref()) || is_of_another(live, from) {
        hub.counters.dropped("receive-policy");
        return false;
    }
    if !fits(hub, live, publish) {
        hub.counters.dropped("too-large");
        return false;
    }
    true
}

/// The dialect whose plugin published it. See [`publish`].
pub(super) fn dialect_of(from: &Origin) -> Option<&str> {
    from.username.as_deref().filter(|_| matches!(from.typ(), FromType::Admin))
}

/// Whether a plugin of another dialect published it.
fn is_of_another(live: &Live, from: &Origin) -> bool {
    dialect_of(from).is_some_and(|of| live.session.dialect.as_deref() != Some(of))
}

/// A message was handed to a session's connection.
pub(super) fn delivered(hub: &Hub, live: &Live, from: &Origin) {
    hub.counters.delivered();
    if let Some(number) = number_in(live, from) {
        live.delivered(number);
    }
}

/// A session acknowledged a message.
pub(super) fn acked(hub: &Hub, live: &Live, from: &Origin) {
    if let Some(message) = number_in(live, from).and_then(|number| live.settle(number)) {
        hub.tell_receipt(message, Receipt::Acked);
    }
}

/// The library dropped a message.
pub(super) fn dropped(hub: &Hub, to: Option<&Id>, from: &Origin, reason: &Reason) {
    if !from.is_system() {
        if matches!(reason, Reason::MessageQueueFull)
            && let Some(live) = to.and_then(|to| hub.tables().live_with(to).cloned())
        {
            live.leave_routed();
        }
        hub.counters.dropped(match reason {
            Reason::MessageQueueFull => "queue-full",
            Reason::MessageExpiration => "expired",
            _ => "other",
        });
        return;
    }
    let live = hub.tables().by_session.get(&SessionId::new(from.client_id.to_string())).cloned();
    let Some(live) = live else { return };
    if let Some(message) = number_in(&live, from).and_then(|number| live.settle(number)) {
        hub.tell_receipt(message, Receipt::Lost(lost_for(reason)));
    }
}

/// Tells about what was not handed over in time.
pub(super) fn expire(hub: &Hub, live: &Arc<Live>, now: Instant) {
    for message in live.settle_expired(now) {
        hub.tell_receipt(message, Receipt::Lost(lost_for(&Reason::MessageExpiration)));
    }
}

fn lost_for(reason: &Reason) -> String {
    match reason {
        Reason::MessageQueueFull => "too many messages wait for the session".into(),
        Reason::MessageExpiration => {
            "it expired before the device could take it, or its policy no longer allows it".into()
        }
        other => format!("the broker dropped it: {other}"),
    }
}

fn origin(node: &u64, live: &Live, number: u64) -> Origin {
    let session = live.session.id.as_str();
    Origin::from_system(Id::new(*node, 0, None, None, session.into(), Some(number.to_string().into())))
}

/// The number of a message of the daemon, if it was meant for this session and no earlier one of the same client.
fn number_in(live: &Live, from: &Origin) -> Option<u64> {
    let client: &str = from.client_id.as_ref();
    (from.is_system() && client == live.session.id.as_str()).then(|| from.username_ref().parse().ok()).flatten()
}

fn fits(hub: &Hub, live: &Live, publish: &rmqtt::types::CodecPublish) -> bool {
    let without = |properties: &Option<PublishProperties>| live.session.protocol_level < 5 && properties.is_some();
    let bytes = if without(&publish.properties) {
        16 + publish.topic.len() + publish.payload.len()
    } else {
        convert::packet_bytes(publish)
    };
    let most = live.max_packet_bytes.unwrap_or(u32::MAX).min(hub.options.max_packet_bytes.saturating_mul(4));
    u32::try_from(bytes).is_ok_and(|bytes| bytes <= most)
}
