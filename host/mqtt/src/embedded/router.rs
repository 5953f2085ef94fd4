//! Who gets a message that is routed.
//!
//! The library's router gives a 3.1.1 client one copy for each of its filters that matches. Here each session gets one
//! copy, with the highest QoS of what matches, its implicit subscriptions among it, and only what its policy lets it
//! receive. A shared subscription is served apart, one session of the group at a time, connected ones first.

use super::hub::Hub;
use super::inbound;
use async_trait::async_trait;
use rmqtt::Result;
use rmqtt::context::ServerContext;
use rmqtt::router::{DefaultRouter, Router};
use rmqtt::types::{
    AllRelationsMap, ClientId, HashMap, Id, NodeId, Route, SharedGroup, SubRelation, SubRelationsMap, SubsSearchParams,
    SubsSearchResult, SubscriptionOptions, TopicFilter, TopicName,
};
use rmqtt::utils::Counter;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

pub(super) struct OnceRouter {
    inner: DefaultRouter,
    implicit: DefaultRouter,
    hub: Arc<Hub>,
    node: NodeId,
    turn: AtomicUsize,
}

impl OnceRouter {
    /// `implicit` holds the subscriptions that policies make; whoever opens and closes sessions keeps it.
    pub(super) fn new(scx: &ServerContext, implicit: DefaultRouter, hub: Arc<Hub>) -> Self {
        let inner = DefaultRouter::new(Some(scx.clone()));
        Self { inner, implicit, hub, node: scx.node.id(), turn: AtomicUsize::new(0) }
    }
}

#[derive(Default)]
struct Picked {
    one_each: HashMap<ClientId, SubRelation>,
    groups: HashMap<(SharedGroup, TopicFilter), Vec<(ClientId, SubscriptionOptions)>>,
}

impl Picked {
    fn add(&mut self, filter: &TopicFilter, client: &ClientId, options: &SubscriptionOptions) {
        let one = self
            .one_each
            .entry(client.clone())
            .or_insert_with(|| (filter.clone(), client.clone(), options.clone(), None, None));
        if options.qos_value() > one.2.qos_value() {
            one.2.set_qos(options.qos());
        }
        if let Some(id) = options.subscription_identifier() {
            one.3.get_or_insert_with(Vec::new).push(id);
        }
    }

    fn collect(
        &mut self,
        router: &DefaultRouter,
        routes: &[Route],
        wanted: impl Fn(&ClientId, &Id, &SubscriptionOptions) -> bool,
    ) {
        for route in routes {
            let Some(relations) = router.relations.get(&route.topic) else { continue };
            for (client, (id, options)) in relations.iter() {
                if !wanted(client, id, options) {
                    continue;
                }
                match options.shared_group() {
                    Some(group) => self
                        .groups
                        .entry((group.clone(), route.topic.clone()))
                        .or_default()
                        .push((client.clone(), options.clone())),
                    None => self.add(&route.topic, client, options),
                }
            }
        }
    }
}

#[async_trait]
impl Router for OnceRouter {
    async fn matches(&self, from: Id, topic: &TopicName) -> Result<SubRelationsMap> {
        if inbound::is_mark(topic) {
            return Ok(SubRelationsMap::default());
        }
        let own = self.inner._get_routes(topic).await?;
        let implicit = self.implicit._get_routes(topic).await?;
        let mut picked = Picked::default();
        let tables = self.hub.tables();
        let sees = |client: &ClientId| {
            tables.by_client.get::<str>(client.as_ref()).is_none_or(|live| live.may_receive(topic.as_ref()))
        };
        picked.collect(&self.inner, &own, |client, id, options| {
            !(options.no_local() == Some(true) && *id == from) && sees(client)
        });
        picked.collect(&self.implicit, &implicit, |client, _, _| sees(client));
        let mut list: Vec<SubRelation> = picked.one_each.into_values().collect();
        for ((_, filter), members) in picked.groups {
            let online: Vec<_> =
                members.iter().filter(|(client, _)| tables.by_client.contains_key::<str>(client.as_ref())).collect();
            let turn = self.turn.fetch_add(1, Relaxed);
            let chosen = match online.len() {
                0 => members.get(turn % members.len().max(1)),
                many => online.get(turn % many).copied(),
            };
            list.extend(chosen.map(|(client, options)| (filter, client.clone(), options.clone(), None, None)));
        }
        Ok(std::iter::once((self.node, list)).collect())
    }

    async fn add(&self, topic_filter: &str, id: Id, opts: SubscriptionOptions) -> Result<()> {
        self.inner.add(topic_filter, id, opts).await
    }
    async fn remove(&self, topic_filter: &str, id: Id) -> Result<bool> {
        self.inner.remove(topic_filter, id).await
    }
    async fn is_online(&self, node_id: NodeId, client_id: &str) -> bool {
        self.inner.is_online(node_id, client_id).await
    }
    async fn gets(&self, limit: usize) -> Vec<Route> {
        self.inner.gets(limit).await
    }
    async fn get(&self, topic: &str) -> Result<Vec<Route>> {
        self.inner.get(topic).await
    }
    async fn query_subscriptions(&self, q: &SubsSearchParams) -> Vec<SubsSearchResult> {
        self.inner.query_subscriptions(q).await
    }
    async fn topics_tree(&self) -> usize {
        self.inner.topics_tree().await
    }
    fn topics(&self) -> Counter {
        self.inner.topics()
    }
    fn routes(&self) -> Counter {
        self.inner.routes()
    }
    fn merge_topics(&self, topics_map: &HashMap<NodeId, Counter>) -> Counter {
        self.inner.merge_topics(topics_map)
    }
    fn merge_routes(&self, routes_map: &HashMap<NodeId, Counter>) -> Counter {
        self.inner.merge_routes(routes_map)
    }
    async fn list_topics(&self, top: usize) -> Vec<String> {
        self.inner.list_topics(top).await
    }
    async fn list_relations(&self, top: usize) -> Vec<serde_json::Value> {
        self.inner.list_relations(top).await
    }
    fn relations(&self) -> &AllRelationsMap {
        self.inner.relations()
    }
}
