//! What proves the answer to a token by seals, for every store that keeps them.
//!
//! A store says what its [`State`] is: the providers that a token reaches with their seals and with sealed
//! rows that are gone, and the rows that ranges find. What of it goes into a [`Proof`] is the same for all.
//! [`kept`] has it for stores whose answers come in parts.
//!
//! # Cost
//!
//! A range is answered by two slots of each table; its lists cost what they hold, and a look at every sealed
//! row that is gone.

pub mod kept;
pub mod lists;
mod next;
mod trees;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

pub use self::next::{check_next, check_rows, sum_of};
pub use self::trees::{Placed, Trees};
use crate::cloud::Error;
use crate::message::place::Node;
use crate::message::query::{Predicate, Selection, Token};
use crate::message::seal::{Sealed, tree_of};
use crate::message::sums::{Evidence, Gone, Listed, OfRange, OfToken, Proof, Row, Slots, Wanted};
use crate::wire::length;

/// A sealed row that is gone.
#[derive(Debug)]
pub struct GoneRow {
    /// The row.
    pub row: Row,
    /// The ciphertext that each of its fields had.
    pub entries: Vec<(String, i64)>,
    /// What shows that its provider removed or replaced it.
    pub by: Arc<Evidence>,
    /// Where in that its version stands.
    pub at: u64,
}

/// A seal that counts.
#[derive(Debug, Clone, Copy)]
pub struct Stated<'a> {
    /// The seal.
    pub sealed: &'a Arc<Sealed>,
    /// Which change of the owner's records it was.
    pub change: u64,
    /// Its entries in trees, once they are asked for.
    pub trees: &'a Trees,
}

/// What is known of a provider that a token reaches.
#[derive(Debug)]
pub struct Known<'a> {
    /// Its name in its group.
    pub name: &'a str,
    /// Its last seal, if it has one.
    pub stated: Option<Stated<'a>>,
    /// The seal that it had when all of it was removed: the next one follows it.
    pub before: Option<&'a Sealed>,
    /// Sealed rows that are gone.
    pub gone: Vec<&'a GoneRow>,
}

/// The rows of a group that a token finds, in one state.
pub trait State {
    /// Why it cannot be read.
    type Error: From<Error>;

    /// The providers that the token reaches, by name.
    fn known(&self) -> &[Known<'_>];

    /// The rows that it finds, if they are to be named; adds those of their uploads that are not sealed.
    fn hits(&self, is_named: bool, unsealed: &mut Vec<u128>) -> Vec<Listed>;

    /// The rows that one range of the token finds and the token does not; adds their uploads as
    /// [`hits`](Self::hits) does.
    fn dropped(&self, predicate: &Predicate, unsealed: &mut Vec<u128>) -> Vec<Listed>;

    /// Upload and handle of the rows that the token finds, ascending.
    fn answered(&self) -> Vec<(u128, u128)>;

    /// The entries of a field that a provider sealed, in any order.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    fn entries(&self, of: &Known<'_>, field: &str) -> Result<Vec<Placed>, Self::Error>;

    /// The differences of two slots of a field, summed over all tables of a length.
    fn sums(&self, field: &str, slots: [u32; 2]) -> Vec<(u32, u128)> {
        summed(self.known(), field, slots)
    }
}

/// The differences of two slots of a field, summed over those tables of providers that have one length.
#[must_use]
pub fn summed(known: &[Known<'_>], field: &str, slots: [u32; 2]) -> Vec<(u32, u128)> {
    let mut sums: BTreeMap<u32, u128> = BTreeMap::new();
    for stated in known.iter().filter_map(|known| known.stated) {
        let Some(table) = stated.sealed.slots(field) else { continue };
        if let Some(of_table) = difference(table, slots) {
            let length = u32::try_from(table.len()).unwrap_or(u32::MAX); // no seal has more
            let sum = sums.entry(length).or_default();
            *sum = sum.wrapping_add(of_table);
        }
    }
    sums.into_iter().collect()
}

/// The difference of two slots of a table, if it has them.
#[must_use]
pub fn difference(table: &[u128], slots: [u32; 2]) -> Option<u128> {
    let [low, high] = slots.map(|slot| table.get(length(slot.into())));
    Some(high?.wrapping_sub(*low?))
}

/// What several tokens' proofs have in common.
#[derive(Debug)]
pub struct Shelf {
    wanted: Wanted,
    heads: Vec<Vec<u8>>,
    evidence: Vec<Arc<Evidence>>,
    /// Where each piece of evidence is, by its address.
    known: HashMap<*const Evidence, u32>,
    removals: Vec<Arc<Vec<u8>>>,
}

impl Shelf {
    /// An empty one.
    #[must_use]
    pub fn new(wanted: Wanted) -> Self {
        Self {
            wanted,
            heads: Vec::new(),
            evidence: Vec::new(),
            known: HashMap::new(),
            removals: Vec::new(),
        }
    }

    /// Adds those signed removals, by the path of the provider, that tell why one which a token reaches has
    /// no seal.
    pub fn add_removals<'a>(
        &mut self,
        token: &Token,
        removals: impl Iterator<Item = (&'a String, &'a Arc<Vec<u8>>)>,
        is_sealed: impl Fn(&str) -> bool,
    ) {
        let above = token.group.authority.path();
        for (path, removal) in removals {
            let (of, name) = path.rsplit_once('/').unwrap_or(("", path));
            let is_meant = of == above && token.is_of(name) && !is_sealed(name);
            if is_meant && !self.removals.iter().any(|other| Arc::ptr_eq(other, removal)) {
                self.removals.push(Arc::clone(removal));
            }
        }
    }

    /// The number of a piece of evidence, which is put on the shelf once.
    fn number(&mut self, evidence: &Arc<Evidence>) -> u32 {
        let next = u32::try_from(self.evidence.len()).unwrap_or(u32::MAX);
        *self.known.entry(Arc::as_ptr(evidence)).or_insert_with(|| {
            self.evidence.push(Arc::clone(evidence));
            next
        })
    }

    /// What is on it, and what each token's proof is.
    #[must_use]
    pub fn into_proof(self, snapshot: u64, tokens: Vec<OfToken>) -> Proof {
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

/// The name of a provider in its group.
#[must_use]
pub fn name_of(node: &Node) -> &str {
    node.names().last().map_or("", String::as_str)
}

/// What proves the answer to a token; of a count, with the rows that were counted.
///
/// # Errors
///
/// If the store cannot be read.
pub fn prove<S: State>(
    state: &S,
    token: &Token,
    shelf: &mut Shelf,
    is_count: bool,
) -> Result<OfToken, S::Error> {
    let known = state.known();
    for Stated { sealed, change, .. } in known.iter().filter_map(|known| known.stated) {
        if shelf.wanted.since.is_none_or(|since| change > since) {
            shelf.heads.push(sealed.head.clone());
        }
    }
    let (mut of, mut unsealed) = (OfToken::default(), Vec::new());
    match &token.selection {
        Selection::Ranges(predicates) => {
            of.hits = state.hits(is_count, &mut unsealed);
            let by_signatures = shelf.wanted.by_signatures;
            let answered = if by_signatures { state.answered() } else { Vec::new() };
            for predicate in predicates {
                if by_signatures {
                    let stretches = trees::stretches(state, predicate, &answered, shelf)?;
                    of.ranges.push(OfRange { stretches, ..OfRange::default() });
                    continue;
                }
                let dropped = match predicates.len() {
                    1 => Vec::new(),
                    _ => state.dropped(predicate, &mut unsealed),
                };
                let slots = predicate.slots.unwrap_or_default();
                let sums = state.sums(&predicate.field, slots);
                let gone = gone(known, Some(predicate), shelf);
                let slots = match shelf.wanted.in_detail {
                    true => known.iter().filter_map(|of| slots_of(of, predicate, slots)).collect(),
                    false => Vec::new(),
                };
                of.ranges.push(OfRange { sums, dropped, gone, slots, stretches: Vec::new() });
            }
        }
        Selection::All => {
            // Whoever goes on after a removal must know the seal that the next one follows.
            let before = known.iter().filter_map(|of| of.before);
            shelf.heads.extend(before.map(|sealed| sealed.head.clone()));
            of.hits = state.hits(is_count, &mut unsealed);
            let gone = gone(known, None, shelf);
            of.ranges.push(OfRange { gone, ..OfRange::default() });
        }
        Selection::Records(_) => {}
    }
    unsealed.sort_unstable();
    unsealed.dedup();
    of.unsealed = unsealed;
    Ok(of)
}

/// Sealed rows that are gone, of a range or of all.
fn gone(known: &[Known<'_>], predicate: Option<&Predicate>, shelf: &mut Shelf) -> Vec<Gone> {
    let mut found = Vec::new();
    for of in known {
        let mut all = of.gone.clone();
        all.sort_unstable_by_key(|gone| &gone.row);
        for gone in all {
            let is_in = predicate.is_none_or(|of| {
                let range = of.low..=of.high;
                gone.entries.iter().any(|(field, at)| *field == of.field && range.contains(at))
            });
            if is_in {
                let by = shelf.number(&gone.by);
                found.push(Gone { provider: of.name.to_owned(), row: gone.row, by, at: gone.at });
            }
        }
    }
    found
}

/// The two slots of a provider's table, with their paths.
fn slots_of(known: &Known<'_>, predicate: &Predicate, slots: [u32; 2]) -> Option<Slots> {
    let table = known.stated?.sealed.slots(&predicate.field)?;
    let tree = tree_of(table);
    let [low, high] = slots.map(|slot| length(slot.into()));
    let values = [*table.get(low)?, *table.get(high)?];
    let paths = [tree.path(low..low + 1), tree.path(high..high + 1)];
    Some(Slots { provider: known.name.to_owned(), values, paths })
}
