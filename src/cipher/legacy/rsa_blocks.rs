//! RSA-OAEP block by block over a whole message: for evaluation only.
//!
//! Published comparisons that encrypt files with RSA must have done something like it.
//!
//! ```text
//! message = "MOPSERSB", version, modulus bits, plaintext bytes, RSA-OAEP(block), ...
//! ```
//!
//! A modulus of `k` bytes takes blocks of `k - 66` and makes `k` of each. Encrypting costs one power
//! with the public exponent per block, decrypting one with the private exponent, on all cores. Each
//! block opens only whole, but **nothing holds the blocks together**: they can be swapped, dropped,
//! doubled or put in by anyone who has the public key. See [`rsa`](crate::cipher::rsa) for what one
//! should do, and for the warning about the computation.
//!
//! # Sources
//!
//! RFC 8017 section 7.1.

use crate::cipher::rsa::{PrivateKey, PublicKey, wire_bits};
use crate::cipher::{Error, check_length};
use crate::pool;
use crate::wire::{Kind, Reader, Writer};

const KIND: Kind = Kind::RsaBlocks;
const FRONT_LEN: usize = crate::wire::HEAD_LEN + 4 + 8;
/// The label of every block.
const LABEL: &[u8] = b"mopse/v1 rsa block";
/// What OAEP takes of a block: two hashes and two bytes.
const OVERHEAD: usize = 66;

/// How many bytes a plaintext becomes.
///
/// # Errors
///
/// [`Error::TooLong`] if no memory can hold them.
pub fn encrypted_len(key: &PublicKey, plaintext: usize) -> Result<usize, Error> {
    let blocks = plaintext.div_ceil(key.size() - OVERHEAD);
    let bytes = blocks.checked_mul(key.size()).and_then(|bytes| bytes.checked_add(FRONT_LEN));
    bytes.ok_or(Error::TooLong { cipher: "rsa-oaep in blocks", longest: isize::MAX as u64 })
}

/// Encrypts a plaintext into a slice that has exactly the length [`encrypted_len`] says.
///
/// # Errors
///
/// [`Error::Length`] for a slice of another length, [`Error::TooLong`], [`Error::Keys`].
pub fn encrypt_into(key: &PublicKey, plaintext: &[u8], message: &mut [u8]) -> Result<(), Error> {
    let expected = encrypted_len(key, plaintext.len())?;
    check_length("the buffer for the ciphertext", expected, message.len())?;
    let mut head = Writer::new(KIND);
    head.u32(wire_bits(key)).count(plaintext.len());
    let (front, blocks) = message.split_at_mut(FRONT_LEN);
    front.copy_from_slice(&head.0);
    let (input, output) = ((plaintext, key.size() - OVERHEAD), (blocks, key.size()));
    pool::try_pairs(input, output, |_, input, output| {
        output.copy_from_slice(&key.encrypt_oaep(LABEL, input)?);
        Ok(())
    })
}

/// Returns a plaintext encrypted block by block.
///
/// # Errors
///
/// Those of [`encrypt_into`].
pub fn encrypt(key: &PublicKey, plaintext: &[u8]) -> Result<Vec<u8>, Error> {
    let mut message = vec![0; encrypted_len(key, plaintext.len())?];
    encrypt_into(key, plaintext, &mut message)?;
    Ok(message)
}

/// Returns how long the plaintext of a message says it is, which fits the blocks that follow.
///
/// # Errors
///
/// [`wire::Error::Format`](crate::wire::Error::Format) or [`wire::Error::Version`](crate::wire::Error::Version) if it is none, [`Error::Decryption`] if it is for a key of
/// another length.
pub fn decrypted_len(key: &PrivateKey, message: &[u8]) -> Result<usize, Error> {
    let public = key.public();
    let mut reader = Reader::new(message, KIND)?;
    if reader.u32()? != wire_bits(public) {
        return Err(Error::Decryption);
    }
    let fault = reader.fault();
    let length = usize::try_from(reader.u64()?).map_err(|_| fault.clone())?;
    let left = message.len() - reader.position();
    let blocks = length.div_ceil(public.size() - OVERHEAD);
    if blocks.checked_mul(public.size()) == Some(left) { Ok(length) } else { Err(fault.into()) }
}

/// Decrypts a message into a slice that has exactly the length [`decrypted_len`] says.
///
/// # Errors
///
/// [`Error::Decryption`] if a block was changed, is of another length or for another key; the slice
/// then holds zeros. [`Error::Length`] for a slice of another length. Those of [`decrypted_len`].
pub fn decrypt_into(key: &PrivateKey, message: &[u8], plaintext: &mut [u8]) -> Result<(), Error> {
    check_length("the buffer for the plaintext", decrypted_len(key, message)?, plaintext.len())?;
    let size = key.public().size();
    let (input, output) = ((&message[FRONT_LEN..], size), (&mut *plaintext, size - OVERHEAD));
    let opened = pool::try_pairs(input, output, |_, input, output| {
        let block = key.decrypt_oaep(LABEL, input)?;
        if block.len() != output.len() {
            return Err(Error::Decryption);
        }
        output.copy_from_slice(&block);
        Ok(())
    });
    opened.inspect_err(|_| plaintext.fill(0))
}

/// Returns the plaintext of what [`encrypt`] returned.
///
/// # Errors
///
/// Those of [`decrypt_into`].
pub fn decrypt(key: &PrivateKey, message: &[u8]) -> Result<Vec<u8>, Error> {
    let mut plaintext = vec![0; decrypted_len(key, message)?];
    decrypt_into(key, message, &mut plaintext)?;
    Ok(plaintext)
}
