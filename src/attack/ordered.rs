//! Matching classes of equal ciphertexts to values in order: the least costly way, and how likely
//! each match is.
//!
//! `k` classes in ciphertext order go to `M >= k` values in order, so class `i` to a value from `i`
//! to `M - k + i`. With counts `n_i` and probabilities `pi_j` the likelihood of a way `a` is
//! `prod_i pi_a(i)^n_i`, and with `W_ij = n_i ln pi_j`
//!
//! ```text
//! F_0j = W_0j       F_ij = W_ij + ln sum_{j' < j} exp F_{i-1,j'}
//! B_{k-1,j} = 0     B_ij = ln sum_{j' > j} exp (W_{i+1,j'} + B_{i+1,j'})
//! P[class i is value j] = exp (F_ij + B_ij - ln sum_j exp (F_ij + B_ij))
//! ```
//!
//! Cost: O(k (M - k + 1)) time and memory.
//!
//! # Sources
//!
//! Non-crossing matching: Grubbs et al., IEEE S&P 2017 (eprint 2016/895). The most likely way:
//! Bindschaedler et al., PVLDB 11(11), 2018. The probabilities of each match are derived here.

use super::{Error, check_costs, check_distribution, check_length};
use crate::pool;
use crate::stop;

/// More matches would not fit the memory of most machines: 16 GiB.
const MOST_CELLS: usize = 1 << 31;

/// Matches that are weighed on two cores, at least.
const PARALLEL: usize = 1 << 12;

/// Sums `exp` of what is added, in logarithms: `exp(highest) * sum`.
///
/// A step waits for a product and a sum of the one before, not for its logarithm.
struct LogSum {
    highest: f64,
    sum: f64,
    log: f64,
}

impl LogSum {
    const EMPTY: Self = Self { highest: f64::NEG_INFINITY, sum: 0.0, log: f64::NEG_INFINITY };

    /// The logarithm of the sum with one more term.
    #[inline]
    fn add(&mut self, term: f64) -> f64 {
        let above = term - self.highest;
        if above > 0.0 {
            self.sum = self.sum * (-above).exp() + 1.0;
            self.highest = term;
            self.log = term + self.sum.ln();
        } else if above > -40.0 {
            // Below, a term does not change the sum.
            self.sum += above.exp();
            self.log = self.highest + self.sum.ln();
        }
        self.log
    }
}

/// Takes the highest of a row's logarithms from all, as a factor of a whole row cancels in the end:
/// sums over millions of records would leave no digits for the differences.
fn lower(row: &mut [f64]) {
    let highest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if highest.is_finite() {
        row.iter_mut().for_each(|log| *log -= highest);
    }
}

/// How many values a class can be, or an error if there are more classes than values.
fn band(rows: usize, columns: usize) -> Result<usize, Error> {
    match (columns + 1).checked_sub(rows) {
        Some(width) if rows > 0 && width > 0 => Ok(width),
        _ => Err(Error::Classes { rows, columns }),
    }
}

/// How many matches of a class and a value there are.
///
/// # Errors
///
/// [`Error::Classes`] if there is no class, or more than values, [`Error::Pairs`] if there are too
/// many to hold.
pub fn cells(rows: usize, columns: usize) -> Result<usize, Error> {
    band(rows, columns)?;
    let too_many = Error::Pairs { rows, columns };
    rows.checked_mul(columns).filter(|&cells| cells < MOST_CELLS).ok_or(too_many)
}

/// Returns the column of each row in the ascending assignment of least total cost, of equal ones the
/// lowest columns. An infinite cost forbids a match.
///
/// # Errors
///
/// [`Error::Classes`] and [`Error::Pairs`] as for [`cells`]; [`Error::Length`] if there are not
/// `rows * columns` costs; [`Error::Distribution`] if one is not a number; [`Error::NoMatching`] if
/// everything is forbidden.
pub fn increasing(costs: &[f64], rows: usize, columns: usize) -> Result<Vec<i64>, Error> {
    cells(rows, columns)?;
    let width = band(rows, columns)?;
    check_costs(costs, rows, columns)?;
    // least[d]: the least cost of the rows so far if the last has a column up to its d-th.
    let mut least = vec![0.0; width];
    let mut chosen = vec![0; rows * width];
    for row in 0..rows {
        stop::check();
        let (mut best, mut at) = (f64::INFINITY, 0);
        for place in 0..width {
            let cost = least[place] + costs[row * columns + row + place];
            if cost < best {
                (best, at) = (cost, place);
            }
            least[place] = best;
            chosen[row * width + place] = at;
        }
    }
    if least[width - 1].is_infinite() {
        return Err(Error::NoMatching);
    }
    let numbers: Vec<i64> = (0..).take(columns).collect();
    let mut assigned = vec![0; rows];
    let mut place = width - 1;
    for row in (0..rows).rev() {
        place = chosen[row * width + place];
        assigned[row] = numbers[row + place];
    }
    Ok(assigned)
}

/// Fills `posterior`, row by row, with the probability that each class is each value.
///
/// # Errors
///
/// [`Error::Classes`] and [`Error::Pairs`] as for [`cells`]; [`Error::Length`] if `posterior` has
/// another length; [`Error::Distribution`] or [`Error::NoWeight`] if counts or
/// probabilities are none; [`Error::NoMatching`] if no match is possible.
pub fn posterior(
    counts: &[f64],
    probabilities: &[f64],
    posterior: &mut [f64],
) -> Result<(), Error> {
    let (rows, columns) = (counts.len(), probabilities.len());
    let width = band(rows, columns)?;
    let sum = check_distribution("probabilities", probabilities)?;
    check_distribution("counts", counts)?;
    check_length("the array of probabilities", cells(rows, columns)?, posterior.len())?;
    let logs: Vec<f64> = probabilities.iter().map(|probability| (probability / sum).ln()).collect();
    // A class without entries is any value, also one of probability 0.
    let weight = |row: usize, place: usize| match counts[row] {
        0.0 => 0.0,
        count => count * logs[row + place],
    };
    let forward = || {
        let mut forward = vec![0.0; rows * width];
        for row in 0..rows {
            stop::check();
            let mut sum = LogSum::EMPTY;
            for place in 0..width {
                let before =
                    if row == 0 { 0.0 } else { sum.add(forward[(row - 1) * width + place]) };
                forward[row * width + place] = weight(row, place) + before;
            }
            lower(&mut forward[row * width..(row + 1) * width]);
        }
        forward
    };
    let backward = || {
        let mut backward = vec![0.0; rows * width];
        for row in (0..rows.saturating_sub(1)).rev() {
            stop::check();
            let mut sum = LogSum::EMPTY;
            for place in (0..width).rev() {
                let term = weight(row + 1, place) + backward[(row + 1) * width + place];
                backward[row * width + place] = sum.add(term);
            }
            lower(&mut backward[row * width..(row + 1) * width]);
        }
        backward
    };
    let (forward, backward) = if rows * width < PARALLEL {
        (forward(), backward())
    } else {
        pool::join(forward, backward)
    };
    if forward[(rows - 1) * width..].iter().all(|log| log.is_infinite()) {
        return Err(Error::NoMatching);
    }
    let rows: Vec<_> = posterior.chunks_mut(columns).enumerate().collect();
    pool::each(
        rows,
        || (),
        |(), (row, out)| {
            out.fill(0.0);
            let band = row * width..(row + 1) * width;
            let joint = forward[band.clone()].iter().zip(&backward[band]);
            let out = &mut out[row..row + width];
            for (out, (forward, backward)) in out.iter_mut().zip(joint) {
                *out = forward + backward;
            }
            let highest = out.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            out.iter_mut().for_each(|log| *log = (*log - highest).exp());
            let sum: f64 = out.iter().sum();
            out.iter_mut().for_each(|mass| *mass /= sum);
        },
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All ascending ways of rows to columns.
    fn ways(rows: usize, columns: usize) -> Vec<Vec<usize>> {
        (0_u32..1 << columns)
            .filter(|set| set.count_ones() as usize == rows)
            .map(|set| (0..columns).filter(|column| set >> column & 1 == 1).collect())
            .collect()
    }

    prop_compose! {
        fn problem()(rows in 1..5_usize, more in 0..4_usize)
            (costs in prop::collection::vec(0..6_u8, rows * (rows + more)),
             counts in prop::collection::vec(0..5_u8, rows),
             weights in prop::collection::vec(1..9_u8, rows + more),
             rows in Just(rows), columns in Just(rows + more))
            -> (usize, usize, Vec<f64>, Vec<f64>, Vec<f64>) {
            let floats = |bytes: Vec<u8>| bytes.into_iter().map(f64::from).collect();
            (rows, columns, floats(costs), floats(counts), floats(weights))
        }
    }

    proptest! {
        #[test]
        fn no_other_way_in_order_costs_less((rows, columns, costs, ..) in problem()) {
            let assigned = increasing(&costs, rows, columns).unwrap();
            prop_assert!(assigned.is_sorted_by(|a, b| a < b));
            let total = |way: &[usize]| -> f64 {
                way.iter().enumerate().map(|(row, column)| costs[row * columns + column]).sum()
            };
            let ours: Vec<usize> =
                assigned.iter().map(|&column| usize::try_from(column).unwrap()).collect();
            let least = ways(rows, columns).iter().map(|w| total(w)).fold(f64::INFINITY, f64::min);
            prop_assert!((total(&ours) - least).abs() < 1e-9);
        }

        #[test]
        fn probabilities_are_those_of_all_ways((rows, columns, _, counts, weights) in problem()) {
            prop_assume!(counts.iter().sum::<f64>() > 0.0);
            let mut ours = vec![0.0; rows * columns];
            posterior(&counts, &weights, &mut ours).unwrap();
            let sum: f64 = weights.iter().sum();
            let mut theirs = vec![0.0; rows * columns];
            let mut all = 0.0;
            for way in ways(rows, columns) {
                let of = |(row, &column): (usize, &usize)| (weights[column] / sum).powf(counts[row]);
                let likelihood: f64 = way.iter().enumerate().map(of).product();
                all += likelihood;
                for (row, column) in way.iter().enumerate() {
                    theirs[row * columns + column] += likelihood;
                }
            }
            for (ours, theirs) in ours.iter().zip(&theirs) {
                prop_assert!((ours - theirs / all).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn many_records_cost_no_digits() {
        // All classes but one value: which one is left out, by odds of (1 + 1e-7)^5000 from value to
        // value. The likelihood's logarithm is some -3.5e7, whose last digit is 7e-9.
        let (rows, n) = (1000_usize, 5000.0);
        let mut weights = vec![1.0];
        weights.extend((0..rows).scan(1.0, |weight, _| {
            *weight /= 1.0 + 1e-7;
            Some(*weight)
        }));
        let mut out = vec![0.0; rows * (rows + 1)];
        posterior(&vec![n; rows], &weights, &mut out).unwrap();
        let odds = |value: usize| (n * f64::ln_1p(1e-7) * value as f64).exp();
        let all: f64 = (0..=rows).map(odds).sum();
        let mut left_out_above = 1.0;
        for row in 0..rows {
            left_out_above -= odds(row) / all;
            assert!((out[row * (rows + 1) + row] - left_out_above).abs() < 1e-9);
        }
    }

    #[test]
    fn a_way_worked_by_hand() {
        // Two classes, three values: (0, 1) costs 5, (0, 2) costs 1, (1, 2) costs 3.
        let costs = [0.0, 2.0, 9.0, 9.0, 5.0, 1.0];
        assert_eq!(increasing(&costs, 2, 3), Ok(vec![0, 2]));
    }

    #[test]
    fn what_is_no_problem_is_refused() {
        let mut out = vec![0.0; 2];
        assert!(matches!(increasing(&[], 0, 0), Err(Error::Classes { rows: 0, columns: 0 })));
        assert!(matches!(increasing(&[1.0; 2], 2, 1), Err(Error::Classes { rows: 2, columns: 1 })));
        assert!(matches!(increasing(&[1.0; 3], 1, 2), Err(Error::Length { got: 3, .. })));
        let forbidden = [f64::INFINITY; 2];
        assert_eq!(increasing(&forbidden, 1, 2), Err(Error::NoMatching));
        assert!(matches!(
            increasing(&[f64::NAN, 1.0], 1, 2),
            Err(Error::Distribution { position: 0, .. })
        ));
        assert!(matches!(
            posterior(&[1.0], &[1.0, -1.0], &mut out),
            Err(Error::Distribution { position: 1, .. })
        ));
        let what = "probabilities";
        assert_eq!(posterior(&[1.0], &[0.0; 2], &mut out), Err(Error::NoWeight { what }));
        assert_eq!(posterior(&[0.0], &[1.0; 2], &mut out), Err(Error::NoWeight { what: "counts" }));
        assert!(matches!(
            posterior(&[1.0], &[1.0; 2], &mut out[..1]),
            Err(Error::Length { got: 1, .. })
        ));
        let certain = [1.0, 0.0];
        assert_eq!(posterior(&[1.0; 2], &certain, &mut [0.0; 4]), Err(Error::NoMatching));
    }
}
