//! Which dead letters there are, within bounds: pure, without the letters themselves.

use std::collections::BTreeMap;
use std::sync::Arc;

/// The letters by number, the oldest first.
pub(super) struct Index {
    count_max: usize,
    bytes_max: u64,
    letters: BTreeMap<u64, Letter>,
    bytes: u64,
    last: u64,
}

struct Letter {
    plugin: Arc<str>,
    bytes: u64,
}

/// A letter that was added.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Added {
    /// Its number.
    pub(super) seq: u64,
    /// The letters that gave way, the oldest first.
    pub(super) gave_way: Vec<u64>,
}

impl Index {
    /// At most so many letters, and so many bytes of them.
    pub(super) fn new(count_max: usize, bytes_max: u64) -> Self {
        Self { count_max, bytes_max, letters: BTreeMap::new(), bytes: 0, last: 0 }
    }

    /// A letter that an earlier run left. Past the bounds the oldest give way when the next one is added.
    pub(super) fn restore(&mut self, seq: u64, plugin: Arc<str>, bytes: u64) {
        self.last = self.last.max(seq);
        self.bytes = self.bytes.saturating_add(bytes);
        self.letters.insert(seq, Letter { plugin, bytes });
    }

    /// Makes room and adds a letter. None where it does not fit with nothing beside it.
    pub(super) fn add(&mut self, plugin: Arc<str>, bytes: u64) -> Option<Added> {
        if self.count_max == 0 || bytes > self.bytes_max {
            return None;
        }
        let mut gave_way = Vec::new();
        while self.letters.len() >= self.count_max || self.bytes.saturating_add(bytes) > self.bytes_max {
            let Some((oldest, letter)) = self.letters.pop_first() else { break };
            self.bytes = self.bytes.saturating_sub(letter.bytes);
            gave_way.push(oldest);
        }
        let seq = self.last + 1;
        self.restore(seq, plugin, bytes);
        Some(Added { seq, gave_way })
    }

    /// Forgets a letter. Tells whether it was there.
    pub(super) fn remove(&mut self, seq: u64) -> bool {
        let removed = self.letters.remove(&seq);
        self.bytes = self.bytes.saturating_sub(removed.as_ref().map_or(0, |letter| letter.bytes));
        removed.is_some()
    }

    pub(super) fn has(&self, seq: u64) -> bool {
        self.letters.contains_key(&seq)
    }

    pub(super) fn count(&self) -> usize {
        self.letters.len()
    }

    /// The numbers of a plugin's letters, in order.
    pub(super) fn of(&self, plugin: &str) -> Vec<u64> {
        let own = self.letters.iter().filter(|(_, letter)| *letter.plugin == *plugin);
        own.map(|(seq, _)| *seq).collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn add(index: &mut Index, plugin: &str, bytes: u64) -> Option<(u64, Vec<u64>)> {
        index.add(plugin.into(), bytes).map(|added| (added.seq, added.gave_way))
    }

    #[test]
    fn past_the_bounds_the_oldest_give_way() {
        let mut index = Index::new(3, 100);
        assert_eq!(add(&mut index, "a", 10), Some((1, vec![])));
        assert_eq!(add(&mut index, "b", 10), Some((2, vec![])));
        assert_eq!(add(&mut index, "a", 10), Some((3, vec![])));
        assert_eq!(add(&mut index, "a", 10), Some((4, vec![1])), "by number");
        assert_eq!(add(&mut index, "b", 85), Some((5, vec![2, 3])), "by bytes");
        assert_eq!((index.of("a"), index.of("b"), index.count()), (vec![4], vec![5], 2));
        assert_eq!(add(&mut index, "a", 101), None, "what never fits pushes nothing out");
        assert_eq!(index.count(), 2);
        assert_eq!(add(&mut index, "a", 100), Some((6, vec![4, 5])));
    }

    #[test]
    fn what_was_removed_gives_its_room_back_and_its_number_is_not_given_again() {
        let mut index = Index::new(2, 100);
        index.restore(7, "a".into(), 90);
        assert!(index.has(7) && index.remove(7) && !index.remove(7) && !index.has(7));
        assert_eq!(add(&mut index, "a", 90), Some((8, vec![])));
    }

    #[test]
    fn bounds_that_were_lowered_hold_from_the_next_letter_on() {
        let mut index = Index::new(2, 100);
        for seq in 1..=4 {
            index.restore(seq, "a".into(), 10);
        }
        assert_eq!(add(&mut index, "a", 10), Some((5, vec![1, 2, 3])));
        assert_eq!(add(&mut Index::new(0, 100), "a", 1), None, "none are kept");
    }
}
