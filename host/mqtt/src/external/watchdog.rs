//! Whether a connection still gets on. Time is an argument.
//!
//! The client library asks for signs of life by itself, but not while it waits for a socket that takes nothing; and it
//! goes on for ever with a message that is never acknowledged. So what it does is watched from outside.

use super::broken::Stall;
use std::time::Duration;
use tokio::time::Instant;

/// Beyond two keep-alives, for pings that are late.
const MARGIN: Duration = Duration::from_millis(500);

/// Watches one connection.
#[derive(Debug)]
pub(super) struct Watchdog {
    keep_alive: Duration,
    ack_timeout: Duration,
    last_event: Instant,
    /// While nothing was read by our own choice, no broker can be late.
    counted_from: Instant,
}

impl Watchdog {
    pub(super) fn new(keep_alive: Duration, ack_timeout: Duration, now: Instant) -> Self {
        Self { keep_alive, ack_timeout, last_event: now, counted_from: now }
    }

    /// The broker asked for signs of life in another rhythm.
    pub(super) fn keep_alive_is(&mut self, keep_alive: Duration) {
        self.keep_alive = keep_alive;
    }

    /// A packet came or went.
    pub(super) fn event(&mut self, now: Instant) {
        self.last_event = now;
    }

    /// Nothing is read, because what was read before is not done with.
    pub(super) fn held_up(&mut self, now: Instant) {
        self.last_event = now;
        self.counted_from = now;
    }

    /// What is overdue. `unacknowledged` is since when the oldest message waits for its PUBACK, `subscribing` since when
    /// the subscriptions wait for theirs.
    pub(super) fn stall(
        &self,
        now: Instant,
        unacknowledged: Option<Instant>,
        subscribing: Option<Instant>,
    ) -> Option<Stall> {
        let late = |since: Instant| now.duration_since(since.max(self.counted_from)) > self.ack_timeout;
        let silent = self.keep_alive * 2 + MARGIN;
        if subscribing.is_some_and(late) {
            Some(Stall::Unsubscribed(self.ack_timeout))
        } else if unacknowledged.is_some_and(late) {
            Some(Stall::Unacknowledged(self.ack_timeout))
        } else if now.duration_since(self.last_event) > silent {
            Some(Stall::Silent(silent))
        } else {
            None
        }
    }

    /// How often to look.
    pub(super) fn every(&self) -> Duration {
        (self.ack_timeout / 4).min(self.keep_alive / 4).clamp(Duration::from_millis(10), Duration::from_secs(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn what_is_late_is_found() {
        let start = Instant::now();
        let mut dog = Watchdog::new(S * 10, S * 5, start);
        let at = |s: u32| start + S * s;
        assert_eq!(dog.stall(at(20), None, None), None);
        assert_eq!(dog.stall(at(21), None, None), Some(Stall::Silent(S * 20 + MARGIN)));
        dog.event(at(21));
        assert_eq!(dog.stall(at(21), None, None), None);
        assert_eq!(dog.stall(at(21), Some(at(16)), None), None);
        assert_eq!(dog.stall(at(22), Some(at(16)), None), Some(Stall::Unacknowledged(S * 5)));
        assert_eq!(dog.stall(at(22), Some(at(16)), Some(at(16))), Some(Stall::Unsubscribed(S * 5)));
        dog.held_up(at(22));
        assert_eq!(dog.stall(at(27), Some(at(16)), None), None, "it could not be read");
        assert_eq!(dog.stall(at(28), Some(at(16)), None), Some(Stall::Unacknowledged(S * 5)));
    }

    #[test]
    fn it_looks_often_enough_and_not_too_often() {
        let now = Instant::now();
        for (keep_alive, ack_timeout, every) in
            [(S * 60, S * 20, S), (S * 60, S, S / 4), (S, S * 20, S / 4), (S, S / 1000, S / 100)]
        {
            assert_eq!(Watchdog::new(keep_alive, ack_timeout, now).every(), every);
        }
    }
}
