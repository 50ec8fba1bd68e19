//! What an owner tells every cloud that serves it: its schema, and the epoch each group has reached.
//!
//! So a cloud refuses uploads and tokens of providers who were left behind.

use std::collections::BTreeMap;

use super::Error;
use super::certificate::{Chain, Owner};
use super::envelope;
use super::place::Node;
use crate::wire::Kind;

/// What an owner tells every cloud that serves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// The owner.
    pub owner: Owner,
    /// The digest of its schema.
    pub schema: [u8; 32],
    /// A later announcement has a higher number.
    pub number: u64,
    /// The epoch of every node that has left epoch 0.
    pub epochs: BTreeMap<Node, u32>,
}

impl Announcement {
    pub(crate) fn message(&self) -> Vec<u8> {
        let mut writer = envelope::of(Kind::Announcement, &self.owner);
        writer.raw(&self.schema).u64(self.number).count(self.epochs.len());
        for (node, epoch) in &self.epochs {
            node.write(&mut writer);
            writer.u32(*epoch);
        }
        writer.0
    }

    /// Reads an announcement and verifies that its owner signed it.
    ///
    /// # Errors
    ///
    /// [`wire::Error::Format`](crate::wire::Error::Format) if the bytes are no announcement, [`Error::Signature`] if the owner named
    /// in it did not sign it.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let (mut reader, owner) = envelope::open(bytes, Kind::Announcement)?;
        let (schema, number) = (reader.array()?, reader.u64()?);
        let count = reader.count(12)?;
        let mut epochs = BTreeMap::new();
        for _ in 0..count {
            let node = Node::read(&mut reader)?;
            epochs.insert(node, reader.u32()?);
        }
        envelope::close(reader, bytes, &owner, &Chain::default(), None)?;
        Ok(Self { owner, schema, number, epochs })
    }

    /// Checks that a message is of the owner that announced this.
    ///
    /// # Errors
    ///
    /// [`Error::OtherOwner`] names the message.
    pub(crate) fn serves(&self, what: &'static str, owner: &Owner) -> Result<(), Error> {
        if self.owner == *owner { Ok(()) } else { Err(Error::OtherOwner { what }) }
    }

    /// Checks that a message is of the announced schema.
    ///
    /// # Errors
    ///
    /// [`Error::OtherSchema`] names the message.
    pub(crate) fn indexes(&self, what: &'static str, schema: &[u8; 32]) -> Result<(), Error> {
        if self.schema == *schema { Ok(()) } else { Err(Error::OtherSchema { what }) }
    }

    /// Checks that a place is not of an epoch that one of the nodes above it has left.
    ///
    /// # Errors
    ///
    /// [`Error::Epoch`] names the provider.
    pub fn accepts(&self, subject: &Node) -> Result<(), Error> {
        let mut node = subject.clone();
        while let Some((above, _)) = node.parent() {
            let epoch = node.epochs().last().copied().unwrap_or(0);
            if self.epochs.get(&above).is_some_and(|&reached| epoch < reached) {
                return Err(Error::Epoch { provider: subject.path() });
            }
            node = above;
        }
        Ok(())
    }
}
