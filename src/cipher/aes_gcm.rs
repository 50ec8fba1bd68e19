//! AES in Galois/counter mode.
//!
//! ```text
//! H = AES(key, 0)   J = nonce || 1   ciphertext = CTR(J + 1, plaintext)
//! tag = AES(key, J) xor GHASH(H, associated || ciphertext || lengths)
//! ```
//!
//! GHASH is a polynomial in `H`, so the pieces of a message are hashed apart and joined: with `n` blocks
//! in the last piece, `Y(a || b) = Y(a) H^n + Y(b)`. A nonce must never repeat under a key; random ones
//! are good for 2^32 messages (SP 800-38D section 8.3).
//!
//! # Sources
//!
//! NIST SP 800-38D sections 6.4, 7.1 and 7.2; the cipher, counter mode and GHASH are `RustCrypto`'s.

use std::fmt;

use ::aes::cipher::{BlockCipherEncrypt, BlockSizeUser, KeyInit, consts::U16};
use aes::{Aes128, Aes256};
use ghash::GHash;
use ghash::universal_hash::UniversalHash;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{Algorithm, Cipher, Error, Make, PIECE, TAG_LEN, ctr, in_pieces};

/// AES-128-GCM.
pub static AES_128: Algorithm =
    algorithm("aes-128-gcm", 16, |key| Ok(Box::new(Gcm::<Aes128>::new(&AES_128, key))));

/// AES-256-GCM.
pub static AES_256: Algorithm =
    algorithm("aes-256-gcm", 32, |key| Ok(Box::new(Gcm::<Aes256>::new(&AES_256, key))));

const fn algorithm(name: &'static str, key_len: usize, make: Make) -> Algorithm {
    let longest = (1 << 36) - 32;
    let key_len = key_len..=key_len;
    Algorithm { name, key_len, nonce_len: 12, tag_len: TAG_LEN, block_len: 1, longest, make }
}

type Block = [u8; 16];

struct Gcm<C> {
    algorithm: &'static Algorithm,
    aes: C,
    hash: GHash,
    /// `H`, and `H` to the number of blocks in a piece.
    powers: Zeroizing<[Block; 2]>,
}

impl<C: BlockCipherEncrypt + BlockSizeUser<BlockSize = U16> + KeyInit + Clone> Gcm<C> {
    fn new(algorithm: &'static Algorithm, key: &[u8]) -> Self {
        let aes = C::new_from_slice(key).expect("the length was checked");
        let mut h = [0; 16].into();
        aes.encrypt_block(&mut h);
        let h: Block = h.into();
        let powers = Zeroizing::new([h, power(h, PIECE / 16)]);
        Self { algorithm, aes, hash: GHash::new(&h.into()), powers }
    }

    fn tag(&self, nonce: &[u8], associated: &[u8], ciphertext: &[u8], pieces: &[Block]) -> Block {
        let mut sum = self.hash_of(associated);
        for (hash, piece) in pieces.iter().zip(ciphertext.chunks(PIECE)) {
            let blocks = piece.len().div_ceil(16);
            let factor =
                if piece.len() == PIECE { self.powers[1] } else { power(self.powers[0], blocks) };
            sum = xor(multiply(sum, factor), *hash);
        }
        let bits = |bytes: &[u8]| (bytes.len() as u64 * 8).to_be_bytes();
        let mut lengths = [0; 16];
        lengths[..8].copy_from_slice(&bits(associated));
        lengths[8..].copy_from_slice(&bits(ciphertext));
        let mut mask = counter(nonce, 1).into();
        self.aes.encrypt_block(&mut mask);
        xor(multiply(xor(sum, lengths), self.powers[0]), mask.into())
    }

    fn hash_of(&self, bytes: &[u8]) -> Block {
        let mut hash = self.hash.clone();
        hash.update_padded(bytes);
        hash.finalize().into()
    }
}

impl<C> Cipher for Gcm<C>
where
    C: BlockCipherEncrypt + BlockSizeUser<BlockSize = U16> + KeyInit + Clone + Send + Sync,
{
    fn algorithm(&self) -> &'static Algorithm {
        self.algorithm
    }

    fn encrypt(&self, nonce: &[u8], associated: &[u8], plaintext: &[u8], sealed: &mut [u8]) {
        let (ciphertext, tag) = sealed.split_at_mut(plaintext.len());
        let hashes = in_pieces(plaintext, ciphertext, |number, input, output| {
            ctr::piece_32(&self.aes, counter(nonce, first(number)), input, output);
            self.hash_of(output)
        });
        tag.copy_from_slice(&self.tag(nonce, associated, ciphertext, &hashes));
    }

    fn decrypt(
        &self,
        nonce: &[u8],
        associated: &[u8],
        sealed: &[u8],
        plaintext: &mut [u8],
    ) -> Result<usize, Error> {
        let (ciphertext, tag) = sealed.split_at(plaintext.len());
        let hashes = in_pieces(ciphertext, plaintext, |_, piece, _| self.hash_of(piece));
        let expected = self.tag(nonce, associated, ciphertext, &hashes);
        if !bool::from(expected.ct_eq(tag)) {
            return Err(Error::Decryption);
        }
        in_pieces(ciphertext, plaintext, |number, input, output| {
            ctr::piece_32(&self.aes, counter(nonce, first(number)), input, output);
        });
        Ok(plaintext.len())
    }
}

impl<C> fmt::Debug for Gcm<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(..)", self.algorithm.name)
    }
}

/// The counter of a piece's first block; that of the message's first block is 2.
fn first(number: usize) -> u32 {
    u32::try_from(number * (PIECE / 16) + 2).expect("the longest message has fewer blocks")
}

fn counter(nonce: &[u8], number: u32) -> Block {
    let mut block = [0; 16];
    block[..12].copy_from_slice(nonce);
    block[12..].copy_from_slice(&number.to_be_bytes());
    block
}

fn xor(a: Block, b: Block) -> Block {
    (u128::from_ne_bytes(a) ^ u128::from_ne_bytes(b)).to_ne_bytes()
}

/// The product in GHASH's field: the hash of one block under the other.
fn multiply(a: Block, b: Block) -> Block {
    let mut hash = GHash::new(&b.into());
    hash.update(&[a.into()]);
    hash.finalize().into()
}

/// A power with an exponent above 0, by repeated squaring.
fn power(base: Block, exponent: usize) -> Block {
    let mut product = base;
    for bit in (0..exponent.ilog2()).rev() {
        product = multiply(product, product);
        if exponent >> bit & 1 == 1 {
            product = multiply(product, base);
        }
    }
    product
}
