//! Entries of a log.

use crate::cloud::journal::{Event, What};
use crate::message::certificate::Owner;
use crate::message::tree::{self, Hash};
use crate::wire::{self, Reader, Writer};

const WHAT: &str = "an entry of the audit log";

/// Bytes of an entry, at most: a path of the deepest place, and a statement with its certificates.
pub(super) const LONGEST: usize = 1 << 16;

/// What is written down of something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// In whose log.
    pub owner: Owner,
    /// Its place there, from 0 on.
    pub number: u64,
    /// The leaf of the entry before.
    pub link: Hash,
    /// When, in seconds since 1970 by the cloud's clock.
    pub time: u64,
    /// What happened.
    pub event: Event,
}

impl Entry {
    /// The entry as it stands in a log.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let Event { what, who, digest, amount, statement } = &self.event;
        let mut writer = Writer::default();
        writer.raw(&self.owner.0).u64(self.number).raw(&self.link).u64(self.time);
        writer.u8(what.number()).text(who).raw(digest).u64(*amount).bytes(statement);
        writer.0
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    ///
    /// [`wire::Error::Format`].
    pub fn decode(bytes: &[u8]) -> Result<Self, wire::Error> {
        let mut reader = Reader::headless(bytes, WHAT);
        let entry = Self::read(&mut reader)?;
        reader.end()?;
        Ok(entry)
    }

    /// Reads an entry that something may follow.
    pub(super) fn begin(bytes: &[u8]) -> Result<Self, wire::Error> {
        Self::read(&mut Reader::headless(bytes, WHAT))
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, wire::Error> {
        let (owner, number) = (Owner(reader.array()?), reader.u64()?);
        let (link, time) = (reader.array()?, reader.u64()?);
        let Some(what) = What::of(reader.u8()?) else { return Err(reader.fault()) };
        let (who, digest) = (reader.text()?.to_owned(), reader.array()?);
        let (amount, statement) = (reader.u64()?, reader.bytes()?.to_vec());
        if statement.is_empty() == matches!(what, What::Stated(_)) {
            return Err(reader.fault());
        }
        let event = Event { what, who, digest, amount, statement };
        Ok(Self { owner, number, link, time, event })
    }
}

/// What stands for an entry in the tree, and in the one after it.
pub(super) fn leaf(entry: &[u8]) -> Hash {
    tree::leaf(entry)
}
