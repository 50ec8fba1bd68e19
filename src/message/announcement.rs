//! What an owner tells every cloud that serves it: its schema, and the epoch each group has reached.
//!
//! So a cloud refuses uploads and tokens of providers who were left behind.

use std::collections::BTreeMap;

use super::certificate::Owner;
use super::place::Node;
use super::signature::verify;
use crate::Error;
use crate::wire::{Kind, Reader, Writer};

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
        let mut writer = Writer::new(Kind::Announcement);
        writer.raw(&self.owner.0).raw(&self.schema).u64(self.number).count(self.epochs.len());
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
        const WHAT: &str = "the owner's announcement";
        let mut reader = Reader::new(bytes, Kind::Announcement)?;
        let owner = Owner(reader.array()?);
        let (schema, number) = (reader.array()?, reader.u64()?);
        let count = reader.count(12)?;
        let mut epochs = BTreeMap::new();
        for _ in 0..count {
            let node = Node::read(&mut reader)?;
            epochs.insert(node, reader.u32()?);
        }
        let message = &bytes[..reader.position()];
        let signature = reader.array()?;
        reader.end()?;
        verify(&owner.0, message, &signature, WHAT)?;
        Ok(Self { owner, schema, number, epochs })
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
