//! Known answers of the schemes, computed by other code: `tests/python/reference.py`.
//!
//! They also pin the ciphertexts: a change to any of them needs a new version of the mapping.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use mopse::keys::Key;
use mopse::keys::coins::Coins;
use mopse::scheme::Scheme;
use mopse::scheme::hypergeometric::split;
use mopse::scheme::mopse::{Handle, Mopse};
use mopse::scheme::opse::{OneToMany, Opse};
use mopse::scheme::ruler::{Layout, Ruler};
use serde::Deserialize;

#[derive(Deserialize)]
struct Vectors {
    splits: Vec<Splits>,
    opse: Vec<Deterministic>,
    one_to_many: Vec<Spread>,
    mopse: Vec<Provider>,
}

#[derive(Deserialize)]
struct Splits {
    #[serde(with = "hex")]
    key: [u8; 32],
    marked: u64,
    total: u64,
    nodes: Vec<u64>,
    lower: Vec<u64>,
}

#[derive(Deserialize)]
struct Deterministic {
    #[serde(with = "hex")]
    key: [u8; 32],
    domain: u64,
    range: u64,
    plaintexts: Vec<i64>,
    ciphertexts: Vec<i64>,
}

#[derive(Deserialize)]
struct Spread {
    #[serde(with = "hex")]
    key: [u8; 32],
    domain: u64,
    range: u64,
    plaintexts: Vec<i64>,
    ids: Vec<i64>,
    ciphertexts: Vec<i64>,
}

#[derive(Deserialize)]
struct Provider {
    #[serde(with = "hex")]
    ruler_key: [u8; 32],
    #[serde(with = "hex")]
    place_key: [u8; 32],
    domain: u64,
    cell: u64,
    cuts: Vec<u64>,
    plaintexts: Vec<i64>,
    handles: Vec<String>,
    entries: Vec<i64>,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("vectors/schemes.json")).unwrap()
}

fn key(bytes: [u8; 32]) -> Key {
    Key::from_bytes(&bytes).unwrap()
}

fn encrypt_batch<S: Scheme<Ciphertext = i64>>(
    scheme: &S,
    plaintexts: &[i64],
    ids: &[S::Id],
) -> Vec<i64> {
    let mut ciphertexts = vec![-1; plaintexts.len()];
    scheme.encrypt_batch(plaintexts, ids, &mut ciphertexts).unwrap();
    ciphertexts
}

#[test]
fn splits_are_the_known_ones() {
    let splits = vectors().splits;
    assert!(!splits.is_empty());
    for case in splits {
        let coins = Coins::new(&key(case.key));
        let split = |&node: &u64| split(&coins, node, case.marked, case.total);
        let lower: Vec<u64> = case.nodes.iter().map(split).collect();
        assert_eq!(lower, case.lower, "{} of {}", case.marked, case.total);
    }
}

#[test]
fn deterministic_ciphertexts_are_the_known_ones() {
    let cases = vectors().opse;
    assert!(!cases.is_empty());
    for case in cases {
        let opse = Opse::with_range(&key(case.key), case.domain, case.range).unwrap();
        for (&plaintext, &ciphertext) in case.plaintexts.iter().zip(&case.ciphertexts) {
            assert_eq!(opse.encrypt_one(plaintext), Ok(ciphertext), "domain {}", case.domain);
            assert_eq!(opse.decrypt_one(ciphertext), Ok(plaintext), "domain {}", case.domain);
        }
        let ids = vec![(); case.plaintexts.len()];
        assert_eq!(encrypt_batch(&opse, &case.plaintexts, &ids), case.ciphertexts);
    }
}

#[test]
fn one_to_many_ciphertexts_are_the_known_ones() {
    let cases = vectors().one_to_many;
    assert!(!cases.is_empty());
    for case in cases {
        let opse = Opse::with_range(&key(case.key), case.domain, case.range).unwrap();
        let scheme = OneToMany(&opse);
        for (i, &ciphertext) in case.ciphertexts.iter().enumerate() {
            assert_eq!(scheme.encrypt(case.plaintexts[i], case.ids[i]), Ok(ciphertext));
        }
        assert_eq!(encrypt_batch(&scheme, &case.plaintexts, &case.ids), case.ciphertexts);
    }
}

#[test]
fn cuts_and_entries_are_the_known_ones() {
    let cases = vectors().mopse;
    assert!(!cases.is_empty());
    for case in cases {
        let ruler = Arc::new(Ruler::new(&key(case.ruler_key), case.domain, case.cell).unwrap());
        assert_eq!(ruler.cells() + 1, case.cuts.len() as u64);
        for (cell, cuts) in case.cuts.windows(2).enumerate() {
            let lowest = (cell as u64 * case.cell).cast_signed();
            let (first, last) = ruler.bounds(lowest, lowest).unwrap();
            assert_eq!((first.cast_unsigned(), last.cast_unsigned() + 1), (cuts[0], cuts[1]));
        }
        let handles: Vec<Handle> =
            case.handles.iter().map(|handle| Handle::from_str_radix(handle, 16).unwrap()).collect();
        let provider = Mopse::new(ruler, &key(case.place_key));
        for (i, &entry) in case.entries.iter().enumerate() {
            assert_eq!(provider.encrypt(case.plaintexts[i], handles[i]), Ok(entry));
        }
        assert_eq!(encrypt_batch(&provider, &case.plaintexts, &handles), case.entries);
    }
}
