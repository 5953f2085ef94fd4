//! A plugin that keeps failing is not called for a while.
//!
//! So many faults within a window put one version of a plugin into quarantine. When its time is over one call is let
//! through: if it comes back in order, the quarantine is over; if it fails, the next one lasts twice as long. A version
//! that replaces it begins with nothing against it. Faults are what [`CallError::blame`](crate::CallError::blame) says.

use crate::error::{Blame, CallError};
use crate::options::QuarantineOptions;
use crate::telemetry;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How a version of a plugin stands that is in quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuarantineState {
    /// In how many milliseconds it is tried again; 0: the next call tries it, or one is under way.
    pub again_in_ms: u64,
    /// How often in a row it was put there, 1 for the first time.
    pub times: u32,
    /// The fault that put it there.
    pub reason: String,
}

/// The quarantine of one version of a plugin.
pub(crate) struct Quarantine {
    plugin: Arc<str>,
    book: Mutex<Book>,
}

/// A call that is let through, until it is told how it went.
pub(crate) struct Pass<'a> {
    quarantine: &'a Quarantine,
    probes: bool,
}

impl Quarantine {
    pub(crate) fn new(plugin: Arc<str>, options: QuarantineOptions) -> Self {
        Self { plugin, book: Mutex::new(Book::new(options)) }
    }

    /// One that no fault leads to.
    pub(crate) fn never(plugin: Arc<str>) -> Self {
        Self::new(plugin, QuarantineOptions { faults_max: 0, ..QuarantineOptions::default() })
    }

    /// Lets a call through, or tells after how long it is worth another try.
    pub(crate) fn enter(&self) -> Result<Pass<'_>, Duration> {
        match self.book().enter(Instant::now()) {
            Entry::Open => Ok(Pass { quarantine: self, probes: false }),
            Entry::Probe => Ok(Pass { quarantine: self, probes: true }),
            Entry::Shut(again_in) => Err(again_in),
        }
    }

    /// How it stands; none: it is called as ever.
    pub(crate) fn state(&self) -> Option<QuarantineState> {
        self.book().state(Instant::now())
    }

    /// Ends it and forgets all faults. Tells whether there was one.
    pub(crate) fn readmit(&self) -> bool {
        let readmitted = self.book().readmit();
        if readmitted {
            self.ended("an operator readmitted it");
        }
        readmitted
    }

    fn ended(&self, why: &str) {
        telemetry::quarantined(&self.plugin, false);
        tracing::info!(plugin = %self.plugin, "the quarantine of plugin {} is over: {why}", self.plugin);
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Quarantine {
    fn drop(&mut self) {
        if self.book().shut.is_some() {
            telemetry::quarantined(&self.plugin, false);
        }
    }
}

impl Pass<'_> {
    /// The call came back, in order or not.
    pub(crate) fn told(mut self, error: Option<&CallError>) {
        let (quarantine, probes) = (self.quarantine, std::mem::take(&mut self.probes));
        let plugin = &quarantine.plugin;
        match error.map(CallError::blame) {
            None | Some(Blame::Refusal) => {
                if quarantine.book().well(Instant::now(), probes) {
                    quarantine.ended("a call came back in order");
                }
            }
            Some(Blame::Fault) => {
                let reason = error.map(ToString::to_string).unwrap_or_default();
                let shut_for = quarantine.book().fault(Instant::now(), probes, &reason);
                if let Some(shut_for) = shut_for {
                    telemetry::quarantined(plugin, true);
                    let seconds = shut_for.as_secs_f64();
                    tracing::error!(
                        %plugin,
                        seconds,
                        "plugin {plugin} keeps failing and is in quarantine for {seconds} s, last because: {reason}; replace \
                         its file, or have it called again with dragoman plugin readmit {plugin}"
                    );
                }
            }
            Some(Blame::Nobody) => quarantine.book().untold(probes),
        }
    }
}

impl Drop for Pass<'_> {
    /// A call that is dropped before it came back says nothing; the next one is the one that tries.
    fn drop(&mut self) {
        self.quarantine.book().untold(self.probes);
    }
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    Open,
    /// It decides about the quarantine.
    Probe,
    /// Not now; worth another try after so long.
    Shut(Duration),
}

/// A plugin that faults less often than once in so many calls costs those calls and is not put into quarantine: one device
/// that says what its dialect trips over must not shut it for all others.
const CALLS_PER_FAULT: u64 = 10;

/// The faults of late, and the quarantine they led to. Time is an argument.
struct Book {
    options: QuarantineOptions,
    /// The last ones, as many as lead to a quarantine.
    faults: VecDeque<Instant>,
    tally: Tally,
    shut: Option<Shut>,
    /// When the last quarantine ended by itself, and how many there had been in a row.
    recovered: Option<(Instant, u32)>,
}

/// How many calls came back, and how many of them in a fault: of this window and of the one before.
#[derive(Default)]
struct Tally {
    since: Option<Instant>,
    now: (u64, u64),
    before: (u64, u64),
}

impl Tally {
    fn count(&mut self, now: Instant, window: Duration, faulted: bool) {
        let since = *self.since.get_or_insert(now);
        let age = now.saturating_duration_since(since);
        if age > window {
            let stale = age > window * 2;
            self.before = if stale { (0, 0) } else { self.now };
            self.now = (0, 0);
            self.since = Some(now);
        }
        self.now.0 += 1;
        self.now.1 += u64::from(faulted);
    }

    /// Whether so many of the calls faulted that the plugin is broken, and not what it was asked.
    fn is_broken(&self) -> bool {
        let (calls, faults) = (self.now.0 + self.before.0, self.now.1 + self.before.1);
        faults * CALLS_PER_FAULT >= calls
    }
}

struct Shut {
    until: Instant,
    /// In a row.
    times: u32,
    reason: String,
    /// Whether a call is under way that decides.
    probing: bool,
}

impl Book {
    fn new(options: QuarantineOptions) -> Self {
        Self { options, faults: VecDeque::new(), tally: Tally::default(), shut: None, recovered: None }
    }

    fn enter(&mut self, now: Instant) -> Entry {
        let Some(shut) = &mut self.shut else { return Entry::Open };
        if now < shut.until || shut.probing {
            return Entry::Shut(shut.until.saturating_duration_since(now));
        }
        shut.probing = true;
        Entry::Probe
    }

    fn state(&self, now: Instant) -> Option<QuarantineState> {
        self.shut.as_ref().map(|shut| QuarantineState {
            again_in_ms: u64::try_from(shut.until.saturating_duration_since(now).as_millis()).unwrap_or(u64::MAX),
            times: shut.times,
            reason: shut.reason.clone(),
        })
    }

    /// A call failed. Tells for how long nothing is called now, where that begins with it.
    fn fault(&mut self, now: Instant, probes: bool, reason: &str) -> Option<Duration> {
        if let Some(shut) = &mut self.shut {
            // Calls that began before the quarantine say nothing new.
            if !probes {
                return None;
            }
            let times = shut.times.saturating_add(1);
            return Some(self.shut_for(now, times, reason));
        }
        if self.options.faults_max == 0 {
            return None;
        }
        let window = self.window();
        self.tally.count(now, window, true);
        self.faults.push_back(now);
        while self.faults.len() > self.options.faults_max as usize
            || self.faults.front().is_some_and(|at| now.saturating_duration_since(*at) > window)
        {
            self.faults.pop_front();
        }
        if self.faults.len() < self.options.faults_max as usize || !self.tally.is_broken() {
            return None;
        }
        // One call that came back in order ended the last quarantine, but did not mend the plugin.
        let times = match self.recovered {
            Some((at, times)) if now.saturating_duration_since(at) <= window * 2 => times.saturating_add(1),
            _ => 1,
        };
        Some(self.shut_for(now, times, reason))
    }

    fn window(&self) -> Duration {
        Duration::from_millis(self.options.window_ms)
    }

    fn shut_for(&mut self, now: Instant, times: u32, reason: &str) -> Duration {
        let doubled = self.options.backoff_ms.saturating_mul(1 << (times - 1).min(32));
        let pause = Duration::from_millis(doubled.min(self.options.backoff_max_ms));
        self.faults.clear();
        self.tally = Tally::default();
        self.shut = Some(Shut { until: now + pause, times, reason: reason.to_owned(), probing: false });
        pause
    }

    /// A call came back in order. Tells whether that ends the quarantine.
    fn well(&mut self, now: Instant, probes: bool) -> bool {
        self.tally.count(now, self.window(), false);
        if !probes {
            return false;
        }
        let times = self.shut.as_ref().map_or(0, |shut| shut.times);
        let ended = self.readmit();
        self.recovered = Some((now, times));
        ended
    }

    /// A call ended without a word about the plugin.
    fn untold(&mut self, probes: bool) {
        if probes && let Some(shut) = &mut self.shut {
            shut.probing = false;
        }
    }

    fn readmit(&mut self) -> bool {
        self.faults.clear();
        self.tally = Tally::default();
        self.recovered = None;
        self.shut.take().is_some()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    const OPTIONS: QuarantineOptions =
        QuarantineOptions { faults_max: 3, window_ms: 1000, backoff_ms: 100, backoff_max_ms: 350 };

    fn ms(number: u64) -> Duration {
        Duration::from_millis(number)
    }

    /// A book that was shut at that time.
    fn shut(now: Instant) -> Book {
        let mut book = Book::new(OPTIONS);
        assert_eq!([1, 2, 3].map(|_| book.fault(now, false, "trap")), [None, None, Some(ms(100))]);
        book
    }

    #[test]
    fn only_so_many_faults_within_the_window_shut_it() {
        let start = Instant::now();
        let mut book = Book::new(OPTIONS);
        for at in [0, 600, 1700, 2800] {
            assert_eq!(book.fault(start + ms(at), false, "trap"), None, "{at}");
            assert_eq!(book.enter(start + ms(at)), Entry::Open, "{at}");
        }
        assert_eq!(book.fault(start + ms(2900), false, "trap"), None);
        assert_eq!(book.fault(start + ms(3000), false, "the last one"), Some(ms(100)));
        let state = book.state(start + ms(3040)).unwrap();
        assert_eq!(state, QuarantineState { again_in_ms: 60, times: 1, reason: "the last one".into() });
    }

    #[test]
    fn one_call_is_let_through_when_its_time_is_over() {
        let start = Instant::now();
        let mut book = shut(start);
        assert_eq!(book.enter(start + ms(99)), Entry::Shut(ms(1)));
        assert_eq!(book.enter(start + ms(100)), Entry::Probe);
        assert_eq!(book.enter(start + ms(100)), Entry::Shut(ms(0)), "the others wait for what comes of it");
        book.untold(true);
        assert_eq!(book.enter(start + ms(100)), Entry::Probe, "one that came to nothing makes room for the next");
        assert!(!book.well(start + ms(100), false), "calls that began before say nothing");
        assert_eq!(book.fault(start + ms(101), false, "late"), None);
        assert!(book.well(start + ms(101), true));
        assert_eq!((book.enter(start + ms(101)), book.state(start)), (Entry::Open, None));
        assert_eq!(book.fault(start + ms(102), false, "trap"), None, "earlier faults are forgotten");
    }

    #[test]
    fn each_fault_of_the_one_call_doubles_the_time() {
        let start = Instant::now();
        let mut book = shut(start);
        let mut now = start;
        for pause in [200, 350, 350] {
            now = book.shut.as_ref().unwrap().until;
            assert_eq!(book.enter(now), Entry::Probe);
            assert_eq!(book.fault(now, true, "again"), Some(ms(pause)));
            assert_eq!(book.enter(now), Entry::Shut(ms(pause)));
        }
        assert_eq!(book.state(now).unwrap().times, 4);
        assert!(book.readmit());
        assert!(!book.readmit());
        assert_eq!(book.enter(now), Entry::Open);
    }

    #[test]
    fn a_quarantine_soon_after_the_last_one_lasts_longer() {
        let start = Instant::now();
        for (calm, pause) in [(100, 200), (1999, 200), (2001, 100)] {
            let mut book = shut(start);
            let ended = start + ms(100);
            assert_eq!(book.enter(ended), Entry::Probe);
            assert!(book.well(ended, true));
            let then = ended + ms(calm);
            assert_eq!([1, 2, 3].map(|_| book.fault(then, false, "trap")), [None, None, Some(ms(pause))], "{calm}");
        }
        let mut book = shut(start);
        assert!(book.readmit());
        assert_eq!(
            [1, 2, 3].map(|_| book.fault(start, false, "trap")),
            [None, None, Some(ms(100))],
            "an operator's word"
        );
    }

    #[test]
    fn who_faults_seldom_is_not_shut() {
        let start = Instant::now();
        let mut book = Book::new(OPTIONS);
        for number in 0..100 {
            let now = start + ms(number * 50);
            assert!(!book.well(now, false));
            for _ in 0..9 {
                book.well(now, false);
            }
            assert_eq!(book.fault(now, false, "trap"), None, "one of eleven: {number}");
        }
        let now = start + ms(5000);
        let first = (0..20).find(|_| book.fault(now, false, "trap").is_some());
        assert!(first.is_some_and(|faults| faults < 5), "{first:?}: one of ten is broken");
    }

    #[test]
    fn without_a_number_of_faults_there_is_no_quarantine() {
        let mut book = Book::new(QuarantineOptions { faults_max: 0, ..OPTIONS });
        let now = Instant::now();
        assert!((0..100).all(|_| book.fault(now, false, "trap").is_none()));
    }
}
