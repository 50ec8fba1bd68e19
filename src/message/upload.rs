//! Uploads: what a provider sends and what the cloud keeps of it.
//!
//! An upload adds rows and removes rows of one provider, whole or not at all. What is signed is a short
//! head, which commits to the rest by its length and digest:
//!
//! ```text
//! head = owner, provider, id, stamp, schema, readers' epoch, time, portions, length, digest, certificates
//! body = handles, ascending                                      one per row that is added
//!        for each portion: ends of the sealed records, sealed records        opaque
//!        replaced: number of the row, version                    rows that replace others
//!        removed: provider and epochs, handles, versions         rows that leave nothing but a tombstone
//!        for each field: ciphertexts, ascending; number of the row           the run
//! upload = head || signature || body,   digest: see `tree`
//! ```
//!
//! **Versions.** A row has the version that its last upload gave it, and every change names the one that
//! it replaces: adding names none, or the tombstone that a removal left.
//!
//! ```text
//! H(row)  = SHA-256(SHA-256(sealed portion) for each portion in order),   32 zeros for a tombstone
//! version = SHA-256("MOPSEVER" || upload id || handle || H(row))[..16]
//! ```
//!
//! So no change is lost, and a copy that was held back brings nothing back. Uploads have random ids and
//! no order: each is taken once, in whatever order they come.
//!
//! Records stand in the order of their handles, which are pseudo-random, so that the order of the
//! provider's table does not show. An upload that is cut, unsorted or inconsistent is refused whole.
//!
//! # Leakage
//!
//! How many records and entries there are, which record lacks a value, the size of each record,
//! which entries belong to one record, and when the upload came. Of changes: which records were
//! changed or removed and when, the old and the new place in each index, and that both belong to one
//! record.

use std::collections::HashSet;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::Error;
use super::announcement::Announced;
use super::certificate::{Chain, Owner};
use super::limits::{LONGEST_LAYOUT, MOST_FIELDS, MOST_PLACES, MOST_PORTIONS, at_most};
use super::place::{Epoch, Node, Stamp};
use super::{envelope, tree};
use crate::wire::{self, Blobs, Kind, Reader, Writer, column};

const WHAT: &str = "the upload";

/// Hours that a provider's clock may be ahead of the cloud's.
pub const SKEW: u64 = 48;

/// What a row was when it was last changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Version(pub u128);

impl Version {
    /// The version of a row that an upload brought, with the digest of its sealed portions.
    #[must_use]
    pub fn new(upload: u128, handle: u128, digest: &[u8; 32]) -> Self {
        let mut writer = Writer::default();
        writer.raw(b"MOPSEVER").u128(upload).u128(handle).raw(digest);
        let digest: [u8; 32] = Sha256::digest(writer.0).into();
        let (halves, _) = digest.as_chunks();
        Self(u128::from_le_bytes(halves[0]))
    }

    /// The version of the tombstone that an upload left of a row.
    #[must_use]
    pub fn of_tombstone(upload: u128, handle: u128) -> Self {
        Self::new(upload, handle, &[0; 32])
    }
}

/// A portion of the records of an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Portion {
    /// Its name.
    pub name: String,
    /// The names and types of its columns, sealed.
    pub layout: Vec<u8>,
    /// What is sealed of each record.
    pub records: Blobs,
}

impl Portion {
    /// The same portion of some of the records.
    #[must_use]
    pub fn of_rows(&self, rows: &[usize]) -> Self {
        let mut records = Blobs::default();
        rows.iter().for_each(|&row| records.push(self.records.get(row)));
        Self { name: self.name.clone(), layout: self.layout.clone(), records }
    }
}

/// The digest of a row: of what is sealed of it in each portion.
#[must_use]
pub fn digest_of_row(portions: &[Portion], row: usize) -> [u8; 32] {
    let mut digest = Sha256::new();
    for portion in portions {
        digest.update(Sha256::digest(portion.records.get(row)));
    }
    digest.finalize().into()
}

/// A row that replaces an older version of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replaced {
    /// Which row of the upload, counted from 0.
    pub row: u32,
    /// The version that it replaces.
    pub version: Version,
}

/// Rows of one provider that are removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// The sender, or the same in an earlier epoch.
    pub provider: Node,
    /// The handles, ascending, and the version of each.
    pub rows: Vec<(u128, Version)>,
}

/// One provider's changes of its records, and the runs that index what is new. Clones share them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// The owner of the records.
    pub owner: Owner,
    /// The provider that sends them.
    pub provider: Node,
    /// A random number.
    pub id: u128,
    /// The last announcement of its authority that the provider has seen.
    pub stamp: Stamp,
    /// The digest of the schema that the fields are of.
    pub schema: [u8; 32],
    /// The readers' epoch that the records are sealed in.
    pub readers: Epoch,
    /// When it was made, in hours since 1970; 0 if that is not said.
    pub hours: u32,
    /// Pseudonyms of the records, ascending.
    pub handles: Arc<Vec<u128>>,
    /// The sealed records.
    pub portions: Arc<Vec<Portion>>,
    /// Which rows replace others, ascending.
    pub replaced: Arc<Vec<Replaced>>,
    /// Which rows are removed.
    pub removed: Arc<Vec<Removed>>,
    /// The entries of each field.
    pub runs: Arc<Vec<Run>>,
    /// The provider's certificates.
    pub chain: Chain,
    /// What stands for the upload: the digest of what was signed.
    pub digest: [u8; 32],
}

/// One provider's entries of one field, as they came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The field's name.
    pub field: String,
    /// Ciphertexts in ascending order.
    pub ciphertexts: Vec<i64>,
    /// Which record of the upload each belongs to, counted from 0.
    pub records: Vec<u32>,
}

impl Upload {
    /// The upload as it travels, signed by its provider.
    pub(crate) fn signed<const N: usize>(&self, sign: impl FnOnce(&[u8]) -> [u8; N]) -> Vec<u8> {
        let body = self.body();
        let mut message = self.head(&body);
        let signature = sign(&message);
        message.reserve_exact(N + body.len());
        message.extend(signature);
        message.extend(body);
        message
    }

    fn head(&self, body: &[u8]) -> Vec<u8> {
        let mut writer = envelope::of(Kind::Upload, &self.owner);
        self.provider.write(&mut writer);
        writer.u128(self.id);
        self.stamp.write(&mut writer);
        writer.raw(&self.schema);
        self.readers.write(&mut writer);
        writer.u32(self.hours).count(self.portions.len());
        for portion in self.portions.iter() {
            writer.text(&portion.name).bytes(&portion.layout);
        }
        writer.count(body.len()).raw(&tree::root(body));
        self.chain.write(&mut writer);
        writer.0
    }

    fn body(&self) -> Vec<u8> {
        let mut writer = Writer(Vec::with_capacity(self.size()));
        writer.count(self.handles.len());
        self.handles.iter().for_each(|&handle| {
            writer.u128(handle);
        });
        self.portions.iter().for_each(|portion| portion.records.write(&mut writer));
        self.write_changes(&mut writer);
        writer.count(self.runs.len());
        for run in self.runs.iter() {
            writer.text(&run.field).count(run.ciphertexts.len());
            run.ciphertexts.iter().for_each(|&ciphertext| {
                writer.i64(ciphertext);
            });
            run.records.iter().for_each(|&record| {
                writer.u32(record);
            });
        }
        writer.0
    }

    /// About how many bytes the body has.
    fn size(&self) -> usize {
        let portions = self.portions.iter().map(|portion| portion.records.size());
        let entries = self.runs.iter().map(|run| 12 * run.ciphertexts.len() + 64);
        let removed = self.removed.iter().map(|removed| 32 * removed.rows.len() + 512);
        (16 + 8 * self.portions.len()) * self.handles.len()
            + 20 * self.replaced.len()
            + portions.chain(entries).chain(removed).sum::<usize>()
            + 64
    }

    /// Where in the body the rows are told that are replaced and removed: from, up to, and how many bytes
    /// the body has.
    pub(crate) fn changes_at(&self) -> (usize, usize, usize) {
        let records = |portion: &Portion| 16 + 8 * portion.records.len() + portion.records.size();
        let from = 8 + 16 * self.handles.len() + self.portions.iter().map(records).sum::<usize>();
        let mut writer = Writer::default();
        self.write_changes(&mut writer);
        let to = from + writer.0.len();
        let run = |run: &Run| 16 + run.field.len() + 12 * run.ciphertexts.len();
        (from, to, to + 8 + self.runs.iter().map(run).sum::<usize>())
    }

    fn write_changes(&self, writer: &mut Writer) {
        writer.count(self.replaced.len());
        for Replaced { row, version } in self.replaced.iter() {
            writer.u32(*row).u128(version.0);
        }
        writer.count(self.removed.len());
        for Removed { provider, rows } in self.removed.iter() {
            provider.write(writer);
            writer.count(rows.len());
            for (handle, version) in rows {
                writer.u128(*handle).u128(version.0);
            }
        }
    }

    /// Reads an upload, checks that it is whole and consistent, and verifies that the provider it
    /// names signed it.
    ///
    /// # Errors
    ///
    /// [`wire::Error::Format`] if the bytes are no upload, [`Error::TooMany`], [`Error::UnsortedRun`],
    /// [`Error::NegativeCiphertext`] or [`Error::Run`] if a run is faulty, [`Error::Signature`] if it
    /// is forged, [`Error::Scope`] if it removes what is not the provider's.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let (head, position) = Head::read(bytes)?;
        let body = &bytes[position..];
        if head.length != body.len() as u64 {
            return Err(wire::Error::Format { what: WHAT, position }.into());
        }
        if head.root != tree::root(body) {
            return Err(Error::Signature { what: WHAT });
        }
        let Head { owner, provider, id, stamp, schema, readers, hours, portions, .. } = head;
        let (chain, digest, heads) = (head.chain, head.digest, portions);
        let Body { handles, portions, replaced, removed, runs } = Body::read(body, heads)?;
        let upload = Self {
            owner,
            provider,
            id,
            stamp,
            schema,
            readers,
            hours,
            handles: Arc::new(handles),
            portions: Arc::new(portions),
            replaced: Arc::new(replaced),
            removed: Arc::new(removed),
            runs: Arc::new(runs),
            chain,
            digest,
        };
        upload.check_removed()?;
        Ok(upload)
    }

    /// Checks that what is removed is the provider's own, in some epoch.
    fn check_removed(&self) -> Result<(), Error> {
        let own = self.provider.names();
        match self.removed.iter().find(|removed| removed.provider.names() != own) {
            None => Ok(()),
            Some(Removed { provider, .. }) => {
                let (who, what) = (self.provider.to_string(), format!("remove rows of {provider}"));
                Err(Error::Scope { who, what })
            }
        }
    }

    /// An upload of columns that were verified before, as a store that lasts has them.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] for a column of another length, [`Error::Handle`], and those of
    /// [`decode`](Self::decode) for a run.
    #[expect(clippy::too_many_arguments, reason = "the columns of an upload")]
    pub fn new(
        owner: Owner,
        provider: Node,
        id: u128,
        schema: [u8; 32],
        readers: Epoch,
        handles: Vec<u128>,
        portions: Vec<Portion>,
        runs: Vec<Run>,
    ) -> Result<Self, Error> {
        check_handles(&handles)?;
        for portion in &portions {
            let (expected, got) = (handles.len(), portion.records.len());
            if expected != got {
                return Err(Error::Length { what: "the list of sealed records", expected, got });
            }
        }
        let mut checks = Checks::new(handles.len());
        for run in &runs {
            let (expected, got) = (run.ciphertexts.len(), run.records.len());
            if expected != got {
                return Err(Error::Length { what: "the records of a run", expected, got });
            }
            if !checks.run(run)? {
                return Err(Error::Run { field: run.field.clone(), position: 0 });
            }
        }
        Ok(Self {
            owner,
            provider,
            id,
            stamp: Stamp::default(),
            schema,
            readers,
            hours: 0,
            handles: Arc::new(handles),
            portions: Arc::new(portions),
            replaced: Arc::default(),
            removed: Arc::default(),
            runs: Arc::new(runs),
            chain: Chain::default(),
            digest: [0; 32],
        })
    }

    /// Checks the upload against what its owner announced, at a time in seconds since 1970.
    ///
    /// # Errors
    ///
    /// [`Error::OtherOwner`], [`Error::OtherSchema`], [`Error::Epoch`], [`Error::Readers`] if it is sealed
    /// in another readers' epoch than the announced one, [`Error::Clock`] if it is dated more than
    /// [`SKEW`] hours ahead, [`Error::Scope`] if it is of no provider.
    pub fn check(&self, announced: &Announced, now: u64) -> Result<(), Error> {
        let Self { owner, provider, schema, readers, hours, .. } = self;
        check((owner, provider, schema, readers, *hours), announced, now)
    }
}

/// Owner, provider, digest of the schema, readers' epoch, hours since 1970.
pub(super) type Stated<'a> = (&'a Owner, &'a Node, &'a [u8; 32], &'a Epoch, u32);

/// Checks what an upload states, as [`Upload::check`] says.
pub(super) fn check(
    (owner, provider, schema, readers, hours): Stated<'_>,
    announced: &Announced,
    now: u64,
) -> Result<(), Error> {
    announced.serves(WHAT, owner)?;
    announced.indexes(WHAT, schema)?;
    announced.accepts(provider)?;
    if *provider == Node::root() {
        let what = "send uploads".to_owned();
        return Err(Error::Scope { who: provider.to_string(), what });
    }
    announced.seals(provider, readers)?;
    let hours = u64::from(hours).saturating_sub(now / 3600);
    if hours > SKEW { Err(Error::Clock { hours, most: SKEW }) } else { Ok(()) }
}

/// What of an upload is signed.
pub(crate) struct Head {
    pub owner: Owner,
    pub provider: Node,
    /// The upload's number.
    pub id: u128,
    stamp: Stamp,
    /// The digest of the schema.
    pub schema: [u8; 32],
    /// The readers' epoch that the records are sealed in.
    pub readers: Epoch,
    /// When it was made, in hours since 1970.
    pub hours: u32,
    portions: Vec<(String, Vec<u8>)>,
    /// Bytes of the body.
    pub length: u64,
    /// The root over its chunks.
    pub root: [u8; 32],
    chain: Chain,
    /// SHA-256 of what is signed.
    pub digest: [u8; 32],
}

impl Head {
    /// Reads the head of an upload, verifies its signature, and says where the body begins.
    ///
    /// # Errors
    ///
    /// Those of [`Upload::decode`] that are about the head.
    pub(crate) fn read(bytes: &[u8]) -> Result<(Self, usize), Error> {
        let (mut reader, owner) = envelope::open(bytes, Kind::Upload)?;
        let provider = Node::read(&mut reader)?;
        let (id, stamp) = (reader.u128()?, Stamp::read(&mut reader)?);
        let (schema, readers) = (reader.array()?, Epoch::read(&mut reader)?);
        let hours = reader.u32()?;
        let mut portions: Vec<(String, Vec<u8>)> = Vec::new();
        let count = reader.count(16)?;
        for _ in 0..count {
            let name = reader.name()?.to_owned();
            if portions.len() == MOST_PORTIONS || portions.iter().any(|(other, _)| *other == name) {
                return Err(reader.fault().into());
            }
            let layout = reader.bytes()?;
            at_most(LONGEST_LAYOUT, "bytes of a portion's layout", layout.len())?;
            portions.push((name, layout.to_vec()));
        }
        let (length, root) = (reader.u64()?, reader.array::<32>()?);
        let chain = Chain::read(&mut reader)?;
        let digest = Sha256::digest(&bytes[..reader.position()]).into();
        envelope::signed(&mut reader, bytes, &owner, &chain, Some(&provider))?;
        let head = Self {
            owner,
            provider,
            id,
            stamp,
            schema,
            readers,
            hours,
            portions,
            length,
            root,
            chain,
            digest,
        };
        Ok((head, reader.position()))
    }
}

/// What follows the signature.
struct Body {
    handles: Vec<u128>,
    portions: Vec<Portion>,
    replaced: Vec<Replaced>,
    removed: Vec<Removed>,
    runs: Vec<Run>,
}

impl Body {
    fn read(bytes: &[u8], heads: Vec<(String, Vec<u8>)>) -> Result<Self, Error> {
        let mut reader = Reader::headless(bytes, WHAT);
        let count = reader.count(16)?;
        let handles = column(&mut reader, count, u128::from_le_bytes)?;
        check_handles(&handles).map_err(|_| reader.fault())?;
        let mut portions = Vec::with_capacity(heads.len());
        for (name, layout) in heads {
            let records = Blobs::read(&mut reader)?;
            if records.len() != handles.len() {
                return Err(reader.fault().into());
            }
            portions.push(Portion { name, layout, records });
        }
        if portions.is_empty() && !handles.is_empty() {
            return Err(reader.fault().into());
        }
        let replaced = replaced(&mut reader, handles.len())?;
        let removed = removed(&mut reader)?;
        if handles.is_empty() && removed.is_empty() {
            return Err(reader.fault().into());
        }
        let mut runs: Vec<Run> = Vec::new();
        let mut checks = Checks::new(handles.len());
        for _ in 0..at_most(MOST_FIELDS, "runs of the upload", reader.count(16)?)? {
            let field = reader.name()?.to_owned();
            let count = reader.count(12)?;
            let ciphertexts = column(&mut reader, count, i64::from_le_bytes)?;
            let records = column(&mut reader, count, u32::from_le_bytes)?;
            let run = Run { field, ciphertexts, records };
            if !checks.run(&run)? {
                return Err(reader.fault().into());
            }
            runs.push(run);
        }
        reader.end()?;
        Ok(Self { handles, portions, replaced, removed, runs })
    }
}

/// Rows that replace others, each once and in order.
fn replaced(reader: &mut Reader<'_>, rows: usize) -> Result<Vec<Replaced>, wire::Error> {
    let count = reader.count(20)?;
    let mut replaced: Vec<Replaced> = Vec::with_capacity(count);
    for _ in 0..count {
        let (row, version) = (reader.u32()?, Version(reader.u128()?));
        let is_row = usize::try_from(row).is_ok_and(|row| row < rows);
        if !is_row || replaced.last().is_some_and(|last| last.row >= row) {
            return Err(reader.fault());
        }
        replaced.push(Replaced { row, version });
    }
    Ok(replaced)
}

/// Removed rows of places that ascend, each row once and in order.
fn removed(reader: &mut Reader<'_>) -> Result<Vec<Removed>, Error> {
    let mut removed: Vec<Removed> = Vec::new();
    let places = at_most(MOST_PLACES, "places that rows are removed of", reader.count(16)?)?;
    for _ in 0..places {
        let provider = Node::read(reader)?;
        if removed.last().is_some_and(|last| last.provider >= provider) {
            return Err(reader.fault().into());
        }
        let count = reader.count(32)?;
        let mut rows: Vec<(u128, Version)> = Vec::with_capacity(count);
        for _ in 0..count {
            let (handle, version) = (reader.u128()?, Version(reader.u128()?));
            if rows.last().is_some_and(|&(last, _)| last >= handle) {
                return Err(reader.fault().into());
            }
            rows.push((handle, version));
        }
        if rows.is_empty() {
            return Err(reader.fault().into());
        }
        removed.push(Removed { provider, rows });
    }
    Ok(removed)
}

/// Handles ascend, and are fewer than 2^32.
fn check_handles(handles: &[u128]) -> Result<(), Error> {
    let position = handles.windows(2).position(|pair| pair[0] >= pair[1]).map(|before| before + 1);
    match position {
        None if u32::try_from(handles.len()).is_ok() => Ok(()),
        position => Err(Error::Handle { position: position.unwrap_or(0) }),
    }
}

/// Checks run by run: each ascends from 0 on, names each record at most once, and has a field of its own.
struct Checks {
    fields: HashSet<String>,
    /// The last run that named each record, counted from 1: whoever sends many runs of many records
    /// makes no work that is not in proportion to its message.
    last_run: Vec<usize>,
}

impl Checks {
    fn new(records: usize) -> Self {
        Self { fields: HashSet::new(), last_run: vec![0; records] }
    }

    /// Whether no run before was of this field, once the run itself is in order.
    fn run(&mut self, run: &Run) -> Result<bool, Error> {
        let number = self.fields.len();
        check_order(number, &run.ciphertexts)?;
        for (position, &record) in run.records.iter().enumerate() {
            match usize::try_from(record).ok().and_then(|record| self.last_run.get_mut(record)) {
                Some(last) if *last <= number => *last = number + 1,
                _ => return Err(Error::Run { field: run.field.clone(), position }),
            }
        }
        Ok(self.fields.insert(run.field.clone()))
    }
}

/// Checks that the ciphertexts of a run ascend from 0 on.
///
/// # Errors
///
/// [`Error::NegativeCiphertext`] or [`Error::UnsortedRun`] names the run and the first at fault.
pub fn check_order(run: usize, ciphertexts: &[i64]) -> Result<(), Error> {
    if ciphertexts.first().is_some_and(|&first| first < 0) {
        return Err(Error::NegativeCiphertext { run, position: 0 });
    }
    if ciphertexts.is_sorted() {
        return Ok(());
    }
    let before = ciphertexts.windows(2).position(|pair| pair[1] < pair[0]).unwrap_or(0);
    Err(Error::UnsortedRun { run, position: before + 1 })
}

#[cfg(test)]
mod tests;
