//! Order-preserving schemes: what they promise, and the control that hides nothing.
//!
//! Plaintexts are `0..domain`, ciphertexts lie in `[0, 2^63)` and are stored as a non-negative
//! `i64`, which every engine orders as it is. All bounds are inclusive.

pub mod mopse;
pub mod opse;
pub mod ruler;

use crate::Error;

/// Ciphertexts lie below this: 2^63, one more than the largest `i64`.
pub const RANGE: u64 = 1 << 63;

/// The largest domain a scheme takes: 2^32 plaintexts.
pub const MOST_PLAINTEXTS: u64 = 1 << 32;

/// An order-preserving scheme under one key.
///
/// Every scheme keeps the same contract, which `tests/scheme_contract.rs` runs on each of them:
/// decryption undoes encryption up to the cell, lower cells have lower ciphertexts, a range's
/// [`bounds`](Self::bounds) hold exactly the ciphertexts of its cells, and a batch gives what its
/// values give one by one. What every such scheme leaks is the order of the cells.
pub trait Scheme: Sync {
    /// What a ciphertext depends on besides key and plaintext; `()` if on nothing.
    type Id: Copy + Sync;

    /// How many plaintexts there are.
    fn domain(&self) -> u64;

    /// How many neighbouring plaintexts share a cell: the resolution of the index.
    fn cell(&self) -> u64 {
        1
    }

    /// Encrypts one plaintext.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfDomain`] if there is no such plaintext.
    fn encrypt(&self, plaintext: i64, id: Self::Id) -> Result<i64, Error>;

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
        ciphertexts: &mut [i64],
    ) -> Result<(), Error>;

    /// Decrypts one ciphertext to the lowest plaintext of its cell.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidCiphertext`] if no plaintext with this id has this ciphertext.
    fn decrypt(&self, ciphertext: i64, id: Self::Id) -> Result<i64, Error>;

    /// Returns the lowest and the highest ciphertext that the cells from `low` to `high` can have.
    ///
    /// # Errors
    ///
    /// [`Error::BoundsOrder`] if `low > high`, [`Error::OutOfDomain`] if one is no plaintext.
    fn bounds(&self, low: i64, high: i64) -> Result<(i64, i64), Error>;
}

/// The control: the ciphertext is the plaintext. Every measurement shows it beside real schemes.
#[derive(Debug, Clone, Copy)]
pub struct Plain {
    domain: u64,
}

impl Plain {
    /// A control on `0..domain`.
    ///
    /// # Errors
    ///
    /// [`Error::Size`] if the domain is empty or above 2^32.
    pub fn new(domain: u64) -> Result<Self, Error> {
        check_domain(domain)?;
        Ok(Self { domain })
    }
}

impl Scheme for Plain {
    type Id = ();

    fn domain(&self) -> u64 {
        self.domain
    }

    fn encrypt(&self, plaintext: i64, (): ()) -> Result<i64, Error> {
        check_plaintext(plaintext, self.domain, 0)?;
        Ok(plaintext)
    }

    fn encrypt_batch(
        &self,
        plaintexts: &[i64],
        ids: &[()],
        ciphertexts: &mut [i64],
    ) -> Result<(), Error> {
        check_lengths(plaintexts.len(), ids.len(), ciphertexts.len())?;
        for (position, (&plaintext, ciphertext)) in plaintexts.iter().zip(ciphertexts).enumerate() {
            check_plaintext(plaintext, self.domain, position)?;
            *ciphertext = plaintext;
        }
        Ok(())
    }

    fn decrypt(&self, ciphertext: i64, (): ()) -> Result<i64, Error> {
        check_plaintext(ciphertext, self.domain, 0)
            .map_err(|_| Error::InvalidCiphertext { position: 0 })?;
        Ok(ciphertext)
    }

    fn bounds(&self, low: i64, high: i64) -> Result<(i64, i64), Error> {
        check_bounds(low, high, self.domain)?;
        Ok((low, high))
    }
}

pub(crate) fn check_domain(domain: u64) -> Result<(), Error> {
    if domain == 0 || domain > MOST_PLAINTEXTS {
        return Err(Error::Size { what: "the domain", got: domain, expected: "1 to 2^32" });
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
    for (what, got) in [("the id array", ids), ("the ciphertext array", ciphertexts)] {
        if got != plaintexts {
            return Err(Error::Length { what, expected: plaintexts, got });
        }
    }
    Ok(())
}

/// A place in the ciphertext space as it is stored.
#[inline]
#[expect(clippy::cast_possible_wrap, reason = "ciphertexts lie below 2^63")]
pub(crate) fn stored(place: u64) -> i64 {
    debug_assert!(place < RANGE);
    place as i64
}

/// A count of plaintexts or cells as an index.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "at most 2^32, and tables have at most 2^20")]
pub(crate) fn length(count: u64) -> usize {
    count as usize
}
