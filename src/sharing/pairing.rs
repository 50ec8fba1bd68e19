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
//! In pairings, which take 0.6 to 0.8 ms each: a power in G1 0.14, in G2 0.28, in GT 1.0; reading and checking
//! an element of G1 0.08, of G2 0.11, of GT 0.2.
//!
//! # Leakage
//!
//! Times of powers and inverses depend on no scalar: in G1 and G2 by `blst`, in GT by [`field`]. A random scalar
//! is drawn again while it is too large, which says nothing of the one that is kept. Reading an element takes
//! longer where it is good. Scalars are wiped when dropped, what is computed of them on the way is not always.
//!
//! # Sources
//!
//! The curve: draft-irtf-cfrg-pairing-friendly-curves. The arithmetic: `blst`, audited by NCC in January 2021, and
//! `blstrs`, which makes it safe to call; its own powers in GT branch on the scalar and are not used.

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
        // Each try succeeds with a chance of 0.9, so that these fail together with a chance of 2^-422.
        for _ in 0..128 {
            fill_random(bytes.as_mut_slice())?;
            bytes[SCALAR_LEN - 1] &= 0x7f; // 255 bits
            if let Ok(scalar) = Self::decode(bytes.as_slice(), "the random number") {
                return Ok(scalar);
            }
        }
        Err(keys::Error::Randomness.into())
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

    /// 1 over it.
    #[must_use]
    pub fn inverse(&self) -> Self {
        // None of 0, which it is not.
        Self::of(self.number().invert().unwrap_or(blstrs::Scalar::ONE))
    }

    /// 0 minus it.
    #[must_use]
    pub fn negated(&self) -> Self {
        Self::of(-self.number())
    }

    /// It, times another.
    #[must_use]
    pub fn times(&self, other: &Self) -> Self {
        Self::of(self.number() * other.number())
    }
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
    #[must_use]
    pub fn power(&self, scalar: &Scalar) -> Self {
        count(Operation::Power, 1);
        Self(self.0.power(scalar.encode().as_slice()))
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
