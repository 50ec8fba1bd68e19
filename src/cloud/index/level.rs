//! One sorted level of an index: the entries of consecutive rows, field by field.
//!
//! Rows have numbers that go up as they come and never change. A level names the rows of its entries
//! from its first row on, in 32 bits. So the runs of an upload are a level as they are, and an entry
//! costs 12 bytes, however many rows there are.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use super::marks::Marks;
use crate::cloud::Error;
use crate::cloud::merge::{Threads, merge_sorted};
use crate::message::query::Predicate;
use crate::message::upload::{Run, check_order};
use crate::operations::{Operation, count};
use crate::pool;
use crate::wire::length;

/// Up to so many entries a stable sort is as fast as cutting them into pieces.
const FEW: usize = 4096;

/// Entries of consecutive rows.
#[derive(Debug)]
pub struct Level {
    /// The first of the rows.
    pub(super) first: u64,
    /// The row after the last.
    pub(super) end: u64,
    /// How many of them were alive when the level was made.
    pub(super) rows: usize,
    /// The entries of each field; rows are counted from the first.
    runs: Arc<Vec<Run>>,
    handles: Handles,
    /// For each run, its rows, ascending, and the entry of each; made when it is first asked for.
    places: OnceLock<Vec<Vec<(u32, u32)>>>,
}

/// The rows' pseudonyms, ascending.
#[derive(Debug, Clone, Default)]
struct Handles {
    handles: Arc<Vec<u128>>,
    /// The row of each, counted from the first; none if they are just in the rows' order.
    rows: Option<Vec<u32>>,
}

impl Handles {
    fn row(&self, at: usize) -> u64 {
        self.rows.as_ref().map_or(at as u64, |rows| rows[at].into())
    }
}

impl Level {
    /// The entries and handles of rows that come, the handles ascending.
    ///
    /// # Errors
    ///
    /// [`UnsortedRun`](crate::message::Error::UnsortedRun) or
    /// [`NegativeCiphertext`](crate::message::Error::NegativeCiphertext) for a run that is no run.
    pub fn new(
        first: u64,
        rows: u32,
        handles: Arc<Vec<u128>>,
        runs: Arc<Vec<Run>>,
    ) -> Result<Self, Error> {
        for (number, run) in runs.iter().enumerate() {
            check_order(number, &run.ciphertexts)?;
        }
        let handles = Handles { handles, rows: None };
        let end = first + u64::from(rows);
        let (rows, places) = (length(rows.into()), OnceLock::new());
        Ok(Self { first, end, rows, runs, handles, places })
    }

    /// One level of several that follow each other, of each of which so many rows are dead.
    pub(super) fn merged(levels: &[(&Self, usize)], dead: &Marks, how: How) -> Self {
        let ends = levels.first().zip(levels.last());
        let (first, end) = ends.map_or((0, 0), |((first, _), (last, _))| (first.first, last.end));
        let whole = Whole { levels, first, dead };
        let runs = levels.iter().flat_map(|(level, _)| level.runs.iter());
        let fields: BTreeSet<&str> =
            runs.filter(|run| !run.ciphertexts.is_empty()).map(|run| run.field.as_str()).collect();
        let runs = fields.into_iter().map(|field| whole.run(field, how.threads));
        let runs: Vec<Run> = runs.filter(|run| !run.records.is_empty()).collect();
        let handles = if how.has_handles { whole.handles() } else { Handles::default() };
        let rows = levels.iter().map(|(level, dead)| level.rows - dead).sum();
        Self { first, end, rows, runs: Arc::new(runs), handles, places: OnceLock::new() }
    }

    /// The row after the last.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.end
    }

    /// The entries between two bounds, by their rows.
    pub(super) fn range(&self, predicate: &Predicate) -> &[u32] {
        let Some(Run { ciphertexts, records, .. }) = self.run(&predicate.field) else {
            return &[];
        };
        let steps = usize::BITS - ciphertexts.len().leading_zeros();
        count(Operation::Comparison, 2 * length(u64::from(steps)));
        let start = ciphertexts.partition_point(|&ciphertext| ciphertext < predicate.low);
        let end = ciphertexts.partition_point(|&ciphertext| ciphertext <= predicate.high);
        &records[start..end.max(start)]
    }

    /// The entries of a field.
    pub(super) fn run(&self, field: &str) -> Option<&Run> {
        self.runs.iter().find(|run| run.field == field)
    }

    /// The entries that a row has, by field.
    ///
    /// Sorts the level by rows the first time, and takes eight bytes an entry from then on.
    pub(super) fn entries_of(&self, row: u64) -> Vec<(String, i64)> {
        if self.places.get().is_none() {
            // Made before it is set, so that a fork leaves nothing behind that is for ever being made.
            let places = |run: &Run| {
                let mut places: Vec<(u32, u32)> = run.records.iter().copied().zip(0..).collect();
                pool::sort(&mut places);
                places
            };
            let _ = self.places.set(self.runs.iter().map(places).collect());
        }
        let places = self.places.get().map(Vec::as_slice).unwrap_or_default();
        let Ok(row) = u32::try_from(row.wrapping_sub(self.first)) else { return Vec::new() };
        let entry = |(run, places): (&Run, &Vec<(u32, u32)>)| {
            let at = places.binary_search_by_key(&row, |&(row, _)| row).ok()?;
            let (_, at) = *places.get(at)?;
            Some((run.field.clone(), *run.ciphertexts.get(length(at.into()))?))
        };
        self.runs.iter().zip(places).filter_map(entry).collect()
    }

    /// The rows of all entries of all fields.
    pub(super) fn entries(&self) -> impl Iterator<Item = &[u32]> {
        self.runs.iter().map(|run| run.records.as_slice())
    }

    /// Which of ascending handles have a row here: position and row of each. It may be dead.
    pub(super) fn find(&self, handles: &[u128], mut found: impl FnMut(usize, u64)) {
        let here = self.handles.handles.as_slice();
        let mut from = 0;
        for (position, handle) in handles.iter().enumerate() {
            from = at_or_after(here, from, handle);
            while here.get(from) == Some(handle) {
                found(position, self.first + self.handles.row(from));
                from += 1;
            }
        }
    }
}

/// Where in a sorted list, from a position on, the first item is that is not below another.
fn at_or_after(sorted: &[u128], from: usize, item: &u128) -> usize {
    // It is near if many are looked for: double the stride until it is passed.
    let (mut from, mut stride) = (from, 1);
    while sorted.get(from + stride - 1).is_some_and(|other| other < item) {
        from += stride;
        stride *= 2;
    }
    let until = sorted.len().min(from + stride);
    from + sorted[from.min(until)..until].partition_point(|other| other < item)
}

/// How levels are merged.
#[derive(Debug, Clone, Copy)]
pub(super) struct How {
    pub threads: Threads,
    pub has_handles: bool,
}

/// Levels that become one.
struct Whole<'a> {
    levels: &'a [(&'a Level, usize)],
    first: u64,
    dead: &'a Marks,
}

impl Whole<'_> {
    /// Appends what a level has that is alive: its keys, and their rows as the new level counts them.
    fn join<K: Copy>(
        &self,
        (level, dead): (&Level, usize),
        keys: &[K],
        row: impl Fn(usize) -> u64,
        (joined, rows): (&mut Vec<K>, &mut Vec<u32>),
    ) {
        let distance = level.first - self.first;
        // A level never spans 2^32 rows.
        let short = |row: u64| u32::try_from(distance + row).unwrap_or(u32::MAX);
        if dead > 0 {
            for (at, &key) in keys.iter().enumerate() {
                if !self.dead.has(level.first + row(at)) {
                    joined.push(key);
                    rows.push(short(row(at)));
                }
            }
        } else {
            joined.extend_from_slice(keys);
            rows.extend((0..keys.len()).map(|at| short(row(at))));
        }
    }

    fn run(&self, field: &str, threads: Threads) -> Run {
        let runs = self.levels.iter().filter_map(|(level, _)| level.run(field));
        let most = runs.map(|run| run.records.len()).sum();
        let (mut keys, mut rows) = (Vec::with_capacity(most), Vec::with_capacity(most));
        let mut ends = Vec::with_capacity(self.levels.len());
        for &(level, dead) in self.levels {
            let Some(run) = level.run(field) else { continue };
            let row = |at: usize| run.records[at].into();
            self.join((level, dead), &run.ciphertexts, row, (&mut keys, &mut rows));
            ends.push(keys.len());
        }
        let field = field.to_owned();
        if keys.len() <= FEW {
            let (ciphertexts, records) = sorted(&keys, &rows);
            return Run { field, ciphertexts, records };
        }
        let mut order = vec![0; keys.len()];
        let mut start = 0;
        let runs: Vec<&[i64]> =
            ends.iter().map(|&end| &keys[std::mem::replace(&mut start, end)..end]).collect();
        merge_sorted(&runs, &mut order, threads);
        let place = |&place: &i64| length(place.cast_unsigned());
        let (ciphertexts, records) = match threads {
            Threads::All => (
                pool::map(order.len(), FEW, |at| keys[place(&order[at])]),
                pool::map(order.len(), FEW, |at| rows[place(&order[at])]),
            ),
            Threads::One => (
                order.iter().map(|at| keys[place(at)]).collect(),
                order.iter().map(|at| rows[place(at)]).collect(),
            ),
        };
        Run { field, ciphertexts, records }
    }

    fn handles(&self) -> Handles {
        let most = self.levels.iter().map(|(level, _)| level.handles.handles.len()).sum();
        let (mut keys, mut rows) = (Vec::with_capacity(most), Vec::with_capacity(most));
        for &(level, dead) in self.levels {
            let row = |at| level.handles.row(at);
            let handles = level.handles.handles.as_slice();
            self.join((level, dead), handles, row, (&mut keys, &mut rows));
        }
        let (handles, rows) = sorted(&keys, &rows);
        Handles { handles: Arc::new(handles), rows: Some(rows) }
    }
}

/// Keys and their rows in the order of keys. What is in order in pieces takes no more than merging them.
fn sorted<K: Copy + Ord>(keys: &[K], rows: &[u32]) -> (Vec<K>, Vec<u32>) {
    let mut pairs: Vec<(K, u32)> = keys.iter().copied().zip(rows.iter().copied()).collect();
    pairs.sort_by_key(|&(key, _)| key);
    pairs.into_iter().unzip()
}
