//! The hypergeometric split: its probabilities against exact and high-precision values, its draws
//! against its probabilities.
//!
//! One assertion on a right sampler fails with probability `ALPHA`; the keys are fixed. Debug
//! builds, and so these tests, also check both bounds and the histogram at every decision.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small numbers")]

#[path = "support/statistics.rs"]
mod statistics;

use mopse::keys::coins::Coins;
use mopse::scheme::hypergeometric::{ln_probability, split};
use serde::Deserialize;

use statistics::{ALPHA, assert_average, assert_counts, key};

#[derive(Deserialize)]
struct Vectors {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    marked: u64,
    total: u64,
    x: u64,
    ln_probability: f64,
}

#[test]
fn probabilities_match_values_of_60_digits() {
    let vectors: Vectors =
        serde_json::from_str(include_str!("vectors/hypergeometric.json")).unwrap();
    assert!(!vectors.cases.is_empty());
    for Case { marked, total, x, ln_probability: expected } in vectors.cases {
        let computed = ln_probability(marked, total, x);
        assert!(
            (computed - expected).abs() <= 1e-12,
            "{x} of {marked} in {total}: {computed}, expected {expected}"
        );
    }
}

#[test]
fn probabilities_of_all_small_ranges_are_quotients_of_binomials() {
    const LARGEST: usize = 64;
    let mut choose = vec![vec![0_u128; LARGEST + 2]; LARGEST + 1];
    for n in 0..=LARGEST {
        choose[n][0] = 1;
        for k in 1..=n {
            choose[n][k] = choose[n - 1][k - 1] + choose[n - 1][k];
        }
    }
    for total in 0..=LARGEST {
        let draws = total / 2;
        for marked in 0..=total {
            // One past both ends, where nothing is possible.
            for x in 0..=marked.min(draws) + 1 {
                let possible = x <= draws && draws - x <= total - marked;
                let ways = if possible {
                    choose[marked][x] * choose[total - marked][draws - x]
                } else {
                    0
                };
                let expected = (ways as f64 / choose[total][draws] as f64).ln();
                let computed = ln_probability(marked as u64, total as u64, x as u64);
                assert!(
                    computed == expected || (computed - expected).abs() <= 1e-12,
                    "{x} of {marked} in {total}: {computed}, expected {expected}"
                );
            }
        }
    }
}

#[test]
fn one_of_three_points_worked_by_hand() {
    // The lower half of three places is one place. One point lies there with probability 1/3.
    assert!((ln_probability(1, 3, 1) - (1.0_f64 / 3.0).ln()).abs() < 1e-15);
    assert!((ln_probability(1, 3, 0) - (2.0_f64 / 3.0).ln()).abs() < 1e-15);
    assert_eq!(ln_probability(1, 3, 2), f64::NEG_INFINITY);
    assert_eq!(ln_probability(4, 3, 1), f64::NEG_INFINITY, "more points than places");
}

#[test]
fn a_split_without_choice_is_what_it_must_be() {
    let coins = Coins::new(&key(0));
    for total in [1, 2, 3, 10, 1001, 1 << 40, (1 << 63) - 1, 1 << 63] {
        assert_eq!(split(&coins, 1, 0, total), 0);
        assert_eq!(split(&coins, 1, total, total), total / 2);
    }
    assert_eq!(split(&coins, 1, 1, 1), 0, "the only place lies in the upper half");
}

/// The law of a split within nine standard deviations of its mean.
struct Law {
    lowest: u64,
    probabilities: Vec<f64>,
    mean: f64,
    deviation: f64,
    /// Standard deviation of one draw's squared distance from the mean.
    square_deviation: f64,
}

impl Law {
    fn new(marked: u64, total: u64) -> Self {
        let draws = total / 2;
        let (n, share) = (total as f64, draws as f64 / total as f64);
        let mean = marked as f64 * share;
        let variance = mean * (1.0 - share) * ((total - marked) as f64 / (n - 1.0));
        let deviation = variance.sqrt();
        let lowest = ((mean - 9.0 * deviation - 1.0).max(0.0) as u64)
            .max(draws.saturating_sub(total - marked));
        let highest = ((mean + 9.0 * deviation + 1.0) as u64).min(marked).min(draws);
        let probabilities: Vec<f64> =
            (lowest..=highest).map(|x| ln_probability(marked, total, x).exp()).collect();
        let moment = |power: i32| {
            let distances = (lowest..=highest).map(|x| (x as f64 - mean).powi(power));
            distances.zip(&probabilities).map(|(distance, p)| distance * p).sum::<f64>()
        };
        // The law's own moments agree with the formulas.
        assert!((moment(0) - 1.0).abs() < 1e-10, "{marked} of {total}: sum {}", moment(0));
        assert!(moment(1).abs() < 1e-9 * (1.0 + mean), "{marked} of {total}: mean {}", moment(1));
        assert!((moment(2) / variance - 1.0).abs() < 1e-9, "{marked} of {total}");
        let square_deviation = (moment(4) - variance * variance).max(0.0).sqrt();
        Self { lowest, probabilities, mean, deviation, square_deviation }
    }

    /// Cuts the law into bins that hold at least `share` each: the end of every bin, and what it
    /// holds.
    fn bins(&self, share: f64) -> (Vec<u64>, Vec<f64>) {
        let (mut ends, mut held) = (Vec::new(), Vec::new());
        let mut sum = 0.0;
        for (x, p) in (self.lowest..).zip(&self.probabilities) {
            sum += p;
            if sum >= share {
                ends.push(x + 1);
                held.push(sum);
                sum = 0.0;
            }
        }
        // What is left of the upper end joins the last bin.
        *held.last_mut().unwrap() += sum;
        *ends.last_mut().unwrap() = u64::MAX;
        (ends, held)
    }
}

/// Compares splits at nodes `1..=draws` with the law: chi-square over bins of 1/32 or a little
/// more, mean, and variance.
fn assert_law(marked: u64, total: u64, draws: u32) {
    let what = format!("{marked} of {total}");
    let law = Law::new(marked, total);
    let coins = Coins::new(&key(1));
    let (ends, held) = law.bins(1.0 / 32.0);
    let mut counts = vec![0; ends.len()];
    let (mut sum, mut squares) = (0.0, 0.0);
    for node in 1..=u64::from(draws) {
        let x = split(&coins, node, marked, total);
        assert!(x <= marked && x <= total / 2 && total / 2 - x <= total - marked, "{what}: {x}");
        counts[ends.partition_point(|&end| end <= x)] += 1;
        let distance = x as f64 - law.mean;
        sum += distance;
        squares += distance * distance;
    }
    let n = f64::from(draws);
    assert_counts(&what, &counts, &held);
    let draws = draws as usize;
    assert_average(&format!("{what}, mean"), law.mean + sum / n, law.mean, law.deviation, draws);
    let variance = law.deviation * law.deviation;
    let what = format!("{what}, variance");
    assert_average(&what, squares / n, variance, law.square_deviation, draws);
}

macro_rules! follows_the_law {
    ($($name:ident: $marked:expr, $total:expr, $draws:expr;)*) => {
        mod law {
            $(
                #[test]
                fn $name() {
                    super::assert_law($marked, $total, $draws);
                }
            )*
        }
    };
}

// The sizes at which other implementations were measured, ...
follows_the_law! {
    twenty_of_60: 20, 60, 40_000;
    ten_bits_of_31: 1 << 10, 1 << 31, 40_000;
    fifteen_bits_of_31: 1 << 15, 1 << 31, 40_000;
    sixteen_bits_of_31: 1 << 16, 1 << 31, 40_000;
    sixteen_bits_of_40: 1 << 16, 1 << 40, 40_000;
    sixteen_bits_of_48: 1 << 16, 1 << 48, 40_000;
    sixteen_bits_of_52: 1 << 16, 1 << 52, 40_000;
    sixteen_bits_of_63: 1 << 16, 1 << 63, 40_000;
    thirty_two_bits_of_62: 1 << 32, 1 << 62, 40_000;
    thirty_two_bits_of_63: 1 << 32, 1 << 63, 40_000;
    // ... those around the switch of methods, where every place shows, ...
    most_counted_of_half: 512, 1024, 100_000;
    most_counted_of_half_and_odd: 512, 1025, 100_000;
    fewest_by_histogram_of_half: 513, 1026, 100_000;
    fewest_by_histogram_of_half_and_odd: 513, 1027, 100_000;
    more_marked_than_not: 514, 1027, 100_000;
    below_the_switch: 511, 4000, 40_000;
    above_the_switch: 600, 1 << 20, 40_000;
    above_the_switch_and_odd: 600, 2001, 100_000;
    // ... those with few of either kind, ...
    one_of_two: 1, 2, 100_000;
    one_of_three: 1, 3, 100_000;
    two_of_three: 2, 3, 100_000;
    two_of_five: 2, 5, 100_000;
    three_of_five: 3, 5, 100_000;
    seven_of_13: 7, 13, 100_000;
    one_of_many: 1, 1 << 63, 40_000;
    two_of_many_and_odd: 2, (1 << 63) - 1, 40_000;
    all_but_one: 1000, 1001, 40_000;
    all_but_three: 65_533, 65_536, 40_000;
    all_but_600: 65_536 - 600, 65_536, 40_000;
    a_block_of_coins: 128, 257, 100_000;
    a_coin_more_than_a_block: 129, 1 << 32, 40_000;
    // ... and dense and odd ones.
    two_thirds_of_an_odd_range: 2000, 3001, 100_000;
    half_of_a_million: 1 << 19, 1 << 20, 40_000;
    half_of_a_million_and_odd: 1 << 19, (1 << 20) + 1, 40_000;
    sixteen_bits_of_the_largest_odd_range: 1 << 16, (1 << 63) - 1, 40_000;
}

/// The range that a Poisson variable leaves, on either side, with probability below [`ALPHA`]` / 2`.
fn poisson_bounds(mean: f64) -> (u64, u64) {
    let probability = |k: u64| (k as f64 * mean.ln() - mean - libm::lgamma(k as f64 + 1.0)).exp();
    let (mut lowest, mut highest) = (0, mean as u64);
    let mut tail = probability(0);
    while tail < ALPHA / 2.0 {
        lowest += 1;
        tail += probability(lowest);
    }
    let above = |k: u64| (k + 1..k + 1000).map(probability).sum::<f64>();
    while above(highest) > ALPHA / 2.0 {
        highest += 1;
    }
    (lowest, highest)
}

/// The tail strips start four deviations out, where one draw in 16,000 lies: 2,000,000 draws. Of
/// this size the strips are hardly wider than they must be, so that the first tail strip ends early.
#[test]
fn both_tails_of_the_histogram_are_as_heavy_as_the_law() {
    const DRAWS: u64 = 2_000_000;
    let (marked, total) = (65_535, 1 << 40);
    let law = Law::new(marked, total);
    let coins = Coins::new(&key(2));
    let far = |x: u64, z: f64| (x as f64 - law.mean) / law.deviation >= z;
    let far_below = |x: u64, z: f64| (law.mean - x as f64) / law.deviation >= z;
    let drawn: Vec<u64> = (1..=DRAWS).map(|node| split(&coins, node, marked, total)).collect();
    for z in [3.0, 3.5, 4.0, 4.125, 4.25] {
        let sides: [(&str, &dyn Fn(u64) -> bool); 2] =
            [("above", &|x| far(x, z)), ("below", &|x| far_below(x, z))];
        for (side, is_far) in sides {
            let counted = drawn.iter().filter(|&&x| is_far(x)).count() as u64;
            let probability: f64 = (law.lowest..)
                .zip(&law.probabilities)
                .filter_map(|(x, p)| is_far(x).then_some(p))
                .sum();
            let expected = probability * DRAWS as f64;
            let (lowest, highest) = poisson_bounds(expected);
            assert!(
                (lowest..=highest).contains(&counted),
                "{counted} draws {side} {z} deviations, expected {expected}"
            );
        }
    }
}

#[test]
fn the_same_node_splits_the_same_way() {
    let coins = Coins::new(&key(3));
    for (marked, total) in [(20, 60), (1 << 16, 1 << 63)] {
        let splits = || (1..200).map(|node| split(&coins, node, marked, total)).collect::<Vec<_>>();
        assert_eq!(splits(), splits());
    }
}
