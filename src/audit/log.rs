//! The log as a cloud keeps it: in memory, or in a file that grows at its end and that one process has.
//!
//! ```text
//! file   = letters || version || identity || records
//! record = length as u32 || entry
//! ```
//!
//! Writing down costs two hashes, and memory of 80 bytes an entry; it reaches the file at the
//! next [commit](Journal::commit), together with whatever else was written down since the last one. After a
//! process was killed, or the machine lost its power, a record that is not whole is the end of the log and is
//! cut off. A checkpoint is signed of what is durable alone: otherwise a crash would make a log that has signed
//! two states.

use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::process;
use std::time::{SystemTime, UNIX_EPOCH};

use super::Error;
use super::checkpoint::Checkpoint;
use super::entry::{self, Entry};
use super::identity::Identity;
use super::pages::{Audit, PAGE_BYTES};
use super::tree::Tree;
use crate::cloud;
use crate::cloud::journal::{Event, Journal, What};
use crate::lock::{Forked, Lock};
use crate::message::audit::AuditRequest;
use crate::message::certificate::Owner;
use crate::message::limits::MOST_AUDITED;
use crate::message::signature::VERIFICATION_KEY_LEN;
use crate::message::tree::Hash;
use crate::wire::{HEAD_LEN, Kind, Reader, Writer};

const FILE: &str = "the audit log";
const START: u64 = (HEAD_LEN + VERIFICATION_KEY_LEN) as u64;
const LENGTH: u64 = size_of::<u32>() as u64;

fn failed(error: &std::io::Error) -> Error {
    Error::File { what: FILE, why: error.to_string() }
}

/// The entries of one owner.
#[derive(Debug, Default)]
struct Book {
    tree: Tree,
    /// Where each entry stands in the file, and how long it is.
    places: Vec<(u64, u32)>,
    link: Hash,
    /// What stands for each event that is written down once.
    once: HashSet<Hash>,
}

impl Book {
    fn push(&mut self, bytes: &[u8], at: u64) {
        let leaf = entry::leaf(bytes);
        self.tree.push(leaf);
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX); // LONGEST is below
        self.places.push((at, length));
        self.link = leaf;
    }
}

#[derive(Debug, Default)]
struct State {
    books: HashMap<Owner, Book>,
    /// What is not in the file yet; without a file, everything.
    bytes: Vec<u8>,
    /// Where the next record stands.
    end: u64,
    /// Why nothing is written down any more.
    closed: Option<&'static str>,
}

const FAILED: &str = "what was written down before is not in the file";

/// An audit log.
#[derive(Debug)]
pub struct Log {
    identity: Identity,
    state: Lock<State>,
    file: Option<Lock<Option<File>>>,
    process: u32,
}

impl Log {
    /// A log in memory.
    #[must_use]
    pub fn in_memory(identity: Identity) -> Self {
        Self::new(identity, State { end: START, ..State::default() }, None)
    }

    /// The log in a file, which is made if it is not there, and is this process's until the log is dropped.
    ///
    /// # Errors
    ///
    /// [`Error::InUse`], [`Error::File`], [`wire::Error`](crate::wire::Error) if it is no log,
    /// [`Error::OtherIdentity`], [`Error::Broken`].
    pub fn open(path: &Path, identity: Identity) -> Result<Self, Error> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(|error| failed(&error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::InUse),
            Err(TryLockError::Error(error)) => return Err(failed(&error)),
        }
        let mut head = Writer::new(Kind::AuditLog);
        head.raw(&identity.public());
        let mut begun = Vec::new();
        let read = (&file).take(START).read_to_end(&mut begun);
        read.map_err(|error| failed(&error))?;
        if begun.len() < head.0.len() && head.0.starts_with(&begun) {
            let written = file.seek(SeekFrom::Start(0)).and_then(|_| file.write_all(&head.0));
            written.and_then(|()| file.sync_all()).map_err(|error| failed(&error))?;
        }
        let mut state = State::default();
        let found = read_records(&file, |owner, bytes, at| {
            let book = state.books.entry(owner).or_default();
            book.once.extend(Entry::decode(bytes).ok().and_then(|entry| mark(&entry.event)));
            book.push(bytes, at);
        })?;
        if found.identity != identity.public() {
            return Err(Error::OtherIdentity { what: FILE });
        }
        state.end = found.end;
        let cut = file.set_len(found.end).and_then(|()| file.sync_all());
        cut.map_err(|error| failed(&error))?;
        Ok(Self::new(identity, state, Some(file)))
    }

    fn new(identity: Identity, state: State, file: Option<File>) -> Self {
        let (state, file) = (Lock::new(state), file.map(|file| Lock::new(Some(file))));
        Self { identity, state, file, process: process::id() }
    }

    /// Lets the file go, with everything in it; nothing is written down any more, nor read.
    ///
    /// # Errors
    ///
    /// Those of [`sync`](Self::sync).
    pub fn close(&self) -> Result<(), Error> {
        let Some(file) = &self.file else { return Ok(()) };
        let mut file = file.write()?;
        if let Some(open) = file.as_mut() {
            self.sync_to(open)?;
        }
        self.state.write()?.closed = Some("it is closed");
        *file = None;
        Ok(())
    }

    /// Reads a log in a file without changing it, also one that a process has open: every entry must follow the
    /// one before, and the log must be the one that checkpoints were signed of. Returns how many entries
    /// each owner has, and how many bytes at the end are no whole entry.
    ///
    /// # Errors
    ///
    /// [`Error::File`], [`wire::Error`](crate::wire::Error) if it is no log, [`Error::Broken`],
    /// [`Error::OtherIdentity`], [`Error::Shorter`] and [`Error::Rewritten`] if it is not the one of a checkpoint.
    pub fn check(
        path: &Path,
        checkpoints: &[Checkpoint],
    ) -> Result<(Vec<(Owner, u64)>, u64), Error> {
        let file = File::open(path).map_err(|error| failed(&error))?;
        let mut books: HashMap<Owner, Book> = HashMap::new();
        let found = read_records(&file, |owner, bytes, at| {
            books.entry(owner).or_default().push(bytes, at);
        })?;
        let mut ordered: Vec<&Checkpoint> = checkpoints.iter().collect();
        ordered.sort_by_key(|checkpoint| (checkpoint.owner, checkpoint.size));
        let (empty, mut same) = (Book::default(), (None, 0));
        for checkpoint in ordered {
            let Checkpoint { identity, owner, size, root, .. } = checkpoint;
            if *identity != found.identity {
                return Err(Error::OtherIdentity { what: "a checkpoint" });
            }
            let tree = &books.get(owner).unwrap_or(&empty).tree;
            if tree.len() < *size {
                return Err(Error::Shorter { size: tree.len(), seen: *size });
            }
            if tree.root(*size) != *root {
                let after = if same.0 == Some(*owner) { same.1 } else { 0 };
                return Err(Error::Rewritten { seen: *size, after });
            }
            same = (Some(*owner), *size);
        }
        let mut sizes: Vec<(Owner, u64)> =
            books.iter().map(|(owner, book)| (*owner, book.tree.len())).collect();
        sizes.sort_unstable();
        Ok((sizes, found.length - found.end))
    }

    /// What the identity's signatures are verified by.
    #[must_use]
    pub fn identity(&self) -> [u8; VERIFICATION_KEY_LEN] {
        self.identity.public()
    }

    /// How many entries an owner has.
    ///
    /// # Errors
    ///
    /// [`Error::Forked`].
    pub fn len(&self, owner: &Owner) -> Result<u64, Error> {
        Ok(self.state.read()?.books.get(owner).map_or(0, |book| book.tree.len()))
    }

    fn check_state(&self, state: &State) -> Result<(), Error> {
        if self.process != process::id() {
            return Err(Forked.into()); // the file is the parent's
        }
        match state.closed {
            Some(why) => Err(Error::File { what: FILE, why: why.to_owned() }),
            None => Ok(()),
        }
    }

    /// Writes something down; see [`Journal::note`].
    ///
    /// # Errors
    ///
    /// [`Error::File`] if what was written down before did not reach the file.
    pub fn append(&self, owner: &Owner, event: Event, time: u64) -> Result<bool, Error> {
        let mut state = self.state.write()?;
        self.check_state(&state)?;
        let State { books, bytes, end, .. } = &mut *state;
        let book = books.entry(*owner).or_default();
        if mark(&event).is_some_and(|mark| !book.once.insert(mark)) {
            return Ok(true);
        }
        let (owner, number, link) = (*owner, book.tree.len(), book.link);
        let entry = Entry { owner, number, link, time, event }.encode();
        debug_assert!(entry.len() <= entry::LONGEST, "paths and statements are shorter");
        book.push(&entry, *end + LENGTH);
        let length = u32::try_from(entry.len()).unwrap_or(u32::MAX);
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&entry);
        *end += LENGTH + u64::from(length);
        Ok(false)
    }

    /// Makes what was written down durable.
    ///
    /// # Errors
    ///
    /// [`Error::File`]; nothing more is written down then, until a commit succeeds.
    pub fn sync(&self) -> Result<(), Error> {
        let Some(file) = &self.file else { return Ok(()) };
        if self.process != process::id() {
            return Err(Forked.into());
        }
        file.write()?.as_mut().map_or(Ok(()), |file| self.sync_to(file))
    }

    fn sync_to(&self, file: &mut File) -> Result<(), Error> {
        let (waiting, start) = {
            let mut state = self.state.write()?;
            let waiting = std::mem::take(&mut state.bytes);
            let start = state.end - waiting.len() as u64;
            (waiting, start)
        };
        if waiting.is_empty() {
            return Ok(());
        }
        let written = file.seek(SeekFrom::Start(start)).and_then(|_| {
            file.write_all(&waiting).and_then(|()| file.sync_data()).inspect_err(|_| {
                // What is there by halves is cut off, now or when the log is opened.
                let _ = file.set_len(start);
            })
        });
        let mut state = self.state.write()?;
        state.closed = written.is_err().then_some(FAILED);
        written.map_err(|error| {
            state.bytes.splice(0..0, waiting);
            failed(&error)
        })
    }

    /// Signs what an owner's log is now.
    ///
    /// # Errors
    ///
    /// Those of [`sync`](Self::sync).
    pub fn checkpoint(&self, owner: &Owner, time: u64) -> Result<Checkpoint, Error> {
        let size = self.len(owner)?;
        self.sync()?; // what is signed is durable
        let state = self.state.read()?;
        let empty = Book::default();
        let book = state.books.get(owner).unwrap_or(&empty);
        Ok(self.sign(*owner, book, size, time))
    }

    /// Signs the first entries of a log.
    fn sign(&self, owner: Owner, book: &Book, size: u64, time: u64) -> Checkpoint {
        let link = size.checked_sub(1).map_or([0; 32], |last| book.tree.leaf(last));
        Checkpoint::sign(&self.identity, owner, (size, book.tree.root(size), link), time)
    }

    /// Answers a request; see [`Journal::audit`].
    ///
    /// # Errors
    ///
    /// [`Error::NoEntry`], those of [`sync`](Self::sync).
    pub fn answer(&self, request: &AuditRequest, time: u64) -> Result<Vec<u8>, Error> {
        let size = self.len(&request.owner)?;
        let mut held = self.file.as_ref().map(Lock::write).transpose()?;
        let mut file = held.as_mut().and_then(|held| held.as_mut());
        if let Some(file) = &mut file {
            self.sync_to(file)?;
        }
        let state = self.state.read()?;
        self.check_state(&state)?;
        let empty = Book::default();
        let book = state.books.get(&request.owner).unwrap_or(&empty);
        let (mut places, mut path, mut from) = (Vec::new(), Vec::new(), size);
        if Audit::is_wanted(request) {
            from = request.from;
            let Some(wanted) = slice_from(&book.places, from, size) else {
                return Err(Error::NoEntry { size, number: from });
            };
            places = page(wanted).to_vec();
            if !places.is_empty() {
                path = book.tree.path(from..from + places.len() as u64, size);
            }
        }
        let proofs = request.since.iter().map(|&old| book.tree.consistency(old, size)).collect();
        let checkpoint = self.sign(request.owner, book, size, time).encode();
        let entries: Result<_, Error> = match file {
            None => places.iter().map(|place| slice_of(&state.bytes, *place)).collect(),
            Some(file) => {
                drop(state); // who writes down need not wait for the disk
                places.iter().map(|place| read_at(file, *place)).collect()
            }
        };
        let entries = entries?;
        Ok(Audit { request: request.id, checkpoint, proofs, from, entries, path }.encode())
    }
}

impl Journal for Log {
    fn check(&self) -> Result<(), cloud::Error> {
        let state = self.state.read()?;
        self.check_state(&state).map_err(of_cloud)
    }

    fn note(&self, owner: &Owner, event: Event) -> Result<bool, cloud::Error> {
        self.append(owner, event, now()).map_err(of_cloud)
    }

    fn commit(&self) -> Result<(), cloud::Error> {
        self.sync().map_err(of_cloud)
    }

    fn audit(&self, request: &AuditRequest) -> Result<Vec<u8>, cloud::Error> {
        self.answer(request, now()).map_err(of_cloud)
    }
}

fn of_cloud(error: Error) -> cloud::Error {
    match error {
        Error::NoEntry { size, number } => cloud::Error::NoEntry { size, number },
        Error::Forked(error) => error.into(),
        error => cloud::Error::Log { why: error.to_string() },
    }
}

/// The time by this machine's clock, in seconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs()) // a clock before 1970 is wrong by more than that
}

/// What stands for an event that is written down once.
fn mark(event: &Event) -> Option<Hash> {
    let Event { what, digest, statement, .. } = event;
    match what {
        What::Stated(_) => Some(entry::leaf(statement)),
        what => what.is_once().then_some(*digest),
    }
}

fn slice_from(places: &[(u64, u32)], from: u64, size: u64) -> Option<&[(u64, u32)]> {
    let (from, size) = (usize::try_from(from).ok()?, usize::try_from(size).ok()?);
    places.get(from..size)
}

/// How many of some entries are given at once.
fn page(places: &[(u64, u32)]) -> &[(u64, u32)] {
    let mut room = PAGE_BYTES;
    let fits = |&&(_, length): &&(u64, u32)| {
        let is_room = u64::from(length) <= room;
        room = room.saturating_sub(length.into());
        is_room
    };
    let count = places.iter().take(MOST_AUDITED).take_while(fits).count();
    &places[..count]
}

fn slice_of(bytes: &[u8], (at, length): (u64, u32)) -> Result<Vec<u8>, Error> {
    let at = usize::try_from(at - START).ok();
    let found = at.and_then(|at| bytes.get(at..)?.get(..length as usize));
    let gone = || Error::File { what: FILE, why: "an entry is not there".to_owned() };
    Ok(found.ok_or_else(gone)?.to_vec())
}

fn read_at(file: &mut File, (at, length): (u64, u32)) -> Result<Vec<u8>, Error> {
    let mut bytes = vec![0; length as usize];
    let read = file.seek(SeekFrom::Start(at)).and_then(|_| file.read_exact(&mut bytes));
    read.map_err(|error| failed(&error))?;
    Ok(bytes)
}

/// What a file holds.
struct Found {
    identity: [u8; VERIFICATION_KEY_LEN],
    /// Where the last whole record ends.
    end: u64,
    length: u64,
}

/// Reads all records, each of which must follow the one before it in its owner's log.
fn read_records(mut file: &File, mut take: impl FnMut(Owner, &[u8], u64)) -> Result<Found, Error> {
    let failed = |error: std::io::Error| failed(&error);
    let length = file.metadata().map_err(failed)?.len();
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let mut head = Vec::new();
    reader.by_ref().take(START).read_to_end(&mut head).map_err(failed)?;
    let mut fields = Reader::new(&head, Kind::AuditLog)?;
    let identity = fields.array()?;
    fields.end()?;
    let mut ends: HashMap<Owner, (u64, Hash)> = HashMap::new();
    let (mut position, mut record) = (START, Vec::new());
    loop {
        let mut count = [0; size_of::<u32>()];
        match reader.read_exact(&mut count) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(failed(error)),
        }
        let count = u32::from_le_bytes(count);
        if count == 0 && is_zero(&mut reader).map_err(failed)? {
            break; // a file grows before what is written to it is there
        }
        let broken = |owner: Option<&Owner>, number, why| Error::Broken {
            owner: owner.map_or_else(|| "unknown".to_owned(), ToString::to_string),
            number,
            position,
            why,
        };
        if count == 0 || count as usize > entry::LONGEST {
            return Err(broken(None, 0, "there is no entry of such a length"));
        }
        record.clear();
        reader.by_ref().take(count.into()).read_to_end(&mut record).map_err(failed)?;
        if record.len() < count as usize {
            // Of an entry that is whole, the length was changed, and what follows is not its end.
            if Entry::begin(&record).is_ok() {
                return Err(broken(None, 0, "an entry there is shorter than is said of it"));
            }
            break;
        }
        let Ok(Entry { owner, number, link, .. }) = Entry::decode(&record) else {
            return Err(broken(None, 0, "there is no entry there"));
        };
        let (expected, before) = ends.entry(owner).or_default();
        if number != *expected {
            let why = "another one is in its place: entries were removed, doubled or reordered";
            return Err(broken(Some(&owner), *expected, why));
        }
        if link != *before {
            let why = "it does not follow the entry before it, which was changed";
            return Err(broken(Some(&owner), *expected, why));
        }
        (*expected, *before) = (number + 1, entry::leaf(&record));
        take(owner, &record, position + LENGTH);
        position += LENGTH + u64::from(count);
    }
    Ok(Found { identity, end: position, length })
}

/// Whether zeros are all that follows.
fn is_zero(reader: &mut impl Read) -> std::io::Result<bool> {
    let mut rest = [0; 1 << 12];
    loop {
        match reader.read(&mut rest)? {
            0 => return Ok(true),
            read if rest[..read].iter().any(|&byte| byte != 0) => return Ok(false),
            _ => {}
        }
    }
}
