//! Order-revealing schemes: known answers, what a comparison shows, refusals.
//!
//! Laws that all schemes keep are in `scheme_contract.rs`, counts in `operations.rs`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use mopse::keys::Key;
use mopse::scheme::clww::{self, Clww};
use mopse::scheme::lewi_wu::{self, Ciphertext, LewiWu, Shape};
use mopse::scheme::{Error, MOST_PLAINTEXTS, Scheme};
use proptest::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Vectors {
    clww: Vec<ClwwCase>,
    lewi_wu: Vec<LewiWuCase>,
}

#[derive(Deserialize)]
struct ClwwCase {
    #[serde(with = "hex")]
    key: Vec<u8>,
    domain: u64,
    plaintexts: Vec<i64>,
    ciphertexts: Vec<u64>,
}

#[derive(Deserialize)]
struct LewiWuCase {
    #[serde(with = "hex")]
    key: Vec<u8>,
    domain: u64,
    block_bits: u32,
    plaintexts: Vec<i64>,
    nonces: Vec<String>,
    left: Vec<String>,
    right: Vec<String>,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("vectors/ore.json")).unwrap()
}

fn key() -> Key {
    Key::from_bytes(&[0x0e; 32]).unwrap()
}

#[test]
fn clww_ciphertexts_match() {
    for case in vectors().clww {
        let clww = Clww::new(&Key::from_bytes(&case.key).unwrap(), case.domain).unwrap();
        let mut ciphertexts = vec![0; case.plaintexts.len()];
        let ids = vec![(); case.plaintexts.len()];
        clww.encrypt_batch(&case.plaintexts, &ids, &mut ciphertexts).unwrap();
        assert_eq!(ciphertexts, case.ciphertexts);
        assert_eq!(clww.decrypt_batch(&ciphertexts), Ok(case.plaintexts));
    }
}

#[test]
fn lewi_wu_halves_match() {
    for case in vectors().lewi_wu {
        let key = Key::from_bytes(&case.key).unwrap();
        let lewi_wu = LewiWu::new(&key, case.domain, case.block_bits).unwrap();
        for (i, &x) in case.plaintexts.iter().enumerate() {
            let nonce = u128::from_str_radix(&case.nonces[i], 16).unwrap();
            let ciphertext = lewi_wu.encrypt(x, nonce).unwrap();
            assert_eq!(hex::encode(ciphertext.left_bytes()), case.left[i]);
            assert_eq!(hex::encode(ciphertext.right_bytes()), case.right[i]);
            assert_eq!(lewi_wu.decrypt_batch(ciphertext.bytes()), Ok(vec![x]));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The place of the first digit that differs is that of the first bit that differs, and no
    /// digit above it tells two plaintexts apart.
    #[test]
    fn clww_shows_the_first_bit_that_differs(x in 0..1_i64 << 32, bit in 0..32_u32) {
        let clww = Clww::new(&key(), 1 << 32).unwrap();
        let encrypt = |x| clww.encrypt(x, ()).unwrap();
        let other = x ^ 1 << bit;
        prop_assert_eq!((encrypt(x) ^ encrypt(other)).ilog2() / 2, bit);
    }

    /// Left halves agree block by block as far as the plaintexts do, and no further.
    #[test]
    fn lewi_wu_shows_the_first_block_that_differs(
        x in 0..1_i64 << 32,
        bit in 0..32_u32,
        block_bits in 1..9_u32,
    ) {
        let lewi_wu = LewiWu::new(&key(), 1 << 32, block_bits).unwrap();
        let left = |x| lewi_wu.encrypt(x, 0).unwrap().left_bytes().to_vec();
        let (one, other) = (left(x), left(x ^ 1 << bit));
        let equal = one.chunks(16).zip(other.chunks(16)).take_while(|(a, b)| a == b).count();
        let blocks = lewi_wu.layout().blocks();
        prop_assert_eq!(equal, blocks - 1 - (bit / block_bits) as usize);
    }

    #[test]
    fn batches_compare_as_integers(
        plaintexts in prop::collection::vec((0..30_i64, 0..30_i64), 0..20),
        x in 0..30_i64,
        block_bits in 1..9_u32,
    ) {
        let (left, right): (Vec<i64>, Vec<i64>) = plaintexts.into_iter().unzip();
        let signs = |left: &[i64], right: &[i64]| -> Vec<i8> {
            left.iter().zip(right).map(|(a, b)| a.cmp(b) as i8).collect()
        };
        let (each, many) = (signs(&left, &right), signs(&left, &vec![x; left.len()]));

        let clww = Clww::new(&key(), 30).unwrap();
        let encrypt = |xs: &[i64]| -> Vec<u64> {
            xs.iter().map(|&x| clww.encrypt(x, ()).unwrap()).collect()
        };
        prop_assert_eq!(&clww::compare_batch(&encrypt(&left), &encrypt(&right)).unwrap(), &each);
        prop_assert_eq!(&clww::compare_batch(&encrypt(&left), &encrypt(&[x])).unwrap(), &many);

        let lewi_wu = LewiWu::new(&key(), 30, block_bits).unwrap();
        let layout = lewi_wu.layout();
        let encrypt = |xs: &[i64]| -> Vec<u8> {
            let mut bytes = vec![0xff; xs.len() * layout.size()];
            lewi_wu.encrypt_fresh_batch(xs, &mut bytes).unwrap();
            bytes
        };
        let compare = |a: &[u8], b: &[u8]| lewi_wu::compare_batch(layout, a, b).unwrap();
        prop_assert_eq!(&compare(&encrypt(&left), &encrypt(&right)), &each);
        prop_assert_eq!(&compare(&encrypt(&left), &encrypt(&[x])), &many);
        let back: Vec<i8> = many.iter().map(|sign| -sign).collect();
        prop_assert_eq!(&compare(&encrypt(&[x]), &encrypt(&left)), &back);
        prop_assert_eq!(lewi_wu.decrypt_batch(&encrypt(&left)), Ok(left));
    }

    /// Whatever the bytes are, comparing and decrypting them ends with an answer or an error.
    #[test]
    fn arbitrary_bytes_are_no_ciphertexts(
        bytes in prop::collection::vec(any::<u8>(), 66),
        number: u64,
    ) {
        let lewi_wu = LewiWu::new(&key(), 121, 3).unwrap();
        let size = lewi_wu.layout().size();
        prop_assert_eq!(size, 72);
        let bytes = bytes.repeat(2)[..size].to_vec();
        prop_assert!(lewi_wu::compare_batch(lewi_wu.layout(), &bytes, &bytes).is_ok());
        let refused = Err(Error::InvalidCiphertext { position: 0 });
        prop_assert_eq!(lewi_wu.decrypt_batch(&bytes), refused.clone());
        let clww = Clww::new(&key(), 1 << 32).unwrap();
        if let Ok(x) = clww.decrypt(number, ()) {
            prop_assert_eq!(clww.encrypt(x, ()), Ok(number));
        }
    }

    #[test]
    fn key_domain_and_block_decide_the_ciphertexts(x in 0..1000_i64) {
        let other = Key::from_bytes(&[0xe0; 32]).unwrap();
        let left = |key: &Key, domain, bits| {
            let scheme = LewiWu::new(key, domain, bits).unwrap();
            scheme.encrypt(x, 0).unwrap().left_bytes()[..16].to_vec()
        };
        let one = left(&key(), 1000, 4);
        prop_assert_ne!(&one, &left(&other, 1000, 4));
        prop_assert_ne!(&one, &left(&key(), 1001, 4));
        prop_assert_ne!(&one, &left(&key(), 1000, 3));
        // Thirty-two digits of two keys or domains agree by chance once in 10^15.
        let wide = |key: &Key, domain| Clww::new(key, domain).unwrap().encrypt(x, ());
        prop_assert_ne!(wide(&key(), 1 << 32), wide(&other, 1 << 32));
        prop_assert_ne!(wide(&key(), 1 << 32), wide(&key(), (1 << 32) - 1));
    }
}

/// Three bits, two digits of which are known: 5 = 101 and 4 = 100 differ in the last bit, so the
/// last digit of 5 is that of 4 plus one; 3 = 011 differs from both in the first.
#[test]
fn three_bits_by_hand() {
    let clww = Clww::new(&key(), 8).unwrap();
    let digits = |x| {
        let ciphertext = clww.encrypt(x, ()).unwrap();
        [ciphertext >> 4, ciphertext >> 2 & 3, ciphertext & 3]
    };
    let (three, four, five) = (digits(3), digits(4), digits(5));
    assert_eq!(four[..2], five[..2]);
    assert_eq!((four[2] + 1) % 3, five[2]);
    assert_eq!((three[0] + 1) % 3, four[0]);
}

/// Right halves under different nonces share no pattern: over 1000 encryptions of two plaintexts,
/// how often two right halves have equal digits does not depend on whether the plaintexts are
/// equal. Chi-square of 3 by 2 cells, 2 degrees of freedom, 1 - 1e-6 quantile 27.6; fixed nonces.
#[test]
fn digits_of_right_halves_are_uniform_whatever_the_plaintext() {
    let lewi_wu = LewiWu::new(&key(), 4, 2).unwrap();
    for x in 0..4 {
        let mut counts = [0_u32; 3];
        for nonce in 0..3000 {
            let ciphertext = lewi_wu.encrypt(x, nonce).unwrap();
            for shift in [0, 2, 4, 6] {
                counts[usize::from(ciphertext.right_bytes()[16] >> shift & 3)] += 1;
            }
        }
        let chi2: f64 = counts.iter().map(|&n| (f64::from(n) - 4e3).powi(2) / 4e3).sum();
        assert!(chi2 < 27.6, "chi-square is {chi2}");
    }
}

#[test]
fn sizes_beyond_the_limits_are_refused() {
    for got in [0, MOST_PLAINTEXTS + 1, u64::MAX] {
        let refusal = Error::Domain { got };
        assert_eq!(Clww::new(&key(), got).unwrap_err(), refusal);
        assert_eq!(LewiWu::new(&key(), got, 8).unwrap_err(), refusal);
    }
    for got in [0, 9, u32::MAX] {
        let refusal = Error::BlockBits { got };
        assert_eq!(LewiWu::new(&key(), 9, got).unwrap_err(), refusal);
        assert_eq!(Shape::of_size(97, got).unwrap_err(), refusal);
    }
    for domain in [1, 2, 3, 256, 257, 65_536, 65_537, 1 << 32] {
        for block_bits in 1..=8 {
            let layout = Shape::new(domain, block_bits).unwrap();
            assert_eq!(Shape::of_size(layout.size(), block_bits), Ok(layout));
            let got = layout.size() + 1;
            assert_eq!(Shape::of_size(got, block_bits), Err(Error::CiphertextSize { got }));
        }
    }
}

#[test]
fn arrays_that_do_not_belong_together_are_refused() {
    let length = |what, expected, got| Error::Length { what, expected, got };
    let array = |expected, got| length("the second array", expected, got);
    assert_eq!(clww::compare_batch(&[0; 3], &[0; 2]), Err(array(3, 2)));
    assert_eq!(clww::compare_batch(&[], &[0; 2]), Err(array(0, 2)));
    assert_eq!(clww::compare_batch(&[], &[0]), Ok(vec![]));

    let lewi_wu = LewiWu::new(&key(), 256, 8).unwrap();
    let layout = lewi_wu.layout();
    let bytes = [0; 3 * 97];
    let compare =
        |left: usize, right: usize| lewi_wu::compare_batch(layout, &bytes[..left], &bytes[..right]);
    assert_eq!(compare(3 * 97, 2 * 97), Err(array(3, 2)));
    assert_eq!(compare(97, 96), Err(length("the last ciphertext", 97, 96)));
    assert_eq!(lewi_wu.decrypt_batch(&bytes[..98]), Err(length("the last ciphertext", 97, 1)));
    let refused = lewi_wu.encrypt_fresh_batch(&[1, 2], &mut [0; 3 * 97]);
    assert_eq!(refused, Err(length("the ciphertext array", 194, 291)));
    let refused = Ciphertext::from_bytes(layout, &bytes[..96]);
    assert_eq!(refused, Err(length("the ciphertext", 97, 96)));
}

#[test]
fn what_is_outside_or_no_ciphertext_is_named_by_position() {
    let clww = Clww::new(&key(), 121).unwrap();
    let invalid = |position| Err(Error::InvalidCiphertext { position });
    for (left, right, position) in [(&[0, 1, 3, 3][..], &[0][..], 2), (&[0], &[0, 12], 1)] {
        let refused = Err(Error::InvalidCiphertext { position });
        assert_eq!(clww::compare_batch(left, right), refused);
    }
    let good = clww.encrypt(5, ()).unwrap();
    assert_eq!(clww.decrypt_batch(&[good, good | 3, 3 << 62]), invalid(1));

    let lewi_wu = LewiWu::new(&key(), 121, 4).unwrap();
    let size = lewi_wu.layout().size();
    let mut bytes = vec![0; 3 * size];
    let refused = lewi_wu.encrypt_fresh_batch(&[7, 121, -1], &mut bytes);
    assert_eq!(refused, Err(Error::OutOfDomain { position: 1, domain: 121 }));
    lewi_wu.encrypt_fresh_batch(&[7, 8, 9], &mut bytes).unwrap();
    bytes[2 * size] ^= 1;
    assert_eq!(lewi_wu.decrypt_batch(&bytes), invalid(2));
}

#[test]
fn a_ciphertext_with_another_nonce_or_layout_is_refused() {
    let lewi_wu = LewiWu::new(&key(), 121, 4).unwrap();
    let ciphertext = lewi_wu.encrypt(7, 1).unwrap();
    let invalid = Err(Error::InvalidCiphertext { position: 0 });
    assert_eq!(lewi_wu.decrypt(ciphertext.clone(), 2), invalid);
    let other = LewiWu::new(&key(), 121, 5).unwrap();
    assert_eq!(other.decrypt(ciphertext.clone(), 1), invalid);
    let longer = other.encrypt(7, 1).unwrap();
    assert_ne!(LewiWu::compare(&ciphertext, &longer), std::cmp::Ordering::Equal);
}

#[test]
fn keys_do_not_print() {
    let shown = format!("{:?}", Clww::new(&key(), 9).unwrap());
    assert_eq!(shown, "Clww { domain: 9, .. }");
    let shown = format!("{:?}", LewiWu::new(&key(), 9, 2).unwrap());
    assert_eq!(shown, "LewiWu { domain: 9, layout: Shape { block_bits: 2, blocks: 2 }, .. }");
}
