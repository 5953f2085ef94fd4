//! What one dialect has to be told, and who follows it.

use super::follow::{Follow, Following};
use super::notice::Notice;
use dragoman_core::{Execution, SessionId};
use std::collections::VecDeque;

/// Notices that wait in memory, and roughly how much memory they hold; past that they are read back from the store.
const WAITING_MAX: usize = 4_096;
const WAITING_MAX_BYTES: usize = 16 * 1024 * 1024;
/// Followers of one dialect.
const FOLLOWERS_MAX: usize = 10_000;
/// Followers of one session. Each begins with a replay of its own, for which everybody else waits.
const FOLLOWERS_OF_SESSION_MAX: usize = 32;

#[derive(Debug)]
pub(super) enum Item {
    Notice(Notice),
    Follow(Follow),
    /// Read what the store has behind the cursor.
    CatchUp,
}

/// Waits and follows of one dialect.
#[derive(Debug, Default)]
pub(super) struct Feed {
    waiting: VecDeque<Item>,
    /// How many of them are notices.
    notices: usize,
    /// What these hold in memory.
    bytes: usize,
    /// Of the first line that came in.
    first: Option<u64>,
    /// Notices were left out, or never came in: the store has them behind the cursor.
    behind: bool,
    busy: bool,
    /// Up to where the dialect was told; none: not read from the store yet.
    cursor: Option<u64>,
    followings: Vec<Following>,
}

/// What a feed's task does next.
#[derive(Debug)]
pub(super) enum Next {
    Tell(Notice),
    Follow(Follow),
    /// Read the store behind the cursor; nothing new is kept in memory meanwhile.
    Read,
    /// Nothing: the task ends.
    Idle,
}

impl Feed {
    /// True where a task must be started.
    pub(super) fn push(&mut self, item: Item) -> bool {
        match item {
            Item::CatchUp => self.behind = true,
            Item::Notice(notice) => {
                self.first.get_or_insert(notice.position);
                self.keep(notice);
            }
            Item::Follow(follow) => {
                // Under one name a session follows once; the newest counts.
                self.unfollow(&follow.session, Some(&follow.tag));
                self.waiting.push_back(Item::Follow(follow));
            }
        }
        !std::mem::replace(&mut self.busy, true)
    }

    fn keep(&mut self, notice: Notice) {
        // While the store is read, what comes is in the store too.
        if self.behind {
            return;
        }
        let bytes = self.bytes.saturating_add(notice.bytes());
        if self.notices >= WAITING_MAX || bytes > WAITING_MAX_BYTES {
            self.behind = true;
            self.waiting.retain(|item| matches!(item, Item::Follow(_)));
            (self.notices, self.bytes) = (0, 0);
            return;
        }
        self.notices += 1;
        self.bytes = bytes;
        self.waiting.push_back(Item::Notice(notice));
    }

    /// Whether its session may have this one replayed besides what it follows or has asked for under other names.
    pub(super) fn has_room_for(&self, follow: &Follow) -> bool {
        let live = self.followings.iter().map(|following| (&following.session, &following.tag));
        let waiting = self.waiting.iter().filter_map(|item| match item {
            Item::Follow(waits) => Some((&waits.session, &waits.tag)),
            _ => None,
        });
        let (mut all, mut own) = (0, 0);
        for (session, tag) in live.chain(waiting) {
            let is_own = *session == follow.session;
            if !(is_own && *tag == follow.tag) {
                all += 1;
                own += usize::from(is_own);
            }
        }
        all < FOLLOWERS_MAX && own < FOLLOWERS_OF_SESSION_MAX
    }

    pub(super) fn next(&mut self) -> Next {
        if self.behind || self.cursor.is_none() {
            return Next::Read;
        }
        match self.waiting.pop_front() {
            Some(Item::Notice(notice)) => {
                self.notices -= 1;
                self.bytes = self.bytes.saturating_sub(notice.bytes());
                Next::Tell(notice)
            }
            Some(Item::Follow(follow)) => Next::Follow(follow),
            Some(Item::CatchUp) => Next::Read,
            None => {
                self.busy = false;
                Next::Idle
            }
        }
    }

    pub(super) fn cursor(&self) -> Option<u64> {
        self.cursor
    }

    /// Where a dialect begins that was never told of anything, of lines up to `newest`: with the first that came in, which
    /// waits for this; where none did, with what comes from now on.
    pub(super) fn beginning(&self, newest: u64) -> u64 {
        self.first.map_or(newest, |first| first.saturating_sub(1))
    }

    pub(super) fn told_up_to(&mut self, position: u64) {
        self.cursor = Some(self.cursor.unwrap_or(0).max(position));
    }

    /// From here on notices are kept in memory again. What the store gets between its last read and this would be
    /// missing, so the reader calls it before that read.
    pub(super) fn keep_again(&mut self) {
        self.behind = false;
    }

    /// What was taken out last came to nothing: lines are behind the cursor still, and are read from the store; a replay
    /// is the next to be served.
    pub(super) fn again(&mut self, unserved: Option<Follow>) {
        self.behind = true;
        if let Some(follow) = unserved {
            self.waiting.push_front(Item::Follow(follow));
        }
    }

    pub(super) fn follow(&mut self, following: Following) -> bool {
        self.unfollow(&following.session, Some(&following.tag));
        let room = self.followings.len() < FOLLOWERS_MAX;
        if room {
            self.followings.push(following);
        }
        room
    }

    pub(super) fn unfollow(&mut self, session: &SessionId, tag: Option<&str>) {
        let ends = |of: &SessionId, named: &str| of == session && tag.is_none_or(|tag| tag == named);
        self.followings.retain(|following| !ends(&following.session, &following.tag));
        self.waiting.retain(|item| !matches!(item, Item::Follow(follow) if ends(&follow.session, &follow.tag)));
    }

    /// Who follows an execution with these labels live.
    pub(super) fn followers_of(&self, execution: &Execution) -> Vec<dragoman_wasm::Follower> {
        let follows = |following: &&Following| following.fits(execution);
        self.followings.iter().filter(follows).map(Following::follower).collect()
    }
}

#[cfg(test)]
mod tests;
