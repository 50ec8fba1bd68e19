//! Ciphers of the past, and AES as it is without hardware: for evaluation, never for records.
//!
//! Published systems encrypt health records with these, and the comparison of their claims needs them.
//! None has a tag. DES falls to a search over 2^56 keys; 3DES and Blowfish have blocks of 8 bytes, so
//! that blocks repeat, and show the exclusive or of plaintexts, after some 2^32 of them (Bhargavan and
//! Leurent, "Sweet32", CCS 2016).

pub mod aes_software;
pub mod blowfish;
pub mod credential;
pub mod des;
pub mod pbe;
pub mod rsa_blocks;

use super::{Algorithm, Error, named};

/// The ciphers for evaluation.
pub static ALGORITHMS: [&Algorithm; 7] = [
    &des::DES,
    &des::TRIPLE_DES,
    &blowfish::BLOWFISH,
    &aes_software::AES_128_CBC,
    &aes_software::AES_256_CBC,
    &aes_software::AES_128_CTR,
    &aes_software::AES_256_CTR,
];

/// Returns the algorithm for evaluation with a name.
///
/// # Errors
///
/// [`Error::UnknownCipher`] if there is none.
pub fn find(name: &str) -> Result<&'static Algorithm, Error> {
    named(&ALGORITHMS, name)
}
