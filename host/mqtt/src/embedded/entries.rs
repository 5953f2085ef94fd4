//! The session table of the broker library, with some changes: it waits where the library gives up, turns away whom the
//! daemon cannot take now, hands a client id over only to whom it belongs, and bounds what waits for a session.
//!
//! The library answers an instant reconnect with "server unavailable" when the old session is just ending, in 6 to 8 of
//! 100 cases. Here `try_lock` and `kick` are tried again until the old session is gone.

use super::hub::Hub;
use super::tables::Claim;
use super::{filters, inbound, router};
use async_trait::async_trait;
use rmqtt::Result;
use rmqtt::session::Session;
use rmqtt::shared::{DefaultShared, Entry, RetainLoadCallback, Shared};
use rmqtt::types::{
    ForwardedCount, ForwardedRecipients, From as Origin, Id, IsAdmin, MsgID, NodeId, OfflineSession, Publish, Reason,
    SessionStatus, SubRelations, SubRelationsMap, SubsSearchParams, SubsSearchResult, Subscribe, SubscribeReturn, To,
    TopicFilter, Tx, Unsubscribe,
};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a new connection waits for the old one of its client id. The library itself waits 5 seconds for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

pub(super) struct WaitingShared {
    pub(super) inner: DefaultShared,
    pub(super) hub: Arc<Hub>,
}

struct WaitingEntry {
    inner: Box<dyn Entry>,
    hub: Arc<Hub>,
}

/// The pauses between tries, until the patience is over.
struct Pauses {
    until: Instant,
    next: Duration,
}

impl Pauses {
    fn new() -> Self {
        Self { until: Instant::now() + PATIENCE, next: FIRST_PAUSE }
    }

    async fn one(&mut self) -> bool {
        if Instant::now() >= self.until {
            return false;
        }
        tokio::time::sleep(self.next).await;
        self.next = (self.next * 2).min(LONGEST_PAUSE);
        true
    }
}

#[async_trait]
impl Entry for WaitingEntry {
    async fn try_lock(&self) -> Result<Box<dyn Entry>> {
        if self.hub.turns_away(&self.inner.id()) {
            return Err(anyhow::anyhow!("the daemon cannot admit anybody now"));
        }
        let mut pauses = Pauses::new();
        loop {
            match self.inner.try_lock().await {
                Ok(inner) => return Ok(Box::new(Self { inner, hub: self.hub.clone() })),
                Err(error) if !pauses.one().await => return Err(error),
                Err(_) => {}
            }
        }
    }

    async fn kick(
        &mut self,
        clean_start: bool,
        clear_subscriptions: bool,
        is_admin: IsAdmin,
    ) -> Result<OfflineSession> {
        let mut clean_start = clean_start;
        let mut clear_subscriptions = clear_subscriptions;
        if !is_admin {
            // Asked for here and not only at admission: in between somebody else may have come in under the client id.
            match self.hub.tables().claim_of(&self.inner.id()) {
                Claim::Own => {}
                Claim::Anew => (clean_start, clear_subscriptions) = (true, true),
                Claim::Strange => return Err(anyhow::anyhow!("the client id belongs to somebody else")),
            }
        }
        let mut pauses = Pauses::new();
        loop {
            match self.inner.kick(clean_start, clear_subscriptions, is_admin).await {
                Ok(before) => return Ok(before),
                Err(error) if !pauses.one().await => return Err(error),
                Err(_) => {}
            }
        }
    }

    fn id(&self) -> Id {
        self.inner.id()
    }
    fn id_same(&self) -> Option<bool> {
        self.inner.id_same()
    }
    async fn set(&mut self, session: Session, tx: Tx) -> Result<()> {
        self.inner.set(session, tx).await
    }
    async fn remove(&mut self) -> Result<Option<(Session, Tx)>> {
        self.inner.remove().await
    }
    async fn remove_with(&mut self, id: &Id) -> Result<Option<(Session, Tx)>> {
        self.inner.remove_with(id).await
    }
    async fn online(&self) -> bool {
        self.inner.online().await
    }
    async fn is_connected(&self) -> bool {
        self.inner.is_connected().await
    }
    fn session(&self) -> Option<Session> {
        self.inner.session()
    }
    fn exist(&self) -> bool {
        self.inner.exist()
    }
    fn tx(&self) -> Option<Tx> {
        self.inner.tx()
    }
    async fn subscribe(&self, subscribe: &Subscribe) -> Result<SubscribeReturn> {
        self.inner.subscribe(subscribe).await
    }
    async fn unsubscribe(&self, unsubscribe: &Unsubscribe) -> Result<bool> {
        self.inner.unsubscribe(unsubscribe).await
    }
    async fn publish(&self, from: Origin, p: Publish) -> std::result::Result<(), (Origin, Publish, Reason)> {
        if !from.is_system()
            && let Some(live) = self.hub.tables().live_with(&self.inner.id())
        {
            // Retained messages: their number is bounded by itself.
            live.join_routed(usize::MAX);
        }
        self.inner.publish(from, p).await
    }
    async fn subscriptions(&self) -> Option<Vec<SubsSearchResult>> {
        self.inner.subscriptions().await
    }
}

type Failed = Vec<(To, Origin, Publish, Reason)>;

#[async_trait]
impl Shared for WaitingShared {
    fn entry(&self, id: Id) -> Box<dyn Entry> {
        Box::new(WaitingEntry { inner: self.inner.entry(id), hub: self.hub.clone() })
    }
    fn exist(&self, client_id: &str) -> bool {
        self.inner.exist(client_id)
    }
    async fn forwards(
        &self,
        msg_id: Option<MsgID>,
        from: Origin,
        publish: Publish,
    ) -> std::result::Result<ForwardedCount, (ForwardedCount, Failed)> {
        let topic: &str = publish.topic.as_ref();
        if inbound::is_mark(topic) {
            return Ok(0);
        }
        let recipients = router::recipients(&self.hub, Some(&from.id), None, topic);
        let reached = self.forwards_to(from, &publish, recipients, msg_id).await;
        reached.map(|all| all.len()).map_err(|(all, failed)| (all.len(), failed))
    }
    async fn forwards_and_get_shareds(
        &self,
        from: Origin,
        publish: Publish,
    ) -> std::result::Result<(SubRelationsMap, ForwardedRecipients), (ForwardedRecipients, Failed)> {
        self.inner.forwards_and_get_shareds(from, publish).await
    }
    async fn forwards_to(
        &self,
        from: Origin,
        publish: &Publish,
        mut relations: SubRelations,
        msg_id: Option<MsgID>,
    ) -> std::result::Result<ForwardedRecipients, (ForwardedRecipients, Failed)> {
        // The library bounds what waits in a session's queue, but not what waits to get there while the session writes
        // to a client that does not read, or waits for the daemon.
        let most = self.hub.options.max_queued.saturating_mul(2);
        relations.retain(|(_, client, ..)| {
            let live = self.hub.tables().by_client.get::<str>(client.as_ref()).cloned();
            let fits = live.is_none_or(|live| live.join_routed(most));
            if !fits {
                self.hub.counters.dropped("queue-full");
            }
            fits
        });
        self.inner.forwards_to(from, publish, relations, msg_id).await
    }
    fn iter(&self) -> Box<dyn Iterator<Item = Box<dyn Entry>> + Sync + Send + '_> {
        self.inner.iter()
    }
    fn random_session(&self) -> Option<Session> {
        self.inner.random_session()
    }
    async fn session_status(&self, client_id: &str) -> Option<SessionStatus> {
        self.inner.session_status(client_id).await
    }
    async fn client_states_count(&self) -> usize {
        self.inner.client_states_count().await
    }
    fn sessions_count(&self) -> usize {
        self.inner.sessions_count()
    }
    async fn query_subscriptions(&self, q: &SubsSearchParams) -> Vec<SubsSearchResult> {
        self.inner.query_subscriptions(q).await
    }
    async fn subscriptions_count(&self) -> usize {
        self.inner.subscriptions_count().await
    }
    async fn retain_load_with(
        &self,
        topic_filter: &TopicFilter,
        cb: Arc<dyn RetainLoadCallback>,
    ) -> Result<Vec<(NodeId, MsgID)>> {
        let name: &str = topic_filter.as_ref();
        if filters::is_shared(name) {
            // MQTT 5.0, section 4.8.2: a new subscription of a group gets no retained messages.
            return Ok(Vec::new());
        }
        self.inner.retain_load_with(&filters::served(name).into(), cb).await
    }
}
