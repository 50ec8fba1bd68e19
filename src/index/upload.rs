//! Uploads: what a provider sends and what the cloud keeps of it.
//!
//! One signed message holds a batch of sealed records and, for each field, a run of index entries:
//!
//! ```text
//! owner, provider, schema, sequence number                       who, and which upload
//! handles, ascending                                             one per record
//! sealed layout, ends of the sealed records, sealed records      opaque
//! for each field: ciphertexts, ascending; number of the record   the run
//! certificate chain, signature
//! ```
//!
//! Records stand in the order of their handles, which are pseudo-random, so that the order of the
//! provider's table does not show. An upload that is cut, unsorted or inconsistent is refused whole.
//!
//! # Leakage
//!
//! How many records and entries there are, which record lacks a value, the size of each record,
//! which entries belong to one record, and when the upload came.

use std::sync::Arc;

use crate::Error;
use crate::certificate::{Announcement, Chain, Owner, verify};
use crate::index::search::Run;
use crate::path::Node;
use crate::wire::{Reader, Writer};

const WHAT: &str = "the upload";

/// One provider's sealed records and the runs that index them. Clones share them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// The owner of the records.
    pub owner: Owner,
    /// The provider that sends them.
    pub provider: Node,
    /// The digest of the schema that the fields are of.
    pub schema: [u8; 32],
    /// A later upload of the same provider has a higher number.
    pub sequence: u64,
    /// Pseudonyms of the records, ascending.
    pub handles: Arc<[u128]>,
    /// The names and types of the records' columns, sealed.
    pub layout: Vec<u8>,
    /// The sealed records.
    pub records: Arc<Blobs>,
    /// The entries of each field.
    pub runs: Arc<[Run]>,
    /// The provider's certificates.
    pub chain: Chain,
}

/// Byte strings, end to end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Blobs {
    /// Where each one ends.
    ends: Vec<u64>,
    bytes: Vec<u8>,
}

impl Blobs {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Adds one.
    pub fn push(&mut self, blob: &[u8]) {
        self.bytes.extend_from_slice(blob);
        self.ends.push(self.bytes.len() as u64);
    }

    /// One of them; empty if there are not so many.
    #[must_use]
    pub fn get(&self, at: usize) -> &[u8] {
        let end = |at: usize| self.ends.get(at).and_then(|&end| usize::try_from(end).ok());
        let start = at.checked_sub(1).map_or(Some(0), end);
        match (start, end(at)) {
            (Some(start), Some(end)) => self.bytes.get(start..end).unwrap_or_default(),
            _ => &[],
        }
    }

    /// How many bytes all of them have.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.count(self.ends.len());
        self.ends.iter().for_each(|&end| {
            writer.u64(end);
        });
        writer.bytes(&self.bytes);
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let count = reader.count(8)?;
        let ends = column(reader, count, u64::from_le_bytes)?;
        let bytes = reader.bytes()?.to_vec();
        let is_whole = ends.is_sorted() && ends.last().copied().unwrap_or(0) == bytes.len() as u64;
        if is_whole { Ok(Self { ends, bytes }) } else { Err(reader.fault()) }
    }
}

/// Reads a column of numbers of `N` bytes each.
pub(crate) fn column<T, const N: usize>(
    reader: &mut Reader<'_>,
    count: usize,
    number: fn([u8; N]) -> T,
) -> Result<Vec<T>, Error> {
    let size = count.checked_mul(N).ok_or_else(|| reader.fault())?;
    let (numbers, _) = reader.raw(size)?.as_chunks::<N>();
    Ok(numbers.iter().map(|&bytes| number(bytes)).collect())
}

impl Upload {
    /// What the provider signs.
    pub(crate) fn message(&self) -> Vec<u8> {
        let mut writer = Writer::new(b"MOPSEUPL");
        writer.raw(&self.owner.0);
        self.provider.write(&mut writer);
        writer.raw(&self.schema).u64(self.sequence).count(self.handles.len());
        self.handles.iter().for_each(|&handle| {
            writer.u128(handle);
        });
        writer.bytes(&self.layout);
        self.records.write(&mut writer);
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
        self.chain.write(&mut writer);
        writer.0
    }

    /// Reads an upload, checks that it is whole and consistent, and verifies that the provider it
    /// names signed it.
    ///
    /// # Errors
    ///
    /// [`Error::Format`] if the bytes are no upload, [`Error::UnsortedRun`],
    /// [`Error::NegativeCiphertext`] or [`Error::Run`] if a run is faulty, [`Error::Signature`] if it
    /// is forged.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes, b"MOPSEUPL", WHAT)?;
        let owner = Owner(reader.array()?);
        let provider = Node::read(&mut reader)?;
        let (schema, sequence) = (reader.array()?, reader.u64()?);
        let count = reader.count(16)?;
        let handles = column(&mut reader, count, u128::from_le_bytes)?;
        if handles.is_empty() || !handles.is_sorted_by(|a, b| a < b) {
            return Err(reader.fault());
        }
        let layout = reader.bytes()?.to_vec();
        let records = Blobs::read(&mut reader)?;
        if records.len() != handles.len() || u32::try_from(handles.len()).is_err() {
            return Err(reader.fault());
        }
        let mut runs: Vec<Run> = Vec::new();
        for _ in 0..reader.count(16)? {
            let field = reader.text()?.to_owned();
            let count = reader.count(12)?;
            let ciphertexts = column(&mut reader, count, i64::from_le_bytes)?;
            let records = column(&mut reader, count, u32::from_le_bytes)?;
            let run = Run { field, ciphertexts, records };
            check_run(&run, runs.len(), handles.len())?;
            if runs.iter().any(|other| other.field == run.field) {
                return Err(reader.fault());
            }
            runs.push(run);
        }
        let chain = Chain::read(&mut reader)?;
        let message = &bytes[..reader.position()];
        let signature = reader.array()?;
        reader.end()?;
        if chain.subject() != provider || chain.0.is_empty() {
            return Err(Error::Signature { what: WHAT });
        }
        verify(&chain.verify(&owner)?, message, &signature, WHAT)?;
        let (handles, records, runs) = (handles.into(), Arc::new(records), runs.into());
        Ok(Self { owner, provider, schema, sequence, handles, layout, records, runs, chain })
    }

    /// Checks the upload against an owner's announcement.
    ///
    /// # Errors
    ///
    /// [`Error::OtherOwner`], [`Error::OtherSchema`] or [`Error::Epoch`].
    pub fn check(&self, announcement: &Announcement) -> Result<(), Error> {
        if self.owner != announcement.owner {
            return Err(Error::OtherOwner { what: WHAT });
        }
        if self.schema != announcement.schema {
            return Err(Error::OtherSchema { what: WHAT });
        }
        announcement.accepts(&self.provider)
    }
}

/// A run ascends from 0 on, and names each of so many records at most once.
fn check_run(run: &Run, number: usize, records: usize) -> Result<(), Error> {
    if run.ciphertexts.first().is_some_and(|&first| first < 0) {
        return Err(Error::NegativeCiphertext { run: number, position: 0 });
    }
    if let Some(before) = run.ciphertexts.windows(2).position(|pair| pair[1] < pair[0]) {
        return Err(Error::UnsortedRun { run: number, position: before + 1 });
    }
    let mut is_named = vec![false; records];
    for (position, &record) in run.records.iter().enumerate() {
        match usize::try_from(record).ok().and_then(|record| is_named.get_mut(record)) {
            Some(is_named) if !*is_named => *is_named = true,
            _ => return Err(Error::Run { field: run.field.clone(), position }),
        }
    }
    Ok(())
}
