//! A message of a client: to the dialect that claims its topic, in the order of its session. What a device said and its
//! plugin failed to read becomes a dead letter. An application is told instead: it can say it again, and what it commands must
//! not be done hours later.

use super::again::{self, Failed};
use super::conversation::{self, Unanswered};
use super::gateway::Gateway;
use super::writes::About;
use dragoman_core::{DeviceId, Message, Reason, Session, SessionId};
use dragoman_mqtt::InboundVerdict;
use dragoman_store::Seq;
use dragoman_wasm::{Blame, CallError, Plugin, Side};
use std::sync::Arc;

/// MQTT 5 reason code: the plugin that should read the message failed.
const IMPLEMENTATION_SPECIFIC: u8 = 0x83;
/// MQTT 5 reason code: the topic belongs to another dialect, or to nobody.
const NOT_AUTHORIZED: u8 = 0x87;

/// Code of a call that was not made because of a quarantine.
const QUARANTINED: &str = "$PLUGIN_QUARANTINED";

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
        let Some((side, plugin)) = catalog.reader(&message.topic, session.dialect.as_deref()) else {
            return self.unclaimed(&session, &message);
        };
        let plugin = plugin.clone();
        if session.dialect.as_ref() != Some(plugin.name()) {
            return InboundVerdict::Refuse(NOT_AUTHORIZED);
        }
        let (acknowledged, turn) = (message.qos > 0, Turn::of(&session));
        let this = self.clone();
        // Nothing is waited for before the turn is taken: the broker hands a client's next message of QoS 0 over without
        // waiting for this one, and they keep their order by their turns.
        let heard = self.calls.run(turn, async move {
            this.engine.has_room().await.map_err(|_| IMPLEMENTATION_SPECIFIC)?;
            let read = match side {
                Side::Application => {
                    let heard = conversation::hear_message(&this, &plugin, &session, &message).await;
                    heard.map(|()| Some(this.engine.horizon())).map_err(Unread::from)
                }
                Side::Device => this.read_message(&plugin, &session, &message, None).await,
            };
            match read {
                Ok(seq) => Ok(seq),
                Err(why) => this.unread(side, &plugin, &session, &message, why).map(Some),
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

    /// Lets a plugin read what a device said and applies what it says, in the turn of the device. A dead letter that is read
    /// is taken out with that. What covers it; none: nothing was written.
    pub(super) async fn read_message(
        self: &Arc<Self>,
        plugin: &Arc<Plugin>,
        session: &Session,
        message: &Message,
        letter: Option<u64>,
    ) -> Result<Option<Seq>, Unread> {
        let plugin = &self.reader_of(plugin, session, message).await;
        let call = self.call_context(None);
        // Nothing is wrong with the message where the plugin cannot be called: a 3.1.1 device has no way to hear of a
        // refusal, and would take its answer for told.
        let read = || plugin.southbound_message(call.clone(), session, message);
        let about = || About { reporter: session.device.as_ref(), letter, ..About::default() };
        let called = again::call_and_apply(self, plugin, read, about).await?;
        Ok((called.wrote || letter.is_some()).then_some(called.applied.seq))
    }

    /// A message that led to nothing: kept where its plugin failed a device, so that it is acknowledged all the same. What
    /// covers that, or the reason code for the sender.
    fn unread(
        &self,
        side: Side,
        plugin: &Plugin,
        session: &Session,
        message: &Message,
        why: Unread,
    ) -> Result<Seq, u8> {
        let (dialect, topic) = (plugin.name(), &message.topic);
        metrics::counter!("dragoman_device_messages_failed_total", "dialect" => dialect.to_string()).increment(1);
        match (side, why) {
            (Side::Device, Unread::Failed(reason)) => {
                let (in_quarantine, why) = (reason.code == QUARANTINED, reason.text.clone());
                // A journal that died has told everybody who must know.
                let kept = self.bury(plugin, session, message, reason);
                let seq = kept.ok().flatten().ok_or(IMPLEMENTATION_SPECIFIC)?;
                if in_quarantine {
                    // The quarantine was told when it began.
                    tracing::debug!(%dialect, %topic, %why, "a device's message is kept as a dead letter");
                } else {
                    tracing::warn!(%dialect, %topic, %why, "a device's message could not be read and is kept as a dead letter");
                }
                Ok(seq)
            }
            (_, Unread::Failed(reason) | Unread::Refused(reason)) => {
                tracing::warn!(%dialect, %topic, why = %reason.text, "a client's message could not be read");
                Err(IMPLEMENTATION_SPECIFIC)
            }
        }
    }
}

/// Why a message led to nothing.
pub(super) enum Unread {
    /// Its plugin failed, or could not be called all the time: the message may be read another time.
    Failed(Reason),
    /// Its plugin will have none of it, or the host cannot take it now.
    Refused(Reason),
}

impl From<Failed> for Unread {
    fn from(why: Failed) -> Self {
        match why {
            Failed::Call(error) => error.into(),
            Failed::Writes(error) => Unanswered::from(error).into(),
        }
    }
}

impl From<CallError> for Unread {
    fn from(error: CallError) -> Self {
        match error.blame() {
            Blame::Refusal => Self::Refused(error.reason()),
            Blame::Fault | Blame::Nobody => Self::Failed(error.reason()),
        }
    }
}

impl From<Unanswered> for Unread {
    fn from(why: Unanswered) -> Self {
        let text = why.to_string();
        match why {
            Unanswered::Fault(error) | Unanswered::AnswerFault { fault: error, .. } => error.into(),
            Unanswered::Conflict(_) => Self::Failed(Reason::new("$CONFLICT", text)),
            Unanswered::NotAllowed(_) => Self::Failed(Reason::new("$PLUGIN_ERROR", text)),
            Unanswered::TooMany { .. } => Self::Refused(Reason::new("$LIMIT", text)),
            Unanswered::Restarting { .. } => Self::Refused(Reason::new("$RESTARTING", text)),
            Unanswered::Store(_) => Self::Refused(Reason::new("$STORE", text)),
        }
    }
}
