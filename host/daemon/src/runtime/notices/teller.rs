//! The task of one feed: tells the dialect, moves its cursor, serves followers.

use super::feed::Next;
use super::follow::{Follow, Following};
use super::notice::Notice;
use crate::runtime::again::{self, AGAIN_AFTER, Failed, WAITS_MAX};
use crate::runtime::engine::Step;
use crate::runtime::gateway::Gateway;
use crate::runtime::writes::{About, WriteError};
use dragoman_core::{Execution, ExecutionId, Transition};
use dragoman_store::{StoreError, TransitionQuery, Write};
use dragoman_wasm::{CallError, Fault, Follower, Plugin, Start};
use std::sync::Arc;
use std::time::Duration;

/// Lines read from the store at once. Each may carry what a device said, so not too many.
const READ_MAX: u32 = 64;
/// Before a dialect in quarantine is told again.
const QUARANTINED_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Lines that need not be told after which the cursor is written all the same.
const UNTOLD_MAX: u64 = 4_096;

/// Works a feed off until nothing waits in it, or its dialect is gone. What is left then stays behind the cursor.
pub(super) async fn work_off(gateway: Arc<Gateway>, dialect: Arc<str>) {
    let mut replays_failed = 0;
    loop {
        let next = match gateway.notices.lock().get_mut(&dialect) {
            Some(feed) => feed.next(),
            None => return,
        };
        let mut unserved = None;
        let done = match next {
            Next::Idle => return,
            Next::Tell(notice) => tell(&gateway, &dialect, notice).await,
            Next::Follow(follow) => {
                let done = replay(&gateway, &dialect, &follow).await;
                replays_failed = if done.is_err() { replays_failed + 1 } else { 0 };
                // One that cannot be read must not keep everybody else waiting for ever.
                if replays_failed <= WAITS_MAX {
                    unserved = Some(follow);
                } else {
                    replays_failed = 0;
                    tracing::warn!(%dialect, session = %follow.session, tag = %follow.tag, "a session follows nothing: what it asked for could not be read");
                }
                done
            }
            Next::Read => catch_up(&gateway, &dialect).await,
        };
        match done {
            Ok(()) => {}
            Err(Untold::NotLoaded) => {
                // Its next version reads what it missed from the store.
                gateway.notices.lock().remove(&dialect);
                return;
            }
            Err(Untold::Stopped) => return,
            Err(Untold::Quarantined) => {
                if let Some(feed) = gateway.notices.lock().get_mut(&dialect) {
                    feed.again(unserved);
                }
                tokio::time::sleep(QUARANTINED_AGAIN_AFTER).await;
            }
            Err(Untold::Later(why)) => {
                tracing::warn!(%dialect, %why, "transitions could not be told; trying again");
                if let Some(feed) = gateway.notices.lock().get_mut(&dialect) {
                    feed.again(unserved);
                }
                tokio::time::sleep(AGAIN_AFTER).await;
            }
        }
    }
}

/// Why something was not told.
enum Untold {
    /// The plugin is gone, or wants no transitions any more.
    NotLoaded,
    /// The daemon is stopping.
    Stopped,
    /// The plugin is in quarantine, which is told elsewhere. One of these calls may be the one that ends it.
    Quarantined,
    /// The store could not be read, or the plugin not be called, which has nothing to do with what is told.
    Later(String),
}

impl From<StoreError> for Untold {
    fn from(error: StoreError) -> Self {
        Self::Later(error.to_string())
    }
}

/// Tells what the store has behind the cursor, until there is no more. A dialect that was never told of anything begins
/// with the first line that came in since it is there.
async fn catch_up(gateway: &Arc<Gateway>, dialect: &Arc<str>) -> Result<(), Untold> {
    let known = gateway.notices.lock().get(dialect).and_then(super::Feed::cursor);
    let cursor = match known {
        Some(cursor) => Some(cursor),
        None => gateway.engine.journal().cursor(dialect).await?,
    };
    let cursor = match cursor {
        Some(cursor) => cursor,
        None => {
            // Looked at first, for what comes in between is then behind it in any case.
            let newest = gateway.engine.position();
            let cursor = gateway.notices.lock().get(dialect).map_or(newest, |feed| feed.beginning(newest));
            write_cursor(gateway, dialect, cursor)?;
            cursor
        }
    };
    // Before the read that finds nothing more, so that nothing falls between the store and the memory.
    if let Some(feed) = gateway.notices.lock().get_mut(dialect) {
        feed.told_up_to(cursor);
        feed.keep_again();
    }
    let mut after = cursor;
    loop {
        let query = TransitionQuery {
            origin: dialect.clone(),
            after,
            up_to: None,
            since_ms: None,
            labels: Vec::new(),
            limit: READ_MAX,
        };
        let lines = gateway.engine.journal().transitions(query).await?;
        let Some((last, _, _)) = lines.last() else { return Ok(()) };
        after = *last;
        for group in grouped(lines) {
            if let Some(notice) = read(gateway, dialect, group).await {
                tell(gateway, dialect, notice).await?;
            }
        }
    }
}

/// Tells one notice to everybody, then to those who follow live.
async fn tell(gateway: &Arc<Gateway>, dialect: &Arc<str>, notice: Notice) -> Result<(), Untold> {
    let plugin = loaded(gateway, dialect)?;
    let end = notice.end();
    let told = gateway.notices.lock().get(dialect).and_then(super::Feed::cursor).unwrap_or(0);
    // What was read from the store may be in memory as well.
    if end <= told {
        return Ok(());
    }
    let wanted = wanted(&plugin, &notice);
    if wanted.is_empty() {
        // Nothing to say: the cursor on the disk follows with the next line that is told, or after some that are not. At
        // worst as many are looked at twice.
        advance(gateway, dialect, end);
        if end / UNTOLD_MAX != told / UNTOLD_MAX {
            write_cursor(gateway, dialect, end)?;
        }
        return Ok(());
    }
    let about = || About { cursor: Some(end), ..About::default() };
    call(gateway, &plugin, &notice.execution, &wanted, end, &[], about).await?;
    advance(gateway, dialect, end);
    let followers = match gateway.notices.lock().get(dialect) {
        Some(feed) => feed.followers_of(&notice.execution),
        None => Vec::new(),
    };
    if followers.is_empty() {
        return Ok(());
    }
    call_for(gateway, &plugin, &notice.execution, &wanted, end, &followers).await
}

/// Replays to one session what everybody was told, and lets it follow from there.
async fn replay(gateway: &Arc<Gateway>, dialect: &Arc<str>, follow: &Follow) -> Result<(), Untold> {
    let plugin = loaded(gateway, dialect)?;
    let up_to = gateway.notices.lock().get(dialect).and_then(super::Feed::cursor).unwrap_or(0);
    let (mut after, since_ms) = match follow.start {
        Start::Position(position) => (position, None),
        Start::Since(since_ms) => (0, Some(since_ms)),
    };
    let follower = [Follower { session: follow.session.clone(), tag: follow.tag.clone() }];
    let mut left = follow.limit;
    while left > 0 {
        let query = TransitionQuery {
            origin: dialect.clone(),
            after,
            up_to: Some(up_to),
            since_ms,
            labels: follow.labels.clone(),
            limit: left.min(READ_MAX),
        };
        let lines = gateway.engine.journal().transitions(query).await?;
        let Some((last, _, _)) = lines.last() else { break };
        after = *last;
        left = left.saturating_sub(u32::try_from(lines.len()).unwrap_or(u32::MAX));
        for group in grouped(lines) {
            let Some(notice) = read(gateway, dialect, group).await else { continue };
            let wanted = wanted(&plugin, &notice);
            if !wanted.is_empty() {
                call_for(gateway, &plugin, &notice.execution, &wanted, notice.end(), &follower).await?;
            }
        }
    }
    if follow.live {
        go_on_live(gateway, dialect, follow);
    }
    Ok(())
}

/// From here on a session is told what comes.
fn go_on_live(gateway: &Arc<Gateway>, dialect: &Arc<str>, follow: &Follow) {
    if let Some(feed) = gateway.notices.lock().get_mut(dialect)
        && !feed.follow(Following::from(follow))
    {
        tracing::warn!(%dialect, session = %follow.session, "a session cannot follow: too many do");
    }
    // It may have closed during the replay, when it did not follow yet; nobody else would take it out again.
    if gateway.broker().is_none_or(|broker| broker.session(&follow.session).is_none()) {
        gateway.notices.closed(dialect, &follow.session);
    }
}

/// A call for followers. It is not made up for where the plugin cannot be called: everybody else waits meanwhile.
async fn call_for(
    gateway: &Arc<Gateway>,
    plugin: &Plugin,
    execution: &Execution,
    lines: &[Transition],
    position: u64,
    followers: &[Follower],
) -> Result<(), Untold> {
    match call(gateway, plugin, execution, lines, position, followers, About::default).await {
        Err(Untold::Later(why)) => {
            count_untold(plugin.name(), &execution.id, &why);
            Ok(())
        }
        Err(Untold::Quarantined) => {
            count_untold(plugin.name(), &execution.id, &"the plugin is in quarantine");
            Ok(())
        }
        done => done,
    }
}

/// One call with its writes. A call that fails is logged and counted, and the next line is told all the same.
async fn call<'a>(
    gateway: &Arc<Gateway>,
    plugin: &Plugin,
    execution: &Execution,
    lines: &[Transition],
    position: u64,
    followers: &[Follower],
    about: impl Fn() -> About<'a>,
) -> Result<(), Untold> {
    let context = gateway.call_context(None);
    let tell = || plugin.on_transitions(context.clone(), execution, lines, position, followers);
    let mut waits = 0;
    let why = loop {
        match again::call_and_apply(gateway, plugin, tell, &about).await {
            Ok(_) => return Ok(()),
            Err(Failed::Writes(WriteError::Stopped(_))) => return Err(Untold::Stopped),
            // No instance for so long: the line must wait, as the others of the dialect do.
            Err(Failed::Call(CallError { fault: Fault::Quarantined { .. }, .. })) => return Err(Untold::Quarantined),
            Err(Failed::Call(error @ CallError { fault: Fault::Busy(_), .. })) => {
                return Err(Untold::Later(error.to_string()));
            }
            // What is unreadable stays so.
            Err(Failed::Writes(WriteError::Store(error)))
                if waits < WAITS_MAX && !matches!(error, StoreError::Unreadable { .. }) =>
            {
                waits += 1;
                tokio::time::sleep(AGAIN_AFTER).await;
            }
            Err(why) => break why,
        }
    };
    count_untold(plugin.name(), &execution.id, &why);
    Ok(())
}

fn count_untold(dialect: &Arc<str>, execution: &ExecutionId, why: &dyn std::fmt::Display) {
    metrics::counter!("dragoman_transitions_untold_total", "dialect" => dialect.to_string()).increment(1);
    tracing::warn!(%dialect, %execution, %why, "a transition was not told");
}

fn advance(gateway: &Gateway, dialect: &Arc<str>, position: u64) {
    if let Some(feed) = gateway.notices.lock().get_mut(dialect) {
        feed.told_up_to(position);
    }
}

fn write_cursor(gateway: &Gateway, dialect: &Arc<str>, position: u64) -> Result<(), Untold> {
    let write = Write::Cursor { dialect: dialect.clone(), position };
    gateway.engine.turn(vec![Step::Write(write)], None).map(drop).map_err(|_| Untold::Stopped)
}

fn loaded(gateway: &Gateway, dialect: &str) -> Result<Arc<Plugin>, Untold> {
    gateway.plugin(dialect).filter(|plugin| plugin.roles().notifications).ok_or(Untold::NotLoaded)
}

fn wanted(plugin: &Plugin, notice: &Notice) -> Vec<Transition> {
    let (wants, intent) = (&plugin.description().transitions, &notice.execution.intent);
    notice.lines.iter().filter(|line| wants.wants(intent, line.event)).cloned().collect()
}

/// Lines of one execution that follow each other, and the position of the first.
struct Group {
    id: ExecutionId,
    lines: Vec<Transition>,
    position: u64,
}

/// Lines as the store gives them, those of one execution that follow each other together.
fn grouped(lines: Vec<(u64, ExecutionId, Transition)>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut before = 0;
    for (position, id, line) in lines {
        match groups.last_mut() {
            Some(group) if group.id == id && before + 1 == position => group.lines.push(line),
            _ => groups.push(Group { id, lines: vec![line], position }),
        }
        before = position;
    }
    groups
}

/// The lines with their execution; none where that was pruned meanwhile, so that there is nothing left to tell about, or
/// cannot be read however often it is tried.
async fn read(gateway: &Gateway, dialect: &Arc<str>, group: Group) -> Option<Notice> {
    let Group { id, lines, position } = group;
    let mut waits = 0;
    loop {
        match gateway.execution(&id).await {
            Ok(execution) => return execution.map(|execution| Notice { execution, lines, position }),
            // What is unreadable stays so.
            Err(error) if waits >= WAITS_MAX || matches!(error, StoreError::Unreadable { .. }) => {
                count_untold(dialect, &id, &error);
                return None;
            }
            Err(_) => {
                waits += 1;
                tokio::time::sleep(AGAIN_AFTER).await;
            }
        }
    }
}
