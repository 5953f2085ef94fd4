//! Which subscriptions match a topic: a tree of the levels of their filters.

use rmqtt::types::{ClientId, Id, SubscriptionOptions};
use std::collections::HashMap;

/// A subscription of a session, its own or implicit.
#[derive(Clone)]
pub(super) struct Relation {
    pub(super) id: Id,
    pub(super) options: SubscriptionOptions,
}

/// The client, and the name of its subscription as [`super::filters`] makes it.
type Key = (ClientId, Box<str>);

#[derive(Default)]
struct Node {
    levels: HashMap<Box<str>, Node>,
    here: HashMap<Key, Relation>,
}

/// All subscriptions of all sessions, by filter.
#[derive(Default)]
pub(super) struct Index {
    root: Node,
}

impl Index {
    /// Puts a subscription in; one of the same client with the same name is replaced.
    pub(super) fn insert(&mut self, filter: &str, name: &str, id: Id, options: SubscriptionOptions) {
        let mut node = &mut self.root;
        for level in filter.split('/') {
            node = node.levels.entry(level.into()).or_default();
        }
        node.here.insert((id.client_id.clone(), name.into()), Relation { id, options });
    }

    /// Takes a subscription out, unless it belongs to a later session of the client by now.
    pub(super) fn remove(&mut self, filter: &str, name: &str, id: &Id) -> bool {
        self.take_out(filter, &(id.client_id.clone(), name.into()), |relation| relation.id == *id)
    }

    /// Takes a subscription of a client out, whichever of its sessions it belongs to.
    pub(super) fn forget(&mut self, filter: &str, name: &str, client: &ClientId) -> bool {
        self.take_out(filter, &(client.clone(), name.into()), |_| true)
    }

    fn take_out(&mut self, filter: &str, key: &Key, is_it: impl Fn(&Relation) -> bool) -> bool {
        fn take_out(
            node: &mut Node,
            levels: &mut std::str::Split<'_, char>,
            key: &Key,
            is_it: &dyn Fn(&Relation) -> bool,
        ) -> bool {
            let Some(level) = levels.next() else {
                return node.here.get(key).is_some_and(is_it) && node.here.remove(key).is_some();
            };
            let Some(next) = node.levels.get_mut(level) else { return false };
            let removed = take_out(next, levels, key, is_it);
            if next.levels.is_empty() && next.here.is_empty() {
                node.levels.remove(level);
            }
            removed
        }
        take_out(&mut self.root, &mut filter.split('/'), key, &is_it)
    }

    /// Shows every subscription whose filter matches the topic: its client, its name and the rest.
    pub(super) fn visit<'a>(&'a self, topic: &str, mut see: impl FnMut(&'a ClientId, &'a str, &'a Relation)) {
        let levels: Vec<&str> = topic.split('/').collect();
        let mut see_all = |node: &'a Node| {
            for ((client, name), relation) in &node.here {
                see(client, name, relation);
            }
        };
        // Nodes to look at, each with the number of levels on the way to it.
        let mut open: Vec<(&Node, usize)> = vec![(&self.root, 0)];
        while let Some((node, depth)) = open.pop() {
            // A filter that begins with a wildcard does not show topics that begin with `$`.
            let wild = depth > 0 || !topic.starts_with('$');
            if wild && let Some(rest) = node.levels.get("#") {
                see_all(rest);
            }
            let Some(level) = levels.get(depth) else {
                see_all(node);
                continue;
            };
            if wild && let Some(any) = node.levels.get("+") {
                open.push((any, depth + 1));
            }
            if let Some(next) = node.levels.get(*level) {
                open.push((next, depth + 1));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dragoman_core::topic;

    fn id(client: &str) -> Id {
        Id::from(1, client.into())
    }

    fn matching(index: &Index, name: &str) -> Vec<String> {
        let mut found = Vec::new();
        index.visit(name, |client, filter, _| found.push(format!("{client} {filter}")));
        found.sort();
        found
    }

    #[test]
    fn it_finds_what_the_rules_of_mqtt_match() {
        let filters = [
            "#", "+", "+/+", "a", "a/#", "a/+", "a/b", "a/b/#", "a/+/c", "/", "/+", "+/#", "$s/#", "$s/+", "$s", "a//c",
        ];
        let mut index = Index::default();
        for filter in filters {
            index.insert(filter, filter, id("c"), SubscriptionOptions::default());
        }
        for name in ["a", "a/b", "a/b/c", "a/", "/", "/a", "$s", "$s/x", "$t", "b", "a//c", "a/b/c/d"] {
            let mut expected: Vec<_> =
                filters.iter().filter(|f| topic::matches(f, name)).map(|f| format!("c {f}")).collect();
            expected.sort();
            assert_eq!(matching(&index, name), expected, "{name}");
        }
    }

    #[test]
    fn what_is_taken_out_leaves_nothing_behind() {
        let mut index = Index::default();
        let (first, second) = (id("c"), Id::new(1, 0, None, None, "c".into(), Some("later".into())));
        index.insert("a/+/b", "n1", first.clone(), SubscriptionOptions::default());
        index.insert("a/+/b", "n2", first.clone(), SubscriptionOptions::default());
        assert_eq!(matching(&index, "a/x/b"), ["c n1", "c n2"]);
        index.insert("a/+/b", "n1", second.clone(), SubscriptionOptions::default());
        assert!(!index.remove("a/+/b", "n1", &first), "it is the later session's");
        assert!(index.remove("a/+/b", "n1", &second) && index.remove("a/+/b", "n2", &first));
        assert!(!index.remove("a/+/b", "n2", &first));
        index.insert("a/+/b", "n1", first, SubscriptionOptions::default());
        assert!(index.forget("a/+/b", "n1", &second.client_id), "of whichever session");
        assert!(index.root.levels.is_empty());
    }
}
