//! Keyed coins: the pseudo-random bits that every scheme draws from.
//!
//! Coins are AES-256 over a structured block, under a key of the tree:
//!
//! ```text
//! block = version (1 byte) || tag (1) || counter (be16) || major (be32) || minor (be64)
//! coins = AES-256(key, block)                                    128 pseudo-random bits
//! ```
//!
//! `tag` says what the coins are for, `major` and `minor` what they belong to (a node of the
//! recursion, a plaintext and an id), `counter` numbers the blocks of one draw. The same block
//! always gives the same coins, which makes a lazily sampled function a function. The version byte
//! names the mapping: a change to any scheme's ciphertexts needs a new one.
//!
//! Costs one AES block per 128 bits; with AES instructions, blocks asked for together overlap.
//!
//! # Sources
//!
//! * FIPS 197 for AES; the lazy sampling from keyed coins: Boldyreva, Chenette, Lee and O'Neill,
//!   *Order-Preserving Symmetric Encryption*, EUROCRYPT 2009, section 5 (eprint 2012/624).
//! * Uniform integers: Lemire, *Fast Random Integer Generation in an Interval*, ACM TOMACS 29(1),
//!   2019, section 4.

use std::fmt;

use aes::Aes256;
use aes::cipher::{Array, BlockCipherEncrypt, KeyInit};

use crate::keys::Key;
use crate::operations::{Operation, count};

/// Names the mapping from keys and plaintexts to ciphertexts.
pub const VERSION: u8 = 1;

/// What coins are drawn for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Tag {
    /// How the points of a range split between its halves.
    Split = 1,
    /// Where in its leaf a deterministic ciphertext lies.
    Leaf = 2,
    /// Where in its leaf a one-to-many ciphertext lies.
    Spread = 3,
    /// What is added to a bit of a plaintext in the CLWW scheme.
    Digit = 5,
    /// What masks the comparisons of a block in the Lewi-Wu scheme.
    Mask = 6,
    /// How the values of a block are permuted in the Lewi-Wu scheme.
    Shuffle = 7,
    /// The nonce of a query's bound in the Lewi-Wu scheme.
    Bound = 8,
    /// The pseudonym of an integer record id.
    Handle = 9,
    /// Where the ends of a provider's part of a cell lie, in the layout for evaluation.
    Mark = 10,
}

/// One block in or out of AES.
pub type Block = Array<u8, aes::cipher::consts::U16>;

/// A source of pseudo-random bits under one key.
#[derive(Clone)]
pub struct Coins(Aes256);

impl Coins {
    /// Coins under this key.
    #[must_use]
    pub fn new(key: &Key) -> Self {
        Self(Aes256::new(key.expose().into()))
    }

    /// The block of the given place, not yet encrypted.
    #[must_use]
    #[inline]
    pub fn block(tag: Tag, counter: u16, major: u32, minor: u64) -> Block {
        let high = u64::from(VERSION) << 56
            | (tag as u64) << 48
            | u64::from(counter) << 32
            | u64::from(major);
        (u128::from(high) << 64 | u128::from(minor)).to_be_bytes().into()
    }

    /// Turns blocks into coins, in place.
    #[inline]
    pub fn toss(&self, blocks: &mut [Block]) {
        count(Operation::AesBlock, blocks.len());
        self.0.encrypt_blocks(blocks);
    }

    /// Returns a uniform integer below `size`, without bias, at one place.
    ///
    /// `first` is the coins of the block with counter 0, if the caller has tossed it already.
    #[must_use]
    #[inline]
    pub fn uniform(
        &self,
        tag: Tag,
        major: u32,
        minor: u64,
        size: u64,
        first: Option<Block>,
    ) -> u64 {
        let mut coins = first;
        let mut counter = 0;
        loop {
            let block = coins.take().unwrap_or_else(|| {
                let mut block = [Self::block(tag, counter, major, minor)];
                self.toss(&mut block);
                block[0]
            });
            if let Some(below) = uniform_from(block, size) {
                return below;
            }
            // A block fails with probability below 1/4 for every size, so this ends long before
            // the counter repeats.
            counter = counter.wrapping_add(1);
        }
    }
}

/// A uniform integer below `size` from one block, or `None` with probability below 1/4.
#[inline]
pub(crate) fn uniform_from(block: Block, size: u64) -> Option<u64> {
    let (high, low) = halves(block);
    scale(high, size).or_else(|| scale(low, size))
}

/// Both 64-bit halves of a block of coins.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "each half of 128 bits is 64 bits")]
pub(crate) fn halves(block: Block) -> (u64, u64) {
    let coins = u128::from_be_bytes(block.into());
    ((coins >> 64) as u64, coins as u64)
}

/// Scales 64 coins to an integer below `size`, or rejects them to avoid bias.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the high and the low word of a product")]
pub(crate) fn scale(coins: u64, size: u64) -> Option<u64> {
    let product = u128::from(coins) * u128::from(size);
    let low = product as u64;
    // Lemire: reject the 2^64 mod `size` lowest fractions. The division is rarely needed.
    let is_biased = low < size && low < size.wrapping_neg() % size;
    if is_biased { None } else { Some((product >> 64) as u64) }
}

impl fmt::Debug for Coins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Coins(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coins() -> Coins {
        Coins::new(&Key::from_bytes(&[3; 32]).unwrap())
    }

    #[test]
    fn every_part_of_the_block_matters() {
        let blocks = [
            Coins::block(Tag::Split, 0, 0, 0),
            Coins::block(Tag::Leaf, 0, 0, 0),
            Coins::block(Tag::Split, 1, 0, 0),
            Coins::block(Tag::Split, 0, 1, 0),
            Coins::block(Tag::Split, 0, 0, 1),
        ];
        for (i, a) in blocks.iter().enumerate() {
            assert!(blocks[i + 1..].iter().all(|b| a != b));
        }
    }

    #[test]
    fn scaling_rejects_exactly_the_biased_coins() {
        // With 2^64 coins mapped to 3 integers, one coin value must go; it is the lowest.
        assert_eq!(scale(0, 3), None);
        assert_eq!(scale(1, 3), Some(0));
        assert_eq!(scale(u64::MAX, 3), Some(2));
        assert_eq!(scale(0, 1 << 40), Some(0), "a power of two wastes nothing");
        assert_eq!(scale(u64::MAX, 1), Some(0));
    }

    /// Chi-square over 7 values, 70,000 draws, fixed key; the 1 - 1e-6 quantile with 6 degrees of
    /// freedom is 38.3.
    #[test]
    fn integers_are_uniform() {
        let coins = coins();
        let mut counts = [0_u32; 7];
        for minor in 0..70_000 {
            let below = coins.uniform(Tag::Leaf, 0, minor, 7, None);
            counts[usize::try_from(below).unwrap()] += 1;
        }
        let chi2: f64 = counts.iter().map(|&n| (f64::from(n) - 1e4).powi(2) / 1e4).sum();
        assert!(chi2 < 38.3, "chi-square is {chi2}");
    }

    #[test]
    fn coins_tossed_beforehand_are_the_same_coins() {
        let coins = coins();
        let mut block = [Coins::block(Tag::Leaf, 0, 5, 9)];
        coins.toss(&mut block);
        let size = (1 << 63) + 1; // rejects often
        assert_eq!(
            coins.uniform(Tag::Leaf, 5, 9, size, Some(block[0])),
            coins.uniform(Tag::Leaf, 5, 9, size, None),
        );
    }
}
