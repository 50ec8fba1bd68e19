//! Seals of what is held, what of them is gone, and what proves an answer by them.
//!
//! Every row that came before its provider's seal is sealed, for the cloud takes a seal only if it is
//! of all rows that are there. A sealed row that is replaced or removed is kept as digests, with what
//! shows that its provider did that, until the next seal.
//!
//! # Cost
//!
//! A seal costs the digests of the rows that came or went since the one before, and its tables. A
//! range is answered by two slots; its lists cost what they hold, and a look at every sealed row that is
//! gone.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::trees::Trees;
use super::{Held, Own};
use crate::cloud::Error;
use crate::cloud::records::own;
use crate::lock::Forked;
use crate::message::place::Node;
use crate::message::query::{Predicate, Selection, Token};
use crate::message::seal::{Fingerprint, Sealed, tree_of};
use crate::message::sums::{Evidence, Gone, Listed, OfRange, OfToken, Proof, Row, Slots, Wanted};
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
    pub(super) until: u64,
    /// Which change of the owner's records it was.
    change: u64,
    /// Its entries in trees, once they are asked for.
    pub(super) trees: Arc<Trees>,
}

/// A sealed row that is gone.
#[derive(Debug)]
pub(super) struct GoneRow {
    /// Which row of the group it was.
    pub(super) number: u64,
    pub(super) row: Row,
    pub(super) entries: Vec<(String, i64)>,
    pub(super) by: Arc<Evidence>,
    pub(super) at: u64,
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

/// What several tokens' proofs have in common.
pub(in crate::cloud) struct Shelf {
    wanted: Wanted,
    heads: Vec<Vec<u8>>,
    evidence: Vec<Arc<Evidence>>,
    /// Where each piece of evidence is, by its address.
    known: HashMap<*const Evidence, u32>,
    removals: Vec<Arc<Vec<u8>>>,
}

impl Shelf {
    pub(in crate::cloud) fn new(wanted: Wanted) -> Self {
        Self {
            wanted,
            heads: Vec::new(),
            evidence: Vec::new(),
            known: HashMap::new(),
            removals: Vec::new(),
        }
    }

    /// Adds the signed removal of a provider.
    pub(in crate::cloud) fn add_removal(&mut self, removal: &Arc<Vec<u8>>) {
        if !self.removals.iter().any(|other| Arc::ptr_eq(other, removal)) {
            self.removals.push(Arc::clone(removal));
        }
    }

    /// The number of a piece of evidence, which is put on the shelf once.
    pub(super) fn number(&mut self, evidence: &Arc<Evidence>) -> u32 {
        let next = u32::try_from(self.evidence.len()).unwrap_or(u32::MAX);
        *self.known.entry(Arc::as_ptr(evidence)).or_insert_with(|| {
            self.evidence.push(Arc::clone(evidence));
            next
        })
    }

    pub(in crate::cloud) fn into_proof(self, snapshot: u64, tokens: Vec<OfToken>) -> Proof {
        let owned = |evidence: Arc<Evidence>| Arc::unwrap_or_clone(evidence);
        let removals = self.removals.iter().map(|of| of.to_vec()).collect();
        Proof {
            snapshot,
            heads: self.heads,
            evidence: self.evidence.into_iter().map(owned).collect(),
            removals,
            announcements: Vec::new(),
            tokens,
        }
    }
}

fn name_of(node: &Node) -> String {
    node.names().last().cloned().unwrap_or_default()
}

impl Held {
    /// Takes a seal; says whether it is the one that is there already.
    pub(in crate::cloud) fn seal(
        &mut self,
        sealed: Arc<Sealed>,
        change: u64,
    ) -> Result<bool, Error> {
        let provider = || sealed.seal.place.path();
        let number = self.own(&sealed.seal.place);
        let Some(own) = self.providers.get(number).map(Arc::clone) else { return Ok(true) };
        let stated = own.stated.as_ref().map(|stated| &stated.sealed);
        if stated.is_some_and(|known| known.digest == sealed.digest) {
            return Ok(true);
        }
        if let Some(known) = stated.or(own.before.as_ref()) {
            let (next, got) = (known.seal.number.checked_add(1), sealed.seal.number);
            // After a removal, what others have seen elsewhere may have come in between.
            let is_next =
                if stated.is_some() { next == Some(got) } else { got > known.seal.number };
            if !is_next {
                let expected = next.unwrap_or(u64::MAX);
                return Err(Error::SealNumber { provider: provider(), expected, got });
            }
            if stated.is_some() && sealed.seal.before != known.digest {
                let number = known.seal.number;
                return Err(Error::SealBefore { provider: provider(), number });
            }
        }
        let (stored, fingerprint) = self.stored(&own);
        if (stored, fingerprint) != (sealed.seal.rows, sealed.seal.fingerprint) {
            let got = sealed.seal.rows;
            return Err(Error::SealRows { provider: provider(), stored, got });
        }
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
        let gone = GoneRow { number: row, row: row_of, entries, by, at };
        if let Some(own) = self.providers.get_mut(number) {
            Arc::make_mut(own).gone.push(Arc::new(gone));
        }
    }

    /// What proves the answer to a token; of a count, with the rows that were counted.
    ///
    /// # Errors
    ///
    /// [`Forked`].
    pub(in crate::cloud) fn prove(
        &self,
        token: &Token,
        hits: Option<Vec<u64>>,
        shelf: &mut Shelf,
        is_count: bool,
    ) -> Result<OfToken, Forked> {
        let reached = self.owns(token);
        let hits = hits.unwrap_or_else(|| self.rows(token).0);
        for own in &reached {
            if let Some(stated) = &own.stated
                && shelf.wanted.since.is_none_or(|since| stated.change > since)
            {
                shelf.heads.push(stated.sealed.head.clone());
            }
        }
        let mut of = OfToken::default();
        let mut unsealed = Vec::new();
        match &token.selection {
            Selection::Ranges(predicates) => {
                of.hits = self.listed(&hits, is_count, &mut unsealed);
                for predicate in predicates {
                    if shelf.wanted.by_signatures {
                        let stretches = self.stretches(token, predicate, &hits, shelf)?;
                        of.ranges.push(OfRange { stretches, ..OfRange::default() });
                        continue;
                    }
                    of.ranges.push(self.prove_range(
                        token,
                        predicate,
                        (&hits, predicates.len()),
                        &reached,
                        shelf,
                        &mut unsealed,
                    ));
                }
            }
            Selection::All => {
                // Whoever goes on after a removal must know the seal that the next one follows.
                let before = reached.iter().filter_map(|own| own.before.as_ref());
                shelf.heads.extend(before.map(|sealed| sealed.head.clone()));
                of.hits = self.listed(&hits, is_count, &mut unsealed);
                let gone = gone(&reached, None, shelf);
                of.ranges.push(OfRange { gone, ..OfRange::default() });
            }
            Selection::Records(_) => {}
        }
        unsealed.sort_unstable();
        unsealed.dedup();
        Ok(OfToken { unsealed, ..of })
    }

    fn prove_range(
        &self,
        token: &Token,
        predicate: &Predicate,
        (hits, ranges): (&[u64], usize),
        reached: &[&Own],
        shelf: &mut Shelf,
        unsealed: &mut Vec<u128>,
    ) -> OfRange {
        let dropped = if ranges == 1 {
            Vec::new()
        } else {
            let index = self.index(own(token));
            let one = std::slice::from_ref(predicate);
            let mut rows = index.map_or_else(Vec::new, |index| index.search(one, &self.dead));
            rows.retain(|row| hits.binary_search(row).is_err());
            self.listed(&rows, true, unsealed)
        };
        let gone = gone(reached, Some(predicate), shelf);
        let slots = predicate.slots.unwrap_or_default();
        let mut range = OfRange { dropped, gone, ..OfRange::default() };
        let difference = |table: &[u128]| {
            let [low, high] = slots.map(|slot| table.get(crate::wire::length(slot.into())));
            Some(high?.wrapping_sub(*low?))
        };
        match own(token) {
            None => {
                let from = (predicate.field.clone(), 0);
                let of_field = self.sums.range(from..);
                for ((_, length), table) in
                    of_field.take_while(|((field, _), _)| *field == predicate.field)
                {
                    range.sums.extend(difference(table).map(|sum| (*length, sum)));
                }
            }
            Some(name) => {
                let stated = self.of(name).and_then(|own| own.stated.as_ref());
                if let Some(table) = stated.and_then(|of| of.sealed.slots(&predicate.field)) {
                    let length = u32::try_from(table.len()).unwrap_or(u32::MAX);
                    range.sums.extend(difference(table).map(|sum| (length, sum)));
                }
            }
        }
        if shelf.wanted.in_detail {
            range.slots =
                reached.iter().filter_map(|own| slots_of(own, predicate, slots)).collect();
        }
        range
    }

    /// Rows, ascending, as lists name them; and which of their uploads are not sealed. Without their
    /// digests, only the latter.
    fn listed(&self, rows: &[u64], is_named: bool, unsealed: &mut Vec<u128>) -> Vec<Listed> {
        if !is_named {
            self.add_unsealed(rows, unsealed);
            return Vec::new();
        }
        let (mut listed, mut left) = (Vec::new(), rows);
        for (kept, places) in self.by_upload(rows) {
            let (here, after) = left.split_at(places.len().min(left.len()));
            left = after;
            let stated = self.providers.get(kept.own).and_then(|own| own.stated.as_ref());
            let until = stated.map_or(u64::MAX, |stated| stated.until);
            if here.first().is_some_and(|&row| row >= until) {
                unsealed.push(kept.id);
            }
            let row = |number: usize| {
                let at = places[number];
                (kept.handles[at], kept.digest(at))
            };
            let rows = pool::map(places.len(), ROWS, row);
            let provider = name_of(&kept.provider);
            listed.push(Listed { provider, upload: kept.id, rows });
        }
        listed
    }

    /// Adds the uploads of rows, ascending, that are not sealed.
    fn add_unsealed(&self, rows: &[u64], unsealed: &mut Vec<u128>) {
        let mut rest = rows;
        while let Some(&row) = rest.first() {
            let Some(at) = self.entry_of(row) else { break };
            let end = self.entries.get(at + 1).map_or(self.rows, |next| next.first);
            rest = &rest[rest.partition_point(|&row| row < end)..];
            let Some(kept) = self.entries.get(at).and_then(|entry| entry.kept.as_ref()) else {
                continue;
            };
            let stated = self.providers.get(kept.own).and_then(|own| own.stated.as_ref());
            if stated.is_some_and(|stated| row >= stated.until) {
                unsealed.push(kept.id);
            }
        }
    }

    /// The providers that a token reaches, as they came.
    fn owns(&self, token: &Token) -> Vec<&Own> {
        match own(token) {
            Some(name) => self.of(name).into_iter().collect(),
            None => self.providers.iter().map(|own| &**own).collect(),
        }
    }
}

/// Sealed rows that are gone, of a range or of all.
fn gone(reached: &[&Own], predicate: Option<&Predicate>, shelf: &mut Shelf) -> Vec<Gone> {
    let mut found = Vec::new();
    for own in reached {
        for gone in own.gone.iter() {
            let is_in = predicate.is_none_or(|of| {
                let range = of.low..=of.high;
                gone.entries.iter().any(|(field, at)| *field == of.field && range.contains(at))
            });
            if is_in {
                let by = shelf.number(&gone.by);
                let provider = name_of(&own.node);
                found.push(Gone { provider, row: gone.row, by, at: gone.at });
            }
        }
    }
    found
}

/// The two slots of a provider's table, with their paths.
fn slots_of(own: &Own, predicate: &Predicate, slots: [u32; 2]) -> Option<Slots> {
    let table = own.stated.as_ref()?.sealed.slots(&predicate.field)?;
    let tree = tree_of(table);
    let [low, high] = slots.map(|slot| crate::wire::length(slot.into()));
    let values = [*table.get(low)?, *table.get(high)?];
    let paths = [tree.path(low..low + 1), tree.path(high..high + 1)];
    Some(Slots { provider: name_of(&own.node), values, paths })
}
