//! Counts over access patterns: which records each query returned, and nothing else.
//!
//! For whoever sees the answers to range queries but neither ciphertexts nor bounds. A pattern is a
//! set of record numbers; all patterns stand one after the other, that of query `q` between
//! `offsets[q]` and `offsets[q + 1]`:
//!
//! ```text
//! frequency(r)        = #{q : r in q}
//! co-occurrence(a, r) = #{q : a in q and r in q}
//! ```
//!
//! `O(number of entries)`, one pass on all cores.
//!
//! # Sources
//!
//! The counts of Kellaris, Kollios, Nissim and O'Neill, CCS 2016, and Grubbs, Lacharité, Minaud and
//! Paterson, IEEE S&P 2019 (eprint 2019/011).

use super::Error;
use crate::pool;
use crate::stop;

/// Patterns that one thread counts at a time.
const PATTERNS: usize = 1024;

/// Counts that are added up in the end, at most.
const MOST_COUNTS: usize = 64;

/// Access patterns of some queries over numbered records.
#[derive(Debug, Clone)]
pub struct Patterns<'a> {
    parts: Vec<&'a [i64]>,
    records: usize,
}

impl<'a> Patterns<'a> {
    /// Returns the patterns that lie between offsets.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] if there is no offset or the last one is not the number of entries,
    /// [`Error::AccessPattern`] if the records of a query do not ascend or do not exist.
    pub fn new(offsets: &[i64], entries: &'a [i64], records: usize) -> Result<Self, Error> {
        let got = entries.len();
        let expected = offsets.last().and_then(|&last| usize::try_from(last).ok());
        if expected != Some(got) || offsets.first() != Some(&0) {
            let expected = expected.unwrap_or(0);
            return Err(Error::Length { what: "the access patterns", expected, got });
        }
        let part = |(query, ends): (usize, &[i64])| {
            stop::check();
            let place = |end: i64| usize::try_from(end).ok();
            let part = place(ends[0]).zip(place(ends[1])).and_then(|(a, b)| entries.get(a..b));
            let exists = |&record: &i64| usize::try_from(record).is_ok_and(|r| r < records);
            match part {
                Some(part) if part.is_sorted_by(|a, b| a < b) && part.iter().all(exists) => {
                    Ok(part)
                }
                _ => Err(Error::AccessPattern { query }),
            }
        };
        let parts = offsets.windows(2).enumerate().map(part).collect::<Result<_, _>>()?;
        Ok(Self { parts, records })
    }

    /// How many queries return each record.
    #[must_use]
    pub fn frequencies(&self) -> Vec<u64> {
        self.counts(|_| true)
    }

    /// How many queries return each record together with an anchor.
    #[must_use]
    pub fn co_occurrence(&self, anchor: i64) -> Vec<u64> {
        self.counts(|part| part.binary_search(&anchor).is_ok())
    }

    fn counts(&self, is_counted: impl Fn(&[i64]) -> bool + Sync) -> Vec<u64> {
        let size = PATTERNS.max(self.parts.len().div_ceil(MOST_COUNTS));
        let counts = pool::map_chunks(&self.parts, size, |_, parts| {
            let mut counts = vec![0; self.records];
            let counted = parts.iter().inspect(|_| stop::check()).filter(|part| is_counted(part));
            for &record in counted.copied().flatten() {
                // Every record exists, as was checked once.
                if let Some(count) = usize::try_from(record).ok().and_then(|r| counts.get_mut(r)) {
                    *count += 1;
                }
            }
            counts
        });
        counts.into_iter().fold(vec![0; self.records], |mut left, right| {
            left.iter_mut().zip(right).for_each(|(a, b): (&mut u64, u64)| *a += b);
            left
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn queries_are_counted_for_each_record_and_pair() {
        let (offsets, entries) = ([0, 2, 2, 5, 6], [0, 1, 0, 1, 3, 1]);
        let patterns = Patterns::new(&offsets, &entries, 4).unwrap();
        assert_eq!(patterns.frequencies(), [2, 3, 0, 1]);
        assert_eq!(patterns.co_occurrence(1), [2, 3, 0, 1]);
        assert_eq!(patterns.co_occurrence(3), [1, 1, 0, 1]);
        assert_eq!(patterns.co_occurrence(2), [0; 4]);
        assert_eq!(patterns.co_occurrence(-1), [0; 4]);
    }

    #[test]
    fn many_patterns_are_counted_in_parts() {
        let queries = 5 * PATTERNS + 3;
        let offsets: Vec<i64> = (0..=i64::try_from(queries).unwrap()).collect();
        let entries: Vec<i64> = (0..queries).map(|q| i64::from(q % 3 == 0)).collect();
        let ones = entries.iter().filter(|&&r| r == 1).count() as u64;
        let counts = Patterns::new(&offsets, &entries, 2).unwrap().frequencies();
        assert_eq!(counts, [queries as u64 - ones, ones]);
        assert_eq!(Patterns::new(&[0], &[], 2).unwrap().frequencies(), [0, 0]);
    }

    #[test]
    fn what_is_no_list_of_sets_is_refused() {
        let length = |expected, got| Error::Length { what: "the access patterns", expected, got };
        let refusal = |offsets: &[i64], entries: &[i64]| {
            Patterns::new(offsets, entries, 3).map(|_| ()).unwrap_err()
        };
        assert_eq!(refusal(&[], &[]), length(0, 0));
        assert_eq!(refusal(&[0, 2], &[0]), length(2, 1));
        assert_eq!(refusal(&[1, 1], &[0]), length(1, 1));
        let pattern = |query| Error::AccessPattern { query };
        assert_eq!(refusal(&[0, 1, 2], &[0, 3]), pattern(1));
        assert_eq!(refusal(&[0, 1, 2], &[-1, 0]), pattern(0));
        assert_eq!(refusal(&[0, 2], &[1, 1]), pattern(0));
        assert_eq!(refusal(&[0, 2, 1, 2], &[0, 1]), pattern(1));
        assert_eq!(refusal(&[0, -1, 2], &[0, 1]), pattern(0));
        assert_eq!(refusal(&[0, 9, 2], &[0, 1]), pattern(0));
    }
}
