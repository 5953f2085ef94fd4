//! What a client sends: policy first, then the daemon, then the library's own way.
//!
//! The library asks twice about a PUBLISH: a first hook may rewrite it, a second one may refuse it. Everything is decided
//! in the first, because only there a message can be taken out of the routing and because last wills pass only there.
//! The decision travels to the second hook and to the router as the topic, behind a mark that no client can send.

use super::hub::Hub;
use super::line::Handed;
use super::live::Live;
use super::{convert, policy};
use crate::events::InboundVerdict;
use rmqtt::codec::types::QoS;
use rmqtt::codec::v5::PublishAckReason;
use rmqtt::session::{Session, SessionState};
use rmqtt::types::{From as Origin, Publish, PublishAclResult, PublishResult};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// Begins a topic that says what was decided. It is a control character, which [`policy::is_name`] refuses.
const MARK: char = '\u{1}';
const NOT_AUTHORIZED: u8 = 0x87;
const TOPIC_NAME_INVALID: u8 = 0x90;

/// Whether a topic is a decision and nobody gets the message.
pub(super) fn is_mark(topic: &str) -> bool {
    topic.starts_with(MARK)
}

/// The decision for the second hook, where there is one.
pub(super) fn verdict_of(topic: &str) -> Option<PublishAclResult> {
    let code = topic.strip_prefix(MARK)?;
    let reason = match code.parse() {
        Ok(0) => return Some(PublishAclResult::allow()),
        Ok(0x83) => PublishAckReason::ImplementationSpecificError,
        Ok(NOT_AUTHORIZED) => PublishAckReason::NotAuthorized,
        Ok(TOPIC_NAME_INVALID) => PublishAckReason::TopicNameInvalid,
        Ok(0x97) => PublishAckReason::QuotaExceeded,
        Ok(0x99) => PublishAckReason::PayloadFormatInvalid,
        Ok(_) | Err(_) => PublishAckReason::UnspecifiedError,
    };
    Some(PublishAclResult(PublishResult::reason_code(reason, None, false)))
}

/// Decides about a message. None: it is routed as it is.
pub(super) async fn decide(
    hub: &Arc<Hub>,
    session: &Session,
    live: &Arc<Live>,
    from: &Origin,
    publish: &Publish,
) -> Option<Publish> {
    let topic: &str = publish.topic.as_ref();
    let limits = &hub.options;
    if hub.is_stopping() && !from.is_custom() {
        // A last will that only the stop of the daemon set off.
        return Some(marked(publish, 0));
    }
    if !policy::is_name(topic, limits.max_topic_bytes) {
        return Some(refuse(hub, live, publish, "topic", TOPIC_NAME_INVALID));
    }
    if !policy::allows(&live.policy().publish, topic) {
        return Some(refuse(hub, live, publish, "policy", NOT_AUTHORIZED));
    }
    hub.counters.inbound();
    let (events, current, message) = (hub.events.clone(), live.current(), convert::message(publish));
    if publish.qos != QoS::AtMostOnce {
        live.line.clear().await;
        return judge(hub, live, publish, events.inbound(current, message).await);
    }
    let bytes = publish.topic.len() + publish.payload.len();
    let verdict = async move { events.inbound(current, message).await };
    let later = Later {
        hub: hub.clone(),
        live: live.clone(),
        from: from.clone(),
        retained_for: publish.retain.then(|| session.fitter.message_expiry_interval(publish)),
        publish: publish.clone(),
    };
    match live.line.hand_over(bytes, verdict, |verdict| later.go_on(verdict)).await {
        Handed::Now(verdict) => judge(hub, live, publish, verdict),
        Handed::Later => Some(marked(publish, 0)),
    }
}

/// What a verdict makes of a message. None: it is routed as it is.
fn judge(hub: &Hub, live: &Live, publish: &Publish, verdict: InboundVerdict) -> Option<Publish> {
    match verdict {
        InboundVerdict::Accept => Some(marked(publish, 0)),
        InboundVerdict::Route if !publish.retain || policy::can_be_retained(publish.topic.as_ref()) => None,
        InboundVerdict::Route => Some(refuse(hub, live, publish, "topic", TOPIC_NAME_INVALID)),
        InboundVerdict::Refuse(code) => Some(refuse(hub, live, publish, "daemon", code.max(0x80))),
    }
}

/// A message for which the library did not wait.
struct Later {
    hub: Arc<Hub>,
    live: Arc<Live>,
    from: Origin,
    publish: Publish,
    retained_for: Option<Duration>,
}

impl Later {
    /// Does what the library would have done.
    async fn go_on(self, verdict: InboundVerdict) {
        let Self { hub, live, from, publish, retained_for } = self;
        if judge(&hub, &live, &publish, verdict).is_some() {
            return;
        }
        let Some(running) = hub.running() else { return };
        if let Err(error) = SessionState::forwards(&running.scx, from, publish, false, retained_for).await {
            tracing::warn!(client = %live.session.client_id, %error, "a message of a client is not routed");
        }
    }
}

fn refuse(hub: &Hub, live: &Live, publish: &Publish, cause: &'static str, code: u8) -> Publish {
    hub.counters.refused_publish(cause);
    let times = live.refused.fetch_add(1, Relaxed) + 1;
    if times.is_power_of_two() {
        let (client, listener) = (&live.session.client_id, &live.session.listener);
        tracing::warn!(%client, %listener, topic = %publish.topic, cause, code, times, "a message of a client is refused");
    }
    marked(publish, code)
}

/// The payload goes, too: nobody reads it any more.
fn marked(publish: &Publish, code: u8) -> Publish {
    let mut publish = publish.clone();
    publish.topic = format!("{MARK}{code}").into();
    publish.retain = false;
    publish.payload = Default::default();
    publish
}

/// The decision about a message of a session that nobody admitted.
pub(super) fn not_admitted(publish: &Publish) -> Publish {
    marked(publish, NOT_AUTHORIZED)
}
