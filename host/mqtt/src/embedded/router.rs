//! Who gets a message that is routed.
//!
//! The library's router gives a 3.1.1 client one copy for each of its filters that matches. Here each session gets one
//! copy, with the highest QoS of what matches, its implicit subscriptions among it, and only what its policy lets it
//! receive. A shared subscription is served apart, one session of the group at a time, connected ones first; a group is
//! one of sessions of the same dialect, so that nobody takes another platform's messages away by naming its group.

use super::hub::Hub;
use super::index::Relation;
use super::live::lock;
use super::{filters, inbound};
use async_trait::async_trait;
use rmqtt::Result;
use rmqtt::router::{DefaultRouter, Router};
use rmqtt::types::{
    AllRelationsMap, ClientId, HashMap, Id, NodeId, Route, SharedGroup, SubRelation, SubRelations, SubRelationsMap,
    SubsSearchParams, SubsSearchResult, SubscriptionOptions, TopicFilter, TopicName,
};
use rmqtt::utils::Counter;
use std::sync::Arc;

pub(super) struct OnceRouter {
    /// Always empty: it answers what the library asks for its statistics.
    empty: DefaultRouter,
    hub: Arc<Hub>,
    node: NodeId,
}

impl OnceRouter {
    pub(super) fn new(hub: Arc<Hub>, node: NodeId) -> Self {
        Self { empty: DefaultRouter::new(None), hub, node }
    }
}

/// Dialect, group and served filter.
type Group = (String, SharedGroup, TopicFilter);

/// Whose turn it is in the groups that share a subscription.
#[derive(Default)]
pub(super) struct Turns(std::collections::HashMap<Group, usize>);

impl Turns {
    /// Groups that are remembered. Past it all begin again with any member.
    const MOST: usize = 10_000;

    fn next(&mut self, group: Group, members: usize) -> usize {
        if members < 2 {
            return 0;
        }
        if self.0.len() >= Self::MOST {
            self.0.clear();
        }
        let turn = self.0.entry(group).or_default();
        *turn = turn.wrapping_add(1);
        *turn % members
    }
}

#[derive(Default)]
struct Picked {
    one_each: HashMap<ClientId, SubRelation>,
    groups: HashMap<Group, Vec<(ClientId, SubscriptionOptions)>>,
}

impl Picked {
    fn add(&mut self, filter: &str, client: &ClientId, options: &SubscriptionOptions) {
        let one = self
            .one_each
            .entry(client.clone())
            .or_insert_with(|| (filter.into(), client.clone(), options.clone(), None, None));
        if options.qos_value() > one.2.qos_value() {
            one.2.set_qos(options.qos());
        }
        if let Some(id) = options.subscription_identifier() {
            one.3.get_or_insert_with(Vec::new).push(id);
        }
    }
}

/// Who gets a message that `from` published on the topic: sessions of one dialect where one is named.
pub(super) fn recipients(hub: &Hub, from: Option<&Id>, dialect: Option<&str>, topic: &str) -> SubRelations {
    let mut picked = Picked::default();
    let (index, tables) = (hub.index(), hub.tables());
    index.visit(topic, |client, name, Relation { id, options }| {
        if options.no_local() == Some(true) && from == Some(id) {
            return;
        }
        if dialect.is_some_and(|dialect| tables.dialect_of(client) != dialect) {
            return;
        }
        let live = tables.by_client.get::<str>(client.as_ref());
        if live.is_some_and(|live| live.is_muted(name) || !live.may_receive(topic)) {
            return;
        }
        let filter = filters::served(name);
        match options.shared_group() {
            Some(group) => {
                let group = (tables.dialect_of(client).to_owned(), group.clone(), filter.into());
                picked.groups.entry(group).or_default().push((client.clone(), options.clone()));
            }
            None => picked.add(filter, client, options),
        }
    });
    let mut list: SubRelations = picked.one_each.into_values().collect();
    for (group, mut members) in picked.groups {
        let is_online = |client: &ClientId| tables.by_client.contains_key::<str>(client.as_ref());
        if members.iter().any(|(client, _)| is_online(client)) {
            members.retain(|(client, _)| is_online(client));
        }
        members.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let filter = group.2.clone();
        let turn = lock(&hub.turns).next(group, members.len());
        let chosen = members.into_iter().nth(turn);
        list.extend(chosen.map(|(client, options)| (filter, client, options, None, None)));
    }
    list
}

#[async_trait]
impl Router for OnceRouter {
    async fn matches(&self, from: Id, topic: &TopicName) -> Result<SubRelationsMap> {
        if inbound::is_mark(topic) {
            return Ok(SubRelationsMap::default());
        }
        let list = recipients(&self.hub, Some(&from), None, topic.as_ref());
        Ok(std::iter::once((self.node, list)).collect())
    }

    async fn add(&self, name: &str, id: Id, options: SubscriptionOptions) -> Result<()> {
        // A session that resumes gets what was left behind a moment later than it begins. What it ended or asked for
        // anew in between stays so.
        let ended = self.hub.tables().live_with(&id).is_some_and(|live| !live.holds(name));
        if ended {
            return Ok(());
        }
        self.hub.index_mut().insert(filters::served(name), name, id, options);
        Ok(())
    }
    async fn remove(&self, name: &str, id: Id) -> Result<bool> {
        Ok(self.hub.index_mut().remove(filters::served(name), name, &id))
    }
    async fn is_online(&self, _: NodeId, client_id: &str) -> bool {
        self.hub.tables().by_client.contains_key(client_id)
    }
    async fn gets(&self, limit: usize) -> Vec<Route> {
        self.empty.gets(limit).await
    }
    async fn get(&self, topic: &str) -> Result<Vec<Route>> {
        self.empty.get(topic).await
    }
    async fn query_subscriptions(&self, q: &SubsSearchParams) -> Vec<SubsSearchResult> {
        self.empty.query_subscriptions(q).await
    }
    async fn topics_tree(&self) -> usize {
        self.empty.topics_tree().await
    }
    fn topics(&self) -> Counter {
        self.empty.topics()
    }
    fn routes(&self) -> Counter {
        self.empty.routes()
    }
    fn merge_topics(&self, topics_map: &HashMap<NodeId, Counter>) -> Counter {
        self.empty.merge_topics(topics_map)
    }
    fn merge_routes(&self, routes_map: &HashMap<NodeId, Counter>) -> Counter {
        self.empty.merge_routes(routes_map)
    }
    async fn list_topics(&self, top: usize) -> Vec<String> {
        self.empty.list_topics(top).await
    }
    async fn list_relations(&self, top: usize) -> Vec<serde_json::Value> {
        self.empty.list_relations(top).await
    }
    fn relations(&self) -> &AllRelationsMap {
        self.empty.relations()
    }
}
