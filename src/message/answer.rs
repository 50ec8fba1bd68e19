//! Answers: what a cloud returns to a token, in parts of one upload each.
//!
//! # Leakage
//!
//! Which records match, their sizes, and which provider sent them.

use super::Error;
use super::certificate::Owner;
use super::place::Node;
use crate::wire::{Blobs, Kind, Reader, Writer, column};

/// Sealed records of one upload that answer a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Whose records they are.
    pub owner: Owner,
    /// The provider that sent them.
    pub provider: Node,
    /// The number of the query.
    pub query: u128,
    /// The sealed layout of the records.
    pub layout: Vec<u8>,
    /// The records' pseudonyms.
    pub handles: Vec<u128>,
    /// The sealed records.
    pub records: Blobs,
}

impl Part {
    /// A part with a sealed record for each handle.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] if there are not as many.
    pub fn new(
        owner: Owner,
        provider: Node,
        query: u128,
        handles: Vec<u128>,
        layout: Vec<u8>,
        records: Blobs,
    ) -> Result<Self, Error> {
        if records.len() != handles.len() {
            let (expected, got) = (handles.len(), records.len());
            return Err(Error::Length { what: "the list of sealed records", expected, got });
        }
        Ok(Self { owner, provider, query, layout, handles, records })
    }

    /// The part as it travels.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new(Kind::Part);
        writer.raw(&self.owner.0);
        self.provider.write(&mut writer);
        writer.u128(self.query).bytes(&self.layout).count(self.handles.len());
        self.handles.iter().for_each(|&handle| {
            writer.u128(handle);
        });
        self.records.write(&mut writer);
        writer.0
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    ///
    /// [`wire::Error::Format`](crate::wire::Error::Format) if the bytes are no part of an answer.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes, Kind::Part)?;
        let owner = Owner(reader.array()?);
        let provider = Node::read(&mut reader)?;
        let query = reader.u128()?;
        let layout = reader.bytes()?.to_vec();
        let count = reader.count(16)?;
        let handles = column(&mut reader, count, u128::from_le_bytes)?;
        let records = Blobs::read(&mut reader)?;
        if records.len() != handles.len() {
            return Err(reader.fault().into());
        }
        reader.end()?;
        Ok(Self { owner, provider, query, layout, handles, records })
    }
}
