//! Signatures of messages, and how they are checked.
//!
//! # Sources
//!
//! * Ed25519: RFC 8032 section 5.1, with the strict verification of Chalkias, Garillot and Nikolaenko,
//!   "Taming the Many `EdDSA`s", SSR 2020. Messages are hashed with SHA-512 first.

use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest, Sha512};

use super::Error;
use crate::operations::{Operation, count};

/// Bytes of a verification key.
pub const VERIFICATION_KEY_LEN: usize = 32;

/// Bytes of a signature.
pub const SIGNATURE_LEN: usize = 64;

/// What is signed in place of a message.
pub(crate) fn to_sign(message: &[u8]) -> Vec<u8> {
    to_sign_of(Sha512::new_with_prefix(message))
}

/// The same of a message that was hashed as it came.
pub(crate) fn to_sign_of(hashed: Sha512) -> Vec<u8> {
    [b"mopse/v1 signature".as_slice(), &hashed.finalize()].concat()
}

/// Checks a message's signature.
///
/// # Errors
///
/// [`Error::Signature`] if it is not the key's signature of this message.
pub(crate) fn verify(
    key: &[u8; VERIFICATION_KEY_LEN],
    message: &[u8],
    signature: &[u8; SIGNATURE_LEN],
    what: &'static str,
) -> Result<(), Error> {
    verify_hashed(key, Sha512::new_with_prefix(message), signature, what)
}

/// Checks the signature of a message that was hashed as it came.
///
/// # Errors
///
/// Those of [`verify`].
pub(crate) fn verify_hashed(
    key: &[u8; VERIFICATION_KEY_LEN],
    hashed: Sha512,
    signature: &[u8; SIGNATURE_LEN],
    what: &'static str,
) -> Result<(), Error> {
    count(Operation::Verification, 1);
    let signed = to_sign_of(hashed);
    VerifyingKey::from_bytes(key)
        .and_then(|key| key.verify_strict(&signed, &Signature::from_bytes(signature)))
        .map_err(|_| Error::Signature { what })
}
