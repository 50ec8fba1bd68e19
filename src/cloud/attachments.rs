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

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use super::Error;
use super::dictionary::{self, Dictionary};
use super::store::{Label, Totals};
use crate::message;
use crate::message::attachment::{Attachment, StoredFile};
use crate::message::catalogue::{Between, Filed, Find, Line, Numbered, OfPlace, Proof};
use crate::message::notes::Note;
use crate::message::place::Node;
use crate::message::request::{Ask, Request};
use crate::message::seal::Sealed;
use crate::message::trapdoor::{Tag, Trapdoor};
use crate::message::tree::Tree;
use crate::pool;

/// Files that one thread hashes one after the other.
const FILES: usize = 1 << 10;

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
    stated: Option<Catalogue>,
}

/// The files that a provider sealed, in order, and what proves them.
#[derive(Debug)]
pub struct Catalogue {
    sealed: Arc<Sealed>,
    files: Vec<Filed>,
    by_record: Tree,
    by_keyword: Tree,
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
        let place = &sealed.seal.place;
        let kept = self.shelf(place).into_iter().flat_map(|shelf| shelf.files.values());
        let mut files: Vec<Filed> = kept.map(|kept| kept.filed).collect();
        pool::sort(&mut files);
        let by_record = Tree::new(pool::map(files.len(), FILES, |at| files[at].leaf()));
        let (stored, got) = (files.len() as u64, sealed.seal.files);
        if (stored, by_record.root()) != (got.count, got.root) {
            let provider = place.path();
            return Err(Error::SealFiles { provider, stored, got: got.count });
        }
        let lines = &sealed.lines;
        let by_keyword = Tree::new(pool::map(lines.len(), FILES, |at| lines[at].leaf()));
        Ok(Catalogue { sealed: Arc::clone(sealed), files, by_record, by_keyword })
    }

    /// Keeps what was [stated](Self::stated).
    pub fn state(&mut self, catalogue: Catalogue) {
        let place = catalogue.sealed.seal.place.clone();
        self.shelves.entry(place).or_default().stated = Some(catalogue);
    }

    /// The files that a request for a list finds, without their bodies, with what proves that they are all.
    ///
    /// # Errors
    ///
    /// [`message::Error::Proof`] if the request was made for no proof.
    pub fn proven(&self, request: &Request) -> Result<(Vec<StoredFile>, Proof), Error> {
        let (mut files, mut proof) = (Vec::new(), Proof::default());
        let (nothing, mut removed) = (Shelf::default(), BTreeSet::new());
        let mut add = |place: &Node, finds: Vec<Find>, found: Vec<StoredFile>, has_notes: bool| {
            let shelf = self.shelf(place).unwrap_or(&nothing);
            let stated = shelf.stated.as_ref();
            if let Some(stated) = stated {
                proof.heads.push(stated.sealed.head.clone());
            } else if let Some((path, removal)) = self.removals.get_key_value(&place.path())
                && removed.insert(path)
            {
                proof.removals.push(removal.to_vec());
            }
            let is_late = |file: &&StoredFile| !stated.is_some_and(|of| of.has(file.filed()));
            let unsealed = found.iter().filter(is_late).map(|file| file.number).collect();
            let notes = if has_notes { shelf.notes_of(&found) } else { Vec::new() };
            proof.places.push(OfPlace { unsealed, finds, notes });
            files.extend(found);
        };
        match &request.ask {
            Ask::Keywords(providers) if request.tags.len() == providers.len() => {
                for ((place, trapdoors), tags) in providers.iter().zip(&request.tags) {
                    let shelf = self.shelf(place).unwrap_or(&nothing);
                    let numbers = dictionary::find_all(trapdoors, &shelf.keywords)?;
                    let finds = shelf.finds_of_keywords(trapdoors, tags)?;
                    add(place, finds, shelf.described(&numbers), false);
                }
            }
            Ask::Records(providers) => {
                for (place, handles) in providers {
                    let shelf = self.shelf(place).unwrap_or(&nothing);
                    let stated = shelf.stated.as_ref();
                    let find = |&handle: &u128| stated.map(|of| of.find_record(handle));
                    let finds = handles.iter().filter_map(find).collect();
                    add(place, finds, self.files_of(place, handles), false);
                }
            }
            Ask::Holdings(place) => {
                let shelf = self.shelf(place).unwrap_or(&nothing);
                let mut numbers: Vec<u128> = shelf.files.keys().copied().collect();
                numbers.sort_unstable();
                add(place, Vec::new(), shelf.described(&numbers), true);
            }
            _ => {
                let why = "the request was made without proof=True".to_owned();
                return Err(message::Error::Proof { why }.into());
            }
        }
        Ok((files, proof))
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

    /// What shows the files of each keyword; nothing without a seal.
    fn finds_of_keywords(&self, trapdoors: &[Trapdoor], tags: &[Tag]) -> Result<Vec<Find>, Error> {
        let Some(stated) = &self.stated else { return Ok(Vec::new()) };
        let content = stated.sealed.seal.content_digest();
        let mut finds = Vec::with_capacity(tags.len());
        for (trapdoor, tag) in trapdoors.iter().zip(tags) {
            let numbers = dictionary::find(trapdoor, &self.keywords)?;
            let kept = numbers.iter().filter_map(|number| self.files.get(number));
            let sealed = kept.filter(|kept| stated.has(kept.filed));
            let mut files: Vec<Numbered> =
                sealed.map(|kept| (kept.filed.number, kept.filed.digest)).collect();
            files.sort_unstable();
            finds.push(stated.find_keyword(Line::id(tag, &content), files));
        }
        Ok(finds)
    }
}

impl Catalogue {
    fn has(&self, file: Filed) -> bool {
        self.files.binary_search(&file).is_ok()
    }

    /// What shows that the files of a record are all.
    fn find_record(&self, handle: u128) -> Find {
        let from = self.files.partition_point(|file| file.handle < handle);
        let to = self.files.partition_point(|file| file.handle <= handle);
        Find::Record(between(&self.files, &self.by_record, from..to))
    }

    /// What shows that a keyword has these files, or that there is no such keyword.
    fn find_keyword(&self, id: u128, files: Vec<Numbered>) -> Find {
        let lines = &self.sealed.lines;
        match lines.binary_search_by_key(&id, |line| line.id) {
            Ok(at) => Find::Keyword(at as u64, files, self.by_keyword.path(at..at + 1)),
            Err(at) => Find::NoKeyword(between(lines, &self.by_keyword, at..at)),
        }
    }
}

/// Where pieces stand, with those beside them.
fn between<T: Copy>(all: &[T], tree: &Tree, inside: Range<usize>) -> Between<T> {
    let left = inside.start.checked_sub(1).and_then(|at| all.get(at)).copied();
    let right = all.get(inside.end).copied();
    let first = inside.start - usize::from(left.is_some());
    let last = inside.end + usize::from(right.is_some());
    let path = if first == last { Vec::new() } else { tree.path(first..last) };
    Between { start: inside.start as u64, left, right, path }
}
