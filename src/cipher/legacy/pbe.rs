//! DES under a password as programs did it: PBES1, pbeWithMD5AndDES-CBC; for evaluation only.
//!
//! ```text
//! T = MD5(... MD5(password || salt))      iterated          key = T[0..8], IV = T[8..16]
//! message = "MOPSEPB1", version, iterations, salt, DES-CBC(key, IV, plaintext)
//! ```
//!
//! Nothing is authenticated: a wrong password or a changed message is noticed only by chance, from the
//! padding. MD5 takes a trial of a password nanoseconds, and the key has 56 bits whatever the password;
//! [`crate::cipher::password`] is what should be done instead.
//!
//! # Sources
//!
//! RFC 8018 section 5.1 for PBKDF1 and section 6.1 for the scheme, which Java calls `PBEWithMD5AndDES`.

use md5::{Digest, Md5};
use zeroize::Zeroizing;

use super::des;
use crate::cipher::Error;
use crate::keys::fill_random;
use crate::stop;
use crate::wire::{Kind, Reader, Writer};

/// Bytes of the salt.
pub const SALT_LEN: usize = 8;

/// How often a program of the time iterated the hash, where it did at all.
pub const DEFAULT_ITERATIONS: u32 = 1_000;

/// Iterations between two looks whether to go on.
const SELDOM: u32 = 1 << 12;

/// The key and the initialisation vector.
pub type KeyAndIv = (Zeroizing<[u8; 8]>, Zeroizing<[u8; 8]>);

/// Returns the DES key and the initialisation vector of a password and a salt of 8 bytes.
///
/// # Errors
///
/// [`Error::Salt`] for one of another length, [`Error::Iterations`] for a number of iterations that is not 1 to 10,000,000,
/// [`Error::EmptyPassword`].
pub fn derive(password: &[u8], salt: &[u8], iterations: u32) -> Result<KeyAndIv, Error> {
    check(iterations)?;
    if salt.len() != SALT_LEN {
        return Err(Error::Salt { least: SALT_LEN, most: SALT_LEN, got: salt.len() });
    }
    if password.is_empty() {
        return Err(Error::EmptyPassword);
    }
    let mut digest = Md5::new().chain_update(password).chain_update(salt).finalize();
    for iteration in 1..iterations {
        if iteration.is_multiple_of(SELDOM) {
            stop::check();
        }
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
    Err(Error::Iterations { got: iterations, expected: "1 to 10,000,000" })
}

/// Returns a plaintext sealed under a password, with a fresh salt.
///
/// # Errors
///
/// Those of [`derive()`], [`Error::TooLong`], [`Error::Keys`], and [`Error::WeakKey`] for one salt
/// in 2^50.
pub fn seal(password: &[u8], iterations: u32, plaintext: &[u8]) -> Result<Vec<u8>, Error> {
    let length = des::DES.sealed_len(plaintext.len())?;
    let mut salt = [0; SALT_LEN];
    fill_random(&mut salt)?;
    let (key, iv) = derive(password, &salt, iterations)?;
    let cipher = des::DES.with_key(key.as_slice())?;
    let mut message = Writer::new(Kind::Pbes1);
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
/// [`Error::Decryption`] if the padding is wrong. Before anything is computed: [`wire::Error::Format`](crate::wire::Error::Format) if the
/// message is cut or malformed, [`wire::Error::Version`](crate::wire::Error::Version), [`Error::PasswordCost`] for an absurd number of
/// iterations, [`Error::EmptyPassword`].
pub fn open(password: &[u8], sealed: &[u8]) -> Result<Vec<u8>, Error> {
    let mut reader = Reader::new(sealed, Kind::Pbes1)?;
    let iterations = reader.u32()?;
    let salt: [u8; SALT_LEN] = reader.array()?;
    let ciphertext = &sealed[reader.position()..];
    if ciphertext.is_empty() || !ciphertext.len().is_multiple_of(des::DES.block_len) {
        return Err(reader.fault().into());
    }
    check(iterations).map_err(|_| Error::PasswordCost)?;
    let (key, iv) = derive(password, &salt, iterations)?;
    // No message is ever sealed under a weak key, so it was changed, or the password is another.
    let cipher = des::DES.with_key(key.as_slice()).map_err(|_| Error::Decryption)?;
    cipher.open(iv.as_slice(), b"", ciphertext)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;
    use crate::wire;

    #[derive(Deserialize)]
    struct Vectors {
        cases: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        #[serde(with = "hex")]
        password: Vec<u8>,
        #[serde(with = "hex")]
        salt: Vec<u8>,
        iterations: u32,
        #[serde(with = "hex")]
        key: Vec<u8>,
        #[serde(with = "hex")]
        iv: Vec<u8>,
        #[serde(with = "hex")]
        plaintext: Vec<u8>,
        #[serde(with = "hex")]
        ciphertext: Vec<u8>,
    }

    const HEAD: usize = 8 + 1 + 4 + SALT_LEN;

    fn malformed(position: usize) -> Error {
        wire::Error::Format { what: Kind::Pbes1.name(), position }.into()
    }

    fn message(iterations: u32, salt: &[u8], ciphertext: &[u8]) -> Vec<u8> {
        [b"MOPSEPB1\x01", &iterations.to_le_bytes()[..], salt, ciphertext].concat()
    }

    #[test]
    fn keys_and_messages_are_the_known_ones() {
        let vectors: Vectors =
            serde_json::from_str(include_str!("../../../tests/vectors/pbe.json")).unwrap();
        for case in vectors.cases {
            let (key, iv) = derive(&case.password, &case.salt, case.iterations).unwrap();
            assert_eq!((&key[..], &iv[..]), (&case.key[..], &case.iv[..]));
            let message = message(case.iterations, &case.salt, &case.ciphertext);
            assert_eq!(open(&case.password, &message).unwrap(), case.plaintext);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn opening_undoes_sealing(
            password in proptest::collection::vec(any::<u8>(), 1..40),
            plaintext in proptest::collection::vec(any::<u8>(), 0..40),
            iterations in 1_u32..20,
        ) {
            let sealed = seal(&password, iterations, &plaintext).unwrap();
            prop_assert_eq!(sealed.len(), HEAD + plaintext.len() / 8 * 8 + 8);
            prop_assert_eq!(open(&password, &sealed).unwrap(), plaintext);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = open(b"password", &bytes);
            // Behind a right head, with few iterations.
            let _ = open(b"password", &message(1, &[], &bytes));
        }
    }

    #[test]
    fn every_missing_byte_and_every_change_is_noticed_or_changes_the_plaintext() {
        let sealed = seal(b"password", 3, b"chest X-ray").unwrap();
        for at in 0..sealed.len() {
            // The last block alone is a whole number of blocks.
            match open(b"password", &sealed[..at]) {
                Err(Error::Decryption) if at == HEAD + 8 => {}
                Ok(plaintext) if at == HEAD + 8 => assert_ne!(plaintext, b"chest X-ray"),
                cut => assert!(
                    matches!(cut, Err(Error::Wire(wire::Error::Format { .. }))),
                    "cut at {at}"
                ),
            }
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            let opened = open(b"password", &changed);
            match at {
                0..8 => assert_eq!(opened, Err(malformed(0))),
                8 => assert_eq!(
                    opened,
                    Err(Error::Wire(wire::Error::Version { what: Kind::Pbes1.name(), got: 0 }))
                ),
                12 => assert_eq!(opened, Err(Error::PasswordCost), "2^24 iterations"),
                // Nothing is authenticated.
                _ => assert!(
                    opened.map_or_else(|e| e == Error::Decryption, |p| p != b"chest X-ray"),
                    "byte {at}"
                ),
            }
        }
    }

    #[test]
    fn impossible_parameters_are_refused() {
        for iterations in [0, 10_000_001, u32::MAX] {
            let refused = Error::Iterations { got: iterations, expected: "1 to 10,000,000" };
            assert_eq!(derive(b"p", &[0; 8], iterations).unwrap_err(), refused);
            assert_eq!(seal(b"p", iterations, b"").unwrap_err(), refused);
            let absurd = message(iterations, &[0; 8], &[0; 8]);
            assert_eq!(open(b"p", &absurd), Err(Error::PasswordCost));
        }
        for got in [0, 7, 9] {
            let error = derive(b"p", &vec![0; got], 1).unwrap_err();
            assert_eq!(error, Error::Salt { least: 8, most: 8, got });
        }
        assert_eq!(derive(b"", &[0; 8], 1), Err(Error::EmptyPassword));
        assert_eq!(seal(b"", 1, b""), Err(Error::EmptyPassword));
        assert_eq!(open(b"", &message(1, &[0; 8], &[0; 8])), Err(Error::EmptyPassword));
    }
}
