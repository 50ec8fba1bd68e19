//! The field that the target group of the pairing lies in, and more than the group.
//!
//! ```text
//! Fp2  = Fp[u] / (u^2 + 1),    Fp6 = Fp2[v] / (v^3 - (u + 1)),    Fp12 = Fp6[w] / (w^2 - v)
//! element = twelve coefficients of 48 bytes, little-endian, below p, that of 1 first, then u, v, v u, v^2, v^2 u,
//!           and the same times w
//! ```
//!
//! # Cost
//!
//! A product takes some 2 us, and reading as much. A power of n bits takes 1.25 n + 15 products, whatever the
//! bits are: sixteen powers are multiplied in by looking at all of them.
//!
//! # Sources
//!
//! Products, and whether an element is in the group, by `blst`. The order of the coefficients is that of other
//! implementations, `ark-bls12-381` among them.

use std::array::from_fn;
use std::sync::LazyLock;

use ::blst::{blst_fp, blst_fp2, blst_fp6, blst_fp12};
use num_bigint::BigUint;
use subtle::{Choice, ConstantTimeEq};

/// Bytes of a coefficient.
const COEFFICIENT_LEN: usize = 48;

/// Coefficients of an element.
const COEFFICIENTS: usize = 12;

/// A coefficient: a number below p in words of 64 bits, the lowest first.
pub(in crate::sharing) type Coefficient = [u64; 6];

/// The characteristic of the field.
const P: Coefficient = [
    0xb9fe_ffff_ffff_aaab,
    0x1eab_fffe_b153_ffff,
    0x6730_d2a0_f6b0_f624,
    0x6477_4b84_f385_12bf,
    0x4b1b_a7b6_434b_acd7,
    0x1a01_11ea_397f_e69a,
];

/// 2^384 modulo p: 1, as `blst` keeps numbers.
const ONE: Coefficient = [
    0x7609_0000_0002_fffd,
    0xebf4_000b_c40c_0002,
    0x5f48_9857_53c7_58ba,
    0x77ce_5853_7052_5745,
    0x5c07_1a97_a256_ec6d,
    0x15f6_5ec3_fa80_e493,
];

/// 2^768 modulo p: what takes a number, by a product, to how `blst` keeps it.
const KEPT: Coefficient = [
    0xf4df_1f34_1c34_1746,
    0x0a76_e6a6_09d1_04f1,
    0x8de5_476c_4c95_b6d5,
    0x67eb_88a9_939d_83c0,
    0x9a79_3e85_b519_952d,
    0x1198_8fe5_92ca_e3aa,
];

/// The exponent by which an element becomes 1 over it: p^12 - 2, little-endian.
static INVERTING: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let words = P.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>();
    (BigUint::from_bytes_le(&words).pow(12) - 2_u8).to_bytes_le()
});

/// (u + 1)^((p - 1) / 6), and its powers: w^i becomes w^i times the i-th under the Frobenius map.
static FROBENIUS: LazyLock<[Element; 6]> = LazyLock::new(|| {
    let words = P.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>();
    let exponent = (BigUint::from_bytes_le(&words) - 1_u8) / 6_u8;
    let cube = Element(laid([ONE, ONE, [0; 6], [0; 6], [0; 6], [0; 6]], [[0; 6]; 6]));
    let first = cube.power(&exponent.to_bytes_le());
    let mut powers = [Element::one(); 6];
    for at in 1..powers.len() {
        powers[at] = powers[at - 1].times(&first);
    }
    powers
});

/// An element of the field that is not 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Element(blst_fp12);

impl Element {
    /// Bytes of an element.
    pub const LEN: usize = COEFFICIENTS * COEFFICIENT_LEN;

    pub(super) fn of(number: blst_fp12) -> Self {
        Self(number)
    }

    /// 1.
    #[must_use]
    pub fn one() -> Self {
        Self(laid([ONE, [0; 6], [0; 6], [0; 6], [0; 6], [0; 6]], [[0; 6]; 6]))
    }

    /// The element with such coefficients; `None` for 0, or for a coefficient of p or more.
    #[must_use]
    pub(in crate::sharing) fn of_coefficients(
        coefficients: &[Coefficient; COEFFICIENTS],
    ) -> Option<Self> {
        let is_below = |number: &Coefficient| number.iter().rev().lt(P.iter().rev());
        let is_zero = coefficients.iter().flatten().all(|&word| word == 0);
        if is_zero || !coefficients.iter().all(is_below) {
            return None;
        }
        let halves: [[Coefficient; 6]; 2] =
            from_fn(|half| from_fn(|at| coefficients[6 * half + at]));
        let kept = laid([KEPT, [0; 6], [0; 6], [0; 6], [0; 6], [0; 6]], [[0; 6]; 6]);
        Some(Self(laid(halves[0], halves[1]) * kept))
    }

    /// The coefficients.
    #[must_use]
    pub(in crate::sharing) fn coefficients(&self) -> [Coefficient; COEFFICIENTS] {
        let bytes = self.encode();
        let (words, _) = bytes.as_chunks::<8>();
        from_fn(|at| from_fn(|word| u64::from_le_bytes(words[6 * at + word])))
    }

    /// Reads an element; `None` for 0, another length, or a coefficient of p or more.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; Self::LEN] = bytes.try_into().ok()?;
        let (words, _) = bytes.as_chunks::<8>();
        Self::of_coefficients(&from_fn(|at| {
            from_fn(|word| u64::from_le_bytes(words[6 * at + word]))
        }))
    }

    /// What [`decode`](Self::decode) reads.
    #[must_use]
    pub fn encode(&self) -> [u8; Self::LEN] {
        // `blst` writes the highest byte first, and the halves in turns.
        let turns = self.0.to_bendian();
        let mut bytes = [0; Self::LEN];
        let (places, _) = bytes.as_chunks_mut::<COEFFICIENT_LEN>();
        for (at, place) in places.iter_mut().enumerate() {
            let (half, cube, square) = (at / 6, at / 2 % 3, at % 2);
            let from = COEFFICIENT_LEN * (4 * cube + 2 * half + square);
            place.copy_from_slice(&turns[from..from + COEFFICIENT_LEN]);
            place.reverse();
        }
        bytes
    }

    /// It, times another.
    #[must_use]
    pub fn times(&self, other: &Self) -> Self {
        Self(self.0 * other.0)
    }

    /// The power of it by a number, little-endian; the time depends on the number's length alone.
    #[must_use]
    pub fn power(&self, exponent: &[u8]) -> Self {
        let mut powers = [Self::one(); 16];
        for at in 1..powers.len() {
            powers[at] = powers[at - 1].times(self);
        }
        let mut power = Self::one();
        for byte in exponent.iter().rev() {
            for digit in [byte >> 4, byte & 15] {
                for _ in 0..4 {
                    power = power.times(&power);
                }
                power = power.times(&chosen(&powers, digit));
            }
        }
        power
    }

    /// 1 over it, in some 5,700 products.
    #[must_use]
    pub fn inverse(&self) -> Self {
        self.power(&INVERTING)
    }

    /// The element with w negated: of one in the group, 1 over it.
    #[must_use]
    pub fn conjugate(&self) -> Self {
        self.turned(Choice::from(1))
    }

    /// The [`conjugate`](Self::conjugate) if that is so, else the same, in one time.
    pub(super) fn turned(&self, is_so: Choice) -> Self {
        let taken = mask(is_so);
        let [same, mut half] = self.0.fp6;
        for number in half.fp2.iter_mut().flat_map(|pair| &mut pair.fp) {
            let other = negated(number.l);
            for (word, other) in number.l.iter_mut().zip(other) {
                *word = other & taken | *word & !taken;
            }
        }
        Self(blst_fp12 { fp6: [same, half] })
    }

    /// The power of it by p, in five products.
    #[must_use]
    pub fn frobenius(&self) -> Self {
        let Self(mut conjugate) = *self;
        for pair in conjugate.fp6.iter_mut().flat_map(|six| &mut six.fp2) {
            pair.fp[1].l = negated(pair.fp[1].l);
        }
        let mut power = conjugate;
        for (at, factor) in FROBENIUS.iter().enumerate().skip(1) {
            // w^at lies in the half `at % 2`, there at v^(at / 2).
            let (half, cube) = (at % 2, at / 2);
            power.fp6[half].fp2[cube] = (conjugate * factor.0).fp6[half].fp2[cube];
        }
        Self(power)
    }

    /// Whether it is in the target group.
    #[must_use]
    pub fn is_in_group(&self) -> bool {
        self.0.in_group()
    }
}

/// An element with such coefficients, as `blst` keeps them.
fn laid(same: [Coefficient; 6], half: [Coefficient; 6]) -> blst_fp12 {
    let six = |words: [Coefficient; 6]| {
        let [a, b, c, d, e, f] = words.map(|l| blst_fp { l });
        blst_fp6 { fp2: [[a, b], [c, d], [e, f]].map(|fp| blst_fp2 { fp }) }
    };
    blst_fp12 { fp6: [six(same), six(half)] }
}

/// p minus a number, or 0.
fn negated(number: Coefficient) -> Coefficient {
    let (mut left, mut borrows) = (P, false);
    for (word, &less) in left.iter_mut().zip(&number) {
        let (once, first) = word.overflowing_sub(less);
        let (twice, second) = once.overflowing_sub(u64::from(borrows));
        (*word, borrows) = (twice, first | second);
    }
    let kept = u64::from(number.iter().fold(0, |all, word| all | word) != 0).wrapping_neg();
    left.map(|word| word & kept)
}

/// All bits if something is so, else none; what it is, the compiler does not see.
fn mask(is_so: Choice) -> u64 {
    u64::from(is_so.unwrap_u8()).wrapping_neg()
}

/// The power that a digit names, found by looking at all.
pub(super) fn chosen(powers: &[Element; 16], digit: u8) -> Element {
    let mut taken = [0; 16];
    for (number, taken) in (0_u8..).zip(&mut taken) {
        *taken = mask(number.ct_eq(&digit));
    }
    // Word by word, so that none is kept in memory between two powers.
    let word = |six: usize, pair: usize, half: usize, word: usize| {
        let all = powers.iter().zip(&taken);
        all.fold(0, |found, (power, taken)| {
            found | power.0.fp6[six].fp2[pair].fp[half].l[word] & taken
        })
    };
    Element(blst_fp12 {
        fp6: from_fn(|six| blst_fp6 {
            fp2: from_fn(|pair| blst_fp2 {
                fp: from_fn(|half| blst_fp { l: from_fn(|at| word(six, pair, half, at)) }),
            }),
        }),
    })
}
