//! Where a cloud keeps what it was sent: the contract of every store.
//!
//! A store sees what the [`gate`](super::gate) has verified, and no key. It keeps everything that a
//! restarted cloud needs, each owner apart: also the versions of removed rows, and the numbers of all that
//! it ever took. What cannot be taken whole is refused, and then nothing has changed. `tests/vectors/store`
//! holds scripts of operations that every store answers alike.
//!
//! # Leakage
//!
//! A store is what a *snapshot* adversary copies: that of uploads, attachments and the index.

use std::fmt;
use std::sync::Arc;

use super::Error;
use super::dictionary::Labels;
use super::pages::{Cursor, page_of};
use crate::message::announcement::{Announced, Announcement};
use crate::message::answer::Part;
use crate::message::attachment::{Attachment, StoredFile};
use crate::message::catalogue;
use crate::message::certificate::Owner;
use crate::message::notes::Note;
use crate::message::piece::Piece;
use crate::message::place::{Group, Node};
use crate::message::query::Query;
use crate::message::removal::Removal;
use crate::message::request::Request;
use crate::message::seal::Sealed;
use crate::message::sums::{Proof, Wanted};
use crate::message::upload::Upload;
use crate::{message, wire};

/// Uploads in pieces that a provider may have begun at a time.
pub const MOST_BEGUN: usize = 16;

/// Seconds after which an upload in pieces is forgotten that nothing came of: a week.
pub const BEGUN_FOR: u64 = 7 * 24 * 3600;

/// What stands under a keyword's label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// The masked number of a file.
    Live(u128),
    /// A number that was removed: the label is never used again, and a search goes on past it.
    Spent,
}

/// What one upload brought, for a table of contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Whose it is.
    pub owner: Owner,
    /// The group.
    pub group: Group,
    /// The provider.
    pub provider: Node,
    /// How many records it sent.
    pub records: usize,
    /// How many bytes they have, sealed.
    pub size: usize,
}

/// How much is stored besides records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Index entries, over all fields.
    pub entries: usize,
    /// Files.
    pub files: usize,
    /// Bytes of the files and their descriptions, sealed.
    pub file_size: usize,
    /// Live keyword entries.
    pub keywords: usize,
}

/// What a store did with a change of records, or had done before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The provider whose records they are.
    pub provider: String,
    /// How many records are new, or there again.
    pub added: usize,
    /// How many took the place of an older version.
    pub replaced: usize,
    /// How many were removed.
    pub removed: usize,
    /// How many files were removed, or one if one was added.
    pub files: usize,
    /// Whether the message had been taken before, so that nothing was changed now.
    pub is_repeated: bool,
}

/// The merged entries of a field of a group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Merged {
    /// Ciphertexts, ascending.
    pub ciphertexts: Vec<i64>,
    /// The record of each, counted through the live records of the group's uploads in the order they came.
    pub records: Vec<u32>,
}

/// What a cloud needs of a store.
pub trait Store: Send + Sync {
    /// Why an operation was refused or failed.
    type Error: From<Error> + From<message::Error> + From<wire::Error> + fmt::Debug;

    /// Every owner that is served.
    ///
    /// # Errors
    ///
    /// If the store cannot be read; so too below.
    fn owners(&self) -> Result<Vec<Owner>, Self::Error>;

    /// What an owner announced; `None` if it is not served.
    ///
    /// # Errors
    ///
    /// See [`owners`](Self::owners).
    fn announced(&self, owner: &Owner) -> Result<Option<Arc<Announced>>, Self::Error>;

    /// The newest announcement of each authority of an owner, as they came, the owner's first.
    ///
    /// # Errors
    ///
    /// See [`owners`](Self::owners).
    fn announcements(&self, owner: &Owner) -> Result<Vec<Vec<u8>>, Self::Error>;

    /// Keeps announcements of one owner, each with the bytes that were signed, in place of the last ones
    /// of their authorities; all or none.
    ///
    /// # Errors
    ///
    /// Those of [`Announced::with`].
    fn enroll(&self, announcements: Vec<(Announcement, Vec<u8>)>) -> Result<(), Self::Error>;

    /// Carries out an upload, whole or not at all, and says what it did.
    ///
    /// The gate has checked it against what was announced before. A revocation that was enrolled since
    /// has come first: compare again, with [`Announced::accepts`], in the transaction that stores it.
    ///
    /// # Errors
    ///
    /// [`message::Error::Epoch`] if the provider's group has left its epoch meanwhile; else
    /// [`Error::Id`] if another upload had its number, [`Error::Replay`] if it was taken and removed
    /// since; then the first of its rows, removed ones last, that does not name the version which is
    /// live: [`Error::Stored`] if the row should be new, [`Error::NotStored`] if there is none,
    /// [`Error::Changed`] if it has another version.
    fn add(&self, upload: Upload, message: &[u8]) -> Result<Receipt, Self::Error>;

    /// The receipt of an upload that was carried out before.
    ///
    /// # Errors
    ///
    /// [`Error::Id`], [`Error::Replay`] as of [`add`](Self::add).
    fn repeated(
        &self,
        owner: &Owner,
        provider: &str,
        id: u128,
        digest: &[u8; 32],
    ) -> Result<Option<Receipt>, Self::Error>;

    /// Keeps the chunks of a piece of an upload, at a time in seconds since 1970. What a provider began is
    /// forgotten [`BEGUN_FOR`] seconds after its last piece.
    ///
    /// # Errors
    ///
    /// [`Error::Begun`] if the provider has begun [`MOST_BEGUN`] others.
    fn put(&self, piece: &Piece, now: u64) -> Result<(), Self::Error>;

    /// Which chunks of an upload are there, ascending.
    ///
    /// # Errors
    ///
    /// See [`owners`](Self::owners); so too below.
    fn chunks(&self, owner: &Owner, digest: &[u8; 32]) -> Result<Vec<u64>, Self::Error>;

    /// All chunks of an upload that are there, one after the other.
    ///
    /// # Errors
    ///
    /// See [`owners`](Self::owners).
    fn body(&self, owner: &Owner, digest: &[u8; 32]) -> Result<Vec<u8>, Self::Error>;

    /// Forgets the chunks of an upload.
    ///
    /// # Errors
    ///
    /// See [`owners`](Self::owners).
    fn forget(&self, owner: &Owner, digest: &[u8; 32]) -> Result<(), Self::Error>;

    /// Keeps a seal in the place of the one before, if it is the next and of the rows and files that are
    /// there; says whether it was there already.
    ///
    /// # Errors
    ///
    /// [`message::Error::Epoch`] as of [`add`](Self::add); else [`Error::SealNumber`],
    /// [`Error::SealBefore`], [`Error::SealRows`], [`Error::SealFiles`]; [`Error::NoSeals`] of a store that
    /// keeps none.
    fn seal(&self, sealed: Sealed) -> Result<bool, Self::Error> {
        let _ = sealed;
        Err(Error::NoSeals.into())
    }

    /// Keeps an attachment, its keyword entries and its note, and which attachments that were made
    /// before it are missing.
    ///
    /// # Errors
    ///
    /// [`message::Error::Epoch`] as of [`add`](Self::add); else [`Error::StoredFile`] if the owner's number
    /// was ever used; else [`Error::StoredKeyword`] if a label of the provider and epoch was.
    fn add_file(
        &self,
        attachment: Attachment,
        missing: &[u128],
        message: &[u8],
    ) -> Result<(), Self::Error>;

    /// What was missing when a provider's attachment of each of these numbers came, also of one that was
    /// removed, and nothing for a base; `None` where neither ever came.
    ///
    /// # Errors
    ///
    /// See [`owners`](Self::owners).
    fn arrived(
        &self,
        owner: &Owner,
        provider: &Node,
        numbers: &[u128],
    ) -> Result<Vec<Option<Vec<u128>>>, Self::Error>;

    /// The notes of all attachments that ever came from a provider, also of those that were removed, in
    /// the order they came.
    ///
    /// # Errors
    ///
    /// See [`owners`](Self::owners).
    fn notes(&self, owner: &Owner, provider: &Node) -> Result<Vec<Note>, Self::Error>;

    /// Remembers a base that a provider counts on from: it [`arrived`](Self::arrived) from now on.
    ///
    /// # Errors
    ///
    /// See [`owners`](Self::owners).
    fn add_base(&self, owner: &Owner, provider: &Node, base: u128) -> Result<(), Self::Error>;

    /// Returns the records that the tokens of a query reach, all from one state, by token, upload and
    /// record: one part per upload that has some, and of a token for records one per provider of which
    /// some were removed, after the others.
    ///
    /// A token that finds nothing gives one part without records, of the newest upload with records that it
    /// reaches, so that whoever asked has a layout to make an empty table of; or [`Part::nothing`], if it
    /// reaches none. The snapshot of all parts is how many uploads and removals the owner's records have
    /// seen.
    ///
    /// # Errors
    ///
    /// See [`owners`](Self::owners).
    fn search(&self, query: &Query) -> Result<Vec<Part>, Self::Error>;

    /// Returns what [`search`](Self::search) does from a cursor on, as far as there is room for it.
    ///
    /// # Errors
    ///
    /// [`Error::Moved`] if the records are not those any more that the answer began with.
    fn page(&self, query: &Query, from: &Cursor, most: usize) -> Result<Vec<Part>, Self::Error> {
        let parts = self.search(query)?;
        let snapshot = parts.first().map(|part| part.snapshot);
        if from.snapshot.is_some() && from.snapshot != snapshot {
            return Err(Error::Moved.into());
        }
        Ok(page_of(query, parts.into(), from, most))
    }

    /// Returns what [`page`](Self::page) does, with what proves the whole answer if it is the last page.
    ///
    /// # Errors
    ///
    /// Those of [`page`](Self::page), [`Error::NoSeals`] of a store that keeps none.
    fn proven_page(
        &self,
        query: &Query,
        from: &Cursor,
        most: usize,
        wanted: Wanted,
    ) -> Result<(Vec<Part>, Option<Proof>), Self::Error> {
        let _ = (query, from, most, wanted);
        Err(Error::NoSeals.into())
    }

    /// Names the records that [`search`](Self::search) returns, with what proves that these are all.
    ///
    /// # Errors
    ///
    /// See [`owners`](Self::owners); [`Error::NoSeals`] of a store that keeps none.
    fn proven_count(&self, query: &Query, wanted: Wanted) -> Result<Proof, Self::Error> {
        let _ = (query, wanted);
        Err(Error::NoSeals.into())
    }

    /// Counts the records that [`search`](Self::search) returns.
    ///
    /// # Errors
    ///
    /// See [`owners`](Self::owners).
    fn count(&self, query: &Query) -> Result<usize, Self::Error>;

    /// What stands under labels of a provider's keyword entries; `None` where nothing ever did.
    ///
    /// # Errors
    ///
    /// See [`owners`](Self::owners).
    fn labels(
        &self,
        owner: &Owner,
        provider: &Node,
        labels: &[u128],
    ) -> Result<Vec<Option<Label>>, Self::Error>;

    /// How many labels there ever were of a provider's keyword entries.
    ///
    /// # Errors
    ///
    /// See [`owners`](Self::owners).
    fn label_count(&self, owner: &Owner, provider: &Node) -> Result<usize, Self::Error>;

    /// The files of a provider with these numbers, without bodies, in the order asked for; a number
    /// that is not stored is left out.
    ///
    /// # Errors
    ///
    /// See [`owners`](Self::owners).
    fn files(
        &self,
        owner: &Owner,
        provider: &Node,
        numbers: &[u128],
    ) -> Result<Vec<StoredFile>, Self::Error>;

    /// The files of a provider's records, without bodies, by record and then as they came.
    ///
    /// # Errors
    ///
    /// See [`owners`](Self::owners).
    fn files_of(
        &self,
        owner: &Owner,
        provider: &Node,
        handles: &[u128],
    ) -> Result<Vec<StoredFile>, Self::Error>;

    /// The files that a request for a list finds, without bodies, with what proves that they are all: of
    /// one state.
    ///
    /// # Errors
    ///
    /// [`message::Error::Proof`] if the request was made for no proof; [`Error::NoSeals`] of a store that
    /// keeps none.
    fn proven_files(
        &self,
        request: &Request,
    ) -> Result<(Vec<StoredFile>, catalogue::Proof), Self::Error> {
        let _ = request;
        Err(Error::NoSeals.into())
    }

    /// The file of an owner with a number, with its body; `None` if there is none.
    ///
    /// # Errors
    ///
    /// See [`owners`](Self::owners).
    fn file(&self, owner: &Owner, number: u128) -> Result<Option<StoredFile>, Self::Error>;

    /// What else its provider signed with the file of an owner with a number, and the signature: the
    /// end of the message that brought it, after [the file](StoredFile::deed_in). `None` if there is
    /// none, or the store does not keep it.
    ///
    /// # Errors
    ///
    /// See [`owners`](Self::owners).
    fn deed(&self, owner: &Owner, number: u128) -> Result<Option<Vec<u8>>, Self::Error> {
        let _ = (owner, number);
        Ok(None)
    }

    /// Removes all that a provider sent, in every epoch, and the tombstones; it cannot be sent again. What
    /// [`arrived`](Self::arrived), the notes and the labels are remembered.
    ///
    /// With a signed removal, only if it was not carried out before; else its first receipt is returned.
    /// Without one, nothing is changed where there is nothing to remove.
    ///
    /// # Errors
    ///
    /// [`Error::Id`] if another removal or upload had its number.
    fn remove(
        &self,
        owner: &Owner,
        provider: &str,
        removal: Option<&Removal>,
    ) -> Result<Receipt, Self::Error>;
}

/// The labels of a provider in a store.
#[derive(Debug)]
pub struct StoredLabels<'a, S> {
    /// The store.
    pub store: &'a S,
    /// Whose labels they are.
    pub owner: &'a Owner,
    /// The provider.
    pub provider: &'a Node,
}

impl<S: Store> Labels for StoredLabels<'_, S> {
    type Error = S::Error;

    fn look_up(&self, labels: &[u128]) -> Result<Vec<Option<Label>>, S::Error> {
        let found = self.store.labels(self.owner, self.provider, labels)?;
        Ok(as_many("labels", found, labels.len())?) // a walk would not end over too few
    }

    fn count(&self) -> Result<usize, S::Error> {
        self.store.label_count(self.owner, self.provider)
    }
}

/// What a store answered, if it is for all that it was asked for and no more.
pub(super) fn as_many<T>(
    method: &'static str,
    answers: Vec<T>,
    expected: usize,
) -> Result<Vec<T>, Error> {
    let got = answers.len();
    if got == expected { Ok(answers) } else { Err(Error::Answers { method, expected, got }) }
}
