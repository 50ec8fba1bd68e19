//! AES in cipher block chaining with padding, without authentication: see the mode's warning.
//!
//! The initialisation vector must be random and is 16 bytes. One AES block per 16 bytes; encryption on
//! one core, decryption on all. A change of the ciphertext is noticed only if it spoils the padding, and
//! an answer to the question whether it did gives the plaintext away (Vaudenay, EUROCRYPT 2002).
//!
//! # Sources
//!
//! NIST SP 800-38A section 6.2; RFC 5652 section 6.3 for the padding; cipher and mode are `RustCrypto`'s.

use aes::{Aes128, Aes256};

use super::cbc::Cbc;
use super::{Algorithm, Make};

/// AES-128-CBC.
pub static AES_128: Algorithm =
    algorithm("aes-128-cbc", 16, |key| Ok(Box::new(Cbc::<Aes128>::new(&AES_128, key))));

/// AES-256-CBC.
pub static AES_256: Algorithm =
    algorithm("aes-256-cbc", 32, |key| Ok(Box::new(Cbc::<Aes256>::new(&AES_256, key))));

const fn algorithm(name: &'static str, key_len: usize, make: Make) -> Algorithm {
    let longest = 1 << 60;
    let key_len = key_len..=key_len;
    Algorithm { name, key_len, nonce_len: 16, tag_len: 0, block_len: 16, longest, make }
}
