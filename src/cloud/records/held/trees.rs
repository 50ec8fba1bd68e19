//! The sorted entries that providers sealed, in trees, for whoever trusts their signatures.
//!
//! # Cost
//!
//! The entries of a provider and field are sorted and hashed when they are first asked for, and kept
//! until its next seal: some 100 bytes each.

use std::collections::HashMap;
use std::sync::Arc;

use super::seals::{GoneRow, Shelf};
use super::{Held, Own};
use crate::lock::{Forked, Lock};
use crate::message::neighbours::{self, Entry, Neighbour, Stretch};
use crate::message::query::{Predicate, Token};
use crate::message::seal::entry_leaf;
use crate::message::sums::Row;
use crate::message::tree::{Hash, Tree};
use crate::pool;

/// Entries that one thread hashes one after the other.
const ENTRIES: usize = 1 << 10;

/// The entries of a field that a provider sealed, in order: ciphertext, handle, and number of the row. What
/// became of that row since is told by the state that is looked at, for several states share this.
#[derive(Debug)]
pub(super) struct Sorted {
    entries: Vec<(i64, u128, u64)>,
    tree: Tree,
}

/// The sealed rows of a provider that are gone, by number.
type ByNumber<'a> = HashMap<u64, &'a GoneRow>;

/// Those of each field that was asked for.
#[derive(Debug, Default)]
pub(super) struct Trees(Lock<HashMap<String, Arc<Sorted>>>);

impl Held {
    /// The entries of a range, with their neighbours, at each provider that a token reaches.
    pub(super) fn stretches(
        &self,
        token: &Token,
        predicate: &Predicate,
        hits: &[u64],
        shelf: &mut Shelf,
    ) -> Result<Vec<Stretch>, Forked> {
        let mut found = Vec::new();
        for own in self.reached(token) {
            let Some(stated) = &own.stated else { continue };
            let gone: ByNumber<'_> = own.gone.iter().map(|gone| (gone.number, &**gone)).collect();
            let sorted =
                self.sorted((own, &gone), &stated.trees, &predicate.field, stated.until)?;
            let before = sorted.entries.partition_point(|(at, ..)| *at < predicate.low);
            let after =
                sorted.entries.partition_point(|(at, ..)| *at <= predicate.high).max(before);
            let shown = &sorted.entries[before..after];
            let entry = |&(ciphertext, handle, row): &(i64, u128, u64)| {
                let held = self.held_of(&gone, row, hits, shelf);
                Entry { ciphertext, handle, held }
            };
            let entries = shown.iter().map(entry).collect();
            let neighbour = |at: usize| {
                let &(ciphertext, handle, row) = sorted.entries.get(at)?;
                let row = self.row_of(&gone, row, handle);
                Some(Neighbour { ciphertext, row })
            };
            let left = before.checked_sub(1).and_then(neighbour);
            let right = neighbour(after);
            let first = before - usize::from(left.is_some());
            let last = after + usize::from(right.is_some());
            let path = if first == last { Vec::new() } else { sorted.tree.path(first..last) };
            let provider = own.node.names().last().cloned().unwrap_or_default();
            let start = before as u64;
            found.push(Stretch { provider, start, left, entries, right, path });
        }
        Ok(found)
    }

    fn held_of(
        &self,
        gone: &ByNumber<'_>,
        row: u64,
        hits: &[u64],
        shelf: &mut Shelf,
    ) -> neighbours::Held {
        if hits.binary_search(&row).is_ok() {
            return neighbours::Held::Answered;
        }
        match gone.get(&row) {
            None => {
                let Row { upload, digest, .. } = self.row_of(gone, row, 0);
                neighbours::Held::Dropped { upload, digest }
            }
            Some(gone) => {
                let Row { upload, digest, .. } = gone.row;
                let (by, at) = (shelf.number(&gone.by), gone.at);
                neighbours::Held::Gone { upload, digest, by, at }
            }
        }
    }

    fn row_of(&self, gone: &ByNumber<'_>, row: u64, handle: u128) -> Row {
        let kept = || self.kept(row).map(|(kept, at)| (kept.id, kept.digest(at)));
        match gone.get(&row) {
            Some(gone) => gone.row,
            None => {
                let (upload, digest) = kept().unwrap_or((0, [0; 32]));
                Row { upload, handle, digest }
            }
        }
    }

    /// The sealed entries of a provider in a field, in order.
    fn sorted(
        &self,
        (own, gone): (&Own, &ByNumber<'_>),
        trees: &Trees,
        field: &str,
        until: u64,
    ) -> Result<Arc<Sorted>, Forked> {
        if let Some(known) = trees.0.read()?.get(field) {
            return Ok(Arc::clone(known));
        }
        let made = Arc::new(self.make_sorted((own, gone), field, until));
        Ok(Arc::clone(trees.0.write()?.entry(field.to_owned()).or_insert(made)))
    }

    fn make_sorted(&self, (own, gone): (&Own, &ByNumber<'_>), field: &str, until: u64) -> Sorted {
        let (ciphertexts, rows) = own.index.merged(field, &self.dead);
        let mut entries: Vec<(i64, u128, u64)> = ciphertexts
            .into_iter()
            .zip(rows)
            .filter(|(_, row)| *row < until)
            .filter_map(|(at, row)| {
                let (kept, position) = self.kept(row)?;
                Some((at, kept.handles[position], row))
            })
            .collect();
        for of in gone.values() {
            let of_field = of.entries.iter().filter(|(name, _)| name == field);
            entries.extend(of_field.map(|(_, at)| (*at, of.row.handle, of.number)));
        }
        pool::sort(&mut entries);
        let leaves = pool::map_chunks(&entries, ENTRIES, |_, entries| {
            let leaf = |&(ciphertext, handle, row): &(i64, u128, u64)| -> Hash {
                let Row { upload, digest, .. } = self.row_of(gone, row, handle);
                entry_leaf(ciphertext, handle, upload, &digest)
            };
            entries.iter().map(leaf).collect::<Vec<_>>()
        });
        Sorted { entries, tree: Tree::new(leaves.concat()) }
    }
}
