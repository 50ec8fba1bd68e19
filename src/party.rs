//! All that holds keys: owners and providers, what they send and what they open.
//!
//! Both are a *keyring*: a node of the owner's hierarchy, its key, and the rulers of the group it
//! belongs to. The modules follow what a party does:
//!
//! | module | what |
//! | --- | --- |
//! | [`keyring`] | what is held |
//! | [`hierarchy`], [`authority`] | what is known below; authorise, revoke, learn |
//! | [`uploading`], [`attaching`] | records that are encrypted; files that are attached |
//! | [`asking`], [`opening`] | queries and requests; answers and attachments |
//! | [`amending`], [`claims`] | records that amend another provider's; what they state |
//! | [`ledger`], [`shelves`], [`proving`] | seals of what is stored, rows and files; whether an answer is all of it |
//! | [`deidentify`] | pseudonyms and shifts of dates for readers who are not to know whose records they read |
//! | [`records`], [`grants`] | rows of a table, sealed one by one; the right to open some |
//! | [`shares`], [`rights`] | with whom what is shared; who may search what with tokens of its own |
//! | [`teams`], [`leaving`] | users who are given the same; what is taken back, for now or for good |
//! | [`requests`] | who asked for what, and what became of it |
//! | [`columns`], [`types`] | what a row is made of, and what each type holds |
//! | [`attachments`], [`keywords`] | files of records, and what finds them |
//! | [`saved`] | a keyring at rest, under a password |

pub mod amending;
pub mod asking;
pub mod attaching;
pub mod attachments;
pub mod authority;
pub mod claims;
pub mod columns;
pub mod deidentify;
mod error;
pub mod grants;
pub mod hierarchy;
pub mod keyring;
pub mod keywords;
mod leaves;
pub mod leaving;
pub mod ledger;
pub mod opening;
pub mod proving;
pub mod records;
pub mod requests;
pub mod rights;
pub mod saved;
#[cfg(test)]
#[path = "../tests/support/scene.rs"]
pub(crate) mod scene;
pub mod shares;
pub mod shelves;
pub mod teams;
pub mod types;
pub mod uploading;

pub use asking::Range;
pub use keyring::Keyring;
pub use opening::{Fault, Opened};
pub use uploading::Indexed;

pub use error::Error;
