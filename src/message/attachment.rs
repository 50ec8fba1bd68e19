//! Attachments on their way: what a provider sends, what is stored, and requests for them.
//!
//! A provider sends one signed message per file; whoever asks sends one signed request, with trapdoors
//! for every provider it reaches, with handles of records, or with the number of one file. A search
//! returns descriptions without bodies; a body moves only when its file is fetched, and alone.
//!
//! # Leakage
//!
//! That of [`super::trapdoor`]; which record a file belongs to, its size, when it came and is fetched.

use super::Error;
use super::envelope;
use super::trapdoor::Entry;
use crate::message::announcement::Announced;
use crate::message::certificate::{Chain, Owner};
use crate::message::place::{Epoch, Node};
use crate::wire::{Kind, Reader, Writer};

const WHAT: &str = "the file";

/// A file that a provider sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Where it belongs, with its body.
    pub file: StoredFile,
    /// What it is found by, in the order of the labels.
    pub entries: Vec<Entry>,
    /// The provider's certificates.
    pub chain: Chain,
}

/// A stored file: described, and with its body when it was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFile {
    /// Whose it is.
    pub owner: Owner,
    /// The provider that sent it.
    pub provider: Node,
    /// The readers' epoch that it is sealed in.
    pub readers: Epoch,
    /// The record it belongs to.
    pub handle: u128,
    /// Its number.
    pub number: u128,
    /// What it is called, sealed.
    pub description: Vec<u8>,
    /// What it holds, sealed.
    pub body: Option<Vec<u8>>,
}

impl StoredFile {
    fn write(&self, writer: &mut Writer) {
        writer.raw(&self.owner.0);
        self.provider.write(writer);
        self.readers.write(writer);
        writer.u128(self.handle).u128(self.number).bytes(&self.description);
        match &self.body {
            Some(body) => writer.u8(1).bytes(body),
            None => writer.u8(0),
        };
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let owner = Owner(reader.array()?);
        let (provider, readers) = (Node::read(reader)?, Epoch::read(reader)?);
        let (handle, number) = (reader.u128()?, reader.u128()?);
        let description = reader.bytes()?.to_vec();
        let body = match reader.u8()? {
            0 => None,
            1 => Some(reader.bytes()?.to_vec()),
            _ => return Err(reader.fault().into()),
        };
        Ok(Self { owner, provider, readers, handle, number, description, body })
    }

    /// The file as it travels.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new(Kind::StoredFile);
        self.write(&mut writer);
        writer.0
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    ///
    /// [`wire::Error::Format`](crate::wire::Error::Format) if the bytes are no stored file.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes, Kind::StoredFile)?;
        let stored = Self::read(&mut reader)?;
        reader.end()?;
        Ok(stored)
    }

    /// The file without its body.
    #[must_use]
    pub fn without_body(&self) -> Self {
        let Self { owner, provider, readers, handle, number, description, body: _ } = self;
        Self {
            owner: *owner,
            provider: provider.clone(),
            readers: *readers,
            handle: *handle,
            number: *number,
            description: description.clone(),
            body: None,
        }
    }
}

impl Attachment {
    /// What the provider signs.
    pub(crate) fn message(&self) -> Vec<u8> {
        let mut writer = Writer::new(Kind::Attachment);
        self.file.write(&mut writer);
        writer.count(self.entries.len());
        for entry in &self.entries {
            writer.u128(entry.label).u128(entry.masked);
        }
        self.chain.write(&mut writer);
        writer.0
    }

    /// Reads a file and verifies that the provider it names signed it.
    ///
    /// # Errors
    ///
    /// [`wire::Error::Format`](crate::wire::Error::Format) if the bytes are no file, [`Error::Signature`] if it is forged.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes, Kind::Attachment)?;
        let file = StoredFile::read(&mut reader)?;
        if file.body.is_none() {
            return Err(reader.fault().into());
        }
        let mut entries: Vec<Entry> = Vec::new();
        for _ in 0..reader.count(32)? {
            let entry = Entry { label: reader.u128()?, masked: reader.u128()? };
            if entries.last().is_some_and(|last| last.label >= entry.label) {
                return Err(reader.fault().into());
            }
            entries.push(entry);
        }
        let chain = Chain::read(&mut reader)?;
        envelope::close(reader, bytes, &file.owner, &chain, Some(&file.provider))?;
        Ok(Self { file, entries, chain })
    }

    /// Checks that an owner's announcement admits it.
    ///
    /// # Errors
    ///
    /// [`Error::OtherOwner`], [`Error::Epoch`] if the provider's group has left its epoch,
    /// [`Error::Readers`] if the file is sealed in another readers' epoch than the announced one.
    pub fn check(&self, announced: &Announced) -> Result<(), Error> {
        announced.serves(WHAT, &self.file.owner)?;
        let StoredFile { provider, readers, .. } = &self.file;
        announced.accepts(provider)?;
        announced.seals(provider, readers)
    }
}
