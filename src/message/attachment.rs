//! Attachments on their way: what a provider sends, what is stored, and requests for them.
//!
//! A provider sends one signed message per file; whoever asks sends one signed request, with trapdoors
//! for every provider it reaches, with handles of records, or with the number of one file. A search
//! returns descriptions without bodies; a body moves only when its file is fetched, and alone.
//!
//! A provider counts the uses of each keyword, and a search walks along these numbers until too many of
//! them are missing. So a message also says what its keyring made before it, its [`Lineage`]: a cloud
//! that knows of too much that never came refuses it, rather than keep what no search comes to. What
//! was counted is in a sealed *note*, which brings an outdated keyring up to date.
//!
//! # Leakage
//!
//! That of [`super::trapdoor`]; which record a file belongs to, its size, when it came and is fetched,
//! and which files one copy of a provider's keyring made, in which order.

use sha2::{Digest, Sha256};

use super::Error;
use super::catalogue::Filed;
use super::envelope;
use super::limits::{LONGEST_DESCRIPTION, LONGEST_NOTE, MOST_LOST, MOST_NAMED, at_most};
use super::trapdoor::Entry;
use super::tree::Hash;
use crate::message::announcement::Announced;
use crate::message::certificate::{Chain, Owner};
use crate::message::place::{Epoch, Node};
use crate::wire::{Buffer, Kind, Reader, Writer};

const WHAT: &str = "the file";

/// What a keyring made before an attachment, since it last knew where to count from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lineage {
    /// What the cloud told the keyring of, as [`Notes::base`](super::notes::Notes::base) names it;
    /// `None` if the keyring counts from nothing.
    pub base: Option<u128>,
    /// The numbers of the last attachments, oldest first: all since the base, or [`MOST_LOST`].
    pub previous: Vec<u128>,
}

impl Lineage {
    /// The lineage of what comes after an attachment.
    #[must_use]
    pub fn after(&self, number: u128) -> Self {
        let from = (self.previous.len() + 1).saturating_sub(MOST_LOST);
        let mut previous = self.previous[from..].to_vec();
        previous.push(number);
        Self { base: self.base, previous }
    }

    pub(crate) fn write<B: Buffer>(&self, writer: &mut Writer<B>) {
        match self.base {
            Some(base) => writer.u8(1).u128(base),
            None => writer.u8(0),
        };
        writer.count(self.previous.len());
        self.previous.iter().for_each(|&number| {
            writer.u128(number);
        });
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let base = match reader.u8()? {
            0 => None,
            1 => Some(reader.u128()?),
            _ => return Err(reader.fault().into()),
        };
        let mut previous = Vec::new();
        for _ in 0..reader.count(16)? {
            let number = reader.u128()?;
            if previous.len() == MOST_LOST || previous.contains(&number) {
                return Err(reader.fault().into());
            }
            previous.push(number);
        }
        Ok(Self { base, previous })
    }
}

/// A file that a provider sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Where it belongs, with its body.
    pub file: StoredFile,
    /// What it is found by, in the order of the labels.
    pub entries: Vec<Entry>,
    /// What its keyring made before it.
    pub lineage: Lineage,
    /// Which uses of which keywords its entries are, sealed.
    pub note: Vec<u8>,
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
    pub(super) fn write(&self, writer: &mut Writer) {
        self.write_as(writer, self.body.as_deref());
    }

    fn write_as(&self, writer: &mut Writer, body: Option<&[u8]>) {
        self.write_head(writer);
        match body {
            Some(body) => writer.u8(1).bytes(body),
            None => writer.u8(0),
        };
    }

    fn write_head(&self, writer: &mut Writer) {
        writer.raw(&self.owner.0);
        self.provider.write(writer);
        self.readers.write(writer);
        writer.u128(self.handle).u128(self.number).bytes(&self.description);
    }

    /// All that stands before a body of so many bytes.
    pub(super) fn write_before_body(&self, writer: &mut Writer, size: u64) {
        self.write_head(writer);
        writer.u8(1).u64(size);
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let (mut file, has_body) = Self::read_head(reader)?;
        file.body = if has_body { Some(reader.bytes()?.to_vec()) } else { None };
        Ok(file)
    }

    /// All before the body, and whether that follows.
    pub(super) fn read_head(reader: &mut Reader<'_>) -> Result<(Self, bool), Error> {
        let owner = Owner(reader.array()?);
        let (provider, readers) = (Node::read(reader)?, Epoch::read(reader)?);
        let (handle, number) = (reader.u128()?, reader.u128()?);
        let description = reader.bytes()?;
        at_most(LONGEST_DESCRIPTION, "bytes of the file's description", description.len())?;
        let description = description.to_vec();
        let has_body = reader.bool()?;
        let file = Self { owner, provider, readers, handle, number, description, body: None };
        Ok((file, has_body))
    }

    /// All of the attachment that brought it before its body, which has so many bytes.
    #[must_use]
    pub(crate) fn before_body(&self, size: u64) -> Vec<u8> {
        let mut writer = Writer::new(Kind::Attachment);
        self.write_before_body(&mut writer, size);
        writer.0
    }

    /// The attachment that brought it, of what else was signed with it.
    pub(super) fn as_attached(&self, deed: &[u8]) -> Vec<u8> {
        let mut writer = Writer::new(Kind::Attachment);
        self.write(&mut writer);
        writer.raw(deed);
        writer.0
    }

    /// What else was signed with it, and the signature, of the attachment that brought it.
    #[must_use]
    pub fn deed_in(&self, attachment: &[u8]) -> Vec<u8> {
        attachment.get(self.as_attached(b"").len()..).unwrap_or_default().to_vec()
    }

    /// The digest of all but the body.
    #[must_use]
    pub fn digest(&self) -> Hash {
        let mut writer = Writer::default();
        self.write_as(&mut writer, None);
        Sha256::digest(writer.0).into()
    }

    /// Checks that an owner's announcement admits it.
    ///
    /// # Errors
    ///
    /// Those of [`Attachment::check`].
    pub fn check(&self, announced: &Announced) -> Result<(), Error> {
        announced.serves(WHAT, &self.owner)?;
        announced.accepts(&self.provider)?;
        announced.seals(&self.provider, &self.readers)
    }

    /// Where it stands among the files of its place.
    #[must_use]
    pub fn filed(&self) -> Filed {
        Filed { handle: self.handle, number: self.number, digest: self.digest() }
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
    /// What the provider signs, as far as it stands after the body.
    pub(crate) fn after_body(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.count(self.entries.len());
        for entry in &self.entries {
            writer.u128(entry.label).u128(entry.masked);
        }
        self.lineage.write(&mut writer);
        writer.bytes(&self.note);
        self.chain.write(&mut writer);
        writer.0
    }

    /// Reads a file and verifies that the provider it names signed it.
    ///
    /// # Errors
    ///
    /// [`wire::Error::Format`](crate::wire::Error::Format) if the bytes are no file, [`Error::TooMany`]
    /// if it has too many keywords, [`Error::Signature`] if it is forged.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes, Kind::Attachment)?;
        let file = StoredFile::read(&mut reader)?;
        if file.body.is_none() {
            return Err(reader.fault().into());
        }
        let attachment = Self::read_rest(&mut reader, file)?;
        let Self { file, chain, .. } = &attachment;
        envelope::close(reader, bytes, &file.owner, chain, Some(&file.provider))?;
        Ok(attachment)
    }

    /// All after the body, up to the signature.
    pub(super) fn read_rest(reader: &mut Reader<'_>, file: StoredFile) -> Result<Self, Error> {
        let mut entries: Vec<Entry> = Vec::new();
        for _ in 0..at_most(MOST_NAMED, "keywords of the file", reader.count(32)?)? {
            let entry = Entry { label: reader.u128()?, masked: reader.u128()? };
            if entries.last().is_some_and(|last| last.label >= entry.label) {
                return Err(reader.fault().into());
            }
            entries.push(entry);
        }
        let lineage = Lineage::read(reader)?;
        if lineage.previous.contains(&file.number) {
            return Err(reader.fault().into());
        }
        let note = reader.bytes()?;
        at_most(LONGEST_NOTE, "bytes of the file's note", note.len())?;
        let note = note.to_vec();
        let chain = Chain::read(reader)?;
        Ok(Self { file, entries, lineage, note, chain })
    }

    /// Checks that an owner's announcement admits it.
    ///
    /// # Errors
    ///
    /// [`Error::OtherOwner`], [`Error::Epoch`] if the provider's group has left its epoch,
    /// [`Error::Readers`] if the file is sealed in another readers' epoch than the announced one.
    pub fn check(&self, announced: &Announced) -> Result<(), Error> {
        self.file.check(announced)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lineage: &Lineage) -> Result<Lineage, Error> {
        let mut writer = Writer::default();
        lineage.write(&mut writer);
        let mut reader = Reader::headless(&writer.0, WHAT);
        let read = Lineage::read(&mut reader)?;
        reader.end()?;
        Ok(read)
    }

    #[test]
    fn a_lineage_names_the_last_sixteen() {
        let mut lineage = Lineage { base: Some(5), previous: Vec::new() };
        for number in 0..40_u128 {
            let first = number.saturating_sub(16);
            assert_eq!(lineage.previous, (first..number).collect::<Vec<_>>());
            assert_eq!(lineage.base, Some(5));
            assert_eq!(read(&lineage), Ok(lineage.clone()));
            lineage = lineage.after(number);
        }
        assert_eq!(read(&Lineage::default()), Ok(Lineage::default()));
    }

    #[test]
    fn a_lineage_that_names_more_or_one_twice_is_malformed() {
        for previous in [(0..17).collect(), vec![1, 2, 1]] {
            assert!(read(&Lineage { base: None, previous }).is_err());
        }
    }
}
