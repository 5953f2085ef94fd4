//! The library's hooks, translated into calls of the other rooms.

use super::hub::Hub;
use super::lifecycle::{self, live_of};
use super::{delivery, inbound, subscribe};
use async_trait::async_trait;
use rmqtt::hook::{Handler, HookResult, Parameter, Register, ReturnType, Type};
use rmqtt::types::PublishAclResult;
use std::sync::Arc;

const USED: [Type; 14] = [
    Type::ClientAuthenticate,
    Type::ClientConnected,
    Type::ClientDisconnected,
    Type::SessionTerminated,
    Type::ClientSubscribe,
    Type::ClientSubscribeCheckAcl,
    Type::SessionSubscribed,
    Type::ClientUnsubscribe,
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
            Parameter::ClientSubscribe(session, asked) => {
                let name = match live_of(session).await {
                    Some(live) => subscribe::decide(hub, &live, session, asked).await,
                    None => subscribe::not_admitted(),
                };
                Some(HookResult::TopicFilter(Some(name)))
            }
            Parameter::ClientSubscribeCheckAcl(_, named) => {
                subscribe::refusal_in(named.topic_filter.as_ref()).map(HookResult::SubscribeAclResult)
            }
            Parameter::ClientUnsubscribe(session, gone) => {
                let live = live_of(session).await?;
                let name = subscribe::end(hub, &live, session, gone).await?;
                Some(HookResult::TopicFilter(Some(name)))
            }
            Parameter::MessagePublish(session, from, publish) => {
                let session = session.as_ref()?;
                let decided = match live_of(session).await {
                    Some(live) => inbound::decide(hub, session, &live, from, publish).await,
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
            Parameter::SessionSubscribed(session, named) => {
                if let Some(live) = live_of(session).await {
                    subscribe::done(hub, &live, named).await;
                }
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
            Parameter::MessageDropped(to, from, _, reason) => delivery::dropped(hub, to.as_ref(), from, reason),
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
