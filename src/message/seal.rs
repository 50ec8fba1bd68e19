//! Seals: what a provider states, signed, of all rows that it has at one of its places.
//!
//! ```text
//! content = owner, provider, place, number, seal before, stamp, schema, time, rows, fingerprint,
//!           for each field: entries, root over its sorted entries;
//!           files, root over them in the order of their records
//! head    = content, total, for each table: field, slots, root over its slots;
//!           lines, root over the lines of keywords; certificates
//! seal    = head || signature || for each table: its slots, 16 bytes each || lines, 48 bytes each
//! ```
//!
//! A table and the total hold sums that only whoever has the provider's keys can make, each hidden by a
//! mask that hangs on the digest of the content: see [`sums`](super::sums). The tables are committed to
//! by the roots of trees, so that the signed head stands for them where they do not travel. Lines stand for
//! the files of a keyword each: see [`catalogue`](super::catalogue).
//!
//! Seals of a place are a chain: each names the one before, and a cloud takes only the next one, and only
//! if the rows that it states are those that are stored. It compares a *fingerprint*, the sum of the
//! digests of all rows, which changes with them at no more cost than theirs:
//!
//! ```text
//! fingerprint = sum of SHA-256("MOPSEROW" || upload || handle || H(row))     modulo 2^256
//! ```
//!
//! A fingerprint is for a cloud that follows the rules and its own provider, and proves nothing to
//! others: who may choose among very many rows can make two sets with one sum.
//!
//! # Leakage
//!
//! When a provider seals, how many rows it has, and what uploads and attachments tell already.

use sha2::{Digest, Sha256};

use super::Error;
use super::announcement::Announced;
use super::catalogue::Line;
use super::certificate::{Chain, Owner};
use super::envelope;
use super::limits::{MOST_FIELDS, MOST_SLOTS, at_most};
use super::place::{Node, Stamp};
use super::tree::{self, Hash, Tree};
use super::upload::SKEW;
use crate::wire::{Kind, Reader, Writer, column};

const WHAT: &str = "the seal";

/// A sum of the digests of rows, modulo 2^256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fingerprint([u128; 2]);

impl Fingerprint {
    /// That of one row, with the digest of its sealed portions.
    #[must_use]
    pub fn of(upload: u128, handle: u128, digest: &[u8; 32]) -> Self {
        let mut bytes = [0; 72];
        bytes[..8].copy_from_slice(b"MOPSEROW");
        bytes[8..24].copy_from_slice(&upload.to_le_bytes());
        bytes[24..40].copy_from_slice(&handle.to_le_bytes());
        bytes[40..].copy_from_slice(digest);
        Self::from_bytes(&Sha256::digest(bytes).into())
    }

    fn from_bytes(bytes: &[u8; 32]) -> Self {
        let (halves, _) = bytes.as_chunks::<16>();
        Self([u128::from_le_bytes(halves[0]), u128::from_le_bytes(halves[1])])
    }

    fn to_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(&self.0[0].to_le_bytes());
        bytes[16..].copy_from_slice(&self.0[1].to_le_bytes());
        bytes
    }

    /// With the rows of another one.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        let (low, carry) = self.0[0].overflowing_add(other.0[0]);
        Self([low, self.0[1].wrapping_add(other.0[1]).wrapping_add(carry.into())])
    }

    /// Without the rows of another one.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        let (low, borrow) = self.0[0].overflowing_sub(other.0[0]);
        Self([low, self.0[1].wrapping_sub(other.0[1]).wrapping_sub(borrow.into())])
    }
}

/// What a seal commits to of the sorted entries of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entries {
    /// The field's name.
    pub field: String,
    /// How many there are.
    pub count: u64,
    /// The root over them; see [`entry_leaf`].
    pub root: Hash,
}

/// Pieces that are committed to by a tree: how many there are, and its root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// How many there are.
    pub count: u64,
    /// The root over them.
    pub root: Hash,
}

impl Committed {
    /// Those with these digests.
    pub(crate) fn to(leaves: Vec<Hash>) -> Self {
        Self { count: leaves.len() as u64, root: Tree::new(leaves).root() }
    }

    fn write(&self, writer: &mut Writer) {
        writer.u64(self.count).raw(&self.root);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, crate::wire::Error> {
        Ok(Self { count: reader.u64()?, root: reader.array()? })
    }
}

impl Default for Committed {
    /// To nothing.
    fn default() -> Self {
        Self::to(Vec::new())
    }
}

/// What a seal commits to of a table of sums.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The field's name.
    pub field: String,
    /// How many slots it has: one more than the field has cells.
    pub slots: u32,
    /// The root over them; see [`slot_leaf`].
    pub root: Hash,
}

/// What a provider states of its rows at a place; the head of a seal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seal {
    /// The owner of the records.
    pub owner: Owner,
    /// The provider that signs.
    pub provider: Node,
    /// Where the rows are: the provider's place, or one that it had in an earlier epoch.
    pub place: Node,
    /// Its number, from 1 on.
    pub number: u64,
    /// The digest of the seal before; zeros of the first.
    pub before: [u8; 32],
    /// The last announcement of its authority that the provider has seen.
    pub stamp: Stamp,
    /// The digest of the schema.
    pub schema: [u8; 32],
    /// When it was made, in hours since 1970; 0 if that is not said.
    pub hours: u32,
    /// How many rows there are.
    pub rows: u64,
    /// The sum of their digests.
    pub fingerprint: Fingerprint,
    /// The entries of each field, by name.
    pub entries: Vec<Entries>,
    /// The files, in the order of their records.
    pub files: Committed,
    /// A sum over all rows, hidden by a mask.
    pub total: u128,
    /// The tables, by name.
    pub tables: Vec<Table>,
    /// What stands for the files of keywords.
    pub lines: Committed,
    /// The provider's certificates.
    pub chain: Chain,
}

/// The digest of an entry: its place in the order, and the row that it belongs to.
#[must_use]
pub fn entry_leaf(ciphertext: i64, handle: u128, upload: u128, digest: &[u8; 32]) -> Hash {
    // As a piece of a tree: after a zero.
    let mut bytes = [0; 73];
    bytes[1..9].copy_from_slice(&ciphertext.to_le_bytes());
    bytes[9..25].copy_from_slice(&handle.to_le_bytes());
    bytes[25..41].copy_from_slice(&upload.to_le_bytes());
    bytes[41..].copy_from_slice(digest);
    Sha256::digest(bytes).into()
}

/// The digest of a slot of a table.
#[must_use]
pub fn slot_leaf(slot: u128) -> Hash {
    tree::leaf(&slot.to_le_bytes())
}

/// The tree over the slots of a table.
#[must_use]
pub(crate) fn tree_of(slots: &[u128]) -> Tree {
    Tree::new(slots.iter().copied().map(slot_leaf).collect())
}

impl Seal {
    fn content(&self) -> Writer {
        let mut writer = envelope::of(Kind::Seal, &self.owner);
        self.provider.write(&mut writer);
        self.place.write(&mut writer);
        writer.u64(self.number).raw(&self.before);
        self.stamp.write(&mut writer);
        writer.raw(&self.schema).u32(self.hours).u64(self.rows).raw(&self.fingerprint.to_bytes());
        writer.count(self.entries.len());
        for Entries { field, count, root } in &self.entries {
            writer.text(field).u64(*count).raw(root);
        }
        self.files.write(&mut writer);
        writer
    }

    /// The digest of the content: what masks hang on.
    #[must_use]
    pub fn content_digest(&self) -> [u8; 32] {
        Sha256::digest(self.content().0).into()
    }

    /// What is signed.
    pub(crate) fn head(&self) -> Vec<u8> {
        let mut writer = self.content();
        writer.u128(self.total).count(self.tables.len());
        for Table { field, slots, root } in &self.tables {
            writer.text(field).u32(*slots).raw(root);
        }
        self.lines.write(&mut writer);
        self.chain.write(&mut writer);
        writer.0
    }

    /// What stands for the seal: the digest of what is signed.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.head()).into()
    }

    /// The seal as it travels, with its tables and lines, signed by its provider.
    pub(crate) fn signed<const N: usize>(
        &self,
        (tables, lines): (&[Vec<u128>], &[Line]),
        sign: impl FnOnce(&[u8]) -> [u8; N],
    ) -> Vec<u8> {
        let mut message = self.head();
        let signature = sign(&message);
        let slots: usize = tables.iter().map(Vec::len).sum();
        message.reserve_exact(N + 16 * slots + Line::LENGTH * lines.len());
        message.extend(signature);
        write_tables(&mut message, tables, lines);
        message
    }

    /// Reads a head with its signature, and verifies that the provider it names signed it; returns how many
    /// bytes that are.
    fn read(bytes: &[u8]) -> Result<(Self, usize), Error> {
        let (mut reader, owner) = envelope::open(bytes, Kind::Seal)?;
        let seal = Self::read_head(&mut reader, owner)?;
        envelope::signed(&mut reader, bytes, &owner, &seal.chain, Some(&seal.provider))?;
        Ok((seal, reader.position()))
    }

    /// Reads what [`head`](Self::head) wrote, which whoever keeps it knows to be true.
    pub(crate) fn of_head(bytes: &[u8]) -> Result<Self, Error> {
        let (mut reader, owner) = envelope::open(bytes, Kind::Seal)?;
        let seal = Self::read_head(&mut reader, owner)?;
        reader.end()?;
        Ok(seal)
    }

    fn read_head(reader: &mut Reader<'_>, owner: Owner) -> Result<Self, Error> {
        let (provider, place) = (Node::read(reader)?, Node::read(reader)?);
        let (number, before) = (reader.u64()?, reader.array()?);
        let stamp = Stamp::read(reader)?;
        let (schema, hours, rows) = (reader.array()?, reader.u32()?, reader.u64()?);
        let fingerprint = Fingerprint::from_bytes(&reader.array()?);
        let mut entries: Vec<Entries> = Vec::new();
        for _ in 0..at_most(MOST_FIELDS, "fields of the seal", reader.count(48)?)? {
            let field = name_after(reader, entries.last().map(|last| &last.field))?;
            let (count, root) = (reader.u64()?, reader.array()?);
            if count > rows {
                return Err(reader.fault().into());
            }
            entries.push(Entries { field, count, root });
        }
        let files = Committed::read(reader)?;
        let total = reader.u128()?;
        let mut tables: Vec<Table> = Vec::new();
        for _ in 0..at_most(MOST_FIELDS, "tables of the seal", reader.count(44)?)? {
            let field = name_after(reader, tables.last().map(|last| &last.field))?;
            let (slots, root) = (reader.u32()?, reader.array()?);
            if !(2..=MOST_SLOTS).contains(&slots) {
                return Err(reader.fault().into());
            }
            tables.push(Table { field, slots, root });
        }
        let lines = Committed::read(reader)?;
        if number == 0 || provider.names() != place.names() || rows > u64::from(u32::MAX) {
            return Err(reader.fault().into());
        }
        let chain = Chain::read(reader)?;
        Ok(Self {
            owner,
            provider,
            place,
            number,
            before,
            stamp,
            schema,
            hours,
            rows,
            fingerprint,
            entries,
            files,
            total,
            tables,
            lines,
            chain,
        })
    }

    /// Reads the head of a seal with its signature, and verifies it.
    ///
    /// # Errors
    ///
    /// [`wire::Error::Format`](crate::wire::Error::Format) if the bytes are none, [`Error::TooMany`],
    /// [`Error::Signature`] if it is forged.
    pub fn decode_head(bytes: &[u8]) -> Result<Self, Error> {
        let (seal, length) = Self::read(bytes)?;
        if length == bytes.len() { Ok(seal) } else { Err(fault(length).into()) }
    }

    /// Checks the seal against what its owner announced, at a time in seconds since 1970.
    ///
    /// # Errors
    ///
    /// [`Error::OtherOwner`], [`Error::OtherSchema`], [`Error::Epoch`] if its provider's group has left its
    /// epoch, [`Error::Scope`] if it is of no provider, or of a place that was never its own,
    /// [`Error::Clock`] if it is dated more than [`SKEW`] hours ahead.
    pub fn check(&self, announced: &Announced, now: u64) -> Result<(), Error> {
        announced.serves(WHAT, &self.owner)?;
        announced.indexes(WHAT, &self.schema)?;
        announced.accepts(&self.provider)?;
        if self.provider == Node::root() || !self.provider.held(&self.place) {
            let what = format!("seal rows of {}", self.place);
            return Err(Error::Scope { who: self.provider.to_string(), what });
        }
        let hours = u64::from(self.hours).saturating_sub(now / 3600);
        if hours > SKEW { Err(Error::Clock { hours, most: SKEW }) } else { Ok(()) }
    }

    /// Why this cannot be shown to somebody who has seen another seal of its place; `None` if it can.
    #[must_use]
    pub fn contradicts(&self, seen: &Self) -> Option<String> {
        let (number, before) = (self.number, seen.number);
        if number < before {
            Some(format!("it shows seal {number}, and {before} was seen before"))
        } else if number == before && self.digest() != seen.digest() {
            Some(format!("it shows another seal {number} than the one that was seen before"))
        } else if before.checked_add(1) == Some(number) && self.before != seen.digest() {
            Some(format!(
                "its seal {number} follows another seal than the one that was seen before"
            ))
        } else {
            None
        }
    }

    /// The table of a field.
    #[must_use]
    pub fn table(&self, field: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.field == field)
    }

    /// What is committed to of the entries of a field.
    #[must_use]
    pub fn entries_of(&self, field: &str) -> Option<&Entries> {
        self.entries.iter().find(|entries| entries.field == field)
    }
}

fn write_tables(message: &mut Vec<u8>, tables: &[Vec<u128>], lines: &[Line]) {
    for slot in tables.iter().flatten() {
        message.extend(slot.to_le_bytes());
    }
    for line in lines {
        message.extend(line.id.to_le_bytes());
        message.extend(line.list);
    }
}

/// The name of a field, which comes after another one's.
fn name_after(reader: &mut Reader<'_>, last: Option<&String>) -> Result<String, Error> {
    let name = reader.name()?.to_owned();
    if last.is_some_and(|last| *last >= name) { Err(reader.fault().into()) } else { Ok(name) }
}

fn fault(position: usize) -> crate::wire::Error {
    crate::wire::Error::Format { what: WHAT, position }
}

/// A seal with its tables, as a cloud keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// What was signed.
    pub seal: Seal,
    /// The head with its signature, as it came.
    pub head: Vec<u8>,
    /// The slots of each table.
    pub tables: Vec<Vec<u128>>,
    /// What stands for the files of keywords, ascending.
    pub lines: Vec<Line>,
    /// What stands for the seal.
    pub digest: [u8; 32],
}

impl Sealed {
    /// Reads a seal as it travels, verifies it, and compares its tables and lines with their roots.
    ///
    /// # Errors
    ///
    /// Those of [`Seal::decode_head`]; [`Error::Signature`] too if a table or the lines are not those that
    /// were signed.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let (seal, length) = Seal::read(bytes)?;
        let mut reader = Reader::headless(&bytes[length..], WHAT);
        let mut tables = Vec::with_capacity(seal.tables.len());
        for table in &seal.tables {
            let slots = crate::wire::length(table.slots.into());
            let slots = column(&mut reader, slots, u128::from_le_bytes)?;
            if tree_of(&slots).root() != table.root {
                return Err(Error::Signature { what: WHAT });
            }
            tables.push(slots);
        }
        let mut lines: Vec<Line> = Vec::new();
        while !reader.is_at_end() {
            let line = Line::read(&mut reader)?;
            if lines.last().is_some_and(|last| last.id >= line.id) {
                return Err(reader.fault().into());
            }
            lines.push(line);
        }
        if Committed::to(lines.iter().map(Line::leaf).collect()) != seal.lines {
            return Err(Error::Signature { what: WHAT });
        }
        let digest = seal.digest();
        Ok(Self { seal, head: bytes[..length].to_vec(), tables, lines, digest })
    }

    /// The table of a field.
    #[must_use]
    pub fn slots(&self, field: &str) -> Option<&[u128]> {
        let at = self.seal.tables.iter().position(|table| table.field == field)?;
        self.tables.get(at).map(Vec::as_slice)
    }

    /// The seal as it travelled.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut message = self.head.clone();
        write_tables(&mut message, &self.tables, &self.lines);
        message
    }
}
