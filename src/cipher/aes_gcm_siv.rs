//! AES-GCM-SIV, which survives a repeated nonce.
//!
//! Two messages under one nonce show whether they are equal and nothing else. The message is read
//! twice, on one core. Random nonces are good for 2^32 messages and more (RFC 8452 section 9).
//!
//! # Sources
//!
//! RFC 8452 sections 4 and 5, in `RustCrypto`'s `aes-gcm-siv`.

use std::fmt;

use ::aes_gcm_siv::aead::consts::{U12, U16};
use ::aes_gcm_siv::aead::inout::InOutBuf;
use ::aes_gcm_siv::aead::{AeadInOut, KeyInit};
use ::aes_gcm_siv::{Aes128GcmSiv, Aes256GcmSiv, AesGcmSiv};
use aes::Aes256Enc;

use super::{Algorithm, Cipher, Error, Make, TAG_LEN};
use crate::keys::{KEY_LEN, Key};

/// Bytes of a nonce.
pub const NONCE_LEN: usize = 12;

/// AES-128-GCM-SIV.
pub static AES_128: Algorithm = algorithm("aes-128-gcm-siv", 16, |key| {
    Ok(Box::new(Siv { algorithm: &AES_128, aead: keyed::<Aes128GcmSiv>(key) }))
});

/// AES-256-GCM-SIV.
pub static AES_256: Algorithm = algorithm("aes-256-gcm-siv", 32, |key| {
    Ok(Box::new(Siv { algorithm: &AES_256, aead: keyed::<Aes256GcmSiv>(key) }))
});

const fn algorithm(name: &'static str, key_len: usize, make: Make) -> Algorithm {
    let longest = 1 << 36;
    let key_len = key_len..=key_len;
    Algorithm { name, key_len, nonce_len: NONCE_LEN, tag_len: TAG_LEN, block_len: 1, longest, make }
}

/// AES-256-GCM-SIV under a key of the tree.
#[must_use]
pub fn under(key: &Key) -> impl Cipher + use<> {
    Siv { algorithm: &AES_256, aead: Aes256GcmSiv::new(key.expose().into()) }
}

/// Seals a message in its place under a key of this use alone, and returns its tag.
///
/// Cheaper than [`under`] where each key seals one short message: only the schedule for encryption is made.
#[must_use]
pub(crate) fn seal_in_place(
    key: &[u8; KEY_LEN],
    nonce: &[u8; NONCE_LEN],
    associated: &[u8],
    message: &mut [u8],
) -> [u8; TAG_LEN] {
    let aead = AesGcmSiv::<Aes256Enc>::new(key.into());
    let tag = aead.encrypt_inout_detached(nonce.into(), associated, message.into());
    tag.expect("messages and what they are bound to are shorter than 64 GiB").into()
}

/// Opens in its place what [`seal_in_place`] sealed; says whether it is that.
#[must_use]
pub(crate) fn open_in_place(
    key: &[u8; KEY_LEN],
    nonce: &[u8; NONCE_LEN],
    associated: &[u8],
    message: &mut [u8],
    tag: &[u8; TAG_LEN],
) -> bool {
    let aead = AesGcmSiv::<Aes256Enc>::new(key.into());
    aead.decrypt_inout_detached(nonce.into(), associated, message.into(), tag.into()).is_ok()
}

struct Siv<A> {
    algorithm: &'static Algorithm,
    aead: A,
}

fn keyed<A: KeyInit>(key: &[u8]) -> A {
    A::new_from_slice(key).expect("the length was checked")
}

impl<A: AeadInOut<NonceSize = U12, TagSize = U16> + Send + Sync> Cipher for Siv<A> {
    fn algorithm(&self) -> &'static Algorithm {
        self.algorithm
    }

    fn encrypt(&self, nonce: &[u8], associated: &[u8], plaintext: &[u8], sealed: &mut [u8]) {
        let (ciphertext, tag) = sealed.split_at_mut(plaintext.len());
        let buffer = InOutBuf::new(plaintext, ciphertext).expect("the slices have one length");
        let nonce = nonce.try_into().expect("the length was checked");
        let found = self.aead.encrypt_inout_detached(nonce, associated, buffer);
        tag.copy_from_slice(&found.expect("the length was checked"));
    }

    fn decrypt(
        &self,
        nonce: &[u8],
        associated: &[u8],
        sealed: &[u8],
        plaintext: &mut [u8],
    ) -> Result<usize, Error> {
        let length = plaintext.len();
        let (ciphertext, tag) = sealed.split_at(length);
        let buffer = InOutBuf::new(ciphertext, plaintext).expect("the slices have one length");
        let nonce = nonce.try_into().expect("the length was checked");
        let tag = tag.try_into().expect("the rest has the length of a tag");
        let opened = self.aead.decrypt_inout_detached(nonce, associated, buffer, tag);
        opened.map(|()| length).map_err(|_| Error::Decryption)
    }
}

impl<A> fmt::Debug for Siv<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(..)", self.algorithm.name)
    }
}
