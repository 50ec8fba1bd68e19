//! What proves an answer to whoever trusts the providers' signatures and has none of their keys: users with
//! grants.
//!
//! A seal commits, for each field, to a tree over the sealed entries in the order of (ciphertext,
//! handle), each with the upload and the digest of its row ([`entry_leaf`]). For a range, the cloud
//! shows each provider's entries that lie in it, with one neighbour beyond each bound, and the path
//! that leads to the signed root:
//!
//! ```text
//! left < low <= entries <= high < right,   all of them consecutive in the tree
//! ```
//!
//! An entry at either end of the tree has no neighbour there. So no sealed row of the range is missing,
//! and every row of the answer is one that its provider signed: who wrote it, in which epoch, is its
//! *provenance*. Entries that the answer does not hold are named with the upload and digest of their
//! row: those that other ranges of a conjunction drop, which are in no answer and not in every range,
//! and those that were removed since the seal, with the signed upload that did it. Who belongs to a
//! group is told by the announcement that the query's token names, or a later one of the same chain.
//!
//! # Cost
//!
//! Of a provider of `n` rows with `k` in a range: `25 k` bytes and some `2 * 73 + 64 log2(n)` at most
//! more, and its seal's head the first time. Linear in the providers. Checking it costs as many hashes,
//! and two signatures for a seal that is new. The cloud sorts and hashes what a provider sealed when it
//! is first asked, and keeps some 100 bytes an entry until the next seal.
//!
//! # Leakage
//!
//! To whoever asks: ciphertext, handle, upload and digest of one neighbour beyond each bound at every
//! provider, the ciphertexts of the rows in the range, and pseudonyms of rows that other ranges drop. The
//! cloud learns nothing.
//!
//! # Sources
//!
//! Neighbours beyond the bounds: Pang, Jain, Ramamritham, Tan: Verifying completeness of relational
//! query results in data publishing, SIGMOD 2005; trees: Li, Hadjieleftheriou, Kollios, Reyzin: Dynamic
//! authenticated index structures for outsourced databases, SIGMOD 2006. Here for the sorted entries of
//! many providers, each of its own.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::Error;
use super::announcement::Announcement;
use super::answer::{Part, rows_of};
use super::certificate::Owner;
use super::place::Node;
use super::query::{Predicate, Query, Scope, Selection, Token};
use super::removal::Removal;
use super::seal::{Seal, entry_leaf};
use super::sums::{Gone, Member, Proof, Required, Row, Shown, judged, removed_by, unproven};
use super::tree::{self, Gap, Hash};
use crate::pool;
use crate::wire::{self, Reader, Writer};

/// Which row an entry belongs to, where the answer does not hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// The answer holds it.
    Answered,
    /// Another range drops it.
    Dropped {
        /// The upload that brought it.
        upload: u128,
        /// The digest of its sealed portions.
        digest: [u8; 32],
    },
    /// It was removed or replaced since it was sealed.
    Gone {
        /// The upload that brought it.
        upload: u128,
        /// The digest of its sealed portions.
        digest: [u8; 32],
        /// Which evidence shows it.
        by: u32,
        /// Where in that its version stands.
        at: u64,
    },
}

/// An entry of a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The ciphertext.
    pub ciphertext: i64,
    /// The handle of its row.
    pub handle: u128,
    /// Which row that is.
    pub held: Held,
}

/// An entry beyond a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Neighbour {
    /// The ciphertext.
    pub ciphertext: i64,
    /// Its row.
    pub row: Row,
}

/// The entries of one provider in a range, with what shows that they are all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// The provider's name in its group.
    pub provider: String,
    /// Where the first entry stands, counted from 0; or would stand.
    pub start: u64,
    /// The entry before.
    pub left: Option<Neighbour>,
    /// The entries, ascending.
    pub entries: Vec<Entry>,
    /// The entry after.
    pub right: Option<Neighbour>,
    /// What leads from them to the root.
    pub path: Vec<Hash>,
}

/// Who wrote a record of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The provider, with its epochs.
    pub provider: Node,
    /// The record's pseudonym.
    pub handle: u128,
    /// The upload that brought it.
    pub upload: u128,
    /// The number of the seal that it is in; none if it came later.
    pub seal: Option<u64>,
}

/// What was found of an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    /// Everybody whom the query reaches, by token.
    pub members: Vec<Member>,
    /// Who wrote each record, by token and provider; those of who is unproven are left out.
    pub written: Vec<Written>,
    /// The newest seal that is known of each place.
    pub seals: Vec<Arc<Seal>>,
}

const ENTRY: usize = 8 + 16 + 1;
/// Bytes of a stretch at least.
const STRETCH: usize = 8 + 8 + 2 + 8 + 8;

fn write_neighbour(writer: &mut Writer, neighbour: Option<&Neighbour>) {
    writer.u8(neighbour.is_some().into());
    if let Some(Neighbour { ciphertext, row }) = neighbour {
        writer.i64(*ciphertext).u128(row.handle).u128(row.upload).raw(&row.digest);
    }
}

fn read_neighbour(reader: &mut Reader<'_>) -> Result<Option<Neighbour>, wire::Error> {
    match reader.u8()? {
        0 => Ok(None),
        1 => {
            let (ciphertext, handle) = (reader.i64()?, reader.u128()?);
            let row = Row { handle, upload: reader.u128()?, digest: reader.array()? };
            Ok(Some(Neighbour { ciphertext, row }))
        }
        _ => Err(reader.fault()),
    }
}

impl Stretch {
    pub(super) fn write(&self, writer: &mut Writer) {
        writer.text(&self.provider).u64(self.start);
        write_neighbour(writer, self.left.as_ref());
        write_neighbour(writer, self.right.as_ref());
        writer.count(self.entries.len());
        for Entry { ciphertext, handle, held } in &self.entries {
            writer.i64(*ciphertext).u128(*handle);
            match held {
                Held::Answered => {
                    writer.u8(0);
                }
                Held::Dropped { upload, digest } => {
                    writer.u8(1).u128(*upload).raw(digest);
                }
                Held::Gone { upload, digest, by, at } => {
                    writer.u8(2).u128(*upload).raw(digest).u32(*by).u64(*at);
                }
            }
        }
        writer.count(self.path.len());
        self.path.iter().for_each(|digest| {
            writer.raw(digest);
        });
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, wire::Error> {
        let (provider, start) = (reader.name()?.to_owned(), reader.u64()?);
        let (left, right) = (read_neighbour(reader)?, read_neighbour(reader)?);
        let mut entries = Vec::new();
        for _ in 0..reader.count(ENTRY)? {
            let (ciphertext, handle) = (reader.i64()?, reader.u128()?);
            let held = match reader.u8()? {
                0 => Held::Answered,
                1 => Held::Dropped { upload: reader.u128()?, digest: reader.array()? },
                2 => {
                    let (upload, digest) = (reader.u128()?, reader.array()?);
                    Held::Gone { upload, digest, by: reader.u32()?, at: reader.u64()? }
                }
                _ => return Err(reader.fault()),
            };
            entries.push(Entry { ciphertext, handle, held });
        }
        let path = (0..reader.count(32)?).map(|_| reader.array()).collect::<Result<_, _>>()?;
        Ok(Self { provider, start, left, entries, right, path })
    }

    pub(super) fn list(reader: &mut Reader<'_>) -> Result<Vec<Self>, wire::Error> {
        (0..reader.count(STRETCH)?).map(|_| Self::read(reader)).collect()
    }

    /// How many bytes it has as it travels.
    #[must_use]
    pub fn size(&self) -> usize {
        let mut writer = Writer::default();
        self.write(&mut writer);
        writer.0.len()
    }

    /// Holds the entries against the root that a provider signed, and returns those of its rows that the
    /// answer does not hold.
    fn checked(
        &self,
        seal: &Seal,
        predicate: &Predicate,
        hits: &HashMap<u128, Row>,
        is_gone: impl Fn(&Gone) -> bool,
    ) -> Result<Found, String> {
        let field = &predicate.field;
        let committed = seal
            .entries_of(field)
            .ok_or_else(|| format!("its seal says nothing of field '{field}'"))?;
        let wrong = |why: &str| Err(format!("the entries of field '{field}' {why}"));
        let mut leaves = Vec::with_capacity(self.entries.len() + 2);
        let mut found = Found::default();
        let neighbour = |of: &Neighbour| {
            entry_leaf(of.ciphertext, of.row.handle, of.row.upload, &of.row.digest)
        };
        for Entry { ciphertext, handle, held } in &self.entries {
            let row = match held {
                Held::Answered => match hits.get(handle) {
                    Some(row) => *row,
                    None => return wrong("name a row that the answer does not hold"),
                },
                Held::Dropped { upload, digest } => {
                    Row { upload: *upload, handle: *handle, digest: *digest }
                }
                Held::Gone { upload, digest, by, at } => {
                    let row = Row { upload: *upload, handle: *handle, digest: *digest };
                    let provider = self.provider.clone();
                    if !is_gone(&Gone { provider, row, by: *by, at: *at }) {
                        return wrong("call a row removed that its provider did not remove");
                    }
                    row
                }
            };
            match held {
                Held::Answered => found.answered += usize::from(found.seen.insert(*handle)),
                Held::Dropped { .. } if hits.contains_key(handle) => {
                    return wrong("name a row as dropped that the answer holds");
                }
                Held::Dropped { .. } => {
                    found.dropped.insert(*handle);
                }
                Held::Gone { .. } => {}
            }
            leaves.push(entry_leaf(*ciphertext, *handle, row.upload, &row.digest));
        }
        let inside = |entry: &Entry| (predicate.low..=predicate.high).contains(&entry.ciphertext);
        let is_bounded = self.left.is_none_or(|left| left.ciphertext < predicate.low)
            && self.right.is_none_or(|right| right.ciphertext > predicate.high)
            && self.entries.iter().all(inside);
        if !is_bounded {
            return wrong("are not those between the bounds");
        }
        let beside = [&self.left, &self.right].map(|of| of.as_ref().map(neighbour));
        let committed = (committed.count, &committed.root);
        match tree::check_between(committed, self.start, beside, leaves, &self.path) {
            Ok(()) => Ok(found),
            Err(Gap::Neighbour) => wrong("lack a neighbour"),
            Err(Gap::Root) => wrong(
                "are not those that it sealed: the cloud left some out, doubled or changed some",
            ),
        }
    }
}

/// What the entries of a range name.
#[derive(Default)]
struct Found {
    answered: usize,
    seen: HashSet<u128>,
    dropped: HashSet<u128>,
}

/// Finds out of which providers an answer holds all that they sealed, by their signatures alone, with the
/// seals that are known already.
///
/// # Errors
///
/// [`Error::Proof`] if the proof is of another answer or lacks an announcement, [`Error::Signature`] if
/// something in it is forged.
pub fn check(
    parts: &[&Part],
    proof: &Proof,
    query: &Query,
    known: &HashMap<Node, Arc<Seal>>,
    required: Required,
) -> Result<Checked, Error> {
    if proof.tokens.len() != query.tokens.len() {
        return Err(unproven("it is of another query"));
    }
    if parts.first().is_some_and(|part| part.snapshot != proof.snapshot) {
        return Err(unproven("it is of another state of the cloud"));
    }
    let announced = proof.announcements.iter().map(|message| Announcement::decode(message));
    let announced = announced.collect::<Result<Vec<_>, _>>()?;
    let read = pool::map(proof.heads.len(), 8, |at| Seal::decode_head(&proof.heads[at]));
    let seals = read.into_iter().collect::<Result<Vec<_>, _>>()?;
    let shown = proof.evidence.iter().map(|of| of.verify()).collect::<Result<Vec<_>, _>>()?;
    let removals = proof.removals.iter().map(|removal| Removal::decode(removal));
    let removals = removals.collect::<Result<Vec<_>, _>>()?;
    let (newest, shown_seals) = newest(seals, &query.owner, Some(&query.schema), known)?;
    let mut checked = Checked { seals: newest.values().cloned().collect(), ..Checked::default() };
    for (token, of) in query.tokens.iter().zip(&proof.tokens) {
        let Selection::Ranges(predicates) = &token.selection else {
            return Err(unproven("only ranges can be proven"));
        };
        if of.ranges.len() != predicates.len() {
            return Err(unproven("it has not the entries of each range"));
        }
        let (names, is_left) = members_of(token, query, &announced)?;
        let hits = rows_of(token, parts);
        let known_names: HashSet<&String> = names.iter().collect();
        if let Some(stranger) = hits.keys().find(|name| !known_names.contains(name)) {
            let stranger = stranger.escape_default();
            return Err(unproven(&format!(
                "provider '{stranger}' was announced by nobody: if it \
                                       was authorised since, the cloud enrols owner.public again"
            )));
        }
        let unsealed: HashSet<u128> = of.unsealed.iter().copied().collect();
        let of_ranges: Vec<HashMap<&str, &Stretch>> =
            of.ranges.iter().map(|range| by_provider(&range.stretches)).collect();
        let of_member = |at: usize| -> Result<(Member, Vec<Written>), Error> {
            let name = &names[at];
            let place = token.group.authority.child_as_spelt(name, token.group.epoch)?;
            let seal = newest.get(&place).cloned();
            let of_place = shown_seals.get(&place);
            let removal = removed_by(&removals, &query.owner, &place);
            // A removal that comes with a seal is of another place, or of before.
            let removal = removal.filter(|_| of_place.is_none());
            let fault = of_place.cloned().flatten();
            let (seal, fault) = judged(seal, fault, removal, is_left, required);
            let rows = hits.get(name).map_or(&[][..], Vec::as_slice);
            let sealed = rows.iter().filter(|row| !unsealed.contains(&row.upload));
            let of_seal: HashMap<u128, Row> = sealed.map(|row| (row.handle, *row)).collect();
            let open = rows.len() - of_seal.len();
            let stretches: Vec<Option<&Stretch>> =
                of_ranges.iter().map(|of_range| of_range.get(name.as_str()).copied()).collect();
            let fault = fault.or_else(|| {
                let is_gone = |gone: &Gone| {
                    let shown = usize::try_from(gone.by).ok().and_then(|by| shown.get(by));
                    shown.is_some_and(|shown: &Shown<'_>| shown.removes(&query.owner, &place, gone))
                };
                check_member(seal.as_deref(), predicates, &stretches, &of_seal, is_gone).err()
            });
            let number = seal.as_ref().map(|seal| seal.number);
            let written = |row: &Row| Written {
                provider: place.clone(),
                handle: row.handle,
                upload: row.upload,
                seal: number.filter(|_| !unsealed.contains(&row.upload)),
            };
            let written = rows.iter().filter(|_| fault.is_none()).map(written).collect();
            let seal = seal.map(|seal| (seal.number, seal.hours, seal.rows));
            let group = token.group.clone();
            Ok((Member { group, provider: place, seal, unsealed: open, fault }, written))
        };
        for found in pool::map(names.len(), 4, of_member) {
            let (member, written) = found?;
            checked.members.push(member);
            checked.written.extend(written);
        }
    }
    Ok(checked)
}

/// Entries of a range by their provider; of two of one, the first.
fn by_provider(stretches: &[Stretch]) -> HashMap<&str, &Stretch> {
    let named = stretches.iter().rev().map(|stretch| (stretch.provider.as_str(), stretch));
    named.collect()
}

/// Checks one provider's part of a token's answer.
fn check_member(
    seal: Option<&Seal>,
    predicates: &[Predicate],
    stretches: &[Option<&Stretch>],
    hits: &HashMap<u128, Row>,
    is_gone: impl Fn(&Gone) -> bool,
) -> Result<(), String> {
    // Of who was removed and left, nothing may be there.
    let Some(seal) = seal else {
        let is_none = hits.is_empty();
        return if is_none {
            Ok(())
        } else {
            Err("it was removed, and rows of it are here".into())
        };
    };
    let mut in_all: Option<HashSet<u128>> = None;
    for (predicate, stretch) in predicates.iter().zip(stretches) {
        let stretch = stretch
            .ok_or_else(|| format!("no entries of field '{}' are shown", predicate.field))?;
        let found = stretch.checked(seal, predicate, hits, &is_gone)?;
        if found.answered != hits.len() {
            return Err(format!(
                "rows of the answer are not among its entries of field '{}'",
                predicate.field
            ));
        }
        in_all = Some(match in_all {
            None => found.dropped,
            Some(others) => others.intersection(&found.dropped).copied().collect(),
        });
    }
    if in_all.is_some_and(|rows| !rows.is_empty()) {
        return Err("a row is in every range, and not in the answer".to_owned());
    }
    Ok(())
}

/// The newest seals, of those that are shown and known; and of each place that is shown one what is wrong
/// with that, if it is older than what is known, or another.
#[expect(clippy::type_complexity, reason = "two maps by place")]
pub(super) fn newest(
    shown: Vec<Seal>,
    owner: &Owner,
    schema: Option<&[u8; 32]>,
    known: &HashMap<Node, Arc<Seal>>,
) -> Result<(BTreeMap<Node, Arc<Seal>>, HashMap<Node, Option<String>>), Error> {
    let mut newest: BTreeMap<Node, Arc<Seal>> =
        known.iter().map(|(place, seal)| (place.clone(), Arc::clone(seal))).collect();
    let mut of_places = HashMap::new();
    for seal in shown {
        if seal.owner != *owner || !seal.provider.held(&seal.place) {
            let why = "a seal is of another owner, or of a place that is not its provider's";
            return Err(unproven(why));
        }
        if schema.is_some_and(|schema| seal.schema != *schema) {
            return Err(Error::OtherSchema { what: "a seal" });
        }
        let why = newest.get(&seal.place).and_then(|known| seal.contradicts(known));
        let (place, is_newest) = (seal.place.clone(), why.is_none());
        if is_newest {
            newest.insert(place.clone(), Arc::new(seal));
        }
        of_places.insert(place, why);
    }
    Ok((newest, of_places))
}

/// The names of a token's providers, by the announcement that it names or a later one; and whether its
/// group is of an epoch that was left.
fn members_of(
    token: &Token,
    query: &Query,
    announced: &[Announcement],
) -> Result<(Vec<String>, bool), Error> {
    let authority = &token.group.authority;
    let of = announced.iter().find(|of| of.owner == query.owner && of.authority == *authority);
    // A provider that asks for its own rows names no announcement of the group that it is in.
    let is_own = matches!(token.scope, Scope::One(_)) && token.stamp.number == 0;
    let known = of.filter(|of| is_own || of.stamp() == token.stamp || of.descends(&token.stamp));
    let Some(known) = known.filter(|of| of.schema == query.schema) else {
        return Err(unproven(&format!("the announcement of {authority} is missing, or older")));
    };
    let Some(at) = known.epochs.iter().position(|epoch| *epoch == token.group.epoch) else {
        return Err(unproven(&format!("{} was announced by nobody", token.group)));
    };
    let is_left = at + 1 < known.epochs.len();
    if let Scope::One(name) = &token.scope {
        return Ok((vec![name.clone()], is_left));
    }
    let at = u32::try_from(at).unwrap_or(u32::MAX);
    let members = known
        .members
        .iter()
        .filter(|member| (member.first..=member.last.unwrap_or(u32::MAX)).contains(&at));
    let mut names: Vec<String> = members.map(|member| member.name.clone()).collect();
    names.dedup();
    Ok((names, is_left))
}
