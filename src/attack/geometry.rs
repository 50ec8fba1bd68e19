//! What one ciphertext of a random order-preserving function tells about its plaintext.
//!
//! For whoever sees single ciphertexts and knows the sizes of domain and range. Over random keys
//! and a uniform plaintext, with `M` plaintexts and `N` ciphertexts counted from 0,
//!
//! ```text
//! P[x | c] = C(M - 1, x) C(N - M, c - x) / C(N - 1, c)
//! mode     = floor((c + 1) M / (N + 1))
//! ```
//!
//! so a window of about `sqrt(M)` plaintexts around the mode holds the right one nearly always.
//! Masses come from the ratio of neighbours and one sum, without a factorial: `O(sqrt(M))` steps
//! for each ciphertext, `O(r)` more for a window of `r`.
//!
//! # Sources
//!
//! The law: Boldyreva, Chenette and O'Neill, CRYPTO 2011, sections 3 and 4 (eprint 2012/625). The
//! mode in closed form: derived here.

use super::Error;
use crate::pool;

/// A term this much smaller than the mode's adds nothing to a sum of floats.
const NEGLIGIBLE: f64 = 1e-25;

/// Sizes of a domain and a range.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    plaintexts: u64,
    range: u64,
}

impl Sizes {
    fn new(plaintexts: u64, range: u64) -> Result<Self, Error> {
        if range == 0 || range > 1 << 63 {
            return Err(Error::Range { got: range });
        }
        if plaintexts == 0 || plaintexts > range {
            return Err(Error::Domain { got: plaintexts });
        }
        Ok(Self { plaintexts, range })
    }

    /// The likeliest plaintext of a ciphertext below the range.
    fn mode(self, ciphertext: u64) -> u64 {
        let product = (u128::from(ciphertext) + 1) * u128::from(self.plaintexts);
        let mode = product / (u128::from(self.range) + 1);
        u64::try_from(mode).unwrap_or(u64::MAX).min(self.plaintexts - 1)
    }

    /// `P[x + 1 | c] / P[x | c]`, 0 where `x + 1` is impossible.
    #[allow(clippy::cast_precision_loss, reason = "a relative error of 2^-53 per factor")]
    fn step(self, ciphertext: u64, x: u64) -> f64 {
        if x + 1 >= self.plaintexts || x >= ciphertext {
            return 0.0;
        }
        // Ciphertexts above this one must leave room for the plaintexts above x.
        let above = i128::from(self.range) - i128::from(self.plaintexts) - i128::from(ciphertext)
            + i128::from(x)
            + 1;
        if above <= 0 {
            return f64::INFINITY; // x itself is impossible
        }
        let up = (self.plaintexts - 1 - x) as f64 * (ciphertext - x) as f64;
        up / ((x + 1) as f64 * above as f64)
    }

    /// The mass of `x - 1` where that of `x` is `mass`.
    fn down(self, ciphertext: u64, x: u64, mass: f64) -> f64 {
        if x == 0 { 0.0 } else { mass / self.step(ciphertext, x - 1) }
    }

    /// The window of `width` plaintexts, at most all, with the largest mass.
    fn window(self, ciphertext: u64, width: u64) -> (u64, f64) {
        let mode = self.mode(ciphertext);
        let (mut low, mut high) = (mode, mode);
        // Masses next to the window, relative to the mode's.
        let mut below = self.down(ciphertext, low, 1.0);
        let mut above = self.step(ciphertext, high);
        let mut inside = 1.0;
        while high - low + 1 < width {
            // Where nothing is left on either side the window grows to where there is room.
            if high + 1 < self.plaintexts && (above >= below || low == 0) {
                high += 1;
                inside += above;
                above *= self.step(ciphertext, high);
            } else {
                low -= 1;
                inside += below;
                below = self.down(ciphertext, low, below);
            }
        }
        let mut outside = 0.0;
        self.tails(ciphertext, (low, below), (high, above), |mass| outside += mass);
        (low, inside / (inside + outside))
    }

    /// Entropy of the plaintext of a ciphertext, in bits.
    fn entropy(self, ciphertext: u64) -> f64 {
        let mode = self.mode(ciphertext);
        let below = self.down(ciphertext, mode, 1.0);
        let above = self.step(ciphertext, mode);
        let (mut sum, mut weighted) = (1.0, 0.0);
        self.tails(ciphertext, (mode, below), (mode, above), |mass| {
            sum += mass;
            weighted += mass * mass.log2();
        });
        sum.log2() - weighted / sum
    }

    /// Visits masses below `low` and above `high`, of whose neighbours they are given.
    fn tails(
        self,
        ciphertext: u64,
        (mut low, mut below): (u64, f64),
        (mut high, mut above): (u64, f64),
        mut visit: impl FnMut(f64),
    ) {
        while below > NEGLIGIBLE {
            visit(below);
            low -= 1;
            below = self.down(ciphertext, low, below);
        }
        while above > NEGLIGIBLE {
            visit(above);
            high += 1;
            above *= self.step(ciphertext, high);
        }
    }

    fn checked(self, ciphertexts: &[i64]) -> Result<(), Error> {
        let outside = |&ciphertext: &i64| {
            u64::try_from(ciphertext).map_or(true, |ciphertext| ciphertext >= self.range)
        };
        match ciphertexts.iter().position(outside) {
            Some(position) => Err(Error::OutOfRange { position, range: self.range }),
            None => Ok(()),
        }
    }
}

/// Returns, for each ciphertext, the lowest plaintext of the likeliest window and its probability.
///
/// A window has `width` neighbouring plaintexts. Of two as likely the upper one is returned.
///
/// # Errors
///
/// [`Error::Domain`], [`Error::Range`] or [`Error::Window`] if one cannot be so large, [`Error::OutOfRange`] if a
/// ciphertext does not lie in the range.
///
/// # Examples
///
/// ```
/// // Two plaintexts among three ciphertexts: the middle one is either's, the others are certain.
/// let (lowest, mass) = mopse::attack::geometry::windows(&[0, 1, 2], 2, 3, 1)?;
/// assert_eq!(lowest, [0, 1, 1]);
/// assert_eq!(mass, [1.0, 0.5, 1.0]);
/// # Ok::<(), mopse::Error>(())
/// ```
pub fn windows(
    ciphertexts: &[i64],
    plaintexts: u64,
    range: u64,
    width: u64,
) -> Result<(Vec<i64>, Vec<f64>), Error> {
    let sizes = Sizes::new(plaintexts, range)?;
    if width == 0 || width > plaintexts {
        return Err(Error::Window { got: width });
    }
    sizes.checked(ciphertexts)?;
    let window = |at: usize| {
        let (low, mass) = sizes.window(ciphertexts[at].cast_unsigned(), width);
        (low.cast_signed(), mass)
    };
    Ok(pool::map(ciphertexts.len(), 2, window).into_iter().unzip())
}

/// Returns, for each ciphertext, the entropy of its plaintext in bits.
///
/// # Errors
///
/// [`Error::Domain`] or [`Error::Range`] if one cannot be so large, [`Error::OutOfRange`] if a ciphertext
/// does not lie in the range.
pub fn entropies(ciphertexts: &[i64], plaintexts: u64, range: u64) -> Result<Vec<f64>, Error> {
    let sizes = Sizes::new(plaintexts, range)?;
    sizes.checked(ciphertexts)?;
    Ok(pool::map(ciphertexts.len(), 2, |at| sizes.entropy(ciphertexts[at].cast_unsigned())))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    /// `P[x | c]` for each x, by whole binomial coefficients.
    #[allow(clippy::cast_precision_loss, reason = "small numbers")]
    fn law(ciphertext: u64, plaintexts: u64, range: u64) -> Vec<f64> {
        let choose = |n: u64, k: u64| {
            (0..k).fold(1_u128, |ways, i| ways * u128::from(n - i) / u128::from(i + 1))
        };
        let all = choose(range - 1, ciphertext) as f64;
        let ways = |x: u64| {
            if x > ciphertext || ciphertext - x > range - plaintexts {
                return 0;
            }
            choose(plaintexts - 1, x) * choose(range - plaintexts, ciphertext - x)
        };
        (0..plaintexts).map(|x| ways(x) as f64 / all).collect()
    }

    #[test]
    fn windows_are_the_best_by_enumeration() {
        for (plaintexts, range) in [(1, 1), (1, 9), (2, 3), (5, 5), (6, 7), (7, 20), (12, 40)] {
            let ciphertexts: Vec<i64> = (0..i64::try_from(range).unwrap()).collect();
            for width in 1..=plaintexts {
                let (lowest, mass) = windows(&ciphertexts, plaintexts, range, width).unwrap();
                for c in 0..usize::try_from(range).unwrap() {
                    let law = law(c as u64, plaintexts, range);
                    let width = usize::try_from(width).unwrap();
                    let sums: Vec<f64> = law.windows(width).map(|w| w.iter().sum()).collect();
                    let best = sums.iter().copied().fold(0.0, f64::max);
                    let chosen = sums[usize::try_from(lowest[c]).unwrap()];
                    assert!((mass[c] - best).abs() < 1e-12, "{plaintexts} {range} {width} {c}");
                    assert!((chosen - best).abs() < 1e-12, "{plaintexts} {range} {width} {c}");
                }
            }
        }
    }

    #[test]
    fn entropies_are_those_of_the_law() {
        let ciphertexts: Vec<i64> = (0..40).collect();
        for (c, entropy) in entropies(&ciphertexts, 12, 40).unwrap().into_iter().enumerate() {
            let bits: f64 =
                law(c as u64, 12, 40).iter().filter(|&&p| p > 0.0).map(|p| -p * p.log2()).sum();
            assert!((entropy - bits).abs() < 1e-12);
        }
    }

    #[test]
    fn the_closed_form_is_the_mode_for_every_ciphertext() {
        for (plaintexts, range) in [(3, 3), (5, 8), (64, 4096), (81, 1000)] {
            let sizes = Sizes::new(plaintexts, range).unwrap();
            for c in 0..range {
                let mode = sizes.mode(c);
                assert!(sizes.step(c, mode) <= 1.0 + 1e-12);
                assert!(sizes.down(c, mode, 1.0) <= 1.0 + 1e-12);
            }
        }
    }

    #[test]
    fn the_largest_range_is_worked_out() {
        let ends = [0, 1 << 62, i64::MAX];
        let (lowest, mass) = windows(&ends, 81, 1 << 63, 81).unwrap();
        assert_eq!(lowest, [0, 0, 0]);
        assert_eq!(mass, [1.0, 1.0, 1.0]);
        let (lowest, mass) = windows(&ends, 81, 1 << 63, 1).unwrap();
        assert_eq!(lowest, [0, 40, 80]);
        assert!(mass[0] > 1.0 - 1e-15 && mass[2] > 1.0 - 1e-15);
        // In the middle 80 coins decide: C(80, 40) / 2^80.
        assert!((mass[1] - 0.088_927_878_773_907_2).abs() < 1e-12);
        let (_, mass) = windows(&ends, 1 << 63, 1 << 63, 1).unwrap();
        assert_eq!(mass, [1.0, 1.0, 1.0]);
    }

    #[test]
    fn sizes_and_ciphertexts_that_cannot_be_are_refused() {
        for got in [0, (1 << 63) + 1] {
            assert_eq!(windows(&[0], 1, got, 1), Err(Error::Range { got }));
        }
        for got in [0, 6] {
            assert_eq!(windows(&[0], got, 5, 1), Err(Error::Domain { got }));
        }
        for got in [0, 4] {
            assert_eq!(windows(&[0], 3, 5, got), Err(Error::Window { got }));
        }
        for ciphertext in [-1, 5] {
            let expected = Error::OutOfRange { position: 1, range: 5 };
            assert_eq!(windows(&[0, ciphertext], 3, 5, 1), Err(expected.clone()));
            assert_eq!(entropies(&[0, ciphertext], 3, 5), Err(expected));
        }
    }
}
