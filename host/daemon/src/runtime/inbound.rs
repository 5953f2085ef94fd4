//! A message of a client: to the dialect that claims its topic, in the order of its session.

use super::again;
use super::conversation;
use super::gateway::Gateway;
use super::writes::About;
use dragoman_core::{DeviceId, Message, Session, SessionId};
use dragoman_mqtt::InboundVerdict;
use dragoman_store::Seq;
use dragoman_wasm::Plugin;
use std::sync::Arc;

/// MQTT 5 reason code: the plugin that should read the message failed.
const IMPLEMENTATION_SPECIFIC: u8 = 0x83;
/// MQTT 5 reason code: the topic belongs to another dialect, or to nobody.
const NOT_AUTHORIZED: u8 = 0x87;

/// What calls that must not overtake each other are about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Turn {
    /// A device, whose session the messages come by.
    Device(DeviceId),
    /// A session that is no device.
    Session(SessionId),
}

impl Turn {
    /// The turn of a session's calls.
    pub(super) fn of(session: &Session) -> Self {
        match &session.device {
            Some(device) => Self::Device(device.clone()),
            None => Self::Session(session.id.clone()),
        }
    }
}

impl Gateway {
    /// Takes a message in. Resolves when it may be acknowledged: after the commit of what it led to. A message of QoS 0
    /// is not acknowledged, so nothing is waited for but its turn.
    pub(super) async fn hear(self: &Arc<Self>, session: Arc<Session>, message: Message) -> InboundVerdict {
        let catalog = self.catalog();
        let by_application = catalog.application_topic(&message.topic);
        let Some(plugin) = by_application.or_else(|| catalog.device_topic(&message.topic)).cloned() else {
            return self.unclaimed(&session, &message);
        };
        if session.dialect.as_ref() != Some(plugin.name()) {
            return InboundVerdict::Refuse(NOT_AUTHORIZED);
        }
        let (is_application, acknowledged) = (by_application.is_some(), message.qos > 0);
        let turn = Turn::of(&session);
        let this = self.clone();
        // Nothing is waited for before the turn is taken: the broker hands a client's next message of QoS 0 over without
        // waiting for this one, and they keep their order by their turns.
        let heard = self.calls.run(turn, async move {
            this.engine.has_room().await.map_err(|_| IMPLEMENTATION_SPECIFIC)?;
            match is_application {
                true => this.hear_application(&plugin, &session, &message).await,
                false => this.hear_device(&plugin, &session, &message).await,
            }
        });
        match heard.await.unwrap_or(Err(IMPLEMENTATION_SPECIFIC)) {
            Ok(Some(seq)) if acknowledged => match self.engine.committed(seq).await {
                Ok(()) => InboundVerdict::Accept,
                Err(_) => InboundVerdict::Refuse(IMPLEMENTATION_SPECIFIC),
            },
            Ok(_) => InboundVerdict::Accept,
            Err(code) => InboundVerdict::Refuse(code),
        }
    }

    /// A topic that no dialect claims: other clients may get it where the sender's dialect lets its clients talk.
    fn unclaimed(&self, session: &Session, message: &Message) -> InboundVerdict {
        let Some(dialect) = session.dialect.as_ref().and_then(|name| self.plugin(name)) else {
            // What its dialect would claim is not known now, so nothing may go to anybody else.
            metrics::counter!("dragoman_device_messages_unclaimed_total").increment(1);
            tracing::warn!(topic = %message.topic, "a message is refused: its dialect is not loaded");
            return InboundVerdict::Refuse(IMPLEMENTATION_SPECIFIC);
        };
        if dialect.description().unclaimed_topics {
            return InboundVerdict::Route;
        }
        metrics::counter!("dragoman_device_messages_unclaimed_total").increment(1);
        InboundVerdict::Refuse(NOT_AUTHORIZED)
    }

    async fn hear_application(
        self: &Arc<Self>,
        plugin: &Arc<Plugin>,
        session: &Session,
        message: &Message,
    ) -> Result<Option<Seq>, u8> {
        match conversation::hear_message(self, plugin, session, message).await {
            Ok(()) => Ok(Some(self.engine.horizon())),
            Err(why) => Err(unread(plugin, message, &why)),
        }
    }

    /// Lets the dialect read a device's message and applies what it says. What covers that, or the reason code for the
    /// sender.
    async fn hear_device(
        self: &Arc<Self>,
        plugin: &Arc<Plugin>,
        session: &Session,
        message: &Message,
    ) -> Result<Option<Seq>, u8> {
        let plugin = &self.reader_of(plugin, session, message).await;
        let call = self.call_context(None);
        // Nothing is wrong with the message where the plugin cannot be called: a 3.1.1 device has no way to hear of a
        // refusal, and would take its answer for told.
        let read = || plugin.southbound_message(call.clone(), session, message);
        let about = || About { reporter: session.device.as_ref(), ..About::default() };
        match again::call_and_apply(self, plugin, read, about).await {
            Ok(called) => Ok(called.wrote.then_some(called.applied.seq)),
            Err(why) => Err(unread(plugin, message, &why)),
        }
    }
}

fn unread(plugin: &Plugin, message: &Message, why: &dyn std::fmt::Display) -> u8 {
    metrics::counter!("dragoman_device_messages_failed_total", "dialect" => plugin.name().to_string()).increment(1);
    tracing::warn!(dialect = %plugin.name(), topic = %message.topic, %why, "a client's message could not be read");
    IMPLEMENTATION_SPECIFIC
}
