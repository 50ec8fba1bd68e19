//! ChaCha20-Poly1305, and XChaCha20-Poly1305 with a longer nonce.
//!
//! ```text
//! one-time key = ChaCha20(key, nonce, block 0)[..32]
//! ciphertext   = plaintext xor ChaCha20(key, nonce, block 1 on)
//! tag          = Poly1305(one-time key, padded(associated) || padded(ciphertext) || lengths)
//! XChaCha20    = the same under the key HChaCha20(key, nonce[..16]) and nonce 0 || nonce[16..]
//! ```
//!
//! `ChaCha20` works in pieces on all cores; `Poly1305` goes over the message in order, beside it. A
//! nonce must never repeat under a key: `XChaCha20`'s 24 bytes may be random without a thought.
//!
//! # Sources
//!
//! RFC 8439 sections 2.6 and 2.8; draft-irtf-cfrg-xchacha-03 section 2. The stream cipher and the
//! authenticator are `RustCrypto`'s.

use std::fmt;
use std::marker::PhantomData;

use ::chacha20::cipher::{KeyIvInit, StreamCipher, StreamCipherSeek};
use chacha20::{ChaCha20, XChaCha20};
use poly1305::Poly1305;
use poly1305::universal_hash::{KeyInit, UniversalHash};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{Algorithm, Cipher, Error, Make, PIECE, TAG_LEN, in_pieces};
use crate::keys::KEY_LEN;
use crate::pool;
use crate::stop;

/// ChaCha20-Poly1305.
pub static CHACHA20: Algorithm = algorithm("chacha20-poly1305", 12, |key| {
    Ok(Box::new(ChaChaPoly::<ChaCha20>::new(&CHACHA20, key)))
});

/// XChaCha20-Poly1305.
pub static XCHACHA20: Algorithm = algorithm("xchacha20-poly1305", 24, |key| {
    Ok(Box::new(ChaChaPoly::<XChaCha20>::new(&XCHACHA20, key)))
});

const fn algorithm(name: &'static str, nonce_len: usize, make: Make) -> Algorithm {
    // The counter of blocks of 64 bytes has 32 bits and starts at 1.
    let longest = (1 << 38) - 64;
    Algorithm { name, key_len: 32..=32, nonce_len, tag_len: TAG_LEN, block_len: 1, longest, make }
}

/// Bytes that are authenticated while the next ones are encrypted.
const WINDOW: usize = 16 * PIECE;

struct ChaChaPoly<S> {
    algorithm: &'static Algorithm,
    key: Zeroizing<[u8; KEY_LEN]>,
    stream: PhantomData<fn() -> S>,
}

impl<S: KeyIvInit + StreamCipher + StreamCipherSeek> ChaChaPoly<S> {
    fn new(algorithm: &'static Algorithm, key: &[u8]) -> Self {
        let key = Zeroizing::new(key.try_into().expect("the length was checked"));
        Self { algorithm, key, stream: PhantomData }
    }

    fn stream(&self, nonce: &[u8]) -> S {
        S::new_from_slices(self.key.as_slice(), nonce).expect("the lengths were checked")
    }

    /// Encrypts or decrypts what lies at an offset into the message.
    fn apply(&self, nonce: &[u8], offset: usize, input: &[u8], output: &mut [u8]) {
        in_pieces(input, output, |number, input, output| {
            let mut stream = self.stream(nonce);
            // Block 0 is the one-time key's.
            stream.seek((64 + offset + number * PIECE) as u64);
            stream.apply_keystream_b2b(input, output);
        });
    }

    /// An authenticator that has taken in the associated bytes.
    fn authenticator(&self, nonce: &[u8], associated: &[u8]) -> Poly1305 {
        let mut key = Zeroizing::new([0; KEY_LEN]);
        self.stream(nonce).apply_keystream(key.as_mut_slice());
        let mut authenticator = Poly1305::new((&*key).into());
        authenticator.update_padded(associated);
        authenticator
    }
}

fn tag(mut authenticator: Poly1305, associated: &[u8], ciphertext: &[u8]) -> [u8; TAG_LEN] {
    let mut lengths = [0; 16];
    lengths[..8].copy_from_slice(&(associated.len() as u64).to_le_bytes());
    lengths[8..].copy_from_slice(&(ciphertext.len() as u64).to_le_bytes());
    authenticator.update(&[lengths.into()]);
    authenticator.finalize().into()
}

impl<S: KeyIvInit + StreamCipher + StreamCipherSeek> Cipher for ChaChaPoly<S> {
    fn algorithm(&self) -> &'static Algorithm {
        self.algorithm
    }

    fn encrypt(&self, nonce: &[u8], associated: &[u8], plaintext: &[u8], sealed: &mut [u8]) {
        let mut authenticator = self.authenticator(nonce, associated);
        let (ciphertext, end) = sealed.split_at_mut(plaintext.len());
        let mut done: &[u8] = &[];
        let windows = plaintext.chunks(WINDOW).zip(ciphertext.chunks_mut(WINDOW)).enumerate();
        for (number, (input, output)) in windows {
            let mut encrypt = || self.apply(nonce, number * WINDOW, input, output);
            if done.is_empty() {
                encrypt();
            } else {
                pool::join(encrypt, || authenticator.update_padded(done));
            }
            done = output;
        }
        authenticator.update_padded(done);
        end.copy_from_slice(&tag(authenticator, associated, ciphertext));
    }

    fn decrypt(
        &self,
        nonce: &[u8],
        associated: &[u8],
        sealed: &[u8],
        plaintext: &mut [u8],
    ) -> Result<usize, Error> {
        let (ciphertext, end) = sealed.split_at(plaintext.len());
        let mut authenticator = self.authenticator(nonce, associated);
        for window in ciphertext.chunks(WINDOW) {
            stop::check();
            authenticator.update_padded(window);
        }
        if !bool::from(tag(authenticator, associated, ciphertext).ct_eq(end)) {
            return Err(Error::Decryption);
        }
        self.apply(nonce, 0, ciphertext, plaintext);
        Ok(plaintext.len())
    }
}

impl<S> fmt::Debug for ChaChaPoly<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(..)", self.algorithm.name)
    }
}
