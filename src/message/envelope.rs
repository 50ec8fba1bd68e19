//! The envelope of a message: whose it is, stated before anything else, and who signed it, at the end.
//!
//! ```text
//! message = letters || version || owner || contents || certificate chain || Ed25519 signature
//! ```
//!
//! So a cloud looks the owner up before it reads at length or verifies anything. What is long follows the
//! signature, and is signed by its digest.

use sha2::{Digest, Sha512};

use super::Error;
use super::certificate::{Chain, Owner};
use super::place::Node;
use super::signature::verify_hashed;
use crate::wire::{self, Kind, Reader, Writer};

/// A message of this kind, of an owner.
pub(crate) fn of(kind: Kind, owner: &Owner) -> Writer {
    let mut writer = Writer::new(kind);
    writer.raw(&owner.0);
    writer
}

/// What follows the owner in a message of this kind.
pub(crate) fn open(bytes: &[u8], kind: Kind) -> Result<(Reader<'_>, Owner), wire::Error> {
    let mut reader = Reader::new(bytes, kind)?;
    let owner = Owner(reader.array()?);
    Ok((reader, owner))
}

/// Verifies that the signature which follows is, by the end of a chain, that of all bytes before it.
///
/// With a sender, the chain must be that provider's: nobody signs for another, and the owner sends
/// nothing in a provider's place.
pub(crate) fn signed(
    reader: &mut Reader<'_>,
    bytes: &[u8],
    owner: &Owner,
    chain: &Chain,
    sender: Option<&Node>,
) -> Result<(), Error> {
    let hashed = Sha512::new_with_prefix(&bytes[..reader.position()]);
    signed_hashed(reader, hashed, owner, chain, sender)
}

/// Verifies as [`signed`] does, of bytes that were hashed as they came.
pub(crate) fn signed_hashed(
    reader: &mut Reader<'_>,
    hashed: Sha512,
    owner: &Owner,
    chain: &Chain,
    sender: Option<&Node>,
) -> Result<(), Error> {
    let what = reader.what();
    let signature = reader.array()?;
    if sender.is_some_and(|sender| chain.0.is_empty() || chain.subject() != *sender) {
        return Err(Error::Signature { what });
    }
    verify_hashed(&chain.verify(owner)?, hashed, &signature, what)
}

/// Verifies the signature as [`signed`] does, and that nothing follows it.
pub(crate) fn close(
    mut reader: Reader<'_>,
    bytes: &[u8],
    owner: &Owner,
    chain: &Chain,
    sender: Option<&Node>,
) -> Result<(), Error> {
    signed(&mut reader, bytes, owner, chain, sender)?;
    Ok(reader.end()?)
}
