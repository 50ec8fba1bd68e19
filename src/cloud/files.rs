//! What the cloud keeps of attachments: sealed bodies and descriptions, and the dictionaries to find
//! them by.
//!
//! A search returns descriptions without bodies; a body moves only when its file is fetched, and
//! alone.
//!
//! # Leakage
//!
//! That of [`super::dictionary`]; which record a file belongs to, its size, when it came and is
//! fetched.

use std::collections::{BTreeMap, HashMap};

use super::dictionary::Dictionary;
use crate::Error;
use crate::message::certificate::Owner;
use crate::message::file::{Ask, FileRequest, FileUpload, Listed};
use crate::message::place::Node;

/// The files of all providers, in memory.
#[derive(Debug, Default)]
pub struct Files {
    shelves: BTreeMap<(Owner, Node), Shelf>,
    /// Where each file stands, also one that was removed, so that it cannot be sent again.
    places: HashMap<(Owner, u128), Node>,
}

#[derive(Debug, Default)]
struct Shelf {
    files: HashMap<u128, Listed>,
    of_records: HashMap<u128, Vec<u128>>,
    keywords: Dictionary,
}

impl Files {
    /// Takes a file that was verified.
    ///
    /// # Errors
    ///
    /// [`Error::StoredFile`] if it was received before, [`Error::StoredKeyword`] if an entry was, which
    /// an outdated keyring makes. Nothing changes then.
    pub fn add(&mut self, upload: FileUpload) -> Result<(), Error> {
        let FileUpload { listed, entries, chain: _ } = upload;
        let provider = listed.provider.path();
        if self.places.contains_key(&(listed.owner, listed.file)) {
            return Err(Error::StoredFile { provider });
        }
        let shelf = self.shelves.entry((listed.owner, listed.provider.clone())).or_default();
        if shelf.keywords.holds_any(&entries) {
            return Err(Error::StoredKeyword { provider });
        }
        shelf.keywords.add(&entries);
        shelf.of_records.entry(listed.handle).or_default().push(listed.file);
        self.places.insert((listed.owner, listed.file), listed.provider.clone());
        shelf.files.insert(listed.file, listed);
        Ok(())
    }

    /// Removes all files and keywords of a provider, in every epoch; returns how many files there were.
    ///
    /// Numbers and labels are kept, so that nothing can be sent again and what comes later is found.
    pub fn remove(&mut self, owner: Owner, provider: &str) -> usize {
        let mut files = 0;
        for ((of, node), shelf) in &mut self.shelves {
            if *of == owner && node.path() == provider {
                files += shelf.files.len();
                shelf.files.clear();
                shelf.of_records.clear();
                shelf.keywords.clear();
            }
        }
        files
    }

    /// Returns how often the issuer of a checked request for keywords has used each of them itself, so
    /// that an outdated keyring can catch up; nothing if it is not a provider, or for another request.
    #[must_use]
    pub fn used(&self, request: &FileRequest) -> Vec<u64> {
        let Ask::Keywords(providers) = &request.ask else { return Vec::new() };
        let issuer = request.issuer.subject();
        let Some((_, trapdoors)) = providers.iter().find(|(node, _)| *node == issuer) else {
            return Vec::new();
        };
        let shelf = self.shelves.get(&(request.owner, issuer));
        let used = |trapdoor| shelf.map_or(0, |shelf| shelf.keywords.used(trapdoor));
        trapdoors.iter().map(used).collect()
    }

    /// Returns the files that a checked request for keywords or records finds, without their bodies.
    #[must_use]
    pub fn find(&self, request: &FileRequest) -> Vec<Listed> {
        let shelf = |node: &Node| self.shelves.get(&(request.owner, node.clone()));
        let mut found = Vec::new();
        let mut list = |shelf: &Shelf, files: &[u128]| {
            found.extend(
                files.iter().filter_map(|file| shelf.files.get(file)).map(Listed::without_body),
            );
        };
        match &request.ask {
            Ask::Keywords(providers) => {
                for (node, trapdoors) in providers {
                    if let Some(shelf) = shelf(node) {
                        list(shelf, &shelf.keywords.find_all(trapdoors));
                    }
                }
            }
            Ask::Records(providers) => {
                for (node, handles) in providers {
                    if let Some(shelf) = shelf(node) {
                        for handle in handles {
                            list(shelf, shelf.of_records.get(handle).map_or(&[], Vec::as_slice));
                        }
                    }
                }
            }
            Ask::File(_) => {} // fetched, not found
        }
        found
    }

    /// Returns the file that a checked request asks for, with its body.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownFile`] if there is none, or the request is for no single one; [`Error::Scope`] if
    /// it is not at or below the issuer.
    pub fn fetch(&self, request: &FileRequest) -> Result<Listed, Error> {
        let Ask::File(file) = request.ask else { return Err(Error::UnknownFile) };
        let node = self.places.get(&(request.owner, file)).ok_or(Error::UnknownFile)?;
        request.reaches(node)?;
        let shelf = self.shelves.get(&(request.owner, node.clone())).ok_or(Error::UnknownFile)?;
        shelf.files.get(&file).cloned().ok_or(Error::UnknownFile)
    }

    /// How many files there are, their bytes, and how many keyword entries.
    #[must_use]
    pub fn totals(&self) -> (usize, usize, usize) {
        let size = |file: &Listed| file.body.as_ref().map_or(0, Vec::len) + file.description.len();
        let shelves = self.shelves.values();
        shelves.fold((0, 0, 0), |(files, bytes, entries), shelf| {
            let more: usize = shelf.files.values().map(size).sum();
            (files + shelf.files.len(), bytes + more, entries + shelf.keywords.len())
        })
    }
}
