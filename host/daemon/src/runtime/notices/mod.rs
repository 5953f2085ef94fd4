//! Transitions told to the dialect that submitted the command: after they were applied, in order, none merged.
//!
//! Every dialect that wants transitions has a feed. The engine puts lines into it as they happen; one task for each busy
//! feed calls the plugin, and moves the dialect's cursor in the same turn that applies what the plugin wrote. So each
//! line counts once, also over a restart. A feed holds so many lines at most; what exceeds that, and what happened while
//! the plugin was not loaded, is read back from the store behind the cursor.

mod feed;
mod follow;
mod notice;
mod teller;

pub use follow::Follow;

use super::gateway::Gateway;
use dragoman_core::{Execution, SessionId, Transition};
use feed::{Feed, Item};
use notice::Notice;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The feeds of all dialects.
#[derive(Default)]
pub struct Notices {
    feeds: Mutex<HashMap<Arc<str>, Feed>>,
}

impl Notices {
    /// A history grew. Called under the engine's lock, so positions come in order and nothing may wait here.
    pub fn grew(&self, gateway: &Arc<Gateway>, execution: &Arc<Execution>, lines: &[Transition], position: u64) {
        if wants_transitions(gateway, &execution.origin) {
            let notice = Notice { execution: execution.clone(), lines: lines.to_vec(), position };
            self.push(gateway, &execution.origin, Item::Notice(notice));
        }
    }

    /// A session wants a replay, behind what is told now. It gets none where too many follow, or it alone follows too much.
    pub fn follow(&self, gateway: &Arc<Gateway>, dialect: &Arc<str>, follow: Follow) {
        if self.lock().get(dialect).is_some_and(|feed| !feed.has_room_for(&follow)) {
            metrics::counter!("dragoman_follows_refused_total", "dialect" => dialect.to_string()).increment(1);
            tracing::warn!(%dialect, session = %follow.session, tag = %follow.tag, "a session cannot follow: too many do, or it follows too much");
            return;
        }
        self.push(gateway, dialect, Item::Follow(follow));
    }

    /// The replay is not wanted any more.
    pub fn unfollow(&self, dialect: &str, session: &SessionId, tag: Option<&str>) {
        if let Some(feed) = self.lock().get_mut(dialect) {
            feed.unfollow(session, tag);
        }
    }

    /// A session closed, and with it all that it followed.
    pub fn closed(&self, dialect: &str, session: &SessionId) {
        self.unfollow(dialect, session, None);
    }

    /// Tells every loaded dialect what happened since it was told last. At the start, and when plugins changed.
    pub fn catch_up(&self, gateway: &Arc<Gateway>) {
        for plugin in gateway.catalog().plugins.values() {
            if wants_transitions(gateway, plugin.name()) {
                self.push(gateway, plugin.name(), Item::CatchUp);
            }
        }
    }

    fn push(&self, gateway: &Arc<Gateway>, dialect: &Arc<str>, item: Item) {
        let mut feeds = self.lock();
        let feed = feeds.entry(dialect.clone()).or_default();
        if feed.push(item) {
            tokio::runtime::Handle::spawn(&gateway.runtime, teller::work_off(gateway.clone(), dialect.clone()));
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Feed>> {
        self.feeds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wants_transitions(gateway: &Gateway, dialect: &str) -> bool {
    gateway
        .plugin(dialect)
        .is_some_and(|plugin| plugin.roles().notifications && !plugin.description().transitions.is_none())
}
