//! Which rows are replaced or removed: a bit map that grows, and whose clones share it.

use crate::cloud::chunks::Chunks;
use crate::wire::length;

/// Which rows are dead.
#[derive(Debug, Clone, Default)]
pub struct Marks {
    words: Chunks<u64>,
}

impl Marks {
    /// Whether a row is dead.
    #[must_use]
    pub fn has(&self, row: u64) -> bool {
        self.words.get(length(row / 64)).is_some_and(|word| word >> (row % 64) & 1 == 1)
    }

    /// Marks a row as dead; returns whether it was not.
    pub fn mark(&mut self, row: u64) -> bool {
        let at = length(row / 64);
        while self.words.len() <= at {
            self.words.push(0);
        }
        let Some(word) = self.words.get_mut(at) else { return false };
        let was = *word;
        *word |= 1 << (row % 64);
        *word != was
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_marked_is_dead_and_older_clones_do_not_see_it() {
        let mut marks = Marks::default();
        assert!(!marks.has(0) && !marks.has(u64::MAX));
        let older = marks.clone();
        assert!(marks.mark(100_000) && marks.mark(63) && !marks.mark(63));
        let dead: Vec<u64> = (0..200_000).filter(|&row| marks.has(row)).collect();
        assert_eq!(dead, [63, 100_000]);
        assert!(!older.has(63));
    }
}
