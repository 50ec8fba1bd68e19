//! OPSE: order-preserving symmetric encryption under one key.
//!
//! A lazily sampled random order-preserving function from `0..domain` to `0..range`. A node of the
//! recursion is a piece of the range and the plaintexts that fall into it; its coins decide how
//! many of them fall into the lower half ([`split`]), until one is left, whose piece is its *leaf*:
//!
//! ```text
//! deterministic   c(x)     = start of the leaf of x + uniform below its size, coins (x)
//! one-to-many     c(x, id) = start of the leaf of x + uniform below its size, coins (x, id)
//! ```
//!
//! `c(x)` is a uniformly random order-preserving function, up to the coins and rounding. One value
//! costs about `log2(domain)` splits. A batch visits every node once for all values below it, on
//! all cores, or makes the table of all leaves (the *codebook*) where the domain is small.
//!
//! # Leakage
//!
//! The order of all plaintexts and, by the ciphertext's place alone, about half the bits of each.
//! Deterministic ciphertexts show equality and so frequency. One-to-many ciphertexts hide it from
//! a snapshot of few records only: leaves are dyadic pieces of the range whose density shows.
//!
//! # Sources
//!
//! * Boldyreva, Chenette, Lee and O'Neill, EUROCRYPT 2009, sections 4 and 5 (eprint 2012/624).
//! * One-to-many: Wang, Cao, Li, Ren and Lou, ICDCS 2010, section V.
//!
//! # Deviations
//!
//! The coins come from AES-256 under a key of the tree, not from a length-varying PRF, and the
//! split's distribution is sampled to within 1e-12, which HGD at this size is not.

mod one_to_many;

use std::cmp::Ordering;
use std::fmt;
use std::sync::OnceLock;

use zeroize::{Zeroize, Zeroizing};

use super::batch::{decrypt_each, encrypt_chunks};
use super::{
    Error, RANGE, Scheme, check_bounds, check_domain, check_lengths, check_plaintext, stored,
};
use crate::keys::coins::{Block, Coins, Tag};
use crate::keys::{Key, Purpose};
use crate::pool;
use crate::scheme::hypergeometric::split;
use crate::wire::length;

pub use one_to_many::OneToMany;

/// The largest domain whose codebook is kept.
const LARGEST_CODEBOOK: u64 = 1 << 20;

/// Plaintexts below a node from which its halves are worth two threads.
const PARALLEL_BELOW: u64 = 4096;

/// Blocks encrypted together, enough to keep the AES unit busy.
const BLOCKS: usize = 64;

/// A random order-preserving function under one key.
pub struct Opse {
    coins: Coins,
    domain: u64,
    range: u64,
    codebook: OnceLock<Codebook>,
}

/// The piece of the range that belongs to one plaintext.
#[derive(Clone, Copy, Default)]
struct Leaf {
    start: u64,
    size: u64,
}

impl Zeroize for Leaf {
    fn zeroize(&mut self) {
        self.start.zeroize();
        self.size.zeroize();
    }
}

/// A leaf of a range of `2^k` places in one word, `2 start + size`: its start is a multiple of its
/// size, a power of two, so that the lowest bit that is set is the size.
#[derive(Clone, Copy, Default)]
struct PackedLeaf(u64);

impl From<Leaf> for PackedLeaf {
    fn from(leaf: Leaf) -> Self {
        Self(leaf.start << 1 | leaf.size)
    }
}

impl PackedLeaf {
    #[inline]
    fn leaf(self) -> Leaf {
        let size = self.0 & self.0.wrapping_neg();
        Leaf { start: (self.0 ^ size) >> 1, size }
    }
}

/// The leaves of all plaintexts, as secret as the key. Half the memory is twice the cache.
struct Codebook(Vec<PackedLeaf>);

impl Codebook {
    #[inline]
    fn leaf(&self, plaintext: u64) -> Leaf {
        self.0[length(plaintext)].leaf()
    }
}

impl Drop for Codebook {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(|leaf| leaf.0.zeroize());
    }
}

/// A piece of the range, and the plaintexts that fall into it.
#[derive(Clone, Copy)]
struct Branch {
    /// Its place in the binary tree: 1 at the root, `2 id` and `2 id + 1` below.
    id: u64,
    start: u64,
    size: u64,
    first: u64,
    count: u64,
}

impl Branch {
    fn halves(&self, coins: &Coins) -> (Self, Self) {
        let below = split(coins, self.id, self.count, self.size);
        let half = self.size / 2;
        // The root has at most 2^63 places, so ids of pieces that can still be halved stay
        // below 2^63.
        let lower = Self { id: self.id * 2, size: half, count: below, ..*self };
        let upper = Self {
            id: self.id * 2 + 1,
            start: self.start + half,
            size: self.size - half,
            first: self.first + below,
            count: self.count - below,
        };
        (lower, upper)
    }

    fn leaf(&self) -> Leaf {
        Leaf { start: self.start, size: self.size }
    }
}

impl Opse {
    /// The function on `0..domain` into the whole ciphertext space.
    ///
    /// # Errors
    ///
    /// [`Error::Domain`] if the domain is empty or above 2^32.
    ///
    /// # Examples
    ///
    /// ```
    /// use mopse::keys::Key;
    /// use mopse::scheme::opse::Opse;
    ///
    /// let opse = Opse::new(&Key::generate()?, 121)?;
    /// let (lower, higher) = (opse.encrypt_one(40)?, opse.encrypt_one(60)?);
    /// assert!(lower < higher);
    /// assert_eq!(opse.decrypt_one(higher)?, 60);
    /// # Ok::<(), mopse::Error>(())
    /// ```
    pub fn new(key: &Key, domain: u64) -> Result<Self, Error> {
        Self::with_range(key, domain, RANGE)
    }

    /// The function on `0..domain` into `0..range`.
    ///
    /// # Errors
    ///
    /// [`Error::Domain`] if the domain is empty or above 2^32, [`Error::Range`] if the range is
    /// smaller than the domain or above 2^63.
    pub fn with_range(key: &Key, domain: u64, range: u64) -> Result<Self, Error> {
        check_domain(domain)?;
        if range < domain || range > RANGE {
            return Err(Error::Range { got: range });
        }
        let label = [domain.to_be_bytes(), range.to_be_bytes()].concat();
        let coins = Coins::new(&key.child(Purpose::Order, &label, 0));
        Ok(Self { coins, domain, range, codebook: OnceLock::new() })
    }

    /// Encrypts one plaintext deterministically.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfDomain`] if there is no such plaintext.
    pub fn encrypt_one(&self, plaintext: i64) -> Result<i64, Error> {
        self.encrypt(plaintext, ())
    }

    /// Decrypts one deterministic ciphertext.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidCiphertext`] if no plaintext has this ciphertext.
    pub fn decrypt_one(&self, ciphertext: i64) -> Result<i64, Error> {
        self.decrypt(ciphertext, ())
    }

    /// Decrypts a batch of deterministic ciphertexts.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidCiphertext`] names the first that no plaintext has.
    pub fn decrypt_batch(&self, ciphertexts: &[i64]) -> Result<Vec<i64>, Error> {
        self.prepare(ciphertexts.len());
        decrypt_each(ciphertexts, |position| self.decrypt_one(ciphertexts[position]))
    }

    /// The ciphertexts of all plaintexts in order.
    #[must_use]
    pub fn codebook(&self) -> Vec<i64> {
        let mut leaves = Zeroizing::new(vec![Leaf::default(); length(self.domain)]);
        match self.codebook.get() {
            Some(known) => leaves.iter_mut().zip(&known.0).for_each(|(l, leaf)| *l = leaf.leaf()),
            None => self.fill(self.root(), &mut leaves),
        }
        let mut ciphertexts = vec![0; leaves.len()];
        let output = (&mut *ciphertexts, BLOCKS);
        pool::map_pairs((&leaves, BLOCKS), output, |chunk, leaves, ciphertexts| {
            let plaintext = |i: usize| (chunk * BLOCKS + i) as u64;
            let mut blocks: [Block; BLOCKS] =
                std::array::from_fn(|i| Coins::block(Tag::Leaf, 0, major(plaintext(i)), 0));
            self.coins.toss(&mut blocks[..leaves.len()]);
            for (i, (ciphertext, leaf)) in ciphertexts.iter_mut().zip(leaves).enumerate() {
                *ciphertext = self.place(plaintext(i), *leaf, Some(blocks[i]));
            }
        });
        ciphertexts
    }

    fn root(&self) -> Branch {
        Branch { id: 1, start: 0, size: self.range, first: 0, count: self.domain }
    }

    /// Makes the codebook if so many values make it worth the while.
    fn prepare(&self, values: usize) {
        let is_worth_it = values as u64 >= self.domain / 16;
        if is_worth_it && self.domain <= LARGEST_CODEBOOK && self.range.is_power_of_two() {
            if self.codebook.get().is_some() {
                return;
            }
            let mut leaves = vec![PackedLeaf::default(); length(self.domain)];
            self.fill(self.root(), &mut leaves);
            // Two threads may both make one, but none waits for another, which a fork may have left behind.
            let _ = self.codebook.set(Codebook(leaves));
        }
    }

    /// Fills in the leaves of the plaintexts below a node.
    fn fill<L: From<Leaf> + Send>(&self, node: Branch, leaves: &mut [L]) {
        match leaves {
            [] => {}
            [leaf] => *leaf = node.leaf().into(),
            leaves => {
                let (lower, upper) = node.halves(&self.coins);
                let (below, above) = leaves.split_at_mut(length(lower.count));
                if node.count >= PARALLEL_BELOW {
                    pool::join(|| self.fill(lower, below), || self.fill(upper, above));
                } else {
                    self.fill(lower, below);
                    self.fill(upper, above);
                }
            }
        }
    }

    /// The leaf of a plaintext that is in the domain.
    fn leaf(&self, plaintext: u64) -> Leaf {
        if let Some(codebook) = self.codebook.get() {
            return codebook.leaf(plaintext);
        }
        let mut node = self.root();
        while node.count > 1 {
            let (lower, upper) = node.halves(&self.coins);
            node = if plaintext < upper.first { lower } else { upper };
        }
        node.leaf()
    }

    /// The plaintext whose leaf holds a place of the range, and that leaf.
    fn find(&self, place: u64) -> Option<(u64, Leaf)> {
        let holds = |leaf: Leaf| place >= leaf.start && place - leaf.start < leaf.size;
        if let Some(codebook) = self.codebook.get() {
            let after = codebook.0.partition_point(|leaf| leaf.leaf().start <= place);
            let plaintext = after.checked_sub(1)? as u64;
            let leaf = codebook.leaf(plaintext);
            return holds(leaf).then_some((plaintext, leaf));
        }
        if place >= self.range {
            return None;
        }
        let mut node = self.root();
        while node.count > 1 {
            let (lower, upper) = node.halves(&self.coins);
            node = if place < upper.start { lower } else { upper };
        }
        (node.count == 1).then(|| (node.first, node.leaf()))
    }

    /// The deterministic ciphertext of a plaintext with this leaf.
    fn place(&self, plaintext: u64, leaf: Leaf, coins: Option<Block>) -> i64 {
        stored(leaf.start + self.coins.uniform(Tag::Leaf, major(plaintext), 0, leaf.size, coins))
    }

    /// The one-to-many ciphertext of a plaintext with this leaf.
    fn spread(&self, plaintext: u64, leaf: Leaf, id: i64, coins: Option<Block>) -> i64 {
        let minor = id.cast_unsigned();
        stored(
            leaf.start + self.coins.uniform(Tag::Spread, major(plaintext), minor, leaf.size, coins),
        )
    }

    /// Encrypts by one walk down the tree, visiting each node once for all values below it.
    ///
    /// `encrypt(position, plaintext, leaf)` makes the ciphertext of one value.
    fn walk<F>(&self, plaintexts: &[i64], ciphertexts: &mut [i64], encrypt: F) -> Result<(), Error>
    where
        F: Fn(usize, u64, Leaf) -> i64 + Sync,
    {
        // Positions share a word with their plaintext, so that sorting moves 8 bytes.
        const AT_ONCE: usize = 1 << 31;
        for (chunk, (plaintexts, ciphertexts)) in
            plaintexts.chunks(AT_ONCE).zip(ciphertexts.chunks_mut(AT_ONCE)).enumerate()
        {
            let start = chunk * AT_ONCE;
            let mut values = Vec::with_capacity(plaintexts.len());
            for (position, &plaintext) in plaintexts.iter().enumerate() {
                let plaintext = check_plaintext(plaintext, self.domain, start + position)?;
                values.push(plaintext << 32 | position as u64);
            }
            pool::sort(&mut values);
            let mut sorted = vec![0; values.len()];
            let encrypt =
                |position: usize, plaintext, leaf| encrypt(start + position, plaintext, leaf);
            self.walk_below(self.root(), &values, &mut sorted, &encrypt);
            for (value, ciphertext) in values.iter().zip(sorted) {
                ciphertexts[position_of(*value)] = ciphertext;
            }
            values.zeroize();
        }
        Ok(())
    }

    fn walk_below<F>(&self, node: Branch, values: &[u64], ciphertexts: &mut [i64], encrypt: &F)
    where
        F: Fn(usize, u64, Leaf) -> i64 + Sync,
    {
        let (mut node, mut values, mut ciphertexts) = (node, values, ciphertexts);
        loop {
            if values.is_empty() {
                return;
            }
            if node.count == 1 {
                let leaf = node.leaf();
                for (value, ciphertext) in values.iter().zip(ciphertexts) {
                    *ciphertext = encrypt(position_of(*value), node.first, leaf);
                }
                return;
            }
            let (lower, upper) = node.halves(&self.coins);
            let below = values.partition_point(|value| value >> 32 < upper.first);
            let (values_below, values_above) = values.split_at(below);
            let (ciphertexts_below, ciphertexts_above) = ciphertexts.split_at_mut(below);
            if values_below.is_empty() {
                (node, values, ciphertexts) = (upper, values_above, ciphertexts_above);
            } else if values_above.is_empty() {
                (node, values, ciphertexts) = (lower, values_below, ciphertexts_below);
            } else if values.len() as u64 >= PARALLEL_BELOW / 8 {
                pool::join(
                    || self.walk_below(lower, values_below, ciphertexts_below, encrypt),
                    || self.walk_below(upper, values_above, ciphertexts_above, encrypt),
                );
                return;
            } else {
                self.walk_below(lower, values_below, ciphertexts_below, encrypt);
                (node, values, ciphertexts) = (upper, values_above, ciphertexts_above);
            }
        }
    }
}

impl Scheme for Opse {
    type Ciphertext = i64;
    type Id = ();

    fn domain(&self) -> u64 {
        self.domain
    }

    fn compare(left: &i64, right: &i64) -> Ordering {
        left.cmp(right)
    }

    fn encrypt(&self, plaintext: i64, (): ()) -> Result<i64, Error> {
        let plaintext = check_plaintext(plaintext, self.domain, 0)?;
        Ok(self.place(plaintext, self.leaf(plaintext), None))
    }

    fn encrypt_batch(
        &self,
        plaintexts: &[i64],
        ids: &[()],
        ciphertexts: &mut [i64],
    ) -> Result<(), Error> {
        check_lengths(plaintexts.len(), ids.len(), ciphertexts.len())?;
        self.prepare(plaintexts.len());
        let Some(codebook) = self.codebook.get() else {
            return self.walk(plaintexts, ciphertexts, |_, plaintext, leaf| {
                self.place(plaintext, leaf, None)
            });
        };
        // As many values as plaintexts and more: encrypt each plaintext once, then look it up.
        if plaintexts.len() as u64 >= self.domain {
            let table = self.codebook();
            return encrypt_chunks(plaintexts, ciphertexts, self.domain, |_, plaintexts, out| {
                for (ciphertext, &plaintext) in out.iter_mut().zip(plaintexts) {
                    *ciphertext = table[length(plaintext.cast_unsigned())];
                }
            });
        }
        encrypt_chunks(plaintexts, ciphertexts, self.domain, |_, plaintexts, out| {
            for (ciphertext, &plaintext) in out.iter_mut().zip(plaintexts) {
                let plaintext = plaintext.cast_unsigned();
                *ciphertext = self.place(plaintext, codebook.leaf(plaintext), None);
            }
        })
    }

    fn decrypt(&self, ciphertext: i64, (): ()) -> Result<i64, Error> {
        let found = u64::try_from(ciphertext).ok().and_then(|place| self.find(place));
        match found {
            Some((plaintext, leaf)) if self.place(plaintext, leaf, None) == ciphertext => {
                Ok(plaintext.cast_signed())
            }
            _ => Err(Error::InvalidCiphertext { position: 0 }),
        }
    }

    fn bounds(&self, low: i64, high: i64) -> Result<(i64, i64), Error> {
        let (low, high) = check_bounds(low, high, self.domain)?;
        let last = self.leaf(high);
        Ok((stored(self.leaf(low).start), stored(last.start + (last.size - 1))))
    }
}

impl fmt::Debug for Opse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opse")
            .field("domain", &self.domain)
            .field("range", &self.range)
            .finish_non_exhaustive()
    }
}

/// A plaintext as the major part of a block.
#[expect(clippy::cast_possible_truncation, reason = "domains are at most 2^32")]
fn major(plaintext: u64) -> u32 {
    plaintext as u32
}

/// The position that shares a word with a plaintext.
#[inline]
fn position_of(value: u64) -> usize {
    length(value & 0xffff_ffff)
}
