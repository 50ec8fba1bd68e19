//! Removals: a party asks a cloud to forget all that a provider at or below it sent, in every epoch.
//!
//! A removal has a random number, and is carried out once: one that comes again removes nothing that was
//! sent since.
//!
//! # Leakage
//!
//! Who asked, and when.

use sha2::{Digest, Sha256};

use super::Error;
use super::announcement::Announced;
use super::certificate::{Chain, Owner};
use super::envelope;
use super::place::Node;
use crate::wire::Kind;

const WHAT: &str = "the removal";

/// A signed request to remove what a provider sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// The owner.
    pub owner: Owner,
    /// A random number.
    pub id: u128,
    /// The provider, in whatever epoch.
    pub provider: Node,
    /// The certificates of who asks; empty for the owner.
    pub issuer: Chain,
    /// What stands for the removal: the digest of what was signed.
    pub digest: [u8; 32],
    /// The removal as it travels; nothing of one that is being made.
    pub bytes: Vec<u8>,
}

impl Removal {
    /// What the issuer signs.
    pub(crate) fn message(&self) -> Vec<u8> {
        let mut writer = envelope::of(Kind::Removal, &self.owner);
        writer.u128(self.id);
        self.provider.write(&mut writer);
        self.issuer.write(&mut writer);
        writer.0
    }

    /// Reads a removal and verifies that the issuer it names signed it.
    ///
    /// # Errors
    ///
    /// [`wire::Error::Format`](crate::wire::Error::Format) if the bytes are no removal,
    /// [`Error::Signature`] if it is forged.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let (mut reader, owner) = envelope::open(bytes, Kind::Removal)?;
        let id = reader.u128()?;
        let provider = Node::read(&mut reader)?;
        let issuer = Chain::read(&mut reader)?;
        let digest = Sha256::digest(&bytes[..reader.position()]).into();
        envelope::close(reader, bytes, &owner, &issuer, None)?;
        Ok(Self { owner, id, provider, issuer, digest, bytes: bytes.to_vec() })
    }

    /// Checks that the issuer may ask for it.
    ///
    /// # Errors
    ///
    /// [`Error::OtherOwner`], [`Error::Epoch`] if the issuer's keys are of an epoch that its group has
    /// left, [`Error::Scope`] if the provider is not at or below the issuer.
    pub fn check(&self, announced: &Announced) -> Result<(), Error> {
        announced.serves(WHAT, &self.owner)?;
        let issuer = self.issuer.subject();
        announced.accepts(&issuer)?;
        if issuer.is_above(&self.provider) && self.provider != Node::root() {
            return Ok(());
        }
        let what = format!("remove what {} sent", self.provider);
        Err(Error::Scope { who: issuer.to_string(), what })
    }
}
