//! The one door of a cloud: every message comes in here, and nothing is believed before it is checked.
//!
//! ```text
//! message -> whose it is -> is the owner served? -> parse -> verify -> check -> store
//! ```
//!
//! The owner stands at the head of every message and is looked up first, so that bytes of strangers cost
//! a look-up and nothing more. No key comes in here.
//!
//! # Leakage
//!
//! What a cloud sees: the messages, who asks when, and what answers.

use std::collections::BTreeSet;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::Error;
use super::dictionary;
use super::journal::{Event, Journal, What};
use super::pages::{ANSWER_BYTES, Cursor};
use super::store::{Receipt, Store, StoredLabels, as_many};
use crate::message::announcement::{self, Announced, Announcement};
use crate::message::answer::{Answer, Part};
use crate::message::attachment::{Attachment, StoredFile};
use crate::message::audit::{AuditRequest, Statement};
use crate::message::certificate::Owner;
use crate::message::envelope;
use crate::message::incoming::{self, Came};
use crate::message::limits::MOST_LOST;
use crate::message::listing::{Fetched, Listing};
use crate::message::notes::Notes;
use crate::message::piece::Piece;
use crate::message::place::{Group, Node, spelt_path};
use crate::message::query::Query;
use crate::message::removal::Removal;
use crate::message::request::{Ask, Request};
use crate::message::seal::Sealed;
use crate::message::sums::{Proof, Wanted};
use crate::message::tree::Hash;
use crate::message::upload::Upload;
use crate::wire::{self, Kind};

/// A message that was parsed, verified, and checked against what its owner announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admitted {
    /// What an owner tells its clouds, each with the bytes that were signed.
    Announcements(Vec<(Announcement, Vec<u8>)>),
    /// Changes of records and of their index entries.
    Upload(Upload),
    /// What a provider states of all that it holds.
    Seal(Box<Sealed>),
    /// The end of all that a provider sent.
    Removal(Removal),
    /// A file and its keyword entries.
    Attachment(Attachment),
    /// A piece of an upload.
    Piece(Piece),
    /// A query.
    Query(Query),
    /// A request for attachments.
    Request(Request),
    /// Something that a party did elsewhere, for the audit log.
    Statement(Statement),
    /// A request to read the audit log.
    AuditRequest(AuditRequest),
}

/// The door, before a store.
#[derive(Debug)]
pub struct Gate<S> {
    store: Arc<S>,
    answer_bytes: usize,
    journal: Option<Arc<dyn Journal>>,
}

impl<S: Default> Default for Gate<S> {
    fn default() -> Self {
        Self { store: Arc::default(), answer_bytes: ANSWER_BYTES, journal: None }
    }
}

impl<S: Store> Gate<S> {
    /// A cloud that keeps what it is sent in a store.
    #[must_use]
    pub fn new(store: Arc<S>) -> Self {
        Self { store, answer_bytes: ANSWER_BYTES, journal: None }
    }

    /// The same, which gives so many bytes of an answer at once: one record more, as soon as there is
    /// room for a byte.
    #[must_use]
    pub fn with_answer_bytes(self, answer_bytes: usize) -> Self {
        Self { answer_bytes: answer_bytes.max(1), ..self }
    }

    /// The same, which has what it does written down.
    #[must_use]
    pub fn with_journal(self, journal: Arc<dyn Journal>) -> Self {
        Self { journal: Some(journal), ..self }
    }

    /// Has something that was only read written down, before it is given.
    fn note(
        &self,
        owner: &Owner,
        what: What,
        who: String,
        message: &[u8],
        amount: usize,
    ) -> Result<(), Error> {
        let Some(journal) = &self.journal else { return Ok(()) };
        let (digest, amount) = (Sha256::digest(message).into(), amount as u64);
        journal.note(owner, Event { what, who, digest, amount, statement: Vec::new() })?;
        Ok(())
    }

    /// Refuses a change that could not be written down.
    fn check_journal(&self) -> Result<(), Error> {
        self.journal.as_ref().map_or(Ok(()), |journal| journal.check())
    }

    /// Has a change written down for good, before it is acknowledged.
    fn note_change(
        &self,
        owner: &Owner,
        what: What,
        who: &str,
        digest: impl FnOnce() -> Hash,
        amount: usize,
    ) -> Result<(), Error> {
        let Some(journal) = &self.journal else { return Ok(()) };
        let (who, digest, amount) = (who.to_owned(), digest(), amount as u64);
        journal.note(owner, Event { what, who, digest, amount, statement: Vec::new() })?;
        journal.commit()
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &S {
        &self.store
    }

    /// Reads a message of any kind, at a time in seconds since 1970.
    ///
    /// # Errors
    ///
    /// [`wire::Error`] if the bytes are no message that a cloud takes, [`Error::NotEnrolled`] if its
    /// owner is not served, [`message::Error::Signature`](crate::message::Error::Signature) if it is
    /// forged, and what [`Upload::check`], [`Seal::check`](crate::message::seal::Seal::check),
    /// [`Removal::check`], [`Attachment::check`], [`Query::check`] and [`Request::check`] say.
    pub fn admit(&self, message: &[u8], now: u64) -> Result<Admitted, S::Error> {
        match Kind::of(message) {
            Some(Kind::Announcements) => Ok(Admitted::Announcements(announcement::split(message)?)),
            Some(Kind::Attachment) => {
                let known = self.served(message, Kind::Attachment)?;
                let attachment = Attachment::decode(message)?;
                attachment.check(&known)?;
                Ok(Admitted::Attachment(attachment))
            }
            Some(Kind::Piece) => {
                let known = self.served(message, Kind::Piece)?;
                let piece = Piece::decode(message)?;
                piece.check(&known, now)?;
                Ok(Admitted::Piece(piece))
            }
            Some(kind @ (Kind::Query | Kind::DelegatedQuery)) => {
                let known = self.served(message, kind)?;
                let query = Query::decode(message)?;
                query.check(&known, now)?;
                Ok(Admitted::Query(query))
            }
            Some(Kind::Seal) => {
                let known = self.served(message, Kind::Seal)?;
                let sealed = Sealed::decode(message)?;
                sealed.seal.check(&known, now)?;
                Ok(Admitted::Seal(Box::new(sealed)))
            }
            Some(Kind::Removal) => {
                let known = self.served(message, Kind::Removal)?;
                let removal = Removal::decode(message)?;
                removal.check(&known)?;
                Ok(Admitted::Removal(removal))
            }
            Some(Kind::Request) => {
                let known = self.served(message, Kind::Request)?;
                let request = Request::decode(message)?;
                request.check(&known, now)?;
                Ok(Admitted::Request(request))
            }
            Some(Kind::Statement) => {
                let known = self.served(message, Kind::Statement)?;
                let statement = Statement::decode(message)?;
                statement.check(&known)?;
                Ok(Admitted::Statement(statement))
            }
            Some(Kind::AuditRequest) => {
                let known = self.served(message, Kind::AuditRequest)?;
                let request = AuditRequest::decode(message)?;
                request.check(&known, now)?;
                Ok(Admitted::AuditRequest(request))
            }
            // Bytes of no kind that a cloud takes are refused as an upload that is none.
            _ => {
                let known = self.served(message, Kind::Upload)?;
                let upload = Upload::decode(message)?;
                upload.check(&known, now)?;
                Ok(Admitted::Upload(upload))
            }
        }
    }

    /// What the owner that a message of this kind names has announced.
    fn served(&self, message: &[u8], kind: Kind) -> Result<Arc<Announced>, S::Error> {
        let (_, owner) = envelope::open(message, kind)?;
        Ok(self.store.announced(&owner)?.ok_or(Error::NotEnrolled)?)
    }

    /// Serves an owner, or takes note of what its authorities announce anew.
    ///
    /// # Errors
    ///
    /// Those of [`announcement::split`] and [`Store::enroll`]; [`Error::NotEnrolled`] if the owner itself
    /// has announced nothing, here or before.
    pub fn enroll(&self, message: &[u8]) -> Result<(), S::Error> {
        let announcements = announcement::split(message)?;
        let owner = announcements[0].0.owner;
        let is_of_owner =
            announcements.iter().any(|(announced, _)| announced.authority == Node::root());
        if !is_of_owner && self.store.announced(&owner)?.is_none() {
            return Err(Error::NotEnrolled.into());
        }
        if self.journal.is_none() {
            return self.store.enroll(announcements);
        }
        self.check_journal()?;
        let count = announcements.len();
        let before = self.store.announcements(&owner)?;
        self.store.enroll(announcements)?;
        if self.store.announcements(&owner)? != before {
            let digest = || Sha256::digest(message).into();
            self.note_change(&owner, What::Enrolment, "", digest, count)?;
        }
        Ok(())
    }

    /// What an owner announced, for whoever has to catch up, as one message.
    ///
    /// # Errors
    ///
    /// [`Error::NotEnrolled`] if the owner is not served.
    pub fn announcements(&self, owner: &Owner) -> Result<Vec<u8>, S::Error> {
        let messages = self.store.announcements(owner)?;
        if messages.is_empty() {
            return Err(Error::NotEnrolled.into());
        }
        Ok(announcement::join(owner, &messages))
    }

    /// Takes an upload, a seal, a removal or an attachment, whole or not at all, at a time in seconds
    /// since 1970.
    ///
    /// # Errors
    ///
    /// Those of [`admit`](Self::admit), [`Store::add`], [`Store::seal`], [`Store::remove`] and
    /// [`Store::add_file`]; [`Error::LostFiles`] or [`Error::UnknownBase`] if a search might not come
    /// to an attachment.
    pub fn receive(&self, message: &[u8], now: u64) -> Result<Receipt, S::Error> {
        const KINDS: [Kind; 5] =
            [Kind::Upload, Kind::Attachment, Kind::Removal, Kind::Seal, Kind::Statement];
        expect(message, &KINDS)?;
        let digest = || Sha256::digest(message).into();
        let admitted = self.admit(message, now)?;
        self.check_journal()?;
        match admitted {
            Admitted::Attachment(attachment) => {
                let (owner, provider) = (attachment.file.owner, attachment.file.provider.path());
                let missing = self.lost(&attachment)?;
                self.store.add_file(attachment, &missing, message)?;
                let signed = || incoming::digest_of(message);
                self.note_change(&owner, What::Attachment, &provider, signed, 1)?;
                let (added, replaced, removed) = (0, 0, 0);
                Ok(Receipt { provider, added, replaced, removed, files: 1, is_repeated: false })
            }
            Admitted::Seal(sealed) => {
                let (owner, provider) = (sealed.seal.owner, sealed.seal.place.path());
                let is_repeated = self.store.seal(*sealed)?;
                self.note_change(&owner, What::Seal, &provider, digest, 0)?;
                let (added, replaced, removed, files) = (0, 0, 0, 0);
                Ok(Receipt { provider, added, replaced, removed, files, is_repeated })
            }
            Admitted::Removal(removal) => {
                let provider = removal.provider.path();
                let receipt = self.store.remove(&removal.owner, &provider, Some(&removal))?;
                let (who, removed) = (removal.issuer.subject().path(), receipt.removed);
                self.note_change(&removal.owner, What::Removal, &who, digest, removed)?;
                Ok(receipt)
            }
            Admitted::Upload(upload) => {
                let (owner, signed) = (upload.owner, upload.digest);
                let receipt = self.store.add(upload, message)?;
                let Receipt { provider, added, replaced, removed, .. } = &receipt;
                let changed = added + replaced + removed;
                self.note_change(&owner, What::Upload, provider, || signed, changed)?;
                Ok(receipt)
            }
            Admitted::Statement(Statement { owner, what, digest, issuer, .. }) => {
                let journal = self.journal.as_ref().ok_or(Error::NoLog)?;
                let (provider, what) = (issuer.subject().path(), What::Stated(what));
                let (who, statement) = (provider.clone(), message.to_vec());
                let event = Event { what, who, digest, amount: 0, statement };
                let is_repeated = journal.note(&owner, event)?;
                journal.commit()?;
                let (added, replaced, removed, files) = (0, 0, 0, 0);
                Ok(Receipt { provider, added, replaced, removed, files, is_repeated })
            }
            _ => Err(no(Kind::Upload).into()),
        }
    }

    /// Reads an owner's audit log: the entries that a request asks for, with what proves them to a witness.
    ///
    /// # Errors
    ///
    /// Those of [`admit`](Self::admit), [`Error::NoLog`] if none is kept, and of [`Journal::audit`].
    pub fn audit(&self, request: &[u8], now: u64) -> Result<Vec<u8>, S::Error> {
        expect(request, &[Kind::AuditRequest])?;
        let Admitted::AuditRequest(request) = self.admit(request, now)? else {
            return Err(no(Kind::AuditRequest).into());
        };
        Ok(self.journal.as_ref().ok_or(Error::NoLog)?.audit(&request)?)
    }

    /// Refuses an attachment of which no more than the head has come, if all of it would be: by whose it
    /// is, and what that owner announced.
    ///
    /// # Errors
    ///
    /// [`Error::NotEnrolled`], and those of [`Attachment::check`].
    pub fn expect(&self, file: &StoredFile) -> Result<(), S::Error> {
        let known = self.store.announced(&file.owner)?.ok_or(Error::NotEnrolled)?;
        Ok(file.check(&known)?)
    }

    /// Takes an attachment whose body came before the rest, and lies where its store put it. `keep` has
    /// the store keep it, as [`Store::add_file`] does, with what was made before it and is missing.
    ///
    /// # Errors
    ///
    /// As of [`receive`](Self::receive).
    pub fn receive_came(
        &self,
        came: Came,
        keep: impl FnOnce(Came, Vec<u128>) -> Result<(), S::Error>,
    ) -> Result<Receipt, S::Error> {
        let file = &came.attachment.file;
        self.expect(file)?;
        let (owner, provider, digest) = (file.owner, file.provider.path(), came.digest);
        self.check_journal()?;
        let missing = self.lost(&came.attachment)?;
        keep(came, missing)?;
        self.note_change(&owner, What::Attachment, &provider, || digest, 1)?;
        let (added, replaced, removed) = (0, 0, 0);
        Ok(Receipt { provider, added, replaced, removed, files: 1, is_repeated: false })
    }

    /// Takes a piece of an upload; carries the upload out and says what it did, once all pieces are there.
    ///
    /// # Errors
    ///
    /// Those of [`admit`](Self::admit), [`Store::put`], and then of [`receive`](Self::receive).
    pub fn put(&self, message: &[u8], now: u64) -> Result<Option<Receipt>, S::Error> {
        expect(message, &[Kind::Piece])?;
        let Admitted::Piece(piece) = self.admit(message, now)? else {
            return Err(no(Kind::Piece).into());
        };
        let Piece { owner, provider, id, digest, .. } = &piece;
        if let Some(receipt) = self.store.repeated(owner, &provider.path(), *id, digest)? {
            self.store.forget(owner, digest)?;
            return Ok(Some(receipt));
        }
        self.store.put(&piece, now)?;
        if (self.store.chunks(owner, digest)?.len() as u64) < piece.count {
            return Ok(None);
        }
        let mut whole = piece.head.clone();
        whole.extend(self.store.body(owner, digest)?);
        let receipt = self.receive(&whole, now)?;
        self.store.forget(owner, digest)?;
        Ok(Some(receipt))
    }

    /// Which chunks of an upload did not come yet: none, if it was carried out. Of the upload, or of its head
    /// with the signature.
    ///
    /// # Errors
    ///
    /// Those of [`admit`](Self::admit) that are about the head, and the store's.
    pub fn missing(&self, message: &[u8], now: u64) -> Result<Vec<u64>, S::Error> {
        expect(message, &[Kind::Upload])?;
        let known = self.served(message, Kind::Upload)?;
        let piece = Piece::begun(message)?;
        piece.check(&known, now)?;
        let provider = piece.provider.path();
        if self.store.repeated(&piece.owner, &provider, piece.id, &piece.digest)?.is_some() {
            return Ok(Vec::new());
        }
        let there: BTreeSet<u64> =
            self.store.chunks(&piece.owner, &piece.digest)?.into_iter().collect();
        Ok((0..piece.count).filter(|chunk| !there.contains(chunk)).collect())
    }

    /// Which attachments are missing of those that a keyring made before this one, since its base.
    ///
    /// They are those of the last one before it that came, as far as they have not come since, and all
    /// after that one. What comes while this is found out only makes them fewer.
    fn lost(&self, attachment: &Attachment) -> Result<Vec<u128>, S::Error> {
        let Attachment { file, lineage, .. } = attachment;
        let path = || file.provider.path();
        let came = |numbers: &[u128]| self.arrived(&file.owner, &file.provider, numbers);
        let mut arrived = came(&lineage.previous)?;
        let (mut missing, after) = match arrived.iter().rposition(Option::is_some) {
            Some(last) => (arrived[last].take().unwrap_or_default(), last + 1),
            None if lineage.previous.len() >= MOST_LOST => {
                return Err(Error::LostFiles { provider: path() }.into());
            }
            None => match lineage.base {
                Some(base) if came(&[base])? == [None] => {
                    return Err(Error::UnknownBase { provider: path() }.into());
                }
                _ => (Vec::new(), 0),
            },
        };
        let mut since = came(&missing)?.into_iter();
        missing.retain(|_| since.next().flatten().is_none());
        missing.extend(&lineage.previous[after..]);
        if missing.len() < MOST_LOST {
            Ok(missing)
        } else {
            Err(Error::LostFiles { provider: path() }.into())
        }
    }

    fn arrived(
        &self,
        owner: &Owner,
        provider: &Node,
        numbers: &[u128],
    ) -> Result<Vec<Option<Vec<u128>>>, S::Error> {
        let arrived = self.store.arrived(owner, provider, numbers)?;
        Ok(as_many("arrived", arrived, numbers.len())?)
    }

    /// Returns what answers a query, as far as it is given at once.
    ///
    /// # Errors
    ///
    /// Those of [`admit`](Self::admit) and [`Store::search`].
    pub fn search(&self, query: &[u8], now: u64) -> Result<Answer, S::Error> {
        let (query, message) = (self.query(query, now)?, query);
        self.page((&query, message), &Cursor::default(), None)
    }

    /// Returns what answers a query, after what was given before; with what proves the answer if this
    /// is the end of it and that is asked for, or else if the query names slots.
    ///
    /// # Errors
    ///
    /// Those of [`search_after`](Self::search_after) and [`Store::proven_page`].
    pub fn search_proven(
        &self,
        query: &[u8],
        now: u64,
        before: Option<&[&Part]>,
        (is_asked, wanted): (Option<bool>, Wanted),
    ) -> Result<Answer, S::Error> {
        let (query, message) = (self.query(query, now)?, query);
        let from = match before {
            None => Cursor::default(),
            Some(before) => Cursor::after(&query, before).ok_or(Error::NoMore)?,
        };
        let is_wanted = is_asked.unwrap_or_else(|| query.is_provable());
        self.page((&query, message), &from, is_wanted.then_some(wanted))
    }

    /// Names the records that a query reaches, with what proves that these are all.
    ///
    /// # Errors
    ///
    /// Those of [`admit`](Self::admit) and [`Store::proven_count`].
    pub fn count_proven(&self, query: &[u8], now: u64, wanted: Wanted) -> Result<Proof, S::Error> {
        let (query, message) = (self.query(query, now)?, query);
        let proof = self.store.proven_count(&query, wanted)?;
        self.note(&query.owner, What::Count, query.asker(), message, 0)?;
        Ok(proof)
    }

    /// Returns what answers a query after what was given before.
    ///
    /// # Errors
    ///
    /// Those of [`search`](Self::search) and [`Store::page`], [`Error::NoMore`] if that is all, or of
    /// another query.
    pub fn search_after(
        &self,
        query: &[u8],
        now: u64,
        before: &[&Part],
    ) -> Result<Answer, S::Error> {
        let (query, message) = (self.query(query, now)?, query);
        let from = Cursor::after(&query, before).ok_or(Error::NoMore)?;
        self.page((&query, message), &from, None)
    }

    fn page(
        &self,
        (query, message): (&Query, &[u8]),
        from: &Cursor,
        wanted: Option<Wanted>,
    ) -> Result<Answer, S::Error> {
        let most = self.answer_bytes;
        let (parts, proof) = match wanted {
            None => (self.store.page(query, from, most)?, None),
            Some(wanted) => {
                let (parts, proof) = self.store.proven_page(query, from, most, wanted)?;
                let proof = proof.map(|proof| self.with_announcements(query, proof, wanted));
                (parts, proof.transpose()?)
            }
        };
        let records = parts.iter().map(|part| part.handles.len()).sum();
        self.note(&query.owner, What::Search, query.asker(), message, records)?;
        Ok(Answer { query: query.id, parts, proof })
    }

    /// A proof by signatures, with what tells who belongs to the groups of the query.
    fn with_announcements(
        &self,
        query: &Query,
        mut proof: Proof,
        wanted: Wanted,
    ) -> Result<Proof, S::Error> {
        if !wanted.by_signatures {
            return Ok(proof);
        }
        for message in self.store.announcements(&query.owner)? {
            let authority = announcement::authority_of(&message)?;
            if query.tokens.iter().any(|token| token.group.authority == authority) {
                proof.announcements.push(message);
            }
        }
        Ok(proof)
    }

    /// Counts the records that a query reaches.
    ///
    /// # Errors
    ///
    /// Those of [`admit`](Self::admit) and [`Store::count`].
    pub fn count(&self, query: &[u8], now: u64) -> Result<usize, S::Error> {
        let (query, message) = (self.query(query, now)?, query);
        let count = self.store.count(&query)?;
        self.note(&query.owner, What::Count, query.asker(), message, count)?;
        Ok(count)
    }

    fn query(&self, query: &[u8], now: u64) -> Result<Query, S::Error> {
        expect(query, &[Kind::Query, Kind::DelegatedQuery])?;
        match self.admit(query, now)? {
            Admitted::Query(query) => Ok(query),
            _ => Err(no(Kind::Query).into()),
        }
    }

    fn request(&self, request: &[u8], now: u64) -> Result<Request, S::Error> {
        expect(request, &[Kind::Request])?;
        match self.admit(request, now)? {
            Admitted::Request(request) => Ok(request),
            _ => Err(no(Kind::Request).into()),
        }
    }

    /// Returns the files that a request for keywords or records finds, without their bodies; none for
    /// another request.
    ///
    /// # Errors
    ///
    /// Those of [`admit`](Self::admit), and the store's.
    pub fn find(&self, request: &[u8], now: u64) -> Result<Listing, S::Error> {
        let (Request { owner, ask, id, issuer, .. }, message) =
            (self.request(request, now)?, request);
        let mut files = Vec::new();
        match &ask {
            Ask::Keywords(providers) => {
                for (provider, trapdoors) in providers {
                    let labels = StoredLabels { store: self.store(), owner: &owner, provider };
                    let numbers = dictionary::find_all(trapdoors, &labels)?;
                    files.extend(self.store.files(&owner, provider, &numbers)?);
                }
            }
            Ask::Records(providers) => {
                for (provider, handles) in providers {
                    files.extend(self.store.files_of(&owner, provider, handles)?);
                }
            }
            Ask::File(_) | Ask::Notes | Ask::Holdings(_) => {}
        }
        self.note(&owner, What::Listing, issuer.subject().path(), message, files.len())?;
        Ok(Listing { request: id, files, proof: None })
    }

    /// Returns the same files with what proves that they are all, or all of a provider's place.
    ///
    /// # Errors
    ///
    /// Those of [`find`](Self::find) and [`Store::proven_files`].
    pub fn find_proven(&self, request: &[u8], now: u64) -> Result<Listing, S::Error> {
        let (request, message) = (self.request(request, now)?, request);
        let (files, mut proof) = self.store.proven_files(&request)?;
        // Of a removal it matters whether the provider is still a member.
        let places: Vec<&Node> = match &request.ask {
            _ if proof.removals.is_empty() => Vec::new(),
            Ask::Keywords(providers) => providers.iter().map(|(place, _)| place).collect(),
            Ask::Records(providers) => providers.iter().map(|(place, _)| place).collect(),
            Ask::File(_) | Ask::Notes | Ask::Holdings(_) => Vec::new(),
        };
        let authorities: BTreeSet<Node> =
            places.into_iter().filter_map(Group::of).map(|group| group.authority).collect();
        for message in self.store.announcements(&request.owner)? {
            if authorities.contains(&announcement::authority_of(&message)?) {
                proof.announcements.push(message);
            }
        }
        self.note(
            &request.owner,
            What::Listing,
            request.issuer.subject().path(),
            message,
            files.len(),
        )?;
        Ok(Listing { request: request.id, files, proof: Some(proof) })
    }

    /// Returns the file that a request asks for, with its body.
    ///
    /// # Errors
    ///
    /// Those of [`admit`](Self::admit), [`Error::UnknownFile`] if there is none, or the request is for
    /// no single one, [`message::Error::Scope`](crate::message::Error::Scope) if it is not at or below
    /// the issuer.
    pub fn fetch(&self, request: &[u8], now: u64) -> Result<Fetched, S::Error> {
        self.fetch_file(request, now, false)
    }

    /// Returns the same file with what shows that its provider sent it.
    ///
    /// # Errors
    ///
    /// Those of [`fetch`](Self::fetch).
    pub fn fetch_proven(&self, request: &[u8], now: u64) -> Result<Fetched, S::Error> {
        self.fetch_file(request, now, true)
    }

    fn fetch_file(&self, request: &[u8], now: u64, is_proven: bool) -> Result<Fetched, S::Error> {
        let found = self.fetch_by(request, now, is_proven, |owner, number| {
            let file = self.store.file(owner, number)?.ok_or(Error::UnknownFile)?;
            Ok(Some((file, ())))
        })?;
        let (fetched, ()) = found.ok_or(Error::UnknownFile)?;
        Ok(fetched)
    }

    /// Returns the file that a request asks for as its store finds it, of owner and number: without its
    /// body, and with what that is read by. Nothing, if the store finds it in no such way.
    ///
    /// # Errors
    ///
    /// Those of [`fetch`](Self::fetch), or of [`fetch_proven`](Self::fetch_proven).
    pub fn fetch_by<T>(
        &self,
        request: &[u8],
        now: u64,
        is_proven: bool,
        find: impl FnOnce(&Owner, u128) -> Result<Option<(StoredFile, T)>, S::Error>,
    ) -> Result<Option<(Fetched, T)>, S::Error> {
        let (request, message) = (self.request(request, now)?, request);
        let Ask::File(number) = request.ask else { return Err(Error::UnknownFile.into()) };
        let Some((file, body)) = find(&request.owner, number)? else { return Ok(None) };
        request.reaches(&file.provider)?;
        let deed = if is_proven { self.store.deed(&request.owner, number)? } else { None };
        self.note(&request.owner, What::Fetch, request.issuer.subject().path(), message, 1)?;
        Ok(Some((Fetched { request: request.id, file, deed }, body)))
    }

    /// Returns the notes of all attachments that ever came from the provider that asks, and takes
    /// attachments that count on from there.
    ///
    /// # Errors
    ///
    /// Those of [`admit`](Self::admit), [`Error::NoNotes`] if the request is for something else, and
    /// the store's.
    pub fn notes(&self, request: &[u8], now: u64) -> Result<Notes, S::Error> {
        let (Request { owner, ask, id, issuer, .. }, message) =
            (self.request(request, now)?, request);
        if ask != Ask::Notes {
            return Err(Error::NoNotes.into());
        }
        let provider = issuer.subject();
        let notes = self.store.notes(&owner, &provider)?;
        let notes = Notes { request: id, owner, provider, notes };
        if let Some(base) = notes.base() {
            self.store.add_base(&notes.owner, &notes.provider, base)?;
        }
        self.note(&notes.owner, What::Notes, issuer.subject().path(), message, notes.notes.len())?;
        Ok(notes)
    }

    /// Removes all that a provider sent, in every epoch. With one owner served, it need not be named.
    ///
    /// # Errors
    ///
    /// [`Error::WhichOwner`] if it is not clear whose provider, [`Error::NothingStored`] if nothing of
    /// it is stored, [`message::Error::Name`](crate::message::Error::Name) if there can be no such
    /// path, and the store's.
    pub fn remove(&self, owner: Option<&Owner>, provider: &str) -> Result<Receipt, S::Error> {
        let owner = match owner {
            Some(owner) => *owner,
            None => match self.store.owners()?.as_slice() {
                &[owner] => owner,
                owners => return Err(Error::WhichOwner { owners: owners.len() }.into()),
            },
        };
        let path = spelt_path(provider).map_err(Error::from)?;
        let receipt = self.store.remove(&owner, &path, None)?;
        if receipt.removed == 0 && receipt.files == 0 {
            let provider = provider.escape_default().to_string();
            return Err(Error::NothingStored { provider }.into());
        }
        Ok(receipt)
    }
}

/// Refuses a message that is of none of these kinds as what the first of them is not.
fn expect(message: &[u8], kinds: &[Kind]) -> Result<(), Error> {
    match Kind::of(message) {
        Some(kind) if kinds.contains(&kind) => Ok(()),
        _ => Err(no(kinds[0])),
    }
}

fn no(kind: Kind) -> Error {
    wire::Error::Format { what: kind.name(), position: 0 }.into()
}
