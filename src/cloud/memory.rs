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

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::Error;
use super::attachments::Attachments;
use super::pages::{Cursor, Readings};
use super::proofs::lists;
use super::records::{Busy, Log, Records};
use super::store::{BEGUN_FOR, Content, Label, MOST_BEGUN, Merged, Receipt, Store, Totals};
use crate::lock::{Forked, Lock};
use crate::message::announcement::{Announced, Announcement};
use crate::message::answer::Part;
use crate::message::attachment::{Attachment, StoredFile};
use crate::message::catalogue;
use crate::message::certificate::Owner;
use crate::message::notes::Note;
use crate::message::piece::Piece;
use crate::message::place::Node;
use crate::message::query::Query;
use crate::message::removal::Removal;
use crate::message::request::Request;
use crate::message::seal::Sealed;
use crate::message::sums::{Proof, Wanted};
use crate::message::upload::Upload;

/// An index that has so many levels waits for its merging before it takes more.
const MOST_LEVELS: usize = 64;

/// How long who waits for merging sleeps between two looks.
const PAUSE: Duration = Duration::from_micros(200);

/// Everything a cloud holds, in memory.
#[derive(Debug, Default)]
pub struct Memory {
    owners: Lock<BTreeMap<Owner, Arc<Served>>>,
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
    enrolled: Lock<Option<Arc<Enrolled>>>,
    records: Lock<Arc<Records>>,
    attachments: Lock<Attachments>,
    /// Uploads that came in pieces, and not all of them yet.
    begun: Lock<HashMap<[u8; 32], Begun>>,
    /// What answers began with that go on.
    reading: Lock<Readings<u128, Arc<Records>>>,
    /// Whoever changes something has this, so that what it checked stays so.
    writing: Lock<Writing>,
}

/// An upload of which some pieces came.
#[derive(Debug)]
struct Begun {
    provider: Node,
    chunks: BTreeMap<u64, Vec<u8>>,
    /// When the last piece came, in seconds since 1970.
    last: u64,
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

/// The end of a thread's merging by a panic or a fork.
struct Tidier<'a>(&'a Served);

impl Drop for Tidier<'_> {
    fn drop(&mut self) {
        if let Ok(mut writing) = self.0.writing.write() {
            (writing.tidier, writing.busy) = (None, None);
        }
    }
}

impl Served {
    fn enrolled(&self) -> Result<Option<Arc<Enrolled>>, Forked> {
        Ok(self.enrolled.read()?.clone())
    }

    fn records(&self) -> Result<Arc<Records>, Forked> {
        Ok(Arc::clone(&*self.records.read()?))
    }

    /// Shows the records as they are now to whoever comes.
    fn publish(&self, records: Records) -> Result<(), Forked> {
        let records = Arc::new(records);
        let mut known = self.records.write()?;
        let before = std::mem::replace(&mut *known, records);
        drop(known);
        drop(before); // which may take long, if nobody reads it any more
        Ok(())
    }

    /// Refuses what was checked before a revocation and comes after it.
    fn still_accepts(&self, provider: &Node) -> Result<(), Error> {
        match self.enrolled()? {
            Some(enrolled) => Ok(enrolled.announced.accepts(provider)?),
            None => Ok(()),
        }
    }

    /// A page of an answer. While it goes on, the state that it began with is kept.
    fn page(
        &self,
        query: &Query,
        from: &Cursor,
        most: usize,
        wanted: Option<Wanted>,
    ) -> Result<(Vec<Part>, Option<Proof>), Error> {
        let newest = self.records()?;
        let records = match from.snapshot {
            Some(snapshot) if snapshot != newest.changes => {
                let reading = self.reading.read()?;
                Arc::clone(reading.find(&query.id, snapshot).ok_or(Error::Moved)?)
            }
            _ => newest,
        };
        let (parts, hits) = records.page_of_hits(query, from, most);
        // Those of earlier pages are not among them.
        let hits = (from.token == 0).then_some(hits);
        let goes_on = parts.last().is_some_and(|last| Cursor::after(query, &[last]).is_some());
        // The last page has the proof, which is of the state that all are of.
        let wanted = wanted.filter(|_| !goes_on);
        let proof = wanted.map(|wanted| records.prove(query, hits, wanted, false)).transpose()?;
        if goes_on || from.snapshot.is_some() {
            let mut reading = self.reading.write()?;
            if goes_on {
                reading.keep(query.id, records.changes, records, (0, usize::MAX));
            } else {
                reading.end(&query.id);
            }
        }
        Ok((parts, proof))
    }

    fn add(self: &Arc<Self>, upload: &Upload, message: &[u8]) -> Result<Receipt, Error> {
        let mut writing = self.writing.write()?;
        while writing.is_tidying() && self.records()?.levels() > MOST_LEVELS {
            drop(writing);
            thread::sleep(PAUSE);
            writing = self.writing.write()?;
        }
        self.still_accepts(&upload.provider)?;
        let path = upload.provider.path();
        if let Some(receipt) = writing.log.repeated(upload.id, &upload.digest, &path)? {
            return Ok(receipt);
        }
        let (records, receipt) = self.records()?.with(upload, message, writing.busy())?;
        let changes = records.changes;
        self.publish(records)?;
        writing.log.add(upload.id, upload.digest, &receipt, changes);
        let is_due = self.is_due(&mut writing)?;
        drop(writing);
        if is_due {
            self.start_tidying();
        }
        Ok(receipt)
    }

    /// Takes a seal, as [`Store::seal`] says.
    fn seal(&self, sealed: Sealed) -> Result<bool, Error> {
        let writing = self.writing.write()?;
        self.still_accepts(&sealed.seal.provider)?;
        let sealed = Arc::new(sealed);
        let (records, is_repeated) = self.records()?.sealed(Arc::clone(&sealed))?;
        if !is_repeated {
            let catalogue = self.attachments.read()?.stated(&sealed)?;
            self.attachments.write()?.state(catalogue);
            self.publish(records)?;
        }
        drop(writing);
        Ok(is_repeated)
    }

    fn remove(
        self: &Arc<Self>,
        provider: &str,
        removal: Option<&Removal>,
    ) -> Result<Receipt, Error> {
        let mut writing = self.writing.write()?;
        if let Some(removal) = removal
            && let Some(receipt) = writing.log.repeated(removal.id, &removal.digest, provider)?
        {
            return Ok(receipt);
        }
        let signed = removal.map(|removal| removal.bytes.as_slice());
        let (mut records, removed) = self.records()?.without(provider, signed, writing.busy());
        let files = self.attachments.write()?.remove(provider, signed);
        let provider = provider.to_owned();
        let (added, replaced, is_repeated) = (0, 0, false);
        let receipt = Receipt { provider, added, replaced, removed, files, is_repeated };
        if removal.is_none() && removed == 0 && files == 0 {
            return Ok(receipt);
        }
        records.changes += 1;
        let changes = records.changes;
        self.publish(records)?;
        let message = removal.map(|removal| (removal.id, removal.digest));
        writing.log.remove(message, &receipt, changes);
        let is_due = self.is_due(&mut writing)?;
        drop(writing);
        if is_due {
            self.start_tidying();
        }
        Ok(receipt)
    }

    /// Whether something is overdue and nobody does it; then whoever asks has to.
    fn is_due(&self, writing: &mut Writing) -> Result<bool, Forked> {
        if writing.is_tidying() || self.records()?.chore().is_none() {
            return Ok(false);
        }
        (writing.tidier, writing.busy) = (Some(std::process::id()), None);
        Ok(true)
    }

    /// Has a thread merge what is overdue.
    fn start_tidying(self: &Arc<Self>) {
        let served = Arc::clone(self);
        let thread = thread::Builder::new().name("mopse-merge".to_owned());
        if thread.spawn(move || served.tidy(false)).is_err() {
            let _ = self.tidy(false); // a fork meanwhile is told to whoever comes next
        }
    }

    /// Merges what is overdue, as the one thread that does.
    fn tidy(&self, with_all_threads: bool) -> Result<(), Forked> {
        let tidier = Tidier(self);
        loop {
            let mut writing = self.writing.write()?;
            let Some(chore) = self.records()?.chore() else {
                // Under the same lock, so that nobody relies on a thread that is ending; and once only,
                // as another may begin.
                (writing.tidier, writing.busy) = (None, None);
                std::mem::forget(tidier);
                return Ok(());
            };
            writing.busy = Some(chore.busy());
            drop(writing);
            let done = chore.done(with_all_threads);
            let mut writing = self.writing.write()?;
            self.publish(self.records()?.tidied(done))?;
            writing.busy = None;
        }
    }

    /// Merges all that is overdue before it returns.
    fn settle(&self) -> Result<(), Forked> {
        let mut writing = self.writing.write()?;
        while writing.is_tidying() {
            drop(writing);
            thread::sleep(PAUSE);
            writing = self.writing.write()?;
        }
        let is_due = self.is_due(&mut writing)?;
        drop(writing);
        if is_due { self.tidy(true) } else { Ok(()) }
    }
}

impl Memory {
    /// What is held for an owner, if there is something.
    fn known(&self, owner: &Owner) -> Result<Option<Arc<Served>>, Forked> {
        Ok(self.owners.read()?.get(owner).cloned())
    }

    /// What is held for an owner, from now on.
    fn served(&self, owner: &Owner) -> Result<Arc<Served>, Forked> {
        match self.known(owner)? {
            Some(served) => Ok(served),
            None => Ok(Arc::clone(self.owners.write()?.entry(*owner).or_default())),
        }
    }

    /// All that is held, owner by owner.
    fn all(&self) -> Result<Vec<(Owner, Arc<Served>)>, Forked> {
        let owners = self.owners.read()?;
        Ok(owners.iter().map(|(owner, served)| (*owner, Arc::clone(served))).collect())
    }

    /// What is made of an owner's attachments; as of none, if it has none.
    fn attachments<T>(
        &self,
        owner: &Owner,
        make: impl FnOnce(&Attachments) -> T,
    ) -> Result<T, Error> {
        match self.known(owner)? {
            Some(served) => Ok(make(&*served.attachments.read()?)),
            None => Ok(make(&Attachments::default())),
        }
    }

    /// Merges all that is overdue, which otherwise threads do meanwhile.
    ///
    /// # Errors
    ///
    /// [`Error::Forked`]; so too below.
    pub fn settle(&self) -> Result<(), Error> {
        Ok(self.all()?.iter().try_for_each(|(_, served)| served.settle())?)
    }

    /// What there is, one line per upload, by owner, group and arrival.
    ///
    /// # Errors
    ///
    /// See [`settle`](Self::settle).
    pub fn contents(&self) -> Result<Vec<Content>, Error> {
        let mut contents = Vec::new();
        for (owner, served) in self.all()? {
            contents.extend(served.records()?.contents(owner));
        }
        Ok(contents)
    }

    /// How much there is besides records.
    ///
    /// # Errors
    ///
    /// See [`settle`](Self::settle).
    pub fn totals(&self) -> Result<Totals, Error> {
        let mut totals = Totals::default();
        for (_, served) in self.all()? {
            let of = served.attachments.read()?.totals();
            totals.entries += served.records()?.entries();
            totals.files += of.files;
            totals.file_size += of.file_size;
            totals.keywords += of.keywords;
        }
        Ok(totals)
    }

    /// The entries of a field of a group in order: all that a copy of the store shows of the field.
    ///
    /// # Errors
    ///
    /// See [`settle`](Self::settle); [`Error::Records`] if the group has 2^32 records or more.
    pub fn merged(&self, owner: &Owner, group: &str, field: &str) -> Result<Merged, Error> {
        match self.known(owner)? {
            Some(served) => served.records()?.merged(group, field),
            None => Ok(Merged::default()),
        }
    }
}

impl Store for Memory {
    type Error = Error;

    fn owners(&self) -> Result<Vec<Owner>, Error> {
        let mut owners = Vec::new();
        for (owner, served) in self.all()? {
            owners.extend(served.enrolled()?.map(|_| owner));
        }
        Ok(owners)
    }

    fn announced(&self, owner: &Owner) -> Result<Option<Arc<Announced>>, Error> {
        let Some(served) = self.known(owner)? else { return Ok(None) };
        Ok(served.enrolled()?.map(|enrolled| Arc::clone(&enrolled.announced)))
    }

    fn announcements(&self, owner: &Owner) -> Result<Vec<Vec<u8>>, Error> {
        let Some(served) = self.known(owner)? else { return Ok(Vec::new()) };
        let messages = served.enrolled()?.map(|of| of.messages.values().cloned().collect());
        Ok(messages.unwrap_or_default())
    }

    fn enroll(&self, announcements: Vec<(Announcement, Vec<u8>)>) -> Result<(), Error> {
        let Some((first, _)) = announcements.first() else { return Ok(()) };
        let served = self.served(&first.owner)?;
        let (more, messages): (Vec<_>, Vec<_>) = announcements
            .into_iter()
            .map(|(announcement, message)| (Arc::new(announcement), message))
            .unzip();
        let writing = served.writing.write()?;
        let mut enrolled = served.enrolled()?.map_or_else(Enrolled::default, Arc::unwrap_or_clone);
        enrolled.announced = Arc::new(enrolled.announced.with(&more)?);
        for (announcement, message) in more.into_iter().zip(messages) {
            enrolled.messages.insert(announcement.authority.clone(), message);
        }
        *served.enrolled.write()? = Some(Arc::new(enrolled));
        drop(writing);
        Ok(())
    }

    fn add(&self, upload: Upload, message: &[u8]) -> Result<Receipt, Error> {
        self.served(&upload.owner)?.add(&upload, message)
    }

    fn repeated(
        &self,
        owner: &Owner,
        provider: &str,
        id: u128,
        digest: &[u8; 32],
    ) -> Result<Option<Receipt>, Error> {
        self.served(owner)?.writing.read()?.log.repeated(id, digest, provider)
    }

    fn put(&self, piece: &Piece, now: u64) -> Result<(), Error> {
        let served = self.served(&piece.owner)?;
        let mut begun = served.begun.write()?;
        begun.retain(|_, begun| now.saturating_sub(begun.last) <= BEGUN_FOR);
        let of_provider = begun.values().filter(|begun| begun.provider == piece.provider).count();
        if of_provider >= MOST_BEGUN && !begun.contains_key(&piece.digest) {
            return Err(Error::Begun { provider: piece.provider.path(), most: MOST_BEGUN });
        }
        let new = || Begun { provider: piece.provider.clone(), chunks: BTreeMap::new(), last: now };
        let begun = begun.entry(piece.digest).or_insert_with(new);
        begun.last = now;
        begun.chunks.extend(piece.chunks().map(|(number, bytes)| (number, bytes.to_vec())));
        Ok(())
    }

    fn chunks(&self, owner: &Owner, digest: &[u8; 32]) -> Result<Vec<u64>, Error> {
        let served = self.served(owner)?;
        let begun = served.begun.read()?;
        Ok(begun.get(digest).map_or_else(Vec::new, |of| of.chunks.keys().copied().collect()))
    }

    fn body(&self, owner: &Owner, digest: &[u8; 32]) -> Result<Vec<u8>, Error> {
        let served = self.served(owner)?;
        let begun = served.begun.read()?;
        let chunks = begun.get(digest).into_iter().flat_map(|of| of.chunks.values());
        Ok(chunks.flatten().copied().collect())
    }

    fn forget(&self, owner: &Owner, digest: &[u8; 32]) -> Result<(), Error> {
        self.served(owner)?.begun.write()?.remove(digest);
        Ok(())
    }

    fn seal(&self, sealed: Sealed) -> Result<bool, Error> {
        self.served(&sealed.seal.owner)?.seal(sealed)
    }

    fn add_file(
        &self,
        attachment: Attachment,
        missing: &[u128],
        message: &[u8],
    ) -> Result<(), Error> {
        let served = self.served(&attachment.file.owner)?;
        let writing = served.writing.write()?;
        served.still_accepts(&attachment.file.provider)?;
        served.attachments.write()?.add(attachment, missing, message)?;
        drop(writing);
        Ok(())
    }

    fn arrived(
        &self,
        owner: &Owner,
        provider: &Node,
        numbers: &[u128],
    ) -> Result<Vec<Option<Vec<u128>>>, Error> {
        self.attachments(owner, |attachments| attachments.arrived(provider, numbers))
    }

    fn notes(&self, owner: &Owner, provider: &Node) -> Result<Vec<Note>, Error> {
        self.attachments(owner, |attachments| attachments.notes(provider))
    }

    fn add_base(&self, owner: &Owner, provider: &Node, base: u128) -> Result<(), Error> {
        self.served(owner)?.attachments.write()?.add_base(provider, base);
        Ok(())
    }

    fn search(&self, query: &Query) -> Result<Vec<Part>, Error> {
        self.page(query, &Cursor::default(), usize::MAX)
    }

    fn page(&self, query: &Query, from: &Cursor, most: usize) -> Result<Vec<Part>, Error> {
        match self.known(&query.owner)? {
            Some(served) => Ok(served.page(query, from, most, None)?.0),
            None => Ok(Records::default().page(query, from, most)),
        }
    }

    fn proven_page(
        &self,
        query: &Query,
        from: &Cursor,
        most: usize,
        wanted: Wanted,
    ) -> Result<(Vec<Part>, Option<Proof>), Error> {
        self.served(&query.owner)?.page(query, from, most, Some(wanted))
    }

    fn proven_count(&self, query: &Query, wanted: Wanted) -> Result<Proof, Error> {
        self.served(&query.owner)?.records()?.prove(query, None, wanted, true)
    }

    fn count(&self, query: &Query) -> Result<usize, Error> {
        match self.known(&query.owner)? {
            Some(served) => Ok(served.records()?.count(query)),
            None => Ok(0),
        }
    }

    fn labels(
        &self,
        owner: &Owner,
        provider: &Node,
        labels: &[u128],
    ) -> Result<Vec<Option<Label>>, Error> {
        self.attachments(owner, |attachments| attachments.labels(provider, labels))
    }

    fn label_count(&self, owner: &Owner, provider: &Node) -> Result<usize, Error> {
        self.attachments(owner, |attachments| attachments.label_count(provider))
    }

    fn files(
        &self,
        owner: &Owner,
        provider: &Node,
        numbers: &[u128],
    ) -> Result<Vec<StoredFile>, Error> {
        self.attachments(owner, |attachments| attachments.files(provider, numbers))
    }

    fn files_of(
        &self,
        owner: &Owner,
        provider: &Node,
        handles: &[u128],
    ) -> Result<Vec<StoredFile>, Error> {
        self.attachments(owner, |attachments| attachments.files_of(provider, handles))
    }

    fn proven_files(
        &self,
        request: &Request,
    ) -> Result<(Vec<StoredFile>, catalogue::Proof), Error> {
        self.attachments(&request.owner, |attachments| lists::proven(attachments, request))?
    }

    fn file(&self, owner: &Owner, number: u128) -> Result<Option<StoredFile>, Error> {
        let file = self.attachments(owner, |attachments| attachments.file(number))?;
        Ok(file.map(|file| StoredFile::clone(&file)))
    }

    fn deed(&self, owner: &Owner, number: u128) -> Result<Option<Vec<u8>>, Error> {
        let deed = self.attachments(owner, |attachments| attachments.deed(number))?;
        Ok(deed.map(|deed| Vec::clone(&deed)))
    }

    fn remove(
        &self,
        owner: &Owner,
        provider: &str,
        removal: Option<&Removal>,
    ) -> Result<Receipt, Error> {
        self.served(owner)?.remove(provider, removal)
    }
}
