//! The hypergeometric split: how many of a range's points fall into its lower half.
//!
//! A uniformly random order-preserving function is a uniformly random set of `marked` points in a
//! range of `total`. Of the lower `draws = total / 2` (rounded down) places,
//!
//! ```text
//! P[x] = C(marked, x) C(total - marked, draws - x) / C(total, draws)
//! ```
//!
//! are marked. With the coefficients centred, `C(n, (n + t) / 2) / 2^n = exp(c(n, t))`, this is
//! `ln P[x] = c(marked, t) + c(total - marked, -t - o) - c(total, o)` for `t = 2x - marked` and
//! `o = total mod 2`: every deviation `t` is an exact integer before it becomes a float, so nothing
//! cancels, even at `total = 2^63`.
//!
//! [`split`] samples by acceptance-rejection, and both ways are exact up to the resolution of the
//! coins (2^-128) and of the float that a rare close decision is made with:
//!
//! * A few points: propose the number of ones in as many coins (a binomial), accept with the ratio
//!   of the other coefficient to its largest value.
//! * Many points: propose from a histogram that lies above the normal curve that lies above the
//!   distribution (below). Its integer weights *are* the proposal, so it has no rounding.
//!
//! The normal bound: with `t0 = n mod 2`, `c(n, t) - c(n, t0)` is minus the sum of `2 artanh(s)`
//! over the steps `s = (t0 + 1)/(n + 1), ..., (t - 1)/(n + 1)`, two apart above the line, hence at
//! most `-(t^2 - t0^2) / (2(n + 1))`, and lower than that by at most `t^4 / (12 (n + 1)^3 (1 - s^2))`
//! for the last `s`. Nearly every decision is made from these two bounds without a logarithm.
//!
//! # Sources
//!
//! * The split: Boldyreva, Chenette, Lee and O'Neill, EUROCRYPT 2009, section 4 (eprint 2012/624).
//! * Saddle-point form of the terms: Loader, *Fast and Accurate Computation of Binomial
//!   Probabilities*, 2000.
//! * Rejection from a histogram: Devroye, *Non-Uniform Random Variate Generation*, 1986, II.3.
//!   Alias method: Walker, ACM TOMS 3(3), 1977.
//!
//! # Deviations
//!
//! Boldyreva et al. sample with HGD (Kachitvichyanukul and Schmeiser, ACM TOMS 11(3), 1985), whose
//! differences of log-factorials are wrong by thousands at this size.

use std::sync::LazyLock;

use crate::keys::coins::{Block, Coins, Tag, halves, scale};
use crate::operations::{Operation, count};

/// Up to so many points the proposal counts coins; above it is the histogram. Chosen by speed.
const COUNTED: u64 = 512;

/// Blocks of coins for so many points, and one to accept with.
const MOST_BLOCKS: usize = 5;

/// Histogram strips per standard deviation.
const STRIPS_PER_SIGMA: u64 = 8;

/// Strips before the tail: four standard deviations.
const STRIPS: usize = 32;

/// Columns of the alias table: the strips, the tail, and empty ones up to a power of two.
const COLUMNS: usize = 64;

/// Bits of a coin word that choose between a column and its alias.
const THRESHOLD_BITS: u32 = 58;

/// Rounding that a debug build allows where an inequality between floats must hold.
const RIGHT: f64 = 1e-11;

const TWO_TO_MINUS_64: f64 = 1.0 / 18_446_744_073_709_551_616.0;

/// Returns how many of `marked` random points in a range of `total` lie in its lower half.
///
/// The same coins and node always give the same answer. The lower half has `total / 2` places,
/// rounded down. `marked` is at most `total`, and `total` at most 2^63; the caller, a recursion
/// that starts from checked sizes, keeps this so. Costs two AES blocks as a rule, up to five for a
/// few hundred points.
#[must_use]
pub fn split(coins: &Coins, node: u64, marked: u64, total: u64) -> u64 {
    debug_assert!(marked <= total && total <= 1 << 63);
    count(Operation::Split, 1);
    let draws = total / 2;
    let unmarked = total - marked;
    // Marked and unmarked places are alike, so sample the fewer of the two.
    let fewer = marked.min(unmarked);
    let lower = if fewer == 0 {
        0
    } else if fewer <= COUNTED {
        split_counted(coins, node, fewer, total)
    } else {
        split_histogram(coins, node, fewer, total)
    };
    if marked <= unmarked { lower } else { draws - lower }
}

/// Natural logarithm of the probability that `x` of `marked` points in a range of `total` lie in
/// its lower half; negative infinity where it is impossible.
///
/// Within 1e-12 wherever the probability is at least 1e-300 and the sizes are those of [`split`].
///
/// # Examples
///
/// ```
/// // Two points in a range of four: both in the lower half in 1 of 6 cases.
/// let ln_p = mopse::scheme::hypergeometric::ln_probability(2, 4, 2);
/// assert!((ln_p - (1.0_f64 / 6.0).ln()).abs() < 1e-15);
/// ```
#[must_use]
pub fn ln_probability(marked: u64, total: u64, x: u64) -> f64 {
    let draws = total / 2;
    if marked > total || x > marked || x > draws || draws - x > total - marked {
        return f64::NEG_INFINITY;
    }
    let deviation = 2 * i128::from(x) - i128::from(marked);
    let odd = i128::from(total % 2);
    ln_coefficient(marked, deviation) + ln_coefficient(total - marked, deviation + odd)
        - ln_coefficient(total, odd)
}

/// Few points: the number of ones among `fewer` coins, accepted with the other coefficient.
fn split_counted(coins: &Coins, node: u64, fewer: u64, total: u64) -> u64 {
    let others = total - fewer;
    let odd = total % 2;
    let blocks = usize::try_from(fewer.div_ceil(128)).unwrap_or(MOST_BLOCKS) + 1;
    let mut tossed = [Block::default(); MOST_BLOCKS];
    let tossed = &mut tossed[..blocks];
    let mut counter = 0_u16;
    loop {
        for block in tossed.iter_mut() {
            *block = Coins::block(Tag::Split, counter, 0, node);
            counter = counter.wrapping_add(1);
        }
        coins.toss(tossed);
        let mut left = fewer;
        let mut ones = 0;
        for block in &tossed[..blocks - 1] {
            let mut word = u128::from_be_bytes((*block).into());
            if left < 128 {
                word &= (1 << left) - 1;
            }
            ones += u64::from(word.count_ones());
            left = left.saturating_sub(128);
        }
        let deviation = (2 * ones).abs_diff(fewer);
        // The other side deviates by as much the other way, and by one more in an odd range.
        let others_deviation =
            if odd == 1 && 2 * ones >= fewer { deviation + 1 } else { deviation.abs_diff(odd) };
        if accepts_coefficient(others, others_deviation, tossed[blocks - 1]) {
            return ones;
        }
    }
}

/// Accepts with the ratio of `C(n, (n + t) / 2)` to the central coefficient.
#[inline]
#[expect(clippy::cast_precision_loss, reason = "only the bounds use the float")]
fn accepts_coefficient(n: u64, deviation: u64, coin: Block) -> bool {
    if deviation > n {
        return false;
    }
    // Where points are rare, the ratio is above 1 - t^2 / 2^k for 2^k <= n, and integers can tell
    // nearly always that the coin lies below it.
    let k = n.checked_ilog2().unwrap_or(0);
    if k >= 24 && deviation < 1 << 11 && !halves(coin).0 > (deviation * deviation) << (64 - k) {
        return true;
    }
    let others = Coefficient::new(n);
    let (t, t0) = (deviation as f64, others.centre() as f64);
    let upper = -0.5 * (t * t - t0) * others.inverse;
    let lower = upper - others.below_bound(deviation);
    accepts(coin, lower, upper, || others.ln_ratio(deviation))
}

/// Many points: a strip of the histogram, a place in it, accepted with the exact ratio.
#[expect(clippy::cast_precision_loss, reason = "the bounds need a float, the places are exact")]
fn split_histogram(coins: &Coins, node: u64, fewer: u64, total: u64) -> u64 {
    let histogram = &*HISTOGRAM;
    let points = Coefficient::new(fewer);
    let others = Coefficient::new(total - fewer);
    let odd = total % 2;
    // The product of both coefficients lies under exp(-curvature (d - d0)^2), d = x - fewer / 2.
    let (a, b) = (2.0 * points.inverse, 2.0 * others.inverse);
    let curvature = a + b;
    let (offset, floor) =
        if odd == 0 { (0.0, 0.0) } else { (0.5 * b / curvature, 0.25 * a * b / curvature) };
    let sigma = (1.0 / (2.0 * curvature)).sqrt();
    // One more than the quotient rounded down, so that the histogram stays above the curve.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "sigma < 2^32")]
    let width = (sigma / STRIPS_PER_SIGMA as f64) as u64 + 1;
    let middle = fewer.div_ceil(2);

    let mut counter = 0_u16;
    loop {
        let mut tossed = [
            Coins::block(Tag::Split, counter, 0, node),
            Coins::block(Tag::Split, counter.wrapping_add(1), 0, node),
        ];
        counter = counter.wrapping_add(2);
        coins.toss(&mut tossed);
        let (choice, place) = halves(tossed[0]);
        let mut strip = histogram.strip(choice);
        let mut ln_height = histogram.ln_height[strip.min(STRIPS)];
        if strip == STRIPS {
            // The tail: a geometric number of further strips.
            loop {
                let mut further = [Coins::block(Tag::Split, counter, 0, node)];
                counter = counter.wrapping_add(1);
                coins.toss(&mut further);
                if halves(further[0]).0 >= histogram.tail_ratio {
                    break;
                }
                strip += 1;
                ln_height += histogram.ln_tail_ratio;
            }
        }
        // One of the strip's places below the middle and as many above it.
        let Some(place) = scale(place, 2 * width) else { continue };
        let is_upper = place >= width;
        let from_middle = strip as u64 * width + if is_upper { place - width } else { place };
        let x = if is_upper {
            middle + from_middle
        } else {
            match (middle - 1).checked_sub(from_middle) {
                Some(x) => x,
                None => continue,
            }
        };
        if x > fewer {
            continue;
        }

        let deviation = 2 * i128::from(x) - i128::from(fewer);
        let distance = deviation as f64 * 0.5 + offset;
        let others_deviation = (deviation + i128::from(odd)).unsigned_abs();
        let Ok(others_deviation) = u64::try_from(others_deviation) else { continue };
        if others_deviation > total - fewer {
            continue;
        }
        let points_deviation = (2 * x).abs_diff(fewer);
        let upper = -curvature * distance * distance - ln_height;
        debug_assert!(upper <= RIGHT, "the histogram lies above the curve");
        let lower =
            upper - points.below_bound(points_deviation) - others.below_bound(others_deviation);
        let exact = || {
            points.ln_ratio(points_deviation)
                + others.ln_ratio(others_deviation)
                + points.ln_centre_bound()
                + others.ln_centre_bound()
                + floor
                - ln_height
        };
        if accepts(tossed[1], lower, upper, exact) {
            return x;
        }
    }
}

/// Whether a uniform coin lies below `exp(exact())`, for `lower <= exact() <= upper`.
///
/// The Taylor polynomial of `exp` of odd degree lies below it for negative arguments, that of even
/// degree above; only a coin between the two bounds needs the exponent itself.
#[inline]
#[expect(clippy::cast_precision_loss, reason = "the slack is far above the rounding")]
fn accepts(coin: Block, lower: f64, upper: f64, exact: impl Fn() -> f64) -> bool {
    const SLACK: f64 = 1e-9;
    const C2: f64 = 1.0 / 2.0;
    const C3: f64 = 1.0 / 6.0;
    const C4: f64 = 1.0 / 24.0;
    const C5: f64 = 1.0 / 120.0;
    const FURTHEST: f64 = -2.0;
    // Tests check both bounds at every decision.
    debug_assert!((lower - RIGHT..=upper + RIGHT).contains(&exact()));
    let rough = halves(coin).0 as f64 * TWO_TO_MINUS_64;
    let x = lower.min(0.0);
    if x > FURTHEST {
        let below = 1.0 + x * (1.0 + x * (C2 + x * (C3 + x * (C4 + x * C5))));
        if rough + SLACK < below {
            return true;
        }
    }
    let x = upper.min(0.0);
    if x > FURTHEST {
        let above = 1.0 + x * (1.0 + x * (C2 + x * (C3 + x * C4)));
        if rough - SLACK > above {
            return false;
        }
    }
    let uniform =
        (u128::from_be_bytes(coin.into()) as f64 + 0.5) * TWO_TO_MINUS_64 * TWO_TO_MINUS_64;
    libm::log(uniform) < exact()
}

/// The binomial coefficients of one size, relative to the central one.
struct Coefficient {
    n: u64,
    /// `1 / (n + 1)`
    inverse: f64,
}

impl Coefficient {
    #[expect(clippy::cast_precision_loss, reason = "only the bounds use the float")]
    fn new(n: u64) -> Self {
        Self { n, inverse: 1.0 / (n as f64 + 1.0) }
    }

    /// The smallest deviation `t0 = |2x - n|` that there is: 0 or 1.
    fn centre(&self) -> u64 {
        self.n % 2
    }

    /// The normal bound at the centre, `-t0^2 / (2(n + 1))`.
    #[expect(clippy::cast_precision_loss, reason = "0 or 1")]
    fn ln_centre_bound(&self) -> f64 {
        -0.5 * self.centre() as f64 * self.inverse
    }

    /// By how much the coefficient may lie below the normal bound.
    #[expect(clippy::cast_precision_loss, reason = "a bound, with slack to spare")]
    fn below_bound(&self, deviation: u64) -> f64 {
        let t = deviation as f64;
        let s = t * self.inverse;
        // 1 / (12 (1 - s^2)) is below 0.09 up to s = 1/4; further out the exponent decides.
        if s < 0.25 { 0.09 * t * s * s * s } else { f64::INFINITY }
    }

    /// `ln C(n, (n + t) / 2)` less its value at the centre.
    fn ln_ratio(&self, deviation: u64) -> f64 {
        ln_coefficient(self.n, i128::from(deviation))
            - ln_coefficient(self.n, i128::from(self.centre()))
    }
}

/// `ln(C(n, (n + t) / 2) / 2^n)` for `|t| <= n` of the parity of `n`.
#[expect(clippy::cast_precision_loss, reason = "integers stay exact up to here; see the header")]
fn ln_coefficient(n: u64, t: i128) -> f64 {
    let t = t.unsigned_abs();
    if t == u128::from(n) {
        return -(n as f64) * std::f64::consts::LN_2;
    }
    let (x, y) = ((u128::from(n) + t) / 2, (u128::from(n) - t) / 2);
    let (size, t, x, y) = (n as f64, t as f64, x as f64, y as f64);
    let u = t / size;
    let deviance = if u < 0.25 {
        // (1+u) ln(1+u) + (1-u) ln(1-u) = sum over k of u^2k / (k (2k - 1))
        let series = (1..=16)
            .rev()
            .fold(0.0, |sum, k| sum * u * u + 1.0 / (f64::from(k) * f64::from(2 * k - 1)));
        t * t / (2.0 * size) * series
    } else {
        x * libm::log(2.0 * x / size) + y * libm::log(2.0 * y / size)
    };
    stirling_error(size) - stirling_error(x) - stirling_error(y) - deviance
        + 0.5 * libm::log(size / (std::f64::consts::TAU * x * y))
}

/// `ln n!` less Stirling's formula, for whole `n >= 1`.
fn stirling_error(n: f64) -> f64 {
    if n < 16.0 {
        let mut factorial = 1.0;
        let mut k = 2.0;
        while k <= n {
            factorial *= k;
            k += 1.0;
        }
        // 15! is below 2^53, so the factorial is exact.
        return libm::log(factorial)
            - 0.5 * libm::log(std::f64::consts::TAU * n)
            - n * libm::log(n)
            + n;
    }
    let r = 1.0 / (n * n);
    (1.0 / 12.0
        - r * (1.0 / 360.0
            - r * (1.0 / 1260.0 - r * (1.0 / 1680.0 - r * (1.0 / 1188.0 - r * 691.0 / 360_360.0)))))
        / n
}

/// The proposal for many points: strips under the half normal curve `exp(-z^2 / 2)`.
///
/// Strip `j` is `z` in `[j, j + 1) / STRIPS_PER_SIGMA`, as high as the curve at its near end; behind
/// the last strip the heights fall by a constant ratio. The alias table gives strip `j` with
/// probability `weight / 2^64` for a whole `weight`; the heights are computed from these weights,
/// so that rounding the table costs acceptance and not exactness.
struct Histogram {
    thresholds: [u64; COLUMNS],
    aliases: [usize; COLUMNS],
    /// Logarithm of each strip's height over the curve's peak; last, of the first tail strip.
    ln_height: [f64; STRIPS + 1],
    /// Probability of a further tail strip, of 2^64.
    tail_ratio: u64,
    ln_tail_ratio: f64,
}

static HISTOGRAM: LazyLock<Histogram> = LazyLock::new(Histogram::new);

/// Makes the tables that all draws use, which the first draw does otherwise.
#[cfg(feature = "python")]
pub(crate) fn prepare() {
    LazyLock::force(&HISTOGRAM);
}

impl Histogram {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "small positive numbers, scaled to 58 or 64 bits"
    )]
    fn new() -> Self {
        let per_sigma = STRIPS_PER_SIGMA as f64;
        let curve = |strip: usize| {
            let z = strip as f64 / per_sigma;
            libm::exp(-0.5 * z * z)
        };
        // ((J + i)^2 - J^2) >= (2J + 1) i, so the tail's heights stay above the curve.
        let ratio = libm::exp(-0.5 * (2 * STRIPS + 1) as f64 / (per_sigma * per_sigma));
        let tail_ratio = (ratio / TWO_TO_MINUS_64) as u64 + (1 << 12);
        let ratio = tail_ratio as f64 * TWO_TO_MINUS_64;

        let mut wanted = [0.0; COLUMNS];
        for (strip, weight) in wanted.iter_mut().enumerate().take(STRIPS) {
            *weight = curve(strip);
        }
        wanted[STRIPS] = curve(STRIPS) / (1.0 - ratio);
        let sum: f64 = wanted.iter().sum();
        let mut left = wanted.map(|weight| weight / sum * COLUMNS as f64);

        let mut thresholds = [0; COLUMNS];
        let mut aliases: [usize; COLUMNS] = std::array::from_fn(|column| column);
        let mut is_done = [false; COLUMNS];
        for _ in 0..COLUMNS {
            // The emptiest column left is filled up from the fullest.
            let open = || (0..COLUMNS).filter(|&column| !is_done[column]);
            let Some(low) = open().min_by(|&a, &b| left[a].total_cmp(&left[b])) else { break };
            let Some(high) = open().max_by(|&a, &b| left[a].total_cmp(&left[b])) else { break };
            let kept = left[low].clamp(0.0, 1.0);
            thresholds[low] = (kept * (1_u64 << THRESHOLD_BITS) as f64) as u64;
            aliases[low] = high;
            left[high] -= 1.0 - kept;
            is_done[low] = true;
        }

        let mut weights = [0_u128; COLUMNS];
        for column in 0..COLUMNS {
            weights[column] += u128::from(thresholds[column]);
            weights[aliases[column]] += (1_u128 << THRESHOLD_BITS) - u128::from(thresholds[column]);
        }
        let mut heights: [f64; STRIPS + 1] = std::array::from_fn(|strip| weights[strip] as f64);
        heights[STRIPS] *= 1.0 - ratio;
        let scale = (0..=STRIPS).map(|strip| curve(strip) / heights[strip]).fold(0.0, f64::max)
            * (1.0 + 1e-12);
        Self {
            thresholds,
            aliases,
            ln_height: heights.map(|height| libm::log(height * scale)),
            tail_ratio,
            ln_tail_ratio: libm::log(ratio),
        }
    }

    /// The strip that 64 coins choose; [`STRIPS`] is the tail.
    #[inline]
    fn strip(&self, coins: u64) -> usize {
        let column = (coins >> THRESHOLD_BITS) as usize % COLUMNS;
        let is_kept = coins & ((1 << THRESHOLD_BITS) - 1) < self.thresholds[column];
        if is_kept { column } else { self.aliases[column] }
    }
}

#[cfg(test)]
mod tests;
