//! The sorted entries that providers sealed, in trees, for whoever trusts their signatures.
//!
//! # Cost
//!
//! The entries of a provider and field are sorted and hashed when they are first asked for, and kept
//! until its next seal: some 150 bytes each.

use std::collections::HashMap;
use std::sync::Arc;

use super::{GoneRow, Shelf, State};
use crate::cloud::Error;
use crate::lock::Lock;
use crate::message::neighbours::{Entry, Held, Neighbour, Stretch};
use crate::message::query::Predicate;
use crate::message::seal::entry_leaf;
use crate::message::sums::Row;
use crate::message::tree::{Hash, Tree};
use crate::pool;

/// Entries that one thread hashes one after the other.
const ENTRIES: usize = 1 << 10;

/// The entries of a field that a provider sealed, in order. What became of their rows since is told by the
/// state that is looked at, for several states share this.
#[derive(Debug)]
struct Sorted {
    entries: Vec<Placed>,
    tree: Tree,
}

/// An entry where it stands: ciphertext, handle, upload and digest of its row.
pub type Placed = (i64, u128, u128, Hash);

impl Sorted {
    fn new(mut entries: Vec<Placed>) -> Self {
        pool::sort(&mut entries);
        let leaves = pool::map_chunks(&entries, ENTRIES, |_, entries| {
            let leaf = |(ciphertext, handle, upload, digest): &Placed| {
                entry_leaf(*ciphertext, *handle, *upload, digest)
            };
            entries.iter().map(leaf).collect::<Vec<_>>()
        });
        Self { entries, tree: Tree::new(leaves.concat()) }
    }
}

/// Those of each field that was asked for.
#[derive(Debug, Default)]
pub struct Trees(Lock<HashMap<String, Arc<Sorted>>>);

impl Trees {
    fn get(&self, field: &str) -> Result<Option<Arc<Sorted>>, Error> {
        Ok(self.0.read()?.get(field).map(Arc::clone))
    }

    fn keep(&self, field: &str, made: Sorted) -> Result<Arc<Sorted>, Error> {
        let mut trees = self.0.write()?;
        Ok(Arc::clone(trees.entry(field.to_owned()).or_insert_with(|| Arc::new(made))))
    }
}

/// The entries of a range, with their neighbours, at each provider that a token reaches.
pub(super) fn stretches<S: State>(
    state: &S,
    predicate: &Predicate,
    answered: &[(u128, u128)],
    shelf: &mut Shelf,
) -> Result<Vec<Stretch>, S::Error> {
    let mut found = Vec::new();
    for known in state.known() {
        let Some(stated) = known.stated else { continue };
        let sorted = match stated.trees.get(&predicate.field)? {
            Some(sorted) => sorted,
            None => {
                let made = Sorted::new(state.entries(known, &predicate.field)?);
                let signed = stated.sealed.seal.entries_of(&predicate.field);
                if signed.is_some_and(|of| of.root != made.tree.root()) {
                    return Err(Error::Moved.into());
                }
                stated.trees.keep(&predicate.field, made)?
            }
        };
        let gone: HashMap<(u128, u128), &GoneRow> =
            known.gone.iter().map(|gone| ((gone.row.upload, gone.row.handle), *gone)).collect();
        let Sorted { entries, tree } = &*sorted;
        let before = entries.partition_point(|(at, ..)| *at < predicate.low);
        let after = entries.partition_point(|(at, ..)| *at <= predicate.high).max(before);
        let mut entry = |&(ciphertext, handle, upload, digest): &Placed| {
            let of = (upload, handle);
            let held = match gone.get(&of) {
                _ if answered.binary_search(&of).is_ok() => Held::Answered,
                None => Held::Dropped { upload, digest },
                Some(gone) => {
                    Held::Gone { upload, digest, by: shelf.number(&gone.by), at: gone.at }
                }
            };
            Entry { ciphertext, handle, held }
        };
        let shown = entries[before..after].iter().map(&mut entry).collect();
        let neighbour = |at: usize| {
            let &(ciphertext, handle, upload, digest) = entries.get(at)?;
            Some(Neighbour { ciphertext, row: Row { upload, handle, digest } })
        };
        let left = before.checked_sub(1).and_then(neighbour);
        let right = neighbour(after);
        let first = before - usize::from(left.is_some());
        let last = after + usize::from(right.is_some());
        let path = if first == last { Vec::new() } else { tree.path(first..last) };
        let (provider, start) = (known.name.to_owned(), before as u64);
        found.push(Stretch { provider, start, left, entries: shown, right, path });
    }
    Ok(found)
}
