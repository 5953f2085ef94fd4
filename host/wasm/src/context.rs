//! What one call is given: the host to read from, the time, its ids and numbers, and what the client presented.

use crate::reads::HostReads;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use zeroize::Zeroizing;

/// What one call is given. To repeat a call pass a clone: the time and the sequences of ids and numbers are then the
/// same. Another call, also one that goes on with the same request, is given a context of its own.
#[derive(Clone)]
pub struct CallContext {
    /// Where reads go.
    pub host: Arc<dyn HostReads>,
    /// What `host.now` answers, and the plugin's wall clock, in milliseconds since 1970.
    pub now_ms: u64,
    /// What `host.new-id` answers, and the ids of what the call submits and creates.
    pub ids: IdSource,
    /// What the client presented as its credential.
    pub presented: Option<Presented>,
    /// What `documents.next-number` answered so far.
    pub numbers: Numbers,
}

/// A repeatable sequence of ids: UUIDs of version 7 in text form, in rising order.
#[derive(Clone, Debug)]
pub struct IdSource {
    seed: [u8; 16],
    now_ms: u64,
    given: u32,
}

impl IdSource {
    /// A sequence that is the same for the same seed and time. The seed must be random: it is what makes ids unique.
    pub fn new(seed: [u8; 16], now_ms: u64) -> Self {
        Self { seed, now_ms, given: 0 }
    }

    /// The next id. The first 12 random bits of a UUIDv7 count, so that ids of one call keep their order.
    pub fn next_id(&mut self) -> String {
        let hash = Sha256::new().chain_update(self.seed).chain_update(self.given.to_be_bytes()).finalize();
        let mut random = [0_u8; 10];
        random.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
        let [_, _, high, low] = self.given.min(0x0fff).to_be_bytes();
        let [first, second, ..] = &mut random;
        (*first, *second) = (high, low);
        self.given = self.given.saturating_add(1);
        uuid::Builder::from_unix_timestamp_millis(self.now_ms, &random).into_uuid().to_string()
    }
}

/// The values of counters that a call was given, shared by all its repetitions.
#[derive(Clone, Debug, Default)]
pub struct Numbers(Arc<Mutex<HashMap<String, Vec<u64>>>>);

impl Numbers {
    /// The value that was given at this place of a counter's sequence, if that call came so far before.
    pub(crate) fn given(&self, counter: &str, place: usize) -> Option<u64> {
        self.sequences().get(counter)?.get(place).copied()
    }

    /// Keeps the next value of a counter's sequence.
    pub(crate) fn keep(&self, counter: &str, value: u64) {
        self.sequences().entry(counter.to_owned()).or_default().push(value);
    }

    fn sequences(&self) -> MutexGuard<'_, HashMap<String, Vec<u64>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a client presented as its credential. A plugin sees the scheme and the account, never the secret.
#[derive(Clone, Debug)]
pub struct Presented {
    /// `basic`, `bearer`, the lower-case name of the credential header, or `mqtt` for the password of CONNECT.
    pub scheme: String,
    /// The user name, where the scheme has one.
    pub account: Option<String>,
    /// The password or token.
    pub secret: Secret,
}

/// Bytes that are not printed, and wiped when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes over.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_repeat_for_a_seed_rise_and_are_version_7() {
        let mut one = IdSource::new([7; 16], 1_700_000_000_000);
        let mut two = one.clone();
        let ids: Vec<_> = (0..5000).map(|_| one.next_id()).collect();
        assert_eq!(ids, (0..5000).map(|_| two.next_id()).collect::<Vec<_>>());
        assert!(ids[..4096].is_sorted());
        assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), 5000);
        assert!(ids.iter().all(|id| id.len() == 36 && id.as_bytes()[14] == b'7'), "{}", ids[0]);
        assert_ne!(ids[0], IdSource::new([8; 16], 1_700_000_000_000).next_id());
    }

    #[test]
    fn a_secret_is_not_printed() {
        let presented =
            Presented { scheme: "basic".into(), account: Some("a".into()), secret: Secret::new(b"xyzzy".to_vec()) };
        assert!(!format!("{presented:?}").contains("xyzzy"));
    }
}
