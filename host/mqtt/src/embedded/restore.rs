//! Persistent sessions of before a restart, given back to the library as sessions that are absent.

use super::hub::{Hub, Running, now_ms};
use super::tables::Kept;
use super::{convert, filters};
use crate::events::KeptSession;
use rmqtt::codec::types::Protocol;
use rmqtt::codec::{v3, v5};
use rmqtt::session::{Session, SessionState};
use rmqtt::types::{ConnectInfo, DisconnectInfo, Id, ListenerConfig, Reason, SessionSubMap, SessionSubs};
use std::sync::Arc;
use std::time::Duration;

/// Restores what has not expired, and has the daemon forget the rest.
pub(super) async fn restore(hub: &Arc<Hub>, running: &Running, config: &ListenerConfig, kept: Vec<KeptSession>) {
    let now = now_ms();
    for mut session in kept {
        let gone_since = *session.gone_since_ms.get_or_insert(now);
        session.expiry_s = session.expiry_s.min(hub.options.session_expiry_max.as_secs());
        let left_ms = gone_since.saturating_add(session.expiry_s.saturating_mul(1000)).saturating_sub(now);
        if left_ms == 0 {
            hub.events.forget_session(session.client_id).await;
            continue;
        }
        let client_id = session.client_id.clone();
        match restore_one(running, config, &session, Duration::from_millis(left_ms)).await {
            Ok(owner) => {
                hub.tables_mut().keep(Kept { session, owner, told: true });
            }
            Err(error) => tracing::error!(%client_id, %error, "a persistent session could not be restored"),
        }
    }
}

async fn restore_one(
    running: &Running,
    config: &ListenerConfig,
    kept: &KeptSession,
    left: Duration,
) -> rmqtt::Result<Id> {
    let scx = running.scx.clone();
    let username = kept.username.as_deref().map(Into::into);
    let id = Id::new(scx.node.id(), 0, None, None, kept.client_id.as_str().into(), username);
    let connect = Arc::new(connect_info(&id, kept));
    let fitter = scx.extends.fitter_mgr().await.create(connect.clone(), id.clone(), config.clone());
    let mut subscriptions = SessionSubMap::default();
    for one in &kept.subscriptions {
        let options = convert::subscription_options(one, kept.protocol_level);
        let name = filters::name_of(one);
        scx.extends.router().await.add(&name, id.clone(), options.clone()).await?;
        subscriptions.insert(name.into(), options);
    }
    let gone_since = i64::try_from(kept.gone_since_ms.unwrap_or_default()).unwrap_or(i64::MAX);
    let mut gone = DisconnectInfo::new(gone_since);
    gone.reasons.push(Reason::from_static("the daemon restarted"));
    let session = Session::new(
        id.clone(),
        scx.clone(),
        config.max_mqueue_len,
        config.clone(),
        fitter.clone(),
        None,
        fitter.max_inflight(),
        gone_since,
        connect,
        true,
        false,
        false,
        gone_since,
        SessionSubs::from(subscriptions),
        Some(gone),
        None,
    )
    .await?;
    let tx = SessionState::offline_restart(session.clone(), left).await?;
    let mut entry = scx.extends.shared().await.entry(id.clone()).try_lock().await?;
    entry.set(session, tx).await?;
    Ok(id)
}

fn connect_info(id: &Id, kept: &KeptSession) -> ConnectInfo {
    let (client_id, username) = (id.client_id.clone(), id.username.clone());
    if kept.protocol_level >= 5 {
        let session_expiry_interval_secs = u32::try_from(kept.expiry_s).unwrap_or(u32::MAX);
        let connect =
            v5::Connect { client_id, username, session_expiry_interval_secs, clean_start: false, ..Default::default() };
        return ConnectInfo::V5(id.clone(), Box::new(connect));
    }
    let connect = v3::Connect {
        protocol: Protocol(kept.protocol_level),
        clean_session: false,
        keep_alive: 0,
        last_will: None,
        client_id,
        username,
        password: None,
        cert: None,
    };
    ConnectInfo::V3(id.clone(), Box::new(connect))
}
