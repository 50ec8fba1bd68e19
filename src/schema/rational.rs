//! Exact numbers: fractions of whole numbers in lowest terms.
//!
//! A float is read as what was meant by it: a whole one as the number it is, any other as the shortest
//! decimal that its precision tells from its neighbours. So `0.1`, the decimal 0.10 and the fraction
//! 1/10 are one number, in single precision as in double.
//!
//! # Sources
//!
//! The shortest decimal: Steele and White, "How to print floating-point numbers accurately", PLDI 1990,
//! as Rust's `{:e}` and Python's `repr` have it.

use std::fmt;
use std::str::FromStr;

use num_bigint::{BigInt, BigUint, Sign};
use num_integer::Integer;
use num_rational::BigRational;
use num_traits::{FromPrimitive, One, Signed, Zero};

use super::Error;
use crate::wire::{self, Reader, Writer};

/// Bytes above and below the line of a number that defines a field. Every finite float fits.
pub(super) const MOST_BYTES: usize = 136;

/// Digits of a decimal in text, before and after the point and by its exponent, at most.
const MOST_DIGITS: usize = 10_000;

/// A fraction in lowest terms.
///
/// # Examples
///
/// ```
/// use mopse::schema::Rational;
///
/// let tenth: Rational = "0.10".parse()?;
/// assert_eq!(tenth, Rational::try_from(0.1)?);
/// assert_eq!(tenth, Rational::try_from(0.1_f32)?);
/// assert_eq!(tenth.to_string(), "1/10");
/// # Ok::<(), mopse::schema::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rational(BigRational);

impl Rational {
    /// The number itself, to calculate with.
    #[must_use]
    pub fn ratio(&self) -> &BigRational {
        &self.0
    }

    /// Whether it has no more than 136 bytes above and below the line.
    pub(super) fn is_short(&self) -> bool {
        self.0.numer().bits().max(self.0.denom().bits()) <= 8 * MOST_BYTES as u64
    }

    /// Writes sign, numerator and denominator, as labels have them.
    pub(super) fn write(&self, writer: &mut Writer) {
        let bytes = |number: &BigUint| {
            if number.is_zero() { Vec::new() } else { number.to_bytes_be() }
        };
        writer.u8(self.0.is_negative().into());
        for part in [self.0.numer(), self.0.denom()] {
            writer.be_bytes(&bytes(part.magnitude()));
        }
    }

    /// Reads what [`write`](Self::write) wrote, and no other form of the number.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, wire::Error> {
        let sign = match reader.u8()? {
            0 => Sign::Plus,
            1 => Sign::Minus,
            _ => return Err(reader.fault()),
        };
        let mut magnitude = || -> Result<BigUint, wire::Error> {
            let bytes = reader.be_bytes()?;
            if bytes.len() > MOST_BYTES || bytes.first() == Some(&0) {
                return Err(reader.fault());
            }
            Ok(BigUint::from_bytes_be(bytes))
        };
        let (numerator, denominator) = (magnitude()?, magnitude()?);
        let is_lowest = numerator.gcd(&denominator).is_one() && !denominator.is_zero();
        if !is_lowest || (numerator.is_zero() && sign == Sign::Minus) {
            return Err(reader.fault());
        }
        let numerator = BigInt::from_biguint(sign, numerator);
        Ok(Self(BigRational::new_raw(numerator, denominator.into())))
    }
}

macro_rules! from_integers {
    ($($integer:ty)*) => {
        $(impl From<$integer> for Rational {
            fn from(number: $integer) -> Self {
                Self(BigRational::from_integer(number.into()))
            }
        })*
    };
}

from_integers!(i32 i64 u32 u64 i128 u128 BigInt);

macro_rules! from_floats {
    ($($float:ty, $from:ident, $shortest:ident;)*) => {
        $(impl TryFrom<$float> for Rational {
            type Error = Error;

            /// A whole float as it is, any other as its shortest decimal.
            fn try_from(number: $float) -> Result<Self, Error> {
                if !number.is_finite() {
                    return Err(Error::Field { why: "a number must be finite" });
                }
                match BigInt::$from(number) {
                    Some(whole) if number.fract() == 0.0 => Ok(whole.into()),
                    _ => {
                        let (digits, exponent) = $shortest(number);
                        format!("{digits}e{exponent}").parse()
                    }
                }
            }
        }

        /// The shortest decimal of a finite float, which no nearer one is as short as: its digits, and
        /// an exponent of ten. Of two that are as near it is the even one, as Python shows it.
        pub(super) fn $shortest(number: $float) -> (i64, i32) {
            let (digits, exponent) = digits_of(&format!("{number:e}"));
            match even_of_two(number.into(), exponent) {
                Some(even) if format!("{even}e{exponent}").parse() == Ok(number) => {
                    (even, exponent)
                }
                _ => (digits, exponent),
            }
        })*
    };
}

from_floats!(f32, from_f32, shortest_single; f64, from_f64, shortest;);

/// The digits and the exponent of what formatting a float gives, such as `-1.25e-7`.
fn digits_of(text: &str) -> (i64, i32) {
    let (digits, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (whole, after) = digits.split_once('.').unwrap_or((digits, ""));
    // At most 17 digits, and an exponent of at most three.
    let digits = format!("{whole}{after}").parse().unwrap_or(0);
    let places = i32::try_from(after.len()).unwrap_or(0);
    (digits, exponent.parse::<i32>().unwrap_or(0) - places)
}

/// The even one of two decimals of an exponent that a float lies right between; `None` if it lies
/// between none.
fn even_of_two(number: f64, exponent: i32) -> Option<i64> {
    let bits = number.to_bits();
    let raised = i32::try_from((bits >> 52) & 0x7ff).ok()?;
    let hidden = if raised == 0 { 0 } else { 1 << 52 };
    let significand = (bits & ((1 << 52) - 1)) | hidden;
    // number = odd / 2^halvings
    let zeros = significand.trailing_zeros();
    let odd = significand.checked_shr(zeros)?;
    let halvings = 1075 - raised.max(1) - i32::try_from(zeros).ok()?;
    // In units of 10^exponent it is odd * 5^-exponent / 2^(halvings + exponent).
    let places = u32::try_from(exponent.checked_neg()?).ok()?;
    if halvings + exponent != 1 {
        return None;
    }
    let twice = i64::try_from(odd.checked_mul(5_u64.checked_pow(places)?)?).ok()?;
    let below = twice / 2;
    let even = below + below % 2;
    Some(if number < 0.0 { -even } else { even })
}

impl From<BigRational> for Rational {
    fn from(number: BigRational) -> Self {
        Self(number)
    }
}

impl From<Rational> for BigRational {
    fn from(number: Rational) -> Self {
        number.0
    }
}

/// A decimal such as `-8`, `0.10` or `1e-3`, or a fraction such as `1/3`.
impl FromStr for Rational {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        parse(text).ok_or(Error::Field { why: "the text is no number of at most 10,000 digits" })
    }
}

fn parse(text: &str) -> Option<Rational> {
    if let Some((numerator, denominator)) = text.split_once('/') {
        let (numerator, denominator) = (parse_whole(numerator)?, parse_whole(denominator)?);
        return (!denominator.is_zero())
            .then(|| Rational(BigRational::new(numerator, denominator)));
    }
    let (digits, exponent) = match text.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, after) = digits.split_once('.').unwrap_or((digits, ""));
    if !after.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = parse_whole(&format!("{whole}{after}"))?;
    let exponent = i64::from(exponent) - i64::try_from(after.len()).ok()?;
    let power = usize::try_from(exponent.unsigned_abs()).ok().filter(|&it| it <= MOST_DIGITS)?;
    let power = power_of_ten(power);
    Some(Rational(if exponent < 0 {
        BigRational::new(number, power)
    } else {
        BigRational::from_integer(number * power)
    }))
}

fn parse_whole(text: &str) -> Option<BigInt> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    (is_number && digits.len() <= MOST_DIGITS).then(|| text.parse().ok()).flatten()
}

pub(super) fn power_of_ten(power: usize) -> BigInt {
    num_traits::pow(BigInt::from(10), power)
}

impl fmt::Display for Rational {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An end of a range of values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bound {
    /// Below all numbers.
    Lowest,
    /// A number.
    At(Rational),
    /// Above all numbers.
    Highest,
}

impl<N: Into<Rational>> From<N> for Bound {
    fn from(number: N) -> Self {
        Self::At(number.into())
    }
}

#[cfg(test)]
mod tests;
