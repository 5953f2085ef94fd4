//! The task of one feed: tells the dialect, moves its cursor, serves followers.

use super::feed::Next;
use super::follow::{Follow, Following};
use super::notice::Notice;
use crate::runtime::gateway::Gateway;
use crate::runtime::writes::{About, REPEATS_MAX, WriteError};
use dragoman_core::{Execution, Transition};
use dragoman_store::{StoreError, TransitionQuery, Write};
use dragoman_wasm::{CallError, Fault, Follower, Plugin, Start};
use std::sync::Arc;
use std::time::Duration;

/// Lines read from the store at once.
const READ_MAX: u32 = 500;
/// Before a call is tried again for which there was no instance, or a read that failed.
const AGAIN_AFTER: Duration = Duration::from_millis(250);

/// Works a feed off until nothing waits in it, or its dialect is gone. What is left then stays behind the cursor.
pub(super) async fn work_off(gateway: Arc<Gateway>, dialect: Arc<str>) {
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
                unserved = Some(follow);
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
            Err(Untold::Store(error)) => {
                tracing::warn!(%dialect, %error, "transitions could not be read; trying again");
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
    /// The store could not be read.
    Store(StoreError),
}

impl From<StoreError> for Untold {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
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
            let write = Write::Cursor { dialect: dialect.clone(), position: cursor };
            gateway.engine.turn(vec![crate::runtime::engine::Step::Write(write)], None).map_err(|_| Untold::Stopped)?;
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
        for notice in grouped(gateway, lines).await? {
            tell(gateway, dialect, notice).await?;
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
    let wanted = wanted(&plugin, &notice.lines);
    if wanted.is_empty() {
        // Nothing to say: the cursor follows with the next line that is told, and at worst a few are looked at twice.
        advance(gateway, dialect, end);
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
    call(gateway, &plugin, &notice.execution, &wanted, end, &followers, About::default).await
}

/// Replays to one session what everybody was told, and lets it follow from there.
async fn replay(gateway: &Arc<Gateway>, dialect: &Arc<str>, follow: &Follow) -> Result<(), Untold> {
    let plugin = loaded(gateway, dialect)?;
    let up_to = gateway.notices.lock().get(dialect).and_then(super::Feed::cursor).unwrap_or(0);
    let (after, since_ms) = match follow.start {
        Start::Position(position) => (position, None),
        Start::Since(since_ms) => (0, Some(since_ms)),
    };
    let query = TransitionQuery {
        origin: dialect.clone(),
        after,
        up_to: Some(up_to),
        since_ms,
        labels: follow.labels.clone(),
        limit: follow.limit,
    };
    let lines = gateway.engine.journal().transitions(query).await?;
    let follower = [Follower { session: follow.session.clone(), tag: follow.tag.clone() }];
    for notice in grouped(gateway, lines).await? {
        let wanted = wanted(&plugin, &notice.lines);
        if !wanted.is_empty() {
            let end = notice.end();
            call(gateway, &plugin, &notice.execution, &wanted, end, &follower, About::default).await?;
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
    let mut repeats = 0;
    let why = loop {
        let done = match plugin.on_transitions(context.clone(), execution, lines, position, followers).await {
            Ok(done) => done,
            Err(CallError { fault: Fault::Busy(_) | Fault::Host(_), .. }) => {
                tokio::time::sleep(AGAIN_AFTER).await;
                continue;
            }
            Err(fault) => break fault.to_string(),
        };
        match gateway.apply_writes(plugin, done.writes, about()).await {
            Ok(_) => return Ok(()),
            Err(WriteError::Conflict(_)) if repeats < REPEATS_MAX => repeats += 1,
            Err(WriteError::Store(error)) => return Err(error.into()),
            Err(WriteError::Stopped(_)) => return Err(Untold::Stopped),
            Err(error) => break error.to_string(),
        }
    };
    metrics::counter!("dragoman_transitions_untold_total", "dialect" => plugin.name().to_string()).increment(1);
    tracing::warn!(dialect = %plugin.name(), execution = %execution.id, %why, "a transition was not told");
    Ok(())
}

fn advance(gateway: &Gateway, dialect: &Arc<str>, position: u64) {
    if let Some(feed) = gateway.notices.lock().get_mut(dialect) {
        feed.told_up_to(position);
    }
}

fn loaded(gateway: &Gateway, dialect: &str) -> Result<Arc<Plugin>, Untold> {
    gateway.plugin(dialect).filter(|plugin| plugin.roles().notifications).ok_or(Untold::NotLoaded)
}

fn wanted(plugin: &Plugin, lines: &[Transition]) -> Vec<Transition> {
    let wants = &plugin.description().transitions;
    lines.iter().filter(|line| wants.wants(line.event)).cloned().collect()
}

/// Lines as the store gives them, those of one execution that follow each other together.
async fn grouped(
    gateway: &Gateway,
    lines: Vec<(u64, dragoman_core::ExecutionId, Transition)>,
) -> Result<Vec<Notice>, StoreError> {
    let mut notices: Vec<Notice> = Vec::new();
    for (position, id, line) in lines {
        match notices.last_mut() {
            Some(notice) if notice.execution.id == id && notice.end() + 1 == position => notice.lines.push(line),
            _ => {
                // Pruned meanwhile: there is nobody left to tell about.
                let Some(execution) = gateway.execution(&id).await? else { continue };
                notices.push(Notice { execution, lines: vec![line], position });
            }
        }
    }
    Ok(notices)
}
