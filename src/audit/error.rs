use crate::{keys, lock, message, wire};

/// Why a log is not written, or not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Bytes are no message.
    #[error(transparent)]
    Wire(#[from] wire::Error),

    /// There is no key.
    #[error(transparent)]
    Keys(#[from] keys::Error),

    /// A message is no good.
    #[error(transparent)]
    Message(#[from] message::Error),

    /// The process was forked while the log was in use.
    #[error(transparent)]
    Forked(#[from] lock::Forked),

    /// A file cannot be read or written.
    #[error("{what} cannot be used: {why}")]
    File {
        /// Which file.
        what: &'static str,
        /// What the system says.
        why: String,
    },

    /// Another process has the log.
    #[error("the audit log is open in another process")]
    InUse,

    /// A log is not what was written.
    #[error("entry {number} of owner {owner} in the audit log, at byte {position}: {why}")]
    Broken {
        /// Whose log.
        owner: String,
        /// Which entry is expected there.
        number: u64,
        /// Where in the file.
        position: u64,
        /// What is wrong.
        why: &'static str,
    },

    /// A log is of another identity.
    #[error("{what} is of another identity")]
    OtherIdentity {
        /// What it is.
        what: &'static str,
    },

    /// A log has not so many entries.
    #[error("the audit log has {size} entries, and none of number {number}")]
    NoEntry {
        /// How many there are.
        size: u64,
        /// Which one was asked for.
        number: u64,
    },

    /// A log has fewer entries than were signed.
    #[error("entries were removed: the log has {size}, and {seen} were seen")]
    Shorter {
        /// How many there are.
        size: u64,
        /// How many there were.
        seen: u64,
    },

    /// A log is not the one that was seen.
    #[error(
        "the log was rewritten: it is not the one whose first {seen} entries were seen, and differs from it \
         after entry {after} at the earliest"
    )]
    Rewritten {
        /// How many entries were seen.
        seen: u64,
        /// The size of the last checkpoint that it does go on from.
        after: u64,
    },

    /// A cloud signed two logs.
    #[error("the cloud shows two logs: it has signed two different ones of {size} entries")]
    Fork {
        /// Their size.
        size: u64,
    },

    /// Entries are not those that stand in the log.
    #[error("the entries are not those of the log: {why}")]
    Entries {
        /// What is wrong.
        why: &'static str,
    },
}
