//! Wall-clock milliseconds that only move forward with the monotonic clock.
//!
//! Deadlines are wall-clock milliseconds in the store and monotonic while the process runs. A step of the system's
//! clock (NTP, an operator, a suspended machine) must neither expire every command at once nor keep them for ever,
//! so the two are compared and re-anchored, visibly, when they part by more than [`JUMP_MS`].

use std::sync::Mutex;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// A difference between the two clocks that is logged and re-anchored, in milliseconds.
const JUMP_MS: u64 = 5_000;

/// The daemon's clock; one per process.
#[derive(Debug)]
pub struct Clock {
    anchor: Mutex<Anchor>,
}

#[derive(Clone, Copy, Debug)]
struct Anchor {
    wall_ms: u64,
    monotonic: Instant,
}

impl Clock {
    /// A clock anchored at the system's time.
    pub fn new() -> Self {
        Self { anchor: Mutex::new(Anchor { wall_ms: system_ms(), monotonic: Instant::now() }) }
    }

    /// Milliseconds since 1970.
    pub fn now_ms(&self) -> u64 {
        let mut anchor = self.anchor.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let running_ms = reading_ms(anchor.wall_ms, anchor.monotonic.elapsed().as_millis());
        let wall_ms = system_ms();
        if jumped(running_ms, wall_ms) {
            tracing::warn!(running_ms, wall_ms, "the system clock jumped; deadlines follow the new time from now on");
            *anchor = Anchor { wall_ms, monotonic: Instant::now() };
            return wall_ms;
        }
        running_ms
    }
}

/// Where the clock stands so long after its anchor.
fn reading_ms(anchor_ms: u64, elapsed_ms: u128) -> u64 {
    anchor_ms.saturating_add(u64::try_from(elapsed_ms).unwrap_or(u64::MAX))
}

/// Whether the two clocks parted by more than what drift explains.
fn jumped(running_ms: u64, wall_ms: u64) -> bool {
    running_ms.abs_diff(wall_ms) > JUMP_MS
}

fn system_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_jump_over_the_limit_is_one() {
        for (running_ms, wall_ms, expected) in
            [(10_000, 10_000, false), (10_000, 15_000, false), (10_000, 15_001, true), (10_000, 4_999, true)]
        {
            assert_eq!(jumped(running_ms, wall_ms), expected, "{running_ms} against {wall_ms}");
        }
    }

    #[test]
    fn a_reading_never_overflows() {
        assert_eq!(reading_ms(5, 7), 12);
        assert_eq!(reading_ms(u64::MAX, 1), u64::MAX);
        assert_eq!(reading_ms(0, u128::MAX), u64::MAX);
    }

    #[test]
    fn it_reads_the_time_of_day() {
        assert!(Clock::new().now_ms().abs_diff(system_ms()) < JUMP_MS);
    }
}
