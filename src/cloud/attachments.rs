//! What the cloud keeps of attachments: sealed bodies and descriptions, the dictionaries to find them by,
//! and what providers sealed of them, by which a list is [proven](crate::message::catalogue).
//!
//! A search returns descriptions without bodies; a body moves only when its file is fetched, and
//! alone.
//!
//! # Leakage
//!
//! That of [`super::dictionary`]; which record a file belongs to, its size, when it came and is
//! fetched; which files one keyring made, in which order, and when it was outdated.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::Error;
use super::dictionary::{Dictionary, Labels};
use super::proofs::lists::{Catalogue, Files, WithNotes};
use super::store::{Label, Totals};
use crate::message::attachment::{Attachment, StoredFile};
use crate::message::catalogue::Filed;
use crate::message::notes::Note;
use crate::message::place::Node;
use crate::message::seal::Sealed;

/// The files of all providers of an owner, in memory.
#[derive(Debug, Default)]
pub struct Attachments {
    shelves: BTreeMap<Node, Shelf>,
    /// Where each file stands, also one that was removed, so that it cannot be sent again.
    places: HashMap<u128, Node>,
    /// The last signed removal of each provider, by path.
    removals: BTreeMap<String, Arc<Vec<u8>>>,
}

/// A file that is there.
#[derive(Debug)]
struct Kept {
    /// Shared, so that a body is copied without a lock.
    file: Arc<StoredFile>,
    /// What else was signed with it.
    deed: Arc<Vec<u8>>,
    filed: Filed,
}

#[derive(Debug, Default)]
struct Shelf {
    files: HashMap<u128, Kept>,
    of_records: HashMap<u128, Vec<u128>>,
    keywords: Dictionary,
    /// What was missing when a file came, by its number; nothing for a base.
    arrived: HashMap<u128, Vec<u128>>,
    /// Of every file that ever came.
    notes: Vec<Note>,
    stated: Option<Arc<Catalogue>>,
}

impl Attachments {
    /// Takes a file that was verified, as it came, and notes which that were made before it are missing.
    ///
    /// # Errors
    ///
    /// [`Error::StoredFile`] if it was received before, [`Error::StoredKeyword`] if an entry was, which
    /// an outdated keyring makes. Nothing changes then.
    pub fn add(
        &mut self,
        attachment: Attachment,
        missing: &[u128],
        message: &[u8],
    ) -> Result<(), Error> {
        let Attachment { file, entries, note, lineage: _, chain: _ } = attachment;
        let provider = file.provider.path();
        if self.places.contains_key(&file.number) {
            return Err(Error::StoredFile { provider });
        }
        let shelf = self.shelves.entry(file.provider.clone()).or_default();
        if shelf.keywords.holds_any(&entries) {
            return Err(Error::StoredKeyword { provider });
        }
        shelf.keywords.add(&entries);
        shelf.arrived.insert(file.number, missing.to_vec());
        shelf.notes.push(Note { number: file.number, sealed: note });
        shelf.of_records.entry(file.handle).or_default().push(file.number);
        self.places.insert(file.number, file.provider.clone());
        let (number, filed) = (file.number, file.filed());
        let deed = Arc::new(file.deed_in(message));
        shelf.files.insert(number, Kept { file: Arc::new(file), deed, filed });
        Ok(())
    }

    /// Removes all files and keywords of a provider, in every epoch, by a signed message if there is one;
    /// returns how many files there were.
    ///
    /// Numbers, labels and notes are kept, so that nothing can be sent again and what comes later is
    /// found.
    pub fn remove(&mut self, provider: &str, message: Option<&[u8]>) -> usize {
        if let Some(message) = message {
            self.removals.insert(provider.to_owned(), Arc::new(message.to_vec()));
        }
        let mut files = 0;
        for (node, shelf) in &mut self.shelves {
            if node.path() == provider {
                files += shelf.files.len();
                shelf.files.clear();
                shelf.of_records.clear();
                shelf.keywords.clear();
                shelf.stated = None;
            }
        }
        files
    }

    fn shelf(&self, provider: &Node) -> Option<&Shelf> {
        self.shelves.get(provider)
    }

    /// What was missing when a provider's file of each number came; `None` where none ever did.
    #[must_use]
    pub fn arrived(&self, provider: &Node, numbers: &[u128]) -> Vec<Option<Vec<u128>>> {
        let shelf = self.shelf(provider);
        let arrived = |number| shelf?.arrived.get(number).cloned();
        numbers.iter().map(arrived).collect()
    }

    /// The notes of all files that ever came from a provider.
    #[must_use]
    pub fn notes(&self, provider: &Node) -> Vec<Note> {
        self.shelf(provider).map_or_else(Vec::new, |shelf| shelf.notes.clone())
    }

    /// Remembers a base that a provider counts on from.
    pub fn add_base(&mut self, provider: &Node, base: u128) {
        let shelf = self.shelves.entry(provider.clone()).or_default();
        shelf.arrived.entry(base).or_default();
    }

    /// How many labels there ever were of a provider's keyword entries.
    #[must_use]
    pub fn label_count(&self, provider: &Node) -> usize {
        self.shelf(provider).map_or(0, |shelf| shelf.keywords.label_count())
    }

    /// What stands under labels of a provider's keyword entries.
    #[must_use]
    pub fn labels(&self, provider: &Node, labels: &[u128]) -> Vec<Option<Label>> {
        match self.shelf(provider) {
            Some(shelf) => shelf.keywords.look_up(labels),
            None => vec![None; labels.len()],
        }
    }

    /// The files of a provider with these numbers, as far as there are such, without bodies.
    #[must_use]
    pub fn files(&self, provider: &Node, numbers: &[u128]) -> Vec<StoredFile> {
        self.shelf(provider).map_or_else(Vec::new, |shelf| shelf.described(numbers))
    }

    /// The files of a provider's records, without bodies.
    #[must_use]
    pub fn files_of(&self, provider: &Node, handles: &[u128]) -> Vec<StoredFile> {
        let Some(shelf) = self.shelf(provider) else { return Vec::new() };
        let numbers = handles.iter().filter_map(|handle| shelf.of_records.get(handle));
        numbers.flat_map(|numbers| shelf.described(numbers)).collect()
    }

    /// The file with a number, with its body.
    #[must_use]
    pub fn file(&self, number: u128) -> Option<Arc<StoredFile>> {
        let provider = self.places.get(&number)?;
        self.shelf(provider)?.files.get(&number).map(|kept| Arc::clone(&kept.file))
    }

    /// What else was signed with the file with a number.
    #[must_use]
    pub fn deed(&self, number: u128) -> Option<Arc<Vec<u8>>> {
        let provider = self.places.get(&number)?;
        self.shelf(provider)?.files.get(&number).map(|kept| Arc::clone(&kept.deed))
    }

    /// What a seal states of files, if these are the ones that are there.
    ///
    /// # Errors
    ///
    /// [`Error::SealFiles`].
    pub fn stated(&self, sealed: &Arc<Sealed>) -> Result<Catalogue, Error> {
        let shelf = self.shelf(&sealed.seal.place).into_iter();
        let kept = shelf.flat_map(|shelf| shelf.files.values());
        Catalogue::new(sealed, kept.map(|kept| kept.filed).collect())
    }

    /// Keeps what was [stated](Self::stated).
    pub fn state(&mut self, catalogue: Catalogue) {
        let place = catalogue.sealed().seal.place.clone();
        self.shelves.entry(place).or_default().stated = Some(Arc::new(catalogue));
    }

    /// How many files there are, their bytes, and how many keyword entries.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let size = |Kept { file, .. }: &Kept| {
            file.body.as_ref().map_or(0, Vec::len) + file.description.len()
        };
        let mut totals = Totals::default();
        for shelf in self.shelves.values() {
            totals.files += shelf.files.len();
            totals.file_size += shelf.files.values().map(size).sum::<usize>();
            totals.keywords += shelf.keywords.len();
        }
        totals
    }
}

impl Shelf {
    fn described(&self, numbers: &[u128]) -> Vec<StoredFile> {
        let stored = numbers.iter().filter_map(|number| self.files.get(number));
        stored.map(|kept| kept.file.without_body()).collect()
    }

    /// The notes of files, in their order.
    fn notes_of(&self, files: &[StoredFile]) -> Vec<Vec<u8>> {
        let notes = self.notes.iter().map(|note| (note.number, &note.sealed));
        let notes: HashMap<u128, &Vec<u8>> = notes.collect();
        files.iter().filter_map(|file| notes.get(&file.number).map(|note| note.to_vec())).collect()
    }
}

/// The labels of a provider's keyword entries.
#[derive(Debug)]
pub struct ShelfLabels<'a>(Option<&'a Dictionary>);

impl Labels for ShelfLabels<'_> {
    type Error = Error;

    fn look_up(&self, labels: &[u128]) -> Result<Vec<Option<Label>>, Error> {
        Ok(self.0.map_or_else(|| vec![None; labels.len()], |kept| kept.look_up(labels)))
    }

    fn count(&self) -> Result<usize, Error> {
        Ok(self.0.map_or(0, Dictionary::label_count))
    }
}

impl Files for Attachments {
    type Error = Error;
    type Labels<'a> = ShelfLabels<'a>;

    fn catalogue(&self, place: &Node) -> Result<Option<Arc<Catalogue>>, Error> {
        Ok(self.shelf(place).and_then(|shelf| shelf.stated.clone()))
    }

    fn removal(&self, place: &Node) -> Result<Option<Arc<Vec<u8>>>, Error> {
        Ok(self.removals.get(&place.path()).map(Arc::clone))
    }

    fn labels<'a>(&'a self, place: &'a Node) -> ShelfLabels<'a> {
        ShelfLabels(self.shelf(place).map(|shelf| &shelf.keywords))
    }

    fn described(&self, place: &Node, numbers: &[u128]) -> Result<Vec<StoredFile>, Error> {
        Ok(self.files(place, numbers))
    }

    fn of_records(&self, place: &Node, handles: &[u128]) -> Result<Vec<StoredFile>, Error> {
        Ok(self.files_of(place, handles))
    }

    fn all(&self, place: &Node) -> Result<WithNotes, Error> {
        let Some(shelf) = self.shelf(place) else { return Ok(Default::default()) };
        let mut numbers: Vec<u128> = shelf.files.keys().copied().collect();
        numbers.sort_unstable();
        let found = shelf.described(&numbers);
        let notes = shelf.notes_of(&found);
        Ok((found, notes))
    }
}
