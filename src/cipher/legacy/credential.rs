//! A credential cut into chunks, each under another cipher: a published idea, and why it is weak.
//!
//! ```text
//! credential = chunk 1 || chunk 2 || chunk 3 || chunk 4
//! stored     = DES(k1, chunk 1), 3DES(k2, chunk 2), Blowfish(k3, chunk 3), AES(k4, chunk 4)
//! ```
//!
//! Each chunk falls by itself: who breaks one cipher has a quarter of the credential, and guesses the
//! rest the easier. The work for the first chunk is that of DES, 2^56 trials, whatever the other
//! ciphers are; [`search`] does as much of it as one asks for. [`crate::cipher::secret_sharing`] is what
//! should be done instead: fewer shares than the threshold tell nothing.
//!
//! # Sources
//!
//! The idea is that of "client credential encryption" in systems that cite multi-source search over
//! health records; no analysis was published with it. A machine that made all 2^56 trials: Electronic
//! Frontier Foundation, "Cracking DES", 1998.

use ::des::Des;
use ::des::cipher::{BlockCipherDecrypt, KeyInit};
use zeroize::Zeroizing;

use super::{blowfish, des};
use crate::cipher::{Algorithm, Error, aes_cbc, check_length, envelope};
use crate::keys::fill_random;
use crate::pool;
use crate::stop;
use crate::wire::{append_secret, length as length_of};

/// The cipher of each chunk.
pub static CIPHERS: [&Algorithm; 4] =
    [&des::DES, &des::TRIPLE_DES, &blowfish::BLOWFISH, &aes_cbc::AES_256];

/// Unknown bits that a search takes at most.
pub const MOST_UNKNOWN_BITS: u32 = 40;

/// Bits that one thread tries by itself, at least.
const LEAST_BITS: u32 = 6;

/// Trials between two looks whether to go on.
const STRIDE: u64 = 1 << 12;

/// Bits by which the trials are told apart that threads share out, at most.
const MOST_BATCH_BITS: u32 = 16;

/// Returns the chunks of a credential, each as initialisation vector and ciphertext.
///
/// # Errors
///
/// [`Error::Credential`] if there is not a byte for each chunk, [`Error::Length`] for another number of keys,
/// [`Error::KeyLength`] or [`Error::WeakKey`] for a key that its cipher does not take,
/// [`Error::Keys`].
pub fn split(credential: &[u8], keys: &[&[u8]]) -> Result<Vec<Vec<u8>>, Error> {
    check_length("the list of keys", CIPHERS.len(), keys.len())?;
    if credential.len() < CIPHERS.len() {
        return Err(Error::Credential { got: credential.len() });
    }
    let mut from = 0;
    let mut chunks = Vec::new();
    for (number, (algorithm, key)) in CIPHERS.iter().zip(keys).enumerate() {
        let to = credential.len() * (number + 1) / CIPHERS.len();
        let mut nonce = vec![0; algorithm.nonce_len];
        fill_random(&mut nonce)?;
        let cipher = algorithm.with_key(key)?;
        chunks.push(envelope::seal(&*cipher, &nonce, b"", &credential[from..to])?);
        from = to;
    }
    Ok(chunks)
}

/// Returns the credential that [`split`] cut.
///
/// # Errors
///
/// [`Error::Decryption`] if the padding of a chunk is wrong; other changes go unnoticed. Otherwise as
/// for [`split`].
pub fn join(chunks: &[&[u8]], keys: &[&[u8]]) -> Result<Vec<u8>, Error> {
    check_length("the list of chunks", CIPHERS.len(), chunks.len())?;
    check_length("the list of keys", CIPHERS.len(), keys.len())?;
    let mut credential = Vec::new();
    for ((algorithm, key), chunk) in CIPHERS.iter().zip(keys).zip(chunks) {
        let opened = Zeroizing::new(envelope::open(&*algorithm.with_key(key)?, b"", chunk)?);
        append_secret(&mut credential, &opened);
    }
    Ok(credential)
}

/// What a trial key makes of a chunk: printable text with the right padding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The key.
    pub key: [u8; 8],
    /// The chunk in the clear.
    pub chunk: Vec<u8>,
}

/// Tries all keys that differ from a known one in its last bits, on all cores, and returns those under
/// which a DES chunk is printable text of a length.
///
/// Costs 2^`unknown_bits` key schedules and decryptions of a block; all 56 bits would be the attack.
///
/// # Errors
///
/// [`Error::UnknownBits`] for more than [`MOST_UNKNOWN_BITS`], [`Error::Chunk`] for a length that is
/// not 1 to 7, [`Error::Decryption`] if the chunk is not one block.
pub fn search(
    chunk: &[u8],
    length: usize,
    known: [u8; 8],
    unknown_bits: u32,
) -> Result<Vec<Candidate>, Error> {
    if unknown_bits > MOST_UNKNOWN_BITS {
        return Err(Error::UnknownBits { got: unknown_bits });
    }
    if !(1..8).contains(&length) {
        return Err(Error::Chunk { got: length });
    }
    let (nonce, block) = chunk.split_first_chunk::<8>().ok_or(Error::Decryption)?;
    let block: [u8; 8] = block.try_into().map_err(|_| Error::Decryption)?;
    let padding = u8::try_from(8 - length).map_err(|_| Error::Decryption)?;
    let fixed = effective_bits(known) >> unknown_bits << unknown_bits;
    let candidate = |trial: u64| {
        let key = from_effective_bits(fixed | trial);
        let mut block = block.into();
        Des::new(&key.into()).decrypt_block(&mut block);
        let text: [u8; 8] = std::array::from_fn(|at| block[at] ^ nonce[at]);
        let (chunk, end) = text.split_at(length);
        let fits = end.iter().all(|&byte| byte == padding)
            && chunk.iter().all(|byte| (b' '..=b'~').contains(byte));
        fits.then(|| Candidate { key, chunk: chunk.to_vec() })
    };
    let batch_bits = unknown_bits.saturating_sub(MOST_BATCH_BITS).max(unknown_bits.min(LEAST_BITS));
    let of_batch = 1_u64 << batch_bits;
    let batches = 1 << (unknown_bits - batch_bits);
    let strides = of_batch.div_ceil(STRIDE);
    stop::expect(batches * length_of(strides));
    let found = pool::map(batches, 2, |batch| {
        let first = batch as u64 * of_batch;
        let stride = |number: u64| {
            stop::check();
            stop::advance(1);
            let from = first + number * STRIDE;
            (from..(from + STRIDE).min(first + of_batch)).filter_map(&candidate)
        };
        (0..strides).flat_map(stride).collect::<Vec<_>>()
    });
    Ok(found.concat())
}

/// The bits of a key that count, without each byte's parity.
fn effective_bits(key: [u8; 8]) -> u64 {
    key.iter().fold(0, |bits, byte| bits << 7 | u64::from(byte >> 1))
}

/// The key with such bits, and odd parity.
fn from_effective_bits(mut bits: u64) -> [u8; 8] {
    let mut key = [0; 8];
    for byte in key.iter_mut().rev() {
        let seven = (bits & 0x7f) as u8;
        *byte = seven << 1 | u8::from(seven.count_ones().is_multiple_of(2));
        bits >>= 7;
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&[u8]; 4] = [
        &[0x13, 0x34, 0x57, 0x79, 0x9b, 0xbc, 0xdf, 0xf1],
        b"twenty-four bytes of key",
        b"blowfish",
        b"thirty-two bytes of key, no more",
    ];

    #[test]
    fn the_chunks_give_the_credential_back() {
        for length in [4, 5, 7, 16, 33] {
            let credential = vec![b'x'; length];
            let chunks = split(&credential, &KEYS).unwrap();
            let chunks: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
            assert_eq!(join(&chunks, &KEYS).unwrap(), credential);
        }
    }

    #[test]
    fn the_first_chunk_falls_by_itself() {
        let chunks = split(b"correct-horse-battery", &KEYS).unwrap();
        let mut known: [u8; 8] = KEYS[0].try_into().unwrap();
        known[7] = 0; // the last seven bits that count, and the parity
        known[6] = 0;
        let found = search(&chunks[0], 5, known, 14).unwrap();
        assert_eq!(
            found,
            [Candidate { key: KEYS[0].try_into().unwrap(), chunk: b"corre".to_vec() }]
        );
        // Six bits of the key that are taken for known and are not keep it from being found.
        assert_eq!(search(&chunks[0], 5, known, 8).unwrap(), []);
    }

    #[test]
    fn bits_that_count_and_parity_are_kept_apart() {
        let key: [u8; 8] = KEYS[0].try_into().unwrap();
        assert_eq!(from_effective_bits(effective_bits(key)), key);
        assert_eq!(effective_bits([0xff; 8]), (1 << 56) - 1);
        assert_eq!(effective_bits([0x01; 8]), 0);
    }

    #[test]
    fn what_cannot_be_split_joined_or_searched_is_refused() {
        assert_eq!(split(b"abc", &KEYS), Err(Error::Credential { got: 3 }));
        let length = Error::Length { what: "the list of keys", expected: 4, got: 3 };
        assert_eq!(split(b"abcd", &KEYS[..3]).unwrap_err(), length);
        assert_eq!(join(&[&[][..]; 4], &KEYS[..3]).unwrap_err(), length);
        assert_eq!(join(&[&[][..]; 4], &KEYS).unwrap_err(), Error::Decryption);
        assert!(matches!(join(&[&[][..]; 3], &KEYS), Err(Error::Length { got: 3, .. })));
        let weak = [&[1; 8][..], KEYS[1], KEYS[2], KEYS[3]];
        assert_eq!(split(b"abcd", &weak).unwrap_err(), Error::WeakKey);
        let chunk = [0; 16];
        assert_eq!(search(&chunk, 4, [0; 8], 41), Err(Error::UnknownBits { got: 41 }));
        assert_eq!(search(&chunk, 8, [0; 8], 1), Err(Error::Chunk { got: 8 }));
        assert_eq!(search(&chunk[1..], 4, [0; 8], 1).unwrap_err(), Error::Decryption);
    }
}
