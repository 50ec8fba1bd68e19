//! Order-preserving encryption of record indexes under one key per provider.
//!
//! The rooms follow the data's way:
//!
//! | room | what it holds | who acts |
//! | --- | --- | --- |
//! | [`keys`] | the key tree, keyed coins | owner, provider |
//! | [`schema`] | fields: values to plaintexts | provider, whoever queries |
//! | [`scheme`] | plaintexts to ciphertexts in order | provider |
//! | [`cipher`] | sealed values, files, passwords, shares | owner, provider |
//! | [`message`] | all that travels; no key | everyone |
//! | [`party`] | all that holds keys | owner, provider, user |
//! | [`sharing`] | users' keys, and what is sealed to them | owner, provider, user |
//! | [`cloud`] | the merged indexes, the stores; no key | cloud |
//! | [`audit`] | the log of what a cloud did, and who holds it to that | cloud, whoever watches it |
//! | [`attack`] | what the cloud sees, and what that gives away; no key | whoever evaluates |
//! | [`evaluate`] | the controls | whoever measures |
//! | [`plot`] | figures | whoever measures |
//!
//! Below them lie [`wire`], the codec of all messages, [`operations`], the counters, and what belongs to
//! one process: `pool`, its threads, [`stop`], which ends what they do, and [`lock`]. Every room has its own
//! error; [`Error`] wraps them.
//!
//! The crate has no Python in it unless the `python` feature is on; then `bindings` exposes the
//! same functions as `mopse._mopse`.

#![forbid(unsafe_code)]

#[cfg(test)]
extern crate self as mopse; // the scene is the integration tests' own

pub mod attack;
pub mod audit;
pub mod cipher;
pub mod cloud;
mod error;
pub mod evaluate;
pub mod keys;
pub mod lock;
pub mod message;
pub mod operations;
pub mod party;
pub mod plot;
mod pool;
pub mod schema;
pub mod scheme;
pub mod sharing;
pub mod stop;
pub mod wire;

#[cfg(feature = "python")]
mod bindings;

pub use error::Error;
