//! MOPSE: one order under many keys.
//!
//! All providers of a group share the [`Ruler`] of a field, and each places its entries in the
//! ruler's cells with coins of its own:
//!
//! ```text
//! c_i(x, handle) = cut_b + uniform below (cut_{b+1} - cut_b),   b = x div w
//! coins          = AES-256(place key of provider i, handle xor (version || tag || counter || b))
//! ```
//!
//! So for all providers, `b(x) < b(y)` gives `c_i(x) < c_j(y)`: the cloud merges the providers'
//! entries without a key, and one interval queries them all. Equal values meet by chance only, the
//! order inside a cell carries nothing, and `x mod w` enters no ciphertext. One entry costs one
//! AES block and two loads from the ruler. MOPSE+ is the same under a tree of groups ([`keys`]).
//!
//! # Leakage
//!
//! The order of all cells, about half the bits of each cell's position, and what the providers'
//! volumes show. Any provider that also sees the store locates every entry of its group to the
//! cell, because it holds the ruler. Nothing but the cell width and the group protects from that.
//!
//! # Sources
//!
//! Our reconstruction of the interface of Yao, Lin, Liu and Zhang, IEEE Access 6, 2018: n providers
//! with n keys, one order, a merge that needs no key, one query. Their construction is not known to
//! us.
//!
//! # Deviations
//!
//! A handle fills a whole block, so the cell is mixed in by exclusive or. Handles are outputs of a
//! PRF under another key; that two of `n` blocks coincide has probability below `n^2 2^-92`.
//!
//! [`keys`]: crate::keys

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use super::opse::{decrypt_each, encrypt_chunks};
use super::ruler::{Layout, Ruler};
use super::{Error, Scheme, check_lengths, check_plaintext, stored};
use crate::keys::Key;
use crate::keys::coins::{Block, Coins, uniform_from};

/// A pseudonym of a record id: 128 bits under a provider's key.
pub type Handle = u128;

/// Tag and version of placement blocks, in the bits where coins of a draw keep theirs.
const PLACEMENT: u128 = (crate::keys::coins::VERSION as u128) << 120 | 4 << 112;

/// Blocks encrypted together.
const BLOCKS: usize = 64;

/// One provider's view of one field: the group's ruler and the provider's own placement.
///
/// Another [`Layout`] than the ruler is for evaluation only.
pub struct Mopse<L = Ruler> {
    ruler: Arc<L>,
    coins: Coins,
}

impl<L: Layout> Mopse<L> {
    /// Joins a group's ruler and a provider's place key.
    #[must_use]
    pub fn new(ruler: Arc<L>, place: &Key) -> Self {
        Self { ruler, coins: Coins::new(place) }
    }

    /// The block whose coins place an entry of a cell.
    #[inline]
    fn block(cell: u64, handle: Handle, counter: u16) -> Block {
        (handle ^ (PLACEMENT | u128::from(counter) << 96 | u128::from(cell))).to_be_bytes().into()
    }

    fn place(&self, cell: u64, handle: Handle) -> i64 {
        let (start, size) = self.ruler.span(cell);
        let mut counter = 0;
        loop {
            let mut block = [Self::block(cell, handle, counter)];
            self.coins.toss(&mut block);
            if let Some(below) = uniform_from(block[0], size) {
                return stored(start + below);
            }
            // A block fails with probability below 1/4.
            counter = counter.wrapping_add(1);
        }
    }

    /// Encrypts `plaintexts[i]` with `handle(i)` into `ciphertexts[i]`.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfDomain`] and [`Error::Length`], as for [`encrypt_batch`](Scheme::encrypt_batch).
    pub fn encrypt_each(
        &self,
        plaintexts: &[i64],
        handle: impl Fn(usize) -> Handle + Sync,
        ciphertexts: &mut [i64],
    ) -> Result<(), Error> {
        check_lengths(plaintexts.len(), plaintexts.len(), ciphertexts.len())?;
        let width = self.cell();
        encrypt_chunks(plaintexts, ciphertexts, self.domain(), |start, plaintexts, out| {
            let mut blocks = [Block::default(); BLOCKS];
            let mut cells = [0; BLOCKS];
            let starts = (start..).step_by(BLOCKS);
            for ((start, plaintexts), out) in
                starts.zip(plaintexts.chunks(BLOCKS)).zip(out.chunks_mut(BLOCKS))
            {
                let blocks = &mut blocks[..plaintexts.len()];
                for (((block, cell), plaintext), position) in
                    blocks.iter_mut().zip(&mut cells).zip(plaintexts).zip(start..)
                {
                    let plaintext = plaintext.cast_unsigned();
                    *cell = if width == 1 { plaintext } else { plaintext / width };
                    *block = Self::block(*cell, handle(position), 0);
                }
                self.coins.toss(blocks);
                for (((ciphertext, &cell), &block), position) in
                    out.iter_mut().zip(&cells).zip(blocks.iter()).zip(start..)
                {
                    let (start, size) = self.ruler.span(cell);
                    *ciphertext = match uniform_from(block, size) {
                        Some(below) => stored(start + below),
                        None => self.place(cell, handle(position)),
                    };
                }
            }
        })
    }

    /// Decrypts a batch to the lowest plaintext of each cell.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidCiphertext`] names the first entry that is not this provider's with this
    /// handle, [`Error::Length`] a handle array of another length.
    pub fn decrypt_batch(&self, entries: &[i64], handles: &[Handle]) -> Result<Vec<i64>, Error> {
        check_lengths(entries.len(), handles.len(), entries.len())?;
        decrypt_each(entries, |position| self.decrypt(entries[position], handles[position]))
    }
}

impl<L: Layout> Scheme for Mopse<L> {
    type Ciphertext = i64;
    type Id = Handle;

    fn domain(&self) -> u64 {
        self.ruler.domain()
    }

    fn cell(&self) -> u64 {
        self.ruler.cell()
    }

    fn compare(left: &i64, right: &i64) -> Ordering {
        left.cmp(right)
    }

    fn encrypt(&self, plaintext: i64, handle: Handle) -> Result<i64, Error> {
        let plaintext = check_plaintext(plaintext, self.domain(), 0)?;
        Ok(self.place(plaintext / self.cell(), handle))
    }

    fn encrypt_batch(
        &self,
        plaintexts: &[i64],
        handles: &[Handle],
        ciphertexts: &mut [i64],
    ) -> Result<(), Error> {
        check_lengths(plaintexts.len(), handles.len(), ciphertexts.len())?;
        self.encrypt_each(plaintexts, |position| handles[position], ciphertexts)
    }

    fn decrypt(&self, ciphertext: i64, handle: Handle) -> Result<i64, Error> {
        match self.ruler.cell_of(ciphertext) {
            Some(cell) if self.place(cell, handle) == ciphertext => {
                Ok((cell * self.cell()).cast_signed())
            }
            _ => Err(Error::InvalidCiphertext { position: 0 }),
        }
    }

    fn bounds(&self, low: i64, high: i64) -> Result<(i64, i64), Error> {
        self.ruler.bounds(low, high)
    }
}

impl<L: Layout> fmt::Debug for Mopse<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mopse").field("ruler", &self.ruler).finish_non_exhaustive()
    }
}
