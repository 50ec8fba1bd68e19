//! AES-GCM-SIV, which survives a repeated nonce.
//!
//! Two messages under one nonce show whether they are equal and nothing else. The message is read
//! twice. Random nonces are good for 2^32 messages and more (RFC 8452 section 9). A long message is
//! hashed in pieces, between which it may be stopped, and encrypted on all cores:
//!
//! ```text
//! hashing key || encryption key = AES(key, 0 || nonce)[..8] || AES(key, 1 || nonce)[..8] || ...
//! S = POLYVAL(hashing key, padded(associated) || padded(plaintext) || lengths) xor nonce
//! tag = AES(encryption key, S without its highest bit)   counter = tag with its highest bit
//! ```
//!
//! # Sources
//!
//! RFC 8452 sections 4 and 5, in `RustCrypto`'s `aes-gcm-siv`; of long messages the parts are its.

use std::fmt;

use ::aes::cipher::{BlockCipherEncrypt, BlockSizeUser};
use ::aes_gcm_siv::aead::consts::{U12, U16};
use ::aes_gcm_siv::aead::inout::InOutBuf;
use ::aes_gcm_siv::aead::{AeadInOut, KeyInit};
use ::aes_gcm_siv::{Aes128GcmSiv, Aes256GcmSiv, AesGcmSiv};
use aes::{Aes128, Aes256, Aes256Enc};
use polyval::Polyval;
use polyval::universal_hash::UniversalHash;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{Algorithm, Cipher, Error, Make, PIECE, TAG_LEN, ctr};
use crate::keys::{KEY_LEN, Key};
use crate::stop;

/// Bytes of a nonce.
pub const NONCE_LEN: usize = 12;

/// AES-128-GCM-SIV.
pub static AES_128: Algorithm = algorithm("aes-128-gcm-siv", 16, |key| {
    let (aead, aes) = (keyed::<Aes128GcmSiv>(key), keyed::<Aes128>(key));
    Ok(Box::new(Siv { algorithm: &AES_128, aead, aes }))
});

/// AES-256-GCM-SIV.
pub static AES_256: Algorithm = algorithm("aes-256-gcm-siv", 32, |key| Ok(Box::new(siv(key))));

const fn algorithm(name: &'static str, key_len: usize, make: Make) -> Algorithm {
    let longest = 1 << 36;
    let key_len = key_len..=key_len;
    Algorithm { name, key_len, nonce_len: NONCE_LEN, tag_len: TAG_LEN, block_len: 1, longest, make }
}

/// AES-256-GCM-SIV under a key of the tree.
#[must_use]
pub fn under(key: &Key) -> impl Cipher + use<> {
    siv(key.expose())
}

fn siv(key: &[u8]) -> Siv<Aes256GcmSiv, Aes256> {
    Siv { algorithm: &AES_256, aead: keyed(key), aes: keyed(key) }
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

/// Bytes that are hashed between two looks whether to go on, and from which on a message is long.
const LONG: usize = 16 * PIECE;

struct Siv<A, C> {
    algorithm: &'static Algorithm,
    aead: A,
    aes: C,
}

impl<A, C: BlockCipherEncrypt + BlockSizeUser<BlockSize = U16> + KeyInit + Sync> Siv<A, C> {
    /// What hashes and what encrypts under a nonce: RFC 8452 section 4.
    fn under(&self, nonce: &[u8]) -> (Polyval, C) {
        let mut keys = Zeroizing::new([0; 16 + KEY_LEN]);
        for (number, half) in (0_u32..).zip(keys.chunks_exact_mut(8)) {
            let mut block = [0; 16];
            block[..4].copy_from_slice(&number.to_le_bytes());
            block[4..].copy_from_slice(nonce);
            let mut block = block.into();
            self.aes.encrypt_block(&mut block);
            half.copy_from_slice(&block[..8]);
        }
        let (hashing, encryption) = keys.split_at(16);
        let hash = Polyval::new_from_slice(hashing).expect("it has 16 bytes");
        (hash, keyed(&encryption[..C::key_size()]))
    }

    fn tag(
        (mut hash, aes): (Polyval, &C),
        nonce: &[u8],
        associated: &[u8],
        plaintext: &[u8],
    ) -> [u8; TAG_LEN] {
        for window in associated.chunks(LONG).chain(plaintext.chunks(LONG)) {
            stop::check();
            hash.update_padded(window);
        }
        let bits = |bytes: &[u8]| (bytes.len() as u64 * 8).to_le_bytes();
        let mut lengths = [0; 16];
        lengths[..8].copy_from_slice(&bits(associated));
        lengths[8..].copy_from_slice(&bits(plaintext));
        hash.update(&[lengths.into()]);
        let mut tag: [u8; 16] = hash.finalize().into();
        tag.iter_mut().zip(nonce).for_each(|(byte, nonce)| *byte ^= nonce);
        tag[15] &= 0x7f;
        let mut tag = tag.into();
        aes.encrypt_block(&mut tag);
        tag.into()
    }
}

fn keyed<A: KeyInit>(key: &[u8]) -> A {
    A::new_from_slice(key).expect("the length was checked")
}

impl<A, C> Cipher for Siv<A, C>
where
    A: AeadInOut<NonceSize = U12, TagSize = U16> + Send + Sync,
    C: BlockCipherEncrypt + BlockSizeUser<BlockSize = U16> + KeyInit + Send + Sync,
{
    fn algorithm(&self) -> &'static Algorithm {
        self.algorithm
    }

    fn encrypt(&self, nonce: &[u8], associated: &[u8], plaintext: &[u8], sealed: &mut [u8]) {
        let (ciphertext, tag) = sealed.split_at_mut(plaintext.len());
        if plaintext.len() > LONG {
            let (hash, aes) = self.under(nonce);
            let found = Self::tag((hash, &aes), nonce, associated, plaintext);
            ctr::whole_32(&aes, found, plaintext, ciphertext);
            tag.copy_from_slice(&found);
            return;
        }
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
        let said: [u8; TAG_LEN] = tag.try_into().map_err(|_| Error::Decryption)?;
        if length > LONG {
            let (hash, aes) = self.under(nonce);
            ctr::whole_32(&aes, said, ciphertext, plaintext);
            let found = Self::tag((hash, &aes), nonce, associated, plaintext);
            return if found.ct_eq(&said).into() { Ok(length) } else { Err(Error::Decryption) };
        }
        let buffer = InOutBuf::new(ciphertext, plaintext).expect("the slices have one length");
        let nonce = nonce.try_into().expect("the length was checked");
        let tag = (&said).into();
        let opened = self.aead.decrypt_inout_detached(nonce, associated, buffer, tag);
        opened.map(|()| length).map_err(|_| Error::Decryption)
    }
}

impl<A, C> fmt::Debug for Siv<A, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(..)", self.algorithm.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_messages_are_those_of_the_crate() {
        let message: Vec<u8> = (0..=250).cycle().take(LONG + PIECE + 5).collect();
        for (nonce, associated) in (0..4_u8).map(|n| ([n; NONCE_LEN], vec![n; 37 * usize::from(n)]))
        {
            let key = Key::from_bytes(&[nonce[0]; KEY_LEN]).expect("it has the length");
            let cipher = under(&key);
            let sealed = cipher.seal(&nonce, &associated, &message).expect("it is not too long");
            let mut expected = message.clone();
            let aead = keyed::<Aes256GcmSiv>(key.expose());
            let tag = aead.encrypt_inout_detached(
                (&nonce).into(),
                &associated,
                expected.as_mut_slice().into(),
            );
            expected.extend_from_slice(&tag.expect("it is not too long"));
            assert_eq!(sealed, expected);
            assert_eq!(cipher.open(&nonce, &associated, &sealed), Ok(message.clone()));
            for at in [0, LONG, sealed.len() - 1] {
                let mut changed = sealed.clone();
                changed[at] ^= 1;
                assert_eq!(cipher.open(&nonce, &associated, &changed), Err(Error::Decryption));
            }
        }
    }
}
