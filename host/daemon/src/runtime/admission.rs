//! Who may connect: a CONNECT is offered to the dialects of its listener, one after the other.

use super::gateway::Gateway;
use dragoman_core::{ConnectRefusal, DeviceId, Grant};
use dragoman_mqtt::ConnectAttempt;
use dragoman_wasm::{Claim, Plugin, PluginWrite, Presented, Secret, Verdict};
use std::sync::Arc;

/// What a dialect makes of a client.
enum Offered {
    Taken(Grant),
    NotMine,
    /// It could not be asked, or failed: the client may be its own or not.
    Failed,
}

impl Gateway {
    /// The first dialect that knows the client decides. One that fails keeps nobody out but its own clients.
    pub(super) async fn admit(self: &Arc<Self>, attempt: &ConnectAttempt) -> Result<Grant, ConnectRefusal> {
        let catalog = self.catalog();
        let configured = self.config.mqtt.dialects_of(&attempt.session.listener);
        let asked: Vec<&Arc<Plugin>> = match configured.is_empty() {
            true => catalog.plugins.values().collect(),
            false => configured.iter().filter_map(|name| catalog.get(name)).collect(),
        };
        let mut failed = false;
        for plugin in asked.into_iter().filter(|plugin| admits(plugin)) {
            match self.offer(plugin, attempt).await? {
                Offered::Taken(grant) => return Ok(grant),
                Offered::NotMine => {}
                Offered::Failed => failed = true,
            }
        }
        if failed {
            return Err(ConnectRefusal::Unavailable);
        }
        tracing::debug!(client_id = %attempt.session.client_id, "no dialect of the listener knows this client");
        Err(ConnectRefusal::NotAuthorized)
    }

    async fn offer(self: &Arc<Self>, plugin: &Plugin, attempt: &ConnectAttempt) -> Result<Offered, ConnectRefusal> {
        let presented = attempt.password.as_ref().map(|password| Presented {
            scheme: "mqtt".into(),
            account: attempt.session.username.clone(),
            secret: Secret::new(password.clone()),
        });
        let Ok(_place) = self.arrivals.acquire().await else { return Err(ConnectRefusal::Unavailable) };
        let call = self.call_context(presented);
        let done = plugin.authenticate(call, &attempt.session, attempt.keep_alive_s, attempt.clean).await;
        let done = match done {
            Ok(done) => done,
            Err(fault) => {
                tracing::warn!(%fault, "a dialect could not say whether a client is its own");
                return Ok(Offered::Failed);
            }
        };
        let grant = match done.value {
            Verdict::NotMine => return Ok(Offered::NotMine),
            Verdict::Refuse(refusal) => return Err(refusal),
            Verdict::Accept(grant) => grant,
        };
        if let Some(device) = &grant.device
            && !self.is_known(plugin.name(), device).await
        {
            return Err(ConnectRefusal::NotAuthorized);
        }
        for write in done.writes {
            match write {
                PluginWrite::PutNotes { session, notes } if session == attempt.session.id => {
                    self.notes.admitted(&session, notes);
                }
                _ => {
                    tracing::warn!(plugin = %plugin.name(), "a connection is refused: its dialect wrote more than notes during admission, which the contract does not allow");
                    return Err(ConnectRefusal::Unavailable);
                }
            }
        }
        Ok(Offered::Taken(grant))
    }

    /// A device that a dialect let in must still be registered for that dialect.
    pub(super) async fn is_known(&self, dialect: &str, device: &DeviceId) -> bool {
        match self.engine.journal().device(device).await {
            Ok(Some(record)) => *record.dialect == *dialect && !record.disabled,
            Ok(None) => false,
            Err(error) => {
                tracing::error!(%error, %device, "a connection is refused because its device cannot be read");
                false
            }
        }
    }
}

/// Whether connections are offered to a plugin.
fn admits(plugin: &Plugin) -> bool {
    plugin.roles().admission && plugin.description().claims.contains(&Claim::Connections)
}
