//! Over random keys, an OPSE function is uniform among all order-preserving functions.
//!
//! End to end through keys, coins, splits and placement. One assertion on a right scheme fails with
//! probability `ALPHA`; the keys are fixed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    reason = "small numbers"
)]

#[path = "support/statistics.rs"]
mod statistics;

use std::collections::BTreeMap;

use mopse::keys::Key;
use mopse::scheme::RANGE;
use mopse::scheme::opse::Opse;
use mopse::scheme::ruler::{Layout, Ruler};

use statistics::{
    assert_average, assert_counts, assert_share, assert_uniform, key, order_statistic_cdf,
};

/// Functions from `0..domain` to `0..range` under keys `0..draws`.
fn functions(domain: u64, range: u64, draws: u32) -> impl Iterator<Item = Opse> {
    (0..draws).map(move |i| Opse::with_range(&key(i), domain, range).unwrap())
}

fn choose(n: u64, k: u64) -> u64 {
    (0..k).fold(1, |ways, i| ways * (n - i) / (i + 1))
}

/// Chi-square over all functions; the codebook gives what single encryptions give.
fn assert_every_function_is_equally_likely(domain: u64, range: u64, draws: u32) {
    let mut counts = BTreeMap::<Vec<i64>, u64>::new();
    for opse in functions(domain, range, draws) {
        let codebook = opse.codebook();
        let singly: Vec<i64> =
            (0..domain).map(|x| opse.encrypt_one(x.cast_signed()).unwrap()).collect();
        assert_eq!(codebook, singly);
        assert!(codebook.is_sorted_by(|a, b| a < b));
        assert!(codebook[0] >= 0 && codebook[codebook.len() - 1] < range.cast_signed());
        *counts.entry(codebook).or_default() += 1;
    }
    let all = usize::try_from(choose(range, domain)).unwrap();
    let mut counts: Vec<u64> = counts.into_values().collect();
    counts.resize(all, 0); // a function that never occurs counts as well
    let what = format!("[{domain}] to [{range}]");
    assert_counts(&what, &counts, &vec![1.0 / all as f64; all]);
}

#[test]
fn all_45_functions_from_2_to_10_are_equally_likely() {
    assert_every_function_is_equally_likely(2, 10, 60_000);
}

#[test]
fn all_84_functions_from_3_to_9_are_equally_likely() {
    assert_every_function_is_equally_likely(3, 9, 60_000);
}

#[test]
fn all_120_functions_from_3_to_10_are_equally_likely() {
    assert_every_function_is_equally_likely(3, 10, 60_000);
}

#[test]
fn all_functions_of_other_small_shapes_are_equally_likely() {
    for (domain, range) in [(1, 7), (1, 64), (2, 3), (4, 5), (4, 8), (5, 7), (6, 11), (12, 13)] {
        assert_every_function_is_equally_likely(domain, range, 20_000);
    }
}

#[test]
fn a_range_as_small_as_the_domain_leaves_one_function() {
    for size in [1, 2, 5, 100, 1024, 5000] {
        for opse in functions(size, size, 3) {
            assert_eq!(opse.codebook(), (0..size.cast_signed()).collect::<Vec<_>>());
        }
    }
}

/// The lowest plaintext lies in the upper half where both do: in a quarter of all functions.
#[test]
fn the_lowest_of_two_lies_in_the_upper_half_of_the_range_as_often_as_it_should() {
    const DRAWS: u32 = 40_000;
    let half = 1_i64 << 30;
    let upper =
        functions(2, 1 << 31, DRAWS).filter(|opse| opse.encrypt_one(0).unwrap() >= half).count();
    assert_share("upper half", upper, DRAWS as usize, 0.25);
}

/// `c / 2^63` follows the beta law of the order statistics of uniform numbers, whose difference
/// from the negative hypergeometric law is of the order `domain^2 / 2^63`.
fn assert_order_statistic(domain: u64, plaintext: u64, draws: u32) {
    let what = format!("plaintext {plaintext} of {domain}");
    let (a, b) = (plaintext as f64 + 1.0, (domain - plaintext) as f64);
    let moment = |k: i32| (0..k).map(|i| (a + f64::from(i)) / (a + b + f64::from(i)));
    let mean = a / (a + b);
    let variance = a * b / ((a + b).powi(2) * (a + b + 1.0));
    // Central fourth moment from the excess kurtosis of the beta law.
    let excess = 6.0 * ((a - b).powi(2) * (a + b + 1.0) - a * b * (a + b + 2.0))
        / (a * b * (a + b + 2.0) * (a + b + 3.0));
    let square_deviation = variance * (2.0 + excess).sqrt();
    assert!((moment(1).product::<f64>() - mean).abs() < 1e-12);

    let places: Vec<f64> = functions(domain, RANGE, draws)
        .map(|opse| {
            let ciphertext = opse.encrypt_one(plaintext.cast_signed()).unwrap();
            ciphertext as f64 / RANGE as f64
        })
        .collect();
    let n = f64::from(draws);
    let average = places.iter().sum::<f64>() / n;
    assert_average(&format!("{what}, mean"), average, mean, variance.sqrt(), draws as usize);
    let spread = places.iter().map(|place| (place - mean).powi(2)).sum::<f64>() / n;
    let name = format!("{what}, variance");
    assert_average(&name, spread, variance, square_deviation, draws as usize);
    if domain <= 200 {
        let (k, n) = (u32::try_from(plaintext).unwrap() + 1, u32::try_from(domain).unwrap());
        assert_uniform(&what, places.into_iter().map(|place| order_statistic_cdf(k, n, place)));
    }
}

#[test]
fn ciphertexts_are_order_statistics_of_the_range() {
    for (domain, plaintext) in [(1, 0), (2, 1), (5, 0), (5, 2), (121, 0), (121, 40), (121, 120)] {
        assert_order_statistic(domain, plaintext, 10_000);
    }
}

#[test]
fn ciphertexts_of_large_domains_are_order_statistics_of_the_range() {
    for (domain, plaintext) in
        [(1 << 16, 0), (1 << 16, 20_000), (1 << 32, 1 << 31), (1 << 32, (1 << 32) - 5)]
    {
        assert_order_statistic(domain, plaintext, 5_000);
    }
}

/// The whole joint law, for one shape: gaps between neighbours are exchangeable, so each of them
/// has the law of the first.
#[test]
fn gaps_between_neighbours_all_follow_one_law() {
    const DOMAIN: u32 = 9;
    let codebooks: Vec<Vec<i64>> =
        (0..10_000).map(|i| Opse::new(&key(i), u64::from(DOMAIN)).unwrap().codebook()).collect();
    for gap in 1..DOMAIN as usize {
        let gaps = codebooks.iter().map(|book| (book[gap] - book[gap - 1]) as f64 / RANGE as f64);
        let cdf = |gap| order_statistic_cdf(1, DOMAIN, gap);
        assert_uniform(&format!("gap {gap}"), gaps.map(cdf));
    }
}

/// Natural logarithms of factorials, as a table.
fn ln_factorials(largest: usize) -> Vec<f64> {
    let mut table = vec![0.0; largest + 1];
    for n in 1..=largest {
        table[n] = table[n - 1] + (n as f64).ln();
    }
    table
}

/// Given `c`, the best window of plaintexts to guess: its start, and its probability.
///
/// For uniform `m` counted from 1, `m - 1` given `c` counted from 1 is the number of the other
/// `M - 1` points among the `c - 1` places below.
fn best_window(
    ln_factorial: &[f64],
    domain: usize,
    range: usize,
    c: usize,
    r: usize,
) -> (usize, f64) {
    let choose = |n: usize, k: usize| ln_factorial[n] - ln_factorial[k] - ln_factorial[n - k];
    let pmf: Vec<f64> = (0..domain)
        .map(|below| {
            if below > c - 1 || domain - 1 - below > range - c {
                return 0.0;
            }
            let ways = choose(c - 1, below) + choose(range - c, domain - 1 - below);
            (ways - choose(range - 1, domain - 1)).exp()
        })
        .collect();
    let windows = (0..=domain - r).map(|start| (start, pmf[start..start + r].iter().sum()));
    windows.max_by(|a: &(usize, f64), b| a.1.total_cmp(&b.1)).unwrap()
}

/// How often one ciphertext betrays its plaintext, exactly or to a window: the published oracle
/// values of a random order-preserving function. A wrong split moves all of them.
#[test]
fn one_ciphertext_betrays_as_much_as_that_of_a_random_function() {
    const DRAWS: u32 = 20_000;
    const DOMAIN: usize = 64;
    const RANGE: usize = 4096;
    let ln_factorial = ln_factorials(RANGE);
    let drawn: Vec<(usize, usize)> = functions(DOMAIN as u64, RANGE as u64, DRAWS)
        .zip(0..)
        .map(|(opse, i): (Opse, usize)| {
            let plaintext = i % DOMAIN;
            let ciphertext = opse.encrypt_one(i64::try_from(plaintext).unwrap()).unwrap();
            (plaintext, usize::try_from(ciphertext).unwrap())
        })
        .collect();

    let guessed = |&&(m, c): &&(usize, usize)| m == (c + 1) * DOMAIN / (RANGE + 1);
    assert_share("guess", drawn.iter().filter(guessed).count(), DRAWS as usize, 0.15273);

    for (r, published) in [(1, 0.15273), (8, 0.7978), (16, 0.9809)] {
        let windows: Vec<(usize, f64)> =
            (1..=RANGE).map(|c| best_window(&ln_factorial, DOMAIN, RANGE, c, r)).collect();
        let expected = windows.iter().map(|window| window.1).sum::<f64>() / RANGE as f64;
        assert!((expected - published).abs() < 6e-5, "window {r}: {expected}");
        let hits = drawn.iter().filter(|&&(m, c)| (windows[c].0..windows[c].0 + r).contains(&m));
        assert_share(&format!("window {r}"), hits.count(), DRAWS as usize, expected);
    }
}

/// The cut below each cell, 2^63 for the end.
fn cuts(key: &Key, domain: u64, cell: u64) -> Vec<f64> {
    let ruler = Ruler::new(key, domain, cell).unwrap();
    let starts = (0..domain).step_by(usize::try_from(cell).unwrap());
    let starts = starts.map(|x| ruler.bounds(x.cast_signed(), x.cast_signed()).unwrap().0 as f64);
    starts.chain([RANGE as f64]).collect()
}

#[test]
fn interior_cuts_of_a_ruler_are_a_random_set() {
    const CELLS: u32 = 5;
    // Fourteen plaintexts, three to a cell: the last cell is smaller and counts as the others.
    let rulers: Vec<Vec<f64>> = (0..10_000).map(|i| cuts(&key(i), 14, 3)).collect();
    for cell in 1..=CELLS {
        if cell < CELLS {
            let places = rulers.iter().map(|cuts| cuts[cell as usize] / RANGE as f64);
            let cdf = |place| order_statistic_cdf(cell, CELLS - 1, place);
            assert_uniform(&format!("cut {cell}"), places.map(cdf));
        }
        let sizes = rulers
            .iter()
            .map(|cuts| (cuts[cell as usize] - cuts[cell as usize - 1]) / RANGE as f64);
        let cdf = |size| order_statistic_cdf(1, CELLS - 1, size);
        assert_uniform(&format!("size of cell {cell}"), sizes.map(cdf));
    }
}
