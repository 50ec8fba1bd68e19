use crate::{lock, message, wire};

/// Why a cloud refuses.
///
/// Messages name positions, lengths and bounds, and hold no key and no plaintext.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A message is no good.
    #[error(transparent)]
    Message(#[from] message::Error),

    /// The process was forked while the cloud was in use.
    #[error(transparent)]
    Forked(#[from] lock::Forked),

    /// The cloud keeps no audit log.
    #[error("the cloud keeps no audit log")]
    NoLog,

    /// The audit log cannot be written or read.
    #[error("{why}; nothing is answered that cannot be written down")]
    Log {
        /// What is wrong.
        why: String,
    },

    /// The audit log has not so many entries.
    #[error("the audit log has {size} entries, and none of number {number}")]
    NoEntry {
        /// How many there are.
        size: u64,
        /// Which one was asked for.
        number: u64,
    },

    /// An upload was received before, and removed since.
    #[error(
        "the upload of provider {provider:?} was received before, and its records were removed since"
    )]
    Replay {
        /// The provider's path.
        provider: String,
    },

    /// Another message had this number.
    #[error("another upload or removal had the number of this one of provider {provider:?}")]
    Id {
        /// The provider's path.
        provider: String,
    },

    /// An upload adds a record that is stored already.
    #[error("record {position} of the upload of provider {provider:?} is stored already")]
    Stored {
        /// The provider's path.
        provider: String,
        /// Which record of the upload, counted from 0.
        position: usize,
    },

    /// An upload replaces or removes a record that is not stored.
    #[error("record {position} of the upload of provider {provider:?} is not stored")]
    NotStored {
        /// The provider's path.
        provider: String,
        /// Which record of the upload, counted from 0; removed ones are counted after those added.
        position: usize,
    },

    /// An upload replaces or removes a version that is not the newest.
    #[error(
        "record {position} of the upload of provider {provider:?} was changed since: look its version up \
         again"
    )]
    Changed {
        /// The provider's path.
        provider: String,
        /// Which record of the upload, counted from 0; removed ones are counted after those added.
        position: usize,
    },

    /// A seal does not follow the one that is known.
    #[error(
        "the seal of provider {provider:?} has number {got}, and number {expected} comes next here: another \
         keyring of the provider sealed meanwhile, or this one is older; seal again, with cloud="
    )]
    SealNumber {
        /// The provider.
        provider: String,
        /// The number that comes next.
        expected: u64,
        /// The number it has.
        got: u64,
    },

    /// A seal names another one before it than the one that is known.
    #[error(
        "the seal of provider {provider:?} follows another seal {number} than the one that is known here: \
         seal again, with cloud="
    )]
    SealBefore {
        /// The provider.
        provider: String,
        /// The number of the seal before.
        number: u64,
    },

    /// A seal is not of the rows that are stored.
    #[error(
        "the seal of provider {provider:?} is of {got} rows that are not the {stored} stored here: what was \
         made never came, or others sent more; seal again, with cloud="
    )]
    SealRows {
        /// The provider.
        provider: String,
        /// How many rows are stored.
        stored: u64,
        /// How many it is of.
        got: u64,
    },

    /// A seal is not of the files that are stored.
    #[error(
        "the seal of provider {provider:?} is of {got} files that are not the {stored} stored here: what was \
         made never came, or others sent more; seal again, with cloud="
    )]
    SealFiles {
        /// The provider.
        provider: String,
        /// How many files are stored.
        stored: u64,
        /// How many it is of.
        got: u64,
    },

    /// A store keeps no seals.
    #[error("the store keeps no seals, so that nothing it answers can be proven")]
    NoSeals,

    /// A provider has begun too many uploads in pieces.
    #[error(
        "provider {provider:?} has begun {most} uploads in pieces that are not whole: end one, or wait until \
         they are forgotten"
    )]
    Begun {
        /// The provider's path.
        provider: String,
        /// How many it may have.
        most: usize,
    },

    /// A file was received before.
    #[error("a file of provider {provider:?} was received before")]
    StoredFile {
        /// The provider's path.
        provider: String,
    },

    /// A keyword entry is stored already.
    #[error(
        "a keyword entry of provider {provider:?} is stored already: its keyring is older than its \
         last file; catch up with the cloud, then attach the file again"
    )]
    StoredKeyword {
        /// The provider's path.
        provider: String,
    },

    /// Too much of what was made before an attachment never came.
    #[error(
        "16 files that provider {provider:?} made before this one never came here, and it might not be \
         found: catch up with the cloud, then attach the file again"
    )]
    LostFiles {
        /// The provider's path.
        provider: String,
    },

    /// A keyring counts on from what another cloud has.
    #[error(
        "the keyring of provider {provider:?} counts its keywords on from files that never came here: \
         catch up with the cloud, then attach the file again"
    )]
    UnknownBase {
        /// The provider's path.
        provider: String,
    },

    /// An answer cannot go on.
    #[error("the answer is of an older state of the records, which is not kept: search again")]
    Moved,

    /// Parts that an answer should go on after are not its beginning.
    #[error("the answer to go on after is whole, or not one to this query")]
    NoMore,

    /// There is no such file.
    #[error("there is no such file")]
    UnknownFile,

    /// A request for something else was taken for one for notes.
    #[error("the request is for no notes")]
    NoNotes,

    /// An owner is not served.
    #[error("the owner is not enrolled here")]
    NotEnrolled,

    /// It is not clear whose provider is meant.
    #[error("the cloud serves {owners} owners: say whose provider")]
    WhichOwner {
        /// How many are served.
        owners: usize,
    },

    /// Nothing of a provider is stored.
    #[error("nothing of a provider '{provider}' is stored")]
    NothingStored {
        /// The path that was asked for.
        provider: String,
    },

    /// A group would have too many records.
    #[error("the number of records is {got}, expected below 2^32 in one group")]
    Records {
        /// How many it would have.
        got: u64,
    },

    /// A store answered for more or fewer labels or numbers than it was asked for.
    #[error("the store's {method} returned {got} answers, expected {expected}")]
    Answers {
        /// What was asked.
        method: &'static str,
        /// What was asked for.
        expected: usize,
        /// Answers it gave.
        got: usize,
    },

    /// A store says of more labels that they are there than it keeps.
    #[error("the store's labels returned {got} that are there, and its label_count only {most}")]
    TooManyLabels {
        /// Labels it says are there.
        got: usize,
        /// Labels it counts.
        most: usize,
    },

    /// The array for an order has not as many entries as the runs.
    #[error("the order array has {got} entries, expected {expected}")]
    Order {
        /// Entries it must have.
        expected: usize,
        /// Entries it had.
        got: usize,
    },
}

impl From<wire::Error> for Error {
    fn from(error: wire::Error) -> Self {
        Self::Message(error.into())
    }
}
