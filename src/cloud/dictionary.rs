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
//! later file. File numbers are random and masked once each instead of encrypted. What is removed leaves
//! its labels behind, so that the search goes on to what the provider adds afterwards.

use std::collections::{HashMap, HashSet};

use hmac::Hmac;
use sha2::Sha256;

use crate::message::trapdoor::{Entry, Trapdoor, block};

/// Messages in a row that may get lost without hiding those that come after them.
pub const MOST_LOST: u64 = 16;

/// The encrypted keywords of one provider.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dictionary {
    files: HashMap<u128, u128>,
    /// Labels of entries that were removed.
    spent: HashSet<u128>,
}

impl Dictionary {
    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Whether an entry has, or had, one of these labels already.
    #[must_use]
    pub fn holds_any(&self, entries: &[Entry]) -> bool {
        let is_taken = |label| self.files.contains_key(label) || self.spent.contains(label);
        entries.iter().any(|entry| is_taken(&entry.label))
    }

    /// Adds entries.
    pub fn add(&mut self, entries: &[Entry]) {
        self.files.extend(entries.iter().map(|entry| (entry.label, entry.masked)));
    }

    /// Forgets which files there are; what is added later is found all the same.
    pub fn clear(&mut self) {
        self.spent.extend(self.files.drain().map(|(label, _)| label));
    }

    /// Returns the files of one keyword, in the order they were added.
    #[must_use]
    pub fn find(&self, trapdoor: &Trapdoor) -> Vec<u128> {
        let [labels, masks] = trapdoor.prepared();
        let file = |(count, masked): (u64, Option<u128>)| Some(masked? ^ block(&masks, count));
        self.walk(&labels).filter_map(file).collect()
    }

    /// How many entries the keyword has used up: the next one has this number.
    #[must_use]
    pub fn used(&self, trapdoor: &Trapdoor) -> u64 {
        let [labels, _] = trapdoor.prepared();
        self.walk(&labels).last().map_or(0, |(count, _)| count + 1)
    }

    /// The numbers of a keyword's entries, with what each masks; `None` for one that was removed.
    fn walk<'a>(
        &'a self,
        labels: &'a Hmac<Sha256>,
    ) -> impl Iterator<Item = (u64, Option<u128>)> + 'a {
        let entry = |count| {
            let label = block(labels, count);
            let masked = self.files.get(&label).copied();
            (count, (masked.is_some() || self.spent.contains(&label)).then_some(masked))
        };
        let is_near = |lost: &mut u64, (count, entry): (u64, Option<Option<u128>>)| {
            *lost = if entry.is_some() { 0 } else { *lost + 1 };
            (*lost <= MOST_LOST).then_some((count, entry))
        };
        (0..).map(entry).scan(0, is_near).filter_map(|(count, entry)| Some((count, entry?)))
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
