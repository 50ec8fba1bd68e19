//! What proves a list of files by seals: of whatever store keeps them.
//!
//! # Cost
//!
//! A place's sealed files are hashed once a seal; a keyword costs a path, a record its neighbours.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use crate::cloud::Error;
use crate::cloud::dictionary::{self, Labels};
use crate::message;
use crate::message::attachment::StoredFile;
use crate::message::catalogue::{Between, Filed, Find, Line, Numbered, OfPlace, Proof};
use crate::message::place::Node;
use crate::message::request::{Ask, Request};
use crate::message::seal::Sealed;
use crate::message::trapdoor::Tag;
use crate::message::tree::Tree;
use crate::pool;

/// Files that one thread hashes one after the other.
const FILES: usize = 1 << 10;

/// The files that a provider sealed, in order, and what proves them.
#[derive(Debug)]
pub struct Catalogue {
    sealed: Arc<Sealed>,
    files: Vec<Filed>,
    by_record: Tree,
    by_keyword: Tree,
}

impl Catalogue {
    /// What a seal states of files, if these are the ones.
    ///
    /// # Errors
    ///
    /// [`Error::SealFiles`].
    pub fn new(sealed: &Arc<Sealed>, mut files: Vec<Filed>) -> Result<Self, Error> {
        pool::sort(&mut files);
        let by_record = Tree::new(pool::map(files.len(), FILES, |at| files[at].leaf()));
        let (stored, got) = (files.len() as u64, sealed.seal.files);
        if (stored, by_record.root()) != (got.count, got.root) {
            let provider = sealed.seal.place.path();
            return Err(Error::SealFiles { provider, stored, got: got.count });
        }
        let lines = &sealed.lines;
        let by_keyword = Tree::new(pool::map(lines.len(), FILES, |at| lines[at].leaf()));
        Ok(Self { sealed: Arc::clone(sealed), files, by_record, by_keyword })
    }

    /// The seal.
    #[must_use]
    pub fn sealed(&self) -> &Arc<Sealed> {
        &self.sealed
    }

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

/// The files of an owner's providers.
pub trait Files {
    /// Why they cannot be read.
    type Error: From<Error>;
    /// The labels of one provider's keyword entries.
    type Labels<'a>: Labels<Error = Self::Error>
    where
        Self: 'a;

    /// What a provider sealed of its files.
    ///
    /// # Errors
    ///
    /// If they cannot be read; so too below.
    fn catalogue(&self, place: &Node) -> Result<Option<Arc<Catalogue>>, Self::Error>;

    /// The last signed removal of all that a provider had sent.
    ///
    /// # Errors
    ///
    /// See [`catalogue`](Self::catalogue).
    fn removal(&self, place: &Node) -> Result<Option<Arc<Vec<u8>>>, Self::Error>;

    /// The labels of a provider.
    fn labels<'a>(&'a self, place: &'a Node) -> Self::Labels<'a>;

    /// The files with these numbers, as far as there are such, without bodies.
    ///
    /// # Errors
    ///
    /// See [`catalogue`](Self::catalogue).
    fn described(&self, place: &Node, numbers: &[u128]) -> Result<Vec<StoredFile>, Self::Error>;

    /// The files of records, without bodies.
    ///
    /// # Errors
    ///
    /// See [`catalogue`](Self::catalogue).
    fn of_records(&self, place: &Node, handles: &[u128]) -> Result<Vec<StoredFile>, Self::Error>;

    /// All files of a provider, by number, without bodies, and the note of each.
    ///
    /// # Errors
    ///
    /// See [`catalogue`](Self::catalogue).
    fn all(&self, place: &Node) -> Result<WithNotes, Self::Error>;
}

/// Files, and the note of each.
pub type WithNotes = (Vec<StoredFile>, Vec<Vec<u8>>);

/// The files that a request for a list finds, without their bodies, with what proves that they are all.
///
/// # Errors
///
/// [`message::Error::Proof`] if the request was made for no proof; those of [`Files`].
pub fn proven<F: Files>(
    stored: &F,
    request: &Request,
) -> Result<(Vec<StoredFile>, Proof), F::Error> {
    let mut list =
        List { stored, files: Vec::new(), proof: Proof::default(), removed: BTreeSet::new() };
    match &request.ask {
        Ask::Keywords(providers) if request.tags.len() == providers.len() => {
            for ((place, trapdoors), tags) in providers.iter().zip(&request.tags) {
                let catalogue = stored.catalogue(place)?;
                let labels = stored.labels(place);
                let lists = trapdoors.iter().map(|trapdoor| dictionary::find(trapdoor, &labels));
                let lists = lists.collect::<Result<Vec<_>, _>>()?;
                let finds = match &catalogue {
                    Some(of) => finds_of_keywords(stored, (place, of), &lists, tags)?,
                    None => Vec::new(),
                };
                let found = stored.described(place, &dictionary::in_all(&lists))?;
                list.add((place, catalogue.as_deref()), finds, found, Vec::new())?;
            }
        }
        Ask::Records(providers) => {
            for (place, handles) in providers {
                let catalogue = stored.catalogue(place)?;
                let find = |&handle: &u128| catalogue.as_ref().map(|of| of.find_record(handle));
                let finds = handles.iter().filter_map(find).collect();
                let found = stored.of_records(place, handles)?;
                list.add((place, catalogue.as_deref()), finds, found, Vec::new())?;
            }
        }
        Ask::Holdings(place) => {
            let catalogue = stored.catalogue(place)?;
            let (found, notes) = stored.all(place)?;
            list.add((place, catalogue.as_deref()), Vec::new(), found, notes)?;
        }
        _ => {
            let why = "the request was made without proof=True".to_owned();
            return Err(Error::from(message::Error::Proof { why }).into());
        }
    }
    Ok((list.files, list.proof))
}

/// A list that becomes longer place by place.
struct List<'a, F> {
    stored: &'a F,
    files: Vec<StoredFile>,
    proof: Proof,
    /// Whose removals are in the proof.
    removed: BTreeSet<String>,
}

impl<F: Files> List<'_, F> {
    fn add(
        &mut self,
        (place, stated): (&Node, Option<&Catalogue>),
        finds: Vec<Find>,
        found: Vec<StoredFile>,
        notes: Vec<Vec<u8>>,
    ) -> Result<(), F::Error> {
        if let Some(stated) = stated {
            self.proof.heads.push(stated.sealed.head.clone());
        } else if let Some(removal) = self.stored.removal(place)?
            && self.removed.insert(place.path())
        {
            self.proof.removals.push(removal.to_vec());
        }
        let is_late = |file: &&StoredFile| !stated.is_some_and(|of| of.has(file.filed()));
        let unsealed = found.iter().filter(is_late).map(|file| file.number).collect();
        self.proof.places.push(OfPlace { unsealed, finds, notes });
        self.files.extend(found);
        Ok(())
    }
}

/// What shows the files of each keyword, with the numbers of the files that it has now.
fn finds_of_keywords<F: Files>(
    stored: &F,
    (place, stated): (&Node, &Catalogue),
    lists: &[Vec<u128>],
    tags: &[Tag],
) -> Result<Vec<Find>, F::Error> {
    let content = stated.sealed.seal.content_digest();
    let mut finds = Vec::with_capacity(tags.len());
    for (numbers, tag) in lists.iter().zip(tags) {
        let found = stored.described(place, numbers)?;
        let filed = found.iter().map(StoredFile::filed).filter(|filed| stated.has(*filed));
        let mut files: Vec<Numbered> = filed.map(|filed| (filed.number, filed.digest)).collect();
        files.sort_unstable();
        finds.push(stated.find_keyword(Line::id(tag, &content), files));
    }
    Ok(finds)
}
