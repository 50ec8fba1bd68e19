//! Seals that a store keeps as bytes, and what proves answers that come in parts.
//!
//! Such a store says of a state which seals count there, which rows that they are of are gone, and which
//! uploads came after them. What is made of a seal's bytes is kept here until the next one.
//!
//! # Cost
//!
//! A seal is read and verified once. An answer to a conjunction comes with all records that a range of it
//! alone finds, and a count with all records, since their digests are of what is sealed.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::lists::Catalogue;
use super::{GoneRow, Known, Placed, Shelf, State, Stated, Trees, name_of, prove};
use crate::cloud::Error;
use crate::lock::{Forked, Lock};
use crate::message::answer::Part;
use crate::message::attachment::StoredFile;
use crate::message::certificate::Owner;
use crate::message::place::{Group, Node};
use crate::message::query::{Predicate, Query, Selection, Token};
use crate::message::seal::Sealed;
use crate::message::sums::{Listed, Proof, Wanted};
use crate::message::upload::{Upload, digest_of_row};
use crate::pool;

/// Rows that one thread hashes one after the other.
const ROWS: usize = 1 << 10;

/// A seal, and what was made of it.
#[derive(Debug)]
pub struct KeptSeal {
    sealed: Arc<Sealed>,
    trees: Trees,
    catalogue: Lock<Option<Arc<Catalogue>>>,
}

impl KeptSeal {
    /// The seal.
    #[must_use]
    pub fn sealed(&self) -> &Arc<Sealed> {
        &self.sealed
    }

    /// What it states of files; these are they, if that is not known.
    ///
    /// # Errors
    ///
    /// Those of the files, [`Error::Moved`] if they are others.
    pub fn catalogue<E: From<Error>>(
        &self,
        files: impl FnOnce() -> Result<Vec<StoredFile>, E>,
    ) -> Result<Arc<Catalogue>, E> {
        if let Some(known) = &*self.catalogue.read().map_err(Error::from)? {
            return Ok(Arc::clone(known));
        }
        let files = files()?.iter().map(StoredFile::filed).collect();
        let made = Catalogue::new(&self.sealed, files).map_err(|_| Error::Moved)?;
        let made = Arc::new(made);
        *self.catalogue.write().map_err(Error::from)? = Some(Arc::clone(&made));
        Ok(made)
    }
}

/// The seals that were read of a store: the last one of each place.
#[derive(Debug, Default)]
pub struct Seals(Lock<ByDigest>);

#[derive(Debug, Default)]
struct ByDigest {
    seals: HashMap<[u8; 32], Arc<KeptSeal>>,
    last: HashMap<(Owner, Node), [u8; 32]>,
}

impl Seals {
    /// The digests of an owner's seals that were read.
    ///
    /// # Errors
    ///
    /// [`Forked`].
    pub fn known(&self, owner: &Owner) -> Result<Vec<[u8; 32]>, Forked> {
        let known = self.0.read()?;
        let of_owner = known.last.iter().filter(|((of, _), _)| of == owner);
        Ok(of_owner.map(|(_, digest)| *digest).collect())
    }

    /// The seal with a digest; of its bytes, if it was not read before.
    ///
    /// # Errors
    ///
    /// [`Error::Moved`] if neither is there, those of [`Sealed::decode`].
    pub fn get(&self, digest: &[u8; 32], message: &[u8]) -> Result<Arc<KeptSeal>, Error> {
        if let Some(known) = self.0.read()?.seals.get(digest) {
            return Ok(Arc::clone(known));
        }
        if message.is_empty() {
            return Err(Error::Moved);
        }
        let sealed = Arc::new(Sealed::decode(message)?);
        let of = (sealed.seal.owner, sealed.seal.place.clone());
        let (trees, catalogue) = (Trees::default(), Lock::default());
        let kept = Arc::new(KeptSeal { sealed, trees, catalogue });
        let mut known = self.0.write()?;
        if let Some(before) = known.last.insert(of, *digest) {
            known.seals.remove(&before);
        }
        known.seals.insert(*digest, Arc::clone(&kept));
        Ok(kept)
    }
}

/// What was sealed at a place, in one state.
#[derive(Debug)]
pub struct Sealing {
    /// The place.
    pub place: Node,
    /// Its last seal, and which change of the owner's records that was.
    pub stated: Option<(Arc<KeptSeal>, u64)>,
    /// The seal that it had when all was removed.
    pub before: Option<Arc<KeptSeal>>,
    /// Uploads that came after its seal, of those that brought rows of the answer.
    pub late: HashSet<u128>,
    /// Sealed rows that are gone.
    pub gone: Vec<GoneRow>,
}

/// The rows that answer a query, and what proves them, all of one state.
#[derive(Debug, Default)]
pub struct Answered {
    /// The parts of the answer.
    pub parts: Vec<Part>,
    /// Those of the ranges that [`asked`] added.
    pub further: Vec<Part>,
    /// The number of the state.
    pub snapshot: u64,
    /// What was sealed at the places that the query reaches.
    pub sealings: Vec<Sealing>,
    /// The last signed removal of each provider that the query may reach, by path.
    pub removals: Vec<(String, Arc<Vec<u8>>)>,
    /// Whether it was [asked] so that it can be proven.
    pub is_proven: bool,
}

/// What a store is asked so that the answer to a query can be proven: that query, and of each conjunction
/// every range by itself, one token after the other.
#[must_use]
pub fn asked(query: &Query, wanted: Wanted) -> Query {
    let mut asked = query.clone();
    let mut ids: HashSet<u128> = query.tokens.iter().map(|token| token.id).collect();
    let mut next = 0_u128;
    for (token, predicates) in conjunctions(query, wanted) {
        for predicate in predicates {
            while !ids.insert(next) {
                next += 1;
            }
            let selection = Selection::Ranges(vec![predicate.clone()]);
            asked.tokens.push(Token { id: next, selection, ..token.clone() });
        }
    }
    asked
}

/// The entries of a field that rows have which are there.
#[must_use]
pub fn entries_of(upload: &Upload, field: &str) -> Vec<Placed> {
    let Some(run) = upload.runs.iter().find(|run| run.field == field) else { return Vec::new() };
    pool::map(run.ciphertexts.len(), ROWS, |at| {
        let row = run.records[at] as usize;
        (run.ciphertexts[at], upload.handles[row], upload.id, digest_of_row(&upload.portions, row))
    })
}

/// The tokens of which each range is asked for by itself.
fn conjunctions(query: &Query, wanted: Wanted) -> impl Iterator<Item = (&Token, &[Predicate])> {
    query.tokens.iter().filter_map(move |token| match &token.selection {
        Selection::Ranges(of) if of.len() > 1 && !wanted.by_signatures => Some((token, &of[..])),
        _ => None,
    })
}

impl Answered {
    /// What proves the answer to a query, [asked] for that; of a count, with the rows that were
    /// counted.
    ///
    /// # Errors
    ///
    /// Those of the entries that a provider sealed of a field, which `entries` returns, and
    /// [`Error::Moved`] if they are others.
    pub fn prove<E: From<Error>>(
        &self,
        query: &Query,
        asked: &Query,
        (wanted, is_count): (Wanted, bool),
        entries: impl Fn(&Node, &str) -> Result<Vec<Placed>, E>,
    ) -> Result<Proof, E> {
        let mut shelf = Shelf::new(wanted);
        let mut further = asked.tokens.iter().skip(query.tokens.len());
        let mut tokens = Vec::with_capacity(query.tokens.len());
        for token in &query.tokens {
            let ranges = match &token.selection {
                Selection::Ranges(ranges) if ranges.len() > 1 && !wanted.by_signatures => {
                    further.by_ref().take(ranges.len()).map(|token| token.id).collect()
                }
                _ => Vec::new(),
            };
            let mut sealings: Vec<&Sealing> =
                self.sealings.iter().filter(|sealing| sealing.is_reached(token)).collect();
            sealings.sort_by_key(|sealing| name_of(&sealing.place));
            let is_sealed = |name: &str| {
                let mut of_group = self.sealings.iter();
                of_group.any(|of| of.is_in(&token.group, name) && of.stated.is_some())
            };
            let removals = self.removals.iter().map(|(path, removal)| (path, removal));
            shelf.add_removals(token, removals, is_sealed);
            let known = sealings.iter().map(|sealing| sealing.known()).collect();
            let found = Found { all: self, token, ranges, known, sealings, entries: &entries };
            tokens.push(prove(&found, token, &mut shelf, is_count)?);
        }
        Ok(shelf.into_proof(self.snapshot, tokens))
    }

    /// The answer to a query that was [asked] for its proof.
    #[must_use]
    pub fn new(
        query: &Query,
        parts: Vec<Part>,
        snapshot: u64,
        sealings: Vec<Sealing>,
        mut removals: Vec<(String, Arc<Vec<u8>>)>,
    ) -> Self {
        let ids: HashSet<u128> = query.tokens.iter().map(|token| token.id).collect();
        let (parts, further) = parts.into_iter().partition(|part| ids.contains(&part.token));
        removals.sort_by(|(one, _), (other, _)| one.cmp(other));
        Self { parts, further, snapshot, sealings, removals, is_proven: true }
    }
}

impl Sealing {
    fn is_in(&self, group: &Group, name: &str) -> bool {
        name_of(&self.place) == name && Group::of(&self.place).as_ref() == Some(group)
    }

    fn is_reached(&self, token: &Token) -> bool {
        let name = name_of(&self.place);
        token.is_of(name) && self.is_in(&token.group, name)
    }

    fn known(&self) -> Known<'_> {
        Known {
            name: name_of(&self.place),
            stated: self.stated.as_ref().map(|(kept, change)| {
                let KeptSeal { sealed, trees, .. } = &**kept;
                Stated { sealed, change: *change, trees }
            }),
            before: self.before.as_ref().map(|kept| &**kept.sealed()),
            gone: self.gone.iter().collect(),
        }
    }
}

/// The rows that a token finds, in parts.
struct Found<'a, F> {
    all: &'a Answered,
    token: &'a Token,
    /// The tokens of its ranges, if these are asked for by themselves.
    ranges: Vec<u128>,
    known: Vec<Known<'a>>,
    sealings: Vec<&'a Sealing>,
    entries: &'a F,
}

impl<F> Found<'_, F> {
    fn hits(&self) -> impl Iterator<Item = &Part> {
        with_rows(&self.all.parts, self.token.id)
    }

    fn add_unsealed(&self, part: &Part, unsealed: &mut Vec<u128>) {
        let mut sealings = self.sealings.iter().filter(|of| of.stated.is_some());
        if sealings.any(|of| of.place == part.provider && of.late.contains(&part.upload)) {
            unsealed.push(part.upload);
        }
    }
}

/// The parts of a token that have rows.
fn with_rows(parts: &[Part], token: u128) -> impl Iterator<Item = &Part> {
    parts.iter().filter(move |part| part.token == token && !part.handles.is_empty())
}

/// Some rows of a part, as lists name them.
fn listed(part: &Part, rows: &[usize]) -> Listed {
    let row = |at: usize| (part.handles[rows[at]], digest_of_row(&part.portions, rows[at]));
    Listed {
        provider: name_of(&part.provider).to_owned(),
        upload: part.upload,
        rows: pool::map(rows.len(), ROWS, row),
    }
}

impl<E: From<Error>, F: Fn(&Node, &str) -> Result<Vec<Placed>, E>> State for Found<'_, F> {
    type Error = E;

    fn known(&self) -> &[Known<'_>] {
        &self.known
    }

    fn hits(&self, is_named: bool, unsealed: &mut Vec<u128>) -> Vec<Listed> {
        let mut found = Vec::new();
        for part in Found::hits(self) {
            self.add_unsealed(part, unsealed);
            if is_named {
                let rows: Vec<usize> = (0..part.handles.len()).collect();
                found.push(listed(part, &rows));
            }
        }
        found
    }

    fn dropped(&self, predicate: &Predicate, unsealed: &mut Vec<u128>) -> Vec<Listed> {
        let Selection::Ranges(predicates) = &self.token.selection else { return Vec::new() };
        let at = predicates.iter().position(|of| of == predicate);
        let Some(&range) = at.and_then(|at| self.ranges.get(at)) else { return Vec::new() };
        let answered = self.answered();
        let mut found = Vec::new();
        for part in with_rows(&self.all.further, range) {
            let is_dropped =
                |&at: &usize| answered.binary_search(&(part.upload, part.handles[at])).is_err();
            let rows: Vec<usize> = (0..part.handles.len()).filter(is_dropped).collect();
            if !rows.is_empty() {
                self.add_unsealed(part, unsealed);
                found.push(listed(part, &rows));
            }
        }
        found
    }

    fn answered(&self) -> Vec<(u128, u128)> {
        let parts = Found::hits(self);
        let rows = parts.flat_map(|part| part.handles.iter().map(|&handle| (part.upload, handle)));
        let mut rows: Vec<(u128, u128)> = rows.collect();
        pool::sort(&mut rows);
        rows
    }

    fn entries(&self, of: &Known<'_>, field: &str) -> Result<Vec<Placed>, E> {
        let at = self.known.iter().position(|known| known.name == of.name);
        let Some(sealing) = at.and_then(|at| self.sealings.get(at)) else { return Ok(Vec::new()) };
        (self.entries)(&sealing.place, field)
    }
}
