//! Marks: a second layout of a ruler's cells, for evaluation only.
//!
//! A provider that knows the cuts of its group locates every entry of the group. Here it gets, for
//! each cell, a part of the cell between two points of its own, and never learns the cuts:
//!
//! ```text
//! cell [cut_b, cut_{b+1} - 1]  gives  provider i  [min(u, v), max(u, v)],   u, v uniform in it
//! ```
//!
//! so that an entry lies at relative position `x` of its cell with density `2 H(x)`, `H` the binary
//! entropy in natural logarithms. A table costs two coins and 16 bytes a cell.
//!
//! # Leakage
//!
//! What it buys: between its marks of two cells an insider does not know to which an entry belongs;
//! the best guess is right for .912 of all entries instead of all (.963 and .986 for two and four
//! colluders). What it costs: entries of a value bunch, so that a mere copy of the store shows
//! which are equal. It is never a default; `Keyring` knows nothing of it.
//!
//! # Sources
//!
//! Derived for this project, to show that the trade exists.

use std::fmt;

use zeroize::Zeroizing;

use super::ruler::{Layout, Ruler};
use super::{Error, check_bounds, stored};
use crate::keys::Key;
use crate::keys::coins::{Coins, Tag};

/// One provider's part of every cell.
pub struct Marks {
    domain: u64,
    cell: u64,
    /// The first ciphertext of each part, and how many it has.
    spans: Zeroizing<Vec<(u64, u64)>>,
}

impl Marks {
    /// Draws a provider's marks in the cells of its group's ruler.
    #[must_use]
    pub fn new(ruler: &Ruler, key: &Key) -> Self {
        let coins = Coins::new(key);
        let part = |cell| {
            let (start, size) = ruler.span(cell);
            let [u, v] = [0, 1].map(|point| coins.uniform(Tag::Mark, point, cell, size, None));
            (start + u.min(v), u.abs_diff(v) + 1)
        };
        let spans = Zeroizing::new((0..ruler.cells()).map(part).collect());
        Self { domain: ruler.domain(), cell: ruler.cell(), spans }
    }
}

impl Layout for Marks {
    fn domain(&self) -> u64 {
        self.domain
    }

    fn cell(&self) -> u64 {
        self.cell
    }

    fn span(&self, cell: u64) -> (u64, u64) {
        self.spans[crate::wire::length(cell)]
    }

    fn cell_of(&self, ciphertext: i64) -> Option<u64> {
        let place = u64::try_from(ciphertext).ok()?;
        let after = self.spans.partition_point(|&(start, _)| start <= place);
        let (start, size) = self.spans.get(after.checked_sub(1)?)?;
        (place - start < *size).then_some(after as u64 - 1)
    }

    fn bounds(&self, low: i64, high: i64) -> Result<(i64, i64), Error> {
        let (low, high) = check_bounds(low, high, self.domain)?;
        let (start, _) = self.span(low / self.cell);
        let (last, size) = self.span(high / self.cell);
        Ok((stored(start), stored(last + (size - 1))))
    }
}

impl fmt::Debug for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Marks")
            .field("domain", &self.domain)
            .field("cell", &self.cell)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_lie_in_their_cells_and_know_no_others_entries() {
        let key = |byte| Key::from_bytes(&[byte; 32]).unwrap();
        for (domain, cell) in [(1, 1), (14, 3), (121, 1)] {
            let ruler = Ruler::new(&key(8), domain, cell).unwrap();
            let marks = Marks::new(&ruler, &key(9));
            for cell in 0..ruler.cells() {
                let ((start, size), (first, count)) = (ruler.span(cell), marks.span(cell));
                assert!(start <= first && first + (count - 1) <= start + (size - 1));
                assert_eq!(marks.cell_of(stored(first)), Some(cell));
                assert_eq!(marks.cell_of(stored(first + (count - 1))), Some(cell));
                if first > start {
                    assert_eq!(marks.cell_of(stored(first - 1)), None);
                }
            }
            assert_eq!(marks.cell_of(-1), None);
        }
    }

    #[test]
    fn providers_have_marks_of_their_own() {
        let key = |byte| Key::from_bytes(&[byte; 32]).unwrap();
        let ruler = Ruler::new(&key(8), 5, 1).unwrap();
        let [one, same, other] = [9, 9, 10].map(|byte| Marks::new(&ruler, &key(byte)));
        assert_eq!(one.spans, same.spans);
        assert_ne!(one.spans, other.spans);
    }
}
