//! Closes what the library forgot.
//!
//! The library tells no end of a session that broke between its admission and its first turn, and leaves a connection
//! open after DISCONNECT until the client closes it. It also keeps a message that expired until its session's next turn.

use super::hub::Hub;
use super::live::Live;
use super::{delivery, lifecycle};
use crate::events::CloseReason;
use dragoman_core::SessionId;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// No handshake takes this long.
const ADMISSION_LASTS: Duration = Duration::from_secs(60);

/// Runs until the broker stops.
pub(super) async fn run(hub: Arc<Hub>) {
    let mut every = tokio::time::interval(hub.options.sweep_every.max(Duration::from_millis(10)));
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut suspects = HashSet::new();
    while !hub.is_stopping() {
        every.tick().await;
        suspects = once(&hub, &suspects).await;
    }
}

enum Found {
    Working,
    /// Said goodbye and did not hang up.
    Disconnected,
    /// The library has it no more, or nobody reads its channel.
    Gone,
}

/// One round. A session is closed when two rounds in a row found it gone: in between its end may just be under way.
async fn once(hub: &Arc<Hub>, before: &HashSet<SessionId>) -> HashSet<SessionId> {
    let now = Instant::now();
    let mut suspects = HashSet::new();
    for live in hub.all_live() {
        delivery::expire(hub, &live, now);
        match look_at(hub, &live).await {
            Found::Working => {}
            Found::Disconnected => lifecycle::ask_to_close(hub, &live).await,
            Found::Gone if before.contains(&live.session.id) => forget(hub, &live).await,
            Found::Gone => {
                suspects.insert(live.session.id.clone());
            }
        }
    }
    {
        let mut tables = hub.tables_mut();
        tables.admitted.retain(|_, admitted| now.duration_since(admitted.since) < ADMISSION_LASTS);
        tables.turned_away.retain(|_, since| now.duration_since(*since) < ADMISSION_LASTS);
    }
    if let Some(running) = hub.running() {
        running.retained.forget_expired().await;
    }
    suspects
}

async fn look_at(hub: &Hub, live: &Live) -> Found {
    let Some(entry) = hub.entry(&live.id).await else { return Found::Working };
    if entry.id_same() != Some(true) || entry.tx().is_none_or(|tx| tx.is_closed()) {
        Found::Gone
    } else if entry.is_connected().await {
        Found::Working
    } else {
        Found::Disconnected
    }
}

async fn forget(hub: &Arc<Hub>, live: &Arc<Live>) {
    if let Some(entry) = hub.entry(&live.id).await
        && entry.id_same() == Some(true)
        && let Ok(mut locked) = entry.try_lock().await
        && let Err(error) = locked.remove_with(&live.id).await
    {
        tracing::warn!(client = live.session.client_id, %error, "a dead session could not be removed");
    }
    tracing::debug!(client = live.session.client_id, session = %live.session.id, "the sweep closes a session");
    let reason = live.ended_for().unwrap_or(CloseReason::Forgotten);
    lifecycle::close(hub, live, reason, live.expiry_s).await;
}
