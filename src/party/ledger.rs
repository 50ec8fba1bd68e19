//! Ledgers: what a provider knows of the rows and files that it holds at a cloud, and the seals that it
//! makes of them.
//!
//! A ledger has the upload, handle and digest of each live row, and its cell in each field. It grows
//! with the uploads that its keyring makes, and is made again from the cloud's own copy where it was
//! lost, others have sent rows, or an upload never came: each row is opened, so that its author tag
//! shows that this provider wrote it, and all together are held against the total of the last seal, so
//! that none is missing. Of files, see [`shelves`](super::shelves).
//!
//! ```text
//! file = "MOPSELED", version || nonce || AES-256-GCM-SIV(child(provider's key, "leaf", "ledger"), nonce, contents)
//! ```
//!
//! # Cost
//!
//! 48 bytes a row and four a field. A seal is linear in the rows: five AES blocks a row, two and two
//! digests a field, and a sort of the entries.
//!
//! # Leakage
//!
//! A ledger holds the cell of every value: it is as secret as the records, and saved under the
//! provider's key.

use std::collections::BTreeMap;
use std::sync::Arc;

use zeroize::{Zeroize, Zeroizing};

use super::Error;
use super::keyring::Keyring;
use super::leaves::{ALL, Leaves};
use super::opening::indexed_of;
use super::shelves::{NotedFile, Shelf, committed};
use crate::cipher::Cipher;
use crate::cipher::aes_gcm_siv::{self, NONCE_LEN};
use crate::keys::{Key, Purpose, fill_random};
use crate::message;
use crate::message::answer::{Part, rows_of};
use crate::message::catalogue::Line;
use crate::message::place::{Group, Node};
use crate::message::query::{Query, Scope, Selection, Token};
use crate::message::removal::Removal;
use crate::message::seal::{Committed, Entries, Fingerprint, Seal, Table, entry_leaf, tree_of};
use crate::message::sums::{Proof, Row, removed_by};
use crate::message::tree::Tree;
use crate::message::upload::{Portion, Removed, digest_of_row};
use crate::pool;
use crate::scheme::Scheme;
use crate::scheme::mopse::{Handle, Mopse};
use crate::wire::{self, Kind, Reader, SecretWriter, Writer, column, length};

const WHAT: &str = "the ledger";

/// No cell: the row has no value there.
const NONE: u32 = u32::MAX;

/// Rows that one thread takes one after the other.
const ROWS: usize = 1 << 11;

/// Rows that are fetched together.
const TOGETHER: usize = 64;

/// The rows of one upload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Noted {
    upload: u128,
    /// Ascending.
    handles: Vec<Handle>,
    digests: Vec<[u8; 32]>,
    /// For each field of the schema, the cell of each row.
    cells: Vec<Vec<u32>>,
    is_gone: Vec<bool>,
}

impl Drop for Noted {
    /// Cells are as secret as the values.
    fn drop(&mut self) {
        self.cells.zeroize();
    }
}

/// The last seal of a ledger.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Last {
    number: u64,
    digest: [u8; 32],
}

/// The live rows of a provider at its present place, and its files there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    uploads: Vec<Noted>,
    pub(super) files: Vec<NotedFile>,
    last: Last,
    /// The digests of all seals that were made, by number.
    trail: BTreeMap<u64, [u8; 32]>,
}

impl Ledger {
    /// How many rows there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        let live = |noted: &Noted| noted.is_gone.iter().filter(|gone| !**gone).count();
        self.uploads.iter().map(live).sum()
    }

    /// The digests of the seals that were made, by number.
    #[must_use]
    pub fn trail(&self) -> &BTreeMap<u64, [u8; 32]> {
        &self.trail
    }

    /// Takes rows out, by ascending handles, as far as they are there.
    fn remove(&mut self, handles: &[Handle]) {
        for Noted { handles: here, is_gone, .. } in &mut self.uploads {
            // Of two sorted lists, the shorter one is looked up in the other.
            if here.len() <= handles.len() {
                for (handle, is_gone) in here.iter().zip(is_gone) {
                    *is_gone |= handles.binary_search(handle).is_ok();
                }
            } else {
                for at in handles.iter().filter_map(|handle| here.binary_search(handle).ok()) {
                    is_gone[at] = true;
                }
            }
        }
    }

    /// Forgets what is gone.
    fn settle(&mut self) {
        for noted in &mut self.uploads {
            if !noted.is_gone.contains(&true) {
                continue;
            }
            let Noted { handles, digests, cells, is_gone, .. } = noted;
            keep(handles, is_gone);
            keep(digests, is_gone);
            cells.iter_mut().for_each(|cells| keep(cells, is_gone));
            *is_gone = vec![false; handles.len()];
        }
        self.uploads.retain(|noted| !noted.handles.is_empty());
    }

    fn write(&self) -> Zeroizing<Vec<u8>> {
        let mut writer: SecretWriter = Writer::headless_secret();
        writer.u64(self.last.number).raw(&self.last.digest);
        writer.count(self.trail.len());
        for (number, digest) in &self.trail {
            writer.u64(*number).raw(digest);
        }
        writer.count(self.uploads.len());
        for noted in &self.uploads {
            writer.u128(noted.upload).count(noted.handles.len()).count(noted.cells.len());
            for (at, handle) in noted.handles.iter().enumerate() {
                writer.u128(*handle).raw(&noted.digests[at]).u8(noted.is_gone[at].into());
            }
            for cell in noted.cells.iter().flatten() {
                writer.u32(*cell);
            }
        }
        writer.count(self.files.len());
        self.files.iter().for_each(|file| file.write(&mut writer));
        writer.0
    }

    fn read(bytes: &[u8], fields: usize) -> Result<Self, wire::Error> {
        let mut reader = Reader::headless(bytes, WHAT);
        let last = Last { number: reader.u64()?, digest: reader.array()? };
        let trail = (0..reader.count(40)?).map(|_| Ok((reader.u64()?, reader.array()?)));
        let trail = trail.collect::<Result<_, wire::Error>>()?;
        let mut uploads = Vec::new();
        for _ in 0..reader.count(32)? {
            let (upload, count) = (reader.u128()?, reader.count(49)?);
            if reader.u64()? != fields as u64 {
                return Err(reader.fault());
            }
            let mut noted = Noted::default();
            noted.upload = upload;
            for _ in 0..count {
                noted.handles.push(reader.u128()?);
                noted.digests.push(reader.array()?);
                noted.is_gone.push(reader.u8()? == 1);
            }
            for _ in 0..fields {
                noted.cells.push(column(&mut reader, count, u32::from_le_bytes)?);
            }
            uploads.push(noted);
        }
        let files = (0..reader.count(NotedFile::LEAST)?).map(|_| NotedFile::read(&mut reader));
        let files = files.collect::<Result<_, _>>()?;
        reader.end()?;
        Ok(Self { uploads, files, last, trail })
    }
}

/// Keeps the items that are not gone.
fn keep<T>(items: &mut Vec<T>, is_gone: &[bool]) {
    let mut gone = is_gone.iter();
    items.retain(|_| gone.next().is_some_and(|gone| !gone));
}

/// What an upload adds to a ledger: plaintexts by field, each with its rows as they stand in the table.
pub(super) struct Added<'a> {
    pub upload: u128,
    pub handles: &'a [Handle],
    pub portions: &'a [Portion],
    /// Which row of the upload each row of the table is.
    pub numbers: &'a [u32],
    /// Field, rows of the table, plaintexts.
    pub indexed: Vec<(&'a str, &'a [u32], &'a [i64])>,
}

impl Keyring {
    /// Whether a ledger is kept: a field is to be proven.
    #[must_use]
    pub fn keeps_ledger(&self) -> bool {
        !self.proven.is_empty()
    }

    /// Notes what an upload does to the rows at the present place.
    pub(super) fn note(&self, added: Option<&Added<'_>>, removed: &[Removed]) -> Result<(), Error> {
        if !self.keeps_ledger() {
            // What was made of the cloud's copy is not up to date any more.
            *self.ledger.write()? = None;
            return Ok(());
        }
        let noted = added.map(|added| self.noted(added));
        let mut ledger = self.ledger.write()?;
        let Some(ledger) = ledger.as_mut() else { return Ok(()) };
        for of in removed.iter().filter(|of| of.provider == self.node) {
            let handles: Vec<Handle> = of.rows.iter().map(|(handle, _)| *handle).collect();
            ledger.remove(&handles);
        }
        if let Some(noted) = noted {
            // An upload that is made again takes the place of the one that was thrown away.
            ledger.remove(&noted.handles);
            ledger.uploads.push(noted);
        }
        Ok(())
    }

    fn noted(&self, added: &Added<'_>) -> Noted {
        let count = added.handles.len();
        let digests = pool::map(count, 64, |row| digest_of_row(added.portions, row));
        let cells = self.schema.fields().iter().map(|(name, field)| {
            let mut cells = vec![NONE; count];
            let of_field = added.indexed.iter().filter(|(field, _, _)| field == name);
            for (_, rows, plaintexts) in of_field {
                for (&row, &plaintext) in rows.iter().zip(*plaintexts) {
                    let number = added.numbers.get(length(row.into())).copied().unwrap_or(row);
                    if let Some(cell) = cells.get_mut(length(number.into())) {
                        let of = plaintext.cast_unsigned() / field.cell();
                        *cell = u32::try_from(of).unwrap_or(NONE);
                    }
                }
            }
            cells
        });
        Noted {
            upload: added.upload,
            handles: added.handles.to_vec(),
            digests,
            cells: cells.collect(),
            is_gone: vec![false; count],
        }
    }

    /// Seals the rows of the ledger, at a time in seconds since 1970.
    ///
    /// # Errors
    ///
    /// [`Error::NoLedger`] if there is none, [`message::Error::Scope`] for the owner.
    pub fn seal(&self, now: u64) -> Result<Vec<u8>, Error> {
        if self.node == Node::root() {
            return Err(self.out_of_reach("seal records of its own".to_owned()));
        }
        let mut ledger = self.ledger.write()?;
        let ledger = ledger.as_mut().ok_or(Error::NoLedger)?;
        ledger.settle();
        let (seal, tables, lines) = self.sealed(&self.node, ledger, now)?;
        let message = seal.signed((&tables, &lines), |head| self.sign(head));
        ledger.last = Last { number: seal.number, digest: seal.digest() };
        ledger.trail.insert(ledger.last.number, ledger.last.digest);
        Ok(message)
    }

    /// The seal of a ledger's rows and files at the present place, or of files alone at an earlier one; with
    /// its tables and lines.
    #[expect(clippy::type_complexity, reason = "a seal and what travels with it")]
    fn sealed(
        &self,
        place: &Node,
        ledger: &Ledger,
        now: u64,
    ) -> Result<(Seal, Vec<Vec<u128>>, Vec<Line>), Error> {
        let group = Group::of(place).ok_or_else(|| self.out_of_reach("a group".to_owned()))?;
        let mut rows: Vec<Row> = Vec::with_capacity(ledger.rows());
        for noted in &ledger.uploads {
            let of = noted.handles.iter().zip(&noted.digests);
            rows.extend(of.map(|(&handle, &digest)| Row { upload: noted.upload, handle, digest }));
        }
        let prints = pool::map_chunks(&rows, ROWS, |_, rows| {
            let of = |row: &Row| Fingerprint::of(row.upload, row.handle, &row.digest);
            rows.iter().map(of).fold(Fingerprint::default(), Fingerprint::with)
        });
        let fingerprint = prints.into_iter().fold(Fingerprint::default(), Fingerprint::with);
        let fields = self.schema.fields();
        let of_field = |at: usize| -> Result<(Entries, Vec<u32>), Error> {
            let mut cells = Vec::with_capacity(rows.len());
            ledger.uploads.iter().for_each(|noted| {
                cells.extend(noted.cells.get(at).into_iter().flatten());
            });
            let name = &fields[at].0;
            Ok((entries_of(&self.mopse(name)?, name, &rows, &cells)?, cells))
        };
        let of_fields = pool::map(fields.len(), 2, of_field).into_iter();
        let (mut entries, cells_of): (Vec<Entries>, Vec<Vec<u32>>) =
            of_fields.collect::<Result<_, Error>>()?;
        entries.sort_by(|one, other| one.field.cmp(&other.field));
        let hours = if self.seed.is_some() { 0 } else { now / 3600 };
        let mut seal = Seal {
            owner: self.owner,
            provider: self.node.clone(),
            place: place.clone(),
            number: ledger.last.number.saturating_add(1),
            before: ledger.last.digest,
            stamp: self.standing.stamp,
            schema: self.schema.digest(),
            hours: u32::try_from(hours).unwrap_or(u32::MAX),
            rows: rows.len() as u64,
            fingerprint,
            entries,
            files: committed(&ledger.files),
            total: 0,
            tables: Vec::new(),
            lines: Committed::default(),
            chain: self.chain.clone(),
        };
        let content = seal.content_digest();
        let mut proven: Vec<&str> = self.proven.iter().map(String::as_str).collect();
        proven.sort_unstable();
        let leaves = Leaves::new(&self.key_of(place)?, proven.iter().copied().chain([ALL]));
        let blocks = leaves.rows(&rows);
        seal.total = leaves
            .masks(ALL, &content, [0])
            .into_iter()
            .fold(leaves.sum(ALL, &blocks), u128::wrapping_add);
        let table_of = |at: usize| -> Result<(Table, Vec<u128>), Error> {
            let field = proven[at];
            let position = self.field(field)?;
            let cells = self.schema.fields()[position].1.cells();
            let mut steps = vec![0_u128; length(cells)];
            for (leaf, cell) in leaves.of(field, &blocks).into_iter().zip(&cells_of[position]) {
                if let Some(step) = steps.get_mut(length((*cell).into())) {
                    *step = step.wrapping_add(leaf);
                }
            }
            let masks = leaves.masks(field, &content, 0..=cells);
            let slots = self.slots(&group, position)?;
            let mut table = vec![0; slots.len()];
            let mut total = 0_u128;
            for (at, (mask, &slot)) in masks.into_iter().zip(slots.iter()).enumerate() {
                table[length(slot.into())] = total.wrapping_add(mask);
                total = total.wrapping_add(steps.get(at).copied().unwrap_or(0));
            }
            let slots = u32::try_from(table.len()).unwrap_or(u32::MAX);
            let root = tree_of(&table).root();
            Ok((Table { field: field.to_owned(), slots, root }, table))
        };
        let made = pool::map(proven.len(), 2, table_of).into_iter();
        let (of, tables): (Vec<Table>, Vec<Vec<u128>>) = made.collect::<Result<_, Error>>()?;
        seal.tables = of;
        let lines = self.lines(place, &ledger.files, &content)?;
        seal.lines = Committed::to(lines.iter().map(Line::leaf).collect());
        Ok((seal, tables, lines))
    }

    /// States of each earlier place that no row is there any more, and which files are, continuing the seals
    /// that a cloud shows with the answer to [`renewal`](Self::renewal).
    ///
    /// # Errors
    ///
    /// [`message::Error::Signature`] if a seal is forged, [`message::Error::Proof`] if it is another's, or
    /// the files of a place are not shown.
    pub fn seal_left(
        &self,
        proof: &Proof,
        shelves: &[&Shelf],
        now: u64,
    ) -> Result<Vec<Vec<u8>>, Error> {
        let heads = proof.heads.iter().map(|head| Seal::decode_head(head));
        let heads = heads.collect::<Result<Vec<_>, _>>()?;
        if heads.iter().any(|head| head.owner != self.owner || !self.node.held(&head.place)) {
            return Err(unproven("a seal is of another provider"));
        }
        let is_removed = self.is_removed(proof)?;
        let mut seals = Vec::new();
        for place in self.places().filter(|place| **place != self.node) {
            let head = heads.iter().find(|head| head.place == *place);
            let Some(shelf) = shelves.iter().find(|shelf| shelf.place == *place) else {
                return Err(unproven("the cloud does not show the files of each earlier epoch"));
            };
            if !is_removed {
                shelf.check(place, head.map(Seal::digest))?;
                if head.is_some_and(|head| head.rows == 0 && shelf.is_stated(head)) {
                    continue;
                }
            }
            let last = head.map_or_else(Last::default, |head| Last {
                number: head.number,
                digest: head.digest(),
            });
            let ledger = Ledger { last, files: shelf.files.clone(), ..Ledger::default() };
            let (seal, tables, lines) = self.sealed(place, &ledger, now)?;
            seals.push(seal.signed((&tables, &lines), |head| self.sign(head)));
        }
        Ok(seals)
    }

    /// Asks for all rows of the present place, with what proves them, to make a ledger of.
    ///
    /// # Errors
    ///
    /// [`message::Error::Scope`] for the owner, who has none.
    pub fn holdings(&self, expiry: u64) -> Result<Vec<u8>, Error> {
        let Some(group) = Group::of(&self.node) else {
            return Err(self.out_of_reach("records of its own".to_owned()));
        };
        let name = self.node.names().last().cloned().unwrap_or_default();
        self.signed_query(vec![(group, Scope::One(name))], |_| Ok(Selection::All), expiry)
    }

    /// Makes the ledger of all rows and files that a cloud shows, once they were held against the last seal.
    ///
    /// # Errors
    ///
    /// Those of opening the records; [`message::Error::Proof`] if they are not all that was sealed, or the
    /// seal is older than one that is known here.
    pub fn make_ledger(
        &self,
        (parts, shelf): (&[&Part], &Shelf),
        proof: &Proof,
        query: &Query,
    ) -> Result<usize, Error> {
        let [token] = query.tokens.as_slice() else {
            return Err(unproven("it is of another query"));
        };
        let mut ledger = Ledger::default();
        if let Some(known) = self.ledger.read()?.as_ref() {
            ledger.trail.clone_from(&known.trail);
        }
        for part in parts.iter().filter(|part| !part.handles.is_empty()) {
            let rows = self.rows_of(part)?;
            let indexed = indexed_of(&rows, &self.schema)?;
            let numbers: Vec<u32> =
                (0..u32::try_from(part.handles.len()).unwrap_or(NONE)).collect();
            let indexed = indexed.iter().map(|(field, rows, plaintexts)| {
                (field.as_str(), rows.as_slice(), plaintexts.as_slice())
            });
            let added = Added {
                upload: part.upload,
                handles: &part.handles,
                portions: &part.portions,
                numbers: &numbers,
                indexed: indexed.collect(),
            };
            ledger.uploads.push(self.noted(&added));
        }
        let last = self.check_holdings(token, parts, proof)?;
        let shown = proof.heads.first().map(|head| Seal::decode_head(head)).transpose()?;
        if !self.is_removed(proof)? {
            shelf.check(&self.node, shown.map(|head| head.digest()))?;
        }
        ledger.files.clone_from(&shelf.files);
        if let Some(last) = last {
            ledger.last = last;
            ledger.trail.insert(last.number, last.digest);
        }
        let rows = ledger.rows();
        *self.ledger.write()? = Some(ledger);
        Ok(rows)
    }

    /// Holds the rows that a cloud shows against the last seal that it shows, and takes note of that;
    /// returns the seal that the next one follows.
    fn check_holdings(
        &self,
        token: &Token,
        parts: &[&Part],
        proof: &Proof,
    ) -> Result<Option<Last>, Error> {
        let seen = self.seals.of(&self.owner, &self.node)?.map(|seal| (seal.number, seal.digest()));
        let made = self.ledger.read()?.as_ref().map(|ledger| ledger.last);
        let made = made.filter(|last| last.number > 0).map(|last| (last.number, last.digest));
        let is_empty = parts.iter().all(|part| part.handles.is_empty());
        let head = match proof.heads.as_slice() {
            // What was made here may never have come, and what was removed has no seal; numbers go on.
            [] if seen.is_none() || is_empty && self.is_removed(proof)? => {
                let newest = seen.max(made);
                return Ok(newest.map(|(number, digest)| Last { number, digest }));
            }
            [head] => Seal::decode_head(head)?,
            _ => return Err(unproven("it does not show the newest seal of this provider")),
        };
        if head.owner != self.owner || head.place != self.node || head.provider != self.node {
            return Err(unproven("the seal is of another provider"));
        }
        let last = Last { number: head.number, digest: head.digest() };
        if self.is_removed(proof)? {
            // What it sealed is gone, and its numbers go on from the newest that anybody may have seen.
            let newest = seen.max(made).filter(|(number, _)| *number > last.number);
            return Ok(Some(newest.map_or(last, |(number, digest)| Last { number, digest })));
        }
        if seen.is_some_and(|(number, digest)| {
            head.number < number || head.number == number && head.digest() != digest
        }) {
            return Err(unproven("it does not show the newest seal of this provider"));
        }
        let name = self.node.names().last().cloned().unwrap_or_default();
        let places = BTreeMap::from([(name.clone(), self.node.clone())]);
        let shown = proof.evidence.iter().map(|of| of.verify()).collect::<Result<Vec<_>, _>>()?;
        let [of] = proof.tokens.as_slice() else { return Err(unproven("it is of another query")) };
        let hits = rows_of(token, parts);
        let claimed = of.claimed((&self.owner, token), &hits, &places, &shown)?;
        if let Some(why) = claimed.faults.values().next() {
            return Err(unproven(why));
        }
        let rows = claimed.ranges.first().and_then(|range| range.get(&name));
        let leaves = Leaves::new(&self.key, [ALL]);
        let sum = leaves.sum(ALL, &leaves.rows(rows.map_or(&[], Vec::as_slice)));
        let masks = leaves.masks(ALL, &head.content_digest(), [0]);
        if masks.into_iter().fold(sum, u128::wrapping_add) != head.total {
            return Err(unproven("rows that were sealed are missing, or others are there"));
        }
        self.seals.see(Arc::new(head))?;
        Ok(Some(last))
    }

    /// Whether somebody above had all of this provider removed, and it has not sealed since.
    fn is_removed(&self, proof: &Proof) -> Result<bool, Error> {
        let removals = proof.removals.iter().map(|removal| Removal::decode(removal));
        let removals = removals.collect::<Result<Vec<_>, _>>()?;
        Ok(removed_by(&removals, &self.owner, &self.node).is_some())
    }

    /// The ledger as a file, under the provider's key; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`keys::Error::Randomness`](crate::keys::Error::Randomness).
    pub fn save_ledger(&self) -> Result<Option<Vec<u8>>, Error> {
        let ledger = self.ledger.read()?;
        let Some(ledger) = ledger.as_ref() else { return Ok(None) };
        let mut nonce = [0; NONCE_LEN];
        fill_random(&mut nonce)?;
        let mut file = Writer::new(Kind::Ledger);
        file.raw(&nonce);
        let sealed =
            aes_gcm_siv::under(&ledger_key(&self.key)).seal(&nonce, &file.0, &ledger.write())?;
        file.raw(&sealed);
        Ok(Some(file.0))
    }

    /// Takes a ledger over from a file.
    ///
    /// # Errors
    ///
    /// [`Error::Damaged`] if it is not what [`save_ledger`](Self::save_ledger) wrote for this provider.
    pub fn open_ledger(&self, file: &[u8]) -> Result<(), Error> {
        let damaged = || Error::Damaged { what: WHAT };
        let mut reader = Reader::new(file, Kind::Ledger)?;
        let nonce: [u8; NONCE_LEN] = reader.array()?;
        let (head, sealed) = file.split_at(reader.position());
        let opened = aes_gcm_siv::under(&ledger_key(&self.key)).open(&nonce, head, sealed);
        let contents = Zeroizing::new(opened.map_err(|_| damaged())?);
        let ledger = Ledger::read(&contents, self.schema.fields().len()).map_err(|_| damaged())?;
        *self.ledger.write()? = Some(ledger);
        Ok(())
    }

    /// The number and digest of every seal that this provider is known to have made, by number.
    ///
    /// # Errors
    ///
    /// [`Error::Forked`].
    pub fn seal_trail(&self) -> Result<Vec<(u64, [u8; 32])>, Error> {
        let ledger = self.ledger.read()?;
        let trail = ledger.as_ref().map(|ledger| ledger.trail.clone()).unwrap_or_default();
        Ok(trail.into_iter().collect())
    }
}

fn ledger_key(provider: &Key) -> Key {
    provider.child(Purpose::Leaf, b"ledger", 0)
}

pub(super) fn unproven(why: &str) -> Error {
    message::Error::Proof { why: why.to_owned() }.into()
}

/// The sorted entries of a field, committed to.
fn entries_of(mopse: &Mopse, field: &str, rows: &[Row], cells: &[u32]) -> Result<Entries, Error> {
    let numbers: Vec<u32> =
        (0_u32..).zip(cells).filter(|(_, cell)| **cell != NONE).map(|(number, _)| number).collect();
    let at = |number: u32| length(number.into());
    let width = i64::try_from(mopse.cell()).unwrap_or(i64::MAX);
    let plaintexts: Vec<i64> =
        numbers.iter().map(|&number| i64::from(cells[at(number)]) * width).collect();
    let handles: Vec<Handle> = numbers.iter().map(|&number| rows[at(number)].handle).collect();
    let mut ciphertexts = vec![0; plaintexts.len()];
    mopse.encrypt_batch(&plaintexts, &handles, &mut ciphertexts)?;
    let mut sorted: Vec<(i64, Handle, u32)> = ciphertexts
        .into_iter()
        .zip(handles)
        .zip(numbers)
        .map(|((ciphertext, handle), number)| (ciphertext, handle, number))
        .collect();
    pool::sort(&mut sorted);
    let leaves = pool::map_chunks(&sorted, ROWS, |_, sorted| {
        let mut leaves = Vec::with_capacity(sorted.len());
        for some in sorted.chunks(TOGETHER) {
            // Rows lie anywhere: fetched together, they are waited for together.
            let found: Vec<Row> = some.iter().map(|&(_, _, number)| rows[at(number)]).collect();
            leaves.extend(some.iter().zip(found).map(|(&(ciphertext, handle, _), row)| {
                entry_leaf(ciphertext, handle, row.upload, &row.digest)
            }));
        }
        leaves
    });
    let root = Tree::new(leaves.concat()).root();
    Ok(Entries { field: field.to_owned(), count: sorted.len() as u64, root })
}
