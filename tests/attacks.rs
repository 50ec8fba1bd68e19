//! One ciphertext of OPSE tells as much of its plaintext as one of a random order-preserving function.
//!
//! End to end: the guess of `attack::geometry` over many keys is right as often as an exact sum says.
//! A split that is sampled by another law, or leaves that are misplaced, change it. One assertion on
//! a right scheme fails with probability `ALPHA`; the keys are fixed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small numbers")]

#[path = "support/statistics.rs"]
mod statistics;

use mopse::attack::geometry::windows;
use mopse::scheme::Scheme;
use mopse::scheme::opse::{OneToMany, Opse};

use statistics::{assert_counts, assert_share, key};

const TRIALS: u32 = 20_000;

/// Ciphertexts of plaintexts that follow one another, each under a key of its own.
fn trials(domain: i64, range: u64) -> impl Iterator<Item = (i64, i64)> {
    (0..TRIALS).map(move |i| {
        let opse = Opse::with_range(&key(i), domain.cast_unsigned(), range).unwrap();
        let plaintext = i64::from(i) % domain;
        (plaintext, opse.encrypt_one(plaintext).unwrap())
    })
}

fn assert_guesses(domain: i64, range: u64, width: u64, probability: f64) {
    let (plaintexts, ciphertexts): (Vec<i64>, Vec<i64>) = trials(domain, range).unzip();
    let (lowest, _) = windows(&ciphertexts, domain.cast_unsigned(), range, width).unwrap();
    let is_right = |(&x, &low): (&i64, &i64)| (low..low + width.cast_signed()).contains(&x);
    let right = plaintexts.iter().zip(&lowest).filter(|&pair| is_right(pair)).count();
    let what = format!("[{domain}] to [{range}], {width} wide");
    assert_share(&what, right, plaintexts.len(), probability);
}

#[test]
fn a_plaintext_is_guessed_as_often_as_the_exact_sum_says() {
    assert_guesses(64, 4096, 1, 0.152_728);
    assert_guesses(64, 4096, 8, 0.7978);
    assert_guesses(64, 4096, 16, 0.9809);
}

#[test]
fn a_plaintext_of_a_larger_domain_is_guessed_as_often_as_the_exact_sum_says() {
    assert_guesses(128, 1 << 14, 1, 0.108_639);
    assert_guesses(128, 1 << 14, 12, 0.8174);
}

#[test]
fn one_to_many_ciphertexts_are_guessed_as_often_in_the_largest_range() {
    // One ciphertext follows the same law; its mean over the range by 4096 places.
    let places: Vec<i64> = (0..4096).map(|i| (2 * i + 1) << 50).collect();
    let (_, masses) = windows(&places, 64, 1 << 63, 1).unwrap();
    let probability = masses.iter().sum::<f64>() / 4096.0;
    let mut right = 0;
    for i in 0..TRIALS {
        let opse = Opse::new(&key(i), 64).unwrap();
        let mut ciphertext = [0];
        let x = i64::from(i % 64);
        OneToMany(&opse).encrypt_batch(&[x], &[7], &mut ciphertext).unwrap();
        right += usize::from(windows(&ciphertext, 64, 1 << 63, 1).unwrap().0[0] == x);
    }
    assert_share("one-to-many", right, TRIALS as usize, probability);
}

#[test]
fn ciphertexts_of_one_plaintext_follow_the_negative_hypergeometric() {
    // P[c] = C(c, x) C(N - 1 - c, M - 1 - x) / C(N, M) for x = 2 of M = 5 and N = 30.
    let choose =
        |n: i64, k: i64| (0..k).fold(1.0, |ways, i| ways * (n - i) as f64 / (i + 1) as f64);
    let mut counts = vec![0; 26];
    for i in 0..TRIALS {
        let c = Opse::with_range(&key(i), 5, 30).unwrap().encrypt_one(2).unwrap();
        counts[usize::try_from(c - 2).unwrap()] += 1;
    }
    let law: Vec<f64> = (2..28).map(|c| choose(c, 2) * choose(29 - c, 2) / choose(30, 5)).collect();
    assert_counts("the third of five", &counts, &law);
}
