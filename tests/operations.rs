//! Counts of operations, beside those that a published comparison of the schemes gives.
//!
//! Counts are of the whole process, so the tests take turns.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/scene.rs"]
mod scene;

use std::sync::{Mutex, MutexGuard, PoisonError};

use mopse::keys::Key;
use mopse::operations::{Counts, Operation};
use mopse::party::grants::{Grant, Grants};
use mopse::scheme::clww::{self, Clww};
use mopse::scheme::lewi_wu::{self, LewiWu};
use mopse::scheme::opse::Opse;
use mopse::scheme::{RANGE, Scheme};
use mopse::sharing::pairing::G2;
use mopse::sharing::reencryption::published::Keys;
use mopse::sharing::reencryption::{self, Envelope, Label, Proxy};
use serde::Deserialize;

static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Deserialize)]
struct Published {
    n: u32,
    d: u32,
    lambda: u32,
    bclo: Bclo,
    clww: ClwwCosts,
    lewi_wu: LewiWuCosts,
}

#[derive(Deserialize)]
struct Bclo {
    hypergeometric_draws: f64,
    ciphertext_bits: u32,
}

#[derive(Deserialize)]
struct ClwwCosts {
    prfs: u64,
    comparison_prfs: u64,
    ciphertext_bits: u32,
}

#[derive(Deserialize)]
struct LewiWuCosts {
    prps: u64,
    prfs: u64,
    hashes: u64,
    ciphertext_bits: u32,
}

fn published() -> Published {
    serde_json::from_str(include_str!("vectors/bogatov.json")).unwrap()
}

fn key() -> Key {
    Key::from_bytes(&[0xb0; 32]).unwrap()
}

fn counted<T>(call: impl FnOnce() -> T) -> (T, Counts) {
    let before = Counts::now();
    let answer = call();
    (answer, Counts::now().since(&before))
}

#[test]
fn clww_costs_what_is_published() {
    let (_turn, published) = (turn(), published());
    let clww = Clww::new(&key(), 1 << published.n).unwrap();
    assert_eq!(clww.ciphertext_bits(), published.clww.ciphertext_bits);
    let (c, took) = counted(|| clww.encrypt(1 << 30, ()).unwrap());
    assert_eq!(took[Operation::Prf], published.clww.prfs);
    assert_eq!(took[Operation::AesBlock], published.clww.prfs);
    let (_, took) = counted(|| Clww::compare(&c, &c));
    assert_eq!(took[Operation::Prf], published.clww.comparison_prfs);
    assert_eq!(took[Operation::Comparison], 1);
    let (_, took) = counted(|| clww::compare_batch(&[c; 70], &[c]).unwrap());
    assert_eq!(took[Operation::Comparison], 70);
    assert_eq!(took[Operation::AesBlock], 0);

    let mut ciphertexts = vec![0; 40_000];
    let batch = || clww.encrypt_batch(&[77; 40_000], &[(); 40_000], &mut ciphertexts);
    assert_eq!(counted(batch).1[Operation::Prf], 40_000 * published.clww.prfs);
    let (_, took) = counted(|| clww.decrypt(c, ()).unwrap());
    assert_eq!(took[Operation::Prf], published.clww.prfs);
}

#[test]
fn lewi_wu_costs_what_is_published_but_for_the_permutations_keys() {
    let (_turn, published) = (turn(), published());
    let (n, d) = (u64::from(published.n), u64::from(published.d));
    let lewi_wu = LewiWu::new(&key(), 1 << n, published.d).unwrap();
    let (_, took) = counted(|| lewi_wu.encrypt(1 << 30, 1).unwrap());
    assert_eq!(took[Operation::Prp], published.lewi_wu.prps);
    assert_eq!(took[Operation::Hash], published.lewi_wu.hashes);
    // The key of a block's permutation is derived once for the right half, not once an entry.
    assert_eq!(took[Operation::Prf], 112);
    assert_eq!(took[Operation::Prf], n / d * ((1 << d) + 3));
    assert_eq!(took[Operation::Prf] + n / d * ((1 << d) - 1), published.lewi_wu.prfs);
    assert_eq!(published.lewi_wu.prfs, 2 * (n / d) * ((1 << d) + 1));
}

#[test]
fn a_lewi_wu_ciphertext_is_as_long_as_published_but_for_permuted_blocks() {
    let published = published();
    let (n, d, lambda) = (published.n, published.d, published.lambda);
    let lewi_wu = LewiWu::new(&key(), 1 << n, d).unwrap();
    let bits = u32::try_from(8 * lewi_wu.layout().size()).unwrap();
    assert_eq!(bits, 2336);
    assert_eq!(published.lewi_wu.ciphertext_bits, n / d * (lambda + n + (2 << d)) + lambda);
    // A permuted block is stored in d bits, where the table counts n.
    assert_eq!(bits + n / d * (n - d), published.lewi_wu.ciphertext_bits);
}

#[test]
fn a_comparison_hashes_up_to_the_first_block_that_differs() {
    let _turn = turn();
    for d in [1, 2, 3, 8_u32] {
        let lewi_wu = LewiWu::new(&key(), 1 << 32, d).unwrap();
        let layout = lewi_wu.layout();
        let x = 0x5a5a_1234;
        let one = lewi_wu.encrypt(x, 1).unwrap();
        for bit in 0..32 {
            let other = lewi_wu.encrypt(x ^ 1 << bit, 2).unwrap();
            let (_, took) = counted(|| LewiWu::compare(&one, &other));
            assert_eq!(took[Operation::Hash], layout.blocks() as u64 - u64::from(bit / d));
            assert_eq!(took[Operation::Prf] + took[Operation::AesBlock], 0);
            assert_eq!(took[Operation::Comparison], 1);
        }
        let equal = lewi_wu.encrypt(x, 3).unwrap();
        let compare = || lewi_wu::compare_batch(layout, one.bytes(), &equal.bytes().repeat(5));
        let (_, took) = counted(compare);
        assert_eq!(took[Operation::Hash], 5 * layout.blocks() as u64);
        assert_eq!(took[Operation::Comparison], 5);
    }
}

/// Splits until a plaintext is alone in its piece: on average, those of a key in a binary trie of as
/// many random keys. With `k` splits it is not yet alone with probability `1 - (1 - 2^-k)^(M - 1)`;
/// the sum over `k` is about `log2 M + 1.33` (Knuth, The Art of Computer Programming 3, 6.3).
fn splits_expected(plaintexts: u64) -> f64 {
    let others = f64::from(u32::try_from(plaintexts - 1).unwrap());
    (0..64).map(|k| -(others * (-(0.5_f64.powi(k))).ln_1p()).exp_m1()).sum()
}

/// The mean over 1000 plaintexts spread over the domain, of which one has a standard deviation of
/// 1.9; so the bound is five standard errors.
#[test]
fn opse_splits_until_a_plaintext_is_alone() {
    let (_turn, published) = (turn(), published());
    for bits in [10, 16, 32] {
        let opse = Opse::new(&key(), 1 << bits).unwrap();
        let stride = 0x9e37_79b9_7f4a_7c15_u64;
        let plaintexts =
            (1..=1000_u64).map(|i| (i.wrapping_mul(stride) >> (64 - bits)).cast_signed());
        let (_, took) = counted(|| plaintexts.for_each(|x| assert!(opse.encrypt_one(x).is_ok())));
        let mean = f64::from(u32::try_from(took[Operation::Split]).unwrap()) / 1000.0;
        let expected = splits_expected(1 << bits);
        println!("{mean} splits for {bits} bits, {expected} expected");
        assert!((expected - f64::from(bits) - 1.33).abs() < 0.01, "{expected}");
        assert!((mean - expected).abs() < 0.3, "{mean} splits for {bits} bits");
        assert!(bits != published.n || mean < published.bclo.hypergeometric_draws);
    }
    assert_eq!(RANGE.ilog2() + 1, published.bclo.ciphertext_bits, "ours and a bit for the sign");
}

#[test]
fn public_key_operations_of_the_published_re_encryption_are_per_portion_whatever_its_length() {
    let _turn = turn();
    let (owner, user) = (Keys::generate("ann").unwrap(), Keys::generate("ben").unwrap());
    owner.encrypt("visit", "medical", b"").unwrap(); // pairs the generators, once in a process
    for length in [0, 1, 64, 6400] {
        let plaintext = vec![7; length];
        let mut before = Counts::now();
        let mut took = || {
            let now = Counts::now();
            let took = now.since(&before);
            before = now;
            (took[Operation::Pairing], took[Operation::Power])
        };
        let (ciphertext, capsule) = owner.encrypt("visit", "medical", &plaintext).unwrap();
        assert_eq!(took(), (0, 2), "the mask and the capsule");
        let key = G2::generator().power(&user.secret().times(&owner.secret().inverse()));
        assert_eq!(took(), (0, 1), "the re-encryption key");
        let released = capsule.re_encrypted("ben", &key);
        assert_eq!(took(), (1, 0), "the re-encryption");
        assert_eq!(*user.open(&ciphertext, &released).unwrap(), plaintext);
        assert_eq!(took(), (0, 1), "what bares the mask");
    }
}

#[test]
fn public_key_operations_of_re_encryption_are_per_label_and_user_and_none_for_a_record() {
    let _turn = turn();
    let mut owner = scene::owner(1);
    let hospital = owner.authorize("hospital", &[]).unwrap();
    let cloud = scene::Cloud::of(&mut owner);
    let label = Label::of(&owner, "hospital", "rest", None).unwrap();
    let keys: Vec<_> = (0..20).map(|_| reencryption::Keys::generate().unwrap()).collect();
    Envelope::wrap(&owner, &label, u64::MAX).unwrap(); // pairs the generators, once in a process
    let asymmetric = |took: &Counts| {
        (took[Operation::Pairing], took[Operation::Power], took[Operation::Encapsulation])
    };
    let (mut lengths, mut proxy, mut next) = (Vec::new(), Proxy::new(), 0);
    for records in [1, 100] {
        let rows: Vec<scene::Row> = (next..next + records).map(|id| (id, 40, None)).collect();
        next += records;
        let (upload, took) = counted(|| scene::upload(&hospital, &rows));
        assert_eq!(asymmetric(&took), (0, 0, 0), "sealing");
        cloud.receive(&upload).unwrap();
        let (envelope, took) = counted(|| Envelope::wrap(&owner, &label, u64::MAX).unwrap());
        assert_eq!(asymmetric(&took), (0, 2, 0), "the capsule and what it closes");
        lengths.push(envelope.encode().len());
        for keys in &keys {
            let (key, took) =
                counted(|| reencryption::Key::make(&owner, &label, keys.public()).unwrap());
            assert_eq!(asymmetric(&took), (0, 1, 0), "the re-encryption key");
            proxy.receive(&key);
        }
        let name = keys[3].public().name();
        let (released, took) = counted(|| proxy.re_encrypt(&envelope, &name).unwrap());
        assert_eq!(asymmetric(&took), (1, 0, 0), "the re-encryption");
        let (grant, took) = counted(|| keys[3].open(&envelope, &released).unwrap());
        assert_eq!(asymmetric(&took), (0, 1, 0), "what bares the grant");
        let mut grants = Grants::default();
        grants.add(Grant::decode(&grant).unwrap(), scene::NOW).unwrap();
        let answer = cloud.answer(&scene::ask(&owner, &[scene::age(0, 120)])).unwrap();
        let open =
            |part| grants.open_part(part, &[scene::age(0, 120)], &scene::schema(), scene::NOW);
        let (opened, took) = counted(|| answer.parts.iter().map(open).collect::<Vec<_>>());
        let found: usize = opened.iter().map(|part| part.as_ref().unwrap().handles.len()).sum();
        assert_eq!(found, usize::try_from(next).unwrap());
        assert_eq!(asymmetric(&took), (0, 0, 0), "opening records");
    }
    assert_eq!(lengths[0], lengths[1], "whatever the number of records and of users");
}
