//! How long a call may take, on both of its clocks: the epoch for what computes, the timer for what is parked.

use std::future::Future;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// The time of one call. It can stand still while the host does something that is not the plugin's work.
#[derive(Debug)]
pub(crate) struct Deadline(Mutex<Clock>);

#[derive(Debug)]
struct Clock {
    until: Instant,
    paused_at: Option<Instant>,
}

/// The time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Elapsed;

impl Deadline {
    pub(crate) fn after(limit: Duration) -> Self {
        Self(Mutex::new(Clock { until: Instant::now() + limit, paused_at: None }))
    }

    pub(crate) fn passed(&self) -> bool {
        let clock = self.clock();
        clock.paused_at.is_none() && Instant::now() >= clock.until
    }

    /// Stands still until [`Deadline::resume`].
    pub(crate) fn pause(&self) {
        self.clock().paused_at = Some(Instant::now());
    }

    pub(crate) fn resume(&self) {
        let mut clock = self.clock();
        if let Some(since) = clock.paused_at.take() {
            clock.until += since.elapsed();
        }
    }

    /// Drives a call until it returns or its time is over. A pause is noticed when the timer fires, so a call may
    /// exceed its limit by as much as was left when it was paused.
    pub(crate) async fn run<F: Future>(&self, call: F) -> Result<F::Output, Elapsed> {
        let mut call = pin!(call);
        let mut wake = self.clock().until;
        loop {
            if let Ok(output) = tokio::time::timeout_at(wake, &mut call).await {
                return Ok(output);
            }
            wake = self.next_wake().ok_or(Elapsed)?;
        }
    }

    /// When to look again; none: now is too late.
    fn next_wake(&self) -> Option<Instant> {
        let clock = self.clock();
        let now = Instant::now();
        match clock.paused_at {
            Some(since) => Some(now + clock.until.saturating_duration_since(since).max(Duration::from_millis(1))),
            None => (now < clock.until).then_some(clock.until),
        }
    }

    fn clock(&self) -> MutexGuard<'_, Clock> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is left of the host's own time in one call, so that a call does not last for ever while the plugin's time
/// stands still.
#[derive(Debug)]
pub(crate) struct HostTime {
    left: Duration,
}

/// The host's own time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HostLate;

impl HostTime {
    pub(crate) fn of(limit: Duration) -> Self {
        Self { left: limit }
    }

    /// Waits for the host, as long as is left; the plugin's time stands still meanwhile.
    pub(crate) async fn wait<F: Future>(&mut self, deadline: &Deadline, answer: F) -> Result<F::Output, HostLate> {
        let start = Instant::now();
        deadline.pause();
        let answered = tokio::time::timeout(self.left, answer).await;
        deadline.resume();
        self.left = self.left.saturating_sub(start.elapsed());
        answered.map_err(|_| HostLate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_parked_call_ends_when_its_time_is_over() {
        let start = Instant::now();
        let deadline = Deadline::after(Duration::from_millis(100));
        assert_eq!(deadline.run(std::future::pending::<()>()).await, Err(Elapsed));
        assert_eq!(start.elapsed().as_millis(), 100);
        assert!(deadline.passed());
    }

    #[tokio::test(start_paused = true)]
    async fn time_in_a_pause_does_not_count() {
        let start = Instant::now();
        let deadline = Deadline::after(Duration::from_millis(100));
        let call = async {
            tokio::time::sleep(Duration::from_millis(60)).await;
            deadline.pause();
            tokio::time::sleep(Duration::from_millis(1000)).await;
            assert!(!deadline.passed());
            deadline.resume();
            tokio::time::sleep(Duration::from_millis(39)).await;
            assert!(!deadline.passed());
            std::future::pending::<()>().await;
        };
        assert_eq!(deadline.run(call).await, Err(Elapsed));
        assert!((1100..=1140).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn the_host_s_time_is_bounded_for_the_whole_call() {
        let deadline = Deadline::after(Duration::from_millis(100));
        let mut host = HostTime::of(Duration::from_millis(1000));
        let sleep = |ms| tokio::time::sleep(Duration::from_millis(ms));
        assert_eq!(host.wait(&deadline, sleep(900)).await, Ok(()));
        assert!(!deadline.passed(), "the plugin's time stood still");
        assert_eq!(host.wait(&deadline, sleep(200)).await, Err(HostLate));
        assert!(!deadline.passed());
    }
}
