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

use std::sync::Arc;

use super::Error;
use super::dictionary;
use super::store::{Label, Receipt, Store};
use crate::message::announcement::{self, Announced, Announcement};
use crate::message::answer::Answer;
use crate::message::attachment::{Attachment, StoredFile};
use crate::message::certificate::Owner;
use crate::message::envelope;
use crate::message::place::Node;
use crate::message::query::Query;
use crate::message::removal::Removal;
use crate::message::request::{Ask, Request};
use crate::message::upload::Upload;
use crate::wire::{self, Kind};

/// A message that was parsed, verified, and checked against what its owner announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admitted {
    /// What an owner tells its clouds, each with the bytes that were signed.
    Announcements(Vec<(Announcement, Vec<u8>)>),
    /// Changes of records and of their index entries.
    Upload(Upload),
    /// The end of all that a provider sent.
    Removal(Removal),
    /// A file and its keyword entries.
    Attachment(Attachment),
    /// A query.
    Query(Query),
    /// A request for attachments.
    Request(Request),
}

/// The door, before a store.
#[derive(Debug, Default)]
pub struct Gate<S> {
    store: Arc<S>,
}

impl<S: Store> Gate<S> {
    /// A cloud that keeps what it is sent in a store.
    #[must_use]
    pub fn new(store: Arc<S>) -> Self {
        Self { store }
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
    /// [`wire::Error`] if the bytes are no message that a cloud takes, [`Error::NotEnrolled`] if its owner
    /// is not served, [`message::Error::Signature`](crate::message::Error::Signature) if it is forged, and what [`Upload::check`],
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
            Some(Kind::Query) => {
                let known = self.served(message, Kind::Query)?;
                let query = Query::decode(message)?;
                query.check(&known, now)?;
                Ok(Admitted::Query(query))
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
        self.store.enroll(announcements)
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

    /// Takes an upload, a removal or an attachment, whole or not at all, at a time in seconds since 1970.
    ///
    /// # Errors
    ///
    /// Those of [`admit`](Self::admit), [`Store::add`], [`Store::remove`] and [`Store::add_file`].
    pub fn receive(&self, message: &[u8], now: u64) -> Result<Receipt, S::Error> {
        expect(message, &[Kind::Upload, Kind::Attachment, Kind::Removal])?;
        match self.admit(message, now)? {
            Admitted::Attachment(attachment) => {
                let provider = attachment.file.provider.path();
                self.store.add_file(attachment, message)?;
                let (added, replaced, removed) = (0, 0, 0);
                Ok(Receipt { provider, added, replaced, removed, files: 1, is_repeated: false })
            }
            Admitted::Removal(removal) => {
                let provider = removal.provider.path();
                self.store.remove(&removal.owner, &provider, Some(&removal))
            }
            Admitted::Upload(upload) => self.store.add(upload, message),
            _ => Err(no(Kind::Upload).into()),
        }
    }

    /// Returns what answers a query.
    ///
    /// # Errors
    ///
    /// Those of [`admit`](Self::admit) and [`Store::search`].
    pub fn search(&self, query: &[u8], now: u64) -> Result<Answer, S::Error> {
        let query = self.query(query, now)?;
        Ok(Answer { query: query.id, parts: self.store.search(&query)? })
    }

    /// Counts the records that a query reaches.
    ///
    /// # Errors
    ///
    /// Those of [`admit`](Self::admit) and [`Store::count`].
    pub fn count(&self, query: &[u8], now: u64) -> Result<usize, S::Error> {
        self.store.count(&self.query(query, now)?)
    }

    fn query(&self, query: &[u8], now: u64) -> Result<Query, S::Error> {
        expect(query, &[Kind::Query])?;
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

    /// Returns the files that a request for keywords or records finds, without their bodies; none for a
    /// request for one file, which is fetched.
    ///
    /// # Errors
    ///
    /// Those of [`admit`](Self::admit), and the store's.
    pub fn find(&self, request: &[u8], now: u64) -> Result<Vec<StoredFile>, S::Error> {
        let Request { owner, ask, .. } = self.request(request, now)?;
        let mut found = Vec::new();
        match &ask {
            Ask::Keywords(providers) => {
                for (provider, trapdoors) in providers {
                    let look_up = |labels: &[u128]| self.labels(&owner, provider, labels);
                    let numbers = dictionary::find_all(trapdoors, look_up)?;
                    found.extend(self.store.files(&owner, provider, &numbers)?);
                }
            }
            Ask::Records(providers) => {
                for (provider, handles) in providers {
                    found.extend(self.store.files_of(&owner, provider, handles)?);
                }
            }
            Ask::File(_) => {}
        }
        Ok(found)
    }

    /// Returns the file that a request asks for, with its body.
    ///
    /// # Errors
    ///
    /// Those of [`admit`](Self::admit), [`Error::UnknownFile`] if there is none, or the request is for no
    /// single one, [`message::Error::Scope`](crate::message::Error::Scope) if it is not at or below the issuer.
    pub fn fetch(&self, request: &[u8], now: u64) -> Result<StoredFile, S::Error> {
        let request = self.request(request, now)?;
        let Ask::File(number) = request.ask else { return Err(Error::UnknownFile.into()) };
        let file = self.store.file(&request.owner, number)?.ok_or(Error::UnknownFile)?;
        request.reaches(&file.provider)?;
        Ok(file)
    }

    /// Returns how often the issuer of a request for keywords has used each of them itself, so that an
    /// outdated keyring can catch up; nothing if it is not a provider, or for another request.
    ///
    /// # Errors
    ///
    /// Those of [`admit`](Self::admit), and the store's.
    pub fn count_keywords(&self, request: &[u8], now: u64) -> Result<Vec<u64>, S::Error> {
        let request = self.request(request, now)?;
        let issuer = request.issuer.subject();
        let Ask::Keywords(providers) = &request.ask else { return Ok(Vec::new()) };
        let Some((_, trapdoors)) = providers.iter().find(|(provider, _)| *provider == issuer)
        else {
            return Ok(Vec::new());
        };
        let look_up = |labels: &[u128]| self.labels(&request.owner, &issuer, labels);
        trapdoors.iter().map(|trapdoor| dictionary::used(trapdoor, look_up)).collect()
    }

    /// What the store says of labels: a walk along a keyword would not end over too few answers.
    fn labels(
        &self,
        owner: &Owner,
        provider: &Node,
        labels: &[u128],
    ) -> Result<Vec<Option<Label>>, S::Error> {
        let found = self.store.labels(owner, provider, labels)?;
        let (got, expected) = (found.len(), labels.len());
        if got == expected { Ok(found) } else { Err(Error::Labels { got, expected }.into()) }
    }

    /// Removes all that a provider sent, in every epoch. With one owner served, it need not be named.
    ///
    /// # Errors
    ///
    /// [`Error::WhichOwner`] if it is not clear whose provider, [`Error::NothingStored`] if nothing of it
    /// is stored, and the store's.
    pub fn remove(&self, owner: Option<&Owner>, provider: &str) -> Result<Receipt, S::Error> {
        let owner = match owner {
            Some(owner) => *owner,
            None => match self.store.owners()?.as_slice() {
                &[owner] => owner,
                owners => return Err(Error::WhichOwner { owners: owners.len() }.into()),
            },
        };
        let receipt = self.store.remove(&owner, provider, None)?;
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
