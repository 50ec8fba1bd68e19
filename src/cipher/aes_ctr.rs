//! AES in counter mode, without authentication: a change of the ciphertext changes the plaintext.
//!
//! The nonce is the first counter block of 16 bytes; the counter has 128 bits and wraps. A counter block
//! must never repeat under a key, so two nonces must lie further apart than the message is long:
//! random ones do. Costs one AES block per 16 bytes, on all cores.
//!
//! # Sources
//!
//! NIST SP 800-38A section 6.5; the cipher and the mode are `RustCrypto`'s.

use std::fmt;

use ::aes::cipher::{BlockCipherEncrypt, BlockSizeUser, KeyInit, consts::U16};
use aes::{Aes128, Aes256};

use super::{Algorithm, Cipher, Error, Make, ctr};

/// AES-128-CTR.
pub static AES_128: Algorithm =
    algorithm("aes-128-ctr", 16, |key| Ok(Box::new(AesCtr::<Aes128>::new(&AES_128, key))));

/// AES-256-CTR.
pub static AES_256: Algorithm =
    algorithm("aes-256-ctr", 32, |key| Ok(Box::new(AesCtr::<Aes256>::new(&AES_256, key))));

const fn algorithm(name: &'static str, key_len: usize, make: Make) -> Algorithm {
    let longest = 1 << 60;
    let key_len = key_len..=key_len;
    Algorithm { name, key_len, nonce_len: 16, tag_len: 0, block_len: 1, longest, make }
}

pub(super) struct AesCtr<C> {
    algorithm: &'static Algorithm,
    aes: C,
}

impl<C: KeyInit> AesCtr<C> {
    pub fn new(algorithm: &'static Algorithm, key: &[u8]) -> Self {
        Self { algorithm, aes: C::new_from_slice(key).expect("the length was checked") }
    }
}

impl<C> Cipher for AesCtr<C>
where
    C: BlockCipherEncrypt + BlockSizeUser<BlockSize = U16> + Clone + Send + Sync,
{
    fn algorithm(&self) -> &'static Algorithm {
        self.algorithm
    }

    fn encrypt(&self, nonce: &[u8], _: &[u8], plaintext: &[u8], sealed: &mut [u8]) {
        ctr::whole(&self.aes, nonce.try_into().expect("the length was checked"), plaintext, sealed);
    }

    fn decrypt(
        &self,
        nonce: &[u8],
        associated: &[u8],
        sealed: &[u8],
        plaintext: &mut [u8],
    ) -> Result<usize, Error> {
        self.encrypt(nonce, associated, sealed, plaintext);
        Ok(plaintext.len())
    }
}

impl<C> fmt::Debug for AesCtr<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(..)", self.algorithm.name)
    }
}
