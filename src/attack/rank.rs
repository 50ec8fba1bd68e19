//! What ranks alone tell: the attack on ciphertexts that hide how often a value occurs.
//!
//! Of `n` values drawn from a distribution with sums `F`, the one of rank `i` (counted from 1) is
//!
//! ```text
//! P[X_(i) <= v] = P[Bin(n, F_v) >= i]
//! guess for rank i = argmax_v P[|X_(i) - v| <= t]
//! ```
//!
//! The tails of each value are worked out where they are neither 0 nor 1, by the ratio of
//! neighbouring terms from the largest on, so that no table of ranks by values is made. Cost: for
//! each value about `2 t + 1` times the ranks it can have; memory for `2 t + 2` values at a time.
//!
//! # Sources
//!
//! Grubbs, Sekniqi, Bindschaedler, Naveed and Ristenpart, *Leakage-Abuse Attacks against
//! Order-Revealing Encryption*, IEEE S&P 2017 (eprint 2016/895), the binomial attack.

use std::collections::VecDeque;

use super::{Error, check_distribution};
use crate::stop;

/// Terms below this share of the largest are left out.
const NEGLIGIBLE: f64 = 1e-22;

/// More ranks would not fit the memory of most machines: 4 GiB.
const MOST_RANKS: usize = 1 << 28;

/// `P[Bin(n, p) >= i]` for the ranks `i` at which it is neither 0 nor 1.
struct Tail {
    /// The first rank with a tail below 1, counted from 1.
    first: usize,
    tails: Vec<f64>,
}

impl Tail {
    /// The tails for a probability and its complement, which keeps its digits where it is small.
    fn new(n: usize, p: f64, rest: f64) -> Self {
        if p <= 0.0 {
            return Self { first: 1, tails: Vec::new() };
        }
        if rest <= 0.0 {
            return Self { first: n + 1, tails: Vec::new() };
        }
        let odds = p / rest;
        let ratio = |x: usize| {
            // P[x + 1] / P[x]
            #[expect(clippy::cast_precision_loss, reason = "ranks are far below 2^52")]
            let (left, next) = ((n - x) as f64, (x + 1) as f64);
            left / next * odds
        };
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and n, which is far below 2^52"
        )]
        let mode = (((n + 1) as f64 * p) as usize).min(n);
        let mut below = Vec::new();
        let (mut x, mut term) = (mode, 1.0);
        while x > 0 && term > NEGLIGIBLE {
            x -= 1;
            term /= ratio(x);
            below.push(term);
        }
        let lowest = x;
        let mut terms: Vec<f64> = below.into_iter().rev().collect();
        terms.push(1.0);
        let (mut x, mut term) = (mode, 1.0);
        while x < n && term > NEGLIGIBLE {
            term *= ratio(x);
            x += 1;
            terms.push(term);
        }
        let sum: f64 = terms.iter().sum();
        let mut tail = 0.0;
        let mut tails: Vec<f64> = terms
            .iter()
            .rev()
            .map(|term| {
                tail += term / sum;
                tail
            })
            .collect();
        tails.reverse();
        // The first of them is the tail from the lowest term on, which is 1.
        tails.remove(0);
        Self { first: lowest + 1, tails }
    }

    /// The tail at a rank.
    fn at(&self, rank: usize) -> f64 {
        match rank.checked_sub(self.first) {
            None => 1.0,
            Some(place) => self.tails.get(place).copied().unwrap_or(0.0),
        }
    }

    /// The first rank beyond which the tail is 0.
    fn end(&self) -> usize {
        self.first + self.tails.len()
    }
}

/// Returns for each rank, lowest first, the value that is most likely within a tolerance, and how
/// likely that is. Of equally likely values the lowest.
///
/// # Errors
///
/// [`Error::Ranks`] if there is no rank or more than 2^28, [`Error::Distribution`] or [`Error::NoWeight`] if the
/// probabilities are none.
pub fn ranks(
    n: usize,
    probabilities: &[f64],
    tolerance: usize,
) -> Result<(Vec<i64>, Vec<f64>), Error> {
    let sum = check_distribution("probabilities", probabilities)?;
    if n == 0 || n > MOST_RANKS {
        return Err(Error::Ranks { got: n });
    }
    let values = probabilities.len();
    let mut above = vec![0.0; values];
    for value in (1..values).rev() {
        above[value - 1] = above[value] + probabilities[value];
    }
    let mut below = 0.0;
    // Tails from value to value; beyond the last one they are all 1.
    let mut tails = probabilities.iter().zip(above).map(|(probability, above)| {
        below += probability;
        Tail::new(n, below / sum, above / sum)
    });
    let mut next = || tails.next().unwrap_or_else(|| Tail::new(n, 1.0, 0.0));
    // From that of value - tolerance - 1, which no value is up to at first, to value + tolerance.
    let tolerance = tolerance.min(values);
    let mut window: VecDeque<Tail> = (0..=tolerance).map(|_| Tail::new(n, 0.0, 1.0)).collect();
    window.extend((0..tolerance).map(|_| next()));
    let mut guesses = vec![0; n];
    let mut masses = vec![-1.0; n];
    stop::expect(values);
    for number in (0_i64..).take(values) {
        window.push_back(next());
        let (Some(low), Some(high)) = (window.front(), window.back()) else { continue };
        // Before the one's first rank both tails are 1, after the other's end both are 0.
        stop::check();
        stop::advance(1);
        for rank in low.first..high.end().min(n + 1) {
            let mass = high.at(rank) - low.at(rank);
            if mass > masses[rank - 1] {
                masses[rank - 1] = mass;
                guesses[rank - 1] = number;
            }
        }
        window.pop_front();
    }
    masses.iter_mut().for_each(|mass| *mass = mass.clamp(0.0, 1.0));
    Ok((guesses, masses))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `P[Bin(n, p) >= i]` from the definition.
    fn tail(n: usize, p: f64, i: usize) -> f64 {
        let choose = |x: usize| (0..x).map(|j| (n - j) as f64 / (j + 1) as f64).product::<f64>();
        let power = |base: f64, x: usize| (0..x).map(|_| base).product::<f64>();
        (i..=n).map(|x| choose(x) * power(p, x) * power(1.0 - p, n - x)).sum()
    }

    proptest! {
        #[test]
        fn guesses_are_the_likeliest_by_definition(
            n in 1..40_usize, weights in prop::collection::vec(1..9_u8, 1..8), t in 0..3_usize
        ) {
            let weights: Vec<f64> = weights.into_iter().map(f64::from).collect();
            let sum: f64 = weights.iter().sum();
            let up_to = |v: usize| weights[..v].iter().sum::<f64>() / sum;
            let (guesses, masses) = ranks(n, &weights, t).unwrap();
            for i in 1..=n {
                let mass = |v: usize| {
                    let high = up_to((v + t + 1).min(weights.len()));
                    tail(n, high, i) - tail(n, up_to(v.saturating_sub(t)), i)
                };
                let most = (0..weights.len()).map(mass).fold(0.0, f64::max);
                prop_assert!((masses[i - 1] - most).abs() < 1e-11);
                let guess = usize::try_from(guesses[i - 1]).unwrap();
                prop_assert!((mass(guess) - most).abs() < 1e-11);
            }
        }
    }

    #[test]
    fn rare_values_at_the_upper_end_keep_their_digits() {
        // The highest of n records is the rare value unless none is: 1 - (1 - q)^n, and the mirror.
        let (n, q) = (1_000_000, 1e-9);
        let exact = -(n as f64 * f64::ln_1p(-q)).exp_m1();
        let (at_end, at_start) = (Tail::new(n, 1.0 - q, q), Tail::new(n, q, 1.0 - q));
        assert!((1.0 - at_end.at(n) - exact).abs() < 1e-15);
        assert!((at_start.at(1) - exact).abs() < 1e-15);
    }

    #[test]
    fn a_tolerance_beyond_all_values_is_certain() {
        let (guesses, masses) = ranks(5, &[1.0, 2.0, 1.0], usize::MAX).unwrap();
        assert_eq!((guesses, masses), (vec![0; 5], vec![1.0; 5]));
    }

    #[test]
    fn a_case_worked_by_hand() {
        // Two coins: the lower is heads unless both are tails, the higher tails unless both heads.
        let (guesses, masses) = ranks(2, &[0.5, 0.5], 0).unwrap();
        assert_eq!(guesses, [0, 1]);
        assert!(masses.iter().all(|mass| (mass - 0.75).abs() < 1e-15));
    }

    #[test]
    fn one_value_is_certain() {
        assert_eq!(ranks(3, &[2.0], 0), Ok((vec![0; 3], vec![1.0; 3])));
    }

    #[test]
    fn what_is_no_problem_is_refused() {
        for n in [0, MOST_RANKS + 1] {
            assert!(matches!(ranks(n, &[1.0], 0), Err(Error::Ranks { .. })));
        }
        assert!(matches!(ranks(1, &[], 0), Err(Error::NoWeight { .. })));
        assert!(matches!(ranks(1, &[1.0, -1.0], 0), Err(Error::Distribution { position: 1, .. })));
        assert!(matches!(ranks(1, &[f64::NAN], 0), Err(Error::Distribution { position: 0, .. })));
    }
}
