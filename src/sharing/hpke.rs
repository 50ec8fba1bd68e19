//! Hybrid public-key encryption: what is sealed to a key is bound to what it is for.

use chacha20::ChaCha20Rng;
use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::{X25519HkdfSha256, XWing};
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use hpke::{single_shot_open, single_shot_seal_with_rng};
use rand::SeedableRng;
use zeroize::Zeroizing;

use super::Error;
use crate::keys::{Key, fill_random};
use crate::operations::{Operation, count};
use crate::wire::Reader;

/// How a key is encapsulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Algorithm {
    /// X25519 with HKDF-SHA256.
    X25519 = 1,
    /// X-Wing: ML-KEM-768 and X25519, of which either must hold.
    XWing = 2,
}

impl Algorithm {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        match reader.u8()? {
            1 => Ok(Self::X25519),
            2 => Ok(Self::XWing),
            _ => Err(reader.fault().into()),
        }
    }

    /// Bytes of the key that something is sealed to.
    pub(super) fn key_len(self) -> usize {
        match self {
            Self::X25519 => <X25519HkdfSha256 as Kem>::PublicKey::size(),
            Self::XWing => <XWing as Kem>::PublicKey::size(),
        }
    }

    /// Bytes of an encapsulated key.
    pub(super) fn encapsulated_len(self) -> usize {
        match self {
            Self::X25519 => <X25519HkdfSha256 as Kem>::EncappedKey::size(),
            Self::XWing => <XWing as Kem>::EncappedKey::size(),
        }
    }

    /// The key that is sealed to, of what the pair is made of.
    pub(super) fn public(self, material: &Key) -> Vec<u8> {
        let material = material.expose();
        match self {
            Self::X25519 => X25519HkdfSha256::derive_keypair(material).1.to_bytes().to_vec(),
            Self::XWing => XWing::derive_keypair(material).1.to_bytes().to_vec(),
        }
    }

    /// Returns an encapsulated key and what is sealed under it, bound to what it is for.
    ///
    /// # Errors
    ///
    /// [`Error::PublicKey`] if nothing can be sealed to the key,
    /// [`keys::Error::Randomness`](crate::keys::Error::Randomness).
    pub(super) fn seal(
        self,
        key: &[u8],
        info: [&[u8]; 2],
        plaintext: &[u8],
    ) -> Result<(Vec<u8>, Vec<u8>), Error> {
        match self {
            Self::X25519 => sealed::<X25519HkdfSha256>(key, &info.concat(), plaintext),
            Self::XWing => sealed::<XWing>(key, &info.concat(), plaintext),
        }
    }

    /// Opens what [`seal`](Self::seal) sealed, by what the pair is made of.
    ///
    /// # Errors
    ///
    /// [`Error::Sealed`] if it does not open.
    pub(super) fn open(
        self,
        material: &Key,
        info: [&[u8]; 2],
        encapsulated: &[u8],
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let (material, info) = (material.expose(), info.concat());
        match self {
            Self::X25519 => {
                let (key, _) = X25519HkdfSha256::derive_keypair(material);
                opened::<X25519HkdfSha256>(&key, &info, encapsulated, ciphertext)
            }
            Self::XWing => {
                let (key, _) = XWing::derive_keypair(material);
                opened::<XWing>(&key, &info, encapsulated, ciphertext)
            }
        }
    }
}

fn sealed<K: Kem>(key: &[u8], info: &[u8], plaintext: &[u8]) -> Result<(Vec<u8>, Vec<u8>), Error> {
    let key = K::PublicKey::from_bytes(key).map_err(|_| Error::PublicKey)?;
    // The crate's own source of randomness panics where there is none.
    let mut seed = Zeroizing::new([0; 32]);
    fill_random(seed.as_mut_slice())?;
    let mut random = ChaCha20Rng::from_seed(*seed);
    count(Operation::Encapsulation, 1);
    let mode = OpModeS::Base;
    let (encapsulated, ciphertext) = single_shot_seal_with_rng::<AesGcm256, HkdfSha256, K>(
        &mode,
        &key,
        info,
        plaintext,
        b"",
        &mut random,
    )
    .map_err(|_| Error::PublicKey)?;
    Ok((encapsulated.to_bytes().to_vec(), ciphertext))
}

fn opened<K: Kem>(
    key: &K::PrivateKey,
    info: &[u8],
    encapsulated: &[u8],
    ciphertext: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let encapsulated = K::EncappedKey::from_bytes(encapsulated).map_err(|_| Error::Sealed)?;
    count(Operation::Encapsulation, 1);
    let opened = single_shot_open::<AesGcm256, HkdfSha256, K>(
        &OpModeR::Base,
        key,
        &encapsulated,
        info,
        ciphertext,
        b"",
    );
    Ok(Zeroizing::new(opened.map_err(|_| Error::Sealed)?))
}
