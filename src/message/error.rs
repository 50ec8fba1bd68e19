use crate::wire;

/// Why a message is refused.
///
/// Messages name positions, lengths and bounds, and hold no key and no plaintext.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Bytes are no message.
    #[error(transparent)]
    Wire(#[from] wire::Error),

    /// There can be no such name in a hierarchy.
    #[error("the name \"{name}\": {why}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong.
        why: &'static str,
    },

    /// A signature is not that of the party named, or what was signed has been changed.
    #[error("{what} is not signed by whom it names, or was changed since")]
    Signature {
        /// What should be signed.
        what: &'static str,
    },

    /// Something is of an owner that is not the one concerned.
    #[error("{what} is of another owner")]
    OtherOwner {
        /// What it is.
        what: &'static str,
    },

    /// Something is of another schema than the owner's.
    #[error("{what} is of another schema")]
    OtherSchema {
        /// What it is.
        what: &'static str,
    },

    /// A provider's keys are of an epoch that is not its group's.
    #[error(
        "provider {provider:?} is of an epoch that its group has left, or has not announced here"
    )]
    Epoch {
        /// The provider's path.
        provider: String,
    },

    /// A provider seals for readers who have left.
    #[error(
        "provider {provider:?} seals in a readers' epoch that its group has left: catch up with the cloud"
    )]
    Readers {
        /// The provider's path.
        provider: String,
    },

    /// A later announcement is known.
    #[error("a newer announcement of {authority} is known here: catch up with the cloud")]
    Older {
        /// Whose announcement.
        authority: String,
    },

    /// Two announcements have one number, as copies of one keyring make them.
    #[error(
        "another announcement {number} of {authority} is known here: catch up with the cloud, then do \
         again what it lacks"
    )]
    Fork {
        /// Whose announcements.
        authority: String,
        /// Where they part, or the number of the one that is not on the chain.
        number: u64,
    },

    /// A message was made with a keyring that has missed an announcement.
    #[error("the keyring is older than what {authority} announced here: catch up with the cloud")]
    Behind {
        /// Whose announcement.
        authority: String,
    },

    /// A right to search is of readers or an epoch that an authority has left.
    #[error(
        "the right to search is no longer good: {authority} has other readers or another epoch since; have it \
         given anew"
    )]
    RightEnded {
        /// Whose.
        authority: String,
    },

    /// An upload is dated too far ahead.
    #[error(
        "the upload is dated {hours} hours ahead of the cloud's clock, expected at most {most}"
    )]
    Clock {
        /// How many hours.
        hours: u64,
        /// How many are tolerated.
        most: u64,
    },

    /// The time of a query or a request has run out.
    #[error("{what} has expired")]
    Expired {
        /// What it is.
        what: &'static str,
    },

    /// Something that came back does not belong to what was asked.
    #[error("{what} does not answer what was asked: {why}")]
    Answer {
        /// What came back.
        what: &'static str,
        /// What is wrong.
        why: String,
    },

    /// What goes with an answer does not prove it.
    #[error("the answer is not proven: {why}")]
    Proof {
        /// Why not.
        why: String,
    },

    /// A message names more than it may.
    #[error("the number of {what} is {got}, expected {most} at most")]
    TooMany {
        /// Of what there are too many.
        what: &'static str,
        /// How many there are.
        got: usize,
        /// How many there may be.
        most: usize,
    },

    /// A key or token does not reach that far.
    #[error("{who} has no right to {what}")]
    Scope {
        /// Whose key or token it is.
        who: String,
        /// What is out of its reach.
        what: String,
    },

    /// A run names a record that does not exist, or one twice.
    #[error("field {field:?}: entry {position} names no record, or one for the second time")]
    Run {
        /// The run's field.
        field: String,
        /// Which entry, counted from 0.
        position: usize,
    },

    /// Handles do not ascend, or are too many.
    #[error("handle {position} is not above the one before it, or there are 2^32")]
    Handle {
        /// Which handle, counted from 0.
        position: usize,
    },

    /// A run to merge is not in ascending order.
    #[error("run {run} is not sorted: its ciphertext {position} is below the one before it")]
    UnsortedRun {
        /// Which run, counted from 0.
        run: usize,
        /// First ciphertext out of order, counted from 0.
        position: usize,
    },

    /// A run to merge holds a number below 0, which no scheme gives.
    #[error("run {run} is not one of ciphertexts: its entry {position} is negative")]
    NegativeCiphertext {
        /// Which run, counted from 0.
        run: usize,
        /// Which entry, counted from 0.
        position: usize,
    },

    /// Two columns that belong together have different lengths.
    #[error("{what} has {got} entries, expected {expected}")]
    Length {
        /// Which column.
        what: &'static str,
        /// Entries it must have.
        expected: usize,
        /// Entries it had.
        got: usize,
    },
}
