//! Where the density of one-to-many ciphertexts changes: the pieces of the range that values own.
//!
//! For whoever holds the sorted ciphertexts of one field. The ciphertexts of a value fill its piece
//! evenly, so density is constant inside a piece and jumps between pieces of values that are not as
//! frequent for their width. Two ways to find them:
//!
//! ```text
//! change points   k1 ln(k1/L1) + k2 ln(k2/L2) - k ln(k/L) > penalty: cut k entries of L places in two
//! dyadic          cost(cell) = min(n ln(w/n) + penalty, cost(lower half) + cost(upper half)),
//!                 0 if empty; never halved below one entry
//! ```
//!
//! The first takes the best cut of a piece, then cuts both parts: `O(n)` for each cut. The second is
//! the best set of cells of the binary trie, where one-to-many OPSE has its leaves: `O(n b)`.
//!
//! # Sources
//!
//! The attack: Li, Zhang, Yang and Yu, IEEE TIFS 10(9), 2015. Binary segmentation: Scott and Knott,
//! Biometrics 30(3), 1974, with the likelihood of a Poisson process. The trie: derived here.

use super::Error;
use crate::stop;

/// Entries between two looks whether to go on.
const SELDOM: usize = 1 << 16;

/// Returns the first ciphertext of every piece but the lowest.
///
/// `ciphertexts` ascend and lie in `low..=high`. A cut lies at an entry that is above the one
/// before it.
///
/// # Errors
///
/// [`Error::Penalty`] if the penalty is negative or NaN, [`Error::BoundsOrder`] if `low` is above
/// `high`, [`Error::NegativeBound`] if `low` is negative, [`Error::Unsorted`] if
/// ciphertexts do not ascend, [`Error::OutOfRange`] if one lies outside the bounds.
///
/// # Examples
///
/// ```
/// // One entry in the lower half, ten in the upper.
/// let ciphertexts = [0, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19];
/// assert_eq!(mopse::attack::density::change_points(&ciphertexts, 0, 19, 2.0)?, [10]);
/// # Ok::<(), mopse::Error>(())
/// ```
pub fn change_points(
    ciphertexts: &[i64],
    low: i64,
    high: i64,
    penalty: f64,
) -> Result<Vec<i64>, Error> {
    if low < 0 {
        return Err(Error::NegativeBound);
    }
    if low > high {
        return Err(Error::BoundsOrder);
    }
    check(ciphertexts, low, high, penalty)?;
    let mut cuts = Vec::new();
    let mut pieces = vec![(ciphertexts, low, high)];
    while let Some((entries, low, high)) = pieces.pop() {
        stop::check();
        let Some((left, cut)) = best_cut(entries, low, high, penalty) else { continue };
        let (lower, upper) = entries.split_at(left);
        cuts.push(cut);
        pieces.push((lower, low, cut - 1));
        pieces.push((upper, cut, high));
    }
    cuts.sort_unstable();
    Ok(cuts)
}

/// How many entries lie left of the cut that gains most, and the cut, if it gains enough.
fn best_cut(entries: &[i64], low: i64, high: i64, penalty: f64) -> Option<(usize, i64)> {
    let (all, length) = (number(entries.len()), span(low, high));
    let mut best = None;
    let mut most = penalty;
    for (place, pair) in entries.windows(2).enumerate() {
        if place.is_multiple_of(SELDOM) {
            stop::check();
        }
        if pair[0] == pair[1] {
            continue;
        }
        let left = place + 1;
        let (fewer, shorter) = (number(left), span(low, pair[1] - 1));
        let gain = share(fewer, all, shorter, length)
            + share(all - fewer, all, span(pair[1], high), length);
        if gain > most {
            most = gain;
            best = Some((left, pair[1]));
        }
    }
    best
}

/// What a part with its own density gains over the density of the whole.
fn share(entries: f64, all: f64, length: f64, whole: f64) -> f64 {
    entries * ((entries / all) / (length / whole)).ln()
}

/// Returns the first and the last ciphertext of each cell that holds entries, in order.
///
/// The range is `0..2^bits`; `ciphertexts` ascend.
///
/// # Errors
///
/// [`Error::Penalty`] if the penalty is negative or NaN, [`Error::Bits`] if there are more than 63
/// bits, [`Error::Unsorted`] if ciphertexts do not ascend, [`Error::OutOfRange`] if one lies
/// outside the range.
///
/// # Examples
///
/// ```
/// // All entries lie in the lowest quarter.
/// let cells = mopse::attack::density::dyadic(&[0, 1, 2, 3], 4, 1.0)?;
/// assert_eq!(cells, [(0, 3)]);
/// # Ok::<(), mopse::Error>(())
/// ```
pub fn dyadic(ciphertexts: &[i64], bits: u32, penalty: f64) -> Result<Vec<(i64, i64)>, Error> {
    if bits > 63 {
        return Err(Error::Bits { got: bits });
    }
    let last = i64::MAX >> (63 - bits);
    check(ciphertexts, 0, last, penalty)?;
    let mut cells = Vec::new();
    if !ciphertexts.is_empty() {
        cover(ciphertexts, 0, last, penalty, &mut cells);
    }
    Ok(cells)
}

/// Adds the cheapest cells that cover some entries, at least one, and returns their cost.
fn cover(entries: &[i64], low: i64, high: i64, penalty: f64, cells: &mut Vec<(i64, i64)>) -> f64 {
    let n = number(entries.len());
    let whole = n * (span(low, high) / n).ln() + penalty;
    // One entry fits a cell of any width, and the narrowest would seem best.
    if entries.len() > 1 && low < high {
        stop::check();
        let before = cells.len();
        let middle = low + (high - low) / 2;
        let (lower, upper) = entries.split_at(entries.partition_point(|&entry| entry <= middle));
        let mut parts = 0.0;
        if !lower.is_empty() {
            parts += cover(lower, low, middle, penalty, cells);
        }
        if !upper.is_empty() {
            parts += cover(upper, middle + 1, high, penalty, cells);
        }
        if parts < whole {
            return parts;
        }
        cells.truncate(before);
    }
    cells.push((low, high));
    whole
}

#[allow(clippy::cast_precision_loss, reason = "a count of entries in memory")]
fn number(count: usize) -> f64 {
    count as f64
}

/// How many ciphertexts lie from `low`, at least 0, to `high`, not below `low`.
#[allow(clippy::cast_precision_loss, reason = "a relative error of 2^-53")]
fn span(low: i64, high: i64) -> f64 {
    (high - low) as f64 + 1.0
}

fn check(ciphertexts: &[i64], low: i64, high: i64, penalty: f64) -> Result<(), Error> {
    if penalty.is_nan() || penalty < 0.0 {
        return Err(Error::Penalty);
    }
    if let Some(before) = ciphertexts.windows(2).position(|pair| pair[0] > pair[1]) {
        return Err(Error::Unsorted { position: before + 1 });
    }
    let range = (high - low).cast_unsigned() + 1;
    match ciphertexts.iter().position(|ciphertext| !(low..=high).contains(ciphertext)) {
        Some(position) => Err(Error::OutOfRange { position, range }),
        None => Ok(()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn an_even_density_has_no_change() {
        let even: Vec<i64> = (0..1000).map(|i| i * 7 + 3).collect();
        assert!(change_points(&even, 0, 6999, 5.0).unwrap().is_empty());
        assert_eq!(dyadic(&(0..1024).collect::<Vec<_>>(), 10, 5.0).unwrap(), [(0, 1023)]);
    }

    #[test]
    fn every_jump_of_density_is_found() {
        let mut steps: Vec<i64> = (0..100).map(|i| i * 10).collect();
        steps.extend(1000..1100);
        steps.extend((0..50).map(|i| 1100 + i * 100));
        assert_eq!(change_points(&steps, 0, 6099, 20.0).unwrap(), [1000, 1100]);
    }

    #[test]
    fn cells_of_unequal_density_are_told_apart() {
        // 0 to 255 full, 256 to 511 empty, 512 to 1023 with every eighth.
        let mut entries: Vec<i64> = (0..256).collect();
        entries.extend((512..1024).step_by(8));
        assert_eq!(dyadic(&entries, 10, 5.0).unwrap(), [(0, 255), (512, 1023)]);
        assert_eq!(dyadic(&entries, 10, f64::INFINITY).unwrap().len(), 1);
    }

    #[test]
    fn the_largest_range_is_cut() {
        let last = i64::MAX;
        assert_eq!(dyadic(&[0, 0, last, last], 63, 1.0).unwrap(), [(0, 0), (last, last)]);
        assert_eq!(dyadic(&[last], 63, 1.0).unwrap(), [(0, last)]);
        assert_eq!(dyadic(&[0, 0], 0, 1.0).unwrap(), [(0, 0)]);
        let mut steps: Vec<i64> = (0..100).map(|i| i << 40).collect();
        steps.push(last);
        // A cut lies at an entry, so the last one of the dense part goes to the sparse one.
        assert_eq!(change_points(&steps, 0, last, 20.0).unwrap(), [99 << 40, last]);
        assert_eq!(change_points(&[0, 0, 0, last, last], 0, last, 20.0).unwrap(), [last]);
    }

    #[test]
    fn nothing_has_no_cells_and_one_entry_one() {
        assert!(change_points(&[], 0, 5, 1.0).unwrap().is_empty());
        assert!(change_points(&[2], 0, 5, 0.0).unwrap().is_empty());
        assert!(dyadic(&[], 8, 1.0).unwrap().is_empty());
        assert_eq!(dyadic(&[7], 8, 1.0).unwrap(), [(0, 255)]);
    }

    #[test]
    fn what_cannot_be_cut_is_refused() {
        for penalty in [-1.0, f64::NAN] {
            assert_eq!(change_points(&[0], 0, 5, penalty), Err(Error::Penalty));
            assert_eq!(dyadic(&[0], 3, penalty), Err(Error::Penalty));
        }
        assert_eq!(change_points(&[0], 5, 0, 1.0), Err(Error::BoundsOrder));
        let negative = Err(Error::NegativeBound);
        assert_eq!(change_points(&[0], -1, 0, 1.0), negative);
        let unsorted = Error::Unsorted { position: 2 };
        assert_eq!(change_points(&[0, 2, 1], 0, 5, 1.0), Err(unsorted.clone()));
        assert_eq!(dyadic(&[0, 2, 1], 3, 1.0), Err(unsorted));
        for entry in [1, 7] {
            let outside = Err(Error::OutOfRange { position: 0, range: 5 });
            assert_eq!(change_points(&[entry], 2, 6, 1.0), outside);
        }
        let outside = Err(Error::OutOfRange { position: 1, range: 8 });
        assert_eq!(dyadic(&[0, 8], 3, 1.0), outside);
        assert_eq!(dyadic(&[0], 64, 1.0), Err(Error::Bits { got: 64 }));
    }
}
