//! The store in memory, gone when the process ends.
//!
//! Every owner is kept apart, under locks of its own. A search takes the owner's records as they are and
//! goes on with those: it waits for no upload, and its tokens all see one state. Changes of one owner come
//! one after the other, each whole; levels are merged by a thread that is there while there is something
//! to merge.
//!
//! # Leakage
//!
//! That of uploads, attachments and of the index; and, over time, which providers send what when.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{
    Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
};
use std::thread;

use super::Error;
use super::attachments::Attachments;
use super::pages::Cursor;
use super::records::{Busy, Log, Records};
use super::store::{Content, Label, Merged, Receipt, Store, Totals};
use crate::message::announcement::{Announced, Announcement};
use crate::message::answer::Part;
use crate::message::attachment::{Attachment, StoredFile};
use crate::message::certificate::Owner;
use crate::message::notes::Note;
use crate::message::place::Node;
use crate::message::query::Query;
use crate::message::removal::Removal;
use crate::message::upload::Upload;

/// An index that has so many levels waits for its merging before it takes more.
const MOST_LEVELS: usize = 64;

/// Answers of an owner that may go on at a time, whatever changes meanwhile.
const MOST_READING: usize = 8;

/// Everything a cloud holds, in memory.
#[derive(Debug, Default)]
pub struct Memory {
    owners: RwLock<BTreeMap<Owner, Arc<Served>>>,
}

/// What an owner announced, and the bytes that were signed.
#[derive(Debug, Clone, Default)]
struct Enrolled {
    announced: Arc<Announced>,
    messages: BTreeMap<Node, Vec<u8>>,
}

/// What is held for one owner.
#[derive(Debug, Default)]
struct Served {
    /// `None` before the owner announced anything.
    enrolled: RwLock<Option<Arc<Enrolled>>>,
    records: RwLock<Arc<Records>>,
    attachments: RwLock<Attachments>,
    /// What answers began with that go on.
    reading: Mutex<VecDeque<Reading>>,
    /// Whoever changes something has this, so that what it checked stays so.
    writing: Mutex<Writing>,
    is_tidied: Condvar,
}

/// The state that an answer began with.
#[derive(Debug)]
struct Reading {
    query: u128,
    records: Arc<Records>,
}

#[derive(Debug, Default)]
struct Writing {
    log: Log,
    /// The process in which a thread merges levels.
    tidier: Option<u32>,
    /// What it is about now.
    busy: Option<Busy>,
}

impl Writing {
    /// What a thread of this process is about.
    fn busy(&self) -> Option<&Busy> {
        self.busy.as_ref().filter(|_| self.is_tidying())
    }

    /// Whether a thread of this process merges levels; one of a process that this was forked from does not.
    fn is_tidying(&self) -> bool {
        self.tidier == Some(std::process::id())
    }
}

/// The end of a thread's merging, also by a panic.
struct Tidier<'a>(&'a Served);

impl Drop for Tidier<'_> {
    fn drop(&mut self) {
        let mut writing = self.0.writing();
        (writing.tidier, writing.busy) = (None, None);
        self.0.is_tidied.notify_all();
    }
}

impl Served {
    fn writing(&self) -> MutexGuard<'_, Writing> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enrolled(&self) -> Option<Arc<Enrolled>> {
        self.enrolled.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn records(&self) -> Arc<Records> {
        Arc::clone(&self.records.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Shows the records as they are now to whoever comes.
    fn publish(&self, records: Records) {
        let records = Arc::new(records);
        let mut known = self.records.write().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *known, records);
        drop(known);
        drop(before); // which may take long, if nobody reads it any more
    }

    fn attachments(&self) -> RwLockReadGuard<'_, Attachments> {
        self.attachments.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn attachments_mut(&self) -> RwLockWriteGuard<'_, Attachments> {
        self.attachments.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses what was checked before a revocation and comes after it.
    fn still_accepts(&self, provider: &Node) -> Result<(), Error> {
        match self.enrolled() {
            Some(enrolled) => Ok(enrolled.announced.accepts(provider)?),
            None => Ok(()),
        }
    }

    /// A page of an answer. While it goes on, the state that it began with is kept, of the last
    /// [`MOST_READING`] that did not come to their end.
    fn page(&self, query: &Query, from: &Cursor, most: usize) -> Result<Vec<Part>, Error> {
        let is_it = |reading: &Reading| {
            reading.query == query.id && Some(reading.records.changes) == from.snapshot
        };
        let newest = self.records();
        let records = match from.snapshot {
            Some(snapshot) if snapshot != newest.changes => {
                let reading = self.reading();
                let kept = reading.iter().find(|reading| is_it(reading)).ok_or(Error::Moved)?;
                Arc::clone(&kept.records)
            }
            _ => newest,
        };
        let parts = records.page(query, from, most);
        let goes_on = parts.last().is_some_and(|last| Cursor::after(query, &[last]).is_some());
        if goes_on || from.snapshot.is_some() {
            let mut reading = self.reading();
            reading.retain(|reading| reading.query != query.id);
            if goes_on {
                if reading.len() == MOST_READING {
                    reading.pop_front();
                }
                reading.push_back(Reading { query: query.id, records });
            }
        }
        Ok(parts)
    }

    fn reading(&self) -> MutexGuard<'_, VecDeque<Reading>> {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(self: &Arc<Self>, upload: &Upload) -> Result<Receipt, Error> {
        let mut writing = self.writing();
        while writing.is_tidying() && self.records().levels() > MOST_LEVELS {
            writing = self.is_tidied.wait(writing).unwrap_or_else(PoisonError::into_inner);
        }
        self.still_accepts(&upload.provider)?;
        let path = upload.provider.path();
        if let Some(receipt) = writing.log.repeated(upload.id, &upload.digest, &path)? {
            return Ok(receipt);
        }
        let (records, receipt) = self.records().with(upload, writing.busy())?;
        writing.log.add(upload.id, upload.digest, &receipt, records.changes);
        self.publish(records);
        self.start_tidying(writing);
        Ok(receipt)
    }

    fn remove(
        self: &Arc<Self>,
        provider: &str,
        removal: Option<&Removal>,
    ) -> Result<Receipt, Error> {
        let mut writing = self.writing();
        if let Some(removal) = removal
            && let Some(receipt) = writing.log.repeated(removal.id, &removal.digest, provider)?
        {
            return Ok(receipt);
        }
        let (mut records, removed) = self.records().without(provider, writing.busy());
        let files = self.attachments_mut().remove(provider);
        let provider = provider.to_owned();
        let (added, replaced, is_repeated) = (0, 0, false);
        let receipt = Receipt { provider, added, replaced, removed, files, is_repeated };
        if removal.is_none() && removed == 0 && files == 0 {
            return Ok(receipt);
        }
        records.changes += 1;
        let message = removal.map(|removal| (removal.id, removal.digest));
        writing.log.remove(message, &receipt, records.changes);
        self.publish(records);
        self.start_tidying(writing);
        Ok(receipt)
    }

    /// Has a thread merge what is overdue, if there is something and none does.
    fn start_tidying(self: &Arc<Self>, mut writing: MutexGuard<'_, Writing>) {
        if writing.is_tidying() || self.records().chore().is_none() {
            return;
        }
        (writing.tidier, writing.busy) = (Some(std::process::id()), None);
        drop(writing);
        let served = Arc::clone(self);
        let thread = thread::Builder::new().name("mopse-merge".to_owned());
        if thread.spawn(move || served.tidy(false)).is_err() {
            self.tidy(false);
        }
    }

    /// Merges what is overdue, as the one thread that does.
    fn tidy(&self, with_all_threads: bool) {
        let tidier = Tidier(self);
        loop {
            let mut writing = self.writing();
            let Some(chore) = self.records().chore() else {
                (writing.tidier, writing.busy) = (None, None);
                break;
            };
            writing.busy = Some(chore.busy());
            drop(writing);
            let done = chore.done(with_all_threads);
            let mut writing = self.writing();
            self.publish(self.records().tidied(done));
            writing.busy = None;
            self.is_tidied.notify_all();
        }
        drop(tidier);
    }

    /// Merges all that is overdue before it returns.
    fn settle(&self) {
        let mut writing = self.writing();
        while writing.is_tidying() {
            writing = self.is_tidied.wait(writing).unwrap_or_else(PoisonError::into_inner);
        }
        (writing.tidier, writing.busy) = (Some(std::process::id()), None);
        drop(writing);
        self.tidy(true);
    }
}

impl Memory {
    /// What is held for an owner, if there is something.
    fn known(&self, owner: &Owner) -> Option<Arc<Served>> {
        self.owners.read().unwrap_or_else(PoisonError::into_inner).get(owner).cloned()
    }

    /// What is held for an owner, from now on.
    fn served(&self, owner: &Owner) -> Arc<Served> {
        self.known(owner).unwrap_or_else(|| {
            let mut owners = self.owners.write().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(owners.entry(*owner).or_default())
        })
    }

    /// All that is held, owner by owner.
    fn all(&self) -> Vec<(Owner, Arc<Served>)> {
        let owners = self.owners.read().unwrap_or_else(PoisonError::into_inner);
        owners.iter().map(|(owner, served)| (*owner, Arc::clone(served))).collect()
    }

    /// Merges all that is overdue, which otherwise threads do meanwhile.
    pub fn settle(&self) {
        self.all().iter().for_each(|(_, served)| served.settle());
    }

    /// What there is, one line per upload, by owner, group and arrival.
    #[must_use]
    pub fn contents(&self) -> Vec<Content> {
        let all = self.all().into_iter();
        all.flat_map(|(owner, served)| served.records().contents(owner)).collect()
    }

    /// How much there is besides records.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for (_, served) in self.all() {
            let of = served.attachments().totals();
            totals.entries += served.records().entries();
            totals.files += of.files;
            totals.file_size += of.file_size;
            totals.keywords += of.keywords;
        }
        totals
    }

    /// The entries of a field of a group in order: all that a copy of the store shows of the field.
    ///
    /// # Errors
    ///
    /// [`Error::Records`] if the group has 2^32 records or more.
    pub fn merged(&self, owner: &Owner, group: &str, field: &str) -> Result<Merged, Error> {
        let records = self.known(owner).map(|served| served.records());
        records.map_or_else(|| Ok(Merged::default()), |records| records.merged(group, field))
    }
}

impl Store for Memory {
    type Error = Error;

    fn owners(&self) -> Result<Vec<Owner>, Error> {
        let all = self.all().into_iter();
        Ok(all.filter_map(|(owner, served)| served.enrolled().map(|_| owner)).collect())
    }

    fn announced(&self, owner: &Owner) -> Result<Option<Arc<Announced>>, Error> {
        let enrolled = self.known(owner).and_then(|served| served.enrolled());
        Ok(enrolled.map(|enrolled| Arc::clone(&enrolled.announced)))
    }

    fn announcements(&self, owner: &Owner) -> Result<Vec<Vec<u8>>, Error> {
        let enrolled = self.known(owner).and_then(|served| served.enrolled());
        let messages = enrolled.map(|enrolled| enrolled.messages.values().cloned().collect());
        Ok(messages.unwrap_or_default())
    }

    fn enroll(&self, announcements: Vec<(Announcement, Vec<u8>)>) -> Result<(), Error> {
        let Some((first, _)) = announcements.first() else { return Ok(()) };
        let (more, messages): (Vec<_>, Vec<_>) = announcements
            .iter()
            .map(|(announcement, message)| (Arc::new(announcement.clone()), message.clone()))
            .unzip();
        let served = self.served(&first.owner);
        let writing = served.writing();
        let mut enrolled = served.enrolled().map_or_else(Enrolled::default, Arc::unwrap_or_clone);
        enrolled.announced = Arc::new(enrolled.announced.with(&more)?);
        for (announcement, message) in more.into_iter().zip(messages) {
            enrolled.messages.insert(announcement.authority.clone(), message);
        }
        let mut known = served.enrolled.write().unwrap_or_else(PoisonError::into_inner);
        *known = Some(Arc::new(enrolled));
        drop((known, writing));
        Ok(())
    }

    fn add(&self, upload: Upload, _: &[u8]) -> Result<Receipt, Error> {
        self.served(&upload.owner).add(&upload)
    }

    fn add_file(&self, attachment: Attachment, missing: &[u128], _: &[u8]) -> Result<(), Error> {
        let served = self.served(&attachment.file.owner);
        let writing = served.writing();
        served.still_accepts(&attachment.file.provider)?;
        served.attachments_mut().add(attachment, missing)?;
        drop(writing);
        Ok(())
    }

    fn arrived(
        &self,
        owner: &Owner,
        provider: &Node,
        numbers: &[u128],
    ) -> Result<Vec<Option<Vec<u128>>>, Error> {
        Ok(match self.known(owner) {
            Some(served) => served.attachments().arrived(provider, numbers),
            None => vec![None; numbers.len()],
        })
    }

    fn notes(&self, owner: &Owner, provider: &Node) -> Result<Vec<Note>, Error> {
        let served = self.known(owner);
        Ok(served.map(|served| served.attachments().notes(provider)).unwrap_or_default())
    }

    fn add_base(&self, owner: &Owner, provider: &Node, base: u128) -> Result<(), Error> {
        self.served(owner).attachments_mut().add_base(provider, base);
        Ok(())
    }

    fn search(&self, query: &Query) -> Result<Vec<Part>, Error> {
        self.page(query, &Cursor::default(), usize::MAX)
    }

    fn page(&self, query: &Query, from: &Cursor, most: usize) -> Result<Vec<Part>, Error> {
        match self.known(&query.owner) {
            Some(served) => served.page(query, from, most),
            None => Ok(Records::default().page(query, from, most)),
        }
    }

    fn count(&self, query: &Query) -> Result<usize, Error> {
        let records = self.known(&query.owner).map(|served| served.records());
        Ok(records.unwrap_or_default().count(query))
    }

    fn labels(
        &self,
        owner: &Owner,
        provider: &Node,
        labels: &[u128],
    ) -> Result<Vec<Option<Label>>, Error> {
        Ok(match self.known(owner) {
            Some(served) => served.attachments().labels(provider, labels),
            None => vec![None; labels.len()],
        })
    }

    fn label_count(&self, owner: &Owner, provider: &Node) -> Result<usize, Error> {
        Ok(self.known(owner).map_or(0, |served| served.attachments().label_count(provider)))
    }

    fn files(
        &self,
        owner: &Owner,
        provider: &Node,
        numbers: &[u128],
    ) -> Result<Vec<StoredFile>, Error> {
        let served = self.known(owner);
        Ok(served.map(|served| served.attachments().files(provider, numbers)).unwrap_or_default())
    }

    fn files_of(
        &self,
        owner: &Owner,
        provider: &Node,
        handles: &[u128],
    ) -> Result<Vec<StoredFile>, Error> {
        let served = self.known(owner);
        Ok(served
            .map(|served| served.attachments().files_of(provider, handles))
            .unwrap_or_default())
    }

    fn file(&self, owner: &Owner, number: u128) -> Result<Option<StoredFile>, Error> {
        let file = self.known(owner).and_then(|served| served.attachments().file(number));
        Ok(file.map(|file| StoredFile::clone(&file)))
    }

    fn remove(
        &self,
        owner: &Owner,
        provider: &str,
        removal: Option<&Removal>,
    ) -> Result<Receipt, Error> {
        self.served(owner).remove(provider, removal)
    }
}
