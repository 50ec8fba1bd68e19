//! A provider's files as its seals state them, and how it learns of them from a cloud.
//!
//! A ledger has the digest of each file at the present place and the tags of its keywords. It grows with the
//! attachments that its keyring makes, and is made again from what a cloud shows: the sealed files are held
//! against the last seal, and what came since is fetched whole, so that the signature of this provider shows
//! that it attached it. Which keywords a file has is told by its note, which opens under the provider's key
//! for this file alone.
//!
//! The lines that a seal commits to are padded with random ones to as many as there are entries.
//!
//! # Cost
//!
//! 72 bytes a file and 16 a keyword in the ledger. A seal costs two HMACs a keyword, and three AES blocks for
//! every other entry.
//!
//! # Leakage
//!
//! None beside that of [`catalogue`](crate::message::catalogue).

use std::collections::{BTreeMap, HashMap, HashSet};

use super::Error;
use super::keyring::Keyring;
use super::keywords;
use super::leaves;
use super::ledger::unproven;
use crate::message::catalogue::{Filed, Line, Numbered};
use crate::message::listing::{Fetched, Listing};
use crate::message::place::Node;
use crate::message::request::{Ask, Request};
use crate::message::seal::{Committed, Seal};
use crate::message::trapdoor::{TAG_LEN, Tag};
use crate::message::tree::Hash;
use crate::pool;
use crate::wire::{self, Reader, SecretWriter};

/// A file of a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NotedFile {
    pub filed: Filed,
    pub tags: Vec<Tag>,
}

impl NotedFile {
    /// Bytes that one has at least.
    pub(super) const LEAST: usize = 16 + 16 + 32 + 8;

    pub(super) fn write(&self, writer: &mut SecretWriter) {
        let Filed { handle, number, digest } = &self.filed;
        writer.u128(*handle).u128(*number).raw(digest).count(self.tags.len());
        self.tags.iter().for_each(|tag| {
            writer.raw(tag);
        });
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, wire::Error> {
        let (handle, number, digest) = (reader.u128()?, reader.u128()?, reader.array()?);
        let tags = (0..reader.count(TAG_LEN)?).map(|_| reader.array()).collect::<Result<_, _>>()?;
        Ok(Self { filed: Filed { handle, number, digest }, tags })
    }
}

/// All files of a place, as a cloud showed them and they were found right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shelf {
    pub(super) place: Node,
    pub(super) files: Vec<NotedFile>,
    /// The digest of the seal that they were held against.
    seal: Option<Hash>,
}

impl Shelf {
    /// Refuses files that were held against another seal than the rows.
    pub(super) fn check(&self, place: &Node, seal: Option<Hash>) -> Result<(), Error> {
        if self.place != *place {
            return Err(unproven("the files are of another place"));
        }
        if self.seal != seal {
            return Err(unproven("the files were shown with another seal than the rows"));
        }
        Ok(())
    }

    /// Whether a seal states just these files.
    pub(super) fn is_stated(&self, seal: &Seal) -> bool {
        committed(&self.files) == seal.files
    }
}

/// What a seal commits to of files.
pub(super) fn committed(files: &[NotedFile]) -> Committed {
    let mut filed: Vec<Filed> = files.iter().map(|file| file.filed).collect();
    pool::sort(&mut filed);
    Committed::to(filed.iter().map(Filed::leaf).collect())
}

impl Keyring {
    /// Notes a file that was attached at the present place.
    pub(super) fn note_file(&self, filed: Filed, tags: Vec<Tag>) -> Result<(), Error> {
        let mut ledger = self.ledger.write()?;
        if !self.keeps_ledger() {
            *ledger = None;
        } else if let Some(ledger) = ledger.as_mut() {
            ledger.files.push(NotedFile { filed, tags });
        }
        Ok(())
    }

    /// The lines of the keywords of a place's files, for a seal whose content has this digest.
    pub(super) fn lines(
        &self,
        place: &Node,
        files: &[NotedFile],
        content: &Hash,
    ) -> Result<Vec<Line>, Error> {
        let mut of_tags: BTreeMap<&Tag, Vec<Numbered>> = BTreeMap::new();
        let mut entries = 0;
        for file in files {
            entries += file.tags.len();
            for tag in &file.tags {
                let numbered = (file.filed.number, file.filed.digest);
                of_tags.entry(tag).or_default().push(numbered);
            }
        }
        let of_tags: Vec<(&Tag, Vec<Numbered>)> = of_tags.into_iter().collect();
        let mut lines = pool::map(of_tags.len(), 256, |at| {
            let (tag, mut files) = of_tags[at].clone();
            files.sort_unstable();
            Line::of(tag, content, &files)
        });
        lines.extend(leaves::random_lines(&self.key_of(place)?, content, entries - lines.len()));
        pool::sort(&mut lines);
        Ok(lines)
    }

    /// Asks a cloud for all files of each place that this provider has or had.
    ///
    /// # Errors
    ///
    /// [`keys::Error::Randomness`](crate::keys::Error::Randomness).
    pub fn request_shelves(&self, is_present: bool, expiry: u64) -> Result<Vec<Vec<u8>>, Error> {
        let places = self.places().filter(|place| (**place == self.node) == is_present);
        places.map(|place| self.request(Ask::Holdings(place.clone()), expiry)).collect()
    }

    /// The digest of a file that this provider is shown to have attached.
    ///
    /// # Errors
    ///
    /// [`message::Error::Answer`](crate::message::Error::Answer) if it is not the one that was asked for, [`message::Error::Signature`](crate::message::Error::Signature) if
    /// it is forged.
    pub fn attached(&self, fetched: &Fetched, request: &Request) -> Result<Hash, Error> {
        fetched.check(request)?;
        fetched.prove()?;
        Ok(fetched.file.digest())
    }

    /// All files of a place, once those that were sealed were held against the last seal and each other one
    /// was shown to be [attached](Self::attached).
    ///
    /// # Errors
    ///
    /// [`message::Error::Answer`](crate::message::Error::Answer), [`message::Error::Proof`](crate::message::Error::Proof) if they are not all that was sealed, or one
    /// that came since is not among those that were attached, [`Error::Note`] if a note was changed or belongs
    /// elsewhere.
    pub fn shelf(
        &self,
        listing: &Listing,
        request: &Request,
        attached: &HashMap<u128, Hash>,
    ) -> Result<Shelf, Error> {
        listing.check(request)?;
        let Ask::Holdings(place) = &request.ask else {
            return Err(unproven("it is of another request"));
        };
        let shown = listing.proof.as_ref();
        let of = shown
            .and_then(|proof| proof.places.first())
            .filter(|of| of.notes.len() == listing.files.len());
        let (Some(proof), Some(of)) = (shown, of) else {
            return Err(unproven("the cloud does not show the notes of all files"));
        };
        let head = proof.heads.first().map(|head| Seal::decode_head(head)).transpose()?;
        if head.as_ref().is_some_and(|of| of.owner != self.owner || of.place != *place) {
            return Err(unproven("the seal is of another provider"));
        }
        let unsealed: HashSet<u128> = of.unsealed.iter().copied().collect();
        let key = self.key_of(place)?;
        let (mut files, mut sealed) = (Vec::with_capacity(listing.files.len()), Vec::new());
        for (position, (file, note)) in listing.files.iter().zip(&of.notes).enumerate() {
            let filed = file.filed();
            if unsealed.contains(&filed.number) || head.is_none() {
                if attached.get(&filed.number) != Some(&filed.digest) {
                    return Err(unproven("a file is not the one that this provider attached"));
                }
            } else {
                sealed.push(NotedFile { filed, tags: Vec::new() });
            }
            let place = (&self.owner, place, filed.number);
            let tags = keywords::tags(&key, place, note).ok_or(Error::Note { position })?;
            files.push(NotedFile { filed, tags });
        }
        if head.as_ref().is_some_and(|head| committed(&sealed) != head.files) {
            return Err(unproven("files that were sealed are missing, or others are there"));
        }
        let seal = head.map(|head| head.digest());
        Ok(Shelf { place: place.clone(), files, seal })
    }
}
