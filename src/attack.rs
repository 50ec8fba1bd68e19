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

use crate::Error;

/// Says which count or probability is none; returns their sum.
fn check_distribution(what: &'static str, numbers: &[f64]) -> Result<f64, Error> {
    if let Some(position) = numbers.iter().position(|number| !(0.0..f64::INFINITY).contains(number))
    {
        return Err(Error::Distribution { what, position });
    }
    let sum: f64 = numbers.iter().sum();
    if sum > 0.0 { Ok(sum) } else { Err(Error::NoWeight { what }) }
}

/// Says whether costs are a table of numbers.
fn check_costs(costs: &[f64], rows: usize, columns: usize) -> Result<(), Error> {
    if Some(costs.len()) != rows.checked_mul(columns) {
        let expected = rows.saturating_mul(columns);
        return Err(Error::Length { what: "the table of costs", expected, got: costs.len() });
    }
    match costs.iter().position(|cost| cost.is_nan()) {
        Some(position) => Err(Error::Distribution { what: "costs", position }),
        None => Ok(()),
    }
}
