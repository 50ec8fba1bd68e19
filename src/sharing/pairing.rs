//! The groups of a pairing, BLS12-381: what is computed in them, and how their elements are written.
//!
//! ```text
//! e : G1 x G2 -> GT,    e(g1^a, g2^b) = Z^(a b),    Z = e(g1, g2),    all of prime order r of 255 bits
//! scalar  32 bytes  little-endian, from 1 to r - 1
//! G1, G2  48, 96    compressed, as in ZCash's protocol specification, section 5.4.9.2
//! GT      576       twelve coefficients, see `field`
//! ```
//!
//! Whatever is read is in its group, and not the identity, which hides nothing: both are checked before anything
//! is computed with it, and neither can be made here. So no element here ever is the identity.
//!
//! # Cost
//!
//! In pairings, which take 0.6 to 0.8 ms each: a power in G1 0.15, in G2 0.28, in GT 0.66, of the generators
//! of G1 and GT together 0.37; reading and checking an element of G1 0.10, of G2 0.14, of GT 0.12
//! (`tests/benches/reencryption.rs`).
//!
//! # Leakage
//!
//! Times of powers and inverses depend on no scalar: those of scalars and in G1 and G2 by `blst`, in GT by looking at
//! all of sixteen products for each digit. A random scalar is drawn again while it is too large, which says nothing
//! of the one that is kept. Reading an element takes longer where it is good. Scalars are wiped when dropped, what is
//! computed of them on the way is not always. Where a power is taken by tables, all entries are looked at.
//!
//! # Sources
//!
//! The curve: draft-irtf-cfrg-pairing-friendly-curves. The arithmetic: `blst`, audited by NCC in January 2021, and
//! `blstrs`, which makes it safe to call; its own powers in GT branch on the scalar and are not used.

mod base;
pub mod field;

use std::fmt;
use std::sync::LazyLock;

use ::blst::blst_fp12;
use blstrs::{G1Affine, G1Projective, G2Affine, G2Projective};
use ff::Field;
use group::prime::PrimeCurveAffine;
use zeroize::{DefaultIsZeroes, Zeroizing};

use super::Error;
use crate::keys::{self, fill_random};
use crate::operations::{Operation, count};
use field::Element;

/// Bytes of a scalar.
pub const SCALAR_LEN: usize = 32;

/// |z|, of the negative z that the curve is made of: r = z^4 - z^2 + 1.
const Z: u64 = 0xd201_0000_0001_0000;

/// A number that can be wiped.
#[derive(Clone, Copy, Default)]
struct Bare(blstrs::Scalar);

impl DefaultIsZeroes for Bare {}

/// A secret number from 1 to r - 1.
#[derive(Clone)]
pub struct Scalar(Zeroizing<Bare>);

impl fmt::Debug for Scalar {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Scalar").finish_non_exhaustive()
    }
}

impl Scalar {
    fn of(number: blstrs::Scalar) -> Self {
        Self(Zeroizing::new(Bare(number)))
    }

    fn number(&self) -> &blstrs::Scalar {
        &self.0.0
    }

    /// Returns a new one from the operating system's randomness.
    ///
    /// # Errors
    ///
    /// [`keys::Error::Randomness`] if there is none.
    pub fn generate() -> Result<Self, Error> {
        let mut bytes = Zeroizing::new([0; SCALAR_LEN]);
        // Each try succeeds with a chance of 0.9, so that these fail together with a chance below 2^-430.
        for _ in 0..128 {
            fill_random(bytes.as_mut_slice())?;
            bytes[SCALAR_LEN - 1] &= 0x7f; // 255 bits
            if let Ok(scalar) = Self::decode(bytes.as_slice(), "the random number") {
                return Ok(scalar);
            }
        }
        Err(keys::Error::Randomness.into())
    }

    /// A number of 512 bits modulo r, little-endian: of uniform ones each comes with a chance of 1/r, but for 2^-256.
    pub(super) fn of_wide(wide: &[u8; 2 * SCALAR_LEN]) -> Self {
        let shift = blstrs::Scalar::from(1 << 32).square().square(); // 2^128
        let number = wide.rchunks(16).fold(blstrs::Scalar::ZERO, |number, part| {
            let mut low = Zeroizing::new([0; SCALAR_LEN]);
            low[..part.len()].copy_from_slice(part);
            // Below 2^128, and so one.
            let part: Option<_> = blstrs::Scalar::from_bytes_le(&low).into();
            number * shift + part.unwrap_or(blstrs::Scalar::ZERO)
        });
        // 0 with a chance of 2^-255.
        if number.is_zero_vartime() { Self::of(blstrs::Scalar::ONE) } else { Self::of(number) }
    }

    /// Reads one; `what` is what errors call it.
    ///
    /// # Errors
    ///
    /// [`Error::Scalar`] if it has not 32 bytes, is 0, or r or more.
    pub fn decode(bytes: &[u8], what: &'static str) -> Result<Self, Error> {
        let bytes = bytes.try_into().map_err(|_| Error::Scalar { what })?;
        let number: Option<blstrs::Scalar> = blstrs::Scalar::from_bytes_le(bytes).into();
        match number {
            Some(number) if !number.is_zero_vartime() => Ok(Self::of(number)),
            _ => Err(Error::Scalar { what }),
        }
    }

    /// What [`decode`](Self::decode) reads.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<[u8; SCALAR_LEN]> {
        Zeroizing::new(self.number().to_bytes_le())
    }

    /// Its digits to the base |z|, the lowest first.
    fn digits(&self) -> Zeroizing<[u64; 4]> {
        let bytes = self.encode();
        let (words, _) = bytes.as_chunks::<8>();
        let mut left: Zeroizing<[u64; 4]> =
            Zeroizing::new(std::array::from_fn(|at| u64::from_le_bytes(words[at])));
        let mut digits = Zeroizing::new([0; 4]);
        for digit in digits.iter_mut() {
            let (quotient, rest) = divided(&left);
            (*left, *digit) = (quotient, rest);
        }
        digits
    }

    /// 1 over it.
    #[must_use]
    pub fn inverse(&self) -> Self {
        // None of 0, which it is not.
        Self::of(self.number().invert().unwrap_or(blstrs::Scalar::ONE))
    }

    /// 0 minus it.
    #[must_use]
    pub(super) fn negated(&self) -> Self {
        Self::of(-self.number())
    }

    /// It, times another.
    #[must_use]
    pub fn times(&self, other: &Self) -> Self {
        Self::of(self.number() * other.number())
    }

    /// The sum of it and another; `None` for 0.
    pub(super) fn plus(&self, other: &Self) -> Option<Self> {
        let sum = self.number() + other.number();
        (!sum.is_zero_vartime()).then(|| Self::of(sum))
    }
}

/// A number divided by |z|, and the rest, in a time that does not depend on it.
fn divided(number: &[u64; 4]) -> ([u64; 4], u64) {
    let (mut quotient, mut rest) = ([0; 4], 0_u128);
    for bit in (0..256).rev() {
        let (word, place) = (bit / 64, bit % 64);
        rest = rest << 1 | u128::from(number[word] >> place & 1);
        let less = rest.wrapping_sub(u128::from(Z));
        let is_less = u64::from(less >> 127 != 0); // below 0, so that |z| did not go into it
        let kept = u128::from(is_less).wrapping_neg();
        rest = rest & kept | less & !kept;
        quotient[word] |= (1 - is_less) << place;
    }
    (quotient, u64::try_from(rest).unwrap_or(Z)) // it is below |z|
}

macro_rules! curve_groups {
    ($($(#[$doc:meta])* $name:ident($affine:ident of $projective:ident), $length:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name($affine);

        impl $name {
            /// Bytes of an element.
            pub const LEN: usize = $length;

            /// The generator that standards name.
            #[must_use]
            pub fn generator() -> Self {
                Self($affine::generator())
            }

            /// The power of it by a scalar.
            #[must_use]
            pub fn power(&self, scalar: &Scalar) -> Self {
                count(Operation::Power, 1);
                Self($affine::from($projective::from(self.0) * scalar.number()))
            }

            /// Reads an element; `what` is what errors call it.
            ///
            /// # Errors
            ///
            /// [`Error::Group`] if it is none of the group, in its one form, [`Error::Identity`].
            pub fn decode(bytes: &[u8], what: &'static str) -> Result<Self, Error> {
                let bytes = bytes.try_into().map_err(|_| Error::Group { what })?;
                let point: Option<$affine> = $affine::from_compressed(bytes).into();
                let point = point.ok_or(Error::Group { what })?;
                if point.is_identity().into() { Err(Error::Identity { what }) } else { Ok(Self(point)) }
            }

            /// What [`decode`](Self::decode) reads.
            #[must_use]
            pub fn encode(&self) -> [u8; $length] {
                self.0.to_compressed()
            }
        }
    )*};
}

curve_groups! {
    /// An element of the first group: short, and quick to compute with.
    G1(G1Affine of G1Projective), 48;
    /// An element of the second group.
    G2(G2Affine of G2Projective), 96;
}

impl G1 {
    /// The power of the generator by a scalar, by tables.
    #[must_use]
    pub fn of_generator(scalar: &Scalar) -> Self {
        count(Operation::Power, 1);
        Self(base::in_g1(scalar))
    }
}

impl G2 {
    /// It, times another; `None` for the identity.
    pub(super) fn times(&self, other: &Self) -> Option<Self> {
        let product = G2Affine::from(G2Projective::from(self.0) + other.0);
        (!bool::from(product.is_identity())).then_some(Self(product))
    }
}

/// An element of the target group.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gt(Element);

impl Gt {
    /// Bytes of an element.
    pub const LEN: usize = Element::LEN;

    /// Z, the pairing of the generators.
    #[must_use]
    pub fn generator() -> Self {
        static Z: LazyLock<Gt> = LazyLock::new(|| Gt::pairing(&G1::generator(), &G2::generator()));
        *Z
    }

    /// The pairing of two elements.
    #[must_use]
    pub fn pairing(one: &G1, other: &G2) -> Self {
        count(Operation::Pairing, 1);
        Self(Element::of(blst_fp12::miller_loop(other.0.as_ref(), one.0.as_ref()).final_exp()))
    }

    /// The power of it by a scalar.
    ///
    /// As p is z modulo r, its powers by z^i are its images under the Frobenius map, so that four powers of 64 bits
    /// take the place of one of 255: Galbraith and Scott, Pairing 2008, section 5.
    #[must_use]
    pub fn power(&self, scalar: &Scalar) -> Self {
        count(Operation::Power, 1);
        let digits = scalar.digits();
        let mut images = [self.0; 4];
        for at in 1..images.len() {
            images[at] = images[at - 1].frobenius();
        }
        // z is negative.
        images = [images[0], images[1].conjugate(), images[2], images[3].conjugate()];
        let mut products = [Element::one(); 16];
        for at in 1_usize..16 {
            let (rest, lowest) = (at & (at - 1), at.trailing_zeros() as usize);
            products[at] = products[rest].times(&images[lowest]);
        }
        let mut power = Element::one();
        for bit in (0..u64::BITS).rev() {
            let places = digits.iter().rev();
            let which = places.fold(0, |which, digit| which << 1 | u8::from(digit >> bit & 1 != 0));
            power = power.times(&power).times(&field::chosen(&products, which));
        }
        Self(power)
    }

    /// The power of Z by a scalar, by tables.
    #[must_use]
    pub fn of_generator(scalar: &Scalar) -> Self {
        count(Operation::Power, 1);
        Self(base::in_gt(scalar))
    }

    /// 1 over it.
    #[must_use]
    pub fn inverse(&self) -> Self {
        Self(self.0.conjugate())
    }

    /// Reads an element; `what` is what errors call it.
    ///
    /// # Errors
    ///
    /// [`Error::Group`] if it is none of the group, in its one form, [`Error::Identity`].
    pub fn decode(bytes: &[u8], what: &'static str) -> Result<Self, Error> {
        Self::of(Element::decode(bytes).ok_or(Error::Group { what })?, what)
    }

    /// An element of the field that is in the group; `what` is what errors call it.
    ///
    /// # Errors
    ///
    /// [`Error::Group`] if it is not in the group, [`Error::Identity`].
    pub fn of(element: Element, what: &'static str) -> Result<Self, Error> {
        if element == Element::one() {
            Err(Error::Identity { what })
        } else if element.is_in_group() {
            Ok(Self(element))
        } else {
            Err(Error::Group { what })
        }
    }

    /// What [`decode`](Self::decode) reads.
    #[must_use]
    pub fn encode(&self) -> [u8; Element::LEN] {
        self.0.encode()
    }

    /// It, as an element of the field.
    #[must_use]
    pub fn element(&self) -> &Element {
        &self.0
    }
}
