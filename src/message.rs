//! What travels, all of it public: no module here knows a key.
//!
//! | module | what |
//! | --- | --- |
//! | [`limits`] | what any of it may hold at most |
//! | [`place`] | where a party stands in its owner's hierarchy, and in which epochs |
//! | [`signature`], [`certificate`], `tree` | who signed; who may; a digest of what is long |
//! | [`announcement`] | what an authority tells every cloud |
//! | [`upload`], [`removal`] | changes of records and of their index entries; the end of all of them |
//! | [`permission`] | who may amend records of another provider |
//! | [`piece`] | an upload that is too large to travel at once |
//! | [`query`], [`answer`] | what is asked; what answers it, and nothing else |
//! | [`right`] | what a user may ask for by itself |
//! | [`seal`] | what a provider states of all that it holds |
//! | [`sums`], [`neighbours`] | what proves an answer by that: with the providers' keys, and without |
//! | [`catalogue`] | what proves by that that a listing of files is whole |
//! | [`attachment`], [`trapdoor`] | files of records; what finds a keyword |
//! | [`incoming`], [`arriving`] | an attachment, or a fetched file, that is read as it comes |
//! | [`request`], [`listing`], [`notes`] | requests for attachments and notes, and what answers them |
//! | [`audit`] | statements for a cloud's audit log, and requests to read it |

pub mod announcement;
pub mod answer;
pub mod arriving;
pub mod attachment;
pub mod audit;
pub mod catalogue;
pub mod certificate;
pub(crate) mod envelope;
mod error;
pub mod incoming;
pub mod limits;
pub mod listing;
pub mod neighbours;
pub mod notes;
pub mod permission;
pub mod piece;
pub mod place;
pub mod query;
pub mod removal;
pub mod request;
pub mod right;
pub mod seal;
pub mod signature;
mod split;
pub mod sums;
pub mod trapdoor;
pub(crate) mod tree;
pub mod upload;

pub use error::Error;
