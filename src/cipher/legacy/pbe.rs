//! DES under a password as programs did it: PBES1, pbeWithMD5AndDES-CBC; for evaluation only.
//!
//! ```text
//! T = MD5(... MD5(password || salt))      iterated          key = T[0..8], IV = T[8..16]
//! message = "MOPSEPB1", version, iterations, salt, DES-CBC(key, IV, plaintext)
//! ```
//!
//! Nothing is authenticated: a wrong password or a changed message is noticed only by chance, from the
//! padding. MD5 takes a trial of a password nanoseconds, and the key has 56 bits whatever the password;
//! [`crate::password`] is what should be done instead.
//!
//! # Sources
//!
//! RFC 8018 section 5.1 for PBKDF1 and section 6.1 for the scheme, which Java calls `PBEWithMD5AndDES`.

use md5::{Digest, Md5};
use zeroize::Zeroizing;

use super::des;
use crate::Error;
use crate::keys::fill_random;
use crate::wire::{Reader, Writer};

const WHAT: &str = "the PBES1 message";

/// Bytes of the salt.
pub const SALT_LEN: usize = 8;

/// How often a program of the time iterated the hash, where it did at all.
pub const DEFAULT_ITERATIONS: u32 = 1_000;

/// The key and the initialisation vector.
pub type KeyAndIv = (Zeroizing<[u8; 8]>, Zeroizing<[u8; 8]>);

/// Returns the DES key and the initialisation vector of a password and a salt of 8 bytes.
///
/// # Errors
///
/// [`Error::Size`] for a salt of another length or a number of iterations that is not 1 to 10,000,000,
/// [`Error::EmptyPassword`].
pub fn derive(password: &[u8], salt: &[u8], iterations: u32) -> Result<KeyAndIv, Error> {
    check(iterations)?;
    if salt.len() != SALT_LEN {
        let (got, expected) = (salt.len() as u64, "8 bytes");
        return Err(Error::Size { what: "the salt", got, expected });
    }
    if password.is_empty() {
        return Err(Error::EmptyPassword);
    }
    let mut digest = Md5::new().chain_update(password).chain_update(salt).finalize();
    for _ in 1..iterations {
        digest = Md5::digest(digest);
    }
    let digest = Zeroizing::new(<[u8; 16]>::from(digest));
    let (mut key, mut iv) = KeyAndIv::default();
    key.copy_from_slice(&digest[..8]);
    iv.copy_from_slice(&digest[8..]);
    Ok((key, iv))
}

fn check(iterations: u32) -> Result<(), Error> {
    if (1..=10_000_000).contains(&iterations) {
        return Ok(());
    }
    let (got, expected) = (u64::from(iterations), "1 to 10,000,000");
    Err(Error::Size { what: "the number of iterations", got, expected })
}

/// Returns a plaintext sealed under a password, with a fresh salt.
///
/// # Errors
///
/// Those of [`derive`], [`Error::TooLong`], [`Error::Randomness`], and [`Error::WeakKey`] for one salt
/// in 2^50.
pub fn seal(password: &[u8], iterations: u32, plaintext: &[u8]) -> Result<Vec<u8>, Error> {
    let length = des::DES.sealed_len(plaintext.len())?;
    let mut salt = [0; SALT_LEN];
    fill_random(&mut salt)?;
    let (key, iv) = derive(password, &salt, iterations)?;
    let cipher = des::DES.with_key(key.as_slice())?;
    let mut message = Writer::new(b"MOPSEPB1");
    message.u32(iterations).raw(&salt);
    let mut message = message.0;
    let head = message.len();
    message.resize(head + length, 0);
    cipher.seal_into(iv.as_slice(), b"", plaintext, &mut message[head..])?;
    Ok(message)
}

/// Returns the plaintext of what [`seal`] returned; nonsense if it was changed, or the password is
/// wrong, and the padding happens to be right.
///
/// # Errors
///
/// [`Error::Decryption`] if the padding is wrong. Before anything is computed: [`Error::Format`] if the
/// message is cut or malformed, [`Error::Version`], [`Error::PasswordCost`] for an absurd number of
/// iterations, [`Error::EmptyPassword`].
pub fn open(password: &[u8], sealed: &[u8]) -> Result<Vec<u8>, Error> {
    let mut reader = Reader::new(sealed, b"MOPSEPB1", WHAT)?;
    let iterations = reader.u32()?;
    let salt: [u8; SALT_LEN] = reader.array()?;
    let ciphertext = &sealed[reader.position()..];
    if ciphertext.is_empty() || !ciphertext.len().is_multiple_of(des::DES.block_len) {
        return Err(reader.fault());
    }
    check(iterations).map_err(|_| Error::PasswordCost)?;
    let (key, iv) = derive(password, &salt, iterations)?;
    // No message is ever sealed under a weak key, so it was changed, or the password is another.
    let cipher = des::DES.with_key(key.as_slice()).map_err(|_| Error::Decryption)?;
    cipher.open(iv.as_slice(), b"", ciphertext)
}
