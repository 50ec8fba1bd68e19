//! Cipher block chaining with padding over any block cipher, without authentication.
//!
//! The initialisation vector must be random. The padding is PKCS #7: `n` bytes of value `n`. Whoever
//! may try ciphertexts and learns whether the padding was right reads the plaintext (Vaudenay,
//! EUROCRYPT 2002). Encryption is a chain and keeps one core busy; decryption uses all.
//!
//! # Sources
//!
//! NIST SP 800-38A section 6.2; RFC 5652 section 6.3 for the padding.

use std::fmt;

use ::aes::cipher::block_padding::{NoPadding, Padding, Pkcs7};
use ::aes::cipher::{
    Array, BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, InnerIvInit,
    KeyInit,
};
use ::cbc::{Decryptor, Encryptor};

use super::{Algorithm, Cipher, Error, PIECE, in_pieces};
use crate::stop;

/// A block cipher in CBC mode.
pub(super) struct Cbc<C> {
    algorithm: &'static Algorithm,
    block: C,
}

impl<C: KeyInit> Cbc<C> {
    pub fn new(algorithm: &'static Algorithm, key: &[u8]) -> Self {
        Self { algorithm, block: C::new_from_slice(key).expect("the length was checked") }
    }
}

impl<C: BlockCipherEncrypt + BlockCipherDecrypt + Clone + Send + Sync> Cipher for Cbc<C> {
    fn algorithm(&self) -> &'static Algorithm {
        self.algorithm
    }

    fn encrypt(&self, nonce: &[u8], _: &[u8], plaintext: &[u8], sealed: &mut [u8]) {
        let mode = |previous: &[u8]| {
            Encryptor::inner_iv_slice_init(self.block.clone(), previous)
                .expect("the length was checked")
        };
        // The chain goes on from the last block of the piece before; the last piece is padded.
        let (mut previous, mut output) = (nonce, sealed);
        let mut pieces = plaintext.chunks_exact(PIECE);
        for piece in &mut pieces {
            stop::check();
            let (done, rest) = output.split_at_mut(PIECE);
            mode(previous)
                .encrypt_padded_b2b::<NoPadding>(piece, done)
                .expect("a piece is a multiple of a block");
            (previous, output) = (&done[PIECE - nonce.len()..], rest);
        }
        mode(previous)
            .encrypt_padded_b2b::<Pkcs7>(pieces.remainder(), output)
            .expect("the slice has room for the padding");
    }

    fn decrypt(
        &self,
        nonce: &[u8],
        _: &[u8],
        sealed: &[u8],
        plaintext: &mut [u8],
    ) -> Result<usize, Error> {
        in_pieces(sealed, plaintext, |number, input, output| {
            // The chain goes on from the last block of the piece before.
            let from = number * PIECE;
            let previous = if from == 0 { nonce } else { &sealed[from - nonce.len()..from] };
            let mode = Decryptor::inner_iv_slice_init(self.block.clone(), previous);
            mode.expect("the length was checked")
                .decrypt_padded_b2b::<NoPadding>(input, output)
                .expect("a piece is a multiple of a block");
        });
        let (blocks, _) = Array::<u8, C::BlockSize>::slice_as_chunks(plaintext);
        Ok(Pkcs7::unpad_blocks(blocks).map_err(|_| Error::Decryption)?.len())
    }
}

impl<C> fmt::Debug for Cbc<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(..)", self.algorithm.name)
    }
}
