//! Points that are none of a group, by another implementation of the curve.
#![allow(dead_code, reason = "not every test needs everything")]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use ark_bls12_381::Fr;
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{Field, PrimeField};
use ark_serialize::CanonicalSerialize;

/// An element as it travels.
pub fn bytes_of(value: &impl CanonicalSerialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    value.serialize_compressed(&mut bytes).unwrap();
    bytes
}

/// A point of a curve that is outside the group, and bytes that are none.
pub fn bad_points<A: AffineRepr<BaseField = F>, F: Field>(
    point: impl Fn(F) -> Option<A>,
) -> Vec<Vec<u8>> {
    let outside = (1_u64..).find_map(|x| {
        point(F::from(x)).filter(|at| !at.mul_bigint(order()).into_affine().is_zero())
    });
    let off = (1_u64..).find(|&x| point(F::from(x)).is_none()).unwrap();
    let good = bytes_of(&A::generator());
    let mut off_curve = bytes_of(&F::from(off));
    off_curve.reverse(); // the highest byte first
    off_curve[0] |= 0x80;
    let mut uncompressed = good.clone();
    uncompressed[0] &= 0x7f;
    let mut above_p = vec![0xff; good.len()];
    above_p[0] = 0x9f;
    vec![
        bytes_of(&outside.unwrap()),
        off_curve,
        uncompressed,
        above_p,
        good[1..].to_vec(),
        Vec::new(),
    ]
}

fn order() -> <Fr as PrimeField>::BigInt {
    Fr::MODULUS
}
