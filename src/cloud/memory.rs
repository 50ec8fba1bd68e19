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
use super::store::{Content, Label, Merged, Receipt, Store, Totals};
use crate::message::announcement::{Announced, Announcement};
use crate::message::answer::Part;
use crate::message::attachment::{Attachment, StoredFile};
use crate::message::certificate::Owner;
use crate::message::place::Node;
use crate::message::query::Query;
use crate::message::removal::Removal;
use crate::message::upload::Upload;

/// What an owner announced, and the bytes that were signed.
#[derive(Debug, Default)]
struct Enrolled {
    announced: Arc<Announced>,
    messages: BTreeMap<Node, Vec<u8>>,
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

    fn announced(&self, owner: &Owner) -> Result<Option<Arc<Announced>>, Error> {
        let known = self.announcements.read().unwrap_or_else(PoisonError::into_inner);
        Ok(known.get(owner).map(|enrolled| Arc::clone(&enrolled.announced)))
    }

    fn announcements(&self, owner: &Owner) -> Result<Vec<Vec<u8>>, Error> {
        let known = self.announcements.read().unwrap_or_else(PoisonError::into_inner);
        let messages = known.get(owner).map(|enrolled| enrolled.messages.values().cloned());
        Ok(messages.map(Iterator::collect).unwrap_or_default())
    }

    fn enroll(&self, announcements: Vec<(Announcement, Vec<u8>)>) -> Result<(), Error> {
        let Some((first, _)) = announcements.first() else { return Ok(()) };
        let owner = first.owner;
        let mut known = self.announcements.write().unwrap_or_else(PoisonError::into_inner);
        let before = known.get(&owner).map(|enrolled| Arc::clone(&enrolled.announced));
        let (more, messages): (Vec<_>, Vec<_>) = announcements
            .into_iter()
            .map(|(announcement, message)| (Arc::new(announcement), message))
            .unzip();
        let announced = before.unwrap_or_default().with(&more)?;
        let enrolled = known.entry(owner).or_default();
        for (announcement, message) in more.into_iter().zip(messages) {
            enrolled.messages.insert(announcement.authority.clone(), message);
        }
        enrolled.announced = Arc::new(announced);
        Ok(())
    }

    fn add(&self, upload: Upload, _: &[u8]) -> Result<Receipt, Error> {
        self.records().add(upload)
    }

    fn add_file(&self, attachment: Attachment, _: &[u8]) -> Result<(), Error> {
        self.attachments_mut().add(attachment)
    }

    fn search(&self, query: &Query) -> Result<Vec<Part>, Error> {
        self.records().search(query)
    }

    fn count(&self, query: &Query) -> Result<usize, Error> {
        self.records().count(query)
    }

    fn labels(
        &self,
        owner: &Owner,
        provider: &Node,
        labels: &[u128],
    ) -> Result<Vec<Option<Label>>, Error> {
        Ok(self.attachments().labels(owner, provider, labels))
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

    fn remove(
        &self,
        owner: &Owner,
        provider: &str,
        removal: Option<&Removal>,
    ) -> Result<Receipt, Error> {
        let files = || self.attachments_mut().remove(*owner, provider);
        self.records().remove(*owner, provider, removal, files)
    }
}
