//! Attacks: what ciphertexts and queries give away to whoever holds no key.
//!
//! Each kernel takes plain numbers that an adversary sees, and nothing else: no module here knows
//! a key, a party or a scheme. `python/mopse/attacks` says who sees them and what a success is.

pub mod access;
pub mod assignment;
pub mod density;
pub mod geometry;
pub mod ordered;
pub mod rank;

/// Why there is nothing to attack.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A range of ciphertexts is empty or too large.
    #[error("the range of ciphertexts is {got}, expected 1 to 2^63")]
    Range {
        /// Ciphertexts it was to have.
        got: u64,
    },

    /// A domain is empty or larger than its range.
    #[error("the domain is {got}, expected 1 to the size of the range")]
    Domain {
        /// Plaintexts it was to have.
        got: u64,
    },

    /// A range of whole bits is too large.
    #[error("the range has {got} bits, expected at most 63")]
    Bits {
        /// Bits it was to have.
        got: u32,
    },

    /// A window of plaintexts is empty or wider than the domain.
    #[error("the window is {got}, expected 1 to the size of the domain")]
    Window {
        /// Plaintexts it was to have.
        got: u64,
    },

    /// There is no rank, or there are too many.
    #[error("the number of ranks is {got}, expected 1 to 2^28")]
    Ranks {
        /// Ranks there were to be.
        got: usize,
    },

    /// There is no class, or there are more classes than values.
    #[error("the number of classes is {rows}, expected at least 1, and at most one per value")]
    Classes {
        /// Classes there are.
        rows: usize,
        /// Values there are.
        columns: usize,
    },

    /// Classes and values make too many pairs to hold.
    #[error("the number of classes is {rows}, expected fewer, for fewer values")]
    Pairs {
        /// Classes there are.
        rows: usize,
        /// Values there are.
        columns: usize,
    },

    /// Two arrays that belong together have different lengths.
    #[error("{what} has {got} entries, expected {expected}")]
    Length {
        /// Which array.
        what: &'static str,
        /// Entries it must have.
        expected: usize,
        /// Entries it had.
        got: usize,
    },

    /// The lower end of a range lies above its upper end.
    #[error("the lower bound lies above the upper bound")]
    BoundsOrder,

    /// The lower end of a range is negative, which no ciphertext is.
    #[error("the lower bound is negative")]
    NegativeBound,

    /// Ciphertexts do not ascend.
    #[error("the ciphertexts are not sorted: number {position} is below the one before it")]
    Unsorted {
        /// First ciphertext out of order, counted from 0.
        position: usize,
    },

    /// A ciphertext lies outside the range that it should be of.
    #[error("the ciphertext at position {position} lies outside the range of {range} ciphertexts")]
    OutOfRange {
        /// Which ciphertext, counted from 0.
        position: usize,
        /// How many ciphertexts the range has.
        range: u64,
    },

    /// An access pattern is no set of records.
    #[error("the records of query {query} do not ascend, or one of them does not exist")]
    AccessPattern {
        /// Which query, counted from 0.
        query: usize,
    },

    /// A cost, count or probability is no number, or not one that there can be.
    #[error("{what}: the number at position {position} is negative or not finite")]
    Distribution {
        /// Which numbers.
        what: &'static str,
        /// Which of them, counted from 0.
        position: usize,
    },

    /// No count or probability is above 0.
    #[error("{what}: all numbers are zero")]
    NoWeight {
        /// Which numbers.
        what: &'static str,
    },

    /// Every assignment of classes to values is forbidden.
    #[error("no assignment of the classes to values in order is possible")]
    NoMatching,

    /// A penalty weighs nothing.
    #[error("the penalty is not a number from 0 on")]
    Penalty,
}

/// Says which count or probability is none; returns their sum.
fn check_distribution(what: &'static str, numbers: &[f64]) -> Result<f64, Error> {
    if let Some(position) = numbers.iter().position(|number| !(0.0..f64::INFINITY).contains(number))
    {
        return Err(Error::Distribution { what, position });
    }
    let sum: f64 = numbers.iter().sum();
    if sum > 0.0 { Ok(sum) } else { Err(Error::NoWeight { what }) }
}

fn check_length(what: &'static str, expected: usize, got: usize) -> Result<(), Error> {
    if got == expected { Ok(()) } else { Err(Error::Length { what, expected, got }) }
}

/// Says whether costs are a table of numbers.
fn check_costs(costs: &[f64], rows: usize, columns: usize) -> Result<(), Error> {
    check_length("the table of costs", rows.saturating_mul(columns), costs.len())?;
    match costs.iter().position(|cost| cost.is_nan()) {
        Some(position) => Err(Error::Distribution { what: "costs", position }),
        None => Ok(()),
    }
}
