//! The ruler of a group and field: the cuts that all its providers share.
//!
//! A domain of `M` plaintexts has `B = ceil(M / w)` cells of `w` plaintexts each. Cell `b` owns the
//! ciphertexts `[cut_b, cut_{b+1} - 1]`, where
//!
//! ```text
//! cut_0 = 0,   cut_1 < ... < cut_{B-1} = deterministic OPSE over [1, 2^63 - 1],   cut_B = 2^63
//! ```
//!
//! so the interior cuts are a uniformly random set. Cells are random spacings of the whole space,
//! not the dyadic leaves of one-to-many OPSE. A ruler is a table of `8 B` bytes, made in a few
//! milliseconds for `B = 2^16`, and as secret as its key: who holds it reads every entry of the
//! group to the cell.
//!
//! # Sources
//!
//! Our reconstruction of the interface of Yao, Lin, Liu and Zhang, *Privacy-Preserving Search Over
//! Encrypted Personal Health Record in Multi-Source Cloud*, IEEE Access 6, 2018, whose construction
//! we have not seen.

use std::fmt;

use zeroize::Zeroizing;

use super::opse::Opse;
use super::{Error, RANGE, check_bounds, check_domain, stored};
use crate::keys::Key;
use crate::wire::length;

/// Cells of a ruler unless its field asks for more.
pub const DEFAULT_CELLS: u64 = 1 << 16;

/// Cells of a ruler at most.
pub const MOST_CELLS: u64 = 1 << 20;

/// Where a provider may put the entries of each cell: the whole cell, or a part of it.
pub trait Layout: fmt::Debug + Send + Sync {
    /// How many plaintexts there are.
    fn domain(&self) -> u64;

    /// How many plaintexts share a cell.
    fn cell(&self) -> u64;

    /// The first ciphertext of a cell and how many there are.
    fn span(&self, cell: u64) -> (u64, u64);

    /// The cell that a ciphertext is of, or `None` if it is of none.
    fn cell_of(&self, ciphertext: i64) -> Option<u64>;

    /// Returns the lowest and the highest ciphertext of the cells from `low` to `high`.
    ///
    /// # Errors
    ///
    /// [`Error::BoundsOrder`] if `low > high`, [`Error::OutOfDomain`] if one is no plaintext.
    fn bounds(&self, low: i64, high: i64) -> Result<(i64, i64), Error>;
}

/// The cuts of one field, shared by a group of providers.
pub struct Ruler {
    domain: u64,
    cell: u64,
    /// `cut_0` to `cut_B`.
    cuts: Zeroizing<Vec<u64>>,
}

impl Ruler {
    /// Draws the ruler of a field of `domain` plaintexts with `cell` plaintexts to a cell.
    ///
    /// # Errors
    ///
    /// [`Error::Domain`] if the domain is empty or above 2^32, [`Error::Cell`] if the cell is empty,
    /// [`Error::Cells`] if there are more than 2^20.
    pub fn new(key: &Key, domain: u64, cell: u64) -> Result<Self, Error> {
        check_domain(domain)?;
        if cell == 0 {
            return Err(Error::Cell);
        }
        let cells = domain.div_ceil(cell);
        if cells > MOST_CELLS {
            return Err(Error::Cells { got: cells });
        }
        // All space at once: a vector that grows leaves copies of its secret behind.
        let mut cuts = Zeroizing::new(Vec::with_capacity(length(cells) + 1));
        cuts.push(0);
        if cells > 1 {
            let interior = Opse::with_range(key, cells - 1, RANGE - 1)?;
            let interior = Zeroizing::new(interior.codebook());
            cuts.extend(interior.iter().map(|cut| cut.cast_unsigned() + 1));
        }
        cuts.push(RANGE);
        Ok(Self { domain, cell, cuts })
    }

    /// How many plaintexts there are.
    #[must_use]
    pub fn domain(&self) -> u64 {
        self.domain
    }

    /// How many plaintexts share a cell.
    #[must_use]
    pub fn cell(&self) -> u64 {
        self.cell
    }

    /// How many cells there are.
    #[must_use]
    pub fn cells(&self) -> u64 {
        self.cuts.len() as u64 - 1
    }

    /// The first ciphertext of a cell and how many it owns.
    #[inline]
    pub(super) fn span(&self, cell: u64) -> (u64, u64) {
        let cell = length(cell);
        let start = self.cuts[cell];
        (start, self.cuts[cell + 1] - start)
    }

    /// The cell that owns a ciphertext, or `None` if it is negative.
    pub(super) fn cell_of(&self, ciphertext: i64) -> Option<u64> {
        let place = u64::try_from(ciphertext).ok()?;
        let after = self.cuts.partition_point(|&cut| cut <= place);
        Some(after as u64 - 1)
    }

    /// Returns the lowest and the highest ciphertext of the cells from `low` to `high`.
    ///
    /// This is the whole query: one interval for all providers of the group. It hides where in
    /// their cells the two plaintexts lie.
    ///
    /// # Errors
    ///
    /// [`Error::BoundsOrder`] if `low > high`, [`Error::OutOfDomain`] if one is no plaintext.
    pub fn bounds(&self, low: i64, high: i64) -> Result<(i64, i64), Error> {
        let (low, high) = check_bounds(low, high, self.domain)?;
        let (start, _) = self.span(low / self.cell);
        let (last, size) = self.span(high / self.cell);
        Ok((stored(start), stored(last + (size - 1))))
    }
}

impl Layout for Ruler {
    fn domain(&self) -> u64 {
        self.domain
    }

    fn cell(&self) -> u64 {
        self.cell
    }

    #[inline]
    fn span(&self, cell: u64) -> (u64, u64) {
        Self::span(self, cell)
    }

    fn cell_of(&self, ciphertext: i64) -> Option<u64> {
        Self::cell_of(self, ciphertext)
    }

    fn bounds(&self, low: i64, high: i64) -> Result<(i64, i64), Error> {
        Self::bounds(self, low, high)
    }
}

impl fmt::Debug for Ruler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ruler")
            .field("domain", &self.domain)
            .field("cell", &self.cell)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_owns_its_first_and_its_last_ciphertext() {
        let key = Key::from_bytes(&[8; 32]).unwrap();
        for (domain, cell) in [(1, 1), (14, 3), (121, 1)] {
            let ruler = Ruler::new(&key, domain, cell).unwrap();
            for cell in 0..ruler.cells() {
                let (start, size) = ruler.span(cell);
                assert_eq!(ruler.cell_of(stored(start)), Some(cell));
                assert_eq!(ruler.cell_of(stored(start + (size - 1))), Some(cell));
            }
            assert_eq!(ruler.cell_of(-1), None);
        }
    }
}
