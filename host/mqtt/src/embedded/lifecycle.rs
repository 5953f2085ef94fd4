//! How a session begins and ends.

use super::hub::{Hub, now_ms};
use super::live::{Live, lock};
use super::tables::{Admitted, Claim, Kept, Replaced};
use super::{convert, filters};
use crate::broker::Receipt;
use crate::events::{CloseReason, ConnectAttempt, KeptSession};
use dragoman_core::{ConnectRefusal, Policy, Session as OurSession, SessionId, Subscription, topic};
use rmqtt::net::MqttError;
use rmqtt::session::Session;
use rmqtt::types::{AuthResult, ConnectInfo, Disconnect, Id, Message, Reason, SubscriptionOptions, TopicName};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Under this name a session of the library carries ours.
const ATTRIBUTE: &str = "dragoman";
/// How long a new session of a device waits until the old one is closed; it is closed in any case.
const HAND_OVER: Duration = Duration::from_millis(500);

/// Our session behind one of the library, also after it closed.
pub(super) async fn live_of(session: &Session) -> Option<Arc<Live>> {
    session.extra_attrs.read().await.get::<Arc<Live>>(ATTRIBUTE).cloned()
}

/// Asks the daemon who it is.
pub(super) async fn authenticate(hub: &Arc<Hub>, connect: &ConnectInfo) -> AuthResult {
    let id = connect.id();
    let session = OurSession {
        id: SessionId::new(hub.new_session_id()),
        listener: hub.listener_name(id),
        client_id: id.client_id.to_string(),
        username: connect.username().map(ToString::to_string),
        dialect: None,
        principal: None,
        device: None,
        protocol_level: connect.proto_ver(),
    };
    let remote = hub.remote(id);
    if remote.is_none() && hub.has_front(id) {
        // Somebody on this machine found the port that only the front uses.
        return refuse(hub, id, "round-the-front", AuthResult::NotAuthorized);
    }
    let attempt = ConnectAttempt {
        session: session.clone(),
        password: connect.password().map(|password| password.to_vec()),
        keep_alive_s: connect.keep_alive(),
        clean: connect.clean_start(),
        remote,
    };
    let (cause, answer) = match hub.events.authenticate(attempt).await {
        _ if hub.is_stopping() => ("stopping", AuthResult::NotAuthorized),
        Ok(grant) => {
            let mut tables = hub.tables_mut();
            if tables.claim(&session.client_id, &grant) != Claim::Strange {
                tables.admitted.insert(id.clone(), Admitted { session, grant, since: Instant::now() });
                return AuthResult::Allow(false, None);
            }
            ("client-id-taken", AuthResult::NotAuthorized)
        }
        Err(ConnectRefusal::BadCredentials) => ("bad-credentials", AuthResult::BadUsernameOrPassword),
        Err(ConnectRefusal::NotAuthorized) => ("not-authorized", AuthResult::NotAuthorized),
        Err(ConnectRefusal::BadClientId) => ("bad-client-id", AuthResult::NotAuthorized),
        Err(ConnectRefusal::Unavailable) => ("unavailable", turn_away(hub, id)),
    };
    refuse(hub, id, cause, answer)
}

fn refuse(hub: &Hub, id: &Id, cause: &'static str, answer: AuthResult) -> AuthResult {
    hub.counters.refused_connect(cause);
    tracing::info!(client = %id.client_id, listener = %hub.listener_name(id), cause, "a client is not let in");
    answer
}

/// The library says "unavailable" only when something fails, so its session table will.
fn turn_away(hub: &Hub, id: &Id) -> AuthResult {
    hub.tables_mut().turned_away.insert(id.clone(), Instant::now());
    AuthResult::Allow(false, None)
}

/// Ends what the library has of a session: connection, subscriptions, queue. A later one with the same client id stays.
async fn end_whole_session(hub: &Arc<Hub>, id: Id, within: Duration) {
    let Some(entry) = hub.entry(&id).await else { return };
    // A kick that is dropped half way is ignored by its session, so it runs on its own.
    let kick = tokio::spawn(async move {
        let mut locked = entry.try_lock().await?;
        if locked.id_same() == Some(true) {
            locked.kick(true, true, true).await?;
        }
        rmqtt::Result::Ok(())
    });
    let error = match tokio::time::timeout(within, kick).await {
        Ok(Ok(Ok(()))) => return,
        Ok(Ok(Err(error))) => error.to_string(),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "it is still busy".to_owned(),
    };
    tracing::warn!(%id, error, "an older session is not ended yet");
}

/// Asks the library to close the connection of a session. The persistent session stays.
pub(super) async fn ask_to_close(hub: &Hub, live: &Live) {
    let Some(entry) = hub.entry(&live.id).await else { return };
    if entry.id_same() == Some(true)
        && let Some(tx) = entry.tx()
    {
        // It fails only when the session is gone.
        let _ = tx.unbounded_send(Message::Closed(Reason::from_static("closed by the host")));
    }
}

/// A session of the library begins.
pub(super) async fn open(hub: &Arc<Hub>, session: &Session) {
    let admitted = hub.tables_mut().admitted.remove(&session.id);
    let (Some(admitted), Ok(connect)) = (admitted, session.connect_info().await) else {
        tracing::error!(client = %session.id.client_id, "a session began that nobody admitted; it is not served");
        return;
    };
    let resumed = session.session_present().await.unwrap_or(false);
    let is_clean = connect.proto_ver() < 5 && connect.clean_start();
    let expiry_s = if is_clean { 0 } else { session.fitter.session_expiry_interval(None).as_secs() };
    let Admitted { session: mut ours, grant, .. } = admitted;
    ours.dialect = Some(grant.dialect.clone());
    ours.principal = Some(grant.principal.clone());
    ours.device = grant.device;

    let (live, replaced, forget, keep) = {
        let mut tables = hub.tables_mut();
        let before = tables.forget(&ours.client_id);
        let told = before.as_ref().is_some_and(|kept| kept.told);
        let subscriptions = before.filter(|_| resumed).map(|kept| kept.session.subscriptions).unwrap_or_default();
        let live = Arc::new(Live::new(
            ours,
            session.id.clone(),
            grant.policy,
            connect.max_packet_size().map(std::num::NonZeroU32::get),
            expiry_s,
            subscriptions,
        ));
        let mut keep = None;
        if expiry_s > 0 {
            let kept = kept_session(&live, expiry_s, None);
            let told = told && resumed;
            keep = told.then(|| kept.clone());
            tables.keep(Kept { session: kept, owner: live.id.clone(), told });
        }
        let replaced: Replaced = tables.insert(&live);
        hub.counters.connected(tables.by_session.len());
        (live, replaced, told && keep.is_none(), keep)
    };
    session.extra_attrs.write().await.insert(TopicName::from_static(ATTRIBUTE), live.clone());
    add_implicit(hub, &live, &live.policy());
    if let Some(older) = replaced.device {
        older.end_for(CloseReason::TakenOver);
        end_whole_session(hub, older.id.clone(), HAND_OVER).await;
    }
    if forget {
        hub.events.forget_session(live.session.client_id.clone()).await;
    }
    if let Some(kept) = keep {
        hub.events.keep_session(kept).await;
    }
    hub.events.opened(live.current(), resumed).await;
}

fn add_implicit(hub: &Hub, live: &Live, policy: &Policy) {
    let mut index = hub.index_mut();
    for Subscription { filter, qos } in &policy.implicit {
        if let Err(error) = topic::check_filter(filter) {
            tracing::warn!(filter, %error, "an implicit subscription is not a topic filter");
            continue;
        }
        let mut options = SubscriptionOptions::default();
        options.set_qos(convert::qos_of(*qos));
        index.insert(filter, &filters::implicit_name(filter), live.id.clone(), options);
    }
}

fn remove_implicit(hub: &Hub, live: &Live, policy: &Policy) {
    let mut index = hub.index_mut();
    for Subscription { filter, .. } in &policy.implicit {
        index.remove(filter, &filters::implicit_name(filter), &live.id);
    }
}

/// What [`Broker::set_policy`](crate::Broker::set_policy) does.
pub(super) async fn set_policy(hub: &Hub, id: &SessionId, principal: Option<String>, policy: Policy) -> bool {
    let live = hub.tables().by_session.get(id).cloned();
    let Some(live) = live else { return false };
    {
        let _turn = lock(&live.changes);
        let before = live.set_policy(principal, policy);
        remove_implicit(hub, &live, &before);
        if !live.is_closed() {
            add_implicit(hub, &live, &live.policy());
        }
    }
    // Who it belongs to may have changed.
    keep(hub, &live).await;
    true
}

/// What is kept of a session.
fn kept_session(live: &Live, expiry_s: u64, gone_since_ms: Option<u64>) -> KeptSession {
    let admitted = &live.session;
    let principal = live.current().principal.clone();
    KeptSession {
        client_id: admitted.client_id.clone(),
        username: admitted.username.clone(),
        dialect: admitted.dialect.as_deref().unwrap_or_default().to_owned(),
        admitted_as: admitted.principal.clone().filter(|_| admitted.principal != principal),
        principal: principal.unwrap_or_default(),
        device: admitted.device.as_ref().map(ToString::to_string),
        protocol_level: admitted.protocol_level,
        expiry_s,
        gone_since_ms,
        subscriptions: live.kept_subscriptions(),
    }
}

/// Keeps the subscriptions of a persistent session after they changed.
pub(super) async fn keep(hub: &Hub, live: &Live) {
    if live.expiry_s == 0 {
        return;
    }
    let kept = kept_session(live, live.expiry_s, None);
    {
        let mut tables = hub.tables_mut();
        let Some(known) = tables.kept_by(&kept.client_id, &live.id) else { return };
        known.session = kept.clone();
        known.told = true;
    }
    hub.events.keep_session(kept).await;
}

/// A connection of the library ended.
pub(super) async fn ended(hub: &Hub, session: &Session, reason: &Reason) {
    let Some(live) = live_of(session).await else { return };
    empty_queues(session).await;
    live.line.clear().await;
    let reason = live.ended_for().unwrap_or_else(|| close_reason(reason));
    let disconnect = session.disconnect().await.unwrap_or(None);
    let expiry_s = if live.expiry_s == 0 && live.session.protocol_level < 5 {
        0
    } else {
        session.fitter.session_expiry_interval(disconnect.as_ref()).as_secs()
    };
    close(hub, &live, reason, expiry_s).await;
}

/// Closes a session: once, whoever comes first.
pub(super) async fn close(hub: &Hub, live: &Arc<Live>, reason: CloseReason, expiry_s: u64) {
    let Some(outstanding) = live.close() else { return };
    let keep = {
        let mut tables = hub.tables_mut();
        tables.remove(live);
        hub.counters.connected(tables.by_session.len());
        // At a stop nothing is written: what is kept as connected counts as gone since the next start.
        let owned = tables.kept_by(&live.session.client_id, &live.id);
        owned.filter(|_| expiry_s > 0).and_then(|known| {
            known.session = kept_session(live, expiry_s, Some(now_ms()));
            (known.told && !hub.is_stopping()).then(|| known.session.clone())
        })
    };
    {
        let _turn = lock(&live.changes);
        remove_implicit(hub, live, &live.policy());
    }
    for message in outstanding {
        hub.tell_receipt(message, Receipt::Lost("the session ended before the device acknowledged it".into()));
    }
    if let Some(kept) = keep {
        hub.events.keep_session(kept).await;
    }
    hub.events.closed(live.current(), reason).await;
}

/// A session of the library is over for good.
pub(super) async fn terminated(hub: &Hub, session: &Session) {
    if hub.is_stopping() {
        return;
    }
    let told = {
        let mut tables = hub.tables_mut();
        let client_id: &str = session.id.client_id.as_ref();
        if tables.kept_by(client_id, &session.id).is_none() {
            return;
        }
        tables.forget(client_id).is_some_and(|kept| kept.told)
    };
    if told {
        hub.events.forget_session(session.id.client_id.to_string()).await;
    }
}

/// Takes the daemon's messages out of the library's queues: the daemon was or will be told that they are lost. What is
/// still in the channel before the queues is dropped when its turn comes, because its session does not know it.
async fn empty_queues(session: &Session) {
    let queue = session.deliver_queue();
    let mut others = Vec::new();
    while let Some(item) = queue.pop() {
        if !item.0.is_system() {
            others.push(item);
        }
    }
    for item in others {
        // There was room for it a moment ago; the session takes nothing in between.
        let _ = queue.push(item);
    }
    let mut inflight = session.out_inflight().write().await;
    for message in inflight.to_inflight_messages() {
        if !message.from.is_system() {
            inflight.push_back(message);
        }
    }
}

fn close_reason(reason: &Reason) -> CloseReason {
    match reason {
        Reason::Reasons(list) => {
            // A goodbye stays one, whatever the connection did afterwards.
            let goodbye = list
                .iter()
                .find(|one| matches!(one, Reason::ConnectDisconnect(Some(Disconnect::V3 | Disconnect::V5(_)))));
            goodbye.or(list.first()).map_or(CloseReason::ConnectionLost(String::new()), close_reason)
        }
        Reason::ConnectDisconnect(_) => CloseReason::ByClient,
        Reason::ConnectKeepaliveTimeout => CloseReason::KeepAlive,
        Reason::ConnectKicked(true) => CloseReason::ByHost,
        Reason::ConnectKicked(false) => CloseReason::TakenOver,
        Reason::ProtocolError(text) => CloseReason::Protocol(text.to_string()),
        Reason::SubscribeFailed(_) | Reason::UnsubscribeFailed(_) => CloseReason::Protocol(reason.to_string()),
        // The library says most decoding errors as a text, and those of the socket among them.
        Reason::Error(text) if text.starts_with("io error") => CloseReason::ConnectionLost(text.to_string()),
        Reason::Error(text) => CloseReason::Protocol(text.to_string()),
        Reason::MqttError(error @ (MqttError::Decode(_) | MqttError::Protocol(_) | MqttError::PacketIdInUse(_))) => {
            CloseReason::Protocol(error.to_string())
        }
        _ => CloseReason::ConnectionLost(reason.to_string()),
    }
}
