//! Blowfish in cipher block chaining: for evaluation only.
//!
//! A key has 4 to 56 bytes. Setting it up costs 521 encryptions, before the first byte.
//!
//! # Sources
//!
//! B. Schneier, "Description of a New Variable-Length Key, 64-Bit Block Cipher (Blowfish)", FSE 1993;
//! the cipher is `RustCrypto`'s.

use ::blowfish::Blowfish;

use crate::cipher::Algorithm;
use crate::cipher::cbc::Cbc;

/// Blowfish-CBC.
pub static BLOWFISH: Algorithm = Algorithm {
    name: "blowfish-cbc",
    key_len: 4..=56,
    nonce_len: 8,
    tag_len: 0,
    block_len: 8,
    longest: 1 << 35,
    make: |key| Ok(Box::new(Cbc::<Blowfish>::new(&BLOWFISH, key))),
};
