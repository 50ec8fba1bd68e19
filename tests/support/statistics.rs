//! Tests of counts against a law, with one rate of false alarms.
//!
//! Keys are fixed, so that a test that passes once passes always; [`ALPHA`] is the probability that
//! a right sampler would have failed it.

#![allow(dead_code, reason = "every test file uses some of these")]

use mopse::keys::{Key, Purpose};

/// Probability that one assertion below fails on a right sampler.
pub const ALPHA: f64 = 1e-6;

/// Deviations of a normal variable that are exceeded, either way, with probability [`ALPHA`].
const Z: f64 = 4.8916;

/// The i-th of many independent keys.
pub fn key(i: u32) -> Key {
    Key::from_bytes(&[0x5e; 32]).unwrap().child(Purpose::Node, b"statistics", i)
}

/// Probability that chi-square with so many degrees of freedom exceeds a value.
///
/// `Q(a + 1, x) = Q(a, x) + x^a e^-x / Gamma(a + 1)`, from `Q(1, x) = e^-x` and
/// `Q(1/2, x) = erfc(sqrt x)`.
pub fn chi_square_tail(freedom: usize, chi_square: f64) -> f64 {
    let x = chi_square / 2.0;
    let (mut a, mut tail) =
        if freedom.is_multiple_of(2) { (1.0, (-x).exp()) } else { (0.5, libm::erfc(x.sqrt())) };
    while a + 0.75 < freedom as f64 / 2.0 {
        tail += (a * x.ln() - x - libm::lgamma(a + 1.0)).exp();
        a += 1.0;
    }
    tail
}

/// Fails if counts deviate from the probabilities that they should have.
///
/// Every expected count must be at least 5, so that chi-square has its law.
pub fn assert_counts(what: &str, counts: &[u64], probabilities: &[f64]) {
    assert_eq!(counts.len(), probabilities.len());
    let total: f64 = probabilities.iter().sum();
    assert!((total - 1.0).abs() < 1e-9, "{what}: the probabilities sum to {total}");
    let draws = counts.iter().sum::<u64>() as f64;
    let mut chi_square = 0.0;
    for (&count, probability) in counts.iter().zip(probabilities) {
        let expected = draws * probability;
        assert!(expected >= 5.0, "{what}: a cell expects {expected} draws only");
        chi_square += (count as f64 - expected).powi(2) / expected;
    }
    if counts.len() > 1 {
        let tail = chi_square_tail(counts.len() - 1, chi_square);
        assert!(
            tail > ALPHA,
            "{what}: chi-square {chi_square} of {} cells, p {tail:e}",
            counts.len()
        );
    }
}

/// Fails if values of a known distribution function are not uniform on [0, 1].
pub fn assert_uniform(what: &str, values: impl IntoIterator<Item = f64>) {
    const BINS: usize = 32;
    let mut counts = [0; BINS];
    for value in values {
        counts[((value * BINS as f64) as usize).min(BINS - 1)] += 1;
    }
    assert_counts(what, &counts, &[1.0 / BINS as f64; BINS]);
}

/// Fails if an average over `draws` deviates from its mean, given the deviation of one draw.
pub fn assert_average(what: &str, average: f64, mean: f64, deviation: f64, draws: usize) {
    let bound = Z * deviation / (draws as f64).sqrt() + 1e-12 * mean.abs();
    assert!(
        (average - mean).abs() <= bound,
        "{what}: average {average}, expected {mean} within {bound}"
    );
}

/// Fails if the share of successes deviates from its probability.
pub fn assert_share(what: &str, successes: usize, draws: usize, probability: f64) {
    let deviation = (probability * (1.0 - probability)).sqrt();
    assert_average(what, successes as f64 / draws as f64, probability, deviation, draws);
}

/// The distribution function of the `k`-th smallest of `n` uniform numbers: at least `k` of them
/// lie below `x`.
pub fn order_statistic_cdf(k: u32, n: u32, x: f64) -> f64 {
    (k..=n)
        .map(|below| {
            let choose = (0..below).map(|i| f64::from(n - i) / f64::from(i + 1)).product::<f64>();
            choose * x.powi(below as i32) * (1.0 - x).powi((n - below) as i32)
        })
        .sum()
}

#[test]
fn the_tail_of_chi_square_is_the_tabulated_one() {
    // scipy.stats.chi2.sf
    for (freedom, chi_square, tail) in [
        (1, 23.928_126_979_5, 1e-6),
        (2, 27.631_021_115_9, 1e-6),
        (31, 83.642_515_85, 1e-6),
        (44, 60.0, 0.054_443_404),
    ] {
        let computed = chi_square_tail(freedom, chi_square);
        assert!((computed / tail - 1.0).abs() < 1e-3, "{freedom}: {computed:e}");
    }
}
