//! What travels, all of it public: no module here knows a key.
//!
//! | module | what |
//! | --- | --- |
//! | [`place`] | where a party stands in its owner's hierarchy, and in which epochs |
//! | [`signature`], [`certificate`], `tree` | who signed; who may; many under one signature |
//! | [`announcement`] | what an owner tells its clouds |
//! | [`upload`], [`token`], [`answer`] | records and their index entries; queries; what answers them |
//! | [`attachment`], [`trapdoor`] | attachments; what finds a keyword |
//! | [`request`], [`listing`], [`notes`] | requests for attachments and notes, and what answers them |

pub mod announcement;
pub mod answer;
pub mod attachment;
pub mod bundle;
pub mod certificate;
pub(crate) mod envelope;
mod error;
pub mod listing;
pub mod notes;
pub mod place;
pub mod request;
pub mod signature;
pub mod token;
pub mod trapdoor;
pub(crate) mod tree;
pub mod upload;

pub use error::Error;
