//! A memory of passwords that were right a short while ago, so that a busy client does not cost Argon2 for each call.

use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// How long a password that was right is not hashed again.
pub(super) const TTL: Duration = Duration::from_secs(600);
/// Passwords remembered; the oldest give way.
const ENTRIES_MAX: usize = 4_096;

/// What stands for one right password of one credential. Reveals neither, and another process makes another.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Mark([u8; 32]);

/// Passwords that were right.
pub(super) struct Verified {
    /// Keyed, to be cloned for each mark.
    mac: Hmac<Sha256>,
    until: HashMap<Mark, Instant>,
    /// In the order they were added, which is the order they expire in.
    order: VecDeque<(Mark, Instant)>,
}

impl Verified {
    /// Nothing remembered, under a key of this process.
    pub(super) fn new() -> Result<Self, String> {
        let mut key = Zeroizing::new([0; 32]);
        getrandom::fill(key.as_mut_slice()).map_err(|error| error.to_string())?;
        let mac = Hmac::new_from_slice(key.as_slice()).map_err(|error| error.to_string())?;
        Ok(Self { mac, until: HashMap::new(), order: VecDeque::new() })
    }

    /// The mark of a password. The stored hash is part of it, so a changed credential has other marks.
    pub(super) fn mark(&self, dialect: &str, account: &str, stored: &[u8], secret: &[u8]) -> Mark {
        let mut mac = self.mac.clone();
        for part in [dialect.as_bytes(), account.as_bytes(), stored, secret] {
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(part);
        }
        Mark(mac.finalize().into_bytes().into())
    }

    /// Whether the password was right at most [`TTL`] ago.
    pub(super) fn knows(&self, mark: Mark, now: Instant) -> bool {
        self.until.get(&mark).is_some_and(|until| now < *until)
    }

    /// Remembers a password that was right just now.
    pub(super) fn remember(&mut self, mark: Mark, now: Instant) {
        while let Some((oldest, until)) = self.order.front().copied()
            && (until <= now || self.order.len() >= ENTRIES_MAX)
        {
            self.order.pop_front();
            if self.until.get(&oldest) == Some(&until) {
                self.until.remove(&oldest);
            }
        }
        let until = now + TTL;
        self.until.insert(mark, until);
        self.order.push_back((mark, until));
    }
}

#[cfg(test)]
mod tests {
    use super::{ENTRIES_MAX, TTL, Verified};
    use std::time::{Duration, Instant};

    #[test]
    fn a_mark_is_of_all_four_parts() {
        let verified = Verified::new().unwrap();
        let mark = verified.mark("d", "a", b"phc", b"secret");
        assert!(mark == verified.mark("d", "a", b"phc", b"secret"));
        let others = [
            ("da", "", "phc", "secret"),
            ("d", "b", "phc", "secret"),
            ("d", "a", "phd", "secret"),
            ("d", "a", "phcs", "ecret"),
        ];
        for (dialect, account, stored, secret) in others {
            assert!(
                mark != verified.mark(dialect, account, stored.as_bytes(), secret.as_bytes()),
                "{dialect} {account}"
            );
        }
        assert!(mark != Verified::new().unwrap().mark("d", "a", b"phc", b"secret"), "the key is of the process");
    }

    #[test]
    fn what_was_right_is_known_until_its_time_is_over() {
        let (mut verified, now) = (Verified::new().unwrap(), Instant::now());
        let mark = verified.mark("d", "a", b"phc", b"secret");
        assert!(!verified.knows(mark, now));
        verified.remember(mark, now);
        assert!(verified.knows(mark, now + TTL - Duration::from_millis(1)));
        assert!(!verified.knows(mark, now + TTL));
        verified.remember(mark, now + TTL);
        assert!(verified.knows(mark, now + TTL), "it can be right again");
        assert_eq!(verified.order.len(), 1, "what expired is forgotten");
    }

    #[test]
    fn the_oldest_gives_way() {
        let (mut verified, now) = (Verified::new().unwrap(), Instant::now());
        let marks: Vec<_> =
            (0..=ENTRIES_MAX).map(|index| verified.mark("d", &index.to_string(), b"phc", b"secret")).collect();
        for mark in &marks {
            verified.remember(*mark, now);
        }
        assert_eq!((verified.until.len(), verified.order.len()), (ENTRIES_MAX, ENTRIES_MAX));
        assert!(!verified.knows(marks[0], now));
        assert!(verified.knows(marks[1], now) && verified.knows(marks[ENTRIES_MAX], now));
    }
}
