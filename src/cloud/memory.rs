//! The store in memory, gone when the process ends.
//!
//! # Leakage
//!
//! That of uploads, attachments and of the index; and, over time, which providers send what when.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::Error;
use super::attachments::Attachments;
use super::records::Records;
use super::store::{Content, Label, Merged, Removed, Store, Totals};
use crate::message::announcement::Announcement;
use crate::message::answer::Part;
use crate::message::attachment::{Attachment, StoredFile};
use crate::message::certificate::Owner;
use crate::message::notes::Note;
use crate::message::place::Node;
use crate::message::token::Token;
use crate::message::upload::Upload;

/// An announcement, and the bytes that were signed.
#[derive(Debug)]
struct Enrolled {
    announcement: Arc<Announcement>,
    message: Vec<u8>,
}

/// Everything a cloud holds, in memory.
#[derive(Debug, Default)]
pub struct Memory {
    announcements: RwLock<BTreeMap<Owner, Enrolled>>,
    records: Mutex<Records>,
    attachments: RwLock<Attachments>,
}

impl Memory {
    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn attachments(&self) -> RwLockReadGuard<'_, Attachments> {
        self.attachments.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn attachments_mut(&self) -> RwLockWriteGuard<'_, Attachments> {
        self.attachments.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest announcement of an owner, as it came.
    #[must_use]
    pub fn signed_announcement(&self, owner: &Owner) -> Option<Vec<u8>> {
        let known = self.announcements.read().unwrap_or_else(PoisonError::into_inner);
        known.get(owner).map(|last| last.message.clone())
    }

    /// Merges what came since the last search, which otherwise the next search does.
    ///
    /// # Errors
    ///
    /// Those of [`Index::settle`](super::index::Index::settle).
    pub fn settle(&self) -> Result<(), Error> {
        self.records().settle()
    }

    /// What there is, one line per upload, by owner, group and arrival.
    #[must_use]
    pub fn contents(&self) -> Vec<Content> {
        self.records().contents()
    }

    /// How much there is besides records.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let entries = self.records().entries();
        Totals { entries, ..self.attachments().totals() }
    }

    /// The entries of a field of a group in order: all that a copy of the store shows of the field.
    ///
    /// # Errors
    ///
    /// Those of [`Index::settle`](super::index::Index::settle).
    pub fn merged(&self, owner: &Owner, group: &str, field: &str) -> Result<Merged, Error> {
        self.records().merged(*owner, group, field)
    }
}

impl Store for Memory {
    type Error = Error;

    fn owners(&self) -> Result<Vec<Owner>, Error> {
        let known = self.announcements.read().unwrap_or_else(PoisonError::into_inner);
        Ok(known.keys().copied().collect())
    }

    fn announcement(&self, owner: &Owner) -> Result<Option<Arc<Announcement>>, Error> {
        let known = self.announcements.read().unwrap_or_else(PoisonError::into_inner);
        Ok(known.get(owner).map(|last| Arc::clone(&last.announcement)))
    }

    fn enroll(&self, announcement: Announcement, message: &[u8]) -> Result<(), Error> {
        let mut known = self.announcements.write().unwrap_or_else(PoisonError::into_inner);
        let last = known.get(&announcement.owner).map(|last| last.announcement.number);
        if last.is_some_and(|last| last > announcement.number) {
            return Err(Error::OlderAnnouncement);
        }
        let (owner, message) = (announcement.owner, message.to_vec());
        known.insert(owner, Enrolled { announcement: Arc::new(announcement), message });
        Ok(())
    }

    fn add(&self, upload: Upload, _: &[u8]) -> Result<(), Error> {
        self.records().add(upload)
    }

    fn add_file(&self, attachment: Attachment, missing: &[u128], _: &[u8]) -> Result<(), Error> {
        self.attachments_mut().add(attachment, missing)
    }

    fn arrived(
        &self,
        owner: &Owner,
        provider: &Node,
        numbers: &[u128],
    ) -> Result<Vec<Option<Vec<u128>>>, Error> {
        Ok(self.attachments().arrived(owner, provider, numbers))
    }

    fn notes(&self, owner: &Owner, provider: &Node) -> Result<Vec<Note>, Error> {
        Ok(self.attachments().notes(owner, provider))
    }

    fn add_base(&self, owner: &Owner, provider: &Node, base: u128) -> Result<(), Error> {
        self.attachments_mut().add_base(owner, provider, base);
        Ok(())
    }

    fn search(&self, tokens: &[Token]) -> Result<Vec<Part>, Error> {
        let mut records = self.records();
        let mut parts = Vec::new();
        for token in tokens {
            parts.extend(records.search(token)?);
        }
        Ok(parts)
    }

    fn count(&self, tokens: &[Token]) -> Result<usize, Error> {
        let mut records = self.records();
        tokens.iter().map(|token| records.count(token)).sum()
    }

    fn labels(
        &self,
        owner: &Owner,
        provider: &Node,
        labels: &[u128],
    ) -> Result<Vec<Option<Label>>, Error> {
        Ok(self.attachments().labels(owner, provider, labels))
    }

    fn label_count(&self, owner: &Owner, provider: &Node) -> Result<usize, Error> {
        Ok(self.attachments().label_count(owner, provider))
    }

    fn files(
        &self,
        owner: &Owner,
        provider: &Node,
        numbers: &[u128],
    ) -> Result<Vec<StoredFile>, Error> {
        Ok(self.attachments().files(owner, provider, numbers))
    }

    fn files_of(
        &self,
        owner: &Owner,
        provider: &Node,
        handles: &[u128],
    ) -> Result<Vec<StoredFile>, Error> {
        Ok(self.attachments().files_of(owner, provider, handles))
    }

    fn file(&self, owner: &Owner, number: u128) -> Result<Option<StoredFile>, Error> {
        Ok(self.attachments().file(owner, number))
    }

    fn remove(&self, owner: &Owner, provider: &str) -> Result<Removed, Error> {
        let records = self.records().remove(*owner, provider);
        Ok(Removed { records, files: self.attachments_mut().remove(*owner, provider) })
    }
}
