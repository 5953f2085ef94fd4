//! What a client subscribes to: policy first, then the daemon.
//!
//! The library asks twice about a filter: a first hook may put another one in its place, a second one may refuse it.
//! Everything is decided in the first, because only there the name under which the library has the subscription can be
//! chosen. A refusal travels to the second hook as that name, behind a mark that no filter begins with.

use super::hub::Hub;
use super::live::Live;
use super::{convert, filters, lifecycle, policy};
use crate::events::SubscribeVerdict;
use dragoman_core::Subscription;
use rmqtt::codec::v5::SubscribeAckReason;
use rmqtt::session::Session;
use rmqtt::types::{Subscribe, SubscribeReturn, TopicFilter, Unsubscribe};
use std::sync::Arc;

const MARK: char = '\u{1}';
const NOT_AUTHORIZED: u8 = 0x87;
const FILTER_INVALID: u8 = 0x8f;
const QUOTA_EXCEEDED: u8 = 0x97;

/// The decision for the second hook: none, and the filter is granted.
pub(super) fn refusal_in(name: &str) -> Option<SubscribeReturn> {
    let reason = match name.strip_prefix(MARK)?.parse() {
        Ok(FILTER_INVALID) => SubscribeAckReason::TopicFilterInvalid,
        Ok(QUOTA_EXCEEDED) => SubscribeAckReason::QuotaExceeded,
        Ok(_) | Err(_) => SubscribeAckReason::NotAuthorized,
    };
    Some(SubscribeReturn::new_failure(reason))
}

/// The decision about a filter of a session that nobody admitted.
pub(super) fn not_admitted() -> TopicFilter {
    format!("{MARK}{NOT_AUTHORIZED}").into()
}

struct Refused {
    cause: &'static str,
    code: u8,
}

/// Decides about a filter: the name under which the library is to have the subscription, or the refusal.
pub(super) async fn decide(hub: &Hub, live: &Arc<Live>, session: &Session, subscribe: &Subscribe) -> TopicFilter {
    // What the client sent before may decide about it.
    live.line.clear().await;
    let asked: &str = subscribe.topic_filter.as_ref();
    let share = subscribe.opts.shared_group().map(|group| -> &str { group.as_ref() });
    let served = match served_with(hub, live, asked, share, subscribe.opts.qos_value()).await {
        Ok(served) => served,
        Err(Refused { cause, code }) => {
            hub.counters.refused_subscription(cause);
            let (client, listener) = (&live.session.client_id, &live.session.listener);
            let filter = filters::in_words(asked, share);
            tracing::info!(%client, %listener, filter, cause, "a subscription is refused");
            return format!("{MARK}{code}").into();
        }
    };
    let name = filters::name(asked, share, &served);
    if let Some(before) = live.name_of(asked, share).filter(|before| *before != name) {
        // Asked for again, and served with another filter now.
        take_out(hub, live, session, &before).await;
    }
    // It is held before the library has it: what is not held is not routed, see `OnceRouter::add`.
    live.subscribed(convert::kept_subscription(&name, &subscribe.opts));
    name.into()
}

async fn served_with(hub: &Hub, live: &Live, asked: &str, share: Option<&str>, qos: u8) -> Result<String, Refused> {
    let most = hub.options.max_topic_bytes;
    if !policy::is_filter(asked, most) || share.is_some_and(|group| !policy::is_group(group, most)) {
        return Err(Refused { cause: "filter", code: FILTER_INVALID });
    }
    if !live.has_room(asked, share, hub.options.max_subscriptions) {
        return Err(Refused { cause: "limit", code: QUOTA_EXCEEDED });
    }
    if policy::allows_filter(&live.policy().subscribe, asked) {
        return Ok(asked.to_owned());
    }
    let words = Subscription { filter: filters::in_words(asked, share), qos };
    match hub.events.subscribing(live.current(), words).await {
        SubscribeVerdict::AsAsked => Ok(asked.to_owned()),
        SubscribeVerdict::Rewritten(filter) if policy::is_filter(&filter, most) && !filter.starts_with("$share/") => {
            Ok(filter)
        }
        SubscribeVerdict::Rewritten(filter) => {
            tracing::warn!(asked, filter, "a subscription is refused: what it was rewritten to is no topic filter");
            Err(Refused { cause: "rewritten", code: NOT_AUTHORIZED })
        }
        SubscribeVerdict::Refuse => Err(Refused { cause: "policy", code: NOT_AUTHORIZED }),
    }
}

/// The library has a subscription now.
pub(super) async fn done(hub: &Hub, live: &Arc<Live>, subscribe: &Subscribe) {
    let told = convert::kept_subscription(subscribe.topic_filter.as_ref(), &subscribe.opts).in_words();
    lifecycle::keep(hub, live).await;
    hub.events.subscribed(live.current(), told).await;
}

/// Ends a subscription in the client's words. What comes back is the name under which the library has it.
pub(super) async fn end(hub: &Hub, live: &Arc<Live>, session: &Session, gone: &Unsubscribe) -> Option<TopicFilter> {
    live.line.clear().await;
    let asked: &str = gone.topic_filter.as_ref();
    let share = gone.shared_group.as_ref().map(|group| -> &str { group.as_ref() });
    let name = live.name_of(asked, share)?;
    live.unsubscribed(&name, share);
    take_out(hub, live, session, &name).await;
    lifecycle::keep(hub, live).await;
    hub.events.unsubscribed(live.current(), filters::in_words(asked, share)).await;
    Some(name.into())
}

async fn take_out(hub: &Hub, live: &Live, session: &Session, name: &str) {
    // A session that resumes may end what is still the earlier one's: the library hands that over a moment later.
    let is_newest = hub.tables().live_with(&live.id).is_some();
    match is_newest {
        true => hub.index_mut().forget(filters::served(name), name, &live.id.client_id),
        false => hub.index_mut().remove(filters::served(name), name, &live.id),
    };
    if let Err(error) = session.subscriptions_remove(name).await {
        tracing::warn!(client = live.session.client_id, name, %error, "a subscription stays with its session");
    }
}
