//! A growing index of encrypted entries, and searching it: all the cloud ever does with ciphertexts.
//!
//! The index is a short list of sorted levels, each of them the entries of consecutive rows. What comes
//! is a level of its own. When a level has fewer than [`GROWTH`] times the rows of the next, it is merged
//! with all after it, so that sizes fall geometrically:
//!
//! ```text
//! levels = O(log n),   merging = O(r log n) for r entries that come, on average over all that came
//! hits of [low, high] = for each level: level[first c >= low .. first c > high], without dead rows
//! ```
//!
//! A range is two binary searches a level. A conjunction keeps, level by level, the rows of the smallest
//! range that all others have too: all entries of a row are in one level. Rows that are replaced or removed
//! are dead; they stay, as [`Marks`] that searches leave out, until a quarter of their level is.
//!
//! Levels never change. A clone of an index shares them, so that searches go on in a clone while levels
//! are merged, by whoever finds the time: [`Index::overdue`], [`Work::done`], [`Index::replace`].
//!
//! # Leakage
//!
//! The order of all entries of a field, which entries belong to one record, the ranges that were
//! asked for, and the result of every predicate before the conjunction. The levels tell about when an
//! entry came.
//!
//! # Sources
//!
//! O'Neil, Cheng, Gawlick and O'Neil: The log-structured merge-tree, Acta Informatica 33 (1996).

mod level;
mod marks;

use std::ops::Range;
use std::sync::Arc;

use self::level::How;
pub use self::level::Level;
pub use self::marks::Marks;
use super::merge::Threads;
use crate::message::query::Predicate;
use crate::operations::{Operation, count};
use crate::pool;
use crate::wire::length;

/// A level has at least so many times the rows of the next.
pub const GROWTH: usize = 4;

/// Rows that a level may span.
const MOST_ROWS: u64 = 1 << 32;

/// Up to so many hits, one thread sorts them.
const FEW: usize = 1 << 16;

/// Sorted levels, the oldest first.
#[derive(Debug, Clone)]
pub struct Index {
    tiers: Vec<Tier>,
    /// The row after the last that ever came.
    end: u64,
    has_handles: bool,
    most_rows: u64,
}

/// A level, and how many of its rows died since it was made.
#[derive(Debug, Clone)]
struct Tier {
    level: Arc<Level>,
    dead: usize,
}

impl Tier {
    fn live(&self) -> usize {
        self.level.rows.saturating_sub(self.dead)
    }
}

impl Default for Index {
    /// An index that finds rows by their ciphertexts only.
    fn default() -> Self {
        Self { tiers: Vec::new(), end: 0, has_handles: false, most_rows: MOST_ROWS }
    }
}

/// Levels that should become one.
#[derive(Debug)]
pub struct Work {
    from: usize,
    tiers: Vec<Tier>,
    has_handles: bool,
}

impl Work {
    /// How many rows it is about.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.tiers.iter().map(|tier| tier.level.rows).sum()
    }

    /// The level after the last that it is about.
    #[must_use]
    pub fn end(&self) -> usize {
        self.from + self.tiers.len()
    }

    /// Merges the levels, with all threads or with the calling one alone.
    #[must_use]
    pub fn done(&self, dead: &Marks, with_all_threads: bool) -> Level {
        let levels: Vec<_> = self.tiers.iter().map(|tier| (&*tier.level, tier.dead)).collect();
        let threads = if with_all_threads { Threads::All } else { Threads::One };
        Level::merged(&levels, dead, How { threads, has_handles: self.has_handles })
    }
}

impl Index {
    /// An index that finds rows by their handles too.
    #[must_use]
    pub fn with_handles() -> Self {
        Self { has_handles: true, ..Self::default() }
    }

    /// Adds a level, whose rows come after all others.
    pub fn push(&mut self, level: Arc<Level>) {
        self.end = level.end();
        self.tiers.push(Tier { level, dead: 0 });
    }

    /// The row after the last that ever came, also where that is dead and forgotten: a number is used once.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.end
    }

    /// How many levels there are.
    #[must_use]
    pub fn levels(&self) -> usize {
        self.tiers.len()
    }

    /// Notes that a row, which was alive, is dead.
    pub fn kill(&mut self, row: u64) {
        let after = self.tiers.partition_point(|tier| tier.level.first <= row);
        if let Some(tier) = after.checked_sub(1).and_then(|at| self.tiers.get_mut(at)) {
            tier.dead += 1;
        }
    }

    /// How many entries of live rows there are, over all fields.
    #[must_use]
    pub fn entries(&self, dead: &Marks) -> usize {
        let of_tier = |tier: &Tier| -> usize {
            tier.level.entries().map(|rows| alive(rows, tier, dead)).sum()
        };
        self.tiers.iter().map(of_tier).sum()
    }

    /// Levels that should become one, from a level on and of no more rows than a number: the first that is
    /// too small beside the next, with all after it, or else one of which a quarter is dead.
    #[must_use]
    pub fn overdue(&self, from: usize, most: usize) -> Option<Work> {
        let mut rows = 0;
        let fits = |tier: &&Tier| {
            rows += tier.level.rows;
            rows <= most
        };
        let after = self.tiers.get(from..).unwrap_or_default();
        let fitting = after.iter().rev().take_while(fits).count();
        let from = self.tiers.len() - fitting;
        let spans = |at: usize, to: usize| {
            self.tiers[to].level.end - self.tiers[at].level.first <= self.most_rows
        };
        let is_small = |&at: &usize| {
            self.tiers[at].live() < GROWTH * self.tiers[at + 1].live() && spans(at, at + 1)
        };
        let is_decayed = |&at: &usize| {
            let Tier { level, dead } = &self.tiers[at];
            level.rows == 0 || *dead > 0 && 4 * dead >= level.rows
        };
        let last = self.tiers.len().checked_sub(1)?;
        let small = (from..last).find(is_small).map(|at| {
            let end = (at + 1..=last).take_while(|&to| spans(at, to)).last();
            at..end.map_or(at, |end| end + 1)
        });
        let decayed = || (from..=last).find(is_decayed).map(|at| at..at + 1);
        small.or_else(decayed).map(|levels| self.work(levels))
    }

    fn work(&self, levels: Range<usize>) -> Work {
        let (from, has_handles) = (levels.start, self.has_handles);
        Work { from, tiers: self.tiers[levels].to_vec(), has_handles }
    }

    /// Puts a level in the place of those that it was made of; returns whether they are still there.
    pub fn replace(&mut self, work: &Work, level: Level) -> bool {
        let Some(tiers) = self.tiers.get(work.from..work.end()) else { return false };
        let mut pairs = tiers.iter().zip(&work.tiers);
        if !pairs.all(|(now, then)| Arc::ptr_eq(&now.level, &then.level)) {
            return false;
        }
        let died: usize = tiers.iter().map(|tier| tier.dead).sum();
        let left_out: usize = work.tiers.iter().map(|tier| tier.dead).sum();
        let tier = Tier { level: Arc::new(level), dead: died - left_out };
        let is_empty = tier.level.rows == 0;
        self.tiers.splice(work.from..work.end(), (!is_empty).then_some(tier));
        true
    }

    /// Merges what is overdue, as [`overdue`](Self::overdue) says, until nothing is.
    pub fn settle(&mut self, dead: &Marks, from: usize, most: usize, with_all_threads: bool) {
        while let Some(work) = self.overdue(from, most) {
            let level = work.done(dead, with_all_threads);
            self.replace(&work, level);
        }
    }

    /// Counts the rows that all predicates hold for.
    #[must_use]
    pub fn count(&self, predicates: &[Predicate], dead: &Marks) -> usize {
        let [predicate] = predicates else { return self.search(predicates, dead).len() };
        count(Operation::Interval, 1);
        self.tiers.iter().map(|tier| alive(tier.level.range(predicate), tier, dead)).sum()
    }

    /// Finds the rows that all predicates hold for, ascending.
    ///
    /// A row without an entry in the field of a predicate is not found; without a predicate none is.
    #[must_use]
    pub fn search(&self, predicates: &[Predicate], dead: &Marks) -> Vec<u64> {
        count(Operation::Interval, predicates.len());
        let mut found = Vec::new();
        for tier in &self.tiers {
            let ranges = predicates.iter().map(|predicate| tier.level.range(predicate));
            let mut rows = conjunction(ranges.collect());
            if tier.dead > 0 {
                rows.retain(|&row| !dead.has(tier.level.first + u64::from(row)));
            }
            found.extend(rows.into_iter().map(|row| tier.level.first + u64::from(row)));
        }
        found
    }

    /// The entries that a row has, by field; none if it is forgotten.
    #[must_use]
    pub fn entries_of(&self, row: u64) -> Vec<(String, i64)> {
        let after = self.tiers.partition_point(|tier| tier.level.first <= row);
        let tier = after.checked_sub(1).and_then(|at| self.tiers.get(at));
        tier.map(|tier| tier.level.entries_of(row)).unwrap_or_default()
    }

    /// The live row of each of ascending handles, if it has one.
    #[must_use]
    pub fn find(&self, handles: &[u128], dead: &Marks) -> Vec<Option<u64>> {
        let mut rows = vec![None; handles.len()];
        for tier in &self.tiers {
            tier.level.find(handles, |position, row| {
                if tier.dead == 0 || !dead.has(row) {
                    rows[position] = Some(row);
                }
            });
        }
        rows
    }

    /// All entries of a field in order, and the row of each.
    #[must_use]
    pub fn merged(&self, field: &str, dead: &Marks) -> (Vec<i64>, Vec<u64>) {
        let mut entries: Vec<(i64, u64)> = Vec::new();
        for Tier { level, .. } in &self.tiers {
            let Some(run) = level.run(field) else { continue };
            let rows = run.records.iter().map(|&row| level.first + u64::from(row));
            let all = run.ciphertexts.iter().copied().zip(rows);
            entries.extend(all.filter(|&(_, row)| !dead.has(row)));
        }
        entries.sort_by_key(|&(ciphertext, _)| ciphertext);
        entries.into_iter().unzip()
    }
}

/// How many of a level's rows are alive.
fn alive(rows: &[u32], tier: &Tier, dead: &Marks) -> usize {
    let is_alive = |&&row: &&u32| !dead.has(tier.level.first + u64::from(row));
    if tier.dead == 0 { rows.len() } else { rows.iter().filter(is_alive).count() }
}

/// The rows that are in all ranges, ascending.
fn conjunction(mut ranges: Vec<&[u32]>) -> Vec<u32> {
    ranges.sort_by_key(|range| range.len());
    let Some((fewest, others)) = ranges.split_first() else { return Vec::new() };
    let mut found = fewest.to_vec();
    if found.len() <= FEW {
        found.sort_unstable();
    } else {
        pool::sort(&mut found);
    }
    for range in others {
        let (Some(&first), Some(&last)) = (found.first(), found.last()) else { break };
        // A bit for each row between the first and the last; or if they are far apart, a look-up each.
        let words = length(u64::from((last - first) / 64 + 1));
        let mut is_in = if words <= found.len() + range.len() {
            let mut marks = vec![0_u64; words];
            for row in range.iter().filter(|row| (first..=last).contains(row)) {
                marks[length(((row - first) / 64).into())] |= 1 << ((row - first) % 64);
            }
            let of = |row: u32| marks[length(((row - first) / 64).into())] >> ((row - first) % 64);
            found.iter().map(|&row| of(row) & 1 == 1).collect::<Vec<_>>()
        } else {
            let mut is_in = vec![false; found.len()];
            for place in range.iter().filter_map(|row| found.binary_search(row).ok()) {
                is_in[place] = true;
            }
            is_in
        }
        .into_iter();
        found.retain(|_| is_in.next() == Some(true));
    }
    found
}

#[cfg(test)]
mod tests;
