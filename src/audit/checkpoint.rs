//! Checkpoints: what a cloud signs of an owner's log, and what witnesses keep.

use super::Error;
use super::identity::Identity;
use crate::message::certificate::Owner;
use crate::message::signature::{SIGNATURE_LEN, VERIFICATION_KEY_LEN, verify};
use crate::message::tree::Hash;
use crate::wire::{Kind, Reader, Writer};

/// A log of one owner at one moment, signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Who signed it.
    pub identity: [u8; VERIFICATION_KEY_LEN],
    /// Whose log.
    pub owner: Owner,
    /// How many entries it has.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
    /// The leaf of the last one; zeros if there is none.
    pub link: Hash,
    /// When it was signed, in seconds since 1970 by the cloud's clock.
    pub time: u64,
    signature: [u8; SIGNATURE_LEN],
}

impl Checkpoint {
    /// Signs the state of a log.
    #[must_use]
    pub fn sign(
        identity: &Identity,
        owner: Owner,
        (size, root, link): (u64, Hash, Hash),
        time: u64,
    ) -> Self {
        let signature = [0; SIGNATURE_LEN];
        let unsigned =
            Self { identity: identity.public(), owner, size, root, link, time, signature };
        let signature = identity.sign(&unsigned.message());
        Self { signature, ..unsigned }
    }

    fn message(&self) -> Vec<u8> {
        let mut writer = Writer::new(Kind::Checkpoint);
        writer.raw(&self.identity).raw(&self.owner.0).u64(self.size);
        writer.raw(&self.root).raw(&self.link).u64(self.time);
        writer.0
    }

    /// What travels.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        [&self.message()[..], &self.signature].concat()
    }

    /// Reads a checkpoint and verifies that the identity it names signed it.
    ///
    /// # Errors
    ///
    /// [`wire::Error::Format`](crate::wire::Error::Format) if the bytes are none,
    /// [`message::Error::Signature`](crate::message::Error::Signature) if it is forged.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes, Kind::Checkpoint)?;
        let (identity, owner) = (reader.array()?, Owner(reader.array()?));
        let (size, root, link) = (reader.u64()?, reader.array()?, reader.array()?);
        let time = reader.u64()?;
        let message = &bytes[..reader.position()];
        let signature = reader.array()?;
        reader.end()?;
        verify(&identity, message, &signature, Kind::Checkpoint.name())?;
        Ok(Self { identity, owner, size, root, link, time, signature })
    }
}
