//! Lewi-Wu: order-revealing encryption in two halves, of which one by itself shows nothing.
//!
//! For providers that store right halves only and hand a left half to whoever may search. With `x`
//! in blocks of `d` bits, the most significant first, `p` the blocks above block `i`, `r` a nonce:
//!
//! ```text
//! pi    = Fisher-Yates of 0..2^d: from s = 2^d - 1 down to 1, swap places s and uniform(k2, s) <= s
//! left  = (F(k1, i, p, pi(x_i)), pi(x_i))                                 for every block i
//! right = r, cmp(pi^-1(j), x_i) + H(F(k1, i, p, j), r)  mod 3             for every block i, j < 2^d
//! F     = AES-256(k1, block of tag 6, minor i 2^32 + j), uniform: k2, tag 7, minor i 2^32 + s;
//!         both of major p, i from 1;  H(f, r) = first be64 of SHA-256(f || r), mod 3;  cmp < is 2
//! k1,k2 = child(key, "order", "lewi-wu mask" or "lewi-wu place" || be64(domain) || d, 0)
//! ```
//!
//! Costs `2^d + 3` PRFs and `2^d` hashes a block, comparison one hash up to the block that differs.
//!
//! # Leakage
//!
//! A left and a right half: order and first block that differs. Right halves by themselves: nothing.
//! Whole ciphertexts, which [`Scheme`] speaks of: that of every pair, equality and frequency too.
//!
//! # Sources and deviations
//!
//! Lewi and Wu, CCS 2016, sections 3 and 4 (eprint 2016/612). `H` modulo 3 is biased by 2^-64.

mod shape;

use std::cmp::Ordering;
use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::batch::{FEW, decrypt_each};
use super::{
    Error, Scheme, check_bounds, check_length, check_lengths, check_plaintext, pairs, sign,
};
use crate::keys::coins::{Block, Coins, Tag};
use crate::keys::{Key, Purpose, fill_random};
use crate::operations::{Operation, count};
use crate::pool;
use crate::stop;
use shape::{WORD, mask};

pub use shape::{Ciphertext, Shape};

/// Pairs that are compared on several cores, at least.
const COMPARED: usize = 1 << 10;

/// A number that serves for one ciphertext only.
pub type Nonce = u128;

/// The most values a block has.
const MOST_VALUES: usize = 256;

/// The order-revealing encryption of a domain under one key.
pub struct LewiWu {
    masks: Coins,
    places: Coins,
    domain: u64,
    layout: Shape,
}

/// The values of a block, permuted: as secret as the key.
type Permutation = Zeroizing<[u8; MOST_VALUES]>;

impl LewiWu {
    /// The scheme on `0..domain`, in blocks of `block_bits` bits.
    ///
    /// # Errors
    ///
    /// [`Error::Domain`] if the domain is empty or above 2^32, [`Error::BlockBits`] if the blocks
    /// have not 1 to 8 bits.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::cmp::Ordering;
    ///
    /// use mopse::keys::Key;
    /// use mopse::scheme::Scheme;
    /// use mopse::scheme::lewi_wu::LewiWu;
    ///
    /// let lewi_wu = LewiWu::new(&Key::generate()?, 121, 4)?;
    /// let (lower, higher) = (lewi_wu.encrypt_fresh(40)?, lewi_wu.encrypt_fresh(60)?);
    /// assert_eq!(LewiWu::compare(&lower, &higher), Ordering::Less);
    /// # Ok::<(), mopse::Error>(())
    /// ```
    pub fn new(key: &Key, domain: u64, block_bits: u32) -> Result<Self, Error> {
        let layout = Shape::new(domain, block_bits)?;
        let coins = |word: &[u8]| {
            let label = [word, &domain.to_be_bytes(), &block_bits.to_be_bytes()[3..]].concat();
            Coins::new(&key.child(Purpose::Order, &label, 0))
        };
        Ok(Self { masks: coins(b"lewi-wu mask"), places: coins(b"lewi-wu place"), domain, layout })
    }

    /// The layout of the ciphertexts.
    #[must_use]
    pub fn layout(&self) -> Shape {
        self.layout
    }

    /// Encrypts one plaintext with a nonce from the operating system.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfDomain`] if there is no such plaintext, [`Error::Keys`] if there is no nonce.
    pub fn encrypt_fresh(&self, plaintext: i64) -> Result<Ciphertext, Error> {
        let mut nonce = [0; WORD];
        fill_random(&mut nonce)?;
        self.encrypt(plaintext, Nonce::from_be_bytes(nonce))
    }

    /// Encrypts `plaintexts[i]` with a nonce from the operating system into the i-th of the
    /// ciphertexts, which lie one after another in `bytes`.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfDomain`] names the first plaintext outside the domain, [`Error::Length`] an
    /// array of another length, [`Error::Keys`] says that there are no nonces. The content of
    /// `bytes` is then unspecified.
    pub fn encrypt_fresh_batch(&self, plaintexts: &[i64], bytes: &mut [u8]) -> Result<(), Error> {
        let size = self.layout.size();
        let expected = plaintexts.len().saturating_mul(size);
        check_length("the ciphertext array", expected, bytes.len())?;
        self.check_all(plaintexts)?;
        let output = (bytes, FEW.saturating_mul(size));
        stop::expect(plaintexts.len());
        pool::try_pairs((plaintexts, FEW), output, |_, plaintexts, bytes| {
            stop::advance(plaintexts.len());
            for (x, bytes) in plaintexts.iter().zip(bytes.chunks_mut(size)) {
                let mut nonce = [0; WORD];
                fill_random(&mut nonce)?;
                self.write(x.cast_unsigned(), Nonce::from_be_bytes(nonce), bytes);
            }
            Ok(())
        })
    }

    /// Decrypts ciphertexts that lie one after another.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidCiphertext`] names the first that no plaintext has, [`Error::Length`] says
    /// that the last is cut short.
    pub fn decrypt_batch(&self, bytes: &[u8]) -> Result<Vec<i64>, Error> {
        let ciphertexts: Vec<&[u8]> = whole(bytes, self.layout)?.collect();
        decrypt_each(&ciphertexts, |position| {
            let plaintext = self.read(ciphertexts[position]);
            plaintext.map(u64::cast_signed).ok_or(Error::InvalidCiphertext { position })
        })
    }

    fn check_all(&self, plaintexts: &[i64]) -> Result<(), Error> {
        let outside = |&x: &i64| x.cast_unsigned() >= self.domain;
        match plaintexts.iter().position(outside) {
            Some(position) => Err(Error::OutOfDomain { position, domain: self.domain }),
            None => Ok(()),
        }
    }

    /// The bits above a block, counted from 0, and the block's own value.
    #[expect(clippy::cast_possible_truncation, reason = "at most 31 bits stand above a block")]
    fn split(&self, plaintext: u64, block: usize) -> (u32, u8) {
        let below = self.layout.block_bits * (self.layout.blocks - 1 - block as u32);
        let value = (plaintext >> below) as usize % self.layout.values();
        ((plaintext >> below >> self.layout.block_bits) as u32, value as u8)
    }

    /// The function's coins for each of these values of a block, before they are tossed.
    fn place(tag: Tag, above: u32, block: usize, value: usize) -> Block {
        Coins::block(tag, 0, above, (block as u64 + 1) << 32 | value as u64)
    }

    /// What the values of a block become where these bits stand above it.
    fn permutation(&self, above: u32, block: usize) -> Permutation {
        // The key of the permutation is a value of the function, and so are the coins below it.
        count(Operation::Prf, 1);
        count(Operation::Prp, 1);
        let values = self.layout.values();
        let mut blocks: [Block; MOST_VALUES] =
            std::array::from_fn(|step| Self::place(Tag::Shuffle, above, block, step));
        self.places.toss(&mut blocks[1..values]);
        #[expect(clippy::cast_possible_truncation, reason = "256 values have 8 bits")]
        let mut permutation = Zeroizing::new(std::array::from_fn(|value| value as u8));
        for step in (1..values).rev() {
            let minor = (block as u64 + 1) << 32 | step as u64;
            let size = step as u64 + 1;
            let other = self.places.uniform(Tag::Shuffle, above, minor, size, Some(blocks[step]));
            permutation.swap(step, crate::wire::length(other));
        }
        permutation
    }

    fn write_left(&self, plaintext: u64, left: &mut [u8]) {
        for block in 0..self.layout.blocks() {
            let (above, value) = self.split(plaintext, block);
            let permuted = self.permutation(above, block)[usize::from(value)];
            let mut key = [Self::place(Tag::Mask, above, block, usize::from(permuted))];
            count(Operation::Prf, 1);
            self.masks.toss(&mut key);
            left[block * WORD..(block + 1) * WORD].copy_from_slice(&key[0]);
            self.layout.set_permuted(left, block, permuted);
        }
    }

    fn write_right(&self, plaintext: u64, nonce: Nonce, right: &mut [u8]) {
        let values = self.layout.values();
        let nonce = nonce.to_be_bytes();
        right[..WORD].copy_from_slice(&nonce);
        for block in 0..self.layout.blocks() {
            let (above, value) = self.split(plaintext, block);
            let permutation = self.permutation(above, block);
            let mut keys: [Block; MOST_VALUES] =
                std::array::from_fn(|permuted| Self::place(Tag::Mask, above, block, permuted));
            count(Operation::Prf, values);
            count(Operation::Hash, values);
            self.masks.toss(&mut keys[..values]);
            for (other, &permuted) in permutation[..values].iter().enumerate() {
                let compared = match other.cmp(&usize::from(value)) {
                    Ordering::Equal => 0,
                    Ordering::Greater => 1,
                    Ordering::Less => 2,
                };
                let permuted = usize::from(permuted);
                let (byte, shift) = self.layout.masked_at(block, permuted);
                right[byte] |= ((compared + mask(&keys[permuted], &nonce)) % 3) << shift;
            }
        }
    }

    /// Writes a whole ciphertext over as many bytes.
    fn write(&self, plaintext: u64, nonce: Nonce, bytes: &mut [u8]) {
        bytes.fill(0);
        let (left, right) = bytes.split_at_mut(self.layout.left_size());
        self.write_left(plaintext, left);
        self.write_right(plaintext, nonce, right);
    }

    /// The plaintext whose ciphertext these bytes are.
    fn read(&self, bytes: &[u8]) -> Option<u64> {
        let (left, right) = bytes.split_at(self.layout.left_size());
        let mut plaintext = 0;
        for block in 0..self.layout.blocks() {
            let permuted = self.layout.permuted(left, block);
            #[expect(clippy::cast_possible_truncation, reason = "at most 31 bits above a block")]
            let permutation = self.permutation(plaintext as u32, block);
            let mut values = permutation[..self.layout.values()].iter();
            let value = values.position(|&other| usize::from(other) == permuted)? as u64;
            plaintext = plaintext << self.layout.block_bits | value;
        }
        if plaintext >= self.domain {
            return None;
        }
        let mut nonce = [0; WORD];
        nonce.copy_from_slice(&right[..WORD]);
        let mut again = vec![0; bytes.len()];
        self.write(plaintext, Nonce::from_be_bytes(nonce), &mut again);
        bool::from(again.ct_eq(bytes)).then_some(plaintext)
    }
}

/// Orders the plaintexts of `left[i]` and `right[i]`, or of one and all of the other array: -1, 0
/// or 1 for less, equal or greater. Takes no key; the ciphertexts lie one after another.
///
/// # Errors
///
/// [`Error::Length`] if there are other than one or as many ciphertexts, or one is cut short.
pub fn compare_batch(layout: Shape, left: &[u8], right: &[u8]) -> Result<Vec<i8>, Error> {
    let (lefts, rights): (Vec<_>, Vec<_>) =
        (whole(left, layout)?.collect(), whole(right, layout)?.collect());
    let pairs = pairs(lefts.len(), rights.len())?;
    count(Operation::Comparison, pairs);
    let at = |i: usize, length: usize| if length == 1 { 0 } else { i };
    let order = |i| {
        let (left, right) = (lefts[at(i, lefts.len())], rights[at(i, rights.len())]);
        sign(layout.order(&left[..layout.left_size()], &right[layout.left_size()..]))
    };
    Ok(pool::map(pairs, COMPARED, order))
}

/// The ciphertexts that lie one after another in these bytes.
fn whole(bytes: &[u8], layout: Shape) -> Result<std::slice::ChunksExact<'_, u8>, Error> {
    let ciphertexts = bytes.chunks_exact(layout.size());
    match ciphertexts.remainder().len() {
        0 => Ok(ciphertexts),
        got => Err(Error::Length { what: "the last ciphertext", expected: layout.size(), got }),
    }
}

impl Scheme for LewiWu {
    type Ciphertext = Ciphertext;
    type Id = Nonce;

    fn domain(&self) -> u64 {
        self.domain
    }

    /// Compares the left half of the one with the right half of the other. Ciphertexts of two
    /// layouts are of two keys; they are ordered by their size.
    fn compare(left: &Ciphertext, right: &Ciphertext) -> Ordering {
        if left.layout != right.layout {
            return left.bytes.len().cmp(&right.bytes.len());
        }
        count(Operation::Comparison, 1);
        left.layout.order(left.left_bytes(), right.right_bytes())
    }

    fn encrypt(&self, plaintext: i64, nonce: Nonce) -> Result<Ciphertext, Error> {
        let plaintext = check_plaintext(plaintext, self.domain, 0)?;
        let mut bytes = vec![0; self.layout.size()].into_boxed_slice();
        self.write(plaintext, nonce, &mut bytes);
        Ok(Ciphertext { layout: self.layout, bytes })
    }

    fn encrypt_batch(
        &self,
        plaintexts: &[i64],
        nonces: &[Nonce],
        ciphertexts: &mut [Ciphertext],
    ) -> Result<(), Error> {
        check_lengths(plaintexts.len(), nonces.len(), ciphertexts.len())?;
        self.check_all(plaintexts)?;
        let output = (ciphertexts, FEW);
        pool::try_pairs((plaintexts, FEW), output, |number, plaintexts, ciphertexts| {
            let given = plaintexts.iter().zip(&nonces[number * FEW..]);
            for ((&plaintext, &nonce), ciphertext) in given.zip(ciphertexts) {
                *ciphertext = self.encrypt(plaintext, nonce)?;
            }
            Ok(())
        })
    }

    fn decrypt(&self, ciphertext: Ciphertext, nonce: Nonce) -> Result<i64, Error> {
        let is_mine = ciphertext.layout == self.layout
            && ciphertext.right_bytes()[..WORD] == nonce.to_be_bytes();
        let plaintext = is_mine.then(|| self.read(&ciphertext.bytes)).flatten();
        plaintext.map(u64::cast_signed).ok_or(Error::InvalidCiphertext { position: 0 })
    }

    /// A bound's nonce is drawn from the bound, so that a query made twice is the same one.
    fn bounds(&self, low: i64, high: i64) -> Result<(Ciphertext, Ciphertext), Error> {
        let (lowest, highest) = check_bounds(low, high, self.domain)?;
        let nonce = |bound| {
            let mut coins = [Coins::block(Tag::Bound, 0, 0, bound)];
            self.masks.toss(&mut coins);
            Nonce::from_be_bytes(coins[0].into())
        };
        Ok((self.encrypt(low, nonce(lowest))?, self.encrypt(high, nonce(highest))?))
    }
}

impl fmt::Debug for LewiWu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LewiWu")
            .field("domain", &self.domain)
            .field("layout", &self.layout)
            .finish_non_exhaustive()
    }
}
