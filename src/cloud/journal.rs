//! What a cloud has written down of what it does, by whoever keeps the log: the cloud's own key is not here.
//!
//! What a party learns by an answer is noted before the answer leaves; what changes the store, once it is
//! changed, and is made durable before it is acknowledged. Where nothing can be noted, nothing is answered or
//! changed. A message that is refused is not noted, and one that comes again is noted once: whoever has a copy
//! of it could fill the log.

use std::fmt;

use super::Error;
use crate::message::audit::{AuditRequest, Stated};
use crate::message::certificate::Owner;
use crate::message::tree::Hash;

/// What happened at a cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// An owner or an authority announced something.
    Enrolment,
    /// Records were added, replaced or removed.
    Upload,
    /// A file was attached.
    Attachment,
    /// A provider stated what it holds.
    Seal,
    /// All that a provider sent was removed.
    Removal,
    /// Records were searched, or a page of the answer was given.
    Search,
    /// Records were counted.
    Count,
    /// Files were listed.
    Listing,
    /// A file was read.
    Fetch,
    /// A provider caught up with its files.
    Notes,
    /// A party stated something that a cloud does not see.
    Stated(Stated),
}

impl What {
    const OWN: [Self; 10] = [
        Self::Enrolment,
        Self::Upload,
        Self::Attachment,
        Self::Seal,
        Self::Removal,
        Self::Search,
        Self::Count,
        Self::Listing,
        Self::Fetch,
        Self::Notes,
    ];

    /// What is stated has numbers from here on.
    const STATED: u8 = 64;

    /// All there are.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::OWN.into_iter().chain(Stated::ALL.into_iter().map(Self::Stated))
    }

    /// Its number in a log.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Enrolment => 1,
            Self::Upload => 2,
            Self::Attachment => 3,
            Self::Seal => 4,
            Self::Removal => 5,
            Self::Search => 6,
            Self::Count => 7,
            Self::Listing => 8,
            Self::Fetch => 9,
            Self::Notes => 10,
            Self::Stated(stated) => Self::STATED + stated as u8,
        }
    }

    /// What has this number in a log.
    #[must_use]
    pub fn of(number: u8) -> Option<Self> {
        Self::all().find(|what| what.number() == number)
    }

    /// Whether a message is noted once, however often it comes: it is done once.
    #[must_use]
    pub fn is_once(self) -> bool {
        matches!(self, Self::Upload | Self::Seal | Self::Removal | Self::Stated(_))
    }

    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Enrolment => "enrolment",
            Self::Upload => "upload",
            Self::Attachment => "attachment",
            Self::Seal => "seal",
            Self::Removal => "removal",
            Self::Search => "search",
            Self::Count => "count",
            Self::Listing => "listing",
            Self::Fetch => "fetch",
            Self::Notes => "notes",
            Self::Stated(stated) => stated.word(),
        }
    }
}

/// Something that happened, as a cloud saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What.
    pub what: What,
    /// By whom: a path, which is empty for the owner; for a user who asks under a right `/user/` and the
    /// SHA-256 of its public keys, as no path begins.
    pub who: String,
    /// SHA-256 of the message; of an upload, of its head, which is what is signed; of an attachment, of the
    /// SHA-512 that is signed; of a statement, what it is about.
    pub digest: Hash,
    /// How many records or files were changed or given.
    pub amount: u64,
    /// The statement, signed; else nothing.
    pub statement: Vec<u8>,
}

/// Who keeps a cloud's audit log.
pub trait Journal: fmt::Debug + Send + Sync {
    /// Refuses where nothing can be written down.
    ///
    /// # Errors
    ///
    /// [`Error::Log`].
    fn check(&self) -> Result<(), Error>;

    /// Writes something down. Of what is [written down once](What::is_once), says whether it was before, and
    /// then does nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Log`] if it cannot be written.
    fn note(&self, owner: &Owner, event: Event) -> Result<bool, Error>;

    /// Makes all that was written down durable.
    ///
    /// # Errors
    ///
    /// [`Error::Log`] if it cannot be written.
    fn commit(&self) -> Result<(), Error>;

    /// Answers a request that was checked.
    ///
    /// # Errors
    ///
    /// [`Error::Log`] if the log cannot be read, [`Error::NoEntry`] if it has not that many entries.
    fn audit(&self, request: &AuditRequest) -> Result<Vec<u8>, Error>;
}
