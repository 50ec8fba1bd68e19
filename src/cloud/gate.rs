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
use super::store::{Label, Removed, Store};
use crate::message::announcement::Announcement;
use crate::message::answer::Part;
use crate::message::attachment::{Attachment, StoredFile};
use crate::message::certificate::Owner;
use crate::message::place::{Node, spelt_path};
use crate::message::request::{Ask, Request};
use crate::message::token::Token;
use crate::message::upload::Upload;
use crate::message::{bundle, envelope};
use crate::wire::{self, Kind};

/// A message that was parsed, verified, and checked against its owner's announcement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admitted {
    /// What an owner tells its clouds.
    Announcement(Announcement),
    /// Records and their index entries.
    Upload(Upload),
    /// A file and its keyword entries.
    Attachment(Attachment),
    /// The tokens of a query.
    Query(Vec<Token>),
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
    /// is not served, [`message::Error::Signature`](crate::message::Error::Signature) if it is forged, and what [`Upload::decode`],
    /// [`Upload::check`], [`Attachment::check`], [`Token::check`] and [`Request::check`] say.
    pub fn admit(&self, message: &[u8], now: u64) -> Result<Admitted, S::Error> {
        match Kind::of(message) {
            Some(Kind::Announcement) => Ok(Admitted::Announcement(Announcement::decode(message)?)),
            Some(Kind::Attachment) => {
                let known = self.served(message, Kind::Attachment)?;
                let attachment = Attachment::decode(message)?;
                attachment.check(&known)?;
                Ok(Admitted::Attachment(attachment))
            }
            Some(Kind::Query) => Ok(Admitted::Query(self.tokens(message, now)?)),
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
                upload.check(&known)?;
                Ok(Admitted::Upload(upload))
            }
        }
    }

    /// The tokens of a query, of one owner or several, each of whom is looked up before any is verified.
    fn tokens(&self, query: &[u8], now: u64) -> Result<Vec<Token>, S::Error> {
        let tokens = bundle::split(Kind::Query, query)?;
        let mut known: Vec<Arc<Announcement>> = Vec::new();
        let mut places = Vec::with_capacity(tokens.len());
        for token in &tokens {
            let (_, owner) = envelope::open(token, Kind::Token)?;
            let place = match known.iter().position(|known| known.owner == owner) {
                Some(place) => place,
                None => {
                    known.push(self.announcement(&owner)?);
                    known.len() - 1
                }
            };
            places.push(place);
        }
        let tokens = Token::decode_all(&tokens)?;
        for (token, place) in tokens.iter().zip(places) {
            token.check(&known[place], now)?;
        }
        Ok(tokens)
    }

    /// The announcement of the owner that a message of this kind names.
    fn served(&self, message: &[u8], kind: Kind) -> Result<Arc<Announcement>, S::Error> {
        let (_, owner) = envelope::open(message, kind)?;
        self.announcement(&owner)
    }

    fn announcement(&self, owner: &Owner) -> Result<Arc<Announcement>, S::Error> {
        Ok(self.store.announcement(owner)?.ok_or(Error::NotEnrolled)?)
    }

    /// Serves an owner, or takes note of its new epochs.
    ///
    /// # Errors
    ///
    /// Those of [`Announcement::decode`] and [`Store::enroll`].
    pub fn enroll(&self, message: &[u8]) -> Result<(), S::Error> {
        let announcement = Announcement::decode(message)?;
        self.store.enroll(announcement, message)
    }

    /// Takes an upload or an attachment, whole or not at all.
    ///
    /// # Errors
    ///
    /// Those of [`admit`](Self::admit), [`Store::add`] and [`Store::add_file`].
    pub fn receive(&self, message: &[u8]) -> Result<(), S::Error> {
        expect(message, &[Kind::Upload, Kind::Attachment])?;
        match self.admit(message, 0)? {
            Admitted::Attachment(attachment) => self.store.add_file(attachment, message),
            Admitted::Upload(upload) => self.store.add(upload, message),
            _ => Err(no(Kind::Upload).into()),
        }
    }

    /// Returns the parts that answer a query.
    ///
    /// # Errors
    ///
    /// Those of [`admit`](Self::admit) and [`Store::search`].
    pub fn search(&self, query: &[u8], now: u64) -> Result<Vec<Part>, S::Error> {
        self.store.search(&self.query(query, now)?)
    }

    /// Counts the records that a query reaches.
    ///
    /// # Errors
    ///
    /// Those of [`admit`](Self::admit) and [`Store::count`].
    pub fn count(&self, query: &[u8], now: u64) -> Result<usize, S::Error> {
        self.store.count(&self.query(query, now)?)
    }

    fn query(&self, query: &[u8], now: u64) -> Result<Vec<Token>, S::Error> {
        expect(query, &[Kind::Query])?;
        match self.admit(query, now)? {
            Admitted::Query(tokens) => Ok(tokens),
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
    /// is stored, [`message::Error::Name`](crate::message::Error::Name) if there can be no such path, and the store's.
    pub fn remove(&self, owner: Option<&Owner>, provider: &str) -> Result<Removed, S::Error> {
        let owner = match owner {
            Some(owner) => *owner,
            None => match self.store.owners()?.as_slice() {
                &[owner] => owner,
                owners => return Err(Error::WhichOwner { owners: owners.len() }.into()),
            },
        };
        let removed = self.store.remove(&owner, &spelt_path(provider).map_err(Error::from)?)?;
        if removed == Removed::default() {
            let provider = provider.escape_default().to_string();
            return Err(Error::NothingStored { provider }.into());
        }
        Ok(removed)
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
