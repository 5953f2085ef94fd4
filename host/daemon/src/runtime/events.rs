//! What the broker tells and asks: who may connect, who is there, and what devices say.

use super::engine::{Step, Stopped};
use super::gateway::Gateway;
use super::writes::WriteError;
use async_trait::async_trait;
use dragoman_core::{ConnectRefusal, DeviceId, Grant, Input, Message, Session, Subscription};
use dragoman_mqtt::{
    BrokerEvents, CloseReason, ConnectAttempt, DeliveryToken, InboundVerdict, KeptSession, Receipt, SubscribeVerdict,
};
use dragoman_store::{MqttSessionRecord, Seq, Write};
use dragoman_wasm::{CallError, Claim, Fault, Plugin, Presented, Secret, Verdict};
use std::sync::Arc;
use std::time::Duration;

/// How often a call is repeated because somebody was faster, after the first.
pub const REPEATS_MAX: u32 = 3;
/// Before a message is read again for which no plugin instance was free, and how often.
const BUSY_AGAIN_AFTER: Duration = Duration::from_millis(250);
const BUSY_WAITS_MAX: u32 = 20;
/// MQTT 5 reason code: the plugin that should read the message failed.
const IMPLEMENTATION_SPECIFIC: u8 = 0x83;
/// MQTT 5 reason code: the topic belongs to another dialect.
const NOT_AUTHORIZED: u8 = 0x87;

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

    /// A device that a dialect let in must still be registered for that dialect.
    async fn is_known(&self, dialect: &str, device: &DeviceId) -> bool {
        match self.gateway.engine.journal().device(device).await {
            Ok(Some(record)) => *record.dialect == *dialect && !record.disabled,
            Ok(None) => false,
            Err(error) => {
                tracing::error!(%error, %device, "a connection is refused because its device cannot be read");
                false
            }
        }
    }

    async fn ask(&self, plugin: &Plugin, attempt: &ConnectAttempt) -> Result<Option<Grant>, ConnectRefusal> {
        let presented = attempt.password.as_ref().map(|password| Presented {
            scheme: "mqtt".into(),
            account: attempt.session.username.clone(),
            secret: Secret::new(password.clone()),
        });
        let Ok(_place) = self.gateway.arrivals.acquire().await else { return Err(ConnectRefusal::Unavailable) };
        let call = self.gateway.call_context(presented);
        match plugin.authenticate(call, &attempt.session, attempt.keep_alive_s, attempt.clean).await {
            Ok(done) if !done.writes.is_empty() => {
                tracing::warn!(plugin = %plugin.name(), "a connection is refused: its dialect wrote during admission, which the contract does not allow");
                Err(ConnectRefusal::Unavailable)
            }
            Ok(done) => match done.value {
                Verdict::NotMine => Ok(None),
                Verdict::Refuse(refusal) => Err(refusal),
                Verdict::Accept(grant) => match &grant.device {
                    Some(device) if !self.is_known(plugin.name(), device).await => Err(ConnectRefusal::NotAuthorized),
                    _ => Ok(Some(grant)),
                },
            },
            Err(fault) => {
                tracing::warn!(%fault, "a connection is refused because its dialect failed");
                Err(ConnectRefusal::Unavailable)
            }
        }
    }

    /// Lets the dialect read a device's message and applies what it says. What covers that, or the reason code for the
    /// sender.
    async fn read_message(
        gateway: Arc<Gateway>,
        plugin: Arc<Plugin>,
        session: Arc<Session>,
        message: Message,
    ) -> Result<Option<Seq>, u8> {
        let call = gateway.call_context(None);
        let mut waited = 0;
        for _ in 0..=REPEATS_MAX {
            let read = loop {
                let read = plugin.southbound_message(call.clone(), &session, &message).await;
                // Nothing is wrong with the message where the plugin could not be called: a 3.1.1 device has no way to
                // hear of a refusal, and would take its answer for told.
                match &read {
                    Err(CallError { fault: Fault::Busy(_) | Fault::Host(_), .. }) if waited < BUSY_WAITS_MAX => {
                        waited += 1;
                        tokio::time::sleep(BUSY_AGAIN_AFTER).await;
                    }
                    _ => break read,
                }
            };
            let done = read.map_err(|fault| {
                metrics::counter!("dragoman_device_messages_failed_total", "dialect" => plugin.name().to_string())
                    .increment(1);
                tracing::warn!(%fault, topic = %message.topic, "a device's message could not be read");
                IMPLEMENTATION_SPECIFIC
            })?;
            if done.writes.is_empty() {
                return Ok(None);
            }
            match gateway.apply_writes(&plugin, done.writes, None, session.device.as_ref()).await {
                Ok(applied) => return Ok(Some(applied.seq)),
                Err(WriteError::Conflict(_)) => {}
                Err(error) => {
                    tracing::warn!(%error, topic = %message.topic, "what a device's message said could not be applied");
                    return Err(IMPLEMENTATION_SPECIFIC);
                }
            }
        }
        tracing::warn!(topic = %message.topic, "a device's message was given up: somebody was faster each time");
        Err(IMPLEMENTATION_SPECIFIC)
    }
}

#[async_trait]
impl BrokerEvents for Events {
    async fn authenticate(&self, attempt: ConnectAttempt) -> Result<Grant, ConnectRefusal> {
        let catalog = self.gateway.catalog();
        let configured = &self.gateway.config.mqtt.dialects;
        let asked: Vec<&Arc<Plugin>> = match configured.is_empty() {
            true => catalog.plugins.values().collect(),
            false => configured.iter().filter_map(|name| catalog.get(name)).collect(),
        };
        for plugin in asked.into_iter().filter(|plugin| admits(plugin)) {
            if let Some(grant) = self.ask(plugin, &attempt).await? {
                return Ok(grant);
            }
        }
        tracing::debug!(client_id = %attempt.session.client_id, "no dialect of the listener knows this client");
        Err(ConnectRefusal::NotAuthorized)
    }

    async fn opened(&self, session: Arc<Session>, _resumed: bool) {
        let (Some(device), Some(dialect)) = (session.device.clone(), session.dialect.clone()) else { return };
        let broker = self.gateway.broker();
        self.gateway.presence.opened(device.clone(), session, broker.as_deref(), || {
            self.apply(Input::Presence { holder: device.clone(), online: true });
        });
        // It may have been removed while it was being let in, when there was no session yet to close.
        if !self.is_known(&dialect, &device).await
            && let Some(broker) = broker
        {
            broker.close_device(&device).await;
        }
    }

    async fn closed(&self, session: Arc<Session>, reason: CloseReason) {
        tracing::debug!(session = %session.id, ?reason, "a session closed");
        let Some(device) = session.device.clone() else { return };
        self.gateway.presence.closed(&device, &session.id, || {
            self.apply(Input::Presence { holder: device.clone(), online: false });
        });
    }

    async fn inbound(&self, session: Arc<Session>, message: Message) -> InboundVerdict {
        let Some(plugin) = self.gateway.catalog().device_topic(&message.topic).cloned() else {
            let loaded = session.dialect.as_ref().is_some_and(|dialect| self.gateway.plugin(dialect).is_some());
            if !loaded {
                // What its dialect would claim is not known now, so nothing may go to anybody else.
                metrics::counter!("dragoman_device_messages_unclaimed_total").increment(1);
                tracing::warn!(topic = %message.topic, "a device's message is refused: its dialect is not loaded");
                return InboundVerdict::Refuse(IMPLEMENTATION_SPECIFIC);
            }
            return InboundVerdict::Route;
        };
        if session.dialect.as_ref() != Some(plugin.name()) {
            return InboundVerdict::Refuse(NOT_AUTHORIZED);
        }
        if self.gateway.engine.has_room().await.is_err() {
            return InboundVerdict::Refuse(IMPLEMENTATION_SPECIFIC);
        }
        let gateway = self.gateway.clone();
        let holder = session.device.clone();
        let read = Self::read_message(gateway.clone(), plugin, session, message);
        let applied = match holder {
            // In turn with the other calls about the device. The disk is waited for outside of that turn.
            Some(holder) => gateway.calls.run(holder, read).await.unwrap_or(Err(IMPLEMENTATION_SPECIFIC)),
            None => read.await,
        };
        match applied {
            Ok(None) => InboundVerdict::Accept,
            Ok(Some(seq)) => match gateway.engine.committed(seq).await {
                Ok(()) => InboundVerdict::Accept,
                Err(_) => InboundVerdict::Refuse(IMPLEMENTATION_SPECIFIC),
            },
            Err(code) => InboundVerdict::Refuse(code),
        }
    }

    async fn subscribing(&self, _session: Arc<Session>, _asked: Subscription) -> SubscribeVerdict {
        SubscribeVerdict::Refuse
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

/// Whether connections are offered to a plugin.
fn admits(plugin: &Plugin) -> bool {
    plugin.roles().admission && plugin.description().claims.contains(&Claim::Connections)
}

impl Events {
    async fn write(&self, write: Write) {
        if let Ok(turn) = self.gateway.engine.turn(vec![Step::Write(write)], None) {
            let _: Result<_, Stopped> = self.gateway.engine.committed(turn.seq).await;
        }
    }
}
