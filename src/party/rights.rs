//! Rights to search: what a keyring gives a user to make tokens with, and what the user makes of it.
//!
//! A user who is to ask by itself needs the ciphertexts where its ranges lie, and no more: of each group and
//! field, the cuts of the cells that the range of the right covers. It gets them beside the public
//! [`right`](crate::message::right), which the cloud holds every query to:
//!
//! ```text
//! secret = owner || user || schema || portions || proven fields || right || ranges || cuts || signature
//! ranges = lowest and highest plaintext of each field
//! cuts   = cut_b(lowest), ..., cut_{b(highest)+1}    of each group and field
//! ```
//!
//! Slots of sums are not in it: who checks sums holds the providers' keys. Users prove by signatures.
//!
//! # Cost
//!
//! 8 bytes for each cell of a range, in each group. A query is a signature of the user; a cloud verifies that
//! one, the issuer's, and the issuer's certificates.
//!
//! # Leakage
//!
//! To the user: by the cuts, with a snapshot of the cloud, every entry of the right's groups that lies in the
//! range of *one* of its fields, to the cell; that all of the ranges must hold is what the cloud sees to, and
//! a stolen copy of its store does not.
//!
//! A cloud holds the user to the cells of its ranges, and not to the values: whatever shares a cell with an
//! end of a range is found, and dropped by an honest user once it is opened.

use std::collections::BTreeSet;
use std::fmt;

use zeroize::Zeroizing;

use super::Error;
use super::asking::Range;
use super::keyring::{Keyring, Spans};
use super::shares::{Head, Shared, Status, UserName};
use crate::keys::fill_random;
use crate::message::place::{Epoch, Group, Node, spelt_path};
use crate::message::right::{Asked, Reach, Right, query_under};
use crate::message::signature::{VERIFICATION_KEY_LEN, verify};
use crate::schema::Schema;
use crate::scheme::RANGE;
use crate::scheme::ruler::Layout;
use crate::wire::{self, Buffer, Kind, Reader, Writer, length};

/// What a right to search is to reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// A range of plaintexts of each field, in the order of their names.
    pub ranges: Vec<Range>,
    /// The path, from this keyring's node on, of the authority whose groups and those below are searched;
    /// empty for its own.
    pub under: String,
    /// When it ends, in seconds since 1970.
    pub end: u64,
}

impl Terms {
    fn write<B: Buffer>(&self, writer: &mut Writer<B>) {
        writer.text(&self.under).u64(self.end).count(self.ranges.len());
        for Range { field, low, high } in &self.ranges {
            writer.text(field).i64(*low).i64(*high);
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, wire::Error> {
        let (under, end) = (reader.text()?.to_owned(), reader.u64()?);
        let range = |reader: &mut Reader<'_>| -> Result<Range, wire::Error> {
            let field = reader.text()?.to_owned();
            Ok(Range { field, low: reader.i64()?, high: reader.i64()? })
        };
        let ranges = (0..reader.count(24)?).map(|_| range(reader)).collect::<Result<_, _>>()?;
        Ok(Self { ranges, under, end })
    }
}

/// A right that was given, and for which readers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenRight {
    /// Its number.
    pub id: u128,
    /// What the user's signatures are verified by.
    verification: [u8; VERIFICATION_KEY_LEN],
    /// What it reaches.
    pub terms: Terms,
    /// The groups that it was made for, each with its readers' epoch then.
    reaches: Vec<(Group, Epoch)>,
    /// The readers' epochs that began when it was taken back.
    left: Vec<(Node, Epoch)>,
    /// Whether it was taken back by a suspension, and returns when that is lifted.
    pub(super) is_held: bool,
}

impl GivenRight {
    pub(super) fn write<B: Buffer>(&self, writer: &mut Writer<B>) {
        writer.u128(self.id).raw(&self.verification);
        self.terms.write(writer);
        writer.count(self.reaches.len());
        for (group, readers) in &self.reaches {
            group.write(writer);
            readers.write(writer);
        }
        writer.count(self.left.len());
        for (authority, readers) in &self.left {
            authority.write(writer);
            readers.write(writer);
        }
        writer.u8(self.is_held.into());
    }

    pub(super) fn read(reader: &mut Reader<'_>, version: u8) -> Result<Self, Error> {
        let (id, verification) = (reader.u128()?, reader.array()?);
        let terms = Terms::read(reader)?;
        let reach = |reader: &mut Reader<'_>| -> Result<_, Error> {
            Ok((Group::read(reader)?, Epoch::read(reader)?))
        };
        let reaches = (0..reader.count(18)?).map(|_| reach(reader)).collect::<Result<_, _>>()?;
        let ended = |reader: &mut Reader<'_>| -> Result<_, Error> {
            Ok((Node::read(reader)?, Epoch::read(reader)?))
        };
        let left = (0..reader.count(13)?).map(|_| ended(reader)).collect::<Result<_, _>>()?;
        let is_held = if version < 8 { false } else { reader.bool()? };
        Ok(Self { id, verification, terms, reaches, left, is_held })
    }

    /// The authorities of its groups.
    fn authorities(&self) -> BTreeSet<&Node> {
        self.reaches.iter().map(|(group, _)| &group.authority).collect()
    }
}

impl Keyring {
    /// A number for a right, or that of the same right as it was given before.
    pub(crate) fn right_number(&self, user: &UserName, terms: &Terms) -> Result<u128, Error> {
        let shared = self.shares.0.get(user);
        let mut known = shared.iter().flat_map(|shared| &shared.rights);
        let same = known.find(|given| is_same(&given.terms, terms)).map(|given| given.id);
        same.map_or_else(|| self.number(b"right"), Ok)
    }

    /// What a user is given to search with, in the clear: secret, to be sealed to the user.
    ///
    /// # Errors
    ///
    /// [`Error::Suspended`], [`Error::RevokedUser`], [`Error::NoRange`], [`Error::TwoRanges`] or
    /// [`Error::UnknownField`] for ranges that are none, those of [`Layout::bounds`], [`Error::NoGroup`] if
    /// nobody stands below.
    pub(crate) fn delegated(
        &self,
        (user, verification): (&UserName, &[u8; VERIFICATION_KEY_LEN]),
        id: u128,
        terms: &Terms,
        now: u64,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.check_active(user)?;
        let ranges = &terms.ranges;
        if let Some(pair) = ranges.windows(2).find(|pair| pair[0].field == pair[1].field) {
            return Err(Error::TwoRanges { field: pair[0].field.clone() });
        }
        if ranges.is_empty() {
            return Err(Error::NoRange);
        }
        let mut secret = Writer::headless_secret();
        let mut reaches = Vec::new();
        for (group, readers) in self.groups_under(&terms.under)? {
            let mut bounds = Vec::new();
            for Range { field, low, high } in ranges {
                let ruler = self.ruler(&group, self.field(field)?)?;
                bounds.push(ruler.bounds(*low, *high)?);
                let cells = cells(ruler.cell(), *low, *high);
                secret.count(length(cells.1 - cells.0) + 2);
                (cells.0..=cells.1).for_each(|cell| {
                    secret.u64(ruler.span(cell).0);
                });
                let (last, size) = ruler.span(cells.1);
                secret.u64(last + size);
            }
            let stamp = self.below.stamp(&group.authority);
            reaches.push(Reach { group, stamp, readers, bounds });
        }
        let right = Right {
            owner: self.owner,
            schema: self.schema.digest(),
            id,
            user: *user,
            verification: *verification,
            made: now,
            end: terms.end,
            issuer: self.chain.clone(),
            fields: ranges.iter().map(|range| range.field.clone()).collect(),
            reaches,
        };
        let mut writer = self.headed(Kind::SearchRight, user);
        writer.bytes(&self.signed(right.message()));
        ranges.iter().for_each(|range| {
            writer.i64(range.low).i64(range.high);
        });
        writer.raw(&secret.0);
        let signature = self.sign(&writer.0);
        writer.raw(&signature);
        Ok(writer.0)
    }

    /// Whether there is a group at or below an authority.
    pub(super) fn has_groups_under(&self, under: &str) -> bool {
        self.groups_under(under).is_ok()
    }

    /// The groups at or below an authority, in every epoch, ascending, each with its readers' epoch.
    fn groups_under(&self, under: &str) -> Result<Vec<(Group, Epoch)>, Error> {
        let no_group = || Error::NoGroup { under: under.escape_default().to_string() };
        let mut names = self.node.names().to_vec();
        if !under.is_empty() {
            names.extend(spelt_path(under)?.split('/').map(str::to_owned));
        }
        let groups = self.below.groups().into_iter();
        let under = groups.filter(|group| group.authority.names().starts_with(&names));
        let with_readers = |group: Group| {
            let readers = self.below.readers(&group.authority).last().copied().unwrap_or_default();
            (group, readers)
        };
        let reaches: Vec<_> = under.map(with_readers).collect();
        if reaches.is_empty() { Err(no_group()) } else { Ok(reaches) }
    }

    /// Remembers that a user was given a right.
    ///
    /// # Errors
    ///
    /// [`Error::NoGroup`].
    pub(crate) fn note_right(
        &mut self,
        (user, public): (UserName, &[u8]),
        verification: [u8; VERIFICATION_KEY_LEN],
        id: u128,
        terms: Terms,
    ) -> Result<(), Error> {
        let reaches = self.groups_under(&terms.under)?;
        let shared = self.shares.0.entry(user).or_default();
        shared.public = public.to_vec();
        shared.rights.retain(|given| given.id != id);
        let left = Vec::new();
        shared.rights.push(GivenRight { id, verification, terms, reaches, left, is_held: false });
        Ok(())
    }

    /// Every user's rights, and whether a cloud still takes them.
    #[must_use]
    pub fn rights(&self) -> Vec<(UserName, &GivenRight, bool)> {
        let all = self.shares.0.iter().flat_map(|(user, Shared { rights, .. })| {
            rights.iter().map(move |right| (*user, right))
        });
        let kept = all.filter(|(_, right)| !self.is_right_ended(right));
        kept.map(|(user, right)| (user, right, self.is_right_current(right))).collect()
    }

    /// Whether a right was taken back, in a readers' epoch that there is.
    pub(super) fn is_right_ended(&self, right: &GivenRight) -> bool {
        right.left.iter().any(|(authority, left)| self.below.readers(authority).contains(left))
    }

    /// Whether a cloud that knows what this keyring does takes queries under a right, its time apart.
    pub(super) fn is_right_current(&self, right: &GivenRight) -> bool {
        let Ok(now) = self.groups_under(&right.terms.under) else { return false };
        let names: BTreeSet<_> = right.authorities().into_iter().map(Node::names).collect();
        let is_known = |(group, readers): &(Group, Epoch)| {
            !names.contains(group.authority.names())
                || right.reaches.contains(&(group.clone(), *readers))
        };
        let is_there = right.reaches.iter().all(|reach| now.contains(reach));
        is_there && now.iter().all(is_known) && !self.is_right_ended(right)
    }

    /// The authorities whose readers a user's rights are of, and whether the right was taken back before.
    pub(super) fn authorities_of_rights(&self, user: &UserName) -> Vec<(Node, bool)> {
        let rights = self.shares.0.get(user).into_iter().flat_map(|shared| &shared.rights);
        let of = |right: &GivenRight| {
            let is_ended = self.is_right_ended(right);
            let now = right.authorities().into_iter().filter(|node| self.is_present(node));
            now.map(|node| (node.clone(), is_ended)).collect::<Vec<_>>()
        };
        rights.flat_map(of).collect()
    }

    /// Whether a node is this one, or a member below it in the present epochs.
    fn is_present(&self, node: &Node) -> bool {
        *node == self.node || self.below.has(node)
    }

    /// Notes that a user's rights were taken back, once new readers' epochs began for it; those of authorities
    /// that are no longer there are forgotten.
    pub(super) fn end_rights(&mut self, user: &UserName) {
        let Some(mut shared) = self.shares.0.remove(user) else { return };
        for right in &mut shared.rights {
            if !self.is_right_ended(right) {
                let present = right.authorities().into_iter().filter(|node| self.is_present(node));
                let readers = |node: &Node| self.below.readers(node).last().copied();
                right.left =
                    present.filter_map(|node| Some((node.clone(), readers(node)?))).collect();
            }
        }
        shared.rights.retain(|right| !right.left.is_empty());
        self.shares.0.insert(*user, shared);
    }

    /// Who has a right that is good at a time and of one of these authorities' readers, by its number, but
    /// for who leaves.
    pub(super) fn rights_staying(
        &self,
        leaver: Option<&UserName>,
        authorities: &BTreeSet<Node>,
        now: u64,
    ) -> Vec<(UserName, u128)> {
        let mut staying = Vec::new();
        let active = self.shares.0.iter().filter(|(_, shared)| shared.status == Status::Active);
        for (user, shared) in active.filter(|(user, _)| Some(*user) != leaver) {
            for right in &shared.rights {
                let is_there = right.authorities().into_iter().any(|of| authorities.contains(of));
                if is_there && right.terms.end >= now && self.is_right_current(right) {
                    staying.push((*user, right.id));
                }
            }
        }
        staying
    }

    /// Gives a right anew, and notes for which readers.
    pub(super) fn renew_right(
        &mut self,
        user: &UserName,
        id: u128,
        now: u64,
    ) -> Result<Option<Anew>, Error> {
        let known = self.shares.0.get(user).and_then(|shared| {
            let right = shared.rights.iter().find(|right| right.id == id)?;
            Some((shared.public.clone(), right.verification, right.terms.clone()))
        });
        let Some((public, verification, terms)) = known else { return Ok(None) };
        let given = self.delegated((user, &verification), id, &terms, now)?;
        self.note_right((*user, &public), verification, id, terms)?;
        Ok(Some((public, given)))
    }
}

/// Public keys of a user, and what it is given.
type Anew = (Vec<u8>, Zeroizing<Vec<u8>>);

fn is_same(one: &Terms, other: &Terms) -> bool {
    one.under == other.under && one.ranges == other.ranges
}

/// The first and the last cell of a range that was checked.
fn cells(cell: u64, low: i64, high: i64) -> (u64, u64) {
    (low.cast_unsigned() / cell, high.cast_unsigned() / cell)
}

/// What a user asks for, where an end may be as far as its right goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRange {
    /// The field's name.
    pub field: String,
    /// The lowest plaintext.
    pub low: Option<i64>,
    /// The highest plaintext.
    pub high: Option<i64>,
}

/// Where the cells of a range begin, and where the last one ends.
type Cuts = Zeroizing<Vec<u64>>;

/// What a user searches with, read.
pub struct SearchRight {
    /// Whose records, and how they lie in tables.
    pub head: Head,
    /// What the cloud sees of it.
    pub right: Right,
    /// The range of each of its fields.
    pub ranges: Vec<Range>,
    /// The right as it travels.
    message: Vec<u8>,
    /// The cuts of the cells of each range, by group.
    cuts: Vec<Vec<Cuts>>,
}

impl fmt::Debug for SearchRight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SearchRight").field("right", &self.right.id).finish_non_exhaustive()
    }
}

impl SearchRight {
    /// Reads what a user was given to search with, and verifies that whoever gave the right gave the rest.
    ///
    /// # Errors
    ///
    /// [`wire::Error`] if the bytes are none, or do not fit together, [`Error::OtherUser`] if it is somebody
    /// else's, [`message::Error::Signature`](crate::message::Error::Signature) if it is forged.
    pub fn decode(
        bytes: &[u8],
        user: &UserName,
        verification: &[u8; VERIFICATION_KEY_LEN],
    ) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes, Kind::SearchRight)?;
        let head = Head::read(&mut reader)?;
        let message = reader.bytes()?.to_vec();
        let right = Right::decode(&message)?;
        let schema = &head.schema;
        let is_named = right.fields.iter().all(|name| schema.field(name).is_some());
        if !is_named || right.schema != schema.digest() || right.owner != head.owner {
            return Err(reader.fault().into());
        }
        let mut ranges = Vec::with_capacity(right.fields.len());
        for field in &right.fields {
            let (low, high) = (reader.i64()?, reader.i64()?);
            ranges.push(Range { field: field.clone(), low, high });
        }
        let mut cuts = Vec::with_capacity(right.reaches.len());
        for reach in &right.reaches {
            let mut of_group = Vec::with_capacity(ranges.len());
            for (range, bounds) in ranges.iter().zip(&reach.bounds) {
                of_group.push(read_cuts(&mut reader, schema, range, *bounds)?);
            }
            cuts.push(of_group);
        }
        let signed = &bytes[..reader.position()];
        let signature = reader.array()?;
        reader.end()?;
        let issuer = right.issuer.verify(&head.owner)?;
        verify(&issuer, signed, &signature, Kind::SearchRight.name())?;
        if head.user != *user || right.user != *user || right.verification != *verification {
            return Err(Error::OtherUser);
        }
        Ok(Self { head, right, ranges, message, cuts })
    }

    /// Whether this one shows that another of the same owner has ended: of an authority that both reach, it has
    /// later readers or a later epoch.
    #[must_use]
    pub fn ends(&self, other: &Self) -> bool {
        let newest = |of: &Self, authority: &Node| {
            let reaches =
                of.right.reaches.iter().filter(|reach| reach.group.authority == *authority);
            let numbers = reaches.map(|reach| (reach.group.epoch.number, reach.readers.number));
            numbers.reduce(|one, more| (one.0.max(more.0), one.1.max(more.1)))
        };
        let is_later = |reach: &Reach| {
            let authority = &reach.group.authority;
            let (Some(mine), Some(its)) = (newest(self, authority), newest(other, authority))
            else {
                return false;
            };
            mine.0 > its.0 || mine.1 > its.1
        };
        self.head.owner == other.head.owner && self.right.reaches.iter().any(is_later)
    }

    /// What a query for some ranges finds: every range of the right, narrowed to what is asked.
    ///
    /// # Errors
    ///
    /// [`Error::NotDelegated`] for a field that is none of the right, [`Error::OutsideRight`] for a range
    /// that goes beyond its own, [`Error::TwoRanges`].
    pub fn narrowed(&self, asked: &[OpenRange]) -> Result<Vec<Range>, Error> {
        let (mut ranges, mut named) = (self.ranges.clone(), BTreeSet::new());
        for OpenRange { field, low, high } in asked {
            let of = ranges.iter_mut().find(|range| range.field == *field);
            let of = of.ok_or_else(|| Error::NotDelegated { field: field.clone() })?;
            if !named.insert(field) {
                return Err(Error::TwoRanges { field: field.clone() });
            }
            let (low, high) = (low.unwrap_or(of.low), high.unwrap_or(of.high));
            if low < of.low || high > of.high || low > high {
                return Err(Error::OutsideRight { field: field.clone() });
            }
            (of.low, of.high) = (low, high);
        }
        Ok(ranges)
    }

    /// The query for some of its ranges as the user has to sign it, and every range that must hold; no ranges
    /// make one that nothing answers.
    ///
    /// # Errors
    ///
    /// Those of [`narrowed`](Self::narrowed), [`keys::Error::Randomness`](crate::keys::Error::Randomness).
    pub fn query(&self, asked: &[OpenRange], expiry: u64) -> Result<(Vec<u8>, Vec<Range>), Error> {
        let ranges = if asked.is_empty() { Vec::new() } else { self.narrowed(asked)? };
        let mut tokens = Vec::new();
        let reached = if ranges.is_empty() { &[][..] } else { &self.cuts };
        for (reach, cuts) in (0..).zip(reached) {
            let mut bounds = Vec::new();
            for (field, (range, whole)) in (0..).zip(ranges.iter().zip(&self.ranges)) {
                if range == whole {
                    continue;
                }
                let cell = self.cell(&range.field);
                let (first, _) = cells(cell, whole.low, whole.high);
                let (low, high) = cells(cell, range.low, range.high);
                let of = &cuts[length(u64::from(field))];
                let (low, after) = (of[length(low - first)], of[length(high - first) + 1]);
                bounds.push((field, low.cast_signed(), (after - 1).cast_signed()));
            }
            tokens.push(Asked { id: number()?, reach, ranges: bounds });
        }
        let message = query_under(&self.head.owner, &self.message, number()?, expiry, &tokens);
        Ok((message, ranges))
    }

    fn cell(&self, field: &str) -> u64 {
        self.head.schema.field(field).map_or(1, |field| field.cell())
    }

    /// The first and the last ciphertext of each cell of a field that it has cuts of, by group: what it tells
    /// its user of a snapshot. Secret.
    #[must_use]
    pub fn spans(&self, field: &str) -> Vec<(Group, u64, Spans)> {
        let Some(at) = self.ranges.iter().position(|range| range.field == field) else {
            return Vec::new();
        };
        let first = cells(self.cell(field), self.ranges[at].low, self.ranges[at].high).0;
        let of = |(reach, cuts): (&Reach, &Vec<Cuts>)| {
            let ends = |pair: &[u64]| (pair[0].cast_signed(), (pair[1] - 1).cast_signed());
            (reach.group.clone(), first, cuts[at].windows(2).map(ends).collect())
        };
        self.right.reaches.iter().zip(&self.cuts).map(of).collect()
    }
}

fn number() -> Result<u128, Error> {
    let mut bytes = [0; 16];
    fill_random(&mut bytes)?;
    Ok(u128::from_le_bytes(bytes))
}

/// Cuts that ascend, as many as the range has cells and one, between the bounds that the right has.
fn read_cuts(
    reader: &mut Reader<'_>,
    schema: &Schema,
    range: &Range,
    (low, high): (i64, i64),
) -> Result<Cuts, Error> {
    let count = reader.count(8)?;
    let mut cuts = Zeroizing::new(Vec::with_capacity(count)); // a list that grows leaves copies
    for _ in 0..count {
        let cut = reader.u64()?;
        if cuts.last().is_some_and(|last| *last >= cut) || cut > RANGE {
            return Err(reader.fault().into());
        }
        cuts.push(cut);
    }
    let field = schema.field(&range.field);
    let is_range = field.is_some_and(|field| {
        let is_there = 0 <= range.low && range.low <= range.high;
        is_there && range.high.cast_unsigned() < field.plaintexts() && {
            let (first, last) = cells(field.cell(), range.low, range.high);
            count == length(last - first) + 2
        }
    });
    let ends = (cuts.first().copied(), cuts.last().copied());
    if is_range && ends == (Some(low.cast_unsigned()), Some(high.cast_unsigned() + 1)) {
        Ok(cuts)
    } else {
        Err(reader.fault().into())
    }
}

#[cfg(test)]
mod tests;
