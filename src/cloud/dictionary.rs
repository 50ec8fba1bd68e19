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
//! # Why everything that was taken is found
//!
//! A file's entry for a keyword has the number `c` that its keyring has counted to. Let `b` be the count
//! at the keyring's [base](crate::message::attachment::Lineage): it is 0, or the use `b - 1` came to this
//! cloud, for it was in the notes that the base names, and no other cloud knows that base. Every use from
//! `b` to `c - 1` belongs to a file that the keyring made since its base, and the gate has refused the
//! file unless fewer than [`MOST_LOST`] of *all* of those were missing. So fewer than that many of these
//! uses are missing, a walk that comes to `b - 1` comes to `c`, and by induction over the uses of the
//! keyword that came it comes to each. What came stays: a removal leaves the labels, and later arrivals
//! only close gaps. That holds for every copy of a keyring by itself; what two of them count alike is
//! refused by its label.
//!
//! # Sources
//!
//! D. Cash, J. Jaeger, S. Jarecki, C. Jutla, H. Krawczyk, M.-C. Roşu and M. Steiner, "Dynamic Searchable
//! Encryption in Very-Large Databases", NDSS 2014, section 3 (the basic scheme) and section 4 (adding).
//!
//! # Deviations
//!
//! The search goes on over [`MOST_LOST`] missing labels, so that a message that never came hides no later
//! file. File numbers are random and masked once each instead of encrypted. What is removed leaves
//! its labels behind, so that the search goes on to what the provider adds afterwards.

use std::collections::{HashMap, HashSet};

use super::Error;
use super::store::Label;
use crate::message::limits;
use crate::message::trapdoor::{Entry, Prepared, Trapdoor};

/// Uses in a row that may be missing without hiding those that come after them.
pub const MOST_LOST: u64 = limits::MOST_LOST as u64;

/// The labels of a provider's keyword entries, wherever they are kept.
pub trait Labels {
    /// Why they cannot be looked up.
    type Error: From<Error>;

    /// What stands under each label; `None` where nothing ever did.
    ///
    /// # Errors
    ///
    /// If they cannot be looked up.
    fn look_up(&self, labels: &[u128]) -> Result<Vec<Option<Label>>, Self::Error>;

    /// How many there are.
    ///
    /// # Errors
    ///
    /// If they cannot be counted.
    fn count(&self) -> Result<usize, Self::Error>;
}

/// Walks the entries of a keyword; returns the number of each and what stands there.
///
/// Labels are looked up in batches that are as large as is needed to know whether there are more, and
/// later half of what was found. Whoever keeps them could say of every label that something stands
/// there, so that a walk also ends where it has found more than there are.
fn walk<L: Labels>(prepared: &Prepared, labels: &L) -> Result<Vec<(u64, Label)>, L::Error> {
    let mut found = Vec::new();
    let (mut next, mut lost, mut count) = (0, 0, 0);
    while lost <= MOST_LOST {
        let size = (MOST_LOST + 1 - lost).max(found.len() as u64 / 2);
        let asked: Vec<u128> = (next..next + size).map(|at| prepared.label(at)).collect();
        for (at, label) in (next..).zip(labels.look_up(&asked)?) {
            match label {
                Some(label) if lost <= MOST_LOST => {
                    found.push((at, label));
                    lost = 0;
                }
                _ => lost += 1,
            }
        }
        if found.len() > count {
            count = labels.count()?;
            if found.len() > count {
                return Err(Error::TooManyLabels { got: found.len(), most: count }.into());
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
/// Those of the look-up, and [`Error::TooManyLabels`].
pub fn find<L: Labels>(trapdoor: &Trapdoor, labels: &L) -> Result<Vec<u128>, L::Error> {
    let prepared = trapdoor.prepared();
    let file = |(at, label)| match label {
        Label::Live(masked) => Some(masked ^ prepared.mask(at)),
        Label::Spent => None,
    };
    Ok(walk(&prepared, labels)?.into_iter().filter_map(file).collect())
}

/// Returns the files that have all of these keywords, in the order of the first; none without keywords.
///
/// # Errors
///
/// Those of [`find`].
pub fn find_all<L: Labels>(trapdoors: &[Trapdoor], labels: &L) -> Result<Vec<u128>, L::Error> {
    let mut lists: Vec<Vec<u128>> = Vec::with_capacity(trapdoors.len());
    for trapdoor in trapdoors {
        lists.push(find(trapdoor, labels)?);
        if lists.last().is_some_and(Vec::is_empty) {
            break;
        }
    }
    Ok(in_all(&lists))
}

/// Returns the files that are in all of these lists, in the order of the first; none without lists.
#[must_use]
pub fn in_all(lists: &[Vec<u128>]) -> Vec<u128> {
    let Some((first, others)) = lists.split_first() else { return Vec::new() };
    let mut files = first.clone();
    for list in others {
        let matching: HashSet<u128> = list.iter().copied().collect();
        files.retain(|file| matching.contains(file));
    }
    files
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

    /// How many labels there ever were.
    #[must_use]
    pub fn label_count(&self) -> usize {
        self.labels.len()
    }

    /// What stands under labels.
    #[must_use]
    pub fn look_up(&self, labels: &[u128]) -> Vec<Option<Label>> {
        labels.iter().map(|label| self.labels.get(label).copied()).collect()
    }
}

impl Labels for Dictionary {
    type Error = Error;

    fn look_up(&self, labels: &[u128]) -> Result<Vec<Option<Label>>, Error> {
        Ok(self.look_up(labels))
    }

    fn count(&self) -> Result<usize, Error> {
        Ok(self.label_count())
    }
}
