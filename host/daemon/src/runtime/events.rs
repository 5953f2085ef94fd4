//! What the broker tells and asks, passed to the room it belongs to.

use super::again;
use super::engine::{Step, Stopped};
use super::gateway::Gateway;
use super::writes::About;
use async_trait::async_trait;
use dragoman_core::{ConnectRefusal, DeviceId, Grant, Input, Message, Session, Subscription};
use dragoman_mqtt::{
    BrokerEvents, CloseReason, ConnectAttempt, DeliveryToken, InboundVerdict, KeptSession, Receipt, SubscribeVerdict,
};
use dragoman_store::{MqttSessionRecord, Write};
use dragoman_wasm::{DeviceEvent, SubscriptionVerdict};
use std::sync::Arc;

/// The gateway as the broker sees it.
pub struct Events {
    gateway: Arc<Gateway>,
}

impl Events {
    /// Reports to that gateway.
    pub fn new(gateway: Arc<Gateway>) -> Self {
        Self { gateway }
    }

    fn apply(&self, input: Input) {
        // A journal that died has told the daemon to stop; a broker event has nobody else to tell.
        let _: Result<_, Stopped> = self.gateway.engine.turn(vec![Step::Input(input)], None);
    }

    async fn write(&self, write: Write) {
        if let Ok(turn) = self.gateway.engine.turn(vec![Step::Write(write)], None) {
            let _: Result<_, Stopped> = self.gateway.engine.committed(turn.seq).await;
        }
    }
}

#[async_trait]
impl BrokerEvents for Events {
    async fn authenticate(&self, attempt: ConnectAttempt) -> Result<Grant, ConnectRefusal> {
        self.gateway.admit(&attempt).await
    }

    async fn opened(&self, session: Arc<Session>, _resumed: bool) {
        self.gateway.notes.opened(&session.id);
        let (Some(device), Some(dialect)) = (session.device.clone(), session.dialect.clone()) else { return };
        let broker = self.gateway.broker();
        self.gateway.presence.opened(device.clone(), session, broker.as_deref(), || {
            self.apply(Input::Presence { holder: device.clone(), online: true });
        });
        self.gateway.presence_changed(&device, true).await;
        // It may have been removed while it was being let in, when there was no session yet to close.
        if !self.gateway.is_known(&dialect, &device).await
            && let Some(broker) = broker
        {
            broker.close_device(&device).await;
        }
    }

    async fn closed(&self, session: Arc<Session>, reason: CloseReason) {
        tracing::debug!(session = %session.id, ?reason, "a session closed");
        self.gateway.notes.closed(&session.id);
        if let Some(dialect) = &session.dialect {
            self.gateway.notices.closed(dialect, &session.id);
        }
        let Some(device) = session.device.clone() else { return };
        let mut away = false;
        self.gateway.presence.closed(&device, &session.id, || {
            away = true;
            self.apply(Input::Presence { holder: device.clone(), online: false });
        });
        if away {
            self.gateway.presence_changed(&device, false).await;
        }
    }

    async fn inbound(&self, session: Arc<Session>, message: Message) -> InboundVerdict {
        self.gateway.hear(session, message).await
    }

    async fn subscribing(&self, session: Arc<Session>, asked: Subscription) -> SubscribeVerdict {
        self.gateway.judge(&session, &asked).await
    }

    async fn subscribed(&self, session: Arc<Session>, _subscription: Subscription) {
        if let Some(holder) = session.device.clone() {
            self.apply(Input::SignOfLife { holder });
        }
    }

    async fn unsubscribed(&self, _session: Arc<Session>, _filter: String) {}

    fn receipt(&self, token: DeliveryToken, receipt: Receipt) {
        self.gateway.receipt(&token, receipt);
    }

    async fn keep_session(&self, kept: KeptSession) {
        let body = match serde_json::to_string(&kept) {
            Ok(body) => body,
            Err(error) => {
                tracing::error!(%error, client_id = %kept.client_id, "a session cannot be kept over a restart");
                return;
            }
        };
        let gone_since_ms = kept.gone_since_ms.unwrap_or_else(|| self.gateway.engine.now_ms());
        let expires_ms = gone_since_ms.saturating_add(kept.expiry_s.saturating_mul(1_000));
        let record = MqttSessionRecord { client_id: kept.client_id, expires_ms, body };
        self.write(Write::MqttSession(record)).await;
    }

    async fn forget_session(&self, client_id: String) {
        self.write(Write::MqttSessionRemove(client_id)).await;
    }
}

impl Gateway {
    /// Tells the dialects that asked for it that a device came or went.
    async fn presence_changed(self: &Arc<Self>, device: &DeviceId, online: bool) {
        let event = DeviceEvent {
            device: device.clone(),
            kind: "presence".into(),
            name: None,
            at_ms: self.engine.now_ms(),
            raw: None,
            body: Some(serde_json::json!({ "online": online }).to_string()),
            attributes: Vec::new(),
        };
        self.device_events.push(self, event, 0).await;
    }

    /// What a client gets that asked for a filter which its policy does not grant by itself.
    async fn judge(self: &Arc<Self>, session: &Arc<Session>, asked: &Subscription) -> SubscribeVerdict {
        let plugin = session.dialect.as_ref().and_then(|dialect| self.plugin(dialect));
        let Some(plugin) = plugin.filter(|plugin| plugin.roles().subscriptions) else {
            return SubscribeVerdict::Refuse;
        };
        let call = self.call_context(None);
        let ask = || plugin.on_subscribe(call.clone(), session, asked);
        match again::call_and_apply(self, &plugin, ask, About::default).await {
            Ok(called) => match called.value {
                SubscriptionVerdict::AsAsked => SubscribeVerdict::AsAsked,
                SubscriptionVerdict::Rewritten(filter) => SubscribeVerdict::Rewritten(filter),
                SubscriptionVerdict::Refuse => SubscribeVerdict::Refuse,
            },
            Err(why) => {
                tracing::warn!(%why, filter = %asked.filter, "a subscription is refused because its dialect failed");
                SubscribeVerdict::Refuse
            }
        }
    }
}
