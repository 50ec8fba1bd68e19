//! What finds the files of a keyword: trapdoors, and the entries they lead to.
//!
//! ```text
//! label(c) = HMAC-SHA-256(label key, be64(c))[..16]
//! entry    = label(c) -> file xor HMAC-SHA-256(mask key, be64(c))[..16]       trapdoor = both keys
//! ```
//!
//! # Leakage
//!
//! A trapdoor tells whoever has it which entries of its provider are of its keyword, now and later.
//!
//! # Sources
//!
//! D. Cash, J. Jaeger, S. Jarecki, C. Jutla, H. Krawczyk, M.-C. Roşu and M. Steiner, "Dynamic Searchable
//! Encryption in Very-Large Databases", NDSS 2014, section 3 (the basic scheme).

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroize;

use super::Error;

/// Bytes of a trapdoor.
pub const TRAPDOOR_LEN: usize = 64;

/// How many keywords a file has, and how many keywords or records a request names of each provider.
pub const MOST_NAMED: usize = 4096;

/// A count of what a message names, if it is not too high.
///
/// # Errors
///
/// [`Error::TooMany`].
pub fn at_most(most: usize, what: &'static str, got: usize) -> Result<usize, Error> {
    if got <= most { Ok(got) } else { Err(Error::TooMany { what, got, most }) }
}

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

/// A trapdoor, ready to make many entries.
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
}

impl Trapdoor {
    /// The entry that makes a file the keyword's `count`-th.
    #[must_use]
    pub fn entry(&self, count: u64, file: u128) -> Entry {
        let prepared = self.prepared();
        Entry { label: prepared.label(count), masked: file ^ prepared.mask(count) }
    }

    pub(crate) fn prepared(&self) -> Prepared {
        let (label, mask) = self.0.split_at(TRAPDOOR_LEN / 2);
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
    let bytes: [u8; 32] =
        mac.clone().chain_update(count.to_be_bytes()).finalize().into_bytes().into();
    let (blocks, _) = bytes.as_chunks::<16>();
    u128::from_be_bytes(blocks[0])
}
