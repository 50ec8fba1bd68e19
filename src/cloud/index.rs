//! The merged index of one group, and searching it: all the cloud ever does with entries.
//!
//! The index keeps every provider's runs as they came, and for each field the merged ciphertexts
//! with the record of each. A range is two binary searches:
//!
//! ```text
//! hits of [low, high] = merged[first index with c >= low .. first index with c > high]
//! ```
//!
//! A conjunction marks the records of each range in a bit map and keeps what is in all of them. A
//! provider's own run is searched by itself. Uploads are merged when the next search needs them,
//! all at once with what is merged already, so that adding one costs a pass and adding many costs
//! one merge.
//!
//! # Leakage
//!
//! The order of all entries of a field, which entries belong to one record, the ranges that were
//! asked for, and the result of every predicate before the conjunction.

use std::collections::BTreeMap;
use std::sync::Arc;

use rayon::prelude::*;

use super::Error;
use super::merge::merge_into;
use super::store::Merged;
use crate::message::query::Predicate;
use crate::message::upload::Run;
use crate::operations::{Operation, count};
use crate::wire::length;

/// What is found: a record of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hit {
    /// Which upload, in the order they were added, counted from 0 and leaving out removed ones.
    pub upload: usize,
    /// Which of its records, counted from 0.
    pub record: u32,
}

/// The runs of one group, and the order that all of them share.
#[derive(Debug, Default)]
pub struct Index {
    uploads: Vec<Runs>,
    merged: BTreeMap<String, Merged>,
    /// How many uploads, from the first on, are in `merged`.
    settled: usize,
    records: u32,
}

#[derive(Debug)]
struct Runs {
    provider: String,
    first_record: u32,
    runs: Arc<Vec<Run>>,
}

impl Index {
    /// Adds the runs of an upload with so many records.
    ///
    /// # Errors
    ///
    /// [`Error::Records`] if the index would have 2^32 records. Nothing is added then.
    pub fn add(
        &mut self,
        provider: &str,
        records: u32,
        runs: impl Into<Arc<Vec<Run>>>,
    ) -> Result<(), Error> {
        let Some(sum) = self.records.checked_add(records) else {
            let got = u64::from(self.records) + u64::from(records);
            return Err(Error::Records { got });
        };
        let (provider, runs) = (provider.to_owned(), runs.into());
        self.uploads.push(Runs { provider, first_record: self.records, runs });
        self.records = sum;
        Ok(())
    }

    /// Removes an upload; the ones after it move up. The rest is merged anew at the next search.
    pub fn remove(&mut self, upload: usize) {
        if upload >= self.uploads.len() {
            return;
        }
        let removed = self.uploads.remove(upload);
        let end = self.uploads.get(upload).map_or(self.records, |next| next.first_record);
        let records = end - removed.first_record;
        for later in &mut self.uploads[upload..] {
            later.first_record -= records;
        }
        self.records -= records;
        self.merged.clear();
        self.settled = 0;
    }

    /// How many records there are.
    #[must_use]
    pub fn records(&self) -> u32 {
        self.records
    }

    /// How many entries there are, over all fields.
    #[must_use]
    pub fn entries(&self) -> usize {
        let runs = self.uploads.iter().flat_map(|upload| upload.runs.iter());
        runs.map(|run| run.ciphertexts.len()).sum()
    }

    /// Merges what was added since the last time.
    ///
    /// # Errors
    ///
    /// Those of [`merge_into`]; nothing changes then.
    pub fn settle(&mut self) -> Result<(), Error> {
        let fresh = &self.uploads[self.settled..];
        let mut fields: Vec<&str> = fresh
            .iter()
            .flat_map(|upload| upload.runs.iter())
            .map(|run| run.field.as_str())
            .collect();
        fields.sort_unstable();
        fields.dedup();
        let mut settled = Vec::with_capacity(fields.len());
        for field in fields {
            settled.push((field.to_owned(), self.merge_field(field)?));
        }
        self.merged.extend(settled);
        self.settled = self.uploads.len();
        Ok(())
    }

    /// The entries of a field, merged with the runs that came since.
    fn merge_field(&self, field: &str) -> Result<Merged, Error> {
        let mut joined = Merged::default();
        let mut ends = Vec::new();
        if let Some(merged) = self.merged.get(field) {
            joined.ciphertexts.extend_from_slice(&merged.ciphertexts);
            joined.records.extend_from_slice(&merged.records);
            ends.push(joined.ciphertexts.len());
        }
        for upload in &self.uploads[self.settled..] {
            for run in upload.runs.iter().filter(|run| run.field == field) {
                joined.ciphertexts.extend_from_slice(&run.ciphertexts);
                joined
                    .records
                    .extend(run.records.iter().map(|record| upload.first_record + record));
                ends.push(joined.ciphertexts.len());
            }
        }
        let mut runs = Vec::with_capacity(ends.len());
        let mut start = 0;
        for end in ends {
            runs.push(&joined.ciphertexts[start..end]);
            start = end;
        }
        let mut order = vec![0; start];
        merge_into(&runs, &mut order)?;
        let place = |&place: &i64| length(place.cast_unsigned());
        Ok(Merged {
            ciphertexts: order.par_iter().map(|at| joined.ciphertexts[place(at)]).collect(),
            records: order.par_iter().map(|at| joined.records[place(at)]).collect(),
        })
    }

    /// Returns the entries of a field in order, with the record of each, counted through all
    /// uploads: all that a copy of the store shows of the field.
    ///
    /// # Errors
    ///
    /// Those of [`settle`](Self::settle).
    pub fn merged(&mut self, field: &str) -> Result<Merged, Error> {
        self.settle()?;
        Ok(self.merged.get(field).cloned().unwrap_or_default())
    }

    /// Counts the records that all predicates hold for.
    ///
    /// With a provider, only its own runs are looked at.
    ///
    /// # Errors
    ///
    /// Those of [`settle`](Self::settle).
    pub fn count(
        &mut self,
        predicates: &[Predicate],
        provider: Option<&str>,
    ) -> Result<usize, Error> {
        if let ([predicate], None) = (predicates, provider) {
            self.settle()?;
            return Ok(self.range(predicate).len());
        }
        Ok(self.search(predicates, provider)?.len())
    }

    /// Finds the records that all predicates hold for, in the order of upload and record.
    ///
    /// With a provider, only its own runs are looked at. A record without an entry in the field of
    /// a predicate is not found; without a predicate nothing is.
    ///
    /// # Errors
    ///
    /// Those of [`settle`](Self::settle).
    pub fn search(
        &mut self,
        predicates: &[Predicate],
        provider: Option<&str>,
    ) -> Result<Vec<Hit>, Error> {
        let Some(provider) = provider else {
            self.settle()?;
            let ranges = predicates.iter().map(|predicate| self.range(predicate)).collect();
            let found = conjunction(ranges, self.records);
            return Ok(self.hits(found));
        };
        let mut hits = Vec::new();
        for (number, upload) in self.uploads.iter().enumerate() {
            if upload.provider == provider {
                let end = self.uploads.get(number + 1).map_or(self.records, |u| u.first_record);
                let ranges = predicates.iter().map(|predicate| upload.range(predicate)).collect();
                let found = conjunction(ranges, end - upload.first_record);
                hits.extend(found.into_iter().map(|record| Hit { upload: number, record }));
            }
        }
        Ok(hits)
    }

    fn range(&self, predicate: &Predicate) -> &[u32] {
        match self.merged.get(&predicate.field) {
            Some(merged) => range(&merged.ciphertexts, &merged.records, predicate),
            None => &[],
        }
    }

    /// Records of the index, ascending, as records of uploads.
    fn hits(&self, found: Vec<u32>) -> Vec<Hit> {
        let mut upload = 0;
        found
            .into_iter()
            .map(|record| {
                while self.uploads.get(upload + 1).is_some_and(|u| u.first_record <= record) {
                    upload += 1;
                }
                Hit { upload, record: record - self.uploads[upload].first_record }
            })
            .collect()
    }
}

impl Runs {
    fn range(&self, predicate: &Predicate) -> &[u32] {
        match self.runs.iter().find(|run| run.field == predicate.field) {
            Some(run) => range(&run.ciphertexts, &run.records, predicate),
            None => &[],
        }
    }
}

/// The records of the entries between two bounds.
fn range<'a>(ciphertexts: &[i64], records: &'a [u32], predicate: &Predicate) -> &'a [u32] {
    count(Operation::Interval, 1);
    count(
        Operation::Comparison,
        2 * length(u64::from(usize::BITS - ciphertexts.len().leading_zeros())),
    );
    let start = ciphertexts.partition_point(|&ciphertext| ciphertext < predicate.low);
    let end = ciphertexts.partition_point(|&ciphertext| ciphertext <= predicate.high);
    &records[start..end.max(start)]
}

/// The records that are in all ranges, ascending.
fn conjunction(mut ranges: Vec<&[u32]>, records: u32) -> Vec<u32> {
    ranges.sort_by_key(|range| range.len());
    let Some((fewest, others)) = ranges.split_first() else { return Vec::new() };
    let mut found = fewest.to_vec();
    for range in others {
        if found.is_empty() {
            break;
        }
        let mut is_in = vec![0_u64; length(u64::from(records).div_ceil(64))];
        for record in *range {
            is_in[length(u64::from(record / 64))] |= 1 << (record % 64);
        }
        found.retain(|record| is_in[length(u64::from(record / 64))] >> (record % 64) & 1 == 1);
    }
    found.par_sort_unstable();
    found
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::message;

    fn run(field: &str, entries: &[(i64, u32)]) -> Run {
        let mut entries = entries.to_vec();
        entries.sort_unstable();
        let (ciphertexts, records) = entries.into_iter().unzip();
        Run { field: field.to_owned(), ciphertexts, records }
    }

    fn between(field: &str, low: i64, high: i64) -> Predicate {
        Predicate { field: field.to_owned(), low, high, slots: None }
    }

    fn hit(upload: usize, record: u32) -> Hit {
        Hit { upload, record }
    }

    /// ```text
    /// hospital  record 0  age 40  pressure 150      clinic  record 0  age 50
    ///           record 1  age 70  pressure 140              record 1  age 45  pressure 160
    /// ```
    fn two_providers() -> Index {
        let mut index = Index::default();
        let runs = vec![run("age", &[(40, 0), (70, 1)]), run("pressure", &[(150, 0), (140, 1)])];
        index.add("hospital", 2, runs).unwrap();
        let runs = vec![run("age", &[(50, 0), (45, 1)]), run("pressure", &[(160, 1)])];
        index.add("clinic", 2, runs).unwrap();
        index
    }

    #[test]
    fn a_range_worked_by_hand_is_inclusive_at_both_ends() {
        let mut index = two_providers();
        let found = index.search(&[between("age", 40, 50)], None);
        assert_eq!(found, Ok(vec![hit(0, 0), hit(1, 0), hit(1, 1)]));
        assert_eq!(index.count(&[between("age", 40, 50)], None), Ok(3));
        assert_eq!(index.count(&[between("age", 41, 49)], None), Ok(1));
        assert_eq!(index.count(&[between("age", 50, 40)], None), Ok(0));
    }

    #[test]
    fn a_conjunction_keeps_what_is_in_all_ranges() {
        let mut index = two_providers();
        let predicates = [between("age", 40, 50), between("pressure", 145, 200)];
        assert_eq!(index.search(&predicates, None), Ok(vec![hit(0, 0), hit(1, 1)]));
        assert_eq!(index.search(&predicates, Some("clinic")), Ok(vec![hit(1, 1)]));
        assert_eq!(index.count(&predicates, None), Ok(2));
        assert_eq!(index.search(&predicates, Some("nobody")), Ok(vec![]));
    }

    #[test]
    fn what_is_merged_is_in_order_and_names_records_through_all_uploads() {
        let mut index = two_providers();
        let ages = Merged { ciphertexts: vec![40, 45, 50, 70], records: vec![0, 3, 2, 1] };
        assert_eq!(index.merged("age"), Ok(ages));
        assert_eq!(index.merged("weight"), Ok(Merged::default()));
    }

    #[test]
    fn a_field_without_entries_and_no_predicate_find_nothing() {
        let mut index = two_providers();
        assert_eq!(index.search(&[between("height", 0, i64::MAX)], None), Ok(vec![]));
        assert_eq!(index.search(&[], None), Ok(vec![]));
    }

    #[test]
    fn a_removed_upload_is_gone_and_the_rest_stays() {
        let mut index = two_providers();
        index.settle().unwrap();
        index.remove(0);
        assert_eq!((index.records(), index.entries()), (2, 3));
        assert_eq!(index.search(&[between("age", 0, 99)], None), Ok(vec![hit(0, 0), hit(0, 1)]));
        index.remove(7);
        index.remove(0);
        assert_eq!(index.search(&[between("age", 0, 99)], None), Ok(vec![]));
    }

    #[test]
    fn an_unsorted_run_changes_nothing() {
        let mut index = two_providers();
        let bad = Run { field: "age".into(), ciphertexts: vec![2, 1], records: vec![0, 1] };
        index.add("rogue", 2, vec![bad]).unwrap();
        assert_eq!(index.settle(), Err(message::Error::UnsortedRun { run: 2, position: 1 }.into()));
        index.remove(2);
        assert_eq!(index.count(&[between("age", 0, 99)], None), Ok(4));
    }

    proptest! {
        /// Uploads in any order and with searches between them find what a scan finds.
        #[test]
        fn searching_is_scanning(
            uploads in vec(vec((0..9_i64, 0..9_i64), 0..8), 0..6),
            settle_after in 0..6_usize,
            (low, high) in (0..9_i64, 0..9_i64),
        ) {
            let mut index = Index::default();
            let mut expected = Vec::new();
            for (number, rows) in uploads.iter().enumerate() {
                let column = |pick: fn(&(i64, i64)) -> i64| -> Vec<(i64, u32)> {
                    rows.iter().map(pick).zip(0..).collect()
                };
                let runs = vec![run("a", &column(|row| row.0)), run("b", &column(|row| row.1))];
                index.add("p", u32::try_from(rows.len()).unwrap(), runs).unwrap();
                for (&(a, b), record) in rows.iter().zip(0..) {
                    if (low..=high).contains(&a) && b <= high {
                        expected.push(hit(number, record));
                    }
                }
                if number == settle_after {
                    index.settle().unwrap();
                }
            }
            let predicates = [between("a", low, high), between("b", 0, high)];
            prop_assert_eq!(index.search(&predicates, None), Ok(expected.clone()));
            prop_assert_eq!(index.search(&predicates, Some("p")), Ok(expected));
        }
    }
}
