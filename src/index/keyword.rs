//! The cloud's dictionary of encrypted keywords: one per provider, searched with a trapdoor.
//!
//! An entry binds the `c`-th file of a keyword to a label that only the keyword's trapdoor leads to:
//!
//! ```text
//! label(c) = HMAC-SHA-256(label key, be64(c))[..16]
//! entry    = label(c) -> file xor HMAC-SHA-256(mask key, be64(c))[..16]       trapdoor = both keys
//! ```
//!
//! A search walks `c` from 0 on until labels are missing: one HMAC and one look-up per match, whatever
//! else is stored. Files are added without rebuilding anything. The cloud needs no key: a trapdoor is
//! what it is sent with a query.
//!
//! # Leakage
//!
//! Before a query: how many entries came with each file. From a query on: which files match each of its
//! keywords, now and **of all that are added later** (there is no forward privacy); that two queries
//! ask for one keyword; and for a conjunction the matches of every keyword by itself.
//!
//! # Sources
//!
//! D. Cash, J. Jaeger, S. Jarecki, C. Jutla, H. Krawczyk, M.-C. Roşu and M. Steiner, "Dynamic Searchable
//! Encryption in Very-Large Databases", NDSS 2014, section 3 (the basic scheme) and section 4 (adding).
//!
//! # Deviations
//!
//! The search goes on over [`MOST_LOST`] missing labels, so that a message that never arrived hides no
//! later file. File numbers are random and masked once each instead of encrypted.

use std::collections::{HashMap, HashSet};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Messages in a row that may get lost without hiding those that come after them.
pub const MOST_LOST: u64 = 16;

/// Bytes of a trapdoor.
pub const TRAPDOOR_LEN: usize = 64;

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

impl Trapdoor {
    /// The entry that makes a file the keyword's `count`-th.
    #[must_use]
    pub fn entry(&self, count: u64, file: u128) -> Entry {
        let [label, mask] = self.prepared().map(|mac| block(&mac, count));
        Entry { label, masked: file ^ mask }
    }

    fn prepared(&self) -> [Hmac<Sha256>; 2] {
        let (label, mask) = self.0.split_at(TRAPDOOR_LEN / 2);
        [label, mask].map(|key| Hmac::new_from_slice(key).expect("HMAC takes keys of any length"))
    }
}

impl std::fmt::Debug for Trapdoor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Trapdoor(..)")
    }
}

fn block(mac: &Hmac<Sha256>, count: u64) -> u128 {
    let bytes: [u8; 32] =
        mac.clone().chain_update(count.to_be_bytes()).finalize().into_bytes().into();
    let (blocks, _) = bytes.as_chunks::<16>();
    u128::from_be_bytes(blocks[0])
}

/// The encrypted keywords of one provider.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dictionary(HashMap<u128, u128>);

impl Dictionary {
    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an entry has one of these labels already.
    #[must_use]
    pub fn holds_any(&self, entries: &[Entry]) -> bool {
        entries.iter().any(|entry| self.0.contains_key(&entry.label))
    }

    /// Adds entries.
    pub fn add(&mut self, entries: &[Entry]) {
        self.0.extend(entries.iter().map(|entry| (entry.label, entry.masked)));
    }

    /// Returns the files of one keyword, in the order they were added.
    #[must_use]
    pub fn find(&self, trapdoor: &Trapdoor) -> Vec<u128> {
        let [labels, masks] = trapdoor.prepared();
        let mut files = Vec::new();
        let mut lost = 0;
        for count in 0.. {
            match self.0.get(&block(&labels, count)) {
                Some(masked) => {
                    files.push(masked ^ block(&masks, count));
                    lost = 0;
                }
                None if lost == MOST_LOST => break,
                None => lost += 1,
            }
        }
        files
    }

    /// Returns the files that have all of these keywords, in the order of the first.
    #[must_use]
    pub fn find_all(&self, trapdoors: &[Trapdoor]) -> Vec<u128> {
        let Some((first, others)) = trapdoors.split_first() else { return Vec::new() };
        let mut files = self.find(first);
        for trapdoor in others {
            let matching: HashSet<u128> = self.find(trapdoor).into_iter().collect();
            files.retain(|file| matching.contains(file));
        }
        files
    }
}
