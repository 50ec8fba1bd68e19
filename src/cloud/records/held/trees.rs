//! The sorted entries that providers sealed, in trees, for whoever trusts their signatures.
//!
//! # Cost
//!
//! The entries of a provider and field are sorted and hashed when they are first asked for, and kept until its next
//! seal: some 100 bytes each.

use std::collections::HashMap;
use std::sync::Arc;

use super::seals::Shelf;
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

/// Where an entry's row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Row(u64),
    Gone(usize),
}

/// The entries of a field that a provider sealed, in order.
#[derive(Debug)]
pub(super) struct Sorted {
    entries: Vec<(i64, u128, Place)>,
    tree: Tree,
}

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
            let sorted = self.sorted(own, &stated.trees, &predicate.field, stated.until)?;
            let before = sorted.entries.partition_point(|(at, ..)| *at < predicate.low);
            let after =
                sorted.entries.partition_point(|(at, ..)| *at <= predicate.high).max(before);
            let shown = &sorted.entries[before..after];
            let entry = |&(ciphertext, handle, place): &(i64, u128, Place)| {
                let held = self.held_of(own, place, hits, shelf);
                Entry { ciphertext, handle, held }
            };
            let entries = shown.iter().map(entry).collect();
            let neighbour = |at: usize| {
                let &(ciphertext, handle, place) = sorted.entries.get(at)?;
                let row = self.row_of(own, place, handle)?;
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
        own: &Own,
        place: Place,
        hits: &[u64],
        shelf: &mut Shelf,
    ) -> neighbours::Held {
        match place {
            Place::Row(row) if hits.binary_search(&row).is_ok() => neighbours::Held::Answered,
            Place::Row(row) => {
                // It may have gone since the tree was made.
                if let Some(at) = own.gone.iter().position(|gone| gone.number == row) {
                    return self.held_of(own, Place::Gone(at), hits, shelf);
                }
                let (upload, digest) =
                    self.kept(row).map_or((0, [0; 32]), |(kept, at)| (kept.id, kept.digest(at)));
                neighbours::Held::Dropped { upload, digest }
            }
            Place::Gone(at) => match own.gone.get(at) {
                None => neighbours::Held::Answered,
                Some(gone) => {
                    let Row { upload, digest, .. } = gone.row;
                    let (by, at) = (shelf.number(&gone.by), gone.at);
                    neighbours::Held::Gone { upload, digest, by, at }
                }
            },
        }
    }

    fn row_of(&self, own: &Own, place: Place, handle: u128) -> Option<Row> {
        match place {
            Place::Row(row) => match self.kept(row).filter(|_| !self.dead.has(row)) {
                Some((kept, at)) => Some(Row { upload: kept.id, handle, digest: kept.digest(at) }),
                None => own.gone.iter().find(|gone| gone.number == row).map(|gone| gone.row),
            },
            Place::Gone(at) => own.gone.get(at).map(|gone| gone.row),
        }
    }

    /// The sealed entries of a provider in a field, in order.
    fn sorted(
        &self,
        own: &Own,
        trees: &Trees,
        field: &str,
        until: u64,
    ) -> Result<Arc<Sorted>, Forked> {
        if let Some(known) = trees.0.read()?.get(field) {
            return Ok(Arc::clone(known));
        }
        let made = Arc::new(self.make_sorted(own, field, until));
        Ok(Arc::clone(trees.0.write()?.entry(field.to_owned()).or_insert(made)))
    }

    fn make_sorted(&self, own: &Own, field: &str, until: u64) -> Sorted {
        let (ciphertexts, rows) = own.index.merged(field, &self.dead);
        let mut entries: Vec<(i64, u128, Place)> = ciphertexts
            .into_iter()
            .zip(rows)
            .filter(|(_, row)| *row < until)
            .filter_map(|(at, row)| {
                let (kept, position) = self.kept(row)?;
                Some((at, kept.handles[position], Place::Row(row)))
            })
            .collect();
        for (number, gone) in own.gone.iter().enumerate() {
            let of_field = gone.entries.iter().filter(|(name, _)| name == field);
            entries.extend(of_field.map(|(_, at)| (*at, gone.row.handle, Place::Gone(number))));
        }
        pool::sort(&mut entries);
        let leaves = pool::map_chunks(&entries, ENTRIES, |_, entries| {
            let leaf = |&(ciphertext, handle, place): &(i64, u128, Place)| -> Hash {
                let row = self.row_of(own, place, handle);
                let Row { upload, digest, .. } =
                    row.unwrap_or(Row { upload: 0, handle, digest: [0; 32] });
                entry_leaf(ciphertext, handle, upload, &digest)
            };
            entries.iter().map(leaf).collect::<Vec<_>>()
        });
        Sorted { entries, tree: Tree::new(leaves.concat()) }
    }
}
