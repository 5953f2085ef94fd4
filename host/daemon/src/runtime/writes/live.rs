//! What follows after the turn: messages, events, and what lives only as long as a connection.

use crate::runtime::engine::{Step, Stopped};
use crate::runtime::gateway::Gateway;
use crate::runtime::notices::Follow;
use crate::runtime::publisher::Departure;
use dragoman_core::{DeviceId, Input, Json, Message, Policy, SessionId};
use dragoman_store::Seq;
use dragoman_wasm::{DeviceEvent, Plugin, Readers};
use std::sync::Arc;

/// One thing that follows.
pub enum After {
    /// A message that is no dispatch.
    Publish {
        /// Whom it goes to.
        to: Readers,
        /// The message.
        message: Message,
    },
    /// Something that a device said.
    Emit {
        /// What it said.
        event: DeviceEvent,
        /// How many events led to it.
        led: u8,
    },
    /// What the dialect noted about a session.
    PutNotes {
        /// The session.
        session: SessionId,
        /// Opaque.
        notes: Json,
    },
    /// What a session may do from now on.
    SetPolicy {
        /// The session.
        session: SessionId,
        /// Who it is.
        principal: Option<String>,
        /// What it may.
        policy: Policy,
    },
    /// A replay of transitions.
    Follow(Follow),
    /// The end of such a replay, or of all of the session.
    Unfollow {
        /// The session.
        session: SessionId,
        /// Which.
        tag: Option<String>,
    },
    /// A session is closed.
    Close(SessionId),
    /// A device was removed: its connection is closed.
    Forget(DeviceId),
}

impl Gateway {
    /// Does what follows the turn that `seq` covers, in order. What leaves the process waits for the commit on its own
    /// queue; nothing here waits for the disk.
    pub(super) async fn after(self: &Arc<Self>, plugin: &Plugin, seq: Seq, after: Vec<After>) {
        for one in after {
            match one {
                After::Publish { to, message } => {
                    let dialect = plugin.name().clone();
                    self.publisher.push(seq, Departure::Publish { dialect, to, message }).await;
                }
                After::Close(session) => self.publisher.push(seq, Departure::Close(session)).await,
                After::Forget(device) => self.publisher.push(seq, Departure::Forget(device)).await,
                After::Emit { event, led } => self.device_events.push(self, event, led).await,
                After::PutNotes { session, notes } => self.notes.put(&session, notes),
                After::SetPolicy { session, principal, policy } => {
                    let Some(broker) = self.broker() else { continue };
                    broker.set_policy(&session, principal, policy).await;
                    // It may receive now what nobody could be sent before.
                    if let Some(holder) = broker.session(&session).and_then(|session| session.device.clone()) {
                        // A journal that died has told everybody who must know.
                        let _: Result<_, Stopped> =
                            self.engine.turn(vec![Step::Input(Input::SignOfLife { holder })], None);
                    }
                }
                After::Follow(follow) => self.notices.follow(self, plugin.name(), follow),
                After::Unfollow { session, tag } => self.notices.unfollow(plugin.name(), &session, tag.as_deref()),
            }
        }
    }
}
