//! The library's hooks, translated into calls of the other rooms.

use super::hub::Hub;
use super::lifecycle::{self, live_of};
use super::{convert, delivery, inbound};
use async_trait::async_trait;
use dragoman_core::Subscription;
use rmqtt::codec::v5::SubscribeAckReason;
use rmqtt::hook::{Handler, HookResult, Parameter, Register, ReturnType, Type};
use rmqtt::types::{PublishAclResult, SubscribeReturn};
use std::sync::Arc;

const USED: [Type; 13] = [
    Type::ClientAuthenticate,
    Type::ClientConnected,
    Type::ClientDisconnected,
    Type::SessionTerminated,
    Type::ClientSubscribeCheckAcl,
    Type::SessionSubscribed,
    Type::SessionUnsubscribed,
    Type::MessagePublish,
    Type::MessagePublishCheckAcl,
    Type::MessageExpiryCheck,
    Type::MessageDelivered,
    Type::MessageAcked,
    Type::MessageDropped,
];

/// Puts the hooks in. They are dead before this.
pub(super) async fn register(register: &dyn Register, hub: &Arc<Hub>) {
    for hook in USED {
        register.add(hook, Box::new(Hooks { hub: hub.clone() })).await;
    }
    register.start().await;
}

struct Hooks {
    hub: Arc<Hub>,
}

impl Hooks {
    async fn answer(&self, parameter: &Parameter<'_>) -> Option<HookResult> {
        let hub = &self.hub;
        match parameter {
            Parameter::ClientAuthenticate(connect) => {
                Some(HookResult::AuthResult(lifecycle::authenticate(hub, connect).await))
            }
            Parameter::ClientSubscribeCheckAcl(session, subscribe) => {
                let refused = match live_of(session).await {
                    Some(live) => inbound::decide_filter(hub, &live, subscribe),
                    None => Some(SubscribeReturn::new_failure(SubscribeAckReason::NotAuthorized)),
                };
                refused.map(HookResult::SubscribeAclResult)
            }
            Parameter::MessagePublish(session, from, publish) => {
                let live = live_of(session.as_ref()?).await;
                let decided = match live {
                    Some(live) => inbound::decide(hub, &live, from, publish).await,
                    None => Some(inbound::not_admitted(publish)),
                };
                decided.map(HookResult::Publish)
            }
            Parameter::MessagePublishCheckAcl(_, publish) => {
                let verdict = inbound::verdict_of(publish.topic.as_ref()).unwrap_or_else(PublishAclResult::allow);
                Some(HookResult::PublishAclResult(verdict))
            }
            Parameter::MessageExpiryCheck(session, from, publish) => {
                let allowed =
                    live_of(session).await.is_some_and(|live| delivery::may_deliver(hub, &live, from, publish));
                (!allowed).then_some(HookResult::MessageExpiry)
            }
            _ => {
                self.note(parameter).await;
                None
            }
        }
    }

    async fn note(&self, parameter: &Parameter<'_>) {
        let hub = &self.hub;
        match parameter {
            Parameter::ClientConnected(session) => lifecycle::open(hub, session).await,
            Parameter::ClientDisconnected(session, reason) => lifecycle::ended(hub, session, reason).await,
            Parameter::SessionTerminated(session, _) => lifecycle::terminated(hub, session).await,
            Parameter::SessionSubscribed(session, subscribe) => {
                let Some(live) = live_of(session).await else { return };
                let kept = convert::kept_subscription(subscribe.topic_filter.as_ref(), &subscribe.opts);
                let told = Subscription { filter: kept.filter.clone(), qos: kept.qos };
                live.subscribed(kept);
                lifecycle::keep(hub, &live).await;
                hub.events.subscribed(live.session.clone(), told).await;
            }
            Parameter::SessionUnsubscribed(session, unsubscribe) => {
                let Some(live) = live_of(session).await else { return };
                live.unsubscribed(unsubscribe.topic_filter.as_ref());
                lifecycle::keep(hub, &live).await;
                hub.events.unsubscribed(live.session.clone(), unsubscribe.topic_filter.to_string()).await;
            }
            Parameter::MessageDelivered(session, from, _) => {
                if let Some(live) = live_of(session).await {
                    delivery::delivered(hub, &live, from);
                }
            }
            Parameter::MessageAcked(session, from, _) => {
                if let Some(live) = live_of(session).await {
                    delivery::acked(hub, &live, from);
                }
            }
            Parameter::MessageDropped(_, from, _, reason) => delivery::dropped(hub, from, reason),
            _ => {}
        }
    }
}

#[async_trait]
impl Handler for Hooks {
    async fn hook(&self, parameter: &Parameter, acc: Option<HookResult>) -> ReturnType {
        let answer = self.answer(parameter).await;
        (true, answer.or(acc))
    }
}
