//! Schemes that keep or reveal order: what they promise, and the control that hides nothing.
//!
//! Plaintexts are `0..domain`. Ciphertexts of an order-preserving scheme lie in `[0, 2^63)` and are
//! stored as a non-negative `i64`, which every engine orders as it is. Those of an order-revealing
//! scheme ([`clww`], [`lewi_wu`]) are ordered by its own comparison, which needs no key. All bounds
//! are inclusive.

mod batch;
pub mod clww;
pub mod hypergeometric;
pub mod lewi_wu;
pub mod marks;
pub mod mopse;
pub mod opse;
pub mod plain;
pub mod ruler;

use std::cmp::Ordering;
use std::fmt::Debug;

use crate::keys;

/// Ciphertexts lie below this: 2^63, one more than the largest `i64`.
pub const RANGE: u64 = 1 << 63;

/// The largest domain a scheme takes: 2^32 plaintexts.
pub const MOST_PLAINTEXTS: u64 = 1 << 32;

/// Why a scheme does not encrypt, decrypt or compare.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A domain is empty or too large.
    #[error("the domain is {got}, expected 1 to 2^32")]
    Domain {
        /// Plaintexts it was to have.
        got: u64,
    },

    /// A range is smaller than its domain, or too large.
    #[error("the range is {got}, expected from the domain's size to 2^63")]
    Range {
        /// Ciphertexts it was to have.
        got: u64,
    },

    /// A cell has no plaintext.
    #[error("the cell is 0, expected at least 1")]
    Cell,

    /// A ruler would have too many cells.
    #[error("the number of cells is {got}, expected at most 2^20; use a wider cell")]
    Cells {
        /// Cells it would have.
        got: u64,
    },

    /// A block of a plaintext has too few or too many bits.
    #[error("the number of bits of a block is {got}, expected 1 to 8")]
    BlockBits {
        /// Bits it was to have.
        got: u32,
    },

    /// No ciphertext has this size.
    #[error(
        "the size of a ciphertext is {got}, expected that of a ciphertext in blocks of as many bits"
    )]
    CiphertextSize {
        /// Bytes it was to have.
        got: usize,
    },

    /// A plaintext lies outside the domain.
    #[error("the plaintext at position {position} lies outside the domain of {domain} values")]
    OutOfDomain {
        /// Which plaintext of the batch, counted from 0.
        position: usize,
        /// Plaintexts run from 0 to one below this.
        domain: u64,
    },

    /// A lower bound lies above its upper bound.
    #[error("the lower bound lies above the upper bound")]
    BoundsOrder,

    /// No plaintext has this ciphertext under this key.
    #[error("the ciphertext at position {position} is not one of this key")]
    InvalidCiphertext {
        /// Which ciphertext of the batch, counted from 0.
        position: usize,
    },

    /// Two arrays that belong together have different lengths.
    #[error("{what} has {got} entries, expected {expected}")]
    Length {
        /// Which array.
        what: &'static str,
        /// Entries it must have.
        expected: usize,
        /// Entries it had.
        got: usize,
    },

    /// A nonce could not be drawn.
    #[error(transparent)]
    Keys(#[from] keys::Error),
}

/// A scheme under one key whose ciphertexts can be ordered without it.
///
/// Every scheme keeps the same contract, which `tests/scheme_contract.rs` runs on each of them:
/// decryption undoes encryption up to the cell, lower cells [compare](Self::compare) as lower, a
/// range's [`bounds`](Self::bounds) hold exactly the ciphertexts of its cells, and a batch gives
/// what its values give one by one. What every such scheme leaks is the order of the cells.
pub trait Scheme: Sync {
    /// What a plaintext becomes.
    type Ciphertext: Clone + Debug + PartialEq + Send + Sync;

    /// What a ciphertext depends on besides key and plaintext; `()` if on nothing.
    type Id: Copy + Sync;

    /// How many plaintexts there are.
    fn domain(&self) -> u64;

    /// How many neighbouring plaintexts share a cell: the resolution of the index.
    fn cell(&self) -> u64 {
        1
    }

    /// Returns the order of two ciphertexts of one key, without the key.
    ///
    /// Of ciphertexts of two keys, or of what is no ciphertext, it says nothing about plaintexts.
    fn compare(left: &Self::Ciphertext, right: &Self::Ciphertext) -> Ordering;

    /// Encrypts one plaintext.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfDomain`] if there is no such plaintext.
    fn encrypt(&self, plaintext: i64, id: Self::Id) -> Result<Self::Ciphertext, Error>;

    /// Encrypts `plaintexts[i]` with `ids[i]` into `ciphertexts[i]`.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfDomain`] names the first plaintext outside the domain, [`Error::Length`] an
    /// array of another length. The content of `ciphertexts` is then unspecified.
    fn encrypt_batch(
        &self,
        plaintexts: &[i64],
        ids: &[Self::Id],
        ciphertexts: &mut [Self::Ciphertext],
    ) -> Result<(), Error>;

    /// Decrypts one ciphertext to the lowest plaintext of its cell.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidCiphertext`] if no plaintext with this id has this ciphertext.
    fn decrypt(&self, ciphertext: Self::Ciphertext, id: Self::Id) -> Result<i64, Error>;

    /// Returns the lowest and the highest ciphertext that the cells from `low` to `high` can have.
    ///
    /// # Errors
    ///
    /// [`Error::BoundsOrder`] if `low > high`, [`Error::OutOfDomain`] if one is no plaintext.
    fn bounds(&self, low: i64, high: i64) -> Result<(Self::Ciphertext, Self::Ciphertext), Error>;
}

pub(crate) fn check_domain(domain: u64) -> Result<(), Error> {
    if domain == 0 || domain > MOST_PLAINTEXTS {
        return Err(Error::Domain { got: domain });
    }
    Ok(())
}

/// Returns the plaintext as an unsigned number if it is in the domain.
#[inline]
pub(crate) fn check_plaintext(plaintext: i64, domain: u64, position: usize) -> Result<u64, Error> {
    match u64::try_from(plaintext) {
        Ok(plaintext) if plaintext < domain => Ok(plaintext),
        _ => Err(Error::OutOfDomain { position, domain }),
    }
}

pub(crate) fn check_bounds(low: i64, high: i64, domain: u64) -> Result<(u64, u64), Error> {
    let bounds = (check_plaintext(low, domain, 0)?, check_plaintext(high, domain, 1)?);
    if bounds.0 > bounds.1 {
        return Err(Error::BoundsOrder);
    }
    Ok(bounds)
}

pub(crate) fn check_lengths(
    plaintexts: usize,
    ids: usize,
    ciphertexts: usize,
) -> Result<(), Error> {
    check_length("the id array", plaintexts, ids)?;
    check_length("the ciphertext array", plaintexts, ciphertexts)
}

fn check_length(what: &'static str, expected: usize, got: usize) -> Result<(), Error> {
    if got == expected { Ok(()) } else { Err(Error::Length { what, expected, got }) }
}

/// How many bits the plaintexts of a domain have; at least one, at most 32.
pub(crate) fn bits(domain: u64) -> u32 {
    (u64::BITS - domain.saturating_sub(1).leading_zeros()).max(1)
}

/// How many comparisons two arrays of ciphertexts ask for: each with each beside it, or one with
/// all of the other array.
pub(crate) fn pairs(left: usize, right: usize) -> Result<usize, Error> {
    match (left, right) {
        (1, n) | (n, 1) => Ok(n),
        (n, m) if n == m => Ok(n),
        (expected, got) => Err(Error::Length { what: "the second array", expected, got }),
    }
}

/// An order as a number: -1, 0 or 1.
pub(crate) fn sign(order: Ordering) -> i8 {
    order as i8
}

/// A place in the ciphertext space as it is stored.
#[inline]
#[expect(clippy::cast_possible_wrap, reason = "ciphertexts lie below 2^63")]
pub(crate) fn stored(place: u64) -> i64 {
    debug_assert!(place < RANGE);
    place as i64
}
