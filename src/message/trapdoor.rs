//! What finds the files of a keyword: trapdoors, the entries they lead to, and the proofs that a file is of
//! its keyword.
//!
//! ```text
//! label(c)    = HMAC-SHA-256(label key, be64(c))[..16]
//! entry       = label(c) -> file xor HMAC-SHA-256(mask key, be64(c))[..16]    trapdoor = both keys
//! proof(file) = HMAC-SHA-256(label key, be128(file))[..16]
//! ```
//!
//! A cloud keeps entries, and what it says they lead to is its word. Proofs are sealed with the description
//! of their file, so that whoever opens it tells with the trapdoor of a request whether it has the keyword.
//! Their input is twice as long as that of labels, so that none is a label.
//!
//! # Leakage
//!
//! A trapdoor tells whoever has it which entries of its provider are of its keyword, now and later, and which
//! descriptions that it opens. Without one, proofs are random numbers, also to who opens a description: they
//! test no guess of a keyword, and those of one keyword at two files have nothing in common.
//!
//! # Sources
//!
//! D. Cash, J. Jaeger, S. Jarecki, C. Jutla, H. Krawczyk, M.-C. Roşu and M. Steiner, "Dynamic Searchable
//! Encryption in Very-Large Databases", NDSS 2014, section 3 (the basic scheme).

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroize;

/// Bytes of a trapdoor.
pub const TRAPDOOR_LEN: usize = 64;

/// Bytes of the key that says where entries are found: two trapdoors with one find the same.
pub(crate) const LABEL_KEY_LEN: usize = TRAPDOOR_LEN / 2;

/// What finds the files of one keyword at one provider.
#[derive(Clone, PartialEq, Eq)]
pub struct Trapdoor(pub [u8; TRAPDOOR_LEN]);

/// What one file adds for one keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Where it is found.
    pub label: u128,
    /// The number of the file, masked.
    pub masked: u128,
}

/// What shows that one file has one keyword, to whoever has the trapdoor.
pub type Proof = [u8; 16];

/// What stands for a keyword where its provider counts it, and [seals](super::catalogue) its files.
pub type Tag = [u8; TAG_LEN];

/// Bytes of a tag.
pub(crate) const TAG_LEN: usize = 16;

/// A trapdoor, ready to make many entries and proofs.
pub(crate) struct Prepared {
    labels: Hmac<Sha256>,
    masks: Hmac<Sha256>,
}

impl Prepared {
    /// Where the keyword's `count`-th entry is found.
    pub(crate) fn label(&self, count: u64) -> u128 {
        block(&self.labels, count)
    }

    /// What masks the number of its file.
    pub(crate) fn mask(&self, count: u64) -> u128 {
        block(&self.masks, count)
    }

    /// What shows that a file has the keyword.
    pub(crate) fn proof(&self, file: u128) -> Proof {
        first_half(&self.labels, &file.to_be_bytes())
    }
}

impl Trapdoor {
    /// The entry that makes a file the keyword's `count`-th.
    #[must_use]
    pub fn entry(&self, count: u64, file: u128) -> Entry {
        let prepared = self.prepared();
        Entry { label: prepared.label(count), masked: file ^ prepared.mask(count) }
    }

    /// What shows that a file has the keyword.
    #[must_use]
    pub fn proof(&self, file: u128) -> Proof {
        self.prepared().proof(file)
    }

    pub(crate) fn prepared(&self) -> Prepared {
        let (label, mask) = self.0.split_at(LABEL_KEY_LEN);
        let mac = |key| Hmac::new_from_slice(key).expect("HMAC takes keys of any length");
        Prepared { labels: mac(label), masks: mac(mask) }
    }
}

impl std::fmt::Debug for Trapdoor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Trapdoor(..)")
    }
}

impl Drop for Trapdoor {
    /// Whoever makes entries sends no trapdoor, and leaves none in memory.
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

fn block(mac: &Hmac<Sha256>, count: u64) -> u128 {
    u128::from_be_bytes(first_half(mac, &count.to_be_bytes()))
}

fn first_half(mac: &Hmac<Sha256>, message: &[u8]) -> [u8; 16] {
    let bytes: [u8; 32] = mac.clone().chain_update(message).finalize().into_bytes().into();
    let (halves, _) = bytes.as_chunks::<16>();
    halves[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_of_one_keyword_and_one_file_and_no_label() {
        let trapdoors = [1, 2].map(|byte| Trapdoor([byte; TRAPDOOR_LEN]));
        let numbers = [0, 1, 1 << 64, u128::MAX];
        let of = |trapdoor: &Trapdoor| {
            let labels = [0, 1, u64::MAX].map(|count| trapdoor.entry(count, 0).label.to_be_bytes());
            [&numbers.map(|file| trapdoor.proof(file))[..], &labels].concat()
        };
        let all: Vec<Proof> = trapdoors.iter().flat_map(of).collect();
        for (at, one) in all.iter().enumerate() {
            assert!(!all[..at].contains(one), "{at}");
        }
    }
}
