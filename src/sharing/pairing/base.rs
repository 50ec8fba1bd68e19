//! Powers of the generators, by tables of theirs.
//!
//! ```text
//! k = sum of d_i 32^i,    d_i odd, from -31 to 31,    i = 0..50        for an odd k below 2^255
//! d_i = 2 u_i - 31,       u_i = digit i, to the base 32, of (k >> 1) + 2^254
//! table_i[j] = base^((2 j + 1) 32^i),    j = 0..15
//! ```
//!
//! No digit is 0 and r is odd, so of k and r - k the odd one is taken, and the power turned over if that is r - k.
//! So each power takes 51 products, and each of them looks at all of sixteen entries, whatever k is.
//!
//! # Sources
//!
//! Digits that are all odd: Joye and Tunstall, "Exponent recoding and regular exponentiation algorithms",
//! AFRICACRYPT 2009.

use std::sync::LazyLock;

use blstrs::{G1Affine, G1Projective};
use group::Curve;
use group::prime::PrimeCurveAffine;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroizing;

use super::field::{self, Element};
use super::{Gt, SCALAR_LEN, Scalar};

/// Bits of a digit.
const BITS: usize = 5;

/// Digits of a scalar.
const DIGITS: usize = 51;

/// Odd powers of a table.
const ODD: usize = 1 << (BITS - 1);

/// Which entry of its table a digit takes, and whether what it takes is turned over.
#[derive(Clone, Copy, Default)]
struct Digit {
    entry: u8,
    is_negative: u8,
}

impl zeroize::DefaultIsZeroes for Digit {}

/// The digits of a scalar, the lowest first, and whether they are those of r minus it.
fn digits(scalar: &Scalar) -> (Zeroizing<[Digit; DIGITS]>, Choice) {
    let (same, other) = (scalar.encode(), scalar.negated().encode());
    let is_even = !Choice::from(same[0] & 1);
    let mut odd = Zeroizing::new([0; SCALAR_LEN]);
    for (byte, (same, other)) in odd.iter_mut().zip(same.iter().zip(other.iter())) {
        *byte = u8::conditional_select(same, other, is_even);
    }
    let bit = |at: usize| if at == BITS * DIGITS { 1 } else { odd[at / 8] >> (at % 8) & 1 };
    let mut digits = Zeroizing::new([Digit::default(); DIGITS]);
    for (place, digit) in digits.iter_mut().enumerate() {
        // One up, for the half.
        let number = (1..=BITS).rev().fold(0, |number, at| number << 1 | bit(BITS * place + at));
        let is_negative = 1 - (number >> (BITS - 1));
        let entry = (number ^ is_negative.wrapping_neg()) & 15;
        *digit = Digit { entry, is_negative };
    }
    (digits, is_even)
}

type Odd<T> = [T; ODD];

/// Odd powers of a base, of its 32nd power, and so on.
fn tables<T: Copy>(base: T, times: impl Fn(&T, &T) -> T) -> Vec<Odd<T>> {
    let mut base = base;
    (0..DIGITS)
        .map(|_| {
            let square = times(&base, &base);
            let mut odd = [base; ODD];
            for at in 1..ODD {
                odd[at] = times(&odd[at - 1], &square);
            }
            // The highest is the 31st.
            base = times(&odd[ODD - 1], &base);
            odd
        })
        .collect()
}

/// A power of the generator of the first group.
pub(super) fn in_g1(scalar: &Scalar) -> G1Affine {
    static TABLES: LazyLock<Vec<Odd<G1Affine>>> = LazyLock::new(|| {
        let all = tables(G1Projective::from(G1Affine::generator()), |one, other| one + other);
        all.iter().map(|odd| odd.map(|power| power.to_affine())).collect()
    });
    let (digits, is_even) = digits(scalar);
    let mut power = G1Projective::from(G1Affine::identity());
    for (odd, digit) in TABLES.iter().zip(digits.iter()) {
        let mut found = G1Affine::identity();
        for (number, entry) in (0_u8..).zip(odd) {
            found.conditional_assign(entry, number.ct_eq(&digit.entry));
        }
        let other = -found;
        found.conditional_assign(&other, Choice::from(digit.is_negative));
        power += found;
    }
    let other = -power;
    power.conditional_assign(&other, is_even);
    power.to_affine()
}

/// A power of the generator of the target group.
pub(super) fn in_gt(scalar: &Scalar) -> Element {
    static TABLES: LazyLock<Vec<Odd<Element>>> =
        LazyLock::new(|| tables(*Gt::generator().element(), Element::times));
    let (digits, is_even) = digits(scalar);
    let mut power = Element::one();
    for (odd, digit) in TABLES.iter().zip(digits.iter()) {
        let found = field::chosen(odd, digit.entry);
        power = power.times(&found.turned(Choice::from(digit.is_negative)));
    }
    power.turned(is_even)
}
