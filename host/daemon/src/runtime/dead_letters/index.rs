//! Which dead letters there are, within bounds: pure, without the letters themselves.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The letters by number, the oldest first.
pub(super) struct Index {
    count_max: usize,
    bytes_max: u64,
    letters: BTreeMap<u64, Letter>,
    /// Bytes of each plugin's letters; those without any are not in it.
    held: HashMap<Arc<str>, u64>,
    bytes: u64,
    last: u64,
}

struct Letter {
    plugin: Arc<str>,
    bytes: u64,
    tries: u32,
}

/// A letter that was added.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Added {
    /// Its number.
    pub(super) seq: u64,
    /// The letters that gave way, in that order.
    pub(super) gave_way: Vec<u64>,
}

impl Index {
    /// At most so many letters, and so many bytes of them.
    pub(super) fn new(count_max: usize, bytes_max: u64) -> Self {
        Self { count_max, bytes_max, letters: BTreeMap::new(), held: HashMap::new(), bytes: 0, last: 0 }
    }

    /// A letter that an earlier run left. Past the bounds some give way when the next one is added.
    pub(super) fn restore(&mut self, seq: u64, plugin: Arc<str>, bytes: u64, tries: u32) {
        self.last = self.last.max(seq);
        self.bytes = self.bytes.saturating_add(bytes);
        *self.held.entry(plugin.clone()).or_default() += bytes;
        self.letters.insert(seq, Letter { plugin, bytes, tries });
    }

    /// Numbers up to this one were given before, and are not given again.
    pub(super) fn continue_after(&mut self, last: u64) {
        self.last = self.last.max(last);
    }

    /// Makes room and adds a letter. The oldest of the plugin that holds the most give way, the new letter counted: a plugin
    /// that buries much costs no other its letters. None where it does not fit with nothing beside it.
    pub(super) fn add(&mut self, plugin: Arc<str>, bytes: u64) -> Option<Added> {
        if self.count_max == 0 || bytes > self.bytes_max {
            return None;
        }
        let mut gave_way = Vec::new();
        while self.letters.len() >= self.count_max || self.bytes.saturating_add(bytes) > self.bytes_max {
            let Some(oldest) = self.oldest_of_the_most(&plugin, bytes) else { break };
            self.remove(oldest);
            gave_way.push(oldest);
        }
        let seq = self.last + 1;
        self.restore(seq, plugin, bytes, 1);
        Some(Added { seq, gave_way })
    }

    fn oldest_of_the_most(&self, adding: &str, bytes: u64) -> Option<u64> {
        let weight = |plugin: &str, held: u64| if plugin == adding { held.saturating_add(bytes) } else { held };
        let (most, _) = self.held.iter().max_by_key(|(plugin, held)| (weight(plugin, **held), *plugin))?;
        let own = self.letters.iter().find(|(_, letter)| letter.plugin == *most);
        own.map(|(seq, _)| *seq)
    }

    /// Forgets a letter. Tells whether it was there.
    pub(super) fn remove(&mut self, seq: u64) -> bool {
        let Some(Letter { plugin, bytes, .. }) = self.letters.remove(&seq) else { return false };
        self.bytes = self.bytes.saturating_sub(bytes);
        if let Some(held) = self.held.get_mut(&plugin) {
            *held = held.saturating_sub(bytes);
            if *held == 0 {
                self.held.remove(&plugin);
            }
        }
        true
    }

    /// A letter was tried once more.
    pub(super) fn tried(&mut self, seq: u64, tries: u32) {
        if let Some(letter) = self.letters.get_mut(&seq) {
            letter.tries = tries;
        }
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

    /// The numbers of a plugin's letters, those that were tried least first.
    pub(super) fn least_tried_of(&self, plugin: &str) -> Vec<u64> {
        let own = self.letters.iter().filter(|(_, letter)| *letter.plugin == *plugin);
        let mut own: Vec<_> = own.map(|(seq, letter)| (letter.tries, *seq)).collect();
        own.sort_unstable();
        own.into_iter().map(|(_, seq)| seq).collect()
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
        assert_eq!(index.held.values().sum::<u64>(), index.bytes);
        assert_eq!(add(&mut index, "a", 101), None, "what never fits pushes nothing out");
        assert_eq!(index.count(), 2);
        assert_eq!(add(&mut index, "a", 100), Some((6, vec![4, 5])));
    }

    #[test]
    fn who_holds_the_most_gives_way_and_not_who_was_first() {
        let mut index = Index::new(4, 1_000);
        assert_eq!(add(&mut index, "quiet", 10), Some((1, vec![])));
        for seq in 2..=4 {
            assert_eq!(add(&mut index, "loud", 10), Some((seq, vec![])));
        }
        for seq in 5..=9 {
            assert_eq!(add(&mut index, "loud", 10), Some((seq, vec![seq - 3])));
        }
        assert_eq!(index.of("quiet"), [1]);
        assert_eq!(add(&mut index, "quiet", 10), Some((10, vec![7])));
    }

    #[test]
    fn those_that_were_tried_least_are_read_first() {
        let mut index = Index::new(9, 1_000);
        for (seq, tries) in [(1, 3), (2, 1), (3, 1), (4, 2)] {
            index.restore(seq, "a".into(), 10, tries);
        }
        index.tried(2, 4);
        assert_eq!(index.least_tried_of("a"), [3, 4, 1, 2]);
        assert_eq!(index.of("a"), [1, 2, 3, 4]);
    }

    #[test]
    fn what_was_removed_gives_its_room_back_and_its_number_is_not_given_again() {
        let mut index = Index::new(2, 100);
        index.restore(7, "a".into(), 90, 1);
        assert!(index.has(7) && index.remove(7) && !index.remove(7) && !index.has(7));
        assert_eq!(add(&mut index, "a", 90), Some((8, vec![])));
    }

    #[test]
    fn bounds_that_were_lowered_hold_from_the_next_letter_on() {
        let mut index = Index::new(2, 100);
        for seq in 1..=4 {
            index.restore(seq, "a".into(), 10, 1);
        }
        assert_eq!(add(&mut index, "a", 10), Some((5, vec![1, 2, 3])));
        assert_eq!(add(&mut Index::new(0, 100), "a", 1), None, "none are kept");
    }
}
