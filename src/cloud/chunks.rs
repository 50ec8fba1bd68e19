//! A growing list whose clones share what they have in common.
//!
//! It is a list of short lists. A clone costs nothing; a change copies the one short list that it
//! falls into and the list of them, as far as another clone holds them too. So a cloud can hand its
//! state to a reader and change its own.

use std::sync::Arc;

/// Items of a short list.
const CHUNK: usize = 256;

/// A list.
#[derive(Debug, Clone)]
pub struct Chunks<T> {
    chunks: Arc<Vec<Arc<Vec<T>>>>,
}

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        Self { chunks: Arc::default() }
    }
}

impl<T> Chunks<T> {
    /// How many items there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self.chunks.split_last() {
            Some((last, full)) => CHUNK * full.len() + last.len(),
            None => 0,
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// The item at a position.
    #[must_use]
    pub fn get(&self, at: usize) -> Option<&T> {
        self.chunks.get(at / CHUNK)?.get(at % CHUNK)
    }

    /// The last item.
    #[must_use]
    pub fn last(&self) -> Option<&T> {
        self.chunks.last()?.last()
    }

    /// All items.
    #[must_use]
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }

    /// How many items at the front a predicate holds for, if it holds for all of these and no others.
    #[must_use]
    pub fn partition_point(&self, mut is_before: impl FnMut(&T) -> bool) -> usize {
        let full = self.chunks.partition_point(|chunk| chunk.last().is_some_and(&mut is_before));
        match self.chunks.get(full) {
            Some(chunk) => CHUNK * full + chunk.partition_point(is_before),
            None => self.len(),
        }
    }
}

impl<T: Clone> Chunks<T> {
    /// Adds an item.
    pub fn push(&mut self, item: T) {
        let chunks = Arc::make_mut(&mut self.chunks);
        match chunks.last_mut() {
            Some(last) if last.len() < CHUNK => Arc::make_mut(last).push(item),
            _ => chunks.push(Arc::new(vec![item])),
        }
    }

    /// Takes the last item.
    pub fn pop(&mut self) -> Option<T> {
        let chunks = Arc::make_mut(&mut self.chunks);
        let item = Arc::make_mut(chunks.last_mut()?).pop();
        if chunks.last().is_some_and(|last| last.is_empty()) {
            chunks.pop();
        }
        item
    }

    /// The item at a position, to change it.
    #[must_use]
    pub fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        if at >= self.len() {
            return None;
        }
        Arc::make_mut(Arc::make_mut(&mut self.chunks).get_mut(at / CHUNK)?).get_mut(at % CHUNK)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Pushes, pops and changes are those of a plain list, and older clones stay as they were.
        #[test]
        fn it_is_a_list_and_clones_do_not_change(
            steps in vec((0..4_u8, 0..600_usize), 0..40),
            length in 0..700_usize,
        ) {
            let mut plain: Vec<usize> = (0..length).collect();
            let mut chunks = Chunks::default();
            plain.iter().for_each(|&item| chunks.push(item));
            let (older, was) = (chunks.clone(), plain.clone());
            for (step, at) in steps {
                match step {
                    0 => { chunks.push(at); plain.push(at); }
                    1 => prop_assert_eq!(chunks.pop(), plain.pop()),
                    _ => match plain.get_mut(at) {
                        Some(item) => { *item += 1; *chunks.get_mut(at).unwrap() += 1; }
                        None => prop_assert!(chunks.get_mut(at).is_none()),
                    },
                }
                prop_assert_eq!((chunks.len(), chunks.is_empty()), (plain.len(), plain.is_empty()));
                prop_assert_eq!((chunks.last(), chunks.get(at)), (plain.last(), plain.get(at)));
            }
            prop_assert!(chunks.iter().eq(&plain));
            prop_assert!(older.iter().eq(&was));
        }

        #[test]
        fn a_partition_point_is_that_of_a_list(length in 0..700_usize, below in 0..800_usize) {
            let mut chunks = Chunks::default();
            (0..length).for_each(|item| chunks.push(item));
            prop_assert_eq!(chunks.partition_point(|&item| item < below), below.min(length));
        }
    }
}
