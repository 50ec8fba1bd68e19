//! Seals of what is held, what of them is gone, and what proves an answer by them.
//!
//! Every row that came before its provider's seal is sealed, for the cloud takes a seal only if it is
//! of all rows that are there. A sealed row that is replaced or removed is kept as digests, with what
//! shows that its provider did that, until the next seal.
//!
//! # Cost
//!
//! A seal costs the digests of the rows that came or went since the one before, and its tables.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::{Held, Own};
use crate::cloud::Error;
use crate::cloud::proofs::{
    self, GoneRow, Known, Placed, State, Trees, check_next, check_rows, difference, name_of,
};
use crate::message::query::{Predicate, Token};
use crate::message::seal::{Fingerprint, Sealed};
use crate::message::sums::{Evidence, Listed, Row};
use crate::message::upload::{Upload, Version};
use crate::pool;

/// Rows that are hashed one after the other.
const ROWS: usize = 1 << 10;

/// The tables of all providers, added up slot by slot; those of another length apart.
pub(super) type Sums = Arc<BTreeMap<(String, u32), Arc<Vec<u128>>>>;

/// A seal, and which rows are its own.
#[derive(Debug, Clone)]
pub(super) struct Stated {
    sealed: Arc<Sealed>,
    /// The first row that came after it.
    until: u64,
    /// Which change of the owner's records it was.
    change: u64,
    /// Its entries in trees, once they are asked for.
    trees: Arc<Trees>,
}

/// An upload that removes rows, and what shows that it does, once somebody needs that.
pub(in crate::cloud) struct Removing<'a> {
    upload: &'a Upload,
    message: &'a [u8],
    shown: Option<(Arc<Evidence>, HashMap<Version, u64>)>,
}

impl<'a> Removing<'a> {
    pub(in crate::cloud) fn new(upload: &'a Upload, message: &'a [u8]) -> Self {
        Self { upload, message, shown: None }
    }

    /// What shows that a version is removed, and where in that.
    fn evidence(&mut self, version: Version) -> (Arc<Evidence>, u64) {
        let (evidence, places) = self.shown.get_or_insert_with(|| {
            let (evidence, places) = Evidence::of(self.upload, self.message);
            (Arc::new(evidence), places)
        });
        (Arc::clone(evidence), places.get(&version).copied().unwrap_or(u64::MAX))
    }
}

impl Held {
    /// Takes a seal; says whether it is the one that is there already.
    pub(in crate::cloud) fn seal(
        &mut self,
        sealed: Arc<Sealed>,
        change: u64,
    ) -> Result<bool, Error> {
        let number = self.own(&sealed.seal.place);
        let Some(own) = self.providers.get(number).map(Arc::clone) else { return Ok(true) };
        let stated = own.stated.as_ref().map(|stated| &*stated.sealed);
        if stated.is_some_and(|known| known.digest == sealed.digest) {
            return Ok(true);
        }
        check_next(&sealed, stated, own.before.as_deref())?;
        let (stored, fingerprint) = self.stored(&own);
        check_rows(&sealed, stored, fingerprint)?;
        self.unseal(number);
        self.add_tables(&sealed, u128::wrapping_add);
        if let Some(own) = self.providers.get_mut(number) {
            let stated = Stated { sealed, until: self.rows, change, trees: Arc::default() };
            let own = Arc::make_mut(own);
            (own.stated, own.before) = (Some(stated), None);
        }
        Ok(false)
    }

    /// How many rows of a provider are there, and the sum of their digests.
    fn stored(&self, own: &Own) -> (u64, Fingerprint) {
        let (mut rows, mut fingerprint, until) = match &own.stated {
            Some(Stated { sealed, until, .. }) => {
                (sealed.seal.rows, sealed.seal.fingerprint, *until)
            }
            None => (0, Fingerprint::default(), 0),
        };
        for gone in own.gone.iter() {
            let Row { upload, handle, digest } = &gone.row;
            fingerprint = fingerprint.without(Fingerprint::of(*upload, *handle, digest));
            rows -= 1;
        }
        let since = own
            .uploads
            .partition_point(|&at| self.entries.get(at).is_some_and(|entry| entry.first < until));
        for at in (since..own.uploads.len()).filter_map(|at| own.uploads.get(at)) {
            let Some(entry) = self.entries.get(*at) else { continue };
            let Some(kept) = &entry.kept else { continue };
            let live: Vec<usize> = self.live_rows(entry, kept).collect();
            let sums = pool::map_chunks(&live, ROWS, |_, rows| {
                let of =
                    |&row: &usize| Fingerprint::of(kept.id, kept.handles[row], &kept.digest(row));
                rows.iter().map(of).fold(Fingerprint::default(), Fingerprint::with)
            });
            fingerprint = sums.into_iter().fold(fingerprint, Fingerprint::with);
            rows += live.len() as u64;
        }
        (rows, fingerprint)
    }

    /// Adds the tables of a seal to the sums, or takes them away.
    fn add_tables(&mut self, sealed: &Sealed, with: fn(u128, u128) -> u128) {
        let sums = Arc::make_mut(&mut self.sums);
        for (table, slots) in sealed.seal.tables.iter().zip(&sealed.tables) {
            let of = (table.field.clone(), table.slots);
            let sum = sums.entry(of).or_insert_with(|| Arc::new(vec![0; slots.len()]));
            for (sum, &slot) in Arc::make_mut(sum).iter_mut().zip(slots) {
                *sum = with(*sum, slot);
            }
        }
    }

    /// Whether a provider has a seal.
    pub(in crate::cloud) fn is_sealed(&self, name: &str) -> bool {
        self.of(name).is_some_and(|own| own.stated.is_some())
    }

    /// Forgets the seal of a provider, and returns it.
    pub(super) fn unseal(&mut self, number: usize) -> Option<Arc<Sealed>> {
        let own = Arc::make_mut(self.providers.get_mut(number)?);
        own.gone = super::Chunks::default();
        let stated = own.stated.take()?;
        self.add_tables(&stated.sealed, u128::wrapping_sub);
        let is_used = |field: &str, slots: u32| {
            self.providers.iter().any(|own| {
                let table = own.stated.as_ref().and_then(|of| of.sealed.seal.table(field));
                table.is_some_and(|table| table.slots == slots)
            })
        };
        let tables = stated.sealed.seal.tables.iter();
        let unused: Vec<_> = tables
            .filter(|table| !is_used(&table.field, table.slots))
            .map(|table| (table.field.clone(), table.slots))
            .collect();
        let sums = Arc::make_mut(&mut self.sums);
        unused.iter().for_each(|of| drop(sums.remove(of)));
        Some(stated.sealed)
    }

    /// Notes that a row is about to go, if it is sealed.
    pub(super) fn note_gone(&mut self, row: u64, by: &mut Removing<'_>) {
        let Some((kept, at)) = self.kept(row) else { return };
        let (number, is_removal) = (kept.own, kept.is_removal);
        let Some(own) = self.providers.get(number) else { return };
        let is_sealed = own.stated.as_ref().is_some_and(|stated| row < stated.until);
        if !is_sealed || is_removal {
            return;
        }
        let (upload, handle, digest) = (kept.id, kept.handles[at], kept.digest(at));
        let entries = own.index.entries_of(row);
        let (by, at) = by.evidence(Version::new(upload, handle, &digest));
        let row_of = Row { upload, handle, digest };
        let gone = GoneRow { row: row_of, entries, by, at };
        if let Some(own) = self.providers.get_mut(number) {
            Arc::make_mut(own).gone.push(Arc::new(gone));
        }
    }
}

/// The rows that a token finds of a group.
pub(in crate::cloud) struct Found<'a> {
    held: &'a Held,
    token: &'a Token,
    /// Ascending.
    hits: Vec<u64>,
    known: Vec<Known<'a>>,
}

impl<'a> Found<'a> {
    /// Of these rows, if they are known.
    pub(in crate::cloud) fn new(held: &'a Held, token: &'a Token, hits: Option<Vec<u64>>) -> Self {
        let known = held.reached(token).into_iter().map(|own| Known {
            name: name_of(&own.node),
            stated: own.stated.as_ref().map(|Stated { sealed, change, trees, .. }| {
                proofs::Stated { sealed, change: *change, trees }
            }),
            before: own.before.as_deref(),
            gone: own.gone.iter().map(|gone| &**gone).collect(),
        });
        let known = known.collect();
        Self { held, token, hits: hits.unwrap_or_else(|| held.rows(token).0), known }
    }

    /// Rows, ascending, as lists name them; and which of their uploads are not sealed.
    fn listed(&self, rows: &[u64], unsealed: &mut Vec<u128>) -> Vec<Listed> {
        let (mut listed, mut left) = (Vec::new(), rows);
        for (kept, places) in self.held.by_upload(rows) {
            let (here, after) = left.split_at(places.len().min(left.len()));
            left = after;
            if here.first().is_some_and(|&row| row >= self.held.until(kept.own)) {
                unsealed.push(kept.id);
            }
            let row = |number: usize| {
                let at = places[number];
                (kept.handles[at], kept.digest(at))
            };
            let rows = pool::map(places.len(), ROWS, row);
            let provider = name_of(&kept.provider).to_owned();
            listed.push(Listed { provider, upload: kept.id, rows });
        }
        listed
    }
}

impl Held {
    /// The first row of the group that came after the seal of a provider.
    fn until(&self, own: usize) -> u64 {
        let stated = self.providers.get(own).and_then(|own| own.stated.as_ref());
        stated.map_or(u64::MAX, |stated| stated.until)
    }

    /// Adds the uploads of rows, ascending, that are not sealed.
    fn add_unsealed(&self, rows: &[u64], unsealed: &mut Vec<u128>) {
        let mut rest = rows;
        while let Some(&row) = rest.first() {
            let Some(at) = self.entry_of(row) else { break };
            let end = self.entries.get(at + 1).map_or(self.rows, |next| next.first);
            rest = &rest[rest.partition_point(|&row| row < end)..];
            let kept = self.entries.get(at).and_then(|entry| entry.kept.as_ref());
            if let Some(kept) = kept.filter(|kept| row >= self.until(kept.own)) {
                unsealed.push(kept.id);
            }
        }
    }
}

impl State for Found<'_> {
    type Error = Error;

    fn known(&self) -> &[Known<'_>] {
        &self.known
    }

    fn hits(&self, is_named: bool, unsealed: &mut Vec<u128>) -> Vec<Listed> {
        if is_named {
            return self.listed(&self.hits, unsealed);
        }
        self.held.add_unsealed(&self.hits, unsealed);
        Vec::new()
    }

    fn dropped(&self, predicate: &Predicate, unsealed: &mut Vec<u128>) -> Vec<Listed> {
        let index = self.held.index(self.token.own());
        let one = std::slice::from_ref(predicate);
        let mut rows = index.map_or_else(Vec::new, |index| index.search(one, &self.held.dead));
        rows.retain(|row| self.hits.binary_search(row).is_err());
        self.listed(&rows, unsealed)
    }

    fn answered(&self) -> Vec<(u128, u128)> {
        let of_upload = self.held.by_upload(&self.hits).into_iter();
        let mut rows: Vec<(u128, u128)> = of_upload
            .flat_map(|(kept, places)| {
                places.into_iter().map(|at| (kept.id, kept.handles[at])).collect::<Vec<_>>()
            })
            .collect();
        pool::sort(&mut rows);
        rows
    }

    fn entries(&self, of: &Known<'_>, field: &str) -> Result<Vec<Placed>, Error> {
        let Some(own) = self.held.of(of.name) else { return Ok(Vec::new()) };
        let until = own.stated.as_ref().map_or(0, |stated| stated.until);
        let (ciphertexts, rows) = own.index.merged(field, &self.held.dead);
        let entries: Vec<(i64, u64)> = ciphertexts.into_iter().zip(rows).collect();
        let mut placed = pool::map_chunks(&entries, ROWS, |_, entries| {
            let live = entries.iter().filter(|(_, row)| *row < until);
            let place = |&(ciphertext, row): &(i64, u64)| {
                let (kept, at) = self.held.kept(row)?;
                Some((ciphertext, kept.handles[at], kept.id, kept.digest(at)))
            };
            live.filter_map(place).collect::<Vec<Placed>>()
        })
        .concat();
        for GoneRow { row, entries, .. } in &of.gone {
            let of_field = entries.iter().filter(|(name, _)| name == field);
            placed.extend(of_field.map(|(_, at)| (*at, row.handle, row.upload, row.digest)));
        }
        Ok(placed)
    }

    fn sums(&self, field: &str, slots: [u32; 2]) -> Vec<(u32, u128)> {
        match self.token.own() {
            None => {
                let tables = self.held.sums.range((field.to_owned(), 0)..);
                let of_field = tables.take_while(|((name, _), _)| name == field);
                of_field
                    .filter_map(|((_, length), table)| Some((*length, difference(table, slots)?)))
                    .collect()
            }
            Some(_) => proofs::summed(&self.known, field, slots),
        }
    }
}
