//! What a message may hold at most, so that a few bytes never cost whoever reads them much.
//!
//! A count is compared with its limit, and with the bytes that are left, before anything is kept or
//! worked on. What is named twice is refused. Reading a message takes time and memory linear in its
//! bytes.
//!
//! | of | at most | refused by |
//! | --- | --- | --- |
//! | a place: levels; bytes of a name | [`DEEPEST`]; [`LONGEST_NAME`] | `Format`, [`Error::Name`] |
//! | a chain: certificates | [`DEEPEST`] | [`Error::TooMany`] |
//! | an enrolment: announcements | [`MOST_ANNOUNCEMENTS`] | [`Error::TooMany`] |
//! | an announcement: those before it; epochs; readers' epochs; members | [`MOST_ANNOUNCED`] each | [`Error::TooMany`] |
//! | a schema: fields; bytes of a name | [`MOST_FIELDS`]; [`LONGEST_NAME`] | `Schema` |
//! | an upload: portions, each once | [`MOST_PORTIONS`] | `Format` |
//! | a portion: bytes of its layout | [`LONGEST_LAYOUT`] | [`Error::TooMany`] |
//! | an upload: runs, one of each field | [`MOST_FIELDS`] | [`Error::TooMany`] |
//! | a run: entries, one of each row | the rows, below 2^32 | [`Error::Run`] |
//! | an upload: rows that replace others, each once | the rows | `Format` |
//! | an upload: places that rows are removed of, each once | [`MOST_PLACES`] | [`Error::TooMany`] |
//! | a query: tokens, one of each group and provider | [`MOST_TOKENS`] | [`Error::TooMany`] |
//! | a token: ranges, one of each field | [`MOST_FIELDS`] | [`Error::TooMany`] |
//! | a token: records, each once | [`MOST_RECORDS`] | [`Error::TooMany`] |
//! | a right to search: fields; groups | [`MOST_FIELDS`]; [`MOST_TOKENS`] | [`Error::TooMany`] |
//! | a permission to amend: records, each once | [`MOST_RECORDS`] | [`Error::TooMany`] |
//! | a request: providers, each once | [`MOST_PLACES`] | [`Error::TooMany`] |
//! | a request: keywords or records of a provider, each once | [`MOST_NAMED`] | [`Error::TooMany`] |
//! | a seal: fields, tables; slots of a table | [`MOST_FIELDS`]; [`MOST_SLOTS`] | [`Error::TooMany`], `Format` |
//! | a proof: tokens, ranges of one | [`MOST_TOKENS`], [`MOST_FIELDS`] | [`Error::TooMany`] |
//! | an attachment: keywords | [`MOST_NAMED`] | [`Error::TooMany`] |
//! | an attachment: bytes of its description; of its note | [`LONGEST_DESCRIPTION`]; [`LONGEST_NOTE`] | [`Error::TooMany`] |
//! | an attachment: those before it that it names, each once | [`MOST_LOST`] | `Format` |
//! | a request to an audit log: checkpoints | [`MOST_SEEN`] | [`Error::TooMany`] |
//! | an audit: entries | [`MOST_AUDITED`] | [`Error::TooMany`] |
//!
//! `Format` is [`wire::Error::Format`](crate::wire::Error::Format), which also says of a list that has
//! two of one name where the second is. `Schema` is
//! [`schema::Error::Schema`](crate::schema::Error::Schema).

use super::Error;
pub use crate::wire::{LONGEST_NAME, MOST_FIELDS};

/// Levels of a place below the owner.
pub const DEEPEST: usize = 16;

/// Announcements that are sent together.
pub const MOST_ANNOUNCEMENTS: usize = 1 << 16;

/// Items of each list of an announcement.
pub const MOST_ANNOUNCED: usize = 1 << 20;

/// Portions of a record.
pub const MOST_PORTIONS: usize = 64;

/// Bytes of the sealed layout of a portion.
pub const LONGEST_LAYOUT: usize = 1 << 20;

/// Places that one message names: providers of a request, or a provider's own of which rows are removed.
pub const MOST_PLACES: usize = 1 << 16;

/// Tokens of a query.
pub const MOST_TOKENS: usize = 1 << 16;

/// Slots of a table of a seal: one more than the field has cells.
pub const MOST_SLOTS: u32 = (1 << 16) + 1;

/// Records that a token names, or a permission to amend.
pub const MOST_RECORDS: usize = 1 << 16;

/// Keywords of a file, and keywords or records that a request names of each provider.
pub const MOST_NAMED: usize = 4096;

/// Bytes of the sealed description of a file: its name, its media type, and what proves its keywords.
pub const LONGEST_DESCRIPTION: usize = 1 << 18;

/// Bytes of the sealed note of a file's keywords.
pub const LONGEST_NOTE: usize = 1 << 18;

/// Attachments that may be missing of those made before one, less one.
pub const MOST_LOST: usize = 16;

/// Checkpoints of an audit log that one request names.
pub const MOST_SEEN: usize = 64;

/// Entries of an audit log that are given at once.
pub const MOST_AUDITED: usize = 1 << 12;

/// A count of what a message names, if it is not too high.
///
/// # Errors
///
/// [`Error::TooMany`].
pub fn at_most(most: usize, what: &'static str, got: usize) -> Result<usize, Error> {
    if got <= most { Ok(got) } else { Err(Error::TooMany { what, got, most }) }
}
