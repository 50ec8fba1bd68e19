//! The symmetric-cipher suite: one interface, one file per cipher, thin over well-kept crates.
//!
//! A provider seals files with these, and whoever compares ciphers measures them. Every cipher has an
//! [`Algorithm`], found by its name, which says its lengths and makes it from a key; the trait
//! [`Cipher`] does the work on slices:
//!
//! ```text
//! sealed = ciphertext || tag          len(sealed) = len(plaintext) + padding + len(tag)
//! ```
//!
//! What has a tag is authenticated: a change of nonce, associated bytes, ciphertext or tag is refused
//! with one error that says nothing more, and no plaintext is given out. CTR and CBC have no tag and
//! notice no change. What is for evaluation only is in [`legacy`], under names of its own. [`rsa`] seals
//! for whoever has a private key.
//!
//! Messages longer than [`PIECE`] bytes are cut, and all cores of the current pool work on the pieces
//! where the mode allows it: GCM, CTR, ChaCha20-Poly1305 and the decryption of CBC.
//!
//! # Leakage
//!
//! The length of the plaintext, to the padding. A nonce that is used twice under one key gives away
//! the exclusive or of the two plaintexts, and with GCM and Poly1305 lets anyone forge; GCM-SIV then
//! tells only whether the two messages are equal.
//!
//! # Sources
//!
//! RFC 5116 section 2.1 for the interface; each file names its own.

pub mod aes_cbc;
pub mod aes_ctr;
pub mod aes_gcm;
pub mod aes_gcm_siv;
mod cbc;
pub mod chacha20_poly1305;
mod ctr;
pub mod envelope;
mod error;
pub mod legacy;
pub mod password;
pub mod rsa;
pub mod secret_sharing;
pub mod stream;

use crate::pool;
use std::fmt;
use std::ops::RangeInclusive;

pub use error::Error;

/// Bytes that one core works on at a time; a multiple of every block.
pub const PIECE: usize = 1 << 16;

/// Bytes of every authentication tag here.
pub const TAG_LEN: usize = 16;

/// What a cipher is called, how long its parts are, and how it is made.
pub struct Algorithm {
    /// Its name.
    pub name: &'static str,
    /// How many bytes a key may have.
    pub key_len: RangeInclusive<usize>,
    /// Bytes of a nonce; for CBC, of the initialisation vector.
    pub nonce_len: usize,
    /// Bytes of the tag; 0 if nothing is authenticated.
    pub tag_len: usize,
    /// A padded plaintext is a multiple of so many bytes; 1 if none is padded.
    pub block_len: usize,
    /// Bytes of the longest plaintext.
    pub longest: u64,
    /// Makes the cipher from a key of a checked length.
    make: Make,
}

type Make = fn(&[u8]) -> Result<Box<dyn Cipher>, Error>;

impl Algorithm {
    /// Makes the cipher from a key.
    ///
    /// # Errors
    ///
    /// [`Error::KeyLength`] if the key has another length, [`Error::WeakKey`] if the cipher does not
    /// hide anything under it.
    pub fn with_key(&self, key: &[u8]) -> Result<Box<dyn Cipher>, Error> {
        if !self.key_len.contains(&key.len()) {
            let (least, most) = (*self.key_len.start(), *self.key_len.end());
            return Err(Error::KeyLength { cipher: self.name, least, most, got: key.len() });
        }
        (self.make)(key)
    }

    /// How many bytes a plaintext becomes.
    ///
    /// # Errors
    ///
    /// [`Error::TooLong`] if the mode does not take so long a plaintext under one nonce.
    pub fn sealed_len(&self, plaintext: usize) -> Result<usize, Error> {
        let too_long = Error::TooLong { cipher: self.name, longest: self.longest };
        if plaintext as u64 > self.longest {
            return Err(too_long);
        }
        let padding =
            if self.block_len == 1 { 0 } else { self.block_len - plaintext % self.block_len };
        plaintext.checked_add(padding + self.tag_len).ok_or(too_long)
    }

    /// How many bytes a sealed message opens to, its padding counted in.
    ///
    /// # Errors
    ///
    /// [`Error::Decryption`] if no plaintext becomes so many.
    pub fn padded_len(&self, sealed: usize) -> Result<usize, Error> {
        let padded = sealed.checked_sub(self.tag_len).ok_or(Error::Decryption)?;
        let shortest = if self.block_len == 1 { 0 } else { self.block_len };
        let longest = self.longest.saturating_add(shortest as u64);
        let is_whole = padded.is_multiple_of(self.block_len) && padded >= shortest;
        if is_whole && padded as u64 <= longest { Ok(padded) } else { Err(Error::Decryption) }
    }
}

impl fmt::Debug for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The ciphers that may be used, the recommended first.
pub static ALGORITHMS: [&Algorithm; 10] = [
    &aes_gcm_siv::AES_256,
    &chacha20_poly1305::XCHACHA20,
    &aes_gcm::AES_256,
    &chacha20_poly1305::CHACHA20,
    &aes_gcm_siv::AES_128,
    &aes_gcm::AES_128,
    &aes_ctr::AES_256,
    &aes_ctr::AES_128,
    &aes_cbc::AES_256,
    &aes_cbc::AES_128,
];

/// Returns the algorithm with a name.
///
/// # Errors
///
/// [`Error::UnknownCipher`] if there is none, or only in [`legacy`].
pub fn find(name: &str) -> Result<&'static Algorithm, Error> {
    named(&ALGORITHMS, name)
}

fn named(list: &[&'static Algorithm], name: &str) -> Result<&'static Algorithm, Error> {
    let found = list.iter().find(|algorithm| algorithm.name == name).copied();
    found.ok_or_else(|| Error::UnknownCipher { name: name.escape_default().to_string() })
}

/// A symmetric cipher under one key.
///
/// Every cipher keeps the same contract, which `tests/ciphers.rs` runs on each of them: opening undoes
/// sealing, lengths are as [`Algorithm`] says, and what has a tag opens only unchanged.
pub trait Cipher: fmt::Debug + Send + Sync {
    /// What it is called and how long its parts are.
    fn algorithm(&self) -> &'static Algorithm;

    /// Encrypts into a slice of the right length, with a nonce of the right length.
    #[doc(hidden)]
    fn encrypt(&self, nonce: &[u8], associated: &[u8], plaintext: &[u8], sealed: &mut [u8]);

    /// Decrypts into a slice that is at least as long as the plaintext, which may hold anything if
    /// it fails; returns the length of the plaintext.
    #[doc(hidden)]
    fn decrypt(
        &self,
        nonce: &[u8],
        associated: &[u8],
        sealed: &[u8],
        plaintext: &mut [u8],
    ) -> Result<usize, Error>;

    /// Seals a plaintext into a slice that has exactly the length [`Algorithm::sealed_len`] says.
    ///
    /// # Errors
    ///
    /// [`Error::Nonce`] or [`Error::Length`] for a nonce or slice of another length,
    /// [`Error::NotAuthenticated`] if there are associated bytes and no tag to protect them,
    /// [`Error::TooLong`].
    fn seal_into(
        &self,
        nonce: &[u8],
        associated: &[u8],
        plaintext: &[u8],
        sealed: &mut [u8],
    ) -> Result<(), Error> {
        check(self.algorithm(), nonce, associated)?;
        let expected = self.algorithm().sealed_len(plaintext.len())?;
        check_length("the buffer for the ciphertext", expected, sealed.len())?;
        let mut sealed = Unfinished { bytes: sealed, is_whole: false };
        self.encrypt(nonce, associated, plaintext, sealed.bytes);
        sealed.is_whole = true;
        Ok(())
    }

    /// Opens what was sealed into a slice of at least the plaintext's length, and returns that length.
    ///
    /// # Errors
    ///
    /// [`Error::Decryption`] if it was changed or is of another key; the slice then holds zeros.
    /// [`Error::Nonce`], [`Error::Length`] and [`Error::NotAuthenticated`] as for
    /// [`seal_into`](Self::seal_into).
    fn open_into(
        &self,
        nonce: &[u8],
        associated: &[u8],
        sealed: &[u8],
        plaintext: &mut [u8],
    ) -> Result<usize, Error> {
        let algorithm = self.algorithm();
        check(algorithm, nonce, associated)?;
        let expected = algorithm.padded_len(sealed.len()).inspect_err(|_| plaintext.fill(0))?;
        let got = plaintext.len();
        let plaintext = plaintext.get_mut(..expected).ok_or(Error::Length {
            what: "the buffer for the plaintext",
            expected,
            got,
        })?;
        let mut plaintext = Unfinished { bytes: plaintext, is_whole: false };
        let length = self.decrypt(nonce, associated, sealed, plaintext.bytes)?;
        plaintext.is_whole = true;
        Ok(length)
    }

    /// Returns a plaintext sealed.
    ///
    /// # Errors
    ///
    /// Those of [`seal_into`](Self::seal_into).
    fn seal(&self, nonce: &[u8], associated: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, Error> {
        let mut sealed = vec![0; self.algorithm().sealed_len(plaintext.len())?];
        self.seal_into(nonce, associated, plaintext, &mut sealed)?;
        Ok(sealed)
    }

    /// Returns the plaintext of what was sealed.
    ///
    /// # Errors
    ///
    /// Those of [`open_into`](Self::open_into).
    fn open(&self, nonce: &[u8], associated: &[u8], sealed: &[u8]) -> Result<Vec<u8>, Error> {
        let mut plaintext = vec![0; sealed.len().saturating_sub(self.algorithm().tag_len)];
        let length = self.open_into(nonce, associated, sealed, &mut plaintext)?;
        plaintext.truncate(length);
        Ok(plaintext)
    }
}

/// What is being written: it holds zeros if that fails or is stopped.
struct Unfinished<'a> {
    bytes: &'a mut [u8],
    is_whole: bool,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if !self.is_whole {
            self.bytes.fill(0);
        }
    }
}

fn check(algorithm: &Algorithm, nonce: &[u8], associated: &[u8]) -> Result<(), Error> {
    let cipher = algorithm.name;
    if nonce.len() != algorithm.nonce_len {
        let expected = algorithm.nonce_len;
        return Err(Error::Nonce { cipher, expected, got: nonce.len() });
    }
    if algorithm.tag_len == 0 && !associated.is_empty() {
        return Err(Error::NotAuthenticated { cipher });
    }
    Ok(())
}

fn check_length(what: &'static str, expected: usize, got: usize) -> Result<(), Error> {
    if got == expected { Ok(()) } else { Err(Error::Length { what, expected, got }) }
}

/// Calls `work` on every piece of a message, with its number and the place for what becomes of it, and
/// returns the answers in order; a message of one piece stays on its core.
fn in_pieces<T: Send>(
    input: &[u8],
    output: &mut [u8],
    work: impl Fn(usize, &[u8], &mut [u8]) -> T + Sync,
) -> Vec<T> {
    if input.len() <= PIECE {
        return vec![work(0, input, output)];
    }
    pool::map_pairs((input, PIECE), (output, PIECE), work)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cipher_undoes_itself_on_either_side_of_a_piece() {
        for algorithm in ALGORITHMS.iter().chain(&legacy::ALGORITHMS) {
            let key: Vec<u8> = (1..).take(*algorithm.key_len.end()).collect();
            let cipher = algorithm.with_key(&key).unwrap();
            let nonce = vec![9; algorithm.nonce_len];
            for length in [0, 1, 15, 16, 17, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 5] {
                let plaintext: Vec<u8> = (0..=255).cycle().take(length).collect();
                let sealed = cipher.seal(&nonce, b"", &plaintext).unwrap();
                assert_eq!(sealed.len(), algorithm.sealed_len(length).unwrap(), "{algorithm:?}");
                assert_eq!(cipher.open(&nonce, b"", &sealed).unwrap(), plaintext, "{algorithm:?}");
            }
        }
    }
}
