//! Where the parts of a ciphertext stand, and how two of them compare without a key.

use std::cmp::Ordering;

use sha2::{Digest, Sha256};

use crate::operations::{Operation, count};
use crate::scheme::{Error, bits, check_domain, check_length};

/// Bytes of a value of the pseudo-random function, and of a nonce.
pub(super) const WORD: usize = 16;

/// Where things stand in a ciphertext.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    pub(super) block_bits: u32,
    pub(super) blocks: u32,
}

impl Shape {
    /// The layout for `0..domain` in blocks of `block_bits` bits.
    ///
    /// # Errors
    ///
    /// [`Error::Domain`] if the domain is empty or above 2^32, [`Error::BlockBits`] if the blocks
    /// have not 1 to 8 bits.
    pub fn new(domain: u64, block_bits: u32) -> Result<Self, Error> {
        check_domain(domain)?;
        check_block_bits(block_bits)?;
        Ok(Self { block_bits, blocks: bits(domain).div_ceil(block_bits) })
    }

    /// The layout of ciphertexts of `size` bytes.
    ///
    /// # Errors
    ///
    /// [`Error::BlockBits`] if the blocks have not 1 to 8 bits, [`Error::CiphertextSize`] if no
    /// ciphertext of them has this size.
    pub fn of_size(size: usize, block_bits: u32) -> Result<Self, Error> {
        check_block_bits(block_bits)?;
        (1..=32_u32.div_ceil(block_bits))
            .map(|blocks| Self { block_bits, blocks })
            .find(|layout| layout.size() == size)
            .ok_or(Error::CiphertextSize { got: size })
    }

    /// How many blocks a plaintext has.
    #[must_use]
    pub fn blocks(&self) -> usize {
        self.blocks as usize
    }

    /// How many values a block can have.
    #[must_use]
    pub fn values(&self) -> usize {
        1 << self.block_bits
    }

    /// Bytes of a left half: the values of the function, then the permuted blocks, bit by bit.
    #[must_use]
    pub fn left_size(&self) -> usize {
        self.blocks() * WORD + (self.blocks() * self.block_bits as usize).div_ceil(8)
    }

    /// Bytes of a right half: the nonce, then the masked comparisons of two bits each.
    #[must_use]
    pub fn right_size(&self) -> usize {
        WORD + (self.blocks() * self.values()).div_ceil(4)
    }

    /// Bytes of a ciphertext: a left half, then a right half.
    #[must_use]
    pub fn size(&self) -> usize {
        self.left_size() + self.right_size()
    }

    /// Where the bits of a permuted block stand in a left half: the byte, and how far to shift two
    /// bytes from there.
    fn permuted_at(&self, block: usize) -> (usize, usize) {
        let bits = self.block_bits as usize;
        let bit = block * bits;
        (self.blocks() * WORD + bit / 8, 16 - bit % 8 - bits)
    }

    pub(super) fn permuted(&self, left: &[u8], block: usize) -> usize {
        let (byte, shift) = self.permuted_at(block);
        let two = u16::from_be_bytes([left[byte], left.get(byte + 1).copied().unwrap_or(0)]);
        usize::from(two >> shift) % self.values()
    }

    pub(super) fn set_permuted(&self, left: &mut [u8], block: usize, permuted: u8) {
        let (byte, shift) = self.permuted_at(block);
        for (byte, bits) in
            left[byte..].iter_mut().zip((u16::from(permuted) << shift).to_be_bytes())
        {
            *byte |= bits;
        }
    }

    /// Where a masked comparison stands in a right half: the byte, and how far to shift it.
    pub(super) fn masked_at(&self, block: usize, value: usize) -> (usize, usize) {
        let digit = block * self.values() + value;
        (WORD + digit / 4, 6 - digit % 4 * 2)
    }

    /// Returns the order of the plaintexts of a left and a right half of this layout.
    pub(super) fn order(&self, left: &[u8], right: &[u8]) -> Ordering {
        let nonce = &right[..WORD];
        for (block, key) in left.chunks_exact(WORD).take(self.blocks()).enumerate() {
            let (byte, shift) = self.masked_at(block, self.permuted(left, block));
            let masked = right[byte] >> shift & 3;
            let order = match (masked + 3 - mask(key, nonce)) % 3 {
                0 => continue,
                1 => Ordering::Greater,
                _ => Ordering::Less,
            };
            count(Operation::Hash, block + 1);
            return order;
        }
        count(Operation::Hash, self.blocks());
        Ordering::Equal
    }
}

fn check_block_bits(block_bits: u32) -> Result<(), Error> {
    if (1..=8).contains(&block_bits) {
        return Ok(());
    }
    Err(Error::BlockBits { got: block_bits })
}

/// A left and a right half.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ciphertext {
    pub(super) layout: Shape,
    pub(super) bytes: Box<[u8]>,
}

impl Ciphertext {
    /// Takes the bytes of a ciphertext of this layout.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] if there are not as many.
    pub fn from_bytes(layout: Shape, bytes: &[u8]) -> Result<Self, Error> {
        check_length("the ciphertext", layout.size(), bytes.len())?;
        Ok(Self { layout, bytes: bytes.into() })
    }

    /// Where things stand in it.
    #[must_use]
    pub fn layout(&self) -> Shape {
        self.layout
    }

    /// The left half: what compares with right halves.
    #[must_use]
    pub fn left_bytes(&self) -> &[u8] {
        &self.bytes[..self.layout.left_size()]
    }

    /// The right half: what compares with left halves only.
    #[must_use]
    pub fn right_bytes(&self) -> &[u8] {
        &self.bytes[self.layout.left_size()..]
    }

    /// Both halves, the left one first.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// What masks a comparison: a hash of a value of the function and a nonce, modulo 3.
#[inline]
pub(super) fn mask(key: &[u8], nonce: &[u8]) -> u8 {
    let hash = Sha256::new().chain_update(key).chain_update(nonce).finalize();
    let word = hash.iter().take(8).fold(0_u64, |word, &byte| word << 8 | u64::from(byte));
    (word % 3) as u8
}
