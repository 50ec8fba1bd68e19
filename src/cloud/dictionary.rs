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

use super::store::Label;
use crate::message::trapdoor::{Entry, Prepared, Trapdoor};

/// Messages in a row that may get lost without hiding those that come after them.
pub const MOST_LOST: u64 = 16;

/// Looks labels up: what stands under each, `None` where nothing ever did.
pub trait LookUp<E>: FnMut(&[u128]) -> Result<Vec<Option<Label>>, E> {}

impl<E, F: FnMut(&[u128]) -> Result<Vec<Option<Label>>, E>> LookUp<E> for F {}

/// Walks the entries of a keyword; returns the number of each and what stands there.
///
/// Labels are looked up in batches that are as large as is needed to know whether there are more, and
/// later half of what was found.
fn walk<E>(prepared: &Prepared, mut look_up: impl LookUp<E>) -> Result<Vec<(u64, Label)>, E> {
    let mut found = Vec::new();
    let (mut next, mut lost) = (0, 0);
    while lost <= MOST_LOST {
        let size = (MOST_LOST + 1 - lost).max(found.len() as u64 / 2);
        let labels: Vec<u128> = (next..next + size).map(|at| prepared.label(at)).collect();
        for (at, label) in (next..).zip(look_up(&labels)?) {
            match label {
                Some(label) if lost <= MOST_LOST => {
                    found.push((at, label));
                    lost = 0;
                }
                _ => lost += 1,
            }
        }
        next += size;
    }
    Ok(found)
}

/// Returns the files of one keyword, in the order they were added.
///
/// # Errors
///
/// Those of the look-up.
pub fn find<E>(trapdoor: &Trapdoor, look_up: impl LookUp<E>) -> Result<Vec<u128>, E> {
    let prepared = trapdoor.prepared();
    let file = |(at, label)| match label {
        Label::Live(masked) => Some(masked ^ prepared.mask(at)),
        Label::Spent => None,
    };
    Ok(walk(&prepared, look_up)?.into_iter().filter_map(file).collect())
}

/// Returns the files that have all of these keywords, in the order of the first; none without keywords.
///
/// # Errors
///
/// Those of the look-up.
pub fn find_all<E>(trapdoors: &[Trapdoor], mut look_up: impl LookUp<E>) -> Result<Vec<u128>, E> {
    let Some((first, others)) = trapdoors.split_first() else { return Ok(Vec::new()) };
    let mut files = find(first, &mut look_up)?;
    for trapdoor in others {
        let matching: HashSet<u128> = find(trapdoor, &mut look_up)?.into_iter().collect();
        files.retain(|file| matching.contains(file));
    }
    Ok(files)
}

/// How many entries the keyword has used up: the next one has this number.
///
/// # Errors
///
/// Those of the look-up.
pub fn used<E>(trapdoor: &Trapdoor, look_up: impl LookUp<E>) -> Result<u64, E> {
    Ok(walk(&trapdoor.prepared(), look_up)?.last().map_or(0, |(at, _)| at + 1))
}

/// The encrypted keywords of one provider, in memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dictionary {
    labels: HashMap<u128, Label>,
    live: usize,
}

impl Dictionary {
    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.live
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Whether an entry has, or had, one of these labels already.
    #[must_use]
    pub fn holds_any(&self, entries: &[Entry]) -> bool {
        entries.iter().any(|entry| self.labels.contains_key(&entry.label))
    }

    /// Adds entries, whose labels are new.
    pub fn add(&mut self, entries: &[Entry]) {
        self.live += entries.len();
        let labels = entries.iter().map(|entry| (entry.label, Label::Live(entry.masked)));
        self.labels.extend(labels);
    }

    /// Forgets which files there are; what is added later is found all the same.
    pub fn clear(&mut self) {
        self.labels.values_mut().for_each(|label| *label = Label::Spent);
        self.live = 0;
    }

    /// What stands under labels.
    #[must_use]
    pub fn look_up(&self, labels: &[u128]) -> Vec<Option<Label>> {
        labels.iter().map(|label| self.labels.get(label).copied()).collect()
    }
}
