//! Order-preserving encryption of record indexes under one key per provider.
//!
//! The modules follow the data's way, and each is named for the step it takes:
//!
//! | step | module | who acts |
//! | --- | --- | --- |
//! | derive keys | [`keys`] | owner, provider |
//! | turn values into plaintexts | [`domain`] | provider, whoever queries |
//! | encrypt in order | [`scheme`], from [`coins`] and [`hypergeometric`] | provider |
//! | attach files to records, find them | [`mod@file`], [`keyword`] | provider, whoever queries |
//! | seal files, compare ciphers | [`stream`] over [`cipher`] | provider, whoever measures |
//! | derive keys from passwords | [`password`] | whoever has one |
//! | share secrets among holders | [`secret_sharing`] | owner, provider |
//! | merge and search the encrypted indexes | [`index`] | cloud, without a key |
//! | attack what the cloud sees | [`attack`], without a key | whoever evaluates |
//! | count what ran, and have a control | [`operations`], [`control`] | whoever measures |
//! | draw what was measured | [`plot`] | whoever measures |
//!
//! The crate has no Python in it unless the `python` feature is on; then `bindings` exposes the
//! same functions as `mopse._mopse`.

#[cfg(test)]
extern crate self as mopse; // the scene is the integration tests' own

pub mod attack;
pub mod cipher;
pub mod cloud;
mod error;
pub mod evaluate;
pub mod keys;
pub mod message;
pub mod operations;
pub mod party;
pub mod plot;
pub mod schema;
pub mod scheme;
pub mod wire;

#[cfg(feature = "python")]
mod bindings;

pub use error::Error;
